//! Every algorithm and every choice against plain loops, in the interpreter and over the engine.

#[path = "tests"]
mod over_sim {
    mod substrate {
        pub(super) use crate::transport::sim::{Behaviour, Network, SimTransport as Net, task};
    }
    #[allow(clippy::duplicate_mod, reason = "one suite, several substrates")]
    mod engine;
}

#[cfg(not(loom))]
#[path = "tests"]
mod over_hosts {
    mod substrate {
        pub(super) use crate::transport::standin::{
            Behaviour, Network, NetworkTransport as Net, task,
        };
    }
    #[allow(clippy::duplicate_mod, reason = "one suite, several substrates")]
    mod engine;
}

use super::algorithm::{allgather, allreduce, alltoall, broadcast, gather, reduce, scatter};
use super::algorithm::{reduce_scatter, scan};
use super::interpreter::{Player, World, interpret};
use super::*;
use crate::ids::Rank;
use proptest::prelude::*;
use std::sync::Arc;

/// Elements of the non-commutative operation: maps `x -> a x + b` on bytes, two bytes each.
const ELEMENT: usize = 2;

/// Composition of such maps: associative, not commutative.
fn composition() -> Op {
    let compose = |left: &[u8], right: &mut [u8], count: usize| {
        assert_eq!(
            (left.len(), right.len()),
            (count * ELEMENT, count * ELEMENT)
        );
        for (l, r) in left.chunks(ELEMENT).zip(right.chunks_mut(ELEMENT)) {
            let (a, b) = (r[0], r[1]);
            r[0] = a.wrapping_mul(l[0]);
            r[1] = a.wrapping_mul(l[1]).wrapping_add(b);
        }
    };
    Op::user(ELEMENT, false, Arc::new(compose))
}

fn sum() -> Op {
    Op::builtin(Kind::Number(Scalar::U16), Builtin::Sum).unwrap()
}

/// What a rank contributes: bytes that no other rank has there.
fn data(rank: Rank, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (rank * 131 + i * 7 + (i >> 8) * 3 + 1) as u8)
        .collect()
}

/// The inputs of the ranks combined from left to right.
fn combined(op: &Op, ranks: std::ops::Range<Rank>, len: usize) -> Vec<u8> {
    let mut inputs = ranks.rev().map(|rank| data(rank, len));
    let mut total = inputs.next().unwrap_or_default();
    inputs.for_each(|left| op.apply(&left, &mut total));
    total
}

fn worlds() -> Vec<World> {
    let world = |seed, window, eager| World {
        seed,
        window,
        eager,
    };
    vec![
        world(11, 2, false),
        world(222, 3, true),
        world(3333, 63, false),
        world(44_444, 63, true),
    ]
}

/// One call of all ranks, with what each has and what each must have in the end.
struct Case<'a> {
    size: usize,
    op: Option<Op>,
    build: &'a dyn Fn(Rank, &mut Schedule),
    input: &'a dyn Fn(Rank) -> Vec<u8>,
    /// What is in the output before.
    before: &'a dyn Fn(Rank) -> Vec<u8>,
    after: &'a dyn Fn(Rank) -> Vec<u8>,
}

impl Case<'_> {
    fn check(&self, what: &str) {
        let expected: Vec<_> = (0..self.size).map(self.after).collect();
        for world in worlds() {
            let players = (0..self.size).map(|rank| {
                let mut schedule = Schedule::new();
                (self.build)(rank, &mut schedule);
                Player {
                    schedule,
                    input: (self.input)(rank),
                    output: (self.before)(rank),
                }
            });
            let outputs = interpret(world, self.op.as_ref(), players.collect());
            for (rank, output) in outputs.into_iter().enumerate() {
                let expected = &expected[rank];
                assert!(
                    output == *expected,
                    "{what} of {} in {world:?}: rank {rank} has {output:?}, not {expected:?}",
                    self.size
                );
            }
        }
    }
}

const SIZES: std::ops::RangeInclusive<usize> = 1..=17;

/// Bytes of a buffer that nobody has written.
fn blank(len: usize) -> Vec<u8> {
    vec![0xBB; len]
}

