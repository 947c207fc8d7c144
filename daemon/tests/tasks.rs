//! Tasks from their own side: attaching, channels, notification, groups, spawning.
//!
//! Tasks are made with Adopt and attached from here, or are this very program, started again
//! with the name of the test [`as_task`], which does what its last argument says.

mod common;

use common::{Client, Daemon, launch, run};
use pvm::session::{Answer, Link, LinkError, identity_from_environment};
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    Adopt, AdoptedTask, Attach, CloseChannel, EndReason, FailureCode, GroupBarrier, GroupJoin,
    GroupLeave, GroupQuery, GroupReply, Hello, Kill, ListTasks, Notify, OpenChannel, Run, Spawn,
    TaskExited, Welcome, from_daemon, hello, to_daemon,
};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

fn attach_hello(task: u64, capability: Vec<u8>) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        software: "test".into(),
        role: Some(hello::Role::Attach(Attach {
            task,
            capability,
            program: "test".into(),
        })),
    }
}

fn attach(socket: &Path, task: &AdoptedTask) -> (Client, Welcome, Vec<OwnedFd>) {
    let hello = attach_hello(task.task, task.capability.clone());
    let (link, welcome, fds) = Link::connect(socket, hello).unwrap();
    (Client { link }, welcome, fds)
}

fn by_hand(socket: &Path) -> (Client, u64) {
    let (link, welcome, _) = Link::connect(socket, attach_hello(0, Vec::new())).unwrap();
    (Client { link }, welcome.task)
}

fn adopt(tool: &mut Client, count: u32) -> Vec<AdoptedTask> {
    match tool.call(to_daemon::Body::Adopt(Adopt {
        count,
        ..Adopt::default()
    })) {
        from_daemon::Body::Adopted(adopted) => adopted.tasks,
        other => panic!("{other:?}"),
    }
}

/// Two attached tasks of one job; the tool is their lease.
fn pair(daemon: &Daemon) -> (Client, [(Client, u64); 2]) {
    let mut tool = daemon.tool();
    let tasks = adopt(&mut tool, 2);
    let both = [0, 1].map(|n| (attach(&daemon.socket(), &tasks[n]).0, tasks[n].task));
    (tool, both)
}

fn detach() -> to_daemon::Body {
    to_daemon::Body::Detach(Default::default())
}

fn open(peer: u64) -> to_daemon::Body {
    to_daemon::Body::OpenChannel(OpenChannel { peer })
}

fn exited(client: &mut Client) -> TaskExited {
    match client.event() {
        from_daemon::Body::TaskExited(exited) => exited,
        other => panic!("{other:?}"),
    }
}

fn how(exited: &TaskExited) -> How {
    exited.status.unwrap().how.unwrap()
}

#[test]
fn adopted_tasks_attach_with_their_capability_only() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let tasks = adopt(&mut tool, 3);
    let (_first, welcome, fds) = attach(&daemon.socket(), &tasks[1]);
    assert_eq!((welcome.task, welcome.rank), (tasks[1].task, 1));
    let world: Vec<_> = tasks.iter().map(|t| t.task).collect();
    assert_eq!(welcome.world, world);
    assert_eq!(fds.len(), 2);
    for (task, capability) in [
        (tasks[0].task, vec![0; 16]),
        (tasks[0].task, Vec::new()),
        (tasks[0].task, tasks[2].capability.clone()),
        (tasks[1].task, tasks[1].capability.clone()),
    ] {
        match Link::connect(&daemon.socket(), attach_hello(task, capability)) {
            Err(LinkError::Refused(why)) => assert_eq!(why.code(), FailureCode::FailureNotAllowed),
            _ => panic!("let in"),
        }
    }
}

