//! The transport inside a host: see the module's page.

use super::super::Call;
use super::channel::{Channel, Life, Opening};
use super::door::Sockets;
use super::doorbell::{self, AWAKE, AWAKE_BY_BELL, Board};
use super::host::{HostFacts, HostPage};
use super::inbox::{InboxBell, Sleeper};
use super::introducer::Introducer;
use crate::datatype::{ShortSink, ShortSource, Sink};
use crate::ids::{TaskId, TaskMap};
use crate::limits::BELLS_MAX;
use crate::session::{Answer, Link, LinkError, Ticket};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{Ladder, WaitPolicy};
use crate::transport::{
    Args, Body, Head, Look, Peer, PullError, Receiver, SendError, Sleep, Taker, Transport,
};
use crate::wire::control::exit_status::How;
use crate::wire::control::{
    ChannelOpened, Notify, Relayed, RouteOffer, TaskExited, from_daemon, to_daemon,
};
use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More channels than this are not all polled: bells say which have something.
const POLLED_MAX: usize = 16;
/// No more than this: all are polled again.
const POLLED_AGAIN: usize = 8;
/// How long the first packet to a task waits for the introduction: a daemon that is not busy needs
/// less. A task that takes longer to start is waited for in later polls, which other messages and
/// other threads do not have to wait for.
const INTRODUCTION_PATIENCE: Duration = Duration::from_millis(10);
/// How often a task looks whether its daemon is still there.
const DAEMON_CHECK: Duration = Duration::from_secs(1);
/// Polls in vain after which a task that never sleeps looks too.
const DAEMON_CHECK_POLLS: u32 = 1 << 20;
/// Waits in a row that ended in a long sleep halve the next one's time awake, this often.
const HALVINGS_MAX: u32 = 3;
/// A sleep is long from so many times the time awake on. What is shorter was mostly the way to wake up: two
/// tasks that answer each other and have both fallen asleep would never again stay awake long enough.
const LONG_SLEEP: u32 = 10;

/// The token of subscriptions that are the transport's own.
pub(in crate::transport) const TRANSPORT_TOKEN: u64 = u64::MAX;

/// How a task is reached.
#[derive(Clone, Copy)]
enum Route {
    /// Never asked.
    Unknown,
    /// Asked, and no answer yet.
    Asked,
    /// By the channel with this index.
    Open(usize),
    /// It is on another host: not this transport's, which only numbers it.
    Far,
    /// It has ended, or never was.
    Gone,
}

/// What the daemon has said of tasks on other hosts, in its order.
pub(in crate::transport) enum FarNews {
    Relayed(Relayed),
    RelayBroken(Peer),
    Offered(RouteOffer),
    Exited(Peer),
    DaemonLost,
}

struct Entry {
    task: TaskId,
    route: Route,
    /// It has ended in good order.
    has_left: bool,
}

/// The transport between tasks of one host. `I` introduces it to other tasks: the daemon's link.
pub struct ShmTransport<I: Introducer = Link> {
    link: I,
    inbox: InboxBell,
    host: HostPage,
    facts: HostFacts,
    pub(in crate::transport) policy: WaitPolicy,
    sleeper: Sleeper,
    peers: Vec<Entry>,
    numbers: TaskMap<Peer>,
    channels: Vec<Channel>,
    /// Who rings which of this task's bells.
    bells: HashMap<u32, Peer>,
    /// Bells say which channels have something.
    by_bell: bool,
    /// With bells: channels that may have something.
    queue: VecDeque<Peer>,
    /// Peers whose end is to be told.
    gone: Vec<Peer>,
    /// Answers that will come, and whom they are about.
    asked: Vec<(Peer, Ticket)>,
    /// Peers that were refused; an event that was told before may say more.
    refused: Vec<Peer>,
    /// Some channel has a packet that found no room.
    any_blocked: bool,
    /// Some channel is not open any more.
    any_ending: bool,
    check_daemon: bool,
    daemon_lost: bool,
    last_check: Instant,
    vain_polls: u32,
    /// When the last sleep began.
    asleep_since: Instant,
    /// It was a long one.
    slept: bool,
    halvings: u32,
    /// Events for others.
    events: VecDeque<Answer>,
    far_news: VecDeque<FarNews>,
}

