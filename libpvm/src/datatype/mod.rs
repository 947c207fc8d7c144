//! What messages are made of: layouts of memory, and the two ends of a message in memory.
//!
//! A datatype is flattened once into a [`Layout`]: runs of bytes, or their pattern, and an extent. A message end is a
//! [`Source`] or a [`Sink`]: memory plus layout, read or written in *packed* offsets. Contiguous
//! memory never goes through the run interpreter. A [`Workspace`] is memory whose parts are message
//! ends of several requests at a time.
//!
//! How numbers lie in memory is not the same on all hosts: a message has a [`Form`].

mod buffer;
mod copy;
mod form;
mod format;
mod layout;
mod short;
mod workspace;

pub use buffer::{Lease, Sink, Source, lend, lend_mut, transfer};
pub use copy::copy_past;
pub use form::{Change, Form, UnlikeError, Word};
pub use layout::{Layout, LayoutBuilder, LayoutError, Run};
pub use short::{SHORT, ShortSink, ShortSource};
pub use workspace::{AREAS, Area, LoanError, Workspace};
