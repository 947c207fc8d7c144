//! Runs the schedules of all ranks in memory, with every freedom that an engine has: steps start
//! late, messages arrive late, sends end before or with their receive. A seed decides.

use super::op::Op;
use super::schedule::{Buffer, Schedule, Span, Step};

/// What the engines may do.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Decides who comes next.
    pub seed: u64,
    /// Most steps under way per rank.
    pub window: usize,
    /// Sends may end before their message is received.
    pub eager: bool,
}

/// One rank.
pub struct Player {
    pub schedule: Schedule,
    pub input: Vec<u8>,
    pub output: Vec<u8>,
}

struct State {
    next: usize,
    buffers: [Vec<u8>; 3],
    pending: Vec<Pending>,
}

#[derive(Clone, Copy)]
struct Pending {
    id: usize,
    span: Span,
    writing: bool,
}

/// One end of a message between two ranks, in program order.
struct End {
    id: usize,
    span: Span,
    /// What was sent, if the send is over.
    sent: Option<Vec<u8>>,
}

struct Machine<'a> {
    world: World,
    op: Option<&'a Op>,
    random: u64,
    states: Vec<State>,
    schedules: Vec<Schedule>,
    /// By `from * size + to`.
    sends: Vec<Vec<End>>,
    receives: Vec<Vec<End>>,
    /// Pairs with sends.
    busy: Vec<usize>,
    ids: usize,
}

/// Runs all schedules; gives back the outputs. Panics on deadlock, on messages of another length
/// than expected, on messages that are left over, and on steps outside the buffers.
pub fn interpret(world: World, op: Option<&Op>, players: Vec<Player>) -> Vec<Vec<u8>> {
    let size = players.len();
    let mut machine = Machine {
        world,
        op,
        random: world.seed | 1,
        states: Vec::new(),
        schedules: Vec::new(),
        sends: (0..size * size).map(|_| Vec::new()).collect(),
        receives: (0..size * size).map(|_| Vec::new()).collect(),
        busy: Vec::new(),
        ids: 0,
    };
    for player in players {
        let room = vec![0xEE; player.schedule.needs(Buffer::Temporary)];
        machine.states.push(State {
            next: 0,
            buffers: [player.input, player.output, room],
            pending: Vec::new(),
        });
        machine.schedules.push(player.schedule);
    }
    while !machine.done() {
        machine.step();
    }
    machine.finish()
}

