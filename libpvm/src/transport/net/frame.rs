//! Frames: what a carrier moves between two tasks.
//!
//! A frame is its length (u32, the bytes that follow), a kind (u8), the generation of the sender's
//! carrier (u32), and what belongs to the kind. All numbers are little-endian, whatever hosts the two
//! are on.
//!
//! | kind | what belongs to it |
//! |---|---|
//! | 1 `Data` | number of the packet (u64), the packet |
//! | 2 `Confirm` | how many packets have been received (u64) |
//! | 3 `Resume` | generation of the other as it is known (u32), packets received (u64), holds (u8) |
//! | 4 `Bye` | nothing |
//! | 5 `Data` that asks to be confirmed at once | as of 1 |

use super::packet::{self, ARGS_LEN, HEAD_LEN, Packet, PacketError};
use crate::limits::{NET_BODY_MAX, NET_FRAME_MAX};
use crate::transport::{Args, Body, Head};

const DATA: u8 = 1;
const CONFIRM: u8 = 2;
const RESUME: u8 = 3;
const BYE: u8 = 4;
const ASKING_DATA: u8 = 5;

/// Bytes of a length.
const LENGTH: usize = 4;
/// Where the kind and the generation are in a frame, its length included.
const KIND: usize = LENGTH;
const GENERATION: usize = KIND + 1;
/// Bytes of a data frame before its packet.
const DATA_HEAD: usize = LENGTH + 1 + 4 + 8;
/// Longest frame, without its length.
pub(super) const FRAME_MAX: usize = NET_FRAME_MAX - LENGTH;
const _: () = assert!(NET_FRAME_MAX == DATA_HEAD + HEAD_LEN + ARGS_LEN + NET_BODY_MAX);

/// Why bytes are not frames: their sender is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length over the limit.
    #[error("a frame of {0} bytes")]
    Long(usize),
    /// It ends too early.
    #[error("a frame that is cut off")]
    Short,
    /// A kind that there is not.
    #[error("a frame of kind {0}")]
    Kind(u8),
    /// It holds no packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
}

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// The packet with this number.
    Data {
        /// Counts the packets of this direction, from 0.
        number: u64,
        /// It is to be confirmed at once.
        asks: bool,
        /// The packet.
        packet: Packet<'a>,
    },
    /// Packets before this number have been received.
    Confirm {
        /// How many.
        received: u64,
    },
    /// The first frame on every carrier, and the answer to one.
    Resume {
        /// The other's generation, as far as the sender knows; 0: none.
        seen: u32,
        /// How many packets the sender has received.
        received: u64,
        /// The sender waits for a Resume before it sends packets.
        holds: bool,
    },
    /// Its sender leaves as soon as all is confirmed.
    Bye,
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The sender's generation: counts its carriers, from 1.
    pub generation: u32,
    /// What it says.
    pub content: Content<'a>,
}

/// Takes the first whole frame off `bytes`; `None`: there is none yet.
///
/// # Errors
/// When no frame can begin like that.
pub fn split<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FRAME_MAX {
        return Err(FrameError::Long(length));
    }
    let Some((frame, rest)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    *bytes = rest;
    Ok(Some(frame))
}

impl<'a> Frame<'a> {
    /// Reads a frame without its length, as [`split`] gives it.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(frame: &'a [u8]) -> Result<Self, FrameError> {
        let (&kind, rest) = frame.split_first().ok_or(FrameError::Short)?;
        let (generation, mut rest) = take_u32(rest)?;
        let content = match kind {
            DATA | ASKING_DATA => Content::Data {
                number: take_u64(&mut rest)?,
                asks: kind == ASKING_DATA,
                packet: Packet::decode(std::mem::take(&mut rest))?,
            },
            CONFIRM => Content::Confirm {
                received: take_u64(&mut rest)?,
            },
            RESUME => {
                let (seen, after) = take_u32(rest)?;
                rest = after;
                let received = take_u64(&mut rest)?;
                let (&holds, after) = rest.split_first().ok_or(FrameError::Short)?;
                rest = after;
                Content::Resume {
                    seen,
                    received,
                    holds: holds != 0,
                }
            }
            BYE => Content::Bye,
            _ => return Err(FrameError::Kind(kind)),
        };
        match rest {
            [] => Ok(Self {
                generation,
                content,
            }),
            more => Err(FrameError::Long(more.len())),
        }
    }
}

fn take_u32(bytes: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(FrameError::Short)?;
    Ok((u32::from_le_bytes(*number), rest))
}

fn take_u64(bytes: &mut &[u8]) -> Result<u64, FrameError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(FrameError::Short)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*number))
}

/// How many bytes the frame of a packet takes, its length included.
pub fn data_len(args: Option<&Args>, body: Option<Body<'_>>) -> usize {
    DATA_HEAD + packet::encoded_len(args, body)
}

/// Appends the frame of a packet; its generation and whether it asks to be confirmed are given by [`stamp`].
pub fn put_data(
    number: u64,
    head: &Head,
    args: Option<&Args>,
    body: Option<Body<'_>>,
    out: &mut Vec<u8>,
) {
    out.reserve(data_len(args, body));
    put_numbers(number, data_len(args, body), out);
    packet::encode(head, args, body, out);
}

/// As [`put_data`], for a body of so many bytes that is elsewhere.
pub fn put_data_head(
    number: u64,
    head: &Head,
    args: Option<&Args>,
    body: usize,
    out: &mut Vec<u8>,
) {
    put_numbers(number, data_len(args, None) + body, out);
    packet::encode_head(head, args, out);
}

