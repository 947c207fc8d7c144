//! What a host says of its numbers.

use super::Form;
use crate::wire::control::{DataFormat, FloatFormat, LongDouble};
use std::ffi::{c_int, c_long, c_longlong, c_short};

/// How C's `long double` looks on this machine, and its size: the language has no such type.
const LONG_DOUBLE: (LongDouble, u32) = if cfg!(target_arch = "x86_64") {
    (LongDouble::X87, 16)
} else if cfg!(target_arch = "x86") {
    (LongDouble::X87, 12)
} else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) {
    (LongDouble::DoubleDouble, 16)
} else if cfg!(target_arch = "arm") {
    (LongDouble::Double, 8)
} else {
    (LongDouble::Quad, 16)
};

impl DataFormat {
    /// That of this machine.
    pub fn here() -> Self {
        let (long_double, long_double_size) = LONG_DOUBLE;
        Self {
            big_endian: cfg!(target_endian = "big"),
            float: FloatFormat::FloatIeee754.into(),
            long_double: long_double.into(),
            short_size: size_of::<c_short>() as u32,
            int_size: size_of::<c_int>() as u32,
            long_size: size_of::<c_long>() as u32,
            long_long_size: size_of::<c_longlong>() as u32,
            pointer_size: size_of::<usize>() as u32,
            wchar_size: size_of::<libc::wchar_t>() as u32,
            bool_size: size_of::<bool>() as u32,
            long_double_size,
            page_size: rustix::param::page_size() as u32,
        }
    }

    /// The form of the messages of such a host; `None`: there is no way to exchange numbers with it,
    /// and it can be no part of the virtual machine. Structures and `long double` are not converted, so
    /// alignment and the latter's form do not matter here.
    pub fn form(&self) -> Option<Form> {
        let sizes = [self.short_size, self.int_size, self.long_long_size];
        let is_usual = sizes == [2, 4, 8]
            && matches!(self.pointer_size, 4 | 8)
            && self.long_size == self.pointer_size
            && self.float() == FloatFormat::FloatIeee754;
        is_usual.then(|| Form::new(self.big_endian, self.pointer_size == 4))
    }
}

impl Form {
    /// That of the messages of a host of the virtual machine, whose daemon has told this of it. No host
    /// becomes part of it without a form, so one that tells of none is of our own kind.
    pub fn of_host(told: Option<DataFormat>) -> Self {
        told.and_then(|format| format.form()).unwrap_or(Form::HERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_speaks_its_own_form() {
        let here = DataFormat::here();
        assert_eq!(here.form(), Some(Form::HERE));
        assert!(here.page_size.is_power_of_two());
    }

    #[test]
    fn machines_whose_numbers_nobody_else_has_are_found_out() {
        let here = DataFormat::here();
        let narrow = DataFormat {
            big_endian: true,
            long_size: 4,
            pointer_size: 4,
            ..here
        };
        assert_eq!(narrow.form(), Some(Form::new(true, true)));
        assert_eq!(Form::of_host(Some(narrow)), Form::new(true, true));
        let strange = [
            DataFormat { float: 0, ..here },
            DataFormat {
                int_size: 2,
                ..here
            },
            DataFormat {
                pointer_size: 16,
                ..here
            },
            DataFormat {
                long_size: 4,
                pointer_size: 8,
                ..here
            },
            DataFormat::default(),
        ];
        assert!(strange.iter().all(|format| format.form().is_none()));
        assert_eq!(Form::of_host(None), Form::HERE);
    }
}
