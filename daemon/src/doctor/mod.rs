//! What is wrong with hosts and the ways between them, judged by what they have found: facts in,
//! findings out. Pure.
//!
//! - [`bounds`]: what other hosts say, brought within bounds
//! - [`health`]: each host by itself
//! - [`compare`]: hosts beside each other: clocks, releases, addresses, names
//! - [`ways`]: who does not reach whom; [`size`]: whom large packets do not reach

pub mod bounds;
pub mod compare;
pub mod health;
pub mod size;
#[cfg(test)]
mod tests;
pub mod ways;

use crate::ui::fold::fold;
use pvm::wire::control::{Examined, HostHealth, HostName};
use std::collections::{BTreeMap, HashMap};

/// What was looked at, and what came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// The hosts that were looked at.
    pub hosts: Vec<HostName>,
    /// What they have found, at most once each.
    pub examined: Vec<Examined>,
}

/// Whether something has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It has.
    Problem,
    /// It is good to know.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name: it never changes, so that one can search for it.
    pub id: &'static str,
    /// How bad it is.
    pub weight: Weight,
    /// The hosts that it is about.
    pub hosts: Vec<String>,
    /// What is so, with its subject when the hosts alone do not say it.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do or type next; may be empty.
    pub next: String,
    /// The sentence has its own subject.
    has_subject: bool,
}

impl Finding {
    /// Of one host by itself.
    fn of(host: &str, id: &'static str, weight: Weight, [what, why, next]: [String; 3]) -> Self {
        Self {
            id,
            weight,
            hosts: vec![host.to_owned()],
            what,
            why,
            next,
            has_subject: false,
        }
    }

    /// Of some hosts together, which the sentence names.
    pub fn about(
        hosts: Vec<String>,
        id: &'static str,
        weight: Weight,
        [what, why, next]: [String; 3],
    ) -> Self {
        Self {
            id,
            weight,
            hosts,
            what,
            why,
            next,
            has_subject: true,
        }
    }
}

/// One line.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.has_subject {
            write!(f, "{}: ", fold(&self.hosts))?;
        }
        f.write_str(&self.what)?;
        for (mark, part) in [(": ", &self.why), ("; ", &self.next)] {
            if !part.is_empty() {
                write!(f, "{mark}{part}")?;
            }
        }
        Ok(())
    }
}

/// All that was found, problems first. What several hosts have alike is one finding.
pub fn judge(picture: &Picture) -> Vec<Finding> {
    let view = View::of(picture);
    let mut found = ways::findings(&view);
    found.extend(size::findings(&view));
    found.extend(compare::findings(&view));
    found.extend(health::findings(&view));
    let mut found = together(found);
    found.sort_by_key(|finding| finding.weight == Weight::Note);
    found
}

fn together(found: Vec<Finding>) -> Vec<Finding> {
    let mut places: HashMap<[String; 3], usize> = HashMap::new();
    let mut together: Vec<Finding> = Vec::new();
    for finding in found {
        let texts = [&finding.what, &finding.why, &finding.next].map(Clone::clone);
        match places.get(&texts) {
            Some(at) if !finding.has_subject => together[*at].hosts.extend(finding.hosts),
            _ => {
                places.insert(texts, together.len());
                together.push(finding);
            }
        }
    }
    together
}

/// A picture in which hosts are found.
pub struct View<'a> {
    /// It.
    pub picture: &'a Picture,
    names: BTreeMap<u32, &'a str>,
    healths: BTreeMap<u32, &'a HostHealth>,
}

impl<'a> View<'a> {
    /// Of a picture.
    pub fn of(picture: &'a Picture) -> Self {
        let asked = picture.hosts.iter();
        let asked = asked.map(|host| (host.index, host.name.as_str()));
        let ways = picture.examined.iter().flat_map(|it| &it.ways);
        let ways = ways.map(|way| (way.host, way.name.as_str()));
        let told = picture.examined.iter();
        let healths = told.filter_map(|it| Some((it.host, it.health.as_deref()?)));
        Self {
            picture,
            // What the daemon that was asked calls them counts.
            names: ways.chain(asked).collect(),
            healths: healths.collect(),
        }
    }

    /// Name of a host.
    pub fn name(&self, host: u32) -> String {
        let found = self.names.get(&host);
        found.map_or_else(|| format!("host {host}"), |name| (*name).to_owned())
    }

    /// The hosts that have told how they are.
    fn healths(&self) -> impl Iterator<Item = (u32, &'a HostHealth)> {
        self.healths.iter().map(|(host, health)| (*host, *health))
    }

    fn health(&self, host: u32) -> Option<&'a HostHealth> {
        self.healths.get(&host).copied()
    }
}
