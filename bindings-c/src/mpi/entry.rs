//! What every C entry point does.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pvm::mpi::{Class, Error};

use super::failure::{Outcome, Subject, raise};

/// Runs a call. A panic is our own error, not the program's end; functions of the program that are
/// told of errors run outside, and may leave by an exception.
// The outcome is one word. A larger one would be copied on its way here, in other pieces than it was written in: such
// a copy waits until all that was written before has reached the cache, the line of a message that was just sent to
// another processor first of all.
#[inline(always)]
pub(crate) fn call(name: &str, subject: &dyn Subject, body: impl FnOnce() -> Outcome) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => raise(name, subject, failure),
        Err(_) => raise(name, subject, Error::new(Class::Intern, "a panic").into()),
    }
}

/// The error of a function that is not there yet.
#[cold]
pub(crate) fn unsupported(name: &str, subject: &dyn Subject) -> c_int {
    let error = Error::new(Class::UnsupportedOperation, "not implemented yet");
    raise(name, subject, error.into())
}

/// Makes `MPI_X` and `PMPI_X` of each line `MPI_X PMPI_X = chapter::x on subject (parameter: Type, ...);`.
/// Both are symbols of their own, so that each can be interposed; the library calls neither. They are the
/// same code, which an optimizing compiler keeps once.
macro_rules! entries {
    ($($name:ident $pname:ident = $module:ident $(:: $function:ident)? on $on:ident
       ($($parameter:ident: $type:ty),*);)*) => {$(
        const _: () = {
            #[inline(always)]
            unsafe fn entry($($parameter: $type),*) -> ::std::ffi::c_int {
                entries!(@body $name $module $($function)? $on ($($parameter),*))
            }

            #[unsafe(no_mangle)]
            unsafe extern "C-unwind" fn $pname($($parameter: $type),*) -> ::std::ffi::c_int {
                // SAFETY: the program promises what MPI says of the parameters.
                unsafe { entry($($parameter),*) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C-unwind" fn $name($($parameter: $type),*) -> ::std::ffi::c_int {
                // SAFETY: the program promises what MPI says of the parameters.
                unsafe { entry($($parameter),*) }
            }
        };
    )*};
    (@body $name:ident nowhere $on:ident ($($parameter:ident),*)) => {{
        let _ = ($(&$parameter,)*);
        $crate::mpi::entry::unsupported(stringify!($name), entries!(@subject $on))
    }};
    (@body $name:ident $module:ident $function:ident $on:ident ($($parameter:ident),*)) => {
        // Moved: borrowed, the address of each parameter would go through memory, too.
        $crate::mpi::entry::call(stringify!($name), entries!(@subject $on), move || {
            #[allow(unused_imports, reason = "calls without parameters")]
            use $crate::mpi::raw::Arg;
            // SAFETY: these are the parameters of this call.
            #[allow(unused_unsafe, reason = "calls without parameters")]
            unsafe { $module::$function($($parameter.value()?),*) }
        })
    };
    (@subject nobody) => {
        &$crate::mpi::failure::Nobody
    };
    (@subject $on:ident) => {
        &$on
    };
}
pub(crate) use entries;
