//! Processes that are started, or met, by others (MPI 5.0, chapter 11): what programs ask that do neither.

use pvm::mpi::collective::Shape;
use pvm::mpi::{self, Class, Error};

use super::super::collective;
use super::super::failure::{Failure, Outcome};
use super::super::handle;
use super::super::raw::{self, Out};
use super::super::state::any_process;
use super::communicators::free;

/// No process is started by others while there is nothing that starts them.
pub fn comm_get_parent(parent: Out<raw::Comm>) -> Outcome {
    any_process()?;
    parent.set(raw::Comm::NULL);
    Ok(())
}

/// Frees a communicator when all that is under way in it is over, in all its processes.
pub fn comm_disconnect(comm: Out<raw::Comm>) -> Outcome {
    let found = comm.get().find()?.clone();
    if comm.get().0 <= handle::PREDEFINED_MAX {
        let detail = "a predefined communicator cannot be disconnected";
        return Err(Failure::on(&found, Error::new(Class::Comm, detail)));
    }
    end(&found).map_err(|error| Failure::on(&found, error))?;
    free(comm)
}

fn end(comm: &mpi::Comm) -> mpi::Result<()> {
    comm.settle()?;
    collective::disconnect(comm)?.run(Shape::new("disconnect"))
}
