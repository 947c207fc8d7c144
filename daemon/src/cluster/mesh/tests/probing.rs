//! Trying addresses for those who look for what is wrong.

use super::*;
use crate::cluster::mesh::{AddressError, FullSize};
use pvm::limits::PEER_SILENCE_MS;
use std::net::UdpSocket;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_answer_is_timed_and_leaves_nothing() {
    let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
    for _ in 0..3 {
        let probed = one
            .mesh
            .prober()
            .probe(two.id(), two.address(), LIMIT)
            .await;
        let probed = probed.unwrap();
        assert!(!probed.connect.is_zero() && !probed.answer.is_zero());
    }
    assert!(one.mesh.peers().is_empty() && one.has_no_event());
    // The other one has no peer either, until it gets one.
    one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
    assert_eq!(two.connected().await.id, one.id());
    assert_eq!(two.mesh.peers().len(), 1);
    assert!(two.has_no_event());
}

#[tokio::test]
async fn a_connection_that_is_there_stays() {
    let (mut one, mut two) = pair().await;
    let probed = one
        .mesh
        .prober()
        .probe(two.id(), two.address(), LIMIT)
        .await;
    probed.unwrap();
    let again = one.mesh.connect(two.id(), &[]).await.unwrap();
    assert_eq!(again.id, two.id());
    assert!(one.has_no_event() && two.has_no_event());
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let other = Daemon::of(trust(OURS + 1, 3), SystemTime::now());
    let prober = one.mesh.prober();
    let probe = |id, address| prober.probe(id, address, LIMIT);
    let own = probe(two.id(), one.address()).await;
    assert_eq!(own, Err(AddressError::Ourselves));
    let mistaken = probe(DaemonId(9), two.address()).await;
    assert_eq!(mistaken, Err(AddressError::OtherDaemon));
    let stranger = probe(other.id(), other.address()).await;
    assert_eq!(stranger, Err(AddressError::OtherVirtualMachine));
    // The system says at once that nobody is there.
    let closed = SocketAddr::from((MORTALS, 9));
    let begun = std::time::Instant::now();
    let nobody = probe(two.id(), closed).await;
    assert_eq!(nobody, Err(AddressError::NobodyListens));
    assert!(begun.elapsed() < Duration::from_millis(PEER_SILENCE_MS));
}

#[tokio::test]
async fn silence_has_its_time_and_no_more() {
    let one = Daemon::new(1);
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    // Shorter and longer than what a connection waits for.
    for limit_ms in [300, PEER_SILENCE_MS + 300] {
        let limit = Duration::from_millis(limit_ms);
        let begun = std::time::Instant::now();
        let silent = one.mesh.prober().probe(DaemonId(2), address, limit).await;
        assert_eq!(silent, Err(AddressError::NoAnswer(limit_ms)));
        assert!(begun.elapsed() >= limit && begun.elapsed() < DEADLINE);
    }
}

#[tokio::test]
async fn packets_of_full_size_arrive_where_nothing_is_in_their_way() {
    let (one, mut two) = (Daemon::new(1), Daemon::new(2));
    let found = one.mesh.prober().full_size(two.address()).await;
    assert_eq!(found, FullSize::Arrives);
    assert!(two.has_no_event());
}

/// Answers as a daemon does, but only to packets up to a size, until it gets an empty one.
fn narrow(socket: &UdpSocket, most: usize) {
    let mut packet = [0; 10_000];
    while let Ok((len @ 1.., from)) = socket.recv_from(&mut packet) {
        if len <= most {
            // To the id of who asks, which is the second.
            let answer = [&[0xc0, 0, 0, 0, 0], &packet[14..23], &[0], &[0, 0, 0, 1]].concat();
            socket.send_to(&answer, from).unwrap();
        }
    }
}

#[tokio::test]
async fn packets_that_are_lost_for_their_size_are_found() {
    let one = Daemon::new(1);
    for (most, expected) in [(2000, true), (100, false)] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || narrow(&socket, most));
        let found = one.mesh.prober().full_size(address).await;
        let end = UdpSocket::bind("127.0.0.1:0").unwrap();
        end.send_to(&[], address).unwrap();
        thread.join().unwrap();
        match expected {
            true => assert!(matches!(found, FullSize::Lost(6000..)), "{found:?}"),
            false => assert_eq!(found, FullSize::Unknown),
        }
    }
}
