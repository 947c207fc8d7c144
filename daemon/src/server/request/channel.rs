//! OpenChannel and CloseChannel: memory that two tasks share.

use super::{Reply, failure, malformed, no_such_task, task_id};
use crate::server::hub::{Asked, Hub};
use crate::server::shm;
use crate::server::tasks::{Attachment, Channel, Link, Task};
use pvm::ids::TaskId;
use pvm::wire::control::{ChannelOpened, Failure, FailureCode, from_daemon};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// One side's view of a channel, ready to be sent.
struct View {
    opened: ChannelOpened,
    fds: Vec<Rc<OwnedFd>>,
}

impl Hub {
    pub(super) fn open_channel(&mut self, asked: Asked, peer: u64) -> Reply {
        let me = self.caller(asked, "opening a channel")?;
        let peer = task_id(peer, "reach")?;
        if peer == me {
            return Err(malformed(
                "opening a channel",
                "a task needs none to itself",
            ));
        }
        let task = self
            .tasks
            .get(&peer)
            .ok_or_else(|| no_such_task(peer, "reach"))?;
        match task.link {
            Link::Attached(_) if task.is_present() => self.connect(asked, me, peer)?,
            // It may attach yet; the answer comes then, or when it has ended.
            Link::Never if task.is_present() => {
                self.awaiting.entry(peer).or_default().push((asked, me));
            }
            _ => return Err(no_such_task(peer, "reach")),
        }
        Ok(None)
    }

    pub(super) fn close_channel(&mut self, asked: Asked, peer: u64) -> Reply {
        let me = self.caller(asked, "closing a channel")?;
        let peer = task_id(peer, "close the channel to")?;
        let is_over = self.attachment(me).and_then(|a| a.channels.get(&peer));
        match is_over.map(|channel| channel.segment.is_none()) {
            Some(true) => {
                if let Some(mine) = self.attachment_mut(me) {
                    mine.remove_channel(peer);
                }
                super::DONE
            }
            Some(false) => Err(malformed("closing a channel", "its peer lives")),
            None => super::DONE,
        }
    }

    /// A task has attached: opens the channels that others have asked for.
    pub(in crate::server) fn open_awaited(&mut self, peer: TaskId) {
        for (asked, me) in self.awaiting.remove(&peer).unwrap_or_default() {
            if let Err(failure) = self.connect(asked, me, peer) {
                self.conclude(asked, Err(failure));
            }
        }
    }

    /// Makes the channel if there is none yet, tells the peer, then answers.
    fn connect(&mut self, asked: Asked, me: TaskId, peer: TaskId) -> Result<(), Failure> {
        let is_open = self
            .attachment(me)
            .is_some_and(|mine| mine.channels.contains_key(&peer));
        if !is_open {
            self.make_channel(me, peer)
                .map_err(|why| no_channel(peer, &why))?;
            let theirs = self
                .view(peer, me)
                .ok_or_else(|| no_such_task(peer, "reach"))?;
            if let Some(client) = self.attachment(peer).map(|a| a.client) {
                self.send(
                    client,
                    0,
                    from_daemon::Body::ChannelOpened(theirs.opened),
                    theirs.fds,
                );
            }
        }
        let mine = self
            .view(me, peer)
            .ok_or_else(|| no_such_task(peer, "reach"))?;
        self.answer_with(
            asked,
            from_daemon::Body::ChannelOpened(mine.opened),
            mine.fds,
        );
        Ok(())
    }

    fn make_channel(&mut self, a: TaskId, b: TaskId) -> Result<(), String> {
        let bell = |task| self.attachment(task).and_then(Attachment::free_bell);
        let (Some(bell_a), Some(bell_b)) = (bell(a), bell(b)) else {
            return Err("one of both has as many channels as it can".into());
        };
        let segment = Rc::new(shm::segment().map_err(|e| e.to_string())?);
        for (me, peer, bell) in [(a, b, bell_a), (b, a, bell_b)] {
            if let Some(mine) = self.attachment_mut(me) {
                mine.add_channel(peer, bell, segment.clone());
            }
        }
        Ok(())
    }

    /// What `me` is told of its channel to `peer`; `None` when one of both has gone.
    fn view(&self, me: TaskId, peer: TaskId) -> Option<View> {
        let theirs = self.attachment(peer)?;
        let mine: &Channel = self.attachment(me)?.channels.get(&peer)?;
        let opened = ChannelOpened {
            peer: peer.bits(),
            peer_pid: theirs.pid,
            side: u32::from(me > peer),
            my_bell: mine.bell,
            peer_bell: theirs.channels.get(&me)?.bell,
        };
        let fds = vec![mine.segment.clone()?, theirs.inbox.clone()];
        Some(View { opened, fds })
    }

    fn attachment(&self, task: TaskId) -> Option<&Attachment> {
        self.tasks.get(&task).and_then(Task::attachment)
    }

    fn attachment_mut(&mut self, task: TaskId) -> Option<&mut Attachment> {
        self.tasks.get_mut(&task).and_then(Task::attachment_mut)
    }
}

fn no_channel(peer: TaskId, why: &str) -> Failure {
    let what = format!("cannot open a channel to {peer}");
    let next = "raise 'ulimit -Hn' and restart pvmd, or use fewer tasks";
    failure(FailureCode::FailureResources, what, why, next)
}
