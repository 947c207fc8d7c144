//! `pvm token`: what a host needs to join without the secret.

use super::connect::{self, Connection, Trouble};
use super::exit::Exit;
use super::{high, low, say};
use pvm::wire::control::{IssueToken, OpenVm, VmOpened, from_daemon, to_daemon};
use serde_json::json;

/// Does `pvm token`.
///
/// # Errors
/// When no daemon answers, or it gives out no token.
pub fn main(typed: &low::Token) -> Result<Exit, Trouble> {
    let lifetime = match high::time("--lifetime", &typed.lifetime) {
        Ok(lifetime) => lifetime,
        Err(error) => {
            say::error("pvm token", &format!("{error}; see: pvm token --help"));
            return Ok(Exit::Usage);
        }
    };
    let mut connection = connect::existing()?;
    open(&mut connection, true)?;
    let issue = IssueToken {
        lifetime_s: lifetime.as_secs().max(1),
        uses: typed.uses,
    };
    let answer = connection.link.call(to_daemon::Body::IssueToken(issue))?;
    let from_daemon::Body::TokenIssued(issued) = answer.body else {
        return Err(connect::nonsense());
    };
    Ok(match typed.json {
        true => say::json(&json!({ "token": issued.token })),
        false => say::out(&format!("{}\n", issued.token)),
    })
}

/// Makes sure that the virtual machine takes hosts; with `stay` its daemon here does not leave any more when
/// it has nothing to do.
///
/// # Errors
/// When it cannot.
pub fn open(connection: &mut Connection, stay: bool) -> Result<VmOpened, Trouble> {
    let answer = connection
        .link
        .call(to_daemon::Body::OpenVm(OpenVm { stay }))?;
    match answer.body {
        from_daemon::Body::VmOpened(opened) => Ok(opened),
        _ => Err(connect::nonsense()),
    }
}
