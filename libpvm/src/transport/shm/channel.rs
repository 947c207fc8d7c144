//! One task's side of a channel: packets out, packets in.

use super::arena::{self, Cursor};
use super::cma::Reach;
use super::doorbell;
use super::inbox::InboxBell;
use super::layout::{self, ARENA, ARENAS, FREE_BYTES, FREE_LINES, PIECE_MAX, SLOTS, Slot};
use super::ring::{BODY_BYTES, BODY_WORDS, Consumer, LINE_WORDS, Line, Lines, Nonsense, Producer};
use super::segment::{MapError, Mapping, Shared, create};
use crate::datatype::{SHORT, ShortSink, ShortSource, Sink, Source};
use crate::ids::TaskId;
use crate::sync::atomic::Ordering;
use crate::sync::shared::AtomicU64;
use crate::transport::{Args, Arrived, Body, Head, Kind, Look, Peer, PullError, Receiver, Taker};
use std::cell::OnceCell;
use std::hint::spin_loop;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;

/// Packets of one channel that one poll shows, so that no channel starves the others.
const BURST: usize = 32;
/// In place of the length of an inline body: the body words are four arguments and the position of
/// the body in the arena.
const EXTENDED: u32 = 0xffff;

/// Makes channel segments.
pub struct Segment;

impl Segment {
    /// Makes the segment of a new channel.
    ///
    /// # Errors
    /// When there are no descriptors or no memory left.
    pub fn create() -> Result<OwnedFd, MapError> {
        Ok(create::<layout::Channel>()?.0)
    }
}

/// The lines of one direction.
pub(super) struct Direction {
    map: Arc<Mapping<layout::Channel>>,
    index: usize,
    /// Those of `map`: on the way of every packet, they are not looked for each time.
    lines: NonNull<[Slot; SLOTS]>,
}

// SAFETY: an address in a mapping that belongs to the process and that `map` keeps alive; it is used for shared
// references to atomics only.
unsafe impl Send for Direction {}

impl Direction {
    fn new(map: &Arc<Mapping<layout::Channel>>, index: usize) -> Self {
        Self {
            map: Arc::clone(map),
            index,
            lines: NonNull::from(&map.slots[index]),
        }
    }
}

impl Lines for Direction {
    type Word = AtomicU64;
    const COUNT: u64 = SLOTS as u64;

    #[inline(always)]
    fn line(&self, position: u64) -> &[AtomicU64; LINE_WORDS] {
        let slot = (position % Self::COUNT) as usize;
        // SAFETY: the lines are in a mapping that lives as long as `self`, and are atomics only.
        let lines = unsafe { self.lines.as_ref() };
        &lines[slot].0
    }

    #[inline(always)]
    fn head(&self) -> &AtomicU64 {
        &self.map.control[self.index].freed.0.head
    }

    #[inline(always)]
    fn arena_head(&self) -> &AtomicU64 {
        &self.map.control[self.index].freed.0.arena_head
    }

    #[inline(always)]
    fn waiting(&self) -> &AtomicU64 {
        &self.map.control[self.index].waiting.0
    }
}

/// The bytes of one direction's arena. Never a slice: a peer may write them at any time.
struct Bytes {
    base: NonNull<u8>,
    _map: Arc<Mapping<layout::Channel>>,
}

// SAFETY: an address in a mapping that belongs to the process and that `_map` keeps alive; only the
// channel's owner uses it.
unsafe impl Send for Bytes {}

impl Bytes {
    fn new(map: &Arc<Mapping<layout::Channel>>, index: usize) -> Self {
        let offset = ARENAS + index * ARENA as usize;
        const { assert!(ARENAS + 2 * ARENA as usize <= <layout::Channel as Shared>::SIZE) };
        // SAFETY: the mapping has room for two arenas after `ARENAS`, and `index` is 0 or 1.
        let base = unsafe { map.base().add(offset) };
        Self {
            base,
            _map: Arc::clone(map),
        }
    }

    /// The address of `len` bytes at a position.
    ///
    /// # Errors
    /// When they are not inside the arena.
    #[inline]
    fn at(&self, position: u64, len: usize) -> Result<*mut u8, Nonsense> {
        let offset = (position % ARENA) as usize;
        if len > PIECE_MAX || offset + len > ARENA as usize {
            return Err(Nonsense);
        }
        // SAFETY: the offset was just checked to be inside the arena.
        Ok(unsafe { self.base.add(offset) }.as_ptr())
    }
}

/// What is needed to take part in a channel.
pub(super) struct Opening {
    pub peer: Peer,
    pub task: TaskId,
    pub pid: u32,
    /// Direction that this side writes.
    pub side: usize,
    pub my_bell: u32,
    pub peer_bell: u32,
    /// From what size on bodies are written past the caches.
    pub stream_min: usize,
}

