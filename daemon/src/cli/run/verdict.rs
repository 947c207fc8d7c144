//! The verdict: why a job ended, said last and once. First the cause, then its consequences.
//!
//! Pure: facts in, text, JSON and exit code out. The texts are golden files in `tests/golden`.

use crate::cli::exit::Exit;
use crate::cli::signal;
use crate::cli::stacks::{self, Names};
use crate::ui::text;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{EndReason, ExitStatus, JobEnded, TaskEnded, TaskInfo, exit_status::How};
use serde_json::{Value, json};
use std::time::Duration;

/// What ended the job, as far as we were told.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The daemon reported the end.
    Told(JobEnded),
    /// The daemon itself went away.
    DaemonLost,
    /// We were told to end it and the end was not reported in time.
    GaveUp,
}

/// What we did to the job ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Nothing.
    None,
    /// A signal to us ended it.
    Signal(i32),
    /// Nobody reads our stdout any more.
    ReaderGone,
    /// It hung.
    Hang,
}

/// All that is known at the end.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What ended it.
    pub ending: Ending,
    /// What we did.
    pub push: Push,
    /// The job.
    pub job: u64,
    /// Its number of tasks.
    pub size: u32,
    /// Whether the others go on when a task fails.
    pub continues: bool,
    /// Name of this host.
    pub host: String,
    /// Process id of the daemon.
    pub daemon_pid: u32,
    /// How long it ran.
    pub ran: Duration,
    /// Its time limit.
    pub timeout: Option<Duration>,
    /// How long its tasks may wait in vain.
    pub hang_timeout: Option<Duration>,
    /// Tasks that were stopped, with what they waited for, by rank.
    pub waits: Vec<TaskInfo>,
    /// What tasks are called.
    pub names: Names,
    /// Program of the first cause.
    pub program: String,
    /// Last stderr lines of the first cause, when other output has buried them.
    pub last_words: Vec<Vec<u8>>,
    /// Tasks that failed by themselves, in order of their ends, the first cause included.
    pub failed: Vec<TaskEnded>,
}

/// The last word.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How we end.
    pub exit: Exit,
    /// Lines for stderr, without "pvm run: "; none when all went well.
    pub lines: Vec<String>,
    /// The same for programs.
    pub json: Value,
}

/// Our name in front of a line of ours; not in front of lines that we repeat for others.
pub fn signed(line: &str) -> String {
    match line.starts_with("  | ") {
        true => line.to_owned(),
        false => format!("pvm run: {line}"),
    }
}

/// Judges.
pub fn judge(facts: &Facts) -> Verdict {
    let (result, exit, lines) = match (&facts.ending, facts.push) {
        (Ending::DaemonLost, _) => daemon_lost(facts),
        (_, Push::ReaderGone) => ("reader-gone", Exit::Signal(libc::SIGPIPE), Vec::new()),
        (Ending::GaveUp, push) => gave_up(facts, push),
        (Ending::Told(ended), push) => told(facts, ended, push),
    };
    let json = report(facts, result, exit);
    Verdict { exit, lines, json }
}

