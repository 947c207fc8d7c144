//! What is known of a message or operation that has ended (MPI 5.0, 3.2.5).

use super::comm::{ANY_SOURCE, ANY_TAG, Comm, PROC_NULL};
use super::error::Error;
use crate::engine::{EngineError, Envelope};

/// The status of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Rank of the sender.
    pub source: i32,
    /// Tag of the message.
    pub tag: i32,
    /// Bytes received.
    pub bytes: u64,
    /// The operation was cancelled.
    pub cancelled: bool,
}

impl Status {
    /// Of no operation, and of those that receive nothing.
    pub const EMPTY: Self = Self {
        source: ANY_SOURCE,
        tag: ANY_TAG,
        bytes: 0,
        cancelled: false,
    };

    /// Of a message from or to nobody.
    pub const PROC_NULL: Self = Self {
        source: PROC_NULL,
        ..Self::EMPTY
    };

    /// Of a message in a communicator.
    #[inline]
    pub fn of(comm: &Comm, envelope: &Envelope) -> Self {
        Self {
            source: comm.source_of(envelope.source),
            tag: envelope.tag,
            bytes: envelope.len,
            cancelled: false,
        }
    }
}

/// How an operation has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: Status,
    /// What went wrong, and in which communicator.
    pub failure: Option<(Error, Option<Comm>)>,
}

impl Ended {
    /// Well.
    #[inline]
    pub fn well(status: Status) -> Self {
        Self {
            status,
            failure: None,
        }
    }

    /// Of a send.
    pub fn sent(comm: &Comm, result: Result<(), EngineError>) -> Self {
        match result {
            Ok(()) => Self::well(Status::EMPTY),
            Err(error) => Self::failed(comm, error),
        }
    }

    /// Of a receive.
    #[inline]
    pub fn received(comm: &Comm, result: Result<Envelope, EngineError>) -> Self {
        match result {
            Ok(envelope) => Self::well(Status::of(comm, &envelope)),
            Err(error) => Self::failed(comm, error),
        }
    }

    /// Of a send or a receive that has failed.
    #[cold]
    pub fn failed(comm: &Comm, error: EngineError) -> Self {
        match error {
            EngineError::Cancelled => Self::well(Status {
                cancelled: true,
                ..Status::EMPTY
            }),
            EngineError::Truncated {
                envelope, capacity, ..
            } => {
                let status = Status {
                    bytes: capacity,
                    ..Status::of(comm, &envelope)
                };
                Self::badly(comm, status, truncated(comm, &envelope, capacity))
            }
            error => Self::badly(comm, Status::EMPTY, error),
        }
    }

    /// With an error in a communicator.
    #[cold]
    pub fn badly(comm: &Comm, status: Status, error: impl Into<Error>) -> Self {
        Self {
            status,
            failure: Some((error.into(), Some(comm.clone()))),
        }
    }
}

/// Names both sides of a message that is too long.
fn truncated(comm: &Comm, envelope: &Envelope, capacity: u64) -> Error {
    let Envelope { tag, len, .. } = envelope;
    let (source, me) = (comm.source_of(envelope.source), comm.rank);
    let (group, place) = (comm.source_group(), comm.called());
    Error::new(
        super::Class::Truncate,
        format!(
            "rank {source}{group} sent {len} bytes with tag {tag} in {place} to rank {me}, \
             which has room for {capacity}"
        ),
    )
}
