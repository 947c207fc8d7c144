//! The way from a task to one of another host past the daemons: when it is wanted, how it comes about,
//! and what goes through it.
//!
//! It is tried beside the relay and never waited for. What fails is tried again, after a pause that
//! grows, when there is something to send.

use super::Route;
use crate::limits::{
    DIRECT_AFTER_BYTES, DIRECT_AFTER_PACKETS, DIRECT_DEADLINE_MS, DIRECT_PAUSE_MAX_MS,
    DIRECT_PAUSE_MIN_MS, NET_BATCH,
};
use crate::transport::net::direct::{Credentials, Direct, DirectError};
use crate::transport::net::meeting::{Meeting, Met};
use crate::transport::net::packet::Packet;
use crate::transport::net::session::{CarrierError, Session};
use crate::transport::net::tls::Certificates;
use crate::transport::shm::{Sockets, Watched};
use crate::wire::control::RouteOffer;
use rustix::event::PollFlags;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_millis(DIRECT_DEADLINE_MS);
const PAUSE_MIN: Duration = Duration::from_millis(DIRECT_PAUSE_MIN_MS);
const PAUSE_MAX: Duration = Duration::from_millis(DIRECT_PAUSE_MAX_MS);

/// A connection that carries the session.
struct Open {
    direct: Box<Direct>,
    watched: Watched,
    since: Instant,
    /// The other has sent a frame on it.
    is_heard: bool,
}

/// A connection that is being made.
struct Attempt {
    meeting: Meeting,
    listens: bool,
}

/// How far the connection is.
#[derive(Default)]
enum Way {
    #[default]
    None,
    Making(Attempt),
    Open(Open),
}

/// The direct connection with one peer.
#[derive(Default)]
pub(super) struct Shortcut {
    way: Way,
    /// This task has asked for one, and the offer is on its way until then.
    asked_until: Option<Instant>,
    /// Not asked for before.
    not_before: Option<Instant>,
    /// Before the next one, doubled each time.
    pause: Duration,
    /// Packets sent.
    packets: u32,
}

/// What was taken off a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// All that has come.
    All {
        /// There was something.
        any: bool,
    },
    /// As much as one turn allows.
    Some,
    /// All that will ever come.
    Over {
        /// There was something.
        any: bool,
    },
    /// What cannot be.
    Nonsense,
}

impl Taken {
    /// Whether anything has come.
    pub fn any(self) -> bool {
        !matches!(self, Taken::All { any: false } | Taken::Over { any: false })
    }
}

impl Shortcut {
    /// Counts a packet with a body of so many bytes. Returns whether a connection is to be asked for
    /// now.
    pub fn is_wanted(&mut self, policy: Route, body: usize, now: Instant) -> bool {
        self.packets = self.packets.saturating_add(1);
        let pays = match policy {
            Route::Relay => false,
            Route::Direct => true,
            Route::Auto => self.packets >= DIRECT_AFTER_PACKETS || body > DIRECT_AFTER_BYTES,
        };
        if !pays || self.is_wired() || self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        self.asked_until = Some(now + DEADLINE);
        // If there is not even an offer.
        self.not_before = Some(now + DEADLINE + PAUSE_MIN);
        true
    }

    /// Begins to connect as offered. Returns the port at which the peer is waited for, if it is;
    /// `None`: the offer is of no use, as when there is a connection. If both have asked, the one that
    /// `listens_first` listens.
    pub fn begin(
        &mut self,
        offer: &RouteOffer,
        listens_first: bool,
        now: Instant,
    ) -> Option<Option<u16>> {
        let listens_now = match &self.way {
            Way::None => None,
            Way::Making(attempt) => Some(attempt.listens),
            // Both have asked, and the other answer was faster.
            Way::Open(_) => return None,
        };
        let credentials = credentials(offer)?;
        let mine = listens_now == Some(true) || self.asked_until.is_some_and(|until| now < until);
        let theirs = listens_now == Some(false);
        let deadline = now + DEADLINE;
        if offer.listen {
            if theirs && !listens_first {
                return None;
            }
            let at = offer.addresses.first();
            let at = at.map(|text| text.parse::<SocketAddr>()).transpose().ok()?;
            let at = at.map(|address| address.ip());
            let (meeting, port) = Meeting::listen(credentials, at, deadline).ok()?;
            let listens = true;
            self.way = Way::Making(Attempt { meeting, listens });
            return Some(Some(port));
        }
        if mine && listens_first {
            return None;
        }
        let addresses = offer.addresses.iter();
        let addresses: Vec<SocketAddr> = addresses.filter_map(|text| text.parse().ok()).collect();
        let meeting = Meeting::dial(credentials, &addresses, deadline);
        let listens = false;
        self.way = Way::Making(Attempt { meeting, listens });
        Some(None)
    }

    /// Goes on connecting. Returns whether there is a connection now.
    pub fn meet(&mut self, now: Instant) -> bool {
        let Way::Making(attempt) = &mut self.way else {
            return false;
        };
        match attempt.meeting.poll(now) {
            Met::NotYet => false,
            Met::Failed => {
                self.fail(now);
                false
            }
            Met::Open(direct) => {
                self.way = Way::Open(Open {
                    direct,
                    watched: Watched::default(),
                    since: now,
                    is_heard: false,
                });
                self.asked_until = None;
                true
            }
        }
    }

