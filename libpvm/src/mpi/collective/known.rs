//! Calls that come again.
//!
//! Programs make the same collective call in a loop, with other addresses at most. What was found out about it then
//! still holds: that its arguments are good, how long its buffers are, the steps of this rank. So a communicator
//! keeps the last calls, and one that comes again begins where its steps do.

use super::super::comm::Comm;
use super::super::error::Result;
use super::super::object::lock;
use super::prepared::{Ends, Prepared, go, unfit};
use crate::collective::{Run, Scratch};
use crate::ids::Tag;

/// Calls that a communicator keeps.
const KEPT_MAX: usize = 4;
/// Most arguments besides the communicator.
const WORDS: usize = 7;

/// The arguments of a call on a communicator.
#[derive(Clone)]
pub struct Shape {
    name: &'static str,
    /// All of them but addresses.
    words: [u64; WORDS],
    used: usize,
    /// Where what is given lies.
    given: usize,
    /// Where there is room.
    room: usize,
}

/// One of the two addresses of a call, and bytes from there on.
#[derive(Clone, Copy)]
pub struct Part {
    /// Whether it is the one where there is room.
    pub in_room: bool,
    /// Bytes.
    pub len: usize,
}

/// The buffers of a call that is kept, both contiguous.
#[derive(Clone, Copy)]
pub struct Parts {
    /// What is given.
    pub input: Option<Part>,
    /// Where the result goes.
    pub output: Option<Part>,
}

impl Shape {
    /// A call of this name, no arguments yet.
    #[inline(always)]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            words: [0; WORDS],
            used: 0,
            given: 0,
            room: 0,
        }
    }

    /// One more argument, which is all that this number says.
    #[inline(always)]
    pub fn word(&mut self, word: u64) {
        if let Some(place) = self.words.get_mut(self.used) {
            *place = word;
        }
        self.used += 1;
    }

    /// One more argument, of which no number says all: such a call is not kept.
    #[inline(always)]
    pub fn vague(&mut self) {
        self.used = WORDS + 1;
    }

    /// The address of what is given.
    #[inline(always)]
    pub fn given_at(&mut self, address: usize) {
        self.given = address;
    }

    /// The address where there is room.
    #[inline(always)]
    pub fn room_at(&mut self, address: usize) {
        self.room = address;
    }

    /// Where a part begins.
    #[inline]
    pub fn address(&self, part: Part) -> usize {
        match part.in_room {
            true => self.room,
            false => self.given,
        }
    }

    /// Whether such a call can be kept, and a kept one take its place: the buffers of those that are were not the
    /// same.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.used <= WORDS && (self.given != self.room || self.given == 0)
    }

    #[inline(always)]
    fn is_like(&self, other: &Self) -> bool {
        std::ptr::eq(self.name, other.name) && self.words == other.words
    }

    fn part(&self, address: Option<usize>, len: usize) -> Option<Part> {
        let address = address?;
        let in_room = address != self.given;
        (!in_room || address == self.room).then_some(Part { in_room, len })
    }

    /// Where the buffers of a call are; `None`: not simply at its addresses.
    fn parts(&self, ends: &Ends) -> Option<Parts> {
        let input = ends.input.as_ref();
        let input = input.map(|end| self.part(end.contiguous().map(|at| at as usize), end.len()));
        let output = ends.output.as_ref();
        let output =
            output.map(|end| self.part(end.contiguous().map(|at| at as usize), end.capacity()));
        match (input, output) {
            (Some(None), _) | (_, Some(None)) => None,
            (input, output) => Some(Parts {
                input: input.flatten(),
                output: output.flatten(),
            }),
        }
    }
}

/// A call that has been gone through.
struct Known {
    shape: Shape,
    parts: Parts,
    run: Run,
}

/// What the calls of a communicator leave for the next ones.
#[derive(Default)]
pub struct Calls {
    /// Those that may come again, the last one at the end. Boxed: they are taken out and put back.
    #[expect(clippy::vec_box, reason = "a call that comes again moves one word")]
    kept: Vec<Box<Known>>,
    /// Memory for others.
    spare: Scratch,
}

impl Calls {
    /// Memory for a new call.
    pub(super) fn begin(&mut self) -> Scratch {
        let mut scratch = std::mem::take(&mut self.spare);
        scratch.schedule().clear();
        scratch
    }

    /// Memory of a call that is over.
    pub(super) fn put_back(&mut self, scratch: Scratch) {
        self.spare = scratch;
    }

    #[inline]
    fn take(&mut self, shape: &Shape) -> Option<Box<Known>> {
        let at = self.kept.iter().position(|it| it.shape.is_like(shape))?;
        Some(self.kept.remove(at))
    }

    fn keep(&mut self, known: Known) {
        if self.kept.len() >= KEPT_MAX {
            self.spare = self.kept.remove(0).run.finish().scratch;
        }
        self.kept.push(Box::new(known));
    }
}

