//! The proposals of this daemon, one batch after the other.
//!
//! A batch goes to the leader until there is an answer or every proposal in it has waited long
//! enough. As there is one on its way at a time, proposals keep their order, and the registry need
//! only remember the last batch of each daemon to apply none twice.

use super::LedgerError;
use super::links::CallError;
use super::message::{Answer, Body, NoAnswer};
use super::node::{Node, NotWritten};
use crate::cluster::registry::{Batch, Command, HostId, HostRecord, Outcome, Refusal};
use pvm::limits::{LEDGER_BATCH_BYTES_MAX, LEDGER_BATCH_MAX, LEDGER_COMMAND_MAX, LEDGER_QUEUE_MAX};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Longest that one attempt takes; then perhaps there is another leader.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Proposals are of one batch when their deadlines are no further apart: with the last of them it is
/// given up.
const SPREAD: Duration = Duration::from_millis(500);
/// Between two attempts when nobody knows a leader.
const PAUSE: Duration = Duration::from_millis(50);

/// A command and who waits for what becomes of it.
struct Proposal {
    command: Command,
    deadline: Instant,
    answer: oneshot::Sender<Result<Outcome, LedgerError>>,
}

/// Where this daemon's proposals wait.
pub(super) struct Queue(mpsc::Sender<Proposal>);

/// Proposals in their order.
pub(super) struct Waiting(mpsc::Receiver<Proposal>);

pub(super) fn channel() -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(LEDGER_QUEUE_MAX);
    (Queue(sender), Waiting(receiver))
}

impl Queue {
    /// Queues a command; the future waits for what becomes of it.
    pub(super) fn propose(
        &self,
        command: Command,
        patience: Duration,
    ) -> impl Future<Output = Result<Outcome, LedgerError>> + Send + use<> {
        let deadline = Instant::now() + patience;
        let queued = self.enqueue(command, deadline);
        async move {
            match timeout_at(deadline, queued?).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) if Instant::now() < deadline => Err(LedgerError::Stopped),
                Ok(Err(_)) | Err(_) => Err(LedgerError::Deadline),
            }
        }
    }

    fn enqueue(
        &self,
        command: Command,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Result<Outcome, LedgerError>>, LedgerError> {
        if command.weight() > LEDGER_COMMAND_MAX {
            return Err(LedgerError::TooLarge);
        }
        let (answer, outcome) = oneshot::channel();
        let proposal = Proposal {
            command,
            deadline,
            answer,
        };
        match self.0.try_send(proposal) {
            Ok(()) => Ok(outcome),
            Err(mpsc::error::TrySendError::Full(_)) => Err(LedgerError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(LedgerError::Stopped),
        }
    }
}

/// Brings the proposals to the leader, until the ledger stops.
pub(super) async fn run(node: Arc<Node>, mut waiting: Waiting) {
    let mut number = 0;
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(first) => first,
            None => match waiting.0.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let proposals = gather(first, &mut waiting, &mut next);
        number += 1;
        bring(&node, number, proposals).await;
    }
}

/// The first proposal and those behind it that fit into one batch, without those that nobody waits
/// for any longer.
fn gather(first: Proposal, waiting: &mut Waiting, next: &mut Option<Proposal>) -> Vec<Proposal> {
    let now = Instant::now();
    let mut bytes = 0;
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut following = Some(first);
    while let Some(proposal) = following.take() {
        if proposal.deadline > now {
            let is_full = bytes > LEDGER_BATCH_BYTES_MAX || proposals.len() == LEDGER_BATCH_MAX;
            let oldest = proposals.first();
            if is_full || oldest.is_some_and(|oldest| is_apart(oldest.deadline, proposal.deadline))
            {
                *next = Some(proposal);
                break;
            }
            bytes += proposal.command.weight();
            proposals.push(proposal);
        }
        following = waiting.0.try_recv().ok();
    }
    proposals
}

fn is_apart(one: Instant, other: Instant) -> bool {
    one.max(other) - one.min(other) > SPREAD
}

