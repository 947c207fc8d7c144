//! Each daemon's batches of commands, applied once each and in order.
//!
//! A daemon has one batch on its way at a time. When it does not hear what became of it, it sends it
//! again, perhaps to another leader; then the log may have it twice. The second is answered with
//! what the first gave. A batch that its daemon has given up is never applied after a later one.

use super::command::{Command, Outcome};
use super::host::HostId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one entry of the log asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Who asks.
    pub from: HostId,
    /// Its number there, from 1, growing.
    pub number: u64,
    /// What.
    pub commands: Vec<Command>,
}

impl Batch {
    /// About how many bytes it takes in the log.
    pub fn weight(&self) -> usize {
        self.commands.iter().map(Command::weight).sum::<usize>() + size_of::<Batch>()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest {
    number: u64,
    outcomes: Vec<Outcome>,
}

/// The latest batch of each living daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    latest: BTreeMap<HostId, Latest>,
}

/// How a batch stands to those before it.
pub(super) enum Turn {
    /// It is next.
    New,
    /// It was applied, with these outcomes.
    Repeated(Vec<Outcome>),
    /// It comes too late.
    Stale,
}

impl Sessions {
    pub(super) fn turn(&self, batch: &Batch) -> Turn {
        match self.latest.get(&batch.from) {
            Some(latest) if latest.number == batch.number => {
                Turn::Repeated(latest.outcomes.clone())
            }
            Some(latest) if latest.number > batch.number => Turn::Stale,
            _ => Turn::New,
        }
    }

    pub(super) fn record(&mut self, batch: &Batch, outcomes: Vec<Outcome>) {
        let number = batch.number;
        self.latest.insert(batch.from, Latest { number, outcomes });
    }

    pub(super) fn forget(&mut self, host: HostId) {
        self.latest.remove(&host);
    }
}
