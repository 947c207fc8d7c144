//! How many tests passed, failed and were skipped, as the test programs tell.

use std::fmt;
use std::ops::AddAssign;

/// A sum of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that did not run: ignored or left out by name.
    pub skipped: u64,
}

impl Count {
    /// The count of a single check.
    pub fn one(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
            skipped: 0,
        }
    }

    /// The count of a single check that was not made.
    pub fn one_skipped() -> Self {
        Self {
            skipped: 1,
            ..Self::default()
        }
    }

    /// The count in a line of a test program's output; zero when it is another line.
    pub fn of_line(line: &str) -> Self {
        let mut count = Self::default();
        let Some((_, result)) = line.split_once("test result:") else {
            return count;
        };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match (words.next(), words.next()) {
                (Some("passed"), None) => count.passed += number,
                (Some("failed"), None) => count.failed += number,
                (Some("ignored"), None) | (Some("filtered"), Some("out")) => {
                    count.skipped += number;
                }
                _ => {}
            }
        }
        count
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_test_programs_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 2 ignored; 0 measured; 4 filtered out; \
                    finished in 0.25s\n";
        let mut sum = Count::of_line(line);
        sum += Count::of_line("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured");
        sum += Count::of_line("test engine::tests::order ... ok");
        sum += Count::one(true);
        assert_eq!(
            sum,
            Count {
                passed: 14,
                failed: 3,
                skipped: 6
            }
        );
        assert_eq!(sum.to_string(), "14 passed, 3 failed, 6 skipped");
    }

    #[test]
    fn colours_do_not_matter() {
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 5 passed; 0 failed; 0 ignored";
        assert_eq!(Count::of_line(line).passed, 5);
    }
}
