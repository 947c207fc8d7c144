//! The C interface of MPI 5.0, in its standard ABI.
//!
//! # How a call comes in
//! `generated/entries.rs` has one line for each function: its C name, where it is done, whose error
//! handler is told of errors, and its parameters. `entry.rs` makes `MPI_X` and `PMPI_X` of it: both
//! check and convert the parameters ([`raw::Arg`]), call the function of the chapter, and turn its
//! error into a code through the error handler.
//!
//! # How a chapter is written
//! A file in `chapters/` has one function `pub fn x(...) -> Outcome` for each `MPI_X`, in lower case and
//! without prefix; its parameters are the values of [`raw`] in the order of the standard. Forms with
//! large counts call the same function: counts are `i64` in both. Calls that differ in one word are
//! lines of a macro, which `cargo xtask gen` reads too. After adding one, `cargo xtask gen`. Nothing else
//! of a chapter's file is `pub`. What a call means is in `pvm::mpi`; here is only what C makes necessary.
//!
//! # Why this is sound
//! Pointers of the program enter in [`raw`]: each of its types says what its caller, the C program,
//! promises with it (MPI 5.0 says it for every argument). The promises hold for the time of the call;
//! for buffers of non-blocking calls until their request has ended. So the functions of the chapters
//! are not `unsafe`: whoever has a value of [`raw`] has the promise. It is made with `unsafe`, in the
//! entry points; chapters make such values of those that they were given, and of constants.
//!
//! # Handles
//! [`handle`] is the only place that knows how handles and predefined constants are numbered. A
//! handle that was freed, or never was one, is an error and not a crash.

#![allow(clippy::too_many_arguments, reason = "the calls of MPI have many")]

mod attached;
mod chapters;
mod collective;
mod entry;
mod failure;
mod foreign;
mod generated;
mod handle;
mod leaks;
mod memory;
mod raw;
mod state;
mod values;
