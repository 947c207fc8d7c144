//! The state of one task, and how it comes and goes.

use super::buffer::Buffer;
use super::buffers::Buffers;
use super::inbox::{Inbox, Lane};
use super::machine::{CallError, Lost, Machine, News};
use super::notify::Subscriptions;
use super::options::{self, Options};
use super::tid::Names;
use super::{Error, Result};
use crate::settings;
use crate::wire::control::{from_daemon, to_daemon};
use std::time::Instant;

/// Things taken in on the way into one call; more wait for the next, so that a flood of messages
/// cannot hold a task inside one call.
const TAKE_IN_MAX: usize = 256;

/// Everything that PVM knows about this task. The task enrols with the machine on the first call
/// that needs it.
pub struct Pvm<M> {
    machine: Option<M>,
    has_been_task: bool,
    complaint: Option<String>,
    context: Option<i32>,
    pub(super) names: Names,
    pub(super) buffers: Buffers,
    pub(super) inbox: Inbox,
    pub(super) options: Options,
    pub(super) subscriptions: Subscriptions,
}

impl<M: Machine> Default for Pvm<M> {
    fn default() -> Self {
        Self {
            machine: None,
            has_been_task: false,
            complaint: None,
            context: None,
            names: Names::default(),
            buffers: Buffers::default(),
            inbox: Inbox::default(),
            options: Options::default(),
            subscriptions: Subscriptions::default(),
        }
    }
}

impl<M: Machine> Pvm<M> {
    /// The state of a process that was forked from a task: it is none, and its parent's identity
    /// is not its own.
    pub fn forked() -> Self {
        Self {
            has_been_task: true,
            ..Self::default()
        }
    }

    /// Own id; enrols.
    pub fn my_tid(&mut self) -> Result<i32> {
        Ok(self.machine()?.standing().me.tid())
    }

    /// Own id if the task has enrolled.
    pub fn tid_if_enrolled(&self) -> Option<i32> {
        self.machine.as_ref().map(|m| m.standing().me.tid())
    }

    /// Leaves the virtual machine after everything sent has left. The process goes on, buffers and
    /// options stay, and the next call enrols again under a new id.
    pub fn exit(&mut self) -> Result<()> {
        if let Some(machine) = self.machine.take() {
            machine.leave();
        }
        self.forget_peers();
        Ok(())
    }

    /// A sentence for the user about the last failure to enrol, once.
    pub fn take_complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    /// Context of the next sends and receives. Spawned tasks begin in their parent's.
    pub fn context(&mut self) -> i32 {
        *self.context.get_or_insert_with(inherited_context)
    }

    /// Switches the context and returns the old one.
    pub fn set_context(&mut self, context: i32) -> i32 {
        let old = self.context();
        self.context = Some(context);
        old
    }

    /// The value of an option.
    pub fn option(&self, what: i32) -> Result<i32> {
        self.options.get(what)
    }

    /// Sets an option and returns its old value.
    pub fn set_option(&mut self, what: i32, value: i32) -> Result<i32> {
        let me = self.tid_if_enrolled().unwrap_or(0);
        self.options.set(what, value, me)
    }

    /// What the program wants to happen on errors.
    pub fn auto_err(&self) -> i32 {
        self.options.get(options::AUTO_ERR).unwrap_or(1)
    }

    /// The buffers, for calls that need nothing else.
    pub fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    /// The machine below, enrolled.
    pub(super) fn machine(&mut self) -> Result<&mut M> {
        if self.machine.is_none() {
            self.enrol()?;
        }
        self.machine.as_mut().ok_or(Error::SysErr)
    }

    fn enrol(&mut self) -> Result<()> {
        let machine = M::attach(self.has_been_task).map_err(|failure| {
            self.complaint = Some(failure.text);
            failure.error
        })?;
        self.has_been_task = true;
        self.names = Names::new(machine.standing().me);
        let standing = machine.standing();
        for task in standing.world.iter().chain(&standing.parent) {
            self.names.learn(*task);
        }
        self.machine = Some(machine);
        Ok(())
    }

    /// Asks the daemon.
    pub(super) fn call(&mut self, request: to_daemon::Body) -> Result<from_daemon::Body> {
        match self.machine()?.call(request) {
            Ok(answer) => Ok(answer),
            Err(CallError::Refused(failure)) => Err(Error::from(&failure)),
            Err(CallError::Lost) => Err(self.lost()),
        }
    }

    /// The daemon is gone: the next call that needs it tries to enrol again.
    pub(super) fn lost(&mut self) -> Error {
        self.machine = None;
        self.forget_peers();
        Error::SysErr
    }

    /// Takes in what has arrived; every call that receives does this first.
    pub(super) fn take_in(&mut self) -> Result<()> {
        let now = Some(Instant::now());
        for _ in 0..TAKE_IN_MAX {
            if !self.take_in_one(now)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes in the next thing; false when the deadline passed first.
    pub(super) fn take_in_one(&mut self, deadline: Option<Instant>) -> Result<bool> {
        match self.machine()?.next(deadline) {
            Ok(None) => Ok(false),
            Ok(Some(news)) => {
                self.admit(news);
                Ok(true)
            }
            Err(Lost) => Err(self.lost()),
        }
    }

    /// A message that is no PVM message is dropped: only a faulty task sends one.
    fn admit(&mut self, news: News) {
        match news {
            News::Message { source, tag, bytes } => {
                let source = self.names.learn(source);
                let me = self.tid_if_enrolled().unwrap_or(0);
                if let Ok(message) = Buffer::received(bytes, source, me, tag) {
                    self.queue(message);
                }
            }
            News::Exited { token } => {
                if let Some(message) = self.subscriptions.fulfil(token) {
                    self.queue(message);
                }
            }
        }
    }

    /// Lets a message wait for its receive.
    pub(super) fn queue(&mut self, message: Buffer) {
        let lane = Lane {
            source: message.source,
            tag: message.tag,
            context: message.context,
        };
        if let Ok(id) = self.buffers.add(message) {
            self.inbox.push(lane, id);
        }
    }

    fn forget_peers(&mut self) {
        self.subscriptions = Subscriptions::default();
        self.names = Names::default();
    }
}

fn inherited_context() -> i32 {
    let value = std::env::var(settings::PVM_CONTEXT).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}
