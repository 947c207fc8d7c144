//! The engine over a network in one thread.

use super::substrate::{Behaviour, Net, Network, task};
use crate::datatype::Form;
use crate::engine::*;
use crate::transport::{Args, Arrived, Body, Head, Receiver};
use proptest::prelude::*;

type Sim = Engine<Net>;

fn pair(behaviour: Behaviour) -> (Network, Sim, Sim) {
    let network = Network::new(behaviour);
    let engine = |number| Engine::new(network.transport(task(number)), task(number));
    (network.clone(), engine(1), engine(2))
}

/// Progresses both until `done` says so.
fn run(a: &mut Sim, b: &mut Sim, mut done: impl FnMut(&mut Sim, &mut Sim) -> bool) {
    for _ in 0..100_000 {
        if done(a, b) {
            return;
        }
        a.progress();
        b.progress();
    }
    panic!("nothing more happens");
}

/// Lets one engine go on a few times.
fn turns(engine: &mut Sim, count: usize) {
    for _ in 0..count {
        engine.progress();
    }
}

fn from(source: Option<Peer>, tag: Option<Tag>) -> Selector {
    Selector {
        context: Context::WORLD,
        source,
        tag,
    }
}

fn send(engine: &mut Sim, to: u32, tag: Tag, bytes: &[u8], mode: Mode) -> RequestId {
    let peer = engine.peer(task(to));
    engine.send(
        peer,
        Context::WORLD,
        tag,
        5,
        Source::from_vec(bytes.to_vec()),
        mode,
    )
}

fn bytes(outcome: Outcome) -> Vec<u8> {
    outcome.result.unwrap();
    outcome.sink.and_then(Sink::into_vec).unwrap()
}

#[test]
fn messages_of_every_size_arrive_posted_or_not() {
    for len in [0, 1, 40, 64, 65, 1000, 10_000] {
        for posted_first in [false, true] {
            let (_, mut a, mut b) = pair(Behaviour::default());
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut receive = None;
            if posted_first {
                receive = Some(b.receive(from(None, Some(3)), Sink::with_capacity(len)));
            }
            let sent = send(&mut a, 2, 3, &data, Mode::Standard);
            for _ in 0..20 {
                b.progress();
            }
            let receive =
                receive.unwrap_or_else(|| b.receive(from(None, Some(3)), Sink::with_capacity(len)));
            run(&mut a, &mut b, |a, b| {
                a.is_complete(sent) && b.is_complete(receive)
            });
            let outcome = b.finish(receive).unwrap();
            let envelope = outcome.result.unwrap();
            assert_eq!(
                (envelope.tag, envelope.len, envelope.check),
                (3, len as u64, 5)
            );
            assert_eq!(bytes(outcome), data);
            assert!(a.finish(sent).unwrap().result.is_ok());
            assert!(a.finish(sent).is_none(), "a finished number is stale");
        }
    }
}

#[test]
fn synchronous_sends_wait_for_the_match() {
    for len in [8, 500] {
        let (_, mut a, mut b) = pair(Behaviour::default());
        let sent = send(&mut a, 2, 0, &vec![7; len], Mode::Synchronous);
        for _ in 0..50 {
            a.progress();
            b.progress();
        }
        assert!(!a.is_complete(sent));
        let receive = b.receive_any_size(from(None, None), 1 << 20);
        run(&mut a, &mut b, |a, b| {
            a.is_complete(sent) && b.is_complete(receive)
        });
        assert_eq!(bytes(b.finish(receive).unwrap()), vec![7; len]);
    }
}

#[test]
fn truncation_is_reported_and_keeps_the_beginning() {
    for len in [20, 500] {
        let (_, mut a, mut b) = pair(Behaviour::default());
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let sent = send(&mut a, 2, 0, &data, Mode::Standard);
        let receive = b.receive(from(None, None), Sink::with_capacity(10));
        run(&mut a, &mut b, |a, b| {
            a.is_complete(sent) && b.is_complete(receive)
        });
        let outcome = b.finish(receive).unwrap();
        assert!(matches!(
            outcome.result,
            Err(EngineError::Truncated { len: l, capacity: 10, .. }) if l == len as u64
        ));
        assert_eq!(outcome.sink.and_then(Sink::into_vec).unwrap(), data[..10]);
        // Nothing of the message is left behind.
        assert!(b.probe(from(None, None)).is_none());
    }
}

