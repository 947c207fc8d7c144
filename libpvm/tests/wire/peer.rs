//! A task of a big-endian machine with 32 bits, as far as its daemon and its peers can tell.
//!
//! It is written from what the pages of `transport::net`, `engine`, `datatype` and the `.proto` files
//! say, and uses nothing of them but the generated control messages: every byte of frames, packets and
//! numbers is put together by arithmetic, so it would do the same on any machine.

use prost::Message;
use pvm::session::{Link, hello_tool};
use pvm::testing::LocalVm;
use pvm::wire::control::{
    Adopt, AdoptedTask, Attach, FromDaemon, GroupJoin, Hello, Placement, Relay, ToDaemon,
    from_daemon, hello, to_daemon,
};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub const EAGER: u8 = 1;
pub const READY: u8 = 2;
pub const CLEAR: u8 = 3;
pub const DATA: u8 = 4;
pub const FINISH: u8 = 5;

/// Contexts that mean the same everywhere.
pub const WORLD: u32 = 2;
pub const COLLECTIVE: u32 = 3;

/// Flags of what this machine sends: bit 0 asks for a confirmation, then the form: highest byte first
/// (1), addresses of 4 bytes (2).
pub const FORM: u8 = (1 | 2) << 1;
pub const CONFIRM: u8 = 1;

/// Longer bodies are announced.
const EAGER_MAX: usize = 64 << 10;
/// What it puts into one packet of a long message.
const CHUNK: usize = 40_000;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number as it is on the wire outside of messages: lowest byte first.
pub fn low_first(number: u64, bytes: u32) -> Vec<u8> {
    (0..bytes).map(|at| (number >> (8 * at)) as u8).collect()
}

/// A number as this machine has it in memory: highest byte first.
pub fn high_first(number: u128, bytes: u32) -> Vec<u8> {
    (0..bytes)
        .rev()
        .map(|at| (number >> (8 * at)) as u8)
        .collect()
}

fn read_low_first(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The hash of a type: FNV-1a of what it is called.
pub fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    pub kind: u8,
    pub flags: u8,
    pub context: u32,
    pub tag: i32,
    pub check: u32,
    pub args: Option<[u64; 4]>,
    pub body: Vec<u8>,
}

impl Packet {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.kind, self.flags, u8::from(self.args.is_some()), 0];
        for number in [self.context, self.tag as u32, self.check] {
            out.extend(low_first(number.into(), 4));
        }
        let args = self.args.into_iter().flatten();
        out.extend(args.flat_map(|word| low_first(word, 8)));
        out.extend(&self.body);
        out
    }

    pub fn decode(bytes: &[u8]) -> Self {
        let number = |at: usize| read_low_first(&bytes[at..at + 4]) as u32;
        let has_args = bytes[2] == 1;
        let arg = |n: usize| read_low_first(&bytes[16 + 8 * n..][..8]);
        Self {
            kind: bytes[0],
            flags: bytes[1],
            context: number(4),
            tag: number(8) as i32,
            check: number(12),
            args: has_args.then(|| [arg(0), arg(1), arg(2), arg(3)]),
            body: bytes[if has_args { 48 } else { 16 }..].to_vec(),
        }
    }
}

/// A frame: length, kind, generation of the sender's carrier, and what belongs to the kind.
pub fn frame(kind: u8, generation: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = low_first(rest.len() as u64 + 5, 4);
    out.push(kind);
    out.extend(low_first(generation.into(), 4));
    out.extend(rest);
    out
}

pub fn data_frame(generation: u32, number: u64, asks: bool, packet: &Packet) -> Vec<u8> {
    let kind = if asks { 5 } else { 1 };
    frame(
        kind,
        generation,
        &[low_first(number, 8), packet.encode()].concat(),
    )
}

pub fn confirm_frame(generation: u32, received: u64) -> Vec<u8> {
    frame(2, generation, &low_first(received, 8))
}

pub fn resume_frame(generation: u32, seen: u32, received: u64) -> Vec<u8> {
    let rest = [low_first(seen.into(), 4), low_first(received, 8), vec![0]];
    frame(3, generation, &rest.concat())
}

/// Two tasks of one job on two hosts, for somebody to attach; the job ends with the link.
pub fn two_tasks(vm: &LocalVm) -> (Link, [AdoptedTask; 2]) {
    let (mut link, ..) = Link::connect(vm.socket(), hello_tool()).unwrap();
    let placement = Some(Placement {
        by_host: true,
        ..Placement::default()
    });
    let adopt = to_daemon::Body::Adopt(Adopt {
        count: 2,
        placement,
    });
    match link.call(adopt).unwrap().body {
        from_daemon::Body::Adopted(adopted) => (link, adopted.tasks.try_into().unwrap()),
        other => panic!("no tasks: {other:?}"),
    }
}

/// The task, in talk with one other.
pub struct Peer {
    stream: UnixStream,
    unread: Vec<u8>,
    other: u64,
    sent: u64,
    received: u64,
    packets: VecDeque<Packet>,
}

