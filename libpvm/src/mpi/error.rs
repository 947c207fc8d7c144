//! Error classes and errors of MPI (MPI 5.0, 9.4), with the values of the standard ABI.
//!
//! Every error that the library itself raises has a class; its code is the class. Codes and classes
//! that a program adds are numbers above [`LAST_CODE`], kept by the process (`code`).

use std::borrow::Cow;
use std::fmt;

/// Result of an MPI call.
pub type Result<T> = std::result::Result<T, Error>;

/// The largest number that a class or code of the library can have (`MPI_ERR_LASTCODE`).
pub const LAST_CODE: i32 = 0x3fff;

macro_rules! classes {
    ($($name:ident = $value:literal $symbol:literal: $text:literal;)*) => {
        /// A class of errors. The numbers are those of the standard ABI.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum Class {
            $(#[doc = $text] $name = $value,)*
        }

        impl Class {
            /// The class of a number; `None`: the library has none of it.
            pub fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What the standard calls it.
            pub fn symbol(self) -> &'static str {
                match self {
                    $(Self::$name => $symbol,)*
                }
            }

            /// What it means, for people.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

classes! {
    Success = 0 "MPI_SUCCESS": "no error";
    Buffer = 1 "MPI_ERR_BUFFER": "invalid buffer address";
    Count = 2 "MPI_ERR_COUNT": "invalid count";
    Type = 3 "MPI_ERR_TYPE": "invalid datatype";
    Tag = 4 "MPI_ERR_TAG": "invalid tag";
    Comm = 5 "MPI_ERR_COMM": "invalid communicator";
    Rank = 6 "MPI_ERR_RANK": "invalid rank";
    Request = 7 "MPI_ERR_REQUEST": "invalid request";
    Root = 8 "MPI_ERR_ROOT": "invalid root";
    Group = 9 "MPI_ERR_GROUP": "invalid group";
    Op = 10 "MPI_ERR_OP": "invalid reduction operation";
    Topology = 11 "MPI_ERR_TOPOLOGY": "invalid topology";
    Dims = 12 "MPI_ERR_DIMS": "invalid dimensions";
    Arg = 13 "MPI_ERR_ARG": "invalid argument";
    Unknown = 14 "MPI_ERR_UNKNOWN": "unknown error";
    Truncate = 15 "MPI_ERR_TRUNCATE": "the message is longer than the room for it";
    Other = 16 "MPI_ERR_OTHER": "the call cannot be made here or now";
    Intern = 17 "MPI_ERR_INTERN": "internal error of the library";
    Pending = 18 "MPI_ERR_PENDING": "the operation has not ended";
    InStatus = 19 "MPI_ERR_IN_STATUS": "the error code is in the status";
    Access = 20 "MPI_ERR_ACCESS": "permission denied";
    Amode = 21 "MPI_ERR_AMODE": "invalid access mode";
    Assert = 22 "MPI_ERR_ASSERT": "invalid assertion";
    BadFile = 23 "MPI_ERR_BAD_FILE": "invalid file name";
    Base = 24 "MPI_ERR_BASE": "invalid base address";
    Conversion = 25 "MPI_ERR_CONVERSION": "a data conversion function failed";
    Disp = 26 "MPI_ERR_DISP": "invalid displacement";
    DupDatarep = 27 "MPI_ERR_DUP_DATAREP": "the data representation exists already";
    FileExists = 28 "MPI_ERR_FILE_EXISTS": "the file exists";
    FileInUse = 29 "MPI_ERR_FILE_IN_USE": "the file is open elsewhere";
    File = 30 "MPI_ERR_FILE": "invalid file handle";
    InfoKey = 31 "MPI_ERR_INFO_KEY": "the info key is too long, or empty";
    InfoNokey = 32 "MPI_ERR_INFO_NOKEY": "the info key is not there";
    InfoValue = 33 "MPI_ERR_INFO_VALUE": "the info value is too long";
    Info = 34 "MPI_ERR_INFO": "invalid info object";
    Io = 35 "MPI_ERR_IO": "input or output failed";
    Keyval = 36 "MPI_ERR_KEYVAL": "invalid attribute key";
    Locktype = 37 "MPI_ERR_LOCKTYPE": "invalid lock type";
    Name = 38 "MPI_ERR_NAME": "the service name is not published";
    NoMem = 39 "MPI_ERR_NO_MEM": "out of memory";
    NotSame = 40 "MPI_ERR_NOT_SAME": "an argument is not the same in all processes";
    NoSpace = 41 "MPI_ERR_NO_SPACE": "no space left";
    NoSuchFile = 42 "MPI_ERR_NO_SUCH_FILE": "no such file";
    Port = 43 "MPI_ERR_PORT": "invalid port name";
    Quota = 44 "MPI_ERR_QUOTA": "quota exceeded";
    ReadOnly = 45 "MPI_ERR_READ_ONLY": "the file or file system is read-only";
    RmaAttach = 46 "MPI_ERR_RMA_ATTACH": "the memory cannot be attached";
    RmaConflict = 47 "MPI_ERR_RMA_CONFLICT": "conflicting accesses to a window";
    RmaRange = 48 "MPI_ERR_RMA_RANGE": "the target memory is not in the window";
    RmaShared = 49 "MPI_ERR_RMA_SHARED": "the memory cannot be shared";
    RmaSync = 50 "MPI_ERR_RMA_SYNC": "wrong synchronization of a window";
    Service = 51 "MPI_ERR_SERVICE": "the service name cannot be unpublished";
    Size = 52 "MPI_ERR_SIZE": "invalid size";
    Spawn = 53 "MPI_ERR_SPAWN": "processes could not be spawned";
    UnsupportedDatarep = 54 "MPI_ERR_UNSUPPORTED_DATAREP": "unknown data representation";
    UnsupportedOperation = 55 "MPI_ERR_UNSUPPORTED_OPERATION": "operation not supported";
    Win = 56 "MPI_ERR_WIN": "invalid window";
    RmaFlavor = 57 "MPI_ERR_RMA_FLAVOR": "the window is of the wrong flavor";
    ProcAborted = 58 "MPI_ERR_PROC_ABORTED": "a peer process has ended";
    ValueTooLarge = 59 "MPI_ERR_VALUE_TOO_LARGE": "the value does not fit the argument";
    Session = 60 "MPI_ERR_SESSION": "invalid session";
    Errhandler = 61 "MPI_ERR_ERRHANDLER": "invalid error handler";
    Abi = 62 "MPI_ERR_ABI": "the ABI query or setting is not possible";
    TCannotInit = 1001 "MPI_T_ERR_CANNOT_INIT": "the tool interface cannot be initialized";
    TNotAccessible = 1002 "MPI_T_ERR_NOT_ACCESSIBLE": "not accessible now";
    TNotInitialized = 1003 "MPI_T_ERR_NOT_INITIALIZED": "the tool interface is not initialized";
    TNotSupported = 1004 "MPI_T_ERR_NOT_SUPPORTED": "not supported by the tool interface";
    TMemory = 1005 "MPI_T_ERR_MEMORY": "out of memory in the tool interface";
    TInvalid = 1006 "MPI_T_ERR_INVALID": "invalid use of the tool interface";
    TInvalidIndex = 1007 "MPI_T_ERR_INVALID_INDEX": "invalid index";
    TInvalidItem = 1008 "MPI_T_ERR_INVALID_ITEM": "invalid item";
    TInvalidSession = 1009 "MPI_T_ERR_INVALID_SESSION": "invalid session of the tool interface";
    TInvalidHandle = 1010 "MPI_T_ERR_INVALID_HANDLE": "invalid handle of the tool interface";
    TInvalidName = 1011 "MPI_T_ERR_INVALID_NAME": "unknown name";
    TOutOfHandles = 1012 "MPI_T_ERR_OUT_OF_HANDLES": "no more handles";
    TOutOfSessions = 1013 "MPI_T_ERR_OUT_OF_SESSIONS": "no more sessions";
    TCvarSetNotNow = 1014 "MPI_T_ERR_CVAR_SET_NOT_NOW": "the variable cannot be set now";
    TCvarSetNever = 1015 "MPI_T_ERR_CVAR_SET_NEVER": "the variable cannot be set";
    TPvarNoWrite = 1016 "MPI_T_ERR_PVAR_NO_WRITE": "the variable cannot be written";
    TPvarNoStartstop = 1017 "MPI_T_ERR_PVAR_NO_STARTSTOP": "the variable cannot be started or stopped";
    TPvarNoAtomic = 1018 "MPI_T_ERR_PVAR_NO_ATOMIC": "the variable cannot be read and reset at once";
}

/// Why an MPI call failed: a code, and what about it, for people.
// One pointer: nearly every function of this layer returns it, or what it gives, and most of them are called for
// every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Failed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    code: i32,
    detail: Cow<'static, str>,
}

impl Error {
    /// An error of a class, with the argument or object that is wrong and why.
    #[cold]
    pub fn new(class: Class, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Failed {
            code: class as i32,
            detail: detail.into(),
        }))
    }

    /// An error with the code of a program, from one of its callbacks.
    #[cold]
    pub fn from_code(code: i32) -> Self {
        Self(Box::new(Failed {
            code,
            detail: Cow::Borrowed(""),
        }))
    }

    /// What the call returns: the class, or the code of a program.
    pub fn code(&self) -> i32 {
        self.0.code
    }

    /// The class, when it is one of the library's.
    pub fn class(&self) -> Option<Class> {
        Class::from_number(self.0.code)
    }

    /// What about it; empty when there is nothing more to say.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl From<Class> for Error {
    #[cold]
    fn from(class: Class) -> Self {
        Self::new(class, "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            Some(class) => write!(f, "{}: {}", class.symbol(), class.text())?,
            None => write!(f, "error code {}", self.code())?,
        }
        match self.detail() {
            "" => Ok(()),
            detail => write!(f, ": {detail}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_numbers_of_the_abi() {
        for number in 0..=62 {
            let class = Class::from_number(number).expect("the classes have no gap");
            assert_eq!(class as i32, number);
            assert!(class.symbol().starts_with("MPI_"));
        }
        assert_eq!(Class::from_number(63), None);
        assert_eq!(Class::TPvarNoAtomic as i32, 1018);
    }

    #[test]
    fn results_that_carry_nothing_fit_a_register() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn errors_say_what_and_why() {
        let error = Error::new(Class::Rank, "rank 9 in a communicator of 4");
        assert_eq!(
            error.to_string(),
            "MPI_ERR_RANK: invalid rank: rank 9 in a communicator of 4"
        );
        assert_eq!(error.code(), 6);
        assert_eq!(Error::from_code(20000).to_string(), "error code 20000");
    }
}
