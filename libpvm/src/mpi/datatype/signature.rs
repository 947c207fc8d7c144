//! The elements of a datatype in their order, without their places: its *signature*.
//!
//! Kept as what repeats and how often, so that a million structures cost what one does. A signature
//! has a fingerprint, a polynomial of its elements, which does not depend on how it is kept: equal
//! signatures have equal fingerprints however the datatypes were made.

use super::basic::Basic;
use crate::limits::LAYOUT_DEPTH_MAX;
use crate::mpi::{Class, Error, Result};
use std::sync::Arc;

/// Up to so many parts of a part become parts of the whole.
const SPLICED_MAX: usize = 64;

/// Elements in their order. Cheap to clone.
#[derive(Clone)]
pub struct Signature {
    node: Node,
    totals: Totals,
    depth: usize,
}

#[derive(Clone)]
enum Node {
    Run(&'static Basic),
    Repeat(Arc<Signature>),
    Sequence(Arc<[Signature]>),
}

/// Sums over elements.
#[derive(Clone, Copy, Default)]
struct Totals {
    elements: i64,
    /// Bytes in memory, without gaps.
    size: i64,
    /// Bytes in the portable form.
    external: i64,
    print: Fingerprint,
}

impl Signature {
    /// One element.
    pub fn basic(basic: &'static Basic) -> Self {
        Self {
            node: Node::Run(basic),
            totals: Totals {
                elements: 1,
                size: basic.size as i64,
                external: basic.external as i64,
                print: Fingerprint::of(basic),
            },
            depth: 0,
        }
    }

    /// These elements `count` times, not less than 0.
    ///
    /// # Errors
    /// [`Class::ValueTooLarge`] or [`Class::Type`]: too many of them, or too deeply nested.
    pub fn repeat(&self, count: i64) -> Result<Self> {
        if count == 0 || self.totals.elements == 0 {
            return Self::sequence(Vec::new());
        }
        let totals = self.totals.times(count).ok_or_else(too_large)?;
        let (node, depth) = match &self.node {
            _ if count == 1 => (self.node.clone(), self.depth),
            Node::Run(_) | Node::Repeat(_) => (self.node.clone(), self.depth),
            Node::Sequence(_) => (Node::Repeat(Arc::new(self.clone())), deeper(self.depth)?),
        };
        Ok(Self {
            node,
            totals,
            depth,
        })
    }

    /// Elements one after the other.
    ///
    /// # Errors
    /// As [`Signature::repeat`].
    pub fn sequence(parts: Vec<Signature>) -> Result<Self> {
        let mut joined: Vec<Signature> = Vec::with_capacity(parts.len());
        for part in parts {
            match &part.node {
                Node::Sequence(inner) if inner.len() <= SPLICED_MAX => {
                    inner
                        .iter()
                        .try_for_each(|part| append(&mut joined, part))?;
                }
                _ => append(&mut joined, &part)?,
            }
        }
        if let [one] = &*joined {
            return Ok(one.clone());
        }
        let totals = joined
            .iter()
            .try_fold(Totals::default(), |sum, part| sum.plus(part.totals));
        let deepest = joined.iter().map(|part| part.depth).max();
        Ok(Self {
            node: Node::Sequence(joined.into()),
            totals: totals.ok_or_else(too_large)?,
            depth: deepest.map_or(Ok(0), deeper)?,
        })
    }

    /// How many elements there are.
    pub fn elements(&self) -> i64 {
        self.totals.elements
    }

    /// Their bytes in memory.
    pub fn size(&self) -> i64 {
        self.totals.size
    }

    /// Their bytes in the portable form, external32.
    pub fn external_size(&self) -> i64 {
        self.totals.external
    }

    /// The one kind of element, if there is only one.
    pub fn only(&self) -> Option<&'static Basic> {
        match &self.node {
            Node::Run(basic) => Some(basic),
            Node::Repeat(of) => of.only(),
            Node::Sequence(_) => None,
        }
    }

    /// Whether both have the same elements in the same order.
    pub fn matches(&self, other: &Signature) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// Two numbers that are the same for equal signatures, and hardly ever for others; the same in all
    /// processes.
    pub fn fingerprint(&self) -> (i64, u64) {
        (self.totals.elements, self.totals.print.value)
    }

    /// Calls `each(element, how many of them)`, in order.
    ///
    /// # Errors
    /// The first of `each`.
    pub fn runs<E>(
        &self,
        each: &mut impl FnMut(&'static Basic, i64) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        match &self.node {
            Node::Run(basic) => each(basic, self.totals.elements),
            Node::Repeat(of) => (0..self.times(of)).try_for_each(|_| of.runs(each)),
            Node::Sequence(parts) => parts.iter().try_for_each(|part| part.runs(each)),
        }
    }

