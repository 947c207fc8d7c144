//! A real ssh server on a host of a cluster, with keys of its own and a client that has them.

use crate::tool::run;
use crate::{Cluster, Lab};
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Where Debian and others put it; it wants to be started by its full path.
const PROGRAMS: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
/// Longest that it may take to listen.
const START: Duration = Duration::from_secs(20);

/// A running server; it ends when this is dropped.
pub struct Sshd {
    child: Child,
    dir: PathBuf,
}

/// Whether there is an ssh server to run; if not, a sentence says so on standard error.
pub fn is_there() -> bool {
    let found = program().is_some();
    if !found {
        eprintln!("skipped: there is no sshd; apt-get install openssh-server");
    }
    found
}

fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|path| Path::new(path).is_file())
}

impl Cluster {
    /// Starts an ssh server on a host: the user of the test gets in with the key of [`Cluster::ssh`],
    /// nobody else does.
    ///
    /// # Errors
    /// When there is no sshd, or it does not start.
    pub fn sshd(&self, host: usize) -> Result<Sshd> {
        self.sshd_with(host, &[])
    }

    /// As [`Cluster::sshd`]; what it starts finds these variables in its environment.
    ///
    /// # Errors
    /// When there is no sshd, or it does not start.
    pub fn sshd_with(&self, host: usize, environment: &[(&str, &Path)]) -> Result<Sshd> {
        let program = program().context("there is no sshd; apt-get install openssh-server")?;
        let keys = self.keys()?;
        let dir = self.host_dir(host).join("sshd");
        fs::create_dir_all(&dir)?;
        // Where it puts those that are not let in yet; of the system, and empty.
        fs::create_dir_all("/run/sshd")?;
        // It takes the first such line only.
        let set = environment
            .iter()
            .map(|(name, value)| format!(" {name}={}", value.display()));
        let set = match environment.is_empty() {
            true => String::new(),
            false => format!("SetEnv{}\n", set.collect::<String>()),
        };
        let config = format!(
            "Port 22\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/user.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nUseDNS no\n\
             PrintMotd no\nPrintLastLog no\n{set}",
            keys = keys.display()
        );
        fs::write(dir.join("config"), config)?;
        let log = fs::File::create(dir.join("log"))?;
        let mut command = self.command(host, program);
        command.args(["-D", "-e", "-f"]).arg(dir.join("config"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut sshd = Sshd { child, dir };
        sshd.wait_for_port(self, host)?;
        Ok(sshd)
    }

    /// Command of an ssh client for all hosts of the cluster, as one text.
    ///
    /// # Errors
    /// When its keys cannot be made.
    pub fn ssh(&self) -> Result<String> {
        Ok(format!("ssh -F {}", self.keys()?.join("config").display()))
    }

    /// The directory with the keys of the servers and the client.
    fn keys(&self) -> Result<PathBuf> {
        let dir = self.dir().join("keys");
        if dir.join("config").exists() {
            return Ok(dir);
        }
        fs::create_dir_all(&dir)?;
        for name in ["host", "user"] {
            let path = dir.join(name).display().to_string();
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &path],
                "",
            )?;
        }
        let key = fs::read_to_string(dir.join("host.pub"))?;
        let names = self.hosts().map(|host| {
            format!(
                "{},{},{}",
                self.host_name(host),
                self.v4(host),
                self.v6(host)
            )
        });
        let known: String = names
            .map(|names| format!("{names} {}\n", key.trim()))
            .collect();
        fs::write(dir.join("known_hosts"), known)?;
        let config = format!(
            "Host *\n  IdentityFile {dir}/user\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile {dir}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  CheckHostIP no\n  UpdateHostKeys no\n",
            dir = dir.display()
        );
        fs::write(dir.join("config"), config)?;
        Ok(dir)
    }
}

impl Sshd {
    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn wait_for_port(&mut self, lab: &Lab, host: usize) -> Result<()> {
        let end = Instant::now() + START;
        let address = SocketAddr::from(([127, 0, 0, 1], 22));
        while lab.inside(host, || TcpStream::connect(address)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("sshd ended: {status}: {}", self.log());
            }
            if Instant::now() > end {
                bail!("sshd does not listen: {}", self.log());
            }
            // A port that begins to listen gives no event.
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Its sessions are processes of the host and end with that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
