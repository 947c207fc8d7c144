//! Bytes over a unix socket with file descriptors beside them.
//!
//! The kernel hands over the descriptors of one `sendmsg` with its first byte, never with earlier
//! bytes; so they are a queue, in the order of the frames that name them.

use crate::limits::CONTROL_FDS_MAX;
use rustix::io::Result;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sends a part of `bytes`, the descriptors beside the first. Returns how many bytes went; never
/// raises SIGPIPE.
///
/// # Panics
/// With more than [`CONTROL_FDS_MAX`] descriptors.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize> {
    assert!(
        fds.len() <= CONTROL_FDS_MAX,
        "too many descriptors beside a frame"
    );
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CONTROL_FDS_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(fds));
    }
    sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut beside,
        SendFlags::NOSIGNAL,
    )
}

/// Receives bytes into `room` and appends descriptors (close-on-exec) to `fds`. Returns how many
/// bytes came; 0 when the other end is closed. Descriptors that the kernel had to drop, because
/// there were too many, are an error.
pub fn receive(socket: impl AsFd, room: &mut [u8], fds: &mut VecDeque<OwnedFd>) -> Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CONTROL_FDS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(room)],
        &mut beside,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for part in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(rustix::io::Errno::TOOBIG);
    }
    Ok(message.bytes)
}
