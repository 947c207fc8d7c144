//! How the items of a message become bytes.

use super::{Error, Result};

/// The form of a message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `PvmDataDefault`: XDR, readable everywhere.
    Xdr,
    /// `PvmDataRaw`: as in the sender's memory.
    Raw,
    /// `PvmDataInPlace`: as raw, but read from the program's memory when the message is sent.
    InPlace,
}

/// Word in a message's header that says XDR; every other word is a data signature.
pub const XDR_WORD: u32 = 0x1000_0000;

/// Data signature of this machine: how its numbers look in memory.
pub const SIGNATURE: u32 = match (cfg!(target_endian = "little"), usize::BITS) {
    (true, 64) => 0x0040_8c41,
    (true, _) => 0x0040_8841,
    (false, 64) => 0x0080_8c82,
    (false, _) => 0x0080_8882,
};

/// PVM's name of this architecture.
pub const ARCHITECTURE: &str = match (cfg!(target_os = "linux"), usize::BITS) {
    (true, 64) => "LINUX64",
    (true, _) => "LINUX",
    (false, _) => "UNKNOWN",
};

impl Encoding {
    /// From the number that programs give.
    pub fn from_number(number: i32) -> Result<Self> {
        match number {
            0 => Ok(Encoding::Xdr),
            1 => Ok(Encoding::Raw),
            2 => Ok(Encoding::InPlace),
            // Trace events belong to tracing, which is not here.
            4 => Err(Error::NotImpl),
            _ => Err(Error::BadParam),
        }
    }

    /// From the word of a received header; a foreign signature cannot be decoded here.
    pub fn from_word(word: u32) -> Result<Self> {
        match word {
            XDR_WORD => Ok(Encoding::Xdr),
            SIGNATURE => Ok(Encoding::Raw),
            _ => Err(Error::BadMsg),
        }
    }

    /// The word for the header of a message.
    pub fn word(self) -> u32 {
        match self {
            Encoding::Xdr => XDR_WORD,
            Encoding::Raw | Encoding::InPlace => SIGNATURE,
        }
    }
}
