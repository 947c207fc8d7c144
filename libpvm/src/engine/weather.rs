//! Traffic between tasks of two hosts while the way between them is late, full and breaks.

use super::request::ReceiveState;
use super::*;
use crate::limits::{NET_BODY_MAX, NET_LENT_MIN};
use crate::sync::Level;
use crate::transport::route::{Route, Routes};
use crate::transport::standin::{Desktop, Hub, Weather, task};
use std::time::{Duration, Instant};

type Far = Engine<Routes<Desktop>>;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(120);

fn storm(seed: u64) -> Hub {
    Hub::in_weather(Weather {
        seed,
        is_late: !seed.is_multiple_of(3),
        breaks: seed % 7,
        refusals: seed * 7 % 40,
    })
}

fn engines(hub: &Hub, count: u32) -> Vec<Far> {
    let engine = |number| {
        Engine::new(
            Routes::new(hub.shm(task(number)), Route::Relay),
            task(number),
        )
    };
    (1..=count).map(engine).collect()
}

/// Progresses all until `done` says so.
fn run(engines: &mut [Far], mut done: impl FnMut(&mut [Far]) -> bool) {
    let start = Instant::now();
    while !done(engines) {
        for engine in &mut *engines {
            engine.progress();
        }
        assert!(start.elapsed() < LONG, "nothing more happens");
    }
}

fn from(source: Option<Peer>, tag: Option<Tag>) -> Selector {
    Selector {
        context: Context::WORLD,
        source,
        tag,
    }
}

fn pattern(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + number * 31) as u8).collect()
}

fn send(engine: &mut Far, to: u32, tag: Tag, bytes: Vec<u8>, mode: Mode) -> RequestId {
    let peer = engine.peer(task(to));
    engine.send(peer, Context::WORLD, tag, 5, Source::from_vec(bytes), mode)
}

fn bytes(outcome: Outcome) -> Vec<u8> {
    outcome.result.unwrap();
    outcome.sink.and_then(Sink::into_vec).unwrap()
}

#[test]
fn messages_of_every_size_arrive_in_both_modes() {
    for seed in 0..10 {
        let hub = storm(seed);
        let mut engines = engines(&hub, 2);
        for len in [0, 1, 40, 41, 64 << 10, (64 << 10) + 1, 1 << 20] {
            for mode in [Mode::Standard, Mode::Synchronous] {
                let receive = engines[1].receive_any_size(from(None, Some(3)), 1 << 30);
                let sent = send(&mut engines[0], 2, 3, pattern(len, len), mode);
                run(&mut engines, |engines| {
                    engines[0].is_complete(sent) && engines[1].is_complete(receive)
                });
                assert!(bytes(engines[1].finish(receive).unwrap()) == pattern(len, len));
                let source = engines[0].finish(sent).unwrap().source.unwrap();
                assert!(!source.is_lent(), "given back while it is read");
            }
        }
    }
}

/// It is read where it lies until the receiver confirms it, or ends without: its news come at once with those
/// of its end.
#[test]
fn a_large_message_that_has_gone_out_was_sent_although_its_receiver_ends() {
    let hub = Hub::default();
    let mut engines = [1, 2].map(|number| {
        let routes = Routes::new(hub.shm(task(number)), Route::Direct);
        Engine::new(routes, task(number))
    });
    send(&mut engines[0], 2, 1, pattern(1, 8), Mode::Standard);
    run(&mut engines, |engines| {
        engines[0].transport().is_direct(task(2)) && engines[1].transport().is_direct(task(1))
    });
    let receive = engines[1].receive_any_size(from(None, Some(3)), 1 << 30);
    let bytes = pattern(1, NET_LENT_MIN + NET_BODY_MAX);
    let sent = send(&mut engines[0], 2, 3, bytes, Mode::Standard);
    let [mut sender, mut receiver] = engines;
    let is_out = |sender: &mut Far| sender.requests.send(sent).unwrap().is_out();
    let is_ready = |receiver: &mut Far| {
        let request = receiver.requests.receive(receive).unwrap();
        matches!(request.state, ReceiveState::Receiving { .. })
    };
    let start = Instant::now();
    while !is_out(&mut sender) {
        sender.progress();
        if !is_ready(&mut receiver) {
            receiver.progress();
        }
        assert!(start.elapsed() < LONG, "nothing more happens");
    }
    drop(receiver);
    hub.end(task(2));
    run(std::slice::from_mut(&mut sender), |engines| {
        engines[0].is_complete(sent)
    });
    assert_eq!(sender.finish(sent).unwrap().result.err(), None);
}

