//! The MPI program in this process: its world, from `MPI_Init` to `MPI_Finalize`.

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use pvm::group::Group;
use pvm::mpi::{Class, Comm, Errhandler, Error, Info, Process, Result};
use pvm::sync::atomic::{AtomicU32, Ordering};

use super::attached::{self, User};
use super::generated::constants as abi;

/// What exists once `MPI_Init` was called.
pub(crate) struct World {
    /// This process as a task.
    pub process: Arc<Process>,
    /// `MPI_COMM_WORLD`.
    pub world: Comm,
    /// `MPI_COMM_SELF`.
    pub itself: Comm,
    /// The thread that called `MPI_Init`.
    pub main_thread: ThreadId,
    /// The thread level that it got.
    pub provided: i32,
}

/// Before `MPI_Init`.
const BEFORE: u32 = 0;
/// Between `MPI_Init` and `MPI_Finalize`.
const ACTIVE: u32 = 1;
/// In `MPI_Finalize`, or after it.
const FINALIZED: u32 = 2;

static PHASE: AtomicU32 = AtomicU32::new(BEFORE);
static WORLD: OnceLock<World> = OnceLock::new();

/// Whether `MPI_Init` has returned.
pub(crate) fn is_initialized() -> bool {
    PHASE.load(Ordering::Acquire) != BEFORE
}

/// Whether `MPI_Finalize` was called.
pub(crate) fn is_finalized() -> bool {
    PHASE.load(Ordering::Acquire) == FINALIZED
}

/// The world, between `MPI_Init` and `MPI_Finalize`.
#[inline]
pub(crate) fn active() -> Option<&'static World> {
    match PHASE.load(Ordering::Acquire) {
        ACTIVE => WORLD.get(),
        _ => None,
    }
}

/// As [`active`].
///
/// # Errors
/// `MPI_ERR_OTHER` before `MPI_Init` and after `MPI_Finalize`.
pub(crate) fn world() -> Result<&'static World> {
    active().ok_or_else(|| {
        let when = match is_finalized() {
            true => "after MPI_Finalize",
            false => "before MPI_Init",
        };
        Error::new(Class::Other, format!("called {when}"))
    })
}

/// The attached process, of the world, which stays, or of a session.
///
/// # Errors
/// `MPI_ERR_OTHER` when there is neither.
#[inline]
pub(crate) fn any_process() -> Result<Cow<'static, Arc<Process>>> {
    if let Some(world) = active() {
        return Ok(Cow::Borrowed(&world.process));
    }
    let process = attached::process().map(Cow::Owned);
    process.ok_or_else(|| Error::new(Class::Other, "called before MPI was initialized"))
}

/// Makes the world; gives the thread level, which may be lower than asked for.
///
/// # Errors
/// When it was made before, or there is no virtual machine.
pub(crate) fn start(provided: i32) -> Result<i32> {
    if is_initialized() {
        return Err(Error::new(Class::Other, "MPI_Init was called before"));
    }
    let (process, provided) = attached::enter(provided, User::World)?;
    super::foreign::tell();
    let world = World {
        world: Comm::world(&process)?,
        itself: Comm::alone(&process)?,
        process,
        main_thread: std::thread::current().id(),
        provided,
    };
    for comm in [&world.world, &world.itself] {
        comm.set_errhandler(initial_errhandler());
    }
    world.world.set_handle(abi::COMM_WORLD as u64);
    world.itself.set_handle(abi::COMM_SELF as u64);
    WORLD
        .set(world)
        .map_err(|_| Error::new(Class::Other, "MPI_Init was called before"))?;
    PHASE.store(ACTIVE, Ordering::Release);
    Ok(provided)
}

/// Ends the world: what the program attached to `MPI_COMM_SELF` goes first, then everything under way
/// goes out, and this task leaves, unless sessions stay.
///
/// # Errors
/// When there is no world; those of the program's functions.
pub(crate) fn finish() -> Result<()> {
    let world = world()?;
    let itself = &world.itself;
    itself.attributes.delete_all(itself.handle())?;
    PHASE.store(FINALIZED, Ordering::Release);
    attached::leave();
    Ok(())
}

