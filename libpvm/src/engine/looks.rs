//! Looks at the rings of several peers in turn, in place of polls.
//!
//! What [`Engine::receive_at_once`] is for one receive this is for some that go on together: whoever looks
//! asks [`Engine::may_look`] before, and now and then whether there is anything for a poll
//! ([`Transport::needs_poll`]), so that nothing else waits for long.

use super::direct::LOOKS;
use super::progress::{self, checked};
use super::request::{EngineError, Envelope};
use super::{Engine, Selector};
use crate::datatype::Sink;
use crate::transport::{Args, Arrived, Head, Look, Peer, Taker, Transport};

/// What a look has found.
pub enum Looked {
    /// The message, and where it is.
    Taken(Result<Envelope, EngineError>, Sink),
    /// Nothing yet.
    Nothing,
    /// Something that only a poll, or a request, can deal with.
    Other,
}

impl<T: Transport> Engine<T> {
    /// Whether nothing of this task waits for polls.
    #[inline]
    pub fn may_look(&self) -> bool {
        self.outbox.is_empty() && self.operations.is_empty()
    }

    /// Looks once for the message that a receive posted now would take, small and the very next thing that
    /// its sender has sent; a little longer if it is the `only` one that is looked for.
    /// `room` is asked for when it is there; `None`: it stays where it is.
    #[inline]
    pub fn look_for(
        &mut self,
        selector: Selector,
        only: bool,
        room: impl FnOnce() -> Option<Sink>,
    ) -> Looked {
        let from = selector.source.filter(|&from| from != Peer::SELF);
        let Some(from) = from.filter(|&from| self.is_first(from, selector)) else {
            return Looked::Other;
        };
        let mut taking = Taking {
            from,
            selector,
            room: Some(room),
            taken: None,
        };
        let pauses = if only { LOOKS } else { 0 };
        match (self.transport.look(from, &mut taking, pauses), taking.taken) {
            (Look::Taken, Some((envelope, sink))) => {
                Looked::Taken(checked(envelope, sink.capacity() as u64), sink)
            }
            (Look::Nothing, _) => Looked::Nothing,
            _ => Looked::Other,
        }
    }
}

/// Takes the message of one receive into room that is found then.
struct Taking<R> {
    from: Peer,
    selector: Selector,
    room: Option<R>,
    taken: Option<(Envelope, Sink)>,
}

impl<R: FnOnce() -> Option<Sink>> Taker for Taking<R> {
    #[inline]
    fn take<A: Arrived>(&mut self, head: &Head, _: &Args, body: A) -> bool {
        let is_it = self.selector.takes_at_once(self.from, head);
        let room = self.room.take().filter(|_| is_it);
        let Some(mut sink) = room.and_then(|room| room()) else {
            return false;
        };
        body.read_into(&mut sink, 0);
        let envelope = progress::envelope(self.from, head, body.len());
        self.taken = Some((envelope, sink));
        true
    }
}
