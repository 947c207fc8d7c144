//! Attributes of objects, and their keys (MPI 5.0, 7.7).

use std::ffi::{c_int, c_void};

use pvm::mpi;
use pvm::mpi::attribute::{self, Attributes, Copy, CopyFunction, DeleteFunction, Holder};
use pvm::mpi::comm::{ANY_SOURCE, PROC_NULL, TAG_UB};
use pvm::mpi::{Error, code};
use pvm::settings;
use pvm::sync::atomic::{AtomicI32, Ordering};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{
    AnyDatatype, CommCopyAttrFunction, CommDeleteAttrFunction, CopyFunction as OldCopy,
};
use super::super::raw::{DeleteFunction as OldDelete, OutBuf, OutInt, Pointer};
use super::super::raw::{TypeCopyAttrFunction, TypeDeleteAttrFunction};
use super::super::raw::{WinCopyAttrFunction, WinDeleteAttrFunction};

/// A function of the program that is asked when an object is copied.
type CopyOfProgram = unsafe extern "C-unwind" fn(
    usize,
    c_int,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_int,
) -> c_int;

/// A function of the program that is told before an attribute goes.
type DeleteOfProgram = unsafe extern "C-unwind" fn(usize, c_int, *mut c_void, *mut c_void) -> c_int;

fn copy_function(function: usize, state: usize) -> Copy {
    match function as isize {
        abi::NULL_COPY_FN => return Copy::Never,
        abi::DUP_FN => return Copy::Same,
        _ => {}
    }
    // SAFETY: the program promises a function of this type; it is not NULL.
    let function = unsafe { std::mem::transmute::<usize, CopyOfProgram>(function) };
    let ask = move |object: u64, keyval: i32, value: usize| {
        let (mut copied, mut flag) = (std::ptr::null_mut::<c_void>(), 0);
        let place = (&raw mut copied).cast();
        let (state, value) = (state as *mut c_void, value as *mut c_void);
        // SAFETY: the function takes an object of the program, its own pointers, and two places.
        let code = unsafe { function(object as usize, keyval, state, value, place, &raw mut flag) };
        told(code).map(|()| (flag != 0).then_some(copied as usize))
    };
    let ask: Box<CopyFunction> = Box::new(ask);
    Copy::Ask(ask)
}

fn delete_function(function: usize, state: usize) -> Option<Box<DeleteFunction>> {
    if function as isize == abi::NULL_DELETE_FN {
        return None;
    }
    // SAFETY: the program promises a function of this type; it is not NULL.
    let function = unsafe { std::mem::transmute::<usize, DeleteOfProgram>(function) };
    Some(Box::new(move |object: u64, keyval: i32, value: usize| {
        let (state, value) = (state as *mut c_void, value as *mut c_void);
        // SAFETY: the function takes an object of the program, and its own pointers.
        told(unsafe { function(object as usize, keyval, value, state) })
    }))
}

/// What a function of the program returns.
fn told(code: c_int) -> mpi::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Error::from_code(code)),
    }
}

fn create(holder: Holder, copy: usize, delete: usize, keyval: OutInt, state: Pointer) -> Outcome {
    let state = state.0 as usize;
    let (copy, delete) = (copy_function(copy, state), delete_function(delete, state));
    keyval.set(attribute::create(holder, copy, delete)?);
    Ok(())
}

fn free(holder: Holder, keyval: OutInt) -> Outcome {
    attribute::free(holder, keyval.get())?;
    keyval.set(abi::KEYVAL_INVALID);
    Ok(())
}

/// Tells the program of a value, if there is one.
fn give(value: Option<usize>, place: OutBuf, flag: OutInt) -> Outcome {
    let place = place.place()?;
    flag.set_flag(value.is_some());
    if let Some(value) = value {
        place.set(value);
    }
    Ok(())
}

/// Numbers whose addresses programs are given: they stay where they are.
macro_rules! predefined {
    ($($key:ident = $value:expr;)*) => {
        /// The address of a predefined attribute of a communicator; `None` if `keyval` is no such
        /// key, or its value is not known.
        fn predefined(comm: &mpi::Comm, keyval: i32) -> Option<Option<usize>> {
            match keyval {
                $(abi::$key => {
                    static PLACE: AtomicI32 = AtomicI32::new(0);
                    let value: Option<i32> = $value(comm);
                    Some(value.map(|value| {
                        PLACE.store(value, Ordering::Relaxed);
                        PLACE.as_ptr() as usize
                    }))
                })*
                _ => None,
            }
        }
    };
}

predefined! {
    TAG_UB = |_| Some(TAG_UB);
    IO = |_| Some(ANY_SOURCE);
    HOST = |_| Some(PROC_NULL);
    WTIME_IS_GLOBAL = |_| Some(0);
    APPNUM = app_number;
    LASTUSEDCODE = |_| Some(code::last_used());
    UNIVERSE_SIZE = universe_size;
}

