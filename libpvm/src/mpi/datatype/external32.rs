//! The portable form of data, `external32` (MPI 5.0, 14.5.2): numbers with their highest byte first, of
//! fixed sizes, without gaps.
//!
//! Packing takes the bytes out of memory as for a message and then goes through them by the signature,
//! so places and values do not meet. What does not fit, a `long` of more than 4 bytes or a character
//! outside of Unicode's first plane, is an error, not another number.

use super::basic::{Basic, Float, Kind};
use super::pack::{behind, times};
use super::{Datatype, extended};
use crate::datatype::{Form, Sink, Source, Word};
use crate::mpi::{Class, Error, Result};

/// What the standard calls the form.
pub const NAME: &str = "external32";

/// Bytes that are worked on at a time.
const CHUNK: usize = 16 << 10;

impl Datatype {
    /// Bytes that `count` take in the portable form.
    ///
    /// # Errors
    /// [`Class::Count`] for a negative count, [`Class::ValueTooLarge`].
    pub fn external_size(&self, count: i64) -> Result<i64> {
        times(self.signature().external_size(), count)
    }
}

/// Packs `source`, which consists of whole datatypes, into `room` from `position` on; returns the
/// position behind it.
///
/// # Errors
/// [`Class::Truncate`] when there is not enough room, [`Class::Arg`] for a position outside,
/// [`Class::Conversion`] for a number that the form has no room for.
pub fn pack(
    datatype: &Datatype,
    source: &Source,
    room: &mut Sink,
    position: usize,
) -> Result<usize> {
    let parts = Parts::new(datatype, source.len())?;
    let end = behind(position, parts.external, room.capacity())?;
    let (mut from, mut to) = (0, position);
    let (mut native, mut portable) = (Vec::new(), Vec::new());
    parts.each(|basic, count| {
        native.clear();
        source.append_to(&mut native, from, count * basic.size);
        portable.resize(count * basic.external, 0);
        encode(basic, &mut native, &mut portable)?;
        room.write(to, &portable);
        from += native.len();
        to += portable.len();
        Ok(())
    })?;
    Ok(end)
}

/// Fills `sink`, which consists of whole datatypes, from `packed`, from `position` on; returns the
/// position behind it.
///
/// # Errors
/// [`Class::Truncate`] when there is not enough, [`Class::Arg`] for a position outside.
pub fn unpack(
    datatype: &Datatype,
    packed: &Source,
    position: usize,
    sink: &mut Sink,
) -> Result<usize> {
    let parts = Parts::new(datatype, sink.capacity())?;
    let end = behind(position, parts.external, packed.len())?;
    let (mut from, mut to) = (position, 0);
    let (mut native, mut portable) = (Vec::new(), Vec::new());
    parts.each(|basic, count| {
        portable.clear();
        packed.append_to(&mut portable, from, count * basic.external);
        native.resize(count * basic.size, 0);
        decode(basic, &mut portable, &mut native);
        sink.write(to, &native);
        from += portable.len();
        to += native.len();
        Ok(())
    })?;
    Ok(end)
}

/// What is to be converted.
struct Parts<'a> {
    datatype: &'a Datatype,
    count: i64,
    /// Bytes in the portable form.
    external: usize,
}

impl<'a> Parts<'a> {
    fn new(datatype: &'a Datatype, bytes: usize) -> Result<Self> {
        let count = datatype.count(bytes as i64).unwrap_or(0);
        let external = datatype.external_size(count)? as usize;
        Ok(Self {
            datatype,
            count,
            external,
        })
    }

