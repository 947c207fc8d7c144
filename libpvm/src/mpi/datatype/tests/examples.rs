//! Sizes, bounds and errors by example.

use super::super::basic::BASICS;
use super::super::{Element, TypeClass};
use super::*;
use crate::mpi::comm::UNDEFINED;
use crate::mpi::{Class, Result};

fn class<T>(result: Result<T>) -> Option<Class> {
    result.err().and_then(|error| error.class())
}

#[test]
fn constants_have_their_datatypes() {
    for basic in BASICS {
        let datatype = named(basic.number);
        let size = basic.size as i64;
        assert_eq!(datatype.number(), Some(basic.number));
        assert_eq!(datatype.name(), basic.name);
        assert_eq!(datatype.size(), size);
        assert_eq!(bounds(&datatype), (0, size, 0, size));
        assert!(datatype.is_committed() && datatype.is_predefined());
        assert_eq!(class(datatype.check_free()), Some(Class::Type));
        // The ABI has the size of fixed ones in the constant.
        if basic.number & 0x1c0 == 0x40 || (704..747).contains(&basic.number) {
            assert_eq!(size, 1 << (basic.number >> 3 & 7), "{}", basic.name);
        }
    }
    for number in [i32::MIN, -1, 0, 511, 512, 516, 566, 767, 768, i32::MAX] {
        assert!(Datatype::named(number).is_none(), "{number}");
    }
}

#[test]
fn pairs_are_like_structures_of_c() {
    let sizes: Vec<_> = (552..563)
        .filter_map(Datatype::named)
        .map(|pair| {
            (
                pair.name(),
                pair.size(),
                pair.extent(),
                pair.true_bounds().extent,
            )
        })
        .collect();
    let expected = [
        ("MPI_FLOAT_INT", 8, 8, 8),
        ("MPI_DOUBLE_INT", 12, 16, 12),
        ("MPI_LONG_INT", 12, 16, 12),
        ("MPI_2INT", 8, 8, 8),
        ("MPI_SHORT_INT", 6, 8, 8),
        ("MPI_LONG_DOUBLE_INT", 20, 32, 20),
        ("MPI_2REAL", 8, 8, 8),
        ("MPI_2DOUBLE_PRECISION", 16, 16, 16),
        ("MPI_2INTEGER", 8, 8, 8),
    ];
    assert_eq!(
        sizes,
        expected.map(|(name, a, b, c)| (name.to_string(), a, b, c))
    );
}

#[test]
fn structures_are_padded_to_their_alignment() {
    let types = [named(DOUBLE), named(CHAR)];
    let made = Datatype::structure(&[1, 1], &[0, 8], &types, Width::Int).unwrap();
    assert_eq!(bounds(&made), (0, 16, 0, 9));
    assert_eq!(contiguous(3, &made).extent(), 48);
    assert_eq!(pieces(&contiguous(2, &made)), [(0, 9), (16, 9)]);
}

#[test]
fn the_outermost_marker_counts() {
    let resized = Datatype::resized(&named(INT), -8, 40, Width::Int).unwrap();
    assert_eq!(bounds(&resized), (-8, 40, 0, 4));
    let types = [resized.clone(), named(DOUBLE)];
    let made = Datatype::structure(&[1, 1], &[0, 400], &types, Width::Int).unwrap();
    assert_eq!(bounds(&made), (-8, 40, 0, 408));
    let smaller = Datatype::resized(&resized, 0, 4, Width::Int).unwrap();
    assert_eq!(bounds(&smaller), (0, 4, 0, 4));
    assert_eq!(
        contiguous(5, &smaller)
            .layout()
            .err()
            .and_then(|e| e.class()),
        Some(Class::Type)
    );
    assert_eq!(pieces(&contiguous(5, &smaller)), [(0, 20)]);
}

#[test]
fn nothing_is_a_datatype() {
    let empty = contiguous(0, &named(DOUBLE));
    assert_eq!((empty.size(), bounds(&empty)), (0, (0, 0, 0, 0)));
    assert_eq!(empty.count(0), Some(0));
    assert_eq!((empty.count(8), empty.elements(8)), (None, None));
    let all = Datatype::structure(&[], &[], &[], Width::Int).unwrap();
    assert_eq!(all.extent(), 0);
    let marked = Datatype::resized(&empty, 3, 5, Width::Int).unwrap();
    assert_eq!(bounds(&contiguous(2, &marked)), (3, 10, 0, 0));
}

