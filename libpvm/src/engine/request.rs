//! Requests: what is under way, under numbers that detect staleness.

use crate::datatype::{Form, Sink, Source};
use crate::ids::{Context, Tag, TaskId};
use crate::transport::{Head, Kind, Peer};

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
}

impl<O> Request<O> {
    /// The ends of the message, given back.
    fn into_ends(self) -> (Option<Sink>, Option<Source>) {
        match self {
            Request::Send(send) => (None, Some(send.source)),
            Request::Receive(receive) => (receive.sink, None),
            Request::Operation(_) => (None, None),
        }
    }
}

/// How a request has ended.
pub(super) type End = Result<Envelope, EngineError>;

struct Slot<O> {
    generation: u32,
    /// The program does not want the outcome.
    forgotten: bool,
    /// `None`: it goes on.
    end: Option<End>,
    request: Option<Request<O>>,
}

impl<O> Slot<O> {
    /// The request, while it goes on.
    #[inline]
    fn going_on(&mut self) -> Option<&mut Request<O>> {
        match self.end {
            None => self.request.as_mut(),
            Some(_) => None,
        }
    }

    /// Lets the request go: the place is free for another, under another number.
    #[inline]
    fn free(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.forgotten = false;
        self.end = None;
        self.request = None;
    }
}

/// All requests of an engine.
pub(super) struct Requests<O> {
    slots: Vec<Slot<O>>,
    free: Vec<u32>,
    /// How many large messages are under way, by the peers that they go to; parts do not count.
    going_out: Vec<u32>,
    /// Counts completions, so that waiters see whether there is news.
    pub completions: u64,
}

impl<O> Default for Requests<O> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            going_out: Vec::new(),
            completions: 0,
        }
    }
}