/// Which of the programs of its line this is, if a launcher has started it. What tasks start inherits
/// the variable and not the place.
fn app_number(comm: &mpi::Comm) -> Option<i32> {
    let task = &comm.process.task;
    let is_launched = task.job.0 != 0 && task.parent.is_none();
    is_launched.then(|| number(settings::APP)).flatten()
}

/// What the launcher was told, else how many processes can usefully run: the processors of all hosts.
fn universe_size(comm: &mpi::Comm) -> Option<i32> {
    if let Some(told) = number(settings::UNIVERSE_SIZE) {
        return Some(told);
    }
    let processors = comm.process.processors().ok()?;
    i32::try_from(processors.max(comm.process.task.world.size())).ok()
}

/// A number that the launcher has set.
fn number(variable: &str) -> Option<i32> {
    std::env::var(variable).ok()?.parse().ok()
}

pub fn comm_create_keyval(
    comm_copy_attr_fn: CommCopyAttrFunction,
    comm_delete_attr_fn: CommDeleteAttrFunction,
    comm_keyval: OutInt,
    extra_state: Pointer,
) -> Outcome {
    let (copy, delete) = (comm_copy_attr_fn.0, comm_delete_attr_fn.0);
    create(Holder::Comm, copy, delete, comm_keyval, extra_state)
}

pub fn comm_free_keyval(comm_keyval: OutInt) -> Outcome {
    free(Holder::Comm, comm_keyval)
}

pub fn comm_set_attr(comm: &mpi::Comm, comm_keyval: i32, attribute_val: Pointer) -> Outcome {
    let value = attribute_val.0 as usize;
    Ok(comm.attributes.set(comm.handle(), comm_keyval, value)?)
}

pub fn comm_get_attr(
    comm: &mpi::Comm,
    comm_keyval: i32,
    attribute_val: OutBuf,
    flag: OutInt,
) -> Outcome {
    let value = match predefined(comm, comm_keyval) {
        Some(value) => value,
        None => comm.attributes.get(comm_keyval)?,
    };
    give(value, attribute_val, flag)
}

pub fn comm_delete_attr(comm: &mpi::Comm, comm_keyval: i32) -> Outcome {
    Ok(comm.attributes.delete(comm.handle(), comm_keyval)?)
}

pub fn type_create_keyval(
    type_copy_attr_fn: TypeCopyAttrFunction,
    type_delete_attr_fn: TypeDeleteAttrFunction,
    type_keyval: OutInt,
    extra_state: Pointer,
) -> Outcome {
    let (copy, delete) = (type_copy_attr_fn.0, type_delete_attr_fn.0);
    create(Holder::Type, copy, delete, type_keyval, extra_state)
}

pub fn type_free_keyval(type_keyval: OutInt) -> Outcome {
    free(Holder::Type, type_keyval)
}

fn of_type(datatype: &AnyDatatype) -> Outcome<&Attributes> {
    Ok(datatype.find()?.attributes())
}

pub fn type_set_attr(datatype: AnyDatatype, type_keyval: i32, attribute_val: Pointer) -> Outcome {
    let value = attribute_val.0 as usize;
    Ok(of_type(&datatype)?.set(datatype.0 as u64, type_keyval, value)?)
}

pub fn type_get_attr(
    datatype: AnyDatatype,
    type_keyval: i32,
    attribute_val: OutBuf,
    flag: OutInt,
) -> Outcome {
    give(of_type(&datatype)?.get(type_keyval)?, attribute_val, flag)
}

pub fn type_delete_attr(datatype: AnyDatatype, type_keyval: i32) -> Outcome {
    Ok(of_type(&datatype)?.delete(datatype.0 as u64, type_keyval)?)
}

pub fn win_create_keyval(
    win_copy_attr_fn: WinCopyAttrFunction,
    win_delete_attr_fn: WinDeleteAttrFunction,
    win_keyval: OutInt,
    extra_state: Pointer,
) -> Outcome {
    let (copy, delete) = (win_copy_attr_fn.0, win_delete_attr_fn.0);
    create(Holder::Win, copy, delete, win_keyval, extra_state)
}

pub fn win_free_keyval(win_keyval: OutInt) -> Outcome {
    free(Holder::Win, win_keyval)
}

pub fn keyval_create(
    copy_fn: OldCopy,
    delete_fn: OldDelete,
    keyval: OutInt,
    extra_state: Pointer,
) -> Outcome {
    create(Holder::Comm, copy_fn.0, delete_fn.0, keyval, extra_state)
}

pub fn keyval_free(keyval: OutInt) -> Outcome {
    free(Holder::Comm, keyval)
}

pub fn attr_put(comm: &mpi::Comm, keyval: i32, attribute_val: Pointer) -> Outcome {
    comm_set_attr(comm, keyval, attribute_val)
}

pub fn attr_get(comm: &mpi::Comm, keyval: i32, attribute_val: OutBuf, flag: OutInt) -> Outcome {
    comm_get_attr(comm, keyval, attribute_val, flag)
}

pub fn attr_delete(comm: &mpi::Comm, keyval: i32) -> Outcome {
    comm_delete_attr(comm, keyval)
}
