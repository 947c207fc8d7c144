//! Host files and lists of hosts.
//!
//! One file may have lines of both families; a line is a host and what is said about it:
//!
//! ```text
//! # a comment; \ at the end goes on in the next line
//! node1 slots=4 max-slots=8       as Open MPI writes it; cpu=4 is slots=4, slots=4! a limit
//! bob@node[01-16]:4               as MPICH writes it; sixteen hosts
//! [2001:db8::7] slots=2
//! * ep=$HOME/bin wd=/scratch      PVM: defaults for the lines below; a second * begins anew
//! sparky lo=gst so=pw dx=/opt/pvm/bin/pvmd sp=500
//! & midnight                      PVM: known, but only started when it is added
//! ```
//!
//! A host that is named twice has the tasks of both lines, as with MPI. The parsers are pure; only
//! [`read`] looks at the disk.

use super::names::{self, Slots};
use super::problem::{HostsError, Problem};
use super::spec::{HostSpec, Options, Start};
use pvm::limits::{HOSTFILE_MAX, HOSTS_MAX, TASKS_PER_LAUNCH_MAX};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Highest speed that PVM knows.
const SPEED_MAX: u32 = 1_000_000;

/// What a file or list says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts {
    /// The hosts, each once, in the order of their first lines.
    pub hosts: Vec<HostSpec>,
    /// Defaults at the end of the file: they count for hosts that are added later.
    pub defaults: Options,
}

/// Reads a host file.
///
/// # Errors
/// When it cannot be read, is no text, or has something wrong in it: the first such place.
pub fn read(path: &Path) -> Result<Hosts, HostsError> {
    let place = path.display().to_string();
    let whole = |problem| HostsError {
        place: place.clone(),
        line: 0,
        text: String::new(),
        problem,
    };
    let unreadable = |error: std::io::Error| whole(Problem::Unreadable(error.to_string()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(HOSTFILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > HOSTFILE_MAX {
        return Err(whole(Problem::TooLarge));
    }
    let text = String::from_utf8(bytes).map_err(|_| whole(Problem::NotText))?;
    parse(&text, &place)
}

/// Reads the text of a host file; `place` is its name, for errors.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str, place: &str) -> Result<Hosts, HostsError> {
    let mut reader = Reader::default();
    for (line, content) in lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let outcome = tokens(&content).and_then(|words| reader.line(line, &words));
        outcome.map_err(|problem| HostsError {
            place: place.to_owned(),
            line,
            text: content.trim().to_owned(),
            problem,
        })?;
    }
    reader.finish(place)
}

/// Reads a list from a command line: `a:2,b[1-3],user@c`.
///
/// # Errors
/// The first thing that is wrong; `place` is the option that had the list.
pub fn list(text: &str, place: &str) -> Result<Hosts, HostsError> {
    let wrong = |text: &str, problem| HostsError {
        place: place.to_owned(),
        line: 0,
        text: text.to_owned(),
        problem,
    };
    let mut reader = Reader::default();
    for word in words(text).map_err(|problem| wrong(text, problem))? {
        let outcome = reader.host(0, word, &[], false);
        outcome.map_err(|problem| wrong(word, problem))?;
    }
    reader.finish(place)
}

/// The words of a list: commas and spaces outside of brackets part them.
fn words(text: &str) -> Result<Vec<&str>, Problem> {
    let mut words = Vec::new();
    let mut start = 0;
    for end in names::bare(text, ',')?.into_iter().chain([text.len()]) {
        words.extend(text[start..end].split_whitespace());
        start = end + 1;
    }
    Ok(words)
}

/// Lines with their numbers; those that end in a backslash are one with the next.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let (content, more) = match line.strip_suffix('\\') {
            Some(content) if !is_comment => (content, true),
            _ => (line, false),
        };
        match lines.last_mut() {
            Some((_, before)) if goes_on => {
                before.push(' ');
                before.push_str(content);
            }
            _ => lines.push((index + 1, content.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// Words of a line up to a comment. Quotes keep spaces together, `slots = 4` is one word.
fn tokens(line: &str) -> Result<Vec<String>, Problem> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_word, mut is_quoted) = (false, false);
    for c in line.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                if !is_word {
                    words.push(String::new());
                }
                is_word = true;
            }
            '#' if !is_word && !is_quoted => break,
            '\t' if !is_quoted => is_word = false,
            c if c.is_control() => return Err(Problem::Control),
            c if c.is_whitespace() && !is_quoted => is_word = false,
            c => {
                if !is_word {
                    words.push(String::new());
                }
                is_word = true;
                words
                    .iter_mut()
                    .last()
                    .into_iter()
                    .for_each(|word| word.push(c));
            }
        }
    }
    if is_quoted {
        return Err(Problem::OpenQuote);
    }
    Ok(glued(words))
}

/// Puts `slots`, `=`, `4` and `slots`, `=4` together.
fn glued(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words {
        let is_value = word.starts_with('=') || out.last().is_some_and(|last| last.ends_with(" ="));
        match out.last_mut() {
            Some(last) if is_value => {
                *last = last.trim_end_matches(" =").to_owned();
                let value = word.trim_start_matches('=');
                last.push_str(if value.is_empty() { " =" } else { "=" });
                last.push_str(value);
            }
            _ => out.push(word),
        }
    }
    out
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    found: Hosts,
    /// Where each user and name is in the list.
    index: HashMap<(Option<String>, String), usize>,
}

