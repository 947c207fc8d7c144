//! The C and Fortran faces of the parallel virtual machine: the only exported C symbols.
//!
//! Every entry point turns C values into Rust ones, calls the semantics in [`pvm::pvm3`], and turns
//! the result back; nothing else happens here. One file per chapter of the PVM manual; the
//! Fortran forms are in `fortran`. C memory is touched in `memory` and in the entry points, whose
//! callers promise what `pvm3.h` and the manual say of their arguments: a pointer that is not
//! NULL leads to as many items of its type as the call takes or gives.
//!
//! NULL where PVM needs memory is `PvmBadParam`; a panic is `PvmSysErr`.

mod buffers;
mod entry;
mod errors;
mod fortran;
mod groups;
mod hosts;
mod memory;
mod messages;
mod mpi;
mod notify;
mod operators;
mod options;
mod pack;
mod processes;
mod tables;
mod variadics;
