//! Packets that have been sent and not confirmed: kept as the frames that carry them.
//!
//! One run of bytes: what is confirmed leaves at the front, what is new comes at the end, and a mark
//! between them says from where on nothing has gone out on the present carrier.

use super::frame;
use crate::limits::NET_WINDOW;
use crate::transport::{Args, Body, Head};

/// Room that is kept whatever the traffic.
const IDLE_ROOM: usize = 64 << 10;
/// By this part less room is kept each time that nothing needed it: a stream that is confirmed now and
/// then does not give its memory back each time, and the next small messages do not keep it for long.
const DECAY: usize = 16;

/// Outgoing frames, oldest first.
#[derive(Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// Offset and number of the oldest packet that is not confirmed.
    first: (usize, u64),
    /// Offset and number of the first packet that has not gone out on this carrier.
    next: (usize, u64),
    /// Number of the first packet that has never gone out.
    fresh: u64,
    /// Number that the next new packet gets.
    end: u64,
    /// Bytes that were needed lately between two times that nothing was kept.
    needed: usize,
}

impl Kept {
    /// Keeps a new packet, if the window has room; the largest has when nothing else is there.
    pub fn push(&mut self, head: &Head, args: Option<&Args>, body: Option<Body<'_>>) -> bool {
        let used = self.bytes.len() - self.first.0;
        if used > 0 && used + frame::data_len(args, body) > NET_WINDOW {
            return false;
        }
        self.forget_confirmed();
        frame::put_data(self.end, head, args, body, &mut self.bytes);
        self.end += 1;
        true
    }

    /// Packets before this number need not be kept. False: they cannot have been received.
    pub fn confirm(&mut self, received: u64) -> bool {
        if received > self.fresh {
            return false;
        }
        while self.first.1 < received {
            self.first.0 += frame::len_of_first(&self.bytes[self.first.0..]);
            self.first.1 += 1;
        }
        if self.next.1 < self.first.1 {
            self.next = self.first;
        }
        if self.first.0 == self.bytes.len() {
            self.rest();
        }
        true
    }

    /// Everything that is kept has to go out again.
    pub fn rewind(&mut self) {
        self.next = self.first;
    }

    /// Frames that have not gone out, as many as fit `limit` and at least one.
    pub fn take(&mut self, generation: u32, limit: usize) -> &[u8] {
        let start = self.next.0;
        while self.has_next() {
            let len = frame::len_of_first(&self.bytes[self.next.0..]);
            if self.next.0 > start && self.next.0 - start + len > limit {
                break;
            }
            frame::stamp(&mut self.bytes[self.next.0..], generation);
            self.next.0 += len;
            self.next.1 += 1;
        }
        self.fresh = self.fresh.max(self.next.1);
        &self.bytes[start..self.next.0]
    }

    /// Whether something has not gone out on this carrier.
    pub fn has_next(&self) -> bool {
        self.next.1 < self.end
    }

    /// Whether something has gone out and is not confirmed.
    pub fn is_open(&self) -> bool {
        self.first.1 < self.fresh
    }

    /// How many packets are kept, and how many have not gone out.
    pub fn counts(&self) -> (u64, u64) {
        (self.end - self.first.1, self.end - self.next.1)
    }

    /// Nothing is kept: begins at the front again, and gives back memory that was not needed lately.
    fn rest(&mut self) {
        self.needed = (self.needed - self.needed / DECAY).max(self.bytes.len());
        self.bytes.clear();
        if self.bytes.capacity() > 2 * self.needed {
            self.bytes.shrink_to(self.needed.max(IDLE_ROOM));
        }
        self.first.0 = 0;
        self.next.0 = 0;
    }

    /// Moves what is kept to the front, when that is no more than what has been confirmed: each
    /// byte is moved once at most, and the memory is never more than twice the window.
    fn forget_confirmed(&mut self) {
        if self.first.0 > 0 && self.first.0 >= self.bytes.len() - self.first.0 {
            self.bytes.drain(..self.first.0);
            self.next.0 -= self.first.0;
            self.first.0 = 0;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::datatype::Source;
    use crate::transport::Kind;

    /// Keeps packets with bodies of this many bytes, has them go out and confirmed.
    fn pass(kept: &mut Kept, bodies: &[usize]) {
        let head = Head {
            kind: Kind::Data,
            flags: 0,
            context: 0,
            tag: 0,
            check: 0,
        };
        for &len in bodies {
            let source = Source::from_vec(vec![0; len]);
            assert!(kept.push(&head, None, Some(Body::whole(&source))));
        }
        while kept.has_next() {
            kept.take(1, usize::MAX);
        }
        assert!(kept.confirm(kept.end) && kept.counts() == (0, 0));
    }

    #[test]
    fn a_stream_keeps_its_memory_and_small_messages_give_it_back() {
        let mut kept = Kept::default();
        let large = [60_000; 4];
        pass(&mut kept, &large);
        let room = kept.bytes.capacity();
        for _ in 0..10 {
            pass(&mut kept, &large);
            pass(&mut kept, &[8]);
            assert_eq!(kept.bytes.capacity(), room, "taken and given back");
        }
        for _ in 0..10 * DECAY {
            pass(&mut kept, &[8]);
        }
        assert!(kept.bytes.capacity() <= IDLE_ROOM);
    }
}