impl<I: Introducer> ShmTransport<I> {
    /// A transport for task `me` with this inbox.
    pub fn new(link: I, me: TaskId, inbox: InboxBell, host: HostPage, policy: WaitPolicy) -> Self {
        host.woke_up();
        doorbell::announce_awake(&*inbox.map, AWAKE);
        let myself = Entry {
            task: me,
            route: Route::Gone,
            has_left: false,
        };
        Self {
            sleeper: Sleeper::new(inbox.clone(), link.line()),
            link,
            inbox,
            facts: host.facts(),
            host,
            policy,
            peers: vec![myself],
            numbers: TaskMap::from_iter([(me, Peer::SELF)]),
            channels: Vec::new(),
            bells: HashMap::new(),
            by_bell: false,
            queue: VecDeque::new(),
            gone: Vec::new(),
            asked: Vec::new(),
            refused: Vec::new(),
            any_blocked: false,
            any_ending: false,
            // The daemon may have spoken before this task listened.
            check_daemon: true,
            daemon_lost: false,
            last_check: Instant::now(),
            vain_polls: 0,
            asleep_since: Instant::now(),
            slept: false,
            halvings: 0,
            events: VecDeque::new(),
            far_news: VecDeque::new(),
        }
    }

    /// The connection to the daemon, for requests. Its events are not to be taken from there: see
    /// [`ShmTransport::take_event`].
    pub fn link(&mut self) -> &mut I {
        &mut self.link
    }

    /// The oldest event that is not the transport's own, for example the end of a task that
    /// somebody subscribed to. Call it after a poll.
    pub fn take_event(&mut self) -> Option<Answer> {
        self.events.pop_front()
    }

    /// Whether the daemon has gone; all peers are told to be gone then.
    pub fn is_daemon_lost(&self) -> bool {
        self.daemon_lost
    }

    /// What is known of this host.
    pub fn facts(&self) -> &HostFacts {
        &self.facts
    }

    /// Whether the peer is on another host.
    #[inline]
    pub(in crate::transport) fn is_far(&self, peer: Peer) -> bool {
        matches!(self.peers[peer.index()].route, Route::Far)
    }

    /// All peers on other hosts.
    pub(in crate::transport) fn far_peers(&self) -> impl Iterator<Item = Peer> {
        (0..self.peers.len() as u32)
            .map(Peer)
            .filter(|&peer| self.is_far(peer))
    }

    /// Whether [`ShmTransport::take_far_news`] has any.
    #[inline]
    pub(in crate::transport) fn has_far_news(&self) -> bool {
        !self.far_news.is_empty()
    }

    /// The oldest news of tasks on other hosts.
    pub(in crate::transport) fn take_far_news(&mut self) -> Option<FarNews> {
        self.far_news.pop_front()
    }

    /// The daemon seems to have gone: the next poll looks.
    pub(in crate::transport) fn doubt_daemon(&mut self) {
        self.check_daemon = true;
    }

    /// Says whether those who sleep wait for the daemon to take more, in place of a bell.
    pub(in crate::transport) fn set_line_full(&self, is_full: bool) {
        self.sleeper.set_line_full(is_full);
    }

    /// What those who sleep can wait for besides bells, made at the first call; `None`: nothing.
    pub(in crate::transport) fn sockets(&self) -> Option<Arc<Sockets>> {
        self.sleeper.sockets()
    }

    /// Says whether there are sockets that those who sleep are to hear.
    pub(in crate::transport) fn set_sockets(&self, any: bool) {
        self.sleeper.set_sockets(any);
    }

