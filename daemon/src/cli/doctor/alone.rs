//! This host, when no virtual machine runs.

use super::Report;
use super::far::Looking;
use crate::cli::add::Wanted;
use crate::cli::connect::{self, Trouble};
use crate::doctor::Picture;
use crate::host::health::{self, Known};
use crate::host::{aside, facts, limits};
use pvm::limits::EXAM_MS;
use pvm::wire::control::{Examined, HostName};
use std::time::{Duration, Instant};

/// Looks at this host, and at others through ssh.
pub(super) fn look(wanted: &Wanted, until: Instant) -> Result<Report, Trouble> {
    let outside = Looking::begin(wanted.clone(), until, false);
    let other = |error: &dyn std::fmt::Display| Trouble::Other(error.to_string());
    let known = Known {
        name: facts::host_name(),
        addresses: Vec::new(),
        cpus: facts::cpus(),
        // As a daemon would.
        open_files: limits::raise_open_files().current,
        runtime_dir: pvm::session::runtime_dir().map_err(|error| other(&error))?,
    };
    let name = known.name.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| other(&error))?;
    let limit = Duration::from_millis(EXAM_MS);
    let looked = connect::aloud("pvm doctor", false, "the system of this host", || {
        runtime.block_on(aside::ask(&aside::FILES, limit, move || {
            health::look(&known)
        }))
    });
    runtime.shutdown_background();
    let picture = Picture {
        hosts: vec![HostName { index: 1, name }],
        examined: vec![Examined {
            host: 1,
            health: looked.ok().map(Box::new),
            ..Examined::default()
        }],
    };
    Ok(Report::new(false, picture, outside.end()?))
}
