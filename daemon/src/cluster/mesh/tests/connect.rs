//! Finding, keeping and losing each other.

use super::*;
use crate::cluster::mesh::{AddressError, ConnectError, Wanted};
use pvm::limits::PEER_SILENCE_MS;
use std::net::Ipv6Addr;

fn failures(error: ConnectError) -> Vec<AddressError> {
    match error {
        ConnectError::NotReached { failures, .. } => failures.into_iter().map(|it| it.1).collect(),
        other => panic!("not NotReached: {other:?}"),
    }
}

#[tokio::test]
async fn both_sides_learn_who_is_there() {
    let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
    let peer = one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
    assert_eq!((peer.id, &*peer.host), (two.id(), "host2"));
    assert_eq!((peer.address, peer.version), (two.address(), 1));
    assert_eq!(one.connected().await, peer);
    let caller = two.connected().await;
    assert_eq!((caller.id, &*caller.host), (one.id(), "host1"));
    assert_eq!(caller.address, one.address());
    // Again, from both sides: it is there.
    assert_eq!(one.mesh.connect(two.id(), &[]).await, Ok(peer.clone()));
    assert_eq!(two.mesh.connect(one.id(), &[]).await, Ok(caller));
    assert_eq!(one.mesh.peers(), [peer]);
    assert!(one.has_no_event() && two.has_no_event());
}

#[tokio::test]
async fn a_seed_is_whoever_is_there() {
    let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
    // Its own address may be among those of the seeds.
    let seeds = [one.address(), two.address()];
    let peer = one.mesh.connect_seed(&seeds).await.unwrap();
    assert_eq!(peer.id, two.id());
    assert_eq!(one.mesh.connect_seed(&seeds).await.unwrap(), peer);
    assert_eq!(one.connected().await, peer);
    assert_eq!(two.connected().await.id, one.id());
    assert!(one.has_no_event() && two.has_no_event());
}

#[tokio::test]
async fn dead_addresses_do_not_hold_up_the_living() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let hidden = two.hidden();
    let (dead, _) = hidden.split_at(3);
    tokio::select! {
        error = one.mesh.connect(DaemonId(9), dead) => panic!("{error:?} came first"),
        peer = one.mesh.connect(two.id(), &hidden) => {
            assert_eq!(peer.unwrap().address, two.address());
        }
    }
}

#[tokio::test]
async fn more_addresses_than_are_dialled_at_a_time_all_have_their_turn() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let mut seeds: Vec<_> = (1..=20)
        .map(|n| SocketAddr::from(([127, 0, 0, n], 9)))
        .collect();
    seeds.push(two.address());
    assert_eq!(one.mesh.connect_seed(&seeds).await.unwrap().id, two.id());
}

#[tokio::test]
async fn several_ways_to_the_same_daemon_are_one_connection() {
    let (mut one, mut two) = (Daemon::everywhere(1), Daemon::everywhere(2));
    let port = two.mesh.port();
    let ways: Vec<_> = (1..=8)
        .map(|n| SocketAddr::from(([127, 0, 0, n], port)))
        .collect();
    for _ in 0..10 {
        one.mesh.connect(two.id(), &ways).await.unwrap();
        one.connected().await;
        two.connected().await;
        // What is kept is in use on both sides, and nothing else ever was.
        two.mesh.open_uni(one.id(), control()).await.unwrap();
        assert!(matches!(one.event().await, MeshEvent::Uni { .. }));
        assert!(one.has_no_event() && two.has_no_event());
        one.mesh.close(two.id());
        assert_eq!(one.lost().await, (two.id(), LostReason::ClosedHere));
        let there = LostReason::ClosedThere("not wanted any more".to_owned());
        assert_eq!(two.lost().await, (one.id(), there));
    }
}

#[tokio::test]
async fn who_comes_anew_after_a_loss_is_lost_and_connected() {
    let (mut one, mut two) = pair().await;
    for _ in 0..20 {
        // At once, before anybody has noticed.
        one.mesh.close(two.id());
        one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
        for daemon in [&mut one, &mut two] {
            daemon.lost().await;
            daemon.connected().await;
            assert!(daemon.has_no_event());
        }
    }
}

