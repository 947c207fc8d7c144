//! A stand-in for the daemons of some hosts, in this process, for tests of what is above them.
//!
//! It introduces tasks of one host to each other with real segments, and carries frames between
//! hosts: late, in pieces, and breaking, as a seed says.

use super::route::{Route, Routes};
use super::shm::{
    HostFacts, HostPage, Inbox, InboxBell, Introducer, Segment, ShmTransport, TRANSPORT_TOKEN,
    WaitPolicy,
};
pub(crate) use super::sim::Behaviour;
use super::sim::Random;
use super::{
    Args, Arrived, Body, Head, Kind, Look, Peer, PullError, Receiver, SendError, Sleep, Taker,
};
use super::{Sleeper as _, Transport};
use crate::datatype::{ShortSink, ShortSource, Sink};
use crate::ids::TaskId;
use crate::session::{Answer, Line, LinkError, Ticket};
use crate::sync::{Ladder, Step};
use crate::wire::control::{
    ChannelOpened, Failure, Notify, RelayBroken, Relayed, RouteOffer, TaskExited, from_daemon,
    to_daemon,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the stand-in knows of a task.
pub(crate) struct Desk {
    pub inbox: OwnedFd,
    pub bell: InboxBell,
    pub mail: VecDeque<Answer>,
    /// What comes from tasks of other hosts, by task.
    wires: BTreeMap<u64, VecDeque<from_daemon::Body>>,
    watches: BTreeSet<u64>,
    bells: u32,
    pub attached: bool,
    pub alive: bool,
    pub closed: Vec<u64>,
}

/// What happens to frames between hosts; each in a hundred.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Decides.
    pub seed: u64,
    /// Frames come late.
    pub is_late: bool,
    /// Frames after which the way between two tasks breaks.
    pub breaks: u64,
    /// Times that a daemon does not take what a task sends.
    pub refusals: u64,
}

#[derive(Default)]
pub(crate) struct State {
    pub desks: HashMap<u64, Desk>,
    pub segments: HashMap<(u64, u64), (OwnedFd, [u32; 2])>,
    pub waiting: Vec<(u64, u64)>,
    pub lost: bool,
    weather: Weather,
    random: Random,
}

/// The daemons.
#[derive(Clone, Default)]
pub(crate) struct Hub(pub Arc<Mutex<State>>);

/// A task's connection to its daemon.
pub(crate) struct Desktop {
    hub: Hub,
    me: u64,
    events: VecDeque<Answer>,
    pub answers: HashMap<u64, Result<Answer, LinkError>>,
    /// Sent, and not taken by the daemon.
    kept: VecDeque<to_daemon::Body>,
}

