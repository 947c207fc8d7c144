//! Where the tasks of a program go: the options of `pvm run` about hosts.

use super::binding;
use super::flags::typed::Run;
use super::high::{MeaningError, bad, choice};
use crate::launch::hostfile;
use crate::launch::spec::HostSpec;
use pvm::limits::TASKS_PER_LAUNCH_MAX;
use pvm::wire::control::{HostObject, HostSlots, Placement, RankOrder};
use std::ffi::OsStr;
use std::path::Path;

/// What one program's options say.
pub struct Placed {
    /// For the daemon; `None`: nothing is said.
    pub placement: Option<Placement>,
    /// The hosts that it names, in the same order.
    pub hosts: Vec<HostSpec>,
    /// Tasks on each host, if that is said.
    pub per_host: Option<u32>,
}

/// Reads the options of one part. What it does not say is as in the first part: all launchers take it so.
///
/// # Errors
/// The first value that makes no sense, or a host file that cannot be read.
pub fn placement(part: &Run, first: &Run) -> Result<Placed, MeaningError> {
    let has_hosts = !part.hosts.is_empty() || part.hostfile.is_some();
    let hosts = hosts(if has_hosts { part } else { first })?;
    let map = mapping(part.map_by.as_deref().or(first.map_by.as_deref()))?;
    let per_host = part.per_host.as_deref().or(first.per_host.as_deref());
    let per_host = match (per_host.map(per_host_number).transpose()?, map.per_host) {
        (Some(one), Some(other)) if one != other => {
            return Err(MeaningError::Conflict("--ppn", "--map-by ppr"));
        }
        (one, other) => one.or(other),
    };
    let oversubscribe = part
        .oversubscribe
        .or(first.oversubscribe)
        .or(map.oversubscribe);
    let architecture = part.architecture.as_ref().or(first.architecture.as_ref());
    let mut placement = Placement {
        hosts: hosts.iter().map(|host| slots(host, per_host)).collect(),
        per_host: per_host.unwrap_or(0),
        by_host: map.by_host,
        architecture: architecture.map_or_else(String::new, |it| it.to_string_lossy().into_owned()),
        within_slots: oversubscribe == Some(false),
        ..Placement::default()
    };
    placement.set_ranks(rank_order(
        part.rank_by.as_deref().or(first.rank_by.as_deref()),
    )?);
    let placement = (placement != Placement::default()).then_some(placement);
    Ok(Placed {
        placement,
        hosts,
        per_host,
    })
}

fn hosts(part: &Run) -> Result<Vec<HostSpec>, MeaningError> {
    match &part.hostfile {
        Some(_) if !part.hosts.is_empty() => Err(MeaningError::Conflict("--host", "--hostfile")),
        Some(path) => {
            let mut hosts = hostfile::read(Path::new(path))?.hosts;
            hosts.retain(|host| !host.only_later);
            Ok(hosts)
        }
        // As one list, so that a host that is named again has more slots.
        None if part.hosts.is_empty() => Ok(Vec::new()),
        None => {
            let list = part.hosts.join(OsStr::new(","));
            Ok(hostfile::list(&list.to_string_lossy(), "--host")?.hosts)
        }
    }
}

/// A number that stands in a list with its host counts most, then the one for all hosts, then those of a file.
fn slots(host: &HostSpec, per_host: Option<u32>) -> HostSlots {
    let is_listed = host.line == 0;
    let own = host
        .options
        .slots
        .filter(|_| is_listed || per_host.is_none());
    HostSlots {
        host: host.name.clone(),
        slots: own.unwrap_or(0),
        slots_max: host.options.max_slots.unwrap_or(0),
    }
}

fn per_host_number(value: &OsStr) -> Result<u32, MeaningError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    let is_good = |number: &u32| (1..=TASKS_PER_LAUNCH_MAX).contains(number);
    let expected = format!("a number from 1 to {TASKS_PER_LAUNCH_MAX}, for example --ppn 2");
    number
        .filter(is_good)
        .ok_or_else(|| bad("--ppn", value, expected))
}

/// What `--map-by` says.
#[derive(Debug, Default, PartialEq)]
pub struct Mapping {
    /// One task on each host in turn.
    pub by_host: bool,
    /// Tasks on each host.
    pub per_host: Option<u32>,
    /// Cores of each task.
    pub cores: Option<u32>,
    /// Where on its host the next task is bound.
    pub spread: HostObject,
    /// Whether hosts may get more tasks than they have slots.
    pub oversubscribe: Option<bool>,
}

