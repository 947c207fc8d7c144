//! Requests: waiting, testing, starting, freeing (MPI 5.0, 3.7 and 3.9).

use pvm::engine::TaskEngine;
use pvm::mpi::request::{test as look, wait_all, wait_any, wait_one};
use pvm::mpi::{self, Class, Ended, Error, Request, Status};

use super::super::failure::{Failure, Outcome};
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Array, ArrayMut, Out, OutInt, OutInts, OutStatus, OutStatuses};
use super::super::state::any_process;
use super::point::tell;

const NULL: raw::Request = raw::Request(abi::REQUEST_NULL as usize);
const UNDEFINED: i32 = abi::UNDEFINED;

/// The object of a handle; `None` for the null handle.
#[inline]
fn find<'a>(request: raw::Request) -> mpi::Result<Option<&'a Request>> {
    match request == NULL {
        true => Ok(None),
        // SAFETY: the program promises not to free what it uses in a call.
        false => unsafe { handle::find(request.0) }.map(Some),
    }
}

/// The requests of an array.
struct Requests<'a> {
    handles: ArrayMut<raw::Request>,
    /// By place; `None`: null.
    objects: Vec<Option<&'a Request>>,
}

impl<'a> Requests<'a> {
    fn read(count: i32, handles: ArrayMut<raw::Request>) -> Outcome<Self> {
        let len = length(count)?;
        handles.check(len)?;
        let objects = (0..len).map(|index| find(handles.at(index)));
        Ok(Self {
            handles,
            objects: objects.collect::<mpi::Result<_>>()?,
        })
    }

    /// Those that something goes on in, with their places.
    fn active(&self) -> (Vec<usize>, Vec<&'a Request>) {
        let objects = self.objects.iter().enumerate();
        let active = objects.filter_map(|(place, object)| {
            let object = object.filter(|object| object.is_active())?;
            Some((place, object))
        });
        active.unzip()
    }

    /// Takes the result of one that has ended.
    fn conclude(&self, place: usize) -> Ended {
        let Some(object) = self.objects[place] else {
            return Ended::well(Status::EMPTY);
        };
        let ended = object.conclude();
        if !object.is_persistent() {
            // SAFETY: the program promises to use the request nowhere else; the reference is not used
            // any more.
            drop(unsafe { handle::release::<Request>(self.handles.at(place).0) });
            self.handles.put(place, NULL);
        }
        ended
    }

    /// Takes the results of all, or of those at `places`, into statuses one behind the other.
    fn conclude_all(&self, places: impl Iterator<Item = usize>, statuses: OutStatuses) -> Outcome {
        let mut failed = None;
        let mut ended_badly = Vec::new();
        for (at, place) in places.enumerate() {
            let Ended { status, failure } = self.conclude(place);
            let code = failure.as_ref().map_or(0, |(error, _)| error.code());
            statuses.at(at).set(status);
            if let Some(failure) = failure {
                ended_badly.push((at, code));
                failed.get_or_insert(failure);
            }
        }
        let Some((error, on)) = failed else {
            return Ok(());
        };
        // Only now are the error fields of all statuses written (MPI 5.0, 3.7.5).
        let count = self.objects.len();
        for at in 0..count {
            statuses.at(at).set_error(0);
        }
        for (at, code) in ended_badly {
            statuses.at(at).set_error(code);
        }
        let detail = format!("the first of them: {error}");
        Err(Failure::from((Error::new(Class::InStatus, detail), on)))
    }
}

fn length(count: i32) -> mpi::Result<usize> {
    usize::try_from(count).map_err(|_| Error::new(Class::Count, format!("{count} requests")))
}

/// Frees a request that has ended, unless it is persistent, and tells how it has.
fn over(request: Out<raw::Request>, object: &Request, status: OutStatus) -> Outcome {
    let ended = object.conclude();
    if !object.is_persistent() {
        // SAFETY: the program promises to use the request nowhere else; the reference is not used
        // any more.
        drop(unsafe { handle::release::<Request>(request.get().0) });
        request.set(NULL);
    }
    tell(ended, status)
}

