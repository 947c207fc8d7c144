//! `pvm add`: more hosts, through the user's ssh.

use super::connect::{self, Status};
use super::exit::Exit;
use super::{failure, low, say, token};
use crate::cluster::registry::HostId;
use crate::cluster::trust::Secret;
use crate::launch::hostfile;
use crate::launch::spec::HostSpec;
use crate::launch::ssh::{self, Join, Options, Outcome, Progress, Trouble, grouped};
use crate::server::joining;
use crate::ui::text;
use pvm::wire::control::{Failure, VmOpened};
use serde_json::json;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Hosts to be.
pub type Wanted = Vec<HostSpec>;

/// After this long without news it is said what is waited for.
const NEWS: Duration = Duration::from_secs(2);

/// Does `pvm add`.
///
/// # Errors
/// When no daemon answers, or there is no secret.
pub fn main(typed: &low::Add) -> Result<Exit, connect::Trouble> {
    let wanted = match wanted(&typed.hosts) {
        Ok(wanted) => wanted,
        Err(line) => {
            say::error("pvm add", &format!("{line}; see: pvm add --help"));
            return Ok(Exit::Usage);
        }
    };
    let mut connection = connect::existing()?;
    let opened = token::open(&mut connection, true)?;
    let names: Vec<_> = wanted.iter().map(|host| host.name.clone()).collect();
    let exit = told("pvm add", &hosts("pvm add", false, &wanted, &opened, None)?);
    if typed.json {
        say::json(&json!({ "asked": names, "all_added": exit == Exit::Success }));
    }
    Ok(exit)
}

/// The hosts that words name.
///
/// # Errors
/// The first one that makes no sense, as one line.
pub fn wanted(words: &[OsString]) -> Result<Wanted, String> {
    let mut wanted = Vec::new();
    for word in words {
        let list = hostfile::list(&word.to_string_lossy(), "HOST");
        wanted.extend(list.map_err(|error| error.to_string())?.hosts);
    }
    Ok(wanted)
}

/// How hosts were added.
#[derive(Debug, Default)]
pub struct Added {
    /// Which host each has become, in their order; none where that is not known.
    pub indices: Vec<Option<u16>>,
    /// What went wrong, once for all hosts with the same trouble.
    pub failures: Vec<Failure>,
}

/// Starts a daemon on each host. With `stays_with` it leaves when it has nothing to do and that host has
/// gone.
///
/// # Errors
/// When nothing could be tried.
pub fn hosts(
    who: &'static str,
    quiet: bool,
    wanted: &Wanted,
    opened: &VmOpened,
    stays_with: Option<HostId>,
) -> Result<Added, connect::Trouble> {
    if wanted.is_empty() {
        return Ok(Added::default());
    }
    let other = |error: &dyn std::fmt::Display| connect::Trouble::Other(error.to_string());
    let secret = Secret::load(Path::new(&opened.secret_file)).map_err(|error| other(&error))?;
    let addresses = opened.addresses.iter().filter_map(|text| text.parse().ok());
    let join = Join {
        arguments: vec!["--join-stdin".to_owned()],
        data: joining::data(&secret, &addresses.collect::<Vec<_>>(), stays_with).into_bytes(),
        number: opened.next_host,
    };
    let own = std::env::current_exe().ok();
    let own = own.map(|path| path.with_file_name("pvmd"));
    let options = Options::from_environment(own);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| other(&error))?;
    let mut watch = Watch::new(who, quiet, wanted);
    let outcomes = runtime.block_on(async {
        let watch = std::cell::RefCell::new(&mut watch);
        let starting = ssh::start(
            wanted,
            join,
            &options,
            |news| watch.borrow_mut().news(news),
            |host, outcome| watch.borrow_mut().outcome(host, outcome),
        );
        tokio::pin!(starting);
        loop {
            tokio::select! {
                outcomes = &mut starting => break outcomes,
                () = tokio::time::sleep(NEWS) => watch.borrow_mut().show(),
            }
        }
    });
    watch.status.clear();
    Ok(added(&outcomes))
}

fn added(outcomes: &[Outcome]) -> Added {
    let index = |outcome: &Outcome| joining::index_of(outcome.as_ref().ok()?);
    let troubles = outcomes.iter().filter_map(|it| it.as_ref().err());
    let troubles: Vec<&Trouble> = troubles.map(AsRef::as_ref).collect();
    Added {
        indices: outcomes.iter().map(index).collect(),
        failures: grouped(&troubles),
    }
}

/// Says what went wrong.
pub fn told(who: &str, added: &Added) -> Exit {
    for failure in &added.failures {
        say::error(who, &failure::one_line(failure));
    }
    match added.failures.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    }
}

/// How far the hosts have come, for the line about what is waited for.
struct Watch<'a> {
    hosts: &'a [HostSpec],
    states: Vec<Option<(ssh::State, Instant)>>,
    open: usize,
    quiet: bool,
    status: Status,
}

impl<'a> Watch<'a> {
    fn new(who: &'static str, quiet: bool, hosts: &'a [HostSpec]) -> Self {
        Self {
            hosts,
            states: vec![None; hosts.len()],
            open: hosts.len(),
            quiet,
            status: Status::new(who, std::io::stderr().is_terminal()),
        }
    }

    fn news(&mut self, news: Progress) {
        self.states[news.host] = Some((news.state, news.since));
    }

    fn outcome(&mut self, host: usize, _outcome: &Outcome) {
        self.states[host] = None;
        self.open -= 1;
    }

    fn show(&mut self) {
        if self.quiet {
            return;
        }
        let waiting = self.states.iter().zip(self.hosts);
        let oldest = waiting
            .filter_map(|(state, host)| state.map(|(state, since)| (since, state, host)))
            .min_by_key(|(since, ..)| *since);
        if let Some((since, state, host)) = oldest {
            let done = self.hosts.len() - self.open;
            let word = format!(
                "{done} of {} hosts are ready; {} waits for {} since {}",
                self.hosts.len(),
                text::harmless(host.name.as_bytes()),
                state.waits_for(),
                text::duration(since.elapsed())
            );
            self.status.show(&word);
        }
    }
}
