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
    // The decoder grows with what has come, not with what was announced.
    let mut decoder = Decoder::default();
    decoder.extend(&head);
    let mut left = len;
    while left > 0 {
        let chunk = stream.read_chunk(left, true).await;
        let chunk = chunk.map_err(|error| StreamError::Broken(error.to_string()))?;
        let chunk = chunk.ok_or(StreamError::CutShort)?;
        decoder.extend(&chunk.bytes);
        left -= chunk.bytes.len();
    }
    // The frame is whole, or its length was beyond the limit of frames.
    Ok(Some(decoder.take()?.ok_or(FrameError::TooLarge(len))?))
}

/// Sends bytes, and that there will be no more.
///
/// # Errors
/// When the stream is broken.
pub async fn send_all(stream: &mut SendStream, bytes: &[u8]) -> Result<(), StreamError> {
    let written = stream.write_all(bytes).await;
    written.map_err(|error| StreamError::Broken(error.to_string()))?;
    // It ends by itself when it has been stopped: nobody wants the rest.
    let _ = stream.finish();
    Ok(())
}

/// Receives all bytes of a stream, at most `limit`.
///
/// # Errors
/// When the stream is broken, or longer.
pub async fn receive_all(stream: &mut RecvStream, limit: usize) -> Result<Vec<u8>, StreamError> {
    let bytes = stream.read_to_end(limit).await;
    bytes.map_err(|error| StreamError::Broken(error.to_string()))
}

/// Receives a message that must come.
pub(super) async fn expect<M: Message + Default>(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<M, StreamError> {
    receive(stream, limit).await?.ok_or(StreamError::CutShort)
}

fn broken(error: ReadExactError) -> StreamError {
    match error {
        ReadExactError::FinishedEarly(_) => StreamError::CutShort,
        ReadExactError::ReadError(error) => StreamError::Broken(error.to_string()),
    }
}