impl Machine<'_> {
    fn random(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % bound
    }

    fn done(&self) -> bool {
        let over = |(state, schedule): (&State, &Schedule)| {
            state.next == schedule.steps().len() && state.pending.is_empty()
        };
        self.states.iter().zip(&self.schedules).all(over)
    }

    /// Something that can happen happens.
    fn step(&mut self) {
        let size = self.states.len();
        let events = size + self.busy.len();
        let first = self.random(events);
        for event in (first..events).chain(0..first) {
            let happened = match event.checked_sub(size) {
                None => self.start(event),
                Some(index) => self.go_on(self.busy[index]),
            };
            if happened {
                return;
            }
        }
        let at: Vec<_> = self.states.iter().map(|state| state.next).collect();
        panic!(
            "deadlock: the ranks are at steps {at:?} of {:#?}",
            self.schedules
        );
    }

    /// Rank `rank` starts its next step.
    fn start(&mut self, rank: usize) -> bool {
        let Some(&step) = self.schedules[rank].steps().get(self.states[rank].next) else {
            return false;
        };
        let size = self.states.len();
        let free = match step {
            Step::Send { from, .. } => self.is_free(rank, from, false),
            Step::Receive { into, .. } => {
                assert_ne!(into.buffer, Buffer::Input);
                self.is_free(rank, into, true)
            }
            Step::Reduce { from, into } | Step::Copy { from, into } => {
                assert!(!from.overlaps(into), "{step:?}");
                assert_ne!(into.buffer, Buffer::Input);
                self.is_free(rank, from, false) && self.is_free(rank, into, true)
            }
            Step::Fence => self.states[rank].pending.is_empty(),
        };
        let asynchronous = matches!(step, Step::Send { .. } | Step::Receive { .. });
        if !free || asynchronous && self.states[rank].pending.len() >= self.world.window {
            return false;
        }
        match step {
            Step::Send { to, from } => {
                assert_ne!(to, rank);
                let end = self.begin(rank, from, false);
                let pair = rank * size + to;
                if self.sends[pair].is_empty() {
                    self.busy.push(pair);
                }
                self.sends[pair].push(end);
            }
            Step::Receive { from, into } => {
                assert_ne!(from, rank);
                let end = self.begin(rank, into, true);
                self.slice(rank, into).fill(0xDD);
                self.receives[from * size + rank].push(end);
            }
            Step::Reduce { from, into } => {
                let left = self.slice(rank, from).to_vec();
                let op = self.op.expect("a reduction has an operation");
                op.apply(&left, self.slice(rank, into));
            }
            Step::Copy { from, into } => {
                let bytes = self.slice(rank, from).to_vec();
                self.slice(rank, into).copy_from_slice(&bytes);
            }
            Step::Fence => {}
        }
        self.states[rank].next += 1;
        true
    }

    /// A message of a pair goes on.
    fn go_on(&mut self, pair: usize) -> bool {
        let happened = self.deliver(pair) || self.depart(pair);
        if self.sends[pair].is_empty() {
            self.busy.retain(|&busy| busy != pair);
        }
        happened
    }

    /// The oldest send of a pair meets the oldest receive.
    fn deliver(&mut self, pair: usize) -> bool {
        if self.sends[pair].is_empty() || self.receives[pair].is_empty() {
            return false;
        }
        let size = self.states.len();
        let (from, to) = (pair / size, pair % size);
        let (send, receive) = (self.sends[pair].remove(0), self.receives[pair].remove(0));
        assert_eq!(send.span.len, receive.span.len, "from {from} to {to}");
        let bytes = match send.sent {
            Some(bytes) => bytes,
            None => {
                self.end(from, send.id);
                self.slice(from, send.span).to_vec()
            }
        };
        self.slice(to, receive.span).copy_from_slice(&bytes);
        self.end(to, receive.id);
        true
    }

    /// A send of a pair ends before its receive.
    fn depart(&mut self, pair: usize) -> bool {
        let from = pair / self.states.len();
        let waiting = self.sends[pair].iter().position(|send| send.sent.is_none());
        let Some(index) = waiting.filter(|_| self.world.eager) else {
            return false;
        };
        let (id, span) = (self.sends[pair][index].id, self.sends[pair][index].span);
        let bytes = self.slice(from, span).to_vec();
        self.sends[pair][index].sent = Some(bytes);
        self.end(from, id);
        true
    }

    fn is_free(&self, rank: usize, span: Span, writing: bool) -> bool {
        let mut pending = self.states[rank].pending.iter();
        !pending.any(|other| other.span.overlaps(span) && (other.writing || writing))
    }

    fn begin(&mut self, rank: usize, span: Span, writing: bool) -> End {
        self.ids += 1;
        let id = self.ids;
        self.states[rank]
            .pending
            .push(Pending { id, span, writing });
        End {
            id,
            span,
            sent: None,
        }
    }

    fn end(&mut self, rank: usize, id: usize) {
        self.states[rank].pending.retain(|pending| pending.id != id);
    }

    fn slice(&mut self, rank: usize, span: Span) -> &mut [u8] {
        &mut self.states[rank].buffers[span.buffer as usize][span.start..span.start + span.len]
    }

    fn finish(self) -> Vec<Vec<u8>> {
        assert!(
            self.sends.iter().all(Vec::is_empty),
            "messages are left over"
        );
        assert!(self.receives.iter().all(Vec::is_empty));
        self.states
            .into_iter()
            .map(|state| state.buffers)
            .map(|[_, output, _]| output)
            .collect()
    }
}
