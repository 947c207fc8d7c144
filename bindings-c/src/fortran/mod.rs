//! The Fortran forms of the calls: subroutines with everything by address.
//!
//! Compilers spell external names differently: gfortran and most others `name_`, some `name`,
//! `name__` or `NAME`. Each form is exported; all but the first are jumps. CHARACTER arguments
//! come with their lengths at the end of the list, as `size_t`; they are padded with blanks and
//! have no NUL.
//!
//! # Safety
//! For all of these: the arguments are what `fpvm3.h` and the manual say, so every address leads to
//! as many items as the call takes or gives. Compilers pass nothing else.

#![allow(
    clippy::missing_safety_doc,
    reason = "the module's text is the one promise that all of them rest on"
)]

mod buffers;
mod groups;
mod machine;
mod messages;
mod strings;

/// Defines subroutines under all of their names.
macro_rules! subroutines {
    ($($(#[$doc:meta])* $name:ident $plain:ident $double:ident $upper:ident
        ($($arg:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments, reason = "as many as PVM has")]
        pub unsafe extern "C-unwind" fn $name($($arg: $type),*) {
            // SAFETY: the module's promise.
            unsafe { $body }
        }

        $crate::fortran::jumps!($name: $plain $double $upper);
    )*};
}

/// Other names of a subroutine.
macro_rules! jumps {
    ($target:ident: $($name:ident)*) => {$(
        #[doc = concat!("Another name of `", stringify!($target), "`.")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "a Fortran name")]
        pub unsafe extern "C-unwind" fn $name() {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!("jmp {}", sym $target);
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!("b {}", sym $target);
        }
    )*};
}

pub(crate) use jumps;
pub(crate) use subroutines;
