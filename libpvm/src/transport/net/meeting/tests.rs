//! Meetings over the loopback, and sessions over the connections that come of them.

use super::*;
use crate::datatype::Source;
use crate::limits::{DIRECT_BUFFER, NET_LENT_MIN};
use crate::transport::net::session::Session;
use crate::transport::net::tls::Certificates;
use crate::transport::{Body, Head, Kind};
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{Shutdown, shutdown};
use std::io::Write;
use std::time::Duration;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A certificate and its key.
fn identity() -> (Vec<u8>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["task.vm.pvm".to_owned()]).unwrap();
    (made.cert.der().to_vec(), made.signing_key.serialize_der())
}

/// What both are told, for TLS or plain.
fn credentials(tls: bool) -> [Credentials; 2] {
    let [(a, key_a), (b, key_b)] = [identity(), identity()];
    let both = [
        Certificates {
            own: a.clone(),
            key: key_a,
            peer: b.clone(),
        },
        Certificates {
            own: b,
            key: key_b,
            peer: a,
        },
    ];
    both.map(|certificates| Credentials {
        token: [9; 16],
        certificates: tls.then_some(certificates),
    })
}

fn loopback(port: u16) -> Vec<SocketAddr> {
    vec![
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

fn wait_for<'a>(sockets: impl Iterator<Item = (BorrowedFd<'a>, PollFlags)>) {
    let sockets: Vec<_> = sockets.collect();
    let mut fds: Vec<_> = sockets
        .iter()
        .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
        .collect();
    let limit = Timespec::try_from(Duration::from_millis(50)).unwrap();
    poll(&mut fds, Some(&limit)).unwrap();
}

/// Lets both go on until each has met or failed.
fn run(mut sides: [Meeting; 2]) -> [Option<Direct>; 2] {
    let mut met = [None, None];
    let mut is_over = [false; 2];
    while is_over != [true; 2] {
        wait_for(sides.iter().flat_map(Meeting::sockets));
        for me in 0..2 {
            match sides[me].poll(Instant::now()) {
                _ if is_over[me] => {}
                Met::NotYet => {}
                Met::Open(direct) => (met[me], is_over[me]) = (Some(*direct), true),
                Met::Failed => is_over[me] = true,
            }
        }
    }
    met
}

fn meet([listens, dials]: [Credentials; 2]) -> [Option<Direct>; 2] {
    let deadline = Instant::now() + LONG;
    let (listener, port) = Meeting::listen(listens, None, deadline).unwrap();
    run([listener, Meeting::dial(dials, &loopback(port), deadline)])
}

#[test]
fn two_tasks_meet_with_tls_and_plain() {
    for tls in [true, false] {
        let met = meet(credentials(tls));
        assert!(met.iter().flatten().all(Direct::is_open));
        assert_eq!(met.iter().flatten().count(), 2, "tls: {tls}");
    }
}