pub fn wait(request: Out<raw::Request>, status: OutStatus) -> Outcome {
    let Some(object) = find(request.get())? else {
        status.set(Status::EMPTY);
        return Ok(());
    };
    wait_one(&*any_process()?, object)?;
    over(request, object, status)
}

pub fn test(request: Out<raw::Request>, flag: OutInt, status: OutStatus) -> Outcome {
    let Some(object) = find(request.get())? else {
        flag.set_flag(true);
        status.set(Status::EMPTY);
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
    let requests = Requests::read(count, array_of_requests)?;
    let (_, active) = requests.active();
    if !active.is_empty() {
        wait_all(&*any_process()?, &active)?;
    }
    requests.conclude_all(0..requests.objects.len(), array_of_statuses)
}

pub fn testall(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    flag: OutInt,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    let (_, active) = requests.active();
    let all = |engine: &mut TaskEngine| {
        let over = active.iter().all(|request| request.settle(engine));
        over.then_some(())
    };
    let is_over = active.is_empty() || look(&*any_process()?, all)?.is_some();
    flag.set_flag(is_over);
    match is_over {
        true => requests.conclude_all(0..requests.objects.len(), array_of_statuses),
        false => Ok(()),
    }
}

pub fn waitany(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    indx: OutInt,
    status: OutStatus,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    let (places, active) = requests.active();
    if active.is_empty() {
        indx.set(UNDEFINED);
        status.set(Status::EMPTY);
        return Ok(());
    }
    let place = places[wait_any(&*any_process()?, &active)?];
    indx.set_number(place);
    tell(requests.conclude(place), status)
}

pub fn testany(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    indx: OutInt,
    flag: OutInt,
    status: OutStatus,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    let (places, active) = requests.active();
    if active.is_empty() {
        indx.set(UNDEFINED);
        flag.set_flag(true);
        status.set(Status::EMPTY);
        return Ok(());
    }
    let found = look(&*any_process()?, |engine| {
        active.iter().position(|request| request.settle(engine))
    })?;
    flag.set_flag(found.is_some());
    match found {
        Some(found) => {
            indx.set_number(places[found]);
            tell(requests.conclude(places[found]), status)
        }
        None => {
            indx.set(UNDEFINED);
            Ok(())
        }
    }
}

/// The places of those that have ended.
fn ended(engine: &mut TaskEngine, places: &[usize], active: &[&Request]) -> Option<Vec<usize>> {
    let each = places.iter().zip(active);
    let ended: Vec<usize> = each
        .filter_map(|(place, request)| request.settle(engine).then_some(*place))
        .collect();
    (!ended.is_empty()).then_some(ended)
}

/// Waits for some, or looks for some.
fn some(
    count: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
    waits: bool,
) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    array_of_indices.check(requests.objects.len())?;
    let (places, active) = requests.active();
    if active.is_empty() {
        outcount.set(UNDEFINED);
        return Ok(());
    }
    let process = any_process()?;
    let found = match waits {
        true => process.wait(|engine| ended(engine, &places, &active))?,
        false => look(&process, |engine| ended(engine, &places, &active))?.unwrap_or_default(),
    };
    outcount.set_number(found.len());
    for (at, place) in found.iter().enumerate() {
        array_of_indices.put(at, i32::try_from(*place).unwrap_or(UNDEFINED));
    }
    requests.conclude_all(found.into_iter(), array_of_statuses)
}

pub fn waitsome(
    incount: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    some(
        incount,
        array_of_requests,
        outcount,
        array_of_indices,
        array_of_statuses,
        true,
    )
}

pub fn testsome(
    incount: i32,
    array_of_requests: ArrayMut<raw::Request>,
    outcount: OutInt,
    array_of_indices: OutInts,
    array_of_statuses: OutStatuses,
) -> Outcome {
    some(
        incount,
        array_of_requests,
        outcount,
        array_of_indices,
        array_of_statuses,
        false,
    )
}

pub fn request_free(request: Out<raw::Request>) -> Outcome {
    let object = find(request.get())?.ok_or_else(null)?;
    object.forget(&*any_process()?)?;
    // SAFETY: the program promises to use the request nowhere else; the reference is not used any more.
    unsafe { handle::release::<Request>(request.get().0) }?;
    request.set(NULL);
    Ok(())
}

