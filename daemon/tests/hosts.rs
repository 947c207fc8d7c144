//! Jobs with tasks on several hosts: their ends, their input, and hosts that go.

mod common;

use common::{Client, PATIENCE, kill, launch, marked, run, shell, wait_for};
use pvm::session::Link;
use pvm::testing::LocalVm;
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    Adopt, AdoptedTask, App, Attach, FailureCode, GroupJoin, GroupQuery, Halt, Hello, HostInfo,
    HostSlots, JobStarted, Launch, ListHosts, Notify, OpenVm, Placement, Relay, RemoveHost, Run,
    Spawn, SpawnResult, StdinData, StdinPolicy, TaskEnded, from_daemon, hello, to_daemon,
};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

fn tool(vm: &LocalVm, host: usize) -> Client {
    Client::tool(vm.sockets()[host])
}

fn on(host: &str) -> Option<Placement> {
    let host = host.to_owned();
    Some(Placement {
        hosts: vec![HostSlots {
            host,
            ..HostSlots::default()
        }],
        ..Placement::default()
    })
}

fn in_turn() -> Option<Placement> {
    Some(Placement {
        by_host: true,
        ..Placement::default()
    })
}

fn placed(mut run: Run, placement: Option<Placement>) -> Run {
    if let Some(launch) = &mut run.launch {
        launch.placement = placement;
    }
    run
}

fn hosts(client: &mut Client) -> Vec<HostInfo> {
    match client.call(to_daemon::Body::ListHosts(ListHosts::default())) {
        from_daemon::Body::HostList(list) => list.hosts,
        other => panic!("{other:?}"),
    }
}

/// Waits until no host has a job, or a part of one.
fn expect_no_jobs(vm: &LocalVm, host: usize) {
    let mut tool = tool(vm, host);
    wait_for(|| hosts(&mut tool).iter().all(|host| host.jobs == 0));
}

fn adopt(tool: &mut Client, count: u32) -> Vec<AdoptedTask> {
    let placement = in_turn();
    match tool.call(to_daemon::Body::Adopt(Adopt { count, placement })) {
        from_daemon::Body::Adopted(adopted) => adopted.tasks,
        other => panic!("{other:?}"),
    }
}

fn attach(task: &AdoptedTask) -> Client {
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        software: "test".into(),
        role: Some(hello::Role::Attach(Attach {
            task: task.task,
            capability: task.capability.clone(),
            program: "test".into(),
        })),
    };
    let (link, ..) = Link::connect(Path::new(&task.socket), hello).unwrap();
    Client { link }
}

fn spawn(task: &mut Client, launch: Launch) -> Vec<SpawnResult> {
    let launch = Some(launch);
    let spawn = to_daemon::Body::Spawn(Spawn {
        launch,
        inherit: false,
    });
    let ticket = task.link.start(spawn, &[]).unwrap();
    match task.link.wait(ticket, PATIENCE, "spawning").unwrap().body {
        from_daemon::Body::Spawned(spawned) => spawned.results,
        other => panic!("{other:?}"),
    }
}

