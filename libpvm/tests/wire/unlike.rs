//! A real task, and a task of a big-endian machine with 32 bits on another host.

use crate::peer::{
    COLLECTIVE, CONFIRM, EAGER, FORM, Packet, Peer, WORLD, hash, high_first, two_tasks,
};
use crate::vectors::{TYPED, VALUES, assert_golden, named};
use bytemuck::{Pod, Zeroable};
use pvm::testing::LocalVm;
use pvm::wire::control::AdoptedTask;
use pvm::{Communicator, Error, Max, Options, Plain, Route, Sum, TaskId, UnlikeError, Vm};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::num::Wrapping;
use std::path::PathBuf;

/// Types of elements: what the golden bytes are called, what is hashed here, and there.
const TYPES: &[(&str, &str, &str)] = &[
    ("u8", "u8", "u8"),
    ("i8", "i8", "i8"),
    ("u16", "u16", "u16"),
    ("i16", "i16", "i16"),
    ("u32", "u32", "u32"),
    ("i32", "i32", "i32"),
    ("u64", "u64", "u64"),
    ("i64", "i64", "i64"),
    ("u128", "u128", "u128"),
    ("i128", "i128", "i128"),
    ("f32", "f32", "f32"),
    ("f64", "f64", "f64"),
    ("[f64; 2]", "plain [f64; 2]", "plain [f64; 2]"),
    (
        "[[u16; 3]; 2]",
        "plain [[u16; 3]; 2]",
        "plain [[u16; 3]; 2]",
    ),
    (
        "Wrapping<u32>",
        "plain core::num::wrapping::Wrapping<u32>",
        "plain core::num::wrapping::Wrapping<u32>",
    ),
    ("usize", "u64", "u32"),
    ("isize", "i64", "i32"),
    ("[usize; 2]", "plain [usize; 2]", "plain [usize; 2]"),
];

#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Point {
    x: f64,
    y: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Box { width: u16, height: i32 },
}

/// The tag of the last message.
const DONE: i32 = 1000;

/// Two tasks of two hosts: rank 0 is ours, rank 1 the other machine's, which stays until ours has got
/// everything: the last words of a task that ends without waiting for that may be lost.
fn meet(ours: impl FnOnce(&Communicator), theirs: impl FnOnce(&mut Peer) + Send) {
    let vm = LocalVm::hosts(2).unwrap_or_else(|error| panic!("{error}"));
    let (_lease, [mine, others]) = two_tasks(&vm);
    let vm = attach(&mine);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::attach(&others, mine.task);
            theirs(&mut peer);
            assert_eq!(peer.receive().tag, DONE);
        });
        let world = vm.world();
        ours(&world);
        world.send(1, DONE, &[0u8]).unwrap();
    });
}

fn attach(identity: &AdoptedTask) -> Vm {
    let task = TaskId::from_bits(identity.task).unwrap();
    let socket = PathBuf::from(&identity.socket);
    let options = Options::new().route(Route::Relay);
    Vm::attach_with(options.identity(socket, task, identity.capability.clone())).unwrap()
}

/// Sends elements and receives them back from the other machine, in every way.
fn exchange<T: Plain + PartialEq + Debug>(world: &Communicator, tag: i32, values: &[T]) {
    world.send(1, tag, values).unwrap();
    let (back, status) = world.recv::<T>(1, tag).unwrap();
    assert_eq!(back, values);
    assert_eq!(status.count::<T>(), Some(values.len()));
    let mut room = [values, values].concat();
    room.reverse();
    let rest = room[values.len()..].to_vec();
    world.recv_into(1, tag, &mut room).unwrap();
    assert_eq!(room, [values, &rest].concat());
    let room = vec![T::zeroed(); values.len() + 1];
    let (back, status) = world.irecv(1, tag, room).unwrap().wait().unwrap();
    assert_eq!(back, values);
    assert_eq!(status.len, size_of_val(values) as u64);
    let back = world.wait_claim(1, tag).unwrap().recv::<T>().unwrap();
    assert_eq!(back, values);
    let mut room = vec![T::zeroed(); values.len()];
    let claimed = world.wait_claim(1, tag).unwrap();
    claimed.recv_into(&mut room).unwrap();
    assert_eq!(room, values);
}

