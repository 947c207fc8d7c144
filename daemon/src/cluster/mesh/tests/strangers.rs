//! Those who are no daemons of ours, and what they can do: nothing.

use super::*;
use crate::cluster::mesh::error::CloseCode;
use crate::cluster::mesh::proto::{Greeting, Hello, HelloReply, Join, Keep, Reason, greeting};
use crate::cluster::mesh::{AddressError, ConnectError, dial, endpoint, stream};
use crate::cluster::trust::joining_config;
use pvm::limits::{CONNECTIONS_PER_PEER_MAX, GREETING_MAX, HALF_OPEN_MAX, MESH_VERSIONS};
use quinn::{Connection, ConnectionError, Endpoint, TokioRuntime};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::UdpSocket;
use std::sync::Arc;

/// QUIC without our rules.
struct Stranger(Endpoint);

impl Stranger {
    fn new() -> Self {
        let socket = endpoint::socket(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let config = endpoint::endpoint_config().unwrap();
        Stranger(Endpoint::new(config, None, socket, Arc::new(TokioRuntime)).unwrap())
    }

    /// With a certificate of some virtual machine, as some daemon of it.
    async fn call(&self, to: &Daemon, trust: &Trust) -> Result<Connection, AddressError> {
        let credentials = trust.mint(SystemTime::now()).unwrap();
        let tls = credentials.client_config();
        self.call_with(to, tls).await
    }

    /// Without a certificate.
    async fn call_bare(&self, to: &Daemon) -> Connection {
        let tls = joining_config(trust(OURS, 1).ca_fingerprint()).unwrap();
        self.call_with(to, Arc::new(tls)).await.unwrap()
    }

    async fn call_with(
        &self,
        to: &Daemon,
        tls: Arc<rustls::ClientConfig>,
    ) -> Result<Connection, AddressError> {
        let config = endpoint::client_config(tls).unwrap();
        let name = DaemonId::any_server_name();
        dial::handshake(&self.0, config, to.address(), &name).await
    }
}

fn hello(id: DaemonId) -> greeting::Kind {
    let (version_min, version_max) = MESH_VERSIONS;
    greeting::Kind::Hello(Hello {
        version_min,
        version_max,
        daemon: id.to_bytes().to_vec(),
        ..Hello::default()
    })
}

async fn end_of(connection: &Connection) -> ConnectionError {
    timeout(DEADLINE, connection.closed())
        .await
        .expect("the connection is closed in time")
}

/// What a caller is told that is closed for its nonsense.
async fn sent_away(connection: &Connection) -> String {
    match end_of(connection).await {
        ConnectionError::ApplicationClosed(close) => String::from_utf8_lossy(&close.reason).into(),
        other => panic!("not closed: {other}"),
    }
}

async fn is_well(daemon: &mut Daemon) {
    let other = Daemon::new(77);
    other
        .mesh
        .connect(daemon.id(), &[daemon.address()])
        .await
        .unwrap();
    assert_eq!(daemon.connected().await.id, other.id());
}

#[tokio::test]
async fn bytes_of_port_scanners_are_ignored() {
    let mut one = Daemon::new(1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut long_header = [0; 1200];
    long_header[..6].copy_from_slice(&[0xc0, 0, 0, 0, 1, 8]);
    let text = b"GET / HTTP/1.1\r\n\r\n";
    for bytes in [
        &[][..],
        &[0],
        &[0xff; 1200],
        &[0x40; 50],
        &long_header,
        text,
    ] {
        for _ in 0..20 {
            socket.send_to(bytes, one.address()).unwrap();
        }
    }
    is_well(&mut one).await;
    assert!(one.has_no_event());
}

#[tokio::test]
async fn handshakes_that_break_off_give_their_place_back() {
    let mut one = Daemon::new(1);
    // What a caller sends first, again and again from other sockets, and then nothing.
    let trap = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let caller = Daemon::new(2);
    let at_trap = [trap.local_addr().unwrap()];
    let call = tokio::spawn({
        let mesh = caller.mesh.clone();
        async move { mesh.connect_seed(&at_trap).await }
    });
    let mut first = vec![0; 2048];
    let len = timeout(DEADLINE, trap.recv(&mut first))
        .await
        .unwrap()
        .unwrap();
    for _ in 0..10 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&first[..len], one.address()).unwrap();
    }
    is_well(&mut one).await;
    let all = one.mesh.0.half_open.acquire_many(HALF_OPEN_MAX as u32);
    drop(
        timeout(DEADLINE, all)
            .await
            .expect("all places are free again"),
    );
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn the_number_of_callers_at_a_time_is_bounded() {
    let mut one = Daemon::new(1);
    let places = one.mesh.0.half_open.clone();
    let taken = places
        .clone()
        .acquire_many_owned(HALF_OPEN_MAX as u32)
        .await;
    let two = Daemon::new(2);
    let busy = two.mesh.connect(one.id(), &[one.address()]).await;
    let Err(ConnectError::NotReached { failures, .. }) = busy else {
        panic!("connected without a place");
    };
    assert_eq!(failures[0].1, AddressError::Busy);
    // With few places left callers have to prove where they are; daemons do.
    drop(taken);
    let _taken = places.acquire_many_owned(HALF_OPEN_MAX as u32 - 2).await;
    is_well(&mut one).await;
}

#[tokio::test]
async fn who_has_no_certificate_can_only_join() {
    let mut one = Daemon::new(1);
    let stranger = Stranger::new();
    let bare = stranger.call_bare(&one).await;
    dial::ask::<HelloReply>(&bare, hello(DaemonId(2)))
        .await
        .unwrap_err();
    assert_eq!(sent_away(&bare).await, "a daemon needs a certificate");

    let bare = stranger.call_bare(&one).await;
    let (mut send, _recv) = bare.open_bi().await.unwrap();
    stream::send(&mut send, &Greeting { kind: None })
        .await
        .unwrap();
    assert_eq!(
        sent_away(&bare).await,
        "its first message is not a greeting"
    );
    is_well(&mut one).await;
    assert!(one.has_no_event());
}

#[tokio::test]
async fn before_the_greeting_there_is_room_for_it_alone() {
    let one = Daemon::new(1);
    let stranger = Stranger::new();
    let member = stranger.call(&one, &trust(OURS, 2)).await.unwrap();
    for connection in [stranger.call_bare(&one).await, member] {
        let mut greeting = connection.open_bi().await.unwrap();
        for _ in 0..2 {
            let at_once = Duration::ZERO;
            assert!(timeout(at_once, connection.open_bi()).await.is_err());
            assert!(timeout(at_once, connection.open_uni()).await.is_err());
        }
        let bytes = vec![0xff; 1 << 20];
        greeting.0.write_all(&bytes).await.unwrap_err();
        assert!(
            sent_away(&connection)
                .await
                .starts_with("a message of 4294967295 bytes")
        );
    }
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() {
    let mut one = Daemon::new(1);
    let bare = Stranger::new().call_bare(&one).await;
    assert_eq!(
        sent_away(&bare).await,
        "it has not become a peer within 5 s"
    );
    assert!(one.has_no_event());
}

#[tokio::test]
async fn a_first_message_has_a_limit() {
    let mut one = Daemon::new(1);
    let bare = Stranger::new().call_bare(&one).await;
    let (mut send, _recv) = bare.open_bi().await.unwrap();
    let len = GREETING_MAX as u32 + 1;
    send.write_all(&len.to_le_bytes()).await.unwrap();
    assert_eq!(
        sent_away(&bare).await,
        "a message of 4097 bytes is announced, the limit is 4096"
    );
    assert!(one.has_no_event());
}

#[tokio::test]
async fn a_member_is_nobody_but_itself() {
    let mut one = Daemon::new(1);
    let stranger = Stranger::new();
    let connection = stranger.call(&one, &trust(OURS, 2)).await.unwrap();
    let claimed = DaemonId(3);
    dial::ask::<HelloReply>(&connection, hello(claimed))
        .await
        .unwrap_err();
    assert_eq!(
        sent_away(&connection).await,
        format!("its certificate is not that of daemon {claimed}")
    );
    let connection = stranger.call(&one, &trust(OURS, 2)).await.unwrap();
    let join = greeting::Kind::Join(Join::default());
    dial::ask::<HelloReply>(&connection, join)
        .await
        .unwrap_err();
    assert_eq!(sent_away(&connection).await, "it is a member already");
    assert!(one.has_no_event());
}

#[tokio::test]
async fn a_connection_counts_when_it_is_kept() {
    let mut one = Daemon::new(1);
    let stranger = Stranger::new();
    let connection = stranger.call(&one, &trust(OURS, 2)).await.unwrap();
    let (send, reply) = dial::ask::<HelloReply>(&connection, hello(DaemonId(2)))
        .await
        .unwrap();
    assert_eq!(reply.daemon, one.id().to_bytes());
    // The stream ends without the word; so it does when a dial is given up.
    drop(send);
    drop(connection);
    is_well(&mut one).await;
    assert!(one.has_no_event());
}

#[tokio::test]
async fn a_daemon_that_dials_again_and_again_is_one_peer() {
    let mut one = Daemon::new(1);
    let (stranger, two) = (Stranger::new(), trust(OURS, 2));
    let mut kept = Vec::new();
    for _ in 0..CONNECTIONS_PER_PEER_MAX + 2 {
        let connection = stranger.call(&one, &two).await.unwrap();
        let greeted = dial::ask::<HelloReply>(&connection, hello(two.id())).await;
        let (mut send, _) = greeted.unwrap();
        stream::send(&mut send, &Keep {}).await.unwrap();
        endpoint::admit_streams(&connection);
        // It counts when it may open streams.
        drop(timeout(DEADLINE, connection.open_uni()).await.unwrap());
        kept.push(connection);
    }
    for oldest in &kept[..2] {
        assert_eq!(sent_away(oldest).await, "there are newer connections");
    }
    assert_eq!(one.connected().await.id, two.id());
    assert!(one.has_no_event());
    // New streams go over the newest connection.
    one.mesh.open_uni(two.id(), control()).await.unwrap();
    let newest = kept.last().unwrap();
    timeout(DEADLINE, newest.accept_uni())
        .await
        .unwrap()
        .unwrap();
    // It is lost with the last.
    for connection in kept {
        assert!(one.has_no_event());
        connection.close(CloseCode::Leaving.into(), b"");
        end_of(&connection).await;
    }
    assert_eq!(one.lost().await, (two.id(), LostReason::Left));
}

#[tokio::test]
async fn another_version_is_refused_with_a_sentence() {
    let one = Daemon::new(1);
    let connection = Stranger::new().call(&one, &trust(OURS, 2)).await.unwrap();
    let hello = greeting::Kind::Hello(Hello {
        version_min: 98,
        version_max: 99,
        daemon: DaemonId(2).to_bytes().to_vec(),
        software: "pvmd 9.9".to_owned(),
        ..Hello::default()
    });
    let (_, reply) = dial::ask::<HelloReply>(&connection, hello).await.unwrap();
    let refusal = reply.refusal.unwrap();
    assert_eq!(refusal.reason(), Reason::Version);
    let error = dial::refused(&refusal);
    assert!(matches!(error, AddressError::Version(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("pvmd 9.9 speaks version 98 to 99")
    );
}

#[tokio::test]
async fn a_certificate_of_another_virtual_machine_is_refused() {
    let mut one = Daemon::new(1);
    // Trusts us, and shows a certificate of somebody else: its own daemon would not even begin.
    let tls = hostile(&trust(OURS, 1), &trust(8, 2));
    let connection = Stranger::new().call_with(&one, tls).await.unwrap();
    let error = end_of(&connection).await;
    let error = AddressError::of(&error, Duration::ZERO);
    assert_eq!(error, AddressError::OtherVirtualMachine);
    is_well(&mut one).await;
    assert!(one.has_no_event());
}

#[tokio::test]
async fn certificates_out_of_their_time_are_refused() {
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 60 * 60);
    let mut one = Daemon::new(1);
    let mut old = Daemon::of(trust(OURS, 2), long_ago);
    let there = one.mesh.connect(old.id(), &[old.address()]).await;
    let back = old.mesh.connect(one.id(), &[one.address()]).await;
    for error in [there, back] {
        let Err(ConnectError::NotReached { failures, .. }) = error else {
            panic!("connected");
        };
        assert_eq!(failures[0].1, AddressError::OutOfTime);
    }
    assert!(one.has_no_event() && old.has_no_event());
    // Renewed, it is let in.
    old.mesh.0.renew(SystemTime::now()).unwrap();
    let peer = old.mesh.connect(one.id(), &[one.address()]).await;
    assert_eq!(peer.unwrap().id, one.id());
}

/// Trusts the daemons of one virtual machine and has a certificate of another.
fn hostile(trusted: &Trust, own: &Trust) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.ca_certificate().clone()).unwrap();
    let (leaf, key) = crate::cluster::trust::leaf_for_tests(own, SystemTime::now());
    let chain: Vec<CertificateDer<'static>> = vec![leaf, own.ca_certificate().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"pvm/1".to_vec()];
    Arc::new(config)
}