impl<O> Requests<O> {
    /// Numbers a request that goes on.
    #[inline]
    pub fn insert(&mut self, request: Request<O>) -> RequestId {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.make_room(),
        };
        let slot = &mut self.slots[index as usize];
        slot.request = Some(request);
        RequestId {
            index,
            generation: slot.generation,
        }
    }

    /// Numbers a send to a peer.
    pub fn insert_send(&mut self, send: Send) -> RequestId {
        if send.is_counted() {
            let to = send.to.index();
            if self.going_out.len() <= to {
                self.going_out.resize(to + 1, 0);
            }
            self.going_out[to] += 1;
        }
        self.insert(Request::Send(send))
    }

    /// Numbers a send that has ended before it became a request.
    pub fn insert_sent(&mut self, send: Send, result: Result<(), EngineError>) -> RequestId {
        let id = self.insert(Request::Send(send));
        self.complete_send(id, result);
        id
    }

    /// A new place.
    #[cold]
    fn make_room(&mut self) -> u32 {
        self.slots.push(Slot {
            generation: 1,
            forgotten: false,
            end: None,
            request: None,
        });
        self.slots.len() as u32 - 1
    }

    #[inline]
    fn slot(&mut self, id: RequestId) -> Option<&mut Slot<O>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        (slot.generation == id.generation).then_some(slot)
    }

    /// A request that goes on.
    #[inline]
    pub fn get(&mut self, id: RequestId) -> Option<&mut Request<O>> {
        self.slot(id)?.going_on()
    }

    /// How a request has ended; `None`: it goes on, or was taken out.
    #[inline]
    pub fn end(&self, id: RequestId) -> Option<&End> {
        let slot = self.slots.get(id.index as usize)?;
        let slot = (slot.generation == id.generation).then_some(slot)?;
        slot.end.as_ref()
    }

    #[inline]
    pub fn is_going_on(&self, id: RequestId) -> bool {
        let slot = self.slots.get(id.index as usize);
        slot.is_some_and(|slot| slot.generation == id.generation && slot.end.is_none())
    }

    pub fn is_done(&self, id: RequestId) -> bool {
        self.end(id).is_some()
    }

    /// Takes a request out for good, with all that it has.
    pub fn remove(&mut self, id: RequestId) {
        if let Some(slot) = self.slot(id) {
            slot.free();
            self.free.push(id.index);
        }
    }

    /// Takes out a request that has ended.
    pub fn finish(&mut self, id: RequestId) -> Option<Outcome> {
        let result = *self.end(id)?;
        let (sink, source) = self.slot(id)?.request.take()?.into_ends();
        self.remove(id);
        Some(Outcome {
            result,
            sink,
            source,
        })
    }

    /// As [`Requests::finish`], without moving the ends of the message, which are dropped. The result is
    /// seen where it lies.
    #[inline]
    pub fn finish_with<R>(&mut self, id: RequestId, look: impl FnOnce(&End) -> R) -> Option<R> {
        let slot = self.slot(id)?;
        let seen = look(slot.end.as_ref()?);
        slot.free();
        self.free.push(id.index);
        Some(seen)
    }

    /// Ends a request that goes on.
    #[inline]
    pub fn complete(&mut self, id: RequestId, end: End) {
        let Some(slot) = self.slot(id).filter(|slot| slot.end.is_none()) else {
            return;
        };
        slot.end = Some(end);
        self.note_end(id);
    }

    /// Counts a request that has just ended, and takes it out if nobody asks for it.
    #[inline]
    fn note_end(&mut self, id: RequestId) {
        self.completions += 1;
        if self.slot(id).is_some_and(|slot| slot.forgotten) {
            self.remove(id);
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

    /// The sending half of a request, if it is a send that goes on.
    #[inline]
    pub fn send(&mut self, id: RequestId) -> Option<&mut Send> {
        match self.get(id)? {
            Request::Send(send) => Some(send),
            _ => None,
        }
    }

    /// The receiving half of a request, if it is a receive that goes on.
    #[inline]
    pub fn receive(&mut self, id: RequestId) -> Option<&mut Receive> {
        match self.get(id)? {
            Request::Receive(receive) => Some(receive),
            _ => None,
        }
    }

    /// Whether large messages to a peer are under way that are no parts.
    pub fn are_going_out(&self, to: Peer) -> bool {
        self.going_out.get(to.index()).is_some_and(|many| *many > 0)
    }

    /// Ends a send that goes on.
    pub fn complete_send(&mut self, id: RequestId, result: Result<(), EngineError>) {
        if let Some(send) = self.send(id) {
            let (envelope, to, is_counted) = (send.envelope(), send.to, send.is_counted());
            if is_counted && let Some(many) = self.going_out.get_mut(to.index()) {
                *many -= 1;
            }
            self.complete(id, result.map(|()| envelope));
        }
    }

    /// Ends a receive that goes on in the way that `take_in` says, which has its message.
    #[inline(always)]
    pub fn take_in(&mut self, id: RequestId, take_in: impl FnOnce(&mut Receive) -> End) {
        let Some(slot) = self.slot(id) else {
            return;
        };
        if let Some(Request::Receive(receive)) = slot.going_on() {
            slot.end = Some(take_in(receive));
            self.note_end(id);
        }
    }

    /// Ends a receive that goes on.
    #[inline]
    pub fn complete_receive(&mut self, id: RequestId, end: End) {
        if self.receive(id).is_some() {
            self.complete(id, end);
        }
    }

    /// Whether a request goes on that `accepts` names.
    pub fn any(&self, accepts: impl Fn(&Request<O>) -> bool) -> bool {
        self.all_going_on().any(|(_, request)| accepts(request))
    }

    /// Numbers of the requests that go on and that `accepts` names.
    pub fn select(&self, accepts: impl Fn(&Request<O>) -> bool) -> Vec<RequestId> {
        let named = self.all_going_on().filter(|(_, request)| accepts(request));
        named.map(|(id, _)| id).collect()
    }

    fn all_going_on(&self) -> impl Iterator<Item = (RequestId, &Request<O>)> {
        self.slots.iter().zip(0u32..).filter_map(|(slot, index)| {
            let request = slot.request.as_ref().filter(|_| slot.end.is_none())?;
            let generation = slot.generation;
            Some((RequestId { index, generation }, request))
        })
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

    /// Whether [`Requests::are_going_out`] tells of it: it is large, and no [part](Source::is_part).
    fn is_counted(&self) -> bool {
        self.head.kind == Kind::Ready && !self.source.is_part()
    }

    /// Whether all bytes of a large message have gone out.
    pub fn is_out(&self) -> bool {
        matches!(self.state, SendState::Streaming { offset, end, .. } if offset == end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::Workspace;
    use crate::engine::progress;

    fn done(requests: &mut Requests<()>) -> RequestId {
        let id = requests.insert(Request::Operation(None));
        requests.complete(id, Err(EngineError::Cancelled));
        id
    }

    #[test]
    fn large_messages_are_counted_until_their_sends_end() {
        let mut requests = Requests::<()>::default();
        let mut begin = |kind, source: Source| {
            requests.insert_send(Send {
                to: Peer(3),
                head: Head {
                    kind,
                    ..progress::head(Context(0), 0, 0)
                },
                source,
                state: SendState::Announced,
            })
        };
        let mut work = Workspace::new();
        work.set_room(0, 100).unwrap();
        let part = work.source(0, 0..100).unwrap();
        let ids = [
            begin(Kind::Ready, Source::from_vec(vec![1; 100])),
            begin(Kind::Ready, part),
            begin(Kind::Ready, Source::from_vec(vec![2; 100])),
            begin(Kind::Eager, Source::from_vec(vec![3; 10])),
        ];
        assert!(requests.are_going_out(Peer(3)) && !requests.are_going_out(Peer(2)));
        for (id, still) in ids.into_iter().zip([true, true, false, false]) {
            requests.complete_send(id, Ok(()));
            requests.complete_send(id, Ok(()));
            assert_eq!(requests.are_going_out(Peer(3)), still);
        }
    }

    /// It is moved with every message.
    #[test]
    fn what_is_known_of_a_message_stays_small() {
        assert_eq!(size_of::<Envelope>(), 24);
    }

    #[test]
    fn finished_numbers_are_stale() {
        let mut requests = Requests::default();
        let first = done(&mut requests);
        assert!(requests.is_done(first));
        assert!(requests.finish(first).is_some());
        let second = done(&mut requests);
        assert_ne!(first, second);
        assert!(!requests.is_done(first));
        assert!(requests.finish(first).is_none());
        assert_eq!(RequestId::from_token(second.token()), second);
    }
}
