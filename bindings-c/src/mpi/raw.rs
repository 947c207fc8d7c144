//! Parameters as C passes them, and what they become.
//!
//! The only place where pointers of the program become something else. Each type is laid out as the
//! C type that it stands for.
//!
//! # Why this is sound
//! [`Arg::value`] is called by entry points only, on the parameters of a call that is going on; the C
//! program promises what MPI 5.0 says of each: a pointer that is not NULL leads to one object of its
//! type, or to as many as the other parameters say, readable or (for results) writable. The values
//! made here pass that promise on: they may be used until the call returns, buffers until the
//! request has ended.

use std::ffi::{CStr, c_char, c_int, c_void};

use pvm::mpi::datatype::Width;
use pvm::mpi::{self, Class, Error, Result};

use super::handle::{self, Object};

/// A parameter of a C function.
pub(crate) trait Arg<'a> {
    /// What the chapters get.
    type Value;

    /// Checks and converts it.
    ///
    /// # Safety
    /// It is a parameter of a call that is going on.
    unsafe fn value(&'a self) -> Result<Self::Value>;
}

/// `int`.
pub(crate) type Int = c_int;
/// `MPI_Aint`.
pub(crate) type Aint = isize;
/// `MPI_Count` and `MPI_Offset`.
pub(crate) type LargeInt = i64;

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Arg<'_> for $type {
            type Value = i64;

            #[inline]
            unsafe fn value(&self) -> Result<i64> {
                Ok(*self as i64)
            }
        }
    )*};
}
plain!(Aint, LargeInt);

impl Arg<'_> for Int {
    type Value = Int;

    #[inline]
    unsafe fn value(&self) -> Result<Int> {
        Ok(*self)
    }
}

/// A number of a constructor, and which form of the call it comes from.
#[derive(Clone, Copy)]
pub(crate) struct Formed {
    pub number: i64,
    pub width: Width,
}

macro_rules! formed {
    ($($name:ident($type:ty) = $width:ident;)*) => {$(
        /// A number of a constructor.
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name($type);

        impl Arg<'_> for $name {
            type Value = Formed;

            #[inline]
            unsafe fn value(&self) -> Result<Formed> {
                Ok(Formed {
                    number: self.0 as i64,
                    width: Width::$width,
                })
            }
        }
    )*};
}
formed! {
    FormedInt(c_int) = Int;
    FormedAint(isize) = Int;
    FormedCount(i64) = Count;
}

macro_rules! counts {
    ($($name:ident($type:ty)),*) => {$(
        /// A count, not negative.
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name($type);

        impl Arg<'_> for $name {
            type Value = i64;

            #[inline]
            unsafe fn value(&self) -> Result<i64> {
                match self.0 {
                    count if count >= 0 => Ok(count.into()),
                    count => Err(Error::new(Class::Count, format!("count {count}"))),
                }
            }
        }
    )*};
}
counts!(Count(c_int), LargeCount(i64));

/// A parameter that is used as it is.
macro_rules! same {
    ($($name:ident $(<$t:ident>)?),*) => {$(
        impl $(<$t: Copy>)? Arg<'_> for $name $(<$t>)? {
            type Value = Self;

            #[inline]
            unsafe fn value(&self) -> Result<Self> {
                Ok(*self)
            }
        }
    )*};
}

/// Memory that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Buf(pub *const c_void);

/// Memory that is written.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct OutBuf(pub *mut c_void);

impl OutBuf {
    /// As the place for an address, which C passes as `void *` too.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for NULL.
    pub(crate) fn place(&self) -> Result<Out<usize>> {
        match self.0.is_null() {
            false => Ok(Out(self.0.cast())),
            true => Err(null("the place for an address")),
        }
    }
}

/// A value of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Pointer(pub *mut c_void);

/// `argc` of `main`, or NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Argc(*mut c_int);

/// `argv` of `main`, or NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Argv(*mut *mut *mut c_char);

same!(Buf, OutBuf, Pointer, Argc, Argv);

/// Where one result goes; not NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

/// `int *`.
pub(crate) type OutInt = Out<c_int>;

impl<T: Copy> Arg<'_> for Out<T> {
    type Value = Self;

    #[inline]
    unsafe fn value(&self) -> Result<Self> {
        match self.0.is_null() {
            false => Ok(Out(self.0)),
            true => Err(null("the place for a result")),
        }
    }
}

impl<T: Copy> Out<T> {
    /// What is there, of parameters that go both ways.
    pub(crate) fn get(&self) -> T {
        // SAFETY: not NULL, checked when it came in; readable as promised by the program.
        unsafe { self.0.read_unaligned() }
    }

