//! Hosts that are not part of the virtual machine: does ssh get there, and is there a pvmd that runs?

use crate::cli::connect::{self, Trouble};
use crate::doctor::{Finding, outside};
use crate::launch::fold::fold;
use crate::launch::spec::HostSpec;
use crate::launch::ssh::{self, Join, Options};
use pvm::limits::EXAM_SSH_MS;
use std::thread::JoinHandle;
use std::time::Duration;

/// A search that goes on while other things are done.
pub(super) struct Looking {
    names: Vec<String>,
    thread: JoinHandle<Result<Vec<Finding>, String>>,
}

impl Looking {
    /// Begins.
    pub(super) fn begin(hosts: Vec<HostSpec>) -> Self {
        Self {
            names: hosts.iter().map(|host| host.name.clone()).collect(),
            thread: std::thread::spawn(move || look(&hosts)),
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

fn look(hosts: &[HostSpec]) -> Result<Vec<Finding>, String> {
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
    let outcomes = runtime.block_on(ssh::start(hosts, check, &options, |_| {}, |_, _| {}));
    Ok(outside::findings(hosts, &outcomes))
}
