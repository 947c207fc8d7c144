//! Starting daemons through a real ssh and a real sshd, on hosts made of network namespaces.

use pvm_cluster::{Cluster, sshd, trouble::Verdict};
use pvm_daemon::launch::spec::HostSpec;
use pvm_daemon::launch::ssh::command::Ssh;
use pvm_daemon::launch::ssh::{self, Join, Options, Outcome};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// A host that starts daemons, host 1, and others.
struct Stage {
    cluster: Cluster,
    ssh: String,
    deadline: Duration,
}

impl Stage {
    fn new(count: usize) -> Option<Self> {
        if !sshd::is_there() {
            return None;
        }
        let cluster = Cluster::new(count)?;
        let ssh = cluster.ssh().unwrap();
        Some(Self {
            cluster,
            ssh,
            deadline: Duration::from_secs(30),
        })
    }

    /// A program that joins, in place of pvmd.
    fn pvmd(&self) -> PathBuf {
        let path = self.cluster.dir().join("pvm d");
        let text = "#!/bin/sh\ntest \"$1\" = --version && echo pvmd 0.1.0 && exit\n\
                    read data; echo pvm-join ok \"$data\" \"$*\" on $(cat /proc/sys/kernel/hostname)\n";
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Starts daemons from host 1 on these addresses.
    fn start(&self, names: &[&str]) -> Vec<String> {
        let hosts: Vec<HostSpec> = names.iter().map(|name| HostSpec::named(name)).collect();
        let options = Options {
            ssh: Ssh::from_text(&self.ssh),
            own: Some(self.pvmd()),
            parallel: 8,
            deadline: self.deadline,
        };
        let join = Join {
            arguments: vec!["it's".into()],
            data: b"secret\n".to_vec(),
            number: 2,
        };
        let outcomes = self.cluster.inside(1, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(ssh::start(&hosts, join, &options, |_| (), |_, _| ()))
        });
        outcomes.iter().map(said).collect()
    }
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Ok(words) => words.clone(),
        Err(trouble) => {
            let failure = trouble.failure();
            format!("{}: {}", failure.what, failure.why)
        }
    }
}

#[test]
fn real_hosts_join() {
    let Some(stage) = Stage::new(3) else { return };
    let _servers: Vec<_> = [2, 3].map(|host| stage.cluster.sshd(host).unwrap()).into();
    let said = stage.start(&["10.77.0.2", "fd77::3"]);
    assert_eq!(said, ["secret it's on host2", "secret it's on host3"]);
}

#[test]
fn real_errors_have_their_causes() {
    let Some(mut stage) = Stage::new(4) else {
        return;
    };
    let server = stage.cluster.sshd(2).unwrap();
    // Nobody listens; no such network; no such host in this one; no such name.
    let said = stage.start(&[
        "10.77.0.3",
        "10.99.0.1",
        "10.77.0.99",
        "no-such-host.invalid",
    ]);
    assert_eq!(
        said[..3],
        [
            "cannot start pvmd on 10.77.0.3 (10.77.0.3 port 22): nobody listens at its port 22 (Connection refused) [refused]",
            "cannot start pvmd on 10.99.0.1 (10.99.0.1 port 22): this host cannot reach its address (Network is unreachable) [no-route]",
            "cannot start pvmd on 10.77.0.99 (10.77.0.99 port 22): this host cannot reach its address (No route to host) [no-route]",
        ]
    );
    assert!(
        said[3].ends_with("[unknown-name]") || said[3].ends_with("[slow-name]"),
        "{}",
        said[3]
    );

    // A firewall that drops; a server that accepts and is silent.
    stage.cluster.firewall(3, Verdict::Drop, Some(22)).unwrap();
    let silent = stage
        .cluster
        .inside(4, || TcpListener::bind(("10.77.0.4", 22)).unwrap());
    stage.deadline = Duration::from_secs(4);
    assert_eq!(
        stage.start(&["10.77.0.3", "10.77.0.4"]),
        [
            "cannot start pvmd on 10.77.0.3 (10.77.0.3 port 22): no answer within 4 s: it is off, or a firewall drops packets [no-answer]",
            "cannot start pvmd on 10.77.0.4 (10.77.0.4 port 22): its ssh server accepted the connection and did not let us in within 4 s [hung-up]",
        ]
    );
    drop(silent);
    stage.deadline = Duration::from_secs(30);

    // A host key that is not known, another one than is known, a key that is not let in.
    let usual = stage.ssh.clone();
    let keys = stage.cluster.dir().join("keys");
    stage.ssh = format!("{usual} -o UserKnownHostsFile=/dev/null");
    assert_eq!(
        stage.start(&["10.77.0.2"]),
        [
            "cannot start pvmd on 10.77.0.2 (10.77.0.2 port 22): its host key is not known here [host-key-unknown]"
        ]
    );
    let user = std::fs::read_to_string(keys.join("user.pub")).unwrap();
    let wrong = keys.join("wrong_hosts");
    std::fs::write(&wrong, format!("10.77.0.2 {user}")).unwrap();
    stage.ssh = format!("{usual} -o UserKnownHostsFile={}", wrong.display());
    assert_eq!(
        stage.start(&["10.77.0.2"]),
        [format!(
            "cannot start pvmd on 10.77.0.2 (10.77.0.2 port 22): its host key is another than before (noted in {}:1) [host-key-changed]",
            wrong.display()
        )]
    );
    // The server takes the user's key only; now the client has the server's own in its place.
    stage.ssh = usual;
    std::fs::copy(keys.join("host"), keys.join("user")).unwrap();
    let said = stage.start(&["10.77.0.2"]).remove(0);
    assert!(
        said.contains("permission denied (publickey) for user "),
        "{said} {}",
        server.log()
    );
    assert!(said.ends_with("[not-let-in]"), "{said}");
}