    /// Sends a packet if there is an open channel with room for it. False: see
    /// [`ShmTransport::send_otherwise`].
    #[inline(always)]
    pub(in crate::transport) fn send_now(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> bool {
        if let Route::Open(index) = self.peers[to.index()].route {
            let channel = &mut self.channels[index];
            return channel.life == Life::Open && channel.send(head, args, body) == Ok(true);
        }
        false
    }

    fn wake_up(&self) {
        let mode = if self.by_bell { AWAKE_BY_BELL } else { AWAKE };
        doorbell::announce_awake(&*self.inbox.map, mode);
        self.sleeper.wake_others();
    }

    /// Whether a poll would find anything.
    pub(in crate::transport) fn has_something(&mut self) -> bool {
        let arrived = match self.by_bell {
            true => doorbell::is_rung(&*self.inbox.map) || !self.queue.is_empty(),
            false => self.channels.iter().any(Channel::is_ready),
        };
        arrived
            || self.has_news()
            || self.has_far_news()
            || self.any_ending
            || self.has_room_again()
    }

    /// Whether a packet that found no room would find some now.
    fn has_room_again(&mut self) -> bool {
        let mut blocked = self.channels.iter_mut().filter(|c| c.is_blocked());
        self.any_blocked && blocked.any(|channel| channel.has_room() != Ok(false))
    }

    /// Whether the daemon has something to say, or peers are to be told gone.
    #[inline]
    fn has_news(&self) -> bool {
        self.inbox.map.control().load(Ordering::Relaxed) != 0
            || self.check_daemon
            || !self.gone.is_empty()
            || !self.refused.is_empty()
            || self.link.has_event()
    }

    /// Reads what the daemon has to say.
    #[cold]
    fn take_news<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let rung = self.inbox.map.control().swap(0, Ordering::AcqRel) != 0;
        let mut lost_now = false;
        if (rung || std::mem::take(&mut self.check_daemon)) && !self.daemon_lost {
            self.last_check = Instant::now();
            self.daemon_lost = !self.link.read();
            // Others come first, then the rest.
            self.check_daemon = self.link.has_more();
            lost_now = self.daemon_lost;
        }
        // What was read may be the answer that an upper layer waits for. A channel is given out
        // before the end of its peer is told; it is refused after a channel that the peer has
        // asked for.
        let mut any = rung | self.take_answers();
        while let Some(event) = self.link.next_event() {
            any = true;
            self.event(event);
        }
        self.lose_refused();
        if lost_now {
            self.far_news.push_back(FarNews::DaemonLost);
        }
        if self.daemon_lost {
            self.lose_all();
        }
        if any {
            receiver.news();
        }
        for peer in std::mem::take(&mut self.gone) {
            any = true;
            receiver.gone(peer);
        }
        any
    }

    /// Nobody will tell any more who ends: without a daemon there is no virtual machine.
    fn lose_all(&mut self) {
        for channel in &mut self.channels {
            channel.end();
            self.any_ending = true;
        }
        for (index, entry) in self.peers.iter_mut().enumerate().skip(1) {
            if matches!(entry.route, Route::Unknown | Route::Asked) {
                entry.route = Route::Gone;
                self.gone.push(Peer(index as u32));
            }
        }
    }

    fn event(&mut self, event: Answer) {
        match event.body {
            from_daemon::Body::ChannelOpened(opened) => self.opened(&opened, event.fds),
            from_daemon::Body::TaskExited(exited) => self.exited(exited),
            from_daemon::Body::Relayed(relayed) => {
                self.far_news.push_back(FarNews::Relayed(relayed));
            }
            from_daemon::Body::RouteOffer(offer) => {
                self.far_news.push_back(FarNews::Offered(offer));
            }
            from_daemon::Body::RelayBroken(broken) => {
                if let Some(peer) = self.known(broken.peer) {
                    self.far_news.push_back(FarNews::RelayBroken(peer));
                }
            }
            _ => self.events.push_back(event),
        }
    }

