//! The progress bar, on stderr when that is a terminal.
//!
//! The stderr of a task is a pipe to the launcher, which says in the environment whether its own is
//! a terminal, and how wide.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::io::{self, Write};

/// Drawings in a second. The launcher passes a line that has no end on after a moment of quiet.
const DRAWINGS: u8 = 3;

/// A progress bar, or nothing when nobody is watching.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many bytes.
    pub fn new(bytes: u64, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), target(quiet));
        let style = ProgressStyle::with_template(
            "counting {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
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

/// Where to draw.
fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet {
        return ProgressDrawTarget::hidden();
    }
    let width = std::env::var(pvm::settings::TERMINAL).ok();
    match width.and_then(|width| width.parse().ok()) {
        Some(width) => {
            let terminal = Box::new(LaunchersTerminal { width });
            ProgressDrawTarget::term_like_with_hz(terminal, DRAWINGS)
        }
        // Started by hand: indicatif looks by itself whether stderr is a terminal.
        None => ProgressDrawTarget::stderr(),
    }
}

/// The terminal at the other end of the launcher.
#[derive(Debug)]
struct LaunchersTerminal {
    width: u16,
}

impl LaunchersTerminal {
    /// Moves the cursor by so many places: `A` up, `B` down, `C` right, `D` left.
    fn move_cursor(&self, places: usize, direction: char) -> io::Result<()> {
        match places {
            0 => Ok(()),
            _ => write!(io::stderr(), "\x1b[{places}{direction}"),
        }
    }
}

impl TermLike for LaunchersTerminal {
    fn width(&self) -> u16 {
        self.width
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{text}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
