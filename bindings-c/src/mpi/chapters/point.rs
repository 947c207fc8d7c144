//! Point-to-point communication (MPI 5.0, chapter 3): sending, receiving, probing.

use std::sync::{Mutex, PoisonError};

use pvm::collective::Member;
use pvm::datatype::Source;
use pvm::engine::Mode;
use pvm::mpi::buffered;
use pvm::mpi::comm::send_tag;
use pvm::mpi::point::{self, Message};
use pvm::mpi::request::{Single, Starter, Work};
use pvm::mpi::{self, Class, Datatype, Ended, Error, Process, Request, Status};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle::{self, Arrived};
use super::super::memory::{short, sink, source};
use super::super::raw::{self, Buf, Out, OutBuf, OutInt, OutStatus};
use super::super::state::any_process;

/// How a message is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Standard,
    Synchronous,
    Buffered,
}

/// A message that is sent: what the calls have in common.
#[derive(Clone, Copy)]
struct Sending<'a> {
    buf: Buf,
    count: i64,
    datatype: &'a Datatype,
    dest: i32,
    tag: i32,
    comm: &'a mpi::Comm,
}

impl<'a> Sending<'a> {
    #[inline]
    fn new(
        buf: Buf,
        count: i64,
        datatype: &'a Datatype,
        dest: i32,
        tag: i32,
        comm: &'a mpi::Comm,
    ) -> Self {
        Self {
            buf,
            count,
            datatype,
            dest,
            tag,
            comm,
        }
    }

    /// Checks it; gives whom it is for (`None`: nobody) and what is sent.
    ///
    /// # Safety
    /// The program promises the buffer until the source is dropped.
    #[inline]
    unsafe fn check(&self) -> mpi::Result<(Option<Member>, Source)> {
        send_tag(self.tag)?;
        let to = self.comm.target(self.dest)?;
        // SAFETY: as promised by the caller.
        let source = unsafe { source(self.buf, self.count, self.datatype) }?;
        Ok((to, source))
    }

    /// Sends it if it is a few bytes to somebody for whom there is room, in standard mode. False: nothing was sent,
    /// for whatever reason; the general way finds out.
    // Most messages of most programs. What is checked goes through memory on the general way, in other pieces than
    // it is read in, which takes longer than all of this.
    #[inline(always)]
    fn has_gone_short(&self, how: How) -> bool {
        let may_go = how == How::Standard && send_tag(self.tag).is_ok();
        let Some(Ok(Some(to))) = may_go.then(|| self.comm.target(self.dest)) else {
            return false;
        };
        // SAFETY: the program promises the buffer for the time of the call.
        let bytes = unsafe { short(self.buf, self.count, self.datatype) };
        let sent = bytes.map(|bytes| point::send_short(self.comm, to, self.tag, bytes));
        matches!(sent, Some(Ok(true)))
    }

    /// Sends it.
    #[inline]
    fn send(self, how: How) -> Outcome {
        if self.has_gone_short(how) {
            return Ok(());
        }
        // SAFETY: the program promises the buffer for the time of the call.
        let (to, source) = unsafe { self.check() }?;
        let Some(to) = to else {
            return Ok(());
        };
        Ok(match how {
            How::Standard => point::send(self.comm, to, self.tag, source, Mode::Standard),
            How::Synchronous => point::send(self.comm, to, self.tag, source, Mode::Synchronous),
            How::Buffered => buffered::send(self.comm, to, self.tag, &source),
        }?)
    }

    /// Starts to send it, and gives the program the request.
    #[inline]
    fn begin(self, how: How, request: Out<raw::Request>) -> Outcome {
        // Found before the message goes: afterwards nothing may fail. Who looks for leaks gets a request for each.
        let shared = match self.comm.process.debug.leaks {
            false => Some(raw::Request(handle::sent()?)),
            true => None,
        };
        if let Some(sent) = shared
            && self.has_gone_short(how)
        {
            request.set(sent);
            return Ok(());
        }
        // SAFETY: the program promises the buffer until the request has ended.
        let (to, source) = unsafe { self.check() }?;
        let has_gone = self.has_gone(how, to, &source)?;
        if let (true, Some(sent)) = (has_gone, shared) {
            request.set(sent);
            return Ok(());
        }
        let work = match has_gone {
            true => Work::nothing(),
            false => self.go(how, to, source)?,
        };
        give(request, Request::new(work))
    }

    /// Starts to send it.
    fn start(self, how: How) -> mpi::Result<Work> {
        // SAFETY: the program promises the buffer until the request has ended.
        let (to, source) = unsafe { self.check() }?;
        match self.has_gone(how, to, &source)? {
            true => Ok(Work::nothing()),
            false => self.go(how, to, source),
        }
    }

