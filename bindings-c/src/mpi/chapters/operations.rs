//! Operations of reductions (MPI 5.0, 6.9).

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use pvm::datatype::{Layout, Sink, Source};
use pvm::mpi::collective::reduce_local as combine;
use pvm::mpi::op::{Elements, OpFunction, UserOp};
use pvm::mpi::{Class, Error, Op};

use super::super::failure::Outcome;
use super::super::handle;
use super::super::memory;
use super::super::raw::{self, Buf, Out, OutBuf, OutInt, UserFunction, UserFunctionC};

/// A count as a function of the program takes it.
trait Count: TryFrom<usize> + Copy + Send + Sync + 'static {
    /// The greatest one.
    const MOST: usize;
}

impl Count for c_int {
    const MOST: usize = c_int::MAX as usize;
}

impl Count for i64 {
    const MOST: usize = i64::MAX as usize;
}

/// A function of the program: both vectors, how long they are, and the handle of their datatype.
type Function<N> = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, *mut N, *mut usize);

/// What `MPI_Op_create` is given, in both forms.
pub(crate) trait Combining {
    fn function(self) -> Option<Box<OpFunction>>;
}

impl Combining for UserFunction {
    fn function(self) -> Option<Box<OpFunction>> {
        // SAFETY: not NULL, and the program promises a function of this type.
        (self.0 != 0)
            .then(|| user(unsafe { std::mem::transmute::<usize, Function<c_int>>(self.0) }))
    }
}

impl Combining for UserFunctionC {
    fn function(self) -> Option<Box<OpFunction>> {
        // SAFETY: not NULL, and the program promises a function of this type.
        (self.0 != 0).then(|| user(unsafe { std::mem::transmute::<usize, Function<i64>>(self.0) }))
    }
}

/// Calls a function for packed elements, which it sees as its program lays them out.
fn user<N: Count>(function: Function<N>) -> Box<OpFunction> {
    Box::new(move |from, into, count, elements| {
        // An operation is only made of committed datatypes.
        let Ok(layout) = elements.datatype.layout() else {
            return;
        };
        if layout.single_run(2) == Some(0) {
            let call = |from: &[u8], into: &mut [u8], count| {
                let (from, into) = (from.as_ptr().cast_mut().cast(), into.as_mut_ptr().cast());
                call(function, from, into, count, elements.handle);
            };
            in_parts::<N>(from, into, count, layout.size(), call);
        } else {
            let call = |from: &[u8], into: &mut [u8], count| {
                let mut left = Image::new(from, layout, count);
                let mut right = Image::new(into, layout, count);
                let (from, to) = (left.address().cast(), right.address().cast());
                call(function, from, to, count, elements.handle);
                right.pack(into);
            };
            in_parts::<N>(from, into, count, layout.size(), call);
        }
    })
}

/// Calls `each` for parts whose counts the function can be told.
fn in_parts<N: Count>(
    from: &[u8],
    into: &mut [u8],
    count: usize,
    size: usize,
    each: impl Fn(&[u8], &mut [u8], usize),
) {
    let mut done = 0;
    while done < count {
        let part = (count - done).min(N::MOST);
        let bytes = done * size..(done + part) * size;
        each(&from[bytes.clone()], &mut into[bytes], part);
        done += part;
    }
}

fn call<N: Count>(
    function: Function<N>,
    from: *mut c_void,
    into: *mut c_void,
    count: usize,
    handle: u64,
) {
    let (Ok(mut count), mut datatype) = (N::try_from(count), handle as usize) else {
        return;
    };
    // SAFETY: both vectors are as many elements as is said, as the program lays them out; the function
    // promises to write to the second only.
    unsafe { function(from, into, &raw mut count, &raw mut datatype) };
}

/// Elements in memory as their datatype has them, gaps included.
struct Image<'a> {
    room: Vec<u128>,
    /// From the start of the room to the address of the first element; a multiple of 16.
    offset: isize,
    layout: &'a Arc<Layout>,
    count: usize,
}

const ALIGNMENT: isize = size_of::<u128>() as isize;

impl<'a> Image<'a> {
    fn new(packed: &[u8], layout: &'a Arc<Layout>, count: usize) -> Self {
        let (low, high) = layout.span();
        let last = (count as isize - 1) * layout.extent();
        let (low, high) = (low + last.min(0), high + last.max(0));
        let offset = -(low.div_euclid(ALIGNMENT) * ALIGNMENT);
        let len = (offset + high) as usize;
        let mut image = Self {
            room: vec![0; len.div_ceil(ALIGNMENT as usize)],
            offset,
            layout,
            count,
        };
        // SAFETY: the room has all bytes of the elements, from the lowest to the highest, and nobody
        // else knows it.
        let sink = unsafe { Sink::typed(image.address(), layout, count) };
        if let Some(mut sink) = sink {
            sink.write(0, packed);
        }
        image
    }

    /// Address of the first element.
    fn address(&mut self) -> *mut u8 {
        let start = self.room.as_mut_ptr().cast::<u8>();
        start.wrapping_offset(self.offset)
    }

    fn pack(&mut self, packed: &mut [u8]) {
        // SAFETY: as in `new`; the function that wrote here has returned.
        let source = unsafe { Source::typed(self.address(), self.layout, self.count) };
        if let Some(source) = source {
            packed.copy_from_slice(&source.to_vec(0, packed.len()));
        }
    }
}

pub fn op_create(user_fn: impl Combining, commute: i32, op: Out<raw::Op>) -> Outcome {
    let function = user_fn
        .function()
        .ok_or_else(|| Error::new(Class::Arg, "the function is NULL"))?;
    let user = Op::User(Arc::new(UserOp {
        commutative: commute != 0,
        function,
    }));
    op.set(raw::Op(handle::keep(user)?));
    Ok(())
}

pub fn op_free(op: Out<raw::Op>) -> Outcome {
    // SAFETY: the program promises not to free what it uses elsewhere; what is under way has its own
    // reference to the operation.
    unsafe { handle::release::<Op>(op.get().0) }?;
    op.set(raw::Op::NULL);
    Ok(())
}

pub fn op_commutative(op: &Op, commute: OutInt) -> Outcome {
    commute.set_flag(op.is_commutative());
    Ok(())
}

pub fn reduce_local(
    inbuf: Buf,
    inoutbuf: OutBuf,
    count: i64,
    datatype: Elements<'_>,
    op: &Op,
) -> Outcome {
    let op = op.reduction(datatype)?;
    if inbuf.0 == inoutbuf.0.cast_const() && count > 0 && !inbuf.0.is_null() {
        return Err(Error::new(Class::Buffer, "the buffers are the same").into());
    }
    // SAFETY: the program promises both for the time of the call.
    let (from, into) = unsafe {
        (
            memory::source(inbuf, count, datatype.datatype)?,
            memory::sink(inoutbuf, count, datatype.datatype)?,
        )
    };
    Ok(combine(&op, from, into)?)
}
