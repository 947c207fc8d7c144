//! Joining with a token.

use super::*;
use crate::cluster::mesh::{AddressError, ConnectError, JoinError, join};
use crate::cluster::trust::{Redeemed, Token};

const HOUR: Duration = Duration::from_secs(3600);

async fn refused(token: &Token) -> Redeemed {
    match join(token, "late").await {
        Err(JoinError::Token { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_makes_a_host_a_member() {
    let mut one = Daemon::new(1);
    let token = one.mesh.issue_token(HOUR, 1).unwrap();
    // As a person copies it.
    let token: Token = token.to_string().parse().unwrap();
    let joined = join(&token, "newcomer").await.unwrap();
    assert_eq!(joined.from, one.id());
    assert_eq!(joined.address, one.address());
    let event = one.event().await;
    let MeshEvent::Invited { host, .. } = event else {
        panic!("not Invited: {event:?}");
    };
    assert_eq!(host, "newcomer");

    let trust = Trust::new(joined.secret, DaemonId(2)).unwrap();
    let two = Daemon::of(trust, SystemTime::now());
    two.mesh.connect_seed(&[joined.address]).await.unwrap();
    assert_eq!(one.connected().await.id, two.id());
    assert_eq!(refused(&token).await, Redeemed::Used);
    assert!(one.has_no_event());
}

#[tokio::test]
async fn dead_addresses_in_a_token_do_not_matter() {
    let one = Daemon::new(1);
    let mut token = one.mesh.issue_token(HOUR, 1).unwrap();
    token.addresses = one.hidden();
    assert_eq!(join(&token, "").await.unwrap().address, one.address());
}

#[tokio::test]
async fn a_token_has_its_time() {
    let mut one = Daemon::new(1);
    let token = one.mesh.issue_token(Duration::ZERO, 1).unwrap();
    assert_eq!(refused(&token).await, Redeemed::Expired);
    assert!(one.has_no_event());
}

#[tokio::test]
async fn a_token_is_known_to_who_has_given_it_out() {
    let (one, two) = (Daemon::new(1), Daemon::new(2));
    let mut token = one.mesh.issue_token(HOUR, 1).unwrap();
    token.addresses = vec![two.address()];
    assert_eq!(refused(&token).await, Redeemed::Unknown);
    token.addresses = vec![one.address()];
    join(&token, "").await.unwrap();
}

#[tokio::test]
async fn a_token_is_shown_to_its_virtual_machine_alone() {
    let (one, mut foreign) = (Daemon::new(1), Daemon::of(trust(8, 1), SystemTime::now()));
    let mut token = one.mesh.issue_token(HOUR, 1).unwrap();
    token.addresses = vec![foreign.address()];
    let Err(JoinError::Connect(ConnectError::NotReached { failures, .. })) = join(&token, "").await
    else {
        panic!("not NotReached");
    };
    assert_eq!(failures[0].1, AddressError::OtherVirtualMachine);
    assert!(foreign.has_no_event());
}