impl Reader {
    fn line(&mut self, line: usize, words: &[String]) -> Result<(), Problem> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(());
        };
        if let Some(glued) = first.strip_prefix('*') {
            let mut defaults = Options::default();
            let glued = Some(glued).filter(|word| !word.is_empty());
            for word in glued.into_iter().chain(rest.iter().map(String::as_str)) {
                option(&mut defaults, word)?;
            }
            check(&defaults)?;
            self.found.defaults = defaults;
            return Ok(());
        }
        match (first.strip_prefix('&'), rest.split_first()) {
            (None, _) => self.host(line, first, rest, false),
            (Some(""), None) => Err(Problem::NoName),
            (Some(""), Some((name, rest))) => self.host(line, name, rest, true),
            (Some(name), _) => self.host(line, name, rest, true),
        }
    }

    fn host(
        &mut self,
        line: usize,
        word: &str,
        rest: &[String],
        only_later: bool,
    ) -> Result<(), Problem> {
        if word.starts_with('$') {
            return Err(Problem::SecondDaemon);
        }
        if names::bare(word, ',').is_ok_and(|commas| !commas.is_empty()) {
            return Err(Problem::Comma);
        }
        if names::bare(word, '=').is_ok_and(|signs| !signs.is_empty()) {
            return Err(Problem::NoName);
        }
        let entry = names::entry(word)?;
        let mut options = self.found.defaults.clone();
        if let Some(slots) = entry.slots {
            set_slots(&mut options, slots);
        }
        for word in rest {
            option(&mut options, word)?;
        }
        if entry.user.is_some() {
            options.user = entry.user;
        }
        check(&options)?;
        for name in entry.names {
            let options = options.clone();
            self.add(HostSpec {
                name,
                options,
                only_later,
                line,
            })?;
        }
        Ok(())
    }

    fn add(&mut self, host: HostSpec) -> Result<(), Problem> {
        let key = (host.options.user.clone(), host.name.clone());
        if let Some(at) = self.index.get(&key) {
            return merge(&mut self.found.hosts[*at], host);
        }
        if self.found.hosts.len() >= HOSTS_MAX {
            return Err(Problem::TooMany);
        }
        self.index.insert(key, self.found.hosts.len());
        self.found.hosts.push(host);
        Ok(())
    }

    fn finish(self, place: &str) -> Result<Hosts, HostsError> {
        if self.found.hosts.is_empty() {
            let place = place.to_owned();
            return Err(HostsError {
                place,
                line: 0,
                text: String::new(),
                problem: Problem::Empty,
            });
        }
        Ok(self.found)
    }
}

/// Adds the tasks of a second line of one host to the first.
fn merge(first: &mut HostSpec, second: HostSpec) -> Result<(), Problem> {
    let other = |host: &HostSpec| Options {
        slots: None,
        max_slots: None,
        ..host.options.clone()
    };
    if other(first) != other(&second) {
        return Err(Problem::Differs(first.line));
    }
    let (one, two) = (&mut first.options, &second.options);
    let slots = one
        .slots
        .unwrap_or(1)
        .saturating_add(two.slots.unwrap_or(1));
    one.slots = Some(slots.min(TASKS_PER_LAUNCH_MAX));
    one.max_slots = match (one.max_slots, two.max_slots) {
        (Some(one), Some(two)) => Some(one.saturating_add(two)),
        (one, two) => one.or(two).map(|limit| limit.max(slots)),
    };
    first.only_later &= second.only_later;
    Ok(())
}

fn set_slots(options: &mut Options, slots: Slots) {
    options.slots = Some(slots.count);
    if slots.is_limit {
        options.max_slots = Some(slots.count);
    }
}

fn check(options: &Options) -> Result<(), Problem> {
    match (options.slots, options.max_slots) {
        (Some(slots), Some(max)) if max < slots => Err(Problem::LowLimit { slots, max }),
        _ => Ok(()),
    }
}

/// Notes one option.
fn option(options: &mut Options, word: &str) -> Result<(), Problem> {
    let Some((key, value)) = word.split_once('=') else {
        return Err(Problem::NotAnOption(super::problem::shortened(word)));
    };
    let value = value.trim_end_matches(" =");
    if value.is_empty() {
        return Err(Problem::NoValue(super::problem::shortened(key) + "="));
    }
    let text = || Some(value.to_owned());
    match key.to_ascii_lowercase().replace('_', "-").as_str() {
        "slots" | "slot" | "cpu" | "cpus" | "count" => {
            if let Some(slots) = names::slots(&format!("{key}="), value)? {
                set_slots(options, slots);
            }
        }
        "max-slots" | "max-cpus" => {
            let key = format!("{key}=");
            options.max_slots = Some(names::number(&key, value, 0, TASKS_PER_LAUNCH_MAX, 8)?);
        }
        "lo" | "user" | "username" | "user-name" => options.user = Some(names::user(value)?),
        "so" => options.start = start(value)?,
        "dx" => options.daemon = text(),
        "ep" => {
            let folders = value.split(':').filter(|folder| !folder.is_empty());
            options.programs = folders.map(str::to_owned).collect();
        }
        "wd" => options.directory = text(),
        "sp" => options.speed = Some(names::number("sp=", value, 1, SPEED_MAX, 1000)?),
        "ip" => options.address = Some(names::host(value)?),
        // MPICH's: an interface of that host. All of its addresses are tried.
        "ifname" => {}
        "bx" => options.debugger = text(),
        "id" => options.machine = text(),
        _ => return Err(Problem::UnknownOption(super::problem::shortened(word))),
    }
    Ok(())
}

fn start(value: &str) -> Result<Start, Problem> {
    match value {
        "pw" => Ok(Start::Password),
        "ms" => Ok(Start::Manual),
        _ => Err(Problem::UnknownStart(super::problem::shortened(value))),
    }
}

#[cfg(test)]
mod tests;
