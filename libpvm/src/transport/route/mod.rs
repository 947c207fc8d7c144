//! The transport of a task: shared memory to the tasks of its host, sessions to all others.
//!
//! Whoever uses it cannot tell which peer is where. Numbers of peers are those of the shared-memory
//! transport; it knows by the host in a task's id which are not its own, and passes on what the
//! daemon says of them.
//!
//! # What it costs inside a host
//! A send tries the channel first, as without this: that a peer is on another host is found out
//! only where a packet has not gone at once. A poll looks at two more words.
//!
//! # Waiting
//! The daemon rings for frames as for any other event, so one place to sleep is enough. One case is
//! left, beside sockets of direct connections, which are in the `door` of shared memory: when the
//! daemon's socket is full, nobody rings when there is room again. Then a task that
//! has nothing else to do waits for the socket, a millisecond at most at a time; a daemon that lives
//! is faster, and bells that ring meanwhile are heard after that.

mod remote;
mod sessions;
mod shortcut;
mod warm;
mod wires;

use self::sessions::Sessions;
use super::shm::{
    AttachError, AttachOptions, FarNews, HostFacts, Introducer, ShmTransport, Sleeper,
};
use super::{
    Args, Body, Call, Head, Look, Peer, PullError, Receiver, SendError, Sleep, Taker, Transport,
};
use crate::datatype::{ShortSink, ShortSource, Sink};
use crate::ids::TaskId;
use crate::limits::NET_BODY_MAX;
use crate::session::{Answer, Link};
use crate::settings;
use crate::sync::Ladder;
use crate::wire::control::{Relayed, RouteOffer, Welcome};
use std::time::Instant;

/// When a task connects directly to one of another host, past the daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// When they have something to talk about.
    #[default]
    Auto,
    /// At first contact.
    Direct,
    /// Never.
    Relay,
}

impl Route {
    /// As the environment says; what it does not know counts as auto.
    pub fn from_environment() -> Self {
        match std::env::var(settings::ROUTE).as_deref() {
            Ok("direct") => Self::Direct,
            Ok("relay") => Self::Relay,
            _ => Self::Auto,
        }
    }
}

/// The transport of a task. `I` is its daemon.
pub struct Routes<I: Introducer = Link> {
    shm: ShmTransport<I>,
    sessions: Sessions,
}

impl Routes<Link> {
    /// Attaches this process to the daemon as a task.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(options: AttachOptions, route: Route) -> Result<(Self, Welcome), AttachError> {
        let (shm, welcome) = ShmTransport::attach(options)?;
        Ok((Self::new(shm, route), welcome))
    }
}

impl<I: Introducer> Routes<I> {
    /// A transport that reaches the tasks of this host by `shm`.
    pub fn new(shm: ShmTransport<I>, route: Route) -> Self {
        let sessions = Sessions::new(route);
        Self { shm, sessions }
    }

    /// As [`ShmTransport::link`].
    pub fn link(&mut self) -> &mut I {
        self.shm.link()
    }

    /// As [`ShmTransport::take_event`].
    pub fn take_event(&mut self) -> Option<Answer> {
        self.shm.take_event()
    }

    /// As [`ShmTransport::is_daemon_lost`].
    pub fn is_daemon_lost(&self) -> bool {
        self.shm.is_daemon_lost()
    }

    /// As [`ShmTransport::facts`].
    pub fn facts(&self) -> &HostFacts {
        self.shm.facts()
    }

    /// Whether messages to a task of another host go past the daemons now.
    pub fn is_direct(&mut self, task: TaskId) -> bool {
        let peer = self.shm.peer(task);
        self.sessions.is_direct(peer)
    }

    /// The packet did not go through an open channel at once.
    #[cold]
    fn send_otherwise(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        if !self.shm.is_far(to) {
            return self.shm.send_otherwise(to, head, args, body);
        }
        let task = self.shm.task(to);
        let packet = (head, args, body);
        let sent = self.sessions.send(self.shm.link(), (to, task), packet);
        self.doubt_daemon();
        sent
    }

    /// Goes on with the tasks of other hosts.
    #[cold]
    fn poll_far<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let now = Instant::now();
        let mut any = false;
        while let Some(news) = self.shm.take_far_news() {
            any = true;
            match news {
                FarNews::Relayed(relayed) => self.relayed(&relayed, now, receiver),
                FarNews::RelayBroken(peer) => self.sessions.broken(peer),
                FarNews::Offered(offer) => self.offered(&offer, now),
                FarNews::Exited(peer) => self.sessions.exited(peer, now),
                FarNews::DaemonLost => self.sessions.lose(self.shm.far_peers()),
            }
        }
        any |= self.sessions.poll_sockets(now, receiver);
        self.sessions.pump(self.shm.link(), now);
        self.doubt_daemon();
        self.shm.set_sockets(self.sessions.is_wired());
        while let Some(peer) = self.sessions.next_gone() {
            any = true;
            receiver.gone(peer);
        }
        any
    }

    /// If the daemon took nothing, the next poll looks whether it is there.
    fn doubt_daemon(&mut self) {
        if self.sessions.take_doubt() {
            self.shm.doubt_daemon();
        }
    }

    fn offered(&mut self, offer: &RouteOffer, now: Instant) {
        let task = TaskId::from_bits(offer.peer);
        let (Some(task), Some(sockets)) = (task, self.shm.sockets()) else {
            return;
        };
        let peer = self.shm.peer(task);
        if self.shm.is_far(peer) {
            let listens_first = self.shm.task(Peer::SELF) < task;
            let link = self.shm.link();
            self.sessions.contact(link, peer, task);
            self.sessions
                .offered(link, (peer, listens_first), offer, sockets, now);
        }
    }

    fn relayed<R: Receiver>(&mut self, relayed: &Relayed, now: Instant, receiver: &mut R) {
        let Some(task) = TaskId::from_bits(relayed.peer) else {
            return;
        };
        let peer = self.shm.peer(task);
        if self.shm.is_far(peer) {
            self.sessions.contact(self.shm.link(), peer, task);
            self.sessions.take(peer, &relayed.data, now, receiver);
        }
    }
}

