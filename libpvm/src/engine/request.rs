//! Requests: what is under way, under numbers that detect staleness.

use crate::datatype::{Form, Sink, Source};
use crate::ids::{Context, Tag, TaskId};
use crate::transport::{Head, Peer};

use super::matching::Selector;

/// A request of one engine. A number that was finished names another request only after its place
/// was used four thousand million times.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId {
    index: u32,
    generation: u32,
}

impl RequestId {
    /// As it travels in packets, to come back from the peer.
    pub(super) fn token(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_token(token: u64) -> Self {
        Self {
            index: token as u32,
            generation: (token >> 32) as u32,
        }
    }
}

/// What is known of a message before its bytes are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub source: Peer,
    /// Its tag.
    pub tag: Tag,
    /// Length of the whole message in bytes.
    pub len: u64,
    /// Hash of the element type; 0: untyped.
    pub check: u32,
    /// How its numbers lie: as in its sender's memory.
    pub form: Form,
}

impl Envelope {
    /// Of an operation that is no message.
    pub const NONE: Self = Self {
        source: Peer::SELF,
        tag: 0,
        len: 0,
        check: 0,
        form: Form::HERE,
    };
}

/// Why a request failed. The engine goes on after every one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The peer ended before the message was through.
    #[error("task {0} has ended")]
    PeerGone(TaskId),
    /// The message was longer than the room for it; the room is filled with its beginning.
    #[error("a message of {len} bytes does not fit in {capacity}")]
    Truncated {
        /// What arrived; `len` is the whole message.
        envelope: Envelope,
        /// Length of the message.
        len: u64,
        /// Bytes of room.
        capacity: u64,
    },
    /// The program took the request back.
    #[error("the request was cancelled")]
    Cancelled,
    /// The daemon has ended: with it went all peers, and nobody new can come.
    #[error("the daemon has gone, and with it the virtual machine")]
    Lost,
    /// The context is not open in this task.
    #[error("the communicator is closed")]
    NoSuchContext(Context),
    /// An operation reported something of its own.
    #[error("the collective failed: {0}")]
    Operation(&'static str),
}

impl EngineError {
    /// The envelope of a message of which only the beginning is there.
    #[cold]
    pub fn cut_off(&self) -> Option<Envelope> {
        match self {
            EngineError::Truncated { envelope, .. } => Some(*envelope),
            _ => None,
        }
    }
}

/// How a request ended. The ends of the message come back with it.
pub struct Outcome {
    /// The message's envelope, or why there is none.
    pub result: Result<Envelope, EngineError>,
    /// The receiving end, of a receive.
    pub sink: Option<Sink>,
    /// The sending end, of a send.
    pub source: Option<Source>,
}

/// Sends wait for these.
pub(super) enum SendState {
    /// Its first packet waits for room.
    Queued { args: Option<[u64; 4]> },
    /// The receiver was told; it answers Clear or Finish.
    Announced,
    /// Bytes flow; or all are out, and the transport still reads some where they lie.
    Streaming {
        token: u64,
        offset: usize,
        end: usize,
    },
    /// All bytes are out; the receiver confirms the match.
    Unconfirmed,
    /// It has ended.
    Over(Result<(), EngineError>),
}

pub(super) struct Send {
    pub to: Peer,
    pub head: Head,
    pub source: Source,
    pub state: SendState,
}

/// Receives wait for these.
pub(super) enum ReceiveState {
    Posted,
    /// The sender streams into the sink.
    Receiving {
        envelope: Envelope,
        received: usize,
        end: usize,
    },
    /// It has ended.
    Over(Result<Envelope, EngineError>),
}

pub(super) struct Receive {
    pub selector: Selector,
    /// Absent until the message is known, for receives of any size.
    pub sink: Option<Sink>,
    pub size_limit: u64,
    pub state: ReceiveState,
}

pub(super) enum Request<O> {
    Send(Send),
    Receive(Receive),
    /// A collective; taken out while it advances.
    Operation(Option<O>),
    /// An operation that has ended.
    Done(Result<Envelope, EngineError>),
}

impl<O> Request<O> {
    pub fn is_over(&self) -> bool {
        match self {
            Request::Send(send) => matches!(send.state, SendState::Over(_)),
            Request::Receive(receive) => matches!(receive.state, ReceiveState::Over(_)),
            Request::Operation(_) => false,
            Request::Done(_) => true,
        }
    }

    /// How it has ended; `None`: it has not.
    fn result(&self) -> Option<Result<Envelope, EngineError>> {
        match self {
            Request::Send(send) => match send.state {
                SendState::Over(result) => Some(result.map(|()| send.envelope())),
                _ => None,
            },
            Request::Receive(receive) => match receive.state {
                ReceiveState::Over(result) => Some(result),
                _ => None,
            },
            Request::Operation(_) => None,
            Request::Done(result) => Some(*result),
        }
    }

    /// The ends of the message, given back.
    fn into_ends(self) -> (Option<Sink>, Option<Source>) {
        match self {
            Request::Send(send) => (None, Some(send.source)),
            Request::Receive(receive) => (receive.sink, None),
            Request::Operation(_) | Request::Done(_) => (None, None),
        }
    }
}

struct Slot<O> {
    generation: u32,
    /// The program does not want the outcome.
    forgotten: bool,
    request: Option<Request<O>>,
}

/// All requests of an engine.
pub(super) struct Requests<O> {
    slots: Vec<Slot<O>>,
    free: Vec<u32>,
    /// Counts completions, so that waiters see whether there is news.
    pub completions: u64,
}

impl<O> Default for Requests<O> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            completions: 0,
        }
    }
}

