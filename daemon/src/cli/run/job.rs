//! What the launcher knows of its job. Pure: events in, counts and texts out.

use super::verdict;
use crate::cli::plan::App;
use crate::cli::stacks::Names;
use crate::ui::text;
use pvm::wire::control::{ExitStatus, JobStarted, TaskEnded, TaskInfo, exit_status::How};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// The job as seen from here.
#[derive(Debug, Default)]
pub struct Job {
    /// Its number, once it has started.
    pub id: Option<u64>,
    /// Tasks that have ended.
    pub ended: u32,
    /// Those that failed by themselves, in order.
    pub failed: Vec<TaskEnded>,
    /// Those that were stopped, with what they waited for.
    stopped: Vec<TaskInfo>,
    /// What all of them are called.
    pub names: Names,
    /// Tasks of the launch that have not ended.
    pub open: BTreeSet<u64>,
    /// How which ranks have ended.
    ends: Vec<(String, Vec<u32>)>,
}

impl Job {
    /// It has started.
    pub fn started(&mut self, started: &JobStarted) {
        self.id = Some(started.job);
        for task in &started.tasks {
            self.open.insert(task.task);
            self.names.add(&TaskInfo {
                task: task.task,
                job: started.job,
                rank: task.rank,
                ..TaskInfo::default()
            });
        }
    }

    /// A task has ended. Returns a line about it for those who want to know all.
    pub fn task_ended(&mut self, task: TaskEnded) -> String {
        self.ended += 1;
        self.open.remove(&task.task);
        if task.by_us {
            self.stopped.push(TaskInfo {
                task: task.task,
                job: task.job,
                rank: task.rank,
                pid: task.pid,
                attached: task.while_attached,
                call: task.call,
                ..TaskInfo::default()
            });
        }
        let after = text::duration(Duration::from_millis(task.ran_ms));
        let by_us = if task.by_us { ", stopped by us" } else { "" };
        let how = verdict::short(task.status.as_ref());
        let line = format!(
            "rank {} (pid {}) ended after {after}: {how}{by_us}",
            task.rank, task.pid
        );
        if !task.by_us && !task.excused && is_failure(&task) {
            self.failed.push(task);
        }
        line
    }
}

impl Job {
    /// The tasks that were stopped, with what they waited for, by rank.
    pub fn waits(&self) -> Vec<TaskInfo> {
        let mut waits = self.stopped.clone();
        waits.sort_unstable_by_key(|task| task.rank);
        waits
    }

    /// Notes how a task has ended.
    pub fn note_end(&mut self, task: &TaskEnded) {
        let how = verdict::short(task.status.as_ref());
        match self.ends.iter_mut().find(|(known, _)| *known == how) {
            Some((_, ranks)) => ranks.push(task.rank),
            None => self.ends.push((how, vec![task.rank])),
        }
    }

    /// How all tasks have ended, a line for each way.
    pub fn ends(&mut self) -> Vec<String> {
        for (_, ranks) in &mut self.ends {
            ranks.sort_unstable();
        }
        self.ends
            .sort_unstable_by_key(|(_, ranks)| ranks.first().copied());
        let lines = self.ends.iter().map(|(how, ranks)| {
            let noun = if ranks.len() == 1 { "rank" } else { "ranks" };
            format!("{noun} {}: {how}", text::ranges(ranks).join(","))
        });
        lines.collect()
    }
}

fn is_failure(task: &TaskEnded) -> bool {
    match &task.status {
        Some(ExitStatus {
            how: Some(How::Code(0)),
            ..
        }) => task.while_attached,
        Some(ExitStatus {
            how: Some(How::Detached(_)),
            ..
        }) => false,
        _ => true,
    }
}

/// Program of a rank; tasks that were spawned later have the ranks after those of the launch.
pub fn program(apps: &[App], rank: u32) -> Cow<'_, str> {
    let mut first = 0;
    for app in apps {
        first += app.count;
        if rank < first {
            return app.program.to_string_lossy();
        }
    }
    Cow::Borrowed("spawned")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(count: u32, program: &str) -> App {
        App {
            count,
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            on_each_host: false,
            bare: false,
            directory: None,
            path: None,
            placement: None,
            hosts: Vec::new(),
        }
    }

    #[test]
    fn ranks_go_through_the_programs() {
        let apps = [app(1, "a"), app(3, "b")];
        let names: Vec<_> = (0..5).map(|rank| program(&apps, rank)).collect();
        assert_eq!(names, ["a", "b", "b", "b", "spawned"]);
    }

    #[test]
    fn ends_are_told_together() {
        let task = |rank, code| TaskEnded {
            rank,
            status: Some(ExitStatus {
                how: Some(How::Code(code)),
                core_dumped: false,
            }),
            ..TaskEnded::default()
        };
        let mut job = Job::default();
        for (rank, code) in [(2, 0), (1, 3), (0, 0)] {
            job.note_end(&task(rank, code));
        }
        let code = verdict::short(task(0, 3).status.as_ref());
        assert!(job.ends()[0].starts_with("ranks 0,2: "));
        assert_eq!(job.ends()[1], format!("rank 1: {code}"));
    }

    #[test]
    fn failures_of_their_own_are_kept() {
        let task = |how, by_us, while_attached| TaskEnded {
            status: Some(ExitStatus {
                how: Some(how),
                core_dumped: false,
            }),
            by_us,
            while_attached,
            ..TaskEnded::default()
        };
        let mut job = Job::default();
        job.task_ended(task(How::Code(0), false, false));
        job.task_ended(task(How::Signal(15), true, false));
        assert_eq!((job.ended, job.failed.len()), (2, 0));
        job.task_ended(task(How::Code(0), false, true));
        job.task_ended(task(How::Code(3), false, false));
        assert_eq!((job.ended, job.failed.len()), (4, 2));
        job.task_ended(TaskEnded {
            excused: true,
            ..task(How::Signal(9), false, true)
        });
        assert_eq!((job.ended, job.failed.len()), (5, 2));
    }
}
