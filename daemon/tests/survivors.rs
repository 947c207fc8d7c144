//! Nothing outlives what it depends on, for more than three seconds.

mod common;

use common::{Daemon, kill, marked, shell, wait_for};
use pvm::session::Link;
use pvm::wire::control::{EndReason, Run, from_daemon};
use std::time::{Duration, Instant};

/// Longest life of a survivor.
const LIMIT: Duration = Duration::from_secs(3);

/// A job with a grandchild in a session of its own and one that deafens itself; every process
/// has `mark` in its command line.
fn stubborn(mark: &str) -> Run {
    let deaf = "trap \"\" TERM HUP INT; while :; do sleep 0.1; done";
    let script = format!(
        "setsid sh -c ': {mark}; sleep 1000; :' & (setsid sh -c '{deaf}; : {mark}' &) ; \
         echo up; sleep 1000; : {mark}"
    );
    shell(2, &script)
}

fn start(daemon: &Daemon, mark: &str) -> (common::Client, u64) {
    let mut tool = daemon.tool();
    let started = tool.start(stubborn(mark));
    let mut up = 0;
    while up < 2 {
        if let from_daemon::Body::Output(output) = tool.event() {
            up += output.data.windows(2).filter(|w| *w == b"up").count();
        }
    }
    wait_for(|| marked(mark).len() >= 6);
    (tool, started.job)
}

fn expect_none(mark: &str, since: Instant) {
    wait_for(|| marked(mark).is_empty());
    let took = since.elapsed();
    eprintln!("{mark}: gone after {took:?}");
    assert!(took < LIMIT, "{took:?}");
}

fn keeper_of(daemon: &Daemon) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    let text = std::fs::read_to_string(children).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[test]
fn nothing_survives_the_launcher() {
    let mut daemon = Daemon::start();
    let mark = unique("launcher");
    let (tool, _) = start(&daemon, &mark);
    let since = Instant::now();
    drop(tool);
    expect_none(&mark, since);
    assert!(daemon.is_alive());
}

#[test]
fn nothing_survives_the_daemon() {
    let daemon = Daemon::start();
    let mark = unique("daemon");
    let (_tool, _) = start(&daemon, &mark);
    let keeper = keeper_of(&daemon);
    let since = Instant::now();
    kill(daemon.pid());
    expect_none(&mark, since);
    wait_for(|| !common::is_alive(keeper));
}

#[test]
fn nothing_survives_the_keeper_and_the_launcher_learns_why() {
    let daemon = Daemon::start();
    let mark = unique("keeper");
    let (mut tool, job) = start(&daemon, &mark);
    let since = Instant::now();
    kill(keeper_of(&daemon));
    let started = pvm::wire::control::JobStarted {
        job,
        ..Default::default()
    };
    let story = tool.follow(started);
    assert_eq!(story.end.reason(), EndReason::EndKeeperLost);
    assert_eq!(story.ended.len(), 2);
    assert!(story.ended.iter().all(|e| e.by_us));
    expect_none(&mark, since);
}

#[test]
fn what_tasks_start_to_clean_up_is_left_to_finish() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let script = "trap 'sleep 0.4; echo clean; exit 1' TERM; echo up; while :; do sleep 0.02; done";
    let started = tool.start(shell(1, script));
    tool.event();
    let job = started.job;
    let terminate = pvm::wire::control::Terminate {
        job,
        ..Default::default()
    };
    tool.call(pvm::wire::control::to_daemon::Body::Terminate(terminate));
    let story = tool.follow(started);
    assert!(story.stdout(0).ends_with("clean\n"), "{}", story.stdout(0));
}

#[test]
fn nothing_survives_a_keeper_that_is_stopped() {
    let daemon = Daemon::start();
    let mark = unique("deaf");
    let (tool, _) = start(&daemon, &mark);
    let keeper = rustix::process::Pid::from_raw(keeper_of(&daemon)).unwrap();
    rustix::process::kill_process(keeper, rustix::process::Signal::STOP).unwrap();
    let since = Instant::now();
    drop(tool);
    expect_none(&mark, since);
}

