//! The named predefined datatypes, by their constants of the standard ABI.

use super::basic::{BASICS, Basic};
use super::{Datatype, Element, Origin};
use std::sync::LazyLock;

/// The lowest constant of a datatype (`MPI_DATATYPE_NULL`).
const FIRST: i32 = 0x200;
const ROOM: usize = 0x100;

/// Pairs of a value and an index, in memory as C lays such a structure out.
static PAIRS: &[(i32, &str, i32, i32)] = &[
    (552, "MPI_FLOAT_INT", 528, 521),
    (553, "MPI_DOUBLE_INT", 532, 521),
    (554, "MPI_LONG_INT", 522, 521),
    (555, "MPI_2INT", 521, 521),
    (556, "MPI_SHORT_INT", 520, 521),
    (557, "MPI_LONG_DOUBLE_INT", 544, 521),
    (560, "MPI_2REAL", 538, 538),
    (561, "MPI_2DOUBLE_PRECISION", 540, 540),
    (562, "MPI_2INTEGER", 537, 537),
];

static NAMED: LazyLock<[Option<Datatype>; ROOM]> = LazyLock::new(|| {
    let mut named = [const { None }; ROOM];
    let mut add = |number, name, element| {
        let datatype = Datatype::predefined(Origin::Named { number, element });
        datatype.set_name(name);
        named[place(number).expect("constants are in the table")] = Some(datatype);
    };
    for basic in BASICS {
        add(basic.number, basic.name, Element::Basic(basic));
    }
    for &(number, name, value, index) in PAIRS {
        add(number, name, Element::pair(basic(value), basic(index)));
    }
    named
});

fn place(number: i32) -> Option<usize> {
    let place = usize::try_from(number.checked_sub(FIRST)?).ok()?;
    (place < ROOM).then_some(place)
}

/// The basic element of a constant that is known to be one's.
pub(super) fn basic(number: i32) -> &'static Basic {
    let basic = BASICS.iter().find(|basic| basic.number == number);
    basic.expect("the constant of a basic element")
}

/// The named pair of two basic elements.
pub(super) fn pair(value: &Basic, index: &Basic) -> Option<&'static Datatype> {
    let elements = (value.number, index.number);
    let found = PAIRS.iter().find(|pair| (pair.2, pair.3) == elements)?;
    Datatype::named(found.0)
}

impl Datatype {
    /// The predefined datatype of a constant; `None`: no datatype has it (`MPI_DATATYPE_NULL`, too).
    pub fn named(number: i32) -> Option<&'static Datatype> {
        NAMED[place(number)?].as_ref()
    }

    /// All of them.
    pub fn all_named() -> impl Iterator<Item = &'static Datatype> {
        NAMED.iter().flatten()
    }
}
