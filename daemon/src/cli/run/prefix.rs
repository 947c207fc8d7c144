//! What stands in front of lines of output, and what names of files need: who the tasks are. Pure.

use crate::cli::pattern::Subject;
use crate::cli::plan::Prefix;
use crate::ui::text;
use pvm::ids::TaskId;
use pvm::wire::control::JobStarted;
use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

/// The tasks of a job, as far as their names go.
#[derive(Debug, Default)]
pub struct People {
    job: u64,
    size: u32,
    /// Host and process of each rank.
    tasks: BTreeMap<u32, (u16, u32)>,
    hosts: BTreeMap<u16, String>,
}

impl People {
    /// Those of a job that has started.
    pub fn of_job(started: &JobStarted) -> Self {
        let tasks = started.tasks.iter().filter_map(|task| {
            let host = TaskId::from_bits(task.task)?.host();
            Some((task.rank, (host, task.pid)))
        });
        let hosts = started.hosts.iter();
        Self {
            job: started.job,
            size: started.tasks.len() as u32,
            tasks: tasks.collect(),
            hosts: hosts
                .filter_map(|host| Some((host.index.try_into().ok()?, host.name.clone())))
                .collect(),
        }
    }

    /// One of them; of those that were spawned later, host and process are not known.
    pub fn subject(&self, rank: u32) -> Subject<'_> {
        let (host, pid) = self.tasks.get(&rank).copied().unwrap_or_default();
        Subject {
            rank,
            size: self.size,
            host: self.hosts.get(&host).map_or("", |name| name),
            pid,
            job: self.job,
        }
    }

    /// The ranks of each host, host by host in the order of their first ranks.
    pub fn map(&self) -> Vec<String> {
        let mut hosts: Vec<(u16, Vec<u32>)> = Vec::new();
        for (rank, (host, _)) in &self.tasks {
            match hosts.iter_mut().find(|(known, _)| known == host) {
                Some((_, ranks)) => ranks.push(*rank),
                None => hosts.push((*host, vec![*rank])),
            }
        }
        let line = |(host, ranks): &(u16, Vec<u32>)| {
            let name = self.hosts.get(host).map_or("?", |name| name);
            let noun = if ranks.len() == 1 { "rank" } else { "ranks" };
            format!("{noun} {} on {name}", text::ranges(ranks).join(","))
        };
        hosts.iter().map(line).collect()
    }
}

/// Makes what stands in front of lines.
pub struct Prefixes {
    prefix: Prefix,
    people: People,
    /// One moment, by both clocks.
    moment: (Instant, SystemTime),
}

impl Prefixes {
    /// `instant` and `time` are the same moment.
    pub fn new(prefix: Prefix, instant: Instant, time: SystemTime) -> Self {
        Self {
            prefix,
            people: People::default(),
            moment: (instant, time),
        }
    }

    /// The tasks are known now.
    pub fn meet(&mut self, people: People) {
        self.people = people;
    }

    /// The tasks.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Whether nothing stands there.
    pub fn are_none(&self) -> bool {
        self.prefix == Prefix::default()
    }

    /// What stands in front of a line of one task.
    pub fn of(&self, rank: u32, now: Option<Instant>) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.prefix.time {
            let (instant, time) = self.moment;
            let since = now.map_or_else(Default::default, |now| {
                now.saturating_duration_since(instant)
            });
            bytes.extend(text::utc(time + since).into_bytes());
            bytes.push(b' ');
        }
        if let Some(pattern) = &self.prefix.text {
            bytes.extend(pattern.of(&self.people.subject(rank)).into_encoded_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::pattern::Pattern;
    use pvm::wire::control::{NamedHost, StartedTask};
    use std::time::Duration;

    fn people() -> People {
        let task = |rank: u32, host| StartedTask {
            task: TaskId::new(host, 1, rank + 1).unwrap().bits(),
            pid: 100 + rank,
            rank,
        };
        let host = |index, name: &str| NamedHost {
            index,
            name: name.into(),
        };
        People::of_job(&JobStarted {
            job: 5,
            tasks: vec![task(0, 1), task(1, 2), task(2, 1)],
            hosts: vec![host(1, "a"), host(2, "b")],
        })
    }

    #[test]
    fn lines_begin_with_time_and_text() {
        let prefix = Prefix {
            time: true,
            text: Pattern::read("%h:%r/%p/%j ".as_ref()),
        };
        let start = Instant::now();
        let mut prefixes = Prefixes::new(prefix, start, SystemTime::UNIX_EPOCH);
        prefixes.meet(people());
        let later = start + Duration::from_millis(61_007);
        let text = String::from_utf8(prefixes.of(1, Some(later))).unwrap();
        assert_eq!(text, "1970-01-01T00:01:01.007Z b:1/101/5 ");
    }

    #[test]
    fn maps_name_every_rank() {
        assert_eq!(people().map(), ["ranks 0,2 on a", "rank 1 on b"]);
        assert_eq!(people().subject(9).host, "");
    }
}
