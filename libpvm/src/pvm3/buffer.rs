//! One message: items packed into it, or taken out of it.

use super::encoding::{Encoding, SIGNATURE, XDR_WORD, form_of};
use super::header::{self, Header};
use super::item::{Item, Kind};
use super::{Error, Result};
use crate::datatype::Source;
use std::borrow::Cow;

/// Sender and receiver of a message that was not sent.
const NOBODY: i32 = -1;

/// A message that is being packed, sent, kept or unpacked.
///
/// The bytes always begin with room for the header, so that neither sending nor receiving moves
/// the body.
pub struct Buffer {
    bytes: Vec<u8>,
    /// Parts of an in-place message, still in the program's memory.
    in_place: Vec<Source>,
    /// Where the next item is taken from.
    cursor: usize,
    encoding: Encoding,
    /// XDR or data signature, as in the header.
    pub word: u32,
    /// PVM message context.
    pub context: i32,
    /// Tag: of the last send, or of the received message.
    pub tag: i32,
    /// Wait id.
    pub wait_id: i32,
    /// Sender.
    pub source: i32,
    /// Receiver.
    pub destination: i32,
}

impl Buffer {
    /// An empty message.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            bytes: vec![0; header::LEN],
            in_place: Vec::new(),
            cursor: header::LEN,
            encoding,
            word: encoding.word(),
            context: 0,
            tag: 0,
            wait_id: 0,
            source: NOBODY,
            destination: NOBODY,
        }
    }

    /// A received message, header first. A foreign data signature is found out on unpacking.
    pub fn received(bytes: Vec<u8>, source: i32, destination: i32, tag: i32) -> Result<Self> {
        let head = Header::read(&bytes)?;
        Ok(Self {
            bytes,
            in_place: Vec::new(),
            cursor: header::LEN,
            encoding: match head.word {
                XDR_WORD => Encoding::Xdr,
                _ => Encoding::Raw,
            },
            word: head.word,
            context: head.context,
            tag,
            wait_id: head.wait_id,
            source,
            destination,
        })
    }

    /// How items are written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Length of the body. In-place parts count when the message is sent, not before.
    pub fn len(&self) -> usize {
        self.bytes.len() - header::LEN
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[header::LEN..]
    }

    /// The message as it goes out: header, body, and what the in-place parts hold now.
    pub fn message(&self, context: i32) -> Result<Vec<u8>> {
        let parts: usize = self.in_place.iter().map(Source::len).sum();
        let mut message = Vec::new();
        message
            .try_reserve_exact(self.bytes.len() + parts)
            .map_err(|_| Error::NoMem)?;
        message.extend_from_slice(&self.bytes);
        for part in &self.in_place {
            message.extend_from_slice(&part.to_vec(0, part.len()));
        }
        let head = Header {
            word: self.word,
            context,
            wait_id: self.wait_id,
        };
        head.write(&mut message);
        Ok(message)
    }

    /// Adds a part that is read when the message is sent.
    pub fn pack_in_place(&mut self, part: Source) -> Result<()> {
        if self.encoding != Encoding::InPlace {
            return Err(Error::BadParam);
        }
        self.in_place.push(part);
        Ok(())
    }

    /// Appends items.
    pub fn pack<T: Item>(&mut self, items: impl ExactSizeIterator<Item = T>) -> Result<()> {
        let count = items.len();
        match self.encoding {
            Encoding::Xdr => {
                let room = self.grow(count, T::XDR)?.chunks_exact_mut(T::XDR);
                room.zip(items).for_each(|(to, item)| item.to_xdr(to));
            }
            Encoding::Raw => {
                let room = self.grow(count, T::RAW)?.chunks_exact_mut(T::RAW);
                room.zip(items).for_each(|(to, item)| item.to_raw(to));
            }
            Encoding::InPlace => return Err(Error::NotImpl),
        }
        Ok(())
    }

    /// Appends bytes; in XDR the bytes of one call are padded together.
    pub fn pack_bytes(&mut self, items: impl ExactSizeIterator<Item = u8>) -> Result<()> {
        let len = match self.encoding {
            Encoding::Xdr => padded(items.len())?,
            Encoding::Raw => items.len(),
            Encoding::InPlace => return Err(Error::NotImpl),
        };
        let room = self.grow(len, 1)?;
        room.iter_mut().zip(items).for_each(|(to, item)| *to = item);
        Ok(())
    }

    /// Appends a string, given without its NUL: length with NUL, characters, NUL.
    pub fn pack_str(&mut self, text: &[u8]) -> Result<()> {
        let len = i32::try_from(text.len() + 1).map_err(|_| Error::Overflow)?;
        self.pack([len].into_iter())?;
        self.pack_bytes(WithNul { text, at: 0 })
    }

    /// Takes `count` items and gives each to `put` with its number. When there are not as many,
    /// nothing is taken.
    pub fn unpack<T: Item>(&mut self, count: usize, mut put: impl FnMut(usize, T)) -> Result<()> {
        let (size, read) = match self.decoding()? {
            Encoding::Xdr => (T::XDR, T::from_xdr as fn(&[u8]) -> T),
            _ => (T::RAW, T::from_raw as fn(&[u8]) -> T),
        };
        let len = count.checked_mul(size).ok_or(Error::NoData)?;
        let items = self.take(len)?.chunks_exact(size).enumerate();
        items.for_each(|(number, item)| put(number, read(item)));
        Ok(())
    }

    /// Takes `count` bytes.
    pub fn unpack_bytes(&mut self, count: usize) -> Result<&[u8]> {
        let len = match self.decoding()? {
            Encoding::Xdr => padded(count)?,
            _ => count,
        };
        Ok(&self.take(len)?[..count])
    }

    /// Takes a string, without its NUL.
    pub fn unpack_str(&mut self) -> Result<&[u8]> {
        let before = self.cursor;
        let mut len = 0i32;
        self.unpack(1, |_, value| len = value)?;
        let Some(len) = usize::try_from(len).ok().filter(|len| *len > 0) else {
            self.cursor = before;
            return Err(Error::BadMsg);
        };
        match self.unpack_bytes(len).map(|_| ()) {
            Ok(()) => {
                let at = before + size_of::<i32>();
                Ok(&self.bytes[at..at + len - 1])
            }
            Err(error) => {
                self.cursor = before;
                Err(error)
            }
        }
    }

    /// Fails for raw data of a host whose numbers lie otherwise in memory, as unpacking does.
    pub fn check_readable(&self) -> Result<()> {
        self.decoding().map(|_| ())
    }

    /// The body of a raw message that holds nothing but items of one kind, as this machine has them in
    /// memory: those of an unlike host are converted.
    pub fn items(&self, kind: Kind) -> Result<Cow<'_, [u8]>> {
        let form = form_of(self.word).ok_or(Error::BadMsg)?;
        if !form.is_foreign() {
            return Ok(Cow::Borrowed(self.body()));
        }
        let change = form.change(kind.word()).map_err(|_| Error::BadMsg)?;
        let len = change.len_here(self.len() as u64).ok_or(Error::BadMsg)?;
        let len = usize::try_from(len).map_err(|_| Error::NoMem)?;
        let mut room = self.body().to_vec();
        room.resize(len.max(self.len()), 0);
        let changed = change.apply(&mut room, self.len());
        changed.map_err(|_| Error::Overflow)?;
        room.truncate(len);
        Ok(Cow::Owned(room))
    }

    /// Starts unpacking anew.
    pub fn rewind(&mut self) {
        self.cursor = header::LEN;
    }

    fn decoding(&self) -> Result<Encoding> {
        match self.word {
            XDR_WORD => Ok(Encoding::Xdr),
            SIGNATURE => Ok(Encoding::Raw),
            _ => Err(Error::BadMsg),
        }
    }

    /// Room for `count` more pieces of `size` bytes, zeroed.
    fn grow(&mut self, count: usize, size: usize) -> Result<&mut [u8]> {
        let start = self.bytes.len();
        let more = count.checked_mul(size).ok_or(Error::NoMem)?;
        let end = start.checked_add(more).ok_or(Error::NoMem)?;
        if end - header::LEN > i32::MAX as usize {
            return Err(Error::NoMem);
        }
        self.bytes.try_reserve(more).map_err(|_| Error::NoMem)?;
        self.bytes.resize(end, 0);
        Ok(&mut self.bytes[start..])
    }

    fn take(&mut self, len: usize) -> Result<&[u8]> {
        let start = self.cursor;
        if len > self.bytes.len() - start {
            return Err(Error::NoData);
        }
        self.cursor += len;
        Ok(&self.bytes[start..start + len])
    }
}

