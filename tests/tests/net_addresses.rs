//! Many hosts in network namespaces: addresses that are few, not unique, or change, and strangers.

use pvm_tests::site::{PORT, Site};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Runs the ring over all hosts.
#[track_caller]
fn ring(site: &Site, from: usize) {
    let count = (2 * site.hosts().count()).to_string();
    let program = pvm_tests::program("ring").display().to_string();
    let run = site.pvm(from, &["run", "-n", &count, "--map-by", "host", &program]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", site.logs());
}

#[test]
fn ipv6_alone_is_enough() {
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        eprintln!("skipped: this system has no IPv6");
        return;
    }
    let Some(site) = Site::new(3) else {
        return;
    };
    for host in site.hosts() {
        site.ipv6_only(host).unwrap();
    }
    site.become_one();
    ring(&site, 3);
}

#[test]
fn a_bridge_with_the_same_address_on_every_host_does_no_harm() {
    let Some(site) = Site::new(3) else {
        return;
    };
    site.duplicate_bridge_address().unwrap();
    site.become_one();
    ring(&site, 1);
    assert!(!site.logs().contains("turned"), "{}", site.logs());
}

#[test]
fn a_host_that_gets_another_address_stays() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    for (host, number) in [(3, 33), (1, 31)] {
        let run = site.start(2, &["run", "-n", "3", "--map-by", "host", "sleep", "6"]);
        site.until("every host has a task", Duration::from_secs(10), || {
            site.hosts()
                .all(|host| site.running(host, "sleep").len() == 1)
        });
        site.change_address(host, number).unwrap();
        let run = run.finish();
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", site.logs());
        let begin = Instant::now();
        assert_eq!(site.names(2).len(), 3, "{}", site.logs());
        eprintln!("{:?} to list the hosts", begin.elapsed());
    }
    for host in site.conf(2) {
        assert_eq!(host["incarnation"], 1, "{host}");
    }
    ring(&site, 3);
}

#[test]
fn strangers_have_no_effect() {
    let Some(site) = Site::new(4) else {
        return;
    };
    site.found();
    site.give_secret(2);
    site.join(2).well();
    let run = site.start(1, &["run", "-n", "2", "--map-by", "host", "sleep", "5"]);
    site.until("the job runs", Duration::from_secs(10), || {
        site.running(2, "sleep").len() == 1
    });
    site.inside(3, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let mut seed: u32 = 1;
        let mut noise = [0; 1300];
        for round in 0..2000 {
            for byte in &mut noise {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (seed >> 24) as u8;
            }
            // Some look like the first packets of QUIC.
            if round % 2 == 0 {
                noise[..5].copy_from_slice(&[0xc0, 0, 0, 0, 1]);
            }
            let len = 1 + (seed >> 8) as usize % noise.len();
            for host in [1, 2] {
                socket
                    .send_to(&noise[..len], (site.v4(host), PORT))
                    .unwrap();
            }
        }
        // Nobody listens there for TCP.
        let tcp = TcpStream::connect((site.v4(1), PORT));
        assert!(
            tcp.and_then(|mut tcp| tcp.write_all(b"GET / HTTP/1.0\r\n\r\n"))
                .is_err()
        );
    });
    // A daemon of other people.
    site.pvmd(4, &[]).well();
    site.pvm(4, &["up"]);
    std::fs::copy(site.secret(4), site.secret(3)).unwrap();
    let other = site.pvmd(3, &["join", "host1:7711"]);
    eprintln!("{}", other.err);
    assert_eq!((other.code, other.err.lines().count()), (1, 1), "{other:?}");
    assert!(other.err.contains("another virtual machine"), "{other:?}");
    let run = run.finish();
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", site.logs());
    assert_eq!(site.names(1), ["host1", "host2"]);
    eprintln!("{}", site.logs());
    let lines = |host| site.log(host).lines().filter(|it| !it.is_empty()).count();
    assert!(lines(1) <= 3 && lines(2) <= 1, "{}", site.logs());
}
