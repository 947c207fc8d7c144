//! How the items of a message become bytes.
//!
//! XDR is the same on all hosts: numbers have their highest byte first and at least 4 bytes, longs 8,
//! also those of hosts where they have 4 in memory. Raw data is for hosts of one kind: the header names
//! its sender's data signature, and a host with another one answers `PvmBadMsg` when it is unpacked. Only
//! what the members of a group exchange in collective calls is raw and converted: its type is known.

use super::{Error, Result};
use crate::datatype::Form;

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
pub const SIGNATURE: u32 = signature(Form::HERE);

/// PVM's name of this architecture.
pub const ARCHITECTURE: &str = architecture(Form::HERE);

/// Data signature of machines with this form.
pub const fn signature(form: Form) -> u32 {
    match (form.is_big_endian(), form.address()) {
        (false, 8) => 0x0040_8c41,
        (false, _) => 0x0040_8841,
        (true, 8) => 0x0080_8c82,
        (true, _) => 0x0080_8882,
    }
}

/// The form of machines with this signature; `None`: nobody's that is known.
pub fn form_of(word: u32) -> Option<Form> {
    let mut forms = [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .map(|(is_big_endian, is_narrow)| Form::new(is_big_endian, is_narrow));
    forms.find(|form| signature(*form) == word)
}

/// What PVM calls machines with this form. All hosts are Linux.
pub const fn architecture(form: Form) -> &'static str {
    match form.address() {
        8 => "LINUX64",
        _ => "LINUX",
    }
}

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
