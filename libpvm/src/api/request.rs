//! Requests: what goes on while the program does something else.

use super::error::{Error, Result};
use super::shared::{Shared, TaskEngine};
use super::status::Status;
use crate::engine::{Outcome, RequestId};
use crate::ids::Rank;
use std::sync::Arc;

/// An operation that is under way. It owns its buffer until it is done and gives it back then, so
/// a request that is lost or leaked endangers nothing.
///
/// Dropping a request that is not done detaches it: a send goes through, a receive is cancelled, a
/// collective goes on.
#[must_use = "a request does its work while it is waited for"]
pub struct Request<B, S = Rank> {
    running: Option<Running<B, S>>,
}

type Open<B, S> = Box<dyn FnOnce(Outcome) -> Completed<B, S> + Send>;

struct Running<B, S> {
    shared: Arc<Shared>,
    id: RequestId,
    kind: Kind,
    open: Open<B, S>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Send,
    Receive,
    Collective,
}

/// What a request has brought: its buffer, and what is known of the message.
pub type Received<B, S = Rank> = (B, Status<S>);

/// How a request has ended.
pub type Completed<B, S = Rank> = Result<Received<B, S>>;

impl<B, S> Request<B, S> {
    pub(super) fn send(
        shared: Arc<Shared>,
        id: RequestId,
        open: impl FnOnce(Outcome) -> Completed<B, S> + Send + 'static,
    ) -> Self {
        Self::new(shared, id, Kind::Send, Box::new(open))
    }

    pub(super) fn receive(
        shared: Arc<Shared>,
        id: RequestId,
        open: impl FnOnce(Outcome) -> Completed<B, S> + Send + 'static,
    ) -> Self {
        Self::new(shared, id, Kind::Receive, Box::new(open))
    }

    pub(super) fn collective(
        shared: Arc<Shared>,
        id: RequestId,
        open: impl FnOnce(Outcome) -> Completed<B, S> + Send + 'static,
    ) -> Self {
        Self::new(shared, id, Kind::Collective, Box::new(open))
    }

    fn new(shared: Arc<Shared>, id: RequestId, kind: Kind, open: Open<B, S>) -> Self {
        Self {
            running: Some(Running {
                shared,
                id,
                kind,
                open,
            }),
        }
    }

    /// Waits until it is done; gives the buffer back and says what was received.
    ///
    /// # Errors
    /// What went wrong with the operation. [`Error::FinishedBefore`] when [`Request::test`] or a
    /// function on a set of requests has given the result out.
    pub fn wait(mut self) -> Completed<B, S> {
        let running = self.running.take().ok_or(Error::FinishedBefore)?;
        let waited = running.shared.wait(|engine| engine.finish(running.id));
        match waited {
            Ok(outcome) => (running.open)(outcome),
            Err(error) => {
                self.running = Some(running);
                Err(error)
            }
        }
    }

    /// Gives the result if it is done; `None` otherwise, or when the result was given out.
    ///
    /// # Errors
    /// What went wrong with the operation.
    pub fn test(&mut self) -> Result<Option<Received<B, S>>> {
        let Some(running) = &self.running else {
            return Ok(None);
        };
        let id = running.id;
        let outcome = running.shared.core.with(|engine| {
            if !engine.is_complete(id) {
                engine.progress();
            }
            engine.finish(id)
        })?;
        outcome.map(|outcome| self.open(outcome)).transpose()
    }

    /// Cancels a receive that no message has come for yet: waiting for it gives
    /// [`Error::Cancelled`] then, or the message. Sends and collectives cannot be taken back.
    ///
    /// # Errors
    /// Only when this thread may not use the virtual machine.
    pub fn cancel(&mut self) -> Result<()> {
        if let Some(running) = self
            .running
            .as_ref()
            .filter(|running| running.kind == Kind::Receive)
        {
            running
                .shared
                .core
                .with(|engine| engine.cancel(running.id))?;
        }
        Ok(())
    }

    /// Whether the result was given out.
    pub fn is_finished(&self) -> bool {
        self.running.is_none()
    }

    fn open(&mut self, outcome: Outcome) -> Completed<B, S> {
        let running = self.running.take().ok_or(Error::FinishedBefore)?;
        (running.open)(outcome)
    }

    fn take_if_done(&mut self, engine: &mut TaskEngine) -> Option<Outcome> {
        engine.finish(self.running.as_ref()?.id)
    }
}

impl<B, S> Drop for Request<B, S> {
    fn drop(&mut self) {
        let Some(Running {
            shared, id, kind, ..
        }) = self.running.take()
        else {
            return;
        };
        // Where this thread may not enter, the request just stays.
        let _ = shared.core.with(|engine| {
            if kind == Kind::Receive {
                engine.cancel(id);
            }
            engine.forget(id);
        });
    }
}

