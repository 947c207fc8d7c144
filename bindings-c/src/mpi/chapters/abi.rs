//! Queries about the ABI (MPI 5.0, chapter 20).

use pvm::mpi;

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{self, Out, OutInt};
use super::info::give;

pub fn abi_get_version(abi_major: OutInt, abi_minor: OutInt) -> Outcome {
    abi_major.set(abi::ABI_VERSION);
    abi_minor.set(abi::ABI_SUBVERSION);
    Ok(())
}

pub fn abi_get_info(info: Out<raw::Info>) -> Outcome {
    let sizes = [
        ("mpi_aint_size", size_of::<raw::Aint>()),
        ("mpi_count_size", size_of::<raw::LargeInt>()),
        ("mpi_offset_size", size_of::<raw::LargeInt>()),
    ];
    let pairs = sizes.map(|(key, size)| (key.to_owned(), size.to_string()));
    give(info, mpi::Info::with(pairs))
}
