//! What arrives, and what waits to go out.

use super::matching::Matcher;
use super::queue::Key;
use super::request::{EngineError, Envelope, ReceiveState, Request, RequestId, Send, SendState};
use super::{Engine, Mode};
use crate::datatype::{Form, Sink, Source, transfer};
use crate::ids::{Context, Tag};
use crate::transport::{Args, Arrived, Body, Head, Kind, Peer, Receiver, SendError, Transport};
use std::collections::VecDeque;
use std::task::Poll;

/// The receiver of this packet shall confirm the match.
pub(super) const FLAG_CONFIRM: u8 = 1;
/// The other flags are the form of the message: what is not set is that of most machines.
const FORM_SHIFT: u32 = 1;
/// Flags of every message that this task sends.
const OWN_FLAGS: u8 = Form::HERE.bits() << FORM_SHIFT;

/// Packets of one stream in a row: a peer that takes them as fast as they come must not keep this
/// task from everything else. Nor may one stream keep the others to the same peer waiting for longer;
/// shorter turns would have all end at the same time, and nothing under way when the next ones begin.
const TURN: usize = 64;

/// Largest message to oneself that is copied when no receive is posted.
const SELF_COPY_MAX: usize = 64 << 10;

/// A message for which no receive was posted when it came.
pub(super) enum Message {
    /// Its bytes.
    Whole {
        bytes: Vec<u8>,
        check: u32,
        form: Form,
        confirm: Option<u64>,
    },
    /// It is with its sender.
    Announced {
        token: u64,
        len: u64,
        address: u64,
        /// As [`Source::is_part`] of what is sent.
        is_part: bool,
        check: u32,
        form: Form,
    },
    /// It is in a send of this task to itself.
    Own {
        send: RequestId,
        len: u64,
        check: u32,
    },
}

impl Message {
    pub fn envelope(&self, key: Key) -> Envelope {
        let (len, check, form) = match self {
            Message::Whole {
                bytes, check, form, ..
            } => (bytes.len() as u64, *check, *form),
            Message::Announced {
                len, check, form, ..
            } => (*len, *check, *form),
            Message::Own { len, check, .. } => (*len, *check, Form::HERE),
        };
        Envelope {
            source: key.source,
            tag: key.tag,
            len,
            check,
            form,
        }
    }
}

/// The form of the message that a packet belongs to.
fn form(head: &Head) -> Form {
    Form::from_bits(head.flags >> FORM_SHIFT)
}

/// The head of a message of this task that is one packet.
#[inline]
pub(super) fn head(context: Context, tag: Tag, check: u32) -> Head {
    Head {
        kind: Kind::Eager,
        flags: OWN_FLAGS,
        context: context.0,
        tag,
        check,
    }
}

/// What is known of a message that is one packet.
#[inline]
pub(super) fn envelope(source: Peer, head: &Head, len: usize) -> Envelope {
    Envelope {
        source,
        tag: head.tag,
        len: len as u64,
        check: head.check,
        form: form(head),
    }
}

/// What is known of a message of a few bytes, of which their number and the check were told.
#[inline(always)]
pub(super) fn short_envelope(source: Peer, tag: Tag, (len, check): (usize, u32)) -> Envelope {
    Envelope {
        source,
        tag,
        len: len as u64,
        check,
        form: Form::HERE,
    }
}

/// Arguments of the first packet of a message that the receiver answers.
pub(super) fn announcement(id: RequestId, source: &Source) -> Args {
    let address = source.contiguous().map_or(0, |base| base.addr() as u64);
    let part = u64::from(source.is_part());
    [id.token(), source.len() as u64, address, part]
}

/// One thing that waits for room towards a peer.
enum Item {
    /// The first packet of a send.
    Message(RequestId),
    /// An answer.
    Answer(Head, Args),
}

/// What waits to go out.
#[derive(Default)]
pub(super) struct Outbox {
    /// By peer.
    waiting: Vec<VecDeque<Item>>,
    /// Peers with something in `waiting`.
    busy: Vec<Peer>,
    /// Sends whose bytes flow, taking turns.
    streams: VecDeque<RequestId>,
    /// Packets of the first of them in its present turn.
    turn: usize,
}