#[test]
fn every_plain_type_goes_both_ways() {
    let theirs = |peer: &mut Peer| {
        for (tag, (name, here, there)) in (0..).zip(TYPES) {
            let packet = peer.receive();
            let head = (packet.kind, packet.flags, packet.context, packet.tag);
            assert_eq!(head, (EAGER, 0, WORLD, tag), "{name}");
            assert_eq!(packet.check, hash(here), "{name}");
            assert_golden(TYPED, &format!("{name} little"), &packet.body);
            for _ in 0..5 {
                let body = named(TYPED, &format!("{name} big"));
                peer.send(WORLD, tag, hash(there), body);
            }
        }
    };
    let ours = |world: &Communicator| {
        let large = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10;
        exchange(world, 0, &[0u8, 1, 1, u8::MAX]);
        exchange(world, 1, &[0i8, 1, -2, i8::MAX, i8::MIN]);
        exchange(world, 2, &[0u16, 1, 0x0102, u16::MAX]);
        exchange(world, 3, &[0i16, 1, -2, i16::MAX, i16::MIN]);
        exchange(world, 4, &[0u32, 1, 0x0102_0304, u32::MAX]);
        exchange(world, 5, &[0i32, 1, -2, i32::MAX, i32::MIN]);
        exchange(world, 6, &[0u64, 1, 0x0102_0304_0506_0708, u64::MAX]);
        exchange(world, 7, &[0i64, 1, -2, i64::MAX, i64::MIN]);
        exchange(world, 8, &[0u128, 1, large, u128::MAX]);
        exchange(world, 9, &[0i128, 1, -2, i128::MAX, i128::MIN]);
        let least = f32::from_bits(1);
        exchange(world, 10, &[0f32, 1.0, -2.5, f32::INFINITY, least]);
        let (infinity, least) = (f64::NEG_INFINITY, f64::from_bits(1));
        let pi = std::f64::consts::PI;
        exchange(world, 11, &[0f64, -0.0, 1.0, -2.5, infinity, least, pi]);
        exchange(world, 12, &[[1f64, -1.0], [0.5, 2.0]]);
        let nested = [
            [[1u16, 2, 3], [0x0405, 6, 7]],
            [[8, 9, 10], [11, 12, 0xfffe]],
        ];
        exchange(world, 13, &nested);
        exchange(world, 14, &[Wrapping(1u32), Wrapping(0xdead_beef)]);
        let most = u32::MAX as usize;
        exchange(world, 15, &[0usize, 1, 0x0102_0304, most]);
        let (least, most_signed) = (i32::MIN as isize, i32::MAX as isize);
        exchange(world, 16, &[0isize, 1, -2, most_signed, least]);
        exchange(world, 17, &[[1usize, 2], [3, most]]);
    };
    meet(ours, theirs);
}

#[test]
fn announced_and_confirmed_messages_go_both_ways() {
    const COUNT: usize = 100_000;
    let number = |i: usize| i as f64 * 1.5 - 7.0;
    let theirs = |peer: &mut Peer| {
        let packet = peer.receive();
        assert_eq!(packet.body.len(), 8 * COUNT);
        for (i, word) in packet.body.as_chunks::<8>().0.iter().enumerate() {
            let bits = word
                .iter()
                .rev()
                .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            assert_eq!(f64::from_bits(bits), number(i));
        }
        let words = (0..COUNT).map(|i| high_first(number(i).to_bits().into(), 8));
        let body: Vec<u8> = words.flatten().collect();
        peer.send(WORLD, 1, hash("f64"), body.clone());
        // Too large for its room.
        peer.send(WORLD, 2, hash("f64"), body);
        let confirmed = peer.receive();
        assert_eq!(confirmed.body, [4, 3, 2, 1]);
        let body = high_first(0x0102_0304, 4);
        peer.put(Packet {
            kind: EAGER,
            flags: FORM | CONFIRM,
            context: WORLD,
            tag: 4,
            check: hash("u32"),
            args: Some([5, 4, 0, 1]),
            body,
        });
        let finish = peer.receive_answer();
        assert_eq!(finish.args.unwrap()[0], 5);
    };
    let ours = |world: &Communicator| {
        let all: Vec<f64> = (0..COUNT).map(number).collect();
        world.send(1, 0, &all).unwrap();
        assert!(world.recv::<f64>(1, 1).unwrap().0 == all);
        let mut room = [0f64; 3];
        let error = world.recv_into(1, 2, &mut room).unwrap_err();
        assert!(
            matches!(error, Error::Truncated { capacity: 24, .. }),
            "{error}"
        );
        assert_eq!(room, all[..3]);
        world.send_sync(1, 3, &[0x0102_0304u32]).unwrap();
        assert_eq!(world.recv::<u32>(1, 4).unwrap().0, [0x0102_0304]);
    };
    meet(ours, theirs);
}

