//! What messages are made of in the end: the elements that have a value of their own.

use std::ffi::{c_int, c_long, c_longlong, c_short};

/// A basic element: a predefined datatype that is not a pair.
#[derive(Debug, PartialEq, Eq)]
pub struct Basic {
    /// Its datatype's number in the standard ABI.
    pub number: i32,
    /// Its datatype's name.
    pub name: &'static str,
    /// What its bytes mean.
    pub kind: Kind,
    /// Bytes in memory.
    pub size: usize,
    /// Bytes in the portable form, external32.
    pub external: usize,
}

/// What the bytes of an element mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody's business.
    Byte,
    /// A character of one byte.
    Character,
    /// A wide character.
    Wide,
    /// An integer with a sign.
    Signed,
    /// An integer without one.
    Unsigned,
    /// False when all bytes are 0.
    Logical,
    /// A floating-point number.
    Float(Float),
    /// Two of them.
    Complex(Float),
}

/// Formats of floating-point numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// IEEE 754 binary16.
    Half,
    /// IEEE 754 binary32.
    Single,
    /// IEEE 754 binary64.
    Double,
    /// The 80 bits of x87 in 16 bytes.
    Extended,
    /// IEEE 754 binary128.
    Quad,
}

/// The format of `long double`.
pub const LONG_DOUBLE: Float = if cfg!(target_arch = "x86_64") {
    Float::Extended
} else {
    Float::Quad
};

impl Float {
    /// Bytes in memory, and in the portable form.
    pub const fn size(self) -> usize {
        match self {
            Float::Half => 2,
            Float::Single => 4,
            Float::Double => 8,
            Float::Extended | Float::Quad => 16,
        }
    }
}

impl Basic {
    /// The number that addresses of such elements are multiples of.
    pub fn alignment(&self) -> usize {
        match self.kind {
            Kind::Complex(part) => part.size(),
            _ => self.size,
        }
    }

    /// Bytes of one number; a complex element has two.
    pub fn word(&self) -> usize {
        self.alignment()
    }
}

const fn new(
    number: i32,
    name: &'static str,
    kind: Kind,
    (size, external): (usize, usize),
) -> Basic {
    Basic {
        number,
        name,
        kind,
        size,
        external,
    }
}

const fn float(number: i32, name: &'static str, format: Float) -> Basic {
    let size = format.size();
    new(number, name, Kind::Float(format), (size, size))
}

const fn complex(number: i32, name: &'static str, part: Float) -> Basic {
    let size = 2 * part.size();
    new(number, name, Kind::Complex(part), (size, size))
}

const ADDRESS: usize = size_of::<isize>();

