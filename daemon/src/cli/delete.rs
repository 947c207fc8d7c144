//! `pvm delete`: fewer hosts.

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::{failure, low, say};
use pvm::session::LinkError;
use pvm::wire::control::{RemoveHost, to_daemon};
use serde_json::json;

/// Does `pvm delete`: each host by itself; one that cannot be removed does not keep the others.
///
/// # Errors
/// When no daemon answers.
pub fn main(typed: &low::Delete) -> Result<Exit, Trouble> {
    let mut exit = Exit::Success;
    let mut removed = Vec::new();
    for host in &typed.hosts {
        let host = host.to_string_lossy().into_owned();
        let mut connection = connect::existing()?;
        let remove = RemoveHost {
            host: host.clone(),
            force: typed.force,
        };
        match connection.link.call(to_daemon::Body::RemoveHost(remove)) {
            // It was the one that we asked.
            Ok(_) | Err(LinkError::Lost) => removed.push(host),
            Err(LinkError::Refused(refusal)) => {
                say::error("pvm delete", &failure::one_line(&refusal));
                exit = Exit::Refused;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if typed.json {
        say::json(&json!({ "removed": removed }));
    }
    Ok(exit)
}
