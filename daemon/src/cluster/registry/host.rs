//! The hosts of the virtual machine: who belongs, under which number, for how long.

use super::command::Refusal;
use pvm::ids::{HOST_MAX, TaskId};
use pvm::limits::{HOST_ADDRESSES_MAX, HOST_TEXT_MAX};
use pvm::wire::control::DataFormat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// A host as long as it belongs: when it comes back it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostId {
    /// From 1.
    pub index: u16,
    /// From 1.
    pub incarnation: u16,
}

impl HostId {
    /// The host of this index and incarnation.
    pub const fn new(index: u16, incarnation: u16) -> Self {
        HostId { index, incarnation }
    }

    /// The host that a task is on.
    pub fn of(task: TaskId) -> Self {
        HostId::new(task.host(), task.incarnation())
    }

    /// Its number in the ledger's consensus.
    pub fn node(self) -> u64 {
        u64::from(self.index) | u64::from(self.incarnation) << 16
    }

    /// The host that has this number in the ledger's consensus.
    pub fn from_node(node: u64) -> Option<Self> {
        let host = HostId::new(node as u16, (node >> 16) as u16);
        (host.node() == node && host.index != 0).then_some(host)
    }
}

/// Shown as the index; an incarnation other than the first is appended as `.2`.
impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.incarnation {
            1 => write!(f, "{}", self.index),
            n => write!(f, "{}.{n}", self.index),
        }
    }
}

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Drawn at each start of its daemon.
    pub daemon: u128,
    /// By which it is known again.
    pub key: String,
    /// The index that it would have, where nobody else has or had it: hosts that are started at once
    /// and arrive in any order keep the order in which they were named.
    pub number: Option<u16>,
    /// For users.
    pub name: String,
    /// Where its daemon is reached.
    pub addresses: Vec<SocketAddr>,
    /// Its architecture, e.g. `x86_64`.
    pub architecture: String,
    /// How its numbers lie in memory.
    pub format: DataFormat,
    /// Processors.
    pub cpus: u32,
    /// Version of its daemon.
    pub software: String,
}

impl HostFacts {
    pub(super) fn is_bounded(&self) -> bool {
        let texts = [&self.key, &self.name, &self.architecture, &self.software];
        let fit = texts.iter().all(|text| text.len() <= HOST_TEXT_MAX);
        fit && !self.key.is_empty() && HostFacts::are_bounded(&self.addresses)
    }

    pub(super) fn are_bounded(addresses: &[SocketAddr]) -> bool {
        addresses.len() <= HOST_ADDRESSES_MAX
    }

    pub(super) fn weight(&self) -> usize {
        let texts = [&self.key, &self.name, &self.architecture, &self.software];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        texts + self.addresses.len() * size_of::<SocketAddr>()
    }
}

/// Whether a host belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostState {
    /// It does.
    Living,
    /// It did, until it no longer answered.
    Lost,
    /// It did, until it went by itself.
    Left,
}

/// A host, as everybody knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Its number.
    pub id: HostId,
    /// What it says of itself.
    pub facts: HostFacts,
    /// Whether it belongs.
    pub state: HostState,
}

impl HostRecord {
    /// Whether it belongs.
    pub fn is_living(&self) -> bool {
        self.state == HostState::Living
    }
}

/// All hosts, each in its latest incarnation. Of an index there is one record, so among the living
/// an index, a key and a daemon are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Records", into = "Records")]
pub struct HostTable {
    records: Records,
    keys: BTreeMap<String, u16>,
    daemons: BTreeMap<u128, u16>,
}

/// By index.
type Records = BTreeMap<u16, HostRecord>;

impl From<Records> for HostTable {
    fn from(records: Records) -> Self {
        let mut table = HostTable::default();
        records
            .into_values()
            .for_each(|record| table.insert(record));
        table
    }
}

impl From<HostTable> for Records {
    fn from(table: HostTable) -> Self {
        table.records
    }
}

/// What adding a host found.
pub(super) enum Admission {
    /// It is new.
    New(HostRecord),
    /// It has been there.
    Known(HostRecord),
}

impl HostTable {
    /// Gives a daemon its number.
    pub(super) fn add(&mut self, facts: &HostFacts) -> Result<Admission, Refusal> {
        facts.format.form().ok_or(Refusal::DataFormat)?;
        if let Some(record) = self.at(self.daemons.get(&facts.daemon)) {
            return match record.is_living() {
                true => Ok(Admission::Known(record.clone())),
                false => Err(Refusal::DaemonGone(record.id)),
            };
        }
        let record = HostRecord {
            id: self.number_for(&facts.key, facts.number)?,
            facts: facts.clone(),
            state: HostState::Living,
        };
        self.insert(record.clone());
        Ok(Admission::New(record))
    }

