//! Making, asking and freeing datatypes (MPI 5.0, chapter 5).

use std::ffi::CStr;

use pvm::mpi::datatype::{Bounds, Dimension, Distribution, Order, TypeClass};
use pvm::mpi::{Class, Datatype, Error, Result};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Array, Buf, Formed, Number, Numbers, Out, OutInt, OutStr, text};

/// Gives the program a datatype.
pub(super) fn give(place: Out<raw::Datatype>, datatype: Datatype) -> Outcome {
    place.set(raw::Datatype(handle::of_datatype(datatype)?));
    Ok(())
}

/// The length of an array of the program.
fn length(count: i64) -> Outcome<usize> {
    Ok(usize::try_from(count).map_err(|_| Error::new(Class::Count, format!("count {count}")))?)
}

pub fn type_contiguous(count: Formed, oldtype: &Datatype, newtype: Out<raw::Datatype>) -> Outcome {
    give(
        newtype,
        Datatype::contiguous(count.number, oldtype, count.width)?,
    )
}

pub fn type_vector(
    count: i64,
    blocklength: i64,
    stride: Formed,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let (stride, width) = (stride.number, stride.width);
    give(
        newtype,
        Datatype::vector(count, blocklength, stride, oldtype, width)?,
    )
}

pub fn type_create_hvector(
    count: i64,
    blocklength: i64,
    stride: Formed,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let (stride, width) = (stride.number, stride.width);
    give(
        newtype,
        Datatype::hvector(count, blocklength, stride, oldtype, width)?,
    )
}

pub fn type_indexed(
    count: i64,
    array_of_blocklengths: Numbers,
    array_of_displacements: Numbers,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let lengths = array_of_blocklengths.read(length(count)?)?;
    let displacements = array_of_displacements.read(lengths.len())?;
    let width = array_of_blocklengths.width();
    give(
        newtype,
        Datatype::indexed(&lengths, &displacements, oldtype, width)?,
    )
}

pub fn type_create_hindexed(
    count: i64,
    array_of_blocklengths: Numbers,
    array_of_displacements: Numbers,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let lengths = array_of_blocklengths.read(length(count)?)?;
    let displacements = array_of_displacements.read(lengths.len())?;
    let width = array_of_blocklengths.width();
    give(
        newtype,
        Datatype::hindexed(&lengths, &displacements, oldtype, width)?,
    )
}

pub fn type_create_indexed_block(
    count: i64,
    blocklength: i64,
    array_of_displacements: Numbers,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let displacements = array_of_displacements.read(length(count)?)?;
    let width = array_of_displacements.width();
    give(
        newtype,
        Datatype::indexed_block(blocklength, &displacements, oldtype, width)?,
    )
}

pub fn type_create_hindexed_block(
    count: i64,
    blocklength: i64,
    array_of_displacements: Numbers,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let displacements = array_of_displacements.read(length(count)?)?;
    let width = array_of_displacements.width();
    give(
        newtype,
        Datatype::hindexed_block(blocklength, &displacements, oldtype, width)?,
    )
}

pub fn type_create_struct(
    count: i64,
    array_of_blocklengths: Numbers,
    array_of_displacements: Numbers,
    array_of_types: Array<raw::Datatype>,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let lengths = array_of_blocklengths.read(length(count)?)?;
    let displacements = array_of_displacements.read(lengths.len())?;
    let handles = array_of_types.read(lengths.len())?;
    let types = handles.iter().map(|handle| handle.find().cloned());
    let types = types.collect::<Result<Vec<Datatype>>>()?;
    let width = array_of_blocklengths.width();
    give(
        newtype,
        Datatype::structure(&lengths, &displacements, &types, width)?,
    )
}

pub fn type_create_subarray(
    ndims: i32,
    array_of_sizes: Numbers,
    array_of_subsizes: Numbers,
    array_of_starts: Numbers,
    order: i32,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let dimensions = dimensions(ndims)?;
    let sizes = array_of_sizes.read(dimensions)?;
    let parts = array_of_subsizes.read(dimensions)?;
    let starts = array_of_starts.read(dimensions)?;
    let (order, width) = (Order::from_number(order)?, array_of_sizes.width());
    give(
        newtype,
        Datatype::subarray(&sizes, &parts, &starts, order, oldtype, width)?,
    )
}

pub fn type_create_darray(
    size: i32,
    rank: i32,
    ndims: i32,
    array_of_gsizes: Numbers,
    array_of_distribs: Numbers,
    array_of_dargs: Numbers,
    array_of_psizes: Numbers,
    order: i32,
    oldtype: &Datatype,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    let dimensions = dimensions(ndims)?;
    let sizes = array_of_gsizes.read(dimensions)?;
    let distributions = array_of_distribs.read(dimensions)?;
    let blocks = array_of_dargs.read(dimensions)?;
    let processes = array_of_psizes.read(dimensions)?;
    let array = (0..dimensions).map(|axis| {
        Ok(Dimension {
            size: sizes[axis],
            distribution: Distribution::from_number(distributions[axis] as i32)?,
            block: blocks[axis] as i32,
            processes: processes[axis] as i32,
        })
    });
    let array = array.collect::<Outcome<Vec<Dimension>>>()?;
    let (order, width) = (Order::from_number(order)?, array_of_gsizes.width());
    give(
        newtype,
        Datatype::darray(size, rank, &array, order, oldtype, width)?,
    )
}

