//! Tasks that come, go and are watched; threads.

use pvm::sync::atomic::{AtomicUsize, Ordering};
use pvm::testing::{LocalVm, tasks};
use pvm::{ANY, Command, Error, ExitStatus, Options, Threads, Vm};
use std::path::Path;
use std::time::{Duration, Instant};

/// Spawns this test program so that it runs one of the `child_` tests below.
fn child(test: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    Command::new(program.to_str().unwrap()).args(["--exact", test, "--nocapture"])
}

/// This process, when it was spawned by one of the tests; in an ordinary run there is no child.
fn as_child() -> Option<Vm> {
    pvm::session::identity_from_environment().unwrap()?;
    Some(Vm::attach().unwrap())
}

/// Handles may go to other threads.
const _: () = {
    const fn is_free<T: Send + Sync>() {}
    is_free::<Vm>();
    is_free::<pvm::Communicator>();
};

#[test]
fn child_answers_its_parent() {
    let Some(vm) = as_child() else { return };
    let parent = vm.parent().unwrap();
    let (number, _) = vm.recv_value::<u32>(parent, 1).unwrap();
    let world = vm.world();
    let total = world.allreduce(&[number], pvm::Sum).unwrap()[0];
    vm.send_value(parent, 2, &(world.rank(), world.size(), total))
        .unwrap();
}

#[test]
fn child_waits_for_ever() {
    let Some(vm) = as_child() else { return };
    vm.send(vm.parent().unwrap(), 1, b"here").unwrap();
    let _ = vm.recv::<u8>(ANY, 99);
}

#[test]
fn spawned_tasks_talk_to_their_parent_and_each_other() {
    tasks(1, |vm| {
        let spawned = vm
            .spawn(child("child_answers_its_parent").count(3))
            .unwrap();
        let children: Vec<_> = spawned.into_iter().map(Result::unwrap).collect();
        assert_eq!(children.len(), 3);
        let mut exits = vm.notify_exit(&children).unwrap();
        for (i, &child) in children.iter().enumerate() {
            vm.send_value(child, 1, &(i as u32 + 1)).unwrap();
        }
        for (i, &child) in children.iter().enumerate() {
            let (answer, _) = vm.recv_value::<(usize, usize, u32)>(child, 2).unwrap();
            assert_eq!(answer, (i, 3, 6));
        }
        for limit in [
            Duration::from_secs(20),
            Duration::from_secs(20),
            Duration::MAX,
        ] {
            let exit = exits.wait_for(limit).unwrap().unwrap();
            assert!(
                exit.status.is_success() && children.contains(&exit.task),
                "{exit:?}"
            );
        }
        assert_eq!(exits.wait().unwrap(), None);
    });
}

#[test]
fn child_tells_its_surroundings() {
    let Some(vm) = as_child() else { return };
    let here = std::env::current_dir().unwrap().display().to_string();
    let daemon = std::env::var(pvm::settings::DAEMON).unwrap_or_default();
    vm.send_value(vm.parent().unwrap(), 1, &(here, daemon))
        .unwrap();
}

/// The other half of the next test: a program that nobody launched. It knows by its directory.
#[test]
fn by_hand_spawns_a_child_with_its_own_surroundings() {
    if std::env::current_dir().unwrap() != Path::new("/usr") {
        return;
    }
    let vm = Vm::attach().unwrap();
    let spawned = vm.spawn(child("child_tells_its_surroundings")).unwrap();
    let child = spawned.into_iter().next().unwrap().unwrap();
    let told = vm.recv_value::<(String, String)>(child, 1).unwrap().0;
    assert_eq!(told, ("/usr".to_owned(), "test".to_owned()));
    let missing = vm.spawn(Command::new("./no-such-program")).unwrap();
    assert!(missing[0].as_ref().unwrap_err().is_not_found());
}

