//! Sessions with tasks of other hosts, over the daemons.
//!
//! The daemon is always there to carry frames, so a session has a carrier from its first contact on;
//! when the daemons say that frames may be lost, a new one begins at once. Nothing here waits: what
//! the daemon does not take stays in its session, and sessions take turns.

use crate::datatype::Sink;
use crate::ids::TaskId;
use crate::limits::{NET_BATCH, NET_FAULTS_MAX};
use crate::transport::net::frame;
use crate::transport::net::session::{CarrierError, Session};
use crate::transport::shm::{Introducer, TRANSPORT_TOKEN};
use crate::transport::{Args, Arrived, Body, Head, Peer, Receiver, SendError};
use crate::wire::control::{self, Notify, to_daemon};
use std::collections::VecDeque;
use std::time::Instant;

/// A task of another host.
enum Remote {
    /// Nothing was said to or by it.
    Unknown,
    /// It is talked with.
    Live(Box<Live>),
    /// It has ended, or never was.
    Gone,
}

struct Live {
    task: TaskId,
    session: Session,
    /// In the queue of those with frames to send.
    is_busy: bool,
    /// Among those that have sent what was not confirmed.
    is_owed: bool,
    /// Faults since its last good packet.
    faults: u32,
}

/// All sessions of this task.
#[derive(Default)]
pub(super) struct Relay {
    /// By peer; those of this host are never anything but unknown.
    remotes: Vec<Remote>,
    /// Who has frames to send.
    busy: VecDeque<Peer>,
    /// Whose packets were not confirmed yet.
    owed: Vec<Peer>,
    /// Whose end is to be told.
    gone: Vec<Peer>,
    /// The daemon does not take more now.
    is_stuck: bool,
    /// It did not take anything: it seems to have gone.
    doubts_daemon: bool,
    daemon_lost: bool,
}

/// A body in the bytes that it came in.
struct Bytes<'a>(&'a [u8]);