impl Peer {
    /// Attaches as a task that the daemon has made for it.
    pub fn attach(identity: &AdoptedTask, other: u64) -> Self {
        let stream = UnixStream::connect(&identity.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut peer = Self {
            stream,
            unread: Vec::new(),
            other,
            sent: 0,
            received: 0,
            packets: VecDeque::new(),
        };
        let attach = Attach {
            task: identity.task,
            capability: identity.capability.clone(),
            program: "mips".to_owned(),
        };
        let hello = to_daemon::Body::Hello(Hello {
            version_min: 1,
            version_max: 1,
            software: "a machine of another kind".to_owned(),
            role: Some(hello::Role::Attach(attach)),
        });
        // The number asks for an answer.
        peer.say(1, hello);
        let welcome = peer.hear();
        assert!(
            matches!(welcome, from_daemon::Body::Welcome(_)),
            "{welcome:?}"
        );
        peer.relay(resume_frame(1, 0, 0));
        peer
    }

    /// Sends a message whose numbers are in this machine's form, however long it is.
    pub fn send(&mut self, context: u32, tag: i32, check: u32, body: Vec<u8>) {
        let head = Packet {
            kind: EAGER,
            flags: FORM,
            context,
            tag,
            check,
            ..Packet::default()
        };
        if body.len() <= EAGER_MAX {
            return self.put(Packet { body, ..head });
        }
        let args = Some([77, body.len() as u64, 0, 0]);
        self.put(Packet {
            kind: READY,
            args,
            ..head.clone()
        });
        let clear = self.next();
        let args = clear.args.unwrap();
        assert_eq!((clear.kind, args[0]), (CLEAR, 77));
        let wanted = &body[..args[2] as usize];
        for (number, part) in wanted.chunks(CHUNK).enumerate() {
            self.put(Packet {
                kind: DATA,
                args: Some([args[1], (number * CHUNK) as u64, 0, 0]),
                body: part.to_vec(),
                ..head.clone()
            });
        }
    }

    /// Sends a packet.
    pub fn put(&mut self, packet: Packet) {
        let frame = data_frame(1, self.sent, false, &packet);
        self.sent += 1;
        self.relay(frame);
    }

    /// Waits for a message, and fetches it when it is only announced.
    pub fn receive(&mut self) -> Packet {
        let packet = self.next();
        let Some([token, len, ..]) = packet.args else {
            return packet;
        };
        let answer = |kind, args| Packet {
            kind,
            args: Some(args),
            ..Packet::default()
        };
        if packet.kind == EAGER {
            assert_eq!(packet.flags & CONFIRM, CONFIRM);
            self.put(answer(FINISH, [token, 0, 0, 0]));
            return packet;
        }
        assert_eq!(packet.kind, READY);
        self.put(answer(CLEAR, [token, 99, len, 0]));
        let mut body = Vec::new();
        while body.len() < len as usize {
            let part = self.next();
            assert_eq!(part.args, Some([99, body.len() as u64, 0, 0]));
            body.extend(part.body);
        }
        Packet { body, ..packet }
    }

    /// Waits for what belongs to a message of this machine.
    pub fn receive_answer(&mut self) -> Packet {
        let packet = self.next();
        assert_eq!(packet.kind, FINISH);
        packet
    }

    /// Joins a named group; returns its number in it.
    pub fn join(&mut self, name: &str) -> u32 {
        let name = name.to_owned();
        self.say(2, to_daemon::Body::GroupJoin(GroupJoin { name }));
        loop {
            match self.hear() {
                from_daemon::Body::GroupReply(reply) => return reply.instance,
                from_daemon::Body::Relayed(relayed) => self.take(&relayed.data),
                other => panic!("no member: {other:?}"),
            }
        }
    }

    fn next(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return packet;
            }
            match self.hear() {
                from_daemon::Body::Relayed(relayed) => self.take(&relayed.data),
                from_daemon::Body::RelayBroken(_) => panic!("the way has broken"),
                _ => {}
            }
        }
    }

    fn take(&mut self, mut frames: &[u8]) {
        while !frames.is_empty() {
            let len = read_low_first(&frames[..4]) as usize;
            let (frame, rest) = frames[4..].split_at(len);
            frames = rest;
            let generation = read_low_first(&frame[1..5]) as u32;
            match frame[0] {
                // Sent again because its sender did not know that it was here.
                1 | 5 if read_low_first(&frame[5..13]) < self.received => {}
                // Each is confirmed, whether it asks or not.
                1 | 5 => {
                    assert_eq!(read_low_first(&frame[5..13]), self.received);
                    self.received += 1;
                    self.packets.push_back(Packet::decode(&frame[13..]));
                    self.relay(confirm_frame(1, self.received));
                }
                // Its sender has not seen ours, or waits for the answer.
                3 if read_low_first(&frame[5..9]) != 1 || frame[17] == 1 => {
                    self.relay(resume_frame(1, generation, self.received));
                }
                _ => {}
            }
        }
    }

    fn relay(&mut self, data: Vec<u8>) {
        let peer = self.other;
        self.say(0, to_daemon::Body::Relay(Relay { peer, data }));
    }

    fn say(&mut self, request: u64, body: to_daemon::Body) {
        let body = Some(body);
        let message = ToDaemon { request, body }.encode_to_vec();
        let frame = [low_first(message.len() as u64, 4), message].concat();
        self.stream.write_all(&frame).unwrap();
    }

    fn hear(&mut self) -> from_daemon::Body {
        loop {
            if let Some((head, rest)) = self.unread.split_at_checked(4) {
                let len = read_low_first(head) as usize;
                if let Some(message) = rest.get(..len) {
                    let message = FromDaemon::decode(message).unwrap();
                    self.unread.drain(..4 + len);
                    return message.body.unwrap();
                }
            }
            let mut room = [0; 64 << 10];
            let len = self
                .stream
                .read(&mut room)
                .expect("the daemon says something in time");
            assert!(len > 0, "the daemon has closed the connection");
            self.unread.extend(&room[..len]);
        }
    }
}