#[test]
fn a_task_by_hand_passes_on_its_surroundings() {
    let vm = LocalVm::start().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "by_hand_spawns_a_child_with_its_own_surroundings",
        ])
        .envs(vm.environment())
        .current_dir("/usr")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn a_killed_task_is_noticed_by_watchers_and_receivers() {
    tasks(1, |vm| {
        let spawned = vm.spawn(child("child_waits_for_ever").count(2)).unwrap();
        let children: Vec<_> = spawned.into_iter().map(Result::unwrap).collect();
        let mut exits = vm.notify_exit(&children).unwrap();
        for &child in &children {
            assert_eq!(vm.recv::<u8>(child, 1).unwrap().0, b"here");
            assert!(
                vm.tasks()
                    .unwrap()
                    .iter()
                    .any(|info| info.task == child && info.attached)
            );
        }
        assert_eq!(exits.poll().unwrap(), None);
        let receive = vm.irecv(children[0], 5, vec![0u8; 8]).unwrap();
        vm.signal(children[0], 9).unwrap();
        assert!(matches!(receive.wait(), Err(Error::PeerGone(task)) if task == children[0]));
        let exit = exits.wait().unwrap().unwrap();
        assert_eq!(
            (exit.task, exit.status),
            (children[0], ExitStatus::Signal(9))
        );
        vm.kill(children[1]).unwrap();
        let blocked = vm.recv::<u8>(children[1], 5);
        assert!(matches!(blocked, Err(Error::PeerGone(task)) if task == children[1]));
        let exit = exits.wait().unwrap().unwrap();
        assert_eq!(
            (exit.task, exit.status),
            (children[1], ExitStatus::Signal(15))
        );
        let sent = vm.send(children[0], 1, &[0u8; 8]);
        assert!(matches!(sent, Err(Error::PeerGone(_))), "{sent:?}");
        assert!(vm.kill(children[0]).is_err());
    });
}

#[test]
fn programs_that_cannot_be_started_are_told_one_by_one() {
    tasks(1, |vm| {
        let results = vm.spawn(Command::new("/no/such/program").count(2)).unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            let error = result.unwrap_err();
            assert!(error.is_not_found());
            assert!(error.to_string().contains("/no/such/program"), "{error}");
        }
        let results = vm.spawn(Command::new("true").count(0));
        assert!(results.is_err() || results.unwrap().is_empty());
    });
}

#[test]
fn the_exit_of_a_task_that_never_was_is_unknown() {
    tasks(1, |vm| {
        let stranger = "t7ffff".parse().unwrap();
        let mut exits = vm.notify_exit(&[stranger]).unwrap();
        let exit = exits.wait_for(Duration::from_secs(20)).unwrap().unwrap();
        assert_eq!((exit.task, exit.status), (stranger, ExitStatus::Unknown));
        // Nobody waits for it for ever, whether it was written to before or not.
        let other = "t7fffe".parse().unwrap();
        assert!(matches!(
            vm.send(stranger, 0, &[0u8]),
            Err(Error::PeerGone(_))
        ));
        for gone in [stranger, other] {
            assert!(matches!(vm.recv::<u8>(gone, 0), Err(Error::PeerGone(_))));
            let receive = vm.irecv(gone, 0, vec![0u8]).unwrap();
            assert!(matches!(receive.wait(), Err(Error::PeerGone(_))));
        }
    });
}

#[test]
fn leaving_in_the_middle_of_a_receive_is_told() {
    let results = tasks(3, |vm| {
        let world = vm.world();
        match world.rank() {
            0 => world.recv::<u8>(1, 0).map(drop),
            1 => Ok(()),
            _ => world.barrier(),
        }
    });
    assert!(matches!(results[0], Err(Error::PeerGone(_))), "{results:?}");
    assert!(matches!(results[2], Err(Error::PeerGone(_))), "{results:?}");
}

#[test]
fn a_task_that_leaves_has_confirmed_what_it_received() {
    // More than the ring to the sender has room for; the sender looks when the receiver has left,
    // or takes its time to leave.
    const MESSAGES: usize = 300;
    const UNDER_WAY: usize = 100;
    let received = AtomicUsize::new(0);
    let wait_for = |count| {
        let start = Instant::now();
        while received.load(Ordering::Acquire) < count {
            if start.elapsed() > Duration::from_millis(200) && count > MESSAGES {
                break;
            }
            std::thread::yield_now();
        }
    };
    tasks(2, |vm| {
        let world = vm.world();
        if world.rank() == 1 {
            for _ in 0..MESSAGES {
                world.recv_into(0, 0, &mut [0u8; 10]).unwrap();
                received.fetch_add(1, Ordering::Release);
            }
            drop((world, vm));
            received.fetch_add(1, Ordering::Release);
            return;
        }
        let send = |number: usize| {
            wait_for(number.saturating_sub(UNDER_WAY));
            world.isend_sync(1, 0, vec![1u8; 10]).unwrap()
        };
        let sends: Vec<_> = (0..MESSAGES).map(send).collect();
        wait_for(MESSAGES + 1);
        for send in sends {
            send.wait().unwrap();
        }
    });
}