/// Shows nothing to anybody.
struct Nobody;

impl Receiver for Nobody {
    fn packet<A: Arrived>(&mut self, _from: Peer, _head: Head, _args: Args, _body: A) {}

    fn gone(&mut self, _peer: Peer) {}
}

#[test]
fn the_form_of_a_message_is_the_one_that_its_packets_name() {
    let network = Network::new(Behaviour::default());
    let mut far = network.transport(task(1));
    let mut b = Engine::new(network.transport(task(2)), task(2));
    let to_b = far.peer(task(2));
    let body = Source::from_vec(vec![1, 2]);
    let posted = b.receive(from(None, Some(3)), Sink::with_capacity(2));
    let args = [7, 1000, 0, 0];
    for (kind, args, tag) in [
        (Kind::Eager, None, 1),
        (Kind::Ready, Some(&args), 2),
        (Kind::Eager, None, 3),
    ] {
        let head = Head {
            kind,
            flags: 3 << 1,
            context: Context::WORLD.0,
            tag,
            check: 5,
        };
        let body = args.is_none().then(|| Body::whole(&body));
        far.send(to_b, &head, args, body).unwrap();
    }
    let mut envelopes = Vec::new();
    for _ in 0..10_000 {
        far.poll(&mut Nobody);
        b.progress();
        if b.is_complete(posted) {
            break;
        }
    }
    envelopes.extend([1, 2].map(|tag| b.probe(from(None, Some(tag))).unwrap()));
    envelopes.extend(b.finish(posted).map(|outcome| outcome.result.unwrap()));
    let forms: Vec<Form> = envelopes.iter().map(|envelope| envelope.form).collect();
    assert_eq!(forms, [Form::new(true, true); 3]);
}

#[test]
fn messages_to_oneself_match_like_others() {
    let (_, mut a, _) = pair(Behaviour::default());
    let first = a.send(
        Peer::SELF,
        Context::WORLD,
        1,
        0,
        Source::from_vec(vec![1]),
        Mode::Standard,
    );
    assert!(a.is_complete(first));
    let large = Source::from_vec(vec![2; 100_000]);
    let second = a.send(Peer::SELF, Context::WORLD, 2, 0, large, Mode::Standard);
    assert!(!a.is_complete(second));
    let receive = a.receive_any_size(from(Some(Peer::SELF), Some(2)), u64::MAX);
    assert_eq!(bytes(a.finish(receive).unwrap()), vec![2; 100_000]);
    assert!(a.is_complete(second));
    let receive = a.receive(from(None, None), Sink::with_capacity(1));
    assert_eq!(bytes(a.finish(receive).unwrap()), [1]);
}

#[test]
fn cancelled_receives_take_nothing() {
    let (_, mut a, mut b) = pair(Behaviour::default());
    let receive = b.receive(from(None, None), Sink::with_capacity(4));
    b.cancel(receive);
    let outcome = b.finish(receive).unwrap();
    assert_eq!(outcome.result, Err(EngineError::Cancelled));
    assert!(outcome.sink.is_some());
    send(&mut a, 2, 0, &[1, 2], Mode::Standard);
    run(&mut a, &mut b, |_, b| b.probe(from(None, None)).is_some());
}

#[test]
fn claimed_messages_are_for_one_receive() {
    for len in [4usize, 400] {
        let (_, mut a, mut b) = pair(Behaviour::default());
        send(&mut a, 2, 9, &vec![3; len], Mode::Standard);
        let mut claimed = None;
        run(&mut a, &mut b, |_, b| {
            claimed = b.claim(from(None, Some(9)));
            claimed.is_some()
        });
        let (claim, envelope) = claimed.unwrap();
        assert_eq!(envelope.len, len as u64);
        assert!(b.probe(from(None, None)).is_none());
        let receive = b.receive_claimed(claim, Sink::with_capacity(len));
        run(&mut a, &mut b, |_, b| b.is_complete(receive));
        assert_eq!(bytes(b.finish(receive).unwrap()), vec![3; len]);
    }
}

