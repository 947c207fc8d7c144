//! `pvm doctor`: what is wrong with the hosts and the ways between them.
//!
//! - `gather`: hearing what the hosts find; `alone`: without a virtual machine
//! - `far`: hosts that are not part of it, through ssh; `outside`: what that means
//! - `show`, `json`: telling it, for people and for programs

mod alone;
mod far;
mod gather;
mod json;
mod outside;
mod show;

use super::add::{self, Wanted};
use super::connect::{self, Connection, Trouble};
use super::exit::Exit;
use super::{low, say};
use crate::doctor::{Finding, Picture, Weight, judge};
use crate::launch::spec::HostSpec;
use crate::ui::fold::fold;
use crate::ui::table::Look;
use pvm::limits::{EXAM_CLIENT_MS, EXAM_HELLO_MS};
use pvm::wire::control::{Examine, Examining, from_daemon, to_daemon};
use std::path::Path;
use std::time::{Duration, Instant};

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
    let until = Instant::now() + Duration::from_millis(EXAM_CLIENT_MS);
    let report = match connect::existing_within(Duration::from_millis(EXAM_HELLO_MS)) {
        Ok(connection) => machine(connection, &wanted, until)?,
        Err(Trouble::NoMachine(socket)) => {
            let report = alone::look(&wanted, until)?;
            if !typed.json {
                say::error("pvm doctor", &no_machine(&socket, &wanted));
            }
            report
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

fn no_machine(socket: &Path, wanted: &Wanted) -> String {
    let names: Vec<&str> = wanted.iter().map(|host| host.name.as_str()).collect();
    let others = match names.is_empty() {
        true => String::new(),
        false => format!(", and {} through ssh", fold(&names)),
    };
    format!(
        "no virtual machine is running (no daemon at {}): only this host was looked at{others}",
        socket.display()
    )
}

fn machine(mut connection: Connection, wanted: &Wanted, until: Instant) -> Result<Report, Trouble> {
    let examine = Examine {
        hosts: wanted.iter().map(|host| host.name.clone()).collect(),
    };
    let link = &mut connection.link;
    let asked = link.start(to_daemon::Body::Examine(examine), &[])?;
    let left = until.saturating_duration_since(Instant::now());
    let answer = link.wait(asked, left, "asking it to look")?;
    let from_daemon::Body::Examining(Examining { hosts, unknown }) = answer.body else {
        return Err(connect::nonsense());
    };
    let is_outside = |host: &&HostSpec| unknown.contains(&host.name);
    let outside: Wanted = wanted.iter().filter(is_outside).cloned().collect();
    // ssh takes its time at the same time.
    let outside = far::Looking::begin(outside, until, true);
    let examined = gather::gather(link, &hosts, until)?;
    let picture = Picture { hosts, examined };
    Ok(Report::new(true, picture, outside.end()?))
}
