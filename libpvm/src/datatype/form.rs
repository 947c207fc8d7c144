//! How numbers lie in the memory of a machine, and making those of another one's ours.
//!
//! A message travels in its sender's own [`Form`] and says which that is. Between like hosts that is
//! all: one comparison with a constant. A receiver of another form changes the numbers where they lie,
//! word by word; what the words are, the type of the elements tells. Floating-point numbers are those
//! of IEEE 754 on every host, so they are words of bytes like the others.

use super::buffer::Sink;

/// The form of a message: of its sender's machine, as far as messages depend on it.
///
/// On the wire it is seven bits: 1 says that the first byte of a number is its highest one, 2 that an
/// address, and with it `usize` and C's `long`, has 4 bytes and not 8. Other bits mean forms that this
/// release does not know: their numbers cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Form(u8);

const BIG: u8 = 1;
const NARROW: u8 = 2;

/// What the elements of a message are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Numbers of so many bytes everywhere: 1, 2, 4, 8 or 16.
    Fixed(usize),
    /// Integers of an address's size, which hosts have different ones of.
    Address {
        /// Whether they can be negative.
        signed: bool,
    },
    /// Nobody knows: a structure, say.
    Opaque,
}

/// Why the numbers of a message cannot be made ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnlikeError {
    /// What the elements are made of is not known.
    #[error("what its elements are made of is not known")]
    Opaque,
    /// The sender's form is one of a later release.
    #[error("its sender's numbers have a form that this release does not know")]
    Unknown,
    /// A number is too large for this machine.
    #[error("element {0} is too large for this host")]
    Range(usize),
}

/// What is to be done with the words of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// Bytes of a word in the message.
    theirs: usize,
    /// Bytes of a word here.
    ours: usize,
    /// The bytes of a word are in the other order.
    swaps: bool,
    signed: bool,
}

impl Form {
    /// That of this machine.
    pub const HERE: Form = Form::new(cfg!(target_endian = "big"), size_of::<usize>() == 4);

    /// The form of a machine whose numbers have their highest byte first, or not, and whose addresses
    /// have 4 bytes, or 8.
    pub const fn new(is_big_endian: bool, is_narrow: bool) -> Self {
        Form(if is_big_endian { BIG } else { 0 } | if is_narrow { NARROW } else { 0 })
    }

    /// The form that travels as these bits.
    pub const fn from_bits(bits: u8) -> Self {
        Form(bits)
    }

    /// As it travels.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether messages of this form are to be changed here.
    #[inline]
    pub const fn is_foreign(self) -> bool {
        self.0 != Form::HERE.0
    }

    /// Whether the first byte of a number is its highest.
    pub const fn is_big_endian(self) -> bool {
        self.0 & BIG != 0
    }

    /// Bytes of an address.
    pub const fn address(self) -> usize {
        if self.0 & NARROW == 0 { 8 } else { 4 }
    }

    /// What is to be done with a message of this form whose elements are made of such words.
    ///
    /// # Errors
    /// [`UnlikeError::Opaque`] and [`UnlikeError::Unknown`].
    pub fn change(self, word: Word) -> Result<Change, UnlikeError> {
        let is_known = self.0 & !(BIG | NARROW) == 0;
        let (theirs, ours, signed) = match word {
            Word::Fixed(1) => (1, 1, false),
            _ if !is_known => return Err(UnlikeError::Unknown),
            Word::Fixed(width) => (width, width, false),
            Word::Address { signed } => (self.address(), size_of::<usize>(), signed),
            Word::Opaque => return Err(UnlikeError::Opaque),
        };
        Ok(Change {
            theirs,
            ours,
            swaps: (self.0 ^ Form::HERE.0) & BIG != 0 && theirs.max(ours) > 1,
            signed,
        })
    }
}

impl Change {
    /// Bytes that a message of `len` bytes takes here; `None`: its last word is not whole, or nothing
    /// can be as large.
    pub fn len_here(self, len: u64) -> Option<u64> {
        let (theirs, ours) = (self.theirs as u64, self.ours as u64);
        let is_whole = len.is_multiple_of(theirs);
        (len / theirs).checked_mul(ours).filter(|_| is_whole)
    }

    /// Bytes of the words that are whole in `came` bytes of a message and for which there is room here.
    pub fn whole_words(self, came: usize, room: usize) -> usize {
        (came / self.theirs).min(room / self.ours) * self.theirs
    }

    /// Whether words keep their size: then any part of a message that cuts no word can be changed.
    pub fn keeps_size(self) -> bool {
        self.theirs == self.ours
    }