    /// Sends what needs no request.
    #[inline]
    fn has_gone(self, how: How, to: Option<Member>, source: &Source) -> mpi::Result<bool> {
        match (how, to) {
            (How::Standard, Some(to)) => point::send_at_once(self.comm, to, self.tag, source),
            _ => Ok(false),
        }
    }

    /// Starts to send what was checked and has not gone.
    fn go(self, how: How, to: Option<Member>, source: Source) -> mpi::Result<Work> {
        let Some(to) = to else {
            return Ok(with_nobody());
        };
        let mode = match how {
            How::Standard => Mode::Standard,
            How::Synchronous => Mode::Synchronous,
            How::Buffered => {
                buffered::send(self.comm, to, self.tag, &source)?;
                return Ok(Work::nothing());
            }
        };
        Ok(point::isend(self.comm, to, self.tag, source, mode)?.into())
    }

    /// Checks it, and makes a request of it that is started later.
    fn persistent(self, how: How, request: Out<raw::Request>) -> Outcome {
        // SAFETY: it is dropped at once.
        drop(unsafe { self.check() }?);
        let (address, comm) = (self.buf.0 as usize, self.comm.clone());
        let datatype = self.datatype.clone();
        let Self {
            count, dest, tag, ..
        } = self;
        let starter: Starter = Box::new(move || {
            let buf = Buf(address as *const _);
            Sending::new(buf, count, &datatype, dest, tag, &comm).start(how)
        });
        give(request, Request::persistent(self.comm, starter))
    }
}

/// A message that is received: what the calls have in common.
#[derive(Clone, Copy)]
struct Receiving<'a> {
    buf: OutBuf,
    count: i64,
    datatype: &'a Datatype,
    source: i32,
    tag: i32,
    comm: &'a mpi::Comm,
}

impl<'a> Receiving<'a> {
    #[inline]
    fn new(
        buf: OutBuf,
        count: i64,
        datatype: &'a Datatype,
        source: i32,
        tag: i32,
        comm: &'a mpi::Comm,
    ) -> Self {
        Self {
            buf,
            count,
            datatype,
            source,
            tag,
            comm,
        }
    }

    #[inline]
    fn receive(self, status: OutStatus) -> Outcome {
        let from = self.comm.selector(self.source, self.tag)?;
        // SAFETY: the program promises the buffer for the time of the call.
        let sink = unsafe { sink(self.buf, self.count, self.datatype) }?;
        let ended = match from {
            Some(from) => point::receive(self.comm, from, sink)?,
            None => Ended::well(Status::PROC_NULL),
        };
        tell(ended, status)
    }

    fn start(self) -> mpi::Result<Work> {
        Ok(self.post()?.map_or_else(with_nobody, Work::from))
    }

    /// Posts it; `None`: it is from nobody.
    #[inline(always)]
    fn post(self) -> mpi::Result<Option<Single>> {
        let from = self.comm.selector(self.source, self.tag)?;
        // SAFETY: the program promises the buffer until the request has ended.
        let sink = unsafe { sink(self.buf, self.count, self.datatype) }?;
        Ok(match from {
            Some(from) => Some(point::ireceive(self.comm, from, sink)?),
            None => None,
        })
    }

    fn persistent(self, request: Out<raw::Request>) -> Outcome {
        self.comm.selector(self.source, self.tag)?;
        // SAFETY: it is dropped at once.
        drop(unsafe { sink(self.buf, self.count, self.datatype) }?);
        let (address, comm) = (self.buf.0 as usize, self.comm.clone());
        let datatype = self.datatype.clone();
        let Self {
            count, source, tag, ..
        } = self;
        let starter: Starter = Box::new(move || {
            let buf = OutBuf(address as *mut _);
            Receiving::new(buf, count, &datatype, source, tag, &comm).start()
        });
        give(request, Request::persistent(self.comm, starter))
    }
}

/// What a send to nobody or a receive from nobody is.
pub(super) fn with_nobody() -> Work {
    Work::Over(Ended::well(Status::PROC_NULL))
}

/// Gives the program a request.
#[inline]
pub(crate) fn give(place: Out<raw::Request>, request: Request) -> Outcome {
    place.set(raw::Request(handle::keep(request)?));
    Ok(())
}

/// Tells the program how a single operation has ended.
#[inline]
pub(crate) fn tell(ended: Ended, status: OutStatus) -> Outcome {
    status.set(ended.status);
    match ended.failure {
        None => Ok(()),
        Some(failure) => Err(failure.into()),
    }
}

