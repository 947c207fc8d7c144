//! `pvm doctor`: what is wrong with the hosts and the ways between them.
//!
//! - `gather`: hearing what the hosts find; `alone`: without a virtual machine
//! - `far`: hosts that are not part of it, through ssh
//! - `show`, `json`: telling it, for people and for programs

mod alone;
mod far;
mod gather;
mod json;
mod show;

use super::add::{self, Wanted};
use super::connect::{self, Connection, Trouble};
use super::exit::Exit;
use super::{low, say};
use crate::doctor::{Finding, Picture, Weight, judge};
use crate::launch::spec::HostSpec;
use crate::ui::table::Look;
use pvm::wire::control::{Examine, Examining, from_daemon, to_daemon};

/// All that is told.
struct Report {
    /// Whether there is a virtual machine.
    has_machine: bool,
    picture: Picture,
    /// Problems first.
    findings: Vec<Finding>,
}

/// Does `pvm doctor`.
///
/// # Errors
/// When a daemon is there and does not answer.
pub fn main(typed: &low::Doctor, look: Look) -> Result<Exit, Trouble> {
    let wanted = match add::wanted(&typed.hosts) {
        Ok(wanted) => wanted,
        Err(line) => {
            say::error("pvm doctor", &format!("{line}; see: pvm doctor --help"));
            return Ok(Exit::Usage);
        }
    };
    let report = match connect::existing() {
        Ok(connection) => machine(connection, &wanted)?,
        Err(Trouble::NoMachine(socket)) => {
            if !typed.json {
                let line = format!(
                    "no virtual machine is running (no daemon at {}): only this host was looked at",
                    socket.display()
                );
                say::error("pvm doctor", &line);
            }
            alone::look(&wanted)?
        }
        Err(other) => return Err(other),
    };
    let told = match typed.json {
        true => say::json(&json::report(&report)),
        false => say::out(&show::report(&report, look)),
    };
    Ok(match (told, report.problems()) {
        (Exit::Success, 1..) => Exit::Refused,
        (told, _) => told,
    })
}

impl Report {
    fn new(has_machine: bool, picture: Picture, outside: Vec<Finding>) -> Self {
        let mut findings = judge(&picture);
        findings.extend(outside);
        findings.sort_by_key(|finding| finding.weight == Weight::Note);
        Self {
            has_machine,
            picture,
            findings,
        }
    }

    fn problems(&self) -> usize {
        let problems = self.findings.iter();
        problems.filter(|it| it.weight == Weight::Problem).count()
    }
}

fn machine(mut connection: Connection, wanted: &Wanted) -> Result<Report, Trouble> {
    let examine = Examine {
        hosts: wanted.iter().map(|host| host.name.clone()).collect(),
    };
    let answer = connection.link.call(to_daemon::Body::Examine(examine))?;
    let from_daemon::Body::Examining(Examining { hosts, unknown }) = answer.body else {
        return Err(connect::nonsense());
    };
    let is_outside = |host: &&HostSpec| unknown.contains(&host.name);
    let outside: Wanted = wanted.iter().filter(is_outside).cloned().collect();
    // ssh takes its time at the same time.
    let outside = far::Looking::begin(outside);
    let examined = gather::gather(&mut connection.link, &hosts)?;
    let picture = Picture { hosts, examined };
    Ok(Report::new(true, picture, outside.end()?))
}
