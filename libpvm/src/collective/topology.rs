//! Where the ranks of a communicator are.

use super::team::Team;
use crate::ids::Rank;
use std::collections::BTreeMap;

/// Where the ranks of a communicator are: the same value in all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    size: usize,
    /// All ranks are on one host, which has fewer processors.
    crowded: bool,
    layout: Option<Layout>,
}

impl Topology {
    /// Ranks on these hosts, numbered as the communicator likes; this one has so many processors. What
    /// other hosts have is not known to all ranks, who must choose alike: over several hosts none counts
    /// as crowded.
    pub fn new(hosts: &[u32], cpus: usize) -> Self {
        let (size, layout) = (hosts.len(), Layout::new(hosts));
        Self {
            size,
            crowded: layout.is_none() && size > cpus,
            layout,
        }
    }

    /// All ranks on one host.
    #[cfg(test)]
    pub(super) fn one_host(size: usize, crowded: bool) -> Self {
        Self {
            size,
            crowded,
            layout: None,
        }
    }

    /// Number of ranks.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether all ranks share memory.
    pub fn is_one_host(&self) -> bool {
        self.layout.is_none()
    }

    /// Whether all ranks are on one host that has fewer processors.
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// How a rank goes through a collective host by host; `None` when there is only one host, or no two
    /// ranks share one.
    pub(super) fn by_host(&self, rank: Rank, root: Rank) -> Option<ByHost<'_>> {
        let layout = self.layout.as_ref()?;
        (layout.firsts.len() < self.size).then(|| layout.teams(rank, root))
    }
}

/// The teams of one rank in a collective that goes through hosts first, or last.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByHost<'a> {
    /// The ranks of its host. Member 0 speaks for them.
    pub local: Team<'a>,
    /// Those who speak for their hosts, the root the first of them; `None` for all others.
    pub speakers: Option<Team<'a>>,
    /// The ranks of each host.
    ranks: &'a [Box<[Rank]>],
    /// The host of the root.
    first: usize,
}

impl ByHost<'_> {
    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.ranks.len()
    }

    /// The ranks of the host for which this member of the speakers speaks, rising.
    pub fn ranks(&self, speaker: usize) -> &[Rank] {
        &self.ranks[(speaker + self.first) % self.ranks.len()]
    }

    /// All ranks, host by host from the root's on, each in the order of its own team. For the root, whose
    /// team is the only one in which two ranks have changed places.
    pub fn packed_ranks(&self) -> impl Iterator<Item = Rank> {
        let own = (0..self.local.size).map(|member| self.local.rank(member));
        let others = (1..self.hosts()).flat_map(|speaker| self.ranks(speaker).iter().copied());
        own.chain(others)
    }
}

/// The ranks of several hosts, host by host.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Layout {
    /// The ranks of each host, rising.
    ranks: Box<[Box<[Rank]>]>,
    /// The first of each host.
    firsts: Box<[Rank]>,
    /// Where in `ranks` the host of a rank is.
    host_of: Box<[usize]>,
}

impl Layout {
    fn new(hosts: &[u32]) -> Option<Self> {
        let mut places = BTreeMap::new();
        let mut ranks: Vec<Vec<Rank>> = Vec::new();
        let mut host_of = Vec::with_capacity(hosts.len());
        for (rank, host) in hosts.iter().enumerate() {
            let place = *places.entry(host).or_insert(ranks.len());
            if place == ranks.len() {
                ranks.push(Vec::new());
            }
            ranks[place].push(rank);
            host_of.push(place);
        }
        (ranks.len() > 1).then(|| Layout {
            firsts: ranks.iter().map(|ranks| ranks[0]).collect(),
            ranks: ranks.into_iter().map(Into::into).collect(),
            host_of: host_of.into(),
        })
    }

    /// The root takes the place of the first of its host everywhere, and that one the root's.
    fn teams(&self, rank: Rank, root: Rank) -> ByHost<'_> {
        let host = self.host_of[root];
        let exchanged = (self.firsts[host], root);
        let team = |ranks, first| Team::listed(rank, ranks, first, exchanged);
        let local = team(&self.ranks[self.host_of[rank]], 0);
        ByHost {
            // Every rank is on its host.
            local: local.unwrap_or(Team::all(0, 1)),
            speakers: team(&self.firsts, host),
            ranks: &self.ranks,
            first: host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_speaks_for_its_host() {
        let topology = Topology::new(&[7, 9, 7, 7, 9], 1);
        let names = |team: &Team<'_>| -> Vec<Rank> {
            (0..team.size).map(|member| team.rank(member)).collect()
        };
        for (rank, local, me) in [
            (0, [3, 2, 0].as_slice(), 2),
            (3, &[3, 2, 0], 0),
            (2, &[3, 2, 0], 1),
            (1, &[1, 4], 0),
            (4, &[1, 4], 1),
        ] {
            let teams = topology.by_host(rank, 3).unwrap();
            assert_eq!((names(&teams.local), teams.local.me), (local.to_vec(), me));
            let speaks = teams.speakers.map(|team| (names(&team), team.me));
            let expected = match rank {
                3 => Some((vec![3, 1], 0)),
                1 => Some((vec![3, 1], 1)),
                _ => None,
            };
            assert_eq!(speaks, expected);
        }
        let from_second = topology.by_host(1, 4).unwrap();
        assert_eq!(names(&from_second.local), [4, 1]);
        let from_second = topology.by_host(4, 4).unwrap().speakers.unwrap();
        assert_eq!((names(&from_second), from_second.me), (vec![4, 0], 0));
    }

    #[test]
    fn hosts_without_two_ranks_have_no_teams() {
        assert!(Topology::new(&[1, 2, 3], 1).by_host(0, 0).is_none());
        assert!(!Topology::new(&[1, 2, 3], 1).is_one_host());
        assert!(Topology::new(&[4, 4], 2).by_host(0, 0).is_none());
        assert!(Topology::new(&[4, 4], 2).is_one_host());
    }

    #[test]
    fn one_host_may_be_crowded() {
        assert!(Topology::new(&[4, 4], 1).is_crowded());
        assert!(!Topology::new(&[4, 4], 2).is_crowded());
        assert!(!Topology::new(&[4, 5], 1).is_crowded());
    }
}
