//! What this release writes and reads is what the files say, and what the other machine's task writes is.

use crate::peer::{
    self, CLEAR, DATA, EAGER, FINISH, FORM, Packet, READY, hash, high_first, low_first,
};
use crate::vectors::{CONTROL, FRAMES, GREETING, PVM, TYPED, assert_golden, named};
use prost::Message;
use pvm::datatype::{Form, Source};
use pvm::pvm3::Error;
use pvm::pvm3::buffer::Buffer;
use pvm::pvm3::encoding::Encoding;
use pvm::transport::net::frame::{self, Content, Frame};
use pvm::transport::net::greeting::{Greeting, Side};
use pvm::transport::{Body, Head, Kind};
use pvm::wire::control::{
    Attach, DataFormat, FloatFormat, FromDaemon, Hello, HostInfo, HostList, LongDouble, Relay,
    ToDaemon, from_daemon, hello, to_daemon,
};
use pvm::wire::frame::{Decoder, encode};
use std::fmt::Debug;

#[test]
fn frames_of_a_carrier() {
    let put = |name, put: &dyn Fn(&mut Vec<u8>), content| {
        let mut bytes = Vec::new();
        put(&mut bytes);
        assert_golden(FRAMES, name, &bytes);
        let frame = frame::split(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!(
            Frame::decode(frame),
            Ok(Frame {
                generation: 1,
                content
            })
        );
    };
    let (seen, received, holds) = (2, 3, false);
    let resume = Content::Resume {
        seen,
        received,
        holds,
    };
    put(
        "resume",
        &|out| frame::put_resume(1, 2, 3, false, out),
        resume,
    );
    let confirm = Content::Confirm { received: 4 };
    put("confirm", &|out| frame::put_confirm(1, 4, out), confirm);
    put("bye", &|out| frame::put_bye(1, out), Content::Bye);
    assert_golden(FRAMES, "resume", &peer::resume_frame(1, 2, 3));
    assert_golden(FRAMES, "confirm", &peer::confirm_frame(1, 4));
}

/// A packet, as we and as the other machine's task write and read it.
#[track_caller]
fn check_packet(name: &str, packet: &Packet) {
    check_data(name, false, packet);
}

/// The same, in a frame that asks to be confirmed or not.
#[track_caller]
fn check_data(name: &str, asks: bool, packet: &Packet) {
    let head = Head {
        kind: Kind::from_byte(packet.kind).unwrap(),
        flags: packet.flags,
        context: packet.context,
        tag: packet.tag,
        check: packet.check,
    };
    let source = Source::from_vec(packet.body.clone());
    let body = (!source.is_empty()).then(|| Body::whole(&source));
    let mut bytes = Vec::new();
    frame::put_data(5, &head, packet.args.as_ref(), body, &mut bytes);
    frame::stamp(&mut bytes, 1, asks);
    assert_golden(FRAMES, name, &bytes);
    assert_golden(FRAMES, name, &peer::data_frame(1, 5, asks, packet));
    assert_eq!(&Packet::decode(&bytes[17..]), packet);
    let frame = frame::split(&mut &bytes[..]).unwrap().unwrap();
    let Content::Data {
        number: 5,
        asks: asks_read,
        packet: read,
    } = Frame::decode(frame).unwrap().content
    else {
        panic!("{name} is no packet 5");
    };
    let args = packet.args.unwrap_or_default();
    assert_eq!(
        (asks_read, read.head, read.args, read.body),
        (asks, head, args, &packet.body[..])
    );
}

#[test]
fn packets_of_every_kind() {
    let of = |kind, flags, tag, name| Packet {
        kind,
        flags,
        context: 2,
        tag,
        check: hash(name),
        ..Packet::default()
    };
    let number = 0x0102_0304;
    let eager = Packet {
        body: low_first(number, 4),
        ..of(EAGER, 0, 7, "u32")
    };
    check_packet("eager, little-endian, 64 bits", &eager);
    let big = Packet {
        body: high_first(number.into(), 4),
        ..of(EAGER, FORM, 7, "u32")
    };
    check_packet("eager, big-endian, 32 bits", &big);
    let args = Some([0x11_0000_0009, 4, 0, 1]);
    check_packet(
        "eager, to be confirmed",
        &Packet {
            flags: 1,
            args,
            ..eager
        },
    );
    let args = Some([9, 800_000, 0, 0]);
    check_packet(
        "ready",
        &Packet {
            args,
            ..of(READY, 0, -1, "f64")
        },
    );
    let args = Some([0x2_0000_0001, 65_536, 0, 0]);
    let body = low_first(1.5f64.to_bits(), 8);
    let data = Packet {
        args,
        body,
        ..of(DATA, 0, -1, "f64")
    };
    check_packet("data", &data);
    check_data("data, to be confirmed at once", true, &data);
    let answer = |kind, args| Packet {
        kind,
        args: Some(args),
        ..Packet::default()
    };
    check_packet("clear", &answer(CLEAR, [9, 0x2_0000_0001, 800_000, 0]));
    check_packet("finish", &answer(FINISH, [9, 0, 0, 0]));
}

#[test]
fn the_greeting_of_a_direct_connection() {
    let sides = [
        ("listens", Side::Listens, [0x11; 16]),
        ("dials", Side::Dials, [0x22; 16]),
    ];
    for (name, side, nonce) in sides {
        let mut said = Vec::new();
        let mut greeting = Greeting::with_nonce(side, [0x0b; 16], nonce, &mut said);
        let other = if name == "dials" { "listens" } else { "dials" };
        let mut heard = &named(GREETING, other)[..];
        while let taken @ 1.. = greeting.take(heard, &mut said).unwrap() {
            heard = &heard[taken..];
        }
        greeting.choose(&mut said);
        assert!(greeting.is_done() && heard.is_empty(), "{name}");
        assert_golden(GREETING, name, &said);
    }
}

/// All that can be packed.
fn pack(encoding: Encoding) -> Buffer {
    let mut buffer = Buffer::new(encoding);
    buffer.wait_id = -1;
    buffer.pack_bytes(b"abc".iter().copied()).unwrap();
    buffer.pack([-2i16, 3].into_iter()).unwrap();
    buffer.pack([0xfffeu16].into_iter()).unwrap();
    buffer.pack([1i32, -1].into_iter()).unwrap();
    buffer.pack([u32::MAX].into_iter()).unwrap();
    buffer.pack([1i64 << 40].into_iter()).unwrap();
    buffer.pack([u64::MAX].into_iter()).unwrap();
    buffer.pack([1.5f32].into_iter()).unwrap();
    buffer.pack([-2.0f64].into_iter()).unwrap();
    buffer.pack([[1f32, -1.0]].into_iter()).unwrap();
    buffer.pack([[0.5f64, -0.25]].into_iter()).unwrap();
    buffer.pack_str(b"abc").unwrap();
    buffer.pack_str(b"").unwrap();
    buffer
}

fn unpack<T: pvm::pvm3::item::Item + PartialEq + Debug>(buffer: &mut Buffer, expected: &[T]) {
    let mut seen = 0;
    let each = |at, item: T| {
        assert_eq!(item, expected[at]);
        seen += 1;
    };
    buffer.unpack(expected.len(), each).unwrap();
    assert_eq!(seen, expected.len());
}

#[test]
fn pvm_messages() {
    for (name, encoding) in [
        ("xdr", Encoding::Xdr),
        ("raw, little-endian, 64 bits", Encoding::Raw),
    ] {
        if encoding == Encoding::Raw && Form::HERE != Form::new(false, false) {
            continue;
        }
        assert_golden(PVM, name, &pack(encoding).message(0x40002).unwrap());
        let mut got = Buffer::received(named(PVM, name), 1, 2, 3).unwrap();
        assert_eq!((got.context, got.wait_id), (0x40002, -1));
        assert_eq!(got.unpack_bytes(3).unwrap(), b"abc");
        unpack(&mut got, &[-2i16, 3]);
        unpack(&mut got, &[0xfffeu16]);
        unpack(&mut got, &[1i32, -1]);
        unpack(&mut got, &[u32::MAX]);
        unpack(&mut got, &[1i64 << 40]);
        unpack(&mut got, &[u64::MAX]);
        unpack(&mut got, &[1.5f32]);
        unpack(&mut got, &[-2.0f64]);
        unpack(&mut got, &[[1f32, -1.0]]);
        unpack(&mut got, &[[0.5f64, -0.25]]);
        assert_eq!(got.unpack_str().unwrap(), b"abc");
        assert_eq!(got.unpack_str().unwrap(), b"");
        assert_eq!(got.unpack_bytes(1), Err(Error::NoData));
    }
}

/// As PVM 3 has it: raw data is for hosts of one kind, XDR for all.
#[test]
fn raw_pvm_messages_of_another_machine_are_refused() {
    let message = named(PVM, "raw, big-endian, 32 bits");
    let mut got = Buffer::received(message, 1, 2, 3).unwrap();
    assert_eq!(got.word, 0x0080_8882);
    assert_eq!(got.unpack_bytes(3), Err(Error::BadMsg));
    assert_eq!(got.unpack(1, |_, _: i16| ()), Err(Error::BadMsg));
    assert_eq!(got.unpack(1, |_, _: i64| ()), Err(Error::BadMsg));
    assert_eq!(got.unpack(1, |_, _: [f64; 2]| ()), Err(Error::BadMsg));
    assert_eq!(got.unpack_str(), Err(Error::BadMsg));
    assert_eq!(got.check_readable(), Err(Error::BadMsg));
}

#[track_caller]
fn check_control<M: Message + Default + PartialEq + Debug>(name: &str, message: M) {
    let mut bytes = Vec::new();
    encode(&message, &mut bytes).unwrap();
    assert_golden(CONTROL, name, &bytes);
    let mut decoder = Decoder::default();
    decoder.extend(&bytes);
    assert_eq!(decoder.take::<M>(), Ok(Some(message)));
}

#[test]
fn control_messages() {
    let attach = Attach {
        task: 0x0001_0001_0000_0007,
        capability: vec![1, 2, 3],
        program: "a".to_owned(),
    };
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        software: "pvm".to_owned(),
        role: Some(hello::Role::Attach(attach)),
    };
    let body = Some(to_daemon::Body::Hello(hello));
    check_control("hello of a task", ToDaemon { request: 5, body });
    let relay = Relay {
        peer: 0x0002_0001_0000_0009,
        data: vec![0xaa, 0xbb],
    };
    let body = Some(to_daemon::Body::Relay(relay));
    check_control("relay", ToDaemon { request: 0, body });
    let host = HostInfo {
        name: "mips".to_owned(),
        index: 3,
        architecture: "mips".to_owned(),
        format: Some(big_32()),
        ..HostInfo::default()
    };
    let body = Some(from_daemon::Body::HostList(HostList { hosts: vec![host] }));
    let name = "list of a big-endian host of 32 bits";
    check_control(name, FromDaemon { request: 6, body });
}

fn big_32() -> DataFormat {
    DataFormat {
        big_endian: true,
        float: FloatFormat::FloatIeee754.into(),
        long_double: LongDouble::Double.into(),
        short_size: 2,
        int_size: 4,
        long_size: 4,
        long_long_size: 8,
        pointer_size: 4,
        wchar_size: 4,
        bool_size: 1,
        long_double_size: 8,
        page_size: 65_536,
    }
}

#[test]
fn the_other_machines_form_is_the_one_that_its_host_has() {
    let form = big_32().form().unwrap();
    assert_eq!(form.bits() << 1, FORM);
    assert_eq!(form, Form::new(true, true));
    let words = [0u128, 1, 0x0102_0304, 0xffff_ffff].map(|number| high_first(number, 4));
    assert_golden(TYPED, "u32 big", &words.concat());
}
