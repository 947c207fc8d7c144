//! Sessions with tasks of other hosts, over the daemons or direct connections.
//!
//! The daemon is always there to carry frames, so a session has a carrier from its first contact on;
//! when the daemons say that frames may be lost, or a direct connection breaks, a new one begins at
//! once. Nothing here waits: what daemon or socket does not take stays in its session, and sessions
//! take turns.
//!
//! # Two ways at a time
//! The two sides change carriers at different times. What still comes by the other way belongs to an
//! earlier generation or is in order, so it is just taken. A new generation that comes by the relay,
//! when the other was heard on the connection, means that it has given the connection up.
//!
//! # Ends
//! A task that leaves goes back to the relay with all that is not confirmed: the daemons keep it when
//! the process is no more, the system would not. The news of an end come by the relay, so what is still
//! on its way on the connection is read first, until it is closed.

use super::Route;
use super::remote::{Live, Remote};
use super::shortcut::Taken;
use super::warm::Warm;
use super::wires::Wires;
use crate::ids::TaskId;
use crate::limits::{DIRECT_LINGER_MS, NET_BATCH, NET_FAULTS_MAX};
use crate::transport::shm::{Introducer, Sockets, TRANSPORT_TOKEN};
use crate::transport::{Args, Body, Head, Kind, Peer, Receiver, SendError};
use crate::wire::control::{self, Notify, OpenRoute, RouteListening, RouteOffer, to_daemon};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All sessions of this task.
#[derive(Default)]
pub(super) struct Sessions {
    /// When connections are made.
    policy: Route,
    /// The sockets of those.
    wires: Wires,
    /// Who has memory.
    warm: Warm,
    /// By peer; those of this host are never anything but unknown.
    remotes: Vec<Remote>,
    /// Who has frames for the daemon; none of them has a connection.
    busy: VecDeque<Peer>,
    /// Who has frames for a connection.
    writers: VecDeque<Peer>,
    /// Whose packets were not confirmed yet.
    owed: Vec<Peer>,
    /// Whose end is to be told.
    gone: VecDeque<Peer>,
    /// The daemon does not take more now.
    is_stuck: bool,
    /// It did not take anything: it seems to have gone.
    doubts_daemon: bool,
    daemon_lost: bool,
}

impl Sessions {
    /// Sessions that take direct connections as `policy` says.
    pub fn new(policy: Route) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Sends a packet to `peer`, which is `task`.
    pub fn send(
        &mut self,
        link: &mut impl Introducer,
        (peer, task): (Peer, TaskId),
        (head, args, body): (&Head, Option<&Args>, Option<Body<'_>>),
    ) -> Result<(), SendError> {
        self.contact(link, peer, task);
        let policy = self.policy;
        let live = self.live(peer).ok_or(SendError::Gone)?;
        if !live.session.send(head, args, body) {
            return Err(SendError::Full);
        }
        // The parts of a large message go out many at a time: few writes make few packets.
        let waits = head.kind == Kind::Data && live.session.unsent() < live.shortcut.batch();
        let now = Instant::now();
        if live
            .shortcut
            .is_wanted(policy, body.map_or(0, |body| body.len), now)
        {
            let peer = task.bits();
            self.post(link, to_daemon::Body::OpenRoute(OpenRoute { peer }));
        }
        self.warm_up(peer);
        self.enlist(peer);
        if !waits {
            self.pump(link, now);
        }
        self.wires.expect();
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
        *self.remote(peer) = Remote::Live(Box::new(Live::new(task)));
    }

    /// Shows the packets in what has come from a peer that is in contact.
    pub fn take<R: Receiver>(&mut self, peer: Peer, frames: &[u8], now: Instant, receiver: &mut R) {
        let Some(live) = self.live(peer) else {
            return;
        };
        let before = live.session.peer_generation();
        if live.take(peer, frames, receiver).is_err() {
            return self.fault(peer, now);
        }
        if live.session.peer_generation() != before && live.shortcut.is_heard() {
            return self.lose_shortcut(peer, now);
        }
        self.warm_up(peer);
        self.look_at(peer, now);
    }

    /// The peer has sent nonsense: its frames are asked for again, over the daemons.
    fn fault(&mut self, peer: Peer, now: Instant) {
        let Some(live) = self.live(peer) else {
            return;
        };
        live.faults += 1;
        match live.faults > NET_FAULTS_MAX {
            true => self.end(peer),
            false => self.lose_shortcut(peer, now),
        }
    }

    /// The connection to the peer, if there is one, is of no use any more: the daemons carry on.
    fn lose_shortcut(&mut self, peer: Peer, now: Instant) {
        let Some(live) = self.live(peer) else {
            return;
        };
        live.shortcut.close(now);
        if live.ends_at.is_some() {
            return self.end(peer);
        }
        live.session.carrier_up();
        self.enlist(peer);
    }

    /// A test's way to have a connection break, to be made again at once.
    #[cfg(all(test, not(loom)))]
    pub fn give_up(&mut self, peer: Peer, now: Instant) {
        self.lose_shortcut(peer, now);
        if let Some(live) = self.live(peer) {
            live.shortcut.retry();
        }
    }

    /// Whether a peer has confirmed everything.
    #[cfg(all(test, not(loom)))]
    pub fn is_flushed(&self, peer: Peer) -> bool {
        let live = self.remotes.get(peer.index()).and_then(Remote::live);
        live.is_some_and(|live| live.session.is_flushed())
    }

    /// How many carriers a peer has had for what it sends here.
    #[cfg(all(test, not(loom)))]
    pub fn carriers(&self, peer: Peer) -> u32 {
        let live = self.remotes.get(peer.index()).and_then(Remote::live);
        live.map_or(0, |live| live.session.peer_generation())
    }

    /// Bytes of memory for messages.
    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        let lives = self.remotes.iter().filter_map(Remote::live);
        lives.map(Live::memory).sum()
    }