    /// Takes part in a channel, unless it does already: both ends may have asked at the same time.
    fn opened(&mut self, opened: &ChannelOpened, fds: Vec<OwnedFd>) {
        let Some(task) = TaskId::from_bits(opened.peer) else {
            return;
        };
        let peer = self.peer(task);
        if matches!(self.peers[peer.index()].route, Route::Open(_)) || peer == Peer::SELF {
            return;
        }
        if matches!(self.peers[peer.index()].route, Route::Gone | Route::Far) {
            // It was told to be gone, and stays so; or it cannot share memory with this task.
            return self.link.close(opened.peer);
        }
        let opening = Opening {
            peer,
            task,
            pid: opened.peer_pid,
            side: opened.side as usize,
            my_bell: opened.my_bell,
            peer_bell: opened.peer_bell,
            stream_min: self.facts.stream_min.unwrap_or(usize::MAX),
        };
        let bells = [opened.my_bell, opened.peer_bell];
        let sane = opened.side <= 1 && bells.iter().all(|&bell| (bell as usize) < BELLS_MAX);
        let channel = match <[_; 2]>::try_from(fds) {
            Ok([segment, inbox]) if sane => Channel::open(opening, segment, inbox).ok(),
            _ => None,
        };
        match channel {
            Some(channel) => self.install(channel),
            None => self.lose(peer),
        }
    }

    fn install(&mut self, channel: Channel) {
        let peer = channel.peer;
        self.peers[peer.index()].route = Route::Open(self.channels.len());
        self.bells.insert(channel.my_bell, peer);
        self.channels.push(channel);
        if !self.by_bell && self.channels.len() > POLLED_MAX {
            self.go_by_bell();
        } else if self.by_bell {
            // Its bell may have been rung before it was known whose it is.
            self.enqueue(peer);
        }
    }