#[test]
fn what_cannot_be_converted_is_an_error_and_not_garbage() {
    let theirs = |peer: &mut Peer| {
        peer.send(WORLD, 0, hash("plain wire::unlike::Point"), vec![0; 16]);
        peer.send(WORLD, 1, hash("u32"), vec![0; 4]);
        peer.send(WORLD, 2, hash("u32"), vec![0; 7]);
        peer.send(WORLD, 3, hash("u32"), high_first(7, 4).repeat(3));
        peer.send(WORLD, 4, 0, vec![1, 2, 3, 4]);
        for (tag, name) in [(5, "u16"), (6, "u8")] {
            peer.put(Packet {
                kind: EAGER,
                flags: FORM | 1 << 6,
                context: WORLD,
                tag,
                check: hash(name),
                args: None,
                body: vec![1, 2],
            });
        }
        peer.send(WORLD, 7, hash("plain [usize; 2]"), vec![0; 12]);
    };
    let ours = |world: &Communicator| {
        let error = world.recv::<Point>(1, 0).unwrap_err();
        let opaque = matches!(
            error,
            Error::Unlike {
                why: UnlikeError::Opaque,
                ..
            }
        );
        assert!(
            opaque && error.to_string().contains("send_value"),
            "{error}"
        );
        let error = world.recv::<u64>(1, 1).unwrap_err();
        assert!(matches!(error, Error::TypeMismatch { .. }), "{error}");
        let error = world.recv::<u32>(1, 2).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        // Three of 4 bytes fit in two of 8, what they become does not.
        let error = world.recv_into::<usize>(1, 3, &mut [0; 2]).unwrap_err();
        let capacity = size_of::<[usize; 2]>() as u64;
        let truncated = matches!(error, Error::Truncated { len: 24, capacity: c } if c == capacity);
        assert!(truncated, "{error}");
        assert_eq!(world.recv::<u8>(1, 4).unwrap().0, [1, 2, 3, 4]);
        let error = world.recv::<u16>(1, 5).unwrap_err();
        let unknown = matches!(
            error,
            Error::Unlike {
                why: UnlikeError::Unknown,
                ..
            }
        );
        assert!(unknown, "{error}");
        assert_eq!(world.recv::<u8>(1, 6).unwrap().0, [1, 2]);
        let error = world.recv::<[usize; 2]>(1, 7).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    };
    meet(ours, theirs);
}

#[test]
fn the_beginning_of_what_is_too_large_is_converted_too() {
    const COUNT: u32 = 50_000;
    let words = |count: u32| (0..count).flat_map(|i| high_first((0x0102_0300 + i).into(), 4));
    let theirs = |peer: &mut Peer| {
        // They fit as they come, when they have grown they do not; and they do not fit at all.
        for (tag, count) in [(0, 3), (1, 5), (2, COUNT)] {
            peer.send(WORLD, tag, hash("u32"), words(count).collect());
        }
        peer.send(WORLD, 3, hash("plain [usize; 2]"), words(6).collect());
    };
    let ours = |world: &Communicator| {
        for (tag, count) in [(0, 3), (1, 5), (2, COUNT)] {
            let mut room = [0usize; 2];
            let error = world.recv_into(1, tag, &mut room).unwrap_err();
            let expected = (8 * u64::from(count), 16);
            let truncated =
                matches!(error, Error::Truncated { len, capacity } if (len, capacity) == expected);
            assert!(truncated, "{error}");
            assert_eq!(room, [0x0102_0300, 0x0102_0301], "{tag}");
        }
        let mut room = [[0usize; 2]];
        let error = world.recv_into(1, 3, &mut room).unwrap_err();
        let truncated = matches!(error, Error::Truncated { len: 48, .. });
        assert!(truncated, "{error}");
        assert_eq!(room, [[0x0102_0300, 0x0102_0301]]);
    };
    meet(ours, theirs);
}

#[test]
fn values_are_the_same_bytes_on_every_host() {
    const VALUES_SENT: &[(&str, &str)] = &[
        ("str", "str"),
        ("(u32, str, [f64])", "numbers and text"),
        ("[wire::unlike::Shape]", "shapes"),
        (
            "(bool, char, i128, core::option::Option<i16>)",
            "odds and ends",
        ),
        ("usize", "usize"),
    ];
    let theirs = |peer: &mut Peer| {
        for (tag, (type_name, name)) in (0..).zip(VALUES_SENT) {
            let check = hash(&format!("value {type_name}"));
            let packet = peer.receive();
            assert_eq!((packet.tag, packet.check), (tag, check), "{name}");
            assert_golden(VALUES, name, &packet.body);
            peer.send(WORLD, tag, check, named(VALUES, name));
        }
        peer.send(WORLD, 9, hash("value str"), vec![0xff; 12]);
    };
    fn exchange<T>(world: &Communicator, tag: i32, value: &T)
    where
        T: Serialize + for<'a> Deserialize<'a> + PartialEq + Debug,
    {
        world.send_value(1, tag, value).unwrap();
        assert_eq!(&world.recv_value::<T>(1, tag).unwrap().0, value);
    }
    let ours = |world: &Communicator| {
        exchange(world, 0, &"gr\u{fc}n".to_owned());
        exchange(
            world,
            1,
            &(0x0102_0304u32, "red".to_owned(), vec![1.5f64, -2.0]),
        );
        let shapes = [
            Shape::Nothing,
            Shape::Circle(-0.5),
            Shape::Box {
                width: 0x0102,
                height: -2,
            },
        ];
        exchange(world, 2, &shapes.to_vec());
        exchange(world, 3, &(true, 'z', -3i128, Some(-2i16)));
        exchange(world, 4, &0x0102_0304usize);
        let error = world.recv_value::<String>(1, 9).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    };
    meet(ours, theirs);
}

