//! The life of a job, as a pure state machine.
//!
//! ```text
//! Starting --all started--> Running --all ended--> Ending --keeper gone, pipes drained--> Ended
//!     |                        |                     ^
//!     +--a start failed--------+--failure, timeout,--+
//!                                 ^C, lease lost
//! ```
//! Invariants: the keeper is told to end everything before the job is `Ended`; a job is `Ended`
//! only when every task has ended, its keeper and its parts on other hosts are gone and every output
//! pipe has reached its end;
//! the first failure that happened before the ending began is the first cause, and only that;
//! every launch is answered, with `Started` or `Refused`, exactly once. A task that fails while
//! others are still being started is dealt with when they have been.

use pvm::ids::TaskId;
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    BlockedCall, EndReason, ExitStatus, Failure, FailureCode, FailurePolicy, TaskEnded,
};
use std::time::{Duration, Instant};

/// From SIGTERM to SIGKILL.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long after that a keeper may take before it is killed itself.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// A start that takes longer is talked about.
pub const START_NEWS: Duration = Duration::from_secs(2);
/// A start that takes longer has failed.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// How a job is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What the first failure does.
    pub on_failure: FailurePolicy,
    /// Longest run.
    pub timeout: Option<Duration>,
    /// Whether the tasks are processes of a keeper (else they are adopted ones).
    pub has_keeper: bool,
    /// It is the part of a job on this host: its end comes from the job's home, not of itself.
    pub is_part: bool,
}

/// What the owner of the machine is to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Every task of the launch has started.
    Started,
    /// The launch has failed.
    Refused(Failure),
    /// Tell the keeper and the parts on other hosts to end everything, with this grace.
    EndProcesses(Duration),
    /// The keeper does not obey: kill it.
    KillKeeper,
    /// Tell the launcher what is being waited for.
    News(String),
    /// Tell the launcher of a task's end.
    Report(TaskEnded),
    /// The job is over.
    Ended(Summary),
}

/// The last word about a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The first failure.
    pub first_cause: Option<TaskEnded>,
    /// Tasks that were stopped because the job was being ended.
    pub stopped: u32,
    /// Why it ended.
    pub reason: EndReason,
}

/// How a task's process has ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exit {
    /// Code or signal.
    pub status: ExitStatus,
    /// It was attached and had not detached.
    pub while_attached: bool,
    /// Somebody has subscribed to its end and deals with it.
    pub watched: bool,
    /// Its own host says that the end is no failure.
    pub excused: bool,
    /// Largest resident set.
    pub max_rss_kib: u64,
    /// What it waited for when it was told to end.
    pub call: Option<BlockedCall>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Ending(EndReason),
    Ended(EndReason),
}

#[derive(Debug)]
struct Member {
    task: TaskId,
    pid: u32,
    since: Instant,
    started: bool,
    ended: bool,
    /// Started by a task of the job, not by its launch.
    spawned: bool,
    /// A task has asked for its end.
    asked: bool,
}

/// One job.
#[derive(Debug)]
pub struct Job {
    rules: Rules,
    since: Instant,
    phase: Phase,
    members: Vec<Member>,
    keeper: bool,
    /// Hosts on which it has tasks, besides this one.
    parts: usize,
    /// What the launch waits for before its tasks can be started.
    awaited_hosts: Vec<String>,
    streams: usize,
    first_cause: Option<TaskEnded>,
    stopped: u32,
    patience: Option<Instant>,
    /// The launch has been answered.
    answered: bool,
    /// The launcher has been told that the start takes long.
    told_news: bool,
    /// A task has failed before all had started.
    failed_early: bool,
    id: u64,
}

impl Job {
    /// A job whose tasks are about to be started.
    pub fn new(id: u64, rules: Rules, now: Instant) -> Self {
        Job {
            rules,
            since: now,
            phase: Phase::Starting,
            members: Vec::new(),
            keeper: rules.has_keeper,
            parts: 0,
            awaited_hosts: Vec::new(),
            streams: 0,
            first_cause: None,
            stopped: 0,
            patience: None,
            answered: false,
            told_news: false,
            failed_early: false,
            id,
        }
    }

