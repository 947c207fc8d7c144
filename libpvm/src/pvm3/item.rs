//! The types that messages are made of, one by one: their portable and their native bytes.

use crate::datatype::Word;

/// A type that can be packed.
pub trait Item: Copy {
    /// Length in XDR.
    const XDR: usize;
    /// Length in memory.
    const RAW: usize;
    /// Writes the XDR form; `to` is [`Item::XDR`] long.
    fn to_xdr(self, to: &mut [u8]);
    /// Reads the XDR form; `from` is [`Item::XDR`] long.
    fn from_xdr(from: &[u8]) -> Self;
    /// Writes the native form; `to` is [`Item::RAW`] long.
    fn to_raw(self, to: &mut [u8]);
    /// Reads the native form; `from` is [`Item::RAW`] long.
    fn from_raw(from: &[u8]) -> Self;
}

/// Native bytes of a number.
macro_rules! raw {
    ($type:ty) => {
        const RAW: usize = size_of::<$type>();

        #[inline]
        fn to_raw(self, to: &mut [u8]) {
            to.copy_from_slice(&self.to_ne_bytes());
        }

        #[inline]
        fn from_raw(from: &[u8]) -> Self {
            <$type>::from_ne_bytes(from.try_into().expect("RAW bytes"))
        }
    };
}

/// A number that XDR writes as another, wider or equal, number.
macro_rules! item {
    ($($type:ty as $wide:ty;)*) => {$(
        impl Item for $type {
            const XDR: usize = size_of::<$wide>();
            raw!($type);

            #[inline]
            fn to_xdr(self, to: &mut [u8]) {
                to.copy_from_slice(&<$wide>::from(self).to_be_bytes());
            }

            #[inline]
            fn from_xdr(from: &[u8]) -> Self {
                <$wide>::from_be_bytes(from.try_into().expect("XDR bytes")) as $type
            }
        }
    )*};
}

item! {
    i16 as i32;
    u16 as u32;
    i32 as i32;
    u32 as u32;
    i64 as i64;
    u64 as u64;
    f32 as f32;
    f64 as f64;
}

/// Complex numbers and other pairs: one after the other.
impl<T: Item> Item for [T; 2] {
    const XDR: usize = 2 * T::XDR;
    const RAW: usize = 2 * T::RAW;

    #[inline]
    fn to_xdr(self, to: &mut [u8]) {
        let (re, im) = to.split_at_mut(T::XDR);
        self[0].to_xdr(re);
        self[1].to_xdr(im);
    }

    #[inline]
    fn from_xdr(from: &[u8]) -> Self {
        let (re, im) = from.split_at(T::XDR);
        [T::from_xdr(re), T::from_xdr(im)]
    }

    #[inline]
    fn to_raw(self, to: &mut [u8]) {
        let (re, im) = to.split_at_mut(T::RAW);
        self[0].to_raw(re);
        self[1].to_raw(im);
    }

    #[inline]
    fn from_raw(from: &[u8]) -> Self {
        let (re, im) = from.split_at(T::RAW);
        [T::from_raw(re), T::from_raw(im)]
    }
}

/// The data types of `pvm_psend` and of the collectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `PVM_STR`
    Str,
    /// `PVM_BYTE`
    Byte,
    /// `PVM_SHORT`
    Short,
    /// `PVM_INT`
    Int,
    /// `PVM_FLOAT`
    Float,
    /// `PVM_CPLX`
    Complex,
    /// `PVM_DOUBLE`
    Double,
    /// `PVM_DCPLX`
    DoubleComplex,
    /// `PVM_LONG`
    Long,
    /// `PVM_USHORT`
    UShort,
    /// `PVM_UINT`
    UInt,
    /// `PVM_ULONG`
    ULong,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Str,
        Kind::Byte,
        Kind::Short,
        Kind::Int,
        Kind::Float,
        Kind::Complex,
        Kind::Double,
        Kind::DoubleComplex,
        Kind::Long,
        Kind::UShort,
        Kind::UInt,
        Kind::ULong,
    ];

    /// From the number that programs give.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// What its items are made of.
    pub fn word(self) -> Word {
        match self {
            Kind::Str | Kind::Byte => Word::Fixed(1),
            Kind::Short | Kind::UShort => Word::Fixed(2),
            Kind::Int | Kind::UInt | Kind::Float | Kind::Complex => Word::Fixed(4),
            Kind::Double | Kind::DoubleComplex => Word::Fixed(8),
            Kind::Long => Word::Address { signed: true },
            Kind::ULong => Word::Address { signed: false },
        }
    }

    /// Length in memory.
    pub fn size(self) -> usize {
        match self {
            Kind::Str | Kind::Byte => 1,
            Kind::Short | Kind::UShort => 2,
            Kind::Int | Kind::UInt | Kind::Float => 4,
            Kind::Complex | Kind::Double | Kind::Long | Kind::ULong => 8,
            Kind::DoubleComplex => 16,
        }
    }
}