type Judgement = (&'static str, Exit, Vec<String>);

fn told(facts: &Facts, ended: &JobEnded, push: Push) -> Judgement {
    let stopped = stopped(ended.stopped);
    match (ended.reason(), push, &ended.first_cause) {
        (EndReason::EndInterrupted, Push::Signal(signal), _) => interrupted(facts, signal),
        (EndReason::EndAllEnded | EndReason::EndTaskFailed, _, Some(cause)) => {
            ("failed", exit_of(cause), failed(facts, ended, cause))
        }
        (EndReason::EndAllEnded, Push::Signal(signal), None) => interrupted(facts, signal),
        (EndReason::EndAllEnded | EndReason::EndTaskFailed, _, None) => {
            ("succeeded", Exit::Success, Vec::new())
        }
        (EndReason::EndTimeout, ..) => {
            let limit = facts.timeout.unwrap_or(facts.ran);
            let line = format!(
                "the time limit of {} (--timeout) was reached; {stopped}",
                text::duration(limit)
            );
            ("timeout", Exit::Timeout, with_waits(facts, line))
        }
        (EndReason::EndInterrupted, Push::Hang, _) => {
            let line = format!(
                "job {} hung: all its tasks waited, and nothing came to any of them for {} (--hang-timeout); {stopped}",
                JobId(facts.job),
                text::duration(facts.hang_timeout.unwrap_or(facts.ran))
            );
            ("hung", Exit::Hang, with_waits(facts, line))
        }
        (EndReason::EndInterrupted, ..) => {
            let line = format!("job {} was ended from outside; {stopped}", JobId(facts.job));
            ("interrupted", Exit::Ours, vec![line])
        }
        (EndReason::EndDaemonHalt, ..) => {
            let line = format!(
                "the virtual machine on {} was halted while job {} ran; {stopped}; run the command again to start a new one",
                facts.host,
                JobId(facts.job)
            );
            ("halted", Exit::Ours, vec![line])
        }
        (EndReason::EndPartitioned, ..) => {
            let line = format!(
                "{} is cut off from most hosts of the virtual machine: {stopped}; see which answer: pvm conf",
                facts.host
            );
            ("partitioned", Exit::Ours, vec![line])
        }
        (EndReason::EndKeeperLost, ..) => {
            let line = format!(
                "the keeper of job {} on {} (its process 'pvmd keeper') was killed; {stopped}; run the command again, and look in dmesg whether the host ran out of memory",
                JobId(facts.job),
                facts.host
            );
            ("keeper-lost", Exit::Ours, vec![line])
        }
    }
}

/// A line, and below it what tasks waited for.
fn with_waits(facts: &Facts, line: String) -> Vec<String> {
    let waits = stacks::lines(&facts.waits, &facts.names);
    std::iter::once(line).chain(waits).collect()
}

fn stopped(count: u32) -> String {
    match count {
        0 => "no task was left to stop".to_owned(),
        1 => "its last task was stopped".to_owned(),
        _ => format!("{count} tasks were stopped"),
    }
}

fn interrupted(facts: &Facts, signal: i32) -> Judgement {
    let line = format!(
        "{} after {}: all tasks of job {} have ended",
        match signal {
            libc::SIGINT => "interrupted".to_owned(),
            _ => format!("ended by {}", signal::name(signal)),
        },
        text::duration(facts.ran),
        JobId(facts.job)
    );
    ("interrupted", Exit::Signal(signal), vec![line])
}

fn gave_up(facts: &Facts, push: Push) -> Judgement {
    let line = format!(
        "the daemon on {} (pid {}) did not report the end of job {}; see what is left with: pvm ps",
        facts.host,
        facts.daemon_pid,
        JobId(facts.job)
    );
    match push {
        Push::Signal(signal) => ("interrupted", Exit::Signal(signal), vec![line]),
        _ => ("daemon-silent", Exit::Ours, vec![line]),
    }
}

fn daemon_lost(facts: &Facts) -> Judgement {
    let line = format!(
        "lost the daemon on {} (pid {}) after {}: it ended or was killed, and {} of job {} with it; run the command again (a new daemon starts by itself)",
        facts.host,
        facts.daemon_pid,
        text::duration(facts.ran),
        text::count(facts.size as usize, "task"),
        JobId(facts.job)
    );
    ("daemon-lost", Exit::Ours, vec![line])
}

/// Exit code for a task's end; a task that leaves its job without a word has failed even with 0.
fn exit_of(cause: &TaskEnded) -> Exit {
    match how(cause) {
        Some(How::Code(0)) => Exit::Task(1),
        Some(How::Code(code)) => Exit::Task(code as u8),
        Some(How::Signal(signal)) => Exit::Signal(signal),
        Some(How::Unknown(_) | How::Detached(_) | How::HostLost(_)) | None => Exit::Ours,
    }
}

fn how(task: &TaskEnded) -> Option<How> {
    task.status.as_ref().and_then(|status| status.how)
}

fn failed(facts: &Facts, ended: &JobEnded, cause: &TaskEnded) -> Vec<String> {
    let mut lines = vec![first_cause(facts, ended, cause)];
    if !facts.last_words.is_empty() {
        lines.push("its last lines on stderr:".to_owned());
        lines.extend(
            facts
                .last_words
                .iter()
                .map(|line| format!("  | {}", text::harmless(line))),
        );
    }
    lines.extend(also_failed(facts, cause));
    if ended.stopped > 0 {
        let others = match ended.stopped {
            1 => "1 other task was".to_owned(),
            count => format!("{count} other tasks were"),
        };
        lines.push(format!(
            "{others} stopped because of it (--on-failure=kill)"
        ));
    }
    if facts.continues && facts.size > 1 {
        lines.push("the other tasks went on to their end (--on-failure=continue)".to_owned());
    }
    lines
}

fn first_cause(facts: &Facts, ended: &JobEnded, cause: &TaskEnded) -> String {
    let who = format!(
        "rank {} ({}, pid {} on {})",
        cause.rank,
        text::harmless(facts.program.as_bytes()),
        cause.pid,
        host_of(facts, cause)
    );
    let after = text::duration(Duration::from_millis(cause.ran_ms));
    let dumped = cause
        .status
        .as_ref()
        .is_some_and(|status| status.core_dumped);
    let core = if dumped { ", core dumped" } else { "" };
    match how(cause) {
        Some(How::Code(0)) => format!(
            "{who} exited with code 0 after {after} without leaving the virtual machine first (detach, pvm_exit or MPI_Finalize)"
        ),
        Some(How::Code(code)) => {
            let attached = if cause.while_attached {
                " while attached to the virtual machine"
            } else {
                ""
            };
            format!("{who} exited with code {code} after {after}{attached}")
        }
        Some(How::Signal(signal)) => {
            let signal_text = signal::described(signal);
            format!(
                "{who} was killed by {signal_text} after {after}{core}{}",
                why_killed(ended, cause, signal)
            )
        }
        Some(How::Detached(_)) => format!("{who} left the virtual machine after {after}"),
        Some(How::HostLost(_)) => format!(
            "{who} was lost after {after}: its host does not answer any more; see: pvm conf"
        ),
        Some(How::Unknown(_)) | None => format!("{who} ended after {after}, nobody knows how"),
    }
}

/// Where a task ran.
fn host_of(facts: &Facts, task: &TaskEnded) -> String {
    match task.host.as_str() {
        "" => facts.host.clone(),
        host => text::harmless(host.as_bytes()),
    }
}

fn why_killed(ended: &JobEnded, cause: &TaskEnded, signal: i32) -> String {
    let peak = match cause.max_rss_kib {
        0 => String::new(),
        kib => format!(" (it had used {})", text::kibibytes(kib)),
    };
    match (signal, ended.oom_evidence.as_str()) {
        (libc::SIGKILL, "") => format!(
            ": sent from outside, or by the kernel when memory is short{peak}; see: dmesg | tail"
        ),
        (_, "") => String::new(),
        (_, evidence) => format!(
            ": out of memory: {}{peak}",
            text::harmless(evidence.as_bytes())
        ),
    }
}

/// Those that failed by themselves after the first, grouped by how.
fn also_failed(facts: &Facts, cause: &TaskEnded) -> Vec<String> {
    let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
    for task in facts.failed.iter().filter(|task| task.rank != cause.rank) {
        let how = short(task.status.as_ref());
        match groups.iter_mut().find(|(known, _)| *known == how) {
            Some((_, ranks)) => ranks.push(task.rank),
            None => groups.push((how, vec![task.rank])),
        }
    }
    let line = |(how, mut ranks): (String, Vec<u32>)| {
        format!("{} failed too: {how}", text::ranks(&mut ranks))
    };
    groups.into_iter().take(GROUPS_MAX).map(line).collect()
}

/// Most kinds of further failures that are told apart.
const GROUPS_MAX: usize = 5;

/// `exit code 3`, `SIGSEGV (segmentation fault)`.
pub fn short(status: Option<&ExitStatus>) -> String {
    match status.and_then(|status| status.how) {
        Some(How::Code(code)) => format!("exit code {code}"),
        Some(How::Signal(signal)) => signal::described(signal),
        Some(How::Detached(_)) => "left the virtual machine".to_owned(),
        Some(How::HostLost(_)) => "its host was lost".to_owned(),
        Some(How::Unknown(_)) | None => "unknown end".to_owned(),
    }
}

fn report(facts: &Facts, result: &str, exit: Exit) -> Value {
    let ended = match &facts.ending {
        Ending::Told(ended) => Some(ended),
        _ => None,
    };
    let cause = ended
        .and_then(|ended| ended.first_cause.as_ref())
        .filter(|_| result == "failed");
    let evidence = ended
        .map(|ended| ended.oom_evidence.clone())
        .filter(|text| !text.is_empty());
    let words = facts
        .last_words
        .iter()
        .map(|line| text::harmless(line))
        .collect::<Vec<_>>();
    let tells_waits = matches!(exit, Exit::Timeout | Exit::Hang);
    let waits = facts.waits.iter().filter(|_| tells_waits);
    let waits = waits.map(|task| stacks::in_json(task, &facts.names));
    json!({
        "job": JobId(facts.job).to_string(),
        "host": facts.host,
        "size": facts.size,
        "result": result,
        "exit_code": exit.code(),
        "ran_ms": facts.ran.as_millis() as u64,
        "first_cause": cause.map(|cause| task_json(cause, &facts.program)),
        "out_of_memory": evidence,
        "last_stderr": cause.map(|_| words),
        "failed": facts.failed.iter().map(|task| task_json(task, "")).collect::<Vec<_>>(),
        "stopped": ended.map_or(0, |ended| ended.stopped),
        "waits": waits.collect::<Vec<_>>(),
    })
}

fn task_json(task: &TaskEnded, program: &str) -> Value {
    let (code, signal) = match how(task) {
        Some(How::Code(code)) => (Some(code), None),
        Some(How::Signal(signal)) => (None, Some(signal)),
        _ => (None, None),
    };
    json!({
        "rank": task.rank,
        "task": TaskId::from_bits(task.task).map(|id| id.to_string()),
        "pid": task.pid,
        "program": (!program.is_empty()).then_some(program),
        "exit_code": code,
        "signal": signal.map(signal::name),
        "core_dumped": task.status.as_ref().is_some_and(|status| status.core_dumped),
        "while_attached": task.while_attached,
        "ran_ms": task.ran_ms,
        "max_rss_kib": task.max_rss_kib,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm::transport::Operation;
    use pvm::wire::control::BlockedCall;

    fn task(rank: u32, how: How) -> TaskEnded {
        let status = ExitStatus {
            how: Some(how),
            core_dumped: false,
        };
        TaskEnded {
            rank,
            pid: 4711,
            status: Some(status),
            ran_ms: 1_234,
            ..TaskEnded::default()
        }
    }

    fn facts(reason: EndReason, cause: Option<TaskEnded>, stopped: u32) -> Facts {
        let failed = cause.iter().cloned().collect();
        let ended = JobEnded {
            first_cause: cause,
            stopped,
            reason: reason.into(),
            ..JobEnded::default()
        };
        Facts {
            ending: Ending::Told(ended),
            push: Push::None,
            job: 3,
            size: 8,
            continues: false,
            host: "node7".into(),
            daemon_pid: 88,
            ran: Duration::from_millis(2_500),
            timeout: Some(Duration::from_secs(10)),
            hang_timeout: Some(Duration::from_secs(60)),
            waits: Vec::new(),
            names: Names::default(),
            program: "./solver".into(),
            last_words: Vec::new(),
            failed,
        }
    }

    /// Two ranks are in a barrier, the third receives.
    fn waits() -> (Vec<TaskInfo>, Names) {
        let bits = |rank: u32| TaskId::new(1, 1, rank + 1).unwrap().bits();
        let task = |rank, operation: Operation| TaskInfo {
            task: bits(rank),
            job: 3,
            rank,
            pid: 4711 + rank,
            attached: true,
            call: Some(BlockedCall {
                operation: operation as u32,
                peer: bits(0),
                tag: 7,
                bytes: 4,
                waiting_ms: 61_000,
                ..BlockedCall::default()
            }),
            ..TaskInfo::default()
        };
        let tasks = vec![
            task(0, Operation::Barrier),
            task(1, Operation::Barrier),
            task(2, Operation::Receive),
        ];
        let names = Names::of(&tasks);
        (tasks, names)
    }

    fn text_of(facts: &Facts) -> String {
        judge(facts)
            .lines
            .iter()
            .map(|line| signed(line) + "\n")
            .collect()
    }

    /// Name of the golden file, facts, exit code.
    fn cases() -> Vec<(&'static str, Facts, u8)> {
        use EndReason::*;
        let segv = task(3, How::Signal(libc::SIGSEGV));
        let mut dumped = segv;
        dumped.status.as_mut().unwrap().core_dumped = true;
        let mut buried = facts(EndTaskFailed, Some(dumped), 7);
        buried.last_words = vec![
            b"solver.c:12: x > 0 failed".to_vec(),
            b"\x1b[1mbye".to_vec(),
        ];
        let mut oom = facts(EndTaskFailed, Some(task(7, How::Signal(libc::SIGKILL))), 7);
        let Ending::Told(ended) = &mut oom.ending else {
            unreachable!()
        };
        ended.oom_evidence = "memory.events oom_kill 0 -> 1".into();
        ended.first_cause.as_mut().unwrap().max_rss_kib = 33_449_574;
        let mut attached = task(2, How::Code(5));
        attached.while_attached = true;
        let mut goes_on = facts(EndAllEnded, Some(task(1, How::Code(3))), 0);
        goes_on.continues = true;
        goes_on
            .failed
            .extend([4, 6, 7].map(|rank| task(rank, How::Code(3))));
        goes_on.failed.push(task(0, How::Signal(libc::SIGABRT)));
        let mut interrupted = facts(EndInterrupted, Some(task(0, How::Signal(15))), 8);
        interrupted.push = Push::Signal(libc::SIGINT);
        let mut late = facts(EndTimeout, None, 3);
        (late.waits, late.names) = waits();
        let mut hung = facts(EndInterrupted, None, 3);
        hung.push = Push::Hang;
        (hung.waits, hung.names) = waits();
        let mut lost = facts(EndAllEnded, None, 0);
        lost.ending = Ending::DaemonLost;
        let mut silent = interrupted.clone();
        silent.ending = Ending::GaveUp;
        vec![
            (
                "exit_code",
                facts(EndTaskFailed, Some(task(3, How::Code(3))), 7),
                3,
            ),
            ("signal_with_last_words", buried, 139),
            (
                "killed",
                facts(EndTaskFailed, Some(task(3, How::Signal(9))), 1),
                137,
            ),
            ("out_of_memory", oom, 137),
            ("while_attached", facts(EndTaskFailed, Some(attached), 7), 5),
            (
                "zero_while_attached",
                facts(EndTaskFailed, Some(task(3, How::Code(0))), 7),
                1,
            ),
            ("others_go_on", goes_on, 3),
            ("timeout", facts(EndTimeout, None, 8), 124),
            ("timeout_of_tasks_that_wait", late, 124),
            ("hung", hung, 123),
            ("interrupted", interrupted, 130),
            ("no_report", silent, 130),
            ("halted", facts(EndDaemonHalt, None, 8), 125),
            ("keeper_lost", facts(EndKeeperLost, None, 8), 125),
            ("daemon_lost", lost, 125),
        ]
    }

    #[test]
    fn verdicts_are_the_golden_ones() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/verdict.txt");
        let mut all = String::new();
        for (name, facts, code) in cases() {
            let verdict = judge(&facts);
            assert_eq!(verdict.exit.code(), code, "{name}");
            assert_eq!(verdict.json["exit_code"], code, "{name}");
            all.push_str(&format!(
                "== {name}: exit code {code}\n{}\n",
                text_of(&facts)
            ));
        }
        let expected = std::fs::read_to_string(golden).unwrap_or_default();
        assert!(
            all == expected,
            "{golden} should be, if this is better:\n{all}"
        );
    }

    #[test]
    fn success_is_silent() {
        let verdict = judge(&facts(EndReason::EndAllEnded, None, 0));
        assert_eq!((verdict.exit, verdict.lines.len()), (Exit::Success, 0));
        let mut facts = facts(EndReason::EndInterrupted, None, 4);
        facts.push = Push::ReaderGone;
        let verdict = judge(&facts);
        assert_eq!((verdict.exit.code(), verdict.lines.len()), (141, 0));
    }
}
