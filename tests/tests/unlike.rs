//! A C program, and a task of a big-endian machine with 32 bits on another host.

mod c_support;
#[allow(dead_code, reason = "each test program uses its part")]
#[path = "../../libpvm/tests/wire/peer.rs"]
mod peer;
#[allow(dead_code, reason = "each test program uses its part")]
#[path = "../../libpvm/tests/wire/vectors.rs"]
mod vectors;

use c_support::{Bench, assert_prints};
use peer::{Peer, hash, high_first, low_first, two_tasks};
use pvm::settings;
use pvm::testing::LocalVm;
use pvm::wire::control::AdoptedTask;
use std::path::Path;
use std::process::{Command, Stdio};
use vectors::{hex, named};

/// The context of all PVM messages.
const PVM: u32 = 1;

/// The golden message with this name, in the context that programs begin in, with no wait id.
fn message(name: &str) -> Vec<u8> {
    let mut bytes = named(vectors::PVM, name);
    bytes[8..16].fill(0);
    bytes
}

#[test]
fn c_programs_exchange_xdr_with_unlike_hosts_and_are_told_of_raw_data() {
    let bench = Bench::new();
    let program = bench.c("bindings-c/tests/c/unlike.c", &[]);
    let vm = LocalVm::hosts(2).unwrap_or_else(|error| panic!("{error}"));
    let (_lease, [mine, others]) = two_tasks(&vm);
    let task = start(&program, &mine);
    let mut peer = Peer::attach(&others, mine.task);
    for (tag, name) in [
        (1, "xdr"),
        (2, "raw, big-endian, 32 bits"),
        (3, "raw, big-endian, 32 bits"),
    ] {
        peer.send(PVM, tag, 0, message(name));
    }
    join_a_gather_a_scatter_and_a_sum(&mut peer);
    for (tag, name) in [(4, "xdr"), (5, "raw, little-endian, 64 bits")] {
        let packet = peer.receive();
        let head = (packet.context, packet.tag, packet.check);
        assert_eq!(head, (PVM, tag, 0), "{name}");
        assert_eq!(hex(&packet.body), hex(&message(name)), "{name}");
    }
    let output = task.wait_with_output().expect("it ends");
    assert_prints(&output, "all checks passed\n", "unlike");
}

/// What this machine says in the collective calls of a group, whose root is the program.
fn join_a_gather_a_scatter_and_a_sum(peer: &mut Peer) {
    assert_eq!(peer.join("both"), 0);
    // Of the group, from its name.
    let context = hash("both") & 0x3fff_ffff | 0x8000_0000;
    let header = |signature| {
        let numbers = [signature, context, 0].map(|number| low_first(number.into(), 4));
        [b"PVM\x01", &numbers.concat()[..]].concat()
    };
    let words = |numbers: [i32; 2]| numbers.map(|number| high_first(number as u32 as u128, 4));
    for (tag, numbers) in [(7, [-2, i32::MAX]), (8, [30, 40])] {
        let body = [header(0x0080_8882), words(numbers).concat()].concat();
        peer.send(PVM, tag, 0, body);
    }
    // The program is told so before it gathers.
    peer.send(PVM, 6, 0, message("xdr"));
    let part = peer.receive();
    assert_eq!((part.context, part.tag), (PVM, 9));
    let body = low_first(0.25f64.to_bits(), 8);
    assert_eq!(hex(&part.body), hex(&[header(0x0040_8c41), body].concat()));
}

/// Starts a program as a task that the daemon has made for somebody.
fn start(program: &Path, identity: &AdoptedTask) -> std::process::Child {
    let capability: String = identity
        .capability
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Command::new(program)
        .env(settings::TASK, format!("{:x}:{capability}", identity.task))
        .env(settings::SOCKET, &identity.socket)
        .env(settings::ROUTE, "relay")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}
