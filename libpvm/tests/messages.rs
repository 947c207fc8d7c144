//! Messages between tasks: order, wildcards, sizes, types, probing, requests.

use pvm::testing::tasks;
use pvm::{ANY, Communicator, Error, Request};

#[test]
fn messages_keep_their_order() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            for i in 0..2000u32 {
                // Small and large ones take different ways.
                let len = if i % 50 == 0 {
                    100_000
                } else {
                    (i % 7) as usize
                };
                world.send(1, (i % 2) as i32, &vec![i; len + 1]).unwrap();
            }
        } else {
            for i in 0..2000u32 {
                let (data, status) = world.recv::<u32>(0, ANY).unwrap();
                assert_eq!((data[0], status.tag), (i, (i % 2) as i32));
            }
        }
    });
}

#[test]
fn tags_and_sources_choose_among_waiting_messages() {
    tasks(3, |vm| {
        let world = vm.world();
        if world.rank() > 0 {
            for tag in [1, 2, 3] {
                world
                    .send(0, tag, &[world.rank() as u8, tag as u8])
                    .unwrap();
            }
            return;
        }
        let (data, status) = world.recv::<u8>(2, 3).unwrap();
        assert_eq!((&data[..], status.source, status.tag), (&[2, 3][..], 2, 3));
        let (data, status) = world.recv::<u8>(ANY, 2).unwrap();
        assert_eq!(data, [status.source as u8, 2]);
        for _ in 0..2 {
            let (data, _) = world.recv::<u8>(1, ANY).unwrap();
            assert_eq!(data[0], 1);
        }
        let mut left: Vec<i32> = (0..2)
            .map(|_| world.recv::<u8>(2, ANY).unwrap().1.tag)
            .collect();
        if status.source == 1 {
            left.sort_unstable();
            assert_eq!(left, [1, 2]);
        }
    });
}

#[test]
fn messages_of_all_sizes_go_both_ways_at_once() {
    const MIB: usize = 1 << 20;
    let sizes = [
        0,
        1,
        39,
        40,
        41,
        4095,
        4096,
        65_536,
        65_537,
        MIB,
        16 * MIB + 3,
        64 * MIB,
    ];
    tasks(2, |vm| {
        let world = vm.world();
        let other = 1 - world.rank();
        for size in sizes {
            let fill = |rank: usize| (0..size).map(move |i| (i * 31 + i / 256 + rank) as u8);
            let data: Vec<u8> = fill(world.rank()).collect();
            let mut room = vec![0; size];
            let status = world
                .sendrecv((other, 7), &data, other, 7, &mut room)
                .unwrap();
            assert_eq!(status.len, size as u64);
            assert!(
                room.into_iter().eq(fill(other)),
                "{size} bytes were spoiled"
            );
        }
    });
}

#[test]
fn a_task_sends_to_itself() {
    tasks(1, |vm| {
        let world = vm.world();
        world.send(0, 1, &[1.5f64]).unwrap();
        assert_eq!(world.recv::<f64>(0, 1).unwrap().0, [1.5]);
        // A large one needs its receive, so it is sent without waiting.
        let request = world.isend(0, 2, vec![7u32; 1 << 20]).unwrap();
        assert_eq!(world.recv::<u32>(ANY, 2).unwrap().0, vec![7; 1 << 20]);
        assert_eq!(request.wait().unwrap().0.len(), 1 << 20);
        vm.send(vm.task_id(), 3, b"by id").unwrap();
        assert_eq!(vm.recv::<u8>(vm.task_id(), 3).unwrap().0, b"by id");
        assert!(vm.probe(ANY, ANY).unwrap().is_none());
    });
}

#[test]
fn too_long_messages_fill_the_buffer_and_say_so() {
    tasks(2, |vm| {
        let world = vm.world();
        for len in [5usize, 500_000] {
            if world.rank() == 0 {
                let data: Vec<u16> = (0..len as u16).collect();
                world.send(1, 0, &data).unwrap();
            } else {
                let mut room = [9u16; 3];
                match world.recv_into(0, 0, &mut room) {
                    Err(Error::Truncated {
                        len: sent,
                        capacity: 6,
                    }) => {
                        assert_eq!(sent, 2 * (len as u16) as u64);
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(room, [0, 1, 2]);
            }
        }
    });
}

#[test]
fn a_wrong_type_is_an_error_and_the_next_message_is_fine() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            for _ in 0..3 {
                world.send(1, 0, &[1.0f64, 2.0]).unwrap();
            }
            world.send_value(1, 0, &("seven", 7)).unwrap();
            world.send_value(1, 0, "text").unwrap();
            return;
        }
        let error = world.recv::<u64>(0, 0).unwrap_err();
        assert_eq!(error.to_string(), "the message holds f64, not u64");
        let error = world.recv_into(0, 0, &mut [0u8; 64]).unwrap_err();
        assert!(matches!(error, Error::TypeMismatch { .. }));
        let error = world.recv_value::<Vec<f64>>(0, 0).unwrap_err();
        assert!(matches!(error, Error::TypeMismatch { .. }));
        let error = world.recv_value::<(String, u32)>(0, 0).unwrap_err();
        assert!(matches!(error, Error::TypeMismatch { .. }));
        assert_eq!(world.recv_value::<String>(0, 0).unwrap().0, "text");
    });
}

