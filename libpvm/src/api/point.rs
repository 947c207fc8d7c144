//! Messages between ranks.

use super::communicator::Communicator;
use super::error::Result;
use super::plain::Plain;
use super::port::{self, Claimed, Target, check_tag, status};
use super::request::Request;
use super::status::Status;
use crate::engine::{Envelope, Mode, Selector};
use crate::ids::{Rank, Tag};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Messages of plain data. A tag is chosen by the program, 0 or greater. `from` and `tag` of a
/// receive may be [`ANY`](super::ANY).
impl Communicator {
    /// Sends a slice; returns when it may be changed again.
    ///
    /// # Errors
    /// For a rank or tag that cannot be; [`PeerGone`](super::Error::PeerGone).
    #[inline]
    pub fn send<T: Plain>(&self, to: Rank, tag: Tag, data: &[T]) -> Result<()> {
        self.shared()
            .send(&self.target(to, tag)?, data, Mode::Standard)
    }

    /// Sends a slice; returns when, besides, a receive has taken it.
    ///
    /// # Errors
    /// As [`Communicator::send`].
    pub fn send_sync<T: Plain>(&self, to: Rank, tag: Tag, data: &[T]) -> Result<()> {
        self.shared()
            .send(&self.target(to, tag)?, data, Mode::Synchronous)
    }

