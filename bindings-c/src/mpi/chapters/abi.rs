//! Queries about the ABI (MPI 5.0, chapter 20).

use std::sync::{Mutex, MutexGuard, PoisonError};

use pvm::mpi::{self, Class, Error};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{self, Out, OutBuf, OutInt};
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

/// What is known of Fortran in this process.
#[derive(Default)]
struct Fortran {
    /// What a Fortran library has said of its types.
    info: Option<mpi::Info>,
    /// Size of a logical, and the bytes of true and false.
    booleans: Option<(usize, Vec<u8>, Vec<u8>)>,
}

static FORTRAN: Mutex<Fortran> = Mutex::new(Fortran {
    info: None,
    booleans: None,
});

fn fortran() -> MutexGuard<'static, Fortran> {
    FORTRAN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What GNU Fortran has, for which the sizes of the predefined datatypes are.
fn gnu_fortran() -> mpi::Info {
    let sizes = [
        ("logical", 4),
        ("integer", 4),
        ("real", 4),
        ("double_precision", 8),
    ];
    let sizes =
        sizes.map(|(name, size): (&str, u8)| (format!("mpi_{name}_size"), size.to_string()));
    // All have a datatype here, also where GNU Fortran has no such kind.
    let kinds = [
        ("logical", &[1, 2, 4, 8, 16][..]),
        ("integer", &[1, 2, 4, 8, 16]),
        ("real", &[2, 4, 8, 16]),
        ("complex", &[4, 8, 16, 32]),
    ];
    let kinds = kinds.into_iter().flat_map(|(name, sizes): (&str, &[u8])| {
        let key = move |size: &u8| (format!("mpi_{name}{size}_supported"), "true".to_owned());
        sizes.iter().map(key)
    });
    let double = ("mpi_double_complex_supported".to_owned(), "true".to_owned());
    mpi::Info::with(sizes.into_iter().chain(kinds).chain([double]))
}

pub fn abi_get_fortran_info(info: Out<raw::Info>) -> Outcome {
    let known = fortran().info.as_ref().map(mpi::Info::dup);
    give(info, known.unwrap_or_else(gnu_fortran))
}

pub fn abi_set_fortran_info(info: raw::Info) -> Outcome {
    let given = info.find()?.dup();
    let mut fortran = fortran();
    if fortran.info.is_some() {
        return Err(Error::new(Class::Abi, "the facts of Fortran were set before").into());
    }
    fortran.info = Some(given);
    Ok(())
}

/// The size of a Fortran logical.
fn logical(size: i32) -> mpi::Result<usize> {
    match size {
        1 | 2 | 4 | 8 | 16 => Ok(size as usize),
        _ => Err(Error::new(Class::Arg, format!("a logical of {size} bytes"))),
    }
}

/// Checks the places of both values.
fn both(logical_true: OutBuf, logical_false: OutBuf) -> mpi::Result<()> {
    match logical_true.0.is_null() || logical_false.0.is_null() {
        false => Ok(()),
        true => Err(Error::new(Class::Arg, "the place of a logical is NULL")),
    }
}

pub fn abi_get_fortran_booleans(
    logical_size: i32,
    logical_true: OutBuf,
    logical_false: OutBuf,
    is_set: OutInt,
) -> Outcome {
    let size = logical(logical_size)?;
    both(logical_true, logical_false)?;
    let fortran = fortran();
    let known = fortran
        .booleans
        .as_ref()
        .filter(|(known, ..)| *known == size);
    is_set.set_flag(known.is_some());
    if let Some((_, yes, no)) = known {
        // SAFETY: neither is NULL; the program promises room for a logical of this size.
        unsafe {
            logical_true.0.cast::<u8>().copy_from(yes.as_ptr(), size);
            logical_false.0.cast::<u8>().copy_from(no.as_ptr(), size);
        }
    }
    Ok(())
}

pub fn abi_set_fortran_booleans(
    logical_size: i32,
    logical_true: OutBuf,
    logical_false: OutBuf,
) -> Outcome {
    let size = logical(logical_size)?;
    both(logical_true, logical_false)?;
    let mut fortran = fortran();
    if fortran.booleans.is_some() {
        return Err(Error::new(Class::Abi, "the booleans of Fortran were set before").into());
    }
    // SAFETY: neither is NULL; the program promises logicals of this size.
    let read = |from: OutBuf| unsafe {
        std::slice::from_raw_parts(from.0.cast::<u8>().cast_const(), size).to_vec()
    };
    fortran.booleans = Some((size, read(logical_true), read(logical_false)));
    Ok(())
}
