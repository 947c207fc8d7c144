//! The two ends of a message in memory.
//!
//! # Why this is sound
//! A [`Source`] or [`Sink`] either owns its memory or borrows it by address. Borrowing ends are
//! made by the unsafe constructors, whose callers promise that the memory stays valid until the
//! end is dropped. The engine keeps it, without touching it any more, in a request that has ended,
//! until the request is finished; then it gives the end back or drops it. A [`Lease`] is a part owner
//! of what its source has, and a send is not over before its leases are, so it is in no way different
//! from the source itself. The safe [`lend`] and [`lend_mut`] keep the promise for slices: the end they
//! make carries a ticket, and a ticket that outlives the closure aborts the process instead of returning
//! to memory that somebody may still write.

use super::Layout;
use super::copy::{SHORT, copy_long, copy_past_caches, copy_short};
use super::workspace::Loan;
use crate::sync::atomic::{AtomicBool, Ordering};
use bytemuck::allocation::BoxBytes;
use std::sync::Arc;

/// Memory of a message end.
pub(super) enum Memory {
    /// Bytes by address; the layout is absent for contiguous bytes.
    Borrowed {
        base: *mut u8,
        scattered: Option<Box<Scattered>>,
        _hold: Option<Hold>,
    },
    Owned(Vec<u8>),
    /// A boxed slice of plain data; `base` is its first byte.
    Boxed {
        base: *mut u8,
        bytes: BoxBytes,
    },
    /// What a [`Source`] and its leases read, contiguous.
    Shared(Arc<Memory>),
}

/// Where the bytes of a message are that are not contiguous. Boxed: ends are moved often, and most
/// are contiguous.
#[derive(Clone)]
pub(super) struct Scattered {
    layout: Arc<Layout>,
    /// Packed bytes of the layout before the first of the message.
    skip: usize,
}

/// What is told when an end of borrowed memory is dropped.
pub(super) enum Hold {
    /// The closure that the memory was lent to.
    Ticket { _ticket: Ticket },
    /// The workspace that the memory is a part of.
    Loan { _loan: Loan },
}

// SAFETY: the addresses in `Memory` are used only through `Source` (reads) and `Sink` (writes by
// its one owner); whoever made a borrowed end promised that the memory may be used from any thread
// until the end is dropped.
unsafe impl Send for Memory {}
// SAFETY: through a shared reference a memory gives addresses and is read, as its maker allowed from any
// thread until it is dropped: so do the source and its leases, which have it together. Whoever writes
// has a `Sink` mutably, or is a workspace, which keeps what is written apart from what is read.
unsafe impl Sync for Memory {}

/// The sending end of a message.
pub struct Source {
    pub(super) memory: Memory,
    pub(super) len: usize,
}

/// A part of a message, contiguous, that is read where it lies when the call that it was passed to is over.
pub struct Lease {
    memory: Arc<Memory>,
    offset: usize,
    len: usize,
}

/// The receiving end of a message.
pub struct Sink {
    pub(super) memory: Memory,
    pub(super) len: usize,
}

impl Memory {
    // Of most messages this is a comparison: it is on the way of all of them.
    #[inline(always)]
    pub(super) fn contiguous(&self) -> Option<*mut u8> {
        match self {
            Memory::Borrowed {
                base,
                scattered: None,
                ..
            } => Some(*base),
            other => other.run(),
        }
    }

    #[inline(never)]
    fn run(&self) -> Option<*mut u8> {
        match self {
            Memory::Borrowed {
                base, scattered, ..
            } => scattered.is_none().then_some(*base),
            Memory::Owned(bytes) => Some(bytes.as_ptr().cast_mut()),
            Memory::Boxed { base, .. } => Some(*base),
            Memory::Shared(memory) => memory.contiguous(),
        }
    }

    fn boxed(mut bytes: BoxBytes) -> Self {
        Memory::Boxed {
            base: bytes.as_mut_ptr(),
            bytes,
        }
    }

