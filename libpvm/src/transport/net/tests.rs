//! Sessions over carriers that break and are replaced at any moment.

use super::frame::{self, Frame};
use super::session::{CarrierError, Session};
use crate::datatype::Source;
use crate::limits::{
    DIRECT_BATCH, DIRECT_WINDOW, NET_BODY_MAX, NET_CONFIRM_PAUSE_MS, NET_FRAME_MAX, NET_LENT_MIN,
    NET_WINDOW,
};
use crate::transport::{Body, Head, Kind};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn head(number: usize) -> Head {
    Head {
        kind: Kind::Eager,
        flags: 0,
        context: 0,
        tag: number as i32,
        check: 0,
    }
}

/// One side, and what it has sent and been shown.
struct Side {
    session: Session,
    /// The pipe that it writes to.
    pipe: usize,
    sent: usize,
    shown: Vec<(i32, usize)>,
}

fn len_of(number: usize) -> usize {
    match number % 7 {
        0 => NET_BODY_MAX - number % 5,
        1 => 0,
        _ => number * 131 % 3000,
    }
}

impl Side {
    fn new() -> Self {
        let mut session = Session::new();
        session.carrier_up();
        let (pipe, sent, shown) = (0, 0, Vec::new());
        Self {
            session,
            pipe,
            sent,
            shown,
        }
    }

    fn send(&mut self) -> bool {
        let mut source = Source::from_vec(vec![self.sent as u8; len_of(self.sent)]);
        if self.sent.is_multiple_of(2) {
            source.share(); // and is leased
        }
        let rest = NET_LENT_MIN;
        let whole = Body::whole(&source);
        let body = (!source.is_empty()).then_some(Body { rest, ..whole });
        let taken = self.session.send(&head(self.sent), None, body);
        self.sent += usize::from(taken);
        taken
    }

    fn read(&mut self, frame: &[u8]) -> Result<(), CarrierError> {
        if let Some(packet) = self.session.on_frame(frame)? {
            let number = self.shown.len();
            assert!(packet.body.iter().all(|&byte| byte == number as u8));
            self.shown.push((packet.head.tag, packet.body.len()));
        }
        Ok(())
    }

    fn expected(&self) -> Vec<(i32, usize)> {
        (0..self.sent)
            .map(|number| (number as i32, len_of(number)))
            .collect()
    }
}

/// Bytes under way in both directions, by the side that reads them.
#[derive(Default)]
struct Pipe {
    bytes: [Vec<u8>; 2],
    is_cut: bool,
}

