//! Requests: operations that go on while the program does something else (MPI 5.0, 3.7).
//!
//! All of them, point-to-point, collective, generalized, persistent or not, complete in the same way:
//! [`Request::settle`], inside the engine, notices the end; [`Request::take`], there too, takes the result
//! of what is a message and nothing else; [`Request::conclude`], outside, runs what may call the
//! program, and gives the result to whoever waits. Nothing of a request is locked while the program's
//! own functions run.
//!
//! A message and nothing else ([`Single`]) is what most requests are. Such a request never changes, so
//! nothing of it is ever locked: all that there is to know is in the engine until it is taken.

use super::comm::Comm;
use super::error::{Class, Error, Result};
use super::object::lock;
use super::partitioned::Partitioned;
use super::process::Process;
use super::status::{Ended, Status};
use crate::engine::{EngineError, Envelope, RequestId, TaskEngine};
use crate::transport::{Call, Operation};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is done with the result of an operation, outside the engine.
pub type Conclusion = Box<dyn FnOnce(std::result::Result<(), EngineError>) -> Ended + Send>;

/// How a persistent request is started.
pub type Starter = Box<dyn Fn() -> Result<Work> + Send + Sync>;

/// What the program does for an operation that it carries out itself (MPI 5.0, 13.2).
pub trait Generalized: Send + Sync {
    /// Gives the status.
    ///
    /// # Errors
    /// Those of the program, here and below.
    fn query(&self) -> (Status, Result<()>);
    /// Frees what it needs no more.
    ///
    /// # Errors
    /// See above.
    fn free(&self) -> Result<()>;
    /// Cancels it, unless it is complete.
    ///
    /// # Errors
    /// See above.
    fn cancel(&self, complete: bool) -> Result<()>;
}

/// An operation that the program itself carries out.
pub struct OfProgram {
    operation: Arc<dyn Generalized>,
    /// The program has said that it is complete.
    complete: bool,
    /// The program has freed the request before that.
    freed: bool,
}

impl OfProgram {
    fn conclude(self) -> Ended {
        let (status, queried) = self.operation.query();
        let freed = self.operation.free();
        Ended {
            status,
            failure: queried.and(freed).err().map(|error| (error, None)),
        }
    }
}

/// What goes on.
pub enum Work {
    /// Nothing any more.
    Over(Ended),
    /// A message that has ended. The communicator may be the last one of its kind, whose end is nothing
    /// for inside the engine.
    Past(Ended, Comm),
    /// A message.
    Single(Single),
    /// A send and a receive; the status is that of the receive.
    Exchange(Box<[Work; 2]>),
    /// An operation in the engine: a collective.
    Running(RequestId, Conclusion),
    /// An operation that has ended, of which the rest is still to be done.
    Ready(std::result::Result<(), EngineError>, Conclusion),
    /// Operations that end one by one; the status is empty.
    Several(Vec<Work>),
    /// One that the program carries out.
    Generalized(OfProgram),
}

/// A send or a receive in the engine.
pub struct Single {
    id: RequestId,
    is_receive: bool,
    comm: Comm,
}

impl Single {
    /// A send.
    #[inline]
    pub fn send(id: RequestId, comm: Comm) -> Self {
        let is_receive = false;
        Self {
            id,
            is_receive,
            comm,
        }
    }

    /// A receive.
    #[inline]
    pub fn receive(id: RequestId, comm: Comm) -> Self {
        let is_receive = true;
        Self {
            id,
            is_receive,
            comm,
        }
    }

    /// Whether it has ended, or was taken.
    #[inline]
    fn settle(&self, engine: &mut TaskEngine) -> bool {
        !engine.is_going_on(self.id)
            || (self.is_receive && self.comm.orphan(engine, self.id, false))
    }

    /// What the end of the engine's request means.
    // It is given on and not back: a result of this size would be copied, in other pieces than it was written in.
    // Such a copy waits until all that was written before is in the cache, also what is for another processor.
    #[inline(always)]
    fn mean<R>(
        &self,
        end: &std::result::Result<Envelope, EngineError>,
        told: impl FnOnce(Ended) -> R,
    ) -> R {
        match end {
            Ok(envelope) if self.is_receive => told(Ended::well(Status::of(&self.comm, envelope))),
            Ok(_) => told(Ended::well(Status::EMPTY)),
            Err(error) => told(Ended::failed(&self.comm, *error)),
        }
    }