    /// Adds a task that is about to be started; returns its number in the job.
    pub fn add(&mut self, task: TaskId, spawned: bool, now: Instant) -> u32 {
        self.members.push(Member {
            task,
            pid: 0,
            since: now,
            started: false,
            ended: false,
            spawned,
            asked: false,
        });
        self.members.len() as u32 - 1
    }

    /// The launch is complete: a job that starts empty or by other means is running at once.
    pub fn run(&mut self) {
        self.answered = true;
        if self.phase == Phase::Starting {
            self.phase = Phase::Running;
        }
    }

    /// A job of adopted tasks spawns processes: it has a keeper from now on.
    pub fn keeper_started(&mut self) {
        self.keeper = true;
    }

    /// It has tasks on one more host.
    pub fn part_added(&mut self) {
        self.parts += 1;
    }

    /// The launch waits until these hosts have prepared their tasks.
    pub fn awaits(&mut self, hosts: Vec<String>) {
        self.awaited_hosts = hosts;
    }

    /// Process of a task; 0: none yet.
    pub fn pid(&self, number: u32) -> u32 {
        self.members.get(number as usize).map_or(0, |m| m.pid)
    }

    /// Whether the end of this task has not come.
    pub fn is_open(&self, number: u32) -> bool {
        self.members.get(number as usize).is_some_and(|m| !m.ended)
    }

    /// Whether the task's process has been started.
    pub fn has_started(&self, number: u32) -> bool {
        self.members.get(number as usize).is_some_and(|m| m.started)
    }

    /// Number of tasks, ended ones included.
    pub fn size(&self) -> u32 {
        self.members.len() as u32
    }

    /// Number of living tasks.
    pub fn running(&self) -> u32 {
        self.members.iter().filter(|m| !m.ended).count() as u32
    }

