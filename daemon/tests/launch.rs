//! Starting daemons through ssh: a script plays ssh, with the words and exit codes of OpenSSH.

use pvm::wire::control::Failure;
use pvm_daemon::launch::ssh::command::Ssh;
use pvm_daemon::launch::ssh::{self, Join, Options, Outcome, State};
use pvm_daemon::launch::{hostfile, spec::HostSpec};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is secret, and thus in no command line.
const SECRET: &str = "c0ffee-secret";

/// Hosts that a script plays.
struct Play {
    dir: tempfile::TempDir,
    deadline: Duration,
}

impl Play {
    fn new() -> Self {
        let play = Self {
            dir: tempfile::tempdir().unwrap(),
            deadline: Duration::from_secs(20),
        };
        // The last argument is the command, the one before it the host. `remote` runs the command
        // as the other host would, `let_in` tells the steps up to there.
        let text = r#"#!/bin/sh
dir=DIR
printf '%s\n' "$@" >>$dir/arguments
env >>$dir/environments
while test $# -gt 2; do shift; done
host=$1 command=$2
v() { echo "debug1: $1" >&2; }
e() { printf '%s\r\n' "$1" >&2; }
dialled() { v "Connecting to $host [10.0.0.7] port 22."; }
connected() { dialled; v "Connection established."; v "Authenticating to $host:22 as 'bob'"; }
let_in() { connected; echo 'Authenticated to '$host' ([10.0.0.7]:22) using "publickey".' >&2; }
remote() { cd $dir/$host; exec env -i HOME=$dir/$host PATH=$dir/$host/bin:/usr/bin:/bin sh -c "$command"; }
echo 'OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15 3 Sep 2024' >&2
. $dir/$host.sh
"#;
        script(
            &play.path("ssh"),
            &text.replace("DIR", &play.dir.path().display().to_string()),
        );
        play
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A host whose ssh does this.
    fn host(&self, name: &str, script: &str) -> HostSpec {
        std::fs::create_dir_all(self.path(name)).unwrap();
        std::fs::write(self.path(&format!("{name}.sh")), script).unwrap();
        HostSpec::named(name)
    }

    /// A host that lets us in and whose pvmd does this.
    fn pvmd(&self, name: &str, body: &str) -> HostSpec {
        let text =
            format!("#!/bin/sh\ntest \"$1\" = --version && echo pvmd 0.1.0 && exit\n{body}\n");
        script(&self.path(&format!("{name}/bin/pvmd")), &text);
        self.host(name, "let_in; remote")
    }

    fn options(&self) -> Options {
        let ssh = Ssh::from_text(&format!("'{}'", self.path("ssh").display()));
        Options {
            ssh,
            own: None,
            parallel: 16,
            deadline: self.deadline,
        }
    }

    fn start(&self, hosts: &[HostSpec]) -> (Vec<Outcome>, Vec<(usize, State)>) {
        let join = Join {
            arguments: vec!["--join-stdin".into()],
            data: format!("{SECRET}\n").into(),
            number: 2,
        };
        let mut states = Vec::new();
        let mut told = 0;
        let outcomes = runtime().block_on(ssh::start(
            hosts,
            join,
            &self.options(),
            |news| states.push((news.host, news.state)),
            |_, _| told += 1,
        ));
        assert_eq!(told, hosts.len());
        (outcomes, states)
    }

    /// Why these hosts do not join, in one line each.
    fn reasons(&self, hosts: &[HostSpec]) -> Vec<String> {
        let (outcomes, _) = self.start(hosts);
        let line = |outcome: &Outcome| match outcome {
            Ok(words) => format!("ok {words}"),
            Err(trouble) => {
                one_line(&trouble.failure()).replace(self.dir.path().to_str().unwrap(), "DIR")
            }
        };
        outcomes.iter().map(line).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn one_line(failure: &Failure) -> String {
    format!("{}: {}; {}", failure.what, failure.why, failure.next)
}

const ANSWER: &str =
    "read data; read number; test \"$data\" = c0ffee-secret && echo pvm-join ok as $number";

#[test]
fn hosts_join() {
    let play = Play::new();
    let mut hosts: Vec<HostSpec> = (0..6)
        .map(|n| play.pvmd(&format!("node{n}"), ANSWER))
        .collect();
    // Its start-up files greet, without an end of line at last, and read what they can.
    hosts.push(play.pvmd("noisy", ANSWER));
    play.host(
        "noisy",
        "let_in; printf 'Welcome!\\nlast login: never'; timeout 0.2 cat; remote",
    );
    // Another ssh, which tells no steps.
    hosts.push(play.pvmd("quiet", ANSWER));
    play.host("quiet", "remote");
    let (outcomes, states) = play.start(&hosts);
    let numbers = 2..2 + hosts.len();
    let in_order: Vec<_> = numbers.map(|n| Ok(format!("as number {n}"))).collect();
    assert_eq!(outcomes, in_order);
    for host in 0..hosts.len() {
        let of_host = states.iter().filter(|(index, _)| *index == host);
        let of_host: Vec<State> = of_host.map(|(_, state)| *state).collect();
        assert!(
            of_host.is_sorted() && of_host.first() == Some(&State::Resolve),
            "{of_host:?}"
        );
        assert_eq!(of_host[of_host.len() - 2..], [State::Join, State::Joined]);
    }
    for file in ["arguments", "environments"] {
        let text = std::fs::read_to_string(play.path(file)).unwrap();
        assert!(!text.contains(SECRET) && text.contains('='), "{file}");
    }
}

/// Host, what its ssh does, what is said.
const BEFORE: &[(&str, &str, &str)] = &[
    (
        "a",
        "e 'ssh: Could not resolve hostname a: Name or service not known'; exit 255",
        "cannot start pvmd on a: its name has no address (Name or service not known) [unknown-name]; check the spelling, or give its address, or add it to /etc/hosts",
    ),
    (
        "b",
        "e 'ssh: Could not resolve hostname b: Temporary failure in name resolution'; exit 255",
        "cannot start pvmd on b: the name servers do not answer (Temporary failure in name resolution) [slow-name]; check the network of this host, or give the address in place of the name",
    ),
    (
        "c",
        "dialled; e 'ssh: connect to host c port 22: No route to host'; exit 255",
        "cannot start pvmd on c (10.0.0.7 port 22): this host cannot reach its address (No route to host) [no-route]; check that it is on and in the same network: ping c",
    ),
    (
        "d",
        "dialled; e 'ssh: connect to host d port 2222: Connection refused'; exit 255",
        "cannot start pvmd on d (10.0.0.7 port 22): nobody listens at its port 2222 (Connection refused) [refused]; start sshd there, or give its port in ~/.ssh/config",
    ),
    (
        "e",
        "dialled; e 'ssh: connect to host e port 22: Connection timed out'; exit 255",
        "cannot start pvmd on e (10.0.0.7 port 22): its port 22 does not answer: it is off, or a firewall drops packets [no-answer]; check that it is on: ping e; open the port in its firewall",
    ),
    (
        "f",
        "connected; e 'bob@f: Permission denied (publickey,password).'; exit 255",
        "cannot start pvmd on f (10.0.0.7 port 22): permission denied (publickey,password) for user bob [not-let-in]; type: ssh-copy-id bob@f",
    ),
    (
        "g",
        "connected; e 'bob@g: Permission denied (publickey).'; exit 255",
        "cannot start pvmd on g (10.0.0.7 port 22): permission denied (publickey) for user bob [not-let-in]; add your public key to ~/.ssh/authorized_keys there, or load the right key here: ssh-add",
    ),
    (
        "h",
        "connected; e 'No ED25519 host key is known for h and you have requested strict checking.'; e 'Host key verification failed.'; exit 255",
        "cannot start pvmd on h (10.0.0.7 port 22): its host key is not known here [host-key-unknown]; look at it and accept it once: ssh bob@h true",
    ),
    (
        "i",
        "connected; e '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @'; e 'Offending ED25519 key in ~/.ssh/known_hosts:12'; e 'Host key verification failed.'; exit 255",
        "cannot start pvmd on i (10.0.0.7 port 22): its host key is another than before (noted in ~/.ssh/known_hosts:12) [host-key-changed]; ask why; if it is all right type: ssh-keygen -R i",
    ),
    (
        "j",
        "connected; e 'Unable to negotiate with 10.0.0.7 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss'; exit 255",
        "cannot start pvmd on j (10.0.0.7 port 22): no common host key type found. Their offer: ssh-rsa,ssh-dss [no-common-method]; update the older of the two, or allow it in ~/.ssh/config",
    ),
    (
        "k",
        "connected; e \"Permissions 0644 for '~/.ssh/id_rsa' are too open.\"; e 'Load key \"~/.ssh/id_rsa\": bad permissions'; e 'bob@k: Permission denied (publickey).'; exit 255",
        "cannot start pvmd on k (10.0.0.7 port 22): ssh does not use the private key ~/.ssh/id_rsa: others may read it [key-file]; type: chmod 600 ~/.ssh/id_rsa",
    ),
    (
        "l",
        "connected; e 'kex_exchange_identification: Connection closed by remote host'; e 'Connection closed by 10.0.0.7 port 22'; exit 255",
        "cannot start pvmd on l (10.0.0.7 port 22): its ssh server hangs up before it lets anybody in (too many at a time, or this host is barred) [hung-up]; see its log: journalctl -u ssh; sshd_config MaxStartups, fail2ban, hosts.deny",
    ),
    (
        "m",
        "e 'Bad owner or permissions on ~/.ssh/config'; exit 255",
        "cannot start pvmd on m: ssh does not trust ~/.ssh/config: others may write it [ssh-options]; type: chmod 600 ~/.ssh/config",
    ),
    (
        "n",
        "let_in; echo 'This account is currently not available.'; exit 1",
        "cannot start pvmd on n (10.0.0.7 port 22): the shell there ended at once: This account is currently not available. [no-shell]; give the user a shell there, and see: ssh bob@n true",
    ),
    (
        "o",
        "let_in; exit 0",
        "cannot start pvmd on o (10.0.0.7 port 22): the shell there ended at once and said nothing [no-shell]; look for exit or exec in the start-up files of the shell there",
    ),
    (
        "p",
        "connected; e 'Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures'; exit 255",
        "cannot start pvmd on p (10.0.0.7 port 22): too many authentication failures: ssh offered every key of its agent [not-let-in]; name the key in ~/.ssh/config with IdentityFile and IdentitiesOnly yes",
    ),
    (
        "q",
        "dialled; kill -9 $$",
        "cannot start pvmd on q (10.0.0.7 port 22): its ssh was killed by signal 9 on this host [killed]; try again",
    ),
    (
        "r",
        "e 'command-line: line 0: Bad configuration option: clearall'; exit 255",
        "cannot start pvmd on r: command-line: line 0: Bad configuration option: clearall [ssh-options]; mend ~/.ssh/config or the setting PVM_SSH",
    ),
    (
        "s",
        "connected; e 'something new'; exit 255",
        "cannot start pvmd on s (10.0.0.7 port 22): ssh ended with code 255: something new [ended]; see what it says to: ssh bob@s true",
    ),
];

#[test]
fn what_ssh_says_becomes_one_cause() {
    let play = Play::new();
    let hosts: Vec<HostSpec> = BEFORE
        .iter()
        .map(|(name, script, _)| play.host(name, script))
        .collect();
    let reasons = play.reasons(&hosts);
    for ((_, _, expected), reason) in BEFORE.iter().zip(reasons) {
        assert_eq!(reason, *expected);
    }
}

/// Host, what pvmd there does, what is said.
const AFTER: &[(&str, &str, &str)] = &[
    (
        "a",
        "cat >/dev/null; echo 'pvm-join failed version|it speaks protocol 3, this host speaks 1|'; exit 1",
        "it speaks protocol 3, this host speaks 1 [version]; install the same version on both hosts",
    ),
    (
        "b",
        "cat >/dev/null; echo 'pvm-join failed dial|10.0.0.1 port 7711 does not answer (firewall?)|open UDP port 7711'; exit 1",
        "10.0.0.1 port 7711 does not answer (firewall?) [not-joined]; open UDP port 7711",
    ),
    (
        "c",
        "cat >/dev/null; echo 'pvm-join failed socket|cannot bind: No space left on device|'",
        "a disk there is full [disk-full]; see which: ssh bob@c df -h",
    ),
    (
        "d",
        "echo 'pvmd: cannot make /run/x: Read-only file system (os error 30)' >&2; exit 1",
        "pvmd there cannot write its runtime directory: read-only file system [read-only]; let PVM_RUNTIME_DIR there name a directory that can be written",
    ),
    (
        "e",
        "echo \"error: unexpected argument '--join-stdin' found\" >&2; exit 2",
        "DIR/e/bin/pvmd there is of another version and cannot join [version]; install the same version on both hosts",
    ),
    (
        "f",
        "echo 'thread main panicked' >&2; exit 101",
        "pvmd there ended with code 101: thread main panicked [ended]; see what it says to: ssh bob@f true",
    ),
    (
        "g",
        "exit 255",
        "pvmd there was killed or lost its connection: it said nothing [ended]; see what it says to: ssh bob@g true",
    ),
    (
        "h",
        "echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255",
        "the connection to it broke while pvmd was starting there [lost]; try again",
    ),
];

#[test]
fn what_happens_on_the_other_host_becomes_one_cause() {
    let play = Play::new();
    let hosts: Vec<HostSpec> = AFTER
        .iter()
        .map(|(name, body, _)| play.pvmd(name, body))
        .collect();
    let reasons = play.reasons(&hosts);
    for ((name, _, expected), reason) in AFTER.iter().zip(reasons) {
        assert_eq!(
            reason,
            format!("cannot start pvmd on {name} (10.0.0.7 port 22): {expected}")
        );
    }
}

/// Host, what is in place of its pvmd, what is said.
const PROGRAMS: &[(&str, &str, &str)] = &[
    (
        "a",
        "",
        "there is no pvmd in PATH (DIR/a/bin:/usr/bin:/bin), ~/.cargo/bin and ~/.local/bin there [no-pvmd]; install pvm there, or give the path of its pvmd: dx=PATH in the host file",
    ),
    (
        "b",
        "#!/bin/sh\necho usage: pvmd3 [options] [hostfile]\n",
        "DIR/b/bin/pvmd there is something else: usage: pvmd3 [options] [hostfile] [another-pvmd]; install pvm there, or give the path of its pvmd: dx=PATH in the host file",
    ),
    (
        "c",
        "#!/bin/sh\necho \"$0: /lib/x86_64-linux-gnu/libc.so.6: version \\`GLIBC_2.39' not found\"\n",
        "DIR/c/bin/pvmd cannot run there: ",
    ),
    (
        "d",
        "#!/bin/sh\necho 'sh: 1: pvmd: Exec format error' >&2; exit 126\n",
        "DIR/d/bin/pvmd is not for its system, Linux ",
    ),
];

#[test]
fn a_pvmd_that_cannot_be_used_is_named() {
    let play = Play::new();
    let hosts: Vec<HostSpec> = PROGRAMS
        .iter()
        .map(|(name, text, _)| {
            if !text.is_empty() {
                script(&play.path(&format!("{name}/bin/pvmd")), text);
            }
            play.host(name, "let_in; remote")
        })
        .collect();
    for ((name, _, expected), reason) in PROGRAMS.iter().zip(play.reasons(&hosts)) {
        let expected = format!("cannot start pvmd on {name} (10.0.0.7 port 22): {expected}");
        assert!(reason.starts_with(&expected), "{reason}");
    }
    let mut host = play.host("x", "let_in; remote");
    host.options.daemon = Some("~/pvmd".into());
    std::fs::write(play.path("x/pvmd"), "").unwrap();
    assert_eq!(
        play.reasons(&[host])[0],
        "cannot start pvmd on x (10.0.0.7 port 22): DIR/x/pvmd there may not be executed [not-executable]; type: ssh bob@x chmod +x DIR/x/pvmd"
    );
}

#[test]
fn a_real_program_for_other_hardware_is_told_as_that() {
    let play = Play::new();
    let host = play.host("a", "let_in; remote");
    // The head of a 64-bit ELF program for a processor that no host of ours has.
    let mut elf = b"\x7fELF\x02\x02\x01".to_vec();
    elf.resize(64, 0);
    elf[17] = 2;
    elf[19] = 0xf7;
    let path = play.path("a/bin/pvmd");
    script(&path, "");
    std::fs::write(&path, elf).unwrap();
    let reason = play.reasons(&[host]).remove(0);
    assert!(
        reason.contains("/bin/pvmd is not for its system, Linux"),
        "{reason}"
    );
}

#[test]
fn each_state_has_its_deadline_sentence() {
    let mut play = Play::new();
    play.deadline = Duration::from_secs(3);
    let hang = "exec sleep 1000";
    let mut hosts = vec![
        play.host("a", hang),
        play.host("b", &format!("dialled; {hang}")),
        play.host("c", &format!("connected; {hang}")),
        play.host("d", &format!("let_in; echo 'Choose a project:'; {hang}")),
    ];
    // A pvmd that never answers, ignores signals, and has a child.
    hosts.push(play.pvmd("e", "trap '' TERM HUP INT; sleep 1000"));
    let begin = Instant::now();
    let reasons = play.reasons(&hosts);
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    let expected = [
        "cannot start pvmd on a: no address for its name within 3 s [slow-name]; check the name servers of this host, or give the address in place of the name",
        "cannot start pvmd on b (10.0.0.7 port 22): no answer within 3 s: it is off, or a firewall drops packets [no-answer]; check that it is on: ping b; open the port in its firewall",
        "cannot start pvmd on c (10.0.0.7 port 22): its ssh server accepted the connection and did not let us in within 3 s [hung-up]; see where it stays: ssh -v bob@c true",
        "cannot start pvmd on d (10.0.0.7 port 22): the shell there did not get through its start-up files within 3 s; it said: Choose a project: [shell-stuck]; see where it stays: ssh bob@d true; guard what is for terminals only",
        "cannot start pvmd on e (10.0.0.7 port 22): pvmd was started there and has not joined within 3 s: it may not reach this host's port (firewall) [join-stuck]; let UDP through between the hosts",
    ];
    assert_eq!(reasons, expected);
    assert_nothing_left(&play);
}

/// Processes that name the play's directory are those of its ssh.
fn assert_nothing_left(play: &Play) {
    let mark = play.dir.path().to_str().unwrap();
    let own = std::process::id().to_string();
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let left: Vec<String> = processes
            .filter(|entry| entry.file_name().to_string_lossy() != own)
            .filter_map(|entry| {
                let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
                let text = String::from_utf8_lossy(&[read("cmdline"), read("environ")].concat())
                    .into_owned();
                text.contains(mark).then_some(text)
            })
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{left:?}");
        std::thread::yield_now();
    }
}

#[test]
fn dropping_a_start_ends_every_ssh() {
    let play = Play::new();
    let hosts: Vec<HostSpec> = (0..3)
        .map(|n| play.host(&format!("n{n}"), "dialled; sleep 1000; true"))
        .collect();
    let join = Join {
        arguments: Vec::new(),
        data: Vec::new(),
        number: 2,
    };
    let options = play.options();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let mut dialled = 0;
    let start = ssh::start(
        &hosts,
        join,
        &options,
        |news| {
            dialled += usize::from(news.state == State::Dial);
            if dialled == 3 {
                sender.take().map(|sender| sender.send(()));
            }
        },
        |_, _| (),
    );
    runtime().block_on(async {
        tokio::select! {
            _ = start => panic!("nothing of it ends"),
            _ = receiver => {}
        }
    });
    assert_nothing_left(&play);
}

#[test]
fn few_at_a_time_and_told_together() {
    let play = Play::new();
    let hosts = hostfile::list("node[1-20]", "-H").unwrap().hosts;
    for host in &hosts {
        play.host(
            &host.name,
            "connected; e \"bob@$host: Permission denied (publickey,password).\"; exit 255",
        );
    }
    let (outcomes, states) = play.start(&hosts);
    let troubles: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let lines: Vec<String> = ssh::grouped(&troubles).iter().map(one_line).collect();
    assert_eq!(
        lines,
        [
            "cannot start pvmd on node[1-20]: permission denied (publickey,password) for user bob [not-let-in]; type: ssh-copy-id bob@node1"
        ]
    );
    assert_eq!(
        states
            .iter()
            .filter(|(_, state)| *state == State::Resolve)
            .count(),
        20
    );
}

#[test]
fn without_ssh_and_by_hand() {
    let play = Play::new();
    let mut options = play.options();
    options.ssh = Ssh::from_text("no-such-ssh");
    let hosts = hostfile::parse("a\nb so=ms\n", "hosts").unwrap().hosts;
    let join = Join {
        arguments: Vec::new(),
        data: Vec::new(),
        number: 2,
    };
    let outcomes = runtime().block_on(ssh::start(&hosts, join, &options, |_| (), |_, _| ()));
    let lines: Vec<String> = outcomes
        .into_iter()
        .map(|outcome| one_line(&outcome.unwrap_err().failure()))
        .collect();
    assert_eq!(
        lines,
        [
            "cannot start pvmd on a: there is no program no-such-ssh on this host [no-ssh]; install an ssh client, or let PVM_SSH name another command",
            "cannot start pvmd on b: line 2 of the host file says so=ms [by-hand]; type here: pvm token, and on b what it says: pvmd join --token TOKEN",
        ]
    );
}
