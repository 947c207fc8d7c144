//! Error handlers (MPI 5.0, 9.3).

use std::fmt;
use std::sync::Arc;

/// A function of the program that is told of errors: the handle of the object, as the interface that
/// the program uses numbers it, and the error code.
pub type ErrorFunction = dyn Fn(u64, i32) + Send + Sync;

/// What objects a handler of the program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the objects")]
pub enum Subject {
    Comm,
    Win,
    File,
    Session,
}

/// What happens when a call fails.
#[derive(Clone)]
pub enum Errhandler {
    /// All processes of the program are ended.
    AreFatal,
    /// The processes of the communicator are ended.
    Abort,
    /// The call returns its error code.
    Return,
    /// A function of the program is called, then the call returns its error code.
    User(Arc<UserErrhandler>),
}

/// A handler of the program.
pub struct UserErrhandler {
    /// What it is for.
    pub subject: Subject,
    /// What is called.
    pub function: Box<ErrorFunction>,
}

impl Errhandler {
    /// Whether it can be the handler of such an object.
    pub fn suits(&self, subject: Subject) -> bool {
        match self {
            Self::User(user) => user.subject == subject,
            _ => true,
        }
    }
}

impl fmt::Debug for Errhandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AreFatal => "MPI_ERRORS_ARE_FATAL",
            Self::Abort => "MPI_ERRORS_ABORT",
            Self::Return => "MPI_ERRORS_RETURN",
            Self::User(_) => "a function of the program",
        })
    }
}
