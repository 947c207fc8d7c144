//! Nobody waits long for what has come: a lost wake-up shows as a stall of about a second, the
//! longest nap of a waiting task.

use pvm::testing::tasks;
use pvm::{ANY, Communicator, Vm};
use std::time::{Duration, Instant};

/// Far above what a busy machine needs, below the nap that hides a lost wake-up.
const STALL: Duration = Duration::from_millis(700);

/// Runs `round` again and again; gives the longest time that one took.
fn longest(rounds: usize, mut round: impl FnMut(usize)) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0..rounds {
        let start = Instant::now();
        round(number);
        longest = longest.max(start.elapsed());
    }
    longest
}

fn check(what: &str, stalls: impl IntoIterator<Item = Duration>) {
    let longest = stalls.into_iter().max().unwrap_or_default();
    eprintln!("{what}: longest {longest:?}");
    assert!(longest < STALL, "{what} stalled for {longest:?}");
}

fn pairs_play_ping_pong(n: usize, rounds: usize, len: usize) {
    let stalls = tasks(n, |vm| {
        let world = vm.world();
        world.barrier().unwrap();
        let (peer, first) = (world.rank() ^ 1, world.rank() & 1 == 0);
        let ball = vec![7u8; len];
        let mut room = ball.clone();
        longest(rounds, |_| {
            if first {
                world.send(peer, 1, &ball).unwrap();
            }
            world.recv_into(peer, 1, &mut room).unwrap();
            if !first {
                world.send(peer, 1, &ball).unwrap();
            }
        })
    });
    check(&format!("ping-pong of {n}, {len} bytes"), stalls);
}

#[test]
fn ping_pong() {
    pairs_play_ping_pong(2, 2000, 8);
    pairs_play_ping_pong(2, 100, 1 << 20);
    pairs_play_ping_pong(8, 300, 8);
    pairs_play_ping_pong(8, 100, 50_000);
    pairs_play_ping_pong(16, 200, 8);
}

#[test]
fn barriers() {
    for n in [2, 8, 16, 20] {
        let stalls = tasks(n, |vm| {
            let world = vm.world();
            world.barrier().unwrap();
            longest(100, |_| world.barrier().unwrap())
        });
        check(&format!("barrier of {n}"), stalls);
    }
}

#[test]
fn all_to_all() {
    for (n, len) in [
        (4, 8),
        (8, 8),
        (8, 40_000),
        (16, 8),
        (16, 3000),
        (20, 8),
        (20, 20_000),
    ] {
        let stalls = tasks(n, |vm| {
            let world = vm.world();
            world.barrier().unwrap();
            let data = vec![world.rank() as u8; len * n];
            longest(15, |_| {
                let got = world.alltoall(&data).unwrap();
                assert_eq!(got.len(), data.len());
            })
        });
        check(&format!("all-to-all of {n}, {len} bytes"), stalls);
    }
}

/// One of several threads of a task: exchanges messages with its twin in the other task.
fn thread_exchanges(vm: &Vm, world: &Communicator, number: usize, rounds: usize) -> Duration {
    let (peer, first) = (1 - world.rank(), world.rank() == 0);
    let tag = number as i32;
    let len = [1, 100, 5000, 60_000, 400_000][number % 5];
    let ball = vec![number as u8; len];
    longest(rounds, |round| {
        let send = || match (number + round) % 4 {
            0 => world.send_sync(peer, tag, &ball).unwrap(),
            _ => world.send(peer, tag, &ball).unwrap(),
        };
        if first {
            send();
        }
        match (number + round) % 5 {
            0 => drop(world.wait_message(peer, tag).unwrap()),
            1 => drop(world.wait_message(ANY, tag).unwrap()),
            2 => drop(vm.tasks().unwrap()),
            _ => {}
        }
        let (got, _) = world.recv::<u8>(peer, tag).unwrap();
        assert_eq!(got, ball);
        if !first {
            send();
        }
    })
}

#[test]
fn many_threads_exchange() {
    for threads in [2, 8] {
        let stalls = tasks(2, |vm| {
            let world = vm.world();
            world.barrier().unwrap();
            let (vm, world) = (&vm, &world);
            std::thread::scope(|scope| {
                let thread = |number| scope.spawn(move || thread_exchanges(vm, world, number, 50));
                let all: Vec<_> = (0..threads).map(thread).collect();
                all.into_iter().map(|t| t.join().unwrap()).max().unwrap()
            })
        });
        check(&format!("{threads} threads"), stalls);
    }
}

#[test]
fn threads_send_to_threads_of_their_own_task() {
    let stalls = tasks(1, |vm| {
        let world = vm.world();
        let world = &world;
        std::thread::scope(|scope| {
            let play = |first: bool, sync: bool, tags: [i32; 2]| {
                scope.spawn(move || {
                    longest(200, |_| {
                        let send = || match sync {
                            true => world.send_sync(0, tags[0], &[1u8]).unwrap(),
                            false => world.send(0, tags[0], &[1u8]).unwrap(),
                        };
                        if first {
                            send();
                        }
                        world.wait_message(0, tags[1]).unwrap();
                        world.recv::<u8>(0, tags[1]).unwrap();
                        if !first {
                            send();
                        }
                    })
                })
            };
            let all = [
                play(true, false, [1, 2]),
                play(false, false, [2, 1]),
                play(true, true, [3, 4]),
                play(false, true, [4, 3]),
            ];
            all.map(|t| t.join().unwrap()).into_iter().max().unwrap()
        })
    });
    check("threads of one task", stalls);
}
