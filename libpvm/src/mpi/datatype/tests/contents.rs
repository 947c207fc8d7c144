//! What was given to a constructor is told again.

use super::super::{Combiner, Contents, Dimension, Distribution, Order};
use super::*;
use crate::mpi::Class;

fn numbers(contents: &Contents) -> (Combiner, &[i32], &[i64], &[i64], usize) {
    (
        contents.combiner,
        &contents.integers,
        &contents.addresses,
        &contents.counts,
        contents.datatypes.len(),
    )
}

/// Checks what a call of both widths tells.
fn check(
    make: impl Fn(Width) -> Datatype,
    small: (Combiner, &[i32], &[i64]),
    large: (&[i32], &[i64]),
    types: usize,
) {
    let made = make(Width::Int);
    let (combiner, integers, addresses) = small;
    let told = made.contents().unwrap();
    assert_eq!(
        numbers(told),
        (combiner, integers, addresses, &[][..], types)
    );
    assert!(made.small_envelope().is_ok());

    let made = make(Width::Count);
    let told = made.contents().unwrap();
    assert_eq!(numbers(told), (combiner, large.0, &[][..], large.1, types));
    let refused = made.small_envelope().unwrap_err();
    assert_eq!(refused.class(), Some(Class::Type));
}

#[test]
fn every_constructor_tells_its_arguments() {
    let int = &named(INT);
    let none: &[i64] = &[];
    check(
        |width| Datatype::contiguous(3, int, width).unwrap(),
        (Combiner::Contiguous, &[3], none),
        (&[], &[3]),
        1,
    );
    check(
        |width| Datatype::vector(3, 2, 5, int, width).unwrap(),
        (Combiner::Vector, &[3, 2, 5], none),
        (&[], &[3, 2, 5]),
        1,
    );
    check(
        |width| Datatype::hvector(3, 2, 50, int, width).unwrap(),
        (Combiner::Hvector, &[3, 2], &[50]),
        (&[], &[3, 2, 50]),
        1,
    );
    check(
        |width| Datatype::indexed(&[1, 2], &[7, 9], int, width).unwrap(),
        (Combiner::Indexed, &[2, 1, 2, 7, 9], none),
        (&[], &[2, 1, 2, 7, 9]),
        1,
    );
    check(
        |width| Datatype::hindexed(&[1, 2], &[7, 90], int, width).unwrap(),
        (Combiner::Hindexed, &[2, 1, 2], &[7, 90]),
        (&[], &[2, 1, 2, 7, 90]),
        1,
    );
    check(
        |width| Datatype::indexed_block(4, &[7, 19], int, width).unwrap(),
        (Combiner::IndexedBlock, &[2, 4, 7, 19], none),
        (&[], &[2, 4, 7, 19]),
        1,
    );
    check(
        |width| Datatype::hindexed_block(4, &[7, 90], int, width).unwrap(),
        (Combiner::HindexedBlock, &[2, 4], &[7, 90]),
        (&[], &[2, 4, 7, 90]),
        1,
    );
    let types = &[int.clone(), named(CHAR)];
    check(
        |width| Datatype::structure(&[1, 2], &[0, 4], types, width).unwrap(),
        (Combiner::Struct, &[2, 1, 2], &[0, 4]),
        (&[], &[2, 1, 2, 0, 4]),
        2,
    );
    check(
        |width| Datatype::resized(int, -4, 16, width).unwrap(),
        (Combiner::Resized, &[], &[-4, 16]),
        (&[], &[-4, 16]),
        1,
    );
}

#[test]
fn arrays_tell_their_arguments() {
    let int = &named(INT);
    check(
        |width| {
            let order = Order::Fortran;
            Datatype::subarray(&[4, 5], &[2, 3], &[1, 0], order, int, width).unwrap()
        },
        (Combiner::Subarray, &[2, 4, 5, 2, 3, 1, 0, 15], &[]),
        (&[2, 15], &[4, 5, 2, 3, 1, 0]),
        1,
    );
    let dimension = |size, distribution, block, processes| Dimension {
        size,
        distribution,
        block,
        processes,
    };
    let array = [
        dimension(8, Distribution::Cyclic, 2, 3),
        dimension(9, Distribution::Block, 19, 2),
    ];
    check(
        |width| Datatype::darray(6, 4, &array, Order::C, int, width).unwrap(),
        (
            Combiner::Darray,
            &[6, 4, 2, 8, 9, 18, 17, 2, 19, 3, 2, 12],
            &[],
        ),
        (&[6, 4, 2, 18, 17, 2, 19, 3, 2, 12], &[8, 9]),
        1,
    );
}

#[test]
fn calls_without_counts_have_one_form() {
    let dup = named(INT).duplicate();
    let told = dup.contents().unwrap();
    assert_eq!(numbers(told), (Combiner::Dup, &[][..], &[][..], &[][..], 1));
    assert_eq!(told.datatypes[0], named(INT));
    let real = Datatype::f90_real(6, 30).unwrap();
    let told = real.contents().unwrap();
    assert_eq!(
        numbers(told),
        (Combiner::F90Real, &[6, 30][..], &[][..], &[][..], 0)
    );
    let integer = Datatype::f90_integer(4).unwrap();
    assert_eq!(integer.contents().unwrap().integers, [4]);
}

#[test]
fn named_datatypes_have_no_contents() {
    let int = named(INT);
    assert_eq!(int.envelope().combiner, Combiner::Named);
    assert_eq!(int.contents().unwrap_err().class(), Some(Class::Type));
}