/// Reads `OBJECT[:PE=N][:OVERSUBSCRIBE]`, `ppr:N:node` and the like.
///
/// # Errors
/// When it is none of them.
pub fn mapping(value: Option<&OsStr>) -> Result<Mapping, MeaningError> {
    let Some(value) = value else {
        return Ok(Mapping::default());
    };
    let text = value.to_string_lossy().to_ascii_lowercase();
    let mut words = text.split([':', ',']);
    let mut map = Mapping::default();
    match words.next().unwrap_or_default() {
        "" | "slot" | "block" | "none" => {}
        "host" | "node" | "cyclic" => map.by_host = true,
        "ppr" => {
            let number = words.next().unwrap_or_default();
            let object = words.next().unwrap_or_default();
            map.per_host = Some(per_object(value, number, object)?);
        }
        "seq" | "rankfile" | "dist" | "pe-list" => {
            return Err(not_done(
                value,
                "name the hosts in the order of the ranks with -H a,b,a, and bind with --bind-to user:0,2",
            ));
        }
        word => match binding::object(word) {
            Some(HostObject::ObjectNone) | None => return Err(unknown(value)),
            Some(object) => map.spread = object,
        },
    }
    for word in words.filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("pe", number)) => {
                let number = number.parse().ok().filter(|number| *number > 0);
                map.cores = Some(number.ok_or_else(|| unknown(value))?);
            }
            None if word == "oversubscribe" => map.oversubscribe = Some(true),
            None if word == "nooversubscribe" => map.oversubscribe = Some(false),
            // What they ask for is so: slots are hardware threads, and tasks that are spawned choose anew.
            None if ["hwtcpus", "corecpus", "inherit", "noinherit"].contains(&word) => {}
            None if word == "span" || word == "nolocal" => {
                return Err(not_done(
                    value,
                    "write --map-by host, and name the hosts with -H",
                ));
            }
            _ => return Err(unknown(value)),
        }
    }
    Ok(map)
}

fn per_object(value: &OsStr, number: &str, object: &str) -> Result<u32, MeaningError> {
    match object {
        "node" | "host" => number
            .parse()
            .ok()
            .filter(|number| (1..=TASKS_PER_LAUNCH_MAX).contains(number))
            .ok_or_else(|| unknown(value)),
        _ if binding::object(object).is_some() => Err(not_done(
            value,
            "tasks are counted per host: write ppr:N:node; --map-by socket --bind-to socket spreads them over the sockets",
        )),
        _ => Err(unknown(value)),
    }
}

fn not_done(value: &OsStr, why: &'static str) -> MeaningError {
    MeaningError::NotDone {
        option: "--map-by",
        value: value.to_string_lossy().into_owned(),
        why,
    }
}

fn unknown(value: &OsStr) -> MeaningError {
    let expected =
        "slot, host, core, socket, numa, hwthread or ppr:N:node, with :PE=N for N cores each";
    let words = ["slot", "host", "node", "core", "socket", "numa", "hwthread"];
    choice("--map-by", value, expected, &words)
}

fn rank_order(value: Option<&OsStr>) -> Result<RankOrder, MeaningError> {
    let Some(value) = value else {
        return Ok(RankOrder::RanksAsPlaced);
    };
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "slot" | "fill" => Ok(RankOrder::RanksBySlot),
        "host" | "node" => Ok(RankOrder::RanksByHost),
        word if binding::object(word).is_some_and(|it| it != HostObject::ObjectNone) => {
            Err(MeaningError::NotDone {
                option: "--rank-by",
                value: value.to_string_lossy().into_owned(),
                why: "ranks go by host: write slot or host, and --map-by socket --bind-to core for where on a host",
            })
        }
        _ => Err(choice(
            "--rank-by",
            value,
            "slot or host",
            &["slot", "host", "node"],
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: &str) -> Result<Mapping, String> {
        mapping(Some(value.as_ref())).map_err(|error| error.to_string())
    }

    #[test]
    fn mappings_are_read() {
        assert_eq!(map("slot"), Ok(Mapping::default()));
        assert!(map("node").unwrap().by_host && map("HOST:oversubscribe").unwrap().by_host);
        assert_eq!(map("ppr:4:node").unwrap().per_host, Some(4));
        let pe = map("ppr:2:node:pe=4").unwrap();
        assert_eq!((pe.per_host, pe.cores), (Some(2), Some(4)));
        assert_eq!(map("socket").unwrap().spread, HostObject::ObjectSocket);
        assert_eq!(map(":NOOVERSUBSCRIBE").unwrap().oversubscribe, Some(false));
    }

    #[test]
    fn what_cannot_be_mapped_is_told() {
        for (value, part) in [
            ("ppr:2:socket", "tasks are counted per host"),
            ("nod", "did you mean 'node'?"),
            ("ppr:x:node", "ppr:N:node"),
            ("core:PE=0", "is not a value"),
            ("seq", "-H a,b,a"),
        ] {
            let error = map(value).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}