impl Arrived for Bytes<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn read_into(&self, sink: &mut Sink, offset: usize) {
        sink.write(offset, self.0);
    }

    fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Relay {
    /// Sends a packet to `peer`, which is `task`.
    pub fn send(
        &mut self,
        link: &mut impl Introducer,
        (peer, task): (Peer, TaskId),
        (head, args, body): (&Head, Option<&Args>, Option<Body<'_>>),
    ) -> Result<(), SendError> {
        self.contact(link, peer, task);
        let live = self.live(peer).ok_or(SendError::Gone)?;
        if !live.session.send(head, args, body) {
            return Err(SendError::Full);
        }
        self.enlist(peer);
        self.pump(link, Instant::now());
        Ok(())
    }

    /// Begins a session with a task that there is none with yet, and has its end told.
    pub fn contact(&mut self, link: &mut impl Introducer, peer: Peer, task: TaskId) {
        if !matches!(self.remote(peer), Remote::Unknown) {
            return;
        }
        if self.daemon_lost {
            return self.end(peer);
        }
        let watch = Notify {
            token: TRANSPORT_TOKEN,
            tasks: vec![task.bits()],
            cancel: false,
        };
        self.post(link, to_daemon::Body::Notify(watch));
        let mut session = Session::new();
        session.carrier_up();
        *self.remote(peer) = Remote::Live(Box::new(Live {
            task,
            session,
            is_busy: false,
            is_owed: false,
            faults: 0,
        }));
    }

    /// Shows the packets in what has come from a peer that is in contact.
    pub fn take<R: Receiver>(&mut self, peer: Peer, frames: &[u8], now: Instant, receiver: &mut R) {
        let Some(live) = self.live(peer) else {
            return;
        };
        if live.take(peer, frames, receiver).is_err() {
            live.faults += 1;
            if live.faults > NET_FAULTS_MAX {
                return self.end(peer);
            }
            live.session.carrier_up();
        }
        self.look_at(peer, now);
    }

    /// Frames to or from the peer may be lost.
    pub fn broken(&mut self, peer: Peer) {
        if let Some(live) = self.live(peer) {
            live.session.carrier_up();
            self.enlist(peer);
        }
    }

    /// The peer has ended; what it had sent has been shown.
    pub fn end(&mut self, peer: Peer) {
        let remote = self.remote(peer);
        if !matches!(remote, Remote::Gone) {
            *remote = Remote::Gone;
            self.gone.push(peer);
        }
    }

    /// The daemon has gone, and with it everybody on other hosts.
    pub fn lose(&mut self, everybody: impl Iterator<Item = Peer>) {
        self.daemon_lost = true;
        everybody.for_each(|peer| self.end(peer));
    }

    /// Hands frames to the daemon until there are none, or it takes no more.
    pub fn pump(&mut self, link: &mut impl Introducer, now: Instant) {
        self.is_stuck = !link.push_on();
        while !self.is_stuck
            && let Some(peer) = self.busy.pop_front()
        {
            if let Some(data) = self.batch(peer, now) {
                self.post(link, to_daemon::Body::Relay(data));
            }
        }
    }

    /// Confirms what it is time to confirm, before this task sleeps.
    pub fn confirm(&mut self, link: &mut impl Introducer, now: Instant) {
        for peer in std::mem::take(&mut self.owed) {
            if let Some(live) = self.live(peer) {
                live.is_owed = false;
                self.look_at(peer, now);
            }
        }
        self.pump(link, now);
    }

    /// Asks everybody to confirm. Returns how many packets still wait for that, those that have not
    /// gone out counted twice.
    pub fn flush(&mut self, link: &mut impl Introducer, now: Instant) -> u64 {
        for index in 0..self.remotes.len() {
            let peer = Peer(index as u32);
            if let Some(live) = self.live(peer).filter(|live| !live.session.is_flushed()) {
                live.session.leave();
                self.look_at(peer, now);
            }
        }
        self.pump(link, now);
        let lives = self.remotes.iter().filter_map(Remote::live);
        lives
            .map(|live| live.session.counts())
            .map(|(kept, unsent)| kept + unsent)
            .sum()
    }

    /// The oldest peer whose end is to be told.
    pub fn next_gone(&mut self) -> Option<Peer> {
        (!self.gone.is_empty()).then(|| self.gone.remove(0))
    }

    /// Whether the daemon seems to have gone since this was asked.
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_daemon)
    }

    /// Whether anybody on another host is known.
    #[inline]
    pub fn is_used(&self) -> bool {
        !self.remotes.is_empty()
    }

    /// Whether the daemon takes no more now.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Whether ends are to be told.
    pub fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Whether there is something to do although the daemon has said nothing.
    #[inline]
    pub fn needs_poll(&self) -> bool {
        self.is_stuck || !self.gone.is_empty()
    }

    fn post(&mut self, link: &mut impl Introducer, body: to_daemon::Body) {
        self.doubts_daemon |= !link.post(body);
        self.is_stuck = !link.push_on();
    }

    fn remote(&mut self, peer: Peer) -> &mut Remote {
        if self.remotes.len() <= peer.index() {
            self.remotes
                .resize_with(peer.index() + 1, || Remote::Unknown);
        }
        &mut self.remotes[peer.index()]
    }

    fn live(&mut self, peer: Peer) -> Option<&mut Live> {
        match self.remotes.get_mut(peer.index())? {
            Remote::Live(live) => Some(live),
            Remote::Unknown | Remote::Gone => None,
        }
    }

    /// Notes a peer to which frames are to be sent, or packets to be confirmed later.
    fn look_at(&mut self, peer: Peer, now: Instant) {
        let Some(live) = self.live(peer) else {
            return;
        };
        if live.session.has_frames(now) {
            self.enlist(peer);
        } else if live.session.owes_confirmation() && !std::mem::replace(&mut live.is_owed, true) {
            self.owed.push(peer);
        }
    }

    fn enlist(&mut self, peer: Peer) {
        if let Some(live) = self.live(peer)
            && !std::mem::replace(&mut live.is_busy, true)
        {
            self.busy.push_back(peer);
        }
    }

    /// The next frames for a peer; it goes to the end of the queue if there are more.
    fn batch(&mut self, peer: Peer, now: Instant) -> Option<control::Relay> {
        let live = self.live(peer)?;
        live.is_busy = false;
        let mut data = Vec::new();
        live.session.next_frames(now, NET_BATCH, &mut data);
        let task = live.task.bits();
        self.look_at(peer, now);
        (!data.is_empty()).then_some(control::Relay { peer: task, data })
    }
}

impl Remote {
    fn live(&self) -> Option<&Live> {
        match self {
            Remote::Live(live) => Some(live),
            Remote::Unknown | Remote::Gone => None,
        }
    }
}

impl Live {
    /// Shows the packets in whole frames.
    fn take<R: Receiver>(
        &mut self,
        peer: Peer,
        mut frames: &[u8],
        receiver: &mut R,
    ) -> Result<(), CarrierError> {
        while let Some(frame) = frame::split(&mut frames)? {
            if let Some(packet) = self.session.on_frame(frame)? {
                self.faults = 0;
                receiver.packet(peer, packet.head, packet.args, Bytes(packet.body));
            }
        }
        match frames {
            [] => Ok(()),
            _ => Err(frame::FrameError::Short.into()),
        }
    }
}
