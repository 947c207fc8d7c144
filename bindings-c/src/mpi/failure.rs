//! Errors on their way to the program.

use std::ffi::c_int;

use pvm::mpi::{Class, Comm, Errhandler, Error};

use super::handle;
use super::raw;
use super::state;

/// Result of a function of a chapter.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// An error, and whose handler is told if not that of the call's parameter.
pub(crate) struct Failure {
    error: Error,
    on: Option<Comm>,
}

impl Failure {
    /// An error of an operation of this communicator, in a call that has no such parameter.
    #[cold]
    pub(crate) fn on(comm: &Comm, error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            on: Some(comm.clone()),
        }
    }
}

impl From<(Error, Option<Comm>)> for Failure {
    #[cold]
    fn from((error, on): (Error, Option<Comm>)) -> Self {
        Self { error, on }
    }
}

impl From<Error> for Failure {
    #[cold]
    fn from(error: Error) -> Self {
        Self { error, on: None }
    }
}

impl From<Class> for Failure {
    #[cold]
    fn from(class: Class) -> Self {
        Error::from(class).into()
    }
}

/// The parameter whose error handler is told.
pub(crate) trait Subject {
    /// What happens, and the handle that a function of the program is told; `None`: the handler of
    /// `MPI_COMM_SELF` decides.
    fn errhandler(&self) -> Option<(Errhandler, usize)>;
}

/// Calls without such a parameter.
pub(crate) struct Nobody;

impl Subject for Nobody {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        None
    }
}

impl Subject for raw::Comm {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        // SAFETY: the program promises not to free what it uses in a call.
        let comm = unsafe { handle::find::<Comm>(self.0) }.ok()?;
        Some((comm.errhandler(), self.0))
    }
}

macro_rules! without_handler {
    ($($name:ident)*) => {$(
        impl Subject for raw::$name {
            fn errhandler(&self) -> Option<(Errhandler, usize)> {
                None
            }
        }
    )*};
}
without_handler!(Win File Session);

/// Tells the program of an error of a call; gives the code that the call returns.
#[cold]
pub(crate) fn raise(call: &str, subject: &dyn Subject, failure: Failure) -> c_int {
    let Failure { error, on } = failure;
    let of_comm = on.map(|comm| (comm.errhandler(), comm.handle() as usize));
    let known = of_comm.or_else(|| subject.errhandler());
    let (errhandler, handle) = known.unwrap_or_else(state::default_errhandler);
    match errhandler {
        Errhandler::Return => {}
        Errhandler::User(user) => (user.function)(handle as u64, error.code()),
        Errhandler::AreFatal | Errhandler::Abort => state::die(call, &error),
    }
    error.code()
}
