//! Looks at the rings of several peers in turn, in place of polls.
//!
//! What [`Engine::receive_at_once`] is for one receive this is for some that go on together: whoever looks
//! asks [`Engine::may_look`] before, and now and then whether there is anything for a poll
//! ([`Transport::needs_poll`]), so that nothing else waits for long.

use super::direct::LOOKS;
use super::progress;
use super::request::Envelope;
use super::{Engine, Selector};
use crate::datatype::{ShortSink, lend_mut};
use crate::transport::{Args, Arrived, Head, Look, Peer, Taker, Transport};

impl<T: Transport> Engine<T> {
    /// Whether nothing of this task waits for polls.
    #[inline]
    pub fn may_look(&self) -> bool {
        self.outbox.is_empty() && self.operations.is_empty()
    }

    /// Looks once for the message that a receive posted now would take, small and the very next thing that
    /// its sender has sent, and for a little while if it is the `only` one that is looked for. `room` is asked
    /// for when it is there, and what does not fit is cut; `None`: it stays where it is. What came is told in
    /// `envelope`, for the reason that [`Engine::receive_at_once`] gives.
    #[inline]
    pub fn look_for<'a>(
        &mut self,
        selector: Selector,
        only: bool,
        room: impl FnOnce() -> Option<&'a mut [u8]>,
        envelope: &mut Envelope,
    ) -> Look {
        let Some(from) = self.next_of(selector) else {
            return Look::Other;
        };
        let mut taking = Taking {
            from,
            selector,
            room: Some(room),
            envelope,
        };
        self.transport.look(from, &mut taking, pauses(only))
    }

    /// As [`Engine::look_for`], when it should be a few bytes, for which there is room at once.
    #[inline]
    pub fn look_for_short(
        &mut self,
        selector: Selector,
        only: bool,
        mut sink: ShortSink<'_>,
        envelope: &mut Envelope,
    ) -> Look {
        let (Some(from), Some(tag)) = (self.next_of(selector), selector.tag) else {
            return Look::Other;
        };
        let head = progress::head(selector.context, tag, 0);
        let pauses = pauses(only);
        let look = (self.transport).look_short(from, &head, &mut sink, pauses);
        look.map(|came| *envelope = progress::short_envelope(from, tag, came))
    }

    /// The one peer that such a message comes from, if it would be that peer's next one.
    #[inline(always)]
    fn next_of(&mut self, selector: Selector) -> Option<Peer> {
        let from = selector.source.filter(|&from| from != Peer::SELF)?;
        self.is_first(from, selector).then_some(from)
    }
}

/// How long a message is waited for that is, or is not, the only one.
fn pauses(only: bool) -> u32 {
    if only { LOOKS } else { 0 }
}

/// Takes the message of one receive into room that is found then.
struct Taking<'a, R> {
    from: Peer,
    selector: Selector,
    room: Option<R>,
    /// Of the message that was taken.
    envelope: &'a mut Envelope,
}

impl<'a, R: FnOnce() -> Option<&'a mut [u8]>> Taker for Taking<'_, R> {
    #[inline]
    fn take<A: Arrived>(&mut self, head: &Head, _: &Args, body: A) -> bool {
        let is_it = self.selector.takes_at_once(self.from, head);
        let room = self.room.take().filter(|_| is_it);
        let Some(room) = room.and_then(|room| room()) else {
            return false;
        };
        lend_mut(room, |mut sink| body.read_into(&mut sink, 0));
        *self.envelope = progress::envelope(self.from, head, body.len());
        true
    }
}