fn put_numbers(number: u64, len: usize, out: &mut Vec<u8>) {
    put_head(DATA, 0, len - LENGTH, out);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a confirmation.
pub fn put_confirm(generation: u32, received: u64, out: &mut Vec<u8>) {
    put_head(CONFIRM, generation, 1 + 4 + 8, out);
    out.extend_from_slice(&received.to_le_bytes());
}

/// Appends the first frame of a carrier.
pub fn put_resume(generation: u32, seen: u32, received: u64, holds: bool, out: &mut Vec<u8>) {
    put_head(RESUME, generation, 1 + 4 + 4 + 8 + 1, out);
    out.extend_from_slice(&seen.to_le_bytes());
    out.extend_from_slice(&received.to_le_bytes());
    out.push(u8::from(holds));
}

/// Appends the news that the sender leaves.
pub fn put_bye(generation: u32, out: &mut Vec<u8>) {
    put_head(BYE, generation, 1 + 4, out);
}

fn put_head(kind: u8, generation: u32, length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&generation.to_le_bytes());
}

/// Gives the first frame of `frames`, one of ours with a packet, a generation, and has it ask to be confirmed
/// at once or not.
pub fn stamp(frames: &mut [u8], generation: u32, asks: bool) {
    frames[KIND] = if asks { ASKING_DATA } else { DATA };
    frames[GENERATION..GENERATION + 4].copy_from_slice(&generation.to_le_bytes());
}

/// Whether the first frame of `frames`, one of ours, asks to be confirmed at once.
pub fn asks_first(frames: &[u8]) -> bool {
    frames.get(KIND) == Some(&ASKING_DATA)
}

/// How many bytes the first frame of `frames`, one of ours, takes, its length included.
pub fn len_of_first(frames: &[u8]) -> usize {
    let length = frames
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word));
    LENGTH + length as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::Source;
    use crate::transport::Kind;
    use proptest::prelude::*;

    const HEAD: Head = Head {
        kind: Kind::Eager,
        flags: 1,
        context: 2,
        tag: 3,
        check: 4,
    };

    #[test]
    fn the_layout_is_for_ever() {
        let source = Source::from_vec(vec![7]);
        let mut out = Vec::new();
        put_resume(1, 2, 3, true, &mut out);
        put_confirm(1, 4, &mut out);
        put_bye(1, &mut out);
        let at = out.len();
        put_data(5, &HEAD, None, Some(Body::whole(&source)), &mut out);
        stamp(&mut out[at..], 1, false);
        let at = out.len();
        put_data(6, &HEAD, None, None, &mut out);
        stamp(&mut out[at..], 1, true);
        assert!(asks_first(&out[at..]));
        let golden: &[&[u8]] = &[
            &[
                18, 0, 0, 0, 3, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1,
            ],
            &[13, 0, 0, 0, 2, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0],
            &[5, 0, 0, 0, 4, 1, 0, 0, 0],
            &[30, 0, 0, 0, 1, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
            &[1, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 7],
            &[29, 0, 0, 0, 5, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0],
            &[1, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0],
        ];
        assert_eq!(out, golden.concat());
        let mut rest = &out[..];
        let mut contents = Vec::new();
        while let Some(frame) = split(&mut rest).unwrap() {
            let frame = Frame::decode(frame).unwrap();
            assert_eq!(frame.generation, 1);
            contents.push(frame.content);
        }
        let packet = |body| Packet {
            head: HEAD,
            args: Args::default(),
            body,
        };
        let expected = [
            Content::Resume {
                seen: 2,
                received: 3,
                holds: true,
            },
            Content::Confirm { received: 4 },
            Content::Bye,
            Content::Data {
                number: 5,
                asks: false,
                packet: packet(&[7]),
            },
            Content::Data {
                number: 6,
                asks: true,
                packet: packet(&[]),
            },
        ];
        assert_eq!(contents, expected);
    }

    #[test]
    fn the_longest_packet_fits_and_more_is_refused_before_it_has_come() {
        let source = Source::from_vec(vec![0; NET_BODY_MAX]);
        let mut out = Vec::new();
        put_data(
            0,
            &HEAD,
            Some(&[0; 4]),
            Some(Body::whole(&source)),
            &mut out,
        );
        assert_eq!(out.len(), FRAME_MAX + LENGTH);
        let frame = split(&mut &out[..]).unwrap().unwrap();
        assert!(Frame::decode(frame).is_ok());
        let long = (FRAME_MAX as u32 + 1).to_le_bytes();
        assert_eq!(split(&mut &long[..]), Err(FrameError::Long(FRAME_MAX + 1)));
    }

    #[test]
    fn frames_that_are_cut_off_or_go_on_are_refused() {
        let mut out = Vec::new();
        put_resume(1, 2, 3, true, &mut out);
        for len in 0..out.len() {
            assert_eq!(split(&mut &out[..len]), Ok(None));
            let cut = &out[LENGTH.min(len)..len];
            assert_eq!(Frame::decode(cut), Err(FrameError::Short));
        }
        out.push(0);
        assert_eq!(Frame::decode(&out[LENGTH..]), Err(FrameError::Long(1)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while let Ok(Some(frame)) = split(&mut rest) {
                let _ = Frame::decode(frame);
            }
            let _ = Frame::decode(&bytes);
        }
    }
}