#[tokio::test]
async fn the_addresses_that_a_daemon_tells_lead_to_it() {
    let (one, two) = (Daemon::everywhere(1), Daemon::everywhere(2));
    let addresses = two.mesh.local_addresses();
    assert!(addresses.iter().all(|it| it.port() == two.mesh.port()));
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, two.mesh.port()));
    assert!(addresses.contains(&local), "{addresses:?}");
    for address in addresses {
        one.mesh.connect(two.id(), &[address]).await.unwrap();
        one.mesh.close(two.id());
    }
}

#[tokio::test]
async fn all_who_want_a_daemon_share_one_dial() {
    let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
    let (mesh, id, address) = (one.mesh.clone(), two.id(), two.address());
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let mesh = mesh.clone();
            tokio::spawn(async move { mesh.connect(id, &[address]).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().id, id);
    }
    one.connected().await;
    two.connected().await;
    assert_eq!(mesh.0.endpoint.open_connections(), 1);
    assert!(one.has_no_event() && two.has_no_event());
}

#[tokio::test]
async fn who_knows_better_addresses_tries_them_after_others_have_failed() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let mesh = one.mesh.clone();
    let (id, address) = (two.id(), two.address());
    let (dead, living) = ([SocketAddr::from(([127, 0, 0, 1], 9))], [address]);
    let (bad, good) = tokio::join!(mesh.connect(id, &dead), mesh.connect(id, &living));
    assert!(bad.is_err());
    assert_eq!(good.unwrap().id, id);
}

#[tokio::test]
async fn both_may_dial_at_the_same_time() {
    for _ in 0..20 {
        let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
        let (to_two, to_one) = ([two.address()], [one.address()]);
        let (there, back) = tokio::join!(
            one.mesh.connect(two.id(), &to_two),
            two.mesh.connect(one.id(), &to_one)
        );
        assert_eq!(there.unwrap().id, two.id());
        assert_eq!(back.unwrap().id, one.id());
        one.connected().await;
        two.connected().await;
        for (from, to) in [(&one.mesh, &mut two.events), (&two.mesh, &mut one.events)] {
            let id = if from.id() == DaemonId(1) { 2 } else { 1 };
            from.open_uni(DaemonId(id), control()).await.unwrap();
            let event = timeout(DEADLINE, to.recv()).await.unwrap();
            assert!(matches!(event, Some(MeshEvent::Uni { .. })), "{event:?}");
        }
        assert!(one.has_no_event() && two.has_no_event());
    }
}

#[tokio::test]
async fn three_daemons_know_each_other() {
    let mut all = [Daemon::new(1), Daemon::new(2), Daemon::new(3)];
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (id, address) = (all[to].id(), all[to].address());
        all[from].mesh.connect(id, &[address]).await.unwrap();
    }
    for daemon in &mut all {
        let mut seen = [daemon.connected().await.id, daemon.connected().await.id];
        seen.sort();
        let others = [1, 2, 3].map(DaemonId).into_iter();
        let others: Vec<_> = others.filter(|it| *it != daemon.id()).collect();
        assert_eq!(seen, *others);
    }
    all[0].mesh.shutdown().await;
    for daemon in &mut all[1..] {
        assert_eq!(daemon.lost().await, (DaemonId(1), LostReason::Left));
    }
    assert_eq!(all[1].mesh.peers().len(), 1);
    let after = all[0].mesh.connect(DaemonId(2), &[]).await;
    assert_eq!(after, Err(ConnectError::Leaving));
    let after = all[0].mesh.connect_seed(&[all[1].address()]).await;
    assert_eq!(after, Err(ConnectError::Leaving));
}

#[tokio::test]
async fn a_daemon_of_another_virtual_machine_is_told_apart() {
    let (mut one, mut two) = (Daemon::new(1), Daemon::of(trust(8, 2), SystemTime::now()));
    let error = one.mesh.connect(two.id(), &[two.address()]).await;
    assert_eq!(
        failures(error.unwrap_err()),
        [AddressError::OtherVirtualMachine]
    );
    let error = two.mesh.connect_seed(&[one.address()]).await;
    assert_eq!(
        failures(error.unwrap_err()),
        [AddressError::OtherVirtualMachine]
    );
    assert!(one.has_no_event() && two.has_no_event());
}

