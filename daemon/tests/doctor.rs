//! Hosts that look at themselves and at each other.

mod common;

use common::{Client, Daemon, PATIENCE, command, wait_for};
use pvm::limits::{EXAM_CLIENT_MS, EXAMS_MAX};
use pvm::testing::LocalVm;
use pvm::wire::control::{
    DialEnd, Examine, Examined, Examining, FailureCode, from_daemon, to_daemon,
};
use pvm_daemon::doctor::{Picture, judge, ways};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn begin(tool: &mut Client, hosts: &[&str]) -> Examining {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    match tool.call(to_daemon::Body::Examine(Examine { hosts })) {
        from_daemon::Body::Examining(examining) => examining,
        other => panic!("{other:?}"),
    }
}

fn examined(tool: &mut Client) -> Examined {
    match tool.event() {
        from_daemon::Body::Examined(examined) => examined,
        other => panic!("{other:?}"),
    }
}

fn examine(tool: &mut Client, hosts: &[&str]) -> Picture {
    let hosts = begin(tool, hosts).hosts;
    let mut examined: Vec<_> = hosts.iter().map(|_| examined(tool)).collect();
    examined.sort_by_key(|examined| examined.host);
    Picture { hosts, examined }
}

#[test]
fn a_host_that_is_alone_looks_at_itself() {
    let daemon = Daemon::start();
    let picture = examine(&mut daemon.tool(), &[]);
    let [found] = &picture.examined[..] else {
        panic!("{picture:?}");
    };
    assert_eq!((found.host, found.ways.len()), (1, 0));
    let health = found.health.as_ref().unwrap();
    let place = health.runtime_dir.as_ref().unwrap();
    assert_eq!(place.path, daemon.runtime_dir().to_str().unwrap());
    assert!(health.cpus >= 1 && health.tasks_max > 0, "{health:?}");
}

#[test]
fn every_host_reaches_every_other_one() {
    let vm = LocalVm::hosts(3).unwrap();
    for socket in vm.sockets() {
        let picture = examine(&mut Client::tool(socket), &[]);
        assert_eq!(picture.examined.len(), 3);
        for found in &picture.examined {
            let others: BTreeSet<u32> = found.ways.iter().map(|way| way.host).collect();
            let expected: BTreeSet<u32> = (1..=3).filter(|host| *host != found.host).collect();
            assert_eq!(others, expected);
            let clock = found.clock.as_ref().unwrap();
            // It is the same clock.
            assert!(
                clock.ahead_us.unsigned_abs() <= clock.doubt_us + 1000,
                "{clock:?}"
            );
        }
        let all = picture.examined.iter().flat_map(|found| &found.ways);
        for way in all {
            let best = ways::best(way).unwrap();
            assert_eq!(best.end(), DialEnd::DialAnswered, "{way:?}");
            assert!(best.connect_us > 0 && best.answer_us > 0, "{best:?}");
        }
        let named = judge(&picture).into_iter().map(|finding| finding.id);
        let named: Vec<_> = named
            .filter(|id| ["no-way", "cut-off", "name", "clock"].contains(id))
            .collect();
        assert!(named.is_empty(), "{named:?}");
    }
}

#[test]
fn hosts_are_chosen_by_name_or_index() {
    let vm = LocalVm::hosts(3).unwrap();
    let mut tool = Client::tool(vm.socket());
    let all = begin(&mut tool, &[]).hosts;
    (0..3).for_each(|_| drop(examined(&mut tool)));
    let chosen = begin(&mut tool, &["3", &all[1].name, "2", "nobody"]);
    let indices: Vec<u32> = chosen.hosts.iter().map(|host| host.index).collect();
    assert_eq!(indices, [2, 3]);
    assert_eq!(chosen.unknown, ["nobody"]);
    let found: BTreeSet<u32> = (0..2).map(|_| examined(&mut tool).host).collect();
    assert_eq!(found, [2, 3].into());
    let nobody = begin(&mut tool, &["nobody"]);
    assert!(nobody.hosts.is_empty());
}

#[test]
fn a_host_that_is_mute_is_told_of_in_time() {
    let vm = LocalVm::hosts(3).unwrap();
    let mut tool = Client::tool(vm.socket());
    let mute = Pid::from_raw(vm.daemon_pids()[2] as i32).unwrap();
    kill_process(mute, Signal::STOP).unwrap();
    let begun = Instant::now();
    let picture = examine(&mut tool, &[]);
    let took = begun.elapsed();
    kill_process(mute, Signal::CONT).unwrap();
    assert!(took < Duration::from_millis(EXAM_CLIENT_MS), "{took:?}");
    let third = &picture.examined[2];
    let failure = third.failure.as_ref().unwrap();
    assert_eq!(failure.code(), FailureCode::FailureHostLost);
    for found in &picture.examined[..2] {
        let way = found.ways.iter().find(|way| way.host == 3).unwrap();
        assert_eq!(
            ways::best(way).unwrap().end(),
            DialEnd::DialSilent,
            "{way:?}"
        );
        let other = found.ways.iter().find(|way| way.host != 3).unwrap();
        assert!(ways::is_answer(ways::best(other).unwrap()), "{other:?}");
    }
}

#[test]
fn a_host_looks_only_so_often_at_a_time() {
    let vm = LocalVm::hosts(2).unwrap();
    // While the other is silent, looking takes its time.
    let mute = Pid::from_raw(vm.daemon_pids()[1] as i32).unwrap();
    kill_process(mute, Signal::STOP).unwrap();
    let mut tool = Client::tool(vm.socket());
    for _ in 0..=EXAMS_MAX {
        let hosts = vec!["1".to_owned()];
        let examine = to_daemon::Body::Examine(Examine { hosts });
        tool.link.start(examine, &[]).unwrap();
    }
    let refused = examined(&mut tool).failure.expect("a refusal");
    kill_process(mute, Signal::CONT).unwrap();
    assert_eq!(refused.code(), FailureCode::FailureResources);
    for _ in 0..EXAMS_MAX {
        assert_eq!(examined(&mut tool).failure, None);
    }
    // There is room again.
    begin(&mut tool, &["1"]);
    assert_eq!(examined(&mut tool).failure, None);
}

#[test]
fn who_leaves_meanwhile_does_no_harm() {
    let vm = LocalVm::hosts(2).unwrap();
    for _ in 0..EXAMS_MAX {
        begin(&mut Client::tool(vm.socket()), &[]);
    }
    let mut tool = Client::tool(vm.socket());
    wait_for(|| {
        let picture = examine(&mut tool, &[]);
        picture.examined.iter().all(|found| found.failure.is_none())
    });
}

#[test]
fn pvmd_says_that_it_runs_here() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let told = command(dir.path()).arg("--check").output().unwrap();
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(
        String::from_utf8_lossy(&told.stdout),
        "pvm-join ok pvmd runs here\n"
    );
    assert!(told.status.success() && told.stderr.is_empty());
    assert!(!dir.path().join("run").exists(), "it has begun to serve");
}
