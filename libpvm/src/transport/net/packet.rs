//! Packets as bytes.
//!
//! All numbers are little-endian, except those in the body of a message of plain data: they are as in
//! their sender's memory, and the flags say which [`Form`](crate::datatype::Form) that is. Bytes that
//! this and other releases write are in `libpvm/tests/wire/golden`.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind |
//! | 1 | flags of the engine: bit 0 asks for a confirmation, the others are the form of the message |
//! | 1 | form: 1 with arguments, 0 without |
//! | 1 | 0 |
//! | 4 | context |
//! | 4 | tag |
//! | 4 | check |
//! | 0 or 32 | arguments |
//! | up to [`NET_BODY_MAX`] | body |

use crate::limits::NET_BODY_MAX;
use crate::transport::{Args, Body, Head, Kind};

/// Bytes of a packet before its arguments and body.
pub const HEAD_LEN: usize = 16;
/// Bytes of the arguments.
pub const ARGS_LEN: usize = 32;

/// Why bytes are not a packet: their sender is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It ends before its arguments do.
    #[error("a packet of {0} bytes")]
    Short(usize),
    /// A kind that there is not.
    #[error("a packet of kind {0}")]
    Kind(u8),
    /// A form that there is not.
    #[error("a packet of form {0}")]
    Form(u8),
    /// A body over the limit.
    #[error("a packet with a body of {0} bytes")]
    Long(usize),
}

/// A packet in the bytes that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its fixed part.
    pub head: Head,
    /// All zero when it was sent without.
    pub args: Args,
    /// Its body.
    pub body: &'a [u8],
}

/// How many bytes a packet takes.
pub fn encoded_len(args: Option<&Args>, body: Option<Body<'_>>) -> usize {
    HEAD_LEN + args.map_or(0, |_| ARGS_LEN) + body.map_or(0, |body| body.len)
}

/// Appends a packet to `out`.
pub fn encode(head: &Head, args: Option<&Args>, body: Option<Body<'_>>, out: &mut Vec<u8>) {
    encode_head(head, args, out);
    if let Some(body) = body {
        body.source.append_to(out, body.offset, body.len);
    }
}

/// Appends what comes before the body of a packet.
pub fn encode_head(head: &Head, args: Option<&Args>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[head.kind as u8, head.flags, u8::from(args.is_some()), 0]);
    out.extend_from_slice(&head.context.to_le_bytes());
    out.extend_from_slice(&head.tag.to_le_bytes());
    out.extend_from_slice(&head.check.to_le_bytes());
    for word in args.into_iter().flatten() {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet that takes all of `bytes`.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let short = PacketError::Short(bytes.len());
        let (first, rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
        let (context, rest) = rest.split_first_chunk().ok_or(short)?;
        let (tag, rest) = rest.split_first_chunk().ok_or(short)?;
        let (check, rest) = rest.split_first_chunk().ok_or(short)?;
        let [kind, flags, form, _] = *first;
        let head = Head {
            kind: Kind::from_byte(kind).ok_or(PacketError::Kind(kind))?,
            flags,
            context: u32::from_le_bytes(*context),
            tag: i32::from_le_bytes(*tag),
            check: u32::from_le_bytes(*check),
        };
        let (args, body) = match form {
            0 => (Args::default(), rest),
            1 => {
                let (args, body) = rest.split_first_chunk::<ARGS_LEN>().ok_or(short)?;
                (words(args), body)
            }
            _ => return Err(PacketError::Form(form)),
        };
        match body.len() {
            0..=NET_BODY_MAX => Ok(Self { head, args, body }),
            len => Err(PacketError::Long(len)),
        }
    }
}

fn words(bytes: &[u8; ARGS_LEN]) -> Args {
    let mut args = Args::default();
    for (word, bytes) in args.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::Source;
    use proptest::prelude::*;

    fn bytes(head: &Head, args: Option<&Args>, body: &[u8]) -> Vec<u8> {
        let source = Source::from_vec(body.to_vec());
        let body = (!body.is_empty()).then(|| Body::whole(&source));
        let mut out = Vec::new();
        encode(head, args, body, &mut out);
        assert_eq!(out.len(), encoded_len(args, body));
        out
    }

    fn head() -> Head {
        Head {
            kind: Kind::Data,
            flags: 0xa5,
            context: 0x0102_0304,
            tag: -2,
            check: 0xdead_beef,
        }
    }

    #[test]
    fn the_layout_is_for_ever() {
        let plain = [
            4, 0xa5, 0, 0, 4, 3, 2, 1, 0xfe, 0xff, 0xff, 0xff, 0xef, 0xbe, 0xad, 0xde, 7, 8, 9,
        ];
        assert_eq!(bytes(&head(), None, &[7, 8, 9]), plain);
        let mut full = plain[..HEAD_LEN].to_vec();
        full[2] = 1;
        for word in [1u64, 2, 0x1122_3344_5566_7788, u64::MAX] {
            full.extend_from_slice(&word.to_le_bytes());
        }
        assert_eq!(
            full[32..40],
            [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]
        );
        let args = [1, 2, 0x1122_3344_5566_7788, u64::MAX];
        assert_eq!(bytes(&head(), Some(&args), &[]), full);
        let packet = Packet::decode(&full).unwrap();
        assert_eq!(
            (packet.head, packet.args, packet.body),
            (head(), args, &[][..])
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let good = bytes(&head(), Some(&[0; 4]), &[]);
        for len in 0..good.len() {
            assert_eq!(Packet::decode(&good[..len]), Err(PacketError::Short(len)));
        }
        let spoilt = |at: usize, byte| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Packet::decode(&bytes).err()
        };
        assert_eq!(spoilt(0, 9), Some(PacketError::Kind(9)));
        assert_eq!(spoilt(2, 2), Some(PacketError::Form(2)));
        let long = bytes(&head(), None, &vec![0; NET_BODY_MAX + 1]);
        assert_eq!(
            Packet::decode(&long),
            Err(PacketError::Long(NET_BODY_MAX + 1))
        );
        assert!(Packet::decode(&long[..long.len() - 1]).is_ok());
    }

    proptest! {
        #[test]
        fn packets_round_trip(
            kind in 1u8..=5, flags: u8, context: u32, tag: i32, check: u32,
            args: Option<Args>, body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let kind = Kind::from_byte(kind).unwrap();
            let head = Head { kind, flags, context, tag, check };
            let bytes = bytes(&head, args.as_ref(), &body);
            let args = args.unwrap_or_default();
            prop_assert_eq!(Packet::decode(&bytes), Ok(Packet { head, args, body: &body }));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = Packet::decode(&bytes);
        }
    }
}
