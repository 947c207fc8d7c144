//! `pvm stacks`: what tasks wait for, and which of them is the odd one out.

use super::connect::Trouble;
use super::exit::Exit;
use super::listed::{self, id, job, rank, word};
use super::{low, say};
use crate::ui::table::{Column, Look, render};
use crate::ui::text;
use pvm::ids::{JobId, TaskId};
use pvm::transport::Operation;
use pvm::wire::control::{BlockedCall, TaskInfo};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const COLUMNS: &[Column] = &[
    Column("JOB", false),
    Column("RANK", true),
    Column("HOST", true),
    Column("TASK", false),
    Column("PID", true),
    Column("FOR", true),
    Column("IN", false),
];

/// Most ranks that one line names.
const NAMED_MAX: usize = 8;
/// Most tasks that a verdict lists.
const ROWS_MAX: usize = 32;

/// Does `pvm stacks`.
///
/// # Errors
/// When no daemon answers.
pub fn main(typed: &low::Stacks, look: Look) -> Result<Exit, Trouble> {
    let tasks = listed::tasks(typed.job)?;
    if let (Some(job), true) = (typed.job, tasks.is_empty()) {
        say::error("pvm stacks", &format!("no tasks of job {job}; see: pvm ps"));
        return Ok(Exit::Refused);
    }
    let names = Names::of(&tasks);
    if typed.json {
        let all = tasks.iter().map(|task| in_json(task, &names));
        return Ok(say::json(&all.collect()));
    }
    let mut page = table(look, &tasks, &names);
    for line in odd_ones(&tasks) {
        page.push_str(&line);
        page.push('\n');
    }
    Ok(say::out(&page))
}

/// The same as lines of a verdict: who is the odd one out, then the table, of the first tasks only; no
/// lines when none of them waits.
pub fn lines(tasks: &[TaskInfo], names: &Names) -> Vec<String> {
    if tasks.iter().all(|task| task.call.is_none()) {
        return Vec::new();
    }
    let mut lines = odd_ones(tasks);
    let listed = &tasks[..tasks.len().min(ROWS_MAX)];
    let table = table(Look::Plain, listed, names);
    lines.extend(table.lines().map(|row| format!("  | {}", row.trim_end())));
    if tasks.len() > ROWS_MAX {
        lines.push(format!("  | and {} more", tasks.len() - ROWS_MAX));
    }
    lines
}

fn table(look: Look, tasks: &[TaskInfo], names: &Names) -> String {
    let rows: Vec<_> = tasks.iter().map(|task| row(task, names)).collect();
    render(look, COLUMNS, &rows)
}

/// What tasks are called by their peers.
#[derive(Debug, Default, Clone)]
pub struct Names(BTreeMap<u64, (u64, u32)>);

impl Names {
    /// Those of a list.
    pub fn of(tasks: &[TaskInfo]) -> Self {
        let mut names = Self::default();
        tasks.iter().for_each(|task| names.add(task));
        names
    }

    /// One more.
    pub fn add(&mut self, task: &TaskInfo) {
        if !task.foreign {
            self.0.insert(task.task, (task.job, task.rank));
        }
    }

    /// A peer of a task of `job`.
    fn peer(&self, job: u64, peer: u64) -> String {
        match self.0.get(&peer) {
            Some((of, rank)) if *of == job => format!("rank {rank}"),
            _ => format!("task {}", id(peer)),
        }
    }
}

/// What a task does, for people.
pub fn doing(task: &TaskInfo, names: &Names) -> String {
    match &task.call {
        Some(call) => in_call(call, task.job, names),
        None if task.attached => "running, or waiting for something else".to_owned(),
        None => "running, not attached".to_owned(),
    }
}

fn in_call(call: &BlockedCall, job: u64, names: &Names) -> String {
    let operation = Operation::of(call.operation);
    let what = operation.text();
    let size = match call.bytes {
        0 => String::new(),
        bytes => format!(", {bytes} bytes"),
    };
    if operation.is_collective() || operation == Operation::Requests {
        return format!("{what}{size}");
    }
    let tag = match call.tag {
        tag if tag < 0 => "any tag".to_owned(),
        tag => format!("tag {tag}"),
    };
    let word = if operation == Operation::Send {
        "to"
    } else {
        "from"
    };
    let peer = match call.peer {
        0 => "anybody".to_owned(),
        peer => names.peer(job, peer),
    };
    format!("{what} {word} {peer}, {tag}{size}")
}

fn row(task: &TaskInfo, names: &Names) -> Vec<String> {
    let host = TaskId::from_bits(task.task).map(|id| id.host());
    let waiting = task.call.as_ref().map(|call| call.waiting_ms);
    vec![
        word(job(task)),
        word(rank(task)),
        word(host),
        id(task.task),
        task.pid.to_string(),
        word(waiting.map(|ms| text::duration(Duration::from_millis(ms)))),
        doing(task, names),
    ]
}

/// The same for programs.
pub fn in_json(task: &TaskInfo, names: &Names) -> Value {
    let call = task.call.as_ref().map(|call| {
        json!({
            "operation": Operation::of(call.operation).text(),
            "context": call.context,
            "peer": (call.peer != 0).then(|| id(call.peer)),
            "tag": (call.tag >= 0).then_some(call.tag),
            "bytes": call.bytes,
            "waiting_ms": call.waiting_ms,
        })
    });
    json!({
        "job": job(task),
        "rank": rank(task),
        "task": id(task.task),
        "pid": task.pid,
        "call": call,
        "doing": doing(task, names),
    })
}