/// Two sides, and all carriers that there ever were.
struct World {
    sides: [Side; 2],
    pipes: Vec<Pipe>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self {
            sides: [Side::new(), Side::new()],
            pipes: vec![Pipe::default()],
            now: Instant::now(),
        }
    }

    fn pump(&mut self, side: usize, limit: usize) {
        self.now += Duration::from_millis(1);
        let (session, pipe) = (&mut self.sides[side].session, self.sides[side].pipe);
        let has = session.has_frames(self.now);
        let mut out = Vec::new();
        let ready = session.frames_behind(self.now, limit, &mut out);
        let (len, is_followed) = (ready.len(), ready.is_followed());
        out.extend(ready.parts().concat());
        assert_eq!(session.went(len).concat(), []);
        assert_eq!(has, !out.is_empty());
        // Else the system would wait for what does not come.
        assert!(!is_followed || session.has_frames(self.now));
        let pipe = &mut self.pipes[pipe];
        if !pipe.is_cut {
            pipe.bytes[1 - side].append(&mut out);
        }
    }

    /// Reads up to `count` frames.
    fn read(&mut self, side: usize, pipe: usize, count: usize) {
        for _ in 0..count {
            let bytes = &mut self.pipes[pipe].bytes[side];
            let mut rest = &bytes[..];
            let Some(frame) = frame::split(&mut rest).unwrap().map(<[u8]>::to_vec) else {
                return;
            };
            let taken = bytes.len() - rest.len();
            bytes.drain(..taken);
            if self.sides[side].read(&frame).is_err() {
                self.sides[side].session.carrier_up();
            }
        }
    }

    /// Bytes beyond these are lost, and what is written from now on.
    fn cut(&mut self, pipe: usize, kept: [usize; 2]) {
        let pipe = &mut self.pipes[pipe];
        pipe.is_cut = true;
        for (bytes, kept) in pipe.bytes.iter_mut().zip(kept) {
            bytes.truncate(kept % (bytes.len() + 1));
        }
    }

    /// A side goes over to the newest carrier.
    fn change(&mut self, side: usize) {
        if self.pipes.last().is_none_or(|pipe| pipe.is_cut) {
            self.pipes.push(Pipe::default());
        }
        let (newest, side) = (self.pipes.len() - 1, &mut self.sides[side]);
        if side.pipe != newest {
            side.pipe = newest;
            side.session.carrier_down();
            match newest % 2 {
                0 => side.session.carrier_up(),
                _ => side.session.wide_carrier_up(),
            }
        }
    }

    fn step(&mut self, (what, side, a, b): (u8, usize, usize, usize)) {
        let pipe = a % self.pipes.len();
        match what {
            0..3 => drop(self.sides[side].send()),
            3..7 => self.pump(side, a % 200_000),
            7..14 => self.read(side, pipe, b % 5),
            14 => self.cut(self.sides[side].pipe, [a, b]),
            15 => self.pipes.push(Pipe::default()),
            _ => self.change(side),
        }
    }

    /// Lets everything arrive.
    fn finish(&mut self) {
        for side in [0, 1] {
            if self.pipes[self.sides[side].pipe].is_cut {
                self.change(side);
            }
            self.change(side);
            self.sides[side].session.leave();
        }
        for _ in 0..1000 {
            for side in [0, 1] {
                self.pump(side, usize::MAX);
                for pipe in 0..self.pipes.len() {
                    self.read(1 - side, pipe, usize::MAX);
                }
            }
            if self.sides.iter().all(|side| side.session.is_flushed()) {
                return;
            }
        }
        panic!("nothing more moves");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to the carriers, everything arrives once and in order.
    #[test]
    fn what_is_sent_is_shown_once_and_in_order(
        steps in proptest::collection::vec((0u8..18, 0usize..2, 0usize..1 << 20, 0usize..1 << 20), 0..300)
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
        for side in [0, 1] {
            prop_assert_eq!(&world.sides[1 - side].shown, &world.sides[side].expected());
        }
    }

    /// Frames that were never sent do no harm but to their own session.
    #[test]
    fn nonsense_never_panics(frames in proptest::collection::vec(
        (0u8..6, 0u32..4, proptest::collection::vec(0u8..8, 0..40)), 0..60)
    ) {
        let mut world = World::new();
        for (kind, generation, rest) in frames {
            let mut frame = vec![kind];
            frame.extend_from_slice(&generation.to_le_bytes());
            frame.extend_from_slice(&rest);
            let _ = world.sides[0].send();
            let session = &mut world.sides[0].session;
            if session.on_frame(&frame).is_err() {
                session.carrier_up();
            }
            world.pump(0, 1000);
        }
    }
}

#[test]
fn the_first_packet_waits_for_nobody() {
    let mut world = World::new();
    assert!(world.sides[0].send());
    world.pump(0, usize::MAX);
    world.read(1, 0, usize::MAX);
    assert_eq!(world.sides[1].shown.len(), 1);
}

#[test]
fn a_small_stream_is_not_answered_packet_by_packet() {
    let mut world = World::new();
    let mut answers = 0;
    for number in 0..1000 {
        world.sides[0].sent = 7 * number + 1; // without a body
        assert!(world.sides[0].send());
        world.pump(0, usize::MAX);
        let bytes = std::mem::take(&mut world.pipes[0].bytes[1]);
        let mut rest = &bytes[..];
        while let Some(frame) = frame::split(&mut rest).unwrap() {
            world.sides[1].session.on_frame(frame).unwrap();
        }
        world.now -= Duration::from_micros(999);
        answers += usize::from(world.sides[1].session.has_frames(world.now));
        world.pump(1, usize::MAX);
        world.now -= Duration::from_micros(999);
        world.read(0, 0, usize::MAX);
    }
    let pauses = 2 / NET_CONFIRM_PAUSE_MS as usize;
    assert!(answers <= 2 + pauses, "{answers}");
}