    /// Writes the result.
    pub(crate) fn set(&self, value: T) {
        // SAFETY: not NULL, checked when it came in; writable as promised by the program.
        unsafe { self.0.write_unaligned(value) }
    }
}

impl Out<c_int> {
    /// Writes a number; [`UNDEFINED`](pvm::mpi::comm::UNDEFINED) if it does not fit.
    pub(crate) fn set_number(&self, value: impl TryInto<c_int>) {
        self.set(value.try_into().unwrap_or(pvm::mpi::comm::UNDEFINED));
    }

    /// Writes 1 or 0.
    pub(crate) fn set_flag(&self, flag: bool) {
        self.set(flag.into());
    }
}

/// Where a count or an address goes, of whatever width.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    /// `int *`.
    Int(*mut c_int),
    /// `MPI_Aint *`.
    Aint(*mut isize),
    /// `MPI_Count *`, `MPI_Offset *`.
    Count(*mut i64),
}

impl Number {
    /// Writes it; false: it does not fit, and nothing is written.
    pub(crate) fn put(&self, value: i64) -> bool {
        // SAFETY: not NULL, checked when they came in; writable as promised by the program.
        unsafe {
            match *self {
                Number::Int(place) => match c_int::try_from(value) {
                    Ok(value) => place.write_unaligned(value),
                    Err(_) => return false,
                },
                Number::Aint(place) => match isize::try_from(value) {
                    Ok(value) => place.write_unaligned(value),
                    Err(_) => return false,
                },
                Number::Count(place) => place.write_unaligned(value),
            }
        }
        true
    }

    /// Writes it; [`UNDEFINED`](pvm::mpi::comm::UNDEFINED) if it does not fit.
    pub(crate) fn put_or_undefined(&self, value: i64) {
        if !self.put(value) {
            self.put(pvm::mpi::comm::UNDEFINED.into());
        }
    }

    /// What is there, of parameters that go both ways.
    pub(crate) fn get(&self) -> i64 {
        // SAFETY: not NULL, checked when they came in; readable as promised by the program.
        unsafe {
            match *self {
                Number::Int(place) => place.read_unaligned().into(),
                Number::Aint(place) => place.read_unaligned() as i64,
                Number::Count(place) => place.read_unaligned(),
            }
        }
    }
}

macro_rules! numbers {
    ($($name:ident($type:ty) = $variant:ident;)*) => {$(
        /// Where a number goes; not NULL.
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name(*mut $type);

        impl Arg<'_> for $name {
            type Value = Number;

            #[inline]
            unsafe fn value(&self) -> Result<Number> {
                match self.0.is_null() {
                    false => Ok(Number::$variant(self.0)),
                    true => Err(null("the place for a result")),
                }
            }
        }
    )*};
}
numbers! {
    OutCount(c_int) = Int;
    OutAint(isize) = Aint;
    OutLargeCount(i64) = Count;
}

/// Numbers that are read: as many as the call says, `int`, `MPI_Aint` or `MPI_Count`; perhaps NULL.
#[derive(Clone, Copy)]
pub(crate) enum Numbers {
    /// `const int []`.
    Ints(*const c_int),
    /// `const MPI_Aint []`.
    Aints(*const isize),
    /// `const MPI_Count []`.
    Counts(*const i64),
}

impl Numbers {
    /// Where they are, to tell NULL and other special values.
    pub(crate) fn address(&self) -> usize {
        match *self {
            Numbers::Ints(first) => first as usize,
            Numbers::Aints(first) => first as usize,
            Numbers::Counts(first) => first as usize,
        }
    }

    /// The number at a place below the length of the array.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> i64 {
        // SAFETY: the program promises that the array is as long as the call says.
        unsafe {
            match *self {
                Numbers::Ints(first) => first.add(index).read_unaligned().into(),
                Numbers::Aints(first) => first.add(index).read_unaligned() as i64,
                Numbers::Counts(first) => first.add(index).read_unaligned(),
            }
        }
    }

    /// Which form of a call of the two has such an array.
    pub(crate) fn width(&self) -> Width {
        match self {
            Numbers::Ints(_) | Numbers::Aints(_) => Width::Int,
            Numbers::Counts(_) => Width::Count,
        }
    }

    /// All `len` of them.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for NULL.
    pub(crate) fn read(&self, len: usize) -> Result<Vec<i64>> {
        if len > 0 && self.address() == 0 {
            return Err(null("an array"));
        }
        Ok((0..len).map(|index| self.at(index)).collect())
    }
}