impl Outbox {
    /// Whether something waits for room towards `peer`.
    pub fn is_waiting(&self, peer: Peer) -> bool {
        self.waiting
            .get(peer.index())
            .is_some_and(|queue| !queue.is_empty())
    }

    /// Whether nothing waits at all.
    pub fn is_empty(&self) -> bool {
        self.busy.is_empty() && self.streams.is_empty()
    }

    pub fn push_message(&mut self, peer: Peer, id: RequestId) {
        self.push(peer, Item::Message(id));
    }

    fn push_answer(&mut self, peer: Peer, kind: Kind, args: Args) {
        let head = Head {
            kind,
            flags: 0,
            context: 0,
            tag: 0,
            check: 0,
        };
        self.push(peer, Item::Answer(head, args));
    }

    fn push(&mut self, peer: Peer, item: Item) {
        if self.waiting.len() <= peer.index() {
            self.waiting.resize_with(peer.index() + 1, VecDeque::new);
        }
        let queue = &mut self.waiting[peer.index()];
        if queue.is_empty() {
            self.busy.push(peer);
        }
        queue.push_back(item);
    }

    fn drop_peer(&mut self, peer: Peer) {
        if let Some(queue) = self.waiting.get_mut(peer.index()) {
            queue.clear();
        }
        self.busy.retain(|&busy| busy != peer);
    }
}

/// Result of trying to send an item.
enum Tried {
    Sent,
    Full,
}

impl<T: Transport> Engine<T> {
    /// Takes in what has arrived and sends what waits. Returns whether anything moved.
    #[inline]
    pub fn progress(&mut self) -> bool {
        let completions = self.requests.completions;
        let mut moved = self.poll_transport();
        if !self.outbox.is_empty() {
            moved |= self.flush();
        }
        if !self.operations.is_empty() && self.requests.completions != self.advanced_at {
            self.advance_operations();
        }
        moved | (self.requests.completions != completions)
    }

    /// Polls with the transport beside the rest of the engine.
    fn poll_transport(&mut self) -> bool {
        // The receiver needs the engine's other fields and, to pull large messages, the transport
        // again: it notes those and they are handled when the poll is over.
        let mut intake = Intake {
            spaces: &mut self.spaces,
            requests: &mut self.requests,
            answers: &mut self.outbox,
            news: &mut self.other_news,
            kept: &mut self.kept,
            matched: Vec::new(),
            gone: Vec::new(),
        };
        let moved = self.transport.poll(&mut intake);
        let Intake { matched, gone, .. } = intake;
        for (id, key, message) in matched {
            self.deliver_kept(id, key, message);
        }
        for peer in gone {
            self.drop_peer(peer);
        }
        moved | self.is_newly_lost()
    }

    /// Without a daemon nobody can come whom a receive from anybody waits for.
    fn is_newly_lost(&mut self) -> bool {
        if self.lost || !self.transport.is_lost() {
            return false;
        }
        self.lost = true;
        self.other_news += 1;
        for space in self.spaces.iter_mut() {
            for id in space.matcher.drain_any_source() {
                self.requests.complete_receive(id, Err(EngineError::Lost));
            }
        }
        true
    }

    /// Gives a kept or just announced message to the receive that matched it.
    pub(super) fn deliver_kept(&mut self, id: RequestId, key: Key, message: Message) {
        let envelope = message.envelope(key);
        let Some(receive) = self.requests.receive(id) else {
            return;
        };
        let any_size = receive.sink.is_none();
        if any_size
            && envelope.len <= receive.size_limit
            && !matches!(message, Message::Whole { .. })
        {
            receive.sink = Some(Sink::with_capacity(envelope.len as usize));
        }
        match message {
            Message::Whole { bytes, confirm, .. } => {
                let sink = receive.sink.take();
                let (sink, result) = fill(sink, bytes, envelope, receive.size_limit);
                receive.sink = sink;
                self.requests.complete_receive(id, result);
                if let Some(token) = confirm {
                    self.answer(key.source, Kind::Finish, [token, 0, 0, 0]);
                }
            }
            Message::Own { send, .. } => self.deliver_own(id, send, envelope),
            Message::Announced {
                token,
                address,
                is_part,
                ..
            } => self.fetch(id, envelope, token, (address, is_part)),
        }
    }

