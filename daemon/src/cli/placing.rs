//! Where the tasks of a program go: the options of `pvm run` about hosts.

use super::high::MeaningError;
use super::low;
use super::nearest::nearest;
use crate::launch::hostfile;
use crate::launch::spec::HostSpec;
use pvm::limits::TASKS_PER_LAUNCH_MAX;
use pvm::wire::control::{HostSlots, Placement};
use std::ffi::OsStr;
use std::path::Path;

/// What one program's options say; `None`: nothing. With the hosts that it names, in the same order.
///
/// # Errors
/// The first value that makes no sense, or a host file that cannot be read.
pub fn placement(part: &low::Run) -> Result<(Option<Placement>, Vec<HostSpec>), MeaningError> {
    let hosts = hosts(part)?;
    let per_host = match (&part.per_host, part.one_per_host) {
        (Some(_), true) => return Err(MeaningError::Conflict("--ppn", "--pernode")),
        (Some(value), false) => per_host(value)?,
        (None, true) => 1,
        (None, false) => 0,
    };
    let placement = Placement {
        hosts: hosts.iter().map(slots).collect(),
        per_host,
        by_host: by_host(part)?,
        ..Placement::default()
    };
    let placement = (placement != Placement::default()).then_some(placement);
    Ok((placement, hosts))
}

fn hosts(part: &low::Run) -> Result<Vec<HostSpec>, MeaningError> {
    let mut all = Vec::new();
    for list in &part.hosts {
        all.extend(hostfile::list(&list.to_string_lossy(), "--host")?.hosts);
    }
    match &part.hostfile {
        Some(_) if !all.is_empty() => Err(MeaningError::Conflict("--host", "--hostfile")),
        Some(path) => {
            let mut hosts = hostfile::read(Path::new(path))?.hosts;
            hosts.retain(|host| !host.only_later);
            Ok(hosts)
        }
        None => Ok(all),
    }
}

fn slots(host: &HostSpec) -> HostSlots {
    HostSlots {
        host: host.name.clone(),
        slots: host.options.slots.unwrap_or(0),
    }
}

fn per_host(value: &OsStr) -> Result<u32, MeaningError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    let is_good = |number: &u32| (1..=TASKS_PER_LAUNCH_MAX).contains(number);
    number.filter(is_good).ok_or_else(|| MeaningError::Value {
        option: "--ppn",
        value: value.to_string_lossy().into_owned(),
        expected: format!("a number from 1 to {TASKS_PER_LAUNCH_MAX}, for example --ppn 2"),
    })
}

fn by_host(part: &low::Run) -> Result<bool, MeaningError> {
    if part.by_node && part.by_slot {
        return Err(MeaningError::Conflict("--bynode", "--byslot"));
    }
    let Some(value) = &part.map_by else {
        return Ok(part.by_node);
    };
    match value.to_str() {
        Some("slot" | "core" | "hwthread") => Ok(false),
        Some("host" | "node") => Ok(true),
        _ => {
            let words = ["slot", "host", "node"];
            let near = nearest(&value.to_string_lossy(), words);
            let hint = near.map(|word| format!(" (did you mean '{word}'?)"));
            Err(MeaningError::Value {
                option: "--map-by",
                value: value.to_string_lossy().into_owned(),
                expected: format!("'slot' or 'host'{}", hint.unwrap_or_default()),
            })
        }
    }
}