    /// From now on bells tell. What was published without ringing one is in the queue.
    fn go_by_bell(&mut self) {
        self.by_bell = true;
        let mode = self.inbox.map.mode();
        // Asleep (another thread is): `finish_sleep` sets the new mode.
        let _ = mode.compare_exchange(AWAKE, AWAKE_BY_BELL, Ordering::SeqCst, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        for index in 0..self.channels.len() {
            self.enqueue(self.channels[index].peer);
        }
    }

    /// From now on every channel is polled again: bells that were rung before do not matter.
    fn go_by_poll(&mut self) {
        self.by_bell = false;
        let mode = self.inbox.map.mode();
        let _ = mode.compare_exchange(AWAKE_BY_BELL, AWAKE, Ordering::SeqCst, Ordering::Relaxed);
        self.queue.clear();
        for channel in &mut self.channels {
            channel.queued = false;
        }
    }

    fn enqueue(&mut self, peer: Peer) {
        if let Route::Open(index) = self.peers[peer.index()].route {
            let channel = &mut self.channels[index];
            if !std::mem::replace(&mut channel.queued, true) {
                self.queue.push_back(peer);
            }
        }
    }

    /// The number of a task, if it has one.
    fn known(&self, task: u64) -> Option<Peer> {
        self.numbers.get(&TaskId::from_bits(task)?).copied()
    }

    fn exited(&mut self, mut exited: TaskExited) {
        if let Some(peer) = self.known(exited.task) {
            let how = exited.status.as_ref().and_then(|status| status.how);
            self.peers[peer.index()].has_left |= matches!(how, Some(How::Detached(_)));
            match self.peers[peer.index()].route {
                Route::Open(index) => {
                    self.channels[index].end();
                    self.any_ending = true;
                }
                Route::Unknown | Route::Asked => self.lose(peer),
                Route::Far => self.far_news.push_back(FarNews::Exited(peer)),
                Route::Gone => {}
            }
        }
        exited.tokens.retain(|&token| token != TRANSPORT_TOKEN);
        if !exited.tokens.is_empty() {
            let body = from_daemon::Body::TaskExited(exited);
            let fds = Vec::new();
            self.events.push_back(Answer { body, fds });
        }
    }

    /// The peer, with which there is no channel, is gone.
    fn lose(&mut self, peer: Peer) {
        let entry = &mut self.peers[peer.index()];
        if peer != Peer::SELF && !matches!(entry.route, Route::Gone) {
            entry.route = Route::Gone;
            self.gone.push(peer);
        }
    }

    /// Asks for a channel, and waits a little for it.
    #[cold]
    fn introduce(&mut self, to: Peer, patience: Duration) -> Result<(), SendError> {
        let task = self.peers[to.index()].task;
        let ticket = match self.link.ask(task.bits()) {
            Ok(ticket) if !self.daemon_lost => ticket,
            _ => {
                self.check_daemon = true;
                self.lose(to);
                return Err(SendError::Gone);
            }
        };
        self.peers[to.index()].route = Route::Asked;
        if !self.take_answer(to, ticket, patience) {
            self.asked.push((to, ticket));
        }
        if !self.link.has_event() {
            self.lose_refused();
        }
        match self.peers[to.index()].route {
            Route::Open(_) => Ok(()),
            Route::Asked => Err(SendError::Full),
            _ => Err(SendError::Gone),
        }
    }

    /// Takes the answer about a peer that was asked for, if it comes in time.
    fn take_answer(&mut self, peer: Peer, ticket: Ticket, limit: Duration) -> bool {
        let Some(answer) = self.link.answer(ticket, limit) else {
            return false;
        };
        match answer {
            Ok(Answer {
                body: from_daemon::Body::ChannelOpened(opened),
                fds,
            }) => self.opened(&opened, fds),
            Ok(_) | Err(LinkError::Refused(_)) => {}
            Err(_) => self.check_daemon = true,
        }
        if matches!(self.peers[peer.index()].route, Route::Asked) {
            self.refused.push(peer);
        }
        true
    }

    /// No event has brought a channel to these peers either.
    fn lose_refused(&mut self) {
        for peer in std::mem::take(&mut self.refused) {
            if matches!(self.peers[peer.index()].route, Route::Asked) {
                self.lose(peer);
            }
        }
    }

    fn take_answers(&mut self) -> bool {
        let asked = std::mem::take(&mut self.asked);
        let before = asked.len();
        for (peer, ticket) in asked {
            if !self.take_answer(peer, ticket, Duration::ZERO) {
                self.asked.push((peer, ticket));
            }
        }
        self.asked.len() != before
    }

    /// Polls the channels whose bells were rung.
    fn poll_by_bell<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        if doorbell::is_rung(&*self.inbox.map) {
            let inbox = self.inbox.clone();
            doorbell::answer(&*inbox.map, |bell| {
                if let Some(&peer) = self.bells.get(&bell) {
                    self.enqueue(peer);
                }
            });
        }
        let mut any = false;
        for _ in 0..self.queue.len() {
            let Some(peer) = self.queue.pop_front() else {
                break;
            };
            let Route::Open(index) = self.peers[peer.index()].route else {
                continue;
            };
            let channel = &mut self.channels[index];
            channel.queued = false;
            any |= channel.poll(receiver) > 0;
            self.any_ending |= channel.life != Life::Open;
            if channel.is_ready() {
                self.enqueue(peer);
            }
        }
        any
    }

