//! What ssh tells on standard error: with `-v` every step that it takes, which is how we know
//! where it hangs; and its errors, which are kept.

use super::command::EXIT;
use pvm::limits::SSH_LINES_MAX;

/// How far a start has come. Each state waits for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum State {
    /// For its turn.
    #[default]
    Queued,
    /// For the host's address.
    Resolve,
    /// For its ssh server's port to answer.
    Dial,
    /// For its ssh server to let us in.
    Authenticate,
    /// For its shell to run and to find a pvmd.
    Start,
    /// For that pvmd to join.
    Join,
    /// For nothing any more.
    Joined,
}

impl State {
    /// What it waits for, for a line of status.
    pub fn waits_for(self) -> &'static str {
        match self {
            Self::Queued => "its turn",
            Self::Resolve => "its address",
            Self::Dial => "its ssh server",
            Self::Authenticate => "its ssh server to let us in",
            Self::Start => "its shell to start pvmd",
            Self::Join => "its pvmd to join",
            Self::Joined => "nothing",
        }
    }
}

/// What has been told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// How far ssh has come, as far as it tells.
    pub state: State,
    /// Where it has dialled, `10.0.0.7 port 22`.
    pub address: Option<String>,
    /// As whom.
    pub user: Option<String>,
    /// Its exit code, from the shell that ran it.
    pub exit: Option<i32>,
    /// Lines that are no steps: errors, and what the other host's programs say. The first and the
    /// last ones, when there are many.
    pub lines: Vec<String>,
}

impl Trace {
    /// Takes in one line.
    pub fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(code) = line.strip_prefix(EXIT) {
            self.exit = code.trim().parse().ok();
        } else if let Some(step) = line.strip_prefix("debug1: ") {
            self.step(step);
        } else if line.starts_with("Authenticated to ") {
            self.reach(State::Start);
        } else if !is_chatter(line) {
            self.keep(line);
        }
    }

    fn step(&mut self, step: &str) {
        if let Some(rest) = step.strip_prefix("Connecting to ") {
            self.reach(State::Dial);
            self.address = address(rest).or(self.address.take());
        } else if step.starts_with("Executing proxy command") {
            self.reach(State::Dial);
        } else if step.starts_with("Connection established") || step.starts_with("Remote protocol")
        {
            self.reach(State::Authenticate);
        } else if let Some(rest) = step.strip_prefix("Authenticating to ") {
            self.reach(State::Authenticate);
            let user = rest
                .rsplit_once(" as ")
                .map(|(_, user)| user.trim_matches('\''));
            self.user = user.map(str::to_owned);
        } else if step.starts_with("Authentication succeeded")
            || step.starts_with("mux_client_request_session")
        {
            self.reach(State::Start);
        }
    }

    fn reach(&mut self, state: State) {
        self.state = self.state.max(state);
    }

    fn keep(&mut self, line: &str) {
        if self.lines.len() == SSH_LINES_MAX {
            self.lines.remove(SSH_LINES_MAX / 2);
        }
        self.lines.push(line.to_owned());
    }
}

/// `node1 [10.0.0.7] port 22.`
fn address(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (address, rest) = rest.split_once(']')?;
    let rest = rest.trim_end_matches('.').trim();
    Some(format!("{address} {rest}").trim_end().to_owned())
}

/// What -v says beside its steps.
fn is_chatter(line: &str) -> bool {
    let starts = [
        "debug1:",
        "debug2:",
        "debug3:",
        "OpenSSH_",
        "Transferred: ",
        "Bytes per second: ",
    ];
    line.trim().is_empty() || starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_errors() {
        let mut trace = Trace::default();
        let mut states = Vec::new();
        for line in [
            "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.11",
            "debug1: Reading configuration data /etc/ssh/ssh_config",
            "debug1: Connecting to node1 [2001:db8::7] port 22.",
            "debug1: Connection established.",
            "debug1: Authenticating to node1:22 as 'bob'",
            "Warning: Permanently added 'node1' (ED25519) to the list of known hosts.",
            "Authenticated to node1 ([2001:db8::7]:22) using \"publickey\".",
            "",
            "pvm-exit 3",
        ] {
            trace.line(line);
            states.push(trace.state);
        }
        use State::*;
        assert_eq!(
            states,
            [
                Queued,
                Queued,
                Dial,
                Authenticate,
                Authenticate,
                Authenticate,
                Start,
                Start,
                Start
            ]
        );
        assert_eq!(trace.address.as_deref(), Some("2001:db8::7 port 22"));
        assert_eq!((trace.user.as_deref(), trace.exit), (Some("bob"), Some(3)));
        assert_eq!(trace.lines.len(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut trace = Trace::default();
        (0..1000).for_each(|n| trace.line(&format!("line {n}")));
        assert_eq!(trace.lines.len(), SSH_LINES_MAX);
        assert_eq!(
            (
                trace.lines[0].as_str(),
                trace.lines.last().unwrap().as_str()
            ),
            ("line 0", "line 999")
        );
    }
}
