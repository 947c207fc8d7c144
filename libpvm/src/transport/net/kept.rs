//! Packets that have been sent and not confirmed: kept as the frames that carry them.
//!
//! Two runs of bytes: what is confirmed leaves at the front of the older one, what is new comes at the
//! end of the younger one, which takes the older one's place when all of that is confirmed. So no byte
//! is ever moved. A mark says from where on nothing has gone out on the present carrier.

use super::frame;
use crate::limits::NET_WINDOW;
use crate::transport::{Args, Body, Head};

/// Room that is kept whatever the traffic.
const IDLE_ROOM: usize = 64 << 10;
/// By this part less room is kept each time that nothing needed it: a stream that is confirmed now and
/// then does not give its memory back each time, and the next small messages do not keep it for long.
const DECAY: usize = 16;

/// Outgoing frames, oldest first.
pub(super) struct Kept {
    old: Vec<u8>,
    new: Vec<u8>,
    /// Most bytes that are kept, and that have gone out on the present carrier and are not confirmed. It
    /// may be less than what is kept: that was for another carrier.
    window: usize,
    /// Place, counted through both runs, and number of the oldest packet that is not confirmed.
    first: (usize, u64),
    /// Place and number of the first packet that has not gone out on this carrier.
    next: (usize, u64),
    /// Number of the first packet that has never gone out.
    fresh: u64,
    /// Number that the next new packet gets.
    end: u64,
    /// Bytes that were needed lately between two times that nothing was kept.
    needed: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            old: Vec::new(),
            new: Vec::new(),
            window: NET_WINDOW,
            first: (0, 0),
            next: (0, 0),
            fresh: 0,
            end: 0,
            needed: 0,
        }
    }
}

impl Kept {
    /// Keeps a new packet, if the window has room; the largest has when nothing else is there.
    pub fn push(&mut self, head: &Head, args: Option<&Args>, body: Option<Body<'_>>) -> bool {
        let used = self.len() - self.first.0;
        if used > 0 && used + frame::data_len(args, body) > self.window {
            return false;
        }
        frame::put_data(self.end, head, args, body, &mut self.new);
        self.end += 1;
        true
    }

    /// How much is kept and under way from now on.
    pub fn set_window(&mut self, window: usize) {
        self.window = window;
    }

    /// Packets before this number need not be kept. False: they cannot have been received.
    pub fn confirm(&mut self, received: u64) -> bool {
        if received > self.fresh {
            return false;
        }
        while self.first.1 < received {
            self.first.0 += frame::len_of_first(self.frames(self.first.0));
            self.first.1 += 1;
        }
        if self.next.1 < self.first.1 {
            self.next = self.first;
        }
        if self.first.1 == self.end {
            self.rest();
        } else if self.first.0 > 0 && self.first.0 >= self.old.len() {
            self.grow_old();
        }
        true
    }

    /// Everything that is kept has to go out again.
    pub fn rewind(&mut self) {
        self.next = self.first;
    }

    /// Frames that are to go out, some of those that fit `limit` and the window, and at least one if
    /// there is [`Kept::has_next`]. What has gone of them is to be told to [`Kept::went`].
    pub fn ready(&mut self, generation: u32, limit: usize) -> &[u8] {
        if !self.has_next() {
            return &[];
        }
        let room = self.window.saturating_sub(self.next.0 - self.first.0);
        let frames = self.frames_mut(self.next.0);
        let mut end = 0;
        while end < frames.len() {
            let len = frame::len_of_first(&frames[end..]);
            if end > 0 && end + len > limit.min(room) {
                break;
            }
            frame::stamp(&mut frames[end..], generation);
            end += len;
        }
        &frames[..end]
    }

    /// So many bytes of what was [`Kept::ready`] have gone out. Returns the rest of a frame that was
    /// begun: it is the carrier's, before anything else.
    pub fn went(&mut self, bytes: usize) -> &[u8] {
        let start = self.next.0;
        while self.next.0 < start + bytes {
            self.next.0 += frame::len_of_first(self.frames(self.next.0));
            self.next.1 += 1;
        }
        self.fresh = self.fresh.max(self.next.1);
        &self.frames(start)[bytes..self.next.0 - start]
    }

    /// Whether something is to go out on this carrier, and the window has room for it.
    pub fn has_next(&self) -> bool {
        let under_way = self.next.0 - self.first.0;
        let fits = |len| under_way == 0 || under_way + len <= self.window;
        self.next.1 < self.end && fits(frame::len_of_first(self.frames(self.next.0)))
    }

    /// Bytes that have not gone out on this carrier.
    pub fn unsent(&self) -> usize {
        self.len() - self.next.0
    }

    /// Whether something has gone out and is not confirmed.
    pub fn is_open(&self) -> bool {
        self.first.1 < self.fresh
    }

    /// How many packets are kept, and how many have not gone out.
    pub fn counts(&self) -> (u64, u64) {
        (self.end - self.first.1, self.end - self.next.1)
    }

    /// Gives all memory back. False: something is kept.
    pub fn give_back(&mut self) -> bool {
        let is_empty = self.first.1 == self.end;
        if is_empty {
            (self.old, self.new, self.needed) = (Vec::new(), Vec::new(), 0);
        }
        is_empty
    }

    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.old.capacity() + self.new.capacity()
    }

    /// Nothing is kept: begins at the front again, and gives back memory that was not needed lately.
    fn rest(&mut self) {
        self.needed = (self.needed - self.needed / DECAY).max(self.len());
        for run in [&mut self.old, &mut self.new] {
            run.clear();
            if run.capacity() > 2 * self.needed {
                run.shrink_to(self.needed.max(IDLE_ROOM));
            }
        }
        self.first.0 = 0;
        self.next.0 = 0;
    }

    /// The older run is confirmed: what was new is old, and its memory is for what comes.
    fn grow_old(&mut self) {
        self.first.0 -= self.old.len();
        self.next.0 -= self.old.len();
        self.old.clear();
        std::mem::swap(&mut self.old, &mut self.new);
    }

    /// Bytes of both runs.
    fn len(&self) -> usize {
        self.old.len() + self.new.len()
    }

    /// From a place to the end of its run.
    fn frames(&self, place: usize) -> &[u8] {
        match place.checked_sub(self.old.len()) {
            Some(place) => &self.new[place..],
            None => &self.old[place..],
        }
    }

    fn frames_mut(&mut self, place: usize) -> &mut [u8] {
        match place.checked_sub(self.old.len()) {
            Some(place) => &mut self.new[place..],
            None => &mut self.old[place..],
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
            let len = kept.ready(1, usize::MAX).len();
            assert_eq!(kept.went(len), []);
        }
        assert!(kept.confirm(kept.end) && kept.counts() == (0, 0));
    }

    #[test]
    fn a_stream_keeps_its_memory_and_small_messages_give_it_back() {
        let mut kept = Kept::default();
        let large = [60_000; 4];
        pass(&mut kept, &large);
        let room = kept.memory();
        for _ in 0..10 {
            pass(&mut kept, &large);
            pass(&mut kept, &[8]);
            assert_eq!(kept.memory(), room, "taken and given back");
        }
        for _ in 0..10 * DECAY {
            pass(&mut kept, &[8]);
        }
        assert!(kept.memory() <= IDLE_ROOM);
    }
}
