//! What a reduction does with elements.
//!
//! An [`Op`] is a built-in operation on a [`Kind`] of element, or a function of the program. It
//! combines packed elements: `into[i] = from[i] op into[i]`, `from` being the *left* operand. The
//! bytes need no alignment.

mod builtin;

pub use builtin::{Builtin, Kind};

use std::fmt;
use std::sync::Arc;

/// A function that combines `count` elements: `into = from op into`.
pub type UserFunction = dyn Fn(&[u8], &mut [u8], usize) + Send + Sync;

type Combine = fn(&[u8], &mut [u8]);

/// An operation on elements of one size. Cheap to clone.
#[derive(Clone)]
pub struct Op {
    size: usize,
    commutative: bool,
    function: Function,
}

#[derive(Clone)]
enum Function {
    Builtin(Combine),
    User(Arc<UserFunction>),
}

impl Op {
    /// A built-in operation; `None` if it has no meaning for the kind.
    pub fn builtin(kind: Kind, builtin: Builtin) -> Option<Self> {
        Some(Self {
            size: kind.size(),
            commutative: builtin.is_commutative(),
            function: Function::Builtin(builtin::combine(kind, builtin)?),
        })
    }

    /// An associative function of the program on elements of `size` packed bytes. One that is not
    /// commutative is applied in the order of the ranks.
    pub fn user(size: usize, commutative: bool, function: Arc<UserFunction>) -> Self {
        Self {
            size,
            commutative,
            function: Function::User(function),
        }
    }

    /// Packed bytes of an element.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether the order of operands does not matter.
    pub fn is_commutative(&self) -> bool {
        self.commutative
    }

    /// `into = from op into`, element by element; the slices are of the same length.
    #[inline]
    pub fn apply(&self, from: &[u8], into: &mut [u8]) {
        match &self.function {
            Function::Builtin(combine) => combine(from, into),
            Function::User(function) => {
                let count = from.len().checked_div(self.size).unwrap_or(0);
                function(from, into, count);
            }
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.function {
            Function::Builtin(_) => "built-in",
            Function::User(_) => "user",
        };
        write!(f, "{kind} operation on {} bytes", self.size)
    }
}