#[test]
fn who_is_to_listen_at_one_address_listens_at_no_other() {
    let deadline = Instant::now() + LONG;
    let [listens, dials] = credentials(true);
    let here = Some(Ipv4Addr::LOCALHOST.into());
    let (listener, port) = Meeting::listen(listens, here, deadline).unwrap();
    let other = TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), port));
    assert_eq!(
        other.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    let address = [SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    let met = run([listener, Meeting::dial(dials, &address, deadline)]);
    assert_eq!(met.iter().flatten().count(), 2);
    let [listens, _] = credentials(true);
    let elsewhere = Some(Ipv4Addr::new(192, 0, 2, 1).into());
    assert!(Meeting::listen(listens, elsewhere, deadline).is_err());
}

#[test]
fn addresses_where_nobody_is_do_no_harm() {
    let deadline = Instant::now() + LONG;
    let [listens, dials] = credentials(true);
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = {
        let address = closed.local_addr().unwrap();
        drop(closed);
        address
    };
    let (listener, port) = Meeting::listen(listens, None, deadline).unwrap();
    let mut addresses = vec![closed, silent.local_addr().unwrap()];
    addresses.extend(loopback(port));
    let met = run([listener, Meeting::dial(dials, &addresses, deadline)]);
    assert_eq!(met.iter().flatten().count(), 2);
}

#[test]
fn nobody_to_be_dialled_fails_at_once_and_nobody_who_dials_at_the_deadline() {
    let deadline = Instant::now() + LONG;
    let [listens, dials] = credentials(false);
    let mut alone = Meeting::dial(dials, &[], deadline);
    assert!(matches!(alone.poll(Instant::now()), Met::Failed));
    let (mut listener, _) = Meeting::listen(listens, None, deadline).unwrap();
    assert!(matches!(listener.poll(Instant::now()), Met::NotYet));
    assert!(matches!(listener.poll(deadline), Met::Failed));
    assert_eq!(listener.sockets().count(), 0);
}

#[test]
fn strangers_knock_in_vain_and_do_not_keep_the_right_one_out() {
    for tls in [true, false] {
        let deadline = Instant::now() + LONG;
        let [listens, dials] = credentials(tls);
        let (mut listener, port) = Meeting::listen(listens, None, deadline).unwrap();
        let knock = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut rude = knock();
        rude.write_all(&[b'x'; 100]).unwrap();
        let silent = knock();
        drop(knock());
        for _ in 0..5 {
            wait_for(listener.sockets());
            assert!(matches!(listener.poll(Instant::now()), Met::NotYet));
        }
        let met = run([listener, Meeting::dial(dials, &loopback(port), deadline)]);
        assert_eq!(met.iter().flatten().count(), 2);
        drop((rude, silent));
    }
}

/// The dialling side finds out that it is not wanted, or the other that it is the wrong one.
#[test]
fn others_are_refused_on_either_side() {
    let wrong_key = |mut both: [Credentials; 2], side: usize| {
        let (own, key) = identity();
        if let Some(certificates) = &mut both[side].certificates {
            (certificates.own, certificates.key) = (own, key);
        }
        both
    };
    let wrong_token = |mut both: [Credentials; 2], side: usize| {
        both[side].token = [1; 16];
        both
    };
    let only_one_plain = |mut both: [Credentials; 2], side: usize| {
        both[side].certificates = None;
        both
    };
    for side in 0..2 {
        for both in [
            wrong_key(credentials(true), side),
            wrong_token(credentials(true), side),
            wrong_token(credentials(false), side),
            only_one_plain(credentials(true), side),
        ] {
            let [listens, dials] = both;
            let deadline = Instant::now() + Duration::from_millis(300);
            let (listener, port) = Meeting::listen(listens, None, deadline).unwrap();
            let met = run([listener, Meeting::dial(dials, &loopback(port), deadline)]);
            assert_eq!(met.iter().flatten().count(), 0);
        }
    }
}

/// One task's session over the connection that it has.
struct Task {
    session: Session,
    direct: Direct,
    sent: u32,
    shown: u32,
}

const PACKETS: u32 = 400;

fn head(number: u32) -> Head {
    Head {
        kind: Kind::Data,
        flags: 0,
        context: 0,
        tag: number as i32,
        check: 0,
    }
}

fn bytes(number: u32) -> Vec<u8> {
    vec![number as u8; number as usize * 7919 % 60_000]
}

impl Task {
    fn new(direct: Direct) -> Self {
        let mut session = Session::new();
        session.carrier_up();
        let (sent, shown) = (0, 0);
        Self {
            session,
            direct,
            sent,
            shown,
        }
    }

    fn change(&mut self, direct: Direct) {
        self.direct = direct;
        self.session.carrier_up();
    }

    fn is_done(&self) -> bool {
        self.shown == PACKETS && self.sent == PACKETS && self.session.is_flushed()
    }

    fn work(&mut self) {
        let now = Instant::now();
        while self.sent < PACKETS {
            let mut source = Source::from_vec(bytes(self.sent));
            if !self.sent.is_multiple_of(3) {
                source.share(); // and is leased
            }
            let rest = NET_LENT_MIN;
            let whole = Body::whole(&source);
            let body = (!source.is_empty()).then_some(Body { rest, ..whole });
            if !self.session.send(&head(self.sent), None, body) {
                break;
            }
            self.sent += 1;
        }
        self.session.leave(); // confirm everything at once
        // A connection that is over is replaced by the test.
        let _ = self.direct.carry(&mut self.session, now);
        let _ = self.direct.work();
        while let Some(frame) = self.direct.next_frame().unwrap() {
            if let Some(packet) = self.session.on_frame(frame).unwrap() {
                assert_eq!(packet.head, head(self.shown));
                assert!(packet.body == bytes(self.shown));
                self.shown += 1;
            }
        }
    }
}

#[test]
fn sessions_go_on_over_the_next_connection() {
    for tls in [true, false] {
        let both = || meet(credentials(tls)).map(Option::unwrap);
        let mut tasks = both().map(Task::new);
        let start = Instant::now();
        let mut next_change = PACKETS / 5;
        while !tasks.iter().all(Task::is_done) {
            wait_for(
                tasks
                    .iter()
                    .map(|task| (task.direct.as_fd(), task.direct.interest())),
            );
            tasks.iter_mut().for_each(Task::work);
            if tasks[0].shown >= next_change {
                // The old ones are cut with whatever is in them.
                next_change += PACKETS / 5;
                let [a, b] = both();
                tasks[0].change(a);
                tasks[1].change(b);
            }
            assert!(start.elapsed() < LONG, "nothing more moves");
        }
    }
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer_not_the_program() {
    for tls in [true, false] {
        let [mut a, _b] = meet(credentials(tls)).map(Option::unwrap);
        let junk = vec![0; DIRECT_BUFFER];
        let mut rounds = 0;
        while a.write(&[&junk], false).unwrap().1 > 0 {
            rounds += 1;
            assert!(rounds < 1000, "it takes everything");
        }
    }
}

/// The session that the frames of a connection belong to, or go out on.
fn session() -> Session {
    let mut session = Session::new();
    session.wide_carrier_up();
    session
}

/// Whatever has come on a connection that cannot be written any more is shown, also when it is more than
/// is read at once; and nothing is written behind a frame that was cut off.
#[test]
fn a_connection_that_cannot_be_written_is_read_to_its_end() {
    let [mut a, mut b] = meet(credentials(false)).map(Option::unwrap);
    set_socket_recv_buffer_size(&a, 4 * DIRECT_BUFFER).unwrap();
    let (mut here, mut there, now) = (session(), session(), Instant::now());
    let source = Source::from_vec(bytes(8)); // 3352 bytes
    while there.send(&head(0), None, Some(Body::whole(&source))) {}
    b.carry(&mut there, now).unwrap();
    while b.work().unwrap() {
        b.carry(&mut there, now).unwrap();
    }
    let come = ioctl_fionread(&a).unwrap() as usize;
    shutdown(&a, Shutdown::Write).unwrap();
    assert!(a.carry(&mut here, now).is_err());
    let (mut shown, mut is_over) = (0, false);
    while !is_over {
        assert!(!a.wants_frames() && a.interest() == PollFlags::IN);
        is_over = a.work().is_err();
        while let Some(frame) = a.next_frame().unwrap() {
            shown += frame.len() + 4;
            here.on_frame(frame).unwrap();
        }
    }
    assert!(shown > come - source.len() - 100, "{shown} of {come}");
}

#[test]
fn what_goes_out_at_once_is_one_record() {
    let [mut a, b] = meet(credentials(true)).map(Option::unwrap);
    assert_eq!(ioctl_fionread(&b).unwrap(), 0);
    let mut here = session();
    let source = Source::from_vec(bytes(8));
    assert!(here.send(&head(8), None, Some(Body::whole(&source))));
    a.carry(&mut here, Instant::now()).unwrap();
    let start = Instant::now();
    while ioctl_fionread(&b).unwrap() == 0 {
        assert!(start.elapsed() < LONG, "nothing comes");
    }
    let (resume, packet) = (22, 33 + source.len());
    let record = 5 + 1 + 16;
    assert_eq!(
        ioctl_fionread(&b).unwrap() as usize,
        resume + packet + record
    );
}

#[test]
fn the_end_of_the_other_is_an_error() {
    for tls in [true, false] {
        let [mut a, b] = meet(credentials(tls)).map(Option::unwrap);
        drop(b);
        let start = Instant::now();
        while a.work().is_ok() {
            wait_for(std::iter::once((a.as_fd(), a.interest())));
            assert!(start.elapsed() < LONG, "it does not notice");
        }
    }
}
