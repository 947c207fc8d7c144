//! Point-to-point communication (MPI 5.0, chapter 3).

use super::comm::Comm;
use super::error::Result;
use super::process::Process;
use super::request::{Single, Work};
use super::status::{Ended, Status};
use crate::collective::Member;
use crate::datatype::{ShortSource, Sink, Source};
use crate::engine::{Claim, EngineError, Envelope, Mode, Selector, TaskEngine};
use crate::ids::Tag;
use crate::sync::Level;
use crate::transport::{Operation, Peer, Transport};

/// Messages carry no hash of a type: MPI compares signatures, not types.
pub(super) const UNTYPED: u32 = 0;

/// Sends and waits until the memory may be used again, or (synchronous) a receive has begun.
///
/// # Errors
/// `MPI_ERR_PROC_ABORTED` when the receiver has ended.
#[inline]
pub fn send(comm: &Comm, to: Member, tag: Tag, source: Source, mode: Mode) -> Result<()> {
    let core = &comm.process.task.core;
    Ok(core.send(to.peer, to.context, tag, UNTYPED, source, mode)??)
}

/// Receives and waits for it.
///
/// # Errors
/// When this thread may not enter the engine; what happens to the message is in the result.
#[inline]
pub fn receive(comm: &Comm, from: Selector, sink: Sink) -> Result<Ended> {
    if from.source.is_none() {
        let received = receive_from_anybody(comm, from, sink)?;
        return Ok(Ended::received(comm, received));
    }
    let mut envelope = Envelope::NONE;
    let received = comm.process.task.core.receive(from, sink, &mut envelope)?;
    Ok(match received {
        Ok(()) => Ended::well(Status::of(comm, &envelope)),
        Err(error) => Ended::received(comm, Err(error)),
    })
}

/// A receive that ends, too, when nobody is left.
#[inline(never)]
fn receive_from_anybody(
    comm: &Comm,
    from: Selector,
    sink: Sink,
) -> Result<std::result::Result<Envelope, EngineError>> {
    let bytes = sink.capacity() as u64;
    let call = |engine: &TaskEngine| engine.call(Operation::Receive, from, bytes);
    let is_alone = is_alone(comm);
    let (mut sink, mut receive) = (Some(sink), None);
    comm.process.wait_in(call, |engine| {
        if let Some(sink) = sink.take() {
            receive = Some(engine.receive(from, sink));
        }
        let receive = receive?;
        if engine.is_going_on(receive) && !comm.orphan(engine, receive, is_alone) {
            return None;
        }
        engine.finish_envelope(receive)
    })
}

/// Whether no other thread of this process can send while one waits.
fn is_alone(comm: &Comm) -> bool {
    comm.process.task.core.level() != Level::Multiple
}

/// Sends in standard mode if nothing is in the way; no request is made of it. False: nothing was sent, or it has
/// failed; [`isend`] goes on from there.
///
/// # Errors
/// When this thread may not enter the engine.
// That it was sent is all that is told, for more would be copied: see `Engine::receive_at_once`.
#[inline]
pub fn send_at_once(comm: &Comm, to: Member, tag: Tag, source: &Source) -> Result<bool> {
    comm.process.with(|engine| {
        let sent = engine.send_at_once(to.peer, to.context, tag, UNTYPED, source);
        matches!(sent, Some(Ok(())))
    })
}

/// As [`send_at_once`], of a few bytes of which no source is made. False: nothing was sent.
///
/// # Errors
/// When this thread may not enter the engine.
#[inline(always)]
pub fn send_short(comm: &Comm, to: Member, tag: Tag, bytes: ShortSource<'_>) -> Result<bool> {
    comm.process
        .with(|engine| engine.send_short(to.peer, to.context, tag, UNTYPED, bytes))
}

/// Starts a send.
///
/// # Errors
/// When this thread may not enter the engine.
#[inline]
pub fn isend(comm: &Comm, to: Member, tag: Tag, source: Source, mode: Mode) -> Result<Single> {
    let send =
        |engine: &mut TaskEngine| engine.send(to.peer, to.context, tag, UNTYPED, source, mode);
    Ok(Single::send(comm.process.with(send)?, comm.clone()))
}

