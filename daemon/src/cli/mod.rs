//! The command line of `pvm`: what was typed, what it means, and doing it.
//!
//! # Layout
//! - [`normal`]: the spelling of options; [`flags`]: the options of `pvm run`, [`low`]: of the other verbs
//! - [`plan`]: what a line of `pvm run` means; [`high`]: finding it, with [`placing`], [`binding`],
//!   [`variables`], [`passing`], [`pattern`] and [`soft`]; [`explain`]: the same as text; [`manual`], [`completion`]: the table for others
//! - [`run`]: `pvm run`; one file for each other verb; [`listed`]: what `ps` and `stacks` share
//! - [`connect`]: finding or starting the daemon
//! - [`exit`]: exit codes; [`failure`]: refusals of the daemon; [`say`]: our words;
//!   [`signal`], [`nearest`]: names; [`help`]: the ends of the help pages

pub mod add;
pub mod binding;
pub mod completion;
pub mod conf;
pub mod connect;
pub mod delete;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod failure;
pub mod flags;
pub mod halt;
pub mod help;
pub mod high;
pub mod kill;
pub mod listed;
pub mod low;
pub mod manual;
pub mod nearest;
pub mod normal;
pub mod passing;
pub mod pattern;
pub mod placing;
pub mod plan;
pub mod ps;
pub mod run;
pub mod say;
pub mod signal;
pub mod soft;
pub mod stacks;
pub mod token;
pub mod up;
pub mod variables;
pub mod version;

use crate::ui::table::Look;
use clap::{CommandFactory, FromArgMatches};
use connect::Trouble;
use exit::Exit;
use low::{Pvm, Verb};
use pvm::settings;
use std::ffi::OsString;
use std::path::Path;

/// Names under which we are `pvm run`.
const LAUNCHER_NAMES: &[&str] = &["mpiexec", "mpirun"];

/// Does what a command line says; `words` begins with the program's name.
pub fn main(words: &[OsString]) -> Exit {
    let (name, rest) = match words.split_first() {
        Some((name, rest)) => (Path::new(name).file_name().unwrap_or_default(), rest),
        None => ("pvm".as_ref(), &[][..]),
    };
    if LAUNCHER_NAMES.iter().any(|launcher| name == *launcher) {
        return run::main(rest);
    }
    let Some((verb, rest)) = rest.split_first() else {
        say::raw(Pvm::command().render_help().to_string().trim_end());
        return Exit::Usage;
    };
    match verb.to_str() {
        Some("run") => run::main(rest),
        Some("help") => help_for(rest),
        Some("-h" | "-help" | "--help") => help_for(&[]),
        Some("-V" | "-version" | "--version") => other("version", rest),
        Some(verb) if known(verb) => other(verb, rest),
        _ => unknown(&verb.to_string_lossy()),
    }
}

fn known(verb: &str) -> bool {
    Pvm::command().find_subcommand(verb).is_some()
}

fn unknown(verb: &str) -> Exit {
    let command = Pvm::command();
    let is_option = verb.starts_with('-');
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verbs = verbs.map(clap::Command::get_name);
    let near = match is_option {
        true => nearest::nearest(verb, ["--help", "--version"]),
        false => nearest::nearest(verb, verbs),
    };
    let near = near.map(|near| format!("pvm {near}"));
    let hint = nearest::hint(near.as_deref());
    let what = if is_option { "option" } else { "command" };
    say::error(
        "pvm",
        &format!("unknown {what} '{verb}'{hint}; see: pvm --help"),
    );
    Exit::Usage
}

fn help_for(words: &[OsString]) -> Exit {
    match words.first().and_then(|word| word.to_str()) {
        None => say::out(&Pvm::command().render_help().to_string()),
        Some("run") => run::main(&["--help".into()]),
        Some(verb) if known(verb) => other(verb, &["--help".into()]),
        Some(verb) => unknown(verb),
    }
}

/// Every verb but `run`.
fn other(verb: &str, rest: &[OsString]) -> Exit {
    let who = format!("pvm {verb}");
    let rest = if verb == "kill" {
        kill::with_signal_words(rest)
    } else {
        rest.to_vec()
    };
    let mut command = Pvm::command();
    command.build();
    let Some(options) = command.find_subcommand(verb) else {
        return unknown(verb);
    };
    let spelled = match normal::normalise(options, &rest) {
        Ok(spelled) => spelled,
        Err(error) => {
            say::error(&who, &format!("{error}; see: {who} --help"));
            return Exit::Usage;
        }
    };
    let words = ["pvm".into(), verb.into()].into_iter().chain(spelled);
    let typed = command
        .try_get_matches_from(words)
        .and_then(|matches| Pvm::from_arg_matches(&matches));
    match typed {
        Ok(typed) => done(&who, act(&typed.verb)),
        Err(error) => say::clap_error(&who, &error),
    }
}

fn act(verb: &Verb) -> Result<Exit, Trouble> {
    let no_colour = std::env::var_os(settings::NO_COLOR).is_some_and(|value| !value.is_empty());
    let look = Look::of_stdout(no_colour);
    match verb {
        // Only for the list of verbs: `run::main` reads its own words.
        Verb::Run => Ok(Exit::Usage),
        Verb::Up(typed) => up::main(typed, look),
        Verb::Add(typed) => add::main(typed),
        Verb::Delete(typed) => delete::main(typed),
        Verb::Token(typed) => token::main(typed),
        Verb::Ps(typed) => ps::main(typed, look),
        Verb::Stacks(typed) => stacks::main(typed, look),
        Verb::Conf(typed) => conf::main(typed, look),
        Verb::Doctor(typed) => doctor::main(typed, look),
        Verb::Kill(typed) => kill::main(typed),
        Verb::Halt(typed) => halt::main(typed),
        Verb::Version(typed) => version::main(typed),
        Verb::Completion(typed) => Ok(completion::main(typed)),
        Verb::Manual => Ok(say::out(&manual::page())),
    }
}

fn done(who: &str, result: Result<Exit, Trouble>) -> Exit {
    result.unwrap_or_else(|trouble| {
        say::error(who, &trouble.to_string());
        trouble.exit()
    })
}
