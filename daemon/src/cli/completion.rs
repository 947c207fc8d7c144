//! What shells need to complete words of `pvm`, `mpiexec` and `mpirun`: made from the tables of options.

use super::exit::Exit;
use super::flags::{self, Flag, dashed};
use super::nearest::{hint, nearest};
use super::{low, say};
use clap::CommandFactory;
use low::Pvm;

/// The shells that are known.
const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// Names under which `pvm run` is known by itself.
const LAUNCHERS: [&str; 2] = ["mpiexec", "mpirun"];

/// Does `pvm completion`.
pub fn main(typed: &low::Completion) -> Exit {
    match script(&typed.shell) {
        Some(script) => say::out(&script),
        None => {
            let line = format!(
                "'{}' is no shell that is known{}: bash, zsh or fish",
                typed.shell,
                hint(nearest(&typed.shell, SHELLS))
            );
            say::error("pvm completion", &line);
            Exit::Usage
        }
    }
}

/// What a shell is to read; `None`: it is not known.
pub fn script(shell: &str) -> Option<String> {
    let verbs = verbs();
    match shell {
        "bash" => Some(bash(&verbs)),
        "zsh" => Some(zsh(&verbs)),
        "fish" => Some(fish(&verbs)),
        _ => None,
    }
}

/// A verb, as shells need to know it.
struct Verb {
    name: String,
    about: String,
    options: Vec<Opt>,
}

/// An option, as shells need to know it.
struct Opt {
    /// With their dashes.
    names: Vec<String>,
    values: usize,
    about: String,
    /// Words that its value can be.
    words: Vec<String>,
}

fn verbs() -> Vec<Verb> {
    let command = Pvm::command();
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verb = |verb: &clap::Command| Verb {
        name: verb.get_name().to_owned(),
        about: verb
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
        options: match verb.get_name() {
            "run" => flags::all()
                .filter(|flag| is_offered(flag))
                .map(of_flag)
                .collect(),
            _ => verb
                .get_arguments()
                .filter(|it| !it.is_positional())
                .map(of_clap)
                .collect(),
        },
    };
    shown.map(verb).collect()
}

/// What does nothing or is refused need not be found.
fn is_offered(flag: &Flag) -> bool {
    matches!(flag.effect, flags::Effect::Notes(_))
}

fn of_flag(flag: &Flag) -> Opt {
    Opt {
        names: flag.names.iter().map(|name| dashed(name)).collect(),
        values: flag.values.len(),
        about: brief(flag.help),
        words: words(flag.values),
    }
}

fn of_clap(arg: &clap::Arg) -> Opt {
    let long = arg.get_long().map(|name| format!("--{name}"));
    let letter = arg.get_short().map(|name| format!("-{name}"));
    Opt {
        names: letter.into_iter().chain(long).collect(),
        values: usize::from(arg.get_action().takes_values()),
        about: brief(&arg.get_help().map(ToString::to_string).unwrap_or_default()),
        words: Vec::new(),
    }
}

/// The words of a value that is one of some: `kill|continue`; those in capitals stand for others.
fn words(values: &[&str]) -> Vec<String> {
    let words = values
        .first()
        .into_iter()
        .flat_map(|value| value.split('|'));
    let words: Vec<_> = words
        .filter(|word| word.chars().any(char::is_lowercase))
        .collect();
    match values.first().is_some_and(|value| value.contains('|')) {
        true => words.into_iter().map(str::to_owned).collect(),
        false => Vec::new(),
    }
}

/// The first thing that is said, without what would end a word in a script.
fn brief(help: &str) -> String {
    let end = help.find([':', ';', '(', '[']).unwrap_or(help.len());
    help[..end].trim().replace(['\'', '"', '`', '\\'], "")
}

