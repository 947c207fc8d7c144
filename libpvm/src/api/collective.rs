//! Collectives: calls that all ranks of a communicator make, in the same order.

use super::communicator::Communicator;
use super::error::{Error, Result};
use super::plain::{Plain, plain_hash, word};
use super::port::unbox;
use super::reduction::{Caught, Operation, Reduction};
use super::request::Request;
use super::status::Status;
use crate::collective::{
    Blocks, Call, CallError, Delivery, Op, Place, Run, Scratch, Setup, Vector, plan,
};
use crate::datatype::{Sink, Source, Word, lend, lend_mut};
use crate::engine::Outcome;
use crate::ids::Rank;
use crate::wire::value;
use bytemuck::allocation::{box_bytes_of, try_zeroed_slice_box};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, PoisonError};

/// In place of a length: the root has nothing to give.
const NOTHING: u64 = u64::MAX;

/// What a call is, besides its buffers.
struct Job<'a> {
    call: Call<'a>,
    element: u32,
    word: fn() -> Word,
    op: Option<Op>,
    in_place: bool,
}

impl<'a> Job<'a> {
    fn of<T: Plain>(call: Call<'a>) -> Self {
        Self {
            call,
            element: plain_hash::<T>(),
            word: word::<T>,
            op: None,
            in_place: false,
        }
    }

    fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    fn with_op(mut self, op: Op) -> Self {
        self.op = Some(op);
        self
    }

    /// Equal in all ranks that make the same call; the highest bit is not used.
    fn check(&self) -> u32 {
        let number = match self.call {
            Call::Barrier => 1,
            Call::Broadcast { .. } => 2,
            Call::Gather { .. } | Call::Gatherv { .. } => 3,
            Call::Scatter { .. } | Call::Scatterv { .. } => 4,
            Call::Allgather { .. } | Call::Allgatherv { .. } => 5,
            Call::Alltoall { .. } | Call::Alltoallv { .. } => 6,
            Call::Reduce { .. } => 7,
            Call::Allreduce(_) => 8,
            Call::Scan(_) => 9,
            Call::Exscan(_) => 10,
            Call::ReduceScatter { .. } => 11,
        };
        (self.element.rotate_left(number) ^ number) & (u32::MAX >> 1)
    }
}

/// Synchronization and copies of data.
impl Communicator {
    /// Waits until all ranks have come here.
    ///
    /// # Errors
    /// [`PeerGone`](Error::PeerGone) when a rank has ended.
    pub fn barrier(&self) -> Result<()> {
        self.collect(Job::of::<u8>(Call::Barrier), None::<&[u8]>, None)
    }

    /// The root's data goes to all others, who give room of the same length.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange); [`PeerGone`](Error::PeerGone);
    /// [`Collective`](Error::Collective) when the lengths differ.
    pub fn broadcast<T: Plain>(&self, root: Rank, data: &mut [T]) -> Result<()> {
        let len = size_of_val(data);
        let job = Job::of::<T>(Call::Broadcast { root, len }).in_place();
        self.collect(job, None::<&[T]>, Some(data))
    }

    /// The root's value, which it gives as `Some`, goes to all.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`]; [`Unsendable`](Error::Unsendable) at the root.
    pub fn broadcast_value<T: Serialize + DeserializeOwned>(
        &self,
        root: Rank,
        value: Option<T>,
    ) -> Result<T> {
        self.member(root)?;
        let is_root = self.rank() == root;
        let encoded = match &value {
            Some(value) if is_root => Some(value::encode(value).map_err(Error::Unsendable)),
            _ => None,
        };
        let known = encoded.as_ref().and_then(|encoded| encoded.as_ref().ok());
        let mut len = [known.map_or(NOTHING, |bytes| bytes.len() as u64)];
        self.broadcast(root, &mut len)?;
        let encoded = encoded.transpose()?;
        if len[0] == NOTHING {
            return Err(Error::Collective("the root has no value"));
        }
        let mut bytes = encoded.map_or_else(|| zeroed(length(len[0])?), Ok)?;
        self.broadcast(root, &mut bytes)?;
        match value {
            Some(value) if is_root => Ok(value),
            _ => decode(&bytes),
        }
    }

