//! Collective calls, prepared: from the parameters of a call to the schedule and buffers of this rank.
//!
//! What the three forms of a call have in common: `chapters/collectives.rs` goes through the result,
//! starts it, or keeps it for a persistent request. So buffers that are described here may be used
//! until the operation, or the persistent request, has ended; the program promises them for as long.

mod again;
mod moves;
mod neighbours;
mod reductions;

pub(crate) use again::{Parameter, again};
pub(crate) use moves::*;
pub(crate) use neighbours::*;
pub(crate) use reductions::*;

use pvm::collective::Call;
use pvm::datatype::{Sink, Source, Word};
use pvm::mpi::collective::{Blocked, Ends, Job, Name, Prepared, Root, root_of, words};
use pvm::mpi::{self, Class, Datatype, Error, Result};

use super::generated::constants as abi;
use super::memory;
use super::raw::{Array, Buf, Datatype as Handle, DatatypeOrNull, Numbers, OutBuf};

/// A call of a rank, before its schedule is made.
struct Request<'a> {
    comm: &'a mpi::Comm,
    name: Name,
    root: Root,
    ends: Ends,
    word: fn() -> Word,
    elements: Option<(i64, &'a Datatype)>,
    in_place: bool,
}

impl<'a> Request<'a> {
    /// A call without a root and without buffers.
    fn new(comm: &'a mpi::Comm, name: Name) -> Self {
        Self {
            comm,
            name,
            root: Root::Beside,
            ends: Ends::default(),
            word: || Word::Fixed(1),
            elements: None,
            in_place: false,
        }
    }

    /// A call with a root, which may have its own part in the other buffer already: then `own` says so.
    fn rooted(
        comm: &'a mpi::Comm,
        name: Name,
        root: i32,
        own: *const std::ffi::c_void,
    ) -> Result<Self> {
        let root = root_of(comm, root)?;
        Ok(Self {
            root,
            in_place: root == Root::Here && is_in_place(comm, own),
            ..Self::new(comm, name)
        })
    }

    fn prepare(self, call: Call<'_>) -> Result<Prepared> {
        self.reduce(call, None)
    }

    fn reduce(
        self,
        call: Call<'_>,
        op: Option<(&mpi::Op, pvm::collective::Op)>,
    ) -> Result<Prepared> {
        let job = Job {
            name: self.name,
            call,
            root: self.root,
            in_place: self.in_place,
            op,
            word: self.word,
            elements: self.elements,
        };
        Prepared::new(self.comm, job, self.ends)
    }

    /// The root as the calls in one group name it.
    fn root_rank(&self) -> usize {
        match self.root {
            Root::Here => self.comm.rank,
            Root::There(rank) => rank,
            Root::Beside => 0,
        }
    }

    /// So many elements of a datatype are what all ranks name alike.
    fn of(mut self, count: i64, datatype: &'a Datatype) -> Self {
        self.word = words(datatype);
        self.elements = Some((count, datatype));
        self
    }

    /// Whether this rank gives the root a part or gets one, out of a buffer of its own; in one group the
    /// root does, too.
    fn has_part(&self) -> bool {
        match self.root {
            Root::Here => !self.comm.is_inter() && !self.in_place,
            Root::There(_) => true,
            Root::Beside => false,
        }
    }

    /// As [`check_own`], of all that this rank gives, unless it is there already.
    fn check_given(&self, room: usize) -> Result<()> {
        check_own(self.ends.input.as_ref().map_or(room, Source::len), room)
    }
}

/// Whether an address stands for what is in the other buffer; between two groups nothing does.
fn is_in_place(comm: &mpi::Comm, address: *const std::ffi::c_void) -> bool {
    address as isize == abi::IN_PLACE && !comm.is_inter()
}

/// `count` elements for each of so many ranks.
fn for_all(count: i64, ranks: usize) -> Result<i64> {
    let all = i64::try_from(ranks).ok().and_then(|n| count.checked_mul(n));
    all.ok_or_else(|| Error::new(Class::Count, format!("count {count} for {ranks} ranks")))
}

/// Bytes of `count` elements.
fn len_of(count: i64, datatype: &Datatype) -> Result<usize> {
    let len = datatype.packed_size(count)?;
    usize::try_from(len).map_err(|_| Error::new(Class::Count, format!("count {count}")))
}

