//! Requests: operations that go on while the program does something else (MPI 5.0, 3.7).
//!
//! All of them, point-to-point, collective, generalized, persistent or not, complete in the same way:
//! [`Request::settle`], inside the engine, notices the end and takes the result over;
//! [`Request::conclude`], outside, runs what may call the program, and gives the result to whoever
//! waits. Nothing of a request is locked while the program's own functions run.

use super::comm::Comm;
use super::error::{Class, Error, Result};
use super::process::Process;
use super::status::{Ended, Status};
use crate::engine::{EngineError, RequestId, TaskEngine};
use crate::transport::{Call, Operation};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is done with the result of an operation, outside the engine.
pub type Conclusion = Box<dyn FnOnce(std::result::Result<(), EngineError>) -> Ended + Send>;

/// How a persistent request is started.
pub type Starter = Box<dyn Fn() -> Result<Work> + Send + Sync>;

/// An operation that the program itself carries out.
pub trait Generalized: Send + Sync {
    /// Whether the program has said that it is complete.
    fn is_complete(&self) -> bool;
    /// Asks the program for the status, and lets it free what it needs no more.
    fn conclude(&self) -> Ended;
    /// Asks the program to cancel it.
    ///
    /// # Errors
    /// Those of the program.
    fn cancel(&self, complete: bool) -> Result<()>;
}

/// What goes on.
pub enum Work {
    /// Nothing any more.
    Over(Ended),
    /// A send.
    Send(RequestId, Comm),
    /// A receive.
    Receive(RequestId, Comm),
    /// A send and a receive; the status is that of the receive.
    Exchange {
        /// The send, until it has ended, and how it has.
        send: (RequestId, Option<std::result::Result<(), EngineError>>),
        /// The receive, until it has ended, and how it has.
        receive: (RequestId, Option<Ended>),
        /// Where both are.
        comm: Comm,
    },
    /// An operation in the engine: a collective.
    Running(RequestId, Conclusion),
    /// An operation that has ended, of which the rest is still to be done.
    Ready(std::result::Result<(), EngineError>, Conclusion),
    /// Operations that end one by one; the status is empty.
    Several(Vec<Work>),
    /// One that the program carries out.
    Generalized(Arc<dyn Generalized>),
}

struct State {
    /// `None`: a persistent request that is not active.
    work: Option<Work>,
    starter: Option<Arc<Starter>>,
}

/// A request.
pub struct Request(Mutex<State>);

impl Work {
    /// Notices the end, if there is one, and takes the result out of the engine.
    fn settle(&mut self, engine: &mut TaskEngine) -> bool {
        let over = match self {
            Work::Over(_) | Work::Ready(..) => return true,
            Work::Generalized(operation) => return operation.is_complete(),
            Work::Several(parts) => {
                return parts.iter_mut().all(|part| part.settle(engine));
            }
            Work::Send(id, comm) => engine
                .finish_envelope(*id)
                .map(|result| Ended::sent(comm, result.map(drop))),
            Work::Receive(id, comm) => engine
                .finish_envelope(*id)
                .map(|result| Ended::received(comm, result)),
            Work::Exchange {
                send: (send, sent),
                receive: (receive, received),
                comm,
            } => {
                if sent.is_none() {
                    *sent = engine.finish_envelope(*send).map(|result| result.map(drop));
                }
                if received.is_none() {
                    let result = engine.finish_envelope(*receive);
                    *received = result.map(|result| Ended::received(comm, result));
                }
                match (*sent, received.is_some()) {
                    (Some(Err(error)), true) => Some(Ended::badly(comm, Status::EMPTY, error)),
                    (Some(Ok(())), true) => received.take(),
                    _ => None,
                }
            }
            Work::Running(id, _) => {
                let Some(result) = engine.finish_envelope(*id) else {
                    return false;
                };
                let Work::Running(_, conclusion) = std::mem::replace(self, Work::nothing()) else {
                    return false;
                };
                *self = Work::Ready(result.map(drop), conclusion);
                return true;
            }
        };
        match over {
            Some(ended) => {
                *self = Work::Over(ended);
                true
            }
            None => false,
        }
    }

    /// Nothing, which has ended well.
    pub fn nothing() -> Self {
        Work::Over(Ended::well(Status::EMPTY))
    }

    /// The rest of what has ended, outside the engine.
    fn conclude(self) -> Ended {
        match self {
            Work::Over(ended) => ended,
            Work::Ready(result, conclusion) => conclusion(result),
            Work::Generalized(operation) => operation.conclude(),
            Work::Several(parts) => {
                let ended = parts.into_iter().map(Work::conclude);
                let failed = ended.filter(|ended| ended.failure.is_some()).last();
                failed.unwrap_or(Ended::well(Status::EMPTY))
            }
            // Only what has ended is concluded.
            Work::Send(..) | Work::Receive(..) | Work::Exchange { .. } | Work::Running(..) => {
                Ended {
                    status: Status::EMPTY,
                    failure: Some((Error::new(Class::Intern, "it has not ended"), None)),
                }
            }
        }
    }

