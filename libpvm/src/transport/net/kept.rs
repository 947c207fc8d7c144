//! Packets that have been sent and not confirmed: kept as the frames that carry them.
//!
//! Two runs of bytes: what is confirmed leaves at the front of the older one, what is new comes at the
//! end of the younger one, which takes the older one's place when all of that is confirmed. So no byte
//! is ever moved. A mark says from where on nothing has gone out on the present carrier.
//!
//! # Asking to be confirmed
//! The receiver confirms when it has something to send, or when it is asked; a frame asks when a quarter
//! of the window has gone out without, so that the rest keeps the carrier busy meanwhile.
//!
//! # Bodies that stay where they lie
//! A large message is not copied: its bodies are leased, and only the heads of their frames are in the
//! runs. A lease ends when its packet is confirmed, and a send only when all its leases have ended. So the
//! last packet of such a message asks.

use super::frame;
use crate::datatype::Lease;
use crate::limits::{NET_FRAME_MAX, NET_LENT_MIN, NET_WINDOW};
use crate::transport::{Args, Body, Head};
use std::collections::VecDeque;

/// Room that is kept whatever the traffic.
const IDLE_ROOM: usize = 64 << 10;
/// By this part less room is kept each time that nothing needed it: a stream that is confirmed now and
/// then does not give its memory back each time, and the next small messages do not keep it for long.
const DECAY: usize = 16;
/// Leased bodies that are ready at a time.
const LEASES_MAX: usize = 16;
/// Parts of what is ready: before, between and behind them, and once from run to run.
pub(super) const PARTS_MAX: usize = 2 * LEASES_MAX + 2;
// When all is confirmed but what did not ask, another frame fits.
const _: () = assert!(NET_FRAME_MAX <= NET_WINDOW / 2);

/// A frame: its place in the runs, counted through both, and the number of its packet.
type Mark = (usize, u64);

/// A body that is not in the runs.
struct Lent {
    /// Number of its packet.
    number: u64,
    lease: Lease,
    /// The message ends with it.
    is_last: bool,
}

/// Outgoing frames, oldest first.
pub(super) struct Kept {
    old: Vec<u8>,
    new: Vec<u8>,
    /// By number.
    lent: VecDeque<Lent>,
    /// Most bytes that are kept, and that have gone out on the present carrier and are not confirmed. It
    /// may be less than what is kept: that was for another carrier.
    window: usize,
    /// Bytes of all frames, and of those that have gone out on this carrier.
    bytes: usize,
    gone: usize,
    /// Of those that have gone out, what came after the last one that asked to be confirmed.
    unasked: usize,
    /// The oldest packet that is not confirmed.
    first: Mark,
    /// The first packet that has not gone out on this carrier.
    next: Mark,
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
            lent: VecDeque::new(),
            window: NET_WINDOW,
            bytes: 0,
            gone: 0,
            unasked: 0,
            first: (0, 0),
            next: (0, 0),
            fresh: 0,
            end: 0,
            needed: 0,
        }
    }
}

/// Frames that are ready to go out, in the parts that they lie in.
pub struct Ready<'a> {
    parts: [&'a [u8]; PARTS_MAX],
    count: usize,
    len: usize,
    is_followed: bool,
}

impl Default for Ready<'_> {
    fn default() -> Self {
        Self {
            parts: [&[][..]; PARTS_MAX],
            count: 0,
            len: 0,
            is_followed: false,
        }
    }
}

impl<'a> Ready<'a> {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is more, which can go out as soon as this has gone.
    pub fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// The parts.
    pub fn parts(&self) -> &[&'a [u8]] {
        &self.parts[..self.count]
    }

    fn push(&mut self, part: &'a [u8]) {
        if !part.is_empty() {
            self.parts[self.count] = part;
            self.count += 1;
            self.len += part.len();
        }
    }
}

