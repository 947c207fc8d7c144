//! What can be wrong with a host file or a list of hosts: each text ends in what to write.

use crate::ui::text::harmless;
use pvm::limits::{HOST_NAME_MAX, HOSTFILE_MAX, HOSTS_MAX};
use std::fmt;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An option or a mark without a host.
    #[error("there is no host name; write for example node1 slots=4")]
    NoName,
    /// A word that cannot name a host.
    #[error(
        "'{0}' is no host name; names are letters, digits, '-', '.' and '_', IPv6 addresses in brackets"
    )]
    BadName(String),
    /// A word that cannot name a user.
    #[error("'{0}' is no user name; write user@host or lo=user")]
    BadUser(String),
    /// A name that is too long.
    #[error("the name has {0} bytes; at most {HOST_NAME_MAX} are possible")]
    LongName(usize),
    /// A range that is not one.
    #[error("'[{0}]' is no range; write for example node[1-8,12] or node[01-16]")]
    BadRange(String),
    /// A range from high to low.
    #[error("the range {high}-{low} runs backwards; write {low}-{high}")]
    Backwards {
        /// Its lower end.
        low: String,
        /// Its higher end.
        high: String,
    },
    /// A bracket without its partner.
    #[error("a bracket is not closed; write for example node[1-8] or [2001:db8::1]")]
    OpenBracket,
    /// More hosts than a virtual machine can have.
    #[error("these are more than {HOSTS_MAX} hosts; shorten the list or its ranges")]
    TooMany,
    /// Something that should be a number.
    #[error("{key}{value} is no number from {low} to {high}; write for example {key}{example}")]
    BadNumber {
        /// What it is, as one writes it: `slots=` or `:`.
        key: String,
        /// What was written.
        value: String,
        /// Lowest value.
        low: u32,
        /// Highest value.
        high: u32,
        /// A value that would do.
        example: u32,
    },
    /// A limit that is below what it limits.
    #[error("max-slots={max} is less than slots={slots}; write max-slots={slots} or more")]
    LowLimit {
        /// The slots.
        slots: u32,
        /// Their limit.
        max: u32,
    },
    /// An option that nobody knows.
    #[error(
        "'{0}' is no option; those of MPI are slots= max-slots= cpu= user=, those of PVM lo= so= dx= ep= wd= sp= ip= bx= id="
    )]
    UnknownOption(String),
    /// An option without a value.
    #[error("{0} has no value; write it right after the '=', or leave the option out")]
    NoValue(String),
    /// `so=` with something else.
    #[error(
        "so={0} is not known; write so=pw when ssh asks for a password, so=ms to start the daemon by hand"
    )]
    UnknownStart(String),
    /// A second word that is no option.
    #[error("'{0}' is no option; write one host per line, and the number of its tasks as slots=4")]
    NotAnOption(String),
    /// Two hosts and a comma in a file.
    #[error("a comma between hosts; in a file write one host per line")]
    Comma,
    /// `$host`, which only special builds of PVM knew.
    #[error(
        "'$' asks for a second daemon on one host; leave it out, and give its tasks as slots=4"
    )]
    SecondDaemon,
    /// A quote without its partner.
    #[error("a quote is not closed; write the second '\"'")]
    OpenQuote,
    /// A byte that no text has.
    #[error("there is a control character in this line; delete it")]
    Control,
    /// One host twice, and not the same said of it.
    #[error("line {0} says other things about this host; write it once")]
    Differs(usize),
    /// No host at all.
    #[error("names no host; write one name per line, for example node1 slots=4")]
    Empty,
    /// Not text.
    #[error("is not a text file (UTF-8); write one host name per line")]
    NotText,
    /// Too large.
    #[error("is larger than {} MiB; write ranges, for example node[1-512]", HOSTFILE_MAX >> 20)]
    TooLarge,
    /// The system cannot read it.
    #[error("cannot be read: {0}; check the path")]
    Unreadable(String),
}

/// A problem with its place; one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsError {
    /// Name of the file, or of the option that has the list.
    pub place: String,
    /// Line from 1; 0: the whole file or list.
    pub line: usize,
    /// What is written there; may be empty.
    pub text: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Longest piece of a line that is shown, in characters.
const SHOWN: usize = 60;

impl fmt::Display for HostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&harmless(self.place.as_bytes()))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.text.is_empty() {
            write!(f, ": '{}'", shortened(&self.text))?;
        }
        let problem = harmless(self.problem.to_string().as_bytes());
        match self.problem {
            Problem::Empty | Problem::NotText | Problem::TooLarge | Problem::Unreadable(_) => {
                write!(f, " {problem}")
            }
            _ => write!(f, ": {problem}"),
        }
    }
}

impl std::error::Error for HostsError {}

/// The beginning of a text, harmless for a terminal.
pub(super) fn shortened(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    let dots = if start.len() < text.len() { "..." } else { "" };
    harmless(start.replace('\t', " ").as_bytes()) + dots
}