#[test]
fn the_end_of_a_peer_fails_what_needs_it() {
    let (network, mut a, mut b) = pair(Behaviour::default());
    let dead = b.peer(task(1));
    let only_it = b.receive(from(Some(dead), Some(1)), Sink::with_capacity(4));
    let anybody = b.receive(from(None, Some(1)), Sink::with_capacity(4));
    let last_words = b.receive(from(Some(dead), Some(2)), Sink::with_capacity(4));
    send(&mut a, 2, 2, &[9], Mode::Standard);
    let large = send(&mut b, 1, 0, &[0; 1000], Mode::Standard);
    network.kill(task(1));
    for _ in 0..100 {
        b.progress();
    }
    let gone = Err(EngineError::PeerGone(task(1)));
    assert_eq!(b.finish(only_it).unwrap().result, gone);
    assert_eq!(b.finish(large).unwrap().result, gone);
    assert_eq!(b.finish(last_words).unwrap().result.unwrap().len, 1);
    assert!(!b.is_complete(anybody));
    let late = b.receive(from(Some(dead), None), Sink::with_capacity(4));
    assert_eq!(b.finish(late).unwrap().result, gone);
    let late = send(&mut b, 1, 0, &[1], Mode::Standard);
    assert_eq!(b.finish(late).unwrap().result, gone);
}

#[test]
fn closed_contexts_cancel_and_drop() {
    let (_, mut a, mut b) = pair(Behaviour::default());
    let context = b.open_context();
    let selector = Selector {
        context,
        source: None,
        tag: None,
    };
    let receive = b.receive(selector, Sink::with_capacity(1));
    b.close_context(context);
    assert_eq!(
        b.finish(receive).unwrap().result,
        Err(EngineError::Cancelled)
    );
    let receive = b.receive(selector, Sink::with_capacity(1));
    let outcome = b.finish(receive).unwrap();
    assert_eq!(outcome.result, Err(EngineError::NoSuchContext(context)));
    let peer = a.peer(task(2));
    a.send(
        peer,
        context,
        0,
        0,
        Source::from_vec(vec![1]),
        Mode::Standard,
    );
    for _ in 0..20 {
        b.progress();
    }
    assert!(b.probe(selector).is_none());
}

#[test]
fn a_claimed_message_whose_sender_ends_is_an_error_not_a_wait() {
    for killed_first in [false, true] {
        let (network, mut a, mut b) = pair(Behaviour::default());
        send(&mut a, 2, 9, &[3; 400], Mode::Standard);
        let mut claimed = None;
        run(&mut a, &mut b, |_, b| {
            claimed = b.claim(from(None, Some(9)));
            claimed.is_some()
        });
        network.kill(task(1));
        if killed_first {
            turns(&mut b, 10);
        }
        let receive = b.receive_claimed(claimed.unwrap().0, Sink::with_capacity(400));
        turns(&mut b, 10);
        let outcome = b.finish(receive).expect("it waits for a dead task");
        assert_eq!(outcome.result, Err(EngineError::PeerGone(task(1))));
    }
}

#[test]
fn senders_to_a_closed_context_are_let_go() {
    for (closed_first, len) in [(false, 10), (false, 400), (true, 10), (true, 400)] {
        let (_, mut a, mut b) = pair(Behaviour::default());
        let context = b.open_context();
        let (to_b, to_itself) = (a.peer(task(2)), Peer::SELF);
        let start = |engine: &mut Sim, peer| {
            let source = Source::from_vec(vec![1; len]);
            engine.send(peer, context, 0, 0, source, Mode::Synchronous)
        };
        if closed_first {
            b.close_context(context);
        }
        let sent = start(&mut a, to_b);
        let own = start(&mut b, to_itself);
        for _ in 0..20 {
            a.progress();
            b.progress();
        }
        b.close_context(context);
        run(&mut a, &mut b, |a, b| {
            a.is_complete(sent) && b.is_complete(own)
        });
    }
}

