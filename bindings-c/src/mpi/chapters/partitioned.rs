//! Partitioned communication (MPI 5.0, chapter 4).

use pvm::datatype::{Sink, Source};
use pvm::mpi::comm::{PROC_NULL, send_tag};
use pvm::mpi::partitioned::{self, Memory, Partitioned, Receiver, Sender};
use pvm::mpi::request::Starter;
use pvm::mpi::{self, Class, Datatype, Error, Request};

use super::super::failure::Outcome;
use super::super::memory::{sink, source};
use super::super::raw::{self, Buf, Numbers, Out, OutBuf, OutInt};
use super::point::{give, with_nobody};
use super::{info, requests};

/// The memory of the partitions of a request.
struct Partitions {
    address: usize,
    partitions: usize,
    /// Elements of each.
    count: i64,
    datatype: Datatype,
}

impl Partitions {
    fn new(address: usize, partitions: i32, count: i64, datatype: &Datatype) -> mpi::Result<Self> {
        Ok(Self {
            address,
            partitions: partitioned::count(partitions)?,
            count,
            datatype: datatype.clone(),
        })
    }

    /// Elements of all; more than there can be, if the number is too great.
    fn total(&self) -> i64 {
        self.count.saturating_mul(self.partitions as i64)
    }

    /// Where an element is. All of them fit the address space.
    fn address_of(&self, element: i64) -> usize {
        let offset = element.wrapping_mul(self.datatype.extent());
        self.address.wrapping_add_signed(offset as isize)
    }

    /// Elements that are sent.
    ///
    /// # Safety
    /// As [`source`].
    unsafe fn source(&self, first: i64, count: i64) -> mpi::Result<Source> {
        let address = self.address_of(first) as *const _;
        // SAFETY: as promised by the caller.
        unsafe { source(Buf(address), count, &self.datatype) }
    }

    /// Elements that are received.
    ///
    /// # Safety
    /// As [`sink`].
    unsafe fn sink(&self, first: i64, count: i64) -> mpi::Result<Sink> {
        let address = self.address_of(first) as *mut _;
        // SAFETY: as promised by the caller.
        unsafe { sink(OutBuf(address), count, &self.datatype) }
    }

    fn of_nobody(&self, comm: &mpi::Comm) -> Request {
        let starter: Starter = Box::new(|| Ok(with_nobody()));
        Request::partitioned(comm, starter, Partitioned::Nobody(self.partitions))
    }
}

pub fn psend_init(
    buf: Buf,
    partitions: i32,
    count: i64,
    datatype: &Datatype,
    dest: i32,
    tag: i32,
    comm: &mpi::Comm,
    info: raw::Info,
    request: Out<raw::Request>,
) -> Outcome {
    info::given(&info)?;
    let tag = send_tag(tag)?;
    let to = comm.target(dest)?;
    let memory = Partitions::new(buf.0 as usize, partitions, count, datatype)?;
    // SAFETY: it is dropped at once.
    let total = unsafe { memory.source(0, memory.total()) }?.len();
    let Some(to) = to else {
        return give(request, memory.of_nobody(comm));
    };
    let partitions = (memory.partitions, total / memory.partitions);
    let part = Box::new(move |number: usize| {
        // SAFETY: the program promises a partition that is ready until the request has ended.
        unsafe { memory.source(memory.count * number as i64, memory.count) }
    });
    let sender = Sender::start(comm, (to, tag), partitions, part)?;
    let starter = sender.starter();
    give(
        request,
        Request::partitioned(comm, starter, Partitioned::Send(sender)),
    )
}

pub fn precv_init(
    buf: OutBuf,
    partitions: i32,
    count: i64,
    datatype: &Datatype,
    source: i32,
    tag: i32,
    comm: &mpi::Comm,
    info: raw::Info,
    request: Out<raw::Request>,
) -> Outcome {
    info::given(&info)?;
    let tag = send_tag(tag)?;
    // No wildcards here.
    let from = match source {
        PROC_NULL => None,
        source => comm.source(source).map(Some)?,
    };
    let memory = Partitions::new(buf.0 as usize, partitions, count, datatype)?;
    // SAFETY: it is dropped at once.
    let total = unsafe { memory.sink(0, memory.total()) }?.capacity();
    let Some(from) = from else {
        return give(request, memory.of_nobody(comm));
    };
    let elements = count as usize;
    let size = total.checked_div(elements * memory.partitions).unwrap_or(0);
    let partitions = memory.partitions;
    let room = Box::new(move |first: usize, count: usize| {
        // SAFETY: the program promises the buffer while the request is active, which is when it is
        // asked for.
        unsafe { memory.sink(first as i64, count as i64) }
    });
    let memory = Memory {
        partitions,
        elements,
        size,
        room,
    };
    let receiver = Receiver::start(comm, (from, source, tag), memory)?;
    let starter = receiver.starter();
    give(
        request,
        Request::partitioned(comm, starter, Partitioned::Receive(receiver)),
    )
}

pub fn pready(partition: i32, request: raw::Request) -> Outcome {
    pready_range(partition, partition, request)
}

pub fn pready_range(partition_low: i32, partition_high: i32, request: raw::Request) -> Outcome {
    let partitioned = requests::real(&request)?.partitions()?;
    if partition_low > partition_high {
        let detail = format!("partitions {partition_low} to {partition_high}");
        return Err(Error::new(Class::Arg, detail).into());
    }
    Ok(partitioned.ready(partition_low..=partition_high)?)
}

pub fn pready_list(length: i32, array_of_partitions: Numbers, request: raw::Request) -> Outcome {
    let partitioned = requests::real(&request)?.partitions()?;
    let length = usize::try_from(length)
        .map_err(|_| Error::new(Class::Count, format!("{length} partitions")))?;
    let partitions = array_of_partitions.read(length)?;
    // They came as ints.
    let partitions = partitions.into_iter().map(|number| number as i32);
    Ok(partitioned.ready(partitions)?)
}

pub fn parrived(request: raw::Request, partition: i32, flag: OutInt) -> Outcome {
    let arrived = match requests::find(&request)? {
        Some(request) => request.partitions()?.has_arrived(partition)?,
        None => true,
    };
    flag.set_flag(arrived);
    Ok(())
}
