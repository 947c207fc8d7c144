//! `pvm halt`: end the virtual machine.

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::{low, say};
use pvm::session::LinkError;
use pvm::wire::control::{Halt, to_daemon};
use serde_json::json;

/// Does `pvm halt`; returns when the daemon has gone.
///
/// # Errors
/// When the daemon refuses, or does not answer.
pub fn main(typed: &low::Halt) -> Result<Exit, Trouble> {
    let mut connection = match connect::existing() {
        Ok(connection) => connection,
        Err(Trouble::NoMachine(socket)) => {
            let line = format!(
                "no virtual machine is running (no daemon at {}): nothing to do",
                socket.display()
            );
            return Ok(done(typed, false, &line));
        }
        Err(other) => return Err(other),
    };
    let others = connect::all_here()?;
    let pid = connection.welcome.daemon_pid;
    match connection.link.call(to_daemon::Body::Halt(Halt {
        force: typed.force,
        ..Halt::default()
    })) {
        Ok(_) => {}
        // It may be gone before its answer is read.
        Err(LinkError::Lost) => {}
        Err(error) => return Err(error.into()),
    }
    let host = connection.welcome.host.clone();
    if !connect::see_off(connection) {
        return Err(Trouble::Other(format!(
            "the daemon on {host} (pid {pid}) was told to end and is still there after 10 s; end it with: kill -9 {pid}"
        )));
    }
    for other in others {
        let (host, pid) = (other.welcome.host.clone(), other.welcome.daemon_pid);
        if !connect::see_off(other) {
            return Err(Trouble::Other(format!(
                "the daemon of {host} (pid {pid}) was told to end and is still there after 10 s; end it with: kill -9 {pid}"
            )));
        }
    }
    Ok(done(typed, true, ""))
}

fn done(typed: &low::Halt, halted: bool, line: &str) -> Exit {
    if typed.json {
        return say::json(&json!({ "halted": halted }));
    }
    if !line.is_empty() {
        say::error("pvm halt", line);
    }
    Exit::Success
}