    /// Receives a message of any length.
    ///
    /// # Errors
    /// [`TypeMismatch`](super::Error::TypeMismatch) when something else was sent than a slice of
    /// `T`; [`PeerGone`](super::Error::PeerGone) when the sender ended before; for a rank or tag
    /// that cannot be.
    pub fn recv<T: Plain>(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<(Vec<T>, Status)> {
        let (data, envelope) = self.shared().receive(self.selector(from, tag)?)?;
        Ok((data, status(self, &envelope)?))
    }

    /// Receives a message into the beginning of a slice.
    ///
    /// # Errors
    /// As [`Communicator::recv`]; [`Truncated`](super::Error::Truncated) when it does not fit.
    #[inline]
    pub fn recv_into<T: Plain>(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
        data: &mut [T],
    ) -> Result<Status> {
        let mut envelope = Envelope::NONE;
        let selector = self.selector(from, tag)?;
        self.shared().receive_into(selector, data, &mut envelope)?;
        status(self, &envelope)
    }

    /// Sends one slice and receives another at the same time, so that tasks that exchange data do
    /// not wait for each other.
    ///
    /// # Errors
    /// As [`Communicator::send`] and [`Communicator::recv_into`].
    pub fn sendrecv<S: Plain, R: Plain>(
        &self,
        (to, tag): (Rank, Tag),
        data: &[S],
        from: impl Into<Option<Rank>>,
        from_tag: impl Into<Option<Tag>>,
        room: &mut [R],
    ) -> Result<Status> {
        let (target, selector) = (self.target(to, tag)?, self.selector(from, from_tag)?);
        status(
            self,
            &self.shared().send_receive(target, data, selector, room)?,
        )
    }

    /// Starts to send; the vector comes back when the request is done.
    ///
    /// # Errors
    /// For a rank or tag that cannot be. What goes wrong later is the request's.
    pub fn isend<T: Plain>(&self, to: Rank, tag: Tag, data: Vec<T>) -> Result<Request<Vec<T>>> {
        port::isend(self, self.target(to, tag)?, data, Mode::Standard)
    }

    /// Starts to send; the request is done when, besides, a receive has taken the message.
    ///
    /// # Errors
    /// As [`Communicator::isend`].
    pub fn isend_sync<T: Plain>(
        &self,
        to: Rank,
        tag: Tag,
        data: Vec<T>,
    ) -> Result<Request<Vec<T>>> {
        port::isend(self, self.target(to, tag)?, data, Mode::Synchronous)
    }

    /// Starts to receive a message of at most `room.len()` elements. The vector comes back with
    /// the elements that were received, and no others.
    ///
    /// # Errors
    /// As [`Communicator::isend`].
    pub fn irecv<T: Plain>(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
        room: Vec<T>,
    ) -> Result<Request<Vec<T>>> {
        port::ireceive(self, self.selector(from, tag)?, room)
    }

    #[inline]
    fn target(&self, to: Rank, tag: Tag) -> Result<Target> {
        check_tag(tag)?;
        let member = self.member(to)?;
        Ok(Target {
            peer: member.peer,
            context: member.context,
            tag,
        })
    }

    #[inline]
    fn selector(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Selector> {
        let tag = tag.into();
        tag.map_or(Ok(()), check_tag)?;
        let member = from.into().map(|rank| self.member(rank)).transpose()?;
        Ok(Selector {
            context: self.shape.circle.context,
            source: member.map(|member| member.peer),
            tag,
        })
    }
}

/// Messages of any serde type.
impl Communicator {
    /// Sends a value. It is received with [`Communicator::recv_value`] as the same type; borrowed
    /// data as its owned form, `&str` as `String`, say.
    ///
    /// # Errors
    /// As [`Communicator::send`]; [`Unsendable`](super::Error::Unsendable).
    pub fn send_value<T: Serialize + ?Sized>(&self, to: Rank, tag: Tag, value: &T) -> Result<()> {
        self.shared().send_value(&self.target(to, tag)?, value)
    }

    /// Receives a value.
    ///
    /// # Errors
    /// As [`Communicator::recv`]; [`Malformed`](super::Error::Malformed).
    pub fn recv_value<T: DeserializeOwned>(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<(T, Status)> {
        let (value, envelope) = self.shared().receive_value(self.selector(from, tag)?)?;
        Ok((value, status(self, &envelope)?))
    }
}

/// Looking before receiving.
impl Communicator {
    /// The message that a receive would take now, if there is one.
    ///
    /// # Errors
    /// For a rank or tag that cannot be.
    pub fn probe(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Option<Status>> {
        let selector = self.selector(from, tag)?;
        let found = self.shared().core.with(|engine| engine.probe(selector))?;
        found.map(|envelope| status(self, &envelope)).transpose()
    }

    /// Waits for a message that a receive would take.
    ///
    /// # Errors
    /// As [`Communicator::probe`]; [`PeerGone`](super::Error::PeerGone).
    pub fn wait_message(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Status> {
        status(
            self,
            &self.shared().wait_message(self.selector(from, tag)?)?,
        )
    }

    /// Takes the message that a receive would take now, if there is one, so that no other thread
    /// can receive it.
    ///
    /// # Errors
    /// For a rank or tag that cannot be.
    pub fn claim(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Option<Message>> {
        let selector = self.selector(from, tag)?;
        let claimed = self.shared().core.with(|engine| engine.claim(selector))?;
        claimed
            .map(|(claim, envelope)| self.message(Claimed { claim, envelope }))
            .transpose()
    }

    /// Waits for a message and takes it, as [`Communicator::claim`] does.
    ///
    /// # Errors
    /// As [`Communicator::wait_message`].
    pub fn wait_claim(
        &self,
        from: impl Into<Option<Rank>>,
        tag: impl Into<Option<Tag>>,
    ) -> Result<Message> {
        let claimed = self.shared().claim(self.selector(from, tag)?)?;
        self.message(claimed)
    }

    fn message(&self, claimed: Claimed) -> Result<Message> {
        let status = status(self, &claimed.envelope)?;
        Ok(Message {
            communicator: self.clone(),
            claimed: Some(claimed),
            status,
        })
    }
}

/// A message that was taken out of the queue and not yet received. Dropping it throws the message
/// away.
pub struct Message {
    communicator: Communicator,
    /// Taken by the receive.
    claimed: Option<Claimed>,
    status: Status,
}

impl Message {
    /// What is known of it.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Receives it.
    ///
    /// # Errors
    /// As [`Communicator::recv`].
    pub fn recv<T: Plain>(mut self) -> Result<Vec<T>> {
        let claimed = self.take()?;
        Ok(self.communicator.shared().receive_claimed(claimed)?.0)
    }

    /// Receives it into the beginning of a slice.
    ///
    /// # Errors
    /// As [`Communicator::recv_into`].
    pub fn recv_into<T: Plain>(mut self, data: &mut [T]) -> Result<()> {
        let claimed = self.take()?;
        self.communicator
            .shared()
            .receive_claimed_into(claimed, data)
            .map(drop)
    }

    /// Receives it as a value.
    ///
    /// # Errors
    /// As [`Communicator::recv_value`].
    pub fn recv_value<T: DeserializeOwned>(mut self) -> Result<T> {
        let claimed = self.take()?;
        Ok(self.communicator.shared().receive_claimed_value(claimed)?.0)
    }

    fn take(&mut self) -> Result<Claimed> {
        self.claimed.take().ok_or(super::Error::FinishedBefore)
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if let Some(claimed) = self.claimed.take() {
            // Where this thread may not enter, the message is just lost.
            let _ = self.communicator.shared().discard(claimed.claim);
        }
    }
}
