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

/// Largest body of a packet that goes to another host.
pub const NET_BODY_MAX: usize = 64 << 10;

/// Bytes of frames that one task keeps for another until they are confirmed. What a task that does
/// not look at its messages makes the daemons hold, from each of its senders.
pub const NET_WINDOW: usize = 256 << 10;

/// Bytes after which a receiver confirms without being asked.
pub const NET_CONFIRM_BYTES: usize = 64 << 10;

/// A receiver that has confirmed nothing for this long does so with the next packet.
pub const NET_CONFIRM_PAUSE_MS: u64 = 10;

/// Bytes of frames that go to the daemon at once.
pub const NET_BATCH: usize = 128 << 10;

/// Times in a row that a peer may send nonsense, or leave packets out, before it counts as gone.
pub const NET_FAULTS_MAX: u32 = 8;

/// Longest that leaving waits for a peer on another host to confirm more than it has: a task that
/// computes confirms nothing, and the daemons have it all.
pub const LEAVE_CONFIRM_MS: u64 = 1_000;

/// Addresses that one direct connection is tried at, and strangers that may knock while it is made.
pub const DIRECT_CANDIDATES_MAX: usize = 16;

/// Bytes of frames that a direct connection holds in each direction, besides those in the kernel.
pub const DIRECT_BUFFER: usize = 256 << 10;