    /// A block of every rank, all of one length, comes together at the root, in rank order. Only
    /// the root gets `Some`.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn gather<T: Plain>(&self, root: Rank, data: &[T]) -> Result<Option<Vec<T>>> {
        let job = Job::of::<T>(Call::Gather {
            root,
            len: size_of_val(data),
        });
        let mut all = self.room_at(root, data.len())?;
        self.collect(job, Some(data), Some(&mut all))?;
        Ok((self.rank() == root).then_some(all))
    }

    /// As [`Communicator::gather`] with blocks of any length.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn gatherv<T: Plain>(&self, root: Rank, data: &[T]) -> Result<Option<Vec<Vec<T>>>> {
        let lens = self.gather(root, &[size_of_val(data) as u64])?;
        let cut = Cut::of(lens.as_deref().unwrap_or_default())?;
        let mut all = zeroed::<T>(cut.total / size_of::<T>())?;
        let len = size_of_val(data);
        let job = Job::of::<T>(Call::Gatherv {
            root,
            len,
            blocks: cut.blocks(),
        });
        self.collect(job, Some(data), Some(&mut all))?;
        Ok((self.rank() == root).then(|| cut.split(&all)))
    }

    /// A value of every rank comes together at the root. Only the root gets `Some`.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`]; [`Unsendable`](Error::Unsendable).
    pub fn gather_value<T: Serialize + DeserializeOwned>(
        &self,
        root: Rank,
        value: &T,
    ) -> Result<Option<Vec<T>>> {
        let bytes = value::encode(value).map_err(Error::Unsendable)?;
        let all = self.gatherv(root, &bytes)?;
        all.map(|all| all.iter().map(|bytes| decode(bytes)).collect())
            .transpose()
    }

    /// A block of every rank, all of one length, goes to all ranks, in rank order.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn allgather<T: Plain>(&self, data: &[T]) -> Result<Vec<T>> {
        let job = Job::of::<T>(Call::Allgather {
            len: size_of_val(data),
        });
        let mut all = zeroed(product(data.len(), self.size())?)?;
        self.collect(job, Some(data), Some(&mut all))?;
        Ok(all)
    }

    /// As [`Communicator::allgather`] with blocks of any length.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn allgatherv<T: Plain>(&self, data: &[T]) -> Result<Vec<Vec<T>>> {
        let cut = Cut::of(&self.allgather(&[size_of_val(data) as u64])?)?;
        let mut all = zeroed::<T>(cut.total / size_of::<T>())?;
        let job = Job::of::<T>(Call::Allgatherv {
            blocks: cut.blocks(),
        });
        self.collect(job, Some(data), Some(&mut all))?;
        Ok(cut.split(&all))
    }

    /// A value of every rank goes to all ranks.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`]; [`Unsendable`](Error::Unsendable).
    pub fn allgather_value<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<Vec<T>> {
        let bytes = value::encode(value).map_err(Error::Unsendable)?;
        self.allgatherv(&bytes)?
            .iter()
            .map(|bytes| decode(bytes))
            .collect()
    }

    /// Every rank gets its block of the root's data, as long as the room it gives. `data` counts
    /// at the root only.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`]; [`WrongLength`](Error::WrongLength) at the root when its
    /// data is not one block for each rank.
    pub fn scatter<T: Plain>(&self, root: Rank, data: &[T], room: &mut [T]) -> Result<()> {
        let is_root = self.rank() == root;
        if is_root {
            let expected = product(room.len(), self.size())?;
            check_length("the data to scatter", expected, data.len())?;
        }
        let job = Job::of::<T>(Call::Scatter {
            root,
            len: size_of_val(room),
        });
        self.collect(job, is_root.then_some(data), Some(room))
    }

    /// Every rank gets its part of the root's data. `parts` counts at the root only.
    ///
    /// # Errors
    /// As [`Communicator::scatter`].
    pub fn scatterv<T: Plain>(&self, root: Rank, parts: &[Vec<T>]) -> Result<Vec<T>> {
        let is_root = self.rank() == root;
        let mut lens = Vec::new();
        if is_root {
            check_length("the list of parts", self.size(), parts.len())?;
            lens.extend(parts.iter().map(|part| size_of_val(&part[..]) as u64));
        }
        let mut len = [0u64];
        self.scatter(root, &lens, &mut len)?;
        let cut = Cut::of(&lens)?;
        let mut room = zeroed::<T>(length(len[0])? / size_of::<T>())?;
        let data = if is_root { parts.concat() } else { Vec::new() };
        let len = size_of_val(&room[..]);
        let job = Job::of::<T>(Call::Scatterv {
            root,
            len,
            blocks: cut.blocks(),
        });
        self.collect(job, is_root.then_some(&data[..]), Some(&mut room))?;
        Ok(room)
    }

    /// Every rank has a block for every rank, all of one length; each gets its own from all, in
    /// rank order.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`]; [`WrongLength`](Error::WrongLength) when the data is not
    /// one block for each rank.
    pub fn alltoall<T: Plain>(&self, data: &[T]) -> Result<Vec<T>> {
        let each = data.len() / self.size();
        check_length("the data to exchange", each * self.size(), data.len())?;
        let job = Job::of::<T>(Call::Alltoall {
            len: each * size_of::<T>(),
        });
        let mut all = zeroed(data.len())?;
        self.collect(job, Some(data), Some(&mut all))?;
        Ok(all)
    }

    /// Every rank has a part of any length for every rank; each gets its own from all.
    ///
    /// # Errors
    /// As [`Communicator::alltoall`].
    pub fn alltoallv<T: Plain>(&self, parts: &[Vec<T>]) -> Result<Vec<Vec<T>>> {
        check_length("the list of parts", self.size(), parts.len())?;
        let lens: Vec<u64> = parts
            .iter()
            .map(|part| size_of_val(&part[..]) as u64)
            .collect();
        let (to, from) = (Cut::of(&lens)?, Cut::of(&self.alltoall(&lens)?)?);
        let mut all = zeroed::<T>(from.total / size_of::<T>())?;
        let call = Call::Alltoallv {
            input: to.blocks(),
            output: from.blocks(),
        };
        self.collect(
            Job::of::<T>(call),
            Some(&parts.concat()[..]),
            Some(&mut all),
        )?;
        Ok(from.split(&all))
    }
}

