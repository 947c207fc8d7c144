//! Requests: waiting, testing, starting, freeing (MPI 5.0, 3.7 and 3.9).
//!
//! Arrays of requests stay where the program has them: none of these calls needs memory of its own. They
//! are walked twice. Inside the engine, where those that have ended are looked for, the results of messages
//! are taken at once. Outside, where functions of the program may be called, the other results are
//! taken, and what has ended is freed.

use pvm::engine::TaskEngine;
use pvm::mpi::request::{self, test as look};
use pvm::mpi::{self, Class, Ended, Error, Request, Status};
use pvm::sync::slots::Removal;

use super::super::failure::{Failure, Outcome};
use super::super::generated::constants as abi;
use super::super::handle::{self, Object};
use super::super::raw::{self, Array, ArrayMut, Out, OutInt, OutInts, OutStatus, OutStatuses};
use super::super::state::any_process;

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
    #[inline]
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

    /// As [`Requests::next_going_on`], and takes the results of those before it that are messages.
    fn take_until(&self, from: usize, engine: &mut TaskEngine, results: &mut Results) -> usize {
        let is_over = |&at: &usize| {
            let take = |request: &Request| request.take(engine, |ended| results.put(at, ended));
            self.is_sent(at) || self.at(at, take) != Some(false)
        };
        from + (from..self.len).take_while(is_over).count()
    }

    /// Whether it is a send that had ended at once.
    #[inline]
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

    /// As [`Requests::all_ended`], and takes the results of those that are messages.
    fn take_ended(
        &self,
        engine: &mut TaskEngine,
        indices: OutInts,
        results: &mut Results,
    ) -> Option<usize> {
        let found = self.all_ended(engine, indices)?;
        for at in 0..found {
            self.take(indices.at(at) as usize, engine, (results, at));
        }
        Some(found)
    }

    /// The place of the first that was active and has ended; takes its result, if it is a message.
    fn take_first(&self, engine: &mut TaskEngine, results: &mut Results) -> Option<usize> {
        let place = self.next_ended(0, engine)?;
        self.take(place, engine, (results, 0));
        Some(place)
    }

    /// Takes the result of one that has ended, if it is a message, for the status at a place.
    fn take(&self, place: usize, engine: &mut TaskEngine, (results, at): (&mut Results, usize)) {
        self.at(place, |request| {
            request.take(engine, |ended| results.put(at, ended))
        });
    }

    /// The status of one that has ended, which stays as it is.
    fn status(&self, place: usize) -> mpi::Result<Status> {
        let status = self.at(place, |request| request.status(&*any_process()?));
        status.unwrap_or(Ok(Status::EMPTY))
    }
}

#[cold]
fn named(place: usize, error: &Error) -> Error {
    let class = error.class().unwrap_or(Class::Request);
    Error::new(class, format!("request {place}: {}", error.detail()))
}

/// The results of requests.
struct Results {
    statuses: OutStatuses,
    /// Those that are freed.
    removal: Removal<'static, Request>,
    /// What has failed, by the place of the status.
    failures: Vec<(usize, (Error, Option<mpi::Comm>))>,
}

impl Results {
    fn new(statuses: OutStatuses) -> Self {
        Self {
            statuses,
            removal: Request::slots().removal(),
            failures: Vec::new(),
        }
    }

    /// The results of a single one.
    fn of_one(status: OutStatus) -> Self {
        Self::new(status.alone())
    }

    #[inline(always)]
    fn put(&mut self, at: usize, ended: Ended) {
        self.statuses.at(at).set(ended.status);
        if let Some(failure) = ended.failure {
            self.failures.push((at, failure));
        }
    }

    /// Outside the engine: takes the result of a request that has ended, if it is no message, and frees it, unless
    /// it is persistent; gives the handle that is left.
    #[inline]
    fn conclude(&mut self, at: usize, handle: raw::Request) -> raw::Request {
        if handle::is_sent(handle.0) {
            self.put(at, Ended::well(Status::EMPTY));
            return raw::Request::NULL;
        }
        // SAFETY: the program promises to use the request nowhere else; nothing here has a reference any more.
        match unsafe { handle::release_if(&mut self.removal, handle.0, Request::is_message) } {
            Some(_) => raw::Request::NULL,
            None => self.conclude_other(at, handle),
        }
    }

    /// As [`Results::conclude`], of what is no message, or nothing.
    #[inline(never)]
    fn conclude_other(&mut self, at: usize, handle: raw::Request) -> raw::Request {
        let Ok(Some(object)) = find(&handle) else {
            self.put(at, Ended::well(Status::EMPTY));
            return handle;
        };
        let (ended, is_persistent) = object.conclude();
        self.put(at, ended);
        if is_persistent {
            return handle;
        }
        // SAFETY: as above.
        drop(unsafe { handle::release::<Request>(handle.0) });
        raw::Request::NULL
    }

    /// Concludes `count` requests, whose places `place` gives, and tells the program.
    fn conclude_all(
        mut self,
        handles: ArrayMut<raw::Request>,
        (count, place): (usize, impl Fn(usize) -> usize),
    ) -> Outcome {
        for at in 0..count {
            let place = place(at);
            handles.put(place, self.conclude(at, handles.at(place)));
        }
        self.tell_all(count)
    }

