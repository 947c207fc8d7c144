//! Placement: on which host each task of a launch runs. Pure.
//!
//! By slot (the default): a host is filled, with a task for each of its CPUs unless told otherwise,
//! then the next one. By host: one task on each in turn. When every host is full the round begins
//! again: a number of tasks that was asked for is started, unless there is a limit. Ranks can go through
//! the tasks that were placed in another order.

use pvm::wire::control::{HostSlots, Placement, RankOrder};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Limits were set.
    #[error(
        "{wanted} tasks are asked for, and the hosts take {room} by max-slots= or --nooversubscribe"
    )]
    Full {
        /// Tasks.
        wanted: u32,
        /// As many as there is room for.
        room: u64,
    },
}

/// A host and how many tasks it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    host: u16,
    /// In one round.
    slots: u32,
    /// In all.
    limit: Option<u32>,
}

/// The host of each of `count` tasks. `hosts` is in the order of preference and not empty.
///
/// # Errors
/// When `wanted` names what is not there.
pub fn place(count: u32, wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<u16>, PlaceError> {
    let mut rooms = rooms(wanted, hosts)?;
    if wanted.within_slots {
        for room in &mut rooms {
            let slots = room.slots.max(1);
            room.limit = Some(room.limit.map_or(slots, |limit| limit.min(slots)));
        }
    }
    let limits = rooms.iter().map(|room| room.limit.map(u64::from));
    if let Some(room) = limits.sum::<Option<u64>>()
        && room < u64::from(count)
    {
        let wanted = count;
        return Err(PlaceError::Full { wanted, room });
    }
    let placed = fill(count, wanted.by_host, rooms);
    Ok(match wanted.ranks() {
        RankOrder::RanksAsPlaced => placed,
        RankOrder::RanksBySlot => by_slot(&placed),
        RankOrder::RanksByHost => by_host(&placed),
    })
}

/// Goes round until all tasks have a host. There is room for them.
fn fill(count: u32, by_host: bool, mut rooms: Vec<Room>) -> Vec<u16> {
    let mut placed = Vec::with_capacity(count as usize);
    let mut left = count;
    while left > 0 && !rooms.is_empty() {
        for room in &mut rooms {
            let slots = if by_host { 1 } else { room.slots.max(1) };
            let taken = slots.min(left).min(room.limit.unwrap_or(u32::MAX));
            placed.extend(std::iter::repeat_n(room.host, taken as usize));
            left -= taken;
            room.limit = room.limit.map(|limit| limit - taken);
        }
        rooms.retain(|room| room.limit != Some(0));
    }
    placed
}

/// All tasks of one host, then the next, in the order in which hosts came first.
fn by_slot(placed: &[u16]) -> Vec<u16> {
    let hosts = counted(placed);
    let each = hosts
        .into_iter()
        .flat_map(|(host, count)| std::iter::repeat_n(host, count));
    each.collect()
}

/// One task of each host in turn.
fn by_host(placed: &[u16]) -> Vec<u16> {
    let hosts = counted(placed);
    let rounds = hosts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let turn = |round| {
        hosts
            .iter()
            .filter(move |(_, count)| *count > round)
            .map(|(host, _)| *host)
    };
    (0..rounds).flat_map(turn).collect()
}

/// How many tasks each host has, in the order in which they came first.
fn counted(placed: &[u16]) -> Vec<(u16, usize)> {
    let mut index = BTreeMap::new();
    let mut hosts: Vec<(u16, usize)> = Vec::new();
    for host in placed {
        let at = *index.entry(*host).or_insert(hosts.len());
        match hosts.get_mut(at) {
            Some((_, count)) => *count += 1,
            None => hosts.push((*host, 1)),
        }
    }
    hosts
}

/// The hosts that are wanted and how many tasks each takes in one round.
fn rooms(wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<Room>, PlaceError> {
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
        let limit = (entry.slots_max > 0).then_some(entry.slots_max);
        Ok((host, slots, limit))
    };
    let mut rooms: Vec<(&Candidate, u32, Option<u32>)> = match wanted.hosts.is_empty() {
        true => hosts.iter().map(|host| (host, each(host), None)).collect(),
        false => wanted.hosts.iter().map(named).collect::<Result<_, _>>()?,
    };
    if !wanted.architecture.is_empty() {
        rooms.retain(|(host, ..)| host.architecture == wanted.architecture);
    }
    if rooms.is_empty() {
        return Err(PlaceError::NoSuchArchitecture(wanted.architecture.clone()));
    }
    Ok(rooms
        .into_iter()
        .map(|(host, slots, limit)| Room {
            host: host.index,
            slots,
            limit,
        })
        .collect())
}

/// The hosts that are not meant.
fn others(wanted: &Placement, hosts: &[Candidate]) -> Result<Vec<Room>, PlaceError> {
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
            ..HostSlots::default()
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
    fn limits_are_kept() {
        let limited = |slots_max| HostSlots {
            slots_max,
            ..slots("b", 1)
        };
        let mut wanted = Placement {
            hosts: vec![limited(2), slots("c", 1)],
            ..Placement::default()
        };
        assert_eq!(place(5, &wanted, &hosts()), Ok(vec![2, 7, 2, 7, 7]));
        wanted.within_slots = true;
        assert_eq!(place(2, &wanted, &hosts()), Ok(vec![2, 7]));
        let full = PlaceError::Full { wanted: 3, room: 2 };
        assert_eq!(place(3, &wanted, &hosts()), Err(full));
    }

    #[test]
    fn ranks_go_their_own_way() {
        let ranks = |by_host, order: RankOrder| {
            let wanted = Placement {
                by_host,
                ranks: order.into(),
                ..Placement::default()
            };
            place(5, &wanted, &hosts()).unwrap()
        };
        assert_eq!(ranks(false, RankOrder::RanksByHost), [2, 1, 7, 2, 7]);
        assert_eq!(ranks(true, RankOrder::RanksBySlot), [2, 2, 1, 1, 7]);
        assert_eq!(
            ranks(true, RankOrder::RanksByHost),
            ranks(true, RankOrder::RanksAsPlaced)
        );
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
