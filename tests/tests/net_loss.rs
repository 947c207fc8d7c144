//! Many hosts in network namespaces: hosts that are lost, and networks that fall apart.

use pvm_tests::site::Site;
use pvm_tests::{GONE, Running, kill};
use std::time::{Duration, Instant};

/// How soon the loss of a host is told.
const TOLD: Duration = Duration::from_secs(10);
/// Longest that a host which is cut off lets its tasks run.
const STOPPED: Duration = Duration::from_secs(15);

/// Starts a job with a task on each host, whose home is one of them, and waits until all run.
#[track_caller]
fn sleepers(site: &Site, home: usize, how: &[&str], seconds: &str) -> Running {
    let count = site.hosts().count().to_string();
    let line = [
        &["run", "-n", &count, "--map-by", "host"],
        how,
        &["sleep", seconds],
    ]
    .concat();
    let run = site.start(home, &line);
    let limit = Duration::from_secs(10);
    site.until("every host has a task", limit, || {
        site.hosts()
            .all(|host| site.running(host, "sleep").len() == 1)
    });
    run
}

#[test]
fn a_host_that_is_cut_off_ends_the_job() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, 1, &[], "60");
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
    let run = sleepers(&site, 1, &["--on-failure=continue"], "12");
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
    assert!(
        run.err.contains("host3") && run.err.contains("lost"),
        "{run:?}"
    );
}

#[test]
fn the_tasks_of_a_killed_daemon_end_and_the_loss_is_told() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, 1, &[], "60");
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
    let again = site
        .conf(1)
        .into_iter()
        .find(|it| it["host"] == "host3")
        .unwrap();
    assert_eq!(
        (again["index"].as_u64(), again["incarnation"].as_u64()),
        (Some(3), Some(2))
    );
}

#[test]
fn the_tasks_of_a_job_end_with_the_daemon_of_its_home() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let run = sleepers(&site, 1, &["--on-failure=continue"], "60");
    let begin = Instant::now();
    // It has founded the virtual machine: most likely it leads, too.
    site.kill_daemon(1);
    site.gone(1, GONE);
    let run = run.finish();
    assert_eq!((run.code, run.err.lines().count()), (125, 1), "{run:?}");
    for host in [2, 3] {
        site.until("no task", TOLD, || site.running(host, "sleep").is_empty());
    }
    eprintln!(
        "a killed home: the last task ended after {:?}",
        begin.elapsed()
    );
    site.see(2, 2);
    let run = site.pvm(3, &["run", "-n", "2", "--map-by", "host", "hostname"]);
    assert_eq!(run.well().sorted(), ["host2", "host3"]);
}

#[test]
fn the_majority_goes_on_and_the_minority_stops() {
    let Some(site) = Site::of_one_machine(5) else {
        return;
    };
    let (minority, majority) = ([1, 2], [3, 4, 5]);
    let run = sleepers(&site, 1, &[], "60");
    let begin = Instant::now();
    site.part(&minority, &majority).unwrap();
    let limit = Duration::from_secs(20);
    for host in majority {
        site.until("three are left", limit, || site.names(host).len() == 3);
    }
    eprintln!("the majority goes on after {:?}", begin.elapsed());
    let line = ["run", "-n", "3", "--map-by", "host", "hostname"];
    let over = site.pvm(4, &line).well();
    assert_eq!(over.sorted(), ["host3", "host4", "host5"]);
    for host in site.hosts() {
        site.until("no task", limit, || site.running(host, "sleep").is_empty());
    }
    eprintln!("the last task ended after {:?}", begin.elapsed());
    let run = run.finish();
    // Either host of the minority may be the first to find that it is cut off.
    let words = ["host1 is cut off", "on host2) was lost"];
    let is_told = words.iter().any(|words| run.err.contains(words));
    assert!(run.code == 125 && is_told, "{run:?}");
    site.until("host2 knows", limit, || site.log(2).contains("no majority"));
    let refused = site.pvm(2, &["run", "hostname"]);
    assert_eq!(
        (refused.code, refused.err.lines().count()),
        (125, 1),
        "{refused:?}"
    );
    assert!(refused.err.contains("host2 is cut off"), "{refused:?}");
    let conf = site.pvm(2, &["conf"]).well();
    assert!(conf.took < TOLD, "{conf:?}");
    assert_eq!(
        conf.text().matches("does not answer").count(),
        3,
        "{conf:?}"
    );
    let begin = Instant::now();
    site.unite().unwrap();
    // Nobody types anything: they come back as the same hosts, in other lives.
    let back = Duration::from_secs(30);
    for host in site.hosts() {
        site.until("all five are there", back, || site.names(host).len() == 5);
    }
    eprintln!(
        "all are back {:?} after the cut was healed",
        begin.elapsed()
    );
    let incarnations = |host: usize| {
        let number = |it: &serde_json::Value| it["incarnation"].as_u64().unwrap();
        site.conf(host).iter().map(number).collect::<Vec<_>>()
    };
    for host in site.hosts() {
        assert_eq!(incarnations(host), [2, 2, 1, 1, 1], "{}", site.logs());
    }
    let all = ["run", "-n", "5", "--map-by", "host", "hostname"];
    let names = ["host1", "host2", "host3", "host4", "host5"];
    for host in [1, 4] {
        assert_eq!(site.pvm(host, &all).well().sorted(), names);
    }
    for host in minority {
        // It may wait until the right hosts vote.
        site.until("the log says so", limit, || {
            site.log(host).contains("is back")
        });
        assert!(site.log(host).contains("joins again"), "{}", site.logs());
    }
    // In its other life, too, a daemon hears what the system tells it.
    kill(site.running(1, "pvmd")[0], libc::SIGTERM);
    site.gone(1, GONE);
    site.see(4, 4);
}

#[test]
fn who_is_halted_while_it_was_lost_does_not_come_back() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    site.cut(3).unwrap();
    site.until("the host is lost", TOLD, || site.names(1).len() == 2);
    site.until("it knows", STOPPED, || site.log(3).contains("no majority"));
    site.pvm(3, &["halt", "--force"]);
    site.gone(3, STOPPED);
    site.heal(3).unwrap();
    assert_eq!(site.names(1), ["host1", "host2"]);
}
