//! A cluster to try things with: hosts made of network namespaces that stay until `down`.
//!
//! The hosts are those of `pvm-cluster`, which the tests use. Everything but a delay is kept by the
//! kernel; a delay needs a process that carries the frames, which is started here.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use pvm_cluster::Lab;
use pvm_cluster::trouble::Verdict;
use pvm_cluster::wire::Wire;

use crate::needs::{self, Need};
use crate::shell;

/// Name of the one cluster.
const NAME: &str = "pvmlab";
/// Longest that a killed carrier may take to go.
const GONE: Duration = Duration::from_secs(5);

/// What to do with it.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make N hosts: host1, host2, ... with the addresses 10.77.0.1 and fd77::1, and so on
    Up {
        /// How many
        count: usize,
    },
    /// Remove them, and end everything that runs on them
    Down,
    /// Run a command on a host
    Exec {
        /// Number of the host
        host: usize,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// A shell on a host
    Shell {
        /// Number of the host
        host: usize,
    },
    /// Delay everything that goes to or comes from a host
    Delay {
        /// Number of the host
        host: usize,
        /// Milliseconds each way
        millis: u64,
    },
    /// Lose a share of the packets to and from a host
    Loss {
        /// Number of the host
        host: usize,
        /// Percent; 0: none
        percent: f64,
    },
    /// Limit what a host sends and gets
    Rate {
        /// Number of the host
        host: usize,
        /// Megabits per second; 0: no limit
        megabits: u32,
    },
    /// Cut a host off
    Cut {
        /// Number of the host
        host: usize,
    },
    /// Connect a host again
    Heal {
        /// Number of the host
        host: usize,
    },
    /// Let a host's firewall drop or reject what comes to a port, or open it
    Firewall {
        /// Number of the host
        host: usize,
        /// What it does
        verdict: FirewallVerdict,
        /// The port, or 'all'
        #[arg(default_value = "all")]
        port: String,
    },
    /// Carry the frames of a delayed host; started by `delay`
    #[command(hide = true)]
    Carry {
        /// Number of the host
        host: usize,
        /// Milliseconds each way
        millis: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum FirewallVerdict {
    /// Say nothing
    Drop,
    /// Say no
    Reject,
    /// Let everything in again
    Open,
}

/// Does it.
pub fn run(options: &Options) -> Result<()> {
    if !shell::is_root() {
        bail!("network namespaces need root: run it with sudo");
    }
    match &options.verb {
        Verb::Up { count } => up(*count),
        Verb::Down => Lab::open(NAME)?.remove(),
        Verb::Exec { host, command } => exec(*host, command),
        Verb::Shell { host } => exec(*host, &[shell_program()]),
        Verb::Delay { host, millis } => delay(*host, *millis),
        Verb::Carry { host, millis } => carry(*host, *millis),
        Verb::Loss { host, percent } => with(*host, |lab| lab.loss(*host, *percent)),
        Verb::Rate { host, megabits } => with(*host, |lab| {
            lab.rate(*host, Some(*megabits).filter(|n| *n > 0))
        }),
        Verb::Cut { host } => with(*host, |lab| lab.cut(*host)),
        Verb::Heal { host } => with(*host, |lab| lab.heal(*host)),
        Verb::Firewall {
            host,
            verdict,
            port,
        } => firewall(*host, *verdict, port),
    }
}

fn up(count: usize) -> Result<()> {
    for need in needs::provide(needs::CLUSTER, true) {
        match need.program {
            "sshd" => eprintln!(
                "without sshd no host can be reached by ssh; {}",
                need.remedy()
            ),
            program => bail!("{program} is missing; {}", Need::remedy(need)),
        }
    }
    if let Ok(lab) = Lab::open(NAME) {
        bail!(
            "there is one with {} hosts; cargo xtask cluster down",
            lab.hosts().end()
        );
    }
    let lab = Lab::make(NAME, count)?;
    for host in lab.hosts() {
        println!(
            "{}  {}  {}",
            lab.host_name(host),
            lab.v4(host),
            lab.v6(host)
        );
    }
    Ok(())
}

/// The cluster, when it has this host.
fn lab_with(host: usize) -> Result<Lab> {
    let lab = Lab::open(NAME).context("make one: cargo xtask cluster up 3")?;
    if !lab.hosts().contains(&host) {
        bail!("there is no host {host}, only 1 to {}", lab.hosts().end());
    }
    Ok(lab)
}

fn with(host: usize, act: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    act(&lab_with(host)?)
}

fn shell_program() -> String {
    std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned())
}

/// Becomes a command on a host.
fn exec(host: usize, words: &[String]) -> Result<()> {
    let (program, arguments) = words.split_first().context("no command")?;
    let error = lab_with(host)?
        .command(host, program)
        .args(arguments)
        .exec();
    Err(error).with_context(|| format!("cannot run {program}"))
}

fn firewall(host: usize, verdict: FirewallVerdict, port: &str) -> Result<()> {
    let port = match port {
        "all" => None,
        port => Some(
            port.parse()
                .with_context(|| format!("'{port}' is neither a port nor all"))?,
        ),
    };
    with(host, |lab| match verdict {
        FirewallVerdict::Drop => lab.firewall(host, Verdict::Drop, port),
        FirewallVerdict::Reject => lab.firewall(host, Verdict::Reject, port),
        FirewallVerdict::Open => lab.open_firewall(host),
    })
}

/// Starts a carrier on the host, so that `down` finds and ends it there; ends the one before.
fn delay(host: usize, millis: u64) -> Result<()> {
    let lab = lab_with(host)?;
    end_carrier(&lab, host)?;
    let own = std::env::current_exe()?;
    let mut carrier = lab.command(host, own);
    carrier.args(["cluster", "carry", &host.to_string(), &millis.to_string()]);
    let mut child = carrier
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    let stdout = child.stdout.take().context("it has an output")?;
    // It says one word, or ends.
    BufReader::new(stdout).read_line(&mut ready)?;
    if ready.is_empty() {
        bail!("the cable cannot be laid: {}", child.wait()?);
    }
    Ok(())
}

fn end_carrier(lab: &Lab, host: usize) -> Result<()> {
    let end = Instant::now() + GONE;
    while let Some(pid) = carrier(lab, host)? {
        // It may have gone meanwhile, so that there is nothing to end.
        let _ = shell::command("kill")
            .arg(pid.to_string())
            .stderr(Stdio::null())
            .status()?;
        if Instant::now() > end {
            bail!("process {pid}, which delays host {host}, does not end");
        }
        // The end of a process that is not our child gives no event.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The process that carries a host's frames.
fn carrier(lab: &Lab, host: usize) -> Result<Option<i32>> {
    let is_carrier = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("\0cluster\0carry\0")
    };
    Ok(lab.processes(host)?.into_iter().find(is_carrier))
}

fn carry(host: usize, millis: u64) -> Result<()> {
    let wire = Wire::lay(&lab_with(host)?, host)?;
    let running = wire.carry(Duration::from_millis(millis));
    // The word for who started it, who then no longer listens.
    println!("ready");
    running.wait();
    Ok(())
}