macro_rules! arrays {
    ($($name:ident($type:ty) = $variant:ident;)*) => {$(
        /// Numbers that are read; perhaps NULL.
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name(*const $type);

        impl Arg<'_> for $name {
            type Value = Numbers;

            #[inline]
            unsafe fn value(&self) -> Result<Numbers> {
                Ok(Numbers::$variant(self.0))
            }
        }
    )*};
}
arrays! {
    Ints(c_int) = Ints;
    Aints(isize) = Aints;
    Counts(i64) = Counts;
}

/// Objects that are read; perhaps NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Array<T>(*const T);

/// Objects that are read and written; perhaps NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct ArrayMut<T>(*mut T);

same!(Array<T>, ArrayMut<T>);

/// `int []` for results.
pub(crate) type OutInts = ArrayMut<c_int>;
/// `MPI_Aint []` for results.
pub(crate) type OutAints = ArrayMut<isize>;
/// `MPI_Count []` for results.
pub(crate) type OutCounts = ArrayMut<i64>;
/// `int [][3]`.
pub(crate) type Ranges = Array<[c_int; 3]>;
/// `char *[]`, ended by NULL where the call does not say how many.
pub(crate) type Strings = Array<*const c_char>;
/// `char **[]`.
pub(crate) type StringLists = Array<*const *const c_char>;

impl<T: Copy> Array<T> {
    /// Whether there is none.
    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// All `len` of them.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for NULL.
    pub(crate) fn read(&self, len: usize) -> Result<Vec<T>> {
        if len > 0 && self.0.is_null() {
            return Err(null("an array"));
        }
        Ok((0..len).map(|index| self.at(index)).collect())
    }

    /// The one at a place below the length of the array.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> T {
        // SAFETY: the program promises that the array is as long as the call says.
        unsafe { self.0.add(index).read_unaligned() }
    }
}

impl<T: Copy> ArrayMut<T> {
    /// Where they are, to tell NULL and other special values.
    pub(crate) fn address(&self) -> usize {
        self.0 as usize
    }

    /// For reading.
    pub(crate) fn as_const(&self) -> Array<T> {
        Array(self.0)
    }

    /// Checks that there is an array if it has a length.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for NULL.
    pub(crate) fn check(&self, len: usize) -> Result<()> {
        match len > 0 && self.0.is_null() {
            false => Ok(()),
            true => Err(null("an array")),
        }
    }

    /// The one at a place below the length of the array.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> T {
        self.as_const().at(index)
    }

    /// Writes one at a place below the length of the array, which is not NULL.
    #[inline]
    pub(crate) fn put(&self, index: usize, value: T) {
        // SAFETY: the program promises that the array is as long as the call says.
        unsafe { self.0.add(index).write_unaligned(value) }
    }
}

/// `const char *`: a string, not NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Str(*const c_char);

impl<'a> Arg<'a> for Str {
    type Value = &'a CStr;

    unsafe fn value(&'a self) -> Result<&'a CStr> {
        match self.0.is_null() {
            true => Err(null("a string")),
            // SAFETY: not NULL; a string, as promised by the program.
            false => Ok(unsafe { CStr::from_ptr(self.0) }),
        }
    }
}

/// A string of the program as text; what is no UTF-8 is replaced.
pub(crate) fn text(string: &CStr) -> String {
    string.to_string_lossy().into_owned()
}

/// `char *`: room for a string, not NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct OutStr(*mut c_char);

impl Arg<'_> for OutStr {
    type Value = Self;

    unsafe fn value(&self) -> Result<Self> {
        match self.0.is_null() {
            false => Ok(*self),
            true => Err(null("the room for a string")),
        }
    }
}

impl OutStr {
    /// Writes a string and its end mark into room of `room` bytes; what does not fit is cut. Gives the
    /// length without the end mark.
    pub(crate) fn put(&self, string: &str, room: usize) -> usize {
        let end = string.floor_char_boundary(room.saturating_sub(1));
        if room > 0 {
            // SAFETY: not NULL, checked when it came in; the program promises `room` bytes.
            unsafe {
                let first = self.0.cast::<u8>();
                first.copy_from_nonoverlapping(string.as_ptr(), end);
                first.add(end).write(0);
            }
        }
        end
    }
}

/// `MPI_Status`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Status {
    pub source: c_int,
    pub tag: c_int,
    pub error: c_int,
    /// Bytes received, in two halves, then flags; the rest is not used.
    internal: [c_int; 5],
}

