//! Bytes on their way to our stdout and stderr.
//!
//! Pure: what writes them is `sink`. When both descriptors are the same file or terminal there is
//! one queue, so that the order between the two streams is kept; else each has its own, so that a
//! reader of one who is slow does not hold up the other.

use std::collections::VecDeque;

/// One of the two streams of a task, and of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Pieces are joined up to this size, so that one write carries many lines.
const PIECE: usize = 64 << 10;

/// Bytes for one descriptor.
struct Piece {
    to: Stream,
    bytes: Vec<u8>,
    written: usize,
}

/// What is to be written, in order.
pub struct Outbox {
    one_file: bool,
    queues: [VecDeque<Piece>; 2],
    waiting: usize,
}

impl Outbox {
    /// `one_file`: stdout and stderr are the same file, pipe or terminal.
    pub fn new(one_file: bool) -> Self {
        Self {
            one_file,
            queues: Default::default(),
            waiting: 0,
        }
    }

    /// Which place on the screen a stream is written to: 0 or 1.
    pub fn place(&self, stream: Stream) -> usize {
        match stream {
            Stream::Err if !self.one_file => 1,
            _ => 0,
        }
    }

    /// Bytes that are not written yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, to: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.waiting += bytes.len();
        let place = self.place(to);
        let queue = &mut self.queues[place];
        match queue.back_mut() {
            Some(last)
                if last.to == to
                    && last.written == 0
                    && last.bytes.len() + bytes.len() <= PIECE =>
            {
                last.bytes.extend_from_slice(bytes);
            }
            _ => queue.push_back(Piece {
                to,
                bytes: bytes.to_vec(),
                written: 0,
            }),
        }
    }

    /// What a descriptor has to write now: it is empty while the other one has to go first.
    pub fn front(&self, to: Stream) -> &[u8] {
        match self.queues[self.place(to)].front() {
            Some(piece) if piece.to == to => &piece.bytes[piece.written..],
            _ => &[],
        }
    }

    /// `count` bytes of the front have been written.
    pub fn written(&mut self, to: Stream, count: usize) {
        let place = self.place(to);
        let queue = &mut self.queues[place];
        let Some(piece) = queue.front_mut().filter(|piece| piece.to == to) else {
            return;
        };
        piece.written = piece.bytes.len().min(piece.written + count);
        self.waiting -= count.min(self.waiting);
        if piece.written == piece.bytes.len() {
            queue.pop_front();
        }
    }

    /// Forgets what waits for a descriptor that nobody reads.
    pub fn discard(&mut self, to: Stream) {
        let place = self.place(to);
        self.queues[place].retain(|piece| piece.to != to);
        let left = self
            .queues
            .iter()
            .flatten()
            .map(|piece| piece.bytes.len() - piece.written);
        self.waiting = left.sum();
    }

    /// Everything that waits, by stream, in order: for tests.
    #[cfg(test)]
    pub fn drain(&mut self) -> Vec<(Stream, Vec<u8>)> {
        self.waiting = 0;
        let pieces = self.queues.iter_mut().flat_map(|queue| queue.drain(..));
        pieces
            .map(|piece| (piece.to, piece.bytes[piece.written..].to_vec()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_keeps_the_order_of_both_streams() {
        let mut outbox = Outbox::new(true);
        outbox.push(Stream::Out, b"a");
        outbox.push(Stream::Err, b"b");
        outbox.push(Stream::Out, b"c");
        assert_eq!(
            (outbox.front(Stream::Out), outbox.front(Stream::Err)),
            (&b"a"[..], &b""[..])
        );
        outbox.written(Stream::Out, 1);
        assert_eq!(
            (outbox.front(Stream::Out), outbox.front(Stream::Err)),
            (&b""[..], &b"b"[..])
        );
        outbox.discard(Stream::Err);
        assert_eq!(
            (outbox.front(Stream::Out), outbox.waiting()),
            (&b"c"[..], 1)
        );
    }

    #[test]
    fn two_files_do_not_wait_for_each_other() {
        let mut outbox = Outbox::new(false);
        outbox.push(Stream::Out, b"abc");
        outbox.push(Stream::Err, b"b");
        outbox.written(Stream::Out, 2);
        outbox.push(Stream::Out, b"d");
        assert_eq!(
            (outbox.front(Stream::Out), outbox.front(Stream::Err)),
            (&b"c"[..], &b"b"[..])
        );
        assert_eq!(outbox.waiting(), 3);
    }
}