/// All of them. The Fortran ones are those of gfortran, whose `INTEGER`, `LOGICAL` and `REAL` have 4
/// bytes. Those that say their size exist on every machine, also when no compiler has them.
pub static BASICS: &[Basic] = &[
    new(513, "MPI_AINT", Kind::Signed, (ADDRESS, 8)),
    new(514, "MPI_COUNT", Kind::Signed, (8, 8)),
    new(515, "MPI_OFFSET", Kind::Signed, (8, 8)),
    new(519, "MPI_PACKED", Kind::Byte, (1, 1)),
    new(520, "MPI_SHORT", Kind::Signed, (size_of::<c_short>(), 2)),
    new(521, "MPI_INT", Kind::Signed, (size_of::<c_int>(), 4)),
    new(522, "MPI_LONG", Kind::Signed, (size_of::<c_long>(), 4)),
    new(
        523,
        "MPI_LONG_LONG_INT",
        Kind::Signed,
        (size_of::<c_longlong>(), 8),
    ),
    new(
        524,
        "MPI_UNSIGNED_SHORT",
        Kind::Unsigned,
        (size_of::<c_short>(), 2),
    ),
    new(525, "MPI_UNSIGNED", Kind::Unsigned, (size_of::<c_int>(), 4)),
    new(
        526,
        "MPI_UNSIGNED_LONG",
        Kind::Unsigned,
        (size_of::<c_long>(), 4),
    ),
    new(
        527,
        "MPI_UNSIGNED_LONG_LONG",
        Kind::Unsigned,
        (size_of::<c_longlong>(), 8),
    ),
    float(528, "MPI_FLOAT", Float::Single),
    complex(530, "MPI_C_COMPLEX", Float::Single),
    complex(531, "MPI_CXX_FLOAT_COMPLEX", Float::Single),
    float(532, "MPI_DOUBLE", Float::Double),
    complex(534, "MPI_C_DOUBLE_COMPLEX", Float::Double),
    complex(535, "MPI_CXX_DOUBLE_COMPLEX", Float::Double),
    new(536, "MPI_LOGICAL", Kind::Logical, (4, 4)),
    new(537, "MPI_INTEGER", Kind::Signed, (4, 4)),
    float(538, "MPI_REAL", Float::Single),
    complex(539, "MPI_COMPLEX", Float::Single),
    float(540, "MPI_DOUBLE_PRECISION", Float::Double),
    complex(541, "MPI_DOUBLE_COMPLEX", Float::Double),
    new(542, "MPI_CHARACTER", Kind::Character, (1, 1)),
    float(544, "MPI_LONG_DOUBLE", LONG_DOUBLE),
    complex(548, "MPI_C_LONG_DOUBLE_COMPLEX", LONG_DOUBLE),
    complex(549, "MPI_CXX_LONG_DOUBLE_COMPLEX", LONG_DOUBLE),
    new(568, "MPI_C_BOOL", Kind::Logical, (1, 1)),
    new(569, "MPI_CXX_BOOL", Kind::Logical, (1, 1)),
    new(
        572,
        "MPI_WCHAR",
        Kind::Wide,
        (size_of::<libc::wchar_t>(), 2),
    ),
    new(576, "MPI_INT8_T", Kind::Signed, (1, 1)),
    new(577, "MPI_UINT8_T", Kind::Unsigned, (1, 1)),
    new(579, "MPI_CHAR", Kind::Character, (1, 1)),
    new(580, "MPI_SIGNED_CHAR", Kind::Signed, (1, 1)),
    new(581, "MPI_UNSIGNED_CHAR", Kind::Unsigned, (1, 1)),
    new(583, "MPI_BYTE", Kind::Byte, (1, 1)),
    new(584, "MPI_INT16_T", Kind::Signed, (2, 2)),
    new(585, "MPI_UINT16_T", Kind::Unsigned, (2, 2)),
    new(592, "MPI_INT32_T", Kind::Signed, (4, 4)),
    new(593, "MPI_UINT32_T", Kind::Unsigned, (4, 4)),
    new(600, "MPI_INT64_T", Kind::Signed, (8, 8)),
    new(601, "MPI_UINT64_T", Kind::Unsigned, (8, 8)),
    new(704, "MPI_LOGICAL1", Kind::Logical, (1, 1)),
    new(705, "MPI_INTEGER1", Kind::Signed, (1, 1)),
    new(712, "MPI_LOGICAL2", Kind::Logical, (2, 2)),
    new(713, "MPI_INTEGER2", Kind::Signed, (2, 2)),
    float(714, "MPI_REAL2", Float::Half),
    new(720, "MPI_LOGICAL4", Kind::Logical, (4, 4)),
    new(721, "MPI_INTEGER4", Kind::Signed, (4, 4)),
    float(722, "MPI_REAL4", Float::Single),
    complex(723, "MPI_COMPLEX4", Float::Half),
    new(728, "MPI_LOGICAL8", Kind::Logical, (8, 8)),
    new(729, "MPI_INTEGER8", Kind::Signed, (8, 8)),
    float(730, "MPI_REAL8", Float::Double),
    complex(731, "MPI_COMPLEX8", Float::Single),
    new(736, "MPI_LOGICAL16", Kind::Logical, (16, 16)),
    new(737, "MPI_INTEGER16", Kind::Signed, (16, 16)),
    float(738, "MPI_REAL16", Float::Quad),
    complex(739, "MPI_COMPLEX16", Float::Double),
    complex(747, "MPI_COMPLEX32", Float::Quad),
];