#[test]
fn impossible_arguments_are_errors() {
    tasks(1, |vm| {
        let world = vm.world();
        let out = |result: pvm::Result<()>| {
            assert!(matches!(
                result,
                Err(Error::RankOutOfRange { rank: 1, size: 1 })
            ));
        };
        let negative = |result: pvm::Result<()>| {
            assert!(matches!(result, Err(Error::NegativeTag(-1))));
        };
        out(world.send(1, 0, &[0u8]));
        out(world.recv::<u8>(1, 0).map(drop));
        out(world.isend(1, 0, vec![0u8]).map(drop));
        out(world.broadcast(1, &mut [0u8]));
        out(world.task_of(1).map(drop));
        out(world.gather(1, &[0u8]).map(drop));
        out(world.reduce(1, &[0u8], pvm::Sum).map(drop));
        negative(world.send(0, -1, &[0u8]));
        negative(world.recv::<u8>(0, -1).map(drop));
        negative(vm.send(vm.task_id(), -1, &[0u8]));
        let wrong = world.scatter(0, &[0u8; 3], &mut [0u8; 2]);
        assert!(matches!(
            wrong,
            Err(Error::WrongLength {
                expected: 2,
                got: 3,
                ..
            })
        ));
        let wrong = world.alltoallv::<u8>(&[]);
        assert!(matches!(
            wrong,
            Err(Error::WrongLength {
                expected: 1,
                got: 0,
                ..
            })
        ));
    });
}

#[test]
fn probing_looks_and_claiming_takes() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            world.send(1, 5, &[1u8, 2, 3]).unwrap();
            world.send(1, 6, &vec![4u8; 300_000]).unwrap();
            world.send_value(1, 7, &vec!["a", "b"]).unwrap();
            world.send_sync(1, 8, &[0u8; 10]).unwrap();
            return;
        }
        let status = world.wait_message(0, 5).unwrap();
        assert_eq!(
            (status.source, status.len, status.count::<u8>()),
            (0, 3, Some(3))
        );
        assert_eq!(status.count::<u16>(), None);
        assert_eq!(world.probe(0, 5).unwrap(), Some(status));
        let first = world.claim(0, 5).unwrap().unwrap();
        assert_eq!(world.probe(0, 5).unwrap(), None);
        let second = world.wait_claim(ANY, 6).unwrap();
        assert_eq!(second.recv::<u8>().unwrap(), vec![4; 300_000]);
        assert_eq!(first.recv::<u8>().unwrap(), [1, 2, 3]);
        let third = world.wait_claim(0, 7).unwrap();
        assert_eq!(third.recv_value::<Vec<String>>().unwrap(), ["a", "b"]);
        // A message that is thrown away lets its sender go on.
        drop(world.wait_claim(0, 8).unwrap());
    });
}

#[test]
fn a_synchronous_send_waits_for_its_receive() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            let mut request = world.isend_sync(1, 0, vec![1u8]).unwrap();
            world.barrier().unwrap();
            assert!(request.test().unwrap().is_none());
            world.send(1, 1, &[0u8]).unwrap();
            let (data, status) = request.wait().unwrap();
            assert_eq!((data, status.source), (vec![1], 1));
        } else {
            world.barrier().unwrap();
            world.recv::<u8>(0, 1).unwrap();
            world.recv::<u8>(0, 0).unwrap();
        }
    });
}

#[test]
fn ten_thousand_requests_are_under_way() {
    const COUNT: usize = 10_000;
    tasks(2, |vm| {
        let world = vm.world();
        let other = 1 - world.rank();
        let receives: Vec<_> = (0..COUNT)
            .map(|i| world.irecv(other, i as i32, vec![0u64; 8]).unwrap())
            .collect();
        // The other way round than they are received.
        let sends: Vec<_> = (0..COUNT)
            .rev()
            .map(|i| world.isend(other, i as i32, vec![i as u64; i % 8]).unwrap())
            .collect();
        for (i, (data, status)) in pvm::wait_all(receives).unwrap().into_iter().enumerate() {
            assert_eq!((data, status.tag), (vec![i as u64; i % 8], i as i32));
        }
        assert_eq!(pvm::wait_all(sends).unwrap().len(), COUNT);
    });
}

