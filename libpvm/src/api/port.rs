//! Messages between this task and numbered peers: what communicators and task ids have in common.

use super::error::{Error, Result, SentType};
use super::foreign;
use super::plain::{Plain, plain_hash, value_hash};
use super::request::Request;
use super::shared::{Shared, TaskEngine};
use super::status::Status;
use crate::datatype::{Sink, Source, lend, lend_mut};
use crate::engine::{Claim, EngineError, Envelope, Mode, Outcome, Selector};
use crate::ids::{Context, Tag};
use crate::limits::VALUE_MAX;
use crate::transport::{Peer, Transport};
use crate::wire::value;
use bytemuck::allocation::{box_bytes_of, try_from_box_bytes, try_zeroed_slice_box};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Where a message goes.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub peer: Peer,
    /// The receiver's number.
    pub context: Context,
    pub tag: Tag,
}

/// Turns peers into what the program calls them.
pub(super) trait Names: Clone + Send + Sync + 'static {
    /// Rank or task id.
    type Name: Send + 'static;
    /// The task that all messages go through.
    fn shared(&self) -> &Arc<Shared>;
    /// What the program calls a peer. Peers that have no name are not heard of.
    fn name(&self, peer: Peer) -> Option<Self::Name>;
}

/// A matched message that nothing has been received of.
pub(super) struct Claimed {
    pub claim: Claim,
    pub envelope: Envelope,
}

/// Refuses the library's own tags.
#[inline]
pub(super) fn check_tag(tag: Tag) -> Result<()> {
    if tag < 0 {
        Err(Error::NegativeTag(tag))
    } else {
        Ok(())
    }
}

/// The status of a message.
#[inline]
pub(super) fn status<N: Names>(names: &N, envelope: &Envelope) -> Result<Status<N::Name>> {
    let Envelope {
        source, tag, len, ..
    } = *envelope;
    match names.name(source) {
        Some(source) => Ok(Status { source, tag, len }),
        None => Err(Error::Stranger),
    }
}

impl Shared {
    #[inline]
    pub fn send<T: Plain>(&self, to: &Target, data: &[T], mode: Mode) -> Result<()> {
        self.send_bytes(to, plain_hash::<T>(), bytemuck::cast_slice(data), mode)
    }

    pub fn send_value<T: Serialize + ?Sized>(&self, to: &Target, value: &T) -> Result<()> {
        let bytes = value::encode(value).map_err(Error::Unsendable)?;
        self.send_bytes(to, value_hash::<T>(), &bytes, Mode::Standard)
    }

    // The parts of `to` stay in registers, as they would not if it were given by value: read back from memory in other
    // pieces than they were written in, they would be waited for.
    #[inline(always)]
    fn send_bytes(&self, to: &Target, check: u32, bytes: &[u8], mode: Mode) -> Result<()> {
        let Target { peer, context, tag } = *to;
        let core = &self.core;
        core.send_bytes(peer, context, tag, check, bytes, mode)??;
        Ok(())
    }

    /// Receives into a slice; the rest of it stays as it is. What came is told in `envelope`.
    #[inline]
    pub fn receive_into<T: Plain>(
        &self,
        from: Selector,
        data: &mut [T],
        envelope: &mut Envelope,
    ) -> Result<()> {
        let room = bytemuck::cast_slice_mut(data);
        let received = self.core.receive_bytes(from, room, envelope)?;
        match received {
            Ok(()) => open(envelope, data),
            Err(error) => Err(open_cut_off(error, data)),
        }
    }

    /// Receives a message of any size.
    pub fn receive<T: Plain>(&self, from: Selector) -> Result<(Vec<T>, Envelope)> {
        let claimed = self.claim(from)?;
        self.receive_claimed(claimed)
    }

    pub fn receive_value<T: DeserializeOwned>(&self, from: Selector) -> Result<(T, Envelope)> {
        let outcome = self.run(|engine| engine.receive_any_size(from, VALUE_MAX as u64))?;
        self.open_value(outcome)
    }

    /// Waits for a message and takes it out of the queue.
    pub fn claim(&self, from: Selector) -> Result<Claimed> {
        self.watch(from)?;
        self.wait(|engine| claim_now(engine, from).or_else(|| peer_gone(engine, from)))?
            .map_err(Error::from)
    }

    /// Waits for a message and leaves it where it is.
    pub fn wait_message(&self, from: Selector) -> Result<Envelope> {
        self.watch(from)?;
        self.wait(|engine| {
            engine
                .probe(from)
                .map(Ok)
                .or_else(|| peer_gone(engine, from))
        })?
        .map_err(Error::from)
    }

    /// Makes sure that the end of the sender ends the wait.
    fn watch(&self, from: Selector) -> Result<()> {
        if let Some(peer) = from.source.filter(|&peer| peer != Peer::SELF) {
            self.core.with(|engine| engine.transport().watch(peer))?;
        }
        Ok(())
    }

