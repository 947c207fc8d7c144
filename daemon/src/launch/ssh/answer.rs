//! The lines between the two ends, on the standard output of ssh. Everything else there is noise
//! of the other host's shell and does no harm.
//!
//! ```text
//! pvm-shell Linux x86_64          the shell there runs; its start-up files are through
//! pvm-skip PATH: TEXT             a pvmd that cannot be used, and what it said
//! pvm-none PATH-VARIABLE          none can be used
//! pvm-exec PATH                   this one is started; it reads the join data now
//! pvm-join ok WORDS               the daemon has joined
//! pvm-join failed ID|WHY|NEXT     it has not
//! ```

use crate::ui::text::harmless;
use pvm::limits::{SSH_LINE_MAX, SSH_LINES_MAX};
use std::fmt;

const JOIN: &str = "pvm-join ";

/// What a started daemon says: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has joined; words for who started it.
    Ok(String),
    /// It has not.
    Failed {
        /// A stable word for the cause; `version` when the versions have nothing in common.
        id: String,
        /// Why.
        why: String,
        /// What to do or type next; may be empty.
        next: String,
    },
}

impl Answer {
    /// Reads a line without its end; nothing when it is something else.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line.trim_end().strip_prefix(JOIN)?;
        let is = |word: &str| rest == word || rest.starts_with(&format!("{word} "));
        if is("ok") {
            return Some(Self::Ok(rest[2..].trim_start().to_owned()));
        }
        if !is("failed") {
            return None;
        }
        let mut parts = rest["failed".len()..].trim_start().splitn(3, '|');
        let mut part = || parts.next().unwrap_or_default().trim().to_owned();
        Some(Self::Failed {
            id: part(),
            why: part(),
            next: part(),
        })
    }
}

/// The line, without its end.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| harmless(text.replace(['\n', '\t'], " ").as_bytes());
        match self {
            Self::Ok(words) => write!(f, "{JOIN}ok {}", plain(words)),
            Self::Failed { id, why, next } => {
                let part = |text: &str| plain(&text.replace('|', "/"));
                write!(f, "{JOIN}failed {}|{}|{}", part(id), part(why), part(next))
            }
        }
    }
}

/// What has been heard on standard output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// System and machine of the other host, once its shell runs.
    pub system: Option<String>,
    /// Each pvmd that cannot be used: its path and what it said.
    pub skipped: Vec<(String, String)>,
    /// The search path there, when no pvmd can be used.
    pub none: Option<String>,
    /// The pvmd that was started.
    pub started: Option<String>,
    /// Its answer.
    pub answer: Option<Answer>,
    /// What else was printed.
    pub noise: Vec<String>,
}

impl Heard {
    /// Takes in one line.
    pub fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let after = |mark: &str| line.strip_prefix(mark).map(|rest| rest.trim().to_owned());
        if let Some(answer) = Answer::parse(line) {
            self.answer.get_or_insert(answer);
        } else if let Some(system) = after("pvm-shell ") {
            self.system.get_or_insert(system);
        } else if let Some(skipped) = after("pvm-skip ") {
            let (path, text) = skipped.split_once(": ").unwrap_or((&skipped, ""));
            if self.skipped.len() < SSH_LINES_MAX {
                self.skipped.push((path.to_owned(), text.trim().to_owned()));
            }
        } else if let Some(path) = after("pvm-none ") {
            self.none.get_or_insert(path);
        } else if let Some(path) = after("pvm-exec ") {
            self.started.get_or_insert(path);
        } else if !line.trim().is_empty() && self.noise.len() < SSH_LINES_MAX {
            self.noise.push(line.to_owned());
        }
    }
}

/// Cuts bytes into lines, each cut off at a limit.
#[derive(Debug, Default)]
pub struct Splitter {
    line: Vec<u8>,
}

impl Splitter {
    /// Takes in bytes, gives out the lines that they end.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (content, is_end) = match part.strip_suffix(b"\n") {
                Some(content) => (content, true),
                None => (part, false),
            };
            let room = SSH_LINE_MAX.saturating_sub(self.line.len());
            self.line.extend(&content[..content.len().min(room)]);
            if is_end {
                self.end(&mut each);
            }
        }
    }

    /// Gives out what came after the last line.
    pub fn end(&mut self, mut each: impl FnMut(&str)) {
        let line = std::mem::take(&mut self.line);
        each(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_read_as_they_are_written() {
        let answers = [
            Answer::Ok("0123 10.0.0.7:4711".into()),
            Answer::Ok(String::new()),
            Answer::Failed {
                id: "version".into(),
                why: "it speaks 3 to 4, we speak 1".into(),
                next: "install the same".into(),
            },
            Answer::Failed {
                id: "x".into(),
                why: String::new(),
                next: String::new(),
            },
        ];
        for answer in answers {
            assert_eq!(
                Answer::parse(&answer.to_string()),
                Some(answer.clone()),
                "{answer}"
            );
        }
        let hostile = Answer::Ok("a\npvm-join ok b\x1b".into()).to_string();
        assert_eq!(hostile, "pvm-join ok a pvm-join ok b\\x1b");
        for line in [
            "pvm-join",
            "pvm-join okay",
            "pvm-join failedly",
            " pvm-join ok",
            "",
        ] {
            assert_eq!(Answer::parse(line), None, "{line}");
        }
    }

    #[test]
    fn noise_is_kept_apart() {
        let mut heard = Heard::default();
        for line in [
            "Welcome!",
            "",
            "pvm-shell Linux x86_64",
            "pvm-skip /a: b: c",
            "pvm-exec /d",
            "hm",
        ] {
            heard.line(line);
        }
        assert_eq!(heard.noise, ["Welcome!", "hm"]);
        assert_eq!(heard.system.as_deref(), Some("Linux x86_64"));
        assert_eq!(heard.skipped, [("/a".to_owned(), "b: c".to_owned())]);
        assert_eq!(heard.started.as_deref(), Some("/d"));
        assert_eq!(heard.answer, None);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_arrive(
            text in "[ab\n]{0,60}", cuts in proptest::collection::vec(0_usize..60, 0..5)
        ) {
            let mut cuts = cuts;
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut splitter, mut lines, mut start) = (Splitter::default(), Vec::new(), 0);
            for cut in cuts.into_iter().filter(|cut| *cut <= text.len()) {
                splitter.feed(&text.as_bytes()[start..cut], |line| lines.push(line.to_owned()));
                start = cut;
            }
            splitter.end(|line| lines.push(line.to_owned()));
            prop_assert_eq!(lines.join("\n"), text);
        }

        #[test]
        fn no_line_panics(line in "(pvm-(join|skip|exec|shell|none) ?)?(ok|failed)?\\PC{0,20}") {
            Heard::default().line(&line);
        }
    }
}
