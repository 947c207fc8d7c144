//! The spelling of options: `--x y`, `--x=y`, `-x y` and `-x=y` are one thing, whatever the name's
//! length, as the fingers of MPI users expect (`-np 4`, `-wdir /tmp`).
//!
//! What is read here are names and numbers of values; what they mean is told by those who know the
//! options: the table of `pvm run` (`flags`), and clap for the other verbs.

use super::nearest::{hint, nearest};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::slice::Iter;

/// A command line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpellingError {
    /// No option has this name.
    #[error("unknown option '{typed}'{}", hint(.nearest.as_deref()))]
    Unknown {
        /// As typed.
        typed: String,
        /// The known option that is nearest, with its dashes.
        nearest: Option<String>,
    },
    /// The option wants a value and the line ends.
    #[error("the option '{0}' needs a value")]
    NoValue(String),
    /// The option wants two values and the line ends.
    #[error("the option '{0}' needs a name and a value")]
    NoPair(String),
    /// The option takes no value and has one.
    #[error("the option '{0}' takes no value")]
    UnwantedValue(String),
    /// Option names are text.
    #[error("the option '{0}' is not valid UTF-8")]
    NotText(String),
}

/// Whether options may come after words that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The first one is the program: the rest is its own.
    EndOptions,
    /// They may stand anywhere.
    Anywhere,
}

/// An option, as far as it is needed to read a line.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Its names without dashes; those of one letter can stand together (`-lq`).
    pub names: Vec<&'a str>,
    /// How many values it takes.
    pub values: usize,
    /// Whether it is offered when something like it was typed.
    pub is_offered: bool,
}

/// One piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An option.
    Option {
        /// Which of those that are known.
        at: usize,
        /// As typed, without its value.
        typed: String,
        /// Its values, as many as it takes.
        values: Vec<OsString>,
    },
    /// A word that is none.
    Word(OsString),
    /// `--`: from here on there are words only.
    Dashes,
}

/// Reads one command line (without its verb).
///
/// # Errors
/// The first option that is unknown or wrongly used.
pub fn read(
    known: &[Known<'_>],
    words: Words,
    typed: &[OsString],
) -> Result<Vec<Item>, SpellingError> {
    let mut items = Vec::with_capacity(typed.len());
    let mut rest = typed.iter();
    while let Some(word) = rest.next() {
        let bytes = word.as_encoded_bytes();
        if bytes == b"--" {
            items.push(Item::Dashes);
            break;
        }
        if bytes.starts_with(b"-") && bytes != b"-" {
            items.extend(Typed::read(word)?.resolve(known, &mut rest)?);
            continue;
        }
        items.push(Item::Word(word.clone()));
        if words == Words::EndOptions {
            break;
        }
    }
    items.extend(rest.cloned().map(Item::Word));
    Ok(items)
}

/// Rewrites a command line to clap's own spelling.
///
/// # Errors
/// The first option that is unknown or wrongly used.
pub fn normalise(
    command: &clap::Command,
    typed: &[OsString],
) -> Result<Vec<OsString>, SpellingError> {
    let mut command = command.clone();
    command.build();
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    let args: Vec<&clap::Arg> = options.collect();
    let names = args.iter().map(|arg| names(arg)).collect::<Vec<_>>();
    let known = args.iter().zip(&names).map(|(arg, names)| Known {
        names: names.iter().map(String::as_str).collect(),
        values: usize::from(arg.get_action().takes_values()),
        is_offered: !arg.is_hide_set(),
    });
    let items = read(&known.collect::<Vec<_>>(), Words::Anywhere, typed)?;
    let spelled = items.into_iter().map(|item| match item {
        Item::Word(word) => word,
        Item::Dashes => "--".into(),
        Item::Option { at, values, .. } => {
            let long = args[at].get_long().unwrap_or_default();
            let mut spelled = OsString::from(format!("--{long}"));
            for value in values {
                spelled.push("=");
                spelled.push(value);
            }
            spelled
        }
    });
    Ok(spelled.collect())
}

/// The names of an option of clap, all of them.
fn names(arg: &clap::Arg) -> Vec<String> {
    let letters = arg.get_short_and_visible_aliases().unwrap_or_default();
    let longs = arg.get_long().into_iter();
    let longs = longs.chain(arg.get_all_aliases().unwrap_or_default());
    let letters = letters.into_iter().map(String::from);
    longs.map(str::to_owned).chain(letters).collect()
}

/// One option as typed.
struct Typed<'a> {
    typed: &'a str,
    name: &'a str,
    double: bool,
    value: Option<&'a str>,
}

impl<'a> Typed<'a> {
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

