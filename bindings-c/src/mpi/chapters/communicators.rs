//! Communicators (MPI 5.0, chapter 7).

use std::ffi::CStr;

use pvm::mpi;

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{OutInt, OutStr, text};

pub fn comm_size(comm: &mpi::Comm, size: OutInt) -> Outcome {
    size.set_number(comm.size());
    Ok(())
}

pub fn comm_rank(comm: &mpi::Comm, rank: OutInt) -> Outcome {
    rank.set_number(comm.rank);
    Ok(())
}

pub fn comm_test_inter(comm: &mpi::Comm, flag: OutInt) -> Outcome {
    flag.set_flag(comm.is_inter());
    Ok(())
}

pub fn comm_set_name(comm: &mpi::Comm, comm_name: &CStr) -> Outcome {
    comm.set_name(&text(comm_name));
    Ok(())
}

pub fn comm_get_name(comm: &mpi::Comm, comm_name: OutStr, resultlen: OutInt) -> Outcome {
    resultlen.set_number(comm_name.put(&comm.name(), abi::MAX_OBJECT_NAME as usize));
    Ok(())
}
