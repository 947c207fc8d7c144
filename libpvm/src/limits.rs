//! Every bound of the system in one place. What comes from another process is checked against
//! these before anything is allocated for it.

/// Largest control frame, in bytes: an environment, two megabytes at most by the kernel's rules,
/// and room for the rest.
pub const CONTROL_FRAME_MAX: usize = 16 << 20;

/// Lowest and highest version of the control protocol that this build speaks.
pub const CONTROL_VERSIONS: (u32, u32) = (1, 1);

/// Longest a client waits for the daemon to accept and answer its first frame.
pub const HELLO_DEADLINE_MS: u64 = 10_000;

/// Descriptors beside one control frame.
pub const CONTROL_FDS_MAX: usize = 8;

/// Most tasks of one launch on one host.
pub const TASKS_PER_LAUNCH_MAX: u32 = 100_000;

/// Bells of an inbox: tasks on the same host that one task may have channels with at a time.
pub const BELLS_MAX: usize = 4096;

/// Longest group name, in bytes.
pub const GROUP_NAME_MAX: usize = 4096;

/// Largest encoded value of a message with a serde type, in bytes.
pub const VALUE_MAX: usize = 1 << 30;

/// Longest a client waits for the answer to an ordinary request.
pub const CALL_DEADLINE_MS: u64 = 60_000;

/// Longest a client waits for a daemon that it starts.
pub const DAEMON_START_DEADLINE_MS: u64 = 10_000;

/// How long a daemon that a client starts stays with nothing to do, in seconds, when nothing else is set.
pub const DAEMON_IDLE_S: u64 = 60;

/// Most hosts of one host file or list.
pub const HOSTS_MAX: usize = 65_534;

/// Largest host file, in bytes.
pub const HOSTFILE_MAX: u64 = 4 << 20;

/// Largest file of programs (`pvm run -configfile`), in bytes.
pub const CONFIGFILE_MAX: u64 = 4 << 20;

/// Longest name of a host or of a user on it, in bytes.
pub const HOST_NAME_MAX: usize = 253;

/// Lowest and highest version of the protocol between daemons that this build speaks.
pub const MESH_VERSIONS: (u32, u32) = (1, 1);

/// Days that the certificate of a daemon is good for; it is renewed after half of them.
pub const LEAF_DAYS: u64 = 7;

/// Seconds before its making from which a certificate is good: how far the clocks of two hosts may
/// differ.
pub const LEAF_SKEW_S: u64 = 60 * 60;

/// Seconds between looks at whether a certificate is to be renewed.
pub const LEAF_LOOK_S: u64 = 60;

/// Join tokens that a daemon keeps.
pub const TOKENS_MAX: usize = 64;

/// Addresses of one daemon: as many are told to others, and dialled.
pub const ADDRESSES_MAX: usize = 16;

/// Largest first message of a connection between daemons, and of a stream, in bytes.
pub const GREETING_MAX: usize = 4096;

/// Between two looks at the addresses of this host. What others miss meanwhile must not last until
/// they regard it as lost.
pub const ADDRESS_LOOK_MS: u64 = 500;

/// Longest a connection between daemons takes until both know who the other is.
pub const HANDSHAKE_DEADLINE_MS: u64 = 5_000;

/// Longest wait for the system to say why an address gives no answer. The handshake has waited
/// already; together it is longer than what Linux takes to find that a host is not in its network.
pub const KNOCK_MS: u64 = 1_300;

/// Times that a daemon which wants to join is tried in vain to reach; each takes some seconds.
pub const SEED_ATTEMPTS: u32 = 2;

/// Bytes on the way to a daemon from somebody who has not said yet who it is.
pub const GREETING_WINDOW: u32 = 16 << 10;

/// Connections to a daemon whose other end has not said yet who it is.
pub const HALF_OPEN_MAX: usize = 256;

/// Of these, as many are taken without a proof that their sender is where it says.
pub const HALF_OPEN_UNPROVED_MAX: usize = 64;

/// Connections between the same two daemons: both may dial at the same time, and dial again before
/// the other has noticed a loss.
pub const CONNECTIONS_PER_PEER_MAX: usize = 4;

/// Time between signs of life on a connection between daemons.
pub const KEEP_ALIVE_MS: u64 = 500;

/// Silence after which a connection between daemons is lost.
pub const PEER_SILENCE_MS: u64 = 2_000;

