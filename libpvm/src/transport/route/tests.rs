//! Packets between tasks of two hosts, with a stand-in for the daemons.

use super::*;
use crate::datatype::Source;
use crate::limits::{DIRECT_LINGER_MS, NET_FAULTS_MAX, WARM_PEERS_MAX};
use crate::transport::standin::{self, Desktop, Hub, Log, Weather, head, task};
use crate::wire::control::{Notify, OpenRoute, TaskExited, from_daemon, to_daemon};
use std::time::Duration;

type Far = Routes<Desktop>;

fn routes(hub: &Hub, number: u32) -> Far {
    Routes::new(hub.shm(task(number)), Route::Relay)
}

/// Tasks of two hosts.
fn pair(hub: &Hub) -> (Far, Peer, Far, Peer) {
    let (mut a, mut b) = (routes(hub, 1), routes(hub, 2));
    let (to_b, to_a) = (a.peer(task(2)), b.peer(task(1)));
    (a, to_b, b, to_a)
}

fn send(
    routes: &mut Far,
    to: Peer,
    tag: i32,
    args: Option<&Args>,
    bytes: &[u8],
) -> Result<(), SendError> {
    let source = Source::from_vec(bytes.to_vec());
    let body = (!bytes.is_empty()).then(|| Body::whole(&source));
    routes.send(to, &head(tag), args, body)
}

/// As [`standin::wait`]; nothing of this host is slept through.
fn wait(routes: &mut Far, log: &mut Log, mut done: impl FnMut(&Log) -> bool) {
    let has_something = |routes: &mut Far| routes.shm.has_something();
    standin::wait(routes, log, |log| done(log), has_something);
}

#[test]
fn every_form_of_packet_arrives_whole() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let args = [1, u64::MAX, 3, 4];
    let mut log = Log::default();
    for len in [0, 1, 8, 39, 40, 41, 64, 4096, 16 << 10, NET_BODY_MAX] {
        for args in [None, Some(&args)] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
            send(&mut a, to_b, len as i32, args, &bytes).unwrap();
            wait(&mut b, &mut log, |log| !log.packets.is_empty());
            let expected = args.copied().unwrap_or_default();
            let packet = (to_a, head(len as i32), expected, bytes);
            assert_eq!(log.packets.pop(), Some(packet));
            a.poll(&mut log);
        }
    }
}

#[test]
fn peers_of_both_kinds_share_one_space_of_numbers() {
    let hub = Hub::default();
    let mut tasks: Vec<Far> = (1..=4).map(|number| routes(&hub, number)).collect();
    for (from, routes) in (1..).zip(&mut tasks) {
        for to in (1..=4).filter(|&to| to != from) {
            let peer = routes.peer(task(to));
            assert_eq!(routes.task(peer), task(to));
            // Bounds are those of the peer's kind before anything was said.
            let is_far = (from + to) % 2 == 1;
            assert_eq!(routes.eager_max(peer) == NET_BODY_MAX, is_far);
            send(routes, peer, from as i32, None, b"hello").unwrap();
        }
    }
    for (number, routes) in (1..).zip(&mut tasks) {
        let mut log = Log::default();
        wait(routes, &mut log, |log| log.packets.len() == 3);
        for packet in &log.packets {
            assert_eq!(routes.task(packet.0), task(packet.1.tag as u32));
            assert_ne!(packet.1.tag, number);
        }
    }
}

#[test]
fn the_first_packet_is_under_way_before_anybody_answers() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    send(&mut a, to_b, 1, None, b"first").unwrap();
    let mut log = Log::default();
    wait(&mut b, &mut log, |log| log.tags() == [1]);
}

#[test]
fn the_end_of_a_task_is_told_after_its_last_words_and_once() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    for tag in 0..100 {
        send(&mut b, to_a, tag, None, &[1; 100]).unwrap();
    }
    hub.end(task(2));
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| !log.gone.is_empty());
    for _ in 0..10 {
        a.poll(&mut log);
    }
    assert_eq!(log.tags(), (0..100).collect::<Vec<_>>());
    assert_eq!(log.gone, [to_b]);
    assert_eq!(send(&mut a, to_b, 0, None, &[]), Err(SendError::Gone));
}

#[test]
fn tasks_that_are_only_waited_for_are_told_gone() {
    let hub = Hub::default();
    let (mut a, to_b, _b, _) = pair(&hub);
    let nobody = a.peer(task(98));
    a.watch(to_b);
    a.watch(nobody);
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.gone == [nobody]);
    hub.end(task(2));
    wait(&mut a, &mut log, |log| log.gone == [nobody, to_b]);
}