    fn into_boxed(self) -> Option<BoxBytes> {
        match self {
            Memory::Boxed { bytes, .. } => Some(bytes),
            Memory::Shared(memory) => Arc::into_inner(memory)?.into_boxed(),
            _ => None,
        }
    }

    /// Bytes by address.
    #[inline]
    fn borrowed(base: *mut u8) -> Self {
        Memory::Borrowed {
            base,
            scattered: None,
            _hold: None,
        }
    }

    /// A borrowed array of elements, and its packed length. Those in one run lose their layout.
    #[inline(always)]
    fn typed(base: *mut u8, layout: &Arc<Layout>, count: usize) -> Option<(Self, usize)> {
        match layout.plain_size_of(count) {
            Some(len) => Some((Self::borrowed(base), len)),
            None => Self::laid_out(base, layout, count),
        }
    }

    /// As [`Memory::typed`], of elements that are less plain.
    #[inline(never)]
    fn laid_out(base: *mut u8, layout: &Arc<Layout>, count: usize) -> Option<(Self, usize)> {
        let len = layout.size_of(count)?;
        let memory = match layout.single_run(count) {
            Some(start) => Self::borrowed(base.wrapping_offset(start)),
            None => Memory::Borrowed {
                base,
                scattered: Some(Box::new(Scattered {
                    layout: Arc::clone(layout),
                    skip: 0,
                })),
                _hold: None,
            },
        };
        Some((memory, len))
    }

    /// `hold`'s part of this memory, from packed offset `start` on.
    pub(super) fn part(&self, start: usize, hold: Hold) -> Self {
        let (base, scattered) = match self {
            Memory::Borrowed {
                base,
                scattered: Some(scattered),
                ..
            } => {
                let mut scattered = scattered.clone();
                scattered.skip += start;
                (*base, Some(scattered))
            }
            Memory::Borrowed { base, .. } => (base.wrapping_add(start), None),
            Memory::Owned(bytes) => (bytes.as_ptr().cast_mut().wrapping_add(start), None),
            Memory::Boxed { base, .. } => (base.wrapping_add(start), None),
            Memory::Shared(memory) => return memory.part(start, hold),
        };
        Memory::Borrowed {
            base,
            scattered,
            _hold: Some(hold),
        }
    }

    /// Calls `each(address, packed offset relative to the first, length)` for the pieces of packed
    /// bytes `offset..offset + len`.
    pub(super) fn pieces(
        &self,
        offset: usize,
        len: usize,
        mut each: impl FnMut(*mut u8, usize, usize),
    ) {
        match self {
            Memory::Borrowed {
                base,
                scattered: Some(scattered),
                ..
            } => {
                let mut done = 0;
                scattered
                    .layout
                    .pieces(scattered.skip + offset, len, |at, piece| {
                        each(base.wrapping_offset(at), done, piece);
                        done += piece;
                    });
            }
            _ => {
                let base = self.contiguous().expect("only layouts are not contiguous");
                each(base.wrapping_add(offset), 0, len);
            }
        }
    }
}