    /// Takes the result out of the engine, if it has ended. Nothing is told of one that was taken before: no
    /// program may wait twice for a request.
    #[inline(always)]
    fn take(&self, engine: &mut TaskEngine, told: impl FnOnce(Ended)) -> bool {
        let is_over = self.settle(engine);
        if is_over {
            engine.finish_with(self.id, |end| self.mean(end, told));
        }
        is_over
    }

    fn cancel(&self, engine: &mut TaskEngine) {
        // A send that has begun goes through: this has no effect on it.
        engine.cancel(self.id);
    }
}

impl From<Single> for Work {
    #[inline]
    fn from(single: Single) -> Self {
        Work::Single(single)
    }
}

struct State {
    /// `None`: a persistent request that is not active.
    work: Option<Work>,
    starter: Option<(Arc<Starter>, Comm)>,
    partitioned: Option<Partitioned>,
}

/// A request.
pub struct Request(Kind);

enum Kind {
    Single(Single),
    /// Everything else. Boxed: there are few, and places for requests are small.
    Other(Box<Mutex<State>>),
}

impl Work {
    /// Notices the end, if there is one, and takes the result out of the engine.
    fn settle(&mut self, engine: &mut TaskEngine) -> bool {
        match self {
            Work::Over(_) | Work::Past(..) | Work::Ready(..) => return true,
            Work::Generalized(operation) => return operation.complete,
            Work::Several(parts) => {
                return parts.iter_mut().all(|part| part.settle(engine));
            }
            Work::Exchange(parts) => {
                return parts.iter_mut().all(|part| part.settle(engine));
            }
            Work::Single(single) => {
                let mut ended = Ended::well(Status::EMPTY);
                if !single.take(engine, |told| ended = told) {
                    return false;
                }
                if let Work::Single(single) = std::mem::replace(self, Work::nothing()) {
                    *self = Work::Past(ended, single.comm);
                }
            }
            Work::Running(id, _) => {
                let Some(result) = engine.finish_envelope(*id) else {
                    return false;
                };
                if let Work::Running(_, conclusion) = std::mem::replace(self, Work::nothing()) {
                    *self = Work::Ready(result.map(drop), conclusion);
                }
            }
        }
        true
    }

    /// Nothing, which has ended well.
    pub fn nothing() -> Self {
        Work::Over(Ended::well(Status::EMPTY))
    }

    /// The rest of what has ended, outside the engine.
    fn conclude(self) -> Ended {
        match self {
            Work::Over(ended) | Work::Past(ended, _) => ended,
            Work::Ready(result, conclusion) => conclusion(result),
            Work::Generalized(operation) => operation.conclude(),
            Work::Several(parts) => {
                let ended = parts.into_iter().map(Work::conclude);
                let failed = ended.filter(|ended| ended.failure.is_some()).last();
                failed.unwrap_or(Ended::well(Status::EMPTY))
            }
            Work::Exchange(parts) => {
                let [sent, received] = parts.map(Work::conclude);
                match sent.failure {
                    Some(_) => sent,
                    None => received,
                }
            }
            // Only what has ended is concluded.
            Work::Single(_) | Work::Running(..) => Ended {
                status: Status::EMPTY,
                failure: Some((Error::new(Class::Intern, "it has not ended"), None)),
            },
        }
    }

    fn cancel(&self, engine: &mut TaskEngine) {
        match self {
            Work::Single(single) => single.cancel(engine),
            Work::Exchange(parts) => parts[1].cancel(engine),
            Work::Several(parts) => parts.iter().for_each(|part| part.cancel(engine)),
            _ => {}
        }
    }

    /// Lets it end by itself.
    fn forget(&self, engine: &mut TaskEngine) {
        match self {
            Work::Single(Single { id, .. }) | Work::Running(id, _) => engine.forget(*id),
            Work::Exchange(parts) => parts.iter().for_each(|part| part.forget(engine)),
            Work::Several(parts) => parts.iter().for_each(|part| part.forget(engine)),
            Work::Over(_) | Work::Past(..) | Work::Ready(..) | Work::Generalized(_) => {}
        }
    }
}

impl Request {
    /// A request for something that goes on.
    pub fn new(work: Work) -> Self {
        match work {
            Work::Single(single) => single.into(),
            work => Self::other(State {
                work: Some(work),
                starter: None,
                partitioned: None,
            }),
        }
    }

    fn other(state: State) -> Self {
        Self(Kind::Other(Box::new(Mutex::new(state))))
    }