#[test]
fn subscriptions_of_others_are_told_and_the_transports_own_is_not() {
    let hub = Hub::default();
    let (mut a, to_b, _b, _) = pair(&hub);
    a.watch(to_b);
    let exited = TaskExited {
        task: task(2).bits(),
        status: None,
        tokens: vec![7, u64::MAX, 8],
        relays: 0,
    };
    let body = from_daemon::Body::TaskExited(exited.clone());
    hub.state().post(task(1).bits(), body, Vec::new());
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.gone == [to_b]);
    let tokens = vec![7, 8];
    let told = from_daemon::Body::TaskExited(TaskExited { tokens, ..exited });
    assert_eq!(a.take_event().map(|event| event.body), Some(told));
    assert!(a.take_event().is_none());
}

#[test]
fn without_a_daemon_everybody_is_gone() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let (near, never_used) = (a.peer(task(3)), a.peer(task(4)));
    send(&mut b, to_a, 7, None, b"last words").unwrap();
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.tags() == [7]);
    hub.lose();
    wait(&mut a, &mut log, |log| log.gone.len() == 3);
    assert!(
        [to_b, near, never_used]
            .iter()
            .all(|peer| log.gone.contains(peer))
    );
    assert!(a.is_lost());
    let late = a.peer(task(6));
    assert_eq!(send(&mut a, late, 0, None, &[]), Err(SendError::Gone));
    wait(&mut a, &mut log, |log| log.gone.contains(&late));
    assert_eq!(a.flush(), 0);
}

#[test]
fn a_slow_reader_stops_its_sender_and_nobody_else() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, _) = pair(&hub);
    let mut other = routes(&hub, 4);
    let to_other = a.peer(task(4));
    let mut sent = 0;
    while send(&mut a, to_b, sent, None, &[5; 30_000]).is_ok() {
        sent += 1;
    }
    assert!((2..20).contains(&sent), "{sent} packets fit");
    let mut log = Log::default();
    send(&mut a, to_other, 0, None, &[]).unwrap();
    wait(&mut other, &mut log, |log| log.tags() == [0]);
    let mut read = Log::default();
    wait(&mut b, &mut read, |log| log.packets.len() as i32 == sent);
    wait(&mut a, &mut log, |_| true);
    send(&mut a, to_b, sent, None, &[5; 30_000]).unwrap();
    wait(&mut b, &mut read, |log| {
        log.packets.len() as i32 == sent + 1
    });
    assert_eq!(read.tags(), (0..=sent).collect::<Vec<_>>());
}

#[test]
fn what_was_sent_is_confirmed_before_leaving() {
    let weather = Weather {
        seed: 3,
        is_late: true,
        breaks: 10,
        refusals: 30,
    };
    let hub = Hub::in_weather(weather);
    let (mut a, to_b, mut b, _) = pair(&hub);
    for tag in 0..20 {
        send(&mut a, to_b, tag, None, &[5; 1000]).unwrap();
    }
    let (mut log_a, mut log_b) = (Log::default(), Log::default());
    assert!(a.flush() > 0);
    let start = Instant::now();
    while a.flush() > 0 {
        a.poll(&mut log_a);
        b.poll(&mut log_b);
        assert!(start.elapsed() < Duration::from_secs(60), "hangs");
    }
    assert_eq!(log_b.tags(), (0..20).collect::<Vec<_>>());
}

#[test]
fn both_directions_survive_every_break() {
    for seed in 0..100 {
        let weather = Weather {
            seed,
            is_late: !seed.is_multiple_of(4),
            breaks: 5 + seed % 20,
            refusals: seed % 50,
        };
        let hub = Hub::in_weather(weather);
        let (mut a, to_b, mut b, to_a) = pair(&hub);
        let (mut log_a, mut log_b) = (Log::default(), Log::default());
        let (mut sent_a, mut sent_b) = (0, 0);
        let start = Instant::now();
        while log_a.packets.len() < 200 || log_b.packets.len() < 200 {
            let len = |sent: i32| vec![sent as u8; (sent as usize * 977) % 9000];
            if sent_a < 200 {
                sent_a += i32::from(send(&mut a, to_b, sent_a, None, &len(sent_a)).is_ok());
            }
            if sent_b < 200 {
                sent_b += i32::from(send(&mut b, to_a, sent_b, None, &len(sent_b)).is_ok());
            }
            a.poll(&mut log_a);
            b.poll(&mut log_b);
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "seed {seed} hangs"
            );
        }
        for log in [log_a, log_b] {
            assert_eq!(log.tags(), (0..200).collect::<Vec<_>>(), "seed {seed}");
            let whole = |p: &(Peer, Head, Args, Vec<u8>)| p.3.iter().all(|&b| b == p.1.tag as u8);
            assert!(log.packets.iter().all(whole), "seed {seed}");
        }
    }
}

