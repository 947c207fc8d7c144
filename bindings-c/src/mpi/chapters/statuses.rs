//! Statuses (MPI 5.0, 3.2.5, 3.8.4 and 13.3).

use pvm::mpi::{Class, Datatype, Error};

use super::super::failure::Outcome;
use super::super::raw::{Number, OutInt, OutStatus, Status};

/// Bytes as datatypes signed numbers have them.
fn bytes(status: &Status) -> i64 {
    i64::try_from(status.bytes()).unwrap_or(i64::MAX)
}

pub fn get_count(status: Status, datatype: &Datatype, count: Number) -> Outcome {
    let counted = datatype.count(bytes(&status));
    count.put_or_undefined(counted.unwrap_or(pvm::mpi::comm::UNDEFINED.into()));
    Ok(())
}

pub fn test_cancelled(status: Status, flag: OutInt) -> Outcome {
    flag.set_flag(status.is_cancelled());
    Ok(())
}

/// Changes a status of the program.
fn change(status: OutStatus, body: impl FnOnce(&mut Status)) -> Outcome {
    let mut changed = status.get()?;
    body(&mut changed);
    status.set_whole(&changed);
    Ok(())
}

pub fn status_set_cancelled(status: OutStatus, flag: i32) -> Outcome {
    change(status, |status| status.set_cancelled(flag != 0))
}

/// Elements of a datatype, in an `int` or in an `MPI_Count`.
pub fn status_set_elements(
    status: OutStatus,
    datatype: &Datatype,
    count: impl Into<i64>,
) -> Outcome {
    let count = count.into();
    let bytes = datatype.bytes_of_elements(count);
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let bytes = bytes
        .ok_or_else(|| Error::new(Class::Count, format!("{count} elements of the datatype")))?;
    change(status, |status| status.set_bytes(bytes))
}

pub fn status_set_elements_x(status: OutStatus, datatype: &Datatype, count: i64) -> Outcome {
    status_set_elements(status, datatype, count)
}

pub fn status_get_source(status: Status, source: OutInt) -> Outcome {
    source.set(status.source);
    Ok(())
}

pub fn status_get_tag(status: Status, tag: OutInt) -> Outcome {
    tag.set(status.tag);
    Ok(())
}

pub fn status_get_error(status: Status, error: OutInt) -> Outcome {
    error.set(status.error);
    Ok(())
}

pub fn status_set_source(status: OutStatus, source: i32) -> Outcome {
    change(status, |status| status.source = source)
}

pub fn status_set_tag(status: OutStatus, tag: i32) -> Outcome {
    change(status, |status| status.tag = tag)
}

pub fn status_set_error(status: OutStatus, error: i32) -> Outcome {
    change(status, |status| status.error = error)
}
