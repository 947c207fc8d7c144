//! Packing, and the portable form against bytes written out by hand.

use super::super::basic::BASICS;
use super::super::{external32, pack};
use super::*;
use crate::datatype::{Sink, Source, lend};
use crate::mpi::{Class, Result};
use proptest::prelude::*;

/// What `native` bytes of whole datatypes, packed as in a message, are in the portable form.
fn portable(datatype: &Datatype, native: &[u8]) -> Result<Vec<u8>> {
    let count = native.len() as i64 / datatype.size();
    let mut room = Sink::with_capacity(datatype.external_size(count)? as usize);
    let source = Source::from_vec(native.to_vec());
    let end = external32::pack(datatype, &source, &mut room, 0)?;
    let bytes = room.into_vec().unwrap();
    assert_eq!(end, bytes.len());
    Ok(bytes)
}

fn native(datatype: &Datatype, portable: &[u8]) -> Vec<u8> {
    let count = portable.len() as i64 / datatype.signature().external_size();
    let mut sink = Sink::with_capacity((count * datatype.size()) as usize);
    let source = Source::from_vec(portable.to_vec());
    let end = external32::unpack(datatype, &source, 0, &mut sink).unwrap();
    assert_eq!(end, portable.len());
    sink.into_vec().unwrap()
}

fn check(number: i32, here: &[u8], there: &[u8]) {
    let datatype = named(number);
    let name = datatype.name();
    assert_eq!(portable(&datatype, here).unwrap(), there, "{name}");
    assert_eq!(native(&datatype, there), here, "{name}");
}

#[test]
fn sizes_are_those_of_the_standard() {
    let sizes = |size: usize| {
        let those = BASICS.iter().filter(|basic| basic.external == size);
        those.map(|basic| basic.number).collect::<Vec<_>>()
    };
    let expected: [(usize, &[i32]); 6] = [
        (
            1,
            &[519, 542, 568, 569, 576, 577, 579, 580, 581, 583, 704, 705],
        ),
        (2, &[520, 524, 572, 584, 585, 712, 713, 714]),
        (
            4,
            &[
                521, 522, 525, 526, 528, 536, 537, 538, 592, 593, 720, 721, 722, 723,
            ],
        ),
        (
            8,
            &[
                513, 514, 515, 523, 527, 530, 531, 532, 539, 540, 600, 601, 728, 729, 730, 731,
            ],
        ),
        (16, &[534, 535, 541, 544, 736, 737, 738, 739]),
        (32, &[548, 549, 747]),
    ];
    for (size, numbers) in expected {
        assert_eq!(sizes(size), numbers);
    }
    assert_eq!(named(DOUBLE_INT).external_size(3).unwrap(), 36);
    assert_eq!(
        named(INT).external_size(-1).unwrap_err().class(),
        Some(Class::Count)
    );
}

#[test]
fn integers() {
    for number in [580, 576, 705] {
        check(number, &(-2i8).to_ne_bytes(), &[0xfe]);
    }
    for number in [SHORT, 584, 713] {
        check(number, &(-2i16).to_ne_bytes(), &[0xff, 0xfe]);
    }
    for number in [INT, 537, 592, 721] {
        check(number, &0x0102_0304i32.to_ne_bytes(), &[1, 2, 3, 4]);
    }
    for number in [513, 514, 515, 523, 600, 729] {
        check(
            number,
            &(-3i64).to_ne_bytes(),
            &[255, 255, 255, 255, 255, 255, 255, 253],
        );
    }
    for number in [527, 601] {
        check(
            number,
            &(u64::MAX - 1).to_ne_bytes(),
            &[255, 255, 255, 255, 255, 255, 255, 254],
        );
    }
    check(524, &0x0102u16.to_ne_bytes(), &[1, 2]);
    check(585, &0x0102u16.to_ne_bytes(), &[1, 2]);
    for number in [525, 593] {
        check(number, &0xf102_0304u32.to_ne_bytes(), &[0xf1, 2, 3, 4]);
    }
    check(577, &[200], &[200]);
    check(581, &[200], &[200]);
    let mut wide = [0xff; 16];
    wide[15] = 0xfd;
    check(737, &(-3i128).to_ne_bytes(), &wide);
}

#[test]
fn longs_have_four_bytes() {
    for (value, bytes) in [
        (-1i64, [255; 4]),
        (i64::from(i32::MIN), [128, 0, 0, 0]),
        (258, [0, 0, 1, 2]),
    ] {
        check(LONG, &value.to_ne_bytes(), &bytes);
    }
    check(
        526,
        &(u64::from(u32::MAX) - 1).to_ne_bytes(),
        &[255, 255, 255, 254],
    );
    let refused = portable(&named(LONG), &(1i64 << 31).to_ne_bytes()).unwrap_err();
    assert_eq!(refused.class(), Some(Class::Conversion));
    assert!(
        refused.detail().starts_with("MPI_LONG 2147483648 "),
        "{refused}"
    );
    assert!(portable(&named(LONG), &i64::MIN.to_ne_bytes()).is_err());
    assert!(portable(&named(526), &(1u64 << 32).to_ne_bytes()).is_err());
}

#[test]
fn bytes_and_characters() {
    for number in [519, 542, CHAR, BYTE] {
        check(number, b"a\xe4z", b"a\xe4z");
    }
    check(572, &0x20aci32.to_ne_bytes(), &[0x20, 0xac]);
    check(572, &0xffffi32.to_ne_bytes(), &[0xff, 0xff]);
    for outside in [0x1_0000i32, -1] {
        let refused = portable(&named(572), &outside.to_ne_bytes()).unwrap_err();
        assert_eq!(refused.class(), Some(Class::Conversion));
    }
}

