//! Arithmetic of elements as they lie in packed bytes.

/// A number as it lies in packed bytes.
pub(super) trait Number: Copy + PartialOrd {
    const SIZE: usize;
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn smaller(self, other: Self) -> Self;
    fn larger(self, other: Self) -> Self;
    fn read(bytes: &[u8]) -> Self;
    fn write(self, bytes: &mut [u8]);

    fn is_true(self) -> bool {
        self != Self::ZERO
    }

    fn of(truth: bool) -> Self {
        if truth { Self::ONE } else { Self::ZERO }
    }
}

pub(super) trait Integer: Number {
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
}

/// Numbers that the compiler knows.
macro_rules! bytes {
    () => {
        const SIZE: usize = size_of::<Self>();
        fn read(bytes: &[u8]) -> Self {
            bytemuck::pod_read_unaligned(bytes)
        }
        fn write(self, bytes: &mut [u8]) {
            bytes.copy_from_slice(bytemuck::bytes_of(&self));
        }
    };
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
            fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
            fn smaller(self, other: Self) -> Self { self.min(other) }
            fn larger(self, other: Self) -> Self { self.max(other) }
            bytes!();
        }
        impl Integer for $type {
            fn and(self, other: Self) -> Self { self & other }
            fn or(self, other: Self) -> Self { self | other }
            fn xor(self, other: Self) -> Self { self ^ other }
        }
    )* };
}
integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);

macro_rules! floats {
    ($($type:ty)*) => { $(
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn plus(self, other: Self) -> Self { self + other }
            fn minus(self, other: Self) -> Self { self - other }
            fn times(self, other: Self) -> Self { self * other }
            fn smaller(self, other: Self) -> Self { self.min(other) }
            fn larger(self, other: Self) -> Self { self.max(other) }
            bytes!();
        }
    )* };
}
floats!(f32 f64);
