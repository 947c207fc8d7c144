//! Datatypes (MPI 5.0, chapter 5): what is in a message, and where in memory.
//!
//! # Layout
//! - [`basic`]: elements with a value of their own; `named`: the predefined datatypes
//! - `construct`, `array`: derived datatypes; `predefined`: those that a call gives and nobody frees
//! - `typemap`: bytes, elements and bounds, which constructors put together; [`signature`]: the
//!   elements without their places
//! - [`contents`]: how a datatype was made
//! - [`count`]: bytes of a message as elements
//! - [`pack`]: packing; [`external32`]: packing for all machines, `extended`: its `long double`
//!
//! Everything is worked out when a datatype is made, from what was worked out for those it is made of,
//! in time and memory that its arguments take, not its elements: a vector of a million blocks is as
//! small as one of two. Committing only allows its use.

mod array;
pub mod basic;
mod construct;
pub mod contents;
pub mod count;
mod extended;
pub mod external32;
mod named;
pub mod pack;
mod predefined;
pub mod signature;
#[cfg(test)]
mod tests;
mod typemap;

pub use array::{DEFAULT_BLOCK, Dimension, Distribution, Order};
pub use basic::Basic;
pub use contents::{Combiner, Contents, Width};
pub use predefined::TypeClass;
pub use signature::Signature;

use super::attribute::{Attributes, Holder};
use super::object::ObjectName;
use super::{Class, Error, Result};
use crate::datatype::Layout;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::fmt;
use std::sync::Arc;
use typemap::TypeMap;

/// A datatype. Clones are the same datatype; two that were made alike are not.
#[derive(Clone)]
pub struct Datatype(Arc<Inner>);

struct Inner {
    origin: Origin,
    /// As messages use it.
    layout: Arc<Layout>,
    map: TypeMap,
    contents: Contents,
    committed: AtomicBool,
    name: ObjectName,
    attributes: Attributes,
}

/// Where a datatype comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// It has a constant.
    Named { number: i32, element: Element },
    /// It is the library's, but a call gives it.
    Unnamed { element: Element },
    /// It is the program's.
    Derived,
}

/// What a predefined datatype is: what reductions can reduce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// One element.
    Basic(&'static Basic),
    /// A value, from the first byte on, and an index.
    Pair {
        /// The value.
        value: &'static Basic,
        /// The index.
        index: &'static Basic,
        /// Where the index is, in bytes.
        offset: usize,
    },
}

/// Bounds of a datatype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The lower one, in bytes from where an element is.
    pub lower: i64,
    /// From the lower to the upper one.
    pub extent: i64,
}

impl Datatype {
    fn new(origin: Origin, contents: Contents, map: TypeMap) -> Self {
        Self(Arc::new(Inner {
            origin,
            layout: Arc::new(map.layout.clone()),
            map,
            contents,
            committed: AtomicBool::new(!matches!(origin, Origin::Derived)),
            name: ObjectName::default(),
            attributes: Attributes::new(Holder::Type),
        }))
    }

    /// Allows the use in messages.
    pub fn commit(&self) {
        self.0.committed.store(true, Ordering::Relaxed);
    }

    /// Whether its use in messages is allowed.
    pub fn is_committed(&self) -> bool {
        self.0.committed.load(Ordering::Relaxed)
    }

    /// Where its bytes are, for a message.
    ///
    /// # Errors
    /// [`Class::Type`] when it is not committed.
    #[inline]
    pub fn layout(&self) -> Result<&Arc<Layout>> {
        if self.is_committed() {
            Ok(&self.0.layout)
        } else {
            Err(Error::new(Class::Type, "the datatype is not committed"))
        }
    }

    /// Names it; what is too long is cut.
    pub fn set_name(&self, name: &str) {
        self.0.name.set(name);
    }

    /// Its name: that of its constant, until it gets another one.
    pub fn name(&self) -> String {
        self.0.name.text()
    }

    /// What the program attached to it.
    pub fn attributes(&self) -> &Attributes {
        &self.0.attributes
    }

    /// Data bytes of one.
    pub fn size(&self) -> i64 {
        self.0.map.signature.size()
    }

    /// From one to the next in memory, in bytes.
    pub fn extent(&self) -> i64 {
        self.0.map.extent()
    }

    /// The bounds, with gaps that belong to it.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            lower: self.0.map.lower(),
            extent: self.0.map.extent(),
        }
    }

    /// The bounds of its bytes alone.
    pub fn true_bounds(&self) -> Bounds {
        let (low, high) = self.0.layout.span();
        Bounds {
            lower: low as i64,
            extent: (high - low) as i64,
        }
    }

    /// Its elements.
    pub fn signature(&self) -> &Signature {
        &self.0.map.signature
    }

    /// Its constant, if it has one.
    pub fn number(&self) -> Option<i32> {
        match self.0.origin {
            Origin::Named { number, .. } => Some(number),
            _ => None,
        }
    }

    /// Whether it is the library's.
    pub fn is_predefined(&self) -> bool {
        !matches!(self.0.origin, Origin::Derived)
    }

    /// What it is, when it is predefined.
    pub fn element(&self) -> Option<Element> {
        match self.0.origin {
            Origin::Named { element, .. } | Origin::Unnamed { element } => Some(element),
            Origin::Derived => None,
        }
    }

    /// Whether a program may free it.
    ///
    /// # Errors
    /// [`Class::Type`] for a predefined one.
    pub fn check_free(&self) -> Result<()> {
        if self.is_predefined() {
            return Err(Error::new(
                Class::Type,
                "a predefined datatype cannot be freed",
            ));
        }
        Ok(())
    }

    fn map(&self) -> &TypeMap {
        &self.0.map
    }
}

impl PartialEq for Datatype {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Datatype {}

impl Drop for Inner {
    /// Datatypes that were made of each other, a million of them perhaps, are dropped one by one, not
    /// each inside the next.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.contents.datatypes);
        while let Some(datatype) = left.pop() {
            if let Some(mut inner) = Arc::into_inner(datatype.0) {
                left.append(&mut inner.contents.datatypes);
            }
        }
    }
}

impl fmt::Debug for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name() {
            "" => write!(f, "{:?} of {:?}", self.0.contents.combiner, self.0.layout),
            name => f.write_str(name),
        }
    }
}
