//! A network in memory for tests: seeded, with little room, any delays, and deaths.
//!
//! All tasks live in one thread. Packets between two tasks keep their order; between different
//! pairs the seed decides. Nothing here is fast.

use super::{
    Args, Arrived, Body, Head, Look, Peer, PullError, Receiver, SendError, Taker, Transport,
};
use crate::datatype::{SHORT, ShortSink, ShortSource, Sink};
use crate::ids::TaskId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the network behaves.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Decides which packets are late.
    pub seed: u64,
    /// Packets that fit between two tasks.
    pub room: usize,
    /// Largest eager message.
    pub eager_max: usize,
    /// Largest packet body.
    pub chunk: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            seed: 1,
            room: 4,
            eager_max: 64,
            chunk: 48,
        }
    }
}

/// The id of a task: all are on one host.
///
/// # Panics
/// For a number that no task can have.
pub fn task(number: u32) -> TaskId {
    TaskId::new(1, 1, number).expect("a number of a task")
}

struct Packet {
    head: Head,
    args: Args,
    body: Vec<u8>,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<(TaskId, TaskId), VecDeque<Packet>>,
    dead: Vec<TaskId>,
    random: Random,
}

/// Numbers that look random (splitmix64).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Random(pub u64);

impl Random {
    /// The next number below `bound`, which counts as 1 at least.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

/// A network; clones are handles to the same one.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
    behaviour: Behaviour,
}

impl Network {
    /// A network without tasks.
    pub fn new(behaviour: Behaviour) -> Self {
        let state = State {
            random: Random(behaviour.seed),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            behaviour,
        }
    }

    /// The transport of one task.
    pub fn transport(&self, me: TaskId) -> SimTransport {
        SimTransport {
            network: self.clone(),
            me,
            peers: vec![me],
            gone: vec![true],
        }
    }

    /// Ends a task: what it has sent still arrives.
    pub fn kill(&self, task: TaskId) {
        self.lock().dead.push(task);
    }

    /// A random number below `bound`, from the network's seed.
    pub fn random(&self, bound: usize) -> usize {
        self.lock().random.below(bound as u64) as usize
    }