/// The three forms of a send. `cargo xtask gen` reads the names from these lines, too.
macro_rules! sends {
    ($(sending fn $name:ident $start:ident $init:ident($how:ident);)*) => {$(
        pub fn $name(
            buf: Buf,
            count: i64,
            datatype: &Datatype,
            dest: i32,
            tag: i32,
            comm: &mpi::Comm,
        ) -> Outcome {
            Sending::new(buf, count, datatype, dest, tag, comm).send(How::$how)
        }

        pub fn $start(
            buf: Buf,
            count: i64,
            datatype: &Datatype,
            dest: i32,
            tag: i32,
            comm: &mpi::Comm,
            request: Out<raw::Request>,
        ) -> Outcome {
            Sending::new(buf, count, datatype, dest, tag, comm).begin(How::$how, request)
        }

        pub fn $init(
            buf: Buf,
            count: i64,
            datatype: &Datatype,
            dest: i32,
            tag: i32,
            comm: &mpi::Comm,
            request: Out<raw::Request>,
        ) -> Outcome {
            Sending::new(buf, count, datatype, dest, tag, comm).persistent(How::$how, request)
        }
    )*};
}

// That a receive is posted helps nothing here: a ready send is a standard one.
sends! {
sending fn send isend send_init(Standard);
sending fn ssend issend ssend_init(Synchronous);
sending fn bsend ibsend bsend_init(Buffered);
sending fn rsend irsend rsend_init(Standard);
}

pub fn recv(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    status: OutStatus,
) -> Outcome {
    Receiving::new(buf, count, datatype, source, tag, comm).receive(status)
}

#[inline(always)]
pub fn irecv(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    request: Out<raw::Request>,
) -> Outcome {
    let posted = Receiving::new(buf, count, datatype, source, tag, comm).post()?;
    let made = posted.map_or_else(|| Request::new(with_nobody()), Request::from);
    give(request, made)
}

pub fn recv_init(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    request: Out<raw::Request>,
) -> Outcome {
    Receiving::new(buf, count, datatype, source, tag, comm).persistent(request)
}

/// A send of what is checked already and a receive that go on at the same time. One with nobody is over
/// at once, and the status is that of the receive.
fn exchange(
    (to, tag, source): (Option<Member>, i32, Source),
    receiving: Receiving<'_>,
) -> mpi::Result<Work> {
    let comm = receiving.comm;
    let Some(to) = to else {
        return receiving.start();
    };
    let Some(from) = comm.selector(receiving.source, receiving.tag)? else {
        let sent = point::isend(comm, to, tag, source, Mode::Standard)?;
        return Ok(Work::Exchange(Box::new([sent.into(), with_nobody()])));
    };
    // SAFETY: the program promises the buffer until the call or its request has ended.
    let sink = unsafe { sink(receiving.buf, receiving.count, receiving.datatype) }?;
    point::exchange(comm, (to, tag, source), (from, sink))
}

/// Both halves of a call with two buffers.
fn send_and_receive(sending: Sending<'_>, receiving: Receiving<'_>) -> mpi::Result<Work> {
    // SAFETY: the program promises the buffer until the call or its request has ended.
    let (to, source) = unsafe { sending.check() }?;
    exchange((to, sending.tag, source), receiving)
}

pub fn isendrecv(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: &Datatype,
    dest: i32,
    sendtag: i32,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: &Datatype,
    source: i32,
    recvtag: i32,
    comm: &mpi::Comm,
    request: Out<raw::Request>,
) -> Outcome {
    let sending = Sending::new(sendbuf, sendcount, sendtype, dest, sendtag, comm);
    let receiving = Receiving::new(recvbuf, recvcount, recvtype, source, recvtag, comm);
    give(request, Request::new(send_and_receive(sending, receiving)?))
}

pub fn sendrecv(
    sendbuf: Buf,
    sendcount: i64,
    sendtype: &Datatype,
    dest: i32,
    sendtag: i32,
    recvbuf: OutBuf,
    recvcount: i64,
    recvtype: &Datatype,
    source: i32,
    recvtag: i32,
    comm: &mpi::Comm,
    status: OutStatus,
) -> Outcome {
    let sending = Sending::new(sendbuf, sendcount, sendtype, dest, sendtag, comm);
    let receiving = Receiving::new(recvbuf, recvcount, recvtype, source, recvtag, comm);
    let work = send_and_receive(sending, receiving)?;
    finish(&comm.process, work, status)
}

/// Waits for an operation of a blocking call.
fn finish(process: &Process, work: Work, status: OutStatus) -> Outcome {
    let request = Request::new(work);
    let taken = mpi::request::wait_one(process, &request)?;
    tell(taken.unwrap_or_else(|| request.conclude().0), status)
}