impl Source {
    /// Owned bytes.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self {
            len: bytes.len(),
            memory: Memory::Owned(bytes),
        }
    }

    /// Owned plain data; [`Source::into_boxed`] gives it back.
    pub fn from_boxed(bytes: BoxBytes) -> Self {
        Self {
            len: bytes.len(),
            memory: Memory::boxed(bytes),
        }
    }

    /// The plain data that [`Source::from_boxed`] took.
    pub fn into_boxed(self) -> Option<BoxBytes> {
        self.memory.into_boxed()
    }

    /// Contiguous bytes by address.
    ///
    /// # Safety
    /// `base` is readable for `len` bytes, and nobody writes there, until the source is dropped.
    pub unsafe fn borrowed(base: *const u8, len: usize) -> Self {
        Self {
            memory: Memory::borrowed(base.cast_mut()),
            len,
        }
    }

    /// `count` elements of a layout by address of the first; `None` if they do not fit the address
    /// space.
    ///
    /// # Safety
    /// As for [`Source::borrowed`], for every run of every element.
    #[inline(always)]
    pub unsafe fn typed(base: *const u8, layout: &Arc<Layout>, count: usize) -> Option<Self> {
        let (memory, len) = Memory::typed(base.cast_mut(), layout, count)?;
        Some(Self { memory, len })
    }

    /// Length of the packed message.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the bytes if they are one run.
    #[inline(always)]
    pub fn contiguous(&self) -> Option<*const u8> {
        self.memory.contiguous().map(|base| base.cast_const())
    }

    /// Whether this is a part of what an operation works on, and not what somebody sends.
    pub fn is_part(&self) -> bool {
        let memory = match &self.memory {
            Memory::Shared(memory) => memory,
            memory => memory,
        };
        matches!(
            memory,
            Memory::Borrowed {
                _hold: Some(Hold::Loan { .. }),
                ..
            }
        )
    }

    /// From now on contiguous memory can be leased.
    pub fn share(&mut self) {
        if self.contiguous().is_some() && !matches!(self.memory, Memory::Shared(_)) {
            let memory = std::mem::replace(&mut self.memory, Memory::Owned(Vec::new()));
            self.memory = Memory::Shared(Arc::new(memory));
        }
    }

    /// Leases bytes `offset..offset + len`, if this was shared. The source must not be given back to the
    /// program before it [is not lent](Source::is_lent) any more.
    ///
    /// # Panics
    /// When the range is not inside the message.
    pub fn lease(&self, offset: usize, len: usize) -> Option<Lease> {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "part outside the message"
        );
        let Memory::Shared(memory) = &self.memory else {
            return None;
        };
        let memory = Arc::clone(memory);
        Some(Lease {
            memory,
            offset,
            len,
        })
    }

    /// Whether somebody has a lease.
    pub fn is_lent(&self) -> bool {
        matches!(&self.memory, Memory::Shared(memory) if Arc::strong_count(memory) > 1)
    }

    /// Copies packed bytes `offset..offset + len` to `to`.
    ///
    /// # Safety
    /// `to` is writable for `len` bytes and does not overlap the message.
    ///
    /// # Panics
    /// When the range is not inside the message.
    #[inline]
    pub unsafe fn pack(&self, offset: usize, to: *mut u8, len: usize) {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "part outside the message"
        );
        if len <= SHORT
            && let Some(from) = self.memory.contiguous()
        {
            // SAFETY: as below; `offset + len` was checked.
            return unsafe { copy_short(from.add(offset), to, len) };
        }
        self.memory.pieces(offset, len, |from, at, piece| {
            // SAFETY: the maker of this source promised readable memory for every piece inside
            // `len()`, which was checked; the caller promised room for `at + piece <= len` bytes.
            unsafe { copy_long(from, to.add(at), piece) }
        });
    }

    /// As [`Source::pack`], past the caches: for memory that another processor has just read.
    ///
    /// # Safety
    /// As for [`Source::pack`].
    ///
    /// # Panics
    /// When the range is not inside the message.
    pub unsafe fn pack_past_caches(&self, offset: usize, to: *mut u8, len: usize) {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "part outside the message"
        );
        // SAFETY: as for `pack`. Small pieces would be dearer this way.
        unsafe {
            match self.memory.contiguous() {
                Some(from) => copy_past_caches(from.add(offset), to, len),
                None => self.pack(offset, to, len),
            }
        }
    }

    /// A packed copy of bytes `offset..offset + len`.
    ///
    /// # Panics
    /// When the range is not inside the message.
    pub fn to_vec(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        self.append_to(&mut bytes, offset, len);
        bytes
    }

    /// Appends packed bytes `offset..offset + len` to `out`.
    ///
    /// # Panics
    /// When the range is not inside the message.
    pub fn append_to(&self, out: &mut Vec<u8>, offset: usize, len: usize) {
        out.reserve(len);
        let end = out.len();
        // SAFETY: the vector has room for `len` bytes after its end, which nothing else names, and
        // `pack` writes all of them before `set_len`.
        unsafe {
            self.pack(offset, out.as_mut_ptr().add(end), len);
            out.set_len(end + len);
        }
    }
}

