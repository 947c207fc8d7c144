//! Messages about tasks that end.

use super::buffer::Buffer;
use super::encoding::Encoding;
use super::machine::Machine;
use super::{Error, Pvm, Result, tid};
use crate::wire::control::{Notify, to_daemon};
use std::collections::HashMap;

/// `PvmTaskExit`
pub const TASK_EXIT: i32 = 1;
/// `PvmNotifyCancel`
pub const CANCEL: i32 = 256;
/// Kinds above [`TASK_EXIT`] that PVM knows: hosts and routes.
const OTHER_KINDS: std::ops::RangeInclusive<i32> = 2..=5;

/// One message that was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subscription {
    tid: i32,
    tag: i32,
    context: i32,
}

impl Subscription {
    /// The message: from the daemon, its body is the task's id.
    fn message(self) -> Buffer {
        let mut message = Buffer::new(Encoding::Xdr);
        message
            .pack([self.tid].into_iter())
            .expect("one number fits");
        message.source = tid::DAEMON;
        message.tag = self.tag;
        message.context = self.context;
        message
    }
}

/// What this task has asked to be told.
#[derive(Debug, Default)]
pub struct Subscriptions {
    waiting: HashMap<u64, Subscription>,
    last: u64,
}

impl Subscriptions {
    fn add(&mut self, subscription: Subscription) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, subscription);
        self.last
    }

    fn find(&self, subscription: Subscription) -> Option<u64> {
        let mut all = self.waiting.iter();
        all.find(|(_, s)| **s == subscription)
            .map(|(token, _)| *token)
    }

    /// The message for a token, once.
    pub(super) fn fulfil(&mut self, token: u64) -> Option<Buffer> {
        self.waiting.remove(&token).map(Subscription::message)
    }
}

impl<M: Machine> Pvm<M> {
    /// Asks for one message with `tag` for each task, when it ends; at once for those that have
    /// ended. With [`CANCEL`] the messages come now.
    pub fn notify(&mut self, what: i32, tag: i32, tids: &[i32]) -> Result<()> {
        self.machine()?;
        match what & !CANCEL {
            TASK_EXIT => {}
            kind if OTHER_KINDS.contains(&kind) => return Err(Error::NotImpl),
            _ => return Err(Error::BadParam),
        }
        if tag < 0 || tids.is_empty() || !tids.iter().all(|tid| tid::is_task(*tid)) {
            return Err(Error::BadParam);
        }
        let context = self.context();
        for tid in tids {
            let subscription = Subscription {
                tid: *tid,
                tag,
                context,
            };
            match what & CANCEL {
                0 => self.subscribe(subscription)?,
                _ => self.cancel(subscription)?,
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, subscription: Subscription) -> Result<()> {
        let task = self.names.task(subscription.tid)?;
        let token = self.subscriptions.add(subscription);
        let asked = self.ask(token, vec![task.bits()], false);
        if asked.is_err() {
            self.subscriptions.fulfil(token);
        }
        asked
    }

    fn cancel(&mut self, subscription: Subscription) -> Result<()> {
        let Some(token) = self.subscriptions.find(subscription) else {
            return Ok(());
        };
        if let Some(message) = self.subscriptions.fulfil(token) {
            self.queue(message);
        }
        self.ask(token, Vec::new(), true)
    }

    fn ask(&mut self, token: u64, tasks: Vec<u64>, cancel: bool) -> Result<()> {
        let request = Notify {
            token,
            tasks,
            cancel,
        };
        self.call(to_daemon::Body::Notify(request)).map(|_| ())
    }
}