#[test]
fn logicals_are_one_or_zero() {
    for (number, size) in [
        (568, 1),
        (569, 1),
        (704, 1),
        (712, 2),
        (536, 4),
        (720, 4),
        (728, 8),
        (736, 16),
    ] {
        let mut there = vec![0; size];
        check(number, &there.clone(), &there);
        there[size - 1] = 1;
        let mut here = there.clone();
        if cfg!(target_endian = "little") {
            here.reverse();
        }
        check(number, &here, &there);
        // Any byte makes it true.
        let mut odd = vec![0; size];
        odd[size / 2] = 0x40;
        assert_eq!(portable(&named(number), &odd).unwrap(), there);
        assert_eq!(native(&named(number), &odd), here);
    }
}

#[test]
fn floating_point_numbers() {
    for number in [528, 538, 722] {
        check(number, &(-1.5f32).to_ne_bytes(), &[0xbf, 0xc0, 0, 0]);
    }
    for number in [DOUBLE, 540, 730] {
        check(
            number,
            &0.1f64.to_ne_bytes(),
            &[0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
        );
    }
    check(714, &0x3c01u16.to_ne_bytes(), &[0x3c, 1]);
    check(
        723,
        &[0x3c01u16.to_ne_bytes(), 0xc000u16.to_ne_bytes()].concat(),
        &[0x3c, 1, 0xc0, 0],
    );
    for number in [530, 531, 539, 731] {
        let here = [1.0f32.to_ne_bytes(), (-2.0f32).to_ne_bytes()].concat();
        check(number, &here, &[0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
    }
    for number in [534, 535, 541, 739] {
        let here = [1.0f64.to_ne_bytes(), (-2.0f64).to_ne_bytes()].concat();
        let there = [0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0];
        check(number, &here, &there);
    }
    let quad = 0x3fff_8000_0000_0000_0000_0000_0000_0001u128;
    check(738, &quad.to_ne_bytes(), &quad.to_be_bytes());
    let two = [quad.to_ne_bytes(), (quad + 1).to_ne_bytes()].concat();
    check(
        747,
        &two,
        &[quad.to_be_bytes(), (quad + 1).to_be_bytes()].concat(),
    );
}

/// 1.5 as `long double`.
#[cfg(target_arch = "x86_64")]
const LONG_DOUBLE: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x3f, 0, 0, 0, 0, 0, 0];
#[cfg(not(target_arch = "x86_64"))]
const LONG_DOUBLE: [u8; 16] = 0x3fff_8000_0000_0000_0000_0000_0000_0000u128.to_ne_bytes();

#[test]
fn long_doubles_are_quadruple() {
    let there = [0x3f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    check(544, &LONG_DOUBLE, &there);
    for number in [548, 549] {
        check(
            number,
            &[LONG_DOUBLE, LONG_DOUBLE].concat(),
            &[there, there].concat(),
        );
    }
}

#[test]
fn structures_go_element_by_element() {
    let types = [named(LONG), named(CHAR), named(544)];
    let made = Datatype::structure(&[2, 3, 1], &[0, 16, 32], &types, Width::Int).unwrap();
    let here = [
        &7i64.to_ne_bytes()[..],
        &(-7i64).to_ne_bytes(),
        b"abc",
        &LONG_DOUBLE,
    ]
    .concat();
    let there = portable(&made, &[&here[..], &here].concat()).unwrap();
    let expected = [
        0, 0, 0, 7, 255, 255, 255, 249, b'a', b'b', b'c', 0x3f, 0xff, 0x80,
    ];
    let expected = [&expected[..], &[0; 13]].concat();
    assert_eq!(there, [&expected[..], &expected].concat());
    assert_eq!(native(&made, &there), [&here[..], &here].concat());
}

#[test]
fn more_than_a_chunk() {
    let here: Vec<u8> = (0..20_000i64)
        .flat_map(|i| (i - 9999).to_ne_bytes())
        .collect();
    let there: Vec<u8> = (0..20_000i32)
        .flat_map(|i| (i - 9999).to_be_bytes())
        .collect();
    check(LONG, &here, &there);
}

#[test]
fn packing_needs_room_and_a_position_inside() {
    let data: Vec<u8> = (0..8).collect();
    lend(&data, |source| {
        let mut room = Sink::with_capacity(12);
        assert_eq!(pack::pack(&source, &mut room, 3), Ok(11));
        let class = |result: Result<usize>| result.unwrap_err().class();
        assert_eq!(
            class(pack::pack(&source, &mut room, 5)),
            Some(Class::Truncate)
        );
        assert_eq!(class(pack::pack(&source, &mut room, 13)), Some(Class::Arg));
        let int = named(INT);
        assert_eq!(
            class(external32::pack(&int, &source, &mut room, 5)),
            Some(Class::Truncate)
        );
        assert_eq!(
            class(external32::unpack(&int, &source, 1, &mut room)),
            Some(Class::Truncate)
        );
        let mut sink = Sink::with_capacity(9);
        assert_eq!(
            class(pack::unpack(&source, 0, &mut sink)),
            Some(Class::Truncate)
        );
        assert_eq!(
            room.into_vec().unwrap()[..11],
            [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
        );
    });
}

proptest! {
    /// Whatever fits comes back, for every named datatype.
    #[test]
    fn numbers_come_back(which in any::<proptest::sample::Index>(), seed in any::<[u8; 96]>()) {
        let all: Vec<&Datatype> = Datatype::all_named().collect();
        let datatype = which.get(&all);
        let there_size = datatype.signature().external_size() as usize;
        let here = native(datatype, &seed[..96 / there_size * there_size]);
        let there = portable(datatype, &here).unwrap();
        prop_assert_eq!(native(datatype, &there), here);
    }
}
