//! Collectives against what they should give, on 1 to 8 tasks.

use pvm::testing::LocalVm;
use pvm::{BitXor, Communicator, Commutative, Error, Max, Min, Product, Sum, Vm};

/// Lengths from nothing over every algorithm's threshold.
const LENGTHS: [usize; 6] = [0, 1, 7, 100, 5000, 40_000];

/// Runs `body` on 1 to 8 tasks.
fn on_any_size(body: impl Fn(Communicator) + Sync) {
    let local = LocalVm::start().unwrap();
    for size in 1..=8 {
        local.tasks(size, |vm: Vm| body(vm.world())).unwrap();
    }
}

fn data(rank: usize, len: usize) -> Vec<i64> {
    (0..len)
        .map(|i| (i * 7 + rank * 13) as i64 % 101 - 50)
        .collect()
}

#[test]
fn broadcast_and_barrier() {
    on_any_size(|world| {
        for root in 0..world.size() {
            for len in LENGTHS {
                let mut buffer = data(world.rank(), len);
                world.broadcast(root, &mut buffer).unwrap();
                assert_eq!(buffer, data(root, len));
            }
            world.barrier().unwrap();
            let value = (world.rank() == root).then(|| vec![format!("from {root}"); 3]);
            let value = world.broadcast_value(root, value).unwrap();
            assert_eq!(value, vec![format!("from {root}"); 3]);
        }
        let nothing = world.broadcast_value::<u8>(0, None);
        assert!(matches!(nothing, Err(Error::Collective(_))));
        world.barrier().unwrap();
    });
}

#[test]
fn gather_and_scatter() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        for root in [0, size - 1] {
            for len in LENGTHS {
                let all: Vec<i64> = (0..size).flat_map(|rank| data(rank, len)).collect();
                let gathered = world.gather(root, &data(rank, len)).unwrap();
                assert_eq!(gathered, (rank == root).then(|| all.clone()));
                let mut part = vec![0; len];
                let at_root = if rank == root { &all[..] } else { &[] };
                world.scatter(root, at_root, &mut part).unwrap();
                assert_eq!(part, data(rank, len));
                assert_eq!(world.allgather(&part).unwrap(), all);

                let uneven: Vec<Vec<i64>> = (0..size)
                    .map(|rank| data(rank, len * rank / size))
                    .collect();
                let gathered = world.gatherv(root, &uneven[rank]).unwrap();
                assert_eq!(gathered, (rank == root).then(|| uneven.clone()));
                let parts = if rank == root { &uneven[..] } else { &[] };
                assert_eq!(world.scatterv(root, parts).unwrap(), uneven[rank]);
                assert_eq!(world.allgatherv(&uneven[rank]).unwrap(), uneven);
            }
            let words = world.gather_value(root, &"x".repeat(rank)).unwrap();
            let expected = || (0..size).map(|rank| "x".repeat(rank)).collect::<Vec<_>>();
            assert_eq!(words, (rank == root).then(expected));
            assert_eq!(world.allgather_value(&Some(rank)).unwrap().len(), size);
        }
    });
}

#[test]
fn alltoall() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        let block = |from: usize, to: usize, len: usize| data(from * 10 + to, len);
        for len in [0, 1, 5, 300, 9000] {
            let sent: Vec<i64> = (0..size).flat_map(|to| block(rank, to, len)).collect();
            let expected: Vec<i64> = (0..size).flat_map(|from| block(from, rank, len)).collect();
            assert_eq!(world.alltoall(&sent).unwrap(), expected);
            let uneven = |from: usize, to: usize| block(from, to, len * (from + 2 * to) / size);
            let parts: Vec<Vec<i64>> = (0..size).map(|to| uneven(rank, to)).collect();
            let expected: Vec<Vec<i64>> = (0..size).map(|from| uneven(from, rank)).collect();
            assert_eq!(world.alltoallv(&parts).unwrap(), expected);
        }
    });
}

/// Combines the data of some ranks, element by element, in order.
fn naive(ranks: std::ops::Range<usize>, len: usize, op: fn(i64, i64) -> i64) -> Vec<i64> {
    let combine = |left: Vec<i64>, right: Vec<i64>| {
        left.into_iter().zip(right).map(|(a, b)| op(a, b)).collect()
    };
    ranks
        .map(|rank| data(rank, len))
        .reduce(combine)
        .unwrap_or_default()
}

#[test]
fn reductions_with_builtin_operations() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        for len in LENGTHS {
            let mine = data(rank, len);
            let all = |op| naive(0..size, len, op);
            assert_eq!(
                world.allreduce(&mine, Sum).unwrap(),
                all(|a, b| a.wrapping_add(b))
            );
            assert_eq!(
                world.allreduce(&mine, Product).unwrap(),
                all(|a, b| a.wrapping_mul(b))
            );
            assert_eq!(world.allreduce(&mine, Min).unwrap(), all(|a, b| a.min(b)));
            assert_eq!(world.allreduce(&mine, Max).unwrap(), all(|a, b| a.max(b)));
            assert_eq!(world.allreduce(&mine, BitXor).unwrap(), all(|a, b| a ^ b));
            for root in [0, size - 1] {
                let reduced = world.reduce(root, &mine, Sum).unwrap();
                assert_eq!(reduced, (rank == root).then(|| all(|a, b| a + b)));
            }
            assert_eq!(
                world.scan(&mine, Sum).unwrap(),
                naive(0..rank + 1, len, |a, b| a + b)
            );
            let before = world.exscan(&mine, Sum).unwrap();
            assert_eq!(
                before,
                (rank > 0).then(|| naive(0..rank, len, |a, b| a + b))
            );
        }
    });
}