/// Reductions: element by element over the ranks. All ranks give vectors of one length.
impl Communicator {
    /// The root gets the combination of all ranks' data; only it gets `Some`.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn reduce<T: Plain>(
        &self,
        root: Rank,
        data: &[T],
        how: impl Reduction<T>,
    ) -> Result<Option<Vec<T>>> {
        let operation = how.into_operation();
        let call = Call::Reduce {
            root,
            vector: vector::<T>(data.len(), &operation.op),
        };
        let result = self.combine(call, data, operation)?;
        Ok((self.rank() == root).then_some(result))
    }

    /// All ranks get the combination of all ranks' data.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn allreduce<T: Plain>(&self, data: &[T], how: impl Reduction<T>) -> Result<Vec<T>> {
        let operation = how.into_operation();
        let call = Call::Allreduce(vector::<T>(data.len(), &operation.op));
        self.combine(call, data, operation)
    }

    /// Every rank gets the combination of the data of the ranks up to itself.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn scan<T: Plain>(&self, data: &[T], how: impl Reduction<T>) -> Result<Vec<T>> {
        let operation = how.into_operation();
        let call = Call::Scan(vector::<T>(data.len(), &operation.op));
        self.combine(call, data, operation)
    }

    /// Every rank gets the combination of the data of the ranks before itself; rank 0 gets `None`.
    ///
    /// # Errors
    /// As [`Communicator::broadcast`].
    pub fn exscan<T: Plain>(&self, data: &[T], how: impl Reduction<T>) -> Result<Option<Vec<T>>> {
        let operation = how.into_operation();
        let call = Call::Exscan(vector::<T>(data.len(), &operation.op));
        let result = self.combine(call, data, operation)?;
        Ok((self.rank() > 0).then_some(result))
    }

    fn combine<T: Plain>(
        &self,
        call: Call<'_>,
        data: &[T],
        operation: Operation,
    ) -> Result<Vec<T>> {
        let mut result = zeroed(data.len())?;
        let job = Job::of::<T>(call).with_op(operation.op);
        let ended = self.collect(job, Some(data), Some(&mut result));
        operation.panic.resume();
        ended.map(|()| result)
    }
}

