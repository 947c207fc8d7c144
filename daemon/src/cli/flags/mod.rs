//! The options of `pvm run`, `mpiexec` and `mpirun`: one table, from which the parser, `--help`, the manual
//! page and the completion of shells are made.
//!
//! # Layout
//! - one file for each group of options; [`typed`]: what was typed, before anybody asks what it means
//!
//! An option of another launcher does here what it does there, or it has no effect and the manual page
//! says so, or it is refused because leaving it out could change what a program computes.

mod ending;
mod environment;
mod hosts;
mod others;
mod output;
mod placing;
mod tasks;
mod telling;
pub mod typed;

use super::normal::Known;
use std::ffi::OsString;
use typed::{Run, Twice};

/// One option.
pub struct Flag {
    /// Its names without dashes, of one letter or more. Help shows the first of each kind.
    pub names: &'static [&'static str],
    /// What its values are called; as many as there are names here are taken.
    pub values: &'static [&'static str],
    /// Where it stands in help.
    pub group: Group,
    /// Which tasks it is about.
    pub scope: Scope,
    /// Whether help tells it; the manual page tells all.
    pub shown: bool,
    /// What it does, in words; nothing when it is refused: that says why.
    pub help: &'static str,
    /// What it does.
    pub effect: Effect,
}

/// Groups of options, in the order of the help page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// How many tasks of what.
    Tasks,
    /// Which hosts.
    Hosts,
    /// On which of them, and on which processors there.
    Placing,
    /// Variables.
    Environment,
    /// Input and output.
    Output,
    /// When and how it ends.
    Ending,
    /// What we tell.
    Telling,
    /// Of other launchers, without effect here.
    Others,
}

impl Group {
    /// All of them, with their headings.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Tasks, "Tasks"),
        (Self::Hosts, "Hosts"),
        (Self::Placing, "Placing and binding"),
        (Self::Environment, "Environment"),
        (Self::Output, "Input and output"),
        (Self::Ending, "Ending"),
        (Self::Telling, "Telling"),
        (Self::Others, "Without effect"),
    ];
}

/// Which tasks an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the program that follows.
    Program,
    /// All: it stands before the first program.
    Job,
    /// All, wherever it stands.
    Anywhere,
}

/// What an option does.
pub enum Effect {
    /// It is noted.
    Notes(fn(&mut Run, Values) -> Result<(), Twice>),
    /// Nothing.
    None,
    /// It is refused: why, and what to write.
    Refused(&'static str),
}

/// The values of an option, as many as it takes.
pub struct Values(Vec<OsString>);

impl Values {
    /// The only one.
    pub fn one(mut self) -> OsString {
        self.0.pop().unwrap_or_default()
    }

    /// `NAME=VALUE` of the two.
    pub fn pair(self) -> OsString {
        self.0.join("=".as_ref())
    }
}

/// The table, group by group.
pub fn all() -> impl Iterator<Item = &'static Flag> {
    let groups = [
        tasks::FLAGS,
        hosts::FLAGS,
        placing::FLAGS,
        environment::FLAGS,
        output::FLAGS,
        ending::FLAGS,
        telling::FLAGS,
        others::FLAGS,
    ];
    groups.into_iter().flatten()
}

impl Flag {
    /// As the reader of lines needs to know it.
    pub fn known(&self) -> Known<'static> {
        Known {
            names: self.names.to_vec(),
            values: self.values.len(),
            is_offered: self.shown,
        }
    }

    /// Its first name of more than one letter.
    pub fn long(&self) -> &'static str {
        let long = self.names.iter().find(|name| name.len() > 1);
        long.unwrap_or(&self.names[0])
    }

    /// `-n, --np N`: the names that help shows, with the values.
    pub fn usage(&self) -> String {
        let letter = self.names.iter().find(|name| name.len() == 1);
        let long = self.names.iter().find(|name| name.len() > 1);
        let names: Vec<_> = letter
            .into_iter()
            .chain(long)
            .map(|it| dashed(it))
            .collect();
        let names = names.join(", ");
        [&[names.as_str()], self.values].concat().join(" ")
    }

    /// Notes that it was typed.
    pub(super) fn note(
        &self,
        run: &mut Run,
        typed: &str,
        values: Vec<OsString>,
    ) -> Result<(), Noted> {
        if self.scope == Scope::Job {
            run.of_the_job.get_or_insert_with(|| dashed(self.long()));
        }
        match self.effect {
            Effect::Notes(note) => note(run, Values(values)).map_err(|twice| Noted::Twice {
                option: typed.to_owned(),
                twice,
            }),
            Effect::None => {
                run.without_effect.push(typed.to_owned());
                Ok(())
            }
            Effect::Refused(why) => Err(Noted::Refused {
                option: typed.to_owned(),
                why,
            }),
        }
    }
}

/// A name as it is typed: one dash before a letter, two before a word.
pub fn dashed(name: &str) -> String {
    let dashes = if name.len() == 1 { "-" } else { "--" };
    format!("{dashes}{name}")
}

/// Why an option cannot be noted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Noted {
    /// It was typed before, with another value.
    #[error("{option} is given twice, as '{}' and '{}': leave one out", .twice.first.to_string_lossy(), .twice.second.to_string_lossy())]
    Twice {
        /// As typed.
        option: String,
        /// Both values.
        twice: Twice,
    },
    /// It means something that is not done here.
    #[error("{option}: {why}")]
    Refused {
        /// As typed.
        option: String,
        /// Why, and what to write.
        why: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_means_one_thing() {
        let mut seen = BTreeMap::new();
        for flag in all() {
            assert!(flag.values.len() <= 2, "{}", flag.names[0]);
            for name in flag.names {
                let before = seen.insert(*name, flag.names[0]);
                assert_eq!(before, None, "-{name} stands twice in the table");
                assert!(!name.starts_with('-') && !name.contains('='));
            }
        }
    }

    #[test]
    fn every_option_is_told_of_in_a_sentence_of_its_own() {
        for flag in all() {
            let words = match flag.effect {
                Effect::Refused(why) => why,
                _ => flag.help,
            };
            let is_sentence = !words.is_empty() && !words.ends_with('.');
            assert!(is_sentence, "{}: {words}", flag.names[0]);
        }
    }

    #[test]
    fn names_are_shown_as_they_are_typed() {
        let np = all().find(|flag| flag.names.contains(&"np")).unwrap();
        assert_eq!(np.usage(), "-n, --np N");
        let genv = all().find(|flag| flag.names.contains(&"genv")).unwrap();
        assert_eq!(genv.usage(), "--genv NAME VALUE");
    }
}