#[test]
fn contexts_that_are_closed_make_room_for_others() {
    let (_, mut a, _) = pair(Behaviour::default());
    let first = a.open_context();
    a.close_context(first);
    let mut seen = std::collections::HashSet::from([first]);
    for _ in 0..50_000 {
        let context = a.open_context();
        assert!(seen.insert(context), "{context:?} came back too soon");
        a.close_context(context);
    }
    assert!(a.spaces.len() < 4096, "{} spaces", a.spaces.len());
    let stale = Selector {
        context: first,
        source: None,
        tag: None,
    };
    let receive = a.receive(stale, Sink::with_capacity(1));
    let error = EngineError::NoSuchContext(first);
    assert_eq!(a.finish(receive).unwrap().result, Err(error));
}

#[test]
fn streams_to_one_peer_take_turns() {
    let (_, mut a, mut b) = pair(Behaviour::default());
    let large = send(&mut a, 2, 1, &vec![1; 100_000], Mode::Standard);
    let small = send(&mut a, 2, 2, &[2; 500], Mode::Standard);
    for tag in [1, 2] {
        b.receive_any_size(from(None, Some(tag)), 1 << 20);
    }
    run(&mut a, &mut b, |a, _| a.is_complete(small));
    assert!(!a.is_complete(large), "the first stream went alone");
}

#[test]
fn an_engine_is_quiet_when_nobody_waits_for_it() {
    let (_, mut a, mut b) = pair(Behaviour::default());
    assert!(a.is_quiet());
    // A lane that is full keeps the answer back.
    let eager: Vec<_> = (0..9)
        .map(|_| send(&mut b, 1, 1, &[1], Mode::Standard))
        .collect();
    let sent = send(&mut a, 2, 2, &[2], Mode::Synchronous);
    assert!(!a.is_quiet(), "it is to be confirmed");
    let receive = b.receive(from(None, Some(2)), Sink::with_capacity(1));
    for _ in 0..100 {
        b.progress();
    }
    assert!(b.is_complete(receive) && !b.is_quiet(), "it has to confirm");
    run(&mut a, &mut b, |_, b| b.is_quiet());
    assert!(eager.iter().all(|&send| b.is_complete(send)));
    run(&mut a, &mut b, |a, _| a.is_complete(sent));
    assert!(a.is_quiet());
}

#[test]
fn everything_that_a_thread_may_wait_for_is_news() {
    let (network, mut a, mut b) = pair(Behaviour::default());
    let dead = a.peer(task(2));
    let before = a.news();
    let own = a.send(
        Peer::SELF,
        Context::WORLD,
        1,
        0,
        Source::from_vec(vec![1]),
        Mode::Synchronous,
    );
    assert!(
        !a.is_complete(own) && a.news() != before,
        "a message to oneself"
    );
    let before = a.kept();
    send(&mut b, 1, 1, &[1], Mode::Standard);
    turns(&mut a, 20);
    assert!(a.kept() != before, "a message that nobody has asked for");
    let before = a.news();
    network.kill(task(2));
    turns(&mut a, 20);
    assert!(a.is_gone(dead) && a.news() != before, "the end of a peer");
}

/// Panics when it is to go on.
struct Fragile {
    steps: usize,
}

impl Operation<Net> for Fragile {
    fn advance(&mut self, _: &mut Sim) -> Poll<Result<Envelope, EngineError>> {
        self.steps += 1;
        assert!(self.steps < 2, "a callback of the program");
        Poll::Pending
    }
}

#[test]
fn an_operation_that_panics_has_failed() {
    let (_, mut a, _) = pair(Behaviour::default());
    let fragile = a.start(Box::new(Fragile { steps: 0 }));
    let own = a.receive(from(None, Some(1)), Sink::with_capacity(1));
    a.cancel(own);
    let advance = std::panic::AssertUnwindSafe(|| a.progress());
    assert!(std::panic::catch_unwind(advance).is_err());
    let other = a.receive(from(None, Some(1)), Sink::with_capacity(1));
    a.cancel(other);
    a.progress();
    assert!(matches!(
        a.finish(fragile).expect("it never ends").result,
        Err(EngineError::Operation(_))
    ));
}