/// Starts a receive.
///
/// # Errors
/// When this thread may not enter the engine.
#[inline(always)]
pub fn ireceive(comm: &Comm, from: Selector, sink: Sink) -> Result<Single> {
    let id = comm.process.with(|engine| engine.receive(from, sink))?;
    Ok(Single::receive(id, comm.clone()))
}

/// Starts a send and a receive.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn exchange(
    comm: &Comm,
    (to, tag, source): (Member, Tag, Source),
    (from, sink): (Selector, Sink),
) -> Result<Work> {
    comm.process.with(|engine| {
        let receive = engine.receive(from, sink);
        let send = engine.send(to.peer, to.context, tag, UNTYPED, source, Mode::Standard);
        Work::Exchange(Box::new([
            Single::send(send, comm.clone()).into(),
            Single::receive(receive, comm.clone()).into(),
        ]))
    })
}

/// A message that was matched by a probe and is received by nobody else.
pub struct Message {
    /// Where it came.
    pub comm: Comm,
    claim: Claim,
}

/// The message that a receive would take now.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn probe_now(comm: &Comm, from: Selector) -> Result<Option<Status>> {
    let envelope = comm.process.with(|engine| engine.probe(from))?;
    Ok(envelope.map(|envelope| Status::of(comm, &envelope)))
}

/// Waits for a message and leaves it where it is.
///
/// # Errors
/// `MPI_ERR_PROC_ABORTED` when whom it waits for has ended.
pub fn probe(comm: &Comm, from: Selector) -> Result<Status> {
    watch(&comm.process, from)?;
    let looks = |engine: &TaskEngine| engine.call(Operation::Probe, from, 0);
    let found = comm.process.wait_in(looks, |engine| {
        let envelope = engine.probe(from).map(Ok);
        envelope.or_else(|| nobody_left(comm, engine, from))
    })?;
    Ok(Status::of(comm, &found?))
}

/// Takes out the message that a receive would take now.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn claim_now(comm: &Comm, from: Selector) -> Result<Option<(Message, Status)>> {
    let claimed = comm.process.with(|engine| engine.claim(from))?;
    Ok(claimed.map(|claimed| matched(comm, claimed)))
}

/// Waits for a message and takes it out.
///
/// # Errors
/// As [`probe`].
pub fn claim(comm: &Comm, from: Selector) -> Result<(Message, Status)> {
    watch(&comm.process, from)?;
    let looks = |engine: &TaskEngine| engine.call(Operation::Probe, from, 0);
    let claimed = comm.process.wait_in(looks, |engine| {
        let claimed = engine.claim(from).map(Ok);
        claimed.or_else(|| nobody_left(comm, engine, from))
    })?;
    Ok(matched(comm, claimed?))
}

fn matched(comm: &Comm, (claim, envelope): (Claim, Envelope)) -> (Message, Status) {
    let message = Message {
        comm: comm.clone(),
        claim,
    };
    (message, Status::of(comm, &envelope))
}

/// Starts the receive of a matched message.
///
/// # Errors
/// When this thread may not enter the engine.
pub fn ireceive_matched(message: Message, sink: Sink) -> Result<Single> {
    let Message { comm, claim } = message;
    let process = comm.process.clone();
    let id = process.with(|engine| engine.receive_claimed(claim, sink))?;
    Ok(Single::receive(id, comm))
}

/// Makes sure that the end of the sender ends a wait.
fn watch(process: &Process, from: Selector) -> Result<()> {
    if let Some(peer) = from.source.filter(|&peer| peer != Peer::SELF) {
        process.with(|engine| engine.transport().watch(peer))?;
    }
    Ok(())
}

/// The error of a wait for somebody who has ended, or for anybody when nobody is left.
fn nobody_left<R>(
    comm: &Comm,
    engine: &mut TaskEngine,
    from: Selector,
) -> Option<std::result::Result<R, EngineError>> {
    match from.source {
        Some(peer) if engine.is_gone(peer) => Some(Err(EngineError::PeerGone(engine.task(peer)))),
        Some(_) => None,
        None if engine.is_lost() => Some(Err(EngineError::Lost)),
        None => {
            let gone = comm.abandoned(engine, is_alone(comm))?;
            Some(Err(EngineError::PeerGone(gone)))
        }
    }
}