/// What a call gives, by the definition of each.
struct Model<'a> {
    call: &'a Call<'a>,
    size: usize,
    op: &'a Op,
    /// In place wherever a rank may be.
    in_place: bool,
}

/// Block lengths of the v-calls, some of them 0, and gaps.
struct Lists {
    lens: Vec<usize>,
    starts: Vec<usize>,
}

impl Lists {
    fn new(lens: impl Iterator<Item = usize>, gap: usize) -> Self {
        let lens: Vec<usize> = lens.collect();
        let mut end = 0;
        let starts = lens
            .iter()
            .map(|len| {
                let start = end;
                end += len + gap;
                start
            })
            .collect();
        Self { lens, starts }
    }

    fn blocks(&self) -> Blocks<'_> {
        Blocks::Listed {
            lens: &self.lens,
            starts: &self.starts,
        }
    }
}

/// A block's bytes in a buffer.
fn block<'b>(blocks: &Blocks<'_>, index: usize, bytes: &'b [u8]) -> &'b [u8] {
    let span = blocks.of(Span::of(Buffer::Output, 0), index);
    &bytes[span.start..span.start + span.len]
}

fn put(blocks: &Blocks<'_>, index: usize, bytes: &mut [u8], block: &[u8]) {
    let span = blocks.of(Span::of(Buffer::Output, 0), index);
    bytes[span.start..span.start + span.len].copy_from_slice(block);
}

