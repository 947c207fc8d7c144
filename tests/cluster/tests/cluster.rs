//! The clusters of tests, tested.

use pvm_cluster::{Cluster, Lab, sshd, trouble::Verdict};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A port at which nobody listens.
const NOBODY: u16 = 9;
/// What a dial that is not answered may cost.
const SHORT: Duration = Duration::from_millis(300);
/// What one that will be answered may take.
const LONG: Duration = Duration::from_secs(20);

/// Dials from a host to an address; how it ended and how long it took.
fn dial(
    lab: &Lab,
    from: usize,
    to: impl Into<IpAddr>,
    port: u16,
    limit: Duration,
) -> (Result<(), ErrorKind>, Duration) {
    let to = SocketAddr::new(to.into(), port);
    lab.inside(from, || {
        let begin = Instant::now();
        let outcome = TcpStream::connect_timeout(&to, limit);
        (
            outcome.map(drop).map_err(|error| error.kind()),
            begin.elapsed(),
        )
    })
}

/// Asserts that a host answers: it refuses a connection to a port where nobody listens.
#[track_caller]
fn assert_there(lab: &Lab, from: usize, to: impl Into<IpAddr>) {
    assert_eq!(
        dial(lab, from, to, NOBODY, LONG).0,
        Err(ErrorKind::ConnectionRefused)
    );
}

#[track_caller]
fn assert_silent(lab: &Lab, from: usize, to: impl Into<IpAddr>) {
    assert_eq!(
        dial(lab, from, to, NOBODY, SHORT).0,
        Err(ErrorKind::TimedOut)
    );
}

fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