/// `MPI_COMM_WORLD` and `MPI_COMM_SELF`.
#[inline]
pub(crate) fn predefined_comm(number: isize) -> Option<&'static Comm> {
    match number {
        abi::COMM_WORLD => active().map(|world| &world.world),
        abi::COMM_SELF => active().map(|world| &world.itself),
        _ => None,
    }
}

/// `MPI_INFO_ENV`.
pub(crate) fn predefined_info(number: isize) -> Option<&'static Info> {
    static ENVIRONMENT: OnceLock<Info> = OnceLock::new();
    (number == abi::INFO_ENV).then(|| ENVIRONMENT.get_or_init(environment))
}

/// How this process was started (MPI 5.0, 11.2.2).
fn environment() -> Info {
    let mut pairs = Vec::new();
    let mut arguments = std::env::args();
    if let Some(command) = arguments.next() {
        pairs.push(("command".to_owned(), command));
    }
    let arguments: Vec<String> = arguments.collect();
    if !arguments.is_empty() {
        pairs.push(("argv".to_owned(), arguments.join(" ")));
    }
    if let Ok(size) = std::env::var(pvm::settings::SIZE) {
        pairs.push(("maxprocs".to_owned(), size));
    }
    if let Ok(directory) = std::env::current_dir() {
        pairs.push(("wdir".to_owned(), directory.to_string_lossy().into_owned()));
    }
    pairs.push(("arch".to_owned(), std::env::consts::ARCH.to_owned()));
    Info::with(pairs)
}

/// What happens with errors of calls that have no object: the handler of `MPI_COMM_SELF`.
pub(crate) fn default_errhandler() -> (Errhandler, usize) {
    match active() {
        Some(world) => (world.itself.errhandler(), abi::COMM_SELF as usize),
        None => (initial_errhandler(), abi::COMM_SELF as usize),
    }
}

/// The handler of errors of files, which each file that is opened takes over: that of `MPI_FILE_NULL`
/// (MPI 5.0, 14.7).
pub(crate) fn of_files() -> MutexGuard<'static, Errhandler> {
    static OF_FILES: Mutex<Errhandler> = Mutex::new(Errhandler::Return);
    OF_FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens with errors until the program says otherwise: what the launcher was told, which has
/// checked it.
fn initial_errhandler() -> Errhandler {
    match std::env::var(pvm::settings::INITIAL_ERRHANDLER).as_deref() {
        Ok("mpi_errors_return") => Errhandler::Return,
        Ok("mpi_errors_abort") => Errhandler::Abort,
        _ => Errhandler::AreFatal,
    }
}

/// Says what went wrong and ends this process, a group, and with it the job.
pub(crate) fn die(call: &str, error: &Error, group: Option<&Group>) -> ! {
    let text = format!("{}: {call}: {error}", who());
    end(&text, error.class().map_or(1, |class| class as i32), group)
}

/// Says why and ends this process, and with it the job; of a job that goes on all the same, the
/// processes of a group. A code that says success is not taken.
pub(crate) fn end(text: &str, code: i32, group: Option<&Group>) -> ! {
    let mut stderr = std::io::stderr().lock();
    // There is nobody else to tell.
    let _ = writeln!(stderr, "{text}");
    if let (Some(process), Some(group)) = (attached::process(), group) {
        process.end_others(group);
    }
    // SAFETY: both may be called at any time; NULL stands for all streams.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(if code & 0xff == 0 { 1 } else { code })
    }
}

/// Who says something.
pub(crate) fn who() -> String {
    match WORLD.get() {
        Some(world) => format!("rank {} of {}", world.world.rank, world.world.size()),
        None => format!("process {}", std::process::id()),
    }
}