    /// Copies a message of this task to itself.
    fn deliver_own(&mut self, id: RequestId, send: RequestId, envelope: Envelope) {
        let Some(receive) = self.requests.receive(id) else {
            return;
        };
        let mut sink = receive.sink.take();
        let limit = receive.size_limit;
        if let (Some(sink), Some(send)) = (sink.as_mut(), self.requests.send(send)) {
            let len = send.source.len().min(sink.capacity());
            transfer(&send.source, 0, sink, 0, len);
        }
        if let Some(receive) = self.requests.receive(id) {
            receive.sink = sink;
        }
        self.requests.complete_receive(id, checked(envelope, limit));
        self.requests.complete_send(send, Ok(()));
    }

    /// Gets an announced message: reads the sender's memory, or asks for the bytes.
    fn fetch(
        &mut self,
        id: RequestId,
        envelope: Envelope,
        token: u64,
        (address, is_part): (u64, bool),
    ) {
        let peer = envelope.source;
        if self.is_gone(peer) {
            // It was claimed before its sender ended.
            let error = EngineError::PeerGone(self.task(peer));
            return self.requests.complete_receive(id, Err(error));
        }
        let crossing = !is_part && self.requests.are_going_out(peer);
        let Some(receive) = self.requests.receive(id) else {
            return;
        };
        let capacity = receive.sink.as_ref().map_or(0, Sink::capacity);
        let limit = receive.size_limit;
        let end = (envelope.len.min(capacity as u64)) as usize;
        let pull_min = self.transport.pull_min(peer, crossing);
        let pulls = pull_min.is_some_and(|min| end >= min);
        let pulled = pulls
            && address != 0
            && receive
                .sink
                .as_mut()
                .is_some_and(|sink| self.transport.pull(peer, address, end, sink, 0).is_ok());
        if end == 0 || pulled {
            self.requests.complete_receive(id, checked(envelope, limit));
            self.answer(peer, Kind::Finish, [token, 0, 0, 0]);
            return;
        }
        receive.state = ReceiveState::Receiving {
            envelope,
            received: 0,
            end,
        };
        self.answer(peer, Kind::Clear, [token, id.token(), end as u64, 0]);
    }

    fn answer(&mut self, to: Peer, kind: Kind, args: Args) {
        self.outbox.push_answer(to, kind, args);
        self.flush_peer(to);
    }

    /// Lets the sender of a message go on that nobody will receive.
    pub(super) fn drop_message(&mut self, from: Peer, message: &Message) {
        match *message {
            Message::Own { send, .. } => self.requests.complete_send(send, Ok(())),
            Message::Whole { confirm: None, .. } => {}
            Message::Announced { token, .. }
            | Message::Whole {
                confirm: Some(token),
                ..
            } => self.answer(from, Kind::Finish, [token, 0, 0, 0]),
        }
    }

    /// Sends to oneself.
    pub(super) fn send_to_self(&mut self, head: Head, source: Source, mode: Mode) -> RequestId {
        let key = Key {
            source: Peer::SELF,
            tag: head.tag,
        };
        let len = source.len();
        let state = SendState::Announced;
        let send = Send {
            to: Peer::SELF,
            head,
            source,
            state,
        };
        let Some(space) = self.spaces.get(head.context) else {
            let error = EngineError::NoSuchContext(Context(head.context));
            return self.requests.insert_sent(send, Err(error));
        };
        let posted = space.matcher.take_receive(key);
        if posted.is_none() && len <= SELF_COPY_MAX && mode == Mode::Standard {
            let bytes = send.source.to_vec(0, len);
            self.other_news += 1;
            space.matcher.keep(
                key,
                Message::Whole {
                    bytes,
                    check: head.check,
                    form: Form::HERE,
                    confirm: None,
                },
            );
            return self.requests.insert_sent(send, Ok(()));
        }
        let id = self.requests.insert(Request::Send(send));
        let message = Message::Own {
            send: id,
            len: len as u64,
            check: head.check,
        };
        match posted {
            Some(receive) => self.deliver_kept(receive, key, message),
            None => {
                self.other_news += 1;
                space.matcher.keep(key, message);
            }
        }
        id
    }

