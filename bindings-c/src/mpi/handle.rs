//! Handles of the standard ABI: pointers that programs only compare and hand back.
//!
//! Predefined handles are the numbers of the ABI, all below 4096. Others have, from the top: the
//! generation of the object (32 bits), the class (5 bits), the place in the table of the class.
//! The lower half is what `MPI_X_toint` gives, so that it fits Fortran's integers.

use pvm::mpi::point::Message;
use pvm::mpi::request::Work;
use pvm::mpi::{
    Class, Comm, Datatype, Errhandler, Error, Group, Info, Op, Request, Result, Session,
};
use pvm::sync::slots::{INDEX_BITS, Key, Removal, Reserved, Slots};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::generated::constants as abi;
use super::state;

/// The greatest number of a predefined handle.
pub(crate) const PREDEFINED_MAX: usize = 4095;

/// An object that programs have handles of.
pub(crate) trait Object: Sized + Send + Sync + 'static {
    /// Tells handles of several kinds apart; 1 to 31.
    const NUMBER: u32;
    /// The error class of a wrong handle.
    const WRONG: Class;
    /// What it is called in error messages.
    const NAME: &'static str;
    /// The handle that is none.
    const NULL: usize;

    /// Where the objects are.
    fn slots() -> &'static Slots<Self>;

    /// The object of a predefined handle.
    fn predefined(number: usize) -> Option<&'static Self>;
}

/// The object of a handle.
///
/// # Errors
/// The class of a wrong handle.
///
/// # Safety
/// Nobody frees the handle while the reference is used.
#[inline]
pub(crate) unsafe fn find<'a, T: Object>(raw: usize) -> Result<&'a T> {
    let found = match key::<T>(raw) {
        // SAFETY: as promised by the caller.
        Some(key) => unsafe { T::slots().get(key) },
        None => T::predefined(raw),
    };
    found.ok_or_else(|| wrong::<T>(raw))
}

/// A new handle for an object.
///
/// # Errors
/// `MPI_ERR_NO_MEM` when there are too many.
#[inline]
pub(crate) fn keep<T: Object>(object: T) -> Result<usize> {
    let key = T::slots().insert(object);
    key.map(raw::<T>).ok_or_else(too_many::<T>)
}

#[cold]
fn too_many<T: Object>() -> Error {
    let detail = format!("too many handles of one kind: {}", T::NAME);
    Error::new(Class::NoMem, detail)
}

/// Frees a handle; gives the object back.
///
/// # Errors
/// The class of a wrong handle, also for those that are predefined.
///
/// # Safety
/// Nobody uses a reference to the object any more, and nobody else frees it at the same time.
#[inline]
pub(crate) unsafe fn release<T: Object>(raw: usize) -> Result<T> {
    let removed = key::<T>(raw).and_then(|key| {
        // SAFETY: as promised by the caller.
        unsafe { T::slots().remove(key) }
    });
    removed.ok_or_else(|| not_freed::<T>(raw))
}

/// Frees a handle whose object is `wanted`, among others of its kind; gives the object back.
///
/// # Safety
/// As for [`release`], of an object that is wanted.
#[inline]
pub(crate) unsafe fn release_if<T: Object>(
    removal: &mut Removal<'_, T>,
    raw: usize,
    wanted: impl FnOnce(&T) -> bool,
) -> Option<T> {
    // SAFETY: as promised by the caller.
    unsafe { removal.remove_if(key::<T>(raw)?, wanted) }
}

#[cold]
fn not_freed<T: Object>(raw: usize) -> Error {
    match T::predefined(raw) {
        Some(_) => Error::new(
            T::WRONG,
            format!("a predefined {} cannot be freed", T::NAME),
        ),
        None => wrong::<T>(raw),
    }
}

/// The request of all sends that had ended when they were to get one: there is nothing to tell them apart by.
/// It is never freed.
static SENT: OnceLock<usize> = OnceLock::new();

