//! Messages on a stream, one after the other.
//!
//! A [`SendStream`] that is dropped ends as if all had been said. Whoever cannot say all of it resets
//! the stream first, or ends what it says with a message that says so.

use super::error::StreamError;
use prost::Message;
use pvm::wire::frame::{self, Decoder, FrameError};
use quinn::{ReadExactError, RecvStream, SendStream};

/// Sends one message. Not to be dropped half-way: the stream would be out of step.
///
/// # Errors
/// When the stream is broken, or the message larger than any frame may be.
pub async fn send(stream: &mut SendStream, message: &impl Message) -> Result<(), StreamError> {
    let mut bytes = Vec::new();
    frame::encode(message, &mut bytes)?;
    let written = stream.write_all(&bytes).await;
    written.map_err(|error| StreamError::Broken(error.to_string()))
}

/// Receives one message of at most `limit` bytes; `None` at the end of the stream. Not to be dropped
/// half-way: give it a task of its own.
///
/// # Errors
/// When the stream is broken or out of step; it is of no use then.
pub async fn receive<M: Message + Default>(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<Option<M>, StreamError> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(broken(error)),
    }
    let len = u32::from_le_bytes(head) as usize;
    if len > limit {
        return Err(StreamError::TooLarge { len, limit });
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await.map_err(broken)?;
    Ok(Some(decode(&head, &body)?))
}

/// Receives a message that must come.
pub(super) async fn expect<M: Message + Default>(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<M, StreamError> {
    receive(stream, limit).await?.ok_or(StreamError::CutShort)
}

fn decode<M: Message + Default>(head: &[u8], body: &[u8]) -> Result<M, FrameError> {
    let mut decoder = Decoder::default();
    decoder.extend(head);
    decoder.extend(body);
    // The frame is whole, or its length was beyond the limit of frames.
    decoder.take()?.ok_or(FrameError::TooLarge(body.len()))
}

fn broken(error: ReadExactError) -> StreamError {
    match error {
        ReadExactError::FinishedEarly(_) => StreamError::CutShort,
        ReadExactError::ReadError(error) => StreamError::Broken(error.to_string()),
    }
}