#[test]
fn a_tile_of_a_matrix() {
    use super::super::Order;
    let tile = Datatype::subarray(&[4, 6], &[2, 3], &[1, 2], Order::C, &named(INT), Width::Int);
    let tile = tile.unwrap();
    assert_eq!(bounds(&tile), (0, 96, 32, 36));
    assert_eq!(pieces(&tile), [(32, 12), (56, 12)]);
}

#[test]
fn wrong_arguments_have_their_classes() {
    use super::super::{Dimension, Distribution, Order};
    let (int, width) = (named(INT), Width::Int);
    assert_eq!(
        class(Datatype::contiguous(-1, &int, width)),
        Some(Class::Count)
    );
    assert_eq!(
        class(Datatype::vector(-1, 1, 1, &int, width)),
        Some(Class::Count)
    );
    assert_eq!(
        class(Datatype::vector(1, -1, 1, &int, width)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(Datatype::indexed(&[1, -1], &[0, 1], &int, width)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(Datatype::hindexed_block(-2, &[0], &int, width)),
        Some(Class::Arg)
    );
    let sub = |size, part, start| {
        Datatype::subarray(
            &[size],
            &[part],
            &[start],
            Order::C,
            &named(INT),
            Width::Int,
        )
    };
    for (size, part, start) in [
        (0, 1, 0),
        (4, 0, 0),
        (4, 5, 0),
        (4, 2, 3),
        (4, 2, -1),
        (4, -1, 0),
    ] {
        assert_eq!(
            class(sub(size, part, start)),
            Some(Class::Arg),
            "{size} {part} {start}"
        );
    }
    let none = Datatype::subarray(&[], &[], &[], Order::C, &int, width);
    assert_eq!(class(none), Some(Class::Dims));
    let darray = |size, rank, block, processes, distribution| {
        let dimension = Dimension {
            size: 10,
            distribution,
            block,
            processes,
        };
        Datatype::darray(size, rank, &[dimension], Order::C, &named(INT), Width::Int)
    };
    assert_eq!(
        class(darray(2, 2, 19, 2, Distribution::Block)),
        Some(Class::Rank)
    );
    assert_eq!(
        class(darray(2, 0, 19, 3, Distribution::Block)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(darray(2, 0, 4, 2, Distribution::Block)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(darray(2, 0, 19, 2, Distribution::None)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(darray(0, 0, 19, 0, Distribution::Cyclic)),
        Some(Class::Arg)
    );
    assert_eq!(
        class(darray(2, 1, 0, 2, Distribution::Cyclic)),
        Some(Class::Arg)
    );
    assert_eq!(class(darray(2, 1, 5, 2, Distribution::Block)), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (int, wide) = (named(INT), Width::Count);
    let huge = i64::MAX / 2;
    assert_eq!(
        class(Datatype::contiguous(huge, &int, wide)),
        Some(Class::ValueTooLarge)
    );
    assert_eq!(
        class(Datatype::vector(2, 1, huge, &int, wide)),
        Some(Class::ValueTooLarge)
    );
    assert_eq!(
        class(Datatype::hvector(4, 1, huge, &int, wide)),
        Some(Class::ValueTooLarge)
    );
    assert_eq!(
        class(Datatype::indexed(&[1], &[huge], &int, wide)),
        Some(Class::ValueTooLarge)
    );
    assert_eq!(
        class(Datatype::resized(&int, huge, i64::MAX, wide)),
        Some(Class::ValueTooLarge)
    );
    let far = Datatype::hindexed(&[1, 1], &[i64::MIN, i64::MAX - 8], &int, wide);
    assert_eq!(class(far), Some(Class::ValueTooLarge));
    let large = Datatype::contiguous(1 << 60, &int, wide).unwrap();
    assert_eq!(large.size(), 1 << 62);
    assert_eq!(
        class(Datatype::contiguous(2, &large, wide)),
        Some(Class::ValueTooLarge)
    );
    assert_eq!(class(large.packed_size(2)), Some(Class::ValueTooLarge));
    assert_eq!(class(large.packed_size(-1)), Some(Class::Count));
    // The other form of the call takes no such count.
    assert_eq!(
        class(Datatype::contiguous(1 << 40, &int, Width::Int)),
        Some(Class::Count)
    );
}

#[test]
fn a_million_generations_come_and_go() {
    let mut datatype = named(INT);
    for _ in 0..1_000_000 {
        datatype = datatype.duplicate();
    }
    assert_eq!(datatype.size(), 4);
    drop(datatype);
}

#[test]
fn names_are_kept_and_cut() {
    let datatype = contiguous(2, &named(INT));
    assert_eq!(datatype.name(), "");
    datatype.set_name("zwei");
    assert_eq!(datatype.name(), "zwei");
    datatype.set_name(&"ä".repeat(100));
    assert_eq!(datatype.name(), "ä".repeat(63));
    assert_eq!(datatype.duplicate().name(), "");
}

#[test]
fn kinds_of_fortran_are_given_once() {
    let real = Datatype::f90_real(6, 30).unwrap();
    assert_eq!(real, Datatype::f90_real(6, 30).unwrap());
    assert_ne!(real, Datatype::f90_real(6, 31).unwrap());
    assert_eq!((real.size(), real.number()), (4, None));
    assert!(real.is_predefined() && real.is_committed());
    let size = |p, r| Datatype::f90_real(p, r).map(|kind| kind.size()).ok();
    assert_eq!(size(7, UNDEFINED), Some(8));
    assert_eq!(size(UNDEFINED, 308), Some(16));
    assert_eq!(size(33, 4931), Some(16));
    assert_eq!(size(34, 0), None);
    assert_eq!(size(-1, 0), None);
    assert_eq!(size(UNDEFINED, UNDEFINED), None);
    assert_eq!(Datatype::f90_complex(15, 300).unwrap().size(), 16);
    let size = |r| Datatype::f90_integer(r).map(|kind| kind.size()).ok();
    let sizes = [0, 2, 3, 9, 10, 18, 19, 38].map(size);
    assert_eq!(sizes, [1, 1, 2, 4, 8, 8, 16, 16].map(Some));
    assert_eq!((size(39), size(-1), size(UNDEFINED)), (None, None, None));
}

#[test]
fn pairs_are_those_with_names() {
    let pair = |value, index| Datatype::value_index(&named(value), &named(index)).unwrap();
    assert_eq!(pair(DOUBLE, INT), Some(&named(DOUBLE_INT)));
    assert!(matches!(
        named(DOUBLE_INT).element(),
        Some(Element::Pair { offset: 8, .. })
    ));
    assert_eq!(pair(CHAR + 1, LONG), None);
    assert_eq!(pair(INT, DOUBLE), None);
    assert_eq!(pair(BYTE, INT), None);
    let derived = contiguous(1, &named(INT));
    assert_eq!(
        class(Datatype::value_index(&derived, &derived)),
        Some(Class::Type)
    );
}

#[test]
fn sizes_have_their_fortran_types() {
    let found = Datatype::match_size(TypeClass::Real, 8).unwrap();
    assert_eq!(found.name(), "MPI_REAL8");
    assert_eq!(
        class(Datatype::match_size(TypeClass::Real, 3)),
        Some(Class::Arg)
    );
    assert_eq!(class(TypeClass::from_number(190)), Some(Class::Arg));
    for (class, sizes) in [(191, 1..17), (192, 1..17), (193, 2..17), (194, 4..33)] {
        let class = TypeClass::from_number(class).unwrap();
        for size in sizes.filter(|size: &i32| size.count_ones() == 1) {
            assert_eq!(
                Datatype::match_size(class, size).unwrap().size(),
                i64::from(size)
            );
        }
    }
}

#[test]
fn a_vector_of_millions_is_as_small_as_one_of_two() {
    let column = Datatype::vector(1 << 40, 1, 1000, &named(DOUBLE), Width::Count).unwrap();
    let columns = Datatype::hvector(1000, 1, 8, &column, Width::Count).unwrap();
    assert_eq!(columns.size(), 1000 << 43);
    assert_eq!(columns.elements(8 * 7), Some(7));
    columns.commit();
    let mut seen = Vec::new();
    let layout = columns.layout().unwrap();
    layout.pieces((1 << 43) - 8, 16, |at, len| seen.push((at, len)));
    assert_eq!(seen, [(8000 * ((1 << 40) - 1), 8), (8, 8)]);
}