/// The handle of a send that has ended well.
///
/// # Errors
/// `MPI_ERR_NO_MEM` when there are too many.
#[inline]
pub(crate) fn sent() -> Result<usize> {
    match SENT.get() {
        Some(raw) => Ok(*raw),
        None => {
            let raw = keep(Request::new(Work::nothing()))?;
            Ok(*SENT.get_or_init(|| raw))
        }
    }
}

/// Whether it is [`sent`].
#[inline]
pub(crate) fn is_sent(raw: usize) -> bool {
    SENT.get() == Some(&raw)
}

/// The integer of a handle.
pub(crate) fn to_int(raw: usize) -> i32 {
    raw as u32 as i32
}

/// The handle of an integer; the null handle, if it is none.
pub(crate) fn from_int<T: Object>(int: i32) -> usize {
    let low = int as u32;
    if low as usize <= PREDEFINED_MAX {
        return low as usize;
    }
    let index = low & ((1 << INDEX_BITS) - 1);
    let key = (low >> INDEX_BITS == T::NUMBER).then(|| T::slots().key_at(index));
    key.flatten().map_or(T::NULL, raw::<T>)
}

#[inline]
fn raw<T: Object>(key: Key) -> usize {
    let low = T::NUMBER << INDEX_BITS | key.index;
    (u64::from(key.generation) << 32 | u64::from(low)) as usize
}

/// Generation and place of a handle that is not predefined.
#[inline]
fn key<T: Object>(raw: usize) -> Option<Key> {
    let bits = raw as u64;
    let low = bits as u32;
    (low >> INDEX_BITS == T::NUMBER).then_some(Key {
        index: low & ((1 << INDEX_BITS) - 1),
        generation: (bits >> 32) as u32,
    })
}

#[cold]
fn wrong<T: Object>(raw: usize) -> Error {
    let is_made_by_init = [abi::COMM_WORLD, abi::COMM_SELF].contains(&(raw as isize));
    if let (true, Err(error)) = (is_made_by_init, state::world()) {
        return error;
    }
    let what = T::NAME;
    let detail = match raw {
        0 => format!("a {what} that was never set"),
        _ if raw == T::NULL => format!("the null {what}"),
        _ if key::<T>(raw).is_some() => format!("a {what} that was freed"),
        _ => format!("{raw:#x} is no {what}"),
    };
    Error::new(T::WRONG, detail)
}

/// An object whose handles are in a table of their own. The predefined ones are given by a function.
macro_rules! objects {
    ($($type:ty = $number:literal, $wrong:ident, $name:literal, $null:expr, $predefined:expr;)*) => {$(
        impl Object for $type {
            const NUMBER: u32 = $number;
            const WRONG: Class = Class::$wrong;
            const NAME: &'static str = $name;
            const NULL: usize = $null as usize;

            fn slots() -> &'static Slots<Self> {
                static SLOTS: Slots<$type> = Slots::new();
                &SLOTS
            }

            #[inline]
            fn predefined(number: usize) -> Option<&'static Self> {
                ($predefined)(number as isize)
            }
        }
    )*

    /// How many objects of each kind the program has handles of.
    pub(crate) fn counts() -> Vec<(&'static str, usize)> {
        vec![$((<$type as Object>::NAME, <$type as Object>::slots().len())),*]
    }};
}

objects! {
    Comm = 1, Comm, "communicator", abi::COMM_NULL, state::predefined_comm;
    Group = 2, Group, "group", abi::GROUP_NULL, predefined_group;
    Errhandler = 3, Errhandler, "error handler", abi::ERRHANDLER_NULL, predefined_errhandler;
    Info = 4, Info, "info object", abi::INFO_NULL, state::predefined_info;
    Datatype = 5, Type, "datatype", abi::DATATYPE_NULL, predefined_datatype;
    Request = 6, Request, "request", abi::REQUEST_NULL, |_| None;
    Arrived = 7, Request, "message", abi::MESSAGE_NULL, |_| None;
    Op = 8, Op, "operation", abi::OP_NULL, predefined_op;
    Session = 9, Session, "session", abi::SESSION_NULL, |_| None;
}