#[test]
fn channels_are_introduced_to_both_sides() {
    let daemon = Daemon::start();
    let (_tool, [(mut a, a_id), (mut b, b_id)]) = pair(&daemon);
    let Answer { body, fds } = a.link.call(open(b_id)).unwrap();
    let from_daemon::Body::ChannelOpened(mine) = body else {
        panic!("{body:?}");
    };
    let event = b.event();
    let from_daemon::Body::ChannelOpened(theirs) = event else {
        panic!("{event:?}");
    };
    assert_eq!((mine.peer, theirs.peer, fds.len()), (b_id, a_id, 2));
    assert_eq!((mine.side, theirs.side), (0, 1));
    assert_eq!(
        (mine.my_bell, mine.peer_bell),
        (theirs.peer_bell, theirs.my_bell)
    );
    assert_eq!(mine.peer_pid, std::process::id());
    assert_eq!(b.call(open(a_id)), from_daemon::Body::ChannelOpened(theirs));
    assert_eq!(a.refusal(open(a_id)).code(), FailureCode::FailureMalformed);
    assert_eq!(
        a.refusal(open(b_id + 77)).code(),
        FailureCode::FailureNoSuchTask
    );
    drop(b);
    assert_eq!(exited(&mut a).task, b_id);
    assert_eq!(a.refusal(open(b_id)).code(), FailureCode::FailureNoSuchTask);
    a.call(to_daemon::Body::CloseChannel(CloseChannel { peer: b_id }));
}

#[test]
fn a_channel_to_a_task_that_comes_later_waits_for_it() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let tasks = adopt(&mut tool, 3);
    let (mut a, ..) = attach(&daemon.socket(), &tasks[0]);
    let ticket = a.link.start(open(tasks[1].task), &[]).unwrap();
    let never = a.link.start(open(tasks[2].task), &[]).unwrap();
    let (mut b, ..) = attach(&daemon.socket(), &tasks[1]);
    assert!(matches!(b.event(), from_daemon::Body::ChannelOpened(_)));
    let answer = a.link.wait(ticket, common::PATIENCE, "testing").unwrap();
    assert!(matches!(answer.body, from_daemon::Body::ChannelOpened(_)));
    // The third comes and leaves at once: in between there is a channel, whose end is told.
    let (mut c, ..) = attach(&daemon.socket(), &tasks[2]);
    c.call(detach());
    a.link.wait(never, common::PATIENCE, "testing").unwrap();
    assert_eq!(how(&exited(&mut a)), How::Detached(true));
}

#[test]
fn every_subscription_is_told_exactly_once() {
    let daemon = Daemon::start();
    let (_tool, [(mut a, _), (mut b, b_id)]) = pair(&daemon);
    let subscribe = |token, tasks, cancel| {
        to_daemon::Body::Notify(Notify {
            token,
            tasks,
            cancel,
        })
    };
    a.call(subscribe(1, vec![b_id, 0xdead], false));
    let gone = exited(&mut a);
    assert_eq!(
        (gone.task, &gone.tokens[..], how(&gone)),
        (0xdead, &[1][..], How::Unknown(true))
    );
    a.call(subscribe(2, vec![b_id], false));
    a.call(subscribe(3, vec![b_id], false));
    a.call(subscribe(3, vec![], true));
    a.call(open(b_id));
    b.call(detach());
    let left = exited(&mut a);
    assert_eq!((left.task, left.tokens), (b_id, vec![1, 2]));
    drop(b);
    a.call(subscribe(4, vec![b_id], false));
    assert_eq!(exited(&mut a).tokens, [4]);
    a.link.read_now().unwrap();
    assert!(a.link.next_event().is_none());
}

