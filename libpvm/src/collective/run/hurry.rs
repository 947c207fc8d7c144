//! The short way through a schedule: no requests.
//!
//! A blocking call whose messages are small is mostly over before a request for them would be of any use. So
//! it first goes through its steps by single packets: what goes out at once is sent, and what is received
//! is *awaited*, that is, looked for in the rings of those who send it, in turn, for as long as it pays to
//! stay awake. Steps start as in the general way: in their order, each as soon as its memory is free,
//! while what was begun before is still awaited; two messages of one rank keep their order.
//!
//! Whenever something else turns up (a large message, no room, a failure, a packet that is for others,
//! time to sleep) requests are made of what is awaited, and the general way goes on from there. Nobody
//! can tell which way a rank has gone.

use super::super::schedule::{Span, Step};
use super::room::Room;
use super::{POISON, Run, Started};
use crate::datatype::{SHORT, ShortSink, ShortSource, lend};
use crate::engine::{Awake, Engine, Envelope};
use crate::ids::Rank;
use crate::transport::{Look, Peer, Sleep, Transport};

/// Receives that are awaited at a time: fewer than there can be requests for parts of the buffers.
const AWAITED_MAX: usize = 32;
/// Rounds of looks between two questions whether there is anything for a poll.
const ROUNDS: u32 = 8;

/// A receive that has no request yet.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    from: Rank,
    into: Span,
}

impl Run {
    /// Goes the short way as far as it leads.
    pub(super) fn hurry<T: Sleep>(&mut self, engine: &mut Engine<T>, awake: &mut Awake<'_, T>) {
        if !engine.may_look() {
            return;
        }
        while let Some(&step) = self.room.schedule.steps().get(self.next)
            && self.take_step(engine, awake, step)
        {
            self.next += 1;
        }
        if self.room.awaited.is_empty()
            || self.next == self.room.schedule.steps().len() && self.catch_up(engine, awake)
        {
            return;
        }
        let mut awaited = std::mem::take(&mut self.room.awaited);
        for Awaited { from, into } in awaited.drain(..) {
            // Its memory is free, as it was when it began to be awaited.
            self.start(engine, Step::Receive { from, into });
        }
        self.room.awaited = awaited;
    }

    /// Starts a step. False: it was not, and the general way has to do it.
    fn take_step<T: Sleep>(
        &mut self,
        engine: &mut Engine<T>,
        awake: &mut Awake<'_, T>,
        step: Step,
    ) -> bool {
        if self.is_held_up(step) && !self.catch_up(engine, awake) || self.failure.is_some() {
            return false;
        }
        match step {
            Step::Send { to, from } => self.send_at_once(engine, to, from),
            Step::Receive { from, into } => {
                self.room.awaited.push(Awaited { from, into });
                true
            }
            Step::Reduce { .. } | Step::Copy { .. } | Step::Fence => {
                matches!(self.start(engine, step), Started::Yes)
            }
        }
    }

    /// Whether a step has to wait for what is awaited.
    fn is_held_up(&self, step: Step) -> bool {
        let awaited = &self.room.awaited;
        let is_awaited = |span: Span| awaited.iter().any(|other| other.into.overlaps(span));
        match step {
            Step::Send { from, .. } => is_awaited(from),
            Step::Receive { into, .. } => awaited.len() == AWAITED_MAX || is_awaited(into),
            Step::Reduce { from, into } | Step::Copy { from, into } => {
                is_awaited(from) || is_awaited(into)
            }
            Step::Fence => !awaited.is_empty(),
        }
    }

    fn send_at_once<T: Transport>(&mut self, engine: &mut Engine<T>, to: Rank, from: Span) -> bool {
        let (area, range) = from.place();
        let Room {
            setup, workspace, ..
        } = &mut *self.room;
        let Some(bytes) = workspace.bytes(area, range) else {
            return false;
        };
        let (member, check) = (setup.members[to], setup.check & !POISON);
        let (_, tag) = setup.lane(to);
        let (peer, context) = (member.peer, member.context);
        let sent = match ShortSource::of(bytes) {
            Some(body) if engine.send_short(peer, context, tag, check, body) => Some(Ok(())),
            _ => lend(bytes, |source| {
                engine.send_at_once(peer, context, tag, check, &source)
            }),
        };
        let is_over = sent.is_some();
        self.sent(to, sent.unwrap_or(Ok(())));
        is_over
    }

    /// Looks for what is awaited until all of it has come. False: the general way has to get the rest.
    fn catch_up<T: Sleep>(&mut self, engine: &mut Engine<T>, awake: &mut Awake<'_, T>) -> bool {
        let mut rounds: u32 = 0;
        while !self.room.awaited.is_empty() {
            match self.look(engine) {
                None => return false,
                Some(true) => awake.restart(),
                Some(false) => {
                    rounds += 1;
                    let transport = engine.transport();
                    let is_due = rounds.is_multiple_of(ROUNDS) && transport.needs_poll(Peer::SELF);
                    if is_due || !awake.again(transport) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Looks once for everything that is awaited, and says whether any of it has come; `None`: there is
    /// something else.
    fn look<T: Transport>(&mut self, engine: &mut Engine<T>) -> Option<bool> {
        let mut any = false;
        let mut at = 0;
        let only = self.room.awaited.len() == 1;
        while let Some(&Awaited { from, into }) = self.room.awaited.get(at) {
            let mut before = self.room.awaited[..at].iter();
            // The messages of a rank come in their order.
            if before.any(|other| other.from == from) {
                at += 1;
                continue;
            }
            let mut envelope = Envelope::NONE;
            match self.look_for(engine, from, into, only, &mut envelope) {
                Look::Nothing => at += 1,
                Look::Taken(()) => {
                    self.room.awaited.remove(at);
                    self.taken(engine, from, into.len, &envelope, |run| {
                        run.room_to_receive(into).ok()
                    });
                    any = true;
                }
                Look::Other => return None,
            }
        }
        Some(any)
    }

    fn look_for<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
        from: Rank,
        into: Span,
        only: bool,
        envelope: &mut Envelope,
    ) -> Look {
        let selector = self.selector(from);
        let workspace = &mut self.room.workspace;
        let (area, range) = into.place();
        if into.len > SHORT {
            let room = || workspace.bytes_mut(area, range);
            return engine.look_for(selector, only, room, envelope);
        }
        match workspace.bytes_mut(area, range) {
            Some(room) => engine.look_for_short(selector, only, ShortSink::of(room), envelope),
            None => Look::Other,
        }
    }
}
