//! Starting daemons on other hosts through the user's own ssh, many at a time.
//!
//! ```text
//!   Queued > Resolve > Dial > Authenticate > Start > Join > Joined
//! ```
//!
//! - [`command`]: what is run here, and by the other host's shell
//! - [`trace`], [`answer`]: what ssh and the other host tell, line by line
//! - [`classify`]: why it came to no good; [`trouble`]: telling it, once for all hosts that have it
//! - [`process`]: one ssh
//!
//! What is secret goes through standard input, never into a command line or an environment, and
//! only once the other host's start-up files can no longer read it.

pub mod answer;
pub mod classify;
pub mod command;
pub mod process;
pub mod trace;
pub mod trouble;

use super::spec::{HostSpec, Start};
use command::Ssh;
use pvm::limits::{JOIN_DATA_MAX, SSH_DEADLINE_MS, SSH_PARALLEL};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
pub use trace::State;
pub use trouble::{Cause, Trouble, grouped};

/// What begins the line with a host's number in what its daemon reads.
pub const NUMBER: &str = "number";

/// What every host's daemon is given.
#[derive(Clone)]
pub struct Join {
    /// Arguments of pvmd; nothing secret.
    pub arguments: Vec<String>,
    /// What each reads from its standard input.
    pub data: Vec<u8>,
    /// The number that the first host asks for; each reads its own in a last line.
    pub number: u32,
}

impl Join {
    /// What the daemon of the host at this place of the list reads.
    fn data_of(&self, host: usize) -> Vec<u8> {
        let number = u64::from(self.number) + host as u64;
        let line = format!("{NUMBER} {number}\n");
        [&self.data, line.as_bytes()].concat()
    }
}

/// How it is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// The ssh to use.
    pub ssh: Ssh,
    /// Path of the pvmd of this host, which is tried first on the others.
    pub own: Option<PathBuf>,
    /// Hosts at a time.
    pub parallel: usize,
    /// Longest for one host.
    pub deadline: Duration,
}

impl Options {
    /// As the environment says, with the usual limits.
    pub fn from_environment(own: Option<PathBuf>) -> Self {
        Self {
            ssh: Ssh::from_environment(),
            own,
            parallel: SSH_PARALLEL,
            deadline: Duration::from_millis(SSH_DEADLINE_MS),
        }
    }
}

/// A host has come further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its place in the list.
    pub host: usize,
    /// Where it is now.
    pub state: State,
    /// Since when.
    pub since: Instant,
}

/// The words of a daemon that has joined, or why it has not.
pub type Outcome = Result<String, Box<Trouble>>;

/// Starts a daemon on each host; an outcome for each, in their order. `progress` is called as each
/// comes further, `outcome` as soon as each is known. Dropping the future ends every ssh.
pub async fn start(
    hosts: &[HostSpec],
    join: Join,
    options: &Options,
    mut progress: impl FnMut(Progress),
    mut outcome: impl FnMut(usize, &Outcome),
) -> Vec<Outcome> {
    let (sender, mut receiver) = mpsc::channel(SSH_PARALLEL);
    let turns = Arc::new(Semaphore::new(options.parallel.max(1)));
    let (join, options) = (Arc::new(join), Arc::new(options.clone()));
    let mut running = JoinSet::new();
    let mut outcomes: Vec<Option<Outcome>> = hosts.iter().map(|_| None).collect();
    for (index, host) in hosts.iter().enumerate() {
        let (host, sender, turns) = (host.clone(), sender.clone(), turns.clone());
        let (join, options) = (join.clone(), options.clone());
        running.spawn(async move {
            let _turn = turns.acquire().await;
            let report = Report {
                host: index,
                sender,
            };
            (index, one(&host, &join, &options, report).await)
        });
    }
    drop(sender);
    loop {
        tokio::select! {
            biased;
            Some(news) = receiver.recv() => progress(news),
            Some(ended) = running.join_next() => {
                // A task that panics has no outcome; it is given one below.
                let Ok((index, result)) = ended else { continue };
                outcome(index, &result);
                outcomes[index] = Some(result);
            }
            else => break,
        }
    }
    let lost = |host: &HostSpec| {
        Err(trouble(
            host,
            Cause::Ended,
            "its start was abandoned",
            "try again",
        ))
    };
    let all = outcomes.into_iter().zip(hosts);
    all.map(|(outcome, host)| outcome.unwrap_or_else(|| lost(host)))
        .collect()
}

/// Tells how far one host has come.
pub(super) struct Report {
    host: usize,
    sender: mpsc::Sender<Progress>,
}

impl Report {
    async fn reached(&self, state: State) {
        let since = Instant::now();
        // Nobody listens when the whole start is being dropped.
        let _ = self
            .sender
            .send(Progress {
                host: self.host,
                state,
                since,
            })
            .await;
    }
}

async fn one(host: &HostSpec, join: &Join, options: &Options, report: Report) -> Outcome {
    if host.options.start == Start::Manual {
        let why = format!("line {} of the host file says so=ms", host.line);
        return Err(trouble(
            host,
            Cause::ByHand,
            &why,
            "type here: pvm token, and on {host} what it says: pvmd join --token TOKEN",
        ));
    }
    if !options.ssh.is_there() {
        let why = format!("there is no program {} on this host", options.ssh.program());
        let next = "install an ssh client, or let PVM_SSH name another command";
        return Err(trouble(host, Cause::NoSsh, &why, next));
    }
    if join.data.len() > JOIN_DATA_MAX {
        let why = format!(
            "the join data have {} bytes, at most {JOIN_DATA_MAX} are possible",
            join.data.len()
        );
        return Err(trouble(host, Cause::Resources, &why, ""));
    }
    let data = join.data_of(report.host);
    match process::run(host, &join.arguments, &data, options, &report).await {
        Ok(story) => {
            let outcome = classify::classify(host, &story);
            if outcome.is_ok() {
                report.reached(State::Joined).await;
            }
            outcome
        }
        Err(error) => {
            let why = format!("{} cannot be run: {error}", options.ssh.program());
            Err(trouble(
                host,
                Cause::Resources,
                &why,
                "try again with fewer processes",
            ))
        }
    }
}

fn trouble(host: &HostSpec, cause: Cause, why: &str, next: &str) -> Box<Trouble> {
    Box::new(Trouble {
        host: host.name.clone(),
        user: host.options.user.clone(),
        address: None,
        cause,
        why: why.to_owned(),
        next: next.to_owned(),
    })
}
