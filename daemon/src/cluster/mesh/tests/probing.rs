//! Trying addresses for those who look for what is wrong.

use super::*;
use crate::cluster::mesh::AddressError;
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