    /// Changes a message of `len` bytes at the start of `room`, which has room for what it becomes. A
    /// last word that is not whole stays as it is.
    ///
    /// # Errors
    /// [`UnlikeError::Range`]; the words before that one are changed then.
    ///
    /// # Panics
    /// When the room is too small.
    pub fn apply(self, room: &mut [u8], len: usize) -> Result<(), UnlikeError> {
        if !self.keeps_size() {
            return self.resize(room, len);
        }
        if self.swaps {
            swap(&mut room[..len], self.ours);
        }
        Ok(())
    }

    /// As [`Change::apply`] for what a receive has brought into `sink`; words must keep their size.
    pub fn apply_to_sink(self, sink: &mut Sink, len: usize) {
        if self.swaps && self.keeps_size() {
            sink.change(len, |bytes| swap(bytes, self.ours));
        }
    }

    /// Words that grow are changed from the last one on, others from the first, so that none is
    /// overwritten before its turn.
    fn resize(self, room: &mut [u8], len: usize) -> Result<(), UnlikeError> {
        let count = len / self.theirs;
        let grows = self.ours > self.theirs;
        (0..count).try_for_each(|turn| {
            let at = if grows { count - 1 - turn } else { turn };
            let number = self.read(&room[at * self.theirs..][..self.theirs]);
            let word = &mut room[at * self.ours..][..self.ours];
            self.write(number, word).ok_or(UnlikeError::Range(at))
        })
    }

    /// A number of at most 8 bytes.
    fn read(self, word: &[u8]) -> i128 {
        let is_big = self.swaps != cfg!(target_endian = "big");
        let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        let number = match is_big {
            true => word.iter().fold(0, digit),
            false => word.iter().rev().fold(0, digit),
        };
        let unused = 64 - 8 * word.len() as u32;
        match self.signed {
            true => i128::from((number << unused) as i64 >> unused),
            false => i128::from(number),
        }
    }

    /// Writes a number as this machine does; `None`: it does not fit.
    fn write(self, number: i128, word: &mut [u8]) -> Option<()> {
        let bytes = match (self.signed, word.len()) {
            (true, 4) => &i32::try_from(number).ok()?.to_ne_bytes()[..],
            (false, 4) => &u32::try_from(number).ok()?.to_ne_bytes()[..],
            (true, _) => &i64::try_from(number).ok()?.to_ne_bytes()[..],
            (false, _) => &u64::try_from(number).ok()?.to_ne_bytes()[..],
        };
        word.copy_from_slice(bytes);
        Some(())
    }
}

