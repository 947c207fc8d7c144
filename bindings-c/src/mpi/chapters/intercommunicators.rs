//! Intercommunicators (MPI 5.0, 7.6).

use pvm::mpi::{self, Class, Error};

use super::super::failure::Outcome;
use super::super::raw::{self, Out, OutInt};
use super::communicators::give;
use super::groups;

pub fn comm_test_inter(comm: &mpi::Comm, flag: OutInt) -> Outcome {
    flag.set_flag(comm.is_inter());
    Ok(())
}

fn check_inter(comm: &mpi::Comm) -> Outcome {
    match comm.is_inter() {
        true => Ok(()),
        false => Err(Error::new(Class::Comm, "it is no intercommunicator").into()),
    }
}

pub fn comm_remote_size(comm: &mpi::Comm, size: OutInt) -> Outcome {
    check_inter(comm)?;
    size.set_number(comm.remote_size());
    Ok(())
}

pub fn comm_remote_group(comm: &mpi::Comm, group: Out<raw::Group>) -> Outcome {
    check_inter(comm)?;
    groups::give(group, comm.circle.group.clone(), &comm.process)
}

pub fn intercomm_create(
    local_comm: &mpi::Comm,
    local_leader: i32,
    peer_comm: raw::AnyComm,
    remote_leader: i32,
    tag: i32,
    newintercomm: Out<raw::Comm>,
) -> Outcome {
    let peer = || Ok((peer_comm.find()?.clone(), remote_leader));
    give(
        newintercomm,
        Some(local_comm.create_inter(local_leader, peer, tag)?),
    )
}

pub fn intercomm_merge(intercomm: &mpi::Comm, high: i32, newintracomm: Out<raw::Comm>) -> Outcome {
    give(newintracomm, Some(intercomm.merge(high != 0)?))
}
