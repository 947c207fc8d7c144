//! What became of each test, put together from the notes of all ranks.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What became of a test, the worse the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It was not run.
    Skipped,
    /// It began and did not end: the process died, or was stopped.
    Unfinished,
    /// It is not as it should be.
    Failed,
}

/// Outcomes and reasons of tests, by name: `test_info.TestInfo.testDup`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record(BTreeMap<String, (Outcome, String)>);

/// How many of a file's tests came out how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// On all ranks.
    pub passed: usize,
    /// Failed or unfinished on some rank.
    pub failed: usize,
    /// Skipped on some rank, and failed on none.
    pub skipped: usize,
}

impl Record {
    /// Reads the notes of all ranks of a run.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut record = Self::default();
        let entries = fs::read_dir(folder);
        for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let notes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            record.take(&String::from_utf8_lossy(&notes));
        }
        Ok(record)
    }

    /// Adds the notes of a rank: of the outcomes of a test the worst counts.
    fn take(&mut self, notes: &str) {
        let mut own = BTreeMap::new();
        for line in notes.lines() {
            let mut words = line.splitn(3, '\t');
            let (Some(event), Some(test)) = (words.next(), words.next()) else {
                continue;
            };
            let outcome = match event {
                "passed" => Outcome::Passed,
                "skipped" => Outcome::Skipped,
                "failed" => Outcome::Failed,
                _ => Outcome::Unfinished,
            };
            let why = words.next().unwrap_or_default().to_owned();
            let old = own.insert(test.to_owned(), (outcome, why));
            // After the failure of a part the test may say that it passed.
            if let Some(old @ (Outcome::Failed, _)) = old {
                own.insert(test.to_owned(), old);
            }
        }
        for (test, new) in own {
            let known = self.0.entry(test).or_insert_with(|| new.clone());
            if new.0 > known.0 {
                *known = new;
            }
        }
    }

    /// Counts them.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for (outcome, _) in self.0.values() {
            match outcome {
                Outcome::Passed => sum.passed += 1,
                Outcome::Skipped => sum.skipped += 1,
                Outcome::Unfinished | Outcome::Failed => sum.failed += 1,
            }
        }
        sum
    }

    /// Tests with one of these outcomes, each with its reason.
    pub fn with(&self, wanted: &[Outcome]) -> impl Iterator<Item = String> {
        let some = self
            .0
            .iter()
            .filter(|(_, (outcome, _))| wanted.contains(outcome));
        some.map(|(test, (outcome, why))| match outcome {
            Outcome::Unfinished => format!("{test}: did not end"),
            _ => format!("{test}: {}", shortened(why)),
        })
    }
}

/// As much of a reason as a line has room for.
fn shortened(why: &str) -> String {
    const MAX: usize = 160;
    match why.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &why[..end]),
        None => why.to_owned(),
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            f,
            "{passed:>6} passed {failed:>6} failed {skipped:>6} skipped"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_ranks_counts() {
        let mut record = Record::default();
        record.take(
            "start\ta\t\npassed\ta\t\nstart\tb\t\nskipped\tb\tno numpy\nstart\tc\t\npassed\tc\t\n",
        );
        record.take(
            "start\ta\t\nfailed\ta\tError: x\npassed\ta\t\nstart\tb\t\npassed\tb\t\nstart\tc\t\n",
        );
        let sum = Sum {
            passed: 0,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(record.sum(), sum);
        let failed: Vec<_> = record
            .with(&[Outcome::Failed, Outcome::Unfinished])
            .collect();
        assert_eq!(failed, ["a: Error: x", "c: did not end"]);
        let skipped: Vec<_> = record.with(&[Outcome::Skipped]).collect();
        assert_eq!(skipped, ["b: no numpy"]);
    }

    #[test]
    fn long_reasons_are_cut_at_a_character() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(
            shortened(&"é".repeat(200)),
            format!("{}...", "é".repeat(160))
        );
    }
}
