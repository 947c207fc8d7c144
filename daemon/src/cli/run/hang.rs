//! Whether a job hangs: all its tasks wait, and nothing comes to any of them.
//!
//! Pure: lists of tasks and the time go in. The daemon is asked for a list a few times in the limit. A
//! task counts what comes to it and its waits; when that number is the same in two lists, nothing has come
//! between them. A program with several threads may wait in one and compute in another: so a process that
//! uses a processor does not hang. Only time between lists counts, and of each gap only as much as there
//! should be between two: the launcher may have been stopped, and the job with it.

use pvm::wire::control::TaskInfo;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Lists that are asked for in the limit.
const LOOKS: u32 = 8;
/// They are not asked for more often than this, nor more rarely than that.
const PERIOD: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
/// A process that uses more than one part in so many of a processor computes.
const IDLE_PART: u32 = 20;

/// What is known of the job.
#[derive(Debug)]
pub struct Watch {
    limit: Duration,
    next: Instant,
    quiet: Option<Quiet>,
}

/// Since when nothing has come.
#[derive(Debug)]
struct Quiet {
    lasted: Duration,
    looked: Instant,
    tasks: BTreeMap<u64, Waiting>,
}

/// A task that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    turn: u64,
    used: Duration,
}

impl Watch {
    /// A watch over a job that is about to start.
    pub fn new(limit: Duration, now: Instant) -> Self {
        let mut watch = Self {
            limit,
            next: now,
            quiet: None,
        };
        watch.next = now + watch.period();
        watch
    }

    /// When the next list is wanted.
    pub fn next_look(&self) -> Instant {
        self.next
    }

    /// Takes a list of the job's tasks, of which `open` have not ended. Says whether it hangs.
    pub fn look(&mut self, now: Instant, open: &BTreeSet<u64>, list: &[TaskInfo]) -> bool {
        let before = self.quiet.take();
        self.quiet = waiting(open, list).map(|tasks| match before {
            Some(before) if before.goes_on(now, &tasks) => {
                let gap = now.saturating_duration_since(before.looked);
                Quiet {
                    lasted: before.lasted + gap.min(self.period() * 2),
                    looked: now,
                    tasks,
                }
            }
            _ => Quiet {
                lasted: Duration::ZERO,
                looked: now,
                tasks,
            },
        });
        let lasted = self.quiet.as_ref().map_or(Duration::ZERO, |it| it.lasted);
        self.next = now + self.period().min(self.limit.saturating_sub(lasted));
        lasted >= self.limit
    }

    fn period(&self) -> Duration {
        (self.limit / LOOKS).clamp(PERIOD[0], PERIOD[1])
    }
}

impl Quiet {
    /// Whether nothing has happened since.
    fn goes_on(&self, now: Instant, tasks: &BTreeMap<u64, Waiting>) -> bool {
        let gap = now.saturating_duration_since(self.looked);
        let is_same = |(id, task): (&u64, &Waiting)| {
            let before = self.tasks.get(id);
            before.is_some_and(|before| {
                let used = task.used.saturating_sub(before.used);
                task.turn == before.turn && used <= gap / IDLE_PART
            })
        };
        self.tasks.len() == tasks.len() && tasks.iter().all(is_same)
    }
}

/// The tasks, if all that are open are there and all that are there wait.
fn waiting(open: &BTreeSet<u64>, list: &[TaskInfo]) -> Option<BTreeMap<u64, Waiting>> {
    let waits = |task: &TaskInfo| {
        let turn = task.call.as_ref()?.turn;
        let used = Duration::from_millis(task.cpu_ms);
        Some((task.task, Waiting { turn, used }))
    };
    let tasks: BTreeMap<_, _> = list.iter().map(waits).collect::<Option<_>>()?;
    let are_there = open.iter().all(|id| tasks.contains_key(id));
    (!tasks.is_empty() && are_there).then_some(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm::wire::control::BlockedCall;

    const LIMIT: Duration = Duration::from_secs(8);

    /// Tasks that wait, in their turns.
    fn list(turns: &[Option<u64>]) -> Vec<TaskInfo> {
        let task = |(id, turn): (u64, &Option<u64>)| TaskInfo {
            task: id,
            call: turn.map(|turn| BlockedCall {
                turn,
                ..BlockedCall::default()
            }),
            ..TaskInfo::default()
        };
        (1..).zip(turns).map(task).collect()
    }

    /// Looks once a second from `from` on while `turns` stay; the second in which it was said to hang.
    fn hangs_at(
        watch: &mut Watch,
        start: Instant,
        from: u64,
        seconds: u64,
        of: impl Fn(u64) -> Vec<TaskInfo>,
    ) -> Option<u64> {
        let open = BTreeSet::from([1, 2]);
        (from..from + seconds)
            .find(|second| watch.look(start + Duration::from_secs(*second), &open, &of(*second)))
    }

    #[test]
    fn tasks_that_wait_in_vain_for_as_long_as_the_limit_hang() {
        let start = Instant::now();
        let mut watch = Watch::new(LIMIT, start);
        assert_eq!(watch.next_look(), start + Duration::from_secs(1));
        let found = hangs_at(&mut watch, start, 1, 20, |_| list(&[Some(4), Some(9)]));
        assert_eq!(found, Some(9));
    }

    #[test]
    fn whatever_comes_to_one_of_them_begins_the_time_anew() {
        let start = Instant::now();
        let mut watch = Watch::new(LIMIT, start);
        let lively = |second| list(&[Some(4), Some(second / 5)]);
        assert_eq!(hangs_at(&mut watch, start, 1, 60, lively), None);
        let one_computes = |_| list(&[Some(4), None]);
        assert_eq!(hangs_at(&mut watch, start, 61, 60, one_computes), None);
    }

    #[test]
    fn a_task_of_which_nothing_is_known_may_be_at_work() {
        let start = Instant::now();
        let mut watch = Watch::new(LIMIT, start);
        let found = hangs_at(&mut watch, start, 1, 60, |_| list(&[Some(4)]));
        assert_eq!(found, None, "task 2 is not listed");
        let mut watch = Watch::new(LIMIT, start);
        assert!(!watch.look(start + LIMIT * 2, &BTreeSet::new(), &[]));
    }

    #[test]
    fn a_process_that_uses_a_processor_computes() {
        let start = Instant::now();
        let mut watch = Watch::new(LIMIT, start);
        let mut busy = |part: u64| {
            let of = |second| {
                let mut list = list(&[Some(4), Some(9)]);
                list[1].cpu_ms = second * 1000 / part;
                list
            };
            hangs_at(&mut watch, start, 1, 60, of)
        };
        assert_eq!(busy(10), None);
        assert!(busy(100).is_some());
    }

    #[test]
    fn time_in_which_the_launcher_was_stopped_does_not_count() {
        let start = Instant::now();
        let mut watch = Watch::new(LIMIT, start);
        let still = |_| list(&[Some(4), Some(9)]);
        assert_eq!(hangs_at(&mut watch, start, 1, 2, still), None);
        assert_eq!(hangs_at(&mut watch, start, 1000, 2, still), None);
        assert!(watch.next_look() <= start + Duration::from_secs(1002));
    }
}