/// As [`send_and_receive`], with a packed copy of what is sent: the buffer is received into.
fn replace(receiving: Receiving<'_>, dest: i32, sendtag: i32) -> mpi::Result<Work> {
    let Receiving {
        buf,
        count,
        datatype,
        comm,
        ..
    } = receiving;
    let sending = Sending::new(
        Buf(buf.0.cast_const()),
        count,
        datatype,
        dest,
        sendtag,
        comm,
    );
    // SAFETY: the program promises the buffer for the time of the call; the source is dropped in it.
    let (to, source) = unsafe { sending.check() }?;
    let copy = Source::from_vec(source.to_vec(0, source.len()));
    drop(source);
    exchange((to, sendtag, copy), receiving)
}

pub fn sendrecv_replace(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    dest: i32,
    sendtag: i32,
    source: i32,
    recvtag: i32,
    comm: &mpi::Comm,
    status: OutStatus,
) -> Outcome {
    let receiving = Receiving::new(buf, count, datatype, source, recvtag, comm);
    let work = replace(receiving, dest, sendtag)?;
    finish(&comm.process, work, status)
}

pub fn isendrecv_replace(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    dest: i32,
    sendtag: i32,
    source: i32,
    recvtag: i32,
    comm: &mpi::Comm,
    request: Out<raw::Request>,
) -> Outcome {
    let receiving = Receiving::new(buf, count, datatype, source, recvtag, comm);
    let work = replace(receiving, dest, sendtag)?;
    give(request, Request::new(work))
}

pub fn probe(source: i32, tag: i32, comm: &mpi::Comm, status: OutStatus) -> Outcome {
    status.set(match comm.selector(source, tag)? {
        Some(from) => point::probe(comm, from)?,
        None => Status::PROC_NULL,
    });
    Ok(())
}

pub fn iprobe(source: i32, tag: i32, comm: &mpi::Comm, flag: OutInt, status: OutStatus) -> Outcome {
    let found = match comm.selector(source, tag)? {
        Some(from) => point::probe_now(comm, from)?,
        None => Some(Status::PROC_NULL),
    };
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        status.set(found);
    }
    Ok(())
}

/// A message of nobody.
const NO_PROC: raw::Message = raw::Message(abi::MESSAGE_NO_PROC as usize);

pub fn mprobe(
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    message: Out<raw::Message>,
    status: OutStatus,
) -> Outcome {
    let found = match comm.selector(source, tag)? {
        Some(from) => {
            let (claimed, found) = point::claim(comm, from)?;
            message.set(raw::Message(keep(claimed)?));
            found
        }
        None => {
            message.set(NO_PROC);
            Status::PROC_NULL
        }
    };
    status.set(found);
    Ok(())
}

pub fn improbe(
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    flag: OutInt,
    message: Out<raw::Message>,
    status: OutStatus,
) -> Outcome {
    let Some(from) = comm.selector(source, tag)? else {
        message.set(NO_PROC);
        flag.set_flag(true);
        status.set(Status::PROC_NULL);
        return Ok(());
    };
    let found = point::claim_now(comm, from)?;
    flag.set_flag(found.is_some());
    match found {
        Some((claimed, found)) => {
            message.set(raw::Message(keep(claimed)?));
            status.set(found);
        }
        None => message.set(raw::Message::NULL),
    }
    Ok(())
}

fn keep(message: Message) -> mpi::Result<usize> {
    handle::keep::<Arrived>(Mutex::new(Some(message)))
}

/// Takes a matched message for its receive; `None`: it is of nobody.
fn take(message: Out<raw::Message>) -> Outcome<Option<Message>> {
    let raw = message.get();
    if raw == NO_PROC {
        message.set(raw::Message::NULL);
        return Ok(None);
    }
    // SAFETY: the program promises to use the message nowhere else.
    let arrived = unsafe { handle::release::<Arrived>(raw.0) }?;
    message.set(raw::Message::NULL);
    let taken = arrived.into_inner().unwrap_or_else(PoisonError::into_inner);
    taken
        .map(Some)
        .ok_or_else(|| Error::new(Class::Request, "the message was received before").into())
}

/// Starts the receive of a matched message.
fn receive_matched(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    message: Out<raw::Message>,
) -> Outcome<Work> {
    // SAFETY: the program promises the buffer until the call or its request has ended.
    let sink = unsafe { sink(buf, count, datatype) }?;
    Ok(match take(message)? {
        Some(message) => point::ireceive_matched(message, sink)?.into(),
        None => with_nobody(),
    })
}

pub fn mrecv(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    message: Out<raw::Message>,
    status: OutStatus,
) -> Outcome {
    let work = receive_matched(buf, count, datatype, message)?;
    finish(&*any_process()?, work, status)
}

pub fn imrecv(
    buf: OutBuf,
    count: i64,
    datatype: &Datatype,
    message: Out<raw::Message>,
    request: Out<raw::Request>,
) -> Outcome {
    let work = receive_matched(buf, count, datatype, message)?;
    give(request, Request::new(work))
}