fn bash(verbs: &[Verb]) -> String {
    let mut options = String::new();
    for verb in verbs {
        let names: Vec<_> = verb
            .options
            .iter()
            .flat_map(|it| it.names.clone())
            .collect();
        options += &format!("        {}) options='{}' ;;\n", verb.name, names.join(" "));
    }
    let mut values = String::new();
    for option in verbs
        .iter()
        .filter(|verb| verb.name == "run")
        .flat_map(|verb| &verb.options)
    {
        if !option.words.is_empty() {
            values += &format!(
                "        run:{}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n",
                option.names.join("|run:"),
                option.words.join(" ")
            );
        }
    }
    let names: Vec<_> = verbs.iter().map(|verb| verb.name.as_str()).collect();
    format!(
        "# Completion of pvm, mpiexec and mpirun for bash.
_pvm() {{
    local word=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD-1]}}\" verb=run options=
    COMPREPLY=()
    if [ \"${{1##*/}}\" = pvm ]; then
        if [ \"$COMP_CWORD\" -eq 1 ]; then
            COMPREPLY=($(compgen -W '{}' -- \"$word\"))
            return
        fi
        verb=\"${{COMP_WORDS[1]}}\"
    fi
    case \"$verb:$before\" in
        completion:completion) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;
{values}    esac
    case \"$verb\" in
{options}    esac
    if [ \"${{word:0:1}}\" = - ]; then
        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))
    else
        COMPREPLY=($(compgen -f -- \"$word\") $(compgen -c -- \"$word\"))
    fi
}}
complete -o filenames -F _pvm pvm {}
",
        names.join(" "),
        SHELLS.join(" "),
        LAUNCHERS.join(" ")
    )
}

fn zsh(verbs: &[Verb]) -> String {
    let mut functions = String::new();
    for verb in verbs {
        functions += &format!("_pvm_{}() {{\n    _arguments -S", verb.name);
        for option in &verb.options {
            let values = match (option.values, option.words.is_empty()) {
                (0, _) => String::new(),
                (1, false) => format!(":value:({})", option.words.join(" ")),
                (count, _) => ":value:_files".repeat(count),
            };
            let others = option.names.join(" ");
            for name in &option.names {
                functions += &format!(" \\\n        '({others}){name}[{}]{values}'", option.about);
            }
        }
        functions += " \\\n        '*:: :_normal'\n}\n";
    }
    let names: Vec<_> = verbs
        .iter()
        .map(|verb| format!("'{}:{}'", verb.name, verb.about))
        .collect();
    format!(
        "#compdef pvm {}
# Completion of pvm, mpiexec and mpirun for zsh.
{functions}_pvm() {{
    if [[ ${{service}} != pvm ]]; then
        _pvm_run
    elif (( CURRENT == 2 )); then
        local -a verbs=({})
        _describe command verbs
    elif (( $+functions[_pvm_$words[2]] )); then
        local verb=$words[2]
        shift words
        (( CURRENT-- ))
        _pvm_$verb
    fi
}}
_pvm \"$@\"
",
        LAUNCHERS.join(" "),
        names.join(" ")
    )
}

fn fish(verbs: &[Verb]) -> String {
    let mut lines = String::from("# Completion of pvm, mpiexec and mpirun for fish.\n");
    for verb in verbs {
        lines += &format!(
            "complete -c pvm -n __fish_use_subcommand -f -a {} -d '{}'\n",
            verb.name, verb.about
        );
        let places: Vec<String> = match verb.name.as_str() {
            "run" => LAUNCHERS.iter().map(|name| format!("-c {name}")).collect(),
            _ => Vec::new(),
        };
        let own = format!("-c pvm -n '__fish_seen_subcommand_from {}'", verb.name);
        for place in places.iter().chain([&own]) {
            for option in &verb.options {
                lines += &format!("complete {place}{}", fish_names(option));
                if option.values > 0 {
                    lines += " -r";
                }
                if !option.words.is_empty() {
                    lines += &format!(" -f -a '{}'", option.words.join(" "));
                }
                lines += &format!(" -d '{}'\n", option.about);
            }
        }
    }
    lines
        + &format!(
            "complete -c pvm -n '__fish_seen_subcommand_from completion' -f -a '{}'\n",
            SHELLS.join(" ")
        )
}

fn fish_names(option: &Opt) -> String {
    let name = |name: &String| match name.strip_prefix("--") {
        Some(long) => format!(" -l {long}"),
        None => format!(" -s {}", name.trim_start_matches('-')),
    };
    option.names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_option_that_does_something() {
        for shell in SHELLS {
            let script = script(shell).unwrap();
            for flag in flags::all().filter(|flag| is_offered(flag)) {
                assert!(
                    script.contains(flag.long()),
                    "{shell} lacks {}",
                    flag.long()
                );
            }
            for verb in ["conf", "doctor", "completion"] {
                assert!(script.contains(verb), "{shell} lacks {verb}");
            }
            assert!(!script.contains("allow-run-as-root") && !script.contains("manual"));
        }
        assert_eq!(script("tcsh"), None);
    }

    #[test]
    fn values_that_are_words_are_offered() {
        assert_eq!(words(&["kill|continue"]), ["kill", "continue"]);
        assert_eq!(words(&["RANK|all|none"]), ["all", "none"]);
        assert_eq!(words(&["FILE"]), [""; 0]);
    }
}
