//! Runs over engines on a network in one thread.

use super::substrate::{Behaviour, Net, Network};
use crate::collective::tests::*;
use crate::datatype::{Sink, Source, Word};
use crate::engine::{Engine, EngineError, RequestId};
use crate::ids::{Context, Tag, TaskId};
use std::task::Poll;

type Sim = Engine<Net>;

fn task(rank: Rank) -> TaskId {
    super::substrate::task(rank as u32 + 1)
}

/// Ranks in one thread.
struct Job {
    network: Network,
    engines: Vec<Sim>,
    /// By owner, then by rank.
    members: Vec<Arc<[Member]>>,
    alive: Vec<bool>,
}

impl Job {
    fn new(size: usize, behaviour: Behaviour) -> Self {
        let network = Network::new(behaviour);
        let engine = |rank| Engine::new(network.transport(task(rank)), task(rank));
        let mut engines: Vec<Sim> = (0..size).map(engine).collect();
        // Every task numbers its contexts in its own way.
        for (rank, engine) in engines.iter_mut().enumerate() {
            for _ in 0..rank % 3 + 1 {
                engine.open_context();
            }
        }
        let members = engines.iter_mut().map(|engine| {
            let member = |rank| Member {
                peer: engine.peer(task(rank)),
                context: context(rank),
            };
            (0..size).map(member).collect()
        });
        Self {
            members: members.collect(),
            network,
            engines,
            alive: vec![true; size],
        }
    }

    fn setup(&self, rank: Rank, tag: Tag, op: &Op) -> Setup {
        Setup {
            members: Arc::clone(&self.members[rank]),
            context: context(rank),
            tag,
            check: 77,
            word: || Word::Fixed(1),
            op: Some(op.clone()),
            beyond: None,
        }
    }

    fn run(&self, model: &Model<'_>, rank: Rank, tag: Tag) -> Run {
        let topology = Topology::one_host(model.size, false);
        let player = model.player(rank, &topology);
        let scratch = Scratch::from(player.schedule);
        let input = Some(Source::from_vec(player.input));
        let output = Some(Sink::from_vec(player.output));
        Run::new(self.setup(rank, tag, model.op), scratch, input, output).unwrap()
    }

    fn kill(&mut self, rank: Rank) {
        self.alive[rank] = false;
        self.network.kill(task(rank));
    }

    fn progress(&mut self) {
        for (engine, _) in self
            .engines
            .iter_mut()
            .zip(&self.alive)
            .filter(|(_, alive)| **alive)
        {
            engine.progress();
        }
    }

    /// Lets all that is under way arrive; then nothing may be left anywhere.
    fn check_clean(&mut self) {
        for _ in 0..200 {
            self.progress();
        }
        for rank in 0..self.engines.len() {
            let selector = crate::engine::Selector {
                context: context(rank),
                source: None,
                tag: None,
            };
            if self.alive[rank] {
                let left = self.engines[rank].probe(selector);
                assert!(left.is_none(), "rank {rank} has kept {left:?}");
            }
        }
    }
}

/// A rank's own number of the collective context.
fn context(rank: Rank) -> Context {
    Context(Context::FIRST_FREE.0 + 2 * (rank as u32 % 3) + 1)
}

fn calls(size: usize, commutative: bool) -> Vec<Call<'static>> {
    let root = size - 1;
    let mut calls = vec![Call::Barrier];
    for len in [0, 1, 8, 200] {
        calls.extend([
            Call::Broadcast { root, len },
            Call::Gather { root, len },
            Call::Scatter { root, len },
            Call::Allgather { len },
            Call::Alltoall { len },
        ]);
    }
    for count in [4, 3000] {
        let vector = vector(count, commutative);
        calls.extend([
            Call::Allreduce(vector),
            Call::Scan(vector),
            Call::Exscan(vector),
            Call::Reduce { root, vector },
        ]);
    }
    calls
}

/// All ranks run the calls one after the other; no rank waits for another between them.
#[test]
fn calls_over_the_engine_agree_with_loops() {
    for (size, seed) in [(1, 1), (2, 2), (3, 3), (5, 4), (8, 5), (9, 6)] {
        for op in [sum(), composition()] {
            let mut job = Job::new(
                size,
                Behaviour {
                    seed,
                    ..Behaviour::default()
                },
            );
            let calls = calls(size, op.is_commutative());
            let models: Vec<_> = calls
                .iter()
                .flat_map(|call| [(call, false), (call, true)])
                .map(|(call, in_place)| Model {
                    call,
                    size,
                    op: &op,
                    in_place,
                })
                .collect();
            let mut tags = Tags::default();
            let tags: Vec<Tag> = models.iter().map(|_| tags.next_tag()).collect();
            let mut at = vec![0; size];
            let mut runs: Vec<_> = (0..size)
                .map(|rank| job.run(&models[0], rank, tags[0]))
                .collect();
            while at.iter().any(|&at| at < models.len()) {
                for rank in 0..size {
                    job.engines[rank].progress();
                    let Some(model) = models.get(at[rank]) else {
                        continue;
                    };
                    let Poll::Ready(result) = runs[rank].advance(&mut job.engines[rank]) else {
                        continue;
                    };
                    assert_eq!(result, Ok(()));
                    at[rank] += 1;
                    let next = at[rank].min(models.len() - 1);
                    let next = job.run(&models[next], rank, tags[next]);
                    let finished = std::mem::replace(&mut runs[rank], next).finish();
                    let output = finished.output.and_then(Sink::into_vec).unwrap();
                    assert_eq!(output, model.after(rank), "{:?} rank {rank}", model.call);
                }
            }
            job.check_clean();
        }
    }
}

