//! Examine: hosts look at themselves and at the ways to the others. Each says what it finds; the one
//! that a tool asks passes it on, of each host as soon as it is there.

use super::{Reply, failure};
use crate::doctor::bounds;
use crate::host::health::Known;
use crate::server::exam::{self, Target};
use crate::server::hub::{Asked, Hub};
use pvm::limits::{EXAM_ANSWER_MS, EXAMS_MAX, HOSTS_MAX};
use pvm::wire::control::{
    ClockReading, Examine, Examined, Examining, Failure, FailureCode, HostName, from_daemon,
    to_daemon,
};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ANSWER: Duration = Duration::from_millis(EXAM_ANSWER_MS);

impl Hub {
    pub(super) fn examine(&mut self, asked: Asked, examine: &Examine) -> Reply {
        match self.host_of_client(asked.client) {
            Some(_) => self.examine_here(move |hub, found| {
                hub.conclude(asked, found.map(from_daemon::Body::Examined));
            }),
            None => self.examine_hosts(asked, &examine.hosts),
        }
        Ok(None)
    }

    fn examine_hosts(&mut self, asked: Asked, named: &[String]) {
        let (hosts, unknown) = self.hosts_named(named);
        let name = |host: &u16| HostName {
            index: (*host).into(),
            name: self.host_name(*host),
        };
        let examining = Examining {
            hosts: hosts.iter().map(name).collect(),
            unknown,
        };
        self.answer(asked, from_daemon::Body::Examining(examining));
        for host in hosts {
            let tell = move |hub: &mut Hub, found: Result<Examined, Failure>| {
                let mut found = found.unwrap_or_else(|failure| Examined {
                    failure: Some(failure),
                    ..Examined::default()
                });
                // A host speaks for itself only.
                found.host = host.into();
                hub.tell(asked.client, from_daemon::Body::Examined(found));
            };
            match host == self.hosts.me.index {
                true => self.examine_here(tell),
                false => self.examine_there(host, tell),
            }
        }
    }

    /// The hosts that are named, or all; and names that are none of theirs.
    fn hosts_named(&self, named: &[String]) -> (BTreeSet<u16>, Vec<String>) {
        let candidates = self.candidates();
        if named.is_empty() {
            return (
                candidates.iter().map(|host| host.index).collect(),
                Vec::new(),
            );
        }
        let (mut hosts, mut unknown) = (BTreeSet::new(), Vec::new());
        for name in named.iter().take(HOSTS_MAX) {
            match crate::job::place::find(name, &candidates) {
                Some(host) => drop(hosts.insert(host.index)),
                None => unknown.push(name.clone()),
            }
        }
        (hosts, unknown)
    }

    fn examine_there(
        &mut self,
        host: u16,
        then: impl FnOnce(&mut Hub, Result<Examined, Failure>) + 'static,
    ) {
        let asked_us = now_us();
        let body = to_daemon::Body::Examine(Examine::default());
        self.ask_host_within(host, body, ANSWER, move |hub, result| {
            let found = result.and_then(|body| match body {
                from_daemon::Body::Examined(found) => {
                    let mut found = bounds::of_another(found);
                    if let Some(clock) = &mut found.clock {
                        bounds::compare(clock, asked_us, now_us());
                    }
                    Ok(found)
                }
                _ => Err(nonsense(&hub.host_name(host))),
            });
            then(hub, found);
        });
    }

    fn examine_here(&mut self, then: impl FnOnce(&mut Hub, Result<Examined, Failure>) + 'static) {
        if self.exams == EXAMS_MAX {
            let refusal = too_many(&self.facts.host);
            return then(self, Err(refusal));
        }
        self.exams += 1;
        let heard_us = now_us();
        let known = self.known_of_here();
        let (targets, left_out) = self.exam_targets();
        let mesh = self.fabric.as_ref().map(|fabric| fabric.mesh.clone());
        let me = self.hosts.me.index;
        self.spawn(async move |hub| {
            let mut found = bounds::within(exam::exam(known, mesh, targets).await);
            found.host = me.into();
            found.left_out = left_out as u32;
            found.clock = Some(ClockReading {
                heard_us,
                answered_us: now_us(),
                ..ClockReading::default()
            });
            let hub = &mut *hub.borrow_mut();
            hub.exams -= 1;
            then(hub, Ok(found));
        });
    }

    fn known_of_here(&self) -> Known {
        let socket = &self.facts.socket;
        Known {
            name: self.facts.host.clone(),
            addresses: self.mesh_addresses(),
            cpus: self.facts.cpus,
            open_files: self.facts.open_files,
            runtime_dir: socket.parent().unwrap_or(socket).to_owned(),
        }
    }

    /// Other hosts that are to be tried, and how many are not.
    fn exam_targets(&self) -> (Vec<Target>, usize) {
        let Some(fabric) = &self.fabric else {
            return (Vec::new(), 0);
        };
        let (others, left_out) = exam::in_turn(self.hosts.me.index, &self.hosts.others);
        let target = |other: &crate::server::hosts::Other| {
            let (daemon, addresses) = fabric.find(other.id)?;
            Some(Target {
                host: other.id.index,
                name: other.facts.name.clone(),
                daemon,
                addresses,
            })
        };
        (others.filter_map(target).collect(), left_out)
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    })
}

fn too_many(name: &str) -> Failure {
    failure(
        FailureCode::FailureResources,
        format!("cannot examine {name}"),
        format!("{EXAMS_MAX} examinations are under way there"),
        "try again in a moment",
    )
}

fn nonsense(name: &str) -> Failure {
    failure(
        FailureCode::FailureMalformed,
        format!("cannot examine {name}"),
        "its daemon answers something else",
        "use one release of pvmd on all hosts",
    )
}
