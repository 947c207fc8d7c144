//! Requests: waiting, testing, starting, freeing (MPI 5.0, 3.7 and 3.9).
//!
//! Arrays of requests stay where the program has them and are walked as often as needed: none of these
//! calls needs memory of its own.

use pvm::engine::TaskEngine;
use pvm::mpi::request::{self, test as look, wait_one};
use pvm::mpi::{self, Class, Ended, Error, Request, Status};

use super::super::failure::{Failure, Outcome};
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Array, ArrayMut, Out, OutInt, OutInts, OutStatus, OutStatuses};
use super::super::state::any_process;
use super::point::tell;

const UNDEFINED: i32 = abi::UNDEFINED;

/// The object of a handle; `None` for the null handle.
#[inline]
pub(super) fn find(request: &raw::Request) -> mpi::Result<Option<&Request>> {
    match *request == raw::Request::NULL {
        true => Ok(None),
        false => request.find().map(Some),
    }
}

/// The object of a handle that is not null.
///
/// # Errors
/// `MPI_ERR_REQUEST`.
pub(super) fn real(request: &raw::Request) -> mpi::Result<&Request> {
    find(request)?.ok_or_else(|| Error::new(Class::Request, "the null request"))
}

/// The requests of an array, all of them null or real.
#[derive(Clone, Copy)]
struct Requests {
    handles: Array<raw::Request>,
    len: usize,
}

impl Requests {
    fn read(count: i32, handles: Array<raw::Request>) -> Outcome<Self> {
        let len = usize::try_from(count)
            .map_err(|_| Error::new(Class::Count, format!("{count} requests")))?;
        if len > 0 && handles.is_null() {
            return Err(Error::new(Class::Arg, "the array of requests is NULL").into());
        }
        for at in 0..len {
            find(&handles.at(at)).map_err(|error| named(at, &error))?;
        }
        Ok(Self { handles, len })
    }

    /// What is seen of the one at a place; `None`: it is null.
    fn at<R>(&self, place: usize, look: impl FnOnce(&Request) -> R) -> Option<R> {
        find(&self.handles.at(place)).ok().flatten().map(look)
    }

    /// Whether any of them is not null.
    fn is_any_real(&self) -> bool {
        (0..self.len).any(|at| self.handles.at(at) != raw::Request::NULL)
    }

    /// Whether something goes on in any of them.
    fn is_any_active(&self) -> bool {
        (0..self.len).any(|at| self.at(at, Request::is_active) == Some(true))
    }

    /// The first at or behind a place that was active and has ended.
    fn next_ended(&self, from: usize, engine: &mut TaskEngine) -> Option<usize> {
        (from..self.len).find(|at| self.at(*at, |request| request.has_ended(engine)) == Some(true))
    }

    /// The first at or behind a place in which something goes on.
    fn next_going_on(&self, from: usize, engine: &mut TaskEngine) -> Option<usize> {
        (from..self.len).find(|&at| {
            !self.is_sent(at) && self.at(at, |request| request.settle(engine)) == Some(false)
        })
    }

    /// Whether it is a send that had ended at once.
    fn is_sent(&self, place: usize) -> bool {
        handle::is_sent(self.handles.at(place).0)
    }

    /// Notes the places of all that have ended; `None`: none has.
    fn all_ended(&self, engine: &mut TaskEngine, indices: OutInts) -> Option<usize> {
        let mut found = 0;
        let mut from = 0;
        while let Some(place) = self.next_ended(from, engine) {
            indices.put(found, i32::try_from(place).unwrap_or(UNDEFINED));
            found += 1;
            from = place + 1;
        }
        (found > 0).then_some(found)
    }

    /// The status of one that has ended, which stays as it is.
    fn status(&self, place: usize) -> mpi::Result<Status> {
        self.at(place, Request::status).unwrap_or(Ok(Status::EMPTY))
    }
}

#[cold]
fn named(place: usize, error: &Error) -> Error {
    let class = error.class().unwrap_or(Class::Request);
    Error::new(class, format!("request {place}: {}", error.detail()))
}

/// Takes the result of a request that has ended, and frees it unless it is persistent.
fn conclude(object: &Request, handle: raw::Request) -> (Ended, raw::Request) {
    if handle::is_sent(handle.0) {
        return (Ended::well(Status::EMPTY), raw::Request::NULL);
    }
    let (ended, is_persistent) = object.conclude();
    if is_persistent {
        return (ended, handle);
    }
    // SAFETY: the program promises to use the request nowhere else; the reference is not used any more.
    drop(unsafe { handle::release::<Request>(handle.0) });
    (ended, raw::Request::NULL)
}