/// A call that comes again, with its number.
pub struct Again {
    known: Box<Known>,
    tag: Tag,
}

impl Again {
    /// A call that was made before.
    #[inline]
    pub fn find(comm: &Comm, shape: &Shape) -> Option<Self> {
        if !shape.is_plain() {
            return None;
        }
        let mut collectives = lock(&comm.collectives);
        let known = collectives.calls.take(shape)?;
        let tag = collectives.tags.next_tag();
        Some(Self { known, tag })
    }

    /// Where its buffers are.
    #[inline]
    pub fn parts(&self) -> Parts {
        self.known.parts
    }

    /// Goes through it.
    ///
    /// # Errors
    /// As [`Prepared::run`].
    #[inline]
    pub fn run(self, comm: &Comm, ends: Ends) -> Result<()> {
        let Self { mut known, tag } = self;
        let run = &mut known.run;
        run.again(tag, ends.input, ends.output).map_err(unfit)?;
        go(comm, run)?;
        lock(&comm.collectives).calls.kept.push(known);
        Ok(())
    }
}

impl Prepared {
    /// Goes through it.
    ///
    /// # Errors
    /// Those of the collective: a rank that has ended, or made another call.
    pub fn run(self, shape: Shape) -> Result<()> {
        let is_kept = shape.is_plain() && self.can_come_again();
        let parts = is_kept.then(|| shape.parts(&self.ends)).flatten();
        let comm = self.comm.clone();
        let run = self.go_through()?;
        let calls = &mut lock(&comm.collectives).calls;
        match parts {
            Some(parts) => calls.keep(Known { shape, parts, run }),
            None => calls.put_back(run.finish().scratch),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::Setup;
    use crate::datatype::{Sink, Source};

    fn shape(words: &[u64], given: usize, room: usize) -> Shape {
        let mut shape = Shape::new("allreduce");
        words.iter().for_each(|word| shape.word(*word));
        shape.given_at(given);
        shape.room_at(room);
        shape
    }

    #[test]
    fn only_addresses_may_differ() {
        let call = shape(&[1, 9], 8192, 12288);
        assert!(call.is_like(&shape(&[1, 9], 4096, 16384)));
        assert!(!call.is_like(&shape(&[1, 8], 8192, 12288)));
        let other = Shape {
            name: "scan",
            ..call.clone()
        };
        assert!(!call.is_like(&other));
    }

    #[test]
    fn what_is_not_told_by_numbers_is_not_kept() {
        assert!(shape(&[1], 0, 0).is_plain());
        assert!(!shape(&[1], 8192, 8192).is_plain());
        assert!(shape(&[1; WORDS], 8192, 4096).is_plain());
        assert!(!shape(&[1; WORDS + 1], 8192, 4096).is_plain());
        let mut vague = shape(&[], 8192, 4096);
        vague.vague();
        vague.word(1);
        assert!(!vague.is_plain());
    }

    #[test]
    fn buffers_are_found_again_by_the_addresses_of_the_call() {
        let input = Source::from_vec(vec![1; 8]);
        let output = Sink::from_vec(vec![0; 8]);
        let from = input.contiguous().unwrap() as usize;
        let to = output.contiguous().unwrap() as usize;
        let ends = Ends {
            input: Some(input),
            output: Some(output),
        };
        let found = |given, room| {
            let call = shape(&[], given, room);
            let Parts { input, output } = call.parts(&ends)?;
            let address = |part: Option<Part>| part.map(|part| call.address(part));
            Some((address(input), address(output)))
        };
        assert_eq!(found(from, to), Some((Some(from), Some(to))));
        assert_eq!(found(from + 1, to), None);
        assert_eq!(found(from, 0), None);
        // A root gives what others have room for.
        let ends = Ends {
            output: None,
            ..ends
        };
        let parts = shape(&[], 0, from).parts(&ends).unwrap();
        assert!(parts.output.is_none() && parts.input.is_some_and(|part| part.in_room));
    }

    #[test]
    fn the_call_that_was_made_longest_ago_makes_room() {
        let mut calls = Calls::default();
        let known = |word| Known {
            shape: shape(&[word], 0, 0),
            parts: Parts {
                input: None,
                output: None,
            },
            run: Run::new(Setup::default(), Scratch::default(), None, None).unwrap(),
        };
        let most = KEPT_MAX as u64;
        (0..most).for_each(|word| calls.keep(known(word)));
        let first = calls.take(&shape(&[0], 0, 0)).unwrap();
        calls.kept.push(first);
        calls.keep(known(most));
        assert!(calls.take(&shape(&[1], 0, 0)).is_none());
        for word in [0, 2, most] {
            assert!(calls.take(&shape(&[word], 0, 0)).is_some(), "{word}");
        }
    }
}