    /// Time since the launch.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether it takes no more tasks.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_) | Phase::Ended(_))
    }

    /// One more output pipe is open.
    pub fn stream_opened(&mut self) {
        self.streams += 1;
    }

    /// A task has asked for this task's end: that is no failure.
    pub fn asked(&mut self, number: u32) {
        if let Some(member) = self.members.get_mut(number as usize) {
            member.asked = true;
        }
    }

    /// A task's process is running.
    pub fn started(&mut self, number: u32, pid: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(member) = self.members.get_mut(number as usize) else {
            return;
        };
        (member.pid, member.since, member.started) = (pid, now, true);
        if self.answered || !self.members.iter().all(|m| m.started || m.spawned) {
            return;
        }
        self.answered = true;
        out.push(Action::Started);
        if self.phase == Phase::Starting {
            self.phase = Phase::Running;
            if self.failed_early {
                self.end(EndReason::EndTaskFailed, GRACE, now, out);
            }
        }
        self.settle(now, out);
    }

    /// A task could not be started.
    pub fn not_started(&mut self, number: u32, why: Failure, now: Instant, out: &mut Vec<Action>) {
        let Some(member) = self.members.get_mut(number as usize) else {
            return;
        };
        member.ended = true;
        if !member.spawned && !std::mem::replace(&mut self.answered, true) {
            out.push(Action::Refused(why));
            self.end(EndReason::EndTaskFailed, Duration::ZERO, now, out);
        }
        self.settle(now, out);
    }

    /// A task has ended.
    pub fn task_ended(&mut self, number: u32, exit: Exit, now: Instant, out: &mut Vec<Action>) {
        let by_us = self.is_ending();
        let Some(member) = self.members.get_mut(number as usize) else {
            return;
        };
        if std::mem::replace(&mut member.ended, true) {
            return;
        }
        let is_failure = is_failure(member, &exit);
        let report = TaskEnded {
            job: self.id,
            rank: number,
            task: member.task.bits(),
            pid: member.pid,
            status: Some(exit.status),
            by_us,
            while_attached: exit.while_attached,
            excused: is_excused(member, &exit),
            host: String::new(),
            ran_ms: now.saturating_duration_since(member.since).as_millis() as u64,
            max_rss_kib: exit.max_rss_kib,
            call: exit.call,
        };
        self.stopped += u32::from(by_us);
        if is_failure && !by_us {
            self.first_cause.get_or_insert_with(|| report.clone());
        }
        out.push(Action::Report(report));
        if is_failure && !by_us {
            if self.rules.on_failure != FailurePolicy::FailureKill {
                // The others go on.
            } else if self.phase == Phase::Starting {
                self.failed_early = true;
            } else {
                self.end(EndReason::EndTaskFailed, GRACE, now, out);
            }
        }
        self.settle(now, out);
    }

    /// Somebody wants the job ended.
    pub fn terminate(
        &mut self,
        reason: EndReason,
        grace: Duration,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        self.end(reason, grace, now, out);
        self.settle(now, out);
    }

    /// The keeper has ended, and so has everything below it. Tasks whose end it has not told
    /// must be reported with `task_ended` by the caller, who calls this first.
    pub fn keeper_gone(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.keeper = false;
        self.patience = None;
        if !self.is_ending() {
            self.end(EndReason::EndKeeperLost, Duration::ZERO, now, out);
        }
        self.settle(now, out);
    }

    /// A host has ended all of the job's processes there and passed on all of their output, or is
    /// lost. Tasks whose end it has not told must be reported with `task_ended` by the caller first.
    pub fn part_gone(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.parts = self.parts.saturating_sub(1);
        self.settle(now, out);
    }

    /// An output pipe has reached its end and all of it has been passed on.
    pub fn stream_closed(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.streams = self.streams.saturating_sub(1);
        self.settle(now, out);
    }

    /// When `tick` is to be called next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let limit = self.rules.timeout.map(|t| self.since + t);
        match self.phase {
            Phase::Starting if self.told_news => earlier(limit, self.since + START_LIMIT),
            Phase::Starting => earlier(limit, self.since + START_NEWS),
            Phase::Running => limit,
            Phase::Ending(_) => self.patience,
            Phase::Ended(_) => None,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.next_deadline().is_none_or(|at| now < at) {
            return;
        }
        match self.phase {
            Phase::Starting if self.age(now) >= START_LIMIT => self.give_up_start(now, out),
            Phase::Starting if !self.told_news && self.is_in_time(now) => {
                self.told_news = true;
                out.push(Action::News(self.waiting_for()));
            }
            Phase::Starting | Phase::Running => {
                self.refuse_unprepared(out);
                self.end(EndReason::EndTimeout, GRACE, now, out);
            }
            Phase::Ending(_) => {
                self.patience = None;
                out.push(Action::KillKeeper);
            }
            Phase::Ended(_) => {}
        }
        self.settle(now, out);
    }

    fn is_in_time(&self, now: Instant) -> bool {
        self.rules.timeout.is_none_or(|t| self.age(now) < t)
    }

    /// What a start waits for, in words.
    fn waiting_for(&self) -> String {
        if !self.awaited_hosts.is_empty() {
            let hosts = self.awaited_hosts.join(", ");
            return format!("no answer yet whether the tasks can be started from: {hosts}");
        }
        let waiting = || {
            self.members
                .iter()
                .enumerate()
                .filter(|(_, m)| !m.started && !m.ended)
        };
        let first = waiting().next().map_or(0, |(number, _)| number);
        let (count, size) = (waiting().count(), self.members.len());
        format!("{count} of {size} tasks have not started yet, the first is rank {first}")
    }

    /// The time limit is reached while other hosts have not even said whether they can start the tasks.
    fn refuse_unprepared(&mut self, out: &mut Vec<Action>) {
        if self.awaited_hosts.is_empty() || std::mem::replace(&mut self.answered, true) {
            return;
        }
        out.push(Action::Refused(Failure {
            code: FailureCode::FailureHostLost.into(),
            what: "cannot start the job in its time limit".into(),
            why: self.waiting_for(),
            next: "see which hosts answer: pvm conf".into(),
        }));
    }

    fn give_up_start(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.answered, true) {
            out.push(Action::Refused(Failure {
                code: FailureCode::FailureResources.into(),
                what: "cannot start the job".into(),
                why: format!("after {} s {}", START_LIMIT.as_secs(), self.waiting_for()),
                next: "look whether the program's file system answers".into(),
            }));
        }
        self.end(EndReason::EndTaskFailed, Duration::ZERO, now, out);
    }

    fn end(&mut self, reason: EndReason, grace: Duration, now: Instant, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Ended(_) => return,
            Phase::Ending(_) if !grace.is_zero() => return,
            Phase::Ending(_) => {}
            Phase::Starting | Phase::Running => self.phase = Phase::Ending(reason),
        }
        out.push(Action::EndProcesses(grace));
        self.patience = self.keeper.then_some(now + grace + PATIENCE);
    }

    /// Goes on to the next phase when nothing holds the job in this one.
    fn settle(&mut self, now: Instant, out: &mut Vec<Action>) {
        let over = self.members.iter().all(|m| m.ended);
        if self.phase == Phase::Running && over && !self.rules.is_part {
            self.end(EndReason::EndAllEnded, GRACE, now, out);
        }
        if let Phase::Ending(reason) = self.phase
            && over
            && !self.keeper
            && self.parts == 0
            && self.streams == 0
        {
            self.phase = Phase::Ended(reason);
            out.push(Action::Ended(Summary {
                first_cause: self.first_cause.take(),
                stopped: self.stopped,
                reason,
            }));
        }
    }
}

