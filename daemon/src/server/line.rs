//! A line between two daemons: messages in order, each exactly once, over streams that may break.
//!
//! One side of a line asks, the other answers. The asking side opens the streams that carry it, one
//! after the other, as often as they break; the numbering and confirming of what goes through is that
//! of the messages between tasks. A line ends when its outbox is broken off: when the other host is
//! lost, or this daemon leaves.

use super::outbox::{Outbox, Parcel};
use prost::Message;
use pvm::limits::{NET_BATCH, NET_BODY_MAX, NET_WINDOW, STREAM_WINDOW};
use pvm::transport::net::frame;
use pvm::transport::net::session::Session;
use pvm::wire::frame::Decoder;
use quinn::{RecvStream, SendStream};
use std::future::Future;
use std::time::Instant;

// Both ends write before they read; neither may wait for the other to read.
const _: () = assert!(STREAM_WINDOW as usize >= 2 * NET_WINDOW);

/// A stream that carries a line for a while.
pub type Carrier = (SendStream, RecvStream);

/// How the time with one carrier ended.
pub enum Ended {
    /// It is of no use any more; go on with another.
    Broken(String),
    /// The other side has opened a new one.
    Replaced(Carrier),
    /// There is nothing more to say.
    Closed,
}

/// One end of a line.
pub struct Line {
    session: Session,
    outbox: Outbox,
    /// What was taken out of the outbox and is not all in the session's window, and how much is.
    current: Option<(Parcel, usize)>,
    decoder: Decoder,
    /// Bytes of a frame that has not come as a whole.
    arrived: Vec<u8>,
}

impl Line {
    /// A line that sends what its outbox is given.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            session: Session::new(),
            outbox,
            current: None,
            decoder: Decoder::default(),
            arrived: Vec::new(),
        }
    }

    /// Waits until there is something to send, also what was sent and not confirmed. False: there
    /// never will be.
    pub async fn has_work(&mut self) -> bool {
        if self.outbox.is_broken() {
            return false;
        }
        if !self.session.is_flushed() || self.current.is_some() {
            return true;
        }
        self.current = self.outbox.next().await.map(|parcel| (parcel, 0));
        self.current.is_some()
    }

    /// Sends and receives over a carrier until it breaks or is replaced. `deliver` is given each
    /// message that comes.
    pub async fn run<M: Message + Default>(
        &mut self,
        carrier: Carrier,
        replacement: impl Future<Output = Carrier>,
        mut deliver: impl FnMut(M),
    ) -> Ended {
        let (mut send, mut recv) = carrier;
        self.arrived.clear();
        self.session.carrier_up();
        tokio::pin!(replacement);
        let mut out = Vec::new();
        let ended = loop {
            self.fill();
            out.clear();
            self.session
                .next_frames(Instant::now(), NET_BATCH, &mut out);
            if !out.is_empty() {
                // The stream has room for it, see above.
                if let Err(error) = send.write_all(&out).await {
                    break Ended::Broken(error.to_string());
                }
                continue;
            }
            tokio::select! {
                piece = recv.read_chunk(NET_BATCH, true) => match piece {
                    Ok(Some(piece)) => {
                        if let Err(why) = self.take(&piece.bytes, &mut deliver) {
                            break Ended::Broken(why);
                        }
                    }
                    Ok(None) => break Ended::Broken("it was closed".to_owned()),
                    Err(error) => break Ended::Broken(error.to_string()),
                },
                parcel = self.outbox.next(), if self.current.is_none() => match parcel {
                    Some(parcel) => self.current = Some((parcel, 0)),
                    None => break Ended::Closed,
                },
                carrier = &mut replacement => break Ended::Replaced(carrier),
            }
        };
        self.session.carrier_down();
        ended
    }

    /// Puts what is to be sent into the session, as far as its window goes.
    fn fill(&mut self) {
        while let Some((parcel, sent)) = &mut self.current {
            while *sent < parcel.bytes.len() {
                let end = parcel.bytes.len().min(*sent + NET_BODY_MAX);
                let piece = &parcel.bytes[*sent..end];
                let fits = self.session.send_bytes(piece);
                if !fits {
                    return;
                }
                *sent = end;
            }
            self.outbox.written(parcel);
            self.current = self.outbox.take().map(|parcel| (parcel, 0));
        }
    }

    /// Takes in bytes of the carrier.
    fn take<M: Message + Default>(
        &mut self,
        bytes: &[u8],
        deliver: &mut impl FnMut(M),
    ) -> Result<(), String> {
        self.arrived.extend_from_slice(bytes);
        let mut rest = &self.arrived[..];
        while let Some(frame) = frame::split(&mut rest).map_err(|e| e.to_string())? {
            let packet = self.session.on_frame(frame).map_err(|e| e.to_string())?;
            if let Some(packet) = packet {
                self.decoder.extend(packet.body);
            }
        }
        let used = self.arrived.len() - rest.len();
        self.arrived.drain(..used);
        while let Some(message) = self.decoder.take().map_err(|e| e.to_string())? {
            deliver(message);
        }
        Ok(())
    }
}
