//! The real machine: this process attached to the daemon of its host.
//!
//! A receive for any PVM message is always posted in the engine (`arrivals`); what it gets waits
//! here, then in the [`inbox`](super::inbox), for the program's receive. A message therefore leaves
//! its sender whenever this task makes any call that receives or waits, whatever it waits for.

use super::Error;
use super::arrivals::Arrivals;
use super::header;
use super::machine::{AttachError, CallError, Lost, Machine, News, Standing};
use crate::datatype::Source;
use crate::engine::{Core, Engine, Mode, RequestId, Selector};
use crate::ids::{Context, Tag, TaskId};
use crate::limits::{CALL_DEADLINE_MS, LEAVE_CONFIRM_MS};
use crate::session::{LinkError, daemon_name, identity_from_environment, runtime_dir, socket_path};
use crate::sync::Level;
use crate::transport::route::{Route, Routes};
use crate::transport::shm::{self, AttachOptions, Identity};
use crate::wire::control::{Detach, Welcome, from_daemon, to_daemon};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest message: PVM's lengths are ints.
const MESSAGE_MAX: u64 = i32::MAX as u64 + header::LEN as u64;

/// Every PVM message.
const EVERYTHING: Selector = Selector {
    context: Context::PVM,
    source: None,
    tag: None,
};

/// A task of the virtual machine.
pub struct Attached {
    core: Core<Routes>,
    standing: Standing,
    flow: Flow,
}

/// What is on its way.
struct Flow {
    /// The receives.
    arrivals: Arrivals,
    /// Sends that have not left.
    leaving: Vec<RequestId>,
    /// What has happened and was not asked for yet.
    news: VecDeque<News>,
}

type TaskEngine = Engine<Routes>;

impl Flow {
    /// Takes over what the engine and the daemon have finished.
    fn collect(&mut self, engine: &mut TaskEngine) {
        let news = &mut self.news;
        self.arrivals.collect(engine, |engine, arrival| {
            news.push_back(News::Message {
                source: engine.task(arrival.envelope.source),
                tag: arrival.envelope.tag,
                bytes: arrival.bytes,
            });
        });
        self.leaving.retain(|send| engine.finish(*send).is_none());
        while let Some(event) = engine.transport().take_event() {
            if let from_daemon::Body::TaskExited(exited) = event.body {
                let tokens = exited.tokens.into_iter();
                self.news.extend(tokens.map(|token| News::Exited { token }));
            }
        }
    }
}

impl Attached {
    /// Waits until `ready` has a result, at the latest until the deadline; messages keep flowing.
    fn wait<R>(
        &mut self,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut TaskEngine, &mut Flow) -> Option<R>,
    ) -> Option<R> {
        let flow = &mut self.flow;
        let waited = self.core.wait(deadline, |engine| {
            flow.collect(engine);
            ready(engine, flow)
        });
        waited.ok()
    }

    fn is_daemon_lost(&self) -> bool {
        let lost = self.core.with(|engine| engine.transport().is_daemon_lost());
        lost.unwrap_or(true)
    }

    /// Asks the daemon; `limit` is for an answer that does not depend on other tasks.
    fn ask(
        &mut self,
        request: to_daemon::Body,
        limit: Option<Duration>,
    ) -> Result<from_daemon::Body, CallError> {
        let started = self.core.with(|engine| {
            let link = engine.transport().link();
            link.start(request, &[])
        });
        let ticket = started
            .map_err(|_| CallError::Lost)?
            .map_err(CallError::from)?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let answer = self.wait(deadline, |engine, _| engine.transport().link().take(ticket));
        match answer {
            Some(Ok(answer)) => Ok(answer.body),
            Some(Err(error)) => Err(CallError::from(error)),
            None => Err(CallError::Lost),
        }
    }
}

