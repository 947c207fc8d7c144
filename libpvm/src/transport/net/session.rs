//! The state of one task's messages with one task of another host.
//!
//! Packets are numbered and kept until the other confirms them; what moves them, a *carrier*, may
//! break or be replaced at any time. This is a pure state machine: its owner feeds it the frames
//! that arrive and sends those that it gives out.
//!
//! # A new carrier
//! Each side counts its carriers: its *generation*, which every frame names. The first frame on a
//! carrier is `Resume`: my generation, yours as I know it, how many packets I have.
//!
//! ```text
//!   carrier_up: generation + 1 --> send Resume --> [hold, if anything is unconfirmed]
//!        Resume of a new generation, or one that has seen mine --> send from what it says on
//! ```
//!
//! - *A Resume of a new generation is answered*, unless it has seen my generation and its sender
//!   does not hold: then it is the answer to mine. So a side that was not told of the break learns of
//!   it, and a side that holds is let go. The two may cross; then both are answered, and that is all.
//! - *Frames of an earlier generation* than the newest Resume are late and are dropped.
//! - *Nothing is lost*: a packet is kept until a number beyond it comes from the other side, and the
//!   sender goes back to the first that is missing.
//! - *Nothing is doubled or out of order*: exactly the packet with the next number is accepted. One
//!   before it has been received. One beyond it: packets were lost without a word, the carrier is
//!   broken. While my own Resume is not answered, frames from before it may still come: they are
//!   dropped without another.
//!
//! # Confirming
//! With every packet that goes the other way, else when the other asks for it, which it does when a quarter
//! of its window has gone out, else with the first packet after a pause, so that single messages are confirmed
//! when they come and streams of small ones are not answered one by one. At once when the other leaves
//! (`Bye`).

use super::frame::{self, Content, Frame, FrameError};
use super::kept::{Kept, Ready};
use super::packet::Packet;
use crate::datatype::lend;
use crate::limits::{DIRECT_WINDOW, NET_CONFIRM_PAUSE_MS, NET_WINDOW};
use crate::transport::{Args, Body, Head, Kind};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(NET_CONFIRM_PAUSE_MS);

/// Why a carrier cannot be used any more; the session goes on with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CarrierError {
    /// Packets were left out.
    #[error("packet {came} came in place of {expected}")]
    Gap {
        /// The next number.
        expected: u64,
        /// The number that came.
        came: u64,
    },
    /// A generation that never began, or a confirmation of what was never sent.
    #[error("a frame that does not belong here")]
    Impossible,
    /// Not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One end of the messages between two tasks.
#[derive(Default)]
pub struct Session {
    kept: Kept,
    is_up: bool,
    /// Counts my carriers.
    generation: u32,
    /// The newest generation of the other that a Resume has told.
    peer_generation: u32,
    /// The other has seen my generation, or begun one of its own since.
    is_answered: bool,
    /// Packets wait for the other's Resume.
    holds: bool,
    owes_resume: bool,
    owes_bye: bool,
    leaves: bool,
    peer_leaves: bool,
    received: u64,
    /// What the other was told of `received`.
    confirmed: u64,
    /// One of the packets between the two asks to be confirmed.
    is_asked: bool,
    confirmed_at: Option<Instant>,
}

impl Session {
    /// A session without a carrier.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet to send. False: the window is full, try again when frames have come.
    pub fn send(&mut self, head: &Head, args: Option<&Args>, body: Option<Body<'_>>) -> bool {
        self.kept.push(head, args, body)
    }