    /// Also in the place of a former one with this index.
    fn insert(&mut self, record: HostRecord) {
        let index = record.id.index;
        if let Some(former) = self.records.get(&index) {
            self.keys.remove(&former.facts.key);
            self.daemons.remove(&former.facts.daemon);
        }
        self.keys.insert(record.facts.key.clone(), index);
        self.daemons.insert(record.facts.daemon, index);
        self.records.insert(index, record);
    }

    fn at(&self, index: Option<&u16>) -> Option<&HostRecord> {
        self.records.get(index?)
    }

    /// The old index and the next incarnation for a key that was here; else the index that is wanted, or
    /// the lowest one, of those never used; when there is none, the lowest of a host that is gone.
    fn number_for(&self, key: &str, wanted: Option<u16>) -> Result<HostId, Refusal> {
        if let Some(former) = self.at(self.keys.get(key)) {
            if former.is_living() {
                return Err(Refusal::HostLives(former.id));
            }
            return next_incarnation(former).ok_or(Refusal::TooManyHosts);
        }
        let is_unused =
            |index: &u16| (1..=HOST_MAX).contains(index) && !self.records.contains_key(index);
        let next = self.next_index();
        let first = if self.records.len() < usize::from(next) - 1 {
            1
        } else {
            next
        };
        let unused = wanted.filter(is_unused);
        let unused = unused
            .or_else(|| (first..=HOST_MAX).find(is_unused))
            .map(|index| HostId::new(index, 1));
        let mut gone = self.records.values().filter(|record| !record.is_living());
        let number = unused.or_else(|| gone.find_map(next_incarnation));
        number.ok_or(Refusal::TooManyHosts)
    }

    /// One more than the highest index ever used.
    pub fn next_index(&self) -> u16 {
        let highest = self.records.keys().next_back();
        highest.map_or(1, |index| index.saturating_add(1))
    }

    /// Ends the membership of a living host; `None` when it does not belong.
    pub(super) fn end(&mut self, host: HostId, state: HostState) -> Option<HostRecord> {
        let record = self.records.get_mut(&host.index)?;
        if record.id != host || !record.is_living() {
            return None;
        }
        record.state = state;
        Some(record.clone())
    }

    /// Changes where a living host is reached; `None` when it does not belong.
    pub(super) fn readdress(
        &mut self,
        host: HostId,
        addresses: &[SocketAddr],
    ) -> Option<HostRecord> {
        let record = self.records.get_mut(&host.index)?;
        if record.id != host || !record.is_living() {
            return None;
        }
        record.facts.addresses = addresses.to_vec();
        Some(record.clone())
    }

    /// The latest host with this index.
    pub fn by_index(&self, index: u16) -> Option<&HostRecord> {
        self.records.get(&index)
    }

    /// The host, unless it has come back since.
    pub fn record(&self, host: HostId) -> Option<&HostRecord> {
        self.by_index(host.index).filter(|record| record.id == host)
    }

    /// Whether the host belongs.
    pub fn is_living(&self, host: HostId) -> bool {
        self.record(host).is_some_and(HostRecord::is_living)
    }

    /// Whether the host belonged and does so no longer.
    pub fn is_gone(&self, host: HostId) -> bool {
        let latest = self.by_index(host.index);
        latest.is_some_and(|latest| {
            host.incarnation < latest.id.incarnation || latest.id == host && !latest.is_living()
        })
    }

    /// The hosts that belong, by index.
    pub fn living(&self) -> impl Iterator<Item = &HostRecord> {
        self.records.values().filter(|record| record.is_living())
    }

    /// All hosts, each in its latest incarnation, by index.
    pub fn all(&self) -> impl Iterator<Item = &HostRecord> {
        self.records.values()
    }
}

fn next_incarnation(former: &HostRecord) -> Option<HostId> {
    let incarnation = former.id.incarnation.checked_add(1)?;
    Some(HostId::new(former.id.index, incarnation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_hosts_are_one_to_one() {
        let host = HostId::new(HOST_MAX, 7);
        assert_eq!(HostId::from_node(host.node()), Some(host));
        assert_eq!(HostId::from_node(0), None);
        assert_eq!(HostId::from_node(1 << 32 | 1), None);
        assert_eq!(HostId::new(3, 1).to_string(), "3");
        assert_eq!(HostId::new(3, 2).to_string(), "3.2");
    }
}