impl Kept {
    /// Keeps a new packet, if the window has room; the largest has when nothing else is there.
    pub fn push(&mut self, head: &Head, args: Option<&Args>, body: Option<Body<'_>>) -> bool {
        let len = frame::data_len(args, body);
        if self.bytes > 0 && self.bytes + len > self.window {
            return false;
        }
        match body.and_then(lease) {
            Some(lease) => {
                frame::put_data_head(self.end, head, args, lease.bytes().len(), &mut self.new);
                self.lent.push_back(Lent {
                    number: self.end,
                    lease,
                    is_last: body.is_some_and(|body| body.rest == 0),
                });
            }
            None => frame::put_data(self.end, head, args, body, &mut self.new),
        }
        self.bytes += len;
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
            let len = self.len_at(self.first);
            self.bytes -= len;
            match self.first.1 < self.next.1 {
                true => self.gone -= len,
                false => self.next = self.after(self.first),
            }
            self.first = self.after(self.first);
            self.lent.pop_front_if(|lent| lent.number < self.first.1);
        }
        self.unasked = self.unasked.min(self.gone);
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
        (self.gone, self.unasked) = (0, 0);
    }

    /// Frames that are to go out, some of those that fit `limit` and the window, and at least one if
    /// there is [`Kept::has_next`]. What has gone of them is to be told to [`Kept::went`].
    pub fn ready(&mut self, generation: u32, limit: usize) -> Ready<'_> {
        let mut ready = Ready::default();
        if !self.has_next() {
            return ready;
        }
        let end = self.stamp(generation, limit);
        let (mut place, mut mark) = (self.next.0, self.next);
        while mark.1 < end.1 {
            let after = self.after(mark);
            if let Some(lent) = self.lent(mark.1) {
                for part in self.run(place, after.0) {
                    ready.push(part);
                }
                ready.push(lent.lease.bytes());
                place = after.0;
            }
            mark = after;
        }
        for part in self.run(place, end.0) {
            ready.push(part);
        }
        ready.is_followed =
            end.1 < self.end && self.gone + ready.len + self.len_at(end) <= self.window;
        ready
    }

    /// So many bytes of what was [`Kept::ready`] have gone out. Returns the rest of a frame that was
    /// begun, what is in the runs and what is leased: it is the carrier's, before anything else.
    pub fn went(&mut self, bytes: usize) -> [&[u8]; 2] {
        let (mut gone, mut last) = (0, self.next);
        while gone < bytes {
            last = self.next;
            let len = self.len_at(last);
            gone += len;
            self.unasked = match frame::asks_first(self.frames(last.0)) {
                true => 0,
                false => self.unasked + len,
            };
            self.next = self.after(last);
        }
        self.gone += gone;
        self.fresh = self.fresh.max(self.next.1);
        let rest = gone - bytes;
        let head = &self.frames(last.0)[..self.next.0 - last.0];
        let body = self.lent(last.1).map_or(&[][..], |lent| lent.lease.bytes());
        let of_body = rest.min(body.len());
        let of_head = rest - of_body;
        [&head[head.len() - of_head..], &body[body.len() - of_body..]]
    }

    /// Whether something is to go out on this carrier, and the window has room for it.
    pub fn has_next(&self) -> bool {
        self.next.1 < self.end
            && (self.gone == 0 || self.gone + self.len_at(self.next) <= self.window)
    }

    /// Bytes that have not gone out on this carrier.
    pub fn unsent(&self) -> usize {
        self.bytes - self.gone
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
            self.lent = VecDeque::new();
        }
        is_empty
    }

    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.old.capacity() + self.new.capacity() + self.lent.capacity() * size_of::<Lent>()
    }

    /// Gives a generation to the frames that are to go out, has some of them ask, and says where they end.
    fn stamp(&mut self, generation: u32, limit: usize) -> Mark {
        let room = self.window.saturating_sub(self.gone);
        let (mut end, mut bytes, mut leases) = (self.next, 0, 0);
        let mut unasked = self.unasked;
        while end.1 < self.end && leases < LEASES_MAX {
            let len = self.len_at(end);
            bytes += len;
            if end != self.next && bytes > limit.min(room) {
                break;
            }
            let lent = self.lent(end.1);
            leases += usize::from(lent.is_some());
            unasked += len;
            let asks = unasked >= self.window / 4 || lent.is_some_and(|lent| lent.is_last);
            if asks {
                unasked = 0;
            }
            frame::stamp(self.frames_mut(end.0), generation, asks);
            end = self.after(end);
        }
        end
    }

    /// Nothing is kept: begins at the front again, and gives back memory that was not needed lately.
    fn rest(&mut self) {
        let runs = self.old.len() + self.new.len();
        self.needed = (self.needed - self.needed / DECAY).max(runs);
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

    /// Bytes of a frame, those of a leased body included.
    fn len_at(&self, mark: Mark) -> usize {
        frame::len_of_first(self.frames(mark.0))
    }

    /// Where the frame behind one is.
    fn after(&self, mark: Mark) -> Mark {
        let lent = self.lent(mark.1);
        let elsewhere = lent.map_or(0, |lent| lent.lease.bytes().len());
        (mark.0 + self.len_at(mark) - elsewhere, mark.1 + 1)
    }

    /// The body of a packet, if it is not in the runs.
    fn lent(&self, number: u64) -> Option<&Lent> {
        let place = self.lent.binary_search_by_key(&number, |lent| lent.number);
        Some(&self.lent[place.ok()?])
    }

    /// From one place to another: what of it is in the older run, and in the younger one.
    fn run(&self, from: usize, to: usize) -> [&[u8]; 2] {
        let edge = self.old.len();
        let cut = edge.clamp(from, to);
        let older = if from < cut {
            &self.old[from..cut]
        } else {
            &[]
        };
        let younger = if cut < to {
            &self.new[cut - edge..to - edge]
        } else {
            &[]
        };
        [older, younger]
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

/// The body in its place, if its message is large enough.
fn lease(body: Body<'_>) -> Option<Lease> {
    match body.offset + body.len + body.rest >= NET_LENT_MIN {
        true => body.source.lease(body.offset, body.len),
        false => None,
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
            assert_eq!(kept.went(len).concat(), []);
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
