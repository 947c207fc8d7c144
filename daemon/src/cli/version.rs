//! `pvm version`: ours and, when it runs, the daemon's.

use super::connect::{self, Connection, Trouble};
use super::exit::Exit;
use super::{low, say};
use pvm::limits::CONTROL_VERSIONS;
use serde_json::{Value, json};

/// Our version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does `pvm version`. Works without a virtual machine.
///
/// # Errors
/// When a daemon is there and cannot be asked.
pub fn main(typed: &low::Version) -> Result<Exit, Trouble> {
    let daemon = match connect::existing() {
        Ok(connection) => Some(connection),
        Err(Trouble::NoMachine(_)) => None,
        Err(other) => return Err(other),
    };
    Ok(match typed.json {
        true => say::json(&in_json(daemon.as_ref())),
        false => say::out(&lines(daemon.as_ref())),
    })
}

fn in_json(daemon: Option<&Connection>) -> Value {
    json!({
        "pvm": VERSION,
        "control_protocol": { "lowest": CONTROL_VERSIONS.0, "highest": CONTROL_VERSIONS.1 },
        "daemon": daemon.map(|daemon| json!({
            "software": daemon.welcome.software,
            "control_protocol": daemon.welcome.version,
            "host": daemon.welcome.host,
            "pid": daemon.welcome.daemon_pid,
            "socket": daemon.socket,
        })),
    })
}

fn lines(daemon: Option<&Connection>) -> String {
    let (low, high) = CONTROL_VERSIONS;
    let daemon = match daemon {
        None => "no virtual machine is running".to_owned(),
        Some(Connection { welcome, .. }) => format!(
            "daemon on {}: {} (control protocol {}, pid {})",
            welcome.host, welcome.software, welcome.version, welcome.daemon_pid
        ),
    };
    let protocol = match low == high {
        true => low.to_string(),
        false => format!("{low} to {high}"),
    };
    format!("pvm {VERSION} (control protocol {protocol})\n{daemon}\n")
}