impl<O> Requests<O> {
    pub fn insert(&mut self, request: Request<O>) -> RequestId {
        if request.is_over() {
            self.completions += 1;
        }
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.request = Some(request);
            return RequestId {
                index,
                generation: slot.generation,
            };
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot {
            generation: 1,
            forgotten: false,
            request: Some(request),
        });
        RequestId {
            index,
            generation: 1,
        }
    }

    fn slot(&mut self, id: RequestId) -> Option<&mut Slot<O>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        (slot.generation == id.generation).then_some(slot)
    }

    pub fn get(&mut self, id: RequestId) -> Option<&mut Request<O>> {
        self.slot(id)?.request.as_mut()
    }

    pub fn is_done(&self, id: RequestId) -> bool {
        self.slots.get(id.index as usize).is_some_and(|slot| {
            slot.generation == id.generation && slot.request.as_ref().is_some_and(Request::is_over)
        })
    }

    /// Takes a request out for good.
    pub fn remove(&mut self, id: RequestId) -> Option<Request<O>> {
        let request = self.slot(id)?.request.take()?;
        self.release(id);
        Some(request)
    }

    /// Takes out a request that has ended.
    pub fn finish(&mut self, id: RequestId) -> Option<Outcome> {
        let result = self.get(id)?.result()?;
        let (sink, source) = self.remove(id)?.into_ends();
        Some(Outcome {
            result,
            sink,
            source,
        })
    }

    /// As [`Requests::finish`], without moving the ends of the message: they are dropped.
    #[inline]
    pub fn finish_envelope(&mut self, id: RequestId) -> Option<Result<Envelope, EngineError>> {
        let result = self.get(id)?.result()?;
        if let Some(slot) = self.slot(id) {
            slot.request = None;
            self.release(id);
        }
        Some(result)
    }

    /// The place of a request that was taken out is free for another, under another number.
    fn release(&mut self, id: RequestId) {
        if let Some(slot) = self.slot(id) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.forgotten = false;
            self.free.push(id.index);
        }
    }

    /// Counts a request that has just ended, and takes it out if nobody asks for it.
    fn note_end(&mut self, id: RequestId) {
        self.completions += 1;
        if self.slot(id).is_some_and(|slot| slot.forgotten) {
            self.remove(id);
        }
    }

    /// Marks an operation as ended.
    pub fn complete(&mut self, id: RequestId, result: Result<Envelope, EngineError>) {
        if let Some(request) = self.get(id) {
            *request = Request::Done(result);
            self.note_end(id);
        }
    }

    /// Lets a request end by itself: nobody will ask for its outcome.
    pub fn forget(&mut self, id: RequestId) {
        if self.is_done(id) {
            self.remove(id);
        } else if let Some(slot) = self.slot(id) {
            slot.forgotten = true;
        }
    }

    /// The sending half of a request, if it is one.
    pub fn send(&mut self, id: RequestId) -> Option<&mut Send> {
        match self.get(id)? {
            Request::Send(send) => Some(send),
            _ => None,
        }
    }

    /// The receiving half of a request, if it is one.
    pub fn receive(&mut self, id: RequestId) -> Option<&mut Receive> {
        match self.get(id)? {
            Request::Receive(receive) => Some(receive),
            _ => None,
        }
    }

    /// Ends a send that has not ended before.
    pub fn complete_send(&mut self, id: RequestId, result: Result<(), EngineError>) {
        if let Some(send) = self.send(id)
            && !matches!(send.state, SendState::Over(_))
        {
            send.state = SendState::Over(result);
            self.note_end(id);
        }
    }

    /// Ends a receive that has not ended before.
    pub fn complete_receive(&mut self, id: RequestId, result: Result<Envelope, EngineError>) {
        if let Some(receive) = self.receive(id)
            && !matches!(receive.state, ReceiveState::Over(_))
        {
            receive.state = ReceiveState::Over(result);
            self.note_end(id);
        }
    }

    /// Whether there is a request that `accepts` names.
    pub fn any(&self, accepts: impl Fn(&Request<O>) -> bool) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| slot.request.as_ref().is_some_and(&accepts))
    }

    /// Numbers of the requests that `accepts` names.
    pub fn select(&self, accepts: impl Fn(&Request<O>) -> bool) -> Vec<RequestId> {
        let named = self.slots.iter().zip(0u32..).filter_map(|(slot, index)| {
            let accepted = slot.request.as_ref().is_some_and(&accepts);
            accepted.then_some(RequestId {
                index,
                generation: slot.generation,
            })
        });
        named.collect()
    }
}

impl Send {
    /// The envelope, from the receiver's side.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            source: self.to,
            tag: self.head.tag,
            len: self.source.len() as u64,
            check: self.head.check,
            form: Form::HERE,
        }
    }

    /// Whether all bytes of a large message have gone out.
    pub fn is_out(&self) -> bool {
        matches!(self.state, SendState::Streaming { offset, end, .. } if offset == end)
    }

    /// A send that has ended before it became a request.
    pub fn over(mut self, result: Result<(), EngineError>) -> Self {
        self.state = SendState::Over(result);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done() -> Request<()> {
        Request::Done(Err(EngineError::Cancelled))
    }

    /// It is moved with every message.
    #[test]
    fn what_is_known_of_a_message_stays_small() {
        assert_eq!(size_of::<Envelope>(), 24);
    }

    #[test]
    fn finished_numbers_are_stale() {
        let mut requests = Requests::default();
        let first = requests.insert(done());
        assert!(requests.is_done(first));
        assert!(requests.remove(first).is_some());
        let second = requests.insert(done());
        assert_ne!(first, second);
        assert!(!requests.is_done(first));
        assert!(requests.remove(first).is_none());
        assert_eq!(RequestId::from_token(second.token()), second);
    }
}
