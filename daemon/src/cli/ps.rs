//! `pvm ps`: the tasks.

use super::connect::Trouble;
use super::exit::Exit;
use super::listed::{self, id, job, rank, word};
use super::{low, say};
use crate::ui::table::{Column, Look, render};
use crate::ui::text;
use pvm::wire::control::TaskInfo;
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
    let tasks = listed::tasks(None)?;
    Ok(match typed.json {
        true => say::json(&tasks.iter().map(in_json).collect()),
        false => say::out(&render(
            look,
            COLUMNS,
            &tasks.iter().map(row).collect::<Vec<_>>(),
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

fn row(task: &TaskInfo) -> Vec<String> {
    vec![
        word(job(task)),
        word(rank(task)),
        id(task.task),
        task.pid.to_string(),
        state(task).to_owned(),
        text::duration(Duration::from_millis(task.running_ms)),
        text::harmless(task.program.as_bytes()),
    ]
}

fn in_json(task: &TaskInfo) -> Value {
    json!({
        "job": job(task),
        "rank": rank(task),
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
    use pvm::ids::TaskId;

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