fn copy(fd: &impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

fn host(task: u64) -> u64 {
    task >> 48
}

fn exited(task: u64, tokens: Vec<u64>) -> from_daemon::Body {
    from_daemon::Body::TaskExited(TaskExited {
        task,
        tokens,
        status: None,
        relays: 0,
    })
}

impl State {
    pub fn is_there(&self, task: u64) -> Option<bool> {
        let desk = self.desks.get(&task).filter(|desk| desk.alive)?;
        Some(desk.attached)
    }

    pub fn post(&mut self, to: u64, body: from_daemon::Body, fds: Vec<OwnedFd>) {
        let desk = self.desks.get_mut(&to).unwrap();
        desk.mail.push_back(Answer { body, fds });
        desk.bell.ring_control();
    }

    /// One end's view of the channel between two tasks.
    fn opening(&mut self, me: u64, peer: u64) -> Answer {
        let pair = (me.min(peer), me.max(peer));
        if !self.segments.contains_key(&pair) {
            let bells = [pair.0, pair.1].map(|task| {
                let desk = self.desks.get_mut(&task).unwrap();
                desk.bells += 1;
                desk.bells - 1
            });
            self.segments
                .insert(pair, (Segment::create().unwrap(), bells));
        }
        let (segment, bells) = &self.segments[&pair];
        let side = usize::from(me == pair.1);
        let opened = ChannelOpened {
            peer,
            peer_pid: std::process::id(),
            side: side as u32,
            my_bell: bells[side],
            peer_bell: bells[1 - side],
        };
        let fds = vec![copy(segment), copy(&self.desks[&peer].inbox)];
        let body = from_daemon::Body::ChannelOpened(opened);
        Answer { body, fds }
    }

    pub fn introduce(&mut self, me: u64, peer: u64) -> Answer {
        assert_eq!(host(me), host(peer), "a channel between hosts");
        let theirs = self.opening(peer, me);
        self.post(peer, theirs.body, theirs.fds);
        self.opening(me, peer)
    }

    fn take(&mut self, me: u64, body: to_daemon::Body) {
        match body {
            to_daemon::Body::Relay(relay) => self.relay(me, relay.peer, relay.data),
            to_daemon::Body::Notify(notify) => self.watch(me, &notify),
            to_daemon::Body::OpenRoute(open) => self.offer(open.peer, me, true, Vec::new()),
            to_daemon::Body::RouteListening(listening) => {
                let address = format!("127.0.0.1:{}", listening.port);
                self.offer(me, listening.peer, false, vec![address]);
            }
            other => panic!("not for a stand-in: {other:?}"),
        }
    }

    fn relay(&mut self, from: u64, to: u64, data: Vec<u8>) {
        assert_ne!(host(from), host(to), "a relay inside a host");
        if self.is_there(to).is_none() || self.is_there(from).is_none() {
            return;
        }
        self.wire(
            from,
            to,
            from_daemon::Body::Relayed(Relayed { peer: from, data }),
        );
        if self.random.below(100) < self.weather.breaks {
            self.cut(from, to);
        }
    }

    /// Arranges one side of a direct connection; all have the same token.
    fn offer(&mut self, peer: u64, to: u64, listen: bool, addresses: Vec<String>) {
        let offer = RouteOffer {
            peer,
            addresses,
            listen,
            plain: true,
            token: vec![7; 16],
            ..RouteOffer::default()
        };
        if self.is_there(to).is_some() {
            self.wire(peer, to, from_daemon::Body::RouteOffer(offer));
        }
    }

    /// Puts something at the end of what comes from one task to another.
    fn wire(&mut self, from: u64, to: u64, body: from_daemon::Body) {
        let desk = self.desks.get_mut(&to).unwrap();
        desk.wires.entry(from).or_default().push_back(body);
        desk.bell.ring_control();
    }

    /// Loses some of what is under way between two tasks, and tells them.
    fn cut(&mut self, a: u64, b: u64) {
        for (from, to) in [(a, b), (b, a)] {
            let kept = self.random.below(4) as usize;
            let desk = self.desks.get_mut(&to).unwrap();
            desk.wires.entry(from).or_default().truncate(kept);
            let broken = RelayBroken { peer: from };
            self.wire(from, to, from_daemon::Body::RelayBroken(broken));
        }
    }

    fn watch(&mut self, me: u64, notify: &Notify) {
        for &task in &notify.tasks {
            match self.is_there(task) {
                Some(_) => drop(self.desks.get_mut(&me).unwrap().watches.insert(task)),
                None => self.wire(task, me, exited(task, vec![notify.token])),
            }
        }
    }
}

impl Hub {
    /// Daemons that carry frames as the weather is.
    pub fn in_weather(weather: Weather) -> Self {
        let hub = Self::default();
        hub.turn(weather);
        hub
    }

    /// The weather turns.
    pub fn turn(&self, weather: Weather) {
        let mut state = self.state();
        state.random = Random(weather.seed);
        state.weather = weather;
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transport inside a host of a new task.
    pub fn shm(&self, me: TaskId) -> ShmTransport<Desktop> {
        let (host, _) = HostPage::create(&HostFacts::default()).unwrap();
        self.shm_with_page(me, host)
    }

    pub fn shm_with_page(&self, me: TaskId, host: OwnedFd) -> ShmTransport<Desktop> {
        let (inbox, bell) = Inbox::create().unwrap();
        let mine = InboxBell::map(&inbox).unwrap();
        let desk = Desk {
            inbox,
            bell,
            mail: VecDeque::new(),
            wires: BTreeMap::new(),
            watches: BTreeSet::new(),
            bells: 0,
            attached: true,
            alive: true,
            closed: Vec::new(),
        };
        self.state().desks.insert(me.bits(), desk);
        let link = Desktop {
            hub: self.clone(),
            me: me.bits(),
            events: VecDeque::new(),
            answers: HashMap::new(),
            kept: VecDeque::new(),
        };
        let host = HostPage::map(host).unwrap();
        ShmTransport::new(link, me, mine, host, WaitPolicy::Adaptive)
    }

    /// Says that a task has ended.
    pub fn end(&self, task: TaskId) {
        let mut state = self.state();
        let dead = task.bits();
        let desk = state.desks.get_mut(&dead).unwrap();
        desk.alive = false;
        desk.wires.clear();
        let all: Vec<u64> = state.desks.keys().copied().filter(|&t| t != dead).collect();
        for task in all {
            if host(task) == host(dead) {
                state.post(task, exited(dead, Vec::new()), Vec::new());
            } else if state.desks[&task].watches.contains(&dead) {
                state.wire(dead, task, exited(dead, vec![TRANSPORT_TOKEN]));
            }
        }
    }

    /// The daemons of all hosts are gone.
    pub fn lose(&self) {
        let mut state = self.state();
        state.lost = true;
        state
            .desks
            .values()
            .for_each(|desk| desk.bell.ring_control());
    }

    /// Frames that are on their way from one task to another.
    pub fn under_way(&self, from: TaskId, to: TaskId) -> usize {
        let state = self.state();
        let desk = state.desks.get(&to.bits());
        let wire = desk.and_then(|desk| desk.wires.get(&from.bits()));
        wire.map_or(0, VecDeque::len)
    }
}

impl Introducer for Desktop {
    fn ask(&mut self, peer: u64) -> Result<Ticket, LinkError> {
        let mut state = self.hub.state();
        if state.lost {
            return Err(LinkError::Lost);
        }
        match state.is_there(peer) {
            Some(true) => {
                let answer = state.introduce(self.me, peer);
                self.answers.insert(peer, Ok(answer));
            }
            Some(false) => state.waiting.push((self.me, peer)),
            None => {
                let refused = Err(LinkError::Refused(Failure::default()));
                self.answers.insert(peer, refused);
            }
        }
        Ok(Ticket::fake(peer))
    }

    fn answer(&mut self, ticket: Ticket, limit: Duration) -> Option<Result<Answer, LinkError>> {
        let peer = ticket.number();
        if limit.is_zero() {
            let mut state = self.hub.state();
            let waited = state.waiting.iter().position(|&w| w == (self.me, peer));
            if let (Some(at), Some(true)) = (waited, state.is_there(peer)) {
                state.waiting.remove(at);
                let answer = state.introduce(self.me, peer);
                self.answers.insert(peer, Ok(answer));
            }
        }
        self.answers.remove(&peer)
    }

    fn close(&mut self, peer: u64) {
        let mut state = self.hub.state();
        state.desks.get_mut(&self.me).unwrap().closed.push(peer);
    }

    fn post(&mut self, body: to_daemon::Body) -> bool {
        self.kept.push_back(body);
        self.push_on();
        !self.hub.state().lost
    }

    fn push_on(&mut self) -> bool {
        let mut state = self.hub.state();
        while !self.kept.is_empty() {
            let refusals = state.weather.refusals;
            if state.random.below(100) < refusals {
                return false;
            }
            if let Some(body) = self.kept.pop_front() {
                state.take(self.me, body);
            }
        }
        true
    }

    fn read(&mut self) -> bool {
        let mut guard = self.hub.state();
        let state = &mut *guard;
        let is_late = state.weather.is_late;
        let senders: Vec<u64> = state.desks[&self.me].wires.keys().copied().collect();
        let mut taken: Vec<(u64, usize)> = Vec::new();
        for sender in senders {
            let many = if is_late {
                state.random.below(3)
            } else {
                u64::MAX
            };
            taken.push((sender, many as usize));
        }
        let desk = state.desks.get_mut(&self.me).unwrap();
        self.events.append(&mut desk.mail);
        for (sender, many) in taken {
            let wire = desk.wires.entry(sender).or_default();
            let many = many.min(wire.len());
            let bodies = wire.drain(..many);
            self.events.extend(bodies.map(|body| Answer {
                body,
                fds: Vec::new(),
            }));
        }
        if desk.wires.values().any(|wire| !wire.is_empty()) {
            desk.bell.ring_control();
        }
        !state.lost
    }

    fn next_event(&mut self) -> Option<Answer> {
        self.events.pop_front()
    }

    fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    fn line(&self) -> Option<Line> {
        None
    }
}

/// The id of a task: they are on two hosts by turns.
pub(crate) fn task(number: u32) -> TaskId {
    TaskId::new(2 - (number % 2) as u16, 1, number).unwrap()
}

/// Hosts without breaks, for the tests of the layers above; clones are handles to the same ones.
#[derive(Clone)]
pub(crate) struct Network {
    hub: Hub,
    behaviour: Behaviour,
}

impl Network {
    pub fn new(behaviour: Behaviour) -> Self {
        let weather = Weather {
            seed: behaviour.seed,
            is_late: true,
            breaks: 0,
            refusals: 20,
        };
        let hub = Hub::in_weather(weather);
        Self { hub, behaviour }
    }

    pub fn transport(&self, me: TaskId) -> NetworkTransport {
        NetworkTransport {
            routes: Routes::new(self.hub.shm(me), Route::Relay),
            network: self.clone(),
            me,
        }
    }

    pub fn kill(&self, task: TaskId) {
        self.hub.end(task);
    }

    pub fn random(&self, bound: usize) -> usize {
        self.hub.state().random.below(bound as u64) as usize
    }
}

/// One task's transport, with as little room as its network has.
pub(crate) struct NetworkTransport {
    routes: Routes<Desktop>,
    network: Network,
    me: TaskId,
}

impl NetworkTransport {
    fn has_room(&self, to: Peer) -> bool {
        let task = self.routes.task(to);
        self.network.hub.under_way(self.me, task) < self.network.behaviour.room
    }
}

impl Transport for NetworkTransport {
    fn peer(&mut self, task: TaskId) -> Peer {
        self.routes.peer(task)
    }

    fn task(&self, peer: Peer) -> TaskId {
        self.routes.task(peer)
    }

    fn send(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        match self.has_room(to) {
            true => self.routes.send(to, head, args, body),
            false => Err(SendError::Full),
        }
    }

    fn push(&mut self) {
        self.routes.push();
    }

    fn poll<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        self.routes.poll(receiver)
    }

    fn look(&mut self, from: Peer, taker: &mut impl Taker, pauses: u32) -> Look {
        self.routes.look(from, taker, pauses)
    }

    fn look_short(
        &mut self,
        from: Peer,
        head: &Head,
        sink: &mut ShortSink<'_>,
        pauses: u32,
    ) -> Look<(usize, u32)> {
        self.routes.look_short(from, head, sink, pauses)
    }

    fn send_short(&mut self, to: Peer, head: &Head, body: ShortSource<'_>) -> bool {
        self.has_room(to) && self.routes.send_short(to, head, body)
    }

    fn needs_poll(&mut self, but: Peer) -> bool {
        self.routes.needs_poll(but)
    }

    fn watch(&mut self, peer: Peer) {
        self.routes.watch(peer);
    }

    fn flush(&mut self) -> u64 {
        self.routes.flush()
    }

    fn is_lost(&self) -> bool {
        self.routes.is_lost()
    }

    fn eager_max(&self, _peer: Peer) -> usize {
        self.network.behaviour.eager_max
    }

    fn chunk(&self, _peer: Peer) -> usize {
        self.network.behaviour.chunk
    }

    fn pull_min(&self, peer: Peer, crossing: bool) -> Option<usize> {
        self.routes.pull_min(peer, crossing)
    }

    fn pull(
        &mut self,
        from: Peer,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError> {
        self.routes.pull(from, address, len, sink, offset)
    }
}

impl Sleep for NetworkTransport {
    type Sleeper = super::shm::Sleeper;

    fn sleeper(&self) -> Self::Sleeper {
        self.routes.sleeper()
    }

    fn prepare_sleep(&mut self) -> bool {
        self.routes.prepare_sleep()
    }

    fn finish_sleep(&mut self) {
        self.routes.finish_sleep();
    }

    fn ladder(&mut self) -> Ladder {
        self.routes.ladder()
    }
}

/// Keeps all that it is shown.
#[derive(Default)]
pub(crate) struct Log {
    pub packets: Vec<(Peer, Head, Args, Vec<u8>)>,
    pub gone: Vec<Peer>,
}

impl Receiver for Log {
    fn packet<A: Arrived>(&mut self, from: Peer, head: Head, args: Args, body: A) {
        assert!(!self.gone.contains(&from), "a packet after the end");
        let mut sink = Sink::with_capacity(body.len());
        body.read_into(&mut sink, 0);
        let bytes = sink.into_vec().unwrap();
        assert_eq!(bytes, body.to_vec());
        self.packets.push((from, head, args, bytes));
    }

    fn gone(&mut self, peer: Peer) {
        self.gone.push(peer);
    }
}

impl Log {
    pub fn tags(&self) -> Vec<i32> {
        self.packets.iter().map(|packet| packet.1.tag).collect()
    }
}

/// A head with something in each field.
pub(crate) fn head(tag: i32) -> Head {
    Head {
        kind: Kind::Eager,
        flags: 0xa5,
        context: 0xdead_beef,
        tag,
        check: !7,
    }
}

/// Polls, and sleeps when there is nothing, until `done`. `has_something` tells of what a ring should
/// have woken for: a sleep that ran to its end must find nothing there.
pub(crate) fn wait<T: Sleep, R: Receiver>(
    transport: &mut T,
    log: &mut R,
    mut done: impl FnMut(&mut R) -> bool,
    has_something: impl Fn(&mut T) -> bool,
) {
    let start = Instant::now();
    let sleeper = transport.sleeper();
    let mut ladder = transport.ladder();
    loop {
        let any = transport.poll(log);
        if done(log) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "hangs");
        let step = if any { Step::Again } else { ladder.climb() };
        if step == Step::Yield {
            std::thread::yield_now();
        } else if step == Step::Sleep && transport.prepare_sleep() {
            let slept = Instant::now();
            sleeper.sleep(None);
            let timed_out = slept.elapsed() > Duration::from_millis(990);
            assert!(!(timed_out && has_something(transport)), "slept through it");
            transport.finish_sleep();
        }
    }
}
