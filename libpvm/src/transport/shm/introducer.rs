//! What the transports need of the daemon: to be introduced to other tasks, and frames for tasks of
//! other hosts to be carried.

use crate::limits::LINK_TURN;
use crate::session::{Answer, Line, Link, LinkError, Ticket};
use crate::wire::control::{CloseChannel, OpenChannel, to_daemon};
use std::time::Duration;

/// The daemon, or a stand-in for it.
pub trait Introducer {
    /// Asks for a channel to the task with these bits.
    ///
    /// # Errors
    /// When the daemon has gone.
    fn ask(&mut self, peer: u64) -> Result<Ticket, LinkError>;

    /// The answer, waited for at most `limit`; `None`: not yet.
    fn answer(&mut self, ticket: Ticket, limit: Duration) -> Option<Result<Answer, LinkError>>;

    /// Says that the channel to a task that has ended is not used any more.
    fn close(&mut self, peer: u64);

    /// Sends what needs no answer, without waiting; what the daemon does not take now is kept. Returns
    /// whether the daemon is there.
    fn post(&mut self, body: to_daemon::Body) -> bool;

    /// Sends what is kept, as far as the daemon takes it. Returns whether that was all.
    fn push_on(&mut self) -> bool;

    /// Takes in what has arrived, as much as one turn allows. Returns whether the daemon is there.
    fn read(&mut self) -> bool;

    /// Whether the last [`Introducer::read`] may have left something.
    fn has_more(&self) -> bool {
        false
    }

    /// The oldest event that was taken in.
    fn next_event(&mut self) -> Option<Answer>;

    /// Whether there is one.
    fn has_event(&self) -> bool;

    /// What a sleeping thread looks at from time to time; `None`: it wakes up instead.
    fn line(&self) -> Option<Line>;
}

impl Introducer for Link {
    fn ask(&mut self, peer: u64) -> Result<Ticket, LinkError> {
        self.start(to_daemon::Body::OpenChannel(OpenChannel { peer }), &[])
    }

    fn answer(&mut self, ticket: Ticket, limit: Duration) -> Option<Result<Answer, LinkError>> {
        if limit.is_zero() {
            return self.take(ticket);
        }
        match self.wait(ticket, limit, "opening a channel") {
            Err(LinkError::TimedOut { .. }) => None,
            answer => Some(answer),
        }
    }

    fn close(&mut self, peer: u64) {
        // A daemon that has gone does not need to know.
        let _ = self.tell(to_daemon::Body::CloseChannel(CloseChannel { peer }));
    }

    fn post(&mut self, body: to_daemon::Body) -> bool {
        Link::post(self, body).is_ok()
    }

    fn push_on(&mut self) -> bool {
        // To a daemon that has gone, nothing is left to be sent.
        Link::push_on(self).unwrap_or(true)
    }

    fn read(&mut self) -> bool {
        self.read_some(LINK_TURN).is_ok() && !self.is_lost()
    }

    fn has_more(&self) -> bool {
        Link::has_more(self)
    }

    fn next_event(&mut self) -> Option<Answer> {
        Link::next_event(self)
    }

    fn has_event(&self) -> bool {
        Link::has_event(self)
    }

    fn line(&self) -> Option<Line> {
        Some(Link::line(self))
    }
}