fn predefined_op(number: isize) -> Option<&'static Op> {
    Op::named(i32::try_from(number).ok()?)
}

fn predefined_group(number: isize) -> Option<&'static Group> {
    static EMPTY: OnceLock<Group> = OnceLock::new();
    (number == abi::GROUP_EMPTY).then(|| EMPTY.get_or_init(Group::empty))
}

fn predefined_errhandler(number: isize) -> Option<&'static Errhandler> {
    match number {
        abi::ERRORS_ARE_FATAL => Some(&Errhandler::AreFatal),
        abi::ERRORS_ABORT => Some(&Errhandler::Abort),
        abi::ERRORS_RETURN => Some(&Errhandler::Return),
        _ => None,
    }
}

fn predefined_datatype(number: isize) -> Option<&'static Datatype> {
    Datatype::named(i32::try_from(number).ok()?)
}

/// A message that was matched; taken out when it is received.
pub(crate) type Arrived = Mutex<Option<Message>>;

/// The handle of an error handler: a predefined one has its number.
pub(crate) fn of_errhandler(errhandler: Errhandler) -> Result<usize> {
    Ok(match errhandler {
        Errhandler::AreFatal => abi::ERRORS_ARE_FATAL as usize,
        Errhandler::Abort => abi::ERRORS_ABORT as usize,
        Errhandler::Return => abi::ERRORS_RETURN as usize,
        user @ Errhandler::User(_) => keep(user)?,
    })
}

/// The handle of a datatype: a predefined one has always the same, another gets a new one.
pub(crate) fn of_datatype(datatype: Datatype) -> Result<usize> {
    if let Some(number) = datatype.number() {
        return Ok(number as usize);
    }
    if !datatype.is_predefined() {
        return keep(datatype);
    }
    let mut given = given();
    if let Some((_, raw)) = given.iter().find(|(known, _)| *known == datatype) {
        return Ok(*raw);
    }
    let raw = keep(datatype.clone())?;
    given.push((datatype, raw));
    Ok(raw)
}

/// The handles of datatypes that are predefined and have no number; nobody frees them.
pub(crate) fn given() -> MutexGuard<'static, Vec<(Datatype, usize)>> {
    static GIVEN: Mutex<Vec<(Datatype, usize)>> = Mutex::new(Vec::new());
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Handles of communicators that come later, with the error handlers that the program gave them already.
fn later() -> MutexGuard<'static, BTreeMap<usize, Option<Errhandler>>> {
    static LATER: Mutex<BTreeMap<usize, Option<Errhandler>>> = Mutex::new(BTreeMap::new());
    LATER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a communicator that comes later its error handler; false: it is there, or never will be.
pub(crate) fn set_later_errhandler(raw: usize, errhandler: &Errhandler) -> bool {
    match later().get_mut(&raw) {
        Some(place) => {
            *place = Some(errhandler.clone());
            true
        }
        None => false,
    }
}

/// The handle of a communicator that comes later, and its place. Until then it is as one that was freed.
///
/// # Errors
/// `MPI_ERR_NO_MEM` when there are too many.
pub(crate) fn for_later_comm() -> Result<(usize, Reserved<'static, Comm>)> {
    let reserved = Comm::slots().reserve();
    let reserved = reserved.ok_or_else(|| Error::new(Class::NoMem, "too many communicators"))?;
    let raw = raw::<Comm>(reserved.key());
    later().insert(raw, None);
    Ok((raw, reserved))
}

/// Gives a communicator the handle that was kept for it.
pub(crate) fn fill_comm(reserved: Reserved<'static, Comm>, comm: Comm) {
    let raw = raw::<Comm>(reserved.key());
    comm.set_handle(raw as u64);
    if let Some(errhandler) = later().remove(&raw).flatten() {
        comm.set_errhandler(errhandler);
    }
    reserved.fill(comm);
}

/// The handle of a communicator, which from now on knows it.
pub(crate) fn of_new_comm(comm: Comm) -> Result<usize> {
    let raw = keep(comm.clone())?;
    comm.set_handle(raw as u64);
    Ok(raw)
}