#[test]
fn packets_that_lie_are_ignored() {
    let (network, mut a, mut b) = pair(Behaviour::default());
    let mut liar = network.transport(task(3));
    let to = liar.peer(task(2));
    let receive = b.receive(from(None, None), Sink::with_capacity(100));
    send(&mut a, 2, 0, &[1; 90], Mode::Standard);
    for _ in 0..10 {
        b.progress();
    }
    for kind in [Kind::Clear, Kind::Data, Kind::Finish] {
        for token in [0u64, 1 << 32, u64::MAX] {
            let head = Head {
                kind,
                flags: 0xff,
                context: 9999,
                tag: -1,
                check: 0,
            };
            let source = Source::from_vec(vec![6; 30]);
            let _ = liar.send(
                to,
                &head,
                Some(&[token, token, token, 0]),
                Some(Body::whole(&source)),
            );
            b.progress();
        }
    }
    run(&mut a, &mut b, |_, b| b.is_complete(receive));
    assert_eq!(
        b.finish(receive)
            .unwrap()
            .sink
            .and_then(Sink::into_vec)
            .unwrap()[..90],
        [1; 90]
    );
}

/// Adds up its receives: the smallest operation that needs several requests.
struct Sum {
    waiting: Vec<RequestId>,
    sum: u64,
}

impl Operation<Net> for Sum {
    fn advance(&mut self, engine: &mut Sim) -> Poll<Result<Envelope, EngineError>> {
        self.waiting
            .retain(|&request| match engine.finish(request) {
                Some(outcome) => {
                    self.sum += bytes(outcome)
                        .iter()
                        .map(|&byte| u64::from(byte))
                        .sum::<u64>();
                    false
                }
                None => true,
            });
        if !self.waiting.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Envelope {
            source: Peer::SELF,
            tag: 0,
            len: self.sum,
            check: 0,
            form: Form::HERE,
        }))
    }
}

#[test]
fn operations_end_when_their_requests_have() {
    let (_, mut a, mut b) = pair(Behaviour::default());
    let waiting = (0..5)
        .map(|tag| b.receive(from(None, Some(tag)), Sink::with_capacity(1)))
        .collect();
    let sum = b.start(Box::new(Sum { waiting, sum: 0 }));
    for tag in 0..5 {
        send(&mut a, 2, tag, &[tag as u8], Mode::Standard);
    }
    run(&mut a, &mut b, |_, b| b.is_complete(sum));
    assert_eq!(b.finish(sum).unwrap().result.unwrap().len, 10);
}

/// Receives from a peer of the same host without a request, if that can be.
fn at_once(
    engine: &mut Sim,
    selector: Selector,
    room: usize,
) -> Option<(Result<Envelope, EngineError>, Vec<u8>)> {
    let mut sink = Sink::with_capacity(room);
    let mut looks = 0;
    let again = |_: &mut Net| {
        looks += 1;
        looks < 1000
    };
    let mut envelope = Envelope::NONE;
    let ended = engine.receive_at_once(selector, &mut sink, &mut envelope, again)?;
    sink.into_vec()
        .map(|bytes| (ended.map(|()| envelope), bytes))
}

/// Two tasks of one host that have heard of each other: the numbers 1 and 3, and each by the other.
fn neighbours() -> (Network, Sim, Sim, Peer, Peer) {
    let network = Network::new(Behaviour::default());
    let engine = |number| Engine::new(network.transport(task(number)), task(number));
    let (mut a, mut b) = (engine(1), engine(3));
    let hello = send(&mut a, 3, 99, &[0], Mode::Standard);
    let heard = b.receive(from(None, Some(99)), Sink::with_capacity(1));
    run(&mut a, &mut b, |a, b| {
        a.is_complete(hello) && b.is_complete(heard)
    });
    let (to_b, to_a) = (a.peer(task(3)), b.peer(task(1)));
    (network, a, b, to_b, to_a)
}

