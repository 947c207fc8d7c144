//! Info objects (MPI 5.0, chapter 10).

use std::ffi::{CStr, c_char};

use pvm::mpi::{self, Class, Error};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Out, OutInt, OutStr, Strings, text};

/// The object of a handle that is not null.
pub(crate) fn find<'a>(info: raw::Info) -> Outcome<&'a mpi::Info> {
    // SAFETY: the program promises not to free what it uses in a call.
    Ok(unsafe { handle::find(info.0) }?)
}

/// The object of a handle; `None` for the null handle.
pub(crate) fn given<'a>(info: raw::Info) -> Outcome<Option<&'a mpi::Info>> {
    match info.0 == abi::INFO_NULL as usize {
        true => Ok(None),
        false => find(info).map(Some),
    }
}

/// An object that may be changed.
fn changeable<'a>(info: raw::Info) -> Outcome<&'a mpi::Info> {
    if info.0 == abi::INFO_ENV as usize {
        return Err(Error::new(Class::Info, "MPI_INFO_ENV cannot be changed").into());
    }
    find(info)
}

/// Gives the program a new object.
pub(crate) fn give(place: Out<raw::Info>, info: mpi::Info) -> Outcome {
    place.set(raw::Info(handle::keep(info)?));
    Ok(())
}

pub fn info_create(info: Out<raw::Info>) -> Outcome {
    give(info, mpi::Info::default())
}

pub unsafe fn info_create_env(argc: i32, argv: Strings, info: Out<raw::Info>) -> Outcome {
    let len =
        usize::try_from(argc).map_err(|_| Error::new(Class::Arg, format!("{argc} arguments")))?;
    let words = argv.read(len)?;
    let mut words = words.into_iter().take_while(|word| !word.is_null());
    let environment = find(raw::Info(abi::INFO_ENV as usize))?.dup();
    if let Some(command) = words.next() {
        environment.set("command", &argument(command))?;
        let rest: Vec<String> = words.map(argument).collect();
        if !rest.is_empty() {
            environment.set("argv", &rest.join(" "))?;
        }
    }
    give(info, environment)
}

fn argument(word: *const c_char) -> String {
    // SAFETY: the program promises strings, up to a NULL.
    text(unsafe { CStr::from_ptr(word) })
}

pub fn info_dup(info: raw::Info, newinfo: Out<raw::Info>) -> Outcome {
    give(newinfo, find(info)?.dup())
}

pub fn info_free(info: Out<raw::Info>) -> Outcome {
    // SAFETY: the program promises not to free what it uses elsewhere.
    unsafe { handle::release::<mpi::Info>(info.get().0) }?;
    info.set(raw::Info(abi::INFO_NULL as usize));
    Ok(())
}

pub fn info_set(info: raw::Info, key: &CStr, value: &CStr) -> Outcome {
    Ok(changeable(info)?.set(&text(key), &text(value))?)
}

pub fn info_delete(info: raw::Info, key: &CStr) -> Outcome {
    Ok(changeable(info)?.delete(&text(key))?)
}

pub fn info_get(
    info: raw::Info,
    key: &CStr,
    valuelen: i32,
    value: OutStr,
    flag: OutInt,
) -> Outcome {
    let room = usize::try_from(valuelen)
        .map_err(|_| Error::new(Class::Arg, format!("a value of length {valuelen}")))?;
    let found = find(info)?.get(&text(key))?;
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        // The length does not count the end mark.
        value.put(&found, room + 1);
    }
    Ok(())
}

pub fn info_get_valuelen(info: raw::Info, key: &CStr, valuelen: OutInt, flag: OutInt) -> Outcome {
    let found = find(info)?.get(&text(key))?;
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        valuelen.set_number(found.len());
    }
    Ok(())
}

pub fn info_get_string(
    info: raw::Info,
    key: &CStr,
    buflen: OutInt,
    value: raw::OutStr,
    flag: OutInt,
) -> Outcome {
    let room = buflen.get();
    let room = usize::try_from(room)
        .map_err(|_| Error::new(Class::Arg, format!("a buffer of length {room}")))?;
    let found = find(info)?.get(&text(key))?;
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        value.put(&found, room);
        buflen.set_number(found.len() + 1);
    }
    Ok(())
}

pub fn info_get_nkeys(info: raw::Info, nkeys: OutInt) -> Outcome {
    nkeys.set_number(find(info)?.len());
    Ok(())
}

pub fn info_get_nthkey(info: raw::Info, n: i32, key: OutStr) -> Outcome {
    key.put(&find(info)?.key(n)?, abi::MAX_INFO_KEY as usize);
    Ok(())
}