/// For each job most of whose tasks are in one collective: those that are not; else those of its tasks
/// that wait for each other in a circle.
pub fn odd_ones(tasks: &[TaskInfo]) -> Vec<String> {
    let mut jobs: BTreeMap<u64, Vec<&TaskInfo>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.job != 0 && task.attached) {
        jobs.entry(task.job).or_default().push(task);
    }
    let lines = jobs.iter().filter_map(|(job, tasks)| {
        let line = odd_one(tasks).or_else(|| circle(tasks))?;
        Some(format!("{}: {line}", JobId(*job)))
    });
    lines.collect()
}

fn odd_one(tasks: &[&TaskInfo]) -> Option<String> {
    let collective = |task: &TaskInfo| {
        let call = task.call.as_ref()?;
        let operation = Operation::of(call.operation);
        operation.is_collective().then_some(operation as u32)
    };
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for operation in tasks.iter().filter_map(|task| collective(task)) {
        *counts.entry(operation).or_default() += 1;
    }
    let (most, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let others: Vec<&&TaskInfo> = tasks
        .iter()
        .filter(|task| collective(task) != Some(most))
        .collect();
    if others.is_empty() || count <= others.len() {
        return None;
    }
    let what = Operation::of(most).text();
    let mut named: Vec<String> = others
        .iter()
        .take(NAMED_MAX)
        .map(|task| format!("rank {} (pid {})", task.rank, task.pid))
        .collect();
    if others.len() > NAMED_MAX {
        named.push(format!("{} more", others.len() - NAMED_MAX));
    }
    let verb = if others.len() == 1 { "is" } else { "are" };
    Some(format!(
        "{count} of {} ranks are in {what}; {} {verb} not",
        tasks.len(),
        named.join(", ")
    ))
}

/// Tasks each of which waits for the next, and the last for the first.
fn circle(tasks: &[&TaskInfo]) -> Option<String> {
    let awaited = |task: &TaskInfo| {
        let call = task.call.as_ref()?;
        let is_for_one = !Operation::of(call.operation).is_collective() && call.peer != task.task;
        let awaited = tasks.iter().find(|other| other.task == call.peer);
        awaited.copied().filter(|_| is_for_one)
    };
    let around = |first: &TaskInfo| {
        let mut ranks = vec![first.rank];
        let mut next = awaited(first)?;
        while next.task != first.task {
            if ranks.len() == NAMED_MAX {
                return None;
            }
            ranks.push(next.rank);
            next = awaited(next)?;
        }
        Some(ranks)
    };
    let ranks = tasks.iter().find_map(|task| around(task))?;
    let first = ranks[0];
    let others = ranks[1..].iter().chain([&first]);
    let others: Vec<_> = others.map(|rank| format!("for rank {rank}")).collect();
    Some(format!(
        "rank {first} waits {}",
        others.join(", which waits ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(rank: u32, call: Option<(Operation, u32, i32)>) -> TaskInfo {
        let bits = |rank: u32| TaskId::new(1, 1, rank + 1).unwrap().bits();
        TaskInfo {
            task: bits(rank),
            job: 2,
            rank,
            pid: 70 + rank,
            attached: true,
            call: call.map(|(operation, peer, tag)| BlockedCall {
                operation: operation as u32,
                peer: bits(peer),
                tag,
                waiting_ms: 12_000,
                ..BlockedCall::default()
            }),
            ..TaskInfo::default()
        }
    }

    #[test]
    fn calls_are_told_in_words() {
        let tasks = [
            task(0, Some((Operation::Receive, 1, 7))),
            task(1, Some((Operation::Send, 0, 3))),
            task(2, None),
        ];
        let names = Names::of(&tasks);
        let told: Vec<String> = tasks.iter().map(|task| doing(task, &names)).collect();
        assert_eq!(told[0], "receive from rank 1, tag 7");
        assert_eq!(told[1], "send to rank 0, tag 3");
        assert_eq!(told[2], "running, or waiting for something else");
        assert_eq!(row(&tasks[0], &names)[5], "12 s");
        assert_eq!(in_json(&tasks[0], &names)["call"]["tag"], 7);
    }

    #[test]
    fn those_that_wait_for_each_other_are_named() {
        let receive = |from| Some((Operation::Receive, from, 7));
        let mut tasks = vec![task(0, receive(1)), task(1, receive(3)), task(2, None)];
        assert!(odd_ones(&tasks).is_empty());
        tasks.push(task(3, receive(1)));
        assert_eq!(
            odd_ones(&tasks),
            ["j2: rank 1 waits for rank 3, which waits for rank 1"]
        );
        assert!(odd_ones(&[task(0, receive(0))]).is_empty());
    }

    #[test]
    fn a_verdict_lists_some_of_those_that_wait() {
        let mut tasks: Vec<_> = (0..40).map(|rank| task(rank, None)).collect();
        assert!(lines(&tasks, &Names::of(&tasks)).is_empty());
        tasks[3] = task(3, Some((Operation::Receive, 4, 7)));
        let lines = lines(&tasks, &Names::of(&tasks));
        assert_eq!(lines.len(), 1 + ROWS_MAX + 1);
        assert!(
            lines[4].ends_with("12 s  receive from rank 4, tag 7"),
            "{lines:?}"
        );
        assert_eq!(lines.last().unwrap(), "  | and 8 more");
    }

    #[test]
    fn the_odd_one_is_named() {
        let barrier = Some((Operation::Barrier, 0, 0));
        let mut tasks = vec![task(0, barrier), task(1, barrier), task(2, barrier)];
        assert!(odd_ones(&tasks).is_empty());
        tasks.push(task(3, None));
        assert_eq!(
            odd_ones(&tasks),
            ["j2: 3 of 4 ranks are in barrier; rank 3 (pid 73) is not"]
        );
    }
}