#[test]
fn a_peer_that_sends_nonsense_again_and_again_is_gone() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    send(&mut b, to_a, 1, None, &[]).unwrap();
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.tags() == [1]);
    for fault in 0..=NET_FAULTS_MAX {
        assert!(log.gone.is_empty(), "gone after {fault} faults");
        let data = vec![1, 0, 0, 0, 99];
        let peer = task(2).bits();
        let body = from_daemon::Body::Relayed(Relayed { peer, data });
        hub.state().post(task(1).bits(), body, Vec::new());
        while a.poll(&mut log) {}
    }
    assert_eq!(log.gone, [to_b]);
    assert_eq!(send(&mut a, to_b, 0, None, &[]), Err(SendError::Gone));
}

#[test]
fn events_that_make_no_sense_are_ignored() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    let near = task(3).bits();
    for peer in [0, 1, near, task(1).bits()] {
        let data = vec![5, 0, 0, 0, 4, 1, 0, 0, 0];
        for body in [
            from_daemon::Body::Relayed(Relayed { peer, data }),
            from_daemon::Body::RelayBroken(crate::wire::control::RelayBroken { peer }),
        ] {
            hub.state().post(task(1).bits(), body, Vec::new());
        }
    }
    send(&mut b, to_a, 1, None, &[]).unwrap();
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.tags() == [1]);
    send(&mut a, to_b, 2, None, &[]).unwrap();
    wait(&mut b, &mut log, |log| log.tags() == [1, 2]);
    assert!(log.gone.is_empty());
}