/// Streams of each kind that one daemon may have open to another at a time.
pub const PEER_STREAMS_MAX: u32 = 4096;

/// Bytes on the way in one stream between daemons that its reader has not taken. There is no lower
/// limit for a connection: one stalled stream must not hold up the others. More than what a session
/// has under way ([`NET_WINDOW`]) and confirms: neither end of a line writes more than it has room for.
pub const STREAM_WINDOW: u32 = 512 << 10;

/// Bytes on the way to another daemon that it has not confirmed.
pub const PEER_SEND_WINDOW: u64 = 32 << 20;

/// Longest a daemon waits until another one lets it open a stream.
pub const STREAM_OPEN_DEADLINE_MS: u64 = 10_000;

/// Longest a leaving daemon waits until others have heard that it leaves.
pub const FAREWELL_DEADLINE_MS: u64 = 500;

/// Longest key, name, architecture or software version of a host, in bytes.
pub const HOST_TEXT_MAX: usize = 512;

/// Most addresses of one host.
pub const HOST_ADDRESSES_MAX: usize = 64;

/// Longest address as text, with a port and the number of an interface, in bytes.
pub const ADDRESS_TEXT_MAX: usize = 64;

/// Longest reason why a host is lost that is kept, in bytes.
pub const REASON_MAX: usize = 1024;

/// Most groups of a virtual machine at a time.
pub const GROUPS_MAX: usize = 8_192;

/// Members of all groups; a task counts once for each that it is in.
pub const MEMBERSHIPS_MAX: usize = 1 << 20;

/// Ended barriers of which the end is remembered, for a daemon that missed it.
pub const BARRIER_ENDS_KEPT: usize = 4096;

/// Longest name of a mailbox, in bytes.
pub const MAIL_NAME_MAX: usize = 4096;

/// Largest message in a mailbox, in bytes: every daemon has a copy.
pub const MAIL_ENTRY_MAX: usize = 1 << 20;

/// Most entries of all mailboxes.
pub const MAIL_ENTRIES_MAX: usize = 65_536;

/// Most bytes in all mailboxes, with their names.
pub const MAIL_BYTES_MAX: usize = 32 << 20;

/// Highest index of an entry in a mailbox, as PVM has it.
pub const MAIL_INDEX_MAX: u32 = (1 << 21) - 1;

/// Largest message between two ledgers, in bytes: a snapshot. At the limits, names of groups and
/// mailboxes with their messages take 64 MiB, members and barriers 32, hosts 32.
pub const LEDGER_FRAME_MAX: usize = 160 << 20;

/// Commands that one daemon puts into one entry of the ledger.
pub const LEDGER_BATCH_MAX: usize = 256;

/// Bytes of commands that one daemon puts into one entry of the ledger, the last command excepted.
pub const LEDGER_BATCH_BYTES_MAX: usize = 1 << 20;

/// Commands of one daemon that wait for their turn.
pub const LEDGER_QUEUE_MAX: usize = 16_384;

/// Bytes of entries in the ledger's log that call for a snapshot, whatever their number.
pub const LEDGER_LOG_BYTES_MAX: usize = 16 << 20;

/// Most voters of a ledger.
pub const LEDGER_VOTERS_MAX: usize = 5;

/// Largest command for the ledger, in bytes.
pub const LEDGER_COMMAND_MAX: usize = 2 << 20;

/// Bytes of entries in one message of the ledger, the first entry excepted.
pub const LEDGER_MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Between two signs of life of the ledger's leader.
pub const LEDGER_HEARTBEAT_MS: u64 = 200;

/// Least and most time without a leader after which a voter wants to be one.
pub const LEDGER_ELECTION_MS: (u64, u64) = (800, 1600);

/// Longest that a proposal to the ledger is tried.
pub const LEDGER_PROPOSE_MS: u64 = 30_000;

/// Without a leader that reaches a majority for so long, a host has lost the quorum. Longer than an
/// election that fails once.
pub const LEDGER_QUORUM_LOST_MS: u64 = 8_000;

/// A voter that takes no entries of the ledger for so long is suspected, and a host that does not ask for
/// news.
pub const LEDGER_SILENCE_MS: u64 = 2_000;

/// The last of two hosts goes on alone after so long.
pub const LEDGER_TAKE_OVER_MS: u64 = 2_000;

