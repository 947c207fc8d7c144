//! Reading a peer's memory with one copy, where the system allows it.

use crate::datatype::Sink;
use crate::transport::PullError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;

/// Pieces of memory in one system call (the system's own limit is 1024).
const PIECES_MAX: usize = 256;

/// A process whose memory can be read.
pub struct Reach {
    pid: i32,
    /// Tells that the process has ended, so that its number may name another.
    life: OwnedFd,
}

impl Reach {
    /// Tries whether the memory of a process can be read.
    pub fn probe(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        let life = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let mut byte = 0u8;
        let room = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        // Nobody has memory at address 1: whoever may read is told so, others that they may not.
        let refused = read(pid, &[room], 1, 1).err()?;
        (refused == libc::EFAULT).then_some(Self { pid, life })
    }

    /// Copies `len` bytes at `address` of the process into `sink` from `offset` on.
    pub fn pull(
        &self,
        address: u64,
        len: usize,
        sink: &mut Sink,
        offset: usize,
    ) -> Result<(), PullError> {
        let mut rooms = Vec::new();
        sink.pieces(offset, len, |base, len| {
            rooms.push(libc::iovec {
                iov_base: base.cast(),
                iov_len: len,
            });
        });
        let mut at = address;
        for rooms in rooms.chunks_mut(PIECES_MAX) {
            at = self.fill(rooms, at)?;
        }
        match self.is_alive() {
            true => Ok(()),
            false => Err(PullError),
        }
    }

    /// Fills all rooms; returns the first address that was not read.
    fn fill(&self, rooms: &mut [libc::iovec], mut at: u64) -> Result<u64, PullError> {
        let mut first = 0;
        while first < rooms.len() {
            let len = rooms[first..].iter().map(|room| room.iov_len).sum();
            let mut got = read(self.pid, &rooms[first..], at, len).map_err(|_| PullError)?;
            at = at.checked_add(got as u64).ok_or(PullError)?;
            while first < rooms.len() && got >= rooms[first].iov_len {
                got -= rooms[first].iov_len;
                first += 1;
            }
            if let Some(room) = rooms.get_mut(first) {
                room.iov_base = room.iov_base.cast::<u8>().wrapping_add(got).cast();
                room.iov_len -= got;
            }
        }
        Ok(at)
    }

    fn is_alive(&self) -> bool {
        let mut fds = [PollFd::new(&self.life, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec::default())), Ok(0))
    }
}

/// Whether the system lets this process read the memory of another one of the same user. Without it
/// large messages are copied twice.
pub fn can_read_memory_of(pid: u32) -> bool {
    Reach::probe(pid).is_some()
}

/// One system call: fills `rooms`, of `len` bytes together, from `address` of a process. Returns
/// the number of bytes, never 0, or the error number.
fn read(pid: i32, rooms: &[libc::iovec], address: u64, len: usize) -> Result<usize, i32> {
    let from = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address as usize),
        iov_len: len,
    };
    // SAFETY: the kernel writes to `rooms` only, which the sink's maker promised to be writable;
    // the remote address is checked by the kernel and never dereferenced here.
    let got =
        unsafe { libc::process_vm_readv(pid, rooms.as_ptr(), rooms.len() as u64, &from, 1, 0) };
    match got {
        1.. => Ok(got as usize),
        0 => Err(libc::EFAULT),
        _ => Err(std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::datatype::{Layout, Run};
    use std::sync::Arc;

    /// The memory of this process, if the system allows it at all.
    fn own() -> Option<Reach> {
        Reach::probe(std::process::id())
    }

    #[test]
    fn scattered_memory_is_filled() {
        let Some(reach) = own() else { return };
        let bytes: Vec<u8> = (0..2000).map(|i| i as u8).collect();
        let layout = Arc::new(Layout::new([Run { offset: 0, len: 2 }], 3).unwrap());
        let mut to = vec![0u8; 3000];
        // SAFETY: `to` holds 1000 elements and outlives the sink.
        let mut sink = unsafe { Sink::typed(to.as_mut_ptr(), &layout, 1000) }.unwrap();
        reach
            .pull(bytes.as_ptr() as u64, 2000, &mut sink, 0)
            .unwrap();
        drop(sink);
        let packed: Vec<u8> = to.chunks(3).flat_map(|e| e[..2].to_vec()).collect();
        assert_eq!(packed, bytes);
    }

    #[test]
    fn bad_addresses_are_errors() {
        let Some(reach) = own() else { return };
        let mut sink = Sink::with_capacity(100);
        assert_eq!(reach.pull(1, 100, &mut sink, 0), Err(PullError));
        assert_eq!(reach.pull(u64::MAX - 3, 100, &mut sink, 0), Err(PullError));
    }

    #[test]
    fn processes_that_ended_cannot_be_read() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let reach = Reach::probe(pid);
        child.wait().unwrap();
        if let Some(reach) = reach {
            let mut sink = Sink::with_capacity(8);
            assert_eq!(reach.pull(1, 8, &mut sink, 0), Err(PullError));
        }
        assert!(Reach::probe(0).is_none());
        assert!(Reach::probe(u32::MAX).is_none());
    }
}