/// Non-blocking collectives. All ranks start them in the same order, among the blocking ones.
impl Communicator {
    /// Starts a barrier.
    ///
    /// # Errors
    /// Only when this thread may not use the virtual machine; so for all of these.
    pub fn ibarrier(&self) -> Result<Request<()>> {
        let started = self.launch::<u8>(Job::of::<u8>(Call::Barrier), None, None)?;
        Ok(self.request(started, Caught::default(), |_: Vec<u8>| ()))
    }

    /// Starts a broadcast; the vector comes back with the root's data.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange).
    pub fn ibroadcast<T: Plain>(&self, root: Rank, data: Vec<T>) -> Result<Request<Vec<T>>> {
        let len = size_of_val(&data[..]);
        let job = Job::of::<T>(Call::Broadcast { root, len }).in_place();
        let started = self.launch::<T>(job, None, Some(data))?;
        Ok(self.request(started, Caught::default(), |data| data))
    }

    /// Starts a gather; the root gets `Some`.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange).
    pub fn igather<T: Plain>(&self, root: Rank, data: Vec<T>) -> Result<Request<Option<Vec<T>>>> {
        let job = Job::of::<T>(Call::Gather {
            root,
            len: size_of_val(&data[..]),
        });
        let all = self.room_at(root, data.len())?;
        let started = self.launch(job, Some(data), Some(all))?;
        let is_root = self.rank() == root;
        Ok(self.request(started, Caught::default(), move |all| {
            is_root.then_some(all)
        }))
    }

    /// Starts an allgather.
    ///
    /// # Errors
    /// As [`Communicator::ibarrier`].
    pub fn iallgather<T: Plain>(&self, data: Vec<T>) -> Result<Request<Vec<T>>> {
        let job = Job::of::<T>(Call::Allgather {
            len: size_of_val(&data[..]),
        });
        let all = zeroed(product(data.len(), self.size())?)?;
        let started = self.launch(job, Some(data), Some(all))?;
        Ok(self.request(started, Caught::default(), |all| all))
    }

    /// Starts an alltoall.
    ///
    /// # Errors
    /// [`WrongLength`](Error::WrongLength).
    pub fn ialltoall<T: Plain>(&self, data: Vec<T>) -> Result<Request<Vec<T>>> {
        let each = data.len() / self.size();
        check_length("the data to exchange", each * self.size(), data.len())?;
        let job = Job::of::<T>(Call::Alltoall {
            len: each * size_of::<T>(),
        });
        let all = zeroed(data.len())?;
        let started = self.launch(job, Some(data), Some(all))?;
        Ok(self.request(started, Caught::default(), |all| all))
    }

    /// Starts a reduction; the root gets `Some`.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange).
    pub fn ireduce<T: Plain>(
        &self,
        root: Rank,
        data: Vec<T>,
        how: impl Reduction<T>,
    ) -> Result<Request<Option<Vec<T>>>> {
        let operation = how.into_operation();
        let call = Call::Reduce {
            root,
            vector: vector::<T>(data.len(), &operation.op),
        };
        let is_root = self.rank() == root;
        self.icombine(call, data, operation, move |all| is_root.then_some(all))
    }

