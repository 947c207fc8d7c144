//! Sealed anonymous memory, and mapping it.
//!
//! A segment is a memfd that can neither shrink nor grow: a mapping of its whole length can be
//! touched for as long as it is mapped, whatever other holders of the descriptor do. Without the
//! seal a peer could shrink it and this process would die of SIGBUS; so a descriptor without it, or
//! of another size, is not mapped.

use super::layout::{
    CHANNEL_SIZE, Channel, Host, Inbox, MAGIC_CHANNEL, MAGIC_HOST, MAGIC_INBOX, PAGE,
};
use crate::sync::atomic::Ordering;
use crate::sync::shared::AtomicU64;
use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

/// Why a descriptor was not mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The system said no.
    #[error("mapping shared memory: {0}")]
    Io(#[from] io::Error),
    /// It is not what it should be: size, seals or magic number.
    #[error("shared memory that is no {what}")]
    Wrong {
        /// What it should be.
        what: &'static str,
    },
}

impl From<rustix::io::Errno> for MapError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A kind of segment.
///
/// # Safety
/// `Self` consists of atomics and padding only, begins with the magic number's word, is aligned to
/// at most a page, and is not larger than `SIZE`.
pub unsafe trait Shared {
    /// Bytes of the segment.
    const SIZE: usize;
    /// Its first word.
    const MAGIC: u64;
    /// Its name, for error texts and for /proc.
    const NAME: &'static str;
}

// SAFETY: see `layout`: atomics, arrays and structs of them, and unused bytes.
unsafe impl Shared for Inbox {
    const SIZE: usize = PAGE;
    const MAGIC: u64 = MAGIC_INBOX;
    const NAME: &'static str = "pvm inbox";
}

// SAFETY: as above; the arenas after the struct are never referenced, only copied from and to.
unsafe impl Shared for Channel {
    const SIZE: usize = CHANNEL_SIZE;
    const MAGIC: u64 = MAGIC_CHANNEL;
    const NAME: &'static str = "pvm channel";
}

// SAFETY: as for the inbox.
unsafe impl Shared for Host {
    const SIZE: usize = PAGE;
    const MAGIC: u64 = MAGIC_HOST;
    const NAME: &'static str = "pvm host page";
}

/// A mapped segment; unmapped when dropped.
pub struct Mapping<T: Shared> {
    base: NonNull<u8>,
    _kind: PhantomData<T>,
}

// SAFETY: a mapping belongs to the process, not to a thread; its contents are atomics.
unsafe impl<T: Shared> Send for Mapping<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Mapping<T> {}

/// Makes a segment of zeros with its magic number. The descriptor is close-on-exec and sealed.
pub fn create<T: Shared>() -> Result<(OwnedFd, Mapping<T>), MapError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create(T::NAME, flags)?;
    ftruncate(&fd, T::SIZE as u64)?;
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    let mapping = Mapping::<T>::of(&fd)?;
    mapping.magic().store(T::MAGIC, Ordering::Release);
    Ok((fd, mapping))
}

impl<T: Shared> Mapping<T> {
    /// Maps a segment that somebody else made.
    pub fn open(fd: impl AsFd) -> Result<Self, MapError> {
        let wrong = MapError::Wrong { what: T::NAME };
        let seals = fcntl_get_seals(&fd).map_err(|_| MapError::Wrong { what: T::NAME })?;
        if !seals.contains(SealFlags::SHRINK) || fstat(&fd)?.st_size != T::SIZE as i64 {
            return Err(wrong);
        }
        let mapping = Self::of(fd)?;
        match mapping.magic().load(Ordering::Acquire) == T::MAGIC {
            true => Ok(mapping),
            false => Err(wrong),
        }
    }

    fn of(fd: impl AsFd) -> Result<Self, MapError> {
        const { assert!(size_of::<T>() <= T::SIZE && align_of::<T>() <= PAGE) };
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                T::SIZE,
                access,
                MapFlags::SHARED,
                fd,
                0,
            )?
        };
        Ok(Self {
            base: NonNull::new(base.cast()).expect("the kernel never maps address 0 by itself"),
            _kind: PhantomData,
        })
    }

    fn magic(&self) -> &AtomicU64 {
        // SAFETY: `T: Shared` begins with this word; the mapping lives as long as `self`.
        unsafe { self.base.cast().as_ref() }
    }

    /// The first byte of the segment.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl<T: Shared> Deref for Mapping<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the mapping is page-aligned and at least as large as `T`, lives as long as
        // `self`, and `T: Shared` holds atomics only, which may change under a reference.
        unsafe { self.base.cast().as_ref() }
    }
}

impl<T: Shared> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `of` mapped; whoever derived addresses from it keeps the
        // mapping alive.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), T::SIZE) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_shrink_and_are_not_inherited() {
        let (fd, _map) = create::<Inbox>().unwrap();
        assert!(ftruncate(&fd, 0).is_err());
        let flags = rustix::io::fcntl_getfd(&fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn wrong_descriptors_are_not_mapped() {
        let (inbox, _map) = create::<Inbox>().unwrap();
        assert!(Mapping::<Inbox>::open(&inbox).is_ok());
        assert!(Mapping::<Host>::open(&inbox).is_err(), "magic");
        assert!(Mapping::<Channel>::open(&inbox).is_err(), "size");
        let unsealed = memfd_create("x", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&unsealed, PAGE as u64).unwrap();
        assert!(Mapping::<Inbox>::open(&unsealed).is_err(), "seals");
        let (pipe, _end) = rustix::pipe::pipe().unwrap();
        assert!(Mapping::<Inbox>::open(&pipe).is_err(), "pipe");
    }
}
