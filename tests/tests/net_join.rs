//! Many hosts in network namespaces: how they become one virtual machine, and what keeps them from it.

use pvm_tests::site::Site;
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
    let ring = site.pvm(2, &["run", "-n", "6", "--map-by", "host", &ring, "10"]);
    ring.well();
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