#[test]
fn hosts_reach_each_other_and_have_names() {
    let Some(cluster) = Cluster::new(3) else {
        return;
    };
    for (from, to) in [(1, 2), (2, 3), (3, 1)] {
        assert_there(&cluster, from, cluster.v4(to));
        if has_ipv6() {
            assert_there(&cluster, from, cluster.v6(to));
        }
    }
    let output = cluster
        .command(2, "sh")
        .args([
            "-c",
            "cat /proc/sys/kernel/hostname /etc/hosts /etc/machine-id; echo $$",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("host2\n") && text.contains("10.77.0.3 host3\nfd77::3 host3\n"),
        "{text}"
    );
    let own = std::fs::read_to_string("/etc/machine-id").unwrap_or("none".into());
    assert!(!text.contains(own.trim()), "{text}");
}

#[test]
fn the_process_of_a_command_is_the_program() {
    let Some(cluster) = Cluster::new(1) else {
        return;
    };
    let mut child = cluster
        .command(1, "cat")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    let mut byte = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    assert_eq!(cluster.processes(1).unwrap(), [child.id() as i32]);
    cluster.power_off(1).unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_delay_is_seen() {
    let Some(cluster) = Cluster::new(3) else {
        return;
    };
    // The quickest of some: the machine may be busy.
    let trip = |from, to: IpAddr| {
        let trips = (0..5).map(|_| {
            assert_there(&cluster, from, to);
            dial(&cluster, from, to, NOBODY, LONG).1
        });
        trips.min().unwrap()
    };
    let both_ways = Duration::from_millis(400);
    let [two, two_v6] = cluster.addresses(2);
    assert!(trip(1, two) < both_ways);
    cluster.delay(2, both_ways / 2).unwrap();
    assert!(trip(1, two) >= both_ways);
    assert!(trip(1, cluster.v4(3).into()) < both_ways);
    if has_ipv6() {
        assert!(trip(1, two_v6) >= both_ways);
    }
    cluster.cut(2).unwrap();
    assert_silent(&cluster, 1, two);
    cluster.heal(2).unwrap();
    cluster.delay(2, Duration::ZERO).unwrap();
    assert!(trip(1, two) < both_ways);
}

#[test]
fn a_connection_survives_a_cable_that_slows_down() {
    let Some(cluster) = Cluster::new(2) else {
        return;
    };
    let listener = cluster.inside(2, || TcpListener::bind((cluster.v4(2), 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let mut near = cluster.inside(1, || TcpStream::connect_timeout(&to, LONG).unwrap());
    let mut far = listener.accept().unwrap().0;
    far.set_read_timeout(Some(LONG)).unwrap();
    cluster.delay(1, Duration::from_millis(20)).unwrap();
    let data = vec![7; 1 << 20];
    let writer = std::thread::spawn(move || near.write_all(&data));
    let mut back = vec![0; 1 << 20];
    far.read_exact(&mut back).unwrap();
    assert!(back.iter().all(|byte| *byte == 7));
    writer.join().unwrap().unwrap();
}

#[test]
fn cuts_heal() {
    let Some(cluster) = Cluster::new(3) else {
        return;
    };
    cluster.cut(2).unwrap();
    assert_silent(&cluster, 1, cluster.v4(2));
    assert_silent(&cluster, 2, cluster.v4(3));
    assert_there(&cluster, 1, cluster.v4(3));
    cluster.heal(2).unwrap();
    cluster.heal(2).unwrap();
    assert_there(&cluster, 1, cluster.v4(2));
    cluster.unplug(3).unwrap();
    assert_ne!(
        dial(&cluster, 1, cluster.v4(3), NOBODY, SHORT).0,
        Err(ErrorKind::ConnectionRefused)
    );
    cluster.heal(3).unwrap();
    assert_there(&cluster, 1, cluster.v4(3));
    cluster.part(&[1], &[2, 3]).unwrap();
    assert_silent(&cluster, 1, cluster.v4(2));
    assert_silent(&cluster, 3, cluster.v4(1));
    assert_there(&cluster, 2, cluster.v4(3));
    cluster.unite().unwrap();
    assert_there(&cluster, 1, cluster.v4(2));
}

#[test]
fn a_firewall_drops_or_rejects() {
    let Some(cluster) = Cluster::new(2) else {
        return;
    };
    let _listener = cluster.inside(2, || TcpListener::bind(("0.0.0.0", 4711)).unwrap());
    let dial = |port, limit| dial(&cluster, 1, cluster.v4(2), port, limit).0;
    assert_eq!(dial(4711, LONG), Ok(()));
    cluster.firewall(2, Verdict::Drop, Some(4711)).unwrap();
    assert_eq!(dial(4711, SHORT), Err(ErrorKind::TimedOut));
    assert_eq!(dial(NOBODY, LONG), Err(ErrorKind::ConnectionRefused));
    cluster.open_firewall(2).unwrap();
    cluster.firewall(2, Verdict::Reject, Some(4711)).unwrap();
    assert_eq!(dial(4711, LONG), Err(ErrorKind::ConnectionRefused));
    cluster.open_firewall(2).unwrap();
    assert_eq!(dial(4711, LONG), Ok(()));
    cluster.firewall(2, Verdict::Drop, None).unwrap();
    assert_eq!(dial(NOBODY, SHORT), Err(ErrorKind::TimedOut));
}

#[test]
fn loss_and_rate_are_seen() {
    let Some(cluster) = Cluster::new(2) else {
        return;
    };
    let receiver = cluster.inside(2, || UdpSocket::bind((cluster.v4(2), 0)).unwrap());
    let sender = cluster.inside(1, || UdpSocket::bind((cluster.v4(1), 0)).unwrap());
    let to = receiver.local_addr().unwrap();
    let receive = |limit| {
        receiver.set_read_timeout(Some(limit)).unwrap();
        receiver.recv(&mut [0; 2]).is_ok()
    };
    let nothing_is_lost = || {
        (0..50).all(|_| {
            sender.send_to(&[1], to).unwrap();
            receive(LONG)
        })
    };
    let arrived = |count: usize| {
        for _ in 0..count {
            sender.send_to(&[1], to).unwrap();
        }
        std::iter::repeat_with(|| receive(SHORT))
            .take_while(|is_there| *is_there)
            .count()
    };
    assert!(nothing_is_lost());
    cluster.loss(2, 50.0).unwrap();
    // Outside of this range once in more than 10^9 runs.
    let count = arrived(100);
    assert!((15..=85).contains(&count), "{count}");
    cluster.loss(2, 100.0).unwrap();
    assert_eq!(arrived(10), 0);
    cluster.loss(2, 0.0).unwrap();
    assert!(nothing_is_lost());

    cluster.rate(2, Some(8)).unwrap();
    let listener = cluster.inside(2, || TcpListener::bind((cluster.v4(2), 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let mut near = cluster.inside(1, || TcpStream::connect_timeout(&to, LONG).unwrap());
    let mut far = listener.accept().unwrap().0;
    let begin = Instant::now();
    let writer = std::thread::spawn(move || near.write_all(&vec![7; 1 << 20]));
    far.set_read_timeout(Some(LONG)).unwrap();
    far.read_exact(&mut vec![0; 1 << 20]).unwrap();
    writer.join().unwrap().unwrap();
    // A megabyte at a megabyte per second.
    assert!(
        begin.elapsed() > Duration::from_millis(800),
        "{:?}",
        begin.elapsed()
    );
    cluster.rate(2, None).unwrap();
    assert_there(&cluster, 1, cluster.v4(2));
}

#[test]
fn addresses_are_in_disorder() {
    let Some(cluster) = Cluster::new(3) else {
        return;
    };
    cluster.duplicate_bridge_address().unwrap();
    // Each host finds itself behind the address, not another.
    let listener = cluster.inside(1, || TcpListener::bind(("172.17.0.1", 4711)).unwrap());
    let to = [172, 17, 0, 1];
    assert_eq!(dial(&cluster, 1, to, 4711, LONG).0, Ok(()));
    assert_eq!(
        dial(&cluster, 2, to, 4711, LONG).0,
        Err(ErrorKind::ConnectionRefused)
    );
    drop(listener);

    let hosts = |host: usize| {
        let output = cluster
            .command(host, "cat")
            .arg("/etc/hosts")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    cluster.change_address(2, 202).unwrap();
    assert_there(&cluster, 1, [10, 77, 0, 202]);
    assert_ne!(
        dial(&cluster, 1, cluster.v4(2), NOBODY, SHORT).0,
        Err(ErrorKind::ConnectionRefused)
    );
    assert!(
        hosts(1).contains("10.77.0.202 host2\nfd77::ca host2\n"),
        "{}",
        hosts(1)
    );
    if has_ipv6() {
        assert_there(&cluster, 1, cluster.v6(202));
        cluster.ipv6_only(3).unwrap();
        assert_there(&cluster, 1, cluster.v6(3));
        assert_ne!(
            dial(&cluster, 1, cluster.v4(3), NOBODY, SHORT).0,
            Err(ErrorKind::ConnectionRefused)
        );
        assert!(!hosts(1).contains("10.77.0.3 ") && hosts(1).contains("fd77::3 host3\n"));
    }
}

#[test]
fn nothing_is_left_after_a_panic() {
    let Some(cluster) = Cluster::new(2) else {
        return;
    };
    let name = cluster.name().to_owned();
    let dir = cluster.dir().to_owned();
    cluster.delay(1, Duration::from_millis(1)).unwrap();
    let mut sleeper = cluster.command(2, "sleep").arg("1000").spawn().unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _cluster = cluster;
        std::panic::resume_unwind(Box::new("a test fails"));
    }));
    assert!(outcome.is_err());
    assert!(!sleeper.wait().unwrap().success());
    for place in ["/run/netns", "/etc/netns"] {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let left: Vec<_> = entries
            .filter(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(&format!("{name}-"))
            })
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert!(!dir.exists());
    let links = std::process::Command::new("ip")
        .args(["-o", "link"])
        .output()
        .unwrap();
    let links = String::from_utf8_lossy(&links.stdout);
    let ours = [": h1:", ": h1@", ": h2:", ": h2@"];
    assert!(!ours.iter().any(|name| links.contains(name)), "{links}");
}

#[test]
fn who_is_just_entering_a_host_ends_with_it() {
    for _ in 0..10 {
        let Some(cluster) = Cluster::new(1) else {
            return;
        };
        let mut sleepers: Vec<_> = (0..4)
            .map(|_| cluster.command(1, "sleep").arg("1000").spawn().unwrap())
            .collect();
        drop(cluster);
        for sleeper in &mut sleepers {
            assert!(!sleeper.wait().unwrap().success());
        }
    }
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let Some(cluster) = Cluster::new(1) else {
        return;
    };
    // It lives until the cluster is there: other tests remove those of the dead, too.
    let mut maker = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let lost = Lab::make(&format!("pvm-{}-1", maker.id()), 2).unwrap();
    maker.kill().unwrap();
    maker.wait().unwrap();
    let next = Cluster::new(1).unwrap();
    // Another test may have been quicker and still be at it.
    let end = Instant::now() + LONG;
    while Lab::open(lost.name()).is_ok() {
        assert!(Instant::now() < end, "{lost:?} is still there");
        std::thread::yield_now();
    }
    assert_eq!(Lab::open(cluster.name()).unwrap().hosts(), 1..=1);
    assert_there(&next, 1, next.v4(1));
}

#[test]
fn a_real_ssh_server_lets_in() {
    if !sshd::is_there() {
        return;
    }
    let Some(cluster) = Cluster::new(2) else {
        return;
    };
    let server = cluster.sshd(2).unwrap();
    let ssh = cluster.ssh().unwrap();
    let mut words = ssh.split(' ');
    let mut command = cluster.command(1, words.next().unwrap());
    command.args(words).args([
        "-o",
        "BatchMode=yes",
        "host2",
        "cat /proc/sys/kernel/hostname",
    ]);
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "host2\n",
        "{output:?} {}",
        server.log()
    );
}
