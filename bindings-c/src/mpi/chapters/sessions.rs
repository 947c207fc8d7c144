//! Sessions, and what is made with them (MPI 5.0, 7.4.2, 7.6.2, 11.3).

use std::ffi::CStr;

use pvm::mpi::errhandler::Subject;
use pvm::mpi::session::PSETS;
use pvm::mpi::{self, Class, Comm, Errhandler, Error, Group, Session};

use super::super::attached::{self, User};
use super::super::failure::{Failure, Outcome};
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Out, OutInt, OutStr, text};
use super::errors::{call, suiting};
use super::{communicators, groups, info};

/// The thread levels, as an info object names them.
const LEVELS: [(&str, i32); 4] = [
    ("MPI_THREAD_SINGLE", abi::THREAD_SINGLE),
    ("MPI_THREAD_FUNNELED", abi::THREAD_FUNNELED),
    ("MPI_THREAD_SERIALIZED", abi::THREAD_SERIALIZED),
    ("MPI_THREAD_MULTIPLE", abi::THREAD_MULTIPLE),
];

pub fn session_init(
    info: raw::Info,
    errhandler: &Errhandler,
    session: Out<raw::Session>,
) -> Outcome {
    session.set(raw::Session::NULL);
    let errhandler = suiting(errhandler, Subject::Session)?;
    let told = |error| Failure::told(errhandler.clone(), abi::SESSION_NULL as usize, error);
    open(info, errhandler.clone())
        .map(|raw| session.set(raw::Session(raw)))
        .map_err(told)
}

fn open(info: raw::Info, errhandler: Errhandler) -> mpi::Result<usize> {
    let wanted = match info::given(&info)? {
        Some(info) => info.get("thread_level")?,
        None => None,
    };
    let named = |(name, _): &&(&str, i32)| {
        wanted
            .as_deref()
            .is_some_and(|w| w.eq_ignore_ascii_case(name))
    };
    // What a session does is not known: all threads may come.
    let (_, level) = LEVELS.iter().find(named).unwrap_or(&LEVELS[3]);
    let (process, level) = attached::enter(*level, User::Session)?;
    let name = LEVELS.iter().find(|(_, known)| *known == level);
    let name = name.map_or("", |(name, _)| *name).to_owned();
    let session = Session::new(process, name, errhandler);
    let kept = handle::keep(session).inspect_err(|_| attached::leave())?;
    raw::Session(kept).find()?.set_handle(kept as u64);
    Ok(kept)
}

pub fn session_finalize(session: Out<raw::Session>) -> Outcome {
    // SAFETY: the program promises not to free what it uses elsewhere.
    drop(unsafe { handle::release::<Session>(session.get().0) }?);
    session.set(raw::Session::NULL);
    attached::leave();
    Ok(())
}

pub fn session_get_info(session: &Session, info_used: Out<raw::Info>) -> Outcome {
    info::give(info_used, session.info())
}

pub fn session_get_num_psets(session: &Session, info: raw::Info, npset_names: OutInt) -> Outcome {
    let _ = session;
    info::given(&info)?;
    npset_names.set_number(PSETS.len());
    Ok(())
}

pub fn session_get_nth_pset(
    session: &Session,
    info: raw::Info,
    n: i32,
    pset_len: OutInt,
    pset_name: OutStr,
) -> Outcome {
    let _ = session;
    info::given(&info)?;
    let name = usize::try_from(n).ok().and_then(|n| PSETS.get(n));
    let name = name.ok_or_else(|| {
        let detail = format!("process set number {n} of {}", PSETS.len());
        Error::new(Class::Arg, detail)
    })?;
    // A length of 0 asks for the length.
    let room = usize::try_from(pset_len.get()).unwrap_or(0);
    if room > 0 {
        pset_name.put(name, room);
    }
    pset_len.set_number(name.len() + 1);
    Ok(())
}

pub fn session_get_pset_info(session: &Session, pset_name: &CStr, info: Out<raw::Info>) -> Outcome {
    info::give(info, session.pset_info(&text(pset_name))?)
}

pub fn group_from_session_pset(
    session: &Session,
    pset_name: &CStr,
    newgroup: Out<raw::Group>,
) -> Outcome {
    let set = session.pset(&text(pset_name))?;
    groups::give(newgroup, set, &session.scope())
}

pub fn session_set_errhandler(session: &Session, errhandler: &Errhandler) -> Outcome {
    session.set_errhandler(suiting(errhandler, Subject::Session)?);
    Ok(())
}

pub fn session_get_errhandler(session: &Session, errhandler: Out<raw::Errhandler>) -> Outcome {
    errhandler.set(raw::Errhandler(handle::of_errhandler(
        session.errhandler(),
    )?));
    Ok(())
}

pub fn session_call_errhandler(session: &Session, errorcode: i32) -> Outcome {
    call(session.errhandler(), session.handle() as usize, errorcode)
}

pub fn comm_create_from_group(
    group: &Group,
    stringtag: &CStr,
    info: raw::Info,
    errhandler: &Errhandler,
    newcomm: Out<raw::Comm>,
) -> Outcome {
    newcomm.set(raw::Comm::NULL);
    let errhandler = suiting(errhandler, Subject::Comm)?;
    let made = Comm::from_group(group, &text(stringtag), errhandler.clone());
    give_made(made, info, &errhandler, newcomm)
}

/// Gives the program what was made; an error is told to the handler that it would have had.
fn give_made(
    made: mpi::Result<Option<Comm>>,
    info: raw::Info,
    errhandler: &Errhandler,
    place: Out<raw::Comm>,
) -> Outcome {
    let told = |error| Failure::told(errhandler.clone(), abi::COMM_NULL as usize, error);
    let made = made.map_err(told)?;
    if let (Some(comm), Some(info)) = (&made, info::given(&info)?) {
        comm.set_info(info)?;
    }
    communicators::give(place, made)
}

pub fn intercomm_create_from_groups(
    local_group: &Group,
    local_leader: i32,
    remote_group: raw::AnyGroup,
    remote_leader: i32,
    stringtag: &CStr,
    info: raw::Info,
    errhandler: &Errhandler,
    newintercomm: Out<raw::Comm>,
) -> Outcome {
    newintercomm.set(raw::Comm::NULL);
    let errhandler = suiting(errhandler, Subject::Comm)?;
    let remote = || Ok(((**remote_group.find()?).clone(), remote_leader));
    let local = (local_group, local_leader);
    let made = Comm::inter_from_groups(local, remote, &text(stringtag), errhandler.clone());
    give_made(made, info, &errhandler, newintercomm)
}