#[test]
fn the_window_holds_and_opens_again() {
    let mut world = World::new();
    world.sides[0].sent = 7; // the largest
    let mut sent = 0;
    let source = Source::from_vec(vec![1; NET_BODY_MAX]);
    let body = Some(Body::whole(&source));
    while world.sides[0].session.send(&head(0), Some(&[0; 4]), body) {
        sent += 1;
    }
    assert_eq!(sent, NET_WINDOW / (NET_BODY_MAX + 100));
    world.pump(0, usize::MAX);
    let bytes = std::mem::take(&mut world.pipes[0].bytes[1]);
    let mut rest = &bytes[..];
    let mut shown = 0;
    while let Some(frame) = frame::split(&mut rest).unwrap() {
        shown += usize::from(world.sides[1].session.on_frame(frame).unwrap().is_some());
    }
    assert_eq!(shown, sent);
    world.pump(1, usize::MAX);
    world.read(0, 0, usize::MAX);
    assert!(world.sides[0].session.is_flushed());
    assert!(world.sides[0].session.send(&head(0), None, body));
}

/// What was kept for a wide carrier goes out on another in parts no larger than that one's window.
#[test]
fn a_narrow_carrier_takes_over_from_a_wide_one() {
    let (mut here, mut there, now) = (Session::new(), Session::new(), Instant::now());
    here.wide_carrier_up();
    let source = Source::from_vec(vec![1; 10_000]);
    let mut sent = 0;
    while here.send(&head(sent), None, Some(Body::whole(&source))) {
        sent += 1;
    }
    assert_eq!(sent, DIRECT_WINDOW / (10_000 + 33));
    here.carrier_up();
    here.leave(); // have everything confirmed at once
    there.carrier_up();
    let mut shown = 0;
    while !here.is_flushed() {
        let mut out = Vec::new();
        here.next_frames(now, usize::MAX, &mut out);
        assert!(
            !out.is_empty() && out.len() <= NET_WINDOW + 100,
            "{}",
            out.len()
        );
        assert!(!here.has_frames(now), "more than the window is under way");
        let mut rest = &out[..];
        while let Some(frame) = frame::split(&mut rest).unwrap() {
            let packet = there.on_frame(frame).unwrap();
            assert!(packet.is_none_or(|packet| packet.head == head(shown)));
            shown += usize::from(packet.is_some());
        }
        let mut back = Vec::new();
        there.next_frames(now, usize::MAX, &mut back);
        let mut rest = &back[..];
        while let Some(frame) = frame::split(&mut rest).unwrap() {
            assert!(here.on_frame(frame).unwrap().is_none());
        }
    }
    assert_eq!(shown, sent);
}

#[test]
fn packets_that_are_left_out_break_the_carrier_once() {
    let mut world = World::new();
    world.sides[0].send();
    world.pump(0, usize::MAX);
    world.read(1, 0, usize::MAX);
    world.pump(1, usize::MAX);
    world.read(0, 0, usize::MAX);
    world.sides[0].send();
    world.pump(0, usize::MAX);
    world.pipes[0].bytes[1].clear(); // lost without a word
    for _ in 0..2 {
        world.sides[0].send();
    }
    world.pump(0, usize::MAX);
    let bytes = std::mem::take(&mut world.pipes[0].bytes[1]);
    let mut rest = &bytes[..];
    let frame = frame::split(&mut rest).unwrap().unwrap();
    let (expected, came) = (1, 2);
    let gap = Err(CarrierError::Gap { expected, came });
    assert_eq!(world.sides[1].read(frame), gap);
    world.sides[1].session.carrier_up();
    while let Some(frame) = frame::split(&mut rest).unwrap() {
        assert_eq!(world.sides[1].read(frame), Ok(()));
    }
    world.finish();
    assert_eq!(world.sides[1].shown, world.sides[0].expected());
}

#[test]
fn a_receiver_confirms_at_once_when_the_sender_leaves() {
    let mut world = World::new();
    for leaves in [false, true] {
        if leaves {
            world.sides[0].session.leave();
        }
        world.sides[0].send();
        world.pump(0, usize::MAX);
        world.now -= Duration::from_millis(1);
        world.read(1, 0, usize::MAX);
        // The first is confirmed by the Resume that answers.
        assert!(world.sides[1].session.has_frames(world.now));
        world.pump(1, usize::MAX);
        world.now -= Duration::from_millis(1);
        world.read(0, 0, usize::MAX);
        assert!(world.sides[0].session.is_flushed());
    }
}