#[test]
fn large_messages_both_ways_at_once() {
    const LEN: usize = 16 << 20;
    let hub = storm(5);
    let mut engines = engines(&hub, 2);
    let sends = [1, 2].map(|me: u32| {
        let bytes = pattern(me as usize, LEN);
        send(
            &mut engines[me as usize - 1],
            3 - me,
            1,
            bytes,
            Mode::Standard,
        )
    });
    let receives = [0, 1].map(|me| engines[me].receive_any_size(from(None, None), 1 << 30));
    run(&mut engines, |engines| {
        (0..2).all(|me| engines[me].is_complete(sends[me]) && engines[me].is_complete(receives[me]))
    });
    for me in 0..2 {
        let received = bytes(engines[me].finish(receives[me]).unwrap());
        assert!(received == pattern(2 - me, LEN));
    }
}

#[test]
fn a_flood_from_near_and_far_is_received_by_wildcards_in_each_senders_order() {
    const EACH: usize = 40;
    for seed in 0..6 {
        let hub = storm(seed);
        let mut engines = engines(&hub, 6);
        for number in 0..EACH {
            for me in 2..=6 {
                let mode = match number % 10 {
                    0 => Mode::Synchronous,
                    _ => Mode::Standard,
                };
                let len = (number * 977 + me as usize) % 5000 * (1 + number % 3 * 8);
                send(
                    &mut engines[me as usize - 1],
                    1,
                    number as Tag,
                    pattern(number, len),
                    mode,
                );
            }
        }
        let mut next = [0; 7];
        let mut left = 5 * EACH;
        let mut receive = engines[0].receive_any_size(from(None, None), 1 << 30);
        run(&mut engines, |engines| {
            while let Some(outcome) = engines[0].finish(receive) {
                let envelope = outcome.result.unwrap();
                let sender = engines[0].task(envelope.source).local() as usize;
                assert_eq!(envelope.tag, next[sender], "seed {seed}: order of {sender}");
                next[sender] += 1;
                let number = envelope.tag as usize;
                assert!(bytes(outcome) == pattern(number, envelope.len as usize));
                left -= 1;
                receive = engines[0].receive_any_size(from(None, None), 1 << 30);
            }
            left == 0
        });
        run(&mut engines, |engines| engines.iter().all(Engine::is_quiet));
    }
}

/// Threads that wait and sleep as tasks do, and leave as tasks do.
#[test]
fn tasks_that_sleep_and_leave_get_and_deliver_everything() {
    const ROUNDS: usize = 300;
    let hub = Hub::in_weather(Weather {
        seed: 1,
        breaks: 1,
        ..Weather::default()
    });
    let cores: Vec<_> = engines(&hub, 2)
        .into_iter()
        .map(|engine| Core::new(engine, Level::Multiple))
        .collect();
    std::thread::scope(|scope| {
        for (me, core) in (1..).zip(&cores) {
            scope.spawn(move || {
                let deadline = Some(Instant::now() + LONG);
                for number in 0..ROUNDS {
                    let len = number * 331 % 100_000;
                    let receive = core
                        .with(|engine| {
                            send(engine, 3 - me, 0, pattern(number, len), Mode::Standard);
                            engine.receive_any_size(from(None, None), 1 << 30)
                        })
                        .unwrap();
                    let outcome = core
                        .wait(deadline, |engine| engine.finish(receive))
                        .unwrap();
                    assert!(bytes(outcome) == pattern(number, len));
                }
                assert!(core.settle(LONG, LONG));
            });
        }
    });
}

/// A task that leaves does not wait long for one that computes.
#[test]
fn leaving_is_not_held_up_by_a_task_that_does_not_look() {
    let hub = Hub::default();
    let mut engines = engines(&hub, 2);
    send(&mut engines[0], 2, 0, vec![1; 100], Mode::Standard);
    let core = Core::new(engines.remove(0), Level::Single);
    let patience = Duration::from_millis(20);
    let start = Instant::now();
    assert!(core.settle(LONG, patience));
    assert!(start.elapsed() >= patience && start.elapsed() < LONG);
    let receive = engines[0].receive_any_size(from(None, None), 1 << 10);
    run(&mut engines, |engines| engines[0].is_complete(receive));
}