    fn cancel(&self, engine: &mut TaskEngine) {
        match self {
            Work::Receive(id, _) => engine.cancel(*id),
            Work::Exchange { receive, .. } => engine.cancel(receive.0),
            Work::Several(parts) => parts.iter().for_each(|part| part.cancel(engine)),
            // A send that has begun goes through.
            _ => {}
        }
    }

    /// Lets it end by itself.
    fn forget(self, engine: &mut TaskEngine) {
        match self {
            Work::Send(id, _) | Work::Receive(id, _) | Work::Running(id, _) => engine.forget(id),
            Work::Exchange { send, receive, .. } => {
                engine.forget(send.0);
                engine.forget(receive.0);
            }
            Work::Several(parts) => parts.into_iter().for_each(|part| part.forget(engine)),
            Work::Over(_) | Work::Ready(..) | Work::Generalized(_) => {}
        }
    }
}

impl Request {
    /// A request for something that goes on.
    pub fn new(work: Work) -> Self {
        Self(Mutex::new(State {
            work: Some(work),
            starter: None,
        }))
    }

    /// A persistent request, not active.
    pub fn persistent(starter: Starter) -> Self {
        Self(Mutex::new(State {
            work: None,
            starter: Some(Arc::new(starter)),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can be started again.
    pub fn is_persistent(&self) -> bool {
        self.state().starter.is_some()
    }

    /// Whether something goes on, or has ended and nobody was told.
    pub fn is_active(&self) -> bool {
        self.state().work.is_some()
    }

    /// Starts a persistent request.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` when it is active or not persistent, and what starting it raises.
    pub fn start(&self) -> Result<()> {
        let starter = {
            let state = self.state();
            if state.work.is_some() {
                return Err(Error::new(Class::Request, "the request is active"));
            }
            state.starter.clone()
        };
        let starter =
            starter.ok_or_else(|| Error::new(Class::Request, "the request is not persistent"))?;
        let work = starter()?;
        self.state().work = Some(work);
        Ok(())
    }

    /// Inside the engine: whether it has ended, or is not active.
    #[inline]
    pub fn settle(&self, engine: &mut TaskEngine) -> bool {
        match &mut self.state().work {
            Some(work) => work.settle(engine),
            None => true,
        }
    }

    /// Outside the engine: how it has ended, once [`Request::settle`] was true. A persistent request is
    /// not active any more.
    pub fn conclude(&self) -> Ended {
        let work = self.state().work.take();
        work.map_or(Ended::well(Status::EMPTY), Work::conclude)
    }

    /// Looks at the status of what has ended, which stays as it is; `None` for a generalized request
    /// and for a collective that has more to do: they are concluded to have one.
    pub fn peek(&self) -> Option<Status> {
        match &self.state().work {
            None => Some(Status::EMPTY),
            Some(Work::Over(ended)) => Some(ended.status),
            Some(_) => None,
        }
    }

    /// Concludes what has ended and keeps the result for later.
    pub fn conclude_and_keep(&self) -> Status {
        let ended = self.conclude();
        let status = ended.status;
        self.state().work = Some(Work::Over(ended));
        status
    }

    /// Cancels it if that is possible any more.
    ///
    /// # Errors
    /// Those of a generalized request's own function; when this thread may not enter the engine.
    pub fn cancel(&self, process: &Process) -> Result<()> {
        let generalized = match &self.state().work {
            Some(Work::Generalized(operation)) => Some(Arc::clone(operation)),
            _ => None,
        };
        if let Some(operation) = generalized {
            return operation.cancel(operation.is_complete());
        }
        process.with(|engine| {
            if let Some(work) = &self.state().work {
                work.cancel(engine);
            }
        })
    }

    /// Lets what goes on end by itself; nobody is told.
    ///
    /// # Errors
    /// When this thread may not enter the engine.
    pub fn forget(&self, process: &Process) -> Result<()> {
        let work = self.state().work.take();
        process.with(|engine| {
            if let Some(work) = work {
                work.forget(engine);
            }
        })
    }
}

/// What those who look are told of a wait for requests.
fn waiting(_: &TaskEngine) -> Call {
    Call {
        operation: Operation::Requests as u32,
        ..Call::default()
    }
}

/// Waits until all of them have ended.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn wait_all(process: &Process, requests: &[&Request]) -> Result<()> {
    let mut ended = 0;
    process.wait_in(waiting, |engine| {
        // Those that have ended are not looked at again.
        while ended < requests.len() && requests[ended].settle(engine) {
            ended += 1;
        }
        (ended == requests.len()).then_some(())
    })
}

/// Waits until one of them has ended; gives its place.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn wait_any(process: &Process, requests: &[&Request]) -> Result<usize> {
    process.wait_in(waiting, |engine| {
        requests.iter().position(|request| request.settle(engine))
    })
}

/// Waits until this one has ended.
///
/// # Errors
/// When this thread may not enter the engine.
#[inline]
pub fn wait_one(process: &Process, request: &Request) -> Result<()> {
    process.wait_in(waiting, |engine| request.settle(engine).then_some(()))
}

/// Looks what has come, and which of them have ended.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn test<R>(
    process: &Process,
    mut look: impl FnMut(&mut TaskEngine) -> Option<R>,
) -> Result<Option<R>> {
    process.with(|engine| {
        let found = look(engine);
        if found.is_some() {
            return found;
        }
        engine.progress();
        look(engine)
    })
}