    fn poll_all<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let mut any = false;
        for channel in &mut self.channels {
            if channel.poll(receiver) > 0 {
                any = true;
                self.any_ending |= channel.life != Life::Open;
            }
        }
        any
    }

    /// Lets the engine try again where there is room again.
    #[cold]
    fn unblock(&mut self) -> bool {
        let mut any = false;
        self.any_blocked = false;
        for channel in self.channels.iter_mut().filter(|c| c.is_blocked()) {
            match channel.has_room() {
                Ok(false) => self.any_blocked = true,
                Ok(true) => {
                    channel.unblock();
                    any = true;
                }
                Err(_) => {
                    channel.unblock();
                    channel.life = Life::Over;
                    self.any_ending = true;
                }
            }
        }
        any
    }

    /// Ends the channels whose last packet has been shown.
    #[cold]
    fn bury<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let mut any = false;
        let mut index = 0;
        self.any_ending = false;
        while index < self.channels.len() {
            let channel = &self.channels[index];
            if !channel.is_over() {
                if channel.life != Life::Open {
                    self.any_ending = true;
                    self.enqueue_ending(index);
                }
                index += 1;
                continue;
            }
            let peer = self.remove(index);
            receiver.gone(peer);
            any = true;
        }
        any
    }

    /// With bells, a dead peer rings none: what it published is looked for.
    fn enqueue_ending(&mut self, index: usize) {
        if self.by_bell {
            self.enqueue(self.channels[index].peer);
        }
    }

    fn remove(&mut self, index: usize) -> Peer {
        let channel = self.channels.swap_remove(index);
        if let Some(moved) = self.channels.get(index) {
            self.peers[moved.peer.index()].route = Route::Open(index);
        }
        self.peers[channel.peer.index()].route = Route::Gone;
        if self.bells.get(&channel.my_bell) == Some(&channel.peer) {
            self.bells.remove(&channel.my_bell);
        }
        if self.by_bell && self.channels.len() <= POLLED_AGAIN {
            self.go_by_poll();
        }
        self.link.close(channel.task.bits());
        channel.peer
    }

    fn channel(&self, peer: Peer) -> Option<&Channel> {
        match self.peers[peer.index()].route {
            Route::Open(index) => Some(&self.channels[index]),
            _ => None,
        }
    }

    /// The packet did not go at once.
    #[cold]
    pub(in crate::transport) fn send_otherwise(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        match self.peers[to.index()].route {
            Route::Gone | Route::Far => return Err(SendError::Gone),
            Route::Asked => return Err(SendError::Full),
            Route::Unknown => self.introduce(to, INTRODUCTION_PATIENCE)?,
            Route::Open(_) => {}
        }
        match self.peers[to.index()].route {
            Route::Open(index) if self.channels[index].life != Life::Open => Err(SendError::Gone),
            Route::Open(index) => match self.channels[index].send(head, args, body) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    self.any_blocked = true;
                    Err(SendError::Full)
                }
                Err(_) => {
                    self.channels[index].life = Life::Over;
                    self.any_ending = true;
                    Err(SendError::Gone)
                }
            },
            _ => Err(SendError::Gone),
        }
    }
}

impl<I: Introducer> Transport for ShmTransport<I> {
    fn peer(&mut self, task: TaskId) -> Peer {
        let peers = &mut self.peers;
        *self.numbers.entry(task).or_insert_with(|| {
            let route = match task.host() == peers[0].task.host() {
                true => Route::Unknown,
                false => Route::Far,
            };
            peers.push(Entry {
                task,
                route,
                has_left: false,
            });
            Peer(peers.len() as u32 - 1)
        })
    }

    fn task(&self, peer: Peer) -> TaskId {
        self.peers[peer.index()].task
    }

    #[inline]
    fn send(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        match self.send_now(to, head, args, body) {
            true => Ok(()),
            false => self.send_otherwise(to, head, args, body),
        }
    }

    #[inline(always)]
    fn send_short(&mut self, to: Peer, head: &Head, body: ShortSource<'_>) -> bool {
        match self.peers[to.index()].route {
            Route::Open(index) => self.channels[index].send_short(head, body),
            _ => false,
        }
    }

