//! PVM's error codes and their texts.

/// Result of a PVM call.
pub type Result<T> = std::result::Result<T, Error>;

/// Texts by the negated code; programs print them, so they are PVM's own.
const TEXTS: [&str; 37] = [
    "Error 0",
    "Error 1",
    "Bad parameter",
    "Parameter mismatch",
    "Value too large",
    "End of buffer",
    "No such host",
    "No such file",
    "Permission denied",
    "Error 9",
    "Malloc failed",
    "Error 11",
    "Can't decode message",
    "Error 13",
    "Can't contact local daemon",
    "No current buffer",
    "No such buffer",
    "Null group name",
    "Already in group",
    "No such group",
    "Not in group",
    "No such instance",
    "Host failed",
    "No parent task",
    "Not implemented",
    "Pvmd system error",
    "Version mismatch",
    "Out of resources",
    "Duplicate host",
    "Can't start pvmd",
    "Already in progress",
    "No such task",
    "Not Found",
    "Already Exists",
    "Hoster must run on master host",
    "Spawning parent set PvmNoParent",
    "Master Host IP Address is Loopback! (See pvm3/Readme).",
];

/// Number of error texts.
pub const TEXT_COUNT: usize = TEXTS.len();

/// Text of a code (zero or negative); `None` for a number that is no code.
pub fn text(code: i32) -> Option<&'static str> {
    let index = usize::try_from(code.checked_neg()?).ok()?;
    TEXTS.get(index).copied()
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// Why a PVM call failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Error { $($(#[$doc])* $name = $code,)* }

        impl Error {
            /// All of them.
            pub const ALL: &[Error] = &[$(Error::$name,)*];
        }
    };
}

errors! {
    /// An argument makes no sense.
    BadParam = -2;
    /// Barrier counts differ.
    Mismatch = -3;
    /// A value does not fit its portable form.
    Overflow = -4;
    /// The message has no more data.
    NoData = -5;
    /// No such host.
    NoHost = -6;
    /// No such program.
    NoFile = -7;
    /// Not allowed.
    Denied = -8;
    /// No memory.
    NoMem = -10;
    /// The message cannot be decoded here.
    BadMsg = -12;
    /// The daemon cannot be reached, or an error of our own.
    SysErr = -14;
    /// No buffer is active.
    NoBuf = -15;
    /// No buffer has this id.
    NoSuchBuf = -16;
    /// The group name is empty.
    NullGroup = -17;
    /// The task is in the group already.
    DupGroup = -18;
    /// No such group.
    NoGroup = -19;
    /// The task is not in the group.
    NotInGroup = -20;
    /// The group has no such instance.
    NoInst = -21;
    /// A host was lost during the call.
    HostFail = -22;
    /// The task was not spawned by a task.
    NoParent = -23;
    /// Not implemented.
    NotImpl = -24;
    /// The daemon had an error of its own.
    DaemonError = -25;
    /// Versions of daemon and library do not fit.
    BadVersion = -26;
    /// Processes, descriptors or memory are used up.
    OutOfRes = -27;
    /// The host is there already.
    DupHost = -28;
    /// The daemon could not be started.
    CantStart = -29;
    /// The operation runs already.
    Already = -30;
    /// No such task.
    NoTask = -31;
    /// No such entry.
    NotFound = -32;
    /// There is such an entry already.
    Exists = -33;
    /// A hoster runs on the first host only.
    HosterNotMaster = -34;
    /// The task was spawned with `PvmNoSpawnParent`.
    ParentNotSet = -35;
    /// The address of the first host is of no use to others.
    Loopback = -36;
}

impl Error {
    /// The number that C and Fortran programs see.
    pub fn code(self) -> i32 {
        self as i32
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(text(self.code()).unwrap_or("unknown error"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_texts() {
        assert_eq!(Error::BadParam.to_string(), "Bad parameter");
        assert_eq!(Error::SysErr.to_string(), "Can't contact local daemon");
        assert_eq!(Error::NotFound.to_string(), "Not Found");
        assert_eq!(text(0), Some("Error 0"));
        assert_eq!(text(1), None);
        assert_eq!(text(-37), None);
        assert_eq!(text(i32::MIN), None);
        assert!(Error::ALL.iter().all(|e| text(e.code()).is_some()));
    }
}
