//! Many hosts in network namespaces: how they become one virtual machine, and what keeps them from it.

use pvm_tests::Finished;
use pvm_tests::cluster::trouble::Verdict;
use pvm_tests::site::{PORT, Site};
use std::time::Duration;

/// Longest that everything takes to be gone after `pvm halt`.
const HALT: Duration = Duration::from_secs(5);

#[test]
fn three_hosts_with_a_secret_file_are_one_machine() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    for host in 1..=3 {
        assert_eq!(site.names(host), ["host1", "host2", "host3"]);
    }
    let run = ["run", "-n", "6", "--map-by", "host", "hostname"];
    let names = ["host1", "host1", "host2", "host2", "host3", "host3"];
    for host in 1..=3 {
        assert_eq!(site.pvm(host, &run).well().sorted(), names);
    }
    let ring = pvm_tests::program("ring").display().to_string();
    site.pvm(2, &["run", "-n", "6", "--map-by", "host", &ring])
        .well();
    site.pvm(2, &["halt"]).well();
    for host in 1..=3 {
        site.gone(host, HALT);
    }
}

#[test]
fn a_token_is_good_for_one_host_and_for_a_while() {
    let Some(site) = Site::new(3) else {
        return;
    };
    site.found();
    let token = |more: &[&str]| {
        let issued = site.pvm(1, &[&["token"], more].concat()).well();
        issued.text().trim().to_owned()
    };
    let first = token(&[]);
    site.pvmd(2, &["join", "--token", &first]).well();
    site.see(2, 2);
    let again = site.pvmd(3, &["join", "--token", &first]);
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(again.err.lines().count(), 1, "{again:?}");
    assert!(again.err.contains("used"), "{again:?}");
    site.gone(3, HALT);
    let short = token(&["--lifetime", "1s"]);
    // Nothing tells that time has passed.
    std::thread::sleep(Duration::from_millis(1100));
    let late = site.pvmd(3, &["join", "--token", &short]);
    assert_eq!((late.code, late.err.lines().count()), (1, 1), "{late:?}");
    assert!(late.err.contains("expired"), "{late:?}");
    site.gone(3, HALT);
    site.pvmd(3, &["join", "--token", &token(&[])]).well();
    site.see(1, 3);
    assert!(!site.secret(2).exists(), "the secret is not written down");
    let twice = site.pvmd(3, &["join", "--token", &token(&[])]);
    assert_eq!((twice.code, twice.err.lines().count()), (1, 1), "{twice:?}");
    assert!(twice.err.contains("already running"), "{twice:?}");
}

#[test]
fn hosts_are_added_through_ssh() {
    let Some(site) = Site::new(4) else {
        return;
    };
    let (Some(_second), Some(_third)) = (site.sshd(2), site.sshd(3)) else {
        return;
    };
    site.found();
    let add = site.pvm_with_ssh(1, &["add", "host2", "host3"]);
    assert_eq!((add.code, add.err.as_str()), (0, ""));
    assert_eq!(site.names(1), ["host1", "host2", "host3"]);
    for host in [2, 3] {
        assert!(
            !site.secret(host).exists(),
            "the secret is not written down"
        );
    }
    site.pvm(1, &["delete", "host2"]).well();
    site.until("no daemon", HALT, || site.running(2, "pvmd").is_empty());
    // One of them can be added; each other one has its own cause.
    let add = site.pvm_with_ssh(1, &["add", "host4", "host2", "nowhere"]);
    assert_eq!(add.code, 1, "{add:?}");
    let lines: Vec<&str> = add.err.lines().collect();
    eprintln!("{}", add.err);
    assert_eq!(lines.len(), 2, "{add:?}");
    let told = |host: &str, words: &str| {
        let mut lines = lines.iter();
        lines.any(|line| line.contains(host) && line.contains(words))
    };
    assert!(told("host4", "refuse"), "{add:?}");
    assert!(told("nowhere", "name"), "{add:?}");
    site.see(3, 3);
    site.pvm(1, &["halt"]).well();
    for host in 1..=3 {
        site.until("no daemon", HALT, || site.running(host, "pvmd").is_empty());
    }
}

/// Asserts that a host that cannot join says so in one line, with these words, and leaves nothing.
#[track_caller]
fn in_vain(site: &Site, join: Finished, words: &[&str]) {
    eprintln!("after {:?}: {}", join.took, join.err);
    assert!(join.took < Duration::from_secs(30), "{join:?}");
    assert_eq!((join.code, join.err.lines().count()), (1, 1), "{join:?}");
    for word in words {
        assert!(join.err.contains(word), "no '{word}' in {}", join.err);
    }
    assert!(join.err.starts_with("pvmd"), "{join:?}");
    site.gone(2, HALT);
}

#[test]
fn broken_networks_are_told_apart() {
    let Some(site) = Site::new(2) else {
        return;
    };
    site.found();
    site.give_secret(2);
    site.firewall(1, Verdict::Drop, Some(PORT)).unwrap();
    in_vain(
        &site,
        site.join(2),
        &["no answer", "firewall", "10.77.0.1:7711"],
    );
    site.open_firewall(1).unwrap();
    site.firewall(1, Verdict::Reject, Some(PORT)).unwrap();
    in_vain(&site, site.join(2), &["nobody listens", "10.77.0.1:7711"]);
    site.open_firewall(1).unwrap();
    let join = site.pvmd(2, &["join", "nowhere:7711"]);
    in_vain(&site, join, &["nowhere", "cannot be resolved"]);
    // No port at all.
    in_vain(
        &site,
        site.pvmd(2, &["join", "host1:9"]),
        &["nobody listens"],
    );
    // It would work, if nothing were in the way.
    site.join(2).well();
    site.see(1, 2);
}

#[test]
fn somebody_who_takes_everything_and_says_nothing_is_told() {
    let Some(site) = Site::new(2) else {
        return;
    };
    site.found();
    site.give_secret(2);
    let mute = site.inside(1, || std::net::UdpSocket::bind("[::]:7712"));
    let mute = mute.unwrap();
    let join = site.pvmd(2, &["join", "host1:7712"]);
    in_vain(&site, join, &["no answer", "10.77.0.1:7712"]);
    // It did get what QUIC begins with.
    let mut bytes = [0; 2000];
    while mute.recv_from(&mut bytes).unwrap().0 < 1000 {}
}