    /// A connection to a peer is arranged. `sockets` is what it will be waited for with.
    pub fn offered(
        &mut self,
        link: &mut impl Introducer,
        (peer, listens_first): (Peer, bool),
        offer: &RouteOffer,
        sockets: Arc<Sockets>,
        now: Instant,
    ) {
        if self.policy == Route::Relay {
            return;
        }
        let Some(live) = self.live(peer).filter(|live| live.ends_at.is_none()) else {
            return;
        };
        let Some(port) = live.shortcut.begin(offer, listens_first, now) else {
            return;
        };
        if let Some(port) = port {
            let listening = RouteListening {
                peer: live.task.bits(),
                port: port.into(),
            };
            self.post(link, to_daemon::Body::RouteListening(listening));
        }
        self.wires.add(peer, sockets);
    }

    /// Looks at the sockets that are ready, and at deadlines.
    pub fn poll_sockets<R: Receiver>(&mut self, now: Instant, receiver: &mut R) -> bool {
        if self.wires.is_empty() {
            return false;
        }
        let remotes = &self.remotes;
        let live = |peer: Peer| remotes.get(peer.index()).and_then(Remote::live);
        let is_due = |peer| live(peer).is_some_and(|live| live.is_due(now));
        let is_cheap = |peer| live(peer).is_some_and(|live| live.shortcut.is_cheap());
        let turn = self.wires.begin_turn(is_due, is_cheap);
        let mut any = false;
        for &peer in &turn {
            any |= self.work(Peer(peer), now, receiver);
        }
        if any {
            self.wires.expect();
        }
        let remotes = &self.remotes;
        let live = |peer: Peer| remotes.get(peer.index()).and_then(Remote::live);
        let is_wired = |peer| live(peer).is_some_and(|live| live.shortcut.is_wired());
        self.wires.end_turn(turn, is_wired);
        any
    }

    /// Goes on with the connection to a peer. Returns whether anything came.
    fn work<R: Receiver>(&mut self, peer: Peer, now: Instant, receiver: &mut R) -> bool {
        if self.live(peer).is_some_and(|live| live.shortcut.meet(now)) {
            self.opened(peer);
        }
        let sockets = self.wires.sockets();
        let Some(live) = live(&mut self.remotes, peer) else {
            return false;
        };
        let taken = live.shortcut.take(&mut live.session, |packet| {
            live.faults = 0;
            receiver.packet(peer, packet.head, packet.args, packet.body);
        });
        if let Some(sockets) = sockets {
            live.shortcut.watch(sockets, peer.0);
        }
        if taken.any() {
            self.warm_up(peer);
        }
        let Some(live) = self.live(peer) else {
            return true;
        };
        let is_over = live.ends_at.is_some_and(|at| now >= at);
        match taken {
            _ if is_over => self.end(peer),
            Taken::Nonsense => self.fault(peer, now),
            Taken::Over { .. } => self.lose_shortcut(peer, now),
            Taken::All { .. } => self.look_at(peer, now),
            Taken::Some => {
                self.wires.note(peer);
                self.look_at(peer, now);
            }
        }
        taken.any()
    }

    /// A connection carries the session now. What waited for the daemon does so no more.
    fn opened(&mut self, peer: Peer) {
        let before = self.busy.len();
        self.busy.retain(|&other| other != peer);
        let waited = self.busy.len() < before;
        if let Some(live) = self.live(peer) {
            live.session.wide_carrier_up();
            live.is_busy &= !waited;
        }
    }

    /// Sends frames over the connection to a peer.
    fn write(&mut self, peer: Peer, now: Instant) {
        let sockets = self.wires.sockets();
        let Some(live) = live(&mut self.remotes, peer) else {
            return;
        };
        live.is_busy = false;
        match live.shortcut.send(&mut live.session, now) {
            Ok(()) => {
                if let Some(sockets) = sockets {
                    live.shortcut.watch(sockets, peer.0);
                }
                self.look_at(peer, now);
            }
            // What has come before that is read, and its end found, in the next poll.
            Err(_) => self.wires.note(peer),
        }
    }

