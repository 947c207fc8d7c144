//! The daemon itself: starting, leaving, and clients that behave badly.

mod common;

use common::{Daemon, command, run, wait_for};
use pvm::session::{Link, LinkError, hello_tool};
use pvm::wire::control::{
    EndReason, FailureCode, FromDaemon, Hello, ToDaemon, Tool, from_daemon, hello, to_daemon,
};
use pvm::wire::frame::{self, Decoder};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn of_many_starters_one_wins_and_all_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        command(dir.path())
            .arg("--idle=1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let starters: Vec<_> = (0..12).map(|_| start()).collect();
    let mut found = 0;
    for starter in starters {
        let output = starter.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        found += usize::from(said.contains("already running (pid "));
    }
    assert_eq!(found, 11);
    let socket = dir.path().join("run/default.sock");
    let mut tool = common::Client::tool(&socket);
    assert_eq!(
        tool.run(run(2, "true", &[])).end.reason(),
        EndReason::EndAllEnded
    );
    // While it is used it stays; then it leaves, and leaves nothing.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(socket.exists());
    drop(tool);
    wait_for(|| !dir.path().join("run").exists());
}

#[test]
fn an_idle_time_beyond_all_time_is_for_ever() {
    let daemon = Daemon::start_with(&["--idle", &u64::MAX.to_string()]);
    assert_eq!(daemon.tool().run(run(1, "true", &[])).end.first_cause, None);
}

#[test]
fn a_dead_daemons_socket_is_replaced() {
    let daemon = Daemon::start();
    common::kill(daemon.pid());
    wait_for(|| !common::is_alive(daemon.pid()));
    assert!(daemon.socket().exists());
    let status = command(daemon.dir.path()).arg("--idle=0").status().unwrap();
    assert!(status.success());
    wait_for(|| !daemon.socket().exists());
}

#[test]
fn a_detached_daemon_has_no_terminal_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let status = command(dir.path())
        .args(["--idle=1", "--name=other"])
        .status()
        .unwrap();
    assert!(status.success());
    let socket = dir.path().join("run/other.sock");
    let (link, welcome, _) = Link::connect(&socket, hello_tool()).unwrap();
    let pid = welcome.daemon_pid;
    let its_session = session(pid);
    assert_ne!(its_session, session(std::process::id()));
    assert_ne!(its_session, 0, "a session that began with the daemon");
    let stdout = std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
    assert_eq!(stdout.to_str(), Some("/dev/null"));
    let mode = std::fs::metadata(dir.path().join("run"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(link);
    wait_for(|| !dir.path().join("run").exists());
}

/// The session of a process, 0 when it began outside our process namespace.
fn session(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name: state, parent, group, session.
    let after_name = stat.rsplit(") ").next().unwrap();
    after_name.split(' ').nth(3).unwrap().parse().unwrap()
}

#[test]
fn bad_options_and_places_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], run: &str| {
        let mut command = command(dir.path());
        command.env(pvm::settings::RUNTIME_DIR, dir.path().join(run));
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&["--name=a/b"], "run");
    assert_eq!(
        said,
        "pvmd: 'a/b' cannot be a daemon's name; use letters, digits, '-', '_' and '.'\n"
    );
    let said = refused(&[], &"x".repeat(100));
    assert!(
        said.contains("too long for a socket") && said.lines().count() == 1,
        "{said}"
    );
    let said = refused(&[], "no/such");
    assert!(
        said.contains("runtime directory") && said.lines().count() == 1,
        "{said}"
    );
}

fn connect(daemon: &Daemon) -> UnixStream {
    let stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    stream
}

/// What the daemon says up to the end of the connection.
fn last_words(mut stream: UnixStream) -> Vec<FromDaemon> {
    let mut bytes = Vec::new();
    // A reset connection is an end too.
    let _ = stream.read_to_end(&mut bytes);
    let mut decoder = Decoder::default();
    decoder.extend(&bytes);
    std::iter::from_fn(|| decoder.take().unwrap()).collect()
}

