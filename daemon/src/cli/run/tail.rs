//! The last stderr lines of each task, kept for the verdict.

use std::collections::{BTreeMap, VecDeque};

/// Lines kept for each task.
const LINES: usize = 20;
/// Longest kept line in bytes; of longer ones the beginning is kept.
const LINE_BYTES: usize = 500;
/// Bytes kept for all tasks together.
const BYTES: usize = 8 << 20;
/// A task's last words are shown again when this many lines of others followed them.
const BURIED: u64 = 5;

/// What one task said last.
#[derive(Default)]
struct Last {
    lines: VecDeque<Vec<u8>>,
    /// The line that goes on.
    open: Vec<u8>,
    bytes: usize,
    /// Lines of all tasks and lines of its own, when it last said something.
    at: (u64, u64),
    own: u64,
}

/// The last words of all tasks.
pub struct Tail {
    tasks: BTreeMap<u32, Last>,
    share: usize,
    shown: u64,
}

impl Tail {
    /// For a job of this size.
    pub fn new(size: u32) -> Self {
        let share = (BYTES / size.max(1) as usize).clamp(LINE_BYTES, LINES * LINE_BYTES);
        Self {
            tasks: BTreeMap::new(),
            share,
            shown: 0,
        }
    }

    /// Bytes of a task's stderr.
    pub fn feed(&mut self, rank: u32, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let share = self.share;
        let last = self.tasks.entry(rank).or_default();
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            let (body, ended) = match line.strip_suffix(b"\n") {
                Some(body) => (body, true),
                None => (line, false),
            };
            let room = LINE_BYTES.saturating_sub(last.open.len());
            last.open.extend_from_slice(&body[..body.len().min(room)]);
            if ended {
                self.shown += 1;
                last.own += 1;
                last.keep(share);
            }
        }
        last.at = (self.shown, last.own);
    }

    /// Lines of a task's stdout that went to the same place as stderr.
    pub fn passed(&mut self, rank: u32, data: &[u8]) {
        let lines = data.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.shown += lines;
        if let Some(last) = self.tasks.get_mut(&rank) {
            last.own += lines;
        }
    }

    /// The last lines of a task, if other tasks' output has buried them.
    pub fn buried(&self, rank: u32) -> Option<Vec<Vec<u8>>> {
        let last = self.tasks.get(&rank)?;
        let since = self.shown - last.at.0;
        let own_since = last.own - last.at.1;
        (since - own_since.min(since) >= BURIED).then(|| last.words())
    }

    /// The last lines of a task.
    pub fn last(&self, rank: u32) -> Vec<Vec<u8>> {
        self.tasks.get(&rank).map(Last::words).unwrap_or_default()
    }
}

impl Last {
    fn keep(&mut self, share: usize) {
        let line = std::mem::take(&mut self.open);
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > share {
            let Some(old) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= old.len();
        }
    }

    fn words(&self) -> Vec<Vec<u8>> {
        let open = (!self.open.is_empty()).then(|| self.open.clone());
        self.lines.iter().cloned().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tail: &Tail, rank: u32) -> Vec<String> {
        tail.last(rank)
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::new(2);
        for line in 0..30 {
            tail.feed(0, format!("line {line}\n").as_bytes());
        }
        tail.feed(0, b"and an op");
        tail.feed(0, b"en one");
        let words = words(&tail, 0);
        assert_eq!((words.len(), words[0].as_str()), (21, "line 10"));
        assert_eq!(words[20], "and an open one");
        assert!(tail.last(1).is_empty());
    }

    #[test]
    fn long_lines_are_cut() {
        let mut tail = Tail::new(1);
        tail.feed(0, &[b'x'; 100_000]);
        tail.feed(0, b"\n");
        assert_eq!(tail.last(0), [vec![b'x'; LINE_BYTES]]);
    }

    #[test]
    fn only_buried_words_are_repeated() {
        let mut tail = Tail::new(2);
        tail.feed(0, b"boom\n");
        tail.feed(1, b"1\n2\n3\n4\n");
        tail.passed(0, b"mine\nmine\n");
        assert_eq!(tail.buried(0), None);
        tail.passed(1, b"5\n");
        tail.feed(0, b"");
        assert_eq!(tail.buried(0), Some(vec![b"boom".to_vec()]));
    }
}