/// How far a channel's end has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// Both ends live.
    Open,
    /// The peer has ended: what it published is still shown, at most this many packets.
    Ending(usize),
    /// Nothing more will come of it.
    Over,
}

/// One side of a channel.
pub(super) struct Channel {
    pub peer: Peer,
    pub task: TaskId,
    pub my_bell: u32,
    pub life: Life,
    /// In the list of channels that have something, when bells are used.
    pub queued: bool,
    peer_bell: u32,
    pid: u32,
    out: Producer<Direction>,
    cursor: Cursor,
    out_bytes: Bytes,
    stream_min: usize,
    inbox: InboxBell,
    /// Size of the smallest body in the arena of the packets that found no room.
    blocked: Option<usize>,
    into: Consumer<Direction>,
    in_bytes: Bytes,
    reach: OnceCell<Option<Reach>>,
}

impl Channel {
    pub fn open(opening: Opening, segment: impl AsFd, inbox: impl AsFd) -> Result<Self, MapError> {
        let map = Arc::new(Mapping::<layout::Channel>::open(segment)?);
        let inbox = InboxBell::map(inbox)?;
        let (out, into) = (opening.side & 1, !opening.side & 1);
        let lines = |index| Direction::new(&map, index);
        Ok(Self {
            peer: opening.peer,
            task: opening.task,
            my_bell: opening.my_bell,
            life: Life::Open,
            queued: false,
            peer_bell: opening.peer_bell,
            pid: opening.pid,
            out: Producer::new(lines(out)),
            cursor: Cursor::default(),
            out_bytes: Bytes::new(&map, out),
            stream_min: opening.stream_min,
            inbox,
            blocked: None,
            into: Consumer::new(lines(into)),
            in_bytes: Bytes::new(&map, into),
            reach: OnceCell::new(),
        })
    }

    /// Sends a packet that is all in its line. `false`: it is for [`Channel::send`].
    // On the way of every small message: what it needs to know stays in registers.
    #[inline(always)]
    pub fn send_short(&mut self, head: &Head, body: ShortSource<'_>) -> bool {
        const { assert!(SHORT == BODY_BYTES) };
        if self.life != Life::Open || self.out.has_room() != Ok(true) {
            return false;
        }
        let (mark, fields) = fixed(head, body.len() as u32, body.len());
        self.out.publish_body(mark, fields, |words| {
            body.words(|index, word| words[index].store(word, Ordering::Relaxed));
        });
        doorbell::ring(&*self.inbox.map, self.peer_bell);
        true
    }

    /// Sends a packet. `false`: there is no room; [`Channel::has_room`] tells when there is.
    pub fn send(
        &mut self,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<bool, Nonsense> {
        if self.publish(head, args, body)? {
            // A packet that is blocked stays so: this one may just be smaller.
            doorbell::ring(&*self.inbox.map, self.peer_bell);
            return Ok(true);
        }
        let len = body.map_or(0, |body| body.len);
        let inline = args.is_none() && len <= BODY_BYTES;
        let need = if inline { 0 } else { len };
        if let Some(other) = self.blocked {
            // Whoever sleeps looks for room once more, for the smallest that waits.
            self.blocked = Some(other.min(need));
            return Ok(false);
        }
        self.blocked = Some(need);
        self.out.announce();
        match self.has_room()? {
            true => {
                self.unblock();
                self.send(head, args, body)
            }
            false => Ok(false),
        }
    }

    fn publish(
        &mut self,
        head: &Head,
        args: Option<&Args>,
        body: Option<Body<'_>>,
    ) -> Result<bool, Nonsense> {
        if !self.out.has_room()? {
            return Ok(false);
        }
        let len = body.as_ref().map_or(0, |body| body.len);
        let mut words = [0; BODY_WORDS];
        let (form, count) = match args {
            None if len <= BODY_BYTES => {
                if let Some(body) = body {
                    pack(&body, words.as_mut_ptr().cast());
                }
                (len as u32, len.div_ceil(8))
            }
            _ => {
                if let Some(args) = args {
                    words[..4].copy_from_slice(args);
                }
                match body.filter(|body| body.len > 0) {
                    None => {}
                    Some(body) => match self.put(&body)? {
                        Some(position) => words[4] = position,
                        None => return Ok(false),
                    },
                }
                (EXTENDED, BODY_WORDS)
            }
        };
        self.out.publish(&line(head, form, len, words), count);
        Ok(true)
    }

    /// Puts a body into the arena, if there is room.
    fn put(&mut self, body: &Body<'_>) -> Result<Option<u64>, Nonsense> {
        assert!(body.len <= PIECE_MAX, "a packet body larger than a chunk");
        let out = &self.out;
        let Some(position) = self.cursor.place(body.len, || out.arena_head())? else {
            return Ok(None);
        };
        let to = self.out_bytes.at(position, body.len)?;
        match body.len >= self.stream_min {
            true => pack_past_caches(body, to),
            false => pack(body, to),
        }
        Ok(Some(position))
    }

    /// Whether the packet that found no room would find some now; `true` if there is none.
    pub fn has_room(&mut self) -> Result<bool, Nonsense> {
        let Some(len) = self.blocked else {
            return Ok(true);
        };
        let line = self.out.has_room()?;
        Ok(line && (len == 0 || self.cursor.has_place(len, self.out.arena_head())?))
    }

    /// Whether a packet waits for room.
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// The packet that waited is, or can be, sent.
    #[cold]
    pub fn unblock(&mut self) {
        self.blocked = None;
        self.out.withdraw();
    }

    /// Whether the peer has published something. One load.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.into.is_ready()
    }