    /// Sends what waits, to everybody.
    fn flush(&mut self) -> bool {
        let mut moved = false;
        let mut at = 0;
        while let Some(&peer) = self.outbox.busy.get(at) {
            moved |= self.flush_peer(peer);
            if self.outbox.busy.get(at) == Some(&peer) {
                at += 1;
            }
        }
        moved | self.stream()
    }

    /// Sends what waits towards one peer.
    pub(super) fn flush_peer(&mut self, peer: Peer) -> bool {
        let mut moved = false;
        while let Some(item) = self
            .outbox
            .waiting
            .get(peer.index())
            .and_then(VecDeque::front)
        {
            let tried = match *item {
                Item::Message(id) => self.try_message(id),
                Item::Answer(head, args) => {
                    match self.transport.send(peer, &head, Some(&args), None) {
                        Err(SendError::Full) => Tried::Full,
                        Ok(()) | Err(SendError::Gone) => Tried::Sent,
                    }
                }
            };
            if matches!(tried, Tried::Full) {
                return moved;
            }
            moved = true;
            if let Some(queue) = self.outbox.waiting.get_mut(peer.index()) {
                queue.pop_front();
            }
        }
        self.outbox.busy.retain(|&busy| busy != peer);
        moved
    }

    /// Sends the first packet of a send.
    fn try_message(&mut self, id: RequestId) -> Tried {
        let Some(send) = self.requests.send(id) else {
            return Tried::Sent;
        };
        let SendState::Queued { args } = send.state else {
            return Tried::Sent;
        };
        let announced = send.head.kind == Kind::Ready;
        let body = (!announced).then(|| Body::whole(&send.source));
        let to = send.to;
        match self.transport.send(to, &send.head, args.as_ref(), body) {
            Err(SendError::Full) => return Tried::Full,
            Err(SendError::Gone) => {
                let error = EngineError::PeerGone(self.transport.task(to));
                self.requests.complete_send(id, Err(error));
            }
            Ok(()) if announced => send.state = SendState::Announced,
            Ok(()) if args.is_some() => send.state = SendState::Unconfirmed,
            Ok(()) => self.requests.complete_send(id, Ok(())),
        }
        Tried::Sent
    }

    /// Lets every stream send what there is room for, at most [`TURN`] packets. Where there is none for
    /// all, the first goes on until its turn is over.
    fn stream(&mut self) -> bool {
        if self.outbox.streams.is_empty() {
            return false;
        }
        let mut sent = 0;
        for place in 0..self.outbox.streams.len() {
            let Some(id) = self.outbox.streams.pop_front() else {
                break;
            };
            let (more, packets) = self.stream_one(id);
            sent += packets;
            if more {
                self.outbox.streams.push_back(id);
            }
            if place == 0 {
                self.outbox.turn = if more { self.outbox.turn + packets } else { 0 };
            }
        }
        if self.outbox.turn >= TURN {
            self.outbox.turn = 0;
            self.outbox.streams.rotate_left(1);
        }
        self.transport.push();
        sent > 0
    }

    /// Returns whether the stream goes on and how many packets went out.
    fn stream_one(&mut self, id: RequestId) -> (bool, usize) {
        let mut sent = 0;
        for _ in 0..TURN {
            let Some(send) = self.requests.send(id) else {
                return (false, sent);
            };
            let SendState::Streaming { token, offset, end } = &mut send.state else {
                return (false, sent);
            };
            if *offset == *end {
                if send.source.is_lent() {
                    return (true, sent);
                }
                self.requests.complete_send(id, Ok(()));
                // Its last packet may have gone out in the turn before: this is progress all the same.
                return (false, sent.max(1));
            }
            let len = self.transport.chunk(send.to).min(*end - *offset);
            let args = [*token, *offset as u64, 0, 0];
            let head = Head {
                kind: Kind::Data,
                ..send.head
            };
            let body = Body {
                source: &send.source,
                offset: *offset,
                len,
                rest: *end - *offset - len,
            };
            match self.transport.send(send.to, &head, Some(&args), Some(body)) {
                Ok(()) => {
                    *offset += len;
                    sent += 1;
                }
                Err(SendError::Full) => return (true, sent),
                Err(SendError::Gone) => {
                    let error = EngineError::PeerGone(self.transport.task(send.to));
                    self.requests.complete_send(id, Err(error));
                    return (false, sent);
                }
            }
        }
        (true, sent)
    }

