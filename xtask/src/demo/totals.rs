//! What is compared: words in all, distinct words, files, the most frequent words.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

/// The result of one count.
#[derive(Debug, PartialEq, Eq)]
pub struct Totals {
    words: u64,
    distinct: u64,
    files: u64,
    top: Vec<(u64, String)>,
}

impl Totals {
    /// Reads the output of wordcount: lines `count word`, then `N words, M distinct, F files`.
    pub fn from_wordcount(text: &str) -> Result<Self> {
        let mut top = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if line.contains(',') {
                let [words, distinct, files] = summary(line)
                    .with_context(|| format!("not a summary of wordcount: '{line}'"))?;
                return Ok(Self {
                    words,
                    distinct,
                    files,
                    top,
                });
            }
            top.push(ranked(line)?);
        }
        bail!("wordcount ended without its summary")
    }

    /// Reads what the pipe writes: words, distinct words, then lines of `uniq -c`.
    pub fn from_pipe(text: &str, files: u64) -> Result<Self> {
        let mut lines = text.lines();
        let mut number = || -> Result<u64> {
            let line = lines.next().context("the pipe wrote too little")?;
            line.trim()
                .parse()
                .with_context(|| format!("not a number: '{line}'"))
        };
        let (words, distinct) = (number()?, number()?);
        let top = lines.map(ranked).collect::<Result<_>>()?;
        Ok(Self {
            words,
            distinct,
            files,
            top,
        })
    }
}

fn ranked(line: &str) -> Result<(u64, String)> {
    let parsed = line.trim().split_once(' ').and_then(|(count, word)| {
        let word = word.trim();
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        is_word.then_some(())?;
        Some((count.parse().ok()?, word.to_owned()))
    });
    parsed.with_context(|| format!("not a line 'count word': '{line}'"))
}

fn summary(line: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = line.split(',');
    for (number, unit) in numbers.iter_mut().zip(["words", "distinct", "files"]) {
        let (count, name) = parts.next()?.trim().split_once(' ')?;
        if name.trim() != unit {
            return None;
        }
        *number = count.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A table of both, a mark where they differ.
pub fn side_by_side(ours: &Totals, theirs: &Totals) -> String {
    let mut table = format!("{:<16}{:>24}{:>24}\n", "", "pvm", "sort | uniq -c");
    let mut row = |name: &str, left: &str, right: &str| {
        let mark = if left == right { "" } else { "   <-- differs" };
        writeln!(table, "{name:<16}{left:>24}{right:>24}{mark}").expect("a string takes any text");
    };
    row("files", &ours.files.to_string(), &theirs.files.to_string());
    row(
        "words in all",
        &ours.words.to_string(),
        &theirs.words.to_string(),
    );
    row(
        "distinct words",
        &ours.distinct.to_string(),
        &theirs.distinct.to_string(),
    );
    let shown = |totals: &Totals, place: usize| {
        totals
            .top
            .get(place)
            .map_or(String::from("-"), |(count, word)| format!("{word} {count}"))
    };
    for place in 0..ours.top.len().max(theirs.top.len()) {
        row(
            &format!("no. {}", place + 1),
            &shown(ours, place),
            &shown(theirs, place),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let ours =
            Totals::from_wordcount("    12 the\n3 of\n\n15 words, 2 distinct, 7 files\n").unwrap();
        let theirs = Totals::from_pipe("15\n2\n     12 the\n      3 of\n", 7).unwrap();
        assert_eq!(ours, theirs);
        assert!(!side_by_side(&ours, &theirs).contains("differs"));
    }

    #[test]
    fn a_difference_is_marked() {
        let ours = Totals::from_wordcount("4 a\n4 words, 1 distinct, 1 files").unwrap();
        let theirs = Totals::from_pipe("5\n2\n4 a\n1 b\n", 1).unwrap();
        assert_ne!(ours, theirs);
        assert_eq!(side_by_side(&ours, &theirs).matches("differs").count(), 3);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "12\n",
            "twelve the\n",
            "1 a\n",
            "1 words, 2 distinct",
            "1 a, 2 b, 3 c",
            "3 A\n",
        ] {
            assert!(Totals::from_wordcount(text).is_err(), "{text}");
        }
        assert!(Totals::from_pipe("5\n", 1).is_err());
        assert!(Totals::from_pipe("5\n4\nx y z\n", 1).is_err());
    }
}