/// XDR pads bytes to whole words.
fn padded(len: usize) -> Result<usize> {
    len.checked_next_multiple_of(4).ok_or(Error::NoMem)
}

/// The characters of a string and its NUL.
struct WithNul<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for WithNul<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.at > self.text.len() {
            return None;
        }
        self.at += 1;
        Some(self.text.get(self.at - 1).copied().unwrap_or(0))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.text.len() + 1 - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for WithNul<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn xdr(fill: impl FnOnce(&mut Buffer) -> Result<()>) -> Vec<u8> {
        let mut buffer = Buffer::new(Encoding::Xdr);
        fill(&mut buffer).unwrap();
        buffer.body().to_vec()
    }

    fn packed_len(encoding: Encoding, fill: impl FnOnce(&mut Buffer) -> Result<()>) -> usize {
        let mut buffer = Buffer::new(encoding);
        fill(&mut buffer).unwrap();
        buffer.len()
    }

    /// The message as its receiver sees it.
    fn delivered(buffer: &Buffer) -> Buffer {
        Buffer::received(buffer.message(0).unwrap(), 1, 2, 3).unwrap()
    }

    #[test]
    fn xdr_bytes_are_golden() {
        let bytes = xdr(|b| b.pack([-2i16, 3].into_iter()));
        assert_eq!(bytes, b"\xff\xff\xff\xfe\0\0\0\x03");
        let bytes = xdr(|b| b.pack([0xfffeu16].into_iter()));
        assert_eq!(bytes, b"\0\0\xff\xfe");
        let bytes = xdr(|b| b.pack([1i32, -1].into_iter()));
        assert_eq!(bytes, b"\0\0\0\x01\xff\xff\xff\xff");
        let bytes = xdr(|b| b.pack([1i64 << 40].into_iter()));
        assert_eq!(bytes, b"\0\0\x01\0\0\0\0\0");
        let bytes = xdr(|b| b.pack([1.5f32].into_iter()));
        assert_eq!(bytes, b"\x3f\xc0\0\0");
        let bytes = xdr(|b| b.pack([-2.0f64].into_iter()));
        assert_eq!(bytes, b"\xc0\0\0\0\0\0\0\0");
        let bytes = xdr(|b| b.pack([[1.0f32, -1.0]].into_iter()));
        assert_eq!(bytes, b"\x3f\x80\0\0\xbf\x80\0\0");
        let bytes = xdr(|b| b.pack_bytes(b"abc".iter().copied()));
        assert_eq!(bytes, b"abc\0");
        assert_eq!(xdr(|b| b.pack_str(b"abc")), b"\0\0\0\x04abc\0");
        assert_eq!(xdr(|b| b.pack_str(b"")), b"\0\0\0\x01\0\0\0\0");
    }

    #[test]
    fn body_lengths_are_those_of_pvm() {
        for (encoding, lengths) in [
            (Encoding::Xdr, [4, 4, 12, 12, 12, 24, 16, 32, 8, 8]),
            (Encoding::Raw, [3, 4, 6, 12, 12, 24, 16, 32, 8, 5]),
        ] {
            let measured = [
                packed_len(encoding, |b| b.pack_bytes([1; 3].into_iter())),
                packed_len(encoding, |b| b.pack_bytes([1; 4].into_iter())),
                packed_len(encoding, |b| b.pack([1i16; 3].into_iter())),
                packed_len(encoding, |b| b.pack([1i32; 3].into_iter())),
                packed_len(encoding, |b| b.pack([1f32; 3].into_iter())),
                packed_len(encoding, |b| b.pack([1f64; 3].into_iter())),
                packed_len(encoding, |b| b.pack([[1f32; 2]; 2].into_iter())),
                packed_len(encoding, |b| b.pack([[1f64; 2]; 2].into_iter())),
                packed_len(encoding, |b| b.pack_str(b"abc")),
                packed_len(encoding, |b| b.pack_str(b"")),
            ];
            assert_eq!(measured, lengths, "{encoding:?}");
        }
        // Longs are whole here; PVM 3.4 lost their upper halves in XDR.
        assert_eq!(xdr(|b| b.pack([1i64; 3].into_iter())).len(), 24);
    }

    #[test]
    fn what_is_not_there_cannot_be_taken() {
        let mut buffer = Buffer::new(Encoding::Xdr);
        buffer.pack([7i32, 8].into_iter()).unwrap();
        let mut got = delivered(&buffer);
        let refused = got.unpack(3, |_, _: i32| panic!("nothing is taken"));
        assert_eq!(refused, Err(Error::NoData));
        let mut values = [0; 2];
        got.unpack(2, |i, value| values[i] = value).unwrap();
        assert_eq!(values, [7, 8]);
        assert_eq!(got.unpack_bytes(1), Err(Error::NoData));
        got.rewind();
        assert_eq!(got.unpack_bytes(usize::MAX), Err(Error::NoMem));
    }

    #[test]
    fn strings_with_absurd_lengths_are_refused() {
        for len in [0, -1, i32::MIN, i32::MAX, 5] {
            let mut buffer = Buffer::new(Encoding::Raw);
            buffer.pack([len].into_iter()).unwrap();
            let mut got = delivered(&buffer);
            assert!(got.unpack_str().is_err(), "{len}");
            got.unpack(1, |_, _: i32| ()).unwrap();
        }
    }

    #[test]
    fn foreign_raw_data_is_not_decoded() {
        let mut buffer = Buffer::new(Encoding::Raw);
        buffer.word = 0x1234;
        buffer.pack([1i32].into_iter()).unwrap();
        let mut got = delivered(&buffer);
        assert_eq!(got.unpack(1, |_, _: i32| ()), Err(Error::BadMsg));
        assert_eq!(got.len(), 4);
    }

    #[test]
    fn items_of_one_kind_are_converted() {
        let message = |word, body: &[u8]| {
            let mut bytes = vec![0; header::LEN];
            let (context, wait_id) = (0, 0);
            Header {
                word,
                context,
                wait_id,
            }
            .write(&mut bytes);
            Buffer::received([&bytes, body].concat(), 1, 2, 3).unwrap()
        };
        let big_32 = 0x0080_8882;
        let items = |kind, body: &[u8]| message(big_32, body).items(kind).map(Cow::into_owned);
        let longs = [-2i64, 1].map(i64::to_ne_bytes).concat();
        assert_eq!(items(Kind::Long, b"\xff\xff\xff\xfe\0\0\0\x01"), Ok(longs));
        let shorts = [0x0102i16, -2].map(i16::to_ne_bytes).concat();
        assert_eq!(items(Kind::Short, b"\x01\x02\xff\xfe"), Ok(shorts));
        let double = 1.5f64.to_ne_bytes();
        assert_eq!(
            items(Kind::Double, &1.5f64.to_be_bytes()),
            Ok(double.to_vec())
        );
        assert_eq!(items(Kind::Int, b"\0\0\0"), Err(Error::BadMsg));
        let bytes = message(SIGNATURE, b"abc");
        assert_eq!(bytes.items(Kind::Byte), Ok(Cow::Borrowed(&b"abc"[..])));
        assert_eq!(message(XDR_WORD, b"").items(Kind::Byte), Err(Error::BadMsg));
        assert_eq!(message(7, b"").items(Kind::Byte), Err(Error::BadMsg));
    }

    #[test]
    fn in_place_parts_are_read_when_sent() {
        let mut buffer = Buffer::new(Encoding::InPlace);
        buffer
            .pack_in_place(Source::from_vec(vec![1, 2, 3]))
            .unwrap();
        assert_eq!(buffer.len(), 0);
        assert_eq!(buffer.pack_str(b"x"), Err(Error::NotImpl));
        assert_eq!(delivered(&buffer).body(), [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn items_round_trip(
            raw: bool,
            shorts: Vec<i16>,
            longs: Vec<u64>,
            doubles: Vec<[u64; 2]>,
            text in proptest::collection::vec(1u8.., 0..40),
            bytes: Vec<u8>,
        ) {
            let doubles: Vec<[f64; 2]> =
                doubles.iter().map(|d| [f64::from_bits(d[0]), f64::from_bits(d[1])]).collect();
            let mut buffer = Buffer::new(if raw { Encoding::Raw } else { Encoding::Xdr });
            buffer.pack(shorts.iter().copied()).unwrap();
            buffer.pack_str(&text).unwrap();
            buffer.pack(longs.iter().copied()).unwrap();
            buffer.pack_bytes(bytes.iter().copied()).unwrap();
            buffer.pack(doubles.iter().copied()).unwrap();

            let mut got = delivered(&buffer);
            got.unpack(shorts.len(), |i, v: i16| assert_eq!(v, shorts[i])).unwrap();
            prop_assert_eq!(got.unpack_str().unwrap(), &text[..]);
            got.unpack(longs.len(), |i, v: u64| assert_eq!(v, longs[i])).unwrap();
            prop_assert_eq!(got.unpack_bytes(bytes.len()).unwrap(), &bytes[..]);
            got.unpack(doubles.len(), |i, v: [f64; 2]| {
                assert_eq!(v.map(f64::to_bits), doubles[i].map(f64::to_bits));
            }).unwrap();
            prop_assert_eq!(got.unpack_bytes(1), Err(Error::NoData));
        }

        #[test]
        fn garbage_never_panics(message: Vec<u8>, counts: [usize; 3]) {
            let mut whole = vec![0; header::LEN];
            Header { word: XDR_WORD, context: 0, wait_id: 0 }.write(&mut whole);
            whole.extend_from_slice(&message);
            let mut got = Buffer::received(whole, 1, 2, 3).unwrap();
            let _ = Buffer::received(message, 1, 2, 3);
            let _ = got.unpack_str();
            let _ = got.unpack(counts[0], |_, _: i16| ());
            let _ = got.unpack_bytes(counts[1]);
            let _ = got.unpack(counts[2], |_, _: [f64; 2]| ());
        }
    }
}
