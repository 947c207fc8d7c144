//! Messages between two hosts, and raw TCP between the same two, side by side in the same seconds.
//!
//! Run by `cargo xtask bench net`. The hosts are network namespaces, so only root can run it. Absolute
//! figures depend on the machine and on what else runs on it; the ratios are what to look at.
//!
//! Nothing of it is left behind, however it ends. What does the work is a process of its own, out of
//! reach of ^C: when the one that started it has gone, it turns the hosts off, so that whatever it
//! waits for ends, and takes them down.

mod raw;
mod task;

use anyhow::{Context as _, bail};
use pvm::settings;
use pvm_tests::cluster::Lab;
use pvm_tests::figures::{self, heading};
use pvm_tests::site::Site;
use pvm_tests::{GONE, start};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

/// The ways of messages: how daemons protect direct connections, and whether tasks make any.
const WAYS: [(&str, &str, &str); 3] = [
    ("plain", "plain", "direct"),
    ("tls", "tls", "direct"),
    ("relayed", "tls", "relay"),
];
/// Between two looks for processes on hosts that are off.
const LOOK: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let mut words: Vec<String> = figures::arguments().collect();
    let done = match words.first().map(String::as_str) {
        Some("--drive") => drive(&words.split_off(1)),
        Some("--task") => task::run(words.drain(1..)),
        _ => watch(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench net: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has another process do the work, and is its sign of life.
fn watch(ways: &[String]) -> anyhow::Result<()> {
    for way in ways {
        if !WAYS.iter().any(|known| known.0 == way) {
            bail!("no way '{way}'; there are plain, tls and relayed");
        }
    }
    let mut worker = Command::new(std::env::current_exe()?)
        .arg("--drive")
        .args(ways)
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    // Waiting would close it.
    let _sign = worker.stdin.take();
    match worker.wait()? {
        status if status.success() => Ok(()),
        status => bail!("not measured: {status}"),
    }
}

/// Makes the hosts and measures the ways, or those that were asked for.
fn drive(ways: &[String]) -> anyhow::Result<()> {
    let site = Site::new(2).context("there are no hosts to measure between")?;
    let lab = Lab::clone(&site);
    thread::spawn(move || turn_off_when_alone(&lab));
    for (way, data, route) in WAYS {
        if ways.is_empty() || ways.iter().any(|asked| asked == way) {
            heading(&format!("{way}, between two hosts"), "raw TCP");
            measure(&site, data, route)?;
        }
    }
    Ok(())
}

/// Measures one way, with daemons of its own.
fn measure(site: &Site, data: &str, route: &str) -> anyhow::Result<()> {
    site.become_one_with(&["--data", data]);
    let me = std::env::current_exe()?.display().to_string();
    let address = site.v4(1).to_string();
    let run = ["run", "-n", "2", "--map-by", "host", "--"];
    let task = [&me, "--task", route, &address];
    let mut job = site.ours(1, "pvm", &[&run[..], &task].concat());
    let table = start(job.env(settings::ROUTE, route)).finish().well();
    print!("{}", table.text());
    site.pvm(1, &["halt", "--force"]).well();
    for host in site.hosts() {
        site.gone(host, GONE);
    }
    Ok(())
}

/// Waits until the process that started this one has gone. Then nothing runs on the hosts any more, until
/// this process has noticed.
fn turn_off_when_alone(lab: &Lab) {
    // Nothing is ever written to it; whatever an error is, nobody is there.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::panic::set_hook(Box::new(|_| ()));
    loop {
        for host in lab.hosts() {
            // It may be gone for good by now.
            let _ = lab.power_off(host);
        }
        thread::sleep(LOOK);
    }
}