    /// Fails everything that needs a peer that has ended.
    fn drop_peer(&mut self, peer: Peer) {
        if self.gone.len() <= peer.index() {
            self.gone.resize(peer.index() + 1, false);
        }
        self.gone_count += usize::from(!self.gone[peer.index()]);
        self.gone[peer.index()] = true;
        self.other_news += 1;
        self.outbox.drop_peer(peer);
        let error = EngineError::PeerGone(self.task(peer));
        for space in self.spaces.iter_mut() {
            let is_lost = |message: &Message| matches!(message, Message::Announced { .. });
            for id in space.matcher.drop_peer(peer, is_lost).0 {
                self.requests.complete_receive(id, Err(error));
            }
        }
        let sends = self
            .requests
            .select(|request| matches!(request, Request::Send(send) if send.to == peer));
        for id in sends {
            // That some of it was still read in its place makes no difference.
            let is_out = self.requests.send(id).is_some_and(|send| send.is_out());
            let result = if is_out { Ok(()) } else { Err(error) };
            self.requests.complete_send(id, result);
        }
        let receives = self.requests.select(|request| {
            matches!(request, Request::Receive(receive)
                if matches!(receive.state, ReceiveState::Receiving { envelope, .. }
                    if envelope.source == peer))
        });
        for id in receives {
            self.requests.complete_receive(id, Err(error));
        }
    }

    /// Lets the operations go on until none of them has news.
    fn advance_operations(&mut self) {
        while self.requests.completions != self.advanced_at {
            self.advanced_at = self.requests.completions;
            let mut at = 0;
            while let Some(&id) = self.operations.get(at) {
                if self.advance(id) {
                    self.operations.remove(at);
                } else {
                    at += 1;
                }
            }
        }
    }

    /// Lets one operation go on; returns whether it is over.
    fn advance(&mut self, id: RequestId) -> bool {
        let Some(Request::Operation(slot)) = self.requests.get(id) else {
            return true;
        };
        let Some(mut operation) = slot.take() else {
            // Its last step never came back: a callback of the program has panicked.
            let error = EngineError::Operation("a callback has panicked");
            self.requests.complete(id, Err(error));
            return true;
        };
        match operation.advance(self) {
            Poll::Ready(result) => {
                self.requests.complete(id, result);
                true
            }
            Poll::Pending => {
                if let Some(Request::Operation(slot)) = self.requests.get(id) {
                    *slot = Some(operation);
                }
                false
            }
        }
    }
}

/// The error of a message larger than its room.
#[inline]
pub(super) fn fits(envelope: &Envelope, capacity: u64) -> Result<(), EngineError> {
    if envelope.len <= capacity {
        return Ok(());
    }
    Err(EngineError::Truncated {
        envelope: *envelope,
        len: envelope.len,
        capacity,
    })
}

/// The envelope, or the error of a message larger than its room.
#[inline]
pub(super) fn checked(envelope: Envelope, capacity: u64) -> Result<Envelope, EngineError> {
    fits(&envelope, capacity).map(|()| envelope)
}

/// Puts whole bytes into a sink, or makes them one.
fn fill(
    sink: Option<Sink>,
    mut bytes: Vec<u8>,
    envelope: Envelope,
    limit: u64,
) -> (Option<Sink>, Result<Envelope, EngineError>) {
    let result = checked(envelope, limit);
    let sink = match sink {
        Some(mut sink) => {
            sink.write(0, &bytes);
            sink
        }
        None => {
            bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Sink::from_vec(bytes)
        }
    };
    (Some(sink), result)
}

/// Takes in what a poll shows.
struct Intake<'a, O> {
    spaces: &'a mut super::Spaces,
    requests: &'a mut super::Requests<O>,
    answers: &'a mut Outbox,
    /// Counts what is no completion and somebody may wait for.
    news: &'a mut u64,
    /// Counts messages that no receive was posted for.
    kept: &'a mut u64,
    /// Announced messages with their receives, to be fetched when the poll is over.
    matched: Vec<(RequestId, Key, Message)>,
    gone: Vec<Peer>,
}

