//! The table of messages and the two active ones.

use super::buffer::Buffer;
use super::encoding::Encoding;
use super::{Error, Result};
use std::collections::HashMap;

/// No buffer.
pub const NONE: i32 = 0;

/// All messages of a task, by id. Ids are not used again until their numbers have gone round, so
/// a stale one is found out.
#[derive(Default)]
pub struct Buffers {
    table: HashMap<i32, Buffer>,
    last: i32,
    send: i32,
    receive: i32,
}

impl Buffers {
    /// Adds a message and returns its id.
    pub fn add(&mut self, buffer: Buffer) -> Result<i32> {
        if self.table.len() >= i32::MAX as usize - 1 {
            return Err(Error::NoMem);
        }
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.table.contains_key(&self.last) {
                self.table.insert(self.last, buffer);
                return Ok(self.last);
            }
        }
    }

    /// A new message that is not active.
    pub fn make(&mut self, encoding: Encoding) -> Result<i32> {
        self.add(Buffer::new(encoding))
    }

    /// A new active send buffer in place of the present one.
    pub fn init_send(&mut self, encoding: Encoding) -> Result<i32> {
        let id = self.make(encoding)?;
        let old = std::mem::replace(&mut self.send, id);
        self.discard(old);
        Ok(id)
    }

    /// Releases a message; no buffer is no error.
    pub fn free(&mut self, id: i32) -> Result<()> {
        match id {
            NONE => Ok(()),
            _ => {
                self.get(id)?;
                self.discard(id);
                Ok(())
            }
        }
    }

    /// Looks a message up.
    pub fn get(&self, id: i32) -> Result<&Buffer> {
        check(id)?;
        self.table.get(&id).ok_or(Error::NoSuchBuf)
    }

    /// Looks a message up, to change it.
    pub fn get_mut(&mut self, id: i32) -> Result<&mut Buffer> {
        check(id)?;
        self.table.get_mut(&id).ok_or(Error::NoSuchBuf)
    }

    /// Removes a message that was kept for the library's own use.
    pub fn take(&mut self, id: i32) -> Option<Buffer> {
        self.table.remove(&id)
    }

    /// Id of the active send buffer.
    pub fn send_id(&self) -> i32 {
        self.send
    }

    /// Id of the active receive buffer.
    pub fn receive_id(&self) -> i32 {
        self.receive
    }

    /// Switches the send buffer; returns the old one's id.
    pub fn set_send(&mut self, id: i32) -> Result<i32> {
        self.check_switch(id)?;
        Ok(std::mem::replace(&mut self.send, id))
    }

    /// Switches the receive buffer; returns the old one's id.
    pub fn set_receive(&mut self, id: i32) -> Result<i32> {
        self.check_switch(id)?;
        Ok(std::mem::replace(&mut self.receive, id))
    }

    /// Makes a received message the active one, in place of the present one.
    pub fn accept(&mut self, id: i32) {
        let old = std::mem::replace(&mut self.receive, id);
        if old != id {
            self.discard(old);
        }
    }

    /// The active send buffer.
    pub fn sending(&mut self) -> Result<&mut Buffer> {
        self.table.get_mut(&self.send).ok_or(Error::NoBuf)
    }

    /// The active receive buffer.
    pub fn receiving(&mut self) -> Result<&mut Buffer> {
        self.table.get_mut(&self.receive).ok_or(Error::NoBuf)
    }

    fn check_switch(&self, id: i32) -> Result<()> {
        match id {
            NONE => Ok(()),
            _ => self.get(id).map(|_| ()),
        }
    }

    fn discard(&mut self, id: i32) {
        self.table.remove(&id);
        for active in [&mut self.send, &mut self.receive] {
            if *active == id {
                *active = NONE;
            }
        }
    }
}

fn check(id: i32) -> Result<()> {
    if id <= NONE {
        return Err(Error::BadParam);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_send_buffer_replaces_the_old_one() {
        let mut buffers = Buffers::default();
        let first = buffers.init_send(Encoding::Xdr).unwrap();
        let second = buffers.init_send(Encoding::Raw).unwrap();
        assert_eq!(buffers.send_id(), second);
        assert_eq!(buffers.free(first), Err(Error::NoSuchBuf));
        assert_eq!(buffers.free(second), Ok(()));
        assert_eq!(buffers.send_id(), NONE);
        assert_eq!(buffers.sending().err(), Some(Error::NoBuf));
        assert_eq!(buffers.free(NONE), Ok(()));
        assert_eq!(buffers.free(-1), Err(Error::BadParam));
    }

    #[test]
    fn a_saved_receive_buffer_survives() {
        let mut buffers = Buffers::default();
        let first = buffers.make(Encoding::Xdr).unwrap();
        let second = buffers.make(Encoding::Xdr).unwrap();
        let third = buffers.make(Encoding::Xdr).unwrap();
        buffers.accept(first);
        assert_eq!(buffers.set_receive(NONE), Ok(first));
        buffers.accept(second);
        assert!(buffers.get(first).is_ok());
        buffers.accept(third);
        assert_eq!(buffers.get(second).err(), Some(Error::NoSuchBuf));
        assert_eq!(buffers.set_send(99), Err(Error::NoSuchBuf));
        assert_eq!(buffers.set_send(-1), Err(Error::BadParam));
    }
}