/// Entries of the ledger after which a snapshot is made.
pub const LEDGER_SNAPSHOT_ENTRIES: u64 = 2_048;

/// Entries of the ledger that are kept behind a snapshot, for voters that lag, and of the last ones on every
/// host, for those that ask it for news.
pub const LEDGER_KEEP_ENTRIES: u64 = 512;

/// Bytes of the ledger's last entries that a daemon keeps for those who ask it for news.
pub const LEDGER_RECENT_BYTES_MAX: usize = 4 << 20;

/// Longest that a host that asks for news of the ledger waits for some.
pub const LEDGER_HOLD_MS: u64 = 500;

/// Hosts on which daemons are started at the same time.
pub const SSH_PARALLEL: usize = 32;

/// Longest that starting a daemon on another host may take.
pub const SSH_DEADLINE_MS: u64 = 30_000;

/// Longest that ssh tries one address.
pub const SSH_CONNECT_S: u64 = 10;

/// Longest that ssh may take to leave after the daemon has answered.
pub const SSH_LEAVE_MS: u64 = 2_000;

/// Longest line that is kept of what ssh or a shell says, in bytes.
pub const SSH_LINE_MAX: usize = 4096;

/// Lines that are kept of what ssh or a shell says.
pub const SSH_LINES_MAX: usize = 64;

/// Largest join data, in bytes: they must fit into an empty pipe.
pub const JOIN_DATA_MAX: usize = 32 << 10;

/// Largest body of a packet that goes to another host.
pub const NET_BODY_MAX: usize = 64 << 10;

/// Most bytes of the frame that such a packet travels in.
pub const NET_FRAME_MAX: usize = NET_BODY_MAX + 65;

/// Bytes of frames that one task keeps for another until they are confirmed. What a task that does
/// not look at its messages makes the daemons hold, from each of its senders; those that leave may make
/// it [`DIRECT_WINDOW`].
pub const NET_WINDOW: usize = 256 << 10;

/// The same while a direct connection carries them: so much keeps the connection busy while the
/// receiver does something else.
pub const DIRECT_WINDOW: usize = 2 * DIRECT_BATCH;

/// Bytes of a message to another host from which on no copy is kept: its sender waits until it is confirmed.
pub const NET_LENT_MIN: usize = 4 * NET_BODY_MAX;

/// A receiver that has confirmed nothing for this long does so with the next packet.
pub const NET_CONFIRM_PAUSE_MS: u64 = 10;

/// Bytes of frames that go to the daemon at once.
pub const NET_BATCH: usize = 128 << 10;

/// Times in a row that a peer may send nonsense, or leave packets out, before it counts as gone.
pub const NET_FAULTS_MAX: u32 = 8;

/// Longest that leaving waits for a peer on another host to confirm more than it has: a task that
/// computes confirms nothing, and the daemons have it all.
pub const LEAVE_CONFIRM_MS: u64 = 1_000;

/// Longest that a daemon tries to become part of a virtual machine.
pub const ADMIT_DEADLINE_MS: u64 = 30_000;

/// Between two attempts of that.
pub const ADMIT_PAUSE_MS: u64 = 50;

/// Longest that a host which the others regard as lost tries to come back.
pub const RETURN_MS: u64 = 300_000;

/// Least and most time between two attempts of that.
pub const RETURN_PAUSE_MIN_MS: u64 = 250;
/// See [`RETURN_PAUSE_MIN_MS`].
pub const RETURN_PAUSE_MAX_MS: u64 = 10_000;

/// Least and most time between two attempts to reach the daemon of a host that is not known to be
/// lost.
pub const LINE_PAUSE_MIN_MS: u64 = 20;
/// See [`LINE_PAUSE_MIN_MS`].
pub const LINE_PAUSE_MAX_MS: u64 = 1_000;

/// Longest that a suspected host may take to answer.
pub const PROBE_MS: u64 = 2_500;

/// Most hosts on one machine that one command starts.
pub const LOCAL_HOSTS_MAX: u32 = 64;

/// Addresses that one direct connection is tried at, and strangers that may knock while it is made.
pub const DIRECT_CANDIDATES_MAX: usize = 16;

/// Longest that two tasks try to connect directly.
pub const DIRECT_DEADLINE_MS: u64 = 5_000;