    /// How many elements the first `bytes` bytes are; `None`: the last one is not whole, or there are
    /// not as many.
    pub fn elements_in(&self, bytes: i64) -> Option<i64> {
        match &self.node {
            _ if bytes == self.totals.size => Some(self.totals.elements),
            _ if bytes > self.totals.size => None,
            Node::Run(basic) => whole(bytes, basic.size as i64),
            Node::Repeat(of) => {
                let rest = of.elements_in(bytes % of.totals.size)?;
                Some(bytes / of.totals.size * of.totals.elements + rest)
            }
            Node::Sequence(parts) => locate(parts, bytes, |sum| sum.size, |sum| sum.elements)
                .and_then(|(before, part, rest)| Some(before + part.elements_in(rest)?)),
        }
    }

    /// How many bytes the first `elements` elements are; `None`: there are not as many.
    pub fn bytes_of(&self, elements: i64) -> Option<i64> {
        match &self.node {
            _ if elements == self.totals.elements => Some(self.totals.size),
            _ if elements > self.totals.elements => None,
            Node::Run(basic) => Some(elements * basic.size as i64),
            Node::Repeat(of) => {
                let rest = of.bytes_of(elements % of.totals.elements)?;
                Some(elements / of.totals.elements * of.totals.size + rest)
            }
            Node::Sequence(parts) => locate(parts, elements, |sum| sum.elements, |sum| sum.size)
                .and_then(|(before, part, rest)| Some(before + part.bytes_of(rest)?)),
        }
    }

    fn times(&self, of: &Signature) -> i64 {
        self.totals.elements / of.totals.elements
    }
}

/// The part in which `at` is, counted in `measure`, with what is before it, counted in `other`, and
/// what of `at` is in it.
fn locate(
    parts: &[Signature],
    at: i64,
    measure: impl Fn(&Totals) -> i64,
    other: impl Fn(&Totals) -> i64,
) -> Option<(i64, &Signature, i64)> {
    let (mut before, mut left) = (0, at);
    for part in parts {
        if left <= measure(&part.totals) {
            return Some((before, part, left));
        }
        left -= measure(&part.totals);
        before += other(&part.totals);
    }
    None
}

/// Adds a part, to the last one if it is more of the same.
fn append(parts: &mut Vec<Signature>, part: &Signature) -> Result<()> {
    if part.totals.elements == 0 {
        return Ok(());
    }
    if let Some(last) = parts.last_mut() {
        let is_more = match (&last.node, &part.node) {
            (Node::Run(one), Node::Run(other)) => std::ptr::eq(*one, *other),
            (Node::Repeat(one), Node::Repeat(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if is_more {
            last.totals = last.totals.plus(part.totals).ok_or_else(too_large)?;
            return Ok(());
        }
    }
    parts.push(part.clone());
    Ok(())
}

fn whole(bytes: i64, size: i64) -> Option<i64> {
    (bytes % size == 0).then_some(bytes / size)
}

fn deeper(depth: usize) -> Result<usize> {
    if depth < LAYOUT_DEPTH_MAX {
        return Ok(depth + 1);
    }
    let detail = format!("its structures are nested more than {LAYOUT_DEPTH_MAX} times");
    Err(Error::new(Class::Type, detail))
}

#[cold]
fn too_large() -> Error {
    Error::new(
        Class::ValueTooLarge,
        "the size of the datatype does not fit MPI_Count",
    )
}

impl Totals {
    fn plus(self, other: Totals) -> Option<Totals> {
        Some(Totals {
            elements: self.elements.checked_add(other.elements)?,
            size: self.size.checked_add(other.size)?,
            external: self.external.checked_add(other.external)?,
            print: self.print.then(other.print),
        })
    }

    fn times(self, count: i64) -> Option<Totals> {
        Some(Totals {
            elements: self.elements.checked_mul(count)?,
            size: self.size.checked_mul(count)?,
            external: self.external.checked_mul(count)?,
            print: self.print.times(count),
        })
    }
}

/// A polynomial modulo 2^61 - 1 whose coefficients are the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    value: u64,
    /// The base to the power of the count of elements.
    power: u64,
}

const MODULUS: u64 = (1 << 61) - 1;
const BASE: u64 = 0x0f3c_6a1d_5e97_b24b;

impl Default for Fingerprint {
    fn default() -> Self {
        Self { value: 0, power: 1 }
    }
}

impl Fingerprint {
    fn of(basic: &Basic) -> Self {
        Self {
            value: basic.number as u64,
            power: BASE,
        }
    }

    fn then(self, next: Fingerprint) -> Self {
        Self {
            value: (product(self.value, next.power) + next.value) % MODULUS,
            power: product(self.power, next.power),
        }
    }

    fn times(self, count: i64) -> Self {
        let (mut all, mut doubled, mut left) = (Self::default(), self, count);
        while left > 0 {
            if left % 2 == 1 {
                all = all.then(doubled);
            }
            doubled = doubled.then(doubled);
            left /= 2;
        }
        all
    }
}

fn product(one: u64, other: u64) -> u64 {
    (u128::from(one) * u128::from(other) % u128::from(MODULUS)) as u64
}
