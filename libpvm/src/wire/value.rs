//! Values of any serde type as bytes. The only module that names bincode.
//!
//! The format is bincode's legacy one: little endian, fixed-size integers, 64-bit lengths, 32-bit
//! enum variants. It is byte-identical to the maintained wincode, which the tests compare with, so
//! either can be taken without changing what is on the wire.
//!
//! Every decode has a limit: without one bincode tries to reserve whatever length twelve bytes of
//! garbage announce. Limits are constants, so the smallest that holds the message is chosen.
//!
//! ```
//! use pvm::wire::value;
//! let bytes = value::encode(&("red", 7u32)).unwrap();
//! assert_eq!(value::decode::<(String, u32)>(&bytes).unwrap(), ("red".to_owned(), 7));
//! ```

use crate::limits::VALUE_MAX;
use bincode::config::{Configuration, Fixint, Limit, LittleEndian, legacy};
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value has no bytes, or bytes are no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The sender's: the encoded value is larger than the limit.
    #[error("the encoded value is larger than the limit of {VALUE_MAX} bytes")]
    TooLarge,
    /// The sender's: its type cannot be encoded.
    #[error("the value cannot be encoded: {0}")]
    NotEncodable(String),
    /// The sender's, as seen by the receiver: these are not the bytes of such a value.
    #[error("the bytes are not a value of the wanted type: {0}")]
    Malformed(String),
    /// The sender's, as seen by the receiver: a value, and then more.
    #[error("{0} bytes are left after the value")]
    Trailing(usize),
}

/// The bytes of a value.
///
/// # Errors
/// When the type cannot be encoded (a sequence of unknown length, say) or the value is larger than
/// [`VALUE_MAX`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, ValueError> {
    let mut bytes = Capped(Vec::new());
    match bincode::serde::encode_into_writer(value, &mut bytes, legacy()) {
        Ok(()) => Ok(bytes.0),
        Err(EncodeError::UnexpectedEnd) => Err(ValueError::TooLarge),
        Err(other) => Err(ValueError::NotEncodable(other.to_string())),
    }
}

/// The value that the bytes are, all of them.
///
/// # Errors
/// When the bytes are anything else. What is reserved on the way is bounded by a small multiple of
/// the bytes' length.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    let (value, used) = decode_limited(bytes).map_err(|e| ValueError::Malformed(e.to_string()))?;
    match bytes.len() - used {
        0 => Ok(value),
        left => Err(ValueError::Trailing(left)),
    }
}

/// Decodes with the smallest of a few limits that is not below the bytes' length. A legacy value
/// claims exactly as many bytes as it has, so a true one is never refused.
fn decode_limited<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    match bytes.len() {
        len if len <= 0x400 => with_limit::<T, 0x400>(bytes),
        len if len <= 0x1_0000 => with_limit::<T, 0x1_0000>(bytes),
        len if len <= 0x40_0000 => with_limit::<T, 0x40_0000>(bytes),
        len if len <= 0x800_0000 => with_limit::<T, 0x800_0000>(bytes),
        len if len <= VALUE_MAX => with_limit::<T, VALUE_MAX>(bytes),
        _ => Err(DecodeError::LimitExceeded),
    }
}

fn with_limit<T: DeserializeOwned, const MAX: usize>(
    bytes: &[u8],
) -> Result<(T, usize), DecodeError> {
    let config: Configuration<LittleEndian, Fixint, Limit<MAX>> = legacy().with_limit::<MAX>();
    bincode::serde::decode_from_slice(bytes, config)
}

/// A vector that takes no more than [`VALUE_MAX`] bytes.
struct Capped(Vec<u8>);

impl Writer for Capped {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if bytes.len() > VALUE_MAX - self.0.len() {
            return Err(EncodeError::UnexpectedEnd);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_wincode::SerdeCompat;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Nothing,
        Circle(f64),
        Box { width: u16, height: i32 },
        Many(Vec<(u8, Option<i16>)>),
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Sample {
        flag: bool,
        letter: char,
        small: u8,
        wide: i64,
        name: String,
        maybe: Option<u32>,
        table: BTreeMap<String, Vec<i64>>,
        shape: Shape,
    }

