//! Jobs from the launcher's side.

mod common;

use common::{Daemon, launch, run, shell};
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    App, EndReason, FailureCode, FailurePolicy, Launch, Run, StdinData, StdinPolicy, Stream,
    Terminate, from_daemon, to_daemon,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, Instant};

#[test]
fn any_program_runs_and_its_output_is_complete() {
    let daemon = Daemon::start();
    let story = daemon.tool().run(run(8, "uname", &["-n"]));
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    for rank in 0..8 {
        assert_eq!(story.stdout(rank), format!("{name}\n"));
    }
    assert_eq!(story.end.reason(), EndReason::EndAllEnded);
    assert_eq!(story.end.first_cause, None);
    assert_eq!(story.ended.len(), 8);
    assert!(
        story
            .ended
            .iter()
            .all(|e| e.max_rss_kib > 0 && e.pid > 0 && !e.by_us)
    );
}

#[test]
fn output_of_many_tasks_keeps_its_order() {
    let daemon = Daemon::start();
    let script =
        "i=0; while [ $i -lt 1000 ]; do echo $PVM_RANK line $i; i=$((i+1)); done; printf end";
    let story = daemon.tool().run(shell(64, script));
    for rank in 0..64 {
        let lines: String = (0..1000).map(|i| format!("{rank} line {i}\n")).collect();
        assert_eq!(story.stdout(rank), lines + "end", "rank {rank}");
    }
}

#[test]
fn environment_directory_and_ranks_are_as_asked() {
    let daemon = Daemon::start();
    let script =
        "echo $PVM_RANK/$PVM_SIZE $OMPI_COMM_WORLD_RANK $PMI_SIZE $A $B $(pwd) $(umask) $0";
    let app = |count, extra: &str, directory: &str| App {
        count,
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
        extra_environment: vec![format!("B={extra}").into_bytes()],
        directory: directory.into(),
        ..App::default()
    };
    let mut launch = launch(0, "", &[]);
    launch.apps = vec![app(1, "x", ""), app(2, "y", "/usr")];
    launch.environment.push(b"A=a".to_vec());
    launch.umask = 0o027;
    let launch = Some(launch);
    let story = daemon.tool().run(Run {
        launch,
        ..Run::default()
    });
    assert_eq!(story.stdout(0), "0/3 0 3 a x / 0027 sh\n");
    assert_eq!(story.stdout(2), "2/3 2 3 a y /usr 0027 sh\n");
}

#[test]
fn arguments_variables_and_directories_need_not_be_text() {
    let daemon = Daemon::start();
    let base = tempfile::tempdir().unwrap();
    let directory = base.path().join(OsStr::from_bytes(b"d\xff"));
    std::fs::create_dir(&directory).unwrap();
    let mut launch = launch(1, "sh", &["-c", "printf %s: \"$A\" \"$0\" \"${PWD##*/}\""]);
    launch.apps[0].arguments.push(b"0\xfe".to_vec());
    launch.environment.push(b"A=old".to_vec());
    launch.environment.push(b"A=\xfd=\n".to_vec());
    launch.directory = directory.into_os_string().into_vec();
    let launch = Some(launch);
    let story = daemon.tool().run(Run {
        launch,
        ..Run::default()
    });
    assert_eq!(
        story.output[&(0, Stream::Stdout as i32)],
        b"\xfd=\n:0\xfe:d\xff:"
    );
}

#[test]
fn a_variable_without_a_name_is_refused() {
    let daemon = Daemon::start();
    let mut launch = launch(1, "true", &[]);
    launch.environment.push(b"nonsense".to_vec());
    let launch = Some(launch);
    let run = to_daemon::Body::Run(Run {
        launch,
        ..Run::default()
    });
    let failure = daemon.tool().refusal(run);
    assert_eq!(failure.why, "'nonsense' is no variable");
}

#[test]
fn the_first_failure_ends_the_job_and_is_its_cause() {
    let daemon = Daemon::start();
    let start = Instant::now();
    let script = "if [ $PVM_RANK = 2 ]; then echo oops >&2; exit 7; fi; sleep 1000";
    let story = daemon.tool().run(shell(4, script));
    assert!(start.elapsed() < Duration::from_secs(2));
    let cause = story.end.first_cause.clone().unwrap();
    assert_eq!(
        (cause.rank, cause.status.unwrap().how),
        (2, Some(How::Code(7)))
    );
    assert_eq!(
        (story.end.reason(), story.end.stopped),
        (EndReason::EndTaskFailed, 3)
    );
    assert_eq!(story.text(2, Stream::Stderr), "oops\n");
    assert_eq!(story.ended.iter().filter(|e| e.by_us).count(), 3);
}

#[test]
fn with_continue_the_others_finish() {
    let daemon = Daemon::start();
    let job = Run {
        on_failure: FailurePolicy::FailureContinue.into(),
        ..shell(
            3,
            "[ $PVM_RANK = 0 ] && kill -SEGV $$; sleep 0.2; echo done",
        )
    };
    let story = daemon.tool().run(job);
    assert_eq!(story.stdout(1), "done\n");
    let cause = story.end.first_cause.unwrap();
    assert_eq!(cause.status.unwrap().how, Some(How::Signal(11)));
    assert_eq!(story.end.reason, EndReason::EndAllEnded as i32);
}