    /// Gives the connection up, or the attempt to make it, for a while.
    pub fn close(&mut self, now: Instant) {
        let long = |open: &Open| now.saturating_duration_since(open.since) >= PAUSE_MAX;
        if self.open().is_some_and(long) {
            self.pause = Duration::ZERO;
        }
        if self.is_wired() {
            self.fail(now);
        }
    }

    /// For tests: the pause is over.
    #[cfg(all(test, not(loom)))]
    pub fn retry(&mut self) {
        self.not_before = None;
    }

    fn open(&self) -> Option<&Open> {
        match &self.way {
            Way::Open(open) => Some(open),
            Way::None | Way::Making(_) => None,
        }
    }

    fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.way {
            Way::Open(open) => Some(open),
            Way::None | Way::Making(_) => None,
        }
    }

    fn fail(&mut self, now: Instant) {
        self.way = Way::None;
        self.asked_until = None;
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.not_before = Some(now + self.pause);
    }

    /// Takes what has come into the session; `show` is given each packet.
    pub fn take(&mut self, session: &mut Session, show: impl FnMut(Packet<'_>)) -> Taken {
        let Some(open) = self.open_mut() else {
            return Taken::All { any: false };
        };
        let worked = open.direct.work();
        let is_full = open.direct.is_full();
        match (open.take(session, show), worked) {
            (Err(_), _) => Taken::Nonsense,
            (Ok(any), Err(_)) => Taken::Over { any },
            (Ok(_), Ok(_)) if is_full => Taken::Some,
            (Ok(any), Ok(_)) => Taken::All { any },
        }
    }

    /// Sends what the session has, as far as the connection takes it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn send(&mut self, session: &mut Session, now: Instant) -> Result<(), DirectError> {
        match self.open_mut() {
            Some(open) => open.direct.carry(session, now),
            None => Ok(()),
        }
    }

    /// Gives memory back that nothing is in. False: something is.
    pub fn give_back(&mut self) -> bool {
        self.open_mut().is_none_or(|open| open.direct.give_back())
    }

    /// Bytes of memory for messages.
    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.open().map_or(0, |open| open.direct.memory())
    }

    /// Has all sockets watched on behalf of `owner`.
    pub fn watch(&mut self, sockets: &Sockets, owner: u32) {
        match &mut self.way {
            Way::None => {}
            Way::Making(attempt) => {
                for (socket, interest) in attempt.meeting.sockets() {
                    sockets.watch(socket, owner, interest, &mut Watched::default());
                }
            }
            Way::Open(open) => {
                let interest = open.direct.interest();
                sockets.watch(&*open.direct, owner, interest, &mut open.watched);
            }
        }
    }

    /// Whether it carries the session.
    pub fn is_open(&self) -> bool {
        self.open().is_some()
    }

    /// Whether it does, and the other has shown that it does for it, too.
    pub fn is_heard(&self) -> bool {
        self.open().is_some_and(|open| open.is_heard)
    }

    /// Whether there are sockets.
    pub fn is_wired(&self) -> bool {
        !matches!(self.way, Way::None)
    }

    /// Bytes of frames that the session's carrier is given at once.
    pub fn batch(&self) -> usize {
        self.open().map_or(NET_BATCH, |open| open.direct.batch())
    }

    /// Whether frames can be given to the session's carrier now; the daemons always take some.
    pub fn has_room(&self) -> bool {
        self.open().is_none_or(|open| open.direct.wants_frames())
    }

    /// Whether to see what has come costs no more than to ask the system whether there is anything: a
    /// connection stands, and takes all that it is given.
    pub fn is_cheap(&self) -> bool {
        self.open()
            .is_some_and(|open| open.direct.interest() == PollFlags::IN)
    }

    /// When [`Shortcut::meet`] is due although no socket is ready.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.way {
            Way::Making(attempt) => Some(attempt.meeting.deadline()),
            Way::None | Way::Open(_) => None,
        }
    }
}

impl Open {
    fn take(
        &mut self,
        session: &mut Session,
        mut show: impl FnMut(Packet<'_>),
    ) -> Result<bool, Nonsense> {
        let mut any = false;
        while let Some(frame) = self.direct.next_frame()? {
            any = true;
            if let Some(packet) = session.on_frame(frame)? {
                show(packet);
            }
        }
        if any && !self.is_heard {
            self.is_heard = true;
        }
        Ok(any)
    }
}

/// Frames that are none, or do not belong here.
struct Nonsense;

impl From<DirectError> for Nonsense {
    fn from(_: DirectError) -> Self {
        Self
    }
}

impl From<CarrierError> for Nonsense {
    fn from(_: CarrierError) -> Self {
        Self
    }
}

/// `None`: the offer is incomplete.
fn credentials(offer: &RouteOffer) -> Option<Credentials> {
    let certificates = Certificates {
        own: offer.certificate.clone(),
        key: offer.key.clone(),
        peer: offer.peer_certificate.clone(),
    };
    Some(Credentials {
        token: offer.token.as_slice().try_into().ok()?,
        certificates: (!offer.plain).then_some(certificates),
    })
}