#[test]
fn requests_are_waited_for_in_sets() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            for tag in [2, 0, 1] {
                world.recv::<u8>(1, 9).unwrap();
                world.send(1, tag, &[tag as u8]).unwrap();
            }
            return;
        }
        let next = || world.send(0, 9, &[0u8]).unwrap();
        let mut set: Vec<Request<Vec<u8>>> = (0..3)
            .map(|tag| world.irecv(0, tag, vec![0; 4]).unwrap())
            .collect();
        assert!(pvm::test_any(&mut set).unwrap().is_none());
        assert!(pvm::test_all(&mut set).unwrap().is_none());
        assert!(pvm::test_some(&mut set).unwrap().is_empty());
        next();
        let (at, result) = pvm::wait_any(&mut set).unwrap().unwrap();
        assert_eq!((at, result.unwrap().0), (2, vec![2]));
        next();
        let some = pvm::wait_some(&mut set).unwrap();
        assert_eq!(some.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0]);
        next();
        let all = loop {
            if let Some(all) = pvm::test_all(&mut set).unwrap() {
                break all;
            }
        };
        assert_eq!(all[0].0, [1]);
        assert!(set.iter().all(Request::is_finished));
        assert!(pvm::wait_any(&mut set).unwrap().is_none());
        assert!(matches!(
            set.pop().unwrap().wait(),
            Err(Error::FinishedBefore)
        ));
    });
}

#[test]
fn a_cancelled_receive_leaves_its_message_to_others() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            let mut cancelled = world.irecv(1, 0, vec![0u8; 8]).unwrap();
            cancelled.cancel().unwrap();
            assert!(matches!(cancelled.wait(), Err(Error::Cancelled)));
            // A dropped one is cancelled, too.
            drop(world.irecv(1, 0, vec![0u8; 8]).unwrap());
            world.barrier().unwrap();
            assert_eq!(world.recv::<u8>(1, 0).unwrap().0, [3]);
        } else {
            world.barrier().unwrap();
            world.send(0, 0, &[3u8]).unwrap();
        }
    });
}

#[test]
fn dropped_and_leaked_sends_go_through() {
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 0 {
            drop(world.isend(1, 0, vec![1u8; 1 << 20]).unwrap());
            std::mem::forget(world.isend(1, 1, vec![2u8; 1 << 20]).unwrap());
            std::mem::forget(world.irecv(1, 2, vec![0u8; 1 << 20]).unwrap());
            world.barrier().unwrap();
            // Leaving waits for this one.
            drop(world.isend(1, 3, vec![4u8; 1 << 20]).unwrap());
        } else {
            assert_eq!(world.recv::<u8>(0, 1).unwrap().0, vec![2; 1 << 20]);
            assert_eq!(world.recv::<u8>(0, 0).unwrap().0, vec![1; 1 << 20]);
            world.send(0, 2, &vec![3u8; 1 << 20]).unwrap();
            world.barrier().unwrap();
            assert_eq!(world.recv::<u8>(0, 3).unwrap().0, vec![4; 1 << 20]);
        }
    });
}

#[test]
fn tasks_talk_by_id_beside_their_communicators() {
    tasks(3, |vm| {
        let world = vm.world();
        let next = world.task_of((world.rank() + 1) % 3).unwrap();
        world.send((world.rank() + 1) % 3, 1, b"by rank").unwrap();
        vm.send_value(next, 1, &world.rank()).unwrap();
        let (rank, status) = vm.recv_value::<usize>(ANY, 1).unwrap();
        assert_eq!(world.rank_of(status.source), Some(rank));
        assert_eq!(world.recv::<u8>(ANY, 1).unwrap().0, b"by rank");
        let request = vm.irecv(ANY, 2, vec![0u16; 2]).unwrap();
        vm.isend(next, 2, vec![1u16, 2]).unwrap().wait().unwrap();
        assert_eq!(request.wait().unwrap().0, [1, 2]);
    });
}

/// A struct of plain data travels as it is.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Particle {
    place: [f64; 3],
    charge: i32,
    kind: u32,
}

#[test]
fn structs_of_plain_data_travel() {
    fn exchange(world: &Communicator) -> Vec<Particle> {
        let mine = Particle {
            place: [world.rank() as f64; 3],
            charge: -1,
            kind: 7,
        };
        world
            .send((world.rank() + 1) % world.size(), 0, &[mine; 5])
            .unwrap();
        world.recv(ANY, 0).unwrap().0
    }
    let received = tasks(2, |vm| exchange(&vm.world()));
    assert_eq!(
        received[0],
        [Particle {
            place: [1.0; 3],
            charge: -1,
            kind: 7
        }; 5]
    );
}
