//! The attachment of this process to the virtual machine, which the world and sessions share.
//!
//! The first of them attaches the process. It leaves with `MPI_Finalize`, unless the program has used
//! sessions: then any may come again, so it leaves when the program ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pvm::mpi::{Process, Result};
use pvm::sync::Level;

use super::generated::constants as abi;

/// Who uses the attachment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// From `MPI_Init` to `MPI_Finalize`.
    World,
    /// From `MPI_Session_init` to `MPI_Session_finalize`.
    Session,
}

struct Attached {
    process: Option<Arc<Process>>,
    users: usize,
    /// Whether there was a session.
    sessions: bool,
    /// Whether this process has left before: then it comes again as another task.
    again: bool,
}

static ATTACHED: Mutex<Attached> = Mutex::new(Attached {
    process: None,
    users: 0,
    sessions: false,
    again: false,
});

fn attached() -> MutexGuard<'static, Attached> {
    ATTACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The attached process, if it is.
pub(crate) fn process() -> Option<Arc<Process>> {
    attached().process.clone()
}

/// Another user; gives the process and the thread level, which the first one has decided.
///
/// # Errors
/// As [`Process::attach`].
pub(crate) fn enter(wanted: i32, user: User) -> Result<(Arc<Process>, i32)> {
    let mut attached = attached();
    let process = match &attached.process {
        Some(process) => Arc::clone(process),
        None => {
            let process = Process::attach(level(wanted), attached.again)?;
            Arc::clone(attached.process.insert(process))
        }
    };
    attached.users += 1;
    if user == User::Session && !attached.sessions {
        attached.sessions = true;
        // SAFETY: a function without arguments, which stays. If it cannot be noted, this task leaves
        // without a word, and the launcher says so.
        unsafe { libc::atexit(at_exit) };
    }
    let greatest = match process.task.core.level() {
        Level::Multiple => abi::THREAD_MULTIPLE,
        Level::Serialized => abi::THREAD_SERIALIZED,
        Level::Single => abi::THREAD_FUNNELED,
    };
    Ok((process, wanted.min(greatest)))
}

/// One user less: with the last one everything under way goes out.
pub(crate) fn leave() {
    let mut attached = attached();
    attached.users = attached.users.saturating_sub(1);
    if attached.users > 0 {
        return;
    }
    let stays = attached.sessions;
    let process = match stays {
        true => attached.process.clone(),
        false => attached.process.take(),
    };
    attached.again |= !stays;
    drop(attached);
    process
        .iter()
        .for_each(|process| super::leaks::tell(process));
    match process {
        Some(process) if stays => {
            // What is left goes out with the next user, or when the program ends.
            process.task.settle();
        }
        Some(process) => process.task.leave(),
        None => {}
    }
}

/// A program that ends with nothing open leaves in good order.
extern "C" fn at_exit() {
    // Another thread that is inside has something open.
    let Ok(attached) = ATTACHED.try_lock() else {
        return;
    };
    if let (Some(process), 0) = (&attached.process, attached.users) {
        process.task.leave();
    }
}

fn level(wanted: i32) -> Level {
    match wanted {
        abi::THREAD_MULTIPLE => Level::Multiple,
        abi::THREAD_SERIALIZED => Level::Serialized,
        _ => Level::Single,
    }
}