fn reply(body: from_daemon::Body) -> GroupReply {
    match body {
        from_daemon::Body::GroupReply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_and_barriers_survive_the_death_of_members() {
    let daemon = Daemon::start();
    let (mut tool, [(mut a, a_id), (mut b, b_id)]) = pair(&daemon);
    let name = || "workers".to_owned();
    let join = || to_daemon::Body::GroupJoin(GroupJoin { name: name() });
    let query = || to_daemon::Body::GroupQuery(GroupQuery { name: name() });
    let barrier = |count| {
        to_daemon::Body::GroupBarrier(GroupBarrier {
            name: name(),
            count,
        })
    };
    assert_eq!(
        tool.refusal(query()).code(),
        FailureCode::FailureNoSuchGroup
    );
    assert_eq!(reply(a.call(join())).instance, 0);
    assert_eq!(reply(b.call(join())).instance, 1);
    assert_eq!(a.refusal(join()).code(), FailureCode::FailureAlreadyInGroup);
    let members: Vec<_> = reply(tool.call(query()))
        .members
        .iter()
        .map(|m| m.task)
        .collect();
    assert_eq!(members, [a_id, b_id]);
    let waits = a.link.start(barrier(2), &[]).unwrap();
    assert_eq!(b.refusal(barrier(3)).code(), FailureCode::FailureMismatch);
    b.call(barrier(2));
    a.link.wait(waits, common::PATIENCE, "testing").unwrap();
    let waits = a.link.start(barrier(2), &[]).unwrap();
    tasks(&mut a, 0); // the request before it has been taken
    drop(b);
    match a.link.wait(waits, common::PATIENCE, "testing") {
        Err(LinkError::Refused(why)) => assert_eq!(why.code(), FailureCode::FailureNoSuchTask),
        other => panic!("{other:?}"),
    }
    assert_eq!(reply(tool.call(query())).members.len(), 1);
    a.call(barrier(0));
    a.call(to_daemon::Body::GroupLeave(GroupLeave { name: name() }));
    assert_eq!(
        tool.refusal(query()).code(),
        FailureCode::FailureNoSuchGroup
    );
}

#[test]
fn a_lost_lease_disconnects_adopted_tasks() {
    let daemon = Daemon::start();
    let (tool, [(mut a, _), _b]) = pair(&daemon);
    drop(tool);
    common::wait_for(|| {
        let _ = a.link.read_now();
        a.link.is_lost()
    });
    common::wait_for(|| tasks(&mut daemon.tool(), 0).is_empty());
}

fn tasks(tool: &mut Client, job: u64) -> Vec<pvm::wire::control::TaskInfo> {
    match tool.call(to_daemon::Body::ListTasks(ListTasks { task: 0, job })) {
        from_daemon::Body::TaskList(list) => list.tasks,
        other => panic!("{other:?}"),
    }
}

fn spawn(client: &mut Client, count: u32, script: &str) -> Vec<u64> {
    let launch = launch(count, "/bin/sh", &["-c", script]);
    let spawn = Spawn {
        launch: Some(launch),
        inherit: false,
    };
    match client.call(to_daemon::Body::Spawn(spawn)) {
        from_daemon::Body::Spawned(spawned) => spawned.results.iter().map(|r| r.task).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_by_hand_spawns_watches_and_kills() {
    let daemon = Daemon::start();
    let (mut master, master_id) = by_hand(&daemon.socket());
    let children = spawn(&mut master, 3, "sleep 1000");
    let listed = tasks(&mut daemon.tool(), 0);
    assert_eq!(listed.len(), 4);
    assert!(
        listed
            .iter()
            .any(|t| t.foreign && t.task == master_id && t.attached)
    );
    let child = listed.iter().find(|t| t.task == children[1]).unwrap();
    assert_eq!((child.parent, child.rank), (master_id, 1));
    master.call(to_daemon::Body::Notify(Notify {
        token: 9,
        tasks: children.clone(),
        cancel: false,
    }));
    for task in &children[..2] {
        master.call(to_daemon::Body::Kill(Kill {
            task: *task,
            job: 0,
            signal: 15,
            ..Kill::default()
        }));
        let told = exited(&mut master);
        assert_eq!((told.task, how(&told)), (*task, How::Signal(15)));
    }
    // It dies without a word: its children go too.
    drop(master);
    common::wait_for(|| tasks(&mut daemon.tool(), 0).is_empty());
}

#[test]
fn children_outlive_a_parent_that_leaves_in_good_order() {
    let daemon = Daemon::start();
    let (mut master, _) = by_hand(&daemon.socket());
    let children = spawn(&mut master, 1, "sleep 1000");
    master.call(detach());
    drop(master);
    std::thread::sleep(Duration::from_millis(100));
    let mut tool = daemon.tool();
    assert_eq!(tasks(&mut tool, 0)[0].task, children[0]);
}

#[test]
fn spawning_tells_what_cannot_be_started() {
    let daemon = Daemon::start();
    let (mut master, _) = by_hand(&daemon.socket());
    let mut both = launch(2, "/bin/true", &[]);
    both.apps.extend(launch(1, "no-such-program", &[]).apps);
    let spawn = Spawn {
        launch: Some(both),
        inherit: false,
    };
    let from_daemon::Body::Spawned(spawned) = master.call(to_daemon::Body::Spawn(spawn)) else {
        panic!("no answer");
    };
    assert!(
        spawned.results[..2]
            .iter()
            .all(|r| r.task != 0 && r.failure.is_none())
    );
    let failure = spawned.results[2].failure.clone().unwrap();
    assert_eq!(failure.code(), FailureCode::FailureProgramNotFound);
}

/// Not a test: what a started task does, when this program is one.
#[test]
fn as_task() {
    let Ok(Some((socket, task, capability))) = identity_from_environment() else {
        return;
    };
    let Ok((link, welcome, _)) = Link::connect(&socket, attach_hello(task, capability)) else {
        std::process::exit(99);
    };
    let mut me = Client { link };
    match std::env::args().next_back().unwrap_or_default().as_str() {
        "leave" => assert_eq!(
            me.call(detach()),
            from_daemon::Body::Done(Default::default())
        ),
        "rude" => std::process::exit(0),
        "spawn" => {
            let children = spawn(&mut me, 2, "echo child $PVM_RANK of $PVM_SIZE");
            println!("parent of {}", children.len());
            me.call(detach());
        }
        "rank" => {
            println!("rank {} of {}", welcome.rank, welcome.world.len());
            me.call(detach());
        }
        other => panic!("{other}"),
    }
}

fn own(count: u32, what: &str) -> Run {
    let program = std::env::current_exe().unwrap();
    run(
        count,
        program.to_str().unwrap(),
        &["--exact", "as_task", "--nocapture", what],
    )
}

#[test]
fn started_tasks_attach_and_leave() {
    let daemon = Daemon::start();
    let story = daemon.tool().run(own(4, "rank"));
    assert_eq!(story.end.first_cause, None);
    assert!(story.stdout(2).contains("rank 2 of 4\n"));
    assert!(story.ended.iter().all(|e| !e.while_attached));
}

#[test]
fn ending_while_attached_is_a_failure() {
    let daemon = Daemon::start();
    let story = daemon.tool().run(own(1, "rude"));
    let cause = story.end.first_cause.unwrap();
    assert_eq!(cause.status.unwrap().how, Some(How::Code(0)));
    assert!(cause.while_attached);
    assert_eq!(story.end.reason, EndReason::EndTaskFailed as i32);
    assert_eq!(daemon.tool().run(own(1, "leave")).end.first_cause, None);
}

#[test]
fn spawned_children_belong_to_the_job() {
    let daemon = Daemon::start();
    let story = daemon.tool().run(own(1, "spawn"));
    assert_eq!(story.end.first_cause, None);
    assert!(story.stdout(0).contains("parent of 2\n"));
    assert_eq!(story.stdout(1), "child 0 of 2\n");
    assert_eq!(story.stdout(2), "child 1 of 2\n");
    assert_eq!(story.ended.len(), 3);
}