impl Model<'_> {
    /// Whether this rank works in place.
    fn in_place_at(&self, rank: Rank) -> bool {
        let root = match *self.call {
            Call::Broadcast { root, .. }
            | Call::Reduce { root, .. }
            | Call::Gather { root, .. }
            | Call::Gatherv { root, .. }
            | Call::Scatter { root, .. }
            | Call::Scatterv { root, .. } => Some(root),
            _ => None,
        };
        self.in_place && root.is_none_or(|root| root == rank)
    }

    /// The bytes that a rank contributes, wherever they are.
    fn contribution(&self, rank: Rank) -> Vec<u8> {
        match *self.call {
            Call::Barrier => Vec::new(),
            Call::Broadcast { len, .. } => data(rank, len),
            Call::Gather { len, .. } | Call::Allgather { len } => data(rank, len),
            Call::Gatherv { blocks, .. } | Call::Allgatherv { blocks } => {
                data(rank, blocks.len(rank))
            }
            Call::Scatter { len, .. } => data(rank, len * self.size),
            Call::Scatterv { blocks, .. } => data(rank, blocks.end(self.size).unwrap()),
            Call::Alltoall { len } => data(rank, len * self.size),
            Call::Alltoallv { input, .. } => data(rank, input.end(self.size).unwrap()),
            Call::Allreduce(vector) | Call::Scan(vector) | Call::Exscan(vector) => {
                data(rank, vector.count * vector.element)
            }
            Call::Reduce { vector, .. } | Call::ReduceScatter { vector, .. } => {
                data(rank, vector.count * vector.element)
            }
        }
    }

    /// The output before the call.
    fn before(&self, rank: Rank) -> Vec<u8> {
        let mut output = blank(self.output_len(rank));
        if !self.in_place_at(rank) {
            return output;
        }
        let mine = self.contribution(rank);
        match *self.call {
            Call::Gather { len, .. } | Call::Allgather { len } => {
                put(&Blocks::Equal { len }, rank, &mut output, &mine);
            }
            Call::Gatherv { blocks, .. } | Call::Allgatherv { blocks } => {
                put(&blocks, rank, &mut output, &mine);
            }
            Call::Scatter { .. } | Call::Scatterv { .. } => {}
            _ => output.copy_from_slice(&mine),
        }
        output
    }

    fn output_len(&self, rank: Rank) -> usize {
        match *self.call {
            Call::Gather { len, .. } | Call::Allgather { len } => len * self.size,
            Call::Gatherv { blocks, .. } | Call::Allgatherv { blocks } => {
                blocks.end(self.size).unwrap()
            }
            Call::Scatter { len, .. } => len,
            Call::Scatterv { blocks, .. } => blocks.len(rank),
            Call::Alltoallv { output, .. } => output.end(self.size).unwrap(),
            Call::ReduceScatter { blocks, .. } if !self.in_place => blocks.len(rank),
            _ => self.contribution(rank).len(),
        }
    }

    fn input(&self, rank: Rank) -> Vec<u8> {
        let scatter = matches!(self.call, Call::Scatter { .. } | Call::Scatterv { .. });
        if self.in_place_at(rank) && !scatter {
            return Vec::new();
        }
        self.contribution(rank)
    }

    /// The output after the call.
    fn after(&self, rank: Rank) -> Vec<u8> {
        let mut output = self.before(rank);
        let size = self.size;
        match *self.call {
            Call::Barrier => {}
            Call::Broadcast { root, .. } => {
                if rank != root {
                    output = self.contribution(root);
                }
            }
            Call::Gather { root, .. } | Call::Gatherv { root, .. } if rank != root => {}
            Call::Gather { len, .. } | Call::Allgather { len } => {
                let all = (0..size).map(|rank| data(rank, len));
                output = all.collect::<Vec<_>>().concat();
            }
            Call::Gatherv { blocks, .. } | Call::Allgatherv { blocks } => {
                for from in 0..size {
                    put(&blocks, from, &mut output, &self.contribution(from));
                }
            }
            Call::Scatter { root, .. } | Call::Scatterv { root, .. }
                if rank == root && self.in_place => {}
            Call::Scatter { root, len } => {
                let blocks = Blocks::Equal { len };
                output = block(&blocks, rank, &self.contribution(root)).to_vec();
            }
            Call::Scatterv { root, blocks, .. } => {
                output = block(&blocks, rank, &self.contribution(root)).to_vec();
            }
            Call::Alltoall { len } => {
                let blocks = Blocks::Equal { len };
                for from in 0..size {
                    let theirs = self.contribution(from);
                    put(&blocks, from, &mut output, block(&blocks, rank, &theirs));
                }
            }
            Call::Alltoallv { .. } => unreachable!("each rank has its own blocks"),
            Call::Allreduce(_) => output = self.total(0..size),
            Call::Reduce { root, .. } => {
                if rank == root {
                    output = self.total(0..size);
                }
            }
            Call::ReduceScatter { blocks, .. } => {
                let total = self.total(0..size);
                let mine = block(&blocks, rank, &total);
                output[..mine.len()].copy_from_slice(mine);
                // In place, the rest of the output is scratch.
                output.truncate(mine.len());
            }
            Call::Scan(_) => output = self.total(0..rank + 1),
            Call::Exscan(_) => {
                if rank > 0 {
                    output = self.total(0..rank);
                }
            }
        }
        output
    }

    fn total(&self, ranks: std::ops::Range<Rank>) -> Vec<u8> {
        combined(self.op, ranks, self.contribution(0).len())
    }

    fn place<'t>(&self, rank: Rank, topology: &'t Topology) -> Place<'t> {
        Place {
            rank,
            topology,
            in_place: self.in_place_at(rank),
        }
    }

    /// Runs the chosen schedules.
    fn check(&self, topology: &Topology) {
        let what = format!("{:?} in place {} on {topology:?}", self.call, self.in_place);
        let expected: Vec<_> = (0..self.size).map(|rank| self.after(rank)).collect();
        for world in worlds() {
            let players = (0..self.size).map(|rank| self.player(rank, topology));
            let outputs = interpret(world, Some(self.op), players.collect());
            for (rank, mut output) in outputs.into_iter().enumerate() {
                output.truncate(expected[rank].len());
                assert!(output == expected[rank], "{what} in {world:?}: rank {rank}");
            }
        }
    }

    /// A rank with its schedule and buffers.
    fn player(&self, rank: Rank, topology: &Topology) -> Player {
        let mut own = *self.call;
        if let Call::Gatherv { len, blocks, .. } | Call::Scatterv { len, blocks, .. } = &mut own {
            *len = blocks.len(rank);
        }
        let mut schedule = Schedule::new();
        plan(&mut schedule, &own, &self.place(rank, topology)).unwrap();
        Player {
            schedule,
            input: self.input(rank),
            output: self.before(rank),
        }
    }
}

