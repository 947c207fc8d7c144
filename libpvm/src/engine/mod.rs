//! Matching and requests: the engine that every family of programs runs on.
//!
//! # Protocol
//! A message that is small for its route travels as one `Eager` packet. A larger one is announced
//! (`Ready`: length and address); when a receive takes it, the receiver either reads the sender's
//! memory and says `Finish`, or says `Clear`, and the sender streams `Data` packets. A synchronous
//! message asks for a `Finish` when it is matched. The first packet of every message goes out in
//! the order of the sends to that peer; nothing else needs an order.
//!
//! # Numbers from peers
//! A packet's request number is the receiver's own, given to the peer before; a number that is
//! stale, or belongs to a request with another peer, is ignored: a peer can spoil its own messages
//! only.
//!
//! # Forms
//! A message travels as it lies in its sender's memory, and its packets say in which [`Form`] that is.
//! The engine passes that on: who receives knows the element type, and makes the numbers its own.
//!
//! [`Form`]: crate::datatype::Form
//!
//! # Threads and time
//! The engine has no thread, clock or lock; it does what its caller's thread lets it do in
//! [`Engine::progress`]. [`Core`] adds the gate and the waiting, [`Task`] the daemon.

mod bins;
mod core;
mod direct;
mod looks;
mod matching;
mod progress;
mod queue;
mod request;
mod space;
mod task;

pub use self::core::{Awake, Core, WaitError};
pub use self::matching::Selector;
pub use self::request::{EngineError, Envelope, Outcome, RequestId};
pub use self::task::{AskError, BadWelcome, Task, TaskEngine};

use self::progress::{Message, Outbox};
use self::queue::Key;
use self::request::{Receive, ReceiveState, Request, Requests, Send, SendState};
use self::space::{Space, Spaces};
use crate::datatype::{Sink, Source};
use crate::ids::{Context, Tag, TaskId};
use crate::transport::{self, Call, Kind, Peer, Transport};
use std::task::Poll;

/// How a send ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// When the memory may be used again.
    Standard,
    /// When, besides, a receive has taken the message.
    Synchronous,
}

/// Something that goes on inside the engine: a running collective.
pub trait Operation<T: Transport>: std::marker::Send {
    /// Called at the start and after every completion of any request until it is done. It may
    /// start and finish requests, and must not call [`Engine::progress`].
    fn advance(&mut self, engine: &mut Engine<T>) -> Poll<Result<Envelope, EngineError>>;
}

type Boxed<T> = Box<dyn Operation<T>>;

/// A message taken out of the queue by [`Engine::claim`], for one receive.
pub struct Claim {
    key: Key,
    message: Message,
}

/// The engine of one task over a transport.
pub struct Engine<T: Transport> {
    transport: T,
    me: TaskId,
    spaces: Spaces,
    requests: Requests<Boxed<T>>,
    outbox: Outbox,
    /// Peers that have ended.
    gone: Vec<bool>,
    gone_count: usize,
    operations: Vec<RequestId>,
    /// Completions when the operations last advanced.
    advanced_at: u64,
    /// Counts what is no completion and somebody may wait for.
    other_news: u64,
    /// Messages of peers that no receive was posted for.
    kept: u64,
    /// The transport is lost, and everything that waited for it has failed.
    lost: bool,
    /// Counts looks at the packets of one peer alone.
    looks: u32,
    /// Something small was sent since the last receive: an answer may be awaited.
    has_sent: bool,
}

