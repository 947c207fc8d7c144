//! Length-delimited frames of control messages: a u32 little-endian length, then the message.

use crate::limits::CONTROL_FRAME_MAX;
use prost::Message;

/// Why bytes are not frames.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// The peer announced a frame larger than the limit.
    #[error("a frame of {0} bytes is announced, the limit is {CONTROL_FRAME_MAX}")]
    TooLarge(usize),
    /// The frame's bytes are not the expected message.
    #[error("a frame does not hold a control message: {0}")]
    Malformed(prost::DecodeError),
}

/// Appends one framed message to `out`.
///
/// # Errors
/// [`FrameError::TooLarge`] when the message is larger than the limit; `out` is unchanged.
pub fn encode(message: &impl Message, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let len = message.encoded_len();
    if len > CONTROL_FRAME_MAX {
        return Err(FrameError::TooLarge(len));
    }
    out.reserve(4 + len);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    message.encode(out).expect("a vector grows");
    Ok(())
}

/// Cuts a byte stream into messages.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    taken: usize,
}

impl Decoder {
    /// Adds bytes that were read.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next whole message, if one is there.
    ///
    /// # Errors
    /// After an error the stream is out of step: close it.
    pub fn take<M: Message + Default>(&mut self) -> Result<Option<M>, FrameError> {
        let rest = &self.bytes[self.taken..];
        let Some((head, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*head) as usize;
        if len > CONTROL_FRAME_MAX {
            return Err(FrameError::TooLarge(len));
        }
        let Some(body) = rest.get(..len) else {
            return Ok(None);
        };
        let message = M::decode(body).map_err(FrameError::Malformed)?;
        self.taken += 4 + len;
        Ok(Some(message))
    }

    /// Whether bytes of an unfinished frame are waiting.
    pub fn is_midframe(&self) -> bool {
        self.taken < self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::{Kill, ToDaemon, to_daemon::Body};
    use proptest::prelude::*;

    fn kill(task: u64) -> ToDaemon {
        ToDaemon {
            request: 7,
            body: Some(Body::Kill(Kill {
                task,
                job: 0,
                signal: 9,
                ..Kill::default()
            })),
        }
    }

    #[test]
    fn frames_survive_any_cut() {
        let mut bytes = Vec::new();
        for task in 0..3 {
            encode(&kill(task), &mut bytes).unwrap();
        }
        for cut in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for part in bytes.chunks(cut) {
                decoder.extend(part);
                while let Some(message) = decoder.take::<ToDaemon>().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, [kill(0), kill(1), kill(2)]);
            assert!(!decoder.is_midframe());
        }
    }

    #[test]
    fn absurd_lengths_are_refused_before_any_allocation() {
        let mut decoder = Decoder::default();
        decoder.extend(&u32::MAX.to_le_bytes());
        assert_eq!(
            decoder.take::<ToDaemon>(),
            Err(FrameError::TooLarge(u32::MAX as usize))
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut decoder = Decoder::default();
            decoder.extend(&bytes);
            while let Ok(Some(_)) = decoder.take::<ToDaemon>() {}
        }
    }
}