/// Waits for all; gives the results in the order of the requests.
///
/// # Errors
/// The first error, after all have been waited for.
pub fn wait_all<B, S>(
    requests: impl IntoIterator<Item = Request<B, S>>,
) -> Result<Vec<Received<B, S>>> {
    let results: Vec<Completed<B, S>> = requests.into_iter().map(Request::wait).collect();
    results.into_iter().collect()
}

/// Waits until one is done; gives its place and result. `None` when none is left to wait for.
///
/// # Errors
/// [`Error::MixedTasks`] when the requests belong to different attached tasks. What went wrong with
/// the operation itself is part of the result.
pub fn wait_any<B, S>(requests: &mut [Request<B, S>]) -> Result<Option<(usize, Completed<B, S>)>> {
    let Some(shared) = common(requests)? else {
        return Ok(None);
    };
    let (at, outcome) = shared.wait(|engine| first_done(requests, engine))?;
    Ok(Some((at, requests[at].open(outcome))))
}

/// As [`wait_any`], but waits for nothing: `None` also when none is done.
///
/// # Errors
/// As [`wait_any`].
pub fn test_any<B, S>(requests: &mut [Request<B, S>]) -> Result<Option<(usize, Completed<B, S>)>> {
    let Some(shared) = common(requests)? else {
        return Ok(None);
    };
    let found = shared.core.with(|engine| {
        engine.progress();
        first_done(requests, engine)
    })?;
    Ok(found.map(|(at, outcome)| (at, requests[at].open(outcome))))
}

/// Waits until at least one is done; gives places and results of all that are. Empty when none is
/// left to wait for.
///
/// # Errors
/// As [`wait_any`].
pub fn wait_some<B, S>(requests: &mut [Request<B, S>]) -> Result<Vec<(usize, Completed<B, S>)>> {
    let Some(first) = wait_any(requests)? else {
        return Ok(Vec::new());
    };
    let mut all = test_some(requests)?;
    all.push(first);
    all.sort_by_key(|(at, _)| *at);
    Ok(all)
}

/// Gives places and results of all that are done.
///
/// # Errors
/// As [`wait_any`].
pub fn test_some<B, S>(requests: &mut [Request<B, S>]) -> Result<Vec<(usize, Completed<B, S>)>> {
    let Some(shared) = common(requests)? else {
        return Ok(Vec::new());
    };
    let done: Vec<(usize, Outcome)> = shared.core.with(|engine| {
        engine.progress();
        let take = |(at, request): (usize, &mut Request<B, S>)| {
            request.take_if_done(engine).map(|outcome| (at, outcome))
        };
        requests.iter_mut().enumerate().filter_map(take).collect()
    })?;
    Ok(done
        .into_iter()
        .map(|(at, outcome)| (at, requests[at].open(outcome)))
        .collect())
}

/// Gives all results if all are done.
///
/// # Errors
/// The first error of an operation; [`Error::MixedTasks`].
pub fn test_all<B, S>(requests: &mut [Request<B, S>]) -> Result<Option<Vec<Received<B, S>>>> {
    let Some(shared) = common(requests)? else {
        return Ok(Some(Vec::new()));
    };
    let all_done = shared.core.with(|engine| {
        engine.progress();
        let mut ids = requests
            .iter()
            .filter_map(|r| r.running.as_ref())
            .map(|r| r.id);
        ids.all(|id| engine.is_complete(id))
    })?;
    if !all_done {
        return Ok(None);
    }
    let results = test_some(requests)?;
    results
        .into_iter()
        .map(|(_, result)| result)
        .collect::<Result<_>>()
        .map(Some)
}

fn first_done<B, S>(
    requests: &mut [Request<B, S>],
    engine: &mut TaskEngine,
) -> Option<(usize, Outcome)> {
    let mut numbered = requests.iter_mut().enumerate();
    numbered.find_map(|(at, request)| Some((at, request.take_if_done(engine)?)))
}

/// The task whose requests these are; `None` when all are finished.
fn common<B, S>(requests: &[Request<B, S>]) -> Result<Option<Arc<Shared>>> {
    let mut tasks = requests
        .iter()
        .filter_map(|r| r.running.as_ref())
        .map(|r| &r.shared);
    let Some(first) = tasks.next() else {
        return Ok(None);
    };
    if tasks.all(|other| Arc::ptr_eq(first, other)) {
        Ok(Some(Arc::clone(first)))
    } else {
        Err(Error::MixedTasks)
    }
}
