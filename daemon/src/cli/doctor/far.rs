//! Hosts that are not part of the virtual machine: does ssh get there, and is there a pvmd that runs?

use super::outside;
use crate::cli::connect::{self, Trouble};
use crate::doctor::Finding;
use crate::launch::spec::HostSpec;
use crate::launch::ssh::{self, Join, Options, Outcome};
use crate::ui::fold::fold;
use pvm::limits::EXAM_SSH_MS;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A search that goes on while other things are done.
pub(super) struct Looking {
    names: Vec<String>,
    thread: JoinHandle<Result<Vec<Finding>, String>>,
}

impl Looking {
    /// Begins; it ends at a known moment. `has_machine`: the hosts could be part of something.
    pub(super) fn begin(hosts: Vec<HostSpec>, until: Instant, has_machine: bool) -> Self {
        Self {
            names: hosts.iter().map(|host| host.name.clone()).collect(),
            thread: std::thread::spawn(move || {
                let outcomes = look(&hosts, until)?;
                Ok(outside::findings(&hosts, &outcomes, has_machine))
            }),
        }
    }

    /// What was found.
    pub(super) fn end(self) -> Result<Vec<Finding>, Trouble> {
        let what = format!("ssh to reach {}", fold(&self.names));
        let ended = connect::aloud("pvm doctor", false, &what, || self.thread.join());
        // A panic has been told already.
        let found = ended.unwrap_or_else(|_| Err("the search for other hosts failed".to_owned()));
        found.map_err(Trouble::Other)
    }
}

/// What comes of ssh to each host until a moment.
fn look(hosts: &[HostSpec], until: Instant) -> Result<Vec<Option<Outcome>>, String> {
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let check = Join {
        arguments: vec!["--check".to_owned()],
        data: Vec::new(),
        number: 0,
    };
    let own = std::env::current_exe().ok();
    let mut options = Options::from_environment(own.map(|path| path.with_file_name("pvmd")));
    options.deadline = Duration::from_millis(EXAM_SSH_MS);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut outcomes = vec![None; hosts.len()];
    let note = |host: usize, outcome: &Outcome| outcomes[host] = Some(outcome.clone());
    runtime.block_on(async {
        let tried = ssh::start(hosts, check, &options, |_| {}, note);
        // What there is no time for is told of.
        let _ = tokio::time::timeout_at(until.into(), tried).await;
    });
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_time_for_is_not_waited_for() {
        let hosts = [HostSpec::named("a.invalid"), HostSpec::named("b.invalid")];
        let outcomes = look(&hosts, Instant::now()).unwrap();
        assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
        assert_eq!(outcomes.len(), 2);
    }
}