/// As [`conclude`], of one in an array.
fn conclude_at(requests: Requests, handles: ArrayMut<raw::Request>, place: usize) -> Ended {
    let handle = handles.at(place);
    let concluded = requests.at(place, |object| conclude(object, handle));
    let Some((ended, left)) = concluded else {
        return Ended::well(Status::EMPTY);
    };
    handles.put(place, left);
    ended
}

/// Takes the results of `count` requests, whose places `place` gives, into statuses one behind the other.
fn conclude_all(
    requests: Requests,
    handles: ArrayMut<raw::Request>,
    (count, place): (usize, impl Fn(usize) -> usize),
    statuses: OutStatuses,
) -> Outcome {
    let mut failed: Option<(Error, Option<mpi::Comm>)> = None;
    for at in 0..count {
        let Ended { status, failure } = conclude_at(requests, handles, place(at));
        statuses.at(at).set(status);
        if failure.is_none() && failed.is_none() {
            continue;
        }
        if failed.is_none() {
            // Only now are the error fields of statuses written (MPI 5.0, 3.7.5).
            (0..at).for_each(|before| statuses.at(before).set_error(0));
        }
        let code = failure.as_ref().map_or(0, |(error, _)| error.code());
        statuses.at(at).set_error(code);
        failed = failed.or(failure);
    }
    let Some((error, on)) = failed else {
        return Ok(());
    };
    let detail = format!("the first of them: {error}");
    Err(Failure::from((Error::new(Class::InStatus, detail), on)))
}

/// Takes the result of a single request.
fn over(request: Out<raw::Request>, object: &Request, status: OutStatus) -> Outcome {
    let (ended, left) = conclude(object, request.get());
    request.set(left);
    tell(ended, status)
}

pub fn wait(request: Out<raw::Request>, status: OutStatus) -> Outcome {
    let handle = request.get();
    let Some(object) = find(&handle)? else {
        status.set_empty();
        return Ok(());
    };
    wait_one(&*any_process()?, object)?;
    over(request, object, status)
}

pub fn test(request: Out<raw::Request>, flag: OutInt, status: OutStatus) -> Outcome {
    let handle = request.get();
    let Some(object) = find(&handle)? else {
        flag.set_flag(true);
        status.set_empty();
        return Ok(());
    };
    let is_over = look(&*any_process()?, |engine| {
        object.settle(engine).then_some(())
    })?;
    flag.set_flag(is_over.is_some());
    match is_over {
        Some(()) => over(request, object, status),
        None => Ok(()),
    }
}

pub fn waitall(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    let mut from = 0;
    if requests.is_any_real() {
        request::wait(&*any_process()?, |engine| {
            // Those that have ended are not looked at again.
            from = requests.next_going_on(from, engine).unwrap_or(requests.len);
            (from == requests.len).then_some(())
        })?;
    }
    let all = (requests.len, |at| at);
    conclude_all(requests, array_of_requests, all, array_of_statuses)
}

pub fn testall(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    flag: OutInt,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    let is_over = are_over(requests)?;
    flag.set_flag(is_over);
    let all = (requests.len, |at| at);
    match is_over {
        true => conclude_all(requests, array_of_requests, all, array_of_statuses),
        false => Ok(()),
    }
}

/// Whether all have ended or are not active.
fn are_over(requests: Requests) -> Outcome<bool> {
    if !requests.is_any_active() {
        return Ok(true);
    }
    let mut from = 0;
    let over = look(&*any_process()?, |engine| {
        from = requests.next_going_on(from, engine).unwrap_or(requests.len);
        (from == requests.len).then_some(())
    })?;
    Ok(over.is_some())
}

pub fn waitany(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    indx: OutInt,
    status: OutStatus,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    if !requests.is_any_active() {
        indx.set(UNDEFINED);
        status.set_empty();
        return Ok(());
    }
    let place = request::wait(&*any_process()?, |engine| requests.next_ended(0, engine))?;
    indx.set_number(place);
    tell(conclude_at(requests, array_of_requests, place), status)
}

pub fn testany(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    indx: OutInt,
    flag: OutInt,
    status: OutStatus,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    indx.set(UNDEFINED);
    if !requests.is_any_active() {
        flag.set_flag(true);
        status.set_empty();
        return Ok(());
    }
    let found = look(&*any_process()?, |engine| requests.next_ended(0, engine))?;
    flag.set_flag(found.is_some());
    let Some(place) = found else {
        return Ok(());
    };
    indx.set_number(place);
    tell(conclude_at(requests, array_of_requests, place), status)
}

