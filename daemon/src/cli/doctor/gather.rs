//! Hearing what the hosts find: until all have told, or for as long as one may wait.

use crate::cli::connect::{Status, Trouble, wait_for_word};
use crate::cli::run::waiting::{Waiting, Word};
use crate::ui::fold::fold;
use crate::ui::text;
use pvm::session::{Link, LinkError};
use pvm::wire::control::{Examined, Failure, FailureCode, HostName, from_daemon};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// What each of the hosts finds, in their order.
pub(super) fn gather(
    link: &mut Link,
    hosts: &[HostName],
    until: Instant,
) -> Result<Vec<Examined>, Trouble> {
    let mut found = BTreeMap::new();
    let rewrite = std::io::stderr().is_terminal();
    let mut status = Status::new("pvm doctor", rewrite);
    let begun = Instant::now();
    let mut waiting = Waiting::new(begun, missing(hosts, &found));
    while hosts.iter().any(|host| !found.contains_key(&host.index)) {
        let now = Instant::now();
        if now >= until {
            break;
        }
        if let Some(Word::Say(word)) = waiting.word(now, rewrite) {
            status.show(&word);
        }
        wait_for_word(link, until.min(waiting.deadline(rewrite)));
        link.read_now()?;
        if take(link, &mut found) {
            waiting.progress(Instant::now(), missing(hosts, &found));
        } else if link.is_lost() {
            return Err(LinkError::Lost.into());
        }
    }
    status.clear();
    let waited = begun.elapsed();
    let each = |host: &HostName| {
        found
            .remove(&host.index)
            .unwrap_or_else(|| late(host, waited))
    };
    Ok(hosts.iter().map(each).collect())
}

/// Takes what has come; whether anything has.
fn take(link: &mut Link, found: &mut BTreeMap<u32, Examined>) -> bool {
    let before = found.len();
    while let Some(event) = link.next_event() {
        if let from_daemon::Body::Examined(examined) = event.body {
            found.insert(examined.host, examined);
        }
    }
    found.len() > before
}

fn missing(hosts: &[HostName], found: &BTreeMap<u32, Examined>) -> String {
    let missing = hosts.iter().filter(|host| !found.contains_key(&host.index));
    let names: Vec<&str> = missing.map(|host| host.name.as_str()).collect();
    format!(
        "{} to tell what they see",
        text::harmless(fold(&names).as_bytes())
    )
}

fn late(host: &HostName, waited: Duration) -> Examined {
    let failure = Failure {
        code: FailureCode::FailureHostLost.into(),
        what: format!("asking {}", host.name),
        why: format!("no answer for {}", text::duration(waited)),
        next: String::new(),
    };
    Examined {
        host: host.index,
        failure: Some(failure),
        ..Examined::default()
    }
}