/// The bit of a cancelled operation.
const CANCELLED: c_int = 1;

impl From<mpi::Status> for Status {
    #[inline]
    fn from(status: mpi::Status) -> Self {
        let mpi::Status {
            source,
            tag,
            bytes,
            cancelled,
        } = status;
        let mut made = Self {
            source,
            tag,
            ..Self::default()
        };
        made.set_bytes(bytes);
        made.set_cancelled(cancelled);
        made
    }
}

impl From<Status> for mpi::Status {
    fn from(status: Status) -> Self {
        Self {
            source: status.source,
            tag: status.tag,
            bytes: status.bytes(),
            cancelled: status.is_cancelled(),
        }
    }
}

impl Status {
    /// Length of the message.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.internal[0] as u32) | u64::from(self.internal[1] as u32) << 32
    }

    /// Sets the length of the message.
    #[inline]
    pub(crate) fn set_bytes(&mut self, bytes: u64) {
        self.internal[0] = bytes as u32 as c_int;
        self.internal[1] = (bytes >> 32) as u32 as c_int;
    }

    /// Whether the operation was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.internal[2] & CANCELLED != 0
    }

    /// Sets whether the operation was cancelled.
    #[inline]
    pub(crate) fn set_cancelled(&mut self, cancelled: bool) {
        self.internal[2] = if cancelled { CANCELLED } else { 0 };
    }
}

/// `MPI_Status *` for a result; NULL: not wanted.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct OutStatus(*mut Status);

/// `MPI_Status []` for results; NULL: not wanted.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct OutStatuses(*mut Status);

same!(OutStatus, OutStatuses);

impl OutStatus {
    /// Writes it all but `MPI_ERROR`, if it is wanted.
    #[inline]
    pub(crate) fn set(&self, status: impl Into<Status>) {
        if !self.0.is_null() {
            let status = status.into();
            // SAFETY: not NULL; writable as promised by the program, of which the error field is left.
            unsafe {
                (&raw mut (*self.0).source).write_unaligned(status.source);
                (&raw mut (*self.0).tag).write_unaligned(status.tag);
                (&raw mut (*self.0).internal).write_unaligned(status.internal);
            }
        }
    }

    /// As an array of this one.
    #[inline]
    pub(crate) fn alone(&self) -> OutStatuses {
        OutStatuses(self.0)
    }

    /// The status that is there, for calls that change it.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` for `MPI_STATUS_IGNORE`.
    pub(crate) fn get(&self) -> Result<Status> {
        match self.0.is_null() {
            true => Err(null("a status")),
            // SAFETY: not NULL; readable as promised by the program.
            false => Ok(unsafe { self.0.read_unaligned() }),
        }
    }

    /// Writes the empty status, of which `MPI_ERROR` is a part (MPI 5.0, 3.7.3).
    pub(crate) fn set_empty(&self) {
        self.set(mpi::Status::EMPTY);
        self.set_error(0);
    }

    /// Writes `MPI_ERROR` alone, if the status is wanted.
    pub(crate) fn set_error(&self, error: c_int) {
        if !self.0.is_null() {
            // SAFETY: not NULL; writable as promised by the program.
            unsafe { (&raw mut (*self.0).error).write_unaligned(error) }
        }
    }

    /// Writes it with `MPI_ERROR`, if it is wanted.
    pub(crate) fn set_whole(&self, status: &Status) {
        if !self.0.is_null() {
            // SAFETY: not NULL; writable as promised by the program.
            unsafe { self.0.write_unaligned(*status) }
        }
    }
}

impl OutStatuses {
    /// The place of one of them, below the length of the array.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> OutStatus {
        match self.0.is_null() {
            true => OutStatus(self.0),
            // Inside the array, as promised by the program.
            false => OutStatus(self.0.wrapping_add(index)),
        }
    }
}

/// `const MPI_Status *`: not NULL.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct InStatus(*const Status);

impl Arg<'_> for InStatus {
    type Value = Status;

    unsafe fn value(&self) -> Result<Status> {
        match self.0.is_null() {
            true => Err(null("a status")),
            // SAFETY: not NULL; readable as promised by the program.
            false => Ok(unsafe { self.0.read_unaligned() }),
        }
    }
}

#[cold]
fn null(what: &str) -> Error {
    Error::new(Class::Arg, format!("{what} is NULL"))
}