/// Elements that the program gives.
fn source(buf: Buf, count: i64, datatype: &Datatype) -> Result<Source> {
    // SAFETY: the program promises them until the operation has ended.
    unsafe { memory::source(buf, count, datatype) }
}

/// What this rank gives, if it does; else the parameters may be anything.
fn given(
    gives: bool,
    buf: Buf,
    count: i64,
    datatype: DatatypeOrNull,
) -> Result<Option<(Buf, Source)>> {
    match gives {
        true => Ok(Some((buf, source(buf, count, datatype.find()?)?))),
        false => Ok(None),
    }
}

/// Room of the program for elements.
fn sink(buf: OutBuf, count: i64, datatype: &Datatype) -> Result<Sink> {
    // SAFETY: the program promises it until the operation has ended.
    unsafe { memory::sink(buf, count, datatype) }
}

/// As [`source`], of blocks.
fn blocked_source(buf: Buf, blocks: &Blocked) -> Result<Source> {
    // SAFETY: the program promises them until the operation has ended.
    unsafe { memory::blocked_source(buf, blocks) }
}

/// As [`sink`], of blocks.
fn blocked_sink(buf: OutBuf, blocks: &Blocked) -> Result<Sink> {
    // SAFETY: the program promises it until the operation has ended.
    unsafe { memory::blocked_sink(buf, blocks) }
}

/// The two buffers of a call: what is read and what is written may not be the same.
fn ends(send: Option<(Buf, Source)>, receive: Option<(OutBuf, Sink)>) -> Result<Ends> {
    if let (Some((from, input)), Some((to, output))) = (&send, &receive) {
        let is_same = from.0 == to.0.cast_const() && !from.0.is_null();
        if is_same && !input.is_empty() && output.capacity() > 0 {
            return Err(Error::new(
                Class::Buffer,
                "the buffers are the same: use MPI_IN_PLACE",
            ));
        }
    }
    Ok(Ends {
        input: send.map(|(_, input)| input),
        output: receive.map(|(_, output)| output),
    })
}

/// What a rank gives itself has to be what it has room for.
fn check_own(len: usize, room: usize) -> Result<()> {
    match len == room {
        true => Ok(()),
        false => Err(Error::new(
            Class::Truncate,
            format!("this rank gives itself {len} bytes and has room for {room}"),
        )),
    }
}

/// One block for each rank, of counts and displacements in elements.
fn blocks(
    ranks: usize,
    datatype: &Datatype,
    counts: Numbers,
    displacements: Numbers,
) -> Result<Blocked> {
    check_array("counts", ranks, counts)?;
    check_array("displacements", ranks, displacements)?;
    Blocked::of_one(
        ranks,
        datatype,
        |rank| counts.at(rank),
        |rank| displacements.at(rank),
    )
}

/// One block for each rank, each of a datatype of its own, with displacements in bytes.
fn blocks_of_types(
    ranks: usize,
    datatypes: Array<Handle>,
    counts: Numbers,
    displacements: Numbers,
) -> Result<(Blocked, fn() -> Word)> {
    check_array("counts", ranks, counts)?;
    check_array("displacements", ranks, displacements)?;
    let handles = datatypes.read(ranks)?;
    let datatypes = handles.iter().map(Handle::find);
    let datatypes = datatypes.collect::<Result<Vec<_>>>()?;
    let blocks = Blocked::of_several(
        &datatypes,
        |rank| counts.at(rank),
        |rank| displacements.at(rank),
    )?;
    let mut used = (0..ranks).filter(|rank| blocks.len(*rank) > 0);
    let word = used
        .next()
        .map_or((|| Word::Fixed(1)) as fn() -> Word, |rank| {
            words(datatypes[rank])
        });
    let is_uniform = used.all(|rank| words(datatypes[rank])() == word());
    Ok((blocks, if is_uniform { word } else { || Word::Opaque }))
}

fn check_array(what: &str, len: usize, array: Numbers) -> Result<()> {
    match len > 0 && array.address() == 0 {
        false => Ok(()),
        true => Err(Error::new(Class::Arg, format!("the {what} are NULL"))),
    }
}
