//! What the semantics of PVM need of the machine below them. [`super::attached`] is the real one;
//! tests bring their own.

use super::Error;
use crate::ids::{Tag, TaskId};
use crate::wire::control::{Failure, FailureCode, from_daemon, to_daemon};
use std::time::Instant;

/// The daemon cannot be reached any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon has ended")]
pub struct Lost;

/// Why a request to the daemon failed.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// The daemon is gone.
    Lost,
    /// The daemon says no.
    Refused(Failure),
}

/// Why a process could not become a task: the code for the program, the sentence for its user.
#[derive(Debug, Clone, PartialEq)]
pub struct AttachError {
    /// What the call returns.
    pub error: Error,
    /// What is printed.
    pub text: String,
}

/// Who this task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Itself.
    pub me: TaskId,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// The tasks that were started together with it, itself included.
    pub world: Vec<TaskId>,
    /// Name of the host.
    pub host: String,
    /// Index of the host.
    pub host_index: u32,
    /// It was started with a job, not by hand.
    pub has_job: bool,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A message has arrived, header first.
    Message {
        /// Its sender.
        source: TaskId,
        /// Its tag.
        tag: Tag,
        /// Header and body.
        bytes: Vec<u8>,
    },
    /// A task that was asked about under this token has ended.
    Exited {
        /// From the request.
        token: u64,
    },
}

/// The virtual machine as one task sees it.
pub trait Machine: Sized {
    /// Becomes a task. `again` is set when this process has been one before and left: then its
    /// identity is used up and it asks for a new one.
    fn attach(again: bool) -> Result<Self, AttachError>;

    /// Who this task is.
    fn standing(&self) -> &Standing;

    /// Sends a message, header first; never blocks. A receiver that is gone is no error.
    fn send(&mut self, to: TaskId, tag: Tag, message: Vec<u8>) -> Result<(), Lost>;

    /// The next thing that happens, in order; `None` when the deadline passes first. Always lets
    /// the engine progress, also when the deadline is past.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<News>, Lost>;

    /// Asks the daemon and waits for the answer; messages keep flowing meanwhile.
    fn call(&mut self, request: to_daemon::Body) -> Result<from_daemon::Body, CallError>;

    /// Waits until everything sent has left, then ends being a task.
    fn leave(self);
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        use FailureCode as Code;
        match failure.code() {
            Code::FailureVersion => Error::BadVersion,
            Code::FailureNotAllowed => Error::Denied,
            Code::FailureMalformed => Error::BadParam,
            Code::FailureNoSuchTask | Code::FailureNoSuchJob => Error::NoTask,
            Code::FailureNoSuchGroup => Error::NoGroup,
            Code::FailureNotInGroup => Error::NotInGroup,
            Code::FailureAlreadyInGroup => Error::DupGroup,
            Code::FailureMismatch => Error::Mismatch,
            Code::FailureProgramNotFound
            | Code::FailureProgramNotExecutable
            | Code::FailureProgramIsDirectory
            | Code::FailureProgramWrongFormat
            | Code::FailureDirectory => Error::NoFile,
            Code::FailureCount | Code::FailureResources => Error::OutOfRes,
            Code::FailureNoSuchHost => Error::NoHost,
            Code::FailureHostLost => Error::HostFail,
            Code::FailureHost => Error::CantStart,
            Code::FailureInternal => Error::DaemonError,
            Code::FailureBusy | Code::FailureEnding | Code::FailureUnspecified => Error::SysErr,
        }
    }
}