    /// Takes bytes of a stream to send, at most [`crate::limits::NET_BODY_MAX`]: for those who have no packets. They
    /// are the body of one that says nothing else. False: as [`Session::send`].
    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        const PLAIN: Head = Head {
            kind: Kind::Data,
            flags: 0,
            context: 0,
            tag: 0,
            check: 0,
        };
        lend(bytes, |source| {
            self.send(&PLAIN, None, Some(Body::whole(&source)))
        })
    }

    /// There is a carrier, in place of the former one if there was one. Nothing that the owner still
    /// has of the former one may be sent any more.
    pub fn carrier_up(&mut self) {
        self.is_up = true;
        self.generation = self.generation.saturating_add(1);
        self.is_answered = false;
        self.owes_resume = true;
        self.owes_bye = self.leaves;
        self.holds = self.kept.is_open();
        self.kept.rewind();
        self.kept.set_window(NET_WINDOW);
    }

    /// As [`Session::carrier_up`], for one on which nobody else holds what the other does not look at: the
    /// window is [`DIRECT_WINDOW`] until the next carrier.
    pub fn wide_carrier_up(&mut self) {
        self.carrier_up();
        self.kept.set_window(DIRECT_WINDOW);
    }

    /// As [`Session::carrier_up`], for a task that leaves: nothing is held and nothing kept back, for the
    /// other may not answer any more in time. It gets what it has not confirmed, some of it perhaps again.
    pub fn last_carrier_up(&mut self) {
        self.wide_carrier_up();
        self.holds = false;
    }

    /// There is none any more.
    pub fn carrier_down(&mut self) {
        self.is_up = false;
    }

    /// Takes a frame (without its length). A packet that it brings is to be shown.
    ///
    /// # Errors
    /// The carrier is to be given up: what has come is kept, and the rest will come on the next.
    pub fn on_frame<'a>(&mut self, frame: &'a [u8]) -> Result<Option<Packet<'a>>, CarrierError> {
        let Frame {
            generation,
            content,
        } = Frame::decode(frame)?;
        if let Content::Resume {
            seen,
            received,
            holds,
        } = content
        {
            self.on_resume(generation, seen, received, holds)?;
            return Ok(None);
        }
        if generation < self.peer_generation {
            return Ok(None);
        }
        if generation > self.peer_generation {
            return self.unless_unanswered(CarrierError::Impossible);
        }
        match content {
            Content::Data {
                number,
                asks,
                packet,
            } => self.on_data(number, asks, packet),
            Content::Confirm { received } => self.on_confirm(received).map(|()| None),
            Content::Bye => {
                self.peer_leaves = true;
                Ok(None)
            }
            Content::Resume { .. } => Ok(None),
        }
    }

    /// Appends the frames that are to go out now: about `limit` bytes. They are the carrier's then:
    /// either it moves them in order or it breaks.
    pub fn next_frames(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) {
        let ready = self.frames_behind(now, limit, out);
        for part in ready.parts() {
            out.extend_from_slice(part);
        }
        let len = ready.len();
        self.went(len);
    }

    /// As [`Session::next_frames`], for a carrier that spares copies: the frames of packets, which are
    /// most of the bytes, are lent. They go out behind what was appended, as far as the carrier takes
    /// them, which it tells by [`Session::went`].
    pub fn frames_behind(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> Ready<'_> {
        if !self.is_up {
            return Ready::default();
        }
        let sends = self.sends_packets();
        if std::mem::take(&mut self.owes_resume) {
            let (seen, received) = (self.peer_generation, self.received);
            frame::put_resume(self.generation, seen, received, self.holds, out);
            self.has_confirmed(now);
        } else if self.confirms(now) || (sends && self.owes_confirmation()) {
            frame::put_confirm(self.generation, self.received, out);
            self.has_confirmed(now);
        }
        if std::mem::take(&mut self.owes_bye) {
            frame::put_bye(self.generation, out);
        }
        match sends {
            true => self.kept.ready(self.generation, limit),
            false => Ready::default(),
        }
    }

    /// So many bytes of the frames of packets have gone out. Returns the rest of one that was begun, in
    /// two parts: it is the carrier's.
    pub fn went(&mut self, bytes: usize) -> [&[u8]; 2] {
        self.kept.went(bytes)
    }

    /// Bytes of packets that have not gone out.
    pub fn unsent(&self) -> usize {
        self.kept.unsent()
    }

    /// Whether [`Session::next_frames`] has any.
    pub fn has_frames(&self, now: Instant) -> bool {
        let owes = self.owes_resume || self.owes_bye || self.confirms(now);
        self.is_up && (owes || self.sends_packets())
    }

    /// Whether packets have come that the other was not told of.
    pub fn owes_confirmation(&self) -> bool {
        self.confirmed < self.received
    }

    /// This task leaves: the other is to confirm at once.
    pub fn leave(&mut self) {
        if !std::mem::replace(&mut self.leaves, true) && self.generation > 0 {
            self.owes_bye = true;
        }
    }

    /// Whether everything that was sent has been confirmed.
    pub fn is_flushed(&self) -> bool {
        self.kept.counts().0 == 0
    }

    /// Gives memory back. False: there is something in it, and nothing is given back.
    pub fn give_back(&mut self) -> bool {
        self.kept.give_back()
    }

    /// Bytes of memory for packets.
    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.kept.memory()
    }

    /// The newest generation of the other.
    pub fn peer_generation(&self) -> u32 {
        self.peer_generation
    }

    /// How many packets are not confirmed, and how many of those have not gone out.
    pub fn counts(&self) -> (u64, u64) {
        self.kept.counts()
    }

    fn on_resume(
        &mut self,
        generation: u32,
        seen: u32,
        received: u64,
        holds: bool,
    ) -> Result<(), CarrierError> {
        if generation < self.peer_generation {
            return Ok(());
        }
        if seen > self.generation {
            return Err(CarrierError::Impossible);
        }
        self.on_confirm(received)?;
        let begins = generation > self.peer_generation;
        let answers = seen == self.generation;
        self.peer_generation = generation;
        if begins || answers {
            self.is_answered = true;
            if begins || self.holds {
                self.kept.rewind();
            }
            self.holds = false;
        }
        self.owes_resume |= begins && (holds || !answers);
        Ok(())
    }

    fn on_confirm(&mut self, received: u64) -> Result<(), CarrierError> {
        match self.kept.confirm(received) {
            true => Ok(()),
            false => Err(CarrierError::Impossible),
        }
    }

    fn on_data<'a>(
        &mut self,
        number: u64,
        asks: bool,
        packet: Packet<'a>,
    ) -> Result<Option<Packet<'a>>, CarrierError> {
        let expected = self.received;
        if number > expected {
            let came = number;
            return self.unless_unanswered(CarrierError::Gap { expected, came });
        }
        if number < expected {
            return Ok(None);
        }
        self.received += 1;
        self.is_asked |= asks;
        Ok(Some(packet))
    }

    /// Before my Resume is answered, what was lost is already asked for.
    fn unless_unanswered<R>(&self, error: CarrierError) -> Result<Option<R>, CarrierError> {
        match self.is_answered {
            true => Err(error),
            false => Ok(None),
        }
    }

    fn sends_packets(&self) -> bool {
        !self.holds && self.kept.has_next()
    }

    /// Whether a confirmation is due, for itself.
    fn confirms(&self, now: Instant) -> bool {
        let long_ago = |at: Instant| now.saturating_duration_since(at) >= PAUSE;
        self.owes_confirmation()
            && (self.peer_leaves || self.is_asked || self.confirmed_at.is_none_or(long_ago))
    }

    fn has_confirmed(&mut self, now: Instant) {
        self.confirmed = self.received;
        self.is_asked = false;
        self.confirmed_at = Some(now);
    }
}
