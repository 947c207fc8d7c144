//! Info objects (MPI 5.0, chapter 10).

use std::ffi::{CStr, c_char};

use pvm::mpi::{self, Class, Error};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Out, OutInt, OutStr, Strings, text};

/// How this process was started.
const ENVIRONMENT: raw::Info = raw::Info(abi::INFO_ENV as usize);

/// The object of a handle; `None` for the null handle.
pub(crate) fn given(info: &raw::Info) -> mpi::Result<Option<&mpi::Info>> {
    match *info == raw::Info::NULL {
        true => Ok(None),
        false => info.find().map(Some),
    }
}

/// An object that may be changed.
fn changeable(info: &raw::Info) -> mpi::Result<&mpi::Info> {
    if *info == ENVIRONMENT {
        return Err(Error::new(Class::Info, "MPI_INFO_ENV cannot be changed"));
    }
    info.find()
}

/// Gives the program a new object.
pub(crate) fn give(place: Out<raw::Info>, info: mpi::Info) -> Outcome {
    place.set(raw::Info(handle::keep(info)?));
    Ok(())
}

pub fn info_create(info: Out<raw::Info>) -> Outcome {
    give(info, mpi::Info::default())
}

pub fn info_create_env(argc: i32, argv: Strings, info: Out<raw::Info>) -> Outcome {
    let len =
        usize::try_from(argc).map_err(|_| Error::new(Class::Arg, format!("{argc} arguments")))?;
    let words = argv.read(len)?;
    let mut words = words.into_iter().take_while(|word| !word.is_null());
    let environment = ENVIRONMENT.find()?.dup();
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
    give(newinfo, info.find()?.dup())
}

pub fn info_free(info: Out<raw::Info>) -> Outcome {
    // SAFETY: the program promises not to free what it uses elsewhere.
    unsafe { handle::release::<mpi::Info>(info.get().0) }?;
    info.set(raw::Info::NULL);
    Ok(())
}

pub fn info_set(info: raw::Info, key: &CStr, value: &CStr) -> Outcome {
    Ok(changeable(&info)?.set(&text(key), &text(value))?)
}

pub fn info_delete(info: raw::Info, key: &CStr) -> Outcome {
    Ok(changeable(&info)?.delete(&text(key))?)
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
    let found = info.find()?.get(&text(key))?;
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        // The length does not count the end mark.
        value.put(&found, room + 1);
    }
    Ok(())
}

pub fn info_get_valuelen(info: raw::Info, key: &CStr, valuelen: OutInt, flag: OutInt) -> Outcome {
    let found = info.find()?.get(&text(key))?;
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
    let found = info.find()?.get(&text(key))?;
    flag.set_flag(found.is_some());
    if let Some(found) = found {
        value.put(&found, room);
        buflen.set_number(found.len() + 1);
    }
    Ok(())
}

pub fn info_get_nkeys(info: raw::Info, nkeys: OutInt) -> Outcome {
    nkeys.set_number(info.find()?.len());
    Ok(())
}

pub fn info_get_nthkey(info: raw::Info, n: i32, key: OutStr) -> Outcome {
    key.put(&info.find()?.key(n)?, abi::MAX_INFO_KEY as usize);
    Ok(())
}
