//! Hosts in network namespaces, each with files of its own, as real hosts have them.

use crate::{Finished, LIMIT, Running, kill, program, start, without_settings};
use pvm::settings;
use pvm_cluster::Cluster;
use pvm_cluster::sshd::{self, Sshd};
use serde_json::Value;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// UDP port of every daemon of a site.
pub const PORT: u16 = 7711;
/// How soon a host has heard of all others.
const SEEN: Duration = Duration::from_secs(20);
/// Between two looks at what gives no event.
const LOOK: Duration = Duration::from_millis(20);

/// Hosts of one test; nothing of them is left when it is dropped.
pub struct Site {
    cluster: Cluster,
}

impl Deref for Site {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Site {
    /// Hosts without daemons; none, with a sentence on standard error, where that is impossible.
    pub fn new(hosts: usize) -> Option<Self> {
        Cluster::new(hosts).map(|cluster| Self { cluster })
    }

    /// Hosts that are one virtual machine, founded by the first.
    #[track_caller]
    pub fn of_one_machine(hosts: usize) -> Option<Self> {
        let site = Self::new(hosts)?;
        site.become_one();
        Some(site)
    }

    /// Makes the hosts, which have no daemons yet, one virtual machine.
    #[track_caller]
    pub fn become_one(&self) {
        self.become_one_with(&[]);
    }

    /// As [`Site::become_one`], with more arguments for every daemon.
    #[track_caller]
    pub fn become_one_with(&self, options: &[&str]) {
        self.found_with(options);
        for host in self.hosts().skip(1) {
            self.give_secret(host);
            self.join_with(host, options).well();
        }
        for host in self.hosts() {
            self.see(host, self.hosts().count());
        }
    }

    /// The secret file of a host.
    pub fn secret(&self, host: usize) -> PathBuf {
        self.host_dir(host).join("secret")
    }

    /// The runtime directory of a host.
    pub fn runtime_dir(&self, host: usize) -> PathBuf {
        self.host_dir(host).join("run")
    }

    /// One of our programs, to be run on a host.
    pub fn ours(&self, host: usize, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(host, program(name));
        command.args(arguments);
        self.as_ours(host, command)
    }

    /// Lets a command find the files of a host.
    fn as_ours(&self, host: usize, mut command: Command) -> Command {
        command
            .stdin(Stdio::null())
            .env(settings::RUNTIME_DIR, self.runtime_dir(host))
            .env(settings::SECRET, self.secret(host))
            .env(settings::PVMD, program("pvmd"));
        without_settings(&mut command);
        command
    }

    /// Runs `pvm` on a host to its end.
    #[track_caller]
    pub fn pvm(&self, host: usize, arguments: &[&str]) -> Finished {
        start(&mut self.ours(host, "pvm", arguments)).finish()
    }

    /// Starts `pvm` on a host.
    pub fn start(&self, host: usize, arguments: &[&str]) -> Running {
        start(&mut self.ours(host, "pvm", arguments))
    }

    /// Starts a daemon on a host, with what follows `pvmd`; waits until it serves, or does not.
    #[track_caller]
    pub fn pvmd(&self, host: usize, arguments: &[&str]) -> Finished {
        let (name, port) = (self.host_name(host), PORT.to_string());
        let own = ["--host-name", &name, "--port", &port];
        start(&mut self.ours(host, "pvmd", &[arguments, &own].concat())).finish()
    }

    /// As [`Site::pvmd`], but the daemon and its tasks find other file systems in some places: each a
    /// path and options of a tmpfs.
    #[track_caller]
    pub fn pvmd_behind(
        &self,
        host: usize,
        places: &[(&Path, &str)],
        arguments: &[&str],
    ) -> Finished {
        let mount = |(path, options): &(&Path, &str)| {
            format!("mount -t tmpfs -o {options} none {} && ", path.display())
        };
        let mounts: String = places.iter().map(mount).collect();
        let (name, port) = (self.host_name(host), PORT.to_string());
        let mut command = self.command(host, "sh");
        command
            .args(["-c", &format!("{mounts} exec \"$@\""), "sh"])
            .arg(program("pvmd"))
            .args(arguments)
            .args(["--host-name", &name, "--port", &port]);
        start(&mut self.as_ours(host, command)).finish()
    }

    /// Begins the virtual machine on the first host.
    #[track_caller]
    pub fn found(&self) {
        self.found_with(&[]);
    }