    /// Calls `each(element, how many)`, never for more than some kilobytes.
    fn each(&self, mut each: impl FnMut(&'static Basic, usize) -> Result<()>) -> Result<()> {
        let all = self.datatype.signature().repeat(self.count)?;
        all.runs(&mut |basic, count| {
            let most = CHUNK / basic.size.max(basic.external);
            let mut left = count as usize;
            while left > 0 {
                let now = left.min(most);
                each(basic, now)?;
                left -= now;
            }
            Ok(())
        })
    }
}

/// Whether the two forms differ in the order of bytes alone.
fn is_same_but_order(basic: &Basic) -> bool {
    let is_other = matches!(
        basic.kind,
        Kind::Logical | Kind::Float(Float::Extended) | Kind::Complex(Float::Extended)
    );
    !is_other && basic.size == basic.external
}

/// Turns numbers round on machines that have their lowest byte first.
fn reorder(basic: &Basic, bytes: &mut [u8]) {
    let change = Form::new(true, false).change(Word::Fixed(basic.word()));
    let len = bytes.len();
    change
        .and_then(|change| change.apply(bytes, len))
        .expect("words of fixed sizes fit");
}

fn encode(basic: &Basic, native: &mut [u8], portable: &mut [u8]) -> Result<()> {
    if is_same_but_order(basic) {
        portable.copy_from_slice(native);
        reorder(basic, portable);
        return Ok(());
    }
    let elements = native
        .chunks_exact(basic.size)
        .zip(portable.chunks_exact_mut(basic.external));
    for (from, to) in elements {
        match basic.kind {
            Kind::Logical => {
                to.fill(0);
                to[basic.external - 1] = u8::from(from.iter().any(|byte| *byte != 0));
            }
            Kind::Float(_) | Kind::Complex(_) => from
                .as_chunks::<16>()
                .0
                .iter()
                .zip(to.as_chunks_mut::<16>().0)
                .for_each(|(from, to)| *to = quad_of(from).to_be_bytes()),
            _ => encode_integer(basic, from, to)?,
        }
    }
    Ok(())
}

fn decode(basic: &Basic, portable: &mut [u8], native: &mut [u8]) {
    if is_same_but_order(basic) {
        native.copy_from_slice(portable);
        return reorder(basic, native);
    }
    let elements = portable
        .chunks_exact(basic.external)
        .zip(native.chunks_exact_mut(basic.size));
    for (from, to) in elements {
        match basic.kind {
            Kind::Logical => {
                let is_true = from.iter().any(|byte| *byte != 0);
                write_integer(u128::from(is_true), to);
            }
            Kind::Float(_) | Kind::Complex(_) => from
                .as_chunks::<16>()
                .0
                .iter()
                .zip(to.as_chunks_mut::<16>().0)
                .for_each(|(from, to)| *to = extended_of(u128::from_be_bytes(*from))),
            _ => {
                let number = from
                    .iter()
                    .fold(0, |number, byte| number << 8 | u128::from(*byte));
                write_integer(widened(basic, number, from.len()), to);
            }
        }
    }
}

fn encode_integer(basic: &Basic, from: &[u8], to: &mut [u8]) -> Result<()> {
    let digit = |number, byte: &u8| number << 8 | u128::from(*byte);
    let number: u128 = if cfg!(target_endian = "big") {
        from.iter().fold(0, digit)
    } else {
        from.iter().rev().fold(0, digit)
    };
    let bytes = number.to_be_bytes();
    to.copy_from_slice(&bytes[16 - to.len()..]);
    let kept = to.iter().fold(0, digit);
    if widened(basic, kept, to.len()) == widened(basic, number, from.len()) {
        return Ok(());
    }
    let detail = match basic.kind {
        Kind::Signed => format!(
            "{} {}",
            basic.name,
            widened(basic, number, from.len()) as i128
        ),
        _ => format!("{} {number}", basic.name),
    };
    let detail = format!(
        "{detail} does not fit the {} bytes of {NAME}",
        basic.external
    );
    Err(Error::new(Class::Conversion, detail))
}

/// A number of `len` bytes with its sign, if it has one, spread over all bits.
fn widened(basic: &Basic, number: u128, len: usize) -> u128 {
    let unused = 128 - 8 * len as u32;
    match basic.kind {
        Kind::Signed => ((number << unused) as i128 >> unused) as u128,
        _ => number,
    }
}

fn write_integer(number: u128, to: &mut [u8]) {
    let len = to.len();
    if cfg!(target_endian = "big") {
        to.copy_from_slice(&number.to_be_bytes()[16 - len..]);
    } else {
        to.copy_from_slice(&number.to_le_bytes()[..len]);
    }
}

fn quad_of(native: &[u8; 16]) -> u128 {
    let number = u128::from_le_bytes(*native);
    extended::to_quad(number as u64, (number >> 64) as u16)
}

fn extended_of(quad: u128) -> [u8; 16] {
    let (significand, head) = extended::from_quad(quad);
    (u128::from(head) << 64 | u128::from(significand)).to_le_bytes()
}
