//! Waiting aloud: what takes longer than two seconds is named, what takes too long fails.
//!
//! Pure: time is an argument.

use std::time::{Duration, Instant};

/// Silence until the first word.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Longest a step of the start may take without any progress.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// One thing that is being waited for.
#[derive(Debug, Clone)]
pub struct Waiting {
    what: String,
    since: Instant,
    told: Option<Instant>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Say this: the first time, or again when it can be rewritten in place.
    Say(String),
    /// Give up.
    GiveUp(Duration),
}

impl Waiting {
    /// Begins to wait for `what`: "the daemon on node7 to start".
    pub fn new(now: Instant, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            since: now,
            told: None,
        }
    }

    /// What is waited for.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Something happened: the deadline begins anew.
    pub fn progress(&mut self, now: Instant, what: impl Into<String>) {
        self.what = what.into();
        self.since = now;
        self.told = None;
    }

    /// When [`word`](Self::word) has something to say. `rewrite`: a terminal, where the line is kept
    /// up to date.
    pub fn deadline(&self, rewrite: bool) -> Instant {
        let last = self.since + DEADLINE;
        match self.told {
            None => self.since + PATIENCE,
            Some(told) if rewrite => last.min(told + Duration::from_secs(1)),
            Some(_) => last,
        }
    }

    /// What is to be said or done now.
    pub fn word(&mut self, now: Instant, rewrite: bool) -> Option<Word> {
        if now < self.deadline(rewrite) {
            return None;
        }
        let waited = now.duration_since(self.since);
        if waited >= DEADLINE {
            return Some(Word::GiveUp(waited));
        }
        self.told = Some(now);
        Some(Word::Say(format!(
            "waiting for {} ({} s)",
            self.what,
            waited.as_secs()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_of_silence_then_a_word_then_the_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut waiting = Waiting::new(start, "the daemon to start");
        assert_eq!(waiting.word(at(1), false), None);
        let word = Word::Say("waiting for the daemon to start (2 s)".into());
        assert_eq!(waiting.word(at(2), false), Some(word));
        assert_eq!(waiting.word(at(10), false), None, "a pipe gets one line");
        assert!(matches!(waiting.word(at(10), true), Some(Word::Say(_))));
        assert_eq!(waiting.word(at(30), false), Some(Word::GiveUp(DEADLINE)));
        waiting.progress(at(30), "8 tasks to start");
        assert_eq!(waiting.word(at(31), false), None);
    }
}