#[test]
fn a_time_limit_ends_the_job() {
    let daemon = Daemon::start();
    let job = Run {
        timeout_ms: 200,
        ..shell(2, "sleep 1000")
    };
    let story = daemon.tool().run(job);
    assert_eq!(story.end.reason(), EndReason::EndTimeout);
    assert_eq!(story.end.stopped, 2);
}

#[test]
fn the_first_interrupt_asks_and_the_second_kills() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let started = tool.start(shell(
        2,
        "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done",
    ));
    let job = started.job;
    // Before its trap is set, a task ends at the first request.
    let mut up = 0;
    while up < 2 {
        match tool.event() {
            from_daemon::Body::Output(output) => up += usize::from(output.data == "up\n"),
            other => panic!("{other:?}"),
        }
    }
    let terminate = |force| {
        let reason = "test".into();
        to_daemon::Body::Terminate(Terminate { job, force, reason })
    };
    tool.call(terminate(false));
    loop {
        match tool.event() {
            from_daemon::Body::Output(output) if output.data.starts_with(b"no") => break,
            from_daemon::Body::Output(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let start = Instant::now();
    tool.call(terminate(true));
    let story = tool.follow(started);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(story.end.reason(), EndReason::EndInterrupted);
    assert!(
        story
            .ended
            .iter()
            .all(|e| e.status.unwrap().how == Some(How::Signal(9)))
    );
}

#[test]
fn standard_input_goes_to_one_rank_as_it_is() {
    let daemon = Daemon::start();
    let mut file = tempfile::tempfile().unwrap();
    let text = "0123456789".repeat(100_000);
    file.write_all(text.as_bytes()).unwrap();
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
    let job = Run {
        stdin: StdinPolicy::StdinOne.into(),
        stdin_rank: 1,
        ..run(2, "cat", &[])
    };
    let mut tool = daemon.tool();
    let started = tool.start_with(job, &[file.as_fd()]);
    let story = tool.follow(started);
    assert_eq!(story.stdout(0), "");
    assert!(story.stdout(1) == text);
}

#[test]
fn standard_input_for_all_is_sent_on_demand() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let job = Run {
        stdin: StdinPolicy::StdinAll.into(),
        ..run(3, "cat", &[])
    };
    let started = tool.start(job);
    let job = started.job;
    let piece = "x".repeat(200_000);
    for n in 0..4 {
        loop {
            match tool.event() {
                from_daemon::Body::StdinDemand(_) => break,
                from_daemon::Body::Output(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let data = piece.clone().into_bytes().into();
        tool.call(to_daemon::Body::Stdin(StdinData {
            job,
            data,
            eof: n == 3,
        }));
    }
    let mut ended = 0;
    loop {
        match tool.event() {
            from_daemon::Body::TaskEnded(e) => {
                assert_eq!(e.status.unwrap().how, Some(How::Code(0)));
                ended += 1;
            }
            from_daemon::Body::JobEnded(_) => break,
            _ => {}
        }
    }
    assert_eq!(ended, 3);
}

#[test]
fn bad_launches_are_refused_with_their_reason() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    File::create(&plain).unwrap();
    let mut code = |launch: Launch| {
        let launch = Some(launch);
        let failure = tool.refusal(to_daemon::Body::Run(Run {
            launch,
            ..Run::default()
        }));
        assert!(
            !failure.what.is_empty() && !failure.why.is_empty(),
            "{failure:?}"
        );
        failure.code()
    };
    assert_eq!(
        code(launch(1, "no-such-program", &[])),
        FailureCode::FailureProgramNotFound
    );
    assert_eq!(
        code(launch(1, "/usr", &[])),
        FailureCode::FailureProgramIsDirectory
    );
    let plain = plain.to_str().unwrap();
    assert_eq!(
        code(launch(1, plain, &[])),
        FailureCode::FailureProgramNotExecutable
    );
    assert_eq!(code(launch(0, "true", &[])), FailureCode::FailureCount);
    assert_eq!(
        code(launch(99_999_999, "true", &[])),
        FailureCode::FailureCount
    );
    let mut lost = launch(1, "true", &[]);
    lost.directory = "/no/such".into();
    assert_eq!(code(lost), FailureCode::FailureDirectory);
    assert_eq!(
        tool.run(run(1, "true", &[])).end.reason(),
        EndReason::EndAllEnded
    );
}

#[test]
fn sixty_four_tasks_start_fast_and_jobs_come_one_after_the_other() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let start = Instant::now();
    let started = tool.start(run(64, "true", &[]));
    eprintln!("64 tasks started in {:?}", start.elapsed());
    assert_eq!(started.tasks.len(), 64);
    tool.follow(started);
    for _ in 0..20 {
        assert_eq!(tool.run(run(4, "true", &[])).end.first_cause, None);
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid()))
        .unwrap()
        .count();
    assert!(open < 20, "{open} descriptors are open");
}

#[test]
fn a_launcher_that_does_not_read_slows_its_tasks_down() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let memory_kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    };
    // What a job needs at all is there already.
    tool.run(run(1, "head", &["-c", "1000000", "/dev/zero"]));
    let before = memory_kib();
    let started = tool.start(run(1, "head", &["-c", "20000000", "/dev/zero"]));
    std::thread::sleep(Duration::from_millis(300));
    let more = memory_kib().saturating_sub(before);
    assert!(more < 8_000, "{more} kB more for 20 MB that nobody reads");
    let story = tool.follow(started);
    assert_eq!(story.output[&(0, 0)].len(), 20_000_000);
}