    #[track_caller]
    fn found_with(&self, options: &[&str]) {
        self.pvmd(1, options).well();
        let up = self.pvm(1, &["up"]);
        assert_eq!((up.code, up.err.as_str()), (0, ""));
    }

    /// Gives a host the secret that the first one has made.
    pub fn give_secret(&self, host: usize) {
        std::fs::copy(self.secret(1), self.secret(host)).expect("a secret, and a place for it");
    }

    /// Lets a host join by the first one's name.
    #[track_caller]
    pub fn join(&self, host: usize) -> Finished {
        self.join_with(host, &[])
    }

    #[track_caller]
    fn join_with(&self, host: usize, options: &[&str]) -> Finished {
        let first = format!("host1:{PORT}");
        self.pvmd(host, &[&["join", &first], options].concat())
    }

    /// A real ssh server on a host; who comes in by it finds the host's own files. None, with a
    /// sentence on standard error, when there is no such server.
    #[track_caller]
    pub fn sshd(&self, host: usize) -> Option<Sshd> {
        let (run, secret) = (self.runtime_dir(host), self.secret(host));
        let own = [
            (settings::RUNTIME_DIR, run.as_path()),
            (settings::SECRET, secret.as_path()),
        ];
        let server = || self.cluster.sshd_with(host, &own).expect("sshd starts");
        sshd::is_there().then(server)
    }

    /// Runs `pvm` on a host, with an ssh that the servers of the site know.
    #[track_caller]
    pub fn pvm_with_ssh(&self, host: usize, arguments: &[&str]) -> Finished {
        let ssh = self.ssh().expect("keys can be made");
        let mut command = self.ours(host, "pvm", arguments);
        start(command.env(settings::SSH, ssh)).finish()
    }

    /// The hosts as one of them lists them; none when it has no answer.
    pub fn conf(&self, host: usize) -> Vec<Value> {
        let conf = self.pvm(host, &["conf", "--json"]);
        serde_json::from_slice(&conf.out).unwrap_or_default()
    }

    /// Names of the hosts as one of them lists them.
    pub fn names(&self, host: usize) -> Vec<String> {
        let name = |host: &Value| host["host"].as_str().map(str::to_owned);
        self.conf(host).iter().filter_map(name).collect()
    }

    /// Waits until a host lists so many.
    #[track_caller]
    pub fn see(&self, host: usize, count: usize) {
        let end = Instant::now() + SEEN;
        while self.names(host).len() != count {
            assert!(
                Instant::now() < end,
                "host {host} does not list {count} within {SEEN:?}: {:?}\n{}",
                self.pvm(host, &["conf"]),
                self.logs()
            );
            sleep(LOOK);
        }
    }

    /// Waits until a condition holds; returns how long that took.
    #[track_caller]
    pub fn until(&self, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
        assert!(limit <= LIMIT);
        let begin = Instant::now();
        while !holds() {
            assert!(
                begin.elapsed() < limit,
                "not within {limit:?}: {what}\n{}",
                self.logs()
            );
            sleep(LOOK);
        }
        begin.elapsed()
    }

    /// What the daemon of a host has logged.
    pub fn log(&self, host: usize) -> String {
        std::fs::read_to_string(self.runtime_dir(host).join("default.log")).unwrap_or_default()
    }

    /// What all daemons have logged.
    pub fn logs(&self) -> String {
        let log = |host| format!("--- host{host}\n{}", self.log(host));
        self.hosts().map(log).collect()
    }

    /// Waits until no process is left on a host; returns how long that took.
    #[track_caller]
    pub fn gone(&self, host: usize, limit: Duration) -> Duration {
        self.until(&format!("nothing runs on host {host}"), limit, || {
            self.processes(host).is_ok_and(|left| left.is_empty())
        })
    }

    /// Processes on a host that run a program.
    pub fn running(&self, host: usize, name: &str) -> Vec<i32> {
        let runs = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
            first.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes())
        };
        let all = self.processes(host).expect("the host is there");
        all.into_iter().filter(runs).collect()
    }

    /// Kills the daemon of a host.
    #[track_caller]
    pub fn kill_daemon(&self, host: usize) {
        let conf = self.conf(host);
        let name = self.host_name(host);
        let own = conf.iter().find(|it| it["host"] == name.as_str());
        let pid = own.and_then(|it| it["daemon_pid"].as_i64());
        kill(pid.expect("its daemon is listed") as i32, libc::SIGKILL);
    }
}
