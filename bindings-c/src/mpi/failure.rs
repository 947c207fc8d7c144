//! Errors on their way to the program.

use std::ffi::c_int;

use pvm::group::Group;
use pvm::mpi::{Class, Comm, Errhandler, Error};

use super::generated::constants as abi;
use super::raw;
use super::state;

/// Result of a function of a chapter.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// An error, and which handler is told for which object if not that of the call's parameter.
// One pointer, as the error itself: what a call that went well gives back is in a register.
pub(crate) struct Failure(Box<Failed>);

struct Failed {
    error: Error,
    on: Option<(Errhandler, usize)>,
}

impl Failure {
    /// An error of an operation of this communicator, in a call that has no such parameter.
    #[cold]
    pub(crate) fn on(comm: &Comm, error: impl Into<Error>) -> Self {
        Self::told(comm.errhandler(), comm.handle() as usize, error.into())
    }

    /// An error that this handler is told, for the object with this handle.
    #[cold]
    pub(crate) fn told(errhandler: Errhandler, object: usize, error: Error) -> Self {
        let on = Some((errhandler, object));
        Self(Box::new(Failed { error, on }))
    }
}

impl From<(Error, Option<Comm>)> for Failure {
    #[cold]
    fn from((error, on): (Error, Option<Comm>)) -> Self {
        match on {
            Some(comm) => Self::on(&comm, error),
            None => error.into(),
        }
    }
}

impl From<Error> for Failure {
    #[cold]
    fn from(error: Error) -> Self {
        Self(Box::new(Failed { error, on: None }))
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
        let comm = self.find().ok()?;
        Some((comm.errhandler(), self.0))
    }
}

impl Subject for raw::AnyComm {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        raw::Comm(self.0).errhandler()
    }
}

impl Subject for raw::Session {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        let session = self.find().ok()?;
        Some((session.errhandler(), self.0))
    }
}

impl Subject for raw::File {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        Some((state::of_files().clone(), self.0))
    }
}

impl Subject for raw::Win {
    fn errhandler(&self) -> Option<(Errhandler, usize)> {
        None
    }
}

/// Tells the program of an error of a call; gives the code that the call returns.
#[cold]
pub(crate) fn raise(call: &str, subject: &dyn Subject, failure: Failure) -> c_int {
    let Failed { error, on } = *failure.0;
    let known = on.or_else(|| subject.errhandler());
    let (errhandler, handle) = known.unwrap_or_else(state::default_errhandler);
    match errhandler {
        Errhandler::Return => {}
        Errhandler::User(user) => (user.function)(handle as u64, error.code()),
        fatal @ (Errhandler::AreFatal | Errhandler::Abort) => {
            state::die(call, &error, group_of(&fatal, handle).as_ref())
        }
    }
    error.code()
}

/// Whom a handler ends that was called for an object: all that are connected, or the group of a
/// communicator; `None`: this process alone (MPI 5.0, 9.3).
pub(crate) fn group_of(fatal: &Errhandler, object: usize) -> Option<Group> {
    let of = match fatal {
        Errhandler::AreFatal => raw::Comm(abi::COMM_WORLD as usize),
        _ => raw::Comm(object),
    };
    let comm = of.find().ok()?;
    Some(comm.group().clone())
}