    /// Receives a claimed message into memory of its size.
    pub fn receive_claimed<T: Plain>(&self, claimed: Claimed) -> Result<(Vec<T>, Envelope)> {
        let Claimed { claim, envelope } = claimed;
        let room = match envelope.form.is_foreign() {
            true => foreign::room_len::<T>(&envelope),
            false => check_plain::<T>(&envelope).map(|()| envelope.len),
        };
        let room = room.and_then(room_for::<T>);
        match room {
            Ok(room) => {
                let sink = Sink::from_boxed(box_bytes_of(room));
                let outcome = self.run(|engine| engine.receive_claimed(claim, sink))?;
                open_plain(outcome)
            }
            Err(error) => {
                self.discard(claim)?;
                Err(error)
            }
        }
    }

    pub fn receive_claimed_into<T: Plain>(
        &self,
        claimed: Claimed,
        data: &mut [T],
    ) -> Result<Envelope> {
        let received = lend_mut(bytemuck::cast_slice_mut(data), |sink| {
            let claim = claimed.claim;
            self.run_for_envelope(|engine| engine.receive_claimed(claim, sink))
        })?;
        settle(received, data)
    }

    pub fn receive_claimed_value<T: DeserializeOwned>(
        &self,
        claimed: Claimed,
    ) -> Result<(T, Envelope)> {
        let Claimed { claim, envelope } = claimed;
        let room = match check::<T>(&envelope, value_hash::<T>()) {
            Ok(()) => room_for::<u8>(envelope.len),
            Err(error) => Err(error),
        };
        match room {
            Ok(room) => {
                let sink = Sink::from_vec(room.into_vec());
                let outcome = self.run(|engine| engine.receive_claimed(claim, sink))?;
                self.open_value(outcome)
            }
            Err(error) => {
                self.discard(claim)?;
                Err(error)
            }
        }
    }

    /// Receives a claimed message into nothing, so that its sender can go on.
    pub fn discard(&self, claim: Claim) -> Result<()> {
        self.core.with(|engine| {
            let request = engine.receive_claimed(claim, Sink::with_capacity(0));
            engine.forget(request);
        })?;
        Ok(())
    }

    /// Sends one slice and receives another at the same time.
    pub fn send_receive<S: Plain, R: Plain>(
        &self,
        to: Target,
        data: &[S],
        from: Selector,
        room: &mut [R],
    ) -> Result<Envelope> {
        let Target { peer, context, tag } = to;
        let check = plain_hash::<S>();
        let (sent, received) = lend(bytemuck::cast_slice(data), |source| {
            lend_mut(bytemuck::cast_slice_mut(room), |sink| {
                let mut ends = Some((source, sink));
                let mut requests = None;
                let (mut sent, mut received) = (None, None);
                self.wait(|engine| {
                    if let Some((source, sink)) = ends.take() {
                        let receive = engine.receive(from, sink);
                        let mode = Mode::Standard;
                        requests = Some((
                            engine.send(peer, context, tag, check, source, mode),
                            receive,
                        ));
                    }
                    let (send, receive) = requests?;
                    let over = |outcome: Outcome| outcome.result;
                    sent = sent.take().or_else(|| engine.finish(send).map(over));
                    received = received.take().or_else(|| engine.finish(receive).map(over));
                    Some((sent?, received?))
                })
            })
        })?;
        sent?;
        settle(received, room)
    }

    fn open_value<T: DeserializeOwned>(&self, outcome: Outcome) -> Result<(T, Envelope)> {
        let envelope = outcome.result?;
        check::<T>(&envelope, value_hash::<T>())?;
        let bytes = outcome.sink.and_then(Sink::into_vec).unwrap_or_default();
        match value::decode(&bytes) {
            Ok(value) => Ok((value, envelope)),
            Err(error) => Err(Error::Malformed {
                why: error.to_string(),
            }),
        }
    }
}

/// The elements that a receive has brought.
fn open_plain<T: Plain>(outcome: Outcome) -> Result<(Vec<T>, Envelope)> {
    let mut data: Vec<T> = outcome
        .sink
        .and_then(Sink::into_boxed)
        .and_then(unbox)
        .unwrap_or_default();
    let envelope = settle(outcome.result, &mut data)?;
    data.truncate((envelope.len / size_of::<T>() as u64) as usize);
    Ok((data, envelope))
}

/// Checks that `data` has got what was asked for, or the beginning of a message that is cut off, and
/// makes it ours if it is not. The envelope tells the length as it is here.
#[inline]
fn settle<T: Plain>(
    received: std::result::Result<Envelope, EngineError>,
    data: &mut [T],
) -> Result<Envelope> {
    match received {
        Ok(mut envelope) => open(&mut envelope, data).map(|()| envelope),
        Err(error) => Err(open_cut_off(error, data)),
    }
}