/// Checks calls with both operations, in place and not.
fn check_all(size: usize, topologies: &[Topology], call: &dyn Fn(bool) -> Vec<Call<'static>>) {
    for op in [sum(), composition()] {
        for call in call(op.is_commutative()) {
            for in_place in [false, true] {
                let model = Model {
                    call: &call,
                    size,
                    op: &op,
                    in_place,
                };
                for topology in topologies {
                    model.check(topology);
                }
            }
        }
    }
}

fn vector(count: usize, commutative: bool) -> Vector {
    Vector {
        count,
        element: ELEMENT,
        commutative,
    }
}

#[test]
fn rootless_calls_agree_with_loops() {
    for size in SIZES {
        let topology = Topology::one_host(size, false);
        check_all(size, &[topology], &|commutative| {
            let mut calls = vec![Call::Barrier];
            for len in [0, 1, 5] {
                calls.push(Call::Allgather { len });
                calls.push(Call::Alltoall { len });
            }
            for count in [0, 1, 7, size, 2 * size + 1] {
                let vector = vector(count, commutative);
                calls.extend([
                    Call::Allreduce(vector),
                    Call::Scan(vector),
                    Call::Exscan(vector),
                ]);
            }
            calls
        });
    }
}

#[test]
fn rooted_calls_agree_with_loops() {
    for size in SIZES {
        let topology = Topology::one_host(size, false);
        check_all(size, &[topology], &|commutative| {
            let roots = 0..size;
            let calls = roots.flat_map(|root| {
                [
                    Call::Broadcast { root, len: 0 },
                    Call::Broadcast { root, len: 13 },
                    Call::Gather { root, len: 0 },
                    Call::Gather { root, len: 3 },
                    Call::Scatter { root, len: 0 },
                    Call::Scatter { root, len: 3 },
                    Call::Reduce {
                        root,
                        vector: vector(0, commutative),
                    },
                    Call::Reduce {
                        root,
                        vector: vector(5, commutative),
                    },
                ]
            });
            calls.collect()
        });
    }
}

#[test]
fn large_calls_agree_with_loops() {
    for size in [2, 3, 8, 9] {
        let topology = Topology::one_host(size, false);
        check_all(size, &[topology], &|commutative| {
            let vector = vector(8_501, commutative);
            let root = size - 1;
            vec![
                Call::Allreduce(vector),
                Call::Reduce { root: 0, vector },
                Call::Reduce { root, vector },
                Call::Allgather { len: 9_001 },
                Call::Alltoall { len: 3_001 },
                Call::Gather { root, len: 3_001 },
                Call::Scatter { root, len: 3_001 },
            ]
        });
    }
}

#[test]
fn broadcasts_agree_on_every_topology() {
    for size in [2, 3, 8, 9] {
        let root = size / 2;
        let call = Call::Broadcast { root, len: 150_001 };
        let op = sum();
        for in_place in [false, true] {
            let model = Model {
                call: &call,
                size,
                op: &op,
                in_place,
            };
            model.check(&Topology::one_host(size, false));
            model.check(&Topology::one_host(size, true));
            for topology in several_hosts(size) {
                model.check(&topology);
            }
        }
    }
}

/// Three ranks to a host one after the other, two hosts in turn, one with almost all, each its own.
fn several_hosts(size: usize) -> Vec<Topology> {
    let ranks = 0..size as u32;
    let hosts: [Vec<u32>; 4] = [
        ranks.clone().map(|rank| rank / 3).collect(),
        ranks.clone().map(|rank| rank % 2).collect(),
        ranks.clone().map(|rank| u32::from(rank == 1)).collect(),
        ranks.collect(),
    ];
    hosts.iter().map(|hosts| Topology::new(hosts, 1)).collect()
}

#[test]
fn calls_over_hosts_agree_with_loops() {
    for size in [2, 4, 9] {
        check_all(size, &several_hosts(size), &|commutative| {
            let mut calls = vec![Call::Barrier];
            let roots = [0, 1, size - 1];
            for count in [0, size + 1, 8_500] {
                let vector = vector(count, commutative);
                calls.push(Call::Allreduce(vector));
                calls.extend(roots.map(|root| Call::Reduce { root, vector }));
            }
            for len in [0, 3, 1_500] {
                calls.extend([Call::Allgather { len }, Call::Alltoall { len }]);
                calls.extend(roots.map(|root| Call::Gather { root, len }));
                calls.extend(roots.map(|root| Call::Scatter { root, len }));
            }
            for len in [1, 150_001] {
                calls.push(Call::Broadcast { root: 1, len });
            }
            calls
        });
    }
}