impl Lease {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self.memory.contiguous() {
            Some(base) if self.len > 0 => {
                // SAFETY: the part was checked to be inside a message whose maker promised readable memory
                // in which nobody writes until it is dropped, and this is a part owner of it.
                unsafe { std::slice::from_raw_parts(base.add(self.offset), self.len) }
            }
            _ => &[],
        }
    }
}

impl Sink {
    /// Owned room for `capacity` bytes; [`Sink::into_vec`] gives it back.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            memory: Memory::Owned(vec![0; capacity]),
            len: capacity,
        }
    }

    /// Room in a vector, all of it.
    pub fn from_vec(room: Vec<u8>) -> Self {
        Self {
            len: room.len(),
            memory: Memory::Owned(room),
        }
    }

    /// Room in owned plain data, all of it; [`Sink::into_boxed`] gives it back.
    pub fn from_boxed(room: BoxBytes) -> Self {
        Self {
            len: room.len(),
            memory: Memory::boxed(room),
        }
    }

    /// The plain data that [`Sink::from_boxed`] took.
    pub fn into_boxed(self) -> Option<BoxBytes> {
        self.memory.into_boxed()
    }

    /// Contiguous bytes by address.
    ///
    /// # Safety
    /// `base` is writable for `len` bytes, and nobody else touches them, until the sink is dropped.
    pub unsafe fn borrowed(base: *mut u8, len: usize) -> Self {
        Self {
            memory: Memory::borrowed(base),
            len,
        }
    }

    /// `count` elements of a layout by address of the first; `None` if they do not fit the address
    /// space.
    ///
    /// # Safety
    /// As for [`Sink::borrowed`], for every run of every element.
    #[inline(always)]
    pub unsafe fn typed(base: *mut u8, layout: &Arc<Layout>, count: usize) -> Option<Self> {
        let (memory, len) = Memory::typed(base, layout, count)?;
        Some(Self { memory, len })
    }

    /// Bytes that fit.
    pub fn capacity(&self) -> usize {
        self.len
    }

    /// Address of the room if it is one run.
    #[inline(always)]
    pub fn contiguous(&self) -> Option<*mut u8> {
        self.memory.contiguous()
    }

    /// Copies `len` bytes from `from` to packed offset `offset`; what is beyond the capacity is
    /// dropped.
    ///
    /// # Safety
    /// `from` is readable for `len` bytes and does not overlap the sink.
    #[inline]
    pub unsafe fn unpack(&mut self, offset: usize, from: *const u8, len: usize) {
        let len = len.min(self.len.saturating_sub(offset));
        if len <= SHORT
            && len > 0
            && let Some(to) = self.memory.contiguous()
        {
            // SAFETY: as below; `offset + len` is inside the capacity, since `len` is not 0.
            return unsafe { copy_short(from, to.add(offset), len) };
        }
        self.memory.pieces(offset, len, |to, at, piece| {
            // SAFETY: the maker of this sink promised writable memory for every piece inside the
            // capacity, to which `len` was cut; the caller promised `len` readable bytes.
            unsafe { copy_long(from.add(at), to, piece) }
        });
    }

    /// Copies bytes to packed offset `offset`; what is beyond the capacity is dropped.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        // SAFETY: a slice is readable for its length; a sink never overlaps a live shared slice.
        unsafe { self.unpack(offset, bytes.as_ptr(), bytes.len()) }
    }

    /// Calls `each(address, length)` for the pieces of packed bytes `offset..offset + len`, cut to
    /// the capacity. For system calls that fill memory by address.
    pub fn pieces(&mut self, offset: usize, len: usize, mut each: impl FnMut(*mut u8, usize)) {
        let len = len.min(self.len.saturating_sub(offset));
        self.memory
            .pieces(offset, len, |address, _, piece| each(address, piece));
    }

    /// Shows the first `len` packed bytes, cut to the capacity, to `body`, which may change them.
    pub(super) fn change(&mut self, len: usize, body: impl FnOnce(&mut [u8])) {
        let len = len.min(self.len);
        match self.memory.contiguous() {
            Some(_) if len == 0 => {}
            Some(base) => {
                // SAFETY: the maker of this sink promised memory for its capacity, to which `len` was
                // cut, that nobody else touches; it was written, or initialized, before.
                body(unsafe { std::slice::from_raw_parts_mut(base, len) });
            }
            None => {
                let mut bytes = gather(&self.memory, 0, len);
                body(&mut bytes);
                self.write(0, &bytes);
            }
        }
    }

    /// The owned room; `None` for borrowed memory.
    pub fn into_vec(self) -> Option<Vec<u8>> {
        match self.memory {
            Memory::Owned(bytes) => Some(bytes),
            Memory::Borrowed { .. } | Memory::Boxed { .. } | Memory::Shared(_) => None,
        }
    }
}