    /// Shows what has arrived, [`BURST`] packets at most. Returns how many; a channel that breaks
    /// is over.
    #[inline]
    pub fn poll<R: Receiver>(&mut self, receiver: &mut R) -> usize {
        match self.into.is_ready() {
            true => self.show_burst(receiver),
            false => 0,
        }
    }

    fn show_burst<R: Receiver>(&mut self, receiver: &mut R) -> usize {
        let mut shown = 0;
        while shown < self.allowance() {
            let Some(line) = self.into.take() else {
                break;
            };
            if self.show(&line, receiver).is_err() {
                self.life = Life::Over;
                return shown.max(1);
            }
            shown += 1;
            self.free_if_much();
        }
        self.free_arena();
        if let Life::Ending(left) = self.life {
            self.life = Life::Ending(left - shown);
        }
        shown
    }

    /// Offers the next packet, which is waited for a little. Nonsense is left to a poll.
    #[inline]
    pub fn look(&mut self, taker: &mut impl Taker, pauses: u32) -> Look {
        if self.life != Life::Open {
            return Look::Other;
        }
        let Some(mark) = self.wait(pauses) else {
            return Look::Nothing;
        };
        let line = self.into.line(mark);
        let Ok((head, args, packet)) = self.read(&line) else {
            return Look::Other;
        };
        let end = packet.end;
        if !taker.take(&head, &args, packet) {
            return Look::Other;
        }
        self.into.skip();
        if let Some(end) = end {
            self.into.arena_done(end);
        }
        self.free_if_much();
        self.free_arena();
        Look::Taken(())
    }

    /// Takes the next packet, which is waited for a little, if it is all in its line, has this head, whatever its
    /// check, and fits. Gives its length and its check.
    // No copy is made of the line: what it should say is known before it comes, and each word is read once.
    #[inline(always)]
    pub fn look_short(
        &mut self,
        head: &Head,
        sink: &mut ShortSink<'_>,
        pauses: u32,
    ) -> Look<(usize, u32)> {
        if self.life != Life::Open {
            return Look::Other;
        }
        let Some(mark) = self.wait(pauses) else {
            return Look::Nothing;
        };
        let form = mark >> 16;
        let len = form as usize;
        let (expected, [name, _]) = fixed(head, form, len);
        if mark != expected || len > BODY_BYTES || len > sink.capacity() {
            return Look::Other;
        }
        let [first, second] = self.into.fields();
        if first != name || second >> 32 != len as u64 {
            return Look::Other;
        }
        sink.fill(len, |index| self.into.word(index));
        self.into.skip();
        self.free_if_much();
        Look::Taken((len, second as u32))
    }

    /// The mark of the next packet, which is waited for a little.
    // Whoever waits is seldom done with anything but its line: nothing else is looked at meanwhile.
    #[inline(always)]
    fn wait(&self, pauses: u32) -> Option<u32> {
        for _ in 0..pauses {
            if let Some(mark) = self.into.mark() {
                return Some(mark);
            }
            spin_loop();
        }
        self.into.mark()
    }

    /// Tells the peer what is free, if it is worth it. A peer that waits for room has filled more than
    /// that, so it is asked before all of it has been taken.
    #[inline]
    fn free_if_much(&mut self) {
        let (lines, bytes) = self.into.unasked();
        if (lines >= FREE_LINES || bytes >= FREE_BYTES) && self.into.free() {
            doorbell::ring(&*self.inbox.map, self.peer_bell);
        }
    }

    /// The peer sees at once that the arena is empty, and stays in its hot pages.
    #[inline]
    fn free_arena(&mut self) {
        if self.into.has_arena_to_tell() {
            self.into.free_quietly();
        }
    }

    /// Packets that may be shown now.
    fn allowance(&self) -> usize {
        match self.life {
            Life::Open => BURST,
            Life::Ending(left) => left.min(BURST),
            Life::Over => 0,
        }
    }

