//! Messages that need no request.
//!
//! A small message to a peer with room for it goes out as one packet, and that is all. A receive from
//! one peer, for which nothing was kept and before which nothing was posted, takes its message from
//! where it has arrived, if that is the very next packet of the peer. Everything else is for
//! [`Engine::send`] and [`Engine::receive`]; whoever calls cannot tell which way a message went.
//!
//! # Order
//! The packets of a peer are looked at in their order only, and a message is taken only where a receive
//! that is posted now would get it: so it is the one that the general way would give.
//!
//! # Answers and streams
//! Who has sent something since its last receive waits for an answer, and does nothing but look at the line
//! that it will come in. Who only receives does not hurry so: it would take each line from the sender's cache
//! in the moment in which it is written, and so each message would cost the sender a transfer; when some have
//! gathered, a stream is three times as fast.
//!
//! # Nothing starves
//! A look at one peer lets nothing else go on. So there are no looks while something of this task waits
//! to go out or a collective runs, and after every [`LOOKS`] of them, also those of other calls, there
//! are none while there is anything for a poll.

use super::progress::{self, fits};
use super::queue::Key;
use super::request::{EngineError, Envelope};
use super::{Engine, Selector};
use crate::datatype::{ShortSink, ShortSource, Sink, Source};
use crate::ids::{Context, Tag};
use crate::transport::{Args, Arrived, Body, Head, Kind, Look, Peer, SendError, Taker, Transport};
use std::hint::spin_loop;

/// Looks at single peers between two questions whether there is something else to do, and pauses of one
/// that waits.
pub(super) const LOOKS: u32 = 8;

impl<T: Transport> Engine<T> {
    /// Sends a message if it is small and nothing is in its way; no request is made of it. `None`:
    /// nothing was sent, use [`Engine::send`]. `context` is the receiver's number.
    #[inline(always)]
    pub fn send_at_once(
        &mut self,
        to: Peer,
        context: Context,
        tag: Tag,
        check: u32,
        source: &Source,
    ) -> Option<Result<(), EngineError>> {
        self.try_eager(to, &progress::head(context, tag, check), source)
    }

    /// As [`Engine::send_at_once`], of a few bytes of which no source is made. False: nothing was sent.
    #[inline(always)]
    pub fn send_short(
        &mut self,
        to: Peer,
        context: Context,
        tag: Tag,
        check: u32,
        body: ShortSource<'_>,
    ) -> bool {
        to != Peer::SELF
            && !self.outbox.is_waiting(to)
            && self.try_short(to, &progress::head(context, tag, check), body)
    }

    #[inline(always)]
    pub(super) fn try_eager(
        &mut self,
        to: Peer,
        head: &Head,
        source: &Source,
    ) -> Option<Result<(), EngineError>> {
        if to == Peer::SELF || self.outbox.is_waiting(to) {
            return None;
        }
        match source.short() {
            Some(body) if self.try_short(to, head, body) => Some(Ok(())),
            _ => self.try_packet(to, head, source),
        }
    }

    #[inline(always)]
    fn try_short(&mut self, to: Peer, head: &Head, body: ShortSource<'_>) -> bool {
        let is_sent = self.transport.send_short(to, head, body);
        self.has_sent |= is_sent;
        is_sent
    }

    #[inline(never)]
    fn try_packet(
        &mut self,
        to: Peer,
        head: &Head,
        source: &Source,
    ) -> Option<Result<(), EngineError>> {
        if source.len() > self.transport.eager_max(to) {
            return None;
        }
        let body = Body::whole(source);
        match self.transport.send(to, head, None, Some(body)) {
            Ok(()) => {
                self.has_sent = true;
                Some(Ok(()))
            }
            Err(SendError::Gone) => Some(Err(EngineError::PeerGone(self.task(to)))),
            Err(SendError::Full) => None,
        }
    }