/// Needs a control group that can be given away; without one there is nothing to test.
#[test]
fn in_a_delegated_control_group_each_job_has_its_own() {
    let Some(group) = DelegatedGroup::make() else {
        return;
    };
    let daemon = Daemon::start();
    std::fs::write(group.0.join("cgroup.procs"), daemon.pid().to_string()).unwrap();
    let mark = unique("group");
    let (tool, _) = start(&daemon, &mark);
    let job = group.0.join(format!("pvm-{}", keeper_of(&daemon)));
    let inside = std::fs::read_to_string(job.join("cgroup.procs")).unwrap();
    for pid in marked(&mark) {
        assert!(
            inside.lines().any(|line| line == pid.to_string()),
            "{pid} is not inside"
        );
    }
    let since = Instant::now();
    drop(tool);
    expect_none(&mark, since);
    wait_for(|| !job.exists());
}

struct DelegatedGroup(std::path::PathBuf);

impl DelegatedGroup {
    fn make() -> Option<Self> {
        let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(std::path::Path::new);
        let mount = mounts
            .into_iter()
            .find(|mount| mount.join("cgroup.procs").exists())?;
        let path = mount.join(unique("pvm-test"));
        std::fs::create_dir(&path).ok()?;
        let made = DelegatedGroup(path);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&made.0, "trusted.delegate", b"1", flags).ok()?;
        Some(made)
    }
}

impl Drop for DelegatedGroup {
    fn drop(&mut self) {
        let path = self.0.clone();
        // The daemon of the test has just been killed; its keeper may still be ending.
        wait_for(|| std::fs::remove_dir(&path).is_ok());
    }
}

#[test]
fn nothing_survives_a_task_that_fails() {
    let daemon = Daemon::start();
    let mark = unique("task");
    let (mut tool, job) = start(&daemon, &mark);
    let since = Instant::now();
    let tasks = tool.call(pvm::wire::control::to_daemon::Body::ListTasks(
        Default::default(),
    ));
    let from_daemon::Body::TaskList(list) = tasks else {
        panic!("{tasks:?}");
    };
    kill(list.tasks[1].pid as i32);
    let story = tool.follow(pvm::wire::control::JobStarted {
        job,
        ..Default::default()
    });
    assert_eq!(story.end.first_cause.unwrap().rank, list.tasks[1].rank);
    expect_none(&mark, since);
}

#[test]
fn grandchildren_end_with_the_last_rank_and_do_not_hold_the_output() {
    let daemon = Daemon::start();
    let mark = unique("left");
    let since = Instant::now();
    let script = format!("setsid sh -c 'sleep 1000; : {mark}' & echo started; exit 0");
    let story = daemon.tool().run(shell(2, &script));
    assert_eq!(story.end.reason(), EndReason::EndAllEnded);
    assert_eq!(story.end.first_cause, None);
    assert_eq!(story.stdout(1), "started\n");
    expect_none(&mark, since);
}

#[test]
fn a_stopped_job_ends_too() {
    let daemon = Daemon::start();
    let mark = unique("stopped");
    let mut tool = daemon.tool();
    tool.start(shell(2, &format!("kill -STOP $$; : {mark}")));
    wait_for(|| marked(&mark).len() == 2);
    let since = Instant::now();
    drop(tool);
    expect_none(&mark, since);
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "the grace is for those that need it"
    );
}

#[test]
fn halting_ends_everything_and_leaves_no_file() {
    let mut daemon = Daemon::start();
    let mark = unique("halt");
    let (_tool, _) = start(&daemon, &mark);
    let mut other = daemon.tool();
    let busy = other.refusal(halt(false));
    assert_eq!(busy.code(), pvm::wire::control::FailureCode::FailureBusy);
    let since = Instant::now();
    other.call(halt(true));
    assert!(!daemon.runtime_dir().exists(), "a file is left");
    expect_none(&mark, since);
    assert!(daemon.child.wait().unwrap().success());
    let gone = Link::connect(&daemon.socket(), pvm::session::hello_tool());
    assert!(gone.is_err());
}

fn halt(force: bool) -> pvm::wire::control::to_daemon::Body {
    pvm::wire::control::to_daemon::Body::Halt(pvm::wire::control::Halt {
        force,
        ..Default::default()
    })
}
