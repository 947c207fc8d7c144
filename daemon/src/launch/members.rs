//! Which named hosts are hosts of the virtual machine already, whatever they are called. Pure: the
//! addresses of names are an argument.
//!
//! A host is the one that is meant when it has the name, or the index, or that name up to the first dot;
//! else when it has one of the addresses that the name stands for. `localhost` and every address of this
//! machine are this host.

use crate::job::place::{Candidate, find};
use std::collections::HashMap;
use std::net::IpAddr;

/// A host of the virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As tasks are placed on it.
    pub host: Candidate,
    /// Where its daemon is.
    pub addresses: Vec<IpAddr>,
}

/// A name that somebody has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As typed, without user and slots.
    pub name: String,
    /// What it stands for, as far as that is known.
    pub addresses: Vec<IpAddr>,
}

/// Who a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// A host that has this name: whoever is asked for it finds it.
    Known,
    /// A host with another name, by its index.
    Member(u16),
    /// No host of the virtual machine; the place in the list of the first name that means it.
    Stranger(usize),
}

/// Whether a host is found by its name alone.
pub fn is_known(name: &str, members: &[Member]) -> bool {
    let hosts: Vec<Candidate> = members.iter().map(|member| member.host.clone()).collect();
    find(name, &hosts).is_some()
}

/// Who each name means. `here` is the index of this host.
pub fn meant(named: &[Named], members: &[Member], here: u16) -> Vec<Meant> {
    let firsts = firsts(named);
    let each = named.iter().zip(firsts);
    each.map(|(it, first)| match () {
        () if is_known(&it.name, members) => Meant::Known,
        () => match at_addresses(&it.addresses, members, here) {
            Some(index) => Meant::Member(index),
            None => Meant::Stranger(first),
        },
    })
    .collect()
}

/// The host with one of these addresses; this one, when several have.
fn at_addresses(addresses: &[IpAddr], members: &[Member], here: u16) -> Option<u16> {
    if addresses.iter().any(IpAddr::is_loopback) {
        return Some(here);
    }
    let has_one = |member: &&Member| member.addresses.iter().any(|it| addresses.contains(it));
    let found: Vec<u16> = members
        .iter()
        .filter(has_one)
        .map(|it| it.host.index)
        .collect();
    match found.contains(&here) {
        true => Some(here),
        false => found.first().copied(),
    }
}

/// For each name the place of the first one that means the same host: it is the same name, or has an
/// address in common with one that does.
fn firsts(named: &[Named]) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..named.len()).collect();
    let mut names = HashMap::new();
    let mut addresses = HashMap::new();
    for (at, it) in named.iter().enumerate() {
        let same_name = *names.entry(&it.name).or_insert(at);
        unite(&mut firsts, at, same_name);
        for address in &it.addresses {
            let same_address = *addresses.entry(address).or_insert(at);
            unite(&mut firsts, at, same_address);
        }
    }
    (0..named.len()).map(|at| root(&firsts, at)).collect()
}

fn unite(firsts: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(firsts, one), root(firsts, other));
    firsts[one.max(other)] = one.min(other);
}

fn root(firsts: &[usize], mut at: usize) -> usize {
    while firsts[at] != at {
        at = firsts[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(index: u16, name: &str, addresses: &[&str]) -> Member {
        Member {
            host: Candidate {
                index,
                name: name.into(),
                architecture: "x86_64".into(),
                cpus: 1,
            },
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    fn named(name: &str, addresses: &[&str]) -> Named {
        Named {
            name: name.into(),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    fn one(named: Named) -> Meant {
        let members = [
            member(1, "node1", &["10.0.0.1", "172.17.0.1"]),
            member(2, "node2.lab", &["10.0.0.2", "172.17.0.1"]),
            member(3, "node3", &["10.0.0.3", "fd00::3", "172.17.0.1"]),
        ];
        meant(&[named], &members, 2)[0]
    }

    #[test]
    fn a_host_has_many_names() {
        for name in ["node1", "node2.lab", "node2", "3"] {
            assert_eq!(one(named(name, &[])), Meant::Known, "{name}");
        }
        let other_spelling = named("node3.lab", &["192.168.7.3", "fd00::3"]);
        assert_eq!(one(other_spelling), Meant::Member(3));
        assert_eq!(one(named("10.0.0.1", &["10.0.0.1"])), Meant::Member(1));
    }

    #[test]
    fn this_host_is_what_is_local() {
        for address in ["127.0.0.1", "::1", "127.0.1.1", "172.17.0.1"] {
            assert_eq!(one(named("localhost", &[address])), Meant::Member(2));
        }
    }

    #[test]
    fn strangers_with_two_names_are_one() {
        let all = [
            named("node8", &["10.0.0.8"]),
            named("alias-of-ssh", &[]),
            named("node8.lab", &["fd00::8", "10.0.0.8"]),
            named("alias-of-ssh", &[]),
            named("10.0.0.9", &["10.0.0.9"]),
            named("fd00::9", &["fd00::9"]),
            named("node9", &["10.0.0.9", "fd00::9"]),
        ];
        let who = meant(&all, &[member(1, "node1", &["10.0.0.1"])], 1);
        assert_eq!(who, [0, 1, 0, 1, 4, 4, 4].map(Meant::Stranger));
    }
}