#[test]
fn what_comes_next_is_received_at_once() {
    for len in [0, 1, 7, 8, 23, 40, 41, 64] {
        let (_, mut a, mut b, to_b, to_a) = neighbours();
        let data: Vec<u8> = (0..len).collect();
        let source = Source::from_vec(data.clone());
        let sent = a.send_at_once(to_b, Context::WORLD, 3, 5, &source);
        assert_eq!(sent, Some(Ok(())));
        let (ended, bytes) = at_once(&mut b, from(Some(to_a), Some(3)), 64).expect("it is there");
        let expected = Envelope {
            source: to_a,
            tag: 3,
            len: data.len() as u64,
            check: 5,
            form: Form::HERE,
        };
        assert_eq!(ended, Ok(expected));
        assert_eq!(bytes[..data.len()], data);
        assert_eq!(b.kept(), 0, "it came by way of the queue");
    }
}

#[test]
fn what_is_received_at_once_can_be_cut_off() {
    let (_, mut a, mut b, _, to_a) = neighbours();
    send(&mut a, 3, 1, &[1, 2, 3, 4, 5], Mode::Standard);
    let (ended, bytes) = at_once(&mut b, from(Some(to_a), None), 2).expect("it is there");
    let cut = matches!(
        ended,
        Err(EngineError::Truncated { len: 5, capacity: 2, envelope }) if envelope.len == 5
    );
    assert!(cut, "{ended:?}");
    assert_eq!(bytes, [1, 2]);
    turns(&mut b, 20);
    assert!(b.probe(from(None, None)).is_none());
}

/// Whatever is in the way of a receive, it is left to the general way, which gives it its message.
#[test]
fn what_is_unusual_is_not_received_at_once() {
    type InTheWay = fn(&mut Sim, &mut Sim, Peer);
    let cases: [(&str, InTheWay); 7] = [
        ("nothing but another tag", |a, _, _| {
            send(a, 3, 2, &[2], Mode::Standard);
        }),
        ("a receive of the same posted before", |_, b, to_a| {
            b.receive(from(Some(to_a), Some(1)), Sink::with_capacity(1));
        }),
        ("a receive from anybody posted before", |_, b, _| {
            b.receive(from(None, None), Sink::with_capacity(1));
        }),
        ("a message that was kept before", |a, b, _| {
            send(a, 3, 1, &[2], Mode::Standard);
            while b.probe(from(None, Some(1))).is_none() {}
        }),
        ("a confirmation that is wanted", |a, _, _| {
            send(a, 3, 1, &[2], Mode::Synchronous);
        }),
        ("a message that is announced", |a, _, _| {
            send(a, 3, 1, &[2; 500], Mode::Standard);
        }),
        ("a collective that runs", |_, b, _| {
            let waiting = vec![b.receive(from(None, Some(77)), Sink::with_capacity(1))];
            b.start(Box::new(Sum { waiting, sum: 0 }));
        }),
    ];
    for (case, put_in_the_way) in cases {
        let (_, mut a, mut b, _, to_a) = neighbours();
        put_in_the_way(&mut a, &mut b, to_a);
        send(&mut a, 3, 1, &[1], Mode::Standard);
        let selector = from(Some(to_a), Some(1));
        let ended = at_once(&mut b, selector, 500);
        assert_eq!(ended, None, "{case}");
        // The message may be for what was in the way: then this one is not.
        send(&mut a, 3, 1, &[1], Mode::Standard);
        let receive = b.receive_any_size(selector, 500);
        run(&mut a, &mut b, |_, b| b.is_complete(receive));
    }
}

#[test]
fn nothing_is_received_at_once_from_where_nothing_can_come() {
    let (network, mut a, mut b, _, to_a) = neighbours();
    let closed = b.open_context();
    b.close_context(closed);
    let in_closed = Selector {
        context: closed,
        source: Some(to_a),
        tag: None,
    };
    send(&mut a, 3, 1, &[1], Mode::Standard);
    for selector in [in_closed, from(Some(Peer::SELF), None), from(None, None)] {
        assert_eq!(at_once(&mut b, selector, 1), None, "{selector:?}");
    }
    assert!(at_once(&mut b, from(Some(to_a), Some(1)), 1).is_some());
    network.kill(task(1));
    turns(&mut b, 20);
    assert_eq!(at_once(&mut b, from(Some(to_a), Some(1)), 1), None);
    let late = b.receive(from(Some(to_a), Some(1)), Sink::with_capacity(1));
    let gone = EngineError::PeerGone(task(1));
    assert_eq!(b.finish(late).expect("it has ended").result, Err(gone));
}

