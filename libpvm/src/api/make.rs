//! Making communicators from communicators.

use super::communicator::Communicator;
use super::error::{Error, Result};
use crate::group::{Choice, Group, split};
use crate::ids::{Context, Rank};
use std::cell::Cell;

impl Communicator {
    /// A communicator of the same ranks, whose messages are apart from those of this one. A
    /// collective.
    ///
    /// # Errors
    /// As [`Communicator::barrier`].
    pub fn dup(&self) -> Result<Self> {
        let own = self.open()?;
        let part: Vec<Rank> = (0..self.size()).collect();
        self.allgather(&[u64::from(own.context.0)])
            .and_then(|numbers| self.make(&own, &part, |rank| numbers[rank]))
            .inspect(|_| own.keep())
    }

    /// Ranks that say the same color come together, ordered by `key` and then by their rank here;
    /// a rank without a color gets `None`. A collective.
    ///
    /// # Errors
    /// As [`Communicator::barrier`].
    pub fn split(&self, color: Option<i64>, key: i64) -> Result<Option<Self>> {
        let own = self.open()?;
        let said = [
            u64::from(color.is_some()),
            color.unwrap_or(0) as u64,
            key as u64,
            own.context.0.into(),
        ];
        let all = self.allgather(&said)?;
        let choice = |said: &[u64]| Choice {
            color: (said[0] == 1).then_some(said[1] as i64),
            key: said[2] as i64,
        };
        let choices: Vec<Choice> = all.chunks_exact(said.len()).map(choice).collect();
        let Some(part) = split(&choices, self.rank()) else {
            return Ok(None);
        };
        self.make(&own, &part, |rank| all[rank * said.len() + 3])
            .inspect(|_| own.keep())
            .map(Some)
    }

    /// A communicator of some ranks of this one; `number` is where each of them receives.
    fn make(
        &self,
        own: &OpenContext<'_>,
        part: &[Rank],
        number: impl Fn(Rank) -> u64,
    ) -> Result<Self> {
        let tasks: Vec<_> = part
            .iter()
            .filter_map(|&rank| self.shape.circle.group.task(rank))
            .collect();
        let group = Group::new(tasks).map_err(|_| Error::Stranger)?;
        let context = |&rank: &Rank| {
            let number = u32::try_from(number(rank))
                .ok()
                .filter(|n| *n >= Context::FIRST_FREE.0);
            number
                .map(Context)
                .ok_or(Error::Collective("a rank named an impossible context"))
        };
        let contexts = part.iter().map(context).collect::<Result<Vec<_>>>()?;
        let rank = group.rank_of(self.shared().me).ok_or(Error::Stranger)?;
        Communicator::new(&self.shape.shared, group, rank, own.context, &contexts)
    }

    fn open(&self) -> Result<OpenContext<'_>> {
        let context = self.shared().core.with(|engine| engine.open_context())?;
        Ok(OpenContext {
            communicator: self,
            context,
            kept: Cell::new(false),
        })
    }
}

/// A context that is closed again unless a communicator takes it.
struct OpenContext<'a> {
    communicator: &'a Communicator,
    context: Context,
    kept: Cell<bool>,
}

impl OpenContext<'_> {
    fn keep(&self) {
        self.kept.set(true);
    }
}

impl Drop for OpenContext<'_> {
    fn drop(&mut self) {
        if !self.kept.get() {
            let core = &self.communicator.shared().core;
            // Where this thread may not enter, the context just stays open.
            let _ = core.with(|engine| engine.close_context(self.context));
        }
    }
}