/// The places of those that have ended, after a wait for one of them or a look; `None`: none is active.
fn some(requests: Requests, indices: OutInts, waits: bool) -> Outcome<Option<usize>> {
    indices.check(requests.len)?;
    if !requests.is_any_active() {
        return Ok(None);
    }
    let process = any_process()?;
    let ended = |engine: &mut TaskEngine| requests.all_ended(engine, indices);
    Ok(Some(match waits {
        true => request::wait(&process, ended)?,
        false => look(&process, ended)?.unwrap_or(0),
    }))
}

/// Takes the results of those that [`some`] found.
fn conclude_some(
    requests: Requests,
    handles: ArrayMut<raw::Request>,
    found: Option<usize>,
    (outcount, indices): (OutInt, OutInts),
    statuses: OutStatuses,
) -> Outcome {
    let Some(found) = found else {
        outcount.set(UNDEFINED);
        return Ok(());
    };
    outcount.set_number(found);
    let place = |at| indices.at(at) as usize;
    conclude_all(requests, handles, (found, place), statuses)
}

pub fn waitsome(
    incount: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(incount, array_of_requests.as_const())?;
    let found = some(requests, array_of_indices, true)?;
    conclude_some(
        requests,
        array_of_requests,
        found,
        (outcount, array_of_indices),
        array_of_statuses,
    )
}

pub fn testsome(
    incount: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(incount, array_of_requests.as_const())?;
    let found = some(requests, array_of_indices, false)?;
    conclude_some(
        requests,
        array_of_requests,
        found,
        (outcount, array_of_indices),
        array_of_statuses,
    )
}

pub fn request_free(request: Out<raw::Request>) -> Outcome {
    let handle = request.get();
    if real(&handle)?.can_be_freed() {
        release(handle)?;
    }
    request.set(raw::Request::NULL);
    Ok(())
}

/// Takes a request out, and lets what goes on end by itself.
pub(super) fn release(request: raw::Request) -> Outcome {
    if handle::is_sent(request.0) {
        return Ok(());
    }
    // SAFETY: the program promises to use the request nowhere else; there is no other reference.
    let object = unsafe { handle::release::<Request>(request.0) }?;
    Ok(object.forget(&*any_process()?)?)
}

pub fn cancel(request: Out<raw::Request>) -> Outcome {
    let handle = request.get();
    let object = real(&handle)?;
    if !object.is_active() {
        return Err(Error::new(Class::Request, "the request is not active").into());
    }
    Ok(object.cancel(&*any_process()?)?)
}

pub fn start(request: Out<raw::Request>) -> Outcome {
    Ok(real(&request.get())?.start()?)
}

pub fn startall(count: i32, array_of_requests: ArrayMut<raw::Request>) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    for at in 0..requests.len {
        let handle = array_of_requests.at(at);
        let request = real(&handle).map_err(|error| named(at, &error))?;
        let started = request.start();
        started.map_err(|(error, on)| (named(at, &error), on))?;
    }
    Ok(())
}

pub fn request_get_status(request: raw::Request, flag: OutInt, status: OutStatus) -> Outcome {
    let Some(object) = find(&request)?.filter(|object| object.is_active()) else {
        flag.set_flag(true);
        status.set_empty();
        return Ok(());
    };
    let is_over = look(&*any_process()?, |engine| {
        object.settle(engine).then_some(())
    })?;
    flag.set_flag(is_over.is_some());
    if is_over.is_some() {
        status.set(object.status()?);
    }
    Ok(())
}

pub fn request_get_status_all(
    count: i32,
    array_of_requests: Array<raw::Request>,
    flag: OutInt,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    let is_over = are_over(requests)?;
    flag.set_flag(is_over);
    if is_over {
        for at in 0..requests.len {
            array_of_statuses.at(at).set(requests.status(at)?);
        }
    }
    Ok(())
}

pub fn request_get_status_any(
    count: i32,
    array_of_requests: Array<raw::Request>,
    indx: OutInt,
    flag: OutInt,
    status: OutStatus,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    indx.set(UNDEFINED);
    if !requests.is_any_active() {
        flag.set_flag(true);
        status.set_empty();
        return Ok(());
    }
    let found = look(&*any_process()?, |engine| requests.next_ended(0, engine))?;
    flag.set_flag(found.is_some());
    if let Some(place) = found {
        indx.set_number(place);
        status.set(requests.status(place)?);
    }
    Ok(())
}

pub fn request_get_status_some(
    incount: i32,
    array_of_requests: Array<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(incount, array_of_requests)?;
    let Some(found) = some(requests, array_of_indices, false)? else {
        outcount.set(UNDEFINED);
        return Ok(());
    };
    outcount.set_number(found);
    for at in 0..found {
        let place = array_of_indices.at(at) as usize;
        array_of_statuses.at(at).set(requests.status(place)?);
    }
    Ok(())
}
