//! How a datatype was made (MPI 5.0, 5.1.13).

use pvm::mpi::datatype::Contents;
use pvm::mpi::{Class, Datatype, Error};

use super::super::failure::Outcome;
use super::super::handle;
use super::super::raw::{self, ArrayMut, Number, OutAints, OutCounts, OutInt, OutInts};

pub fn type_get_envelope(
    datatype: &Datatype,
    num_integers: OutInt,
    num_addresses: OutInt,
    num_datatypes: OutInt,
    combiner: OutInt,
) -> Outcome {
    let contents = datatype.small_envelope()?;
    num_integers.set_number(contents.integers.len());
    num_addresses.set_number(contents.addresses.len());
    num_datatypes.set_number(contents.datatypes.len());
    combiner.set(contents.combiner as i32);
    Ok(())
}

pub fn type_get_envelope_c(
    datatype: &Datatype,
    num_integers: Number,
    num_addresses: Number,
    num_large_counts: Number,
    num_datatypes: Number,
    combiner: OutInt,
) -> Outcome {
    let contents = datatype.envelope();
    num_integers.put(contents.integers.len() as i64);
    num_addresses.put(contents.addresses.len() as i64);
    num_large_counts.put(contents.counts.len() as i64);
    num_datatypes.put(contents.datatypes.len() as i64);
    combiner.set(contents.combiner as i32);
    Ok(())
}

pub fn type_get_contents(
    datatype: &Datatype,
    max_integers: i32,
    max_addresses: i32,
    max_datatypes: i32,
    array_of_integers: OutInts,
    array_of_addresses: OutAints,
    array_of_datatypes: ArrayMut<raw::Datatype>,
) -> Outcome {
    datatype.small_envelope()?;
    let contents = datatype.contents()?;
    check(
        "integers",
        max_integers.into(),
        &contents.integers,
        &array_of_integers,
    )?;
    check(
        "addresses",
        max_addresses.into(),
        &contents.addresses,
        &array_of_addresses,
    )?;
    check(
        "datatypes",
        max_datatypes.into(),
        &contents.datatypes,
        &array_of_datatypes,
    )?;
    write(
        contents,
        array_of_integers,
        array_of_addresses,
        array_of_datatypes,
    )
}

pub fn type_get_contents_c(
    datatype: &Datatype,
    max_integers: i64,
    max_addresses: i64,
    max_large_counts: i64,
    max_datatypes: i64,
    array_of_integers: OutInts,
    array_of_addresses: OutAints,
    array_of_large_counts: OutCounts,
    array_of_datatypes: ArrayMut<raw::Datatype>,
) -> Outcome {
    let contents = datatype.contents()?;
    check(
        "integers",
        max_integers,
        &contents.integers,
        &array_of_integers,
    )?;
    check(
        "addresses",
        max_addresses,
        &contents.addresses,
        &array_of_addresses,
    )?;
    check(
        "large counts",
        max_large_counts,
        &contents.counts,
        &array_of_large_counts,
    )?;
    check(
        "datatypes",
        max_datatypes,
        &contents.datatypes,
        &array_of_datatypes,
    )?;
    let counts = contents.counts.iter().enumerate();
    counts.for_each(|(index, &count)| array_of_large_counts.put(index, count));
    write(
        contents,
        array_of_integers,
        array_of_addresses,
        array_of_datatypes,
    )
}

/// Checks that there is room for the arguments of a kind.
fn check<T, U: Copy>(what: &str, room: i64, arguments: &[T], array: &ArrayMut<U>) -> Outcome {
    let len = arguments.len();
    if room < len as i64 {
        let detail = format!("room for {room} {what} of {len}");
        return Err(Error::new(Class::Arg, detail).into());
    }
    Ok(array.check(len)?)
}

/// Writes all but the large counts, into arrays that have room.
fn write(
    contents: &Contents,
    integers: OutInts,
    addresses: OutAints,
    datatypes: ArrayMut<raw::Datatype>,
) -> Outcome {
    for (index, &integer) in contents.integers.iter().enumerate() {
        integers.put(index, integer);
    }
    for (index, &address) in contents.addresses.iter().enumerate() {
        addresses.put(index, address as isize);
    }
    for (index, datatype) in contents.datatypes.iter().enumerate() {
        let raw = handle::of_datatype(datatype.equivalent())?;
        datatypes.put(index, raw::Datatype(raw));
    }
    Ok(())
}
