//! The house rules that a compiler does not check. Sources are scanned, not parsed: comments and
//! the insides of strings are set apart first (`scan`), then paths are read (`paths`).

mod arrows;
mod banned;
mod dead;
mod files;
mod paths;
mod scan;
mod settings;
mod text;

use std::fmt;

use anyhow::{Result, bail};

use files::Tree;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, from the root of the workspace.
    file: String,
    /// Line from 1; 0: the whole file.
    line: usize,
    /// What is wrong and what to do instead.
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Checks every file of the project.
pub fn run() -> Result<()> {
    eprintln!("==> tidy");
    let tree = Tree::load(crate::shell::root())?;
    for (file, lines) in text::long_files(&tree) {
        eprintln!("note: {file} has {lines} lines; is it one idea?");
    }
    let mut findings = check(&tree);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy found {} breaches of the house rules", findings.len());
    }
    eprintln!("tidy: {} files are in order", tree.len());
    Ok(())
}

fn check(tree: &Tree) -> Vec<Finding> {
    [
        arrows::check,
        banned::check,
        dead::check,
        settings::check,
        text::check,
    ]
    .into_iter()
    .flat_map(|rule| rule(tree))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_say_where() {
        assert_eq!(Finding::new("a.rs", 3, "no").to_string(), "a.rs:3: no");
        assert_eq!(Finding::new("a.rs", 0, "no").to_string(), "a.rs: no");
    }
}
