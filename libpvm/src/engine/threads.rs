//! Blocking calls over shared memory, by several threads and tasks at a time.

use super::*;
use crate::sync::Level;
use crate::transport::route::{Route, Routes};
use crate::transport::standin::{Desktop, Hub};
use std::time::{Duration, Instant};

type Blocking = Core<Routes<Desktop>>;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn id(local: u32) -> TaskId {
    TaskId::new(1, 1, local).expect("a task")
}

fn core(hub: &Hub, local: u32) -> Blocking {
    let routes = Routes::new(hub.shm(id(local)), Route::Relay);
    Core::new(Engine::new(routes, id(local)), Level::Multiple)
}

fn peer(core: &Blocking, local: u32) -> Peer {
    core.with(|engine| engine.peer(id(local))).expect("entered")
}

fn send(core: &Blocking, to: Peer, tag: Tag, bytes: Vec<u8>) {
    let source = Source::from_vec(bytes);
    let sent = core.send(to, Context::WORLD, tag, 0, source, Mode::Standard);
    assert_eq!(sent, Ok(Ok(())));
}

fn receive(
    core: &Blocking,
    source: Peer,
    tag: Tag,
    room: &mut [u8],
) -> Result<Envelope, EngineError> {
    let selector = Selector {
        context: Context::WORLD,
        source: Some(source),
        tag: Some(tag),
    };
    let mut envelope = Envelope::NONE;
    let receive = |sink| core.receive(selector, sink, &mut envelope);
    let received = crate::datatype::lend_mut(room, receive);
    received.expect("entered").map(|()| envelope)
}

/// Messages of every size go to and fro, whichever way each of them takes.
#[test]
fn blocking_calls_answer_each_other() {
    let hub = Hub::default();
    let (a, b) = (core(&hub, 1), core(&hub, 2));
    let (to_b, to_a) = (peer(&a, 2), peer(&b, 1));
    let lens = [0usize, 8, 40, 41, 3000, 8, 200_000];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut room = vec![0; 200_000];
            for trip in 0..2000 {
                let len = receive(&b, to_a, 1, &mut room).expect("a message").len as usize;
                assert_eq!(len, lens[trip % lens.len()]);
                send(&b, to_a, 1, room[..len].to_vec());
            }
        });
        let mut room = vec![0; 200_000];
        for trip in 0..2000 {
            let bytes = vec![trip as u8; lens[trip % lens.len()]];
            send(&a, to_b, 1, bytes.clone());
            let len = receive(&a, to_b, 1, &mut room).expect("an answer").len as usize;
            assert_eq!(room[..len], bytes);
        }
    });
}

/// Two threads of one task wait for messages of the same peer; each gets its own.
#[test]
fn threads_that_receive_at_once_let_each_other_in() {
    const TRIPS: u8 = 200;
    let hub = Hub::default();
    let (a, b) = (core(&hub, 1), core(&hub, 2));
    let (to_b, to_a) = (peer(&a, 2), peer(&b, 1));
    let (a, b) = (&a, &b);
    std::thread::scope(|scope| {
        for tag in [1, 2] {
            scope.spawn(move || {
                for trip in 0..TRIPS {
                    let mut room = [0; 2];
                    receive(b, to_a, tag, &mut room).expect("a message");
                    assert_eq!(room, [tag as u8, trip]);
                    send(b, to_a, tag, room.to_vec());
                }
            });
            scope.spawn(move || {
                for trip in 0..TRIPS {
                    send(a, to_b, tag, vec![tag as u8, trip]);
                    let mut room = [0; 2];
                    receive(a, to_b, tag, &mut room).expect("an answer");
                    assert_eq!(room, [tag as u8, trip]);
                }
            });
        }
    });
}

/// Waits until a task shows that it receives with this tag; `None`: that it shows nothing.
fn wait_for_call(hub: &Hub, local: u32, tag: Option<Tag>) {
    let start = Instant::now();
    let shown = || hub.state().desks[&id(local).bits()].bell.call();
    while shown().map(|call| call.tag) != tag {
        assert!(start.elapsed() < LONG, "{:?} in place of {tag:?}", shown());
        std::thread::yield_now();
    }
}

#[test]
fn a_thread_that_still_waits_is_shown_when_another_has_got_its_message() {
    let hub = Hub::default();
    let (a, b) = (core(&hub, 1), core(&hub, 2));
    let (to_b, to_a) = (peer(&a, 2), peer(&b, 1));
    std::thread::scope(|scope| {
        for tag in [1, 2] {
            let b = &b;
            scope.spawn(move || receive(b, to_a, tag, &mut [0]).expect("a message"));
            wait_for_call(&hub, 2, Some(tag));
        }
        send(&a, to_b, 2, vec![2]);
        wait_for_call(&hub, 2, Some(1));
        send(&a, to_b, 1, vec![1]);
    });
    wait_for_call(&hub, 2, None);
}

/// Who looks whether a task goes on sees it in the call that it shows.
#[test]
fn a_wait_shows_that_something_has_come() {
    let hub = Hub::default();
    let (a, b) = (core(&hub, 1), core(&hub, 2));
    let (to_b, to_a) = (peer(&a, 2), peer(&b, 1));
    let shown = || hub.state().desks[&id(2).bits()].bell.call();
    std::thread::scope(|scope| {
        scope.spawn(|| receive(&b, to_a, 2, &mut [0]).expect("a message"));
        wait_for_call(&hub, 2, Some(2));
        let first = shown().expect("it waits");
        let start = Instant::now();
        send(&a, to_b, 1, vec![1]);
        let goes_on = |call: Call| call.since_ns == first.since_ns && call.turn != first.turn;
        while !shown().is_some_and(goes_on) {
            assert!(start.elapsed() < LONG, "{:?} after {first:?}", shown());
            std::thread::yield_now();
        }
        send(&a, to_b, 2, vec![2]);
    });
}

#[test]
fn a_receive_ends_with_its_peer() {
    let hub = Hub::default();
    let (a, b) = (core(&hub, 1), core(&hub, 2));
    let (to_b, to_a) = (peer(&a, 2), peer(&b, 1));
    send(&a, to_b, 1, vec![1]);
    let mut room = [0];
    receive(&b, to_a, 1, &mut room).expect("what was sent before");
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| hub.end(id(1)));
        let gone = EngineError::PeerGone(id(1));
        assert_eq!(receive(&b, to_a, 1, &mut room), Err(gone));
    });
    assert!(start.elapsed() < LONG, "it was told late");
}
