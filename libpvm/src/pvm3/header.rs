//! What stands in front of the body of every PVM message on its way through the engine.

use super::encoding::Encoding;
use super::{Error, Result};

/// Length of a header.
pub const LEN: usize = 16;

/// First bytes of every PVM message.
const MAGIC: [u8; 4] = *b"PVM\x01";

/// The fields that the engine does not carry. All numbers are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// XDR, or the sender's data signature.
    pub word: u32,
    /// PVM message context.
    pub context: i32,
    /// Wait id, for the protocols of resource managers.
    pub wait_id: i32,
}

impl Header {
    /// A header for a message that is sent from here.
    pub fn new(encoding: Encoding, context: i32, wait_id: i32) -> Self {
        Self {
            word: encoding.word(),
            context,
            wait_id,
        }
    }

    /// Writes the header over the first [`LEN`] bytes of a message.
    ///
    /// # Panics
    /// When the message is shorter.
    pub fn write(self, message: &mut [u8]) {
        message[..4].copy_from_slice(&MAGIC);
        message[4..8].copy_from_slice(&self.word.to_le_bytes());
        message[8..12].copy_from_slice(&self.context.to_le_bytes());
        message[12..LEN].copy_from_slice(&self.wait_id.to_le_bytes());
    }

    /// Reads the header of a received message.
    pub fn read(message: &[u8]) -> Result<Self> {
        let head: &[u8; LEN] = message.first_chunk().ok_or(Error::BadMsg)?;
        let field = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        if field(0) != MAGIC {
            return Err(Error::BadMsg);
        }
        Ok(Self {
            word: u32::from_le_bytes(field(4)),
            context: i32::from_le_bytes(field(8)),
            wait_id: i32::from_le_bytes(field(12)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_fixed() {
        let mut bytes = [0; LEN];
        Header::new(Encoding::Xdr, 0x40002, -1).write(&mut bytes);
        let expected = b"PVM\x01\x00\x00\x00\x10\x02\x00\x04\x00\xff\xff\xff\xff";
        assert_eq!(&bytes, expected);
        let read = Header::read(&bytes).unwrap();
        assert_eq!(read, Header::new(Encoding::Xdr, 0x40002, -1));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Header::read(b"PVM\x01"), Err(Error::BadMsg));
        assert_eq!(Header::read(&[0; 40]), Err(Error::BadMsg));
    }
}
