//! Groups and what their members do together.

use crate::entry::{call, call_unit, enter, fail};
use crate::memory;
use libc::{c_char, c_int, c_void};
use pvm::pvm3::item::Kind;
use pvm::pvm3::{Error, Part, Result};

/// Combines `n` items of `x` with those of `y` into `x`.
pub type Operator = unsafe extern "C-unwind" fn(
    kind: *mut c_int,
    x: *mut c_void,
    y: *mut c_void,
    n: *mut c_int,
    info: *mut c_int,
);

/// Name of a group as the program gave it; NULL is as good as empty.
unsafe fn group_name<'a>(group: *const c_char) -> Result<&'a str> {
    if group.is_null() {
        return Err(Error::NullGroup);
    }
    // SAFETY: as promised by the caller.
    unsafe { memory::text(group) }
}

macro_rules! group_calls {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) = $method:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// `group` is NULL or a string.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(group: *const c_char $(, $arg: c_int)*) -> c_int {
            call(stringify!($name), |task| {
                // SAFETY: as promised by the caller.
                let group = unsafe { group_name(group) }?;
                task.$method(group $(, $arg)*).map(c_int::from_result)
            })
        }
    )*};
}

/// What calls return: a number, or zero for nothing.
trait FromResult<T> {
    fn from_result(value: T) -> Self;
}

impl FromResult<c_int> for c_int {
    fn from_result(value: c_int) -> c_int {
        value
    }
}

impl FromResult<()> for c_int {
    fn from_result((): ()) -> c_int {
        0
    }
}

group_calls! {
    /// Joins a group; returns the own instance number.
    pvm_joingroup() = join_group;
    /// Leaves a group.
    pvm_lvgroup() = leave_group;
    /// Number of members.
    pvm_gsize() = group_size;
    /// Instance number of a task.
    pvm_getinst(tid) = instance;
    /// Task with an instance number.
    pvm_gettid(instance) = task_of_instance;
    /// Waits for `count` members; -1 stands for all.
    pvm_barrier(count) = barrier;
    /// Sends the active send buffer to the other members.
    pvm_bcast(tag) = bcast;
}

/// Combines the members' data at the root.
///
/// # Safety
/// `data` is NULL or leads to `n` items, `group` is NULL or a string, and the operator does what
/// operators do.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pvm_reduce(
    operator: Option<Operator>,
    data: *mut c_void,
    n: c_int,
    kind: c_int,
    tag: c_int,
    group: *const c_char,
    root: c_int,
) -> c_int {
    let collected = enter(|task| {
        let (items, len) = items(n, kind)?;
        if operator.is_none() || (data.is_null() && len > 0) {
            return Err(Error::BadParam);
        }
        // SAFETY: as promised by the caller; nothing is written before the slice's end.
        let (name, own) = unsafe { (group_name(group)?, memory::slice(data.cast::<u8>(), len)?) };
        let group = task.gathered(name, root)?;
        task.gather(&group, tag, items, own)
    });
    let folded = collected.and_then(|parts| match (parts, operator) {
        // SAFETY: as promised by the caller.
        (Some(parts), Some(operator)) => unsafe { fold(operator, data, n, kind, &parts) },
        _ => Ok(()),
    });
    match folded {
        Ok(()) => 0,
        Err(error) => fail("pvm_reduce", error),
    }
}

/// Combines the parts in the order of the members, whoever is the root: the same data give the
/// same result. The lock is not held: the operator is the program's.
///
/// # Safety
/// As for [`pvm_reduce`]; every part is as long as `data`.
unsafe fn fold(
    operator: Operator,
    data: *mut c_void,
    n: c_int,
    kind: c_int,
    parts: &[Vec<u8>],
) -> Result<()> {
    for (number, part) in parts.iter().enumerate() {
        if number == 0 {
            // SAFETY: as long as `data`, as promised by the caller.
            unsafe { data.cast::<u8>().copy_from(part.as_ptr(), part.len()) };
            continue;
        }
        let mut aligned = vec![0u128; part.len().div_ceil(size_of::<u128>())];
        let (mut kind, mut n, mut info) = (kind, n, 0);
        // SAFETY: `aligned` has room for the part; the operator gets `n` items at both addresses
        // and three numbers of its own.
        unsafe {
            let y = aligned.as_mut_ptr().cast::<u8>();
            y.copy_from(part.as_ptr(), part.len());
            operator(&mut kind, data, y.cast(), &mut n, &mut info);
        }
        if info < 0 {
            let known = Error::ALL.iter().find(|error| error.code() == info);
            return Err(known.copied().unwrap_or(Error::SysErr));
        }
    }
    Ok(())
}

/// Deals the root's data to the members.
///
/// # Safety
/// `result` is NULL or has room for `n` items; at the root `data` is NULL or leads to `n` items
/// for every member; `group` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_scatter(
    result: *mut c_void,
    data: *const c_void,
    n: c_int,
    kind: c_int,
    tag: c_int,
    group: *const c_char,
    root: c_int,
) -> c_int {
    call_unit("pvm_scatter", |task| {
        let (items, len) = items(n, kind)?;
        if result.is_null() && len > 0 {
            return Err(Error::BadParam);
        }
        // SAFETY: as promised by the caller.
        let group = task.gathered(unsafe { group_name(group) }?, root)?;
        let part = match group.is_root() {
            true => {
                let all = len.checked_mul(group.size()).ok_or(Error::BadParam)?;
                // SAFETY: the root gives the data of every member, as promised by the caller.
                Part::All(unsafe { memory::slice(data.cast::<u8>(), all) }?)
            }
            false => Part::Own(len),
        };
        let mine = task.scatter(&group, tag, items, part)?;
        // SAFETY: there is room for one part, as promised by the caller; `mine` is one.
        unsafe { result.cast::<u8>().copy_from(mine.as_ptr(), mine.len()) };
        Ok(())
    })
}

/// Collects the members' data at the root.
///
/// # Safety
/// `data` is NULL or leads to `n` items; at the root `result` is NULL or has room for `n` items
/// of every member; `group` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvm_gather(
    result: *mut c_void,
    data: *const c_void,
    n: c_int,
    kind: c_int,
    tag: c_int,
    group: *const c_char,
    root: c_int,
) -> c_int {
    call_unit("pvm_gather", |task| {
        let (items, len) = items(n, kind)?;
        // SAFETY: as promised by the caller.
        let (name, own) = unsafe { (group_name(group)?, memory::slice(data.cast::<u8>(), len)?) };
        let group = task.gathered(name, root)?;
        if group.is_root() && result.is_null() && len > 0 {
            return Err(Error::BadParam);
        }
        let parts = task.gather(&group, tag, items, own)?.unwrap_or_default();
        for (member, part) in parts.iter().enumerate() {
            // SAFETY: the root has room for a part of every member, as promised by the caller.
            unsafe {
                let place = result.cast::<u8>().add(member * len);
                place.copy_from(part.as_ptr(), part.len());
            }
        }
        Ok(())
    })
}

/// One of the types that collectives take, and the length in memory of `n` items of it.
fn items(n: c_int, kind: c_int) -> Result<(Kind, usize)> {
    let known = Kind::from_number(kind).filter(|_| (1..=8).contains(&kind));
    let known = known.ok_or(Error::BadParam)?;
    memory::count(n)?
        .checked_mul(known.size())
        .filter(|len| *len <= c_int::MAX as usize)
        .map(|len| (known, len))
        .ok_or(Error::BadParam)
}