#[test]
fn calls_of_a_crowd_agree_with_loops() {
    let size = 67;
    let op = sum();
    let topology = Topology::one_host(size, true);
    let calls = [
        Call::Barrier,
        Call::Allreduce(vector(2100, true)),
        Call::Allgather { len: 400 },
        Call::Alltoall { len: 100 },
        Call::Alltoall { len: 2 },
        Call::Gather { root: 3, len: 3000 },
    ];
    for call in &calls {
        for in_place in [false, true] {
            let model = Model {
                call,
                size,
                op: &op,
                in_place,
            };
            model.check(&topology);
        }
    }
}

#[test]
fn calls_with_lists_agree_with_loops() {
    for size in SIZES {
        let lists = Lists::new((0..size).map(|rank| rank * 5 % 4 * ELEMENT), 3);
        let tight = Lists::new((0..size).map(|rank| rank * 5 % 4 * ELEMENT), 0);
        let count = tight.lens.iter().sum::<usize>() / ELEMENT;
        for op in [sum(), composition()] {
            for root in [0, size / 2, size - 1] {
                let blocks = lists.blocks();
                let len = usize::MAX;
                let calls = [
                    Call::Allgatherv { blocks },
                    Call::Gatherv { root, len, blocks },
                    Call::Scatterv { root, len, blocks },
                    Call::ReduceScatter {
                        vector: vector(count, op.is_commutative()),
                        blocks: tight.blocks(),
                    },
                ];
                let one_host = Topology::one_host(size, false);
                let topologies: Vec<_> = several_hosts(size)
                    .into_iter()
                    .take(2)
                    .chain([one_host])
                    .collect();
                for (call, in_place) in calls.iter().flat_map(|call| [(call, false), (call, true)])
                {
                    let model = Model {
                        call,
                        size,
                        op: &op,
                        in_place,
                    };
                    topologies.iter().for_each(|topology| model.check(topology));
                }
            }
        }
    }
}

#[test]
fn alltoallv_agrees_with_loops() {
    for size in SIZES {
        let len = |from: usize, to: usize| (from * 3 + to * 5) % 4;
        let sent = |rank| Lists::new((0..size).map(|to| len(rank, to)), 2);
        let received = |rank| Lists::new((0..size).map(|from| len(from, rank)), 1);
        let topology = Topology::one_host(size, false);
        let input = |rank| data(rank, sent(rank).blocks().end(size).unwrap());
        let before = |rank| blank(received(rank).blocks().end(size).unwrap());
        let case = Case {
            size,
            op: None,
            build: &|rank, schedule| {
                let (sent, received) = (sent(rank), received(rank));
                let call = Call::Alltoallv {
                    input: sent.blocks(),
                    output: received.blocks(),
                };
                let place = Place {
                    rank,
                    topology: &topology,
                    in_place: false,
                };
                plan(schedule, &call, &place).unwrap();
            },
            input: &input,
            before: &before,
            after: &|rank| {
                let mut output = before(rank);
                for from in 0..size {
                    let theirs = input(from);
                    let block = block(&sent(from).blocks(), rank, &theirs).to_vec();
                    put(&received(rank).blocks(), from, &mut output, &block);
                }
                output
            },
        };
        case.check("alltoallv");
    }
}

/// Algorithms at sizes for which they are not chosen.
#[test]
fn every_algorithm_is_right_at_every_size() {
    for size in SIZES {
        for root in 0..size {
            check_rooted_algorithms(size, root);
        }
        for op in [sum(), composition()] {
            for count in [1, size, 3 * size + 2] {
                check_reductions(size, &op, count);
            }
        }
        check_exchanges(size, 3);
    }
}