/// Associative, not commutative: composition of the maps x -> slope * x + offset, modulo 2^32.
fn compose(first: [u32; 2], second: [u32; 2]) -> [u32; 2] {
    let offset = first[1].wrapping_mul(second[0]).wrapping_add(second[1]);
    [first[0].wrapping_mul(second[0]), offset]
}

#[test]
fn reductions_with_functions_of_the_program() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        let map = |rank: usize, i: usize| [2 * rank as u32 + 3, (rank * 100 + i) as u32];
        for len in [1, 50, 6000] {
            let of = |rank: usize| (0..len).map(|i| map(rank, i)).collect::<Vec<_>>();
            let of_all = |upto: usize| -> Vec<[u32; 2]> {
                (0..len)
                    .map(|i| (0..upto).map(|rank| map(rank, i)).reduce(compose).unwrap())
                    .collect()
            };
            assert_eq!(world.allreduce(&of(rank), compose).unwrap(), of_all(size));
            assert_eq!(world.scan(&of(rank), compose).unwrap(), of_all(rank + 1));
            for root in [0, size / 2] {
                let reduced = world.reduce(root, &of(rank), compose).unwrap();
                assert_eq!(reduced, (rank == root).then(|| of_all(size)));
            }
            let hypot = |a: f64, b: f64| (a * a + b * b).sqrt();
            let length = world.allreduce(&[1.0], Commutative(hypot)).unwrap()[0];
            assert!((length - (size as f64).sqrt()).abs() < 1e-12);
        }
    });
}

#[test]
fn a_panic_in_an_operation_comes_out_of_the_call() {
    let local = LocalVm::start().unwrap();
    local
        .tasks(2, |vm| {
            let world = vm.world();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                world.allreduce(&[1u8], |_, _| -> u8 { panic!("no") })
            }));
            assert!(result.is_err());
            // The communicator works on.
            assert_eq!(world.allreduce(&[1u8], Sum).unwrap(), [2]);
        })
        .unwrap();
}

#[test]
fn collectives_go_on_in_the_background() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        let sum = world.iallreduce(data(rank, 500), Sum).unwrap();
        let all = world.iallgather(data(rank, 3)).unwrap();
        let barrier = world.ibarrier().unwrap();
        let from_last = world.ibroadcast(size - 1, data(rank, 70_000)).unwrap();
        let gathered = world.igather(0, vec![rank]).unwrap();
        let swapped = world.ialltoall(vec![rank; size]).unwrap();
        let least = world.ireduce(size - 1, vec![rank as i32 - 5], Min).unwrap();
        let scanned = world.iscan(vec![1u64], Sum).unwrap();
        // A blocking one among them, and the waits in another order.
        assert_eq!(world.allreduce(&[1usize], Sum).unwrap(), [size]);
        assert_eq!(scanned.wait().unwrap().0, [rank as u64 + 1]);
        assert_eq!(
            least.wait().unwrap().0,
            (rank == size - 1).then(|| vec![-5])
        );
        assert_eq!(swapped.wait().unwrap().0, (0..size).collect::<Vec<_>>());
        assert_eq!(
            gathered.wait().unwrap().0,
            (rank == 0).then(|| (0..size).collect::<Vec<_>>())
        );
        assert_eq!(from_last.wait().unwrap().0, data(size - 1, 70_000));
        barrier.wait().unwrap();
        let expected: Vec<i64> = (0..size).flat_map(|rank| data(rank, 3)).collect();
        assert_eq!(all.wait().unwrap().0, expected);
        assert_eq!(sum.wait().unwrap().0, naive(0..size, 500, |a, b| a + b));
    });
}

#[test]
fn split_and_dup_make_worlds_apart() {
    on_any_size(|world| {
        let (rank, size) = (world.rank(), world.size());
        let twin = world.dup().unwrap();
        assert_eq!(
            (twin.rank(), twin.size(), twin.tasks()),
            (rank, size, world.tasks())
        );
        // Messages of one are not seen in the other.
        let next = (rank + 1) % size;
        world.send(next, 1, b"world").unwrap();
        twin.send(next, 1, b"twin").unwrap();
        assert_eq!(twin.recv::<u8>(pvm::ANY, 1).unwrap().0, b"twin");
        assert_eq!(world.recv::<u8>(pvm::ANY, 1).unwrap().0, b"world");

        // Even and odd ranks, in reverse order; the last rank stays out.
        let color = (rank + 1 < size).then_some((rank % 2) as i64);
        let part = twin.split(color, -(rank as i64)).unwrap();
        assert_eq!(part.is_some(), color.is_some());
        if let Some(part) = part {
            let expected: Vec<usize> = (0..size - 1)
                .rev()
                .filter(|other| other % 2 == rank % 2)
                .collect();
            assert_eq!(part.allgather(&[rank]).unwrap(), expected);
            assert_eq!(expected[part.rank()], rank);
            let sum = part.allreduce(&[rank], Sum).unwrap();
            assert_eq!(sum, [expected.iter().sum::<usize>()]);
        }
        drop(twin);
        world.barrier().unwrap();
    });
}

#[test]
fn different_calls_at_the_same_time_are_an_error() {
    let local = LocalVm::start().unwrap();
    let results = local.tasks(2, |vm| {
        let world = vm.world();
        match world.rank() {
            0 => world.allreduce(&[1u32], Sum).map(drop),
            _ => world.allreduce(&[1.0f32], Sum).map(drop),
        }
    });
    for result in results.unwrap() {
        assert!(matches!(result, Err(Error::Collective(_))), "{result:?}");
    }
}