    #[inline]
    fn poll<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let mut any = self.has_news() && self.take_news(receiver);
        any |= match self.by_bell {
            true => self.poll_by_bell(receiver),
            false => self.poll_all(receiver),
        };
        if self.any_blocked {
            any |= self.unblock();
        }
        if self.any_ending {
            any |= self.bury(receiver);
        }
        if !any {
            self.vain_polls = self.vain_polls.wrapping_add(1);
            self.check_daemon |= self.vain_polls.is_multiple_of(DAEMON_CHECK_POLLS);
        }
        any
    }

    #[inline]
    fn look(&mut self, from: Peer, taker: &mut impl Taker, pauses: u32) -> Look {
        match self.peers[from.index()].route {
            Route::Open(index) => self.channels[index].look(taker, pauses),
            _ => Look::Other,
        }
    }

    #[inline(always)]
    fn look_short(
        &mut self,
        from: Peer,
        head: &Head,
        sink: &mut ShortSink<'_>,
        pauses: u32,
    ) -> Look<(usize, u32)> {
        match self.peers[from.index()].route {
            Route::Open(index) => self.channels[index].look_short(head, sink, pauses),
            _ => Look::Other,
        }
    }

    #[inline]
    fn needs_poll(&mut self, but: Peer) -> bool {
        let mut others = self.channels.iter().filter(|channel| channel.peer != but);
        self.has_news()
            || self.any_blocked
            || self.any_ending
            || match self.by_bell {
                true => doorbell::is_rung(&*self.inbox.map) || !self.queue.is_empty(),
                false => others.any(Channel::is_ready),
            }
    }

    fn watch(&mut self, peer: Peer) {
        if matches!(self.peers[peer.index()].route, Route::Unknown) {
            // It is introduced later, or told to be gone.
            let _ = self.introduce(peer, Duration::ZERO);
        }
    }

    fn watch_ends(&mut self, peers: &[Peer]) {
        let others = peers.iter().filter(|&&peer| peer != Peer::SELF);
        let tasks = others.map(|peer| self.peers[peer.index()].task.bits());
        let watch = Notify {
            token: TRANSPORT_TOKEN,
            tasks: tasks.collect(),
            cancel: false,
        };
        // A daemon that has gone is found out by a poll.
        self.check_daemon |= !self.link.post(to_daemon::Body::Notify(watch));
    }

    fn has_left(&self, peer: Peer) -> bool {
        self.peers[peer.index()].has_left
    }

    fn is_lost(&self) -> bool {
        let told = self.gone.is_empty() && self.far_news.is_empty();
        self.daemon_lost && self.channels.is_empty() && told
    }

    fn eager_max(&self, _peer: Peer) -> usize {
        self.facts.eager_max
    }

    fn chunk(&self, _peer: Peer) -> usize {
        self.facts.chunk
    }

    fn pull_min(&self, peer: Peer, crossing: bool) -> Option<usize> {
        let min = match crossing {
            true => self.facts.pull_crossing_min,
            false => self.facts.pull_min,
        }?;
        self.channel(peer)?.reach().map(|_| min)
    }

    fn pull(
        &mut self,
        from: Peer,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError> {
        match self.peers[from.index()].route {
            Route::Open(index) => self.channels[index].pull(address, len, sink, offset),
            _ => Err(PullError),
        }
    }
}

impl<I: Introducer> Sleep for ShmTransport<I> {
    type Sleeper = Sleeper;

    fn sleeper(&self) -> Sleeper {
        self.sleeper.clone()
    }

    fn show_call(&self, call: &Call) {
        self.inbox.show_call(call);
    }

    fn ladder(&mut self) -> Ladder {
        self.halvings = match std::mem::take(&mut self.slept) {
            true => (self.halvings + 1).min(HALVINGS_MAX),
            false => self.halvings.saturating_sub(1),
        };
        let crowded = self.host.is_crowded() && self.policy != WaitPolicy::Spin;
        let spin = if crowded {
            Duration::ZERO
        } else {
            self.facts.spin / (1 << self.halvings)
        };
        Ladder::new(self.policy, spin)
    }

    fn prepare_sleep(&mut self) -> bool {
        if !self.sleeper.may_prepare() {
            return false;
        }
        doorbell::announce_sleep(&*self.inbox.map);
        if self.has_something() {
            self.wake_up();
            return false;
        }
        if self.sleeper.prepared() {
            self.host.falls_asleep();
        }
        self.asleep_since = Instant::now();
        true
    }

    fn finish_sleep(&mut self) {
        if self.sleeper.finished() {
            self.host.woke_up();
        }
        self.sleeper.empty_sockets();
        self.wake_up();
        self.slept = self.asleep_since.elapsed() >= self.facts.spin * LONG_SLEEP;
        if self.last_check.elapsed() >= DAEMON_CHECK {
            self.check_daemon = true;
        }
    }
}

impl<I: Introducer> Drop for ShmTransport<I> {
    fn drop(&mut self) {
        self.host.falls_asleep();
    }
}
