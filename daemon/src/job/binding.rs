//! Binding: which CPUs each task of a launch on one host may use. Pure.
//!
//! CPUs form objects: hardware threads, cores, sockets, parts of the memory. Each task takes one object, or
//! several; when all are taken the next task begins again.

use crate::ui::text;
use pvm::wire::control::{Binding, HostObject};
use std::collections::BTreeMap;

/// A CPU as the system counts them, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub id: u32,
    /// Its core: the numbers of the system are only unlike inside a socket.
    pub core: (u32, u32),
    /// Its socket.
    pub socket: u32,
    /// The memory that is nearest.
    pub numa: u32,
}

/// Why tasks cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// A CPU that is not there, or that we may not use.
    #[error("CPU {cpu} is not among those that tasks may use ({those})")]
    NoSuchCpu {
        /// It.
        cpu: u32,
        /// These may be used.
        those: String,
    },
    /// One task wants more than there is.
    #[error("each task is to have {wanted} of {there}")]
    TooFew {
        /// Objects of one task.
        wanted: u32,
        /// Objects that there are.
        there: String,
    },
}

/// The CPUs of each of `count` tasks, in the order of their ranks.
///
/// # Errors
/// When there are not the CPUs that `wanted` names, or not as many objects as one task wants.
pub fn bind(wanted: &Binding, cpus: &[Cpu], count: usize) -> Result<Vec<Vec<u32>>, BindError> {
    let cpus = allowed(wanted, cpus)?;
    if wanted.object() == HostObject::ObjectNone || cpus.is_empty() {
        return Ok(vec![ids(&cpus); count]);
    }
    if wanted.in_order && !wanted.cpus.is_empty() {
        let turn = wanted.cpus.iter().cycle().take(count);
        return Ok(turn.map(|cpu| vec![*cpu]).collect());
    }
    let objects = spread(wanted, &cpus);
    let each = wanted.count.max(1) as usize;
    if each > objects.len() {
        return Err(BindError::TooFew {
            wanted: wanted.count,
            there: format!(
                "{} {}",
                objects.len(),
                words_of(wanted.object(), objects.len())
            ),
        });
    }
    let seats: Vec<Vec<u32>> = objects.chunks_exact(each).map(|it| it.concat()).collect();
    Ok(seats.iter().cloned().cycle().take(count).collect())
}

/// The CPUs that may be used, of those that are there.
fn allowed(wanted: &Binding, cpus: &[Cpu]) -> Result<Vec<Cpu>, BindError> {
    let is_there = |id: &&u32| cpus.iter().any(|cpu| cpu.id == **id);
    match wanted.cpus.iter().find(|id| !is_there(id)) {
        Some(cpu) => Err(BindError::NoSuchCpu {
            cpu: *cpu,
            those: ranges(&ids(cpus)),
        }),
        None if wanted.cpus.is_empty() => Ok(cpus.to_vec()),
        None => {
            let named = cpus.iter().filter(|cpu| wanted.cpus.contains(&cpu.id));
            Ok(named.copied().collect())
        }
    }
}

fn ids(cpus: &[Cpu]) -> Vec<u32> {
    cpus.iter().map(|cpu| cpu.id).collect()
}

/// An object among those of its kind.
type Place = (u32, u32);

/// Where a CPU belongs, for one kind of object.
fn place(object: HostObject, cpu: &Cpu) -> Place {
    match object {
        HostObject::ObjectNone => (0, 0),
        HostObject::ObjectHwthread => (0, cpu.id),
        HostObject::ObjectCore => cpu.core,
        HostObject::ObjectSocket => (0, cpu.socket),
        HostObject::ObjectNuma => (0, cpu.numa),
    }
}

/// The objects, each as its CPUs, in the order in which tasks take them.
fn spread(wanted: &Binding, cpus: &[Cpu]) -> Vec<Vec<u32>> {
    let mut regions: BTreeMap<Place, BTreeMap<Place, Vec<u32>>> = BTreeMap::new();
    for cpu in cpus {
        let region = regions.entry(place(wanted.spread(), cpu)).or_default();
        region
            .entry(place(wanted.object(), cpu))
            .or_default()
            .push(cpu.id);
    }
    let each = wanted.count.max(1) as usize;
    let regions: Vec<Vec<Vec<u32>>> = regions
        .into_values()
        .map(|it| it.into_values().collect())
        .collect();
    // The objects of a task are of one region, while there are as many; of what is left, of several.
    let rounds = regions.iter().map(|it| it.len() / each).max().unwrap_or(0);
    let turn = |round: usize| {
        let whole = regions
            .iter()
            .map(move |it| it.chunks_exact(each).nth(round));
        whole.flatten().flatten()
    };
    let left = regions
        .iter()
        .flat_map(|it| it.chunks_exact(each).remainder());
    (0..rounds).flat_map(turn).chain(left).cloned().collect()
}

fn words_of(object: HostObject, count: usize) -> &'static str {
    match (object, count) {
        (HostObject::ObjectCore, 1) => "core",
        (HostObject::ObjectCore, _) => "cores",
        (HostObject::ObjectSocket, 1) => "socket",
        (HostObject::ObjectSocket, _) => "sockets",
        (HostObject::ObjectNuma, 1) => "part of the memory",
        (HostObject::ObjectNuma, _) => "parts of the memory",
        (_, 1) => "CPU",
        _ => "CPUs",
    }
}

