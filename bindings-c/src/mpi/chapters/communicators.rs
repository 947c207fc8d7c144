//! Communicators (MPI 5.0, chapter 7).

use std::ffi::CStr;

use pvm::group::{Choice, Comparison};
use pvm::mpi::comm::{Relation, UNDEFINED};
use pvm::mpi::{self, Class, Error, Group, Info};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Out, OutInt, OutStr, text};
use super::{groups, info, point};

/// Gives the program a new communicator; the null handle where there is none.
pub(crate) fn give(place: Out<raw::Comm>, comm: Option<mpi::Comm>) -> Outcome {
    place.set(match comm {
        Some(comm) => raw::Comm(handle::of_new_comm(comm)?),
        None => raw::Comm::NULL,
    });
    Ok(())
}

pub fn comm_size(comm: &mpi::Comm, size: OutInt) -> Outcome {
    size.set_number(comm.size());
    Ok(())
}

pub fn comm_rank(comm: &mpi::Comm, rank: OutInt) -> Outcome {
    rank.set_number(comm.rank);
    Ok(())
}

pub fn comm_group(comm: &mpi::Comm, group: Out<raw::Group>) -> Outcome {
    groups::give(group, comm.group().clone(), &comm.process)
}

pub fn comm_compare(comm1: &mpi::Comm, comm2: &mpi::Comm, result: OutInt) -> Outcome {
    result.set(match comm1.compare(comm2) {
        Relation::Same => abi::IDENT,
        Relation::Groups(Comparison::Identical) => abi::CONGRUENT,
        Relation::Groups(other) => groups::comparison(other),
    });
    Ok(())
}

pub fn comm_set_name(comm: &mpi::Comm, comm_name: &CStr) -> Outcome {
    comm.set_name(&text(comm_name));
    Ok(())
}

pub fn comm_get_name(comm: raw::AnyComm, comm_name: OutStr, resultlen: OutInt) -> Outcome {
    let name = match comm == raw::AnyComm::NULL {
        true => "MPI_COMM_NULL".to_owned(),
        false => comm.find()?.name(),
    };
    resultlen.set_number(comm_name.put(&name, abi::MAX_OBJECT_NAME as usize));
    Ok(())
}

pub fn comm_set_info(comm: &mpi::Comm, info: raw::Info) -> Outcome {
    Ok(comm.set_info(info.find()?)?)
}

pub fn comm_get_info(comm: &mpi::Comm, info_used: Out<raw::Info>) -> Outcome {
    info::give(info_used, comm.info())
}

/// A copy with what the program attached, as far as it wants that copied.
fn dup(comm: &mpi::Comm, info: Option<&Info>, newcomm: Out<raw::Comm>) -> Outcome {
    let copied = comm.attributes.copy(comm.handle());
    // All others make the copy with this process, also when it fails here.
    let copy = comm.dup()?;
    copy.attributes.adopt(copied?);
    if let Some(info) = info {
        copy.set_info(info)?;
    }
    give(newcomm, Some(copy))
}

pub fn comm_dup(comm: &mpi::Comm, newcomm: Out<raw::Comm>) -> Outcome {
    newcomm.set(raw::Comm::NULL);
    dup(comm, None, newcomm)
}

pub fn comm_dup_with_info(comm: &mpi::Comm, info: raw::Info, newcomm: Out<raw::Comm>) -> Outcome {
    newcomm.set(raw::Comm::NULL);
    dup(comm, info::given(&info)?, newcomm)
}

/// Starts a copy. Its handle is known at once, and names it once the request has ended.
fn idup(
    comm: &mpi::Comm,
    info: Option<Info>,
    newcomm: Out<raw::Comm>,
    request: Out<raw::Request>,
) -> Outcome {
    let copied = comm.attributes.copy(comm.handle());
    let (raw, reserved) = handle::for_later_comm()?;
    let work = comm.idup(move |made| {
        let made = made?;
        made.attributes.adopt(copied?);
        if let Some(info) = info {
            made.set_info(&info)?;
        }
        handle::fill_comm(reserved, made);
        Ok(())
    })?;
    newcomm.set(raw::Comm(raw));
    point::give(request, mpi::Request::new(work))
}

pub fn comm_idup(comm: &mpi::Comm, newcomm: Out<raw::Comm>, request: Out<raw::Request>) -> Outcome {
    idup(comm, None, newcomm, request)
}

