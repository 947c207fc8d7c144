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

/// Most hosts of one host file or list.
pub const HOSTS_MAX: usize = 65_534;

/// Largest host file, in bytes.
pub const HOSTFILE_MAX: u64 = 4 << 20;

/// Longest name of a host or of a user on it, in bytes.
pub const HOST_NAME_MAX: usize = 253;

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