impl Machine for Attached {
    fn attach(again: bool) -> Result<Self, AttachError> {
        let mut options = AttachOptions::default();
        if again {
            options.identity = new_identity()?;
        }
        let route = Route::from_environment();
        let (transport, welcome) = Routes::attach(options, route).map_err(|error| {
            let code = match &error {
                shm::AttachError::Link(LinkError::Refused(failure)) => Error::from(failure),
                shm::AttachError::Link(LinkError::Version(_)) => Error::BadVersion,
                _ => Error::SysErr,
            };
            explain(code, &error)
        })?;
        let standing = standing(&welcome).ok_or_else(|| {
            explain(
                Error::SysErr,
                &"the daemon's welcome makes no sense; use one release of daemon and program",
            )
        })?;
        let mut engine = Engine::new(transport, standing.me);
        let flow = Flow {
            arrivals: Arrivals::new(&mut engine, EVERYTHING, MESSAGE_MAX),
            leaving: Vec::new(),
            news: VecDeque::new(),
        };
        Ok(Self {
            core: Core::new(engine, Level::Serialized),
            standing,
            flow,
        })
    }

    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn send(&mut self, to: TaskId, tag: Tag, message: Vec<u8>) -> Result<(), Lost> {
        let leaving = &mut self.flow.leaving;
        let sent = self.core.with(|engine| {
            let peer = engine.peer(to);
            let source = Source::from_vec(message);
            let send = engine.send(peer, Context::PVM, tag, 0, source, Mode::Standard);
            if engine.finish(send).is_none() {
                leaving.push(send);
            }
            engine.transport().is_daemon_lost()
        });
        match sent {
            Ok(false) => Ok(()),
            _ => Err(Lost),
        }
    }

    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<News>, Lost> {
        if let Some(news) = self.flow.news.pop_front() {
            return Ok(Some(news));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let flow = &mut self.flow;
            let _ = self.core.with(|engine| {
                engine.progress();
                flow.collect(engine);
            });
        } else {
            self.wait(deadline, |engine, flow| {
                let ready = !flow.news.is_empty() || engine.transport().is_daemon_lost();
                ready.then_some(())
            });
        }
        match self.flow.news.pop_front() {
            None if self.is_daemon_lost() => Err(Lost),
            news => Ok(news),
        }
    }

    fn call(&mut self, request: to_daemon::Body) -> Result<from_daemon::Body, CallError> {
        use to_daemon::Body;
        let limit = match request {
            Body::GroupBarrier(_) | Body::Spawn(_) => None,
            _ => Some(Duration::from_millis(CALL_DEADLINE_MS)),
        };
        self.ask(request, limit)
    }

    /// A message to a task that does not receive keeps the sender until that task takes it or
    /// ends: nothing that was sent is lost.
    fn leave(mut self) {
        self.wait(None, |engine, flow| {
            let done = flow.leaving.is_empty() || engine.transport().is_daemon_lost();
            done.then_some(())
        });
        let limit = Duration::from_millis(CALL_DEADLINE_MS);
        // What was received is confirmed first; what still comes is not asked for any more.
        let patience = Duration::from_millis(LEAVE_CONFIRM_MS);
        self.core.settle(limit, patience);
        let _ = self.ask(to_daemon::Body::Detach(Detach {}), Some(limit));
    }
}

impl From<LinkError> for CallError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(failure) => CallError::Refused(failure),
            _ => CallError::Lost,
        }
    }
}

/// A new task of the daemon that this process knows: its identity has been used.
fn new_identity() -> Result<Identity, AttachError> {
    let known = identity_from_environment().map_err(|error| explain(Error::SysErr, &error))?;
    let socket = match known {
        Some((socket, ..)) => socket,
        None => {
            let dir = runtime_dir().map_err(|error| explain(Error::SysErr, &error))?;
            socket_path(&dir, &daemon_name())
        }
    };
    Ok(Identity::New { socket })
}

fn explain(error: Error, why: &dyn std::fmt::Display) -> AttachError {
    AttachError {
        error,
        text: why.to_string(),
    }
}

fn standing(welcome: &Welcome) -> Option<Standing> {
    let world = welcome.world.iter().map(|bits| TaskId::from_bits(*bits));
    Some(Standing {
        me: TaskId::from_bits(welcome.task)?,
        parent: TaskId::from_bits(welcome.parent),
        world: world.collect::<Option<_>>()?,
        host: welcome.host.clone(),
        host_index: welcome.host_index,
        has_job: welcome.job != 0,
    })
}