fn dimensions(ndims: i32) -> Outcome<usize> {
    let wrong = |_| Error::new(Class::Dims, format!("an array of {ndims} dimensions"));
    Ok(usize::try_from(ndims).map_err(wrong)?)
}

pub fn type_create_resized(
    oldtype: &Datatype,
    lb: Formed,
    extent: i64,
    newtype: Out<raw::Datatype>,
) -> Outcome {
    give(
        newtype,
        Datatype::resized(oldtype, lb.number, extent, lb.width)?,
    )
}

pub fn type_dup(oldtype: raw::AnyDatatype, newtype: Out<raw::Datatype>) -> Outcome {
    let old = oldtype.find()?;
    let copied = old.attributes().copy(oldtype.0 as u64)?;
    let copy = old.duplicate();
    copy.attributes().adopt(copied);
    give(newtype, copy)
}

pub fn type_create_f90_real(p: i32, r: i32, newtype: Out<raw::Datatype>) -> Outcome {
    give(newtype, Datatype::f90_real(p, r)?)
}

pub fn type_create_f90_complex(p: i32, r: i32, newtype: Out<raw::Datatype>) -> Outcome {
    give(newtype, Datatype::f90_complex(p, r)?)
}

pub fn type_create_f90_integer(r: i32, newtype: Out<raw::Datatype>) -> Outcome {
    give(newtype, Datatype::f90_integer(r)?)
}

pub fn type_match_size(typeclass: i32, size: i32, datatype: Out<raw::Datatype>) -> Outcome {
    let class = TypeClass::from_number(typeclass)?;
    give(datatype, Datatype::match_size(class, size)?.clone())
}

pub fn type_get_value_index(
    value_type: &Datatype,
    index_type: &Datatype,
    pair_type: Out<raw::Datatype>,
) -> Outcome {
    match Datatype::value_index(value_type, index_type)? {
        Some(pair) => give(pair_type, pair.clone()),
        None => {
            pair_type.set(raw::Datatype::NULL);
            Ok(())
        }
    }
}

pub fn type_commit(datatype: Out<raw::Datatype>) -> Outcome {
    datatype.get().find()?.commit();
    Ok(())
}

pub fn type_free(datatype: Out<raw::Datatype>) -> Outcome {
    let handle = datatype.get();
    let found = handle.find()?;
    found.check_free()?;
    found.attributes().delete_all(handle.0 as u64)?;
    // SAFETY: the program promises not to free what it uses elsewhere.
    unsafe { handle::release::<Datatype>(handle.0) }?;
    datatype.set(raw::Datatype::NULL);
    Ok(())
}

pub fn type_size(datatype: &Datatype, size: Number) -> Outcome {
    size.put_or_undefined(datatype.size());
    Ok(())
}

pub fn type_size_x(datatype: &Datatype, size: Number) -> Outcome {
    type_size(datatype, size)
}

pub fn type_get_extent(datatype: &Datatype, lb: Number, extent: Number) -> Outcome {
    tell(datatype.bounds(), lb, extent)
}

pub fn type_get_extent_x(datatype: &Datatype, lb: Number, extent: Number) -> Outcome {
    tell(datatype.bounds(), lb, extent)
}

pub fn type_get_true_extent(datatype: &Datatype, true_lb: Number, true_extent: Number) -> Outcome {
    tell(datatype.true_bounds(), true_lb, true_extent)
}

pub fn type_get_true_extent_x(
    datatype: &Datatype,
    true_lb: Number,
    true_extent: Number,
) -> Outcome {
    tell(datatype.true_bounds(), true_lb, true_extent)
}

fn tell(bounds: Bounds, lower: Number, extent: Number) -> Outcome {
    lower.put_or_undefined(bounds.lower);
    extent.put_or_undefined(bounds.extent);
    Ok(())
}

pub fn type_set_name(datatype: &Datatype, type_name: &CStr) -> Outcome {
    datatype.set_name(&text(type_name));
    Ok(())
}

pub fn type_get_name(
    datatype: raw::DatatypeOrNull,
    type_name: OutStr,
    resultlen: OutInt,
) -> Outcome {
    let name = match datatype == raw::DatatypeOrNull::NULL {
        true => "MPI_DATATYPE_NULL".to_owned(),
        false => datatype.find()?.name(),
    };
    resultlen.set_number(type_name.put(&name, abi::MAX_OBJECT_NAME as usize));
    Ok(())
}

pub fn get_address(location: Buf, address: Number) -> Outcome {
    address.put_or_undefined(location.0 as i64);
    Ok(())
}

pub fn get_elements(status: raw::Status, datatype: &Datatype, count: Number) -> Outcome {
    let bytes = i64::try_from(status.bytes()).ok();
    let elements = bytes.and_then(|bytes| datatype.elements(bytes));
    count.put_or_undefined(elements.unwrap_or(abi::UNDEFINED.into()));
    Ok(())
}

pub fn get_elements_x(status: raw::Status, datatype: &Datatype, count: Number) -> Outcome {
    get_elements(status, datatype, count)
}
