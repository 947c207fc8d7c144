//! Initialization, versions, memory (MPI 5.0, chapters 9 and 11).

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pvm::mpi;
use pvm::mpi::{Class, Error};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Argc, Argv, Out, OutBuf, OutInt, OutStr, Pointer};
use super::super::state;

pub fn init(argc: Argc, argv: Argv) -> Outcome {
    let _ = (argc, argv);
    state::start(abi::THREAD_SINGLE)?;
    Ok(())
}

pub fn init_thread(argc: Argc, argv: Argv, required: i32, provided: OutInt) -> Outcome {
    let _ = (argc, argv);
    let levels = [
        abi::THREAD_SINGLE,
        abi::THREAD_FUNNELED,
        abi::THREAD_SERIALIZED,
    ];
    let level = levels.into_iter().find(|level| required <= *level);
    let level = level.unwrap_or(abi::THREAD_MULTIPLE);
    provided.set(state::start(level)?);
    Ok(())
}

pub fn finalize() -> Outcome {
    Ok(state::finish()?)
}

pub fn initialized(flag: OutInt) -> Outcome {
    flag.set_flag(state::is_initialized());
    Ok(())
}

pub fn finalized(flag: OutInt) -> Outcome {
    flag.set_flag(state::is_finalized());
    Ok(())
}

pub fn query_thread(provided: OutInt) -> Outcome {
    provided.set(state::world()?.provided);
    Ok(())
}

pub fn is_thread_main(flag: OutInt) -> Outcome {
    let main = state::world()?.main_thread;
    flag.set_flag(std::thread::current().id() == main);
    Ok(())
}

pub fn abort(comm: &mpi::Comm, errorcode: i32) -> Outcome {
    let text = format!("{}: MPI_Abort with code {errorcode}", state::who());
    state::end(&text, errorcode, Some(comm.group()))
}

pub fn pcontrol(level: i32) -> Outcome {
    let _ = level;
    Ok(())
}

pub fn get_version(version: OutInt, subversion: OutInt) -> Outcome {
    version.set(abi::VERSION);
    subversion.set(abi::SUBVERSION);
    Ok(())
}

pub fn get_library_version(version: OutStr, resultlen: OutInt) -> Outcome {
    let text = concat!(
        "pvm ",
        env!("CARGO_PKG_VERSION"),
        ": MPI 5.0, standard ABI 1.0"
    );
    resultlen.set_number(version.put(text, abi::MAX_LIBRARY_VERSION_STRING as usize));
    Ok(())
}

pub fn get_processor_name(name: OutStr, resultlen: OutInt) -> Outcome {
    let host = host_name();
    resultlen.set_number(name.put(&host, abi::MAX_PROCESSOR_NAME as usize));
    Ok(())
}

fn host_name() -> String {
    let mut room = [0u8; 256];
    // SAFETY: the room is as long as said, and one byte of it stays zero.
    let failed = unsafe { libc::gethostname(room.as_mut_ptr().cast(), room.len() - 1) } != 0;
    let end = room.iter().position(|byte| *byte == 0).unwrap_or(0);
    match failed || end == 0 {
        true => "localhost".to_owned(),
        false => String::from_utf8_lossy(&room[..end]).into_owned(),
    }
}

pub fn get_hw_resource_info(hw_info: Out<raw::Info>) -> Outcome {
    let pairs = [("pvm://host".to_owned(), "true".to_owned())];
    let raw = handle::keep(mpi::Info::with(pairs))?;
    hw_info.set(raw::Info(raw));
    Ok(())
}

/// Sizes of the memory that was given out, by address.
static ALLOCATED: Mutex<Option<HashMap<usize, Layout>>> = Mutex::new(None);

/// What memory is aligned to: a cache line.
const ALIGNMENT: usize = 64;

pub fn alloc_mem(size: i64, info: raw::Info, baseptr: OutBuf) -> Outcome {
    let alignment = wanted_alignment(info)?.unwrap_or(ALIGNMENT);
    let size =
        usize::try_from(size).map_err(|_| Error::new(Class::Arg, format!("a size of {size}")))?;
    let place = baseptr.place()?;
    let layout = Layout::from_size_align(size.max(1), alignment)
        .map_err(|_| Error::new(Class::NoMem, format!("{size} bytes")))?;
    // SAFETY: the layout has a size.
    let base = unsafe { alloc(layout) };
    if base.is_null() {
        return Err(Error::new(Class::NoMem, format!("{size} bytes")).into());
    }
    let mut allocated = ALLOCATED.lock().unwrap_or_else(PoisonError::into_inner);
    allocated
        .get_or_insert_default()
        .insert(base as usize, layout);
    place.set(base.expose_provenance());
    Ok(())
}

/// What `mpi_minimum_memory_alignment` asks for, if it is more than usual.
fn wanted_alignment(info: raw::Info) -> Outcome<Option<usize>> {
    let Some(info) = super::info::given(&info)? else {
        return Ok(None);
    };
    let value = info.get("mpi_minimum_memory_alignment")?;
    let wanted = value.and_then(|value| value.parse::<usize>().ok());
    Ok(wanted.filter(|wanted| wanted.is_power_of_two() && *wanted > ALIGNMENT))
}

pub fn free_mem(base: Pointer) -> Outcome {
    if base.0.is_null() {
        return Ok(());
    }
    let mut allocated = ALLOCATED.lock().unwrap_or_else(PoisonError::into_inner);
    let layout = allocated
        .as_mut()
        .and_then(|all| all.remove(&(base.0 as usize)));
    let layout = layout.ok_or_else(|| {
        Error::new(
            Class::Base,
            format!("{:p} is not from MPI_Alloc_mem", base.0),
        )
    })?;
    // SAFETY: it was allocated with this layout, and is in the table no more: it is freed once.
    unsafe { dealloc(base.0.cast(), layout) };
    Ok(())
}
