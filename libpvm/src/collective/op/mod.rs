//! What a reduction does with elements.
//!
//! An [`Op`] is a built-in operation on a [`Kind`] of element, or a function of the program. It
//! combines packed elements: `into[i] = from[i] op into[i]`, `from` being the *left* operand. The
//! bytes need no alignment.

mod builtin;
mod number;
mod soft;

pub use builtin::{Builtin, Kind, Scalar};

use builtin::Compare;
use std::cmp::Ordering;

use std::fmt;
use std::sync::Arc;

/// A function that combines `count` elements: `into = from op into`.
pub type UserFunction = dyn Fn(&[u8], &mut [u8], usize) + Send + Sync;

type Combine = fn(&[u8], &mut [u8]);

/// An operation on elements of one size. Cheap to clone.
#[derive(Clone)]
pub struct Op {
    /// What the elements are, of a built-in operation.
    kind: Option<Kind>,
    size: usize,
    commutative: bool,
    function: Function,
}

#[derive(Clone)]
enum Function {
    Builtin(Combine),
    Located(Located),
    User(Arc<UserFunction>),
}

/// The greatest or least value and its index: what the two parts are, by length and comparison.
#[derive(Clone, Copy)]
struct Located {
    value: (usize, Compare),
    index: (usize, Compare),
    is_max: bool,
}

impl Located {
    fn apply(&self, from: &[u8], into: &mut [u8]) {
        let size = self.value.0 + self.index.0;
        for (left, right) in from.chunks_exact(size).zip(into.chunks_exact_mut(size)) {
            if self.left_wins(left, right) {
                right.copy_from_slice(left);
            }
        }
    }

    /// Of equal values the lower index wins.
    fn left_wins(&self, left: &[u8], right: &[u8]) -> bool {
        let (left, right) = (left.split_at(self.value.0), right.split_at(self.value.0));
        match (self.value.1)(left.0, right.0) {
            Some(Ordering::Equal) => (self.index.1)(left.1, right.1) == Some(Ordering::Less),
            Some(Ordering::Greater) => self.is_max,
            Some(Ordering::Less) => !self.is_max,
            None => false,
        }
    }
}

impl Op {
    /// A built-in operation; `None` if it has no meaning for the kind.
    pub fn builtin(kind: Kind, builtin: Builtin) -> Option<Self> {
        Some(Self {
            kind: Some(kind),
            size: kind.size(),
            commutative: builtin.is_commutative(),
            function: builtin::function(kind, builtin)?,
        })
    }

    /// An associative function of the program on elements of `size` packed bytes. One that is not
    /// commutative is applied in the order of the ranks.
    pub fn user(size: usize, commutative: bool, function: Arc<UserFunction>) -> Self {
        Self {
            kind: None,
            size,
            commutative,
            function: Function::User(function),
        }
    }

    /// What the elements are; `None`: what the program takes them for.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
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
            Function::Located(located) => located.apply(from, into),
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
            Function::Builtin(_) | Function::Located(_) => "built-in",
            Function::User(_) => "user",
        };
        write!(f, "{kind} operation on {} bytes", self.size)
    }
}
