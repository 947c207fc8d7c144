//! `pvm ps`: the tasks.

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::{low, say};
use crate::ui::table::{Column, Look, render};
use crate::ui::text;
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{ListTasks, TaskInfo, from_daemon, to_daemon};
use serde_json::{Value, json};
use std::time::Duration;

const COLUMNS: &[Column] = &[
    Column("JOB", false),
    Column("RANK", true),
    Column("TASK", false),
    Column("PID", true),
    Column("STATE", false),
    Column("TIME", true),
    Column("PROGRAM", false),
];

/// Does `pvm ps`.
///
/// # Errors
/// When no daemon answers.
pub fn main(typed: &low::Ps, look: Look) -> Result<Exit, Trouble> {
    let mut connection = connect::existing()?;
    let answer = connection
        .link
        .call(to_daemon::Body::ListTasks(ListTasks::default()))?;
    let from_daemon::Body::TaskList(mut list) = answer.body else {
        return Err(connect::nonsense());
    };
    list.tasks
        .sort_by_key(|task| (task.job, task.rank, task.task));
    Ok(match typed.json {
        true => say::json(&list.tasks.iter().map(in_json).collect()),
        false => say::out(&render(
            look,
            COLUMNS,
            &list.tasks.iter().map(row).collect::<Vec<_>>(),
        )),
    })
}

fn state(task: &TaskInfo) -> &'static str {
    match (task.foreign, task.attached) {
        (true, _) => "by hand",
        (false, true) => "attached",
        (false, false) => "running",
    }
}

fn id(task: u64) -> String {
    TaskId::from_bits(task).map_or_else(|| task.to_string(), |id| id.to_string())
}

fn row(task: &TaskInfo) -> Vec<String> {
    vec![
        if task.job == 0 {
            "-".into()
        } else {
            JobId(task.job).to_string()
        },
        if task.foreign {
            "-".into()
        } else {
            task.rank.to_string()
        },
        id(task.task),
        task.pid.to_string(),
        state(task).to_owned(),
        text::duration(Duration::from_millis(task.running_ms)),
        text::harmless(task.program.as_bytes()),
    ]
}

fn in_json(task: &TaskInfo) -> Value {
    json!({
        "job": (task.job != 0).then(|| JobId(task.job).to_string()),
        "rank": (!task.foreign).then_some(task.rank),
        "task": id(task.task),
        "parent": (task.parent != 0).then(|| id(task.parent)),
        "pid": task.pid,
        "state": state(task),
        "running_ms": task.running_ms,
        "program": task.program,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_become_rows() {
        let task = TaskInfo {
            task: TaskId::new(1, 1, 3).unwrap().bits(),
            job: 2,
            rank: 1,
            pid: 77,
            program: "./a".into(),
            attached: true,
            running_ms: 61_000,
            ..TaskInfo::default()
        };
        assert_eq!(
            row(&task),
            ["j2", "1", "t40003", "77", "attached", "1m01s", "./a"]
        );
        assert_eq!(in_json(&task)["task"], "t40003");
    }
}