    #[inline]
    fn show<R: Receiver>(&mut self, line: &Line, receiver: &mut R) -> Result<(), Nonsense> {
        let (head, args, packet) = self.read(line)?;
        let end = packet.end;
        receiver.packet(self.peer, head, args, packet);
        if let Some(end) = end {
            self.into.arena_done(end);
        }
        Ok(())
    }

    /// What a line says. The packet is to be used as long as the line and this channel stay as they
    /// are.
    #[inline]
    fn read(&self, line: &Line) -> Result<(Head, Args, Packet), Nonsense> {
        let head = Head {
            kind: Kind::from_byte(line.mark as u8).ok_or(Nonsense)?,
            flags: (line.mark >> 8) as u8,
            context: line.fields[0] as u32,
            tag: (line.fields[0] >> 32) as i32,
            check: line.fields[1] as u32,
        };
        let len = (line.fields[1] >> 32) as usize;
        let form = line.mark >> 16;
        if form as usize <= BODY_BYTES {
            if len != form as usize {
                return Err(Nonsense);
            }
            let from = line.body.as_ptr().cast();
            let end = None;
            return Ok((head, [0; 4], Packet { from, len, end }));
        }
        if form != EXTENDED {
            return Err(Nonsense);
        }
        let [a, b, c, d, position] = line.body;
        let from = self.in_bytes.at(position, len)?;
        let end = (len > 0).then(|| arena::end(position, len));
        Ok((head, [a, b, c, d], Packet { from, len, end }))
    }

    /// The peer has ended; nothing more is written.
    pub fn end(&mut self) {
        if self.life == Life::Open {
            self.life = Life::Ending(SLOTS);
        }
    }

    /// Whether all that will ever come has been shown.
    pub fn is_over(&self) -> bool {
        match self.life {
            Life::Open => false,
            Life::Ending(left) => left == 0 || !self.is_ready(),
            Life::Over => true,
        }
    }

    /// The peer's memory, if it can be read; tried once.
    pub fn reach(&self) -> Option<&Reach> {
        self.reach.get_or_init(|| Reach::probe(self.pid)).as_ref()
    }

    /// Reads the peer's memory.
    pub fn pull(
        &mut self,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError> {
        let reach = self.reach().ok_or(PullError)?;
        let pulled = reach.pull(address, len, sink, offset);
        if pulled.is_err() {
            // Do not try again and again what the system does not let us do.
            self.reach = OnceCell::from(None);
        }
        pulled
    }
}

/// The line of a packet whose body has this length.
fn line(head: &Head, form: u32, len: usize, body: [u64; BODY_WORDS]) -> Line {
    let (mark, fields) = fixed(head, form, len);
    Line { mark, fields, body }
}

/// Mark and fields of a packet whose body has this length.
#[inline(always)]
fn fixed(head: &Head, form: u32, len: usize) -> (u32, [u64; 2]) {
    let mark = u32::from(head.kind as u8) | u32::from(head.flags) << 8 | form << 16;
    let fields = [
        u64::from(head.context) | u64::from(head.tag as u32) << 32,
        u64::from(head.check) | (len as u64) << 32,
    ];
    (mark, fields)
}

/// Copies a body to `to`, which has room for it.
#[inline]
fn pack(body: &Body<'_>, to: *mut u8) {
    let source: &Source = body.source;
    // SAFETY: the callers give the address of `body.len` writable bytes: the body of a line on the
    // stack, or a place in the arena that the cursor gave out and whose range was checked. A
    // message does not overlap either.
    unsafe { source.pack(body.offset, to, body.len) }
}

/// As [`pack`], past the caches.
fn pack_past_caches(body: &Body<'_>, to: *mut u8) {
    let source: &Source = body.source;
    // SAFETY: as for `pack`.
    unsafe { source.pack_past_caches(body.offset, to, body.len) }
}

/// A packet's body: in a copied line, or in the arena.
struct Packet {
    from: *const u8,
    len: usize,
    /// Where it ends in the arena, if it lies there.
    end: Option<u64>,
}

impl Arrived for Packet {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn read_into(&self, sink: &mut Sink, offset: usize) {
        // SAFETY: `read` gives the address of `len` readable bytes, in a line on its caller's stack
        // or a checked range of the arena; its callers, `show` and `look`, keep both until the packet,
        // which they pass on by value and nobody can keep a part of, is gone. A peer that writes
        // the range meanwhile spoils its own bytes, nothing else: they are copied and not looked at.
        unsafe { sink.unpack(offset, self.from, self.len) }
    }

    fn to_vec(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::with_capacity(self.len);
        // SAFETY: as above; the vector has room for `len` bytes, and all are written.
        unsafe {
            bytes
                .as_mut_ptr()
                .copy_from_nonoverlapping(self.from, self.len);
            bytes.set_len(self.len);
        }
        bytes
    }
}