fn ended(tool: &mut Client) -> TaskEnded {
    loop {
        match tool.event() {
            from_daemon::Body::TaskEnded(ended) => return ended,
            from_daemon::Body::Output(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_launch_that_another_host_refuses_leaves_nothing() {
    let vm = LocalVm::hosts(2).unwrap();
    let mut launch = launch(1, "/bin/sleep", &["1000"]);
    launch.apps[0].placement = on("1");
    launch.apps.push(App {
        count: 1,
        program: "there-is-no-such-program".into(),
        placement: on("2"),
        ..App::default()
    });
    let refused = Run {
        launch: Some(launch),
        ..Run::default()
    };
    let failure = tool(&vm, 0).refusal(to_daemon::Body::Run(refused));
    assert_eq!(failure.code(), FailureCode::FailureProgramNotFound);
    let second = &hosts(&mut tool(&vm, 1))[0].name;
    assert!(
        failure.what.ends_with(&format!(" on {second}")),
        "{failure:?}"
    );
    expect_no_jobs(&vm, 0);
}

#[test]
fn a_job_ends_also_when_a_spawn_was_refused_by_another_host() {
    let vm = LocalVm::hosts(2).unwrap();
    let mut owner = tool(&vm, 0);
    let tasks = adopt(&mut owner, 1);
    let mut task = attach(&tasks[0]);
    let mut wanted = launch(1, "there-is-no-such-program", &[]);
    wanted.placement = on("2");
    let results = spawn(&mut task, wanted);
    assert!(results[0].failure.is_some(), "{results:?}");
    drop((task, owner));
    expect_no_jobs(&vm, 0);
}

#[test]
fn a_part_with_much_to_say_ends_with_its_home() {
    let vm = LocalVm::hosts(2).unwrap();
    let mark = format!("home-is-lost-{}", std::process::id());
    let script =
        format!("while :; do echo 0123456789012345678901234567890123456789; done; : {mark}");
    let mut launcher = tool(&vm, 0);
    launcher.start(placed(shell(1, &script), on("2")));
    wait_for(|| !marked(&mark).is_empty());
    // Nobody reads, so that it has to wait until something is taken.
    wait_for(|| is_blocked(marked(&mark)[0]));
    kill(vm.daemon_pids()[0] as i32);
    wait_for(|| marked(&mark).is_empty());
    expect_no_jobs(&vm, 1);
}

/// Whether a process waits to write to a pipe.
fn is_blocked(pid: i32) -> bool {
    let wait = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    wait.contains("pipe_write") || state.contains(") S ")
}

#[test]
fn adopted_tasks_can_attach_and_spawn_on_every_host_at_once() {
    let vm = LocalVm::hosts(3).unwrap();
    for round in 0..10 {
        let mut owner = tool(&vm, round % 3);
        let tasks = adopt(&mut owner, 3);
        let mut clients: Vec<_> = tasks.iter().map(attach).collect();
        for client in &mut clients {
            let mut wanted = launch(3, "/bin/true", &[]);
            wanted.placement = in_turn();
            let results = spawn(client, wanted);
            assert!(results.iter().all(|r| r.failure.is_none()), "{results:?}");
        }
    }
    expect_no_jobs(&vm, 0);
}

#[test]
fn one_rank_of_another_host_reads_what_the_launcher_feeds() {
    let vm = LocalVm::hosts(2).unwrap();
    let mut launcher = tool(&vm, 0);
    let run = Run {
        stdin: StdinPolicy::StdinOne.into(),
        stdin_rank: 1,
        ..placed(shell(2, "exec cat"), in_turn())
    };
    // The launcher's own descriptor is of no use to another host.
    let own = File::open("/dev/null").unwrap();
    let started = launcher.start_with(run, &[own.as_fd()]);
    let texts = feed(&mut launcher, started, &["one\n", "two\n"]);
    assert_eq!((&*texts[&0], &*texts[&1]), ("", "one\ntwo\n"));
}

#[test]
fn all_ranks_of_all_hosts_read_what_the_launcher_feeds() {
    let vm = LocalVm::hosts(3).unwrap();
    let mut launcher = tool(&vm, 1);
    let run = Run {
        stdin: StdinPolicy::StdinAll.into(),
        ..placed(shell(6, "exec cat"), in_turn())
    };
    let started = launcher.start(run);
    let long = "x".repeat(50_000);
    let texts = feed(&mut launcher, started, &["one\n", &long, &long, "end"]);
    for rank in 0..6 {
        assert!(
            texts[&rank] == format!("one\n{long}{long}end"),
            "rank {rank}"
        );
    }
}

/// Follows a job to its end, and gives it its input, each piece when it is asked for.
fn feed(launcher: &mut Client, started: JobStarted, pieces: &[&str]) -> BTreeMap<u32, String> {
    let mut pieces = pieces.iter();
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    loop {
        match launcher.event() {
            from_daemon::Body::StdinDemand(demand) => {
                assert_eq!(demand.job, started.job);
                let piece = pieces.next();
                let data = piece.map(|piece| piece.as_bytes().to_vec());
                let stdin = StdinData {
                    job: demand.job,
                    data: data.unwrap_or_default().into(),
                    eof: piece.is_none(),
                };
                launcher.call(to_daemon::Body::Stdin(stdin));
            }
            from_daemon::Body::Output(output) => {
                let text = String::from_utf8(output.data.to_vec()).unwrap();
                *texts.entry(output.rank).or_default() += &text;
            }
            from_daemon::Body::TaskEnded(_) => {}
            from_daemon::Body::JobEnded(end) => {
                assert_eq!(end.first_cause, None);
                return texts;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn talking_with_a_task_does_not_excuse_its_failure() {
    let vm = LocalVm::hosts(2).unwrap();
    let mut owner = tool(&vm, 0);
    let tasks = adopt(&mut owner, 1);
    let mut task = attach(&tasks[0]);
    for (token, cancel, is_excused) in
        [(u64::MAX, false, false), (7, false, true), (8, true, false)]
    {
        let directory = tempfile::tempdir().unwrap();
        let go = directory.path().join("go");
        let script = format!(
            "while ! [ -e {} ]; do sleep 0.01; done; exit 3",
            go.display()
        );
        let mut wanted = launch(1, "/bin/sh", &["-c", &script]);
        wanted.placement = on("2");
        let spawned = spawn(&mut task, wanted);
        let tasks = vec![spawned[0].task];
        let notify = Notify {
            token,
            tasks,
            cancel: false,
        };
        let forget = Notify {
            token,
            tasks: Vec::new(),
            cancel,
        };
        task.call(to_daemon::Body::Notify(notify));
        if cancel {
            task.call(to_daemon::Body::Notify(forget));
        }
        // A question to that host is answered after the subscription has come to it.
        hosts(&mut task);
        File::create(&go).unwrap();
        let ended = ended(&mut owner);
        assert_eq!(ended.status.unwrap().how, Some(How::Code(3)));
        assert_eq!(ended.excused, is_excused, "token {token}");
    }
}

#[test]
fn a_host_with_tasks_is_removed_by_force_only() {
    let vm = LocalVm::hosts(2).unwrap();
    let mut launcher = tool(&vm, 0);
    let job = placed(run(1, "/bin/sleep", &["1000"]), on("2"));
    let started = launcher.start(job);
    let remove = |force| {
        to_daemon::Body::RemoveHost(RemoveHost {
            host: "2".into(),
            force,
        })
    };
    let failure = tool(&vm, 0).refusal(remove(false));
    assert_eq!(failure.code(), FailureCode::FailureBusy);
    assert!(
        failure.next.ends_with("pvm delete --force 2"),
        "{failure:?}"
    );
    tool(&vm, 0).call(remove(true));
    launcher.follow(started);
    assert_eq!(hosts(&mut launcher).len(), 1);
}

#[test]
fn the_end_of_a_task_is_told_behind_its_last_message_however_slow_the_other_is() {
    const PIECES: usize = 30;
    let vm = LocalVm::hosts(2).unwrap();
    let mut owner = tool(&vm, 0);
    let tasks = adopt(&mut owner, 2);
    let (mut sender, mut receiver) = (attach(&tasks[0]), attach(&tasks[1]));
    receiver.call(to_daemon::Body::Notify(Notify {
        token: 7,
        tasks: vec![tasks[0].task],
        cancel: false,
    }));
    let name = "both";
    let join = || to_daemon::Body::GroupJoin(GroupJoin { name: name.into() });
    receiver.call(join());
    for _ in 0..PIECES {
        let relay = to_daemon::Body::Relay(Relay {
            peer: tasks[1].task,
            data: vec![1; 100_000],
        });
        sender.link.tell(relay).unwrap();
    }
    // What was sent before has been taken when this is answered.
    sender.call(join());
    drop(sender);
    // Longer than the daemon waits for streams that do not come.
    std::thread::sleep(Duration::from_millis(2500));
    for piece in 0..PIECES {
        match receiver.event() {
            from_daemon::Body::Relayed(relayed) => assert_eq!(relayed.data.len(), 100_000),
            other => panic!("{piece}: {other:?}"),
        }
    }
    match receiver.event() {
        from_daemon::Body::TaskExited(exited) => assert_eq!(exited.task, tasks[0].task),
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_that_are_joined_while_the_machine_is_opened_are_not_lost() {
    let vm = LocalVm::hosts(1).unwrap();
    let mut owner = tool(&vm, 0);
    let tasks = adopt(&mut owner, 4);
    let mut clients: Vec<_> = tasks.iter().map(attach).collect();
    let open = to_daemon::Body::OpenVm(OpenVm { stay: false });
    let opening = owner.link.start(open, &[]).unwrap();
    for client in &mut clients {
        let name = "early".to_owned();
        client.call(to_daemon::Body::GroupJoin(GroupJoin { name }));
    }
    owner.link.wait(opening, PATIENCE, "opening").unwrap();
    let name = "early".to_owned();
    let query = to_daemon::Body::GroupQuery(GroupQuery { name });
    match clients[0].call(query) {
        from_daemon::Body::GroupReply(reply) => assert_eq!(reply.members.len(), 4),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_hosts_are_halted_at_once() {
    for _ in 0..5 {
        let vm = LocalVm::hosts(3).unwrap();
        let begun = Instant::now();
        let halt = Halt::default();
        tool(&vm, 1).call(to_daemon::Body::Halt(halt));
        wait_for(|| {
            vm.daemon_pids()
                .iter()
                .all(|pid| !common::is_alive(*pid as i32))
        });
        assert!(begun.elapsed() < Duration::from_millis(1500));
    }
}

#[test]
fn a_time_limit_is_kept_when_a_host_says_nothing() {
    let vm = LocalVm::hosts(2).unwrap();
    let second = Pid::from_raw(vm.daemon_pids()[1] as i32).unwrap();
    kill_process(second, Signal::STOP).unwrap();
    let begun = Instant::now();
    let job = Run {
        timeout_ms: 200,
        ..placed(run(2, "/bin/sleep", &["1000"]), in_turn())
    };
    let failure = tool(&vm, 0).refusal(to_daemon::Body::Run(job));
    let took = begun.elapsed();
    kill_process(second, Signal::CONT).unwrap();
    assert_eq!(failure.code(), FailureCode::FailureHostLost);
    assert!(took < Duration::from_secs(1), "{took:?}");
    expect_no_jobs(&vm, 0);
}
