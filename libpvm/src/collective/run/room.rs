//! What one run leaves for the next.

use super::hurry::Awaited;
use super::{Difference, Pending, Setup};
use crate::collective::schedule::{Buffer, Schedule};
use crate::datatype::{LoanError, Sink, Source, Workspace};
use crate::ids::Rank;

/// Most room of its own that a call leaves for the next, in bytes.
const ROOM_KEPT_MAX: usize = 1 << 20;

/// Memory that one call leaves for the next. A new one costs nothing.
#[derive(Default)]
pub struct Scratch(pub(super) Option<Box<Room>>);

impl From<Schedule> for Scratch {
    fn from(schedule: Schedule) -> Self {
        let mut scratch = Self::default();
        *scratch.schedule() = schedule;
        scratch
    }
}

impl Scratch {
    /// The schedule of the last call, or the one that was made in its place.
    pub fn schedule(&mut self) -> &mut Schedule {
        &mut self.0.get_or_insert_default().schedule
    }
}

/// What is in it: in its place for as long as calls come, for it would take longer to move it from hand to hand than
/// to go through the steps of a small call.
#[derive(Default)]
pub(super) struct Room {
    pub setup: Setup,
    pub schedule: Schedule,
    pub workspace: Workspace,
    pub pending: Vec<Pending>,
    pub awaited: Vec<Awaited>,
}

/// What a finished run gives back.
pub struct Finished {
    /// The input, if there was one.
    pub input: Option<Source>,
    /// The output, if there was one.
    pub output: Option<Sink>,
    /// A rank with which others disagree, and on what.
    pub disagreement: Option<(Rank, Difference)>,
    /// For the next call.
    pub scratch: Scratch,
}

impl Room {
    /// Separates the buffers of the program from what is kept.
    pub fn finish(mut self: Box<Self>, disagreement: Option<(Rank, Difference)>) -> Finished {
        let input = self.workspace.take_source(Buffer::Input as usize);
        let output = self.workspace.take_sink(Buffer::Output as usize);
        Finished {
            input,
            output,
            disagreement,
            scratch: self.leave(),
        }
    }

    /// Keeps all but the buffers of the program, and too much room.
    fn leave(mut self: Box<Self>) -> Scratch {
        self.clear();
        Scratch(Some(self))
    }

    /// Drops the buffers of the program, its function, and too much room.
    #[inline]
    pub fn clear(&mut self) {
        self.setup.op.take_if(|op| op.kind().is_none());
        let workspace = &mut self.workspace;
        let cleared = workspace.set_source(Buffer::Input as usize, None);
        let cleared = cleared.and(workspace.set_sink(Buffer::Output as usize, None));
        if cleared.is_err() || workspace.len(Buffer::Temporary as usize) > ROOM_KEPT_MAX {
            // What is still lent goes when it comes back.
            *workspace = Workspace::new();
        }
    }

    /// Gives it the buffers of the program. The output stands for the input too if that is absent.
    pub fn set_buffers(
        &mut self,
        input: Option<Source>,
        output: Option<Sink>,
    ) -> Result<(), LoanError> {
        let Room {
            workspace,
            schedule,
            ..
        } = self;
        workspace.set_source(Buffer::Input as usize, input)?;
        workspace.set_sink(Buffer::Output as usize, output)?;
        workspace.set_room(
            Buffer::Temporary as usize,
            schedule.needs(Buffer::Temporary),
        )?;
        let fits = |buffer| workspace.len(buffer as usize) >= schedule.needs(buffer);
        match fits(Buffer::Input) && fits(Buffer::Output) {
            true => Ok(()),
            false => Err(LoanError::Outside),
        }
    }
}