/// How many bytes go out before the other is asked to confirm them, which it does without a pause.
fn let_be(world: &mut World) -> usize {
    let start = world.now;
    let mut bytes = 0;
    while !world.sides[1].session.has_frames(start) {
        let source = Source::from_vec(vec![0; 10_000]);
        let session = &mut world.sides[0].session;
        assert!(session.send(&head(0), None, Some(Body::whole(&source))));
        bytes += 10_000;
        world.pump(0, usize::MAX);
        let frames = std::mem::take(&mut world.pipes[0].bytes[1]);
        let mut rest = &frames[..];
        while let Some(frame) = frame::split(&mut rest).unwrap() {
            world.sides[1].session.on_frame(frame).unwrap();
        }
    }
    world.pump(1, usize::MAX);
    world.read(0, 0, usize::MAX);
    bytes
}

#[test]
fn a_quarter_of_a_window_is_let_be_and_more_is_confirmed_without_a_pause() {
    let mut world = World::new();
    for is_wide in [true, false] {
        match is_wide {
            true => world.sides[0].session.wide_carrier_up(),
            false => world.sides[0].session.carrier_up(),
        }
        for (from, to) in [(0, 1), (1, 0)] {
            world.pump(from, usize::MAX);
            world.read(to, 0, usize::MAX);
        }
        let quarter = if is_wide { DIRECT_WINDOW } else { NET_WINDOW } / 4;
        for _ in 0..3 {
            let bytes = let_be(&mut world);
            assert!(bytes.abs_diff(quarter) < 20_000, "{bytes}");
        }
    }
}

/// Its sender waits until nothing of it is lent any more: its end asks to be confirmed.
#[test]
fn a_large_message_is_lent_until_it_is_confirmed() {
    let (mut here, mut there, now) = (Session::new(), Session::new(), Instant::now());
    here.wide_carrier_up();
    there.carrier_up();
    pass(&mut there, &mut here, now);
    pass(&mut here, &mut there, now);
    const PARTS: usize = NET_LENT_MIN / NET_BODY_MAX;
    let mut source = Source::from_vec(vec![1; PARTS * NET_BODY_MAX]);
    source.share();
    for part in 0..PARTS {
        let body = Body {
            source: &source,
            offset: part * NET_BODY_MAX,
            len: NET_BODY_MAX,
            rest: (PARTS - part - 1) * NET_BODY_MAX,
        };
        assert!(here.send(&head(part), Some(&[0; 4]), Some(body)));
    }
    assert!(here.memory() < NET_BODY_MAX, "some was copied");
    assert!(source.is_lent());
    while here.has_frames(now) {
        assert!(source.is_lent());
        let mut out = Vec::new();
        here.next_frames(now, 1, &mut out);
        there.on_frame(&out[4..]).unwrap();
        pass(&mut there, &mut here, now);
    }
    assert!(here.is_flushed() && !source.is_lent());
}

/// Takes all frames from one session to another.
fn pass(from: &mut Session, to: &mut Session, now: Instant) {
    let mut out = Vec::new();
    from.next_frames(now, usize::MAX, &mut out);
    let mut rest = &out[..];
    while let Some(frame) = frame::split(&mut rest).unwrap() {
        to.on_frame(frame).unwrap();
    }
}

/// Writes of odd parts cost as much as those of whole batches.
#[test]
fn large_packets_fill_a_wide_window_and_every_batch() {
    let (mut session, now) = (Session::new(), Instant::now());
    session.wide_carrier_up();
    let source = Source::from_vec(vec![1; NET_BODY_MAX]);
    let mut sent = 0;
    while session.send(&head(0), Some(&[0; 4]), Some(Body::whole(&source))) {
        sent += 1;
    }
    assert_eq!(sent * NET_FRAME_MAX, DIRECT_WINDOW);
    const BATCHES: usize = DIRECT_WINDOW / DIRECT_BATCH;
    for number in 1..=BATCHES {
        let mut out = Vec::new();
        let ready = session.frames_behind(now, DIRECT_BATCH, &mut out);
        assert_eq!(ready.is_followed(), number < BATCHES);
        let batch = ready.len();
        assert_eq!(batch, DIRECT_BATCH);
        assert_eq!(session.went(batch).concat(), []);
    }
    assert_eq!(session.unsent(), 0);
}

#[test]
fn frames_name_their_generation() {
    let mut world = World::new();
    world.sides[0].send();
    for generation in 1..4 {
        world.pump(0, usize::MAX);
        let bytes = std::mem::take(&mut world.pipes[0].bytes[1]);
        let mut rest = &bytes[..];
        while let Some(frame) = frame::split(&mut rest).unwrap() {
            assert_eq!(Frame::decode(frame).unwrap().generation, generation);
        }
        world.sides[0].session.carrier_up();
    }
}