async fn bring(node: &Node, number: u64, proposals: Vec<Proposal>) {
    let Some(deadline) = proposals.iter().map(|p| p.deadline).max() else {
        return;
    };
    let (commands, answers): (Vec<Command>, Vec<_>) =
        proposals.into_iter().map(|p| (p.command, p.answer)).unzip();
    let batch = Batch {
        from: node.me(),
        number,
        commands,
    };
    // Dropping the answers says that there is none; the deadline of each is over by then.
    let Ok(outcomes) = timeout_at(deadline, insist(node, &batch)).await else {
        return;
    };
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        let result = match outcome {
            Outcome::Refused(Refusal::NotLiving(host)) if host == node.me() => {
                node.store.expel();
                Err(LedgerError::Expelled)
            }
            outcome => Ok(outcome),
        };
        let _ = answer.send(result);
    }
}

/// Tries one host after the other until one answers.
async fn insist(node: &Node, batch: &Batch) -> Vec<Outcome> {
    let mut hint = None;
    let mut turn = 0;
    loop {
        let target = hint.take().or_else(|| node.leader());
        let target = target.or_else(|| somebody(node, turn));
        turn += 1;
        match attempt(node, target.unwrap_or(node.me()), batch).await {
            Ok(outcomes) => return outcomes,
            Err(leader) => hint = leader.filter(|leader| Some(*leader) != target),
        }
        if hint.is_none() {
            sleep(PAUSE).await;
            // The leader that is known here may be gone: ask around.
            hint = somebody(node, turn).filter(|_| turn % 2 == 0);
        }
    }
}

/// Another living host that is not silent, one after the other; who has admitted this one when
/// nobody is known.
fn somebody(node: &Node, turn: usize) -> Option<HostId> {
    node.store.read(|registry| {
        let others = registry.hosts().living().map(|HostRecord { id, .. }| *id);
        let others = others.filter(|id| *id != node.me() && !node.links.is_silent(*id));
        let others: Vec<HostId> = others.collect();
        let somebody = others.get(turn / 2 % others.len().max(1)).copied();
        somebody.or(Some(node.door).filter(|door| *door != node.me()))
    })
}

/// Asks one host to put the batch in order; another may be named instead.
async fn attempt(node: &Node, to: HostId, batch: &Batch) -> Result<Vec<Outcome>, Option<HostId>> {
    if to == node.me() {
        return match timeout(ATTEMPT, node.write(batch.clone())).await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(NotWritten::NotLeader(leader))) => Err(leader),
            Ok(Err(NotWritten::Stopped)) | Err(_) => Err(None),
        };
    }
    let body = Body::Propose(batch.clone());
    let answer = tokio::select! {
        answer = node.links.call(to, body, ATTEMPT) => answer,
        () = node.other_leader(to) => return Err(None),
    };
    match answer {
        Ok(Answer::Proposed(outcomes)) if outcomes.len() == batch.commands.len() => Ok(outcomes),
        Err(CallError::Refused(NoAnswer::NotLeader(leader))) => Err(leader),
        _ => Err(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(host: u16, patience: Duration) -> Proposal {
        let host = HostId::new(host, 1);
        Proposal {
            command: Command::LeaveHost { host },
            deadline: Instant::now() + patience,
            answer: oneshot::channel().0,
        }
    }

    /// What is given up after a short time must not be put in order because of what is insisted on.
    #[tokio::test(start_paused = true)]
    async fn the_impatient_and_the_patient_are_in_batches_of_their_own() {
        let (long, short) = (Duration::from_secs(30), Duration::from_secs(3));
        let (queue, mut waiting) = channel();
        for (host, patience) in [
            (1, long),
            (2, long),
            (3, short),
            (4, Duration::ZERO),
            (5, short),
            (6, long),
        ] {
            assert!(queue.0.try_send(proposal(host, patience)).is_ok());
        }
        let mut next = waiting.0.try_recv().ok();
        let mut batches = Vec::new();
        while let Some(first) = next.take() {
            let batch = gather(first, &mut waiting, &mut next);
            batches.push(
                batch
                    .iter()
                    .map(|it| it.command.clone())
                    .collect::<Vec<_>>(),
            );
        }
        let leave = |host| Command::LeaveHost {
            host: HostId::new(host, 1),
        };
        assert_eq!(
            batches,
            [
                vec![leave(1), leave(2)],
                vec![leave(3), leave(5)],
                vec![leave(6)]
            ]
        );
    }
}
