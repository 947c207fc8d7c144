//! The hosts of a cluster, found by its name.

use crate::tool::{ip, nft, run};
use anyhow::{Context, Result, bail};
use rustix::thread::LinkNameSpaceType;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Beginning of the names of clusters that tests make; a process id follows.
pub(crate) const OF_A_TEST: &str = "pvm-";
/// Where namespaces with names are.
const NAMESPACES: &str = "/run/netns";
/// Files below it are put over those of /etc by `ip netns exec`.
const FILES: &str = "/etc/netns";
/// Most hosts: the last byte of their addresses.
const HOSTS_MAX: usize = 200;
/// Longest that killed processes may take to go.
const GONE: Duration = Duration::from_secs(5);

/// The hosts of a cluster; numbered from 1.
#[derive(Debug, Clone)]
pub struct Lab {
    name: String,
    count: usize,
}

/// Why no cluster can be made here.
pub(crate) fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root makes network namespaces".to_owned());
    }
    for (program, package) in [
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("unshare", "util-linux"),
    ] {
        if run(program, &["--version"], "").is_err() && run(program, &["-V"], "").is_err() {
            return Some(format!("there is no {program}; apt-get install {package}"));
        }
    }
    let probe = format!("{OF_A_TEST}{}-probe", std::process::id());
    // Tests of one process ask at the same time; one that finds it made knows enough.
    static ASKED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let ask = || match run("ip", &["netns", "add", &probe], "") {
        Ok(_) => run("ip", &["netns", "del", &probe], "")
            .err()
            .map(|e| format!("{e:#}")),
        Err(error) => Some(format!("network namespaces cannot be made: {error:#}")),
    };
    ASKED.get_or_init(ask).clone()
}

/// Removes what killed test processes have left.
pub(crate) fn remove_stale() {
    for name in namespaces().unwrap_or_default() {
        let pid = name
            .strip_prefix(OF_A_TEST)
            .and_then(|rest| rest.split('-').next());
        let is_gone =
            |pid: &str| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(is_gone) {
            // Another test may be doing the same.
            let _ = remove_namespace(&name);
        }
    }
}

fn namespaces() -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(NAMESPACES) else {
        return Ok(Vec::new());
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.collect())
}

