//! Datatypes against a naive interpreter of type maps, and by example.

mod contents;
mod examples;
mod naive;
mod portable;

use super::{Datatype, Width};

/// The named datatype of a constant.
fn named(number: i32) -> Datatype {
    Datatype::named(number).expect("a constant").clone()
}

const SHORT: i32 = 520;
const INT: i32 = 521;
const LONG: i32 = 522;
const DOUBLE: i32 = 532;
const CHAR: i32 = 579;
const BYTE: i32 = 583;
const DOUBLE_INT: i32 = 553;

/// The address offset and length of every piece of one.
fn pieces(datatype: &Datatype) -> Vec<(isize, usize)> {
    datatype.commit();
    let layout = datatype.layout().unwrap();
    let mut pieces = Vec::new();
    layout.pieces(0, layout.size(), |at, len| pieces.push((at, len)));
    pieces
}

/// Lower bound, extent, true lower bound, true extent.
fn bounds(datatype: &Datatype) -> (i64, i64, i64, i64) {
    let (bounds, true_bounds) = (datatype.bounds(), datatype.true_bounds());
    (
        bounds.lower,
        bounds.extent,
        true_bounds.lower,
        true_bounds.extent,
    )
}

fn contiguous(count: i64, old: &Datatype) -> Datatype {
    Datatype::contiguous(count, old, Width::Int).unwrap()
}