pub fn comm_idup_with_info(
    comm: &mpi::Comm,
    info: raw::Info,
    newcomm: Out<raw::Comm>,
    request: Out<raw::Request>,
) -> Outcome {
    // The program may free or change its object before the request ends.
    let info = info::given(&info)?.map(Info::dup);
    idup(comm, info, newcomm, request)
}

pub fn comm_create(comm: &mpi::Comm, group: &Group, newcomm: Out<raw::Comm>) -> Outcome {
    give(newcomm, comm.create(group)?)
}

pub fn comm_create_group(
    comm: &mpi::Comm,
    group: &Group,
    tag: i32,
    newcomm: Out<raw::Comm>,
) -> Outcome {
    give(newcomm, comm.create_group(group, tag)?)
}

pub fn comm_split(comm: &mpi::Comm, color: i32, key: i32, newcomm: Out<raw::Comm>) -> Outcome {
    let choice = Choice {
        color: chosen(color)?,
        key: key.into(),
    };
    give(newcomm, comm.split(choice)?)
}

fn chosen(color: i32) -> Outcome<Option<i64>> {
    match color {
        UNDEFINED => Ok(None),
        0.. => Ok(Some(color.into())),
        _ => Err(Error::new(Class::Arg, format!("color {color}")).into()),
    }
}

/// The kind of hardware that processes of a host share, in words.
const HOST: &str = "pvm://host";
/// As the standard calls it.
const SHARED_MEMORY: &str = "mpi_shared_memory";
/// Which kind of hardware is meant.
const RESOURCE: &str = "mpi_hw_resource_type";
/// Which set of processes is meant.
const PSET: &str = "mpi_pset_name";

pub fn comm_split_type(
    comm: &mpi::Comm,
    split_type: i32,
    key: i32,
    info: raw::Info,
    newcomm: Out<raw::Comm>,
) -> Outcome {
    let info = info::given(&info)?;
    let choice = Choice {
        color: color_of_type(comm, split_type, info)?,
        key: key.into(),
    };
    let part = comm.split(choice)?;
    if let (abi::COMM_TYPE_HW_UNGUIDED, Some(_), Some(info)) = (split_type, &part, info) {
        info.set(RESOURCE, HOST)?;
    }
    give(newcomm, part)
}

/// Which part this process wants to be in; `None`: none.
fn color_of_type(comm: &mpi::Comm, split_type: i32, info: Option<&Info>) -> Outcome<Option<i64>> {
    let asked = |key| info.map_or(Ok(None), |info| info.get(key));
    let host = Some(i64::from(u32::from(comm.process.task.me.host())));
    Ok(match split_type {
        abi::COMM_TYPE_SHARED => host,
        // The parts must be smaller than the whole.
        abi::COMM_TYPE_HW_UNGUIDED => host.filter(|_| !comm.circle.topology.is_one_host()),
        abi::COMM_TYPE_HW_GUIDED => host.filter({
            let resource = asked(RESOURCE)?;
            move |_| is_host(resource.as_deref())
        }),
        abi::COMM_TYPE_RESOURCE_GUIDED => match (asked(RESOURCE)?, asked(PSET)?) {
            (Some(_), Some(_)) => {
                let detail = format!("the info object has both {RESOURCE} and {PSET}");
                return Err(Error::new(Class::Arg, detail).into());
            }
            (None, Some(pset)) => match &*pset {
                mpi::session::WORLD => Some(0),
                mpi::session::ITSELF => Some(comm.rank as i64),
                pset if is_host(Some(pset)) => host,
                _ => None,
            },
            (resource, None) => host.filter(|_| is_host(resource.as_deref())),
        },
        UNDEFINED => None,
        _ => return Err(Error::new(Class::Arg, format!("split type {split_type}")).into()),
    })
}

fn is_host(resource: Option<&str>) -> bool {
    matches!(resource, Some(HOST | SHARED_MEMORY))
}

pub fn comm_free(comm: Out<raw::Comm>) -> Outcome {
    free(comm)
}

/// Frees a communicator once the program's functions have been told.
pub(crate) fn free(comm: Out<raw::Comm>) -> Outcome {
    let found = comm.get().find()?.clone();
    let raw = comm.get().0;
    if raw > handle::PREDEFINED_MAX {
        let told = found.attributes.delete_all(raw as u64);
        told.map_err(|error| super::super::failure::Failure::on(&found, error))?;
    }
    // SAFETY: as above; `found` is another handle of the same object.
    unsafe { handle::release::<mpi::Comm>(raw) }?;
    comm.set(raw::Comm::NULL);
    Ok(())
}