#[test]
fn a_sleeping_receiver_on_another_host_is_woken() {
    let hub = Hub::default();
    let (mut a, to_b, mut b, to_a) = pair(&hub);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for tag in 0..200 {
                let mut log = Log::default();
                wait(&mut b, &mut log, |log| !log.packets.is_empty());
                send(&mut b, to_a, tag, None, &[]).unwrap();
            }
        });
        let start = Instant::now();
        for tag in 0..200 {
            let mut log = Log::default();
            send(&mut a, to_b, tag, None, &[]).unwrap();
            wait(&mut a, &mut log, |log| log.tags() == [tag]);
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn requests_beside_frames_go_out_in_order() {
    // A subscription that the daemon does not take at once is not forgotten.
    let weather = Weather {
        seed: 9,
        refusals: 90,
        ..Weather::default()
    };
    let hub = Hub::in_weather(weather);
    let (mut a, to_b, _b, _) = pair(&hub);
    a.watch(to_b);
    let watch = Notify {
        token: u64::MAX,
        tasks: vec![task(98).bits()],
        cancel: false,
    };
    let nobody = a.peer(task(98));
    a.link().post(to_daemon::Body::Notify(watch));
    let mut log = Log::default();
    wait(&mut a, &mut log, |log| log.gone == [nobody]);
    hub.end(task(2));
    wait(&mut a, &mut log, |log| log.gone == [nobody, to_b]);
}

/// Two tasks that connect directly at first contact.
fn direct_pair(hub: &Hub) -> [(Far, Peer, Log); 2] {
    let side = |me, other| {
        let mut far = Routes::new(hub.shm(task(me)), Route::Direct);
        let peer = far.peer(task(other));
        (far, peer, Log::default())
    };
    [side(1, 2), side(2, 1)]
}

/// Polls both until `done`.
fn run(
    sides: &mut [(Far, Peer, Log); 2],
    mut done: impl FnMut(&mut [(Far, Peer, Log); 2]) -> bool,
) {
    let start = Instant::now();
    while !done(sides) {
        for (far, _, log) in sides.iter_mut() {
            far.poll(log);
        }
        assert!(start.elapsed() < Duration::from_secs(60), "hangs");
    }
}

fn are_direct(sides: &mut [(Far, Peer, Log); 2]) -> bool {
    let mut is_direct = |side: usize| {
        let task = sides[side].0.task(sides[side].1);
        sides[side].0.is_direct(task)
    };
    is_direct(0) && is_direct(1)
}

#[test]
fn one_or_both_ask_and_the_connection_takes_over() {
    for askers in [&[0][..], &[1], &[0, 1]] {
        let hub = Hub::default();
        let mut sides = direct_pair(&hub);
        for &side in askers {
            let (far, to, _) = &mut sides[side];
            send(far, *to, 0, None, b"over the daemons").unwrap();
        }
        run(&mut sides, are_direct);
        for tag in 1..100 {
            for (far, to, _) in &mut sides {
                send(far, *to, tag, None, &[tag as u8; 3000]).unwrap();
            }
            run(&mut sides, |sides| {
                sides.iter().all(|side| side.2.tags().last() == Some(&tag))
            });
            assert_eq!(hub.under_way(task(1), task(2)), 0);
        }
        for (side, (_, _, log)) in sides.iter().enumerate() {
            let first = if askers.contains(&(1 - side)) { 0 } else { 1 };
            assert_eq!(log.tags(), (first..100).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_connection_that_breaks_leaves_nothing_out() {
    let hub = Hub::default();
    let mut sides = direct_pair(&hub);
    let mut tag = 0;
    for round in 0..6 {
        let breaker = round % 2;
        for _ in 0..40 {
            for (far, to, _) in &mut sides {
                // So little fits the window.
                send(far, *to, tag, None, &[7; 2000]).unwrap();
            }
            tag += 1;
        }
        // One of both gives up what it has; the other finds out.
        let (far, to, _) = &mut sides[breaker];
        far.sessions.give_up(*to, Instant::now());
        run(&mut sides, |sides| {
            sides
                .iter()
                .all(|side| side.2.packets.len() == tag as usize)
        });
    }
    for (_, _, log) in &sides {
        assert_eq!(log.tags(), (0..tag).collect::<Vec<_>>());
        assert!(log.gone.is_empty());
    }
}

#[test]
fn what_a_connection_still_has_is_shown_before_the_end() {
    let hub = Hub::default();
    let mut sides = direct_pair(&hub);
    send(&mut sides[0].0, sides[0].1, 0, None, b"x").unwrap();
    run(&mut sides, are_direct);
    let [(mut a, to_b, _), (mut b, to_a, mut log)] = sides;
    for tag in 1..20 {
        send(&mut a, to_b, tag, None, &[1; 1000]).unwrap();
    }
    // Killed: nothing is confirmed, nobody says a word.
    drop(a);
    hub.end(task(1));
    wait(&mut b, &mut log, |log| !log.gone.is_empty());
    assert_eq!(log.tags(), (0..20).collect::<Vec<_>>());
    assert_eq!(log.gone, [to_a]);
}

#[test]
fn a_task_asleep_with_sockets_hears_both_kinds_of_peers() {
    let hub = Hub::default();
    let mut sides = direct_pair(&hub);
    send(&mut sides[0].0, sides[0].1, 0, None, b"x").unwrap();
    run(&mut sides, are_direct);
    let [(mut a, to_b, mut a_log), (mut b, _, mut log)] = sides;
    // On the same host as 2.
    let mut near = routes(&hub, 4);
    let near_to_b = near.peer(task(2));
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            wait(&mut b, &mut log, |log| log.packets.len() == 201);
        });
        for tag in 0..100 {
            send(&mut a, to_b, tag, None, b"far").unwrap();
            let mut near_log = Log::default();
            while send(&mut near, near_to_b, tag, None, b"near").is_err() {
                near.poll(&mut near_log);
            }
            a.poll(&mut a_log);
            std::thread::sleep(Duration::from_micros(300));
        }
        thread.join().unwrap();
    });
}

/// However many peers there were, the last few have memory.
#[test]
fn memory_for_quiet_peers_is_given_back() {
    const PEERS: usize = 3 * WARM_PEERS_MAX;
    let hub = Hub::default();
    let mut me = Routes::new(hub.shm(task(1)), Route::Direct);
    let (mut log, mut most) = (Log::default(), 0);
    let start = Instant::now();
    let mut others = Vec::new();
    for number in 1..=PEERS {
        let other = task(2 * number as u32);
        let mut far = Routes::new(hub.shm(other), Route::Direct);
        let (to, back) = (me.peer(other), far.peer(task(1)));
        let mut their_log = Log::default();
        send(&mut me, to, 0, None, b"x").unwrap();
        let mut both = |me: &mut Far, far: &mut Far, done: fn(&Far, Peer, &Log) -> bool| {
            while !done(me, to, &their_log) {
                me.poll(&mut log);
                far.poll(&mut their_log);
                assert!(start.elapsed() < Duration::from_secs(60), "hangs");
            }
        };
        both(&mut me, &mut far, |me, to, _| me.sessions.is_direct(to));
        send(&mut me, to, 1, None, &[7; 60_000]).unwrap();
        both(&mut me, &mut far, |_, _, log| log.packets.len() == 2);
        send(&mut far, back, 2, None, b"and all is confirmed").unwrap();
        both(&mut me, &mut far, |me, to, _| me.sessions.is_flushed(to));
        if number == WARM_PEERS_MAX {
            most = me.sessions.memory();
        }
        assert!(number <= WARM_PEERS_MAX || me.sessions.memory() <= most);
        others.push(far);
    }
    assert!(most >= WARM_PEERS_MAX * 300_000, "{most}: they had none");
}

#[test]
fn a_connection_that_stays_open_delays_the_end_of_its_peer_for_a_while() {
    let hub = Hub::default();
    let mut sides = direct_pair(&hub);
    send(&mut sides[0].0, sides[0].1, 0, None, b"x").unwrap();
    run(&mut sides, are_direct);
    let [_, (mut b, to_a, mut log)] = sides;
    let now = Instant::now();
    b.sessions.exited(to_a, now);
    b.sessions.poll_sockets(now, &mut log);
    assert_eq!(b.sessions.next_gone(), None);
    let later = now + Duration::from_millis(DIRECT_LINGER_MS);
    b.sessions.poll_sockets(later, &mut log);
    assert_eq!(b.sessions.next_gone(), Some(to_a));
}

#[test]
fn the_end_of_a_peer_waits_for_no_attempt_to_connect() {
    let hub = Hub::default();
    let [_, (mut b, to_a, mut log)] = direct_pair(&hub);
    let offer = RouteOffer {
        listen: true,
        plain: true,
        token: vec![7; 16],
        ..RouteOffer::default()
    };
    let now = Instant::now();
    send(&mut b, to_a, 0, None, b"x").unwrap();
    let sockets = b.shm.sockets().unwrap();
    let link = b.shm.link();
    b.sessions.offered(link, (to_a, true), &offer, sockets, now);
    assert!(b.sessions.is_wired());
    b.sessions.exited(to_a, now);
    b.sessions.poll_sockets(now, &mut log);
    assert_eq!(b.sessions.next_gone(), Some(to_a));
}

#[test]
fn a_connection_carries_on_when_the_daemon_takes_nothing_more() {
    let hub = Hub::default();
    let mut sides = direct_pair(&hub);
    send(&mut sides[0].0, sides[0].1, 0, None, b"x").unwrap();
    let [(mut a, to_b, mut a_log), (b, to_a, b_log)] = sides;
    while hub.under_way(task(1), task(2)) < 2 {
        a.poll(&mut a_log);
    }
    hub.turn(Weather {
        refusals: 100,
        ..Weather::default()
    });
    let mut sides = [(a, to_b, a_log), (b, to_a, b_log)];
    for (far, to, _) in &mut sides {
        send(far, *to, 1, None, b"stuck").unwrap();
        assert!(far.sessions.is_stuck());
    }
    run(&mut sides, |sides| {
        sides.iter().all(|side| side.2.tags().last() == Some(&1))
    });
}

/// Two tasks may ask at the same time, and the second answer come when the first has made a connection.
#[test]
fn an_offer_that_comes_late_leaves_the_connection_alone() {
    for late in [0, 1] {
        let hub = Hub::default();
        let mut sides = direct_pair(&hub);
        let mut tag = 0;
        let mut exchange = |sides: &mut [(Far, Peer, Log); 2]| {
            tag += 1;
            for (far, to, _) in sides.iter_mut() {
                send(far, *to, tag, None, b"x").unwrap();
            }
            run(sides, |sides| {
                sides.iter().all(|side| side.2.tags().last() == Some(&tag))
            });
        };
        exchange(&mut sides);
        run(&mut sides, are_direct);
        exchange(&mut sides);
        let carriers = |sides: &[(Far, Peer, Log); 2]| {
            let count = |side: &(Far, Peer, Log)| side.0.sessions.carriers(side.1);
            sides.each_ref().map(count)
        };
        let before = carriers(&sides);
        let (far, peer, _) = &mut sides[late];
        let question = OpenRoute {
            peer: far.task(*peer).bits(),
        };
        far.shm.link().post(to_daemon::Body::OpenRoute(question));
        for _ in 0..200 {
            exchange(&mut sides);
        }
        assert_eq!(carriers(&sides), before, "asked late: {late}");
    }
}