/// Several collectives at a time, inside the engines.
#[test]
fn started_runs_deliver_their_buffers() {
    let (size, op) = (5, sum());
    let mut job = Job::new(size, Behaviour::default());
    let vector = vector(500, true);
    let calls = [
        Call::Allreduce(vector),
        Call::Alltoall { len: 90 },
        Call::Scan(vector),
    ];
    let mut started: Vec<(Rank, &Call<'_>, RequestId, Delivery)> = Vec::new();
    for rank in 0..size {
        for (call, tag) in calls.iter().zip(0..) {
            let model = Model {
                call,
                size,
                op: &op,
                in_place: false,
            };
            let delivery = Delivery::default();
            let run = job.run(&model, rank, tag).deliver_to(&delivery);
            let request = job.engines[rank].start(Box::new(run));
            started.push((rank, call, request, delivery));
        }
    }
    while !started
        .iter()
        .all(|(rank, _, request, _)| job.engines[*rank].is_complete(*request))
    {
        job.progress();
    }
    for (rank, call, request, delivery) in started {
        let model = Model {
            call,
            size,
            op: &op,
            in_place: false,
        };
        let outcome = job.engines[rank].finish(request).unwrap();
        assert!(outcome.result.is_ok());
        let finished = delivery.take().unwrap();
        assert_eq!(finished.input.unwrap().len(), model.input(rank).len());
        assert_eq!(
            finished.output.and_then(Sink::into_vec).unwrap(),
            model.after(rank)
        );
    }
    job.check_clean();
}

/// One rank dies at some moment of a call: all others end, the ones that need it with its name,
/// and leave nothing behind.
#[test]
fn a_death_ends_the_call_everywhere() {
    let (mut ended, mut failed) = (0, 0);
    for seed in 0..60 {
        let size = 2 + seed as usize % 7;
        let op = sum();
        let mut job = Job::new(
            size,
            Behaviour {
                seed,
                ..Behaviour::default()
            },
        );
        let victim = job.network.random(size);
        let call = match seed % 4 {
            0 => Call::Allreduce(vector(5, true)),
            1 => Call::Allreduce(vector(4000, true)),
            2 => Call::Allgather { len: 500 },
            _ => Call::Barrier,
        };
        let model = Model {
            call: &call,
            size,
            op: &op,
            in_place: seed % 2 == 0,
        };
        let mut runs: Vec<_> = (0..size)
            .map(|rank| Some(job.run(&model, rank, 0)))
            .collect();
        let moment = job.network.random(12).saturating_sub(4);
        let mut results = vec![None; size];
        for turn in 0..100_000 {
            if turn == moment {
                job.kill(victim);
                runs[victim] = None;
            }
            job.progress();
            for rank in 0..size {
                let Some(run) = &mut runs[rank] else { continue };
                if let Poll::Ready(result) = run.advance(&mut job.engines[rank]) {
                    results[rank] = Some(result);
                    runs[rank] = None;
                }
            }
            if turn > moment && runs.iter().all(Option::is_none) {
                break;
            }
        }
        assert!(
            runs.iter().all(Option::is_none),
            "seed {seed}: somebody waits for ever"
        );
        let unfinished = results[victim].is_none();
        for rank in (0..size).filter(|&rank| rank != victim) {
            match results[rank] {
                Some(Ok(())) => ended += 1,
                Some(Err(EngineError::PeerGone(gone))) => {
                    assert_eq!(gone, task(victim));
                    failed += 1;
                }
                other => panic!("seed {seed}: rank {rank} ended with {other:?}"),
            }
        }
        if moment == 0 && unfinished && size > 1 {
            let told = |rank: &Rank| matches!(results[*rank], Some(Err(_)));
            let others = (0..size).filter(|&rank| rank != victim);
            assert!(
                others.clone().all(|rank| told(&rank)),
                "seed {seed}: {results:?}"
            );
        }
        job.check_clean();
    }
    assert!(
        ended > 20 && failed > 100,
        "{ended} ranks ended well, {failed} did not"
    );
}

/// Ranks that do not call the same thing get an error, not garbage, and nobody waits.
#[test]
fn disagreement_is_an_error() {
    let op = sum();
    for (lens, checks, expected) in [
        ([8, 4], [77, 77], "lengths"),
        ([4, 8], [77, 77], "lengths"),
        ([8, 8], [77, 78], "type"),
    ] {
        let mut job = Job::new(2, Behaviour::default());
        let mut runs = Vec::new();
        for rank in 0..2 {
            let call = Call::Allgather { len: lens[rank] };
            let model = Model {
                call: &call,
                size: 2,
                op: &op,
                in_place: false,
            };
            let player = model.player(rank, &Topology::one_host(2, false));
            let scratch = Scratch::from(player.schedule);
            let setup = Setup {
                check: checks[rank],
                ..job.setup(rank, 0, &op)
            };
            let input = Some(Source::from_vec(player.input));
            let output = Some(Sink::from_vec(player.output));
            runs.push(Run::new(setup, scratch, input, output).unwrap());
        }
        let mut results = [None; 2];
        while results.iter().any(Option::is_none) {
            job.progress();
            for rank in 0..2 {
                if let Poll::Ready(result) = runs[rank].advance(&mut job.engines[rank]) {
                    results[rank] = Some(result);
                }
            }
        }
        for result in results {
            let error = result.unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for (rank, run) in runs.into_iter().enumerate() {
            let other = 1 - rank;
            let difference = match checks[other] == checks[rank] {
                false => Difference::Call(checks[other]),
                true => Difference::Length {
                    sent: lens[other] as u64,
                    expected: lens[rank] as u64,
                },
            };
            let told = run.finish().disagreement;
            assert_eq!(told, Some((other, difference)));
        }
        job.check_clean();
    }
}

/// Those that learn of it from others are told which rank is one of those that disagree.
#[test]
fn disagreement_is_told_on() {
    let op = sum();
    let mut job = Job::new(8, Behaviour::default());
    let call = Call::Allreduce(vector(20, true));
    let model = Model {
        call: &call,
        size: 8,
        op: &op,
        in_place: false,
    };
    let mut runs = Vec::new();
    for rank in 0..8 {
        let player = model.player(rank, &Topology::one_host(8, false));
        let setup = Setup {
            check: if rank == 5 { 78 } else { 77 },
            ..job.setup(rank, 0, &op)
        };
        let (input, output) = (
            Source::from_vec(player.input),
            Sink::from_vec(player.output),
        );
        let scratch = Scratch::from(player.schedule);
        runs.push(Some(
            Run::new(setup, scratch, Some(input), Some(output)).unwrap(),
        ));
    }
    let mut told = Vec::new();
    while told.len() < 8 {
        job.progress();
        for (rank, slot) in runs.iter_mut().enumerate() {
            let Some(run) = slot else { continue };
            if let Poll::Ready(result) = run.advance(&mut job.engines[rank]) {
                assert_eq!(result, Err(WRONG_TYPE), "rank {rank}");
                let run = slot.take().expect("it has just advanced");
                told.push((rank, run.finish().disagreement.expect("a difference")));
            }
        }
    }
    let from_others = told
        .iter()
        .filter(|(_, (_, it))| *it == Difference::Elsewhere);
    assert!(from_others.clone().count() > 0, "{told:?}");
    let directly = told.iter().filter(|(rank, _)| *rank != 5);
    let directly = directly.filter(|(_, (_, it))| *it == Difference::Call(78));
    assert!(directly.clone().all(|(_, (of, _))| *of == 5), "{told:?}");
    job.check_clean();
}

/// A run that is given up leaves no request and no hold on its memory.
#[test]
fn a_run_can_be_given_up() {
    let op = sum();
    let mut job = Job::new(2, Behaviour::default());
    let call = Call::Allreduce(vector(20, true));
    let model = Model {
        call: &call,
        size: 2,
        op: &op,
        in_place: false,
    };
    let mut run = job.run(&model, 0, 0);
    assert!(run.advance(&mut job.engines[0]).is_pending());
    run.give_up(&mut job.engines[0]);
    let finished = run.finish();
    assert!(finished.output.is_some() && finished.input.is_some());
}

#[test]
fn short_buffers_are_refused() {
    let op = sum();
    let job = Job::new(2, Behaviour::default());
    let call = Call::Allgather { len: 8 };
    let model = Model {
        call: &call,
        size: 2,
        op: &op,
        in_place: false,
    };
    let player = model.player(0, &Topology::one_host(2, false));
    let scratch = Scratch::from(player.schedule);
    let input = Some(Source::from_vec(player.input));
    let output = Some(Sink::with_capacity(15));
    assert!(Run::new(job.setup(0, 0, &op), scratch, input, output).is_err());
}

#[test]
fn tags_go_round() {
    let mut tags = Tags::default();
    assert_eq!((tags.next_tag(), tags.next_tag()), (0, 1));
    for _ in 0..3 {
        assert!(tags.next_tag() >= 0);
    }
}