fn failure_code(message: &FromDaemon) -> FailureCode {
    match &message.body {
        Some(from_daemon::Body::Failure(failure)) => failure.code(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn garbage_closes_its_own_connection_only() {
    let mut daemon = Daemon::start();
    let mut tool = daemon.tool();
    let absurd = u32::MAX.to_le_bytes().to_vec();
    let wrong = [5u32.to_le_bytes().as_slice(), &[0xff; 5]].concat();
    let mut cases = vec![
        absurd,
        wrong,
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 4096],
    ];
    let mut seed = 1u32;
    for _ in 0..50 {
        cases.push((0..300).map(|_| noise(&mut seed)).collect());
    }
    for bytes in cases {
        let mut stream = connect(&daemon);
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        last_words(stream);
    }
    let mut after_hello = connect(&daemon);
    after_hello.write_all(&hello_frame(1, 1)).unwrap();
    after_hello.write_all(&[0xff; 100]).unwrap();
    let said = last_words(after_hello);
    assert!(matches!(said[0].body, Some(from_daemon::Body::Welcome(_))));
    assert_eq!(failure_code(&said[1]), FailureCode::FailureMalformed);
    assert!(daemon.is_alive());
    assert_eq!(tool.run(run(1, "true", &[])).end.first_cause, None);
}

fn noise(seed: &mut u32) -> u8 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 24) as u8
}

fn hello_frame(version_min: u32, version_max: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let hello = Hello {
        version_min,
        version_max,
        software: "test".into(),
        role: Some(hello::Role::Tool(Tool {})),
    };
    let body = Some(to_daemon::Body::Hello(hello));
    frame::encode(&ToDaemon { request: 1, body }, &mut bytes).unwrap();
    bytes
}

#[test]
fn other_versions_are_refused_with_words() {
    let daemon = Daemon::start();
    let mut stream = connect(&daemon);
    stream.write_all(&hello_frame(77, 78)).unwrap();
    let said = last_words(stream);
    assert_eq!(failure_code(&said[0]), FailureCode::FailureVersion);
}

#[test]
fn requests_that_make_no_sense_are_refused_and_the_connection_stays() {
    let daemon = Daemon::start();
    let mut tool = daemon.tool();
    let empty = tool.refusal(to_daemon::Body::Run(Default::default()));
    assert_eq!(empty.code(), FailureCode::FailureMalformed);
    let not_a_task = tool.refusal(to_daemon::Body::Detach(Default::default()));
    assert_eq!(not_a_task.code(), FailureCode::FailureMalformed);
    let again = tool.refusal(to_daemon::Body::Hello(hello_tool()));
    assert_eq!(again.code(), FailureCode::FailureMalformed);
    let hosts = tool.call(to_daemon::Body::ListHosts(Default::default()));
    let from_daemon::Body::HostList(list) = hosts else {
        panic!("{hosts:?}");
    };
    assert_eq!(list.hosts[0].daemon_pid, daemon.pid() as u32);
    assert!(list.hosts[0].cpus >= 1);
}

/// Needs to become another user for a moment; without that right there is nothing to test.
#[test]
fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let daemon = Daemon::start();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(daemon.dir.path(), 0o755);
    open(&daemon.runtime_dir(), 0o755);
    open(&daemon.socket(), 0o666);
    let socket = daemon.socket();
    // Only this thread becomes the other user; the kernel notes who connects.
    let stranger = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_uid(nobody).unwrap();
        UnixStream::connect(socket)
    });
    let stream = stranger.join().unwrap().unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let said = last_words(stream);
    assert_eq!(failure_code(&said[0]), FailureCode::FailureNotAllowed);
    daemon.tool();
}

#[test]
fn a_quiet_daemon_starts_fast_and_logs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    assert!(
        command(dir.path())
            .arg("--idle=1")
            .status()
            .unwrap()
            .success()
    );
    eprintln!("started in {:?}", start.elapsed());
    let files = std::fs::read_dir(dir.path().join("run")).unwrap();
    let mut names: Vec<_> = files
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["default.lock", "default.sock"]);
    let socket = dir.path().join("run/default.sock");
    let (mut link, ..) = Link::connect(&socket, hello_tool()).unwrap();
    let halted = link.call(to_daemon::Body::Halt(Default::default()));
    assert!(matches!(halted, Ok(_) | Err(LinkError::Lost)));
    assert!(!dir.path().join("run").exists());
}
