//! What test programs tell of their failures, kept so that it is told again at the end: thousands of lines may
//! follow it.

/// Failures that are kept; a test that floods its output does not fill the memory.
const KEPT_BYTES: usize = 64 * 1024;

/// Reads the output of test programs line by line and keeps what stands between `failures:` and the result.
#[derive(Debug, Default)]
pub struct Told {
    inside: bool,
    text: String,
    left_out: bool,
}

impl Told {
    /// Takes the next line, which ends as it was read.
    pub fn take(&mut self, line: &str) {
        match line.trim_end() {
            "failures:" => self.inside = true,
            end if end.starts_with("test result:") => self.inside = false,
            _ if self.inside => self.keep(line),
            _ => {}
        }
    }

    fn keep(&mut self, line: &str) {
        if self.text.len() + line.len() <= KEPT_BYTES {
            self.text.push_str(line);
        } else if !self.left_out {
            self.left_out = true;
            self.text
                .push_str("... and more, which the output above has\n");
        }
    }

    /// What was kept; empty when no test failed.
    pub fn text(&self) -> &str {
        self.text.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_kept_and_nothing_else() {
        let mut told = Told::default();
        for line in [
            "running 2 tests\n",
            "test a ... ok\n",
            "test b ... FAILED\n",
            "\n",
            "failures:\n",
            "\n",
            "---- b stdout ----\n",
            "left: 1\n",
            "\n",
            "failures:\n",
            "    b\n",
            "\n",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored\n",
            "test c ... ok\n",
        ] {
            told.take(line);
        }
        assert_eq!(told.text(), "---- b stdout ----\nleft: 1\n\n    b");
    }

    #[test]
    fn a_flood_is_cut() {
        let mut told = Told::default();
        told.take("failures:\n");
        let line = format!("{}\n", "x".repeat(1000));
        for _ in 0..1000 {
            told.take(&line);
        }
        assert!(told.text().len() < KEPT_BYTES + 100);
        assert!(told.text().ends_with("the output above has"));
    }
}
