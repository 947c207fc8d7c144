//! Placement: on which host each task of a launch runs. Pure.
//!
//! By slot (the default): a host is filled, with a task for each of its CPUs unless told otherwise,
//! then the next one. By host: one task on each in turn. When every host is full the round begins
//! again: a number of tasks that was asked for is started.

use pvm::wire::control::{HostSlots, Placement};
use std::collections::BTreeSet;

/// A living host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its index in the virtual machine.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Its architecture, as it calls it itself.
    pub architecture: String,
    /// Its CPUs.
    pub cpus: u32,
}

/// Why tasks cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// A host was named that is not there.
    #[error("there is no host '{0}' in the virtual machine")]
    NoSuchHost(String),
    /// All hosts are among those that are not wanted.
    #[error("there are no other hosts")]
    NoOthers,
    /// No host has the architecture.
    #[error("no host has the architecture '{0}'")]
    NoSuchArchitecture(String),
}

/// The host of each of `count` tasks. `hosts` is in the order of preference and not empty.
///
/// # Errors
/// When `wanted` names what is not there.
pub fn place(count: u32, wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<u16>, PlaceError> {
    let rooms = rooms(wanted, hosts)?;
    let turns = rooms.iter().cycle().flat_map(|&(index, slots)| {
        let slots = if wanted.by_host { 1 } else { slots.max(1) };
        std::iter::repeat_n(index, slots as usize)
    });
    Ok(turns.take(count as usize).collect())
}

/// The hosts that are wanted and how many tasks each takes in one round.
fn rooms(wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<(u16, u32)>, PlaceError> {
    if wanted.others {
        return others(wanted, hosts);
    }
    let each = |host: &Candidate| match wanted.per_host {
        0 => host.cpus,
        per_host => per_host,
    };
    let named = |entry: &HostSlots| {
        let found = find(&entry.host, hosts);
        let host = found.ok_or_else(|| PlaceError::NoSuchHost(entry.host.clone()))?;
        let slots = if entry.slots > 0 {
            entry.slots
        } else {
            each(host)
        };
        Ok((host, slots))
    };
    let mut rooms: Vec<(&Candidate, u32)> = match wanted.hosts.is_empty() {
        true => hosts.iter().map(|host| (host, each(host))).collect(),
        false => wanted.hosts.iter().map(named).collect::<Result<_, _>>()?,
    };
    if !wanted.architecture.is_empty() {
        rooms.retain(|(host, _)| host.architecture == wanted.architecture);
    }
    if rooms.is_empty() {
        return Err(PlaceError::NoSuchArchitecture(wanted.architecture.clone()));
    }
    Ok(rooms
        .into_iter()
        .map(|(host, slots)| (host.index, slots))
        .collect())
}

/// The hosts that are not meant.
fn others(wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<(u16, u32)>, PlaceError> {
    let named = wanted.hosts.iter();
    let named = named.filter_map(|entry| find(&entry.host, hosts));
    let named: BTreeSet<u16> = named.map(|host| host.index).collect();
    let meant = |host: &Candidate| match wanted.hosts.is_empty() {
        true => host.architecture == wanted.architecture,
        false => named.contains(&host.index),
    };
    let rest: Vec<Candidate> = hosts.iter().filter(|host| !meant(host)).cloned().collect();
    if rest.is_empty() {
        return Err(PlaceError::NoOthers);
    }
    let wanted = Placement {
        per_host: wanted.per_host,
        by_host: wanted.by_host,
        ..Placement::default()
    };
    rooms(&wanted, &rest)
}

/// A host by its name, the first part of its name, or its index.
pub fn find<'a>(text: &str, hosts: &'a [Candidate]) -> Option<&'a Candidate> {
    let by_name = hosts.iter().find(|host| host.name == text);
    let by_index = || {
        let index = text.parse::<u16>().ok()?;
        hosts.iter().find(|host| host.index == index)
    };
    let short = |host: &&Candidate| host.name.split('.').next() == Some(text);
    by_name
        .or_else(by_index)
        .or_else(|| hosts.iter().find(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<Candidate> {
        let host = |index, name: &str, architecture: &str, cpus| Candidate {
            index,
            name: name.into(),
            architecture: architecture.into(),
            cpus,
        };
        vec![
            host(2, "b.example", "x86_64", 2),
            host(1, "a", "x86_64", 1),
            host(7, "c", "aarch64", 2),
        ]
    }

    fn slots(host: &str, slots: u32) -> HostSlots {
        HostSlots {
            host: host.into(),
            slots,
        }
    }

    #[test]
    fn hosts_are_filled_one_after_the_other_and_then_again() {
        let wanted = Placement::default();
        assert_eq!(
            place(8, &wanted, &hosts()),
            Ok(vec![2, 2, 1, 7, 7, 2, 2, 1])
        );
        assert_eq!(place(0, &wanted, &hosts()), Ok(vec![]));
    }

    #[test]
    fn one_on_each_in_turn() {
        let wanted = Placement {
            by_host: true,
            ..Placement::default()
        };
        assert_eq!(place(5, &wanted, &hosts()), Ok(vec![2, 1, 7, 2, 1]));
    }

    #[test]
    fn hosts_are_named_and_have_slots_of_their_own() {
        let wanted = Placement {
            hosts: vec![slots("c", 1), slots("b", 0), slots("1", 0)],
            per_host: 3,
            ..Placement::default()
        };
        assert_eq!(
            place(8, &wanted, &hosts()),
            Ok(vec![7, 2, 2, 2, 1, 1, 1, 7])
        );
        let wanted = Placement {
            hosts: vec![slots("d", 0)],
            ..Placement::default()
        };
        let error = place(1, &wanted, &hosts());
        assert_eq!(error, Err(PlaceError::NoSuchHost("d".into())));
    }

    #[test]
    fn all_but_some_hosts() {
        let wanted = Placement {
            hosts: vec![slots("b", 0)],
            by_host: true,
            others: true,
            ..Placement::default()
        };
        assert_eq!(place(3, &wanted, &hosts()), Ok(vec![1, 7, 1]));
        assert_eq!(place(1, &wanted, &hosts()[..1]), Err(PlaceError::NoOthers));
    }

    #[test]
    fn architectures_are_told_apart() {
        let of = |architecture: &str| Placement {
            architecture: architecture.into(),
            ..Placement::default()
        };
        assert_eq!(place(3, &of("aarch64"), &hosts()), Ok(vec![7, 7, 7]));
        assert!(place(3, &of("s390x"), &hosts()).is_err());
    }
}
