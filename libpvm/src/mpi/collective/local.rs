//! Combining without communication.

use super::super::error::{Class, Error, Result};
use crate::collective::Op;
use crate::datatype::{LoanError, Sink, Source, Workspace};

/// `into = from op into`.
///
/// # Errors
/// [`Class::Arg`] when they are not of one length.
pub fn reduce_local(op: &Op, from: Source, into: Sink) -> Result<()> {
    let len = from.len();
    let mut workspace = Workspace::new();
    let combine = || {
        workspace.set_source(0, from)?;
        workspace.set_sink(1, into)?;
        workspace.combine((0, 0), (1, 0), len, |from, into| op.apply(from, into))
    };
    combine().map_err(|error: LoanError| Error::new(Class::Arg, error.to_string()))
}