    /// The bytes are a promise to programs that were built earlier: never change a line here.
    #[test]
    fn golden_bytes() {
        let golden: [(Vec<u8>, &[u8]); 7] = [
            (encode(&0x0102_0304u32).unwrap(), &[4, 3, 2, 1]),
            (
                encode(&-2i64).unwrap(),
                &[254, 255, 255, 255, 255, 255, 255, 255],
            ),
            (encode(&1.5f64).unwrap(), &[0, 0, 0, 0, 0, 0, 248, 63]),
            (encode("ab").unwrap(), &[2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']),
            (encode(&Some(7u8)).unwrap(), &[1, 7]),
            (
                encode(&[1u16, 2][..]).unwrap(),
                &[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0],
            ),
            (
                encode(&Shape::Box {
                    width: 3,
                    height: -1,
                })
                .unwrap(),
                &[2, 0, 0, 0, 3, 0, 255, 255, 255, 255],
            ),
        ];
        for (bytes, expected) in golden {
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        assert!(matches!(
            decode::<Vec<u8>>(&bytes),
            Err(ValueError::Malformed(_))
        ));
        assert!(matches!(
            decode::<Vec<u64>>(&bytes),
            Err(ValueError::Malformed(_))
        ));
        assert!(matches!(
            decode::<String>(&bytes),
            Err(ValueError::Malformed(_))
        ));
        assert!(matches!(
            decode::<BTreeMap<String, u8>>(&bytes),
            Err(ValueError::Malformed(_))
        ));
    }

    #[test]
    fn leftovers_are_refused() {
        assert_eq!(decode::<u8>(&[1, 2, 3]), Err(ValueError::Trailing(2)));
        assert!(matches!(decode::<u8>(&[]), Err(ValueError::Malformed(_))));
    }

    #[test]
    fn lengths_around_every_limit_decode() {
        for limit in [0x400usize, 0x1_0000, 0x40_0000] {
            for len in [limit - 9, limit - 8, limit - 7, limit, limit + 1] {
                let value = vec![7u8; len];
                assert_eq!(decode::<Vec<u8>>(&encode(&value).unwrap()), Ok(value));
            }
        }
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Nothing),
            (-1e9f64..1e9).prop_map(Shape::Circle),
            any::<(u16, i32)>().prop_map(|(width, height)| Shape::Box { width, height }),
            any::<Vec<(u8, Option<i16>)>>().prop_map(Shape::Many),
        ]
    }

    fn samples() -> impl Strategy<Value = Sample> {
        let table = proptest::collection::btree_map(".{0,6}", any::<Vec<i64>>(), 0..4);
        (
            any::<(bool, char, u8, i64, Option<u32>)>(),
            ".{0,40}",
            table,
            shapes(),
        )
            .prop_map(
                |((flag, letter, small, wide, maybe), name, table, shape)| Sample {
                    flag,
                    letter,
                    small,
                    wide,
                    name,
                    maybe,
                    table,
                    shape,
                },
            )
    }

    proptest! {
        #[test]
        fn values_round_trip(value in samples()) {
            prop_assert_eq!(decode::<Sample>(&encode(&value).unwrap()), Ok(value));
        }

        /// wincode writes the same bytes and reads ours: the way out stays open.
        #[test]
        fn wincode_agrees(value in samples()) {
            let ours = encode(&value).unwrap();
            let theirs = <SerdeCompat<Sample> as wincode::Serialize>::serialize(&value).unwrap();
            prop_assert_eq!(&ours, &theirs);
            let read = <SerdeCompat<Sample> as wincode::Deserialize>::deserialize(&ours).unwrap();
            prop_assert_eq!(read, value);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = decode::<Sample>(&bytes);
            let _ = decode::<Vec<String>>(&bytes);
            let _ = decode::<Vec<Shape>>(&bytes);
            let _ = decode::<BTreeMap<Vec<u8>, Option<char>>>(&bytes);
        }

        /// A value with some bytes changed is an error or another value, nothing else.
        #[test]
        fn damaged_values_never_panic(value in samples(), at: proptest::sample::Index, byte: u8) {
            let mut bytes = encode(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode::<Sample>(&bytes);
            let _ = decode::<Sample>(&bytes[..at]);
        }
    }
}