/// Ends the processes of a namespace and removes it.
fn remove_namespace(name: &str) -> Result<()> {
    let end = Instant::now() + GONE;
    loop {
        let left = processes(name)?;
        if left.is_empty() {
            break;
        }
        if Instant::now() > end {
            bail!("processes of {name} do not end: {left:?}");
        }
        kill(&left);
        // The end of a process that is not our child gives no event here.
        std::thread::sleep(Duration::from_millis(2));
    }
    run("ip", &["netns", "del", name], "")?;
    match fs::remove_dir_all(Path::new(FILES).join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Processes in a namespace, and those that are about to be: they would run on in it when its name
/// is gone.
fn processes(name: &str) -> Result<Vec<i32>> {
    // In this order: one that enters in between is found inside.
    let mut all = entering(name)?;
    let inside = run("ip", &["netns", "pids", name], "")?;
    all.extend(
        inside
            .split_whitespace()
            .filter_map(|pid| pid.parse::<i32>().ok()),
    );
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Processes that are still the `ip` of [`Lab::command`].
fn entering(name: &str) -> Result<Vec<i32>> {
    let start = format!("ip\0netns\0exec\0{name}\0");
    let end = Instant::now() + GONE;
    let mut found = Vec::new();
    let pids = fs::read_dir("/proc")?.flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let mut line = command_line(pid);
        // Who starts a program goes on while the kernel still lays out its arguments.
        while line.is_empty() && is_starting(pid) && Instant::now() < end {
            std::thread::yield_now();
            line = command_line(pid);
        }
        if line.starts_with(start.as_bytes()) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn command_line(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// Whether a process without a command line is a child of ours, and not a dead one.
fn is_starting(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name, which may have anything in it, come the state and the parent.
    let mut words = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let is_dead = words
        .next()
        .is_none_or(|state| matches!(state, "Z" | "X" | ""));
    let parent = words.next().and_then(|parent| parent.parse::<u32>().ok());
    !is_dead && parent == Some(std::process::id())
}

fn kill(pids: &[i32]) {
    for pid in pids
        .iter()
        .filter_map(|pid| rustix::process::Pid::from_raw(*pid))
    {
        // It may have gone meanwhile.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

impl Lab {
    /// Makes a cluster.
    ///
    /// # Errors
    /// When the system does not let us; then nothing is left.
    pub fn make(name: &str, count: usize) -> Result<Self> {
        if !(1..=HOSTS_MAX).contains(&count) {
            bail!("a cluster has 1 to {HOSTS_MAX} hosts, not {count}");
        }
        let lab = Self {
            name: name.to_owned(),
            count,
        };
        if let Err(error) = lab.build() {
            // What is there goes; the first error is the one to tell.
            let _ = lab.remove();
            return Err(error);
        }
        Ok(lab)
    }

    /// A cluster that exists.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn open(name: &str) -> Result<Self> {
        let prefix = format!("{name}-");
        let numbers = namespaces()?;
        let numbers = numbers
            .iter()
            .filter_map(|it| it.strip_prefix(&prefix)?.parse::<usize>().ok());
        let count = numbers
            .max()
            .with_context(|| format!("there is no cluster {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            count,
        })
    }

    fn build(&self) -> Result<()> {
        run("ip", &["netns", "add", &self.switch()], "")?;
        ip(
            &self.switch(),
            "link set lo up\nlink add br0 type bridge mcast_snooping 0\nlink set br0 up\n",
        )?;
        nft(&self.switch(), &crate::trouble::switch_rules(self.count))?;
        for host in self.hosts() {
            self.build_host(host)
                .with_context(|| format!("host {host}"))?;
        }
        Ok(())
    }

    fn build_host(&self, host: usize) -> Result<()> {
        let (switch, namespace) = (self.switch(), self.namespace(host));
        run("ip", &["netns", "add", &namespace], "")?;
        self.write_files(host)?;
        let port = self.port(host);
        ip(
            &switch,
            &format!(
                "link add {port} type veth peer name eth0 netns {namespace}\n\
                 link set {port} master br0\nlink set {port} up\n"
            ),
        )?;
        ip(&namespace, "link set lo up\n")?;
        ip(&namespace, &self.up(host))?;
        nft(&namespace, crate::trouble::HOST_RULES)
    }

    /// Commands that give a host's `eth0` its addresses.
    pub(crate) fn up(&self, host: usize) -> String {
        let (v4, v6) = (self.v4(host), self.v6(host));
        let v6 = if has_v6() {
            format!("addr add {v6}/64 dev eth0 nodad\n")
        } else {
            String::new()
        };
        // Always the same hardware address: others may have noted it, and cables change.
        let hardware = format!("02:70:76:6d:00:{host:02x}");
        format!("link set eth0 address {hardware} up\naddr add {v4}/24 dev eth0\n{v6}")
    }

    /// The files of /etc that are the host's own.
    fn write_files(&self, host: usize) -> Result<()> {
        let dir = self.files(host);
        fs::create_dir_all(&dir)?;
        let mut hosts = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for other in self.hosts() {
            hosts += &format!(
                "{} host{other}\n{} host{other}\n",
                self.v4(other),
                self.v6(other)
            );
        }
        fs::write(dir.join("hosts"), hosts)?;
        if Path::new("/etc/machine-id").exists() {
            let cluster: u64 = self
                .name
                .bytes()
                .fold(7, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
            fs::write(
                dir.join("machine-id"),
                format!("{cluster:016x}{host:016x}\n"),
            )?;
        }
        Ok(())
    }

    /// Changes the /etc/hosts of every host; who has it open sees the change.
    pub(crate) fn rewrite_hosts(&self, change: impl Fn(&str) -> String) -> Result<()> {
        for host in self.hosts() {
            let path = self.files(host).join("hosts");
            // In place: it is mounted, so another file of this name would not be seen.
            let text = change(&fs::read_to_string(&path)?);
            fs::write(&path, text)?;
        }
        Ok(())
    }

    /// Removes it, and ends all that runs in it.
    ///
    /// # Errors
    /// When something of it stays.
    pub fn remove(&self) -> Result<()> {
        let prefix = format!("{}-", self.name);
        let of_us = |name: &String| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| rest == SWITCH || rest.parse::<usize>().is_ok())
        };
        let mut first = Ok(());
        for name in namespaces()?.into_iter().filter(of_us) {
            first = first.and(remove_namespace(&name));
        }
        // The directory of all clusters goes with the last one.
        let _ = fs::remove_dir(FILES);
        first
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its hosts.
    pub fn hosts(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.count
    }

    /// Name by which hosts know a host.
    pub fn host_name(&self, host: usize) -> String {
        format!("host{host}")
    }

    /// A host's first IPv4 address.
    pub fn v4(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, host as u8)
    }

    /// A host's first IPv6 address.
    pub fn v6(&self, host: usize) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host as u16)
    }

    /// Both, IPv4 first.
    pub fn addresses(&self, host: usize) -> [IpAddr; 2] {
        [self.v4(host).into(), self.v6(host).into()]
    }

    /// A command that runs a program on a host. Its process id is that of the program.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn command(&self, host: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        assert!(self.hosts().contains(&host), "no host {host}");
        // The shell names the host and becomes the program.
        let script = format!("echo host{host} >/proc/sys/kernel/hostname && exec \"$@\"");
        let mut command = Command::new("ip");
        command
            .args([
                "netns",
                "exec",
                &self.namespace(host),
                "unshare",
                "--uts",
                "sh",
                "-c",
            ])
            .args([&script, "sh"])
            .arg(program);
        command
    }

    /// Runs a function in a thread on a host: sockets that it makes belong to that host.
    ///
    /// # Panics
    /// When the function does, or there is no such host.
    pub fn inside<T: Send>(&self, host: usize, function: impl FnOnce() -> T + Send) -> T {
        inside(&self.namespace(host), function).expect("the host's network can be entered")
    }

    /// Processes on a host.
    ///
    /// # Errors
    /// When there is no such host.
    pub fn processes(&self, host: usize) -> Result<Vec<i32>> {
        processes(&self.namespace(host))
    }

    /// Ends all processes on a host at once, as a power failure does.
    ///
    /// # Errors
    /// When there is no such host.
    pub fn power_off(&self, host: usize) -> Result<()> {
        // Some may be forking.
        while let pids @ [_, ..] = self.processes(host)?.as_slice() {
            kill(pids);
        }
        Ok(())
    }

    /// Name of a host's namespace, as `ip netns` shows it.
    pub fn namespace(&self, host: usize) -> String {
        format!("{}-{host}", self.name)
    }

    /// Name of the switch's namespace.
    pub fn switch(&self) -> String {
        format!("{}-{SWITCH}", self.name)
    }

    /// Name of a host's port on the switch.
    pub(crate) fn port(&self, host: usize) -> String {
        format!("h{host}")
    }

    fn files(&self, host: usize) -> PathBuf {
        Path::new(FILES).join(self.namespace(host))
    }
}

const SWITCH: &str = "switch";

/// Whether the kernel has IPv6.
pub(crate) fn has_v6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

/// Moves this thread into a namespace, for good.
pub(crate) fn enter(namespace: &str) -> Result<()> {
    let path = Path::new(NAMESPACES).join(namespace);
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    rustix::thread::move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Runs a function in a thread of its own in a namespace.
pub(crate) fn inside<T: Send>(namespace: &str, function: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| enter(namespace).map(|()| function()));
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
