//! Generalized requests (MPI 5.0, 13.2). What sets statuses is in `statuses`.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use pvm::mpi::request::Generalized;
use pvm::mpi::{self, Class, Error, Request, Status};

use super::super::failure::Outcome;
use super::super::raw::{self, GrequestCancelFunction, GrequestFreeFunction};
use super::super::raw::{GrequestQueryFunction, Out, Pointer};
use super::super::state::any_process;
use super::{point, requests};

type Query = unsafe extern "C-unwind" fn(*mut c_void, *mut raw::Status) -> c_int;
type Free = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;
type Cancel = unsafe extern "C-unwind" fn(*mut c_void, c_int) -> c_int;

/// Functions of the program, and what they are called with.
struct Functions {
    query: Query,
    free: Free,
    cancel: Cancel,
    extra_state: usize,
}

impl Functions {
    fn state(&self) -> *mut c_void {
        self.extra_state as *mut c_void
    }
}

/// The result of a function of the program.
fn result(code: c_int) -> mpi::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Error::from_code(code)),
    }
}

impl Generalized for Functions {
    fn query(&self) -> (Status, mpi::Result<()>) {
        let mut status = raw::Status::from(Status::EMPTY);
        // SAFETY: the program promises a function that takes its state and a status.
        let code = unsafe { (self.query)(self.state(), &raw mut status) };
        (status.into(), result(code))
    }

    fn free(&self) -> mpi::Result<()> {
        // SAFETY: the program promises a function that takes its state.
        result(unsafe { (self.free)(self.state()) })
    }

    fn cancel(&self, complete: bool) -> mpi::Result<()> {
        // SAFETY: the program promises a function that takes its state and a flag.
        result(unsafe { (self.cancel)(self.state(), complete.into()) })
    }
}

pub fn grequest_start(
    query_fn: GrequestQueryFunction,
    free_fn: GrequestFreeFunction,
    cancel_fn: GrequestCancelFunction,
    extra_state: Pointer,
    request: Out<raw::Request>,
) -> Outcome {
    if [query_fn.0, free_fn.0, cancel_fn.0].contains(&0) {
        return Err(Error::new(Class::Arg, "a function is NULL").into());
    }
    // SAFETY: none is NULL, and the program promises functions of these types.
    let functions = unsafe {
        Functions {
            query: std::mem::transmute::<usize, Query>(query_fn.0),
            free: std::mem::transmute::<usize, Free>(free_fn.0),
            cancel: std::mem::transmute::<usize, Cancel>(cancel_fn.0),
            extra_state: extra_state.0 as usize,
        }
    };
    point::give(request, Request::generalized(Arc::new(functions)))
}

pub fn grequest_complete(request: raw::Request) -> Outcome {
    match requests::real(&request)?.complete(&*any_process()?)? {
        true => requests::release(request),
        false => Ok(()),
    }
}
