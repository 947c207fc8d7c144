//! Calls that a communicator may know from before: what their parameters say of them.

use pvm::mpi::collective::{Again, Ends, Part, Shape};
use pvm::mpi::op::Elements;
use pvm::mpi::{self, Op, Result};

use super::super::handle::PREDEFINED_MAX;
use super::super::memory::{self, LOWEST};
use super::super::raw::{Array, Buf, Datatype, DatatypeOrNull, Numbers, OutBuf};

/// Goes through a call that the communicator knows; `None`: it does not.
#[inline]
pub(crate) fn again(comm: &mpi::Comm, shape: &Shape) -> Option<Result<()>> {
    let again = Again::find(comm, shape)?;
    Some(ends(&again, shape).and_then(|ends| again.run(comm, ends)))
}

#[inline]
fn ends(again: &Again, shape: &Shape) -> Result<Ends> {
    let (input, output) = (again.parts().input, again.parts().output);
    let source = |part: Part| {
        let address = Buf(shape.address(part) as *const _);
        // SAFETY: the program promises it until the operation has ended.
        unsafe { memory::bytes(address, part.len as i64) }
    };
    let sink = |part: Part| {
        let address = OutBuf(shape.address(part) as *mut _);
        // SAFETY: the program promises it until the operation has ended.
        unsafe { memory::room(address, part.len as i64) }
    };
    Ok(Ends {
        input: input.map(source).transpose()?,
        output: output.map(sink).transpose()?,
    })
}

/// A parameter of a call, besides the communicator.
pub(crate) trait Parameter {
    /// Says what it is.
    fn describe(&self, shape: &mut Shape);
}

/// An address that stands for something else is part of what a call is.
#[inline(always)]
fn describe_address(address: usize, shape: &mut Shape) {
    let is_special = address < LOWEST;
    shape.word(if is_special { address as u64 + 1 } else { 0 });
}

impl Parameter for Buf {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        describe_address(self.0 as usize, shape);
        shape.given_at(self.0 as usize);
    }
}

impl Parameter for OutBuf {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        describe_address(self.0 as usize, shape);
        shape.room_at(self.0 as usize);
    }
}

impl Parameter for i64 {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        shape.word(*self as u64);
    }
}

impl Parameter for i32 {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        shape.word(*self as u64);
    }
}

/// Objects of the program come and go, those of the library stay what they are.
#[inline(always)]
fn describe_object(number: Option<usize>, shape: &mut Shape) {
    match number {
        Some(number) if number <= PREDEFINED_MAX => shape.word(number as u64),
        _ => shape.vague(),
    }
}

impl Parameter for &mpi::Datatype {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        describe_object(self.number().map(|number| number as usize), shape);
    }
}

impl Parameter for DatatypeOrNull {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        describe_object(Some(self.0), shape);
    }
}

impl Parameter for Elements<'_> {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        describe_object(Some(self.handle as usize), shape);
    }
}

impl Parameter for &Op {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        let number = match self {
            Op::Predefined(op) => Some(*op as usize),
            Op::User(_) => None,
        };
        describe_object(number, shape);
    }
}

/// What is in an array may be other the next time.
impl Parameter for Numbers {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        shape.vague();
    }
}

impl Parameter for Array<Datatype> {
    #[inline(always)]
    fn describe(&self, shape: &mut Shape) {
        shape.vague();
    }
}
