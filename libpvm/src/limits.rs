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

/// Longest key, name, architecture or software version of a host, in bytes.
pub const HOST_TEXT_MAX: usize = 512;

/// Most addresses of one host.
pub const HOST_ADDRESSES_MAX: usize = 64;

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

/// A host that does not take entries of the ledger for so long is suspected.
pub const LEDGER_SILENCE_MS: u64 = 2_000;

/// The last of two hosts goes on alone after so long.
pub const LEDGER_TAKE_OVER_MS: u64 = 2_000;

/// Entries of the ledger after which a snapshot is made.
pub const LEDGER_SNAPSHOT_ENTRIES: u64 = 2_048;

/// Entries of the ledger that are kept behind a snapshot, for hosts that lag.
pub const LEDGER_KEEP_ENTRIES: u64 = 512;