/// Words about a binding: `CPUs 2-3 [../BB]`, with a letter for each CPU that tasks may use, a '/' between
/// cores and brackets around sockets.
pub fn words(bound: &[u32], cpus: &[Cpu]) -> String {
    let mut sockets: BTreeMap<u32, BTreeMap<(u32, u32), String>> = BTreeMap::new();
    for cpu in cpus {
        let core = sockets
            .entry(cpu.socket)
            .or_default()
            .entry(cpu.core)
            .or_default();
        core.push(if bound.contains(&cpu.id) { 'B' } else { '.' });
    }
    let socket = |cores: BTreeMap<_, String>| {
        format!("[{}]", cores.into_values().collect::<Vec<_>>().join("/"))
    };
    let picture: String = sockets.into_values().map(socket).collect();
    let all = if bound.len() == cpus.len() {
        ", which is all"
    } else {
        ""
    };
    let plural = if bound.len() == 1 { "" } else { "s" };
    format!("CPU{plural} {}{all} {picture}", ranges(bound))
}

/// `0-2,5`.
fn ranges(ids: &[u32]) -> String {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    text::ranges(&sorted).join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two sockets of two cores of two threads; the second thread of each core comes after all first ones.
    fn cpus() -> Vec<Cpu> {
        let cpu = |id: u32| Cpu {
            id,
            core: (id / 2 % 2, id % 2),
            socket: id / 2 % 2,
            numa: id / 2 % 2,
        };
        (0..8).map(cpu).collect()
    }

    fn bound(object: HostObject, spread: HostObject, each: u32, count: usize) -> Vec<Vec<u32>> {
        let wanted = Binding {
            object: object.into(),
            spread: spread.into(),
            count: each,
            ..Binding::default()
        };
        bind(&wanted, &cpus(), count).unwrap()
    }

    #[test]
    fn tasks_take_objects_in_turn() {
        use HostObject::*;
        assert_eq!(bound(ObjectCore, ObjectNone, 0, 2), [[0, 4], [1, 5]]);
        assert_eq!(
            bound(ObjectCore, ObjectSocket, 0, 3),
            [[0, 4], [2, 6], [1, 5]]
        );
        assert_eq!(
            bound(ObjectCore, ObjectSocket, 2, 2),
            [[0, 4, 1, 5], [2, 6, 3, 7]]
        );
        assert_eq!(bound(ObjectSocket, ObjectNone, 1, 3)[2], [0, 1, 4, 5]);
        assert_eq!(bound(ObjectHwthread, ObjectNone, 1, 9)[8], [0]);
        assert_eq!(bound(ObjectNone, ObjectNone, 0, 1)[0].len(), 8);
    }

    #[test]
    fn objects_of_a_task_are_of_one_region_where_they_can_be() {
        let cpu = |id: u32| Cpu {
            id,
            core: (id / 3, id),
            socket: id / 3,
            numa: 0,
        };
        let mut cpus: Vec<Cpu> = (0..6).map(cpu).collect();
        cpus.push(Cpu {
            id: 6,
            core: (1, 6),
            socket: 1,
            numa: 0,
        });
        let mut wanted = Binding {
            object: HostObject::ObjectCore.into(),
            spread: HostObject::ObjectSocket.into(),
            count: 2,
            ..Binding::default()
        };
        let turn = bind(&wanted, &cpus, 4).unwrap();
        assert_eq!(turn, [[0, 1], [3, 4], [5, 6], [0, 1]]);
        wanted.count = 5;
        assert_eq!(bind(&wanted, &cpus, 1).unwrap(), [[0, 1, 2, 3, 4]]);
    }

    #[test]
    fn only_what_is_named_is_used() {
        let mut wanted = Binding {
            object: HostObject::ObjectHwthread.into(),
            cpus: vec![5, 2],
            in_order: true,
            ..Binding::default()
        };
        assert_eq!(bind(&wanted, &cpus(), 3).unwrap(), [[5], [2], [5]]);
        wanted.in_order = false;
        wanted.set_object(HostObject::ObjectCore);
        assert_eq!(bind(&wanted, &cpus(), 2).unwrap(), [[5], [2]]);
        wanted.cpus = vec![9];
        let error = bind(&wanted, &cpus(), 1).unwrap_err().to_string();
        assert_eq!(error, "CPU 9 is not among those that tasks may use (0-7)");
        (wanted.cpus, wanted.count) = (Vec::new(), 5);
        let error = bind(&wanted, &cpus(), 1).unwrap_err().to_string();
        assert_eq!(error, "each task is to have 5 of 4 cores");
    }

    #[test]
    fn bindings_are_drawn() {
        assert_eq!(words(&[0, 4], &cpus()), "CPUs 0,4 [BB/..][../..]");
        assert_eq!(words(&[3], &cpus()), "CPU 3 [../..][../B.]");
        let all: Vec<u32> = (0..8).collect();
        assert_eq!(
            words(&all, &cpus()),
            "CPUs 0-7, which is all [BB/BB][BB/BB]"
        );
    }

    proptest! {
        #[test]
        fn everybody_has_something_that_is_there(
            object in 0i32..6, spread in 0i32..6, count in 0u32..10, tasks in 0usize..20,
            named in prop::collection::vec(0u32..10, 0..4), in_order: bool,
        ) {
            let wanted = Binding { object, spread, count, cpus: named, in_order, report: false };
            if let Ok(bound) = bind(&wanted, &cpus(), tasks) {
                prop_assert_eq!(bound.len(), tasks);
                for cpus in bound {
                    prop_assert!(!cpus.is_empty() && cpus.iter().all(|cpu| *cpu < 8));
                }
            }
        }
    }
}
