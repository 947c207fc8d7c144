//! Our standard input for the tasks: read only when somebody wants it.

use crate::cli::plan::Stdin;
use crate::host::terminal;
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::isatty;

/// Most bytes of one copy to all tasks.
const PIECE: usize = 64 << 10;

/// Who reads, once we know where our standard input comes from: nobody when it is a terminal that
/// belongs to somebody else now (`pvm run ... &`).
pub fn effective(wanted: Stdin) -> Stdin {
    match isatty(stdin()) && !terminal::is_ours(stdin()) {
        true => Stdin::None,
        false => wanted,
    }
}

/// The copy for all tasks.
#[derive(Debug, Default)]
pub struct Feed {
    wanted: bool,
    ended: bool,
}

impl Feed {
    /// Every task has taken what it had.
    pub fn demand(&mut self) {
        self.wanted = true;
    }

    /// Whether to poll our stdin.
    pub fn wants(&self) -> bool {
        self.wanted && !self.ended
    }

    /// Reads what is there: bytes, and whether it was the end. Call it when stdin polls readable.
    pub fn read(&mut self) -> Option<(Vec<u8>, bool)> {
        let mut bytes = vec![0; PIECE];
        let count = match rustix::io::read(stdin(), &mut bytes) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => return None,
            Err(_) => 0,
        };
        bytes.truncate(count);
        self.wanted = false;
        self.ended = count == 0;
        Some((bytes, self.ended))
    }
}