/// A packed copy of `len` bytes of a memory, from packed offset `start` on.
///
/// The part is inside the memory and nobody writes there: owners of ends and workspaces see to it.
pub(super) fn gather(memory: &Memory, start: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; len];
    let to = bytes.as_mut_ptr();
    memory.pieces(start, len, |from, at, piece| {
        // SAFETY: the part is inside the memory and nobody writes there; `at + piece <= len`.
        unsafe { to.add(at).copy_from_nonoverlapping(from, piece) }
    });
    bytes
}

/// Copies `len` packed bytes of `source` from `from` on to packed offset `to` of `sink`; what is
/// beyond the sink's capacity is dropped. The two may share memory: then the result is as if the
/// bytes had gone through a third place, run by run.
///
/// # Panics
/// When the range is not inside the source.
pub fn transfer(source: &Source, from: usize, sink: &mut Sink, to: usize, len: usize) {
    assert!(
        from <= source.len && len <= source.len - from,
        "part outside the message"
    );
    let len = len.min(sink.len.saturating_sub(to));
    source.memory.pieces(from, len, |address, done, piece| {
        sink.memory.pieces(to + done, piece, |room, at, part| {
            // SAFETY: both makers promised valid memory for every piece inside the ends' lengths,
            // which were checked; `copy` allows overlap.
            unsafe { room.copy_from(address.add(at), part) }
        });
    });
}

/// Says, while it lives, that somebody holds an end of lent memory.
pub(super) struct Ticket(*const AtomicBool);

impl Drop for Ticket {
    fn drop(&mut self) {
        // SAFETY: the flag is in a `Lent` on the stack of `lend` or `lend_mut`, which does not
        // return before this ticket is dropped: it ends the process instead.
        unsafe { &*self.0 }.store(false, Ordering::Release);
    }
}

/// Whether the ticket of one loan is out; checks on the way out, also of a panic, that it is back.
/// There is only one, so a plain store gives it back: a read-modify-write would wait, with every
/// message, until all that was written before has reached the other processor.
struct Lent(AtomicBool);