    /// Whether any packet is under way.
    pub fn is_quiet(&self) -> bool {
        self.lock().lanes.values().all(VecDeque::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's end of a [`Network`].
pub struct SimTransport {
    network: Network,
    me: TaskId,
    peers: Vec<TaskId>,
    /// Peers whose end was shown.
    gone: Vec<bool>,
}

impl SimTransport {
    fn put(&mut self, to: Peer, packet: Packet) -> Result<(), SendError> {
        let to = self.task(to);
        let room = self.network.behaviour.room;
        let mut state = self.network.lock();
        if state.dead.contains(&to) {
            return Err(SendError::Gone);
        }
        let lane = state.lanes.entry((self.me, to)).or_default();
        if lane.len() >= room {
            return Err(SendError::Full);
        }
        lane.push_back(packet);
        Ok(())
    }
}

impl Transport for SimTransport {
    fn peer(&mut self, task: TaskId) -> Peer {
        let at = self
            .peers
            .iter()
            .position(|&known| known == task)
            .unwrap_or_else(|| {
                self.peers.push(task);
                self.gone.push(false);
                self.peers.len() - 1
            });
        Peer(at as u32)
    }

    fn task(&self, peer: Peer) -> TaskId {
        self.peers[peer.index()]
    }

    fn send(
        &mut self,
        to: Peer,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<(), SendError> {
        let body = body.map_or(Vec::new(), |part| part.source.to_vec(part.offset, part.len));
        let packet = Packet {
            head: *head,
            args: args.copied().unwrap_or_default(),
            body,
        };
        self.put(to, packet)
    }

    /// Now and then it is not done.
    fn send_short(&mut self, to: Peer, head: &Head, body: ShortSource<'_>) -> bool {
        if body.len() > self.network.behaviour.eager_max || self.network.lock().random.below(4) == 0
        {
            return false;
        }
        let mut bytes = Vec::new();
        body.words(|_, word| bytes.extend_from_slice(&word.to_ne_bytes()));
        bytes.truncate(body.len());
        let packet = Packet {
            head: *head,
            args: Args::default(),
            body: bytes,
        };
        self.put(to, packet).is_ok()
    }

    fn poll<R: Receiver>(&mut self, receiver: &mut R) -> bool {
        let mut arrived = Vec::new();
        let mut ended = Vec::new();
        {
            let mut state = self.network.lock();
            let senders: Vec<TaskId> = state
                .lanes
                .keys()
                .filter(|(_, to)| *to == self.me)
                .map(|(from, _)| *from)
                .collect();
            for from in senders {
                let take = state.random.below(3);
                let Some(lane) = state.lanes.get_mut(&(from, self.me)) else {
                    continue;
                };
                for _ in 0..take {
                    let Some(packet) = lane.pop_front() else {
                        break;
                    };
                    arrived.push((from, packet));
                }
            }
            for &task in &state.dead {
                let empty = state
                    .lanes
                    .get(&(task, self.me))
                    .is_none_or(VecDeque::is_empty);
                if empty && task != self.me {
                    ended.push(task);
                }
            }
        }
        let mut moved = !arrived.is_empty();
        for (from, packet) in arrived {
            let from = self.peer(from);
            receiver.packet(from, packet.head, packet.args, packet.body.as_slice());
        }
        for task in ended {
            let peer = self.peer(task);
            if !std::mem::replace(&mut self.gone[peer.index()], true) {
                receiver.gone(peer);
                moved = true;
            }
        }
        moved
    }

    fn look(&mut self, from: Peer, taker: &mut impl Taker, _: u32) -> Look {
        let lane = (self.task(from), self.me);
        let mut state = self.network.lock();
        if state.dead.contains(&lane.0) {
            return Look::Other;
        }
        let is_late = state.random.below(3) == 0;
        let Some(lane) = state.lanes.get_mut(&lane).filter(|_| !is_late) else {
            return Look::Nothing;
        };
        let Some(packet) = lane.pop_front() else {
            return Look::Nothing;
        };
        if taker.take(&packet.head, &packet.args, packet.body.as_slice()) {
            return Look::Taken(());
        }
        lane.push_front(packet);
        Look::Other
    }

    fn look_short(
        &mut self,
        from: Peer,
        head: &Head,
        sink: &mut ShortSink<'_>,
        pauses: u32,
    ) -> Look<(usize, u32)> {
        let mut taking = Taking {
            head,
            sink,
            came: (0, 0),
        };
        let look = self.look(from, &mut taking, pauses);
        look.map(|()| taking.came)
    }

    fn needs_poll(&mut self, but: Peer) -> bool {
        let but = self.task(but);
        let state = self.network.lock();
        let mut lanes = state.lanes.iter();
        !state.dead.is_empty()
            || lanes.any(|((from, to), lane)| *to == self.me && *from != but && !lane.is_empty())
    }

    fn watch(&mut self, _peer: Peer) {}

    fn eager_max(&self, _peer: Peer) -> usize {
        self.network.behaviour.eager_max
    }

    fn chunk(&self, _peer: Peer) -> usize {
        self.network.behaviour.chunk
    }

    fn pull_min(&self, _peer: Peer, _crossing: bool) -> Option<usize> {
        None
    }

    fn pull(
        &mut self,
        _from: Peer,
        _address: u64,
        _len: usize,
        _sink: &mut Sink,
        _offset: usize,
    ) -> Result<(), PullError> {
        Err(PullError)
    }
}

/// Takes a few bytes.
struct Taking<'a, 'b> {
    head: &'a Head,
    sink: &'a mut ShortSink<'b>,
    /// Their number and the check.
    came: (usize, u32),
}

impl Taker for Taking<'_, '_> {
    fn take<A: Arrived>(&mut self, head: &Head, args: &Args, body: A) -> bool {
        let check = head.check;
        let wanted = Head {
            check,
            ..*self.head
        };
        let fits = body.len() <= SHORT.min(self.sink.capacity());
        if *head != wanted || *args != Args::default() || !fits {
            return false;
        }
        let mut words = [[0; 8]; SHORT / 8];
        words.as_flattened_mut()[..body.len()].copy_from_slice(&body.to_vec());
        self.sink
            .fill(body.len(), |index| u64::from_ne_bytes(words[index]));
        self.came = (body.len(), check);
        true
    }
}
