//! Messages addressed by task id: between any tasks of the virtual machine, also of other jobs.

use super::error::Result;
use super::plain::Plain;
use super::port::{self, Names, Target, check_tag, status};
use super::request::Request;
use super::shared::Shared;
use super::status::Status;
use super::vm::Vm;
use crate::engine::{Envelope, Mode, Selector};
use crate::ids::{Context, Tag, TaskId};
use crate::transport::Peer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What is known of a message between task ids.
pub type TaskMessage = Status<TaskId>;

/// Names peers by their task ids.
#[derive(Clone)]
struct ByTask(Arc<Shared>);

impl Names for ByTask {
    type Name = TaskId;

    fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    fn name(&self, peer: Peer) -> Option<TaskId> {
        self.0.core.with(|engine| engine.task(peer)).ok()
    }
}

/// Messages addressed by task id. They are apart from those of all communicators. `from` and `tag`
/// of a receive may be [`ANY`](super::ANY).
impl Vm {
    /// Sends a slice to a task; returns when it may be changed again.
    ///
    /// # Errors
    /// For a negative tag; [`PeerGone`](super::Error::PeerGone).
    pub fn send<T: Plain>(&self, to: TaskId, tag: Tag, data: &[T]) -> Result<()> {
        self.shared
            .send(&self.target(to, tag)?, data, Mode::Standard)
    }

    /// Receives a message of any length.
    ///
    /// # Errors
    /// As [`Communicator::recv`](super::Communicator::recv).
    pub fn recv<T: Plain>(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<(Vec<T>, TaskMessage)> {
        let (data, envelope) = self.shared.receive(self.selector(from, tag)?)?;
        Ok((data, status(&self.names(), &envelope)?))
    }

    /// Receives a message into the beginning of a slice.
    ///
    /// # Errors
    /// As [`Communicator::recv_into`](super::Communicator::recv_into).
    pub fn recv_into<T: Plain>(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
        data: &mut [T],
    ) -> Result<TaskMessage> {
        let mut envelope = Envelope::NONE;
        let selector = self.selector(from, tag)?;
        self.shared.receive_into(selector, data, &mut envelope)?;
        status(&self.names(), &envelope)
    }

    /// Sends a value of any serde type to a task.
    ///
    /// # Errors
    /// As [`Vm::send`]; [`Unsendable`](super::Error::Unsendable).
    pub fn send_value<T: Serialize + ?Sized>(&self, to: TaskId, tag: Tag, value: &T) -> Result<()> {
        self.shared.send_value(&self.target(to, tag)?, value)
    }

    /// Receives a value.
    ///
    /// # Errors
    /// As [`Communicator::recv_value`](super::Communicator::recv_value).
    pub fn recv_value<T: DeserializeOwned>(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<(T, TaskMessage)> {
        let (value, envelope) = self.shared.receive_value(self.selector(from, tag)?)?;
        Ok((value, status(&self.names(), &envelope)?))
    }

    /// Starts to send; the vector comes back when the request is done.
    ///
    /// # Errors
    /// For a negative tag. What goes wrong later is the request's.
    pub fn isend<T: Plain>(
        &self,
        to: TaskId,
        tag: Tag,
        data: Vec<T>,
    ) -> Result<Request<Vec<T>, TaskId>> {
        port::isend(&self.names(), self.target(to, tag)?, data, Mode::Standard)
    }

    /// Starts to receive a message of at most `room.len()` elements.
    ///
    /// # Errors
    /// For a negative tag. What goes wrong later is the request's.
    pub fn irecv<T: Plain>(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
        room: Vec<T>,
    ) -> Result<Request<Vec<T>, TaskId>> {
        port::ireceive(&self.names(), self.selector(from, tag)?, room)
    }

    /// The message that a receive would take now, if there is one.
    ///
    /// # Errors
    /// For a negative tag.
    pub fn probe(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Option<TaskMessage>> {
        let selector = self.selector(from, tag)?;
        let found = self.shared.core.with(|engine| engine.probe(selector))?;
        found
            .map(|envelope| status(&self.names(), &envelope))
            .transpose()
    }

    fn names(&self) -> ByTask {
        ByTask(Arc::clone(&self.shared))
    }

    fn target(&self, to: TaskId, tag: Tag) -> Result<Target> {
        check_tag(tag)?;
        let peer = self.shared.core.with(|engine| engine.peer(to))?;
        Ok(Target {
            peer,
            context: Context::TASKS,
            tag,
        })
    }

    fn selector(
        &self,
        from: impl Into<Option<TaskId>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Selector> {
        let tag = tag.into();
        tag.map_or(Ok(()), check_tag)?;
        let peer = |task| self.shared.core.with(|engine| engine.peer(task));
        let source = from.into().map(peer).transpose()?;
        Ok(Selector {
            context: Context::TASKS,
            source,
            tag,
        })
    }
}