impl Lent {
    /// The memory of the loan; called once.
    fn memory(&self, base: *mut u8) -> Memory {
        self.0.store(true, Ordering::Relaxed);
        Memory::Borrowed {
            base,
            scattered: None,
            _hold: Some(Hold::Ticket {
                _ticket: Ticket(&self.0),
            }),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.0.load(Ordering::Acquire) {
            eprintln!("libpvm: a message end outlived the memory it was lent; aborting");
            std::process::abort();
        }
    }
}

/// Lends `bytes` to `body` as a source.
///
/// The process aborts if the source is still alive when `body` ends.
#[inline]
pub fn lend<R>(bytes: &[u8], body: impl FnOnce(Source) -> R) -> R {
    let lent = Lent(AtomicBool::new(false));
    let memory = lent.memory(bytes.as_ptr().cast_mut());
    body(Source {
        memory,
        len: bytes.len(),
    })
}

/// Lends `bytes` to `body` as a sink.
///
/// The process aborts if the sink is still alive when `body` ends.
#[inline]
pub fn lend_mut<R>(bytes: &mut [u8], body: impl FnOnce(Sink) -> R) -> R {
    let lent = Lent(AtomicBool::new(false));
    let memory = lent.memory(bytes.as_mut_ptr());
    body(Sink {
        memory,
        len: bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, Run};
    use super::*;

    #[test]
    fn strided_elements_pack_and_unpack() {
        let runs = [Run { offset: 0, len: 2 }, Run { offset: 3, len: 1 }];
        let layout = Arc::new(Layout::new(runs, 5).unwrap());
        let from: Vec<u8> = (0..10).collect();
        // SAFETY: `from` holds two elements and outlives the source.
        let source = unsafe { Source::typed(from.as_ptr(), &layout, 2) }.unwrap();
        assert_eq!(source.to_vec(0, 6), [0, 1, 3, 5, 6, 8]);
        assert_eq!(source.to_vec(1, 3), [1, 3, 5]);

        let mut to = vec![9u8; 10];
        // SAFETY: `to` holds two elements and outlives the sink.
        let mut sink = unsafe { Sink::typed(to.as_mut_ptr(), &layout, 2) }.unwrap();
        sink.write(2, &[103, 105, 106, 108, 77]);
        drop(sink);
        assert_eq!(to, [9, 9, 9, 103, 9, 105, 106, 9, 108, 9]);
    }

    #[test]
    fn boxed_plain_data_comes_back() {
        use bytemuck::allocation::{box_bytes_of, from_box_bytes};
        let mut sink = Sink::from_boxed(box_bytes_of(vec![0u32; 3].into_boxed_slice()));
        sink.write(4, &7u32.to_ne_bytes());
        assert_eq!(
            *from_box_bytes::<[u32]>(sink.into_boxed().unwrap()),
            [0, 7, 0]
        );

        let source = Source::from_boxed(box_bytes_of(Vec::<f64>::new().into_boxed_slice()));
        assert!(source.is_empty());
        assert!(from_box_bytes::<[f64]>(source.into_boxed().unwrap()).is_empty());
    }

    #[test]
    fn leases_outlive_the_source_and_keep_its_memory() {
        let mut source = Source::from_vec(vec![1, 2, 3, 4]);
        assert!(source.lease(0, 4).is_none() && !source.is_lent());
        source.share();
        source.share();
        let lease = source.lease(1, 2).unwrap();
        assert!(source.is_lent());
        assert_eq!(source.to_vec(0, 4), [1, 2, 3, 4]);
        assert!(source.lease(4, 0).unwrap().bytes().is_empty());
        drop(source);
        assert_eq!(lease.bytes(), [2, 3]);
    }

    #[test]
    fn shared_plain_data_comes_back_when_it_is_not_lent_any_more() {
        use bytemuck::allocation::{box_bytes_of, from_box_bytes};
        let shared = || {
            let mut source = Source::from_boxed(box_bytes_of(vec![7u32; 3].into_boxed_slice()));
            source.share();
            source
        };
        let source = shared();
        drop(source.lease(0, 12));
        assert!(!source.is_lent());
        assert_eq!(
            *from_box_bytes::<[u32]>(source.into_boxed().unwrap()),
            [7; 3]
        );
        let source = shared();
        let _lease = source.lease(0, 12);
        assert!(source.into_boxed().is_none());
    }

    #[test]
    fn scattered_memory_is_not_leased() {
        let layout = Arc::new(Layout::new([Run { offset: 0, len: 1 }], 2).unwrap());
        let from = [0u8; 4];
        // SAFETY: `from` holds two elements and outlives the source.
        let mut source = unsafe { Source::typed(from.as_ptr(), &layout, 2) }.unwrap();
        source.share();
        assert!(source.lease(0, 2).is_none());
    }

    #[test]
    fn lent_memory_is_filled() {
        let mut bytes = [0u8; 4];
        lend_mut(&mut bytes, |mut sink| sink.write(1, &[1, 2, 3, 4]));
        assert_eq!(bytes, [0, 1, 2, 3]);
        assert_eq!(lend(&bytes, |source| source.to_vec(1, 2)), [1, 2]);
    }
}
