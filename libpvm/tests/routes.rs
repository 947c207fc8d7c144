//! Tasks of several hosts: over the daemons and over direct connections.

use pvm::testing::LocalVm;
use pvm::{ANY, Communicator, Options, Route, Vm};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static TURN: Mutex<()> = Mutex::new(());

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Runs `body` as tasks of three hosts that take this way to each other.
fn tasks<R: Send>(n: usize, route: Route, body: impl Fn(Vm) -> R + Sync) -> Vec<R> {
    // Each has three daemons: one after the other, so that none is late for its peers.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let vm = LocalVm::hosts(3).unwrap_or_else(|error| panic!("{error}"));
    let options = Options::new().route(route);
    vm.tasks_by(n, &options, body)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Sends something there and back.
fn ping_pong(world: &Communicator, other: usize, bytes: &[u8]) {
    if world.rank() < other {
        world.send(other, 1, bytes).unwrap();
        assert_eq!(world.recv::<u8>(other, 1).unwrap().0, bytes);
    } else {
        assert_eq!(world.recv::<u8>(other, 1).unwrap().0, bytes);
        world.send(other, 1, bytes).unwrap();
    }
}

/// Goes on with that until there is a direct connection, as both see it.
fn until_direct(vm: &Vm, other: usize) {
    let world = vm.world();
    let task = world.tasks()[other];
    let start = Instant::now();
    loop {
        let mine = vm.is_connected_directly(task).unwrap();
        let both = match world.rank() < other {
            true => {
                world.send(other, 2, &[u8::from(mine)]).unwrap();
                world.recv::<u8>(other, 2).unwrap().0[0] == 1
            }
            false => {
                let both = mine & (world.recv::<u8>(other, 2).unwrap().0[0] == 1);
                world.send(other, 2, &[u8::from(both)]).unwrap();
                both
            }
        };
        if both {
            return;
        }
        assert!(start.elapsed() < LONG, "no direct connection");
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

#[test]
fn two_that_talk_much_are_connected_directly() {
    tasks(2, Route::Auto, |vm| {
        let world = vm.world();
        ping_pong(&world, 1 - world.rank(), b"hello");
        until_direct(&vm, 1 - world.rank());
        for len in [0, 1, 100, 5000, 70_000, 1 << 20] {
            ping_pong(&world, 1 - world.rank(), &pattern(len));
        }
    });
}

#[test]
fn who_wants_the_relay_keeps_it() {
    tasks(2, Route::Relay, |vm| {
        let world = vm.world();
        let other = 1 - world.rank();
        for len in [0, 1, 100, 5000, 70_000, 1 << 20] {
            (0..10).for_each(|_| ping_pong(&world, other, &pattern(len)));
        }
        assert!(!vm.is_connected_directly(world.tasks()[other]).unwrap());
    });
}

#[test]
fn large_messages_cross_both_ways_at_once() {
    for route in [Route::Direct, Route::Relay] {
        tasks(2, route, |vm| {
            let world = vm.world();
            let other = 1 - world.rank();
            if route == Route::Direct {
                until_direct(&vm, other);
            }
            let mine = pattern((16 << 20) + world.rank());
            let sent = world.isend(other, 3, mine).unwrap();
            let (bytes, _) = world.recv::<u8>(other, 3).unwrap();
            sent.wait().unwrap();
            assert!(bytes == pattern((16 << 20) + other));
        });
    }
}

#[test]
fn a_flood_arrives_in_order_while_the_way_changes() {
    for route in [Route::Auto, Route::Direct] {
        tasks(3, route, |vm| {
            let world = vm.world();
            const COUNT: u32 = 5_000;
            if world.rank() > 0 {
                for number in 0..COUNT {
                    let bytes = vec![number; 1 + (number % 50) as usize];
                    world.send(0, 4, &bytes).unwrap();
                }
                return;
            }
            let mut next = [0; 3];
            for _ in 0..2 * COUNT {
                let (bytes, status) = world.recv::<u32>(ANY, 4).unwrap();
                let from = status.source;
                assert_eq!(bytes[0], next[from]);
                assert_eq!(bytes.len(), 1 + (bytes[0] % 50) as usize);
                next[from] += 1;
            }
        });
    }
}

#[test]
fn all_pairs_at_once() {
    tasks(9, Route::Direct, |vm| {
        let world = vm.world();
        for round in 0..20u64 {
            let mine: Vec<u64> = (0..9)
                .map(|to| round * 100 + world.rank() as u64 * 10 + to)
                .collect();
            let all = world.alltoall(&mine).unwrap();
            let expected = |from: u64| round * 100 + from * 10 + world.rank() as u64;
            assert!((0..9).all(|from| all[from as usize] == expected(from)));
            assert_eq!(world.allreduce(&[1u64], pvm::Sum).unwrap(), [9]);
        }
    });
}

#[test]
fn what_was_sent_before_leaving_arrives() {
    for route in [Route::Direct, Route::Relay] {
        for len in [1, 1000, 10_000] {
            tasks(2, route, |vm| {
                let world = vm.world();
                if route == Route::Direct {
                    until_direct(&vm, 1 - world.rank());
                }
                if world.rank() == 0 {
                    (0..5u8).for_each(|i| world.send(1, 5, &vec![i; len]).unwrap());
                    return;
                }
                // It has long left when this looks for its messages.
                let mut exits = vm.notify_exit(&world.tasks()[..1]).unwrap();
                exits.wait_for(LONG).unwrap().unwrap();
                for i in 0..5u8 {
                    assert_eq!(world.recv::<u8>(0, 5).unwrap().0, vec![i; len]);
                }
                assert!(world.recv::<u8>(0, 5).is_err());
            });
        }
    }
}

#[test]
fn who_computes_gets_what_was_sent_by_one_that_has_left() {
    tasks(2, Route::Direct, |vm| {
        let world = vm.world();
        until_direct(&vm, 1 - world.rank());
        if world.rank() == 0 {
            (0..50u8).for_each(|i| world.send(1, 5, &vec![i; 4000]).unwrap());
            return;
        }
        // Longer than who leaves waits for somebody that confirms nothing.
        std::thread::sleep(Duration::from_millis(2 * pvm::limits::LEAVE_CONFIRM_MS));
        for i in 0..50u8 {
            assert_eq!(world.recv::<u8>(0, 5).unwrap().0, vec![i; 4000]);
        }
    });
}

#[test]
fn threads_that_sleep_hear_memory_sockets_and_each_other() {
    tasks(4, Route::Direct, |vm| {
        // 0 and 3 are on one host, 1 and 2 on others.
        let world = vm.world();
        if world.rank() > 0 {
            for _ in 0..200 {
                let (bytes, _) = world.recv::<u32>(0, 6).unwrap();
                world.send(0, 6 + world.rank() as i32, &bytes).unwrap();
            }
            return;
        }
        std::thread::scope(|scope| {
            for other in 1..4 {
                let world = &world;
                scope.spawn(move || {
                    for number in 0..200u32 {
                        world.send(other, 6, &[number]).unwrap();
                        let (bytes, _) = world.recv::<u32>(other, 6 + other as i32).unwrap();
                        assert_eq!(bytes, [number]);
                    }
                });
            }
        });
    });
}