/// Makes what has come numbers of this machine.
#[inline]
fn open<T: Plain>(envelope: &mut Envelope, data: &mut [T]) -> Result<()> {
    if envelope.form.is_foreign() {
        *envelope = foreign::open(*envelope, data)?;
        return Ok(());
    }
    check_plain::<T>(envelope)
}

/// Of a message that is too long the beginning is there.
#[cold]
fn open_cut_off<T: Plain>(error: EngineError, data: &mut [T]) -> Error {
    match error.cut_off() {
        Some(envelope) => foreign::open_beginning(&envelope, data),
        None => error.into(),
    }
}

fn check_plain<T: Plain>(envelope: &Envelope) -> Result<()> {
    let untyped_bytes = envelope.check == 0 && plain_hash::<T>() == plain_hash::<u8>();
    if !untyped_bytes {
        check::<T>(envelope, plain_hash::<T>())?;
    }
    match envelope.len.is_multiple_of(size_of::<T>() as u64) {
        true => Ok(()),
        false => Err(not_whole::<T>(envelope.len)),
    }
}

/// The error of a message that ends inside an element.
pub(super) fn not_whole<T>(len: u64) -> Error {
    let element = std::any::type_name::<T>();
    Error::Malformed {
        why: format!("{len} bytes are not a whole number of {element}"),
    }
}

/// Starts a send of an owned slice.
pub(super) fn isend<T: Plain, N: Names>(
    names: &N,
    to: Target,
    data: Vec<T>,
    mode: Mode,
) -> Result<Request<Vec<T>, N::Name>> {
    let Target { peer, context, tag } = to;
    let source = Source::from_boxed(box_bytes_of(data.into_boxed_slice()));
    let id = names
        .shared()
        .core
        .with(|engine| engine.send(peer, context, tag, plain_hash::<T>(), source, mode))?;
    let names_ = names.clone();
    Ok(Request::send(
        Arc::clone(names.shared()),
        id,
        move |outcome| {
            let envelope = outcome.result?;
            let data = outcome.source.and_then(Source::into_boxed).and_then(unbox);
            // The status of a send names its receiver.
            let status = status(
                &names_,
                &Envelope {
                    source: peer,
                    ..envelope
                },
            )?;
            Ok((data.unwrap_or_default(), status))
        },
    ))
}

/// Starts a receive into an owned slice.
pub(super) fn ireceive<T: Plain, N: Names>(
    names: &N,
    from: Selector,
    room: Vec<T>,
) -> Result<Request<Vec<T>, N::Name>> {
    plain_hash::<T>();
    let sink = Sink::from_boxed(box_bytes_of(room.into_boxed_slice()));
    let id = names
        .shared()
        .core
        .with(|engine| engine.receive(from, sink))?;
    let names_ = names.clone();
    Ok(Request::receive(
        Arc::clone(names.shared()),
        id,
        move |outcome| {
            let (data, envelope) = open_plain(outcome)?;
            Ok((data, status(&names_, &envelope)?))
        },
    ))
}

fn claim_now(
    engine: &mut TaskEngine,
    from: Selector,
) -> Option<std::result::Result<Claimed, EngineError>> {
    engine
        .claim(from)
        .map(|(claim, envelope)| Ok(Claimed { claim, envelope }))
}

/// The error of a wait for a peer that has ended, or for anybody when nobody is left.
fn peer_gone<R>(
    engine: &mut TaskEngine,
    from: Selector,
) -> Option<std::result::Result<R, EngineError>> {
    match from.source {
        Some(peer) if engine.is_gone(peer) => Some(Err(EngineError::PeerGone(engine.task(peer)))),
        None if engine.is_lost() => Some(Err(EngineError::Lost)),
        _ => None,
    }
}

fn check<T>(envelope: &Envelope, hash: u32) -> Result<()> {
    match envelope.check == hash {
        true => Ok(()),
        false => Err(mismatch::<T>(envelope)),
    }
}

/// The error of a message of something else than `T`.
pub(super) fn mismatch<T>(envelope: &Envelope) -> Error {
    Error::TypeMismatch {
        expected: std::any::type_name::<T>(),
        got: SentType(envelope.check),
    }
}

/// Zeroed memory for a message whose length a peer has named.
fn room_for<T: Plain>(len: u64) -> Result<Box<[T]>> {
    let count = usize::try_from(len).map_err(|_| Error::NoMemory { len })? / size_of::<T>();
    try_zeroed_slice_box(count).map_err(|()| Error::NoMemory { len })
}

pub(super) fn unbox<T: Plain>(bytes: bytemuck::allocation::BoxBytes) -> Option<Vec<T>> {
    try_from_box_bytes::<[T]>(bytes).ok().map(<[T]>::into_vec)
}