fn check_rooted_algorithms(size: usize, root: Rank) {
    type Broadcast = fn(&mut Schedule, &Team<'_>, Span);
    let broadcasts: [(&str, Broadcast); 3] = [
        ("binomial", broadcast::binomial),
        ("chain", |plan, team, data| {
            broadcast::chain(plan, team, data, 4);
        }),
        ("scatter and allgather", broadcast::scatter_allgather),
    ];
    let team = |rank| Team::from_root(rank, size, root);
    for len in [1, 4, 21, 40] {
        for (name, broadcast) in broadcasts {
            let case = Case {
                size,
                op: None,
                build: &|rank, schedule| {
                    let buffer = if rank == root {
                        Buffer::Input
                    } else {
                        Buffer::Output
                    };
                    broadcast(schedule, &team(rank), Span::of(buffer, len));
                },
                input: &|rank| data(rank, len),
                before: &|_| blank(len),
                after: &|rank| {
                    if rank == root {
                        blank(len)
                    } else {
                        data(root, len)
                    }
                },
            };
            case.check(name);
        }
    }
    let (input, output) = (Span::of(Buffer::Input, 6), Span::of(Buffer::Output, 6));
    let all = |rank: Rank| data(rank, 6 * size);
    Case {
        size,
        op: None,
        build: &|rank, schedule| {
            let output = Span::of(Buffer::Output, 6 * size);
            gather::binomial(schedule, &team(rank), input, output);
        },
        input: &|rank| data(rank, 6),
        before: &|_| blank(6 * size),
        after: &|rank| match rank == root {
            true => (0..size).flat_map(|rank| data(rank, 6)).collect(),
            false => blank(6 * size),
        },
    }
    .check("binomial gather");
    Case {
        size,
        op: None,
        build: &|rank, schedule| {
            let input = Span::of(Buffer::Input, 6 * size);
            scatter::binomial(schedule, &team(rank), input, output);
        },
        input: &all,
        before: &|_| blank(6),
        after: &|rank| all(root)[6 * rank..][..6].to_vec(),
    }
    .check("binomial scatter");
    let op = sum();
    Case {
        size,
        op: Some(op.clone()),
        build: &|rank, schedule| reduce::binomial(schedule, &team(rank), input, output),
        input: &|rank| data(rank, 6),
        before: &|_| blank(6),
        after: &|rank| {
            if rank == root {
                combined(&op, 0..size, 6)
            } else {
                blank(6)
            }
        },
    }
    .check("binomial reduce");
}

fn check_reductions(size: usize, op: &Op, count: usize) {
    type Reduction<'a> = Box<dyn Fn(&mut Schedule, &Team<'_>, Span, Span) + 'a>;
    let len = count * ELEMENT;
    let commutative = op.is_commutative();
    let blocks = Blocks::Cut {
        count,
        element: ELEMENT,
        parts: size,
    };
    let how = reduce_scatter::How {
        commutative,
        segment: 2 * ELEMENT,
    };
    let mut reductions: Vec<(&str, Reduction<'_>)> = vec![
        (
            "doubling",
            Box::new(|plan, team, input, output| {
                allreduce::recursive_doubling(plan, team, input, output, commutative);
            }),
        ),
        (
            "direct",
            Box::new(|plan, team, input, output| {
                allreduce::direct(plan, team, input, output, &blocks, how);
            }),
        ),
    ];
    if commutative {
        let ring: Reduction<'_> = Box::new(|plan, team, input, output| {
            allreduce::ring(plan, team, input, output, &blocks);
        });
        reductions.push(("ring", ring));
    }
    for (name, reduction) in reductions {
        for in_place in [false, true] {
            let buffer = if in_place {
                Buffer::Output
            } else {
                Buffer::Input
            };
            let case = Case {
                size,
                op: Some(op.clone()),
                build: &|rank, schedule| {
                    let team = Team::all(rank, size);
                    let (from, to) = (Span::of(buffer, len), Span::of(Buffer::Output, len));
                    reduction(schedule, &team, from, to);
                },
                input: &|rank| data(rank, len),
                before: &|rank| {
                    if in_place {
                        data(rank, len)
                    } else {
                        blank(len)
                    }
                },
                after: &|_| combined(op, 0..size, len),
            };
            case.check(name);
        }
    }
    let case = Case {
        size,
        op: Some(op.clone()),
        build: &|rank, schedule| {
            let (from, to) = (Span::of(Buffer::Input, len), Span::of(Buffer::Output, len));
            scan::inclusive(schedule, &Team::all(rank, size), from, to);
        },
        input: &|rank| data(rank, len),
        before: &|_| blank(len),
        after: &|rank| combined(op, 0..rank + 1, len),
    };
    case.check("scan");
}