impl<I: Introducer> Transport for Routes<I> {
    fn peer(&mut self, task: TaskId) -> Peer {
        self.shm.peer(task)
    }

    fn task(&self, peer: Peer) -> TaskId {
        self.shm.task(peer)
    }

    // Called, it would be given the head in pieces and read it in words, which the processor has to wait
    // for; so with all that it calls for a packet of one line.
    #[inline(always)]
    fn send(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        match self.shm.send_now(to, head, args, body) {
            true => Ok(()),
            false => self.send_otherwise(to, head, args, body),
        }
    }

    #[inline(always)]
    fn send_short(&mut self, to: Peer, head: &Head, body: ShortSource<'_>) -> bool {
        self.shm.send_short(to, head, body)
    }

    fn push(&mut self) {
        if self.sessions.is_used() {
            self.sessions.pump(self.shm.link(), Instant::now());
            self.doubt_daemon();
        }
    }

    #[inline]
    fn poll<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let any = self.shm.poll(receiver);
        if self.shm.has_far_news() || self.sessions.needs_poll() {
            return self.poll_far(receiver) | any;
        }
        any
    }

    #[inline]
    fn look(&mut self, from: Peer, taker: &mut impl Taker, pauses: u32) -> Look {
        self.shm.look(from, taker, pauses)
    }

    #[inline(always)]
    fn look_short(
        &mut self,
        from: Peer,
        head: &Head,
        sink: &mut ShortSink<'_>,
        pauses: u32,
    ) -> Look<(usize, u32)> {
        self.shm.look_short(from, head, sink, pauses)
    }

    #[inline]
    fn needs_poll(&mut self, but: Peer) -> bool {
        self.shm.needs_poll(but) || self.shm.has_far_news() || self.sessions.is_busy()
    }

    fn watch(&mut self, peer: Peer) {
        if self.shm.is_far(peer) {
            let task = self.shm.task(peer);
            self.sessions.contact(self.shm.link(), peer, task);
        } else {
            self.shm.watch(peer);
        }
    }

    fn watch_ends(&mut self, peers: &[Peer]) {
        self.shm.watch_ends(peers);
    }

    fn has_left(&self, peer: Peer) -> bool {
        self.shm.has_left(peer)
    }

    fn flush(&mut self) -> u64 {
        self.sessions.flush(self.shm.link(), Instant::now())
    }

    fn is_lost(&self) -> bool {
        self.shm.is_lost() && !self.sessions.has_news()
    }

    #[inline]
    fn eager_max(&self, peer: Peer) -> usize {
        match self.shm.is_far(peer) {
            true => NET_BODY_MAX,
            false => self.shm.eager_max(peer),
        }
    }

    #[inline]
    fn chunk(&self, peer: Peer) -> usize {
        match self.shm.is_far(peer) {
            true => NET_BODY_MAX,
            false => self.shm.chunk(peer),
        }
    }

    fn pull_min(&self, peer: Peer, crossing: bool) -> Option<usize> {
        self.shm.pull_min(peer, crossing)
    }

    fn pull(
        &mut self,
        from: Peer,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError> {
        self.shm.pull(from, address, len, sink, offset)
    }
}

impl<I: Introducer> Sleep for Routes<I> {
    type Sleeper = Sleeper;

    fn sleeper(&self) -> Sleeper {
        self.shm.sleeper()
    }

    fn prepare_sleep(&mut self) -> bool {
        if self.sessions.is_used() {
            self.sessions.confirm(self.shm.link(), Instant::now());
            self.shm.set_line_full(self.sessions.is_stuck());
        }
        !self.sessions.has_news() && self.shm.prepare_sleep()
    }

    fn finish_sleep(&mut self) {
        self.shm.finish_sleep();
        self.sessions.expect();
    }

    #[inline]
    fn ladder(&mut self) -> Ladder {
        self.shm.ladder()
    }

    fn show_call(&self, call: &Call) {
        self.shm.show_call(call);
    }
}

// A task's engine goes from thread to thread.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Routes<Link>>();
};

#[cfg(all(test, not(loom)))]
mod tests;