/// Handles as C passes them.
macro_rules! handles {
    ($($name:ident = $object:ty;)*) => {$(
        /// A handle.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub(crate) struct $name(pub usize);

        impl $name {
            /// The object.
            ///
            /// # Errors
            /// The class of a wrong handle.
            #[inline]
            pub(crate) fn find(&self) -> Result<&$object> {
                // SAFETY: the program promises not to free what it uses in a call (MPI 5.0, 11.6.2), and
                // the parameter that the reference belongs to does not outlive the call.
                unsafe { handle::find(self.0) }
            }
        }
    )*};
}
handles! {
    Comm = mpi::Comm;
    Group = mpi::Group;
    Errhandler = mpi::Errhandler;
    Datatype = mpi::Datatype;
    Op = mpi::Op;
    Session = mpi::Session;
    Info = mpi::Info;
    Request = mpi::Request;
    DatatypeOrNull = mpi::Datatype;
    AnyComm = mpi::Comm;
    AnyGroup = mpi::Group;
    AnyDatatype = mpi::Datatype;
}

/// Handles that may be none, or are given back as none.
macro_rules! nulls {
    ($($name:ident = $object:ty;)*) => {$(
        impl $name {
            /// The handle that is none.
            pub(crate) const NULL: Self = Self(<$object as Object>::NULL);
        }
    )*};
}
nulls! {
    Info = mpi::Info;
    Request = mpi::Request;
    DatatypeOrNull = mpi::Datatype;
    AnyComm = mpi::Comm;
    Message = handle::Arrived;
}

/// Handles of which the chapters get the objects.
macro_rules! objects {
    ($($name:ident = $object:ty;)*) => {$(
        impl<'a> Arg<'a> for $name {
            type Value = &'a $object;

            #[inline]
            unsafe fn value(&'a self) -> Result<&'a $object> {
                self.find()
            }
        }

        nulls! { $name = $object; }
    )*};
}
objects! {
    Comm = mpi::Comm;
    Group = mpi::Group;
    Errhandler = mpi::Errhandler;
    Datatype = mpi::Datatype;
    Op = mpi::Op;
    Session = mpi::Session;
}

// The chapters look these up themselves: some are null, some count in some processes only.
same!(Info, Request, DatatypeOrNull);
same!(AnyComm, AnyGroup, AnyDatatype);

/// The datatype of elements that are reduced: operations of the program are told its handle.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct OpDatatype(Datatype);

impl<'a> Arg<'a> for OpDatatype {
    type Value = mpi::op::Elements<'a>;

    #[inline]
    unsafe fn value(&'a self) -> Result<Self::Value> {
        Ok(mpi::op::Elements {
            datatype: self.0.find()?,
            handle: self.0.0 as u64,
        })
    }
}

/// Handles that are only given and taken back, or that are of no kind that exists yet.
macro_rules! bare_handles {
    ($($name:ident)*) => {$(
        /// A handle.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub(crate) struct $name(pub usize);

        same!($name);
    )*};
}
bare_handles!(Message Win File);

/// Functions of the program, perhaps one of the ABI's small numbers.
macro_rules! functions {
    ($($name:ident)*) => {$(
        /// A function of the program.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub(crate) struct $name(pub usize);

        same!($name);
    )*};
}
functions!(UserFunction UserFunctionC GrequestQueryFunction GrequestFreeFunction GrequestCancelFunction
    CopyFunction DeleteFunction CommCopyAttrFunction CommDeleteAttrFunction TypeCopyAttrFunction
    TypeDeleteAttrFunction WinCopyAttrFunction WinDeleteAttrFunction DatarepExtentFunction
    DatarepConversionFunction DatarepConversionFunctionC CommErrhandlerFunction FileErrhandlerFunction
    SessionErrhandlerFunction WinErrhandlerFunction);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_eight_ints() {
        assert_eq!(size_of::<Status>(), 32);
        let mut status = Status::from(mpi::Status {
            source: 3,
            tag: 7,
            bytes: 5 << 32 | 9,
            cancelled: false,
        });
        assert_eq!(
            (status.bytes(), status.is_cancelled()),
            (5 << 32 | 9, false)
        );
        status.set_cancelled(true);
        assert_eq!((status.bytes(), status.is_cancelled()), (5 << 32 | 9, true));
    }

    #[test]
    fn strings_are_cut_to_their_room() {
        let mut room = [1; 5];
        let out = OutStr(room.as_mut_ptr());
        assert_eq!(out.put("abcdefgh", 4), 3);
        assert_eq!(room.map(|c| c as u8), [b'a', b'b', b'c', 0, 1]);
    }
}
