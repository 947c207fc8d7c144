//! Why a host did not join: one cause, told so that hosts with the same can be told together.

use crate::ui::fold::fold;
use pvm::wire::control::{Failure, FailureCode};
use std::borrow::Borrow;

macro_rules! causes {
    ($($(#[doc = $meaning:literal])* $cause:ident = $id:literal, $code:ident;)*) => {
        /// What kept a host from joining.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[doc = $meaning])* $cause,)* }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$cause,)*];

            /// Its name: it never changes, so that one can search for it.
            pub fn id(self) -> &'static str {
                match self { $(Self::$cause => $id,)* }
            }

            fn code(self) -> FailureCode {
                match self { $(Self::$cause => FailureCode::$code,)* }
            }
        }
    };
}

causes! {
    /// No ssh program on this host.
    NoSsh = "no-ssh", FailureProgramNotFound;
    /// ssh could not be run for want of processes or descriptors.
    Resources = "resources", FailureResources;
    /// The host file wants it to be started by hand.
    ByHand = "by-hand", FailureHost;
    /// ssh does not like its options, or its files.
    SshOptions = "ssh-options", FailureHost;
    /// Its name has no address.
    UnknownName = "unknown-name", FailureHost;
    /// The search for its address takes too long.
    SlowName = "slow-name", FailureHost;
    /// No way to its address.
    NoRoute = "no-route", FailureHost;
    /// Nobody listens at the port of ssh.
    Refused = "refused", FailureHost;
    /// Nothing answers.
    NoAnswer = "no-answer", FailureHost;
    /// The ssh server hangs up, or is silent.
    HungUp = "hung-up", FailureHost;
    /// No cipher, key exchange or key type in common.
    NoCommonMethod = "no-common-method", FailureHost;
    /// Its host key is not known.
    HostKeyUnknown = "host-key-unknown", FailureNotAllowed;
    /// Its host key is another than before.
    HostKeyChanged = "host-key-changed", FailureNotAllowed;
    /// A private key that others may read.
    KeyFile = "key-file", FailureNotAllowed;
    /// The user is not let in.
    NotLetIn = "not-let-in", FailureNotAllowed;
    /// The user has no shell there, or an expired account.
    NoShell = "no-shell", FailureNotAllowed;
    /// The shell's start-up files do not come to an end.
    ShellStuck = "shell-stuck", FailureHost;
    /// No pvmd there.
    NoPvmd = "no-pvmd", FailureProgramNotFound;
    /// A pvmd that may not be executed.
    NotExecutable = "not-executable", FailureProgramNotExecutable;
    /// A pvmd for other hardware.
    WrongSystem = "wrong-system", FailureProgramWrongFormat;
    /// A pvmd that lacks a library, or one that is new enough.
    NoLibrary = "no-library", FailureProgramWrongFormat;
    /// A program of that name that is something else.
    AnotherPvmd = "another-pvmd", FailureProgramWrongFormat;
    /// A pvmd of a version that ours does not understand.
    Version = "version", FailureVersion;
    /// No space on a disk there.
    DiskFull = "disk-full", FailureResources;
    /// A disk there is read-only.
    ReadOnly = "read-only", FailureResources;
    /// The pvmd there says why it has not joined.
    NotJoined = "not-joined", FailureHost;
    /// The pvmd there runs, and does not join.
    JoinStuck = "join-stuck", FailureHost;
    /// ssh or the pvmd there was killed.
    Killed = "killed", FailureHost;
    /// The connection broke.
    Lost = "lost", FailureHost;
    /// Anything else.
    Ended = "ended", FailureHost;
}

/// Why one host did not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The host.
    pub host: String,
    /// The user there, when it is known.
    pub user: Option<String>,
    /// Where it was dialled, `10.0.0.7 port 22`.
    pub address: Option<String>,
    /// The cause.
    pub cause: Cause,
    /// It in words that fit every host with it.
    pub why: String,
    /// What to do or type next; `{host}` and `{target}` (`user@host`) are put in.
    pub next: String,
}

impl Trouble {
    /// For this host alone.
    pub fn failure(&self) -> Failure {
        told(&[self])
    }

    fn is_like(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.cause, it.user.clone());
        key(self) == key(other) && self.why == other.why && self.next == other.next
    }

    fn next(&self) -> String {
        let target = match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        };
        self.next
            .replace("{target}", &target)
            .replace("{host}", &self.host)
    }
}

/// One failure for each group of hosts with the identical cause, in the order of their first hosts.
pub fn grouped<T: Borrow<Trouble>>(troubles: &[T]) -> Vec<Failure> {
    let mut groups: Vec<Vec<&Trouble>> = Vec::new();
    for trouble in troubles.iter().map(Borrow::borrow) {
        match groups.iter_mut().find(|group| group[0].is_like(trouble)) {
            Some(group) => group.push(trouble),
            None => groups.push(vec![trouble]),
        }
    }
    groups.iter().map(|group| told(group)).collect()
}

fn told(group: &[&Trouble]) -> Failure {
    let names: Vec<&str> = group.iter().map(|trouble| trouble.host.as_str()).collect();
    let first = group[0];
    let address = match (&first.address, group) {
        (Some(address), [_]) => format!(" ({address})"),
        _ => String::new(),
    };
    Failure {
        code: first.cause.code().into(),
        what: format!("cannot start pvmd on {}{address}", fold(&names)),
        why: format!("{} [{}]", first.why, first.cause.id()),
        next: first.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(host: &str, cause: Cause, why: &str) -> Trouble {
        Trouble {
            host: host.into(),
            user: Some("bob".into()),
            address: Some(format!("{host}:22")),
            cause,
            why: why.into(),
            next: "type: ssh {target}, or ping {host}".into(),
        }
    }

    #[test]
    fn identical_causes_are_told_together() {
        let mut all: Vec<Trouble> = (3..=17)
            .map(|n| trouble(&format!("node{n}"), Cause::NotLetIn, "permission denied"))
            .collect();
        all.insert(5, trouble("login", Cause::Refused, "refused"));
        all.push(trouble("a", Cause::Refused, "not quite the same"));
        let texts: Vec<String> = grouped(&all)
            .iter()
            .map(|failure| format!("{}: {}; {}", failure.what, failure.why, failure.next))
            .collect();
        assert_eq!(
            texts,
            [
                "cannot start pvmd on node[3-17]: permission denied [not-let-in]; type: ssh bob@node3, or ping node3",
                "cannot start pvmd on login (login:22): refused [refused]; type: ssh bob@login, or ping login",
                "cannot start pvmd on a (a:22): not quite the same [refused]; type: ssh bob@a, or ping a",
            ]
        );
    }

    #[test]
    fn every_cause_has_a_code() {
        let mut codes = Cause::ALL.iter().map(|cause| cause.code());
        assert!(codes.all(|code| code != FailureCode::FailureUnspecified));
    }

    #[test]
    fn ids_are_unique() {
        let ids: std::collections::BTreeSet<_> =
            Cause::ALL.iter().map(|cause| cause.id()).collect();
        assert_eq!(ids.len(), Cause::ALL.len());
    }
}