#[cold]
fn null() -> Error {
    Error::new(Class::Request, "the null request")
}

pub fn cancel(request: Out<raw::Request>) -> Outcome {
    let object = find(request.get())?.ok_or_else(null)?;
    if !object.is_active() {
        return Err(Error::new(Class::Request, "the request is not active").into());
    }
    Ok(object.cancel(&*any_process()?)?)
}

pub fn start(request: Out<raw::Request>) -> Outcome {
    let object = find(request.get())?.ok_or_else(null)?;
    Ok(object.start()?)
}

pub fn startall(count: i32, array_of_requests: ArrayMut<raw::Request>) -> Outcome {
    let requests = Requests::read(count, array_of_requests)?;
    for object in &requests.objects {
        object.ok_or_else(null)?.start()?;
    }
    Ok(())
}

/// The status of one that has ended, which stays as it is.
fn status_of(object: &Request) -> Status {
    object.peek().unwrap_or_else(|| object.conclude_and_keep())
}

pub fn request_get_status(request: raw::Request, flag: OutInt, status: OutStatus) -> Outcome {
    let object = find(request)?;
    let Some(object) = object.filter(|object| object.is_active()) else {
        flag.set_flag(true);
        status.set(Status::EMPTY);
        return Ok(());
    };
    let is_over = look(&*any_process()?, |engine| {
        object.settle(engine).then_some(())
    })?;
    flag.set_flag(is_over.is_some());
    if is_over.is_some() {
        status.set(status_of(object));
    }
    Ok(())
}

/// The requests of an array that is only read.
fn objects<'a>(count: i32, handles: Array<raw::Request>) -> Outcome<Vec<Option<&'a Request>>> {
    let handles = handles.read(length(count)?)?;
    let objects = handles.into_iter().map(|handle| {
        let object = find(handle)?;
        Ok(object.filter(|object| object.is_active()))
    });
    Ok(objects.collect::<mpi::Result<_>>()?)
}

pub fn request_get_status_all(
    count: i32,
    array_of_requests: Array<raw::Request>,
    flag: OutInt,
    array_of_statuses: OutStatuses,
) -> Outcome {
    let objects = objects(count, array_of_requests)?;
    let is_over = look(&*any_process()?, |engine| {
        let mut active = objects.iter().flatten();
        active.all(|object| object.settle(engine)).then_some(())
    })?;
    flag.set_flag(is_over.is_some());
    if is_over.is_some() {
        for (at, object) in objects.iter().enumerate() {
            let status = object.map_or(Status::EMPTY, status_of);
            array_of_statuses.at(at).set(status);
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
    let objects = objects(count, array_of_requests)?;
    if objects.iter().all(Option::is_none) {
        indx.set(UNDEFINED);
        flag.set_flag(true);
        status.set(Status::EMPTY);
        return Ok(());
    }
    let found = look(&*any_process()?, |engine| {
        let mut objects = objects.iter();
        objects.position(|object| object.is_some_and(|object| object.settle(engine)))
    })?;
    flag.set_flag(found.is_some());
    indx.set(UNDEFINED);
    if let Some(found) = found {
        indx.set_number(found);
        status.set(objects[found].map_or(Status::EMPTY, status_of));
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
    let objects = objects(incount, array_of_requests)?;
    array_of_indices.check(objects.len())?;
    if objects.iter().all(Option::is_none) {
        outcount.set(UNDEFINED);
        return Ok(());
    }
    let found = look(&*any_process()?, |engine| {
        let each = objects.iter().enumerate();
        let over: Vec<usize> = each
            .filter(|(_, object)| object.is_some_and(|object| object.settle(engine)))
            .map(|(place, _)| place)
            .collect();
        (!over.is_empty()).then_some(over)
    })?;
    let found = found.unwrap_or_default();
    outcount.set_number(found.len());
    for (at, place) in found.into_iter().enumerate() {
        array_of_indices.put(at, i32::try_from(place).unwrap_or(UNDEFINED));
        let status = objects[place].map_or(Status::EMPTY, status_of);
        array_of_statuses.at(at).set(status);
    }
    Ok(())
}
