//! The operators for `pvm_reduce`: `PvmMax`, `PvmMin`, `PvmSum`, `PvmProduct`.

use libc::{c_char, c_double, c_float, c_int, c_long, c_short, c_void};
use pvm::pvm3::Error;
use pvm::pvm3::item::Kind;

/// How two items of each kind are combined.
struct Rules {
    bytes: Option<fn(c_char, c_char) -> c_char>,
    short: fn(c_short, c_short) -> c_short,
    int: fn(c_int, c_int) -> c_int,
    long: fn(c_long, c_long) -> c_long,
    float: fn(c_float, c_float) -> c_float,
    double: fn(c_double, c_double) -> c_double,
    complex: fn([c_float; 2], [c_float; 2]) -> [c_float; 2],
    double_complex: fn([c_double; 2], [c_double; 2]) -> [c_double; 2],
}

macro_rules! modulus {
    ($t:ty) => {
        |z: [$t; 2]| z[0] * z[0] + z[1] * z[1]
    };
}

macro_rules! product {
    ($t:ty) => {
        |x: [$t; 2], y: [$t; 2]| [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]]
    };
}

const MAX: Rules = Rules {
    bytes: Some(|x, y| x.max(y)),
    short: |x, y| x.max(y),
    int: |x, y| x.max(y),
    long: |x, y| x.max(y),
    float: |x, y| if y > x { y } else { x },
    double: |x, y| if y > x { y } else { x },
    complex: |x, y| {
        if modulus!(c_float)(y) > modulus!(c_float)(x) {
            y
        } else {
            x
        }
    },
    double_complex: |x, y| {
        if modulus!(c_double)(y) > modulus!(c_double)(x) {
            y
        } else {
            x
        }
    },
};

const MIN: Rules = Rules {
    bytes: Some(|x, y| x.min(y)),
    short: |x, y| x.min(y),
    int: |x, y| x.min(y),
    long: |x, y| x.min(y),
    float: |x, y| if y < x { y } else { x },
    double: |x, y| if y < x { y } else { x },
    complex: |x, y| {
        if modulus!(c_float)(y) < modulus!(c_float)(x) {
            y
        } else {
            x
        }
    },
    double_complex: |x, y| {
        if modulus!(c_double)(y) < modulus!(c_double)(x) {
            y
        } else {
            x
        }
    },
};

const SUM: Rules = Rules {
    bytes: None,
    short: c_short::wrapping_add,
    int: c_int::wrapping_add,
    long: c_long::wrapping_add,
    float: |x, y| x + y,
    double: |x, y| x + y,
    complex: |x, y| [x[0] + y[0], x[1] + y[1]],
    double_complex: |x, y| [x[0] + y[0], x[1] + y[1]],
};

const PRODUCT: Rules = Rules {
    bytes: None,
    short: c_short::wrapping_mul,
    int: c_int::wrapping_mul,
    long: c_long::wrapping_mul,
    float: |x, y| x * y,
    double: |x, y| x * y,
    complex: product!(c_float),
    double_complex: product!(c_double),
};

/// Combines `n` items of `y` into `x`.
///
/// # Safety
/// Both lead to `n` items.
unsafe fn each<T: Copy>(rule: fn(T, T) -> T, x: *mut c_void, y: *const c_void, n: usize) {
    let (x, y) = (x.cast::<T>(), y.cast::<T>());
    for i in 0..n {
        // SAFETY: item `i` of `n`, as promised by the caller; alignment is not asked for.
        unsafe {
            let combined = rule(x.add(i).read_unaligned(), y.add(i).read_unaligned());
            x.add(i).write_unaligned(combined);
        }
    }
}

/// Applies the rules to items of a kind.
///
/// # Safety
/// `kind`, `n` and `info` are NULL or lead to numbers, `x` and `y` to `n` items.
unsafe fn apply(
    rules: &Rules,
    kind: *const c_int,
    x: *mut c_void,
    y: *const c_void,
    n: *const c_int,
    info: *mut c_int,
) {
    let complete = ![kind, n].iter().any(|p| p.is_null()) && !x.is_null() && !y.is_null();
    let done = complete && {
        // SAFETY: not NULL, so as promised by the caller.
        unsafe {
            let n = usize::try_from(*n).unwrap_or(0);
            combine(rules, Kind::from_number(*kind), x, y, n)
        }
    };
    let code = if done { 0 } else { Error::BadParam.code() };
    // SAFETY: as promised by the caller.
    unsafe { crate::memory::put(info, code) }
}

/// Combines items of a kind; false when the rules have none for it.
///
/// # Safety
/// Both lead to `n` items.
unsafe fn combine(
    rules: &Rules,
    kind: Option<Kind>,
    x: *mut c_void,
    y: *const c_void,
    n: usize,
) -> bool {
    // SAFETY: the caller promised `n` items of this kind at both.
    unsafe {
        match (kind, rules.bytes) {
            (Some(Kind::Byte), Some(rule)) => each(rule, x, y, n),
            (Some(Kind::Short), _) => each(rules.short, x, y, n),
            (Some(Kind::Int), _) => each(rules.int, x, y, n),
            (Some(Kind::Long), _) => each(rules.long, x, y, n),
            (Some(Kind::Float), _) => each(rules.float, x, y, n),
            (Some(Kind::Double), _) => each(rules.double, x, y, n),
            (Some(Kind::Complex), _) => each(rules.complex, x, y, n),
            (Some(Kind::DoubleComplex), _) => each(rules.double_complex, x, y, n),
            _ => return false,
        }
    }
    true
}

macro_rules! operators {
    ($($name:ident $rules:ident $text:literal;)*) => {$(
        #[doc = $text]
        ///
        /// # Safety
        /// `kind`, `n` and `info` are NULL or lead to numbers, `x` and `y` to `n` items.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "a C name")]
        pub unsafe extern "C-unwind" fn $name(
            kind: *mut c_int,
            x: *mut c_void,
            y: *mut c_void,
            n: *mut c_int,
            info: *mut c_int,
        ) {
            // SAFETY: as promised by the caller.
            unsafe { apply(&$rules, kind, x, y, n, info) }
        }
    )*};
}

operators! {
    PvmMax MAX "The greater of both; of complex numbers, by modulus.";
    PvmMin MIN "The lesser of both; of complex numbers, by modulus.";
    PvmSum SUM "The sum; not of bytes.";
    PvmProduct PRODUCT "The product; not of bytes.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_combined_in_place() {
        let run = |operator: crate::groups::Operator, mut kind: c_int, x: &mut [i32; 2]| {
            let (mut y, mut n, mut info) = ([5i32, -5], 2, 77);
            // SAFETY: two items at both addresses.
            unsafe {
                let x = x.as_mut_ptr().cast();
                operator(&mut kind, x, y.as_mut_ptr().cast(), &mut n, &mut info);
            }
            info
        };
        let mut x = [1, 2];
        assert_eq!(run(PvmSum, 3, &mut x), 0);
        assert_eq!(x, [6, -3]);
        assert_eq!(run(PvmMax, 3, &mut x), 0);
        assert_eq!(x, [6, -3]);
        assert_eq!(run(PvmMin, 3, &mut x), 0);
        assert_eq!(x, [5, -5]);
        assert_eq!(run(PvmProduct, 3, &mut x), 0);
        assert_eq!(x, [25, 25]);
        assert_eq!(run(PvmSum, 1, &mut x), -2);
        assert_eq!(run(PvmSum, 10, &mut x), -2);
        assert_eq!(run(PvmSum, 99, &mut x), -2);
    }
}
