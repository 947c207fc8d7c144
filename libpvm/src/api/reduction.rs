//! What reductions combine elements with: built-in operations and functions of the program.

use super::plain::Plain;
use crate::collective::{Builtin, Kind, Op, Scalar};
use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// A way to combine two elements into one, associatively.
///
/// [`Sum`], [`Product`], [`Min`], [`Max`], [`BitAnd`], [`BitOr`] and [`BitXor`] are built in. Any
/// function `Fn(T, T) -> T` is one too: it is applied in the order of the ranks, unless it is
/// wrapped in [`Commutative`].
pub trait Reduction<T: Plain> {
    /// The operation as the collectives know it.
    fn into_operation(self) -> Operation;
}

/// An operation ready to be used.
pub struct Operation {
    pub(super) op: Op,
    pub(super) panic: Caught,
}

/// What a function of the program panicked with: kept until the collective is over, because the
/// other tasks wait for this one's messages all the same.
#[derive(Clone, Default)]
pub(super) struct Caught(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Caught {
    fn put(&self, panic: Box<dyn Any + Send>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(panic);
    }

    /// Goes on with the panic, if there was one.
    pub fn resume(&self) {
        let caught = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = caught {
            resume_unwind(panic);
        }
    }
}

macro_rules! builtins {
    ($($(#[$doc:meta])* $name:ident for $($type:ty)*;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        $(impl Reduction<$type> for $name {
            fn into_operation(self) -> Operation {
                builtin::<$type>(Builtin::$name)
            }
        })*
    )*};
}

builtins! {
    /// The sum. Integers wrap around.
    Sum for i8 i16 i32 i64 u8 u16 u32 u64 isize usize f32 f64;
    /// The product. Integers wrap around.
    Product for i8 i16 i32 i64 u8 u16 u32 u64 isize usize f32 f64;
    /// The least.
    Min for i8 i16 i32 i64 u8 u16 u32 u64 isize usize f32 f64;
    /// The greatest.
    Max for i8 i16 i32 i64 u8 u16 u32 u64 isize usize f32 f64;
    /// The bits that all have.
    BitAnd for i8 i16 i32 i64 u8 u16 u32 u64 isize usize;
    /// The bits that any has.
    BitOr for i8 i16 i32 i64 u8 u16 u32 u64 isize usize;
    /// The bits that an odd number has.
    BitXor for i8 i16 i32 i64 u8 u16 u32 u64 isize usize;
}

fn builtin<T: Plain>(builtin: Builtin) -> Operation {
    let op = kind(TypeId::of::<T>()).and_then(|kind| Op::builtin(kind, builtin));
    Operation {
        op: op.expect("implemented for these types only"),
        panic: Caught::default(),
    }
}

#[cfg(target_pointer_width = "64")]
fn kind(id: TypeId) -> Option<Kind> {
    let kinds = [
        (TypeId::of::<i8>(), Kind::Number(Scalar::I8)),
        (TypeId::of::<i16>(), Kind::Number(Scalar::I16)),
        (TypeId::of::<i32>(), Kind::Number(Scalar::I32)),
        (TypeId::of::<i64>(), Kind::Number(Scalar::I64)),
        (TypeId::of::<isize>(), Kind::Number(Scalar::I64)),
        (TypeId::of::<u8>(), Kind::Number(Scalar::U8)),
        (TypeId::of::<u16>(), Kind::Number(Scalar::U16)),
        (TypeId::of::<u32>(), Kind::Number(Scalar::U32)),
        (TypeId::of::<u64>(), Kind::Number(Scalar::U64)),
        (TypeId::of::<usize>(), Kind::Number(Scalar::U64)),
        (TypeId::of::<f32>(), Kind::Number(Scalar::F32)),
        (TypeId::of::<f64>(), Kind::Number(Scalar::F64)),
    ];
    kinds
        .into_iter()
        .find(|(known, _)| *known == id)
        .map(|(_, kind)| kind)
}

/// A function for which the order of operands does not matter, which leaves more ways to go.
#[derive(Debug, Clone, Copy)]
pub struct Commutative<F>(pub F);

impl<T: Plain, F: Fn(T, T) -> T + Send + Sync + 'static> Reduction<T> for F {
    fn into_operation(self) -> Operation {
        user(self, false)
    }
}

impl<T: Plain, F: Fn(T, T) -> T + Send + Sync + 'static> Reduction<T> for Commutative<F> {
    fn into_operation(self) -> Operation {
        user(self.0, true)
    }
}

fn user<T: Plain>(
    function: impl Fn(T, T) -> T + Send + Sync + 'static,
    commutative: bool,
) -> Operation {
    let panic = Caught::default();
    let caught = panic.clone();
    let size = size_of::<T>();
    let combine = move |from: &[u8], into: &mut [u8], _count: usize| {
        // The bytes need not be aligned for `T`.
        for (left, right) in from.chunks_exact(size).zip(into.chunks_exact_mut(size)) {
            let operands = (
                bytemuck::pod_read_unaligned(left),
                bytemuck::pod_read_unaligned(right),
            );
            match catch_unwind(AssertUnwindSafe(|| function(operands.0, operands.1))) {
                Ok(result) => right.copy_from_slice(bytemuck::bytes_of(&result)),
                Err(panic) => return caught.put(panic),
            }
        }
    };
    Operation {
        op: Op::user(size, commutative, Arc::new(combine)),
        panic,
    }
}