fn earlier(limit: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(limit.map_or(other, |at| at.min(other)))
}

/// Ends that count as failures: any code but 0, a signal, leaving without a word while attached.
/// A spawned task whose end was asked for, or is dealt with by a subscriber, does not fail its job.
fn is_failure(member: &Member, exit: &Exit) -> bool {
    if is_excused(member, exit) {
        return false;
    }
    match exit.status.how {
        Some(How::Code(0)) => exit.while_attached,
        Some(How::Detached(_)) => false,
        _ => true,
    }
}

fn is_excused(member: &Member, exit: &Exit) -> bool {
    exit.excused || member.asked || (member.spawned && exit.watched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules {
        on_failure: FailurePolicy::FailureKill,
        timeout: None,
        has_keeper: true,
        is_part: false,
    };

    fn exit(how: How) -> Exit {
        Exit {
            status: ExitStatus {
                how: Some(how),
                core_dumped: false,
            },
            ..Exit::default()
        }
    }

    fn job(tasks: u32, rules: Rules, now: Instant) -> Job {
        let mut job = Job::new(1, rules, now);
        for local in 1..=tasks {
            job.add(TaskId::new(1, 1, local).unwrap(), false, now);
        }
        job
    }

    fn running(tasks: u32, rules: Rules, now: Instant) -> Job {
        let mut job = job(tasks, rules, now);
        let mut out = Vec::new();
        for number in 0..tasks {
            job.started(number, 100 + number, now, &mut out);
        }
        assert_eq!(out, [Action::Started]);
        job
    }

    fn summary(out: &[Action]) -> Option<&Summary> {
        out.iter().find_map(|action| match action {
            Action::Ended(summary) => Some(summary),
            _ => None,
        })
    }

    #[test]
    fn a_good_job_ends_after_its_keeper_and_its_output() {
        let now = Instant::now();
        let mut job = running(2, RULES, now);
        let mut out = Vec::new();
        job.stream_opened();
        job.task_ended(0, exit(How::Code(0)), now, &mut out);
        assert_eq!(out.len(), 1);
        job.task_ended(1, exit(How::Code(0)), now, &mut out);
        assert_eq!(out[2], Action::EndProcesses(GRACE));
        job.keeper_gone(now, &mut out);
        assert_eq!(out.len(), 3);
        job.stream_closed(now, &mut out);
        let summary = summary(&out).unwrap();
        assert_eq!(summary.reason, EndReason::EndAllEnded);
        assert_eq!((summary.stopped, &summary.first_cause), (0, &None));
    }

    #[test]
    fn the_first_failure_is_the_cause_and_the_rest_are_stopped() {
        let now = Instant::now();
        let mut job = running(3, RULES, now);
        let mut out = Vec::new();
        job.task_ended(1, exit(How::Code(3)), now, &mut out);
        assert_eq!(out[1], Action::EndProcesses(GRACE));
        job.task_ended(0, exit(How::Signal(15)), now, &mut out);
        job.task_ended(2, exit(How::Signal(15)), now, &mut out);
        job.keeper_gone(now, &mut out);
        let summary = summary(&out).unwrap();
        assert_eq!(summary.first_cause.as_ref().unwrap().rank, 1);
        assert_eq!(summary.stopped, 2);
        assert_eq!(summary.reason, EndReason::EndTaskFailed);
    }

    #[test]
    fn leaving_without_a_word_while_attached_is_a_failure() {
        let now = Instant::now();
        let mut job = running(2, RULES, now);
        let mut out = Vec::new();
        let rude = Exit {
            while_attached: true,
            ..exit(How::Code(0))
        };
        job.task_ended(0, rude, now, &mut out);
        assert_eq!(out[1], Action::EndProcesses(GRACE));
    }

    #[test]
    fn with_continue_the_others_go_on_and_the_cause_is_kept() {
        let now = Instant::now();
        let rules = Rules {
            on_failure: FailurePolicy::FailureContinue,
            ..RULES
        };
        let mut job = running(2, rules, now);
        let mut out = Vec::new();
        job.task_ended(0, exit(How::Signal(9)), now, &mut out);
        assert_eq!(out.len(), 1);
        job.task_ended(1, exit(How::Code(0)), now, &mut out);
        job.keeper_gone(now, &mut out);
        let summary = summary(&out).unwrap();
        assert_eq!(summary.reason, EndReason::EndAllEnded);
        assert!(summary.first_cause.is_some());
    }

    #[test]
    fn tasks_that_were_asked_to_go_have_not_failed() {
        let now = Instant::now();
        let mut job = running(2, RULES, now);
        let mut out = Vec::new();
        job.asked(0);
        job.task_ended(0, exit(How::Signal(15)), now, &mut out);
        assert!(!job.is_ending());
        let spawned = job.add(TaskId::new(1, 1, 9).unwrap(), true, now);
        let watched = Exit {
            watched: true,
            ..exit(How::Signal(9))
        };
        job.task_ended(spawned, watched, now, &mut out);
        assert!(!job.is_ending());
    }

    #[test]
    fn a_failed_start_refuses_the_launch() {
        let now = Instant::now();
        let mut job = job(2, RULES, now);
        let mut out = Vec::new();
        job.started(0, 7, now, &mut out);
        job.not_started(1, Failure::default(), now, &mut out);
        assert!(matches!(out[0], Action::Refused(_)));
        assert_eq!(out[1], Action::EndProcesses(Duration::ZERO));
        job.task_ended(0, exit(How::Signal(9)), now, &mut out);
        job.keeper_gone(now, &mut out);
        assert!(summary(&out).is_some());
    }

    #[test]
    fn a_failure_during_the_start_waits_for_the_others() {
        let now = Instant::now();
        let mut job = job(2, RULES, now);
        let mut out = Vec::new();
        job.started(0, 7, now, &mut out);
        job.task_ended(0, exit(How::Code(7)), now, &mut out);
        assert_eq!(out.len(), 1);
        job.started(1, 8, now, &mut out);
        assert_eq!(out[1..], [Action::Started, Action::EndProcesses(GRACE)]);
    }

    #[test]
    fn an_interrupt_during_the_start_is_answered_too() {
        let now = Instant::now();
        let mut job = job(2, RULES, now);
        let mut out = Vec::new();
        job.started(0, 7, now, &mut out);
        job.terminate(EndReason::EndInterrupted, GRACE, now, &mut out);
        job.not_started(1, Failure::default(), now, &mut out);
        assert!(matches!(out[1], Action::Refused(_)));
    }

    #[test]
    fn a_start_that_takes_long_is_talked_about_and_given_up() {
        let now = Instant::now();
        let mut job = job(3, RULES, now);
        let mut out = Vec::new();
        job.started(0, 7, now, &mut out);
        assert_eq!(job.next_deadline(), Some(now + START_NEWS));
        job.tick(now + START_NEWS, &mut out);
        let news = "2 of 3 tasks have not started yet, the first is rank 1";
        assert_eq!(out, [Action::News(news.into())]);
        job.tick(now + START_LIMIT, &mut out);
        assert!(matches!(out[1], Action::Refused(_)));
        assert_eq!(out[2], Action::EndProcesses(Duration::ZERO));
    }

    #[test]
    fn time_limits_and_deaf_keepers() {
        let now = Instant::now();
        let rules = Rules {
            timeout: Some(Duration::from_secs(5)),
            ..RULES
        };
        let mut job = running(1, rules, now);
        let mut out = Vec::new();
        job.tick(now + Duration::from_secs(4), &mut out);
        assert!(out.is_empty());
        let late = now + Duration::from_secs(5);
        job.tick(late, &mut out);
        assert_eq!(out, [Action::EndProcesses(GRACE)]);
        assert_eq!(job.next_deadline(), Some(late + GRACE + PATIENCE));
        job.tick(late + GRACE + PATIENCE, &mut out);
        assert_eq!(out[1], Action::KillKeeper);
        job.task_ended(0, exit(How::Signal(9)), late, &mut out);
        job.keeper_gone(late, &mut out);
        assert_eq!(summary(&out).unwrap().reason, EndReason::EndTimeout);
    }

    #[test]
    fn a_second_interrupt_kills_at_once() {
        let now = Instant::now();
        let mut job = running(1, RULES, now);
        let mut out = Vec::new();
        job.terminate(EndReason::EndInterrupted, GRACE, now, &mut out);
        job.terminate(EndReason::EndInterrupted, GRACE, now, &mut out);
        job.terminate(EndReason::EndInterrupted, Duration::ZERO, now, &mut out);
        let ends = [
            Action::EndProcesses(GRACE),
            Action::EndProcesses(Duration::ZERO),
        ];
        assert_eq!(out, ends);
    }

    #[test]
    fn a_part_waits_for_its_home_also_when_all_its_tasks_have_ended() {
        let now = Instant::now();
        let rules = Rules {
            is_part: true,
            on_failure: FailurePolicy::FailureContinue,
            ..RULES
        };
        let mut part = job(1, rules, now);
        part.run();
        let mut out = Vec::new();
        part.started(0, 7, now, &mut out);
        part.task_ended(0, exit(How::Code(3)), now, &mut out);
        assert!(matches!(out[..], [Action::Report(_)]), "{out:?}");
        part.terminate(EndReason::EndInterrupted, GRACE, now, &mut out);
        part.keeper_gone(now, &mut out);
        assert!(summary(&out).is_some());
    }

    #[test]
    fn what_its_host_excuses_is_no_failure() {
        let now = Instant::now();
        let mut job = running(2, RULES, now);
        let mut out = Vec::new();
        let exit = Exit {
            excused: true,
            ..exit(How::Signal(9))
        };
        job.task_ended(0, exit, now, &mut out);
        assert!(!job.is_ending());
    }

    proptest! {
        #[test]
        fn any_order_of_events_ends_once_and_only_when_all_is_over(
            order in prop::collection::vec((0..7u8, 0..4u32), 0..40)
        ) {
            let now = Instant::now();
            let mut job = running(4, RULES, now);
            (0..4).for_each(|_| job.stream_opened());
            (0..2).for_each(|_| job.part_added());
            let (mut keeper, mut streams, mut parts) = (true, 4, 2);
            let mut out = Vec::new();
            let last = [(5, 0), (5, 0), (3, 0)];
            let finish = (0..4).flat_map(|n| [(0, n), (4, 0)]).chain(last);
            for (event, number) in order.into_iter().chain(finish) {
                match event {
                    0 => job.task_ended(number, exit(How::Code(0)), now, &mut out),
                    1 => job.task_ended(number, exit(How::Code(1)), now, &mut out),
                    2 => job.terminate(EndReason::EndInterrupted, GRACE, now, &mut out),
                    3 if job.is_ending() => {
                        keeper = false;
                        job.keeper_gone(now, &mut out);
                    }
                    4 if streams > 0 => {
                        streams -= 1;
                        job.stream_closed(now, &mut out);
                    }
                    5 if parts > 0 && job.is_ending() => {
                        parts -= 1;
                        job.part_gone(now, &mut out);
                    }
                    _ => job.tick(now, &mut out),
                }
                let ended = summary(&out).is_some();
                let nothing_left = !keeper && streams == 0 && parts == 0 && job.running() == 0;
                prop_assert_eq!(ended, nothing_left);
            }
            let count = |wanted: fn(&Action) -> bool| out.iter().filter(|a| wanted(a)).count();
            prop_assert_eq!(count(|a| matches!(a, Action::Ended(_))), 1);
            prop_assert_eq!(count(|a| matches!(a, Action::Report(_))), 4);
            prop_assert!(count(|a| matches!(a, Action::EndProcesses(_))) >= 1);
        }
    }
}
