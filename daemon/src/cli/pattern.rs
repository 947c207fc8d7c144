//! Texts with places for what a task has: `out.%r`, `[%h:%r] `.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What may stand after `%`, for those who are told.
pub const PLACES: &str =
    "%r (or %t) is the rank, %h (or %N) the host, %p the process id, %j the job, %% a '%'";

/// Widest that a rank is made, in digits.
const WIDTH_MAX: usize = 10;

/// A text with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// With this many digits at least.
    Rank(usize),
    /// With as many digits as the highest one has.
    RankOfAll,
    Host,
    Pid,
    Job,
}

/// What a task has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Its rank.
    pub rank: u32,
    /// Tasks of its job.
    pub size: u32,
    /// Name of its host.
    pub host: &'a str,
    /// Its process.
    pub pid: u32,
    /// Its job.
    pub job: u64,
}

impl Pattern {
    /// Reads a pattern; `None`: after a `%` there is something else than [`PLACES`].
    pub fn read(text: &OsStr) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut bytes = text.as_bytes().iter().copied();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                push(&mut pieces, byte);
                continue;
            }
            let mut width = 0;
            let mut letter = bytes.next()?;
            while letter.is_ascii_digit() {
                width = width * 10 + usize::from(letter - b'0');
                letter = bytes.next()?;
                if width > WIDTH_MAX {
                    return None;
                }
            }
            pieces.push(match letter {
                b'r' | b't' => Piece::Rank(width),
                b'h' | b'N' if width == 0 => Piece::Host,
                b'p' if width == 0 => Piece::Pid,
                b'j' if width == 0 => Piece::Job,
                b'%' if width == 0 => {
                    push(&mut pieces, b'%');
                    continue;
                }
                _ => return None,
            });
        }
        Some(Self(pieces))
    }

    /// `[3] `.
    pub fn rank() -> Self {
        Self(vec![
            Piece::Text(b"[".to_vec()),
            Piece::Rank(0),
            Piece::Text(b"] ".to_vec()),
        ])
    }

    /// A file of each rank in folders below this one, as Open MPI names them.
    pub fn in_folder(folder: &OsStr, file: &str) -> Self {
        Self(vec![
            Piece::Text([folder.as_bytes(), b"/1/rank."].concat()),
            Piece::RankOfAll,
            Piece::Text(format!("/{file}").into_bytes()),
        ])
    }

    /// The text for one task.
    pub fn of(&self, task: &Subject<'_>) -> OsString {
        let mut text = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(bytes) => text.extend_from_slice(bytes),
                Piece::Rank(width) => text.extend(format!("{:0width$}", task.rank).into_bytes()),
                Piece::RankOfAll => {
                    let width = task.size.saturating_sub(1).to_string().len();
                    text.extend(format!("{:0width$}", task.rank).into_bytes());
                }
                Piece::Host => text.extend_from_slice(task.host.as_bytes()),
                Piece::Pid => text.extend(task.pid.to_string().into_bytes()),
                Piece::Job => text.extend(task.job.to_string().into_bytes()),
            }
        }
        OsString::from_vec(text)
    }

    /// As it is written.
    pub fn written(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(bytes) => String::from_utf8_lossy(bytes).replace('%', "%%"),
            Piece::Rank(0) | Piece::RankOfAll => "%r".to_owned(),
            Piece::Rank(width) => format!("%{width}r"),
            Piece::Host => "%h".to_owned(),
            Piece::Pid => "%p".to_owned(),
            Piece::Job => "%j".to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

fn push(pieces: &mut Vec<Piece>, byte: u8) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(byte),
        _ => pieces.push(Piece::Text(vec![byte])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let task = Subject {
            rank: 7,
            size: 120,
            host: "node1",
            pid: 42,
            job: 3,
        };
        let of =
            |text: &str| Pattern::read(text.as_ref()).map(|it| it.of(&task).into_string().unwrap());
        assert_eq!(of("out.%r").unwrap(), "out.7");
        assert_eq!(of("%j/%N.%4t-%p%%").unwrap(), "3/node1.0007-42%");
        for wrong in ["%z", "a%", "%99r", "%3h"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        let file = Pattern::in_folder("d%r".as_ref(), "stdout").of(&task);
        assert_eq!(file, "d%r/1/rank.007/stdout");
        assert_eq!(Pattern::rank().of(&task), "[7] ");
    }
}
