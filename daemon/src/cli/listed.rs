//! Tasks as the daemon lists them, for `ps` and `stacks`.

use super::connect::{self, Trouble};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{ListTasks, TaskInfo, from_daemon, to_daemon};

/// The tasks of a job, or of all, job by job in the order of their ranks.
///
/// # Errors
/// When no daemon answers.
pub fn tasks(job: Option<JobId>) -> Result<Vec<TaskInfo>, Trouble> {
    let mut connection = connect::existing()?;
    let list = ListTasks {
        job: job.map_or(0, |job| job.0),
        ..ListTasks::default()
    };
    let answer = connection.link.call(to_daemon::Body::ListTasks(list))?;
    let from_daemon::Body::TaskList(mut list) = answer.body else {
        return Err(connect::nonsense());
    };
    list.tasks
        .sort_by_key(|task| (task.job, task.rank, task.task));
    Ok(list.tasks)
}

/// A task's id.
pub fn id(task: u64) -> String {
    TaskId::from_bits(task).map_or_else(|| task.to_string(), |id| id.to_string())
}

/// Its job, if it has one.
pub fn job(task: &TaskInfo) -> Option<String> {
    (task.job != 0).then(|| JobId(task.job).to_string())
}

/// Its rank, if it has one.
pub fn rank(task: &TaskInfo) -> Option<u32> {
    (!task.foreign).then_some(task.rank)
}

/// A word of a table, where there may be none.
pub fn word(word: Option<impl ToString>) -> String {
    word.map_or_else(|| "-".to_owned(), |word| word.to_string())
}