/// The check of a collective: of its number and element type.
fn collective(number: u32, name: &str) -> u32 {
    (hash(name).rotate_left(number) ^ number) & 0x7fff_ffff
}

/// What a message holds, if there is one.
type Bytes = Option<Vec<u8>>;

/// The other machine's side of the collectives, as rank 1 of two: what each of them sends and receives
/// is in the page of its algorithm.
fn collectives_there(peer: &mut Peer) {
    let big = |name: &str| named(TYPED, &format!("{name} big"));
    let point = "plain wire::unlike::Point";
    // Number of the call, element type, what is received, what is sent.
    let calls: [(u32, &str, Bytes, Bytes); 12] = [
        (1, "u8", Some(vec![]), Some(vec![])),
        (2, "f64", Some(named(TYPED, "f64 little")), None),
        (2, "i32", None, Some(big("i32"))),
        (8, "f64", Some(named(TYPED, "f64 little")), Some(big("f64"))),
        (5, "u16", Some(named(TYPED, "u16 little")), Some(big("u16"))),
        (3, "i64", None, Some(big("i64"))),
        (4, "u32", None, Some(big("u32"))),
        (9, "u64", Some(named(TYPED, "u64 little")), None),
        (7, "i16", None, Some(big("i16"))),
        (6, "u32", Some(vec![2, 0, 0, 0]), Some(high_first(7, 4))),
        (2, "f64", None, Some(big("f64").repeat(30_000))),
        (5, point, Some(vec![0; 16]), Some(vec![0; 16])),
    ];
    for (tag, (number, element, received, sent)) in (0..).zip(calls) {
        let check = collective(number, element);
        if let Some(expected) = received {
            let packet = peer.receive();
            let head = (packet.context, packet.tag, packet.check);
            assert_eq!(head, (COLLECTIVE, tag, check), "call {tag}");
            assert_eq!(packet.body, expected, "call {tag}");
        }
        if let Some(body) = sent {
            peer.send(COLLECTIVE, tag, check, body);
        }
    }
}

#[test]
fn collectives_combine_numbers_of_both_machines() {
    let ours = |world: &Communicator| {
        let pi = std::f64::consts::PI;
        let doubles = [
            0f64,
            -0.0,
            1.0,
            -2.5,
            f64::NEG_INFINITY,
            f64::from_bits(1),
            pi,
        ];
        let shorts = [0u16, 1, 0x0102, u16::MAX];
        let longs = [0i64, 1, -2, i64::MAX, i64::MIN];
        world.barrier().unwrap();
        world.broadcast(0, &mut doubles.clone()).unwrap();
        let mut ints = [9i32; 5];
        world.broadcast(1, &mut ints).unwrap();
        assert_eq!(ints, [0, 1, -2, i32::MAX, i32::MIN]);
        let sums = world.allreduce(&doubles, Sum).unwrap();
        assert_eq!(sums, doubles.map(|number| number + number));
        assert_eq!(world.allgather(&shorts).unwrap(), [shorts, shorts].concat());
        let all = world.gather(0, &[5i64; 5]).unwrap().unwrap();
        assert_eq!(all, [[5; 5], longs].concat());
        let mut part = [0u32; 4];
        world.scatter(1, &[], &mut part).unwrap();
        assert_eq!(part, [0, 1, 0x0102_0304, u32::MAX]);
        let upto = [0u64, 1, 0x0102_0304_0506_0708, u64::MAX];
        assert_eq!(world.scan(&upto, Sum).unwrap(), upto);
        let most = world.reduce(0, &[3i16; 5], Max).unwrap().unwrap();
        assert_eq!(most, [3, 3, 3, i16::MAX, 3]);
        assert_eq!(world.alltoall(&[1u32, 2]).unwrap(), [1, 7]);
        let mut many = vec![0f64; 30_000 * doubles.len()];
        world.broadcast(1, &mut many).unwrap();
        assert!(many.chunks(doubles.len()).all(|part| part == doubles));
        let error = world.allgather(&[Point::zeroed()]).unwrap_err().to_string();
        assert!(error.contains("another data format"), "{error}");
    };
    meet(ours, collectives_there);
}
