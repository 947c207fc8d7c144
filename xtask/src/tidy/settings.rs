//! Environment variables have one place, `libpvm/src/settings.rs`: no other source spells one, no
//! other text names one that is not there, and none is there that nothing uses.

use std::collections::BTreeMap;

use super::Finding;
use super::files::{File, Tree};
use super::paths::Path;
use super::scan::Located;

const SETTINGS: &str = "libpvm/src/settings.rs";

/// Has no dependency on libpvm, so it spells names; they are checked.
const DEVELOPER: &str = "xtask";

/// Functions of `std::env` that read the environment.
const READERS: &[&str] = &["var", "var_os"];

/// Files in which words like `PVM_X` are names of variables. C and Fortran have constants of that
/// form, so they are not among them.
const PROSE: &[&str] = &[".md", ".service", ".sh", ".toml", ".1", ".8"];

/// Checks every source and every text.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(settings) = tree.get(SETTINGS) else {
        return Vec::new();
    };
    let known = variables(settings);
    let mut findings = unused(tree, &known);
    for file in tree.files().filter(|file| file.path != SETTINGS) {
        if file.is_rust() && !file.is_in(DEVELOPER) {
            findings.extend(spelled(file, &known));
        } else if file.is_rust() || PROSE.iter().any(|end| file.path.ends_with(end)) {
            findings.extend(unknown(file, &known));
        }
    }
    findings
}

/// A variable: its name, and its constant with the line of that.
type Variables<'a> = BTreeMap<&'a str, (&'a str, usize)>;

/// The entries `CONSTANT = "NAME": "meaning";`.
fn variables(settings: &File) -> Variables<'_> {
    let entries = settings
        .tokens
        .windows(4)
        .filter(|four| four[1].is('=') && four[3].is(':'));
    entries
        .filter_map(|four| Some((four[2].text()?, (four[0].word()?, four[0].line))))
        .collect()
}

/// Variables that no source uses as `settings::CONSTANT`.
fn unused(tree: &Tree, known: &Variables<'_>) -> Vec<Finding> {
    let names = |path: &Path, constant: &str| {
        path.parts
            .windows(2)
            .any(|two| two[0] == "settings" && two[1] == constant)
    };
    let is_used = |constant: &str| {
        tree.rust()
            .any(|file| file.paths.iter().any(|path| names(path, constant)))
    };
    let unused = known.iter().filter(|(_, (constant, _))| !is_used(constant));
    unused
        .map(|(name, (_, line))| Finding::new(SETTINGS, *line, format!("nothing uses {name}")))
        .collect()
}

/// Names of variables in string literals, and reads of any literal name.
fn spelled(file: &File, known: &Variables<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, token) in file.tokens.iter().enumerate() {
        let Some(text) = token.text() else { continue };
        let is_name = is_ours(text) || (known.contains_key(text) && text.contains('_'));
        if is_name || is_read(&file.tokens[..at]) {
            let message = format!("'{text}' is spelled here: name it in {SETTINGS}, use that");
            findings.push(Finding::new(&file.path, token.line, message));
        }
    }
    findings
}

/// Whether the tokens end in `env::var(`.
fn is_read(before: &[Located]) -> bool {
    let [.., module, _, function, open] = before else {
        return false;
    };
    module.word() == Some("env")
        && function.word().is_some_and(|name| READERS.contains(&name))
        && open.is('(')
}

/// Whether a text is a name with our prefix.
fn is_ours(text: &str) -> bool {
    text.strip_prefix("PVM_").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

/// Words with our prefix that settings.rs does not have.
fn unknown(file: &File, known: &Variables<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
        for word in line.split(|c| !is_part(c)).filter(|word| is_ours(word)) {
            let is_example = file.is_in("xtask/src/tidy");
            if !known.contains_key(word) && !is_example {
                let message = format!("{word} is not in {SETTINGS}");
                findings.push(Finding::new(&file.path, index + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: (&str, &str) = (
        SETTINGS,
        "variables! { WAIT = \"PVM_WAIT\": \"how\"; RANK = \"PMI_RANK\":\n \"which\"; }",
    );
    const USER: (&str, &str) = (
        "libpvm/src/sync/mod.rs",
        "f(settings::WAIT, settings::RANK)",
    );

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn known_names_in_one_place_are_fine() {
        let page = ("README.md", "Set PVM_WAIT=block.");
        assert_eq!(found(&[TABLE, USER, page]), [""; 0]);
    }

    #[test]
    fn a_name_spelled_elsewhere_is_found() {
        let other = (
            "daemon/src/lib.rs",
            "env.get(\"PMI_RANK\"); x(\"PVM_NEW\"); \"sets PVM_NEW to\"",
        );
        assert_eq!(found(&[TABLE, USER, other]).len(), 2);
        let read = ("daemon/src/lib.rs", "std::env::var_os(\"HOME\")");
        assert_eq!(found(&[TABLE, USER, read]).len(), 1);
    }

    #[test]
    fn unknown_names_in_pages_and_tools_are_found() {
        let page = ("README.md", "Set PVM_WEIGHT=1.");
        let tool = (
            "xtask/src/vm.rs",
            "const A: &str = \"PVM_RUNTIME\"; \"PVM_WAIT\"",
        );
        assert_eq!(
            found(&[TABLE, USER, page, tool]),
            [
                "PVM_WEIGHT is not in libpvm/src/settings.rs",
                "PVM_RUNTIME is not in libpvm/src/settings.rs"
            ]
        );
    }

    #[test]
    fn a_variable_without_a_reader_is_found() {
        let user = ("libpvm/src/sync/mod.rs", "f(settings::WAIT)");
        assert_eq!(found(&[TABLE, user]), ["nothing uses PMI_RANK"]);
    }
}
