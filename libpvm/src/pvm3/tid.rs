//! PVM's 32-bit task ids: bit 31 daemon, bit 30 multicast, host index, local number.

use super::{Error, Result};
use crate::ids::{LOCAL_BITS, LOCAL_MAX, TaskId};
use std::collections::HashMap;

/// Marks the daemon of the host in the rest of the id.
pub const DAEMON: i32 = i32::MIN;
/// Marks a multicast address.
pub const MULTICAST: i32 = 0x4000_0000;
/// The host index.
pub const HOST_MASK: i32 = 0x3ffc_0000;
/// The number inside the host.
pub const LOCAL_MASK: i32 = 0x0003_ffff;
/// Any task, in receives.
pub const ANY: i32 = -1;

/// Whether `tid` has the form of a task's id.
pub fn is_task(tid: i32) -> bool {
    tid & (DAEMON | MULTICAST) == 0 && tid & HOST_MASK != 0 && tid & LOCAL_MASK != 0
}

/// Whether `tid` names a whole host: its daemon, with or without the daemon bit.
pub fn is_host(tid: i32) -> bool {
    tid & MULTICAST == 0 && tid & HOST_MASK != 0 && tid & LOCAL_MASK == 0
}

/// Id of a host, from 1, as `pvm_config` shows it.
pub fn of_host(index: u32) -> i32 {
    ((index << LOCAL_BITS) as i32) & HOST_MASK
}

/// The host part of any id; local, so it never fails.
pub fn to_host(tid: i32) -> i32 {
    tid & HOST_MASK
}

/// Which task each 32-bit id means. The short ids have no incarnation: the newest task that this
/// task has heard of wins, and an unknown id is taken to be of the own host's incarnation.
#[derive(Debug, Default)]
pub struct Names {
    incarnation: u16,
    known: HashMap<i32, TaskId>,
}

impl Names {
    /// A table for the task `me`.
    pub fn new(me: TaskId) -> Self {
        let mut names = Self {
            incarnation: me.incarnation(),
            known: HashMap::new(),
        };
        names.learn(me);
        names
    }

    /// Notes a task and returns its short id.
    pub fn learn(&mut self, task: TaskId) -> i32 {
        let tid = task.tid();
        if task.incarnation() != self.incarnation {
            self.known.insert(tid, task);
        }
        tid
    }

    /// Notes a task that came as 64 bits; zero and nonsense become 0.
    pub fn learn_bits(&mut self, bits: u64) -> i32 {
        TaskId::from_bits(bits).map_or(0, |task| self.learn(task))
    }

    /// The task that `tid` names.
    pub fn task(&self, tid: i32) -> Result<TaskId> {
        if !is_task(tid) {
            return Err(Error::BadParam);
        }
        if let Some(task) = self.known.get(&tid) {
            return Ok(*task);
        }
        let host = (tid >> LOCAL_BITS) as u16;
        TaskId::new(host, self.incarnation, tid as u32 & LOCAL_MAX).ok_or(Error::BadParam)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_name_tasks() {
        let me = TaskId::new(1, 3, 1).unwrap();
        let mut names = Names::new(me);
        assert_eq!(names.task(0x40001), Ok(me));
        assert_eq!(names.task(0x40007), Ok(TaskId::new(1, 3, 7).unwrap()));
        let far = TaskId::new(2, 9, 5).unwrap();
        assert_eq!(names.learn(far), 0x80005);
        assert_eq!(names.task(0x80005), Ok(far));
    }

    #[test]
    fn other_ids_are_no_tasks() {
        let names = Names::new(TaskId::new(1, 1, 1).unwrap());
        for tid in [0, -1, -2, 1, 0x40000, 0x4004_0001, DAEMON | 0x40001, DAEMON] {
            assert_eq!(names.task(tid), Err(Error::BadParam), "{tid:x}");
        }
        assert!(is_host(0x40000) && is_host(DAEMON | 0x40000) && !is_host(0x40001) && !is_host(0));
        assert_eq!(to_host(-1), 0x3ffc_0000);
        assert_eq!(of_host(2), 0x80000);
    }
}
