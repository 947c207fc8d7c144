//! What became of each test, put together from the notes of all ranks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// What became of a test, the worse the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It is as it should be.
    Passed,
    /// It was not run.
    Skipped,
    /// It began and did not end: the process died, or was stopped.
    Unfinished,
    /// It is not as it should be.
    Failed,
}

/// What became of a test, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fate {
    outcome: Outcome,
    why: String,
    took: Duration,
}

/// What became of tests, by name: `test_info.TestInfo.testDup`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record(BTreeMap<String, Fate>);

/// How many tests came out how.
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

    /// Adds the notes of a rank: of a test's outcomes and times on several ranks the worst count.
    fn take(&mut self, notes: &str) {
        let mut own = BTreeMap::new();
        for line in notes.lines() {
            let mut words = line.splitn(3, '\t');
            if let (Some(event), Some(test)) = (words.next(), words.next()) {
                let fate = own.entry(test.to_owned()).or_insert_with(Fate::new);
                fate.happen(event, words.next().unwrap_or_default());
            }
        }
        for (test, new) in own {
            let known = self.0.entry(test).or_insert_with(|| new.clone());
            known.took = known.took.max(new.took);
            if new.outcome > known.outcome {
                (known.outcome, known.why) = (new.outcome, new.why);
            }
        }
    }

    /// A program that is a test by itself has ended: well, when there is nothing to say of its end.
    pub fn ran(&mut self, test: &str, end: &str, took: Duration) {
        let outcome = match end {
            "" => Outcome::Passed,
            _ => Outcome::Failed,
        };
        let why = end.to_owned();
        self.0.insert(test.to_owned(), Fate { outcome, why, took });
    }

    /// Such a program is not run.
    pub fn skip(&mut self, test: &str, why: &str) {
        let fate = Fate {
            outcome: Outcome::Skipped,
            why: why.to_owned(),
            took: Duration::ZERO,
        };
        self.0.insert(test.to_owned(), fate);
    }

    /// Adds the tests of another run.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Tests that were skipped for a reason that is not known have failed: nobody said that they may be.
    pub fn judge(&mut self, is_known: impl Fn(&str) -> bool) {
        for fate in self.0.values_mut() {
            if fate.outcome == Outcome::Skipped && !is_known(&fate.why) {
                fate.outcome = Outcome::Failed;
                fate.why = format!("skipped, and nobody expected that: {}", fate.why);
            }
        }
    }

    /// Counts them.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for fate in self.0.values() {
            match fate.outcome {
                Outcome::Passed => sum.passed += 1,
                Outcome::Skipped => sum.skipped += 1,
                Outcome::Unfinished | Outcome::Failed => sum.failed += 1,
            }
        }
        sum
    }

    /// Tests that failed or did not end, each with what was the matter.
    pub fn failed(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(test, fate)| match fate.outcome {
            Outcome::Failed => Some(format!("{test}: {}", shortened(&fate.why))),
            Outcome::Unfinished => Some(format!("{test}: did not end")),
            Outcome::Passed | Outcome::Skipped => None,
        })
    }

    /// Tests that were skipped, with the reasons.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(|(_, fate)| fate.outcome == Outcome::Skipped)
            .map(|(test, fate)| (test.as_str(), fate.why.as_str()))
    }

    /// The tests that took longest, with their seconds.
    pub fn slowest(&self, count: usize) -> Vec<(&str, f64)> {
        let mut tests: Vec<(&str, Duration)> = self
            .0
            .iter()
            .map(|(test, fate)| (test.as_str(), fate.took))
            .collect();
        tests.sort_by_key(|(_, took)| Reverse(*took));
        tests.truncate(count);
        tests
            .into_iter()
            .map(|(test, took)| (test, took.as_secs_f64()))
            .collect()
    }
}

impl Fate {
    fn new() -> Self {
        Self {
            outcome: Outcome::Unfinished,
            why: String::new(),
            took: Duration::ZERO,
        }
    }

    /// Takes a word of a rank's notes.
    fn happen(&mut self, event: &str, word: &str) {
        self.outcome = match event {
            "took" => {
                self.took = Duration::from_millis(word.parse().unwrap_or_default());
                return;
            }
            // After the failure of a part the test may say that it passed.
            _ if self.outcome == Outcome::Failed => return,
            "passed" => Outcome::Passed,
            "skipped" => Outcome::Skipped,
            "failed" => Outcome::Failed,
            _ => Outcome::Unfinished,
        };
        self.why = word.to_owned();
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
            "start\ta\t\nfailed\ta\tError: x\npassed\ta\t\ntook\ta\t20\nstart\tb\t\npassed\tb\t\nstart\tc\t\n",
        );
        let sum = Sum {
            passed: 0,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(record.sum(), sum);
        let failed: Vec<_> = record.failed().collect();
        assert_eq!(failed, ["a: Error: x", "c: did not end"]);
        let skipped: Vec<_> = record.skipped().collect();
        assert_eq!(skipped, [("b", "no numpy")]);
        assert_eq!(record.slowest(1), [("a", 0.02)]);
        record.judge(|why| why == "no numpy");
        assert_eq!(record.sum(), sum);
        record.judge(|_| false);
        assert_eq!(record.sum().failed, 3);
        record.ran("d", "", Duration::ZERO);
        record.ran("e", "took too long", Duration::ZERO);
        record.skip("f", "no ranks");
        assert_eq!((record.sum().passed, record.sum().failed), (1, 4));
        assert!(record.skipped().eq([("f", "no ranks")]));
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