    /// A request for an operation that the program itself carries out.
    pub fn generalized(operation: Arc<dyn Generalized>) -> Self {
        Self::new(Work::Generalized(OfProgram {
            operation,
            complete: false,
            freed: false,
        }))
    }

    /// A persistent request of a communicator, not active.
    pub fn persistent(comm: &Comm, starter: Starter) -> Self {
        Self::other(State {
            work: None,
            starter: Some((Arc::new(starter), comm.clone())),
            partitioned: None,
        })
    }

    /// A persistent request of partitioned communication, not active.
    pub fn partitioned(comm: &Comm, starter: Starter, partitioned: Partitioned) -> Self {
        Self::other(State {
            work: None,
            starter: Some((Arc::new(starter), comm.clone())),
            partitioned: Some(partitioned),
        })
    }

    /// What is partitioned.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` when it is another kind of request.
    pub fn partitions(&self) -> Result<Partitioned> {
        let partitioned = self.state().and_then(|state| state.partitioned.clone());
        partitioned.ok_or_else(|| Error::new(Class::Request, "the request is not partitioned"))
    }

    /// What changes; `None`: nothing does.
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        match &self.0 {
            Kind::Single(_) => None,
            Kind::Other(state) => Some(lock(state)),
        }
    }

    /// Whether something goes on, or has ended and nobody was told.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.state().is_none_or(|state| state.work.is_some())
    }

    /// Starts a persistent request.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` when it is active or not persistent, and what starting it raises; with the
    /// communicator that it is of.
    pub fn start(&self) -> std::result::Result<(), (Error, Option<Comm>)> {
        let (is_active, starter) = match self.state() {
            None => (true, None),
            Some(state) => (state.work.is_some(), state.starter.clone()),
        };
        let wrong = |what| Error::new(Class::Request, what);
        let (starter, comm) = starter.unzip();
        let work = match starter {
            None => Err(wrong("the request is not persistent")),
            Some(_) if is_active => Err(wrong("the request is active")),
            Some(starter) => starter(),
        };
        let work = work.map_err(|error| (error, comm))?;
        if let Some(mut state) = self.state() {
            state.work = Some(work);
        }
        Ok(())
    }

    /// Inside the engine: whether it has ended, or is not active.
    #[inline]
    pub fn settle(&self, engine: &mut TaskEngine) -> bool {
        match &self.0 {
            Kind::Single(single) => single.settle(engine),
            Kind::Other(state) => match &mut lock(state).work {
                Some(work) => work.settle(engine),
                None => true,
            },
        }
    }

    /// Inside the engine: whether something went on that has ended. A message always goes on until it is taken.
    #[inline]
    pub fn has_ended(&self, engine: &mut TaskEngine) -> bool {
        match &self.0 {
            Kind::Single(single) => single.settle(engine),
            Kind::Other(state) => {
                let work = &mut lock(state).work;
                work.as_mut().is_some_and(|work| work.settle(engine))
            }
        }
    }

    /// Whether it is a message and nothing else.
    #[inline]
    pub fn is_message(&self) -> bool {
        matches!(self.0, Kind::Single(_))
    }

    /// Inside the engine: [`Request::settle`], and how it has ended is told, if it is a message and nothing else.
    /// Then it is only to be freed; others are to be concluded.
    #[inline(always)]
    pub fn take(&self, engine: &mut TaskEngine, told: impl FnOnce(Ended)) -> bool {
        match &self.0 {
            Kind::Single(single) => single.take(engine, told),
            Kind::Other(_) => self.settle(engine),
        }
    }

    /// Outside the engine: how it has ended, once [`Request::take`] was true and has told nothing,
    /// and whether it can be started again: then it is not active any more, and else to be freed.
    pub fn conclude(&self) -> (Ended, bool) {
        let (work, is_persistent) = match self.state() {
            None => (None, false),
            Some(mut state) => (state.work.take(), state.starter.is_some()),
        };
        let ended = work.map_or(Ended::well(Status::EMPTY), Work::conclude);
        (ended, is_persistent)
    }

    /// Outside the engine: the status of what has ended, once [`Request::settle`] was true; it stays to
    /// be concluded.
    ///
    /// # Errors
    /// Those of a generalized request's own function; when this thread may not enter the engine.
    pub fn status(&self, process: &Process) -> Result<Status> {
        let state = match &self.0 {
            Kind::Single(single) => {
                let ended = |engine: &mut TaskEngine| {
                    let end = engine.end(single.id)?;
                    Some(single.mean(end, |ended| ended.status))
                };
                return Ok(process.with(ended)?.unwrap_or(Status::EMPTY));
            }
            Kind::Other(state) => state,
        };
        let mut locked = lock(state);
        let work = match &locked.work {
            None => return Ok(Status::EMPTY),
            Some(Work::Over(ended) | Work::Past(ended, _)) => return Ok(ended.status),
            Some(Work::Generalized(OfProgram { operation, .. })) => {
                let operation = Arc::clone(operation);
                drop(locked);
                let (status, queried) = operation.query();
                return queried.map(|()| status);
            }
            Some(_) => locked.work.take(),
        };
        drop(locked);
        let ended = work.map_or(Ended::well(Status::EMPTY), Work::conclude);
        let status = ended.status;
        lock(state).work = Some(Work::Over(ended));
        Ok(status)
    }

    /// Notes that the program has completed a generalized request, and wakes who waits for it. True: it
    /// was freed before, and is now to be taken out and forgotten.
    ///
    /// # Errors
    /// `MPI_ERR_REQUEST` when it is another kind of request or complete; when this thread may not enter
    /// the engine.
    pub fn complete(&self, process: &Process) -> Result<bool> {
        process.with(|engine| {
            let mut state = self.state();
            match state.as_mut().and_then(|state| state.work.as_mut()) {
                Some(Work::Generalized(operation)) if !operation.complete => {
                    operation.complete = true;
                    engine.announce();
                    Ok(operation.freed)
                }
                Some(Work::Generalized(_)) => Err(Error::new(
                    Class::Request,
                    "the request is complete already",
                )),
                _ => Err(Error::new(Class::Request, "not a generalized request")),
            }
        })?
    }

    /// Whether the program can free it now. A generalized request that is not complete stays until it
    /// is: the program needs its handle to say so.
    pub fn can_be_freed(&self) -> bool {
        let mut state = self.state();
        match state.as_mut().and_then(|state| state.work.as_mut()) {
            Some(Work::Generalized(operation)) if !operation.complete => {
                operation.freed = true;
                false
            }
            _ => true,
        }
    }

    /// Cancels it if that is possible any more.
    ///
    /// # Errors
    /// Those of a generalized request's own function; when this thread may not enter the engine.
    pub fn cancel(&self, process: &Process) -> Result<()> {
        let state = match &self.0 {
            Kind::Single(single) => return process.with(|engine| single.cancel(engine)),
            Kind::Other(state) => state,
        };
        let generalized = match &lock(state).work {
            Some(Work::Generalized(OfProgram {
                operation,
                complete,
                ..
            })) => Some((Arc::clone(operation), *complete)),
            _ => None,
        };
        if let Some((operation, complete)) = generalized {
            return operation.cancel(complete);
        }
        process.with(|engine| {
            if let Some(work) = &lock(state).work {
                work.cancel(engine);
            }
        })
    }

    /// Lets what goes on end by itself; nobody is told.
    ///
    /// # Errors
    /// Those of a generalized request's own function; when this thread may not enter the engine.
    pub fn forget(self, process: &Process) -> Result<()> {
        let state = match self.0 {
            Kind::Single(single) => return process.with(|engine| engine.forget(single.id)),
            Kind::Other(state) => state.into_inner().unwrap_or_else(PoisonError::into_inner),
        };
        match state.work {
            None => Ok(()),
            Some(Work::Generalized(operation)) => operation.operation.free(),
            Some(work) => process.with(|engine| work.forget(engine)),
        }
    }
}

impl From<Single> for Request {
    #[inline]
    fn from(single: Single) -> Self {
        Self(Kind::Single(single))
    }
}

/// What those who look are told of a wait for requests.
fn waiting(_: &TaskEngine) -> Call {
    Call {
        operation: Operation::Requests as u32,
        ..Call::default()
    }
}

/// Waits until `ready` finds what it looks for among requests.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn wait<R>(process: &Process, ready: impl FnMut(&mut TaskEngine) -> Option<R>) -> Result<R> {
    process.wait_in(waiting, ready)
}

/// Waits until this one has ended; gives what [`Request::take`] tells.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn wait_one(process: &Process, request: &Request) -> Result<Option<Ended>> {
    let mut ended = None;
    wait(process, |engine| {
        let is_over = request.take(engine, |told| ended = Some(told));
        is_over.then_some(())
    })?;
    Ok(ended)
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
