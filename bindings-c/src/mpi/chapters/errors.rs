//! Error handlers, classes, codes and strings (MPI 5.0, chapter 9).

use std::ffi::{CStr, c_int};
use std::sync::Arc;

use pvm::mpi::code;
use pvm::mpi::errhandler::{Subject, UserErrhandler};
use pvm::mpi::{self, Class, Error};

use super::super::failure::{self, Outcome};
use super::super::generated::constants as abi;
use super::super::handle::{self, Object};
use super::super::raw::{self, CommErrhandlerFunction, Out, OutInt, OutStr, text};
use super::super::raw::{FileErrhandlerFunction, SessionErrhandlerFunction, WinErrhandlerFunction};
use super::super::state;

/// The functions of the program, all of one shape.
type Function = unsafe extern "C-unwind" fn(*mut usize, *mut c_int, ...);

/// A handler that calls a function of the program.
fn create(function: usize, subject: Subject, errhandler: Out<raw::Errhandler>) -> Outcome {
    if function == 0 {
        return Err(Error::new(Class::Arg, "the function is NULL").into());
    }
    // SAFETY: the program promises a function of this type; it is not NULL.
    let function = unsafe { std::mem::transmute::<usize, Function>(function) };
    let call = move |object: u64, code: c_int| {
        let (mut object, mut code) = (object as usize, code);
        // SAFETY: the function takes the addresses of a handle and of a code.
        unsafe { function(&raw mut object, &raw mut code) };
    };
    let user = UserErrhandler {
        subject,
        function: Box::new(call),
    };
    let raw = handle::keep(mpi::Errhandler::User(Arc::new(user)))?;
    errhandler.set(raw::Errhandler(raw));
    Ok(())
}

pub fn comm_create_errhandler(
    comm_errhandler_fn: CommErrhandlerFunction,
    errhandler: Out<raw::Errhandler>,
) -> Outcome {
    create(comm_errhandler_fn.0, Subject::Comm, errhandler)
}

pub fn win_create_errhandler(
    win_errhandler_fn: WinErrhandlerFunction,
    errhandler: Out<raw::Errhandler>,
) -> Outcome {
    create(win_errhandler_fn.0, Subject::Win, errhandler)
}

pub fn file_create_errhandler(
    file_errhandler_fn: FileErrhandlerFunction,
    errhandler: Out<raw::Errhandler>,
) -> Outcome {
    create(file_errhandler_fn.0, Subject::File, errhandler)
}

pub fn session_create_errhandler(
    session_errhandler_fn: SessionErrhandlerFunction,
    errhandler: Out<raw::Errhandler>,
) -> Outcome {
    create(session_errhandler_fn.0, Subject::Session, errhandler)
}

/// A handler that such an object may have.
pub(crate) fn suiting(errhandler: &mpi::Errhandler, subject: Subject) -> Outcome<mpi::Errhandler> {
    match errhandler.suits(subject) {
        true => Ok(errhandler.clone()),
        false => {
            let detail = "the error handler is for another kind of object";
            Err(Error::new(Class::Arg, detail).into())
        }
    }
}

pub fn comm_set_errhandler(comm: raw::AnyComm, errhandler: &mpi::Errhandler) -> Outcome {
    let errhandler = suiting(errhandler, Subject::Comm)?;
    // A communicator that is still being copied keeps it for later.
    if !handle::set_later_errhandler(comm.0, &errhandler) {
        comm.find()?.set_errhandler(errhandler);
    }
    Ok(())
}

pub fn comm_get_errhandler(comm: &mpi::Comm, errhandler: Out<raw::Errhandler>) -> Outcome {
    errhandler.set(raw::Errhandler(handle::of_errhandler(comm.errhandler())?));
    Ok(())
}

pub fn comm_call_errhandler(comm: &mpi::Comm, errorcode: i32) -> Outcome {
    call(comm.errhandler(), comm.handle() as usize, errorcode)
}

/// There are no files yet: all that there is to have a handler is the file that is none, for those to come.
fn check_file(file: raw::File) -> Outcome {
    match file.0 == abi::FILE_NULL as usize {
        true => Ok(()),
        false => Err(Error::new(Class::File, format!("{:#x} is no file", file.0)).into()),
    }
}

pub fn file_set_errhandler(file: raw::File, errhandler: &mpi::Errhandler) -> Outcome {
    check_file(file)?;
    *state::of_files() = suiting(errhandler, Subject::File)?;
    Ok(())
}

pub fn file_get_errhandler(file: raw::File, errhandler: Out<raw::Errhandler>) -> Outcome {
    check_file(file)?;
    let of_files = state::of_files().clone();
    errhandler.set(raw::Errhandler(handle::of_errhandler(of_files)?));
    Ok(())
}

pub fn file_call_errhandler(file: raw::File, errorcode: i32) -> Outcome {
    check_file(file)?;
    let of_files = state::of_files().clone();
    call(of_files, file.0, errorcode)
}

/// Calls a handler for an error that the program raises itself.
pub(crate) fn call(errhandler: mpi::Errhandler, object: usize, code: i32) -> Outcome {
    match errhandler {
        mpi::Errhandler::Return => Ok(()),
        mpi::Errhandler::User(user) => {
            (user.function)(object as u64, code);
            Ok(())
        }
        fatal @ (mpi::Errhandler::AreFatal | mpi::Errhandler::Abort) => {
            let what = code::text(code).unwrap_or_default();
            let who = state::who();
            let text = format!("{who}: the program raised error {code}: {what}");
            let group = failure::group_of(&fatal, object);
            state::end(&text, code::class(code).unwrap_or(1), group.as_ref())
        }
    }
}

pub fn errhandler_free(errhandler: Out<raw::Errhandler>) -> Outcome {
    let raw = errhandler.get().0;
    // Predefined ones are handed out by the calls that get an object's handler, too: freeing them is no
    // error, and frees nothing.
    let is_predefined = mpi::Errhandler::predefined(raw).is_some();
    if !is_predefined {
        // SAFETY: the program promises not to free what it uses elsewhere.
        unsafe { handle::release::<mpi::Errhandler>(raw) }?;
    }
    errhandler.set(raw::Errhandler::NULL);
    Ok(())
}

pub fn error_class(errorcode: i32, errorclass: OutInt) -> Outcome {
    errorclass.set(code::class(errorcode)?);
    Ok(())
}

pub fn error_string(errorcode: i32, string: OutStr, resultlen: OutInt) -> Outcome {
    let text = code::text(errorcode)?;
    resultlen.set_number(string.put(&text, abi::MAX_ERROR_STRING as usize));
    Ok(())
}

pub fn add_error_class(errorclass: OutInt) -> Outcome {
    errorclass.set(code::add_class()?);
    Ok(())
}

pub fn add_error_code(errorclass: i32, errorcode: OutInt) -> Outcome {
    errorcode.set(code::add_code(errorclass)?);
    Ok(())
}

pub fn add_error_string(errorcode: i32, string: &CStr) -> Outcome {
    Ok(code::set_text(errorcode, &text(string))?)
}

pub fn remove_error_class(errorclass: i32) -> Outcome {
    Ok(code::remove_class(errorclass)?)
}

pub fn remove_error_code(errorcode: i32) -> Outcome {
    Ok(code::remove_code(errorcode)?)
}

pub fn remove_error_string(errorcode: i32) -> Outcome {
    Ok(code::remove_text(errorcode)?)
}