impl<O> Receiver for Intake<'_, O> {
    #[inline]
    fn packet<A: Arrived>(&mut self, from: Peer, head: Head, args: Args, body: A) {
        match head.kind {
            Kind::Eager => self.eager(from, head, args, body),
            Kind::Ready => self.ready(from, head, args),
            Kind::Clear => self.clear(from, args),
            Kind::Data => self.data(from, args, body),
            Kind::Finish => self.finish(from, args),
        }
    }

    fn gone(&mut self, peer: Peer) {
        self.gone.push(peer);
    }

    fn news(&mut self) {
        *self.news += 1;
    }
}

impl<O> Intake<'_, O> {
    fn matcher(&mut self, head: &Head) -> Option<&mut Matcher<RequestId, Message>> {
        Some(&mut self.spaces.get(head.context)?.matcher)
    }

    /// Tells the sender that its message has found its end.
    fn confirm(&mut self, to: Peer, token: u64) {
        self.answers.push_answer(to, Kind::Finish, [token, 0, 0, 0]);
    }

    fn eager<A: Arrived>(&mut self, from: Peer, head: Head, args: Args, body: A) {
        let confirm = (head.flags & FLAG_CONFIRM != 0).then_some(args[0]);
        let key = Key {
            source: from,
            tag: head.tag,
        };
        let Some(matcher) = self.matcher(&head) else {
            // The context is closed: the message is dropped.
            return confirm
                .into_iter()
                .for_each(|token| self.confirm(from, token));
        };
        let Some(id) = matcher.take_receive(key) else {
            let message = Message::Whole {
                bytes: body.to_vec(),
                check: head.check,
                form: form(&head),
                confirm,
            };
            matcher.keep(key, message);
            *self.kept += 1;
            return;
        };
        let envelope = envelope(from, &head, body.len());
        self.requests.take_in(id, |receive| {
            let limit = receive.size_limit;
            let sink = receive.sink.get_or_insert_with(|| {
                Sink::with_capacity(body.len().min(usize::try_from(limit).unwrap_or(usize::MAX)))
            });
            body.read_into(sink, 0);
            checked(envelope, limit)
        });
        if let Some(token) = confirm {
            self.confirm(from, token);
        }
    }

    fn ready(&mut self, from: Peer, head: Head, args: Args) {
        let [token, len, address, part] = args;
        let key = Key {
            source: from,
            tag: head.tag,
        };
        let message = Message::Announced {
            token,
            len,
            address,
            is_part: part != 0,
            check: head.check,
            form: form(&head),
        };
        let Some(matcher) = self.matcher(&head) else {
            return self.confirm(from, token);
        };
        match matcher.take_receive(key) {
            Some(id) => self.matched.push((id, key, message)),
            None => {
                matcher.keep(key, message);
                *self.kept += 1;
            }
        }
    }

    fn clear(&mut self, from: Peer, args: Args) {
        let id = RequestId::from_token(args[0]);
        let Some(send) = self.requests.send(id) else {
            return;
        };
        if send.to != from || !matches!(send.state, SendState::Announced) {
            return;
        }
        let end = usize::try_from(args[2])
            .unwrap_or(usize::MAX)
            .min(send.source.len());
        send.source.share();
        send.state = SendState::Streaming {
            token: args[1],
            offset: 0,
            end,
        };
        self.answers.streams.push_back(id);
    }

    fn data<A: Arrived>(&mut self, from: Peer, args: Args, body: A) {
        let id = RequestId::from_token(args[0]);
        let Some(receive) = self.requests.receive(id) else {
            return;
        };
        let ReceiveState::Receiving {
            envelope,
            received,
            end,
        } = &mut receive.state
        else {
            return;
        };
        let fits = *received as u64 == args[1] && body.len() <= *end - *received;
        if envelope.source != from || !fits {
            return;
        }
        if let Some(sink) = receive.sink.as_mut() {
            body.read_into(sink, *received);
        }
        *received += body.len();
        if *received == *end {
            let result = checked(*envelope, receive.size_limit);
            self.requests.complete_receive(id, result);
        }
    }

    fn finish(&mut self, from: Peer, args: Args) {
        let id = RequestId::from_token(args[0]);
        let Some(send) = self.requests.send(id) else {
            return;
        };
        if send.to == from && matches!(send.state, SendState::Announced | SendState::Unconfirmed) {
            self.requests.complete_send(id, Ok(()));
        }
    }
}