    /// Starts a reduction whose result all ranks get.
    ///
    /// # Errors
    /// As [`Communicator::ibarrier`].
    pub fn iallreduce<T: Plain>(
        &self,
        data: Vec<T>,
        how: impl Reduction<T>,
    ) -> Result<Request<Vec<T>>> {
        let operation = how.into_operation();
        let call = Call::Allreduce(vector::<T>(data.len(), &operation.op));
        self.icombine(call, data, operation, |all| all)
    }

    /// Starts a scan.
    ///
    /// # Errors
    /// As [`Communicator::ibarrier`].
    pub fn iscan<T: Plain>(&self, data: Vec<T>, how: impl Reduction<T>) -> Result<Request<Vec<T>>> {
        let operation = how.into_operation();
        let call = Call::Scan(vector::<T>(data.len(), &operation.op));
        self.icombine(call, data, operation, |all| all)
    }

    fn icombine<T: Plain, R: Send + 'static>(
        &self,
        call: Call<'_>,
        data: Vec<T>,
        operation: Operation,
        result: impl FnOnce(Vec<T>) -> R + Send + 'static,
    ) -> Result<Request<R>> {
        let room = zeroed(data.len())?;
        let job = Job::of::<T>(call).with_op(operation.op);
        let started = self.launch(job, Some(data), Some(room))?;
        Ok(self.request(started, operation.panic, result))
    }
}

/// A collective inside the engine.
struct Started {
    id: crate::engine::RequestId,
    delivery: Delivery,
}

impl Communicator {
    /// Goes through a collective.
    fn collect<T: Plain>(
        &self,
        job: Job<'_>,
        input: Option<&[T]>,
        output: Option<&mut [T]>,
    ) -> Result<()> {
        let (setup, scratch) = self.prepare(job)?;
        let input: Option<&[u8]> = input.map(bytemuck::cast_slice);
        let output: Option<&mut [u8]> = output.map(bytemuck::cast_slice_mut);
        let run = |source: Option<Source>, sink: Option<Sink>| {
            let mut run = Run::new(setup, scratch, source, sink)?;
            let ended = run.wait(&self.shared().core)?;
            // The lent buffers are dropped here.
            self.put_scratch(run.finish().scratch);
            Ok(ended?)
        };
        match (input, output) {
            (None, None) => run(None, None),
            (Some(input), None) => lend(input, |source| run(Some(source), None)),
            (None, Some(output)) => lend_mut(output, |sink| run(None, Some(sink))),
            (Some(input), Some(output)) => lend(input, |source| {
                lend_mut(output, |sink| run(Some(source), Some(sink)))
            }),
        }
    }

    /// Starts a collective inside the engine.
    fn launch<T: Plain>(
        &self,
        job: Job<'_>,
        input: Option<Vec<T>>,
        output: Option<Vec<T>>,
    ) -> Result<Started> {
        let (setup, scratch) = self.prepare(job)?;
        let source = input.map(|data| Source::from_boxed(box_bytes_of(data.into_boxed_slice())));
        let sink = output.map(|data| Sink::from_boxed(box_bytes_of(data.into_boxed_slice())));
        let delivery = Delivery::default();
        let run = Run::new(setup, scratch, source, sink)?.deliver_to(&delivery);
        let id = self
            .shared()
            .core
            .with(|engine| engine.start(Box::new(run)))?;
        Ok(Started { id, delivery })
    }

    /// The request of a started collective; `result` makes what it gives from the output.
    fn request<T: Plain, R>(
        &self,
        started: Started,
        panic: Caught,
        result: impl FnOnce(Vec<T>) -> R + Send + 'static,
    ) -> Request<R> {
        let communicator = self.clone();
        let Started { id, delivery } = started;
        Request::collective(
            Arc::clone(&self.shape.shared),
            id,
            move |outcome: Outcome| {
                let finished = delivery.take();
                panic.resume();
                let envelope = outcome.result?;
                let mut data = Vec::new();
                if let Some(finished) = finished {
                    communicator.put_scratch(finished.scratch);
                    data = finished
                        .output
                        .and_then(Sink::into_boxed)
                        .and_then(unbox)
                        .unwrap_or(data);
                }
                let status = Status {
                    source: communicator.rank(),
                    tag: envelope.tag,
                    len: 0,
                };
                Ok((result(data), status))
            },
        )
    }