    /// Receives a message that is the next thing that its sender has sent; no request is made. While
    /// nothing comes it looks as long as `again` says. `None`: nothing was received, use
    /// [`Engine::receive`].
    ///
    /// What came is told in `envelope` and not in the result: returned through several functions it would be
    /// copied as often, each time in other pieces than it was written in, and each copy waits until the one
    /// before is in the cache. That took as long as the message itself.
    #[inline]
    pub fn receive_at_once(
        &mut self,
        selector: Selector,
        sink: &mut Sink,
        envelope: &mut Envelope,
        again: impl FnMut(&mut T) -> bool,
    ) -> Option<Result<(), EngineError>> {
        let from = selector.source.filter(|&from| from != Peer::SELF)?;
        if !self.may_look() || !self.is_first(from, selector) {
            return None;
        }
        let capacity = sink.capacity() as u64;
        let mut direct = Direct {
            from,
            selector,
            sink,
            envelope,
        };
        let look = |transport: &mut T, pauses| transport.look(from, &mut direct, pauses);
        self.look_until(from, again, look)?;
        Some(fits(envelope, capacity))
    }

    /// As [`Engine::receive_at_once`], of a message that is nothing but a few bytes; gives their number and the check.
    /// `None`: nothing was received, and the message that is there, if any, is another one.
    #[inline(always)]
    pub fn receive_short(
        &mut self,
        (from, tag): (Peer, Tag),
        context: Context,
        mut sink: ShortSink<'_>,
        again: impl FnMut(&mut T) -> bool,
    ) -> Option<(usize, u32)> {
        let selector = Selector {
            context,
            source: Some(from),
            tag: Some(tag),
        };
        if from == Peer::SELF || !self.may_look() || !self.is_first(from, selector) {
            return None;
        }
        let head = progress::head(context, tag, 0);
        let look = |transport: &mut T, pauses| transport.look_short(from, &head, &mut sink, pauses);
        self.look_until(from, again, look)
    }

    /// Looks at the packets of one peer as long as `again` says, or something is found that is not taken.
    #[inline(always)]
    fn look_until<R>(
        &mut self,
        from: Peer,
        mut again: impl FnMut(&mut T) -> bool,
        mut look: impl FnMut(&mut T, u32) -> Look<R>,
    ) -> Option<R> {
        let mut pauses = 0;
        loop {
            self.looks += 1 + pauses;
            if self.looks >= LOOKS {
                self.looks = 0;
                if self.transport.needs_poll(from) {
                    return None;
                }
            }
            match look(&mut self.transport, pauses) {
                Look::Taken(found) => {
                    self.has_sent = false;
                    return Some(found);
                }
                Look::Nothing if again(&mut self.transport) => match self.has_sent {
                    true => pauses = LOOKS,
                    false => spin_loop(),
                },
                Look::Nothing | Look::Other => return None,
            }
        }
    }

    /// Whether a receive that is posted now gets the next message that it accepts.
    #[inline]
    pub(super) fn is_first(&mut self, source: Peer, selector: Selector) -> bool {
        let Some(space) = self.spaces.get(selector.context.0) else {
            return false;
        };
        match selector.tag {
            Some(tag) => space.matcher.is_first(Key { source, tag }),
            None => space.matcher.is_empty(),
        }
    }
}

impl Selector {
    /// Whether a receive takes what comes with this head from that peer, and needs no request for it.
    #[inline(always)]
    pub(super) fn takes_at_once(&self, from: Peer, head: &Head) -> bool {
        let key = Key {
            source: from,
            tag: head.tag,
        };
        head.kind == Kind::Eager
            && head.context == self.context.0
            && self.accepts(key)
            && head.flags & progress::FLAG_CONFIRM == 0
    }
}

/// Takes the message of one receive.
struct Direct<'a> {
    from: Peer,
    selector: Selector,
    sink: &'a mut Sink,
    /// Of the message that was taken.
    envelope: &'a mut Envelope,
}

impl Taker for Direct<'_> {
    #[inline]
    fn take<A: Arrived>(&mut self, head: &Head, _: &Args, body: A) -> bool {
        if !self.selector.takes_at_once(self.from, head) {
            return false;
        }
        body.read_into(self.sink, 0);
        *self.envelope = progress::envelope(self.from, head, body.len());
        true
    }
}