    /// Tells the program what has failed of several.
    fn tell_all(mut self, count: usize) -> Outcome {
        if self.failures.is_empty() {
            return Ok(());
        }
        // Only now are the error fields of statuses written (MPI 5.0, 3.7.5).
        (0..count).for_each(|at| self.statuses.at(at).set_error(0));
        for (at, (error, _)) in &self.failures {
            self.statuses.at(*at).set_error(error.code());
        }
        self.failures.sort_by_key(|(at, _)| *at);
        let (_, (error, on)) = self.failures.swap_remove(0);
        let detail = format!("the first of them: {error}");
        Err(Failure::from((Error::new(Class::InStatus, detail), on)))
    }

    /// Tells the program how a single one has ended.
    fn tell(mut self) -> Outcome {
        match self.failures.pop() {
            None => Ok(()),
            Some((_, failure)) => Err(failure.into()),
        }
    }
}

pub fn wait(request: Out<raw::Request>, status: OutStatus) -> Outcome {
    let handle = request.get();
    let Some(object) = find(&handle)? else {
        status.set_empty();
        return Ok(());
    };
    let mut results = Results::of_one(status);
    request::wait(&*any_process()?, |engine| {
        let is_over = object.take(engine, |ended| results.put(0, ended));
        is_over.then_some(())
    })?;
    request.set(results.conclude(0, handle));
    results.tell()
}

pub fn test(request: Out<raw::Request>, flag: OutInt, status: OutStatus) -> Outcome {
    let handle = request.get();
    let Some(object) = find(&handle)? else {
        flag.set_flag(true);
        status.set_empty();
        return Ok(());
    };
    let mut results = Results::of_one(status);
    let is_over = look(&*any_process()?, |engine| {
        let is_over = object.take(engine, |ended| results.put(0, ended));
        is_over.then_some(())
    })?;
    flag.set_flag(is_over.is_some());
    if is_over.is_some() {
        request.set(results.conclude(0, handle));
    }
    results.tell()
}

pub fn waitall(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    let mut results = Results::new(array_of_statuses);
    let mut from = 0;
    if requests.is_any_real() {
        request::wait(&*any_process()?, |engine| {
            // Those that have ended are not looked at again.
            from = requests.take_until(from, engine, &mut results);
            (from == requests.len).then_some(())
        })?;
    }
    results.conclude_all(array_of_requests, (requests.len, |at| at))
}

pub fn testall(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    flag: OutInt,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests.as_const())?;
    let mut results = Results::new(array_of_statuses);
    let is_over = are_over(requests, |engine| {
        requests.take_until(0, engine, &mut results);
    })?;
    flag.set_flag(is_over);
    match is_over {
        true => results.conclude_all(array_of_requests, (requests.len, |at| at)),
        false => Ok(()),
    }
}

/// Whether all have ended or are not active; `then` is done inside the engine when something was active.
fn are_over(requests: Requests, mut then: impl FnMut(&mut TaskEngine)) -> Outcome<bool> {
    if !requests.is_any_active() {
        return Ok(true);
    }
    let mut from = 0;
    let over = look(&*any_process()?, |engine| {
        from = requests.next_going_on(from, engine).unwrap_or(requests.len);
        (from == requests.len).then(|| then(engine))
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
    let mut results = Results::of_one(status);
    let take = |engine: &mut TaskEngine| requests.take_first(engine, &mut results);
    let place = request::wait(&*any_process()?, take)?;
    indx.set_number(place);
    array_of_requests.put(place, results.conclude(0, array_of_requests.at(place)));
    results.tell()
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
    let mut results = Results::of_one(status);
    let take = |engine: &mut TaskEngine| requests.take_first(engine, &mut results);
    let found = look(&*any_process()?, take)?;
    flag.set_flag(found.is_some());
    let Some(place) = found else {
        return Ok(());
    };
    indx.set_number(place);
    array_of_requests.put(place, results.conclude(0, array_of_requests.at(place)));
    results.tell()
}

/// Takes the results of those that have ended, after a wait for one of them or a look.
fn conclude_some(
    requests: Requests,
    handles: ArrayMut<raw::Request>,
    waits: bool,
    (outcount, indices): (OutInt, OutInts),
    statuses: OutStatuses,
) -> Outcome {
    indices.check(requests.len)?;
    if !requests.is_any_active() {
        outcount.set(UNDEFINED);
        return Ok(());
    }
    let process = any_process()?;
    let mut results = Results::new(statuses);
    let ended = |engine: &mut TaskEngine| requests.take_ended(engine, indices, &mut results);
    let found = match waits {
        true => request::wait(&process, ended)?,
        false => look(&process, ended)?.unwrap_or(0),
    };
    outcount.set_number(found);
    let place = |at| indices.at(at) as usize;
    results.conclude_all(handles, (found, place))
}

pub fn waitsome(
    incount: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(incount, array_of_requests.as_const())?;
    conclude_some(
        requests,
        array_of_requests,
        true,
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
    conclude_some(
        requests,
        array_of_requests,
        false,
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
        status.set(object.status(&*any_process()?)?);
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
    let is_over = are_over(requests, |_| ())?;
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
    array_of_indices.check(requests.len)?;
    if !requests.is_any_active() {
        outcount.set(UNDEFINED);
        return Ok(());
    }
    let ended = |engine: &mut TaskEngine| requests.all_ended(engine, array_of_indices);
    let found = look(&*any_process()?, ended)?.unwrap_or(0);
    outcount.set_number(found);
    for at in 0..found {
        let place = array_of_indices.at(at) as usize;
        array_of_statuses.at(at).set(requests.status(place)?);
    }
    Ok(())
}