impl<T: Transport> Engine<T> {
    /// An engine for the task `me`, with the well-known contexts open.
    pub fn new(transport: T, me: TaskId) -> Self {
        Self {
            transport,
            me,
            spaces: Spaces::new(),
            requests: Requests::default(),
            outbox: Outbox::default(),
            gone: Vec::new(),
            gone_count: 0,
            operations: Vec::new(),
            advanced_at: 0,
            other_news: 0,
            kept: 0,
            lost: false,
            looks: 0,
            has_sent: false,
        }
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The task itself.
    pub fn me(&self) -> TaskId {
        self.me
    }

    /// The local number of a task.
    pub fn peer(&mut self, task: TaskId) -> Peer {
        if task == self.me {
            Peer::SELF
        } else {
            self.transport.peer(task)
        }
    }

    /// The task behind a local number.
    pub fn task(&self, peer: Peer) -> TaskId {
        if peer == Peer::SELF {
            self.me
        } else {
            self.transport.task(peer)
        }
    }

    /// What a thread does that waits for a message, for those who look.
    pub fn call(&self, operation: transport::Operation, selector: Selector, bytes: u64) -> Call {
        Call {
            operation: operation as u32,
            context: selector.context.0,
            peer: selector.source.map_or(0, |peer| self.task(peer).bits()),
            tag: selector.tag.unwrap_or(-1),
            bytes,
            ..Call::default()
        }
    }

    /// Whether the peer is known to have ended.
    pub fn is_gone(&self, peer: Peer) -> bool {
        self.gone.get(peer.index()).copied().unwrap_or(false)
    }

    /// How many peers are known to have ended.
    pub fn gone_count(&self) -> usize {
        self.gone_count
    }

    /// Whether a receive waits for a message of anybody.
    pub fn is_for_anybody(&mut self, receive: RequestId) -> bool {
        let receive = self.requests.receive(receive);
        receive.is_some_and(|receive| {
            receive.selector.source.is_none() && matches!(receive.state, ReceiveState::Posted)
        })
    }

    /// Whether the daemon has gone, and all peers with it.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Opens two contexts, for messages and (the next number) for collectives.
    pub fn open_context(&mut self) -> Context {
        self.spaces.open()
    }

    /// Closes the two contexts that [`Engine::open_context`] opened: receives in them are
    /// cancelled, messages for them dropped, also those that come later. Their senders are told
    /// what a receive would tell them.
    pub fn close_context(&mut self, context: Context) {
        for mut matcher in self.spaces.close(context) {
            let (receives, messages) = matcher.drain();
            for request in receives {
                self.requests
                    .complete_receive(request, Err(EngineError::Cancelled));
            }
            for (key, message) in messages {
                self.drop_message(key.source, &message);
            }
        }
    }

    /// Starts a send. `context` is the receiver's number.
    pub fn send(
        &mut self,
        to: Peer,
        context: Context,
        tag: Tag,
        check: u32,
        source: Source,
        mode: Mode,
    ) -> RequestId {
        let head = progress::head(context, tag, check);
        if to == Peer::SELF {
            return self.send_to_self(head, source, mode);
        }
        let state = SendState::Queued { args: None };
        self.start_send(
            Send {
                to,
                head,
                source,
                state,
            },
            mode,
        )
    }

    /// Starts a receive into `sink`.
    #[inline]
    pub fn receive(&mut self, selector: Selector, sink: Sink) -> RequestId {
        let size_limit = sink.capacity() as u64;
        let state = ReceiveState::Posted;
        self.start_receive(Receive {
            selector,
            sink: Some(sink),
            size_limit,
            state,
        })
    }

    /// Starts a receive of a message of any size up to `limit` bytes; the outcome's sink owns it.
    pub fn receive_any_size(&mut self, selector: Selector, limit: u64) -> RequestId {
        let state = ReceiveState::Posted;
        self.start_receive(Receive {
            selector,
            sink: None,
            size_limit: limit,
            state,
        })
    }

    /// The oldest message that a receive with this selector would take now, after a look at what
    /// has arrived.
    pub fn probe(&mut self, selector: Selector) -> Option<Envelope> {
        self.progress();
        let space = self.space(selector.context)?;
        space
            .matcher
            .peek_message(selector)
            .map(|(key, message)| message.envelope(key))
    }

    /// Takes that message out of the queue, for one [`Engine::receive_claimed`].
    pub fn claim(&mut self, selector: Selector) -> Option<(Claim, Envelope)> {
        self.progress();
        let (key, message) = self
            .space(selector.context)?
            .matcher
            .take_message(selector)?;
        let envelope = message.envelope(key);
        Some((Claim { key, message }, envelope))
    }

    /// Starts the receive of a claimed message.
    pub fn receive_claimed(&mut self, claim: Claim, sink: Sink) -> RequestId {
        let Claim { key, message } = claim;
        let selector = Selector {
            context: Context(0),
            source: Some(key.source),
            tag: Some(key.tag),
        };
        let size_limit = sink.capacity() as u64;
        let state = ReceiveState::Posted;
        let receive = Receive {
            selector,
            sink: Some(sink),
            size_limit,
            state,
        };
        let id = self.requests.insert(Request::Receive(receive));
        self.deliver_kept(id, key, message);
        id
    }

    /// Drops a message that was kept in a context, with a tag that `accepts` names; gives what is known
    /// of it. For those who know that nobody will receive it.
    #[inline]
    pub fn drop_kept(
        &mut self,
        context: Context,
        accepts: impl Fn(Tag) -> bool,
    ) -> Option<Envelope> {
        let space = self.space(context)?;
        let (key, message) = space.matcher.take_where(|key| accepts(key.tag))?;
        let envelope = message.envelope(key);
        self.drop_message(key.source, &message);
        Some(envelope)
    }

    /// How many messages have come that were not received, in contexts that are open, and one of them.
    pub fn not_received(&mut self) -> (usize, Option<Envelope>) {
        self.progress();
        let mut all = (0, None);
        for space in self.spaces.iter_mut() {
            let (count, oldest) = space.matcher.kept();
            all.0 += count;
            all.1 = all.1.or(oldest.map(|(key, message)| message.envelope(key)));
        }
        all
    }

    /// Whether a request has not ended.
    #[inline]
    pub fn is_going_on(&self, request: RequestId) -> bool {
        self.requests.is_going_on(request)
    }

    /// How a request has ended, which is not taken out; `None`: it goes on, or was taken out before.
    #[inline]
    pub fn end(&self, request: RequestId) -> Option<&Result<Envelope, EngineError>> {
        self.requests.end(request)
    }

    /// Whether a request has ended.
    pub fn is_complete(&self, request: RequestId) -> bool {
        self.requests.is_done(request)
    }

    /// Whose message a receive is taking in; `None`: none was matched with it yet, or it has ended.
    pub fn sender_of(&mut self, receive: RequestId) -> Option<Peer> {
        match self.requests.receive(receive)?.state {
            ReceiveState::Receiving { envelope, .. } => Some(envelope.source),
            ReceiveState::Posted => None,
        }
    }

    /// Takes the outcome of a request that has ended; its number is stale from then on.
    pub fn finish(&mut self, request: RequestId) -> Option<Outcome> {
        self.requests.finish(request)
    }

    /// As [`Engine::finish`], for those who do not want the ends of the message back.
    #[inline]
    pub fn finish_envelope(&mut self, request: RequestId) -> Option<Result<Envelope, EngineError>> {
        self.requests.finish_with(request, |end| *end)
    }

    /// As [`Engine::finish_envelope`]; the result is seen where it lies, and not copied.
    #[inline]
    pub fn finish_with<R>(
        &mut self,
        request: RequestId,
        look: impl FnOnce(&Result<Envelope, EngineError>) -> R,
    ) -> Option<R> {
        self.requests.finish_with(request, look)
    }

    /// Lets a request end by itself. A send goes through; a receive stays posted.
    pub fn forget(&mut self, request: RequestId) {
        self.requests.forget(request);
    }

    /// Takes a receive back if no message has been matched with it: it then ends with
    /// [`EngineError::Cancelled`]. Has no effect on anything else.
    pub fn cancel(&mut self, request: RequestId) {
        self.give_up(request, EngineError::Cancelled);
    }

    /// As [`Engine::cancel`], for another reason.
    pub fn give_up(&mut self, request: RequestId, error: EngineError) {
        let Some(receive) = self.requests.receive(request) else {
            return;
        };
        if !matches!(receive.state, ReceiveState::Posted) {
            return;
        }
        let selector = receive.selector;
        let Some(space) = self.space(selector.context) else {
            return;
        };
        if space.matcher.withdraw(selector, request) {
            self.requests.complete_receive(request, Err(error));
        }
    }

    /// Starts an operation.
    pub fn start(&mut self, mut operation: Boxed<T>) -> RequestId {
        let id = self.requests.insert(Request::Operation(None));
        match operation.advance(self) {
            Poll::Ready(result) => {
                self.requests.complete(id, result);
            }
            Poll::Pending => {
                if let Some(request) = self.requests.get(id) {
                    *request = Request::Operation(Some(operation));
                }
                self.operations.push(id);
            }
        }
        id
    }

    /// Changes with everything that a thread may wait for: requests that have ended, messages to
    /// oneself, peers that have ended, words of the daemon. Messages of peers that a probe would
    /// find are counted by [`Engine::kept`].
    pub fn news(&self) -> u64 {
        self.requests.completions.wrapping_add(self.other_news)
    }

    /// Counts as the end of a request: somebody else has completed what a thread or an operation may
    /// wait for.
    pub fn announce(&mut self) {
        self.requests.completions += 1;
    }

    /// How many messages of peers have come so far that no receive was posted for.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether nothing of this task is under way to its peers: no send, no confirmation, no
    /// collective. If it leaves before, their requests fail.
    pub fn is_quiet(&self) -> bool {
        let is_sent =
            |request: &Request<_>| matches!(request, Request::Send(send) if send.to != Peer::SELF);
        self.outbox.is_empty() && self.operations.is_empty() && !self.requests.any(is_sent)
    }

    /// Whether no message is under way that this task receives in a context of its own, or sends to one
    /// that `is_target` names.
    pub fn is_quiet_in(&self, context: Context, is_target: impl Fn(Peer, Context) -> bool) -> bool {
        !self.requests.any(|request| match request {
            Request::Send(send) => is_target(send.to, Context(send.head.context)),
            Request::Receive(receive) => receive.selector.context == context,
            Request::Operation(_) => false,
        })
    }

    fn space(&mut self, context: Context) -> Option<&mut Space> {
        self.spaces.get(context.0)
    }

    fn start_send(&mut self, mut send: Send, mode: Mode) -> RequestId {
        if mode == Mode::Standard
            && let Some(result) = self.try_eager(send.to, &send.head, &send.source)
        {
            return self.requests.insert_sent(send, result);
        }
        let eager = send.source.len() <= self.transport.eager_max(send.to);
        let to = send.to;
        let with_args = !eager || mode == Mode::Synchronous;
        if !eager {
            send.head.kind = Kind::Ready;
        }
        let id = self.requests.insert_send(send);
        if with_args && let Some(send) = self.requests.send(id) {
            let args = progress::announcement(id, &send.source);
            if eager {
                send.head.flags |= progress::FLAG_CONFIRM;
            }
            send.state = SendState::Queued { args: Some(args) };
        }
        self.outbox.push_message(to, id);
        self.flush_peer(to);
        id
    }

    #[inline]
    fn start_receive(&mut self, receive: Receive) -> RequestId {
        let selector = receive.selector;
        let id = self.requests.insert(Request::Receive(receive));
        let Some(space) = self.spaces.get(selector.context.0) else {
            let error = EngineError::NoSuchContext(selector.context);
            self.requests.complete_receive(id, Err(error));
            return id;
        };
        if let Some((key, message)) = space.matcher.take_message(selector) {
            self.deliver_kept(id, key, message);
            return id;
        }
        let is_gone = |peer: Peer| self.gone.get(peer.index()) == Some(&true);
        match selector.source {
            Some(source) if is_gone(source) => {
                let error = EngineError::PeerGone(self.task(source));
                self.requests.complete_receive(id, Err(error));
            }
            None if self.lost => self.requests.complete_receive(id, Err(EngineError::Lost)),
            source => {
                space.matcher.post(selector, id);
                if let Some(source) = source.filter(|&source| source != Peer::SELF) {
                    self.transport.watch(source);
                }
            }
        }
        id
    }
}

/// The same tests over each transport that can be had in one thread.
#[cfg(test)]
#[path = "."]
mod over_sim {
    mod substrate {
        pub(super) use crate::transport::sim::{Behaviour, Network, SimTransport as Net, task};
    }
    #[allow(clippy::duplicate_mod, reason = "one suite, several substrates")]
    mod tests;
}

#[cfg(all(test, not(loom)))]
#[path = "."]
mod over_hosts {
    mod substrate {
        pub(super) use crate::transport::standin::{
            Behaviour, Network, NetworkTransport as Net, task,
        };
    }
    #[allow(clippy::duplicate_mod, reason = "one suite, several substrates")]
    mod tests;
}

#[cfg(all(test, not(loom)))]
mod threads;

#[cfg(all(test, not(loom)))]
mod weather;
