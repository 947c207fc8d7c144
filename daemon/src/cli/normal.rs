//! The spelling of options: `--x y`, `--x=y`, `-x y` and `-x=y` are one thing, whatever the name's
//! length, as the fingers of MPI users expect (`-np 4`, `-wdir /tmp`).
//!
//! The options are those that the clap command knows; here they are rewritten to clap's own
//! spelling before it parses them. Options stop at the first word that is none: from there on all
//! belongs to the program.

use super::nearest::nearest;
use std::ffi::{OsStr, OsString};

/// A command line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpellingError {
    /// No option has this name.
    #[error("unknown option '{typed}'{}", suggestion(.nearest))]
    Unknown {
        /// As typed.
        typed: String,
        /// The known option that is nearest, with its dashes.
        nearest: Option<String>,
    },
    /// The option wants a value and the line ends.
    #[error("the option '{0}' needs a value")]
    NoValue(String),
    /// The option takes no value and has one.
    #[error("the option '{0}' takes no value")]
    UnwantedValue(String),
    /// Option names are text.
    #[error("the option '{0}' is not valid UTF-8")]
    NotText(String),
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!(" (did you mean '{name}'?)"),
        None => String::new(),
    }
}

/// Whether options may come after words that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The first one is the program: the rest is its own.
    EndOptions,
    /// They may stand anywhere.
    Anywhere,
}

/// Rewrites one command line (without its verb) to clap's spelling.
///
/// # Errors
/// The first option that is unknown or wrongly used.
pub fn normalise(
    command: &clap::Command,
    words: Words,
    typed: &[OsString],
) -> Result<Vec<OsString>, SpellingError> {
    let mut command = command.clone();
    command.build();
    let mut out = Vec::with_capacity(typed.len() + 1);
    let mut rest = typed.iter();
    while let Some(word) = rest.next() {
        let bytes = word.as_encoded_bytes();
        if bytes == b"--" {
            out.push(word.clone());
            break;
        }
        if !bytes.starts_with(b"-") || bytes == b"-" {
            if words == Words::EndOptions {
                out.push("--".into());
                out.push(word.clone());
                break;
            }
            out.push(word.clone());
            continue;
        }
        let option = Option_::read(word)?;
        out.extend(option.resolve(&command, &mut rest)?);
    }
    out.extend(rest.cloned());
    Ok(out)
}

/// One option as typed.
struct Option_<'a> {
    typed: &'a str,
    name: &'a str,
    double: bool,
    value: Option<&'a str>,
}

impl<'a> Option_<'a> {
    fn read(word: &'a OsStr) -> Result<Self, SpellingError> {
        let not_text = || SpellingError::NotText(word.to_string_lossy().into_owned());
        let text = word.to_str().ok_or_else(not_text)?;
        let (typed, value) = match text.split_once('=') {
            Some((typed, value)) => (typed, Some(value)),
            None => (text, None),
        };
        let double = typed.starts_with("--");
        let name = typed.trim_start_matches('-');
        Ok(Self {
            typed,
            name,
            double,
            value,
        })
    }

    /// clap's spelling of it; takes its value from `rest` when it needs one.
    fn resolve(
        &self,
        command: &clap::Command,
        rest: &mut std::slice::Iter<'_, OsString>,
    ) -> Result<Vec<OsString>, SpellingError> {
        if let Some(arg) = self.whole(command) {
            return Ok(vec![self.spell(arg, rest)?]);
        }
        self.attached_or_cluster(command)
            .ok_or_else(|| self.unknown(command))
    }