/// Turns the bytes of every whole word round.
fn swap(bytes: &mut [u8], width: usize) {
    fn each<const WIDTH: usize>(bytes: &mut [u8]) {
        let words = bytes.as_chunks_mut::<WIDTH>().0;
        words.iter_mut().for_each(|word| word.reverse());
    }
    match width {
        1 => {}
        2 => each::<2>(bytes),
        4 => each::<4>(bytes),
        8 => each::<8>(bytes),
        _ => each::<16>(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::{Layout, Run};
    use proptest::prelude::*;
    use std::sync::Arc;

    const OTHER_ORDER: Form = Form::new(cfg!(target_endian = "little"), false);
    const BIG_32: Form = Form::new(true, true);
    const LITTLE_32: Form = Form::new(false, true);

    /// What a machine writes that has its highest byte first, from the definition.
    fn big_endian(number: u128, width: u32) -> Vec<u8> {
        let digit = |place| (number / 256u128.pow(place) % 256) as u8;
        (0..width).rev().map(digit).collect()
    }

    #[test]
    fn the_bits_are_for_ever() {
        let forms = [(false, false), (true, false), (false, true), (true, true)];
        let bits = forms.map(|(big, narrow)| Form::new(big, narrow).bits());
        assert_eq!(bits, [0, 1, 2, 3]);
        assert!(!Form::HERE.is_foreign() && OTHER_ORDER.is_foreign());
    }

    #[test]
    fn single_bytes_are_the_same_everywhere_and_structures_nowhere() {
        let bytes = Form::from_bits(64).change(Word::Fixed(1)).unwrap();
        let mut room = [1, 2, 3];
        bytes.apply(&mut room, 3).unwrap();
        assert_eq!(room, [1, 2, 3]);
        let later = Form::from_bits(64).change(Word::Fixed(2));
        assert_eq!(later, Err(UnlikeError::Unknown));
        assert_eq!(OTHER_ORDER.change(Word::Opaque), Err(UnlikeError::Opaque));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_and_not_cut() {
        let narrowing = |signed| Change {
            theirs: 8,
            ours: 4,
            swaps: false,
            signed,
        };
        let run = |signed, numbers: [u64; 2]| {
            let mut room = numbers.map(u64::to_ne_bytes).concat();
            narrowing(signed).apply(&mut room, 16).map(|()| {
                let words = room[..8].as_chunks::<4>().0;
                words
                    .iter()
                    .map(|w| u32::from_ne_bytes(*w))
                    .collect::<Vec<_>>()
            })
        };
        let most = u64::from(u32::MAX);
        assert_eq!(run(false, [1, most]), Ok(vec![1, u32::MAX]));
        assert_eq!(run(false, [1, most + 1]), Err(UnlikeError::Range(1)));
        assert_eq!(run(true, [5, -7i64 as u64]), Ok(vec![5, -7i32 as u32]));
        assert_eq!(run(true, [1 << 31, 0]), Err(UnlikeError::Range(0)));
        let least = i64::from(i32::MIN);
        assert_eq!(
            run(true, [(least - 1) as u64, 0]),
            Err(UnlikeError::Range(0))
        );
        assert!(run(true, [least as u64, 0]).is_ok());
    }

    #[test]
    fn what_lies_in_pieces_is_changed_too() {
        let layout = Layout::new([Run { offset: 1, len: 3 }], 5).unwrap();
        let mut memory: Vec<u8> = (0..20).collect();
        let base = memory.as_mut_ptr();
        // SAFETY: `memory` holds four elements and outlives the sink.
        let mut sink = unsafe { Sink::typed(base, &Arc::new(layout), 4) }.unwrap();
        let change = OTHER_ORDER.change(Word::Fixed(4)).unwrap();
        change.apply_to_sink(&mut sink, 10);
        drop(sink);
        // Packed 1 2 3 6 | 7 8 11 12 | 13 16 17 18; only two words are whole.
        let expected = [
            0, 6, 3, 2, 4, 5, 1, 12, 11, 9, 10, 8, 7, 13, 14, 15, 16, 17, 18, 19,
        ];
        assert_eq!(memory, expected);
    }

    proptest! {
        #[test]
        fn words_of_the_other_order_are_what_the_definition_says(
            numbers in proptest::collection::vec(any::<u128>(), 0..20),
            width in prop_oneof![Just(1u32), Just(2), Just(4), Just(8), Just(16)],
            rest in proptest::collection::vec(any::<u8>(), 0..16),
        ) {
            prop_assume!(cfg!(target_endian = "little"));
            let rest = &rest[..rest.len().min(width as usize - 1)];
            let words = numbers.iter().map(|number| big_endian(*number, width));
            let mut message: Vec<u8> = words.flatten().collect();
            message.extend(rest);
            let original = message.clone();
            let change = OTHER_ORDER.change(Word::Fixed(width as usize)).unwrap();
            let len = message.len();
            change.apply(&mut message, len).unwrap();
            let ours = numbers.iter().flat_map(|n| n.to_le_bytes()[..width as usize].to_vec());
            let expected: Vec<u8> = ours.chain(rest.iter().copied()).collect();
            prop_assert_eq!(&message, &expected);
            change.apply(&mut message, len).unwrap();
            prop_assert_eq!(message, original);
        }

        #[test]
        fn addresses_of_4_bytes_become_ours(
            numbers in proptest::collection::vec(any::<u32>(), 0..20), big: bool, signed: bool,
        ) {
            let form = if big { BIG_32 } else { LITTLE_32 };
            let words = numbers.iter().map(|number| match big {
                true => big_endian(u128::from(*number), 4),
                false => big_endian(u128::from(number.swap_bytes()), 4),
            });
            let message: Vec<u8> = words.flatten().collect();
            let change = form.change(Word::Address { signed }).unwrap();
            prop_assert_eq!(change.len_here(message.len() as u64), Some(8 * numbers.len() as u64));
            prop_assert_eq!(change.len_here(message.len() as u64 + 1), None);
            let mut room = message.clone();
            room.resize(8 * numbers.len() + 3, 0xee);
            change.apply(&mut room, message.len()).unwrap();
            let (words, rest) = room.as_chunks::<8>();
            let got: Vec<i64> = words.iter().map(|word| i64::from_ne_bytes(*word)).collect();
            let expected = numbers.iter().map(|&number| match signed {
                true => i64::from(number as i32),
                false => i64::from(number),
            });
            prop_assert_eq!(got, expected.collect::<Vec<_>>());
            prop_assert_eq!(rest, [0xee; 3]);
        }
    }
}
