//! Many hosts in network namespaces: hosts that are lost, and networks that fall apart.

use pvm_tests::site::Site;
use pvm_tests::{GONE, Running};
use std::time::{Duration, Instant};

/// How soon the loss of a host is told.
const TOLD: Duration = Duration::from_secs(10);
/// Longest that a host which is cut off lets its tasks run.
const STOPPED: Duration = Duration::from_secs(15);

/// Starts a job with a task on each host, seen from the first, and waits until all run.
#[track_caller]
fn sleepers(site: &Site, how: &[&str], seconds: &str) -> Running {
    let count = site.hosts().count().to_string();
    let line = [&["run", "-n", &count, "--map-by", "host"], how, &["sleep", seconds]].concat();
    let run = site.start(1, &line);
    let limit = Duration::from_secs(10);
    site.until("every host has a task", limit, || {
        site.hosts().all(|host| site.running(host, "sleep").len() == 1)
    });
    run
}

#[test]
fn a_host_that_is_cut_off_ends_the_job() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, &[], "60");
    let begin = Instant::now();
    site.cut(3).unwrap();
    let run = run.finish();
    let told = begin.elapsed();
    eprintln!("{}", run.err);
    assert!(told < TOLD, "{told:?}");
    assert!(run.err.contains("host3"), "{run:?}");
    let stopped = site.until("its own daemon stops its task", STOPPED, || {
        site.running(3, "sleep").is_empty()
    });
    let others = site.hosts().flat_map(|host| site.running(host, "sleep"));
    assert_eq!(others.count(), 0);
    eprintln!("a cut host: told after {told:?}, stopped {stopped:?} later");
    assert_eq!(site.names(1), ["host1", "host2"]);
}

#[test]
fn a_job_that_may_goes_on_without_a_host_that_is_cut_off() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, &["--on-failure=continue"], "12");
    let begin = Instant::now();
    site.cut(3).unwrap();
    let lost = site.until("the host is lost", TOLD, || site.names(1).len() == 2);
    assert_eq!(site.running(1, "sleep").len(), 1);
    assert_eq!(site.running(2, "sleep").len(), 1);
    let stopped = site.until("its own daemon stops its task", STOPPED, || {
        site.running(3, "sleep").is_empty()
    });
    eprintln!("a cut host: lost after {lost:?}, stopped {stopped:?} later");
    let run = run.finish();
    eprintln!("{:?} {}", begin.elapsed(), run.err);
    assert_ne!(run.code, 0);
    assert!(run.err.contains("host3") && run.err.contains("lost"), "{run:?}");
}

#[test]
fn the_tasks_of_a_killed_daemon_end_and_the_loss_is_told() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, &[], "60");
    let begin = Instant::now();
    site.kill_daemon(3);
    let gone = site.gone(3, GONE);
    let run = run.finish();
    let told = begin.elapsed();
    eprintln!("{}", run.err);
    eprintln!("a killed daemon: told after {told:?}, its tasks ended after {gone:?}");
    assert!(told < TOLD && run.err.contains("host3"), "{run:?}");
    site.see(1, 2);
    // It comes back as the same host, in another life.
    site.join(3).well();
    site.see(1, 3);
    let again = site.conf(1).into_iter().find(|it| it["host"] == "host3").unwrap();
    assert_eq!((again["index"].as_u64(), again["incarnation"].as_u64()), (Some(3), Some(2)));
}