    /// The option whose whole name was typed.
    fn whole<'c>(&self, command: &'c clap::Command) -> Option<&'c clap::Arg> {
        let mut letters = self.name.chars();
        let letter = letters.next().filter(|_| letters.next().is_none());
        let has_letter = |arg: &&clap::Arg| {
            letter.is_some()
                && arg
                    .get_short_and_visible_aliases()
                    .is_some_and(|s| s.contains(&letter.unwrap_or(' ')))
        };
        let mut args = command.get_arguments();
        args.find(|arg| longs(arg).any(|long| long == self.name))
            .or_else(|| command.get_arguments().find(has_letter))
    }

    fn spell(
        &self,
        arg: &clap::Arg,
        rest: &mut std::slice::Iter<'_, OsString>,
    ) -> Result<OsString, SpellingError> {
        let long = arg.get_long().unwrap_or(self.name);
        let mut spelled = OsString::from(format!("--{long}"));
        if !arg.get_action().takes_values() {
            return match self.value {
                Some(_) => Err(SpellingError::UnwantedValue(self.typed.to_owned())),
                None => Ok(spelled),
            };
        }
        spelled.push("=");
        match self.value {
            Some(value) => spelled.push(value),
            None => {
                let no_value = || SpellingError::NoValue(self.typed.to_owned());
                spelled.push(rest.next().ok_or_else(no_value)?);
            }
        }
        Ok(spelled)
    }

    /// `-n4` and `-lq`, as POSIX has them.
    fn attached_or_cluster(&self, command: &clap::Command) -> Option<Vec<OsString>> {
        if self.double {
            return None;
        }
        let mut spelled = Vec::new();
        let by_letter = |c| {
            command
                .get_arguments()
                .find(|arg| arg.get_short() == Some(c))
        };
        for (at, letter) in self.name.char_indices() {
            let arg = by_letter(letter)?;
            let long = arg.get_long()?;
            if arg.get_action().takes_values() {
                let value = &self.name[at + letter.len_utf8()..];
                // Only numbers are read as attached: `-nodes 4` is a mistyped option.
                let number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                spelled.push(format!("--{long}={value}").into());
                return (number && self.value.is_none()).then_some(spelled);
            }
            spelled.push(format!("--{long}").into());
        }
        self.value.is_none().then_some(spelled)
    }

    fn unknown(&self, command: &clap::Command) -> SpellingError {
        if let [letter] = self.name.as_bytes() {
            // `-N` is no misspelled long name.
            let lower = char::from(letter.to_ascii_lowercase());
            let mut shorts = command.get_arguments().filter_map(clap::Arg::get_short);
            return SpellingError::Unknown {
                typed: self.typed.to_owned(),
                nearest: shorts
                    .find(|short| *short == lower)
                    .map(|short| format!("-{short}")),
            };
        }
        let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let names: Vec<&str> = visible
            .flat_map(longs)
            .filter(|name| name.len() > 1)
            .collect();
        let dashes = if self.double { "--" } else { "-" };
        let nearest = nearest(self.name, names).map(|name| format!("{dashes}{name}"));
        SpellingError::Unknown {
            typed: self.typed.to_owned(),
            nearest,
        }
    }
}

/// The long names of an option, all of them.
fn longs(arg: &clap::Arg) -> impl Iterator<Item = &str> {
    arg.get_long()
        .into_iter()
        .chain(arg.get_all_aliases().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, Command};

    fn command() -> Command {
        Command::new("run")
            .arg(Arg::new("np").short('n').long("np").alias("n"))
            .arg(Arg::new("wdir").long("wdir").alias("wd"))
            .arg(
                Arg::new("tag")
                    .short('l')
                    .long("tag-output")
                    .action(ArgAction::SetTrue),
            )
            .arg(
                Arg::new("quiet")
                    .short('q')
                    .long("quiet")
                    .action(ArgAction::SetTrue),
            )
    }

    fn run(line: &str) -> Result<String, SpellingError> {
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let out = normalise(&command(), Words::EndOptions, &typed)?;
        Ok(out.join(OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn spellings_are_one() {
        for line in [
            "-n 4", "-n=4", "--n 4", "--n=4", "-np 4", "-np=4", "--np 4", "--np=4", "-n4",
        ] {
            assert_eq!(run(line).unwrap(), "--np=4", "{line}");
        }
        assert_eq!(run("-wd -odd").unwrap(), "--wdir=-odd");
        assert_eq!(run("-lq prog").unwrap(), "--tag-output --quiet -- prog");
        assert_eq!(run("-tag-output").unwrap(), "--tag-output");
    }

    #[test]
    fn the_program_ends_the_options() {
        assert_eq!(
            run("-n 2 prog -n 3 --x").unwrap(),
            "--np=2 -- prog -n 3 --x"
        );
        assert_eq!(run("-n 2 -- -prog -l").unwrap(), "--np=2 -- -prog -l");
        assert_eq!(run("-l - x").unwrap(), "--tag-output -- - x");
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = |typed: &str, nearest: &str| SpellingError::Unknown {
            typed: typed.into(),
            nearest: Some(nearest.into()),
        };
        assert_eq!(run("-wdri x"), Err(unknown("-wdri", "-wdir")));
        assert_eq!(
            run("--tagoutput"),
            Err(unknown("--tagoutput", "--tag-output"))
        );
        assert_eq!(run("-N 4 x"), Err(unknown("-N", "-n")));
        assert_eq!(run("--nproc 4 x"), Err(unknown("--nproc", "--np")));
        assert_eq!(run("-n"), Err(SpellingError::NoValue("-n".into())));
        assert_eq!(run("-l=2"), Err(SpellingError::UnwantedValue("-l".into())));
        let Err(SpellingError::Unknown { nearest: None, .. }) = run("-nodes 4") else {
            panic!("'-nodes' is not -n odes");
        };
    }
}