fn check_exchanges(size: usize, len: usize) {
    type Exchange = fn(&mut Schedule, &Team<'_>, Span, Span);
    let mut gathers: Vec<(&str, Exchange)> = vec![
        ("bruck", allgather::bruck),
        ("direct", |plan, team, mine, output| {
            allgather::direct(plan, team, mine, &Blocks::Equal { len: mine.len }, output);
        }),
        ("ring", |plan, team, mine, output| {
            allgather::ring(plan, team, mine, &Blocks::Equal { len: mine.len }, output);
        }),
    ];
    if size.is_power_of_two() {
        gathers.push(("doubling", allgather::recursive_doubling));
    }
    let total = len * size;
    for (name, gather) in gathers {
        let case = Case {
            size,
            op: None,
            build: &|rank, schedule| {
                let team = Team::all(rank, size);
                let (mine, all) = (
                    Span::of(Buffer::Input, len),
                    Span::of(Buffer::Output, total),
                );
                gather(schedule, &team, mine, all);
            },
            input: &|rank| data(rank, len),
            before: &|_| blank(total),
            after: &|_| (0..size).flat_map(|rank| data(rank, len)).collect(),
        };
        case.check(name);
    }
    let case = Case {
        size,
        op: None,
        build: &|rank, schedule| {
            let (from, to) = (
                Span::of(Buffer::Input, total),
                Span::of(Buffer::Output, total),
            );
            alltoall::bruck(schedule, &Team::all(rank, size), from, to, len);
        },
        input: &|rank| data(rank, total),
        before: &|_| blank(total),
        after: &|rank| {
            let blocks = (0..size).flat_map(|from| data(from, total)[rank * len..][..len].to_vec());
            blocks.collect()
        },
    };
    case.check("bruck alltoall");
}

#[test]
fn impossible_calls_are_refused() {
    let topology = Topology::one_host(3, false);
    let place = |rank| Place {
        rank,
        topology: &topology,
        in_place: false,
    };
    let mut schedule = Schedule::new();
    let mut refused = |call: Call<'_>, rank| plan(&mut schedule, &call, &place(rank)).unwrap_err();
    let no_such = CallError::NoSuchRank { rank: 3, size: 3 };
    assert_eq!(refused(Call::Broadcast { root: 3, len: 1 }, 0), no_such);
    assert_eq!(refused(Call::Barrier, 3), no_such);
    let lists = Lists::new([1, 2].into_iter(), 0);
    let blocks = lists.blocks();
    assert_eq!(
        refused(Call::Allgatherv { blocks }, 0),
        CallError::BadBlocks
    );
    assert_eq!(
        refused(Call::Alltoall { len: usize::MAX }, 0),
        CallError::BadBlocks
    );
    let blocks = Blocks::Listed {
        lens: &[usize::MAX, 0, 1],
        starts: &[0, 0, 0],
    };
    assert_eq!(
        refused(Call::Allgatherv { blocks }, 0),
        CallError::BadBlocks
    );
    let vector = vector(usize::MAX, true);
    assert_eq!(refused(Call::Allreduce(vector), 0), CallError::BadBlocks);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any seed, size, length, window.
    #[test]
    fn reductions_are_right_in_any_world(
        seed in any::<u64>(), size in 1usize..12, count in 0usize..40, window in 2usize..6,
        eager in any::<bool>(), root in 0usize..12, ordered in any::<bool>(),
    ) {
        let op = if ordered { composition() } else { sum() };
        let vector = vector(count, op.is_commutative());
        let root = root % size;
        let topology = Topology::one_host(size, false);
        for call in [Call::Allreduce(vector), Call::Reduce { root, vector }, Call::Scan(vector)] {
            let model = Model { call: &call, size, op: &op, in_place: seed % 2 == 0 };
            let players = (0..size).map(|rank| model.player(rank, &topology));
            let world = World { seed, window, eager };
            let outputs = interpret(world, Some(&op), players.collect());
            for (rank, output) in outputs.into_iter().enumerate() {
                prop_assert_eq!(output, model.after(rank));
            }
        }
    }
}
