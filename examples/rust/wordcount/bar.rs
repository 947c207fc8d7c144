//! The progress bar, on stderr when that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar, or nothing when nobody is watching.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many bytes.
    pub fn new(bytes: u64, quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(bytes)
        };
        let style = ProgressStyle::with_template(
            "counting {bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
        );
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// So many bytes more are done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Writes a line to stderr without spoiling the bar.
    pub fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("wordcount: {line}"));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