/// A task that receives at once again and again goes on with what others want of it.
#[test]
fn who_receives_at_once_lets_others_go_on() {
    let (network, mut a, mut b, to_b, to_a) = neighbours();
    let mut c = Engine::new(network.transport(task(5)), task(5));
    let large = b.receive(from(None, Some(7)), Sink::with_capacity(5000));
    let sent = send(&mut c, 3, 7, &[7; 5000], Mode::Standard);
    let source = Source::from_vec(vec![1]);
    for _ in 0..100_000 {
        if b.is_complete(large) && c.is_complete(sent) {
            return;
        }
        c.progress();
        if a.send_at_once(to_b, Context::WORLD, 1, 0, &source)
            .is_none()
        {
            continue;
        }
        // The general way is gone only when it is asked for.
        let selector = from(Some(to_a), Some(1));
        if at_once(&mut b, selector, 1).is_none() {
            let receive = b.receive(selector, Sink::with_capacity(1));
            run(&mut a, &mut b, |_, b| b.finish(receive).is_some());
        }
    }
    panic!("the message of another task starves");
}

proptest! {
    /// Whatever the network does, messages of one sender and tag arrive whole and in order.
    #[test]
    fn order_and_bytes_are_kept(
        seed: u64, room in 1usize..5,
        messages in proptest::collection::vec((0usize..300, 0i32..3, any::<bool>()), 1..40),
    ) {
        let (_, mut a, mut b) = pair(Behaviour { seed, room, ..Behaviour::default() });
        let mut sends = Vec::new();
        let mut receives = Vec::new();
        for (number, (len, tag, synchronous)) in messages.iter().enumerate() {
            let mode = if *synchronous { Mode::Synchronous } else { Mode::Standard };
            sends.push(send(&mut a, 2, *tag, &vec![number as u8; *len], mode));
            if number % 2 == 0 {
                b.progress();
            }
            receives.push((number, b.receive_any_size(from(None, Some(*tag)), 1 << 20)));
        }
        run(&mut a, &mut b, |a, b| {
            sends.iter().all(|&s| a.is_complete(s)) && receives.iter().all(|&(_, r)| b.is_complete(r))
        });
        for (number, receive) in receives {
            let outcome = b.finish(receive).unwrap();
            prop_assert_eq!(bytes(outcome), vec![number as u8; messages[number].0]);
        }
    }

    /// A message goes to the same receive, whichever way it takes: with one, some or all received at once.
    #[test]
    fn both_ways_of_a_message_give_the_same(
        seed: u64,
        messages in proptest::collection::vec((0u8..80, 0i32..3, any::<bool>(), 0u8..3), 1..40),
    ) {
        let network = Network::new(Behaviour { seed, ..Behaviour::default() });
        let engine = |number| Engine::new(network.transport(task(number)), task(number));
        let (mut a, mut b) = (engine(1), engine(3));
        let to_a = b.peer(task(1));
        let mut posted = Vec::new();
        let mut got = vec![None; messages.len()];
        for (number, &(len, tag, synchronous, way)) in messages.iter().enumerate() {
            let mode = if synchronous { Mode::Synchronous } else { Mode::Standard };
            send(&mut a, 3, tag, &vec![number as u8; usize::from(len)], mode);
            if number % 3 == 0 {
                b.progress();
            }
            let selector = from((way > 0).then_some(to_a), Some(tag));
            let ended = if way == 2 { at_once(&mut b, selector, 80) } else { None };
            match ended {
                Some((ended, mut bytes)) => {
                    bytes.truncate(ended.expect("an envelope").len as usize);
                    got[number] = Some(bytes);
                }
                None => posted.push((number, b.receive_any_size(selector, 80))),
            }
        }
        run(&mut a, &mut b, |_, b| posted.iter().all(|&(_, r)| b.is_complete(r)));
        for (number, receive) in posted {
            got[number] = Some(bytes(b.finish(receive).unwrap()));
        }
        for (number, bytes) in got.into_iter().enumerate() {
            let expected = vec![number as u8; usize::from(messages[number].0)];
            prop_assert_eq!(bytes, Some(expected));
        }
    }
}