#[tokio::test]
async fn another_daemon_at_an_address_is_told_apart() {
    let (one, mut two) = (Daemon::new(1), Daemon::new(2));
    let error = one.mesh.connect(DaemonId(3), &[two.address()]).await;
    let error = error.unwrap_err();
    assert_eq!(failures(error), [AddressError::OtherDaemon]);
    // An address that is in use on two networks: the right one is found.
    let three = Daemon::new(3);
    let addresses = [two.address(), three.address()];
    let peer = one.mesh.connect(three.id(), &addresses).await.unwrap();
    assert_eq!(peer.address, three.address());
    assert!(two.has_no_event());
}

#[tokio::test]
async fn we_are_nobody_to_connect_to() {
    let one = Daemon::new(1);
    let error = one.mesh.connect(one.id(), &[one.address()]).await;
    assert_eq!(failures(error.unwrap_err()), [AddressError::Ourselves]);
    let error = one.mesh.connect_seed(&[one.address()]).await;
    assert_eq!(failures(error.unwrap_err()), [AddressError::Ourselves]);
    let error = one.mesh.connect_seed(&[]).await;
    assert_eq!(error, Err(ConnectError::NoAddress(Wanted::Anybody)));
}

#[tokio::test]
async fn no_answer_is_said_in_time() {
    let one = Daemon::new(1);
    // A socket that listens and never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = [silent.local_addr().unwrap(), "[::1]:9".parse().unwrap()];
    let error = one.mesh.connect(DaemonId(2), &addresses).await;
    let failures = failures(error.unwrap_err());
    let [AddressError::NoAnswer(ms), AddressError::NotReachable(_)] = &failures[..] else {
        panic!("{failures:?}");
    };
    assert!(*ms >= PEER_SILENCE_MS, "{ms}");
}

#[tokio::test]
async fn a_daemon_that_dies_is_lost_and_another_comes_in_its_place() {
    let mut one = Daemon::new(1);
    let mortal = Mortal::new(2, 0);
    let address = mortal.address;
    let peer = one.mesh.connect(DaemonId(2), &[address]).await.unwrap();
    assert_eq!(one.connected().await, peer);
    mortal.kill();
    assert_eq!(one.lost().await, (DaemonId(2), LostReason::Silence));
    assert_eq!(one.mesh.peers(), []);
    assert!(one.mesh.connect(DaemonId(2), &[address]).await.is_err());
    // The daemon that starts at the same address is another one.
    let mortal = Mortal::new(3, address.port());
    let error = one.mesh.connect(DaemonId(2), &[address]).await;
    assert_eq!(failures(error.unwrap_err()), [AddressError::OtherDaemon]);
    let peer = one.mesh.connect(DaemonId(3), &[address]).await.unwrap();
    assert_eq!(one.connected().await, peer);
    mortal.kill();
}

#[tokio::test]
async fn connections_are_made_again_after_a_loss() {
    let (mut one, mut two) = pair().await;
    for _ in 0..5 {
        two.mesh.close(one.id());
        assert_eq!(two.lost().await.0, one.id());
        assert_eq!(one.lost().await.0, two.id());
        one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
        one.connected().await;
        two.connected().await;
    }
}

#[tokio::test]
async fn ipv6_alone_is_enough() {
    let start = |id| {
        let options = options(Ipv6Addr::LOCALHOST.into(), id);
        let (mesh, events) = Mesh::start(trust(OURS, id), options).unwrap();
        Daemon { mesh, events }
    };
    let (mut one, mut two) = (start(1), start(2));
    assert!(two.address().is_ipv6());
    one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
    one.connected().await;
    assert_eq!(two.connected().await.address, one.address());
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let one = Daemon::new(1);
    let port = one.mesh.port();
    let options = MeshOptions {
        port,
        ..options(Ipv4Addr::LOCALHOST.into(), 2)
    };
    let error = Mesh::start(trust(OURS, 2), options)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("UDP 127.0.0.1:{port}: ")),
        "{error}"
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_what_comes() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let now = SystemTime::now();
    assert!(one.mesh.0.renew(now).unwrap() > now);
    assert!(two.mesh.0.renew(now).unwrap() > now);
    one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
}

/// The daemon has one thread, and a set of tasks that stay on it.
#[test]
fn one_thread_with_a_local_set_is_enough() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let task = tokio::task::spawn_local(async { drop(pair().await) });
        task.await.unwrap();
    });
}