    /// Frames to or from the peer may be lost.
    pub fn broken(&mut self, peer: Peer) {
        let live = self.live(peer);
        if let Some(live) = live.filter(|live| !live.shortcut.is_open()) {
            live.session.carrier_up();
            self.enlist(peer);
        }
    }

    /// The peer has ended; what it had sent over the daemons has been shown.
    pub fn exited(&mut self, peer: Peer, now: Instant) {
        match self.live(peer) {
            Some(live) if live.shortcut.is_open() => {
                live.ends_at = Some(now + Duration::from_millis(DIRECT_LINGER_MS));
                self.wires.note(peer);
            }
            _ => self.end(peer),
        }
    }

    /// The peer has ended; what it had sent has been shown.
    pub fn end(&mut self, peer: Peer) {
        let remote = self.remote(peer);
        if !matches!(remote, Remote::Gone) {
            *remote = Remote::Gone;
            self.gone.push_back(peer);
        }
    }

    /// The daemon has gone, and with it everybody on other hosts.
    pub fn lose(&mut self, everybody: impl Iterator<Item = Peer>) {
        self.daemon_lost = true;
        everybody.for_each(|peer| self.end(peer));
    }

    /// Hands frames to connections and the daemon until there are none, or they take no more.
    pub fn pump(&mut self, link: &mut impl Introducer, now: Instant) {
        while let Some(peer) = self.writers.pop_front() {
            self.write(peer, now);
        }
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
        // Who owes one afterwards is noted behind those that are here now.
        let count = self.owed.len();
        for turn in 0..count {
            let peer = self.owed[turn];
            if let Some(live) = self.live(peer) {
                live.is_owed = false;
                self.look_at(peer, now);
            }
        }
        self.owed.drain(..count);
        self.pump(link, now);
    }

    /// Asks everybody to confirm. Returns how many packets still wait for that, those that have not
    /// gone out counted twice.
    pub fn flush(&mut self, link: &mut impl Introducer, now: Instant) -> u64 {
        self.policy = Route::Relay;
        for index in 0..self.remotes.len() {
            let peer = Peer(index as u32);
            if let Some(live) = self.live(peer).filter(|live| !live.session.is_flushed()) {
                live.session.leave();
                if live.shortcut.is_wired() {
                    live.shortcut.close(now);
                    live.session.last_carrier_up();
                }
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
        self.gone.pop_front()
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

    /// Whether there is something to tell without anything to wait for.
    pub fn has_news(&self) -> bool {
        !self.gone.is_empty() || self.wires.has_ready()
    }

    /// Whether a connection carries the session with a peer.
    pub fn is_direct(&self, peer: Peer) -> bool {
        let live = self.remotes.get(peer.index()).and_then(Remote::live);
        live.is_some_and(|live| live.shortcut.is_open())
    }

    /// Whether there are sockets.
    pub fn is_wired(&self) -> bool {
        !self.wires.is_empty()
    }

    /// Somebody may have been woken by a socket: the next poll looks.
    pub fn expect(&mut self) {
        self.wires.expect();
    }

    /// Whether there is something to do although the daemon has said nothing.
    #[inline]
    pub fn needs_poll(&mut self) -> bool {
        self.is_stuck || !self.gone.is_empty() || self.wires.is_turn()
    }

    /// Whether [`Sessions::needs_poll`] may say so at one of the next polls.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.is_stuck || !self.gone.is_empty() || self.is_wired()
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
        live(&mut self.remotes, peer)
    }

    /// Messages go to or come from a peer. Who had none for longer gives memory back, unless something is
    /// under way; two at a time, so that there are fewer in the end.
    fn warm_up(&mut self, peer: Peer) {
        if self.warm.is_last(peer) {
            return;
        }
        self.warm.put_last(peer);
        for _ in 0..2 {
            let Some(cold) = self.warm.take_surplus() else {
                return;
            };
            if self.live(cold).is_some_and(|live| !live.give_back()) {
                self.warm.put_last(cold);
            }
        }
    }

    /// Notes a peer to which frames are to be sent, or packets to be confirmed later.
    fn look_at(&mut self, peer: Peer, now: Instant) {
        let Some(live) = self.live(peer) else {
            return;
        };
        if live.session.has_frames(now) {
            if live.shortcut.has_room() {
                self.enlist(peer);
            }
        } else if live.session.owes_confirmation() && !std::mem::replace(&mut live.is_owed, true) {
            self.owed.push(peer);
        }
    }

    fn enlist(&mut self, peer: Peer) {
        if let Some(live) = self.live(peer)
            && !std::mem::replace(&mut live.is_busy, true)
        {
            match live.shortcut.is_open() {
                true => self.writers.push_back(peer),
                false => self.busy.push_back(peer),
            }
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

/// The peer, if it is talked with.
fn live(remotes: &mut [Remote], peer: Peer) -> Option<&mut Live> {
    match remotes.get_mut(peer.index())? {
        Remote::Live(live) => Some(live),
        Remote::Unknown | Remote::Gone => None,
    }
}
