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

/// Longest a connection between daemons takes until both know who the other is.
pub const HANDSHAKE_DEADLINE_MS: u64 = 5_000;

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
/// limit for a connection: one stalled stream must not hold up the others.
pub const STREAM_WINDOW: u32 = 256 << 10;

/// Bytes on the way to another daemon that it has not confirmed.
pub const PEER_SEND_WINDOW: u64 = 32 << 20;

/// Longest a daemon waits until another one lets it open a stream.
pub const STREAM_OPEN_DEADLINE_MS: u64 = 10_000;

/// Longest a leaving daemon waits until others have heard that it leaves.
pub const FAREWELL_DEADLINE_MS: u64 = 500;