    /// The schedule of a call, and what goes with it.
    fn prepare(&self, job: Job<'_>) -> Result<(Setup, Scratch)> {
        let shape = &self.shape;
        let mut state = shape.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place {
            rank: shape.rank,
            topology: &shape.circle.topology,
            in_place: job.in_place,
        };
        let mut scratch = std::mem::take(&mut state.scratch);
        scratch.schedule().clear();
        plan(scratch.schedule(), &job.call, &place)?;
        let setup = Setup {
            members: Arc::clone(&shape.circle.collective_members),
            context: shape.circle.collective_context(),
            tag: state.tags.next_tag(),
            check: job.check(),
            word: job.word,
            op: job.op,
            beyond: None,
        };
        Ok((setup, scratch))
    }

    fn put_scratch(&self, scratch: Scratch) {
        let mut state = self
            .shape
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.scratch = scratch;
    }

    /// Room for a block of every rank at the root, none elsewhere.
    fn room_at<T: Plain>(&self, root: Rank, each: usize) -> Result<Vec<T>> {
        let blocks = if self.rank() == root { self.size() } else { 0 };
        zeroed(product(each, blocks)?)
    }
}

/// Where blocks of given lengths lie, one behind the other. In bytes.
struct Cut {
    lens: Vec<usize>,
    starts: Vec<usize>,
    total: usize,
}

impl Cut {
    fn of(lens: &[u64]) -> Result<Self> {
        let mut cut = Self {
            lens: Vec::new(),
            starts: Vec::new(),
            total: 0,
        };
        for &len in lens {
            cut.starts.push(cut.total);
            cut.lens.push(length(len)?);
            let end = cut.total.checked_add(length(len)?);
            cut.total = end.ok_or(Error::NoMemory { len })?;
        }
        Ok(cut)
    }

    fn blocks(&self) -> Blocks<'_> {
        Blocks::Listed {
            lens: &self.lens,
            starts: &self.starts,
        }
    }

    fn split<T: Plain>(&self, all: &[T]) -> Vec<Vec<T>> {
        let element = |bytes: &usize| bytes / size_of::<T>();
        let (starts, lens) = (
            self.starts.iter().map(element),
            self.lens.iter().map(element),
        );
        starts
            .zip(lens)
            .map(|(start, len)| all[start..start + len].to_vec())
            .collect()
    }
}

fn vector<T: Plain>(count: usize, op: &Op) -> Vector {
    Vector {
        count,
        element: size_of::<T>(),
        commutative: op.is_commutative(),
    }
}

fn check_length(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        Ok(())
    } else {
        Err(Error::WrongLength {
            what,
            expected,
            got,
        })
    }
}

/// A length that another rank has named.
fn length(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::NoMemory { len })
}

fn product(count: usize, size: usize) -> Result<usize> {
    count
        .checked_mul(size)
        .ok_or(Error::NoMemory { len: u64::MAX })
}

/// Zeroed room for so many elements, which another rank may have named.
fn zeroed<T: Plain>(count: usize) -> Result<Vec<T>> {
    const {
        assert!(
            size_of::<T>() > 0,
            "elements of messages need at least one byte"
        )
    };
    let too_much = |()| Error::NoMemory {
        len: (count as u64).saturating_mul(size_of::<T>() as u64),
    };
    Ok(try_zeroed_slice_box(count).map_err(too_much)?.into_vec())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    value::decode(bytes).map_err(|error| Error::Malformed {
        why: error.to_string(),
    })
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoSuchRank { rank, size } => Error::RankOutOfRange { rank, size },
            _ => Error::Collective("the blocks do not fit the communicator or the address space"),
        }
    }
}