#[test]
fn without_a_daemon_nobody_waits_for_ever() {
    let local = LocalVm::start().unwrap();
    let pid = i32::try_from(local.daemon_pid()).unwrap();
    local
        .tasks(2, |vm| {
            let world = vm.world();
            world.barrier().unwrap();
            let posted = world.irecv(ANY, 5, vec![0u8; 4]).unwrap();
            let exits = vm.notify_exit(world.tasks());
            world.barrier().unwrap();
            if world.rank() == 0 {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            let claimed = world.recv::<u8>(ANY, 1);
            assert!(matches!(claimed, Err(Error::LostDaemon)), "{claimed:?}");
            let posted = posted.wait();
            assert!(matches!(posted, Err(Error::LostDaemon)), "{posted:?}");
            let late = world.recv_into(ANY, 1, &mut [0u8; 4]);
            assert!(matches!(late, Err(Error::LostDaemon)), "{late:?}");
            let exit = exits.unwrap().wait();
            assert!(matches!(exit, Err(Error::LostDaemon)), "{exit:?}");
        })
        .unwrap();
}

#[test]
fn a_task_that_never_attaches_holds_up_nobody() {
    tasks(1, |vm| {
        let spawned = vm.spawn(Command::new("sleep").arg("60").count(4)).unwrap();
        let start = Instant::now();
        for task in spawned.into_iter().map(Result::unwrap) {
            let receive = vm.irecv(task, 1, vec![0u8]).unwrap();
            let send = vm.isend(task, 1, vec![0u8]).unwrap();
            vm.kill(task).unwrap();
            assert!(matches!(receive.wait(), Err(Error::PeerGone(_))));
            // To another host it may be under way already.
            match send.wait() {
                Err(Error::PeerGone(_)) => {}
                Ok(_) => assert!(pvm::testing::host_count() > 1),
                Err(error) => panic!("{error}"),
            }
        }
        let took = start.elapsed();
        assert!(took < Duration::from_millis(900), "{took:?}");
    });
}

#[test]
fn a_flood_holds_up_neither_deadlines_nor_other_threads() {
    tasks(4, |vm| {
        let world = vm.world();
        if world.rank() != 0 {
            while world.send(0, 1, &[0u8; 8]).is_ok() {}
            return;
        }
        let mut exits = vm.notify_exit(world.tasks()).unwrap();
        for other in 1..4 {
            world.wait_message(other, 1).unwrap();
        }
        let start = Instant::now();
        let exit = exits.wait_for(Duration::from_millis(50));
        assert!(matches!(exit, Err(Error::TimedOut)), "{exit:?}");
        assert!(start.elapsed() < Duration::from_millis(900));
        std::thread::scope(|scope| {
            scope.spawn(|| world.recv::<u8>(0, 3).unwrap());
            for _ in 0..100 {
                let start = Instant::now();
                world.probe(1, 9).unwrap();
                assert!(start.elapsed() < Duration::from_millis(900));
            }
            world.send(0, 3, &[1u8]).unwrap();
        });
    });
}

#[test]
fn the_virtual_machine_describes_itself() {
    tasks(2, |vm| {
        let world = vm.world();
        world.barrier().unwrap();
        let tasks = vm.tasks().unwrap();
        for &task in world.tasks() {
            let info = tasks.iter().find(|info| info.task == task).unwrap();
            assert_eq!(Some(info.rank), world.rank_of(task));
            assert_eq!((info.job, info.parent), (vm.job(), None));
        }
        let hosts = vm.hosts().unwrap();
        assert_eq!(hosts.len(), pvm::testing::host_count());
        assert!(hosts.iter().all(|host| host.cpus >= 1));
        world.barrier().unwrap();
    });
}

#[test]
fn a_foreign_process_attaches_to_a_running_daemon() {
    // The environment of the whole test process cannot be changed beside other tests, so the
    // identity that a stranger is given is asked for.
    let local = LocalVm::start().unwrap();
    let error = Vm::attach_with(Options::new().identity(
        local.socket().to_owned(),
        "t40001".parse().unwrap(),
        vec![0; 16],
    ));
    assert!(matches!(error, Err(Error::Refused(_))), "{:?}", error.err());
}

#[test]
fn without_a_daemon_the_error_says_what_to_type() {
    let nowhere = std::path::PathBuf::from("/nonexistent/pvm.sock");
    let options = Options::new().identity(nowhere, "t40001".parse().unwrap(), vec![0; 16]);
    let Err(error) = Vm::attach_with(options) else {
        panic!("attached to nothing")
    };
    assert!(matches!(error, Error::NotInVm(_)));
    assert!(error.to_string().contains("type: pvm run"), "{error}");
}

#[test]
fn at_level_single_other_threads_are_turned_away() {
    let local = LocalVm::start().unwrap();
    let body = |vm: Vm| {
        let world = vm.world();
        world.send(0, 0, &[1u8]).unwrap();
        let other = std::thread::scope(|s| s.spawn(|| world.recv::<u8>(0, 0)).join().unwrap());
        assert!(matches!(other, Err(Error::Thread(_))), "{other:?}");
        assert_eq!(world.recv::<u8>(0, 0).unwrap().0, [1]);
    };
    local.tasks_with(1, Threads::Single, body).unwrap();
}

#[test]
fn many_threads_send_receive_and_probe() {
    const THREADS: usize = 8;
    tasks(2, |vm| {
        let world = vm.world();
        let other = 1 - world.rank();
        let end = Instant::now() + Duration::from_secs(1);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let world = &world;
                scope.spawn(move || {
                    // Thread i of one task talks with thread i of the other, on a tag of its own.
                    let (go, tag) = (2 * thread as i32, 2 * thread as i32 + 1);
                    for round in 0u64.. {
                        let more = Instant::now() < end;
                        let len = [1, 100, 50_000][round as usize % 3];
                        let send = world.isend(other, tag, vec![round; len]).unwrap();
                        let data = match round % 4 {
                            0 => world.recv::<u64>(other, tag).unwrap().0,
                            1 => world.wait_claim(other, tag).unwrap().recv().unwrap(),
                            2 => {
                                world
                                    .irecv(other, tag, vec![0; 50_000])
                                    .unwrap()
                                    .wait()
                                    .unwrap()
                                    .0
                            }
                            _ => loop {
                                if world.probe(other, tag).unwrap().is_some() {
                                    break world.recv(other, tag).unwrap().0;
                                }
                            },
                        };
                        assert_eq!(data, vec![round; len]);
                        send.wait().unwrap();
                        let mut goes_on = [0u8];
                        world
                            .sendrecv((other, go), &[u8::from(more)], other, go, &mut goes_on)
                            .unwrap();
                        if !more || goes_on == [0] {
                            break;
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn a_panicking_task_ends_the_local_machine_not_the_test_run() {
    let local = LocalVm::start().unwrap();
    let pid = local.daemon_pid();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        local.tasks(2, |vm| {
            assert_eq!(vm.world().rank(), 0, "rank 1 panics");
            let _ = vm.world().recv::<u8>(1, 0);
        })
    }));
    assert!(result.is_err());
    drop(local);
    assert!(!runs(pid), "the daemon is still there");
}

#[test]
fn a_killed_daemon_is_noticed_by_tasks_that_sleep() {
    let local = LocalVm::start().unwrap();
    let pid = rustix::process::Pid::from_raw(local.daemon_pid() as i32).unwrap();
    let waited = local.tasks(2, |vm| {
        let world = vm.world();
        world.barrier().unwrap();
        if world.rank() == 0 {
            std::thread::sleep(Duration::from_millis(100));
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        let start = Instant::now();
        let received = world.recv::<u8>(1 - world.rank(), 5);
        assert!(
            matches!(received, Err(Error::PeerGone(_) | Error::LostDaemon)),
            "{received:?}"
        );
        start.elapsed()
    });
    for waited in waited.unwrap() {
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    }
}

/// Whether a process runs; one that has ended and nobody has collected yet does not.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