    /// What it is; takes its values from `rest` when it needs some.
    fn resolve(
        &self,
        known: &[Known<'_>],
        rest: &mut Iter<'_, OsString>,
    ) -> Result<Vec<Item>, SpellingError> {
        let is_it = |known: &Known<'_>| known.names.contains(&self.name);
        if let Some(at) = known.iter().position(is_it) {
            let values = self.values(known[at].values, rest)?;
            return Ok(vec![self.item(at, values)]);
        }
        self.attached_or_cluster(known)
            .ok_or_else(|| self.unknown(known))
    }

    fn item(&self, at: usize, values: Vec<OsString>) -> Item {
        let typed = self.typed.to_owned();
        Item::Option { at, typed, values }
    }

    fn values(
        &self,
        count: usize,
        rest: &mut Iter<'_, OsString>,
    ) -> Result<Vec<OsString>, SpellingError> {
        let own = self.value.map(OsString::from);
        let typed = || self.typed.to_owned();
        match (count, own) {
            (0, None) => Ok(Vec::new()),
            (0, Some(_)) => Err(SpellingError::UnwantedValue(typed())),
            (1, own) => {
                let value = own.or_else(|| rest.next().cloned());
                let value = value.ok_or_else(|| SpellingError::NoValue(typed()))?;
                Ok(vec![value])
            }
            (_, own) => {
                let name = own.or_else(|| rest.next().cloned());
                let name = name.ok_or_else(|| SpellingError::NoPair(typed()))?;
                if let Some(pair) = pair(&name) {
                    return Ok(pair);
                }
                let value = rest.next().cloned();
                let value = value.ok_or_else(|| SpellingError::NoPair(typed()))?;
                Ok(vec![name, value])
            }
        }
    }

    /// `-n4` and `-lq`, as POSIX has them.
    fn attached_or_cluster(&self, known: &[Known<'_>]) -> Option<Vec<Item>> {
        if self.double || self.value.is_some() {
            return None;
        }
        let mut items = Vec::new();
        for (at, letter) in self.name.char_indices() {
            let rest = &self.name[at + letter.len_utf8()..];
            let letter = &self.name[at..at + letter.len_utf8()];
            let found = known.iter().position(|it| it.names.contains(&letter))?;
            if known[found].values > 0 {
                // Only numbers are read as attached: `-nodes 4` is a mistyped option.
                let is_number = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
                items.push(self.item(found, vec![rest.into()]));
                return (is_number && known[found].values == 1).then_some(items);
            }
            items.push(self.item(found, Vec::new()));
        }
        Some(items)
    }

    fn unknown(&self, known: &[Known<'_>]) -> SpellingError {
        let offered = known.iter().filter(|known| known.is_offered);
        let mut names = offered.flat_map(|known| known.names.iter().copied());
        let typed = self.typed.to_owned();
        if self.name.chars().count() == 1 {
            // `-N` is no misspelled long name.
            let lower = self.name.to_ascii_lowercase();
            let nearest = names.find(|name| *name == lower);
            let nearest = nearest.map(|name| format!("-{name}"));
            return SpellingError::Unknown { typed, nearest };
        }
        let dashes = if self.double { "--" } else { "-" };
        let nearest = nearest(self.name, names.filter(|name| name.len() > 1));
        let nearest = nearest.map(|name| format!("{dashes}{name}"));
        SpellingError::Unknown { typed, nearest }
    }
}

/// `NAME=VALUE` in one word, as two.
fn pair(word: &OsStr) -> Option<Vec<OsString>> {
    let (name, value) = pvm::session::split_variable(word.as_encoded_bytes())?;
    let part = |bytes| OsStr::from_bytes(bytes).to_owned();
    Some(vec![part(name), part(value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known<'static>> {
        let option = |names: &[&'static str], values| Known {
            names: names.to_vec(),
            values,
            is_offered: true,
        };
        vec![
            option(&["n", "np"], 1),
            option(&["wdir", "wd"], 1),
            option(&["l", "tag-output"], 0),
            option(&["q", "quiet"], 0),
            option(&["genv"], 2),
        ]
    }

    fn run(line: &str) -> Result<String, SpellingError> {
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let known = known();
        let items = read(&known, Words::EndOptions, &typed)?;
        let text = |item: &Item| match item {
            Item::Word(word) => word.to_str().unwrap().to_owned(),
            Item::Dashes => "--".to_owned(),
            Item::Option { at, values, .. } => {
                let values = values.join(OsStr::new(","));
                format!(
                    "<{}:{}>",
                    known[*at].names.last().unwrap(),
                    values.to_str().unwrap()
                )
            }
        };
        Ok(items.iter().map(text).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn spellings_are_one() {
        for line in [
            "-n 4", "-n=4", "--n 4", "--n=4", "-np 4", "-np=4", "--np 4", "--np=4", "-n4",
        ] {
            assert_eq!(run(line).unwrap(), "<np:4>", "{line}");
        }
        assert_eq!(run("-wd -odd").unwrap(), "<wd:-odd>");
        assert_eq!(run("-lq prog").unwrap(), "<tag-output:> <quiet:> prog");
        assert_eq!(run("-tag-output").unwrap(), "<tag-output:>");
        for line in ["-genv A 1", "--genv A=1", "-genv=A 1"] {
            assert_eq!(run(line).unwrap(), "<genv:A,1>", "{line}");
        }
    }

    #[test]
    fn the_program_ends_the_options() {
        assert_eq!(run("-n 2 prog -n 3 --x").unwrap(), "<np:2> prog -n 3 --x");
        assert_eq!(run("-n 2 -- -prog -l").unwrap(), "<np:2> -- -prog -l");
        assert_eq!(run("-l - x").unwrap(), "<tag-output:> - x");
    }

    #[test]
    fn lines_of_clap_get_its_spelling() {
        let command = clap::Command::new("x")
            .arg(clap::Arg::new("s").short('s').long("signal").alias("sig"))
            .arg(clap::Arg::new("word").num_args(0..));
        let spelled = |line: &str| {
            let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let out = normalise(&command, &typed).unwrap();
            out.join(OsStr::new(" ")).into_string().unwrap()
        };
        assert_eq!(spelled("j2 -s KILL j3"), "j2 --signal=KILL j3");
        assert_eq!(spelled("-sig=KILL -- -s"), "--signal=KILL -- -s");
        assert_eq!(spelled("-h"), "--help");
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
        assert_eq!(run("-genv A"), Err(SpellingError::NoPair("-genv".into())));
        assert_eq!(run("-l=2"), Err(SpellingError::UnwantedValue("-l".into())));
        let Err(SpellingError::Unknown { nearest: None, .. }) = run("-nodes 4") else {
            panic!("'-nodes' is not -n odes");
        };
    }
}