/// Least and most time between two attempts of that.
pub const DIRECT_PAUSE_MIN_MS: u64 = 1_000;
/// See [`DIRECT_PAUSE_MIN_MS`].
pub const DIRECT_PAUSE_MAX_MS: u64 = 60_000;

/// Packets to a task of another host after which a direct connection pays.
pub const DIRECT_AFTER_PACKETS: u32 = 16;

/// A body after which it pays at once, in bytes.
pub const DIRECT_AFTER_BYTES: usize = 16 << 10;

/// Silence on a direct connection after which the system asks whether the other end is there, and how
/// long what was sent may stay unconfirmed by it.
pub const DIRECT_SILENCE_MS: u64 = 30_000;

/// Longest that the end of a task waits for what is still on its way on a direct connection.
pub const DIRECT_LINGER_MS: u64 = 2_000;

/// Direct connections of one task that its daemon has arranged and it does not listen for yet.
pub const ROUTES_PENDING_MAX: usize = 256;

/// Bytes that a task takes from its daemon before it looks at everything else.
pub const LINK_TURN: usize = 256 << 10;

/// Tasks of other hosts that a task keeps memory for messages for while nothing is under way with them.
pub const WARM_PEERS_MAX: usize = 4;

/// Bytes that are read from a direct connection before they are looked at.
pub const DIRECT_BUFFER: usize = 256 << 10;

/// Bytes of frames that are written to a direct connection at once: few writes make few packets. So many
/// of the largest that none is left over.
pub const DIRECT_BATCH: usize = 16 * NET_FRAME_MAX;

/// The same for one that encrypts, which the other end can only decrypt when it is there: while that does so,
/// the next is encrypted.
pub const TLS_BATCH: usize = 4 * NET_FRAME_MAX;

/// Longest that a new host waits until the loss of no host is the loss of the virtual machine.
pub const SETTLE_MS: u64 = 3_000;

/// Longest that one host waits for another one's answer to what users wait for.
pub const HOST_ANSWER_MS: u64 = 3_000;

/// Longest that an examination tries one address of another host: as long as Linux takes to find that
/// a host is not in its network.
pub const EXAM_DIAL_MS: u64 = 3_500;

/// Longest that an examination waits for the answer to a packet of a certain size, and how often it is
/// sent.
pub const EXAM_SIZE_MS: u64 = 300;
/// See [`EXAM_SIZE_MS`].
pub const EXAM_SIZE_TRIES: u32 = 3;

/// Longest that it looks for the addresses of one name.
pub const EXAM_NAME_MS: u64 = 3_000;

/// Longest that a host looks at itself and at its ways to others.
pub const EXAM_MS: u64 = 6_000;

/// Longest that another host waits for what it has found.
pub const EXAM_ANSWER_MS: u64 = 7_500;

/// Longest that a tool waits for the daemon to say that it is there, when it wants to know what is wrong.
pub const EXAM_HELLO_MS: u64 = 4_000;

/// Longest that a tool takes from its beginning until it tells what all have found.
pub const EXAM_CLIENT_MS: u64 = 9_000;

/// Longest that ssh may take to show that it reaches a host.
pub const EXAM_SSH_MS: u64 = 8_000;

/// Other hosts that one host tries in an examination.
pub const EXAM_TARGETS_MAX: usize = 128;

/// Addresses that one examination dials at a time.
pub const EXAM_DIALS_MAX: usize = 64;

/// Questions of one kind to the system that may take for ever and are under way at a time, also when
/// nobody waits for the answer any more.
pub const ASIDE_MAX: usize = 16;

/// Examinations of one host at a time.
pub const EXAMS_MAX: usize = 4;

/// Largest program that is copied to other hosts, in bytes.
pub const STAGE_MAX: u64 = 1 << 30;

/// Bytes of all programs that a host keeps for later launches.
pub const STAGE_STORE_MAX: u64 = 4 << 30;

/// Bytes that copied programs leave free where a daemon has its sockets and its log.
pub const STAGE_FREE_MIN: u64 = 16 << 20;

/// Longest that a host takes to get the programs of one launch: shorter than a launch waits for a host.
pub const STAGE_DEADLINE_MS: u64 = 25_000;

/// Most patterns inside each other in the layout of one datatype.
pub const LAYOUT_DEPTH_MAX: usize = 256;
