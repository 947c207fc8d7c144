//! What is known of one task of another host.

use super::shortcut::Shortcut;
use crate::ids::TaskId;
use crate::transport::net::frame;
use crate::transport::net::session::{CarrierError, Session};
use crate::transport::{Peer, Receiver};
use std::time::Instant;

/// A task of another host.
pub(super) enum Remote {
    /// Nothing was said to or by it.
    Unknown,
    /// It is talked with.
    Live(Box<Live>),
    /// It has ended, or never was.
    Gone,
}

/// A task that is talked with.
pub(super) struct Live {
    pub task: TaskId,
    pub session: Session,
    /// The way past the daemons.
    pub shortcut: Shortcut,
    /// It has ended: what the connection still has is read until then.
    pub ends_at: Option<Instant>,
    /// In a queue of those with frames to send.
    pub is_busy: bool,
    /// Among those that have sent what was not confirmed.
    pub is_owed: bool,
    /// Faults since its last good packet.
    pub faults: u32,
}

impl Remote {
    pub fn live(&self) -> Option<&Live> {
        match self {
            Remote::Live(live) => Some(live),
            Remote::Unknown | Remote::Gone => None,
        }
    }
}

impl Live {
    /// A session with a task; the daemons carry it.
    pub fn new(task: TaskId) -> Self {
        let mut session = Session::new();
        session.carrier_up();
        Self {
            task,
            session,
            shortcut: Shortcut::default(),
            ends_at: None,
            is_busy: false,
            is_owed: false,
            faults: 0,
        }
    }

    /// Shows the packets in whole frames.
    ///
    /// # Errors
    /// They are no frames, or do not belong here.
    pub fn take<R: Receiver>(
        &mut self,
        peer: Peer,
        mut frames: &[u8],
        receiver: &mut R,
    ) -> Result<(), CarrierError> {
        while let Some(frame) = frame::split(&mut frames)? {
            if let Some(packet) = self.session.on_frame(frame)? {
                self.faults = 0;
                receiver.packet(peer, packet.head, packet.args, packet.body);
            }
        }
        match frames {
            [] => Ok(()),
            _ => Err(frame::FrameError::Short.into()),
        }
    }

    /// Gives memory for messages back. False: something is under way, and nothing is given back.
    pub fn give_back(&mut self) -> bool {
        self.session.is_flushed() && self.shortcut.give_back() && self.session.give_back()
    }

    /// Bytes of that.
    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.session.memory() + self.shortcut.memory()
    }

    /// Whether one of its deadlines has passed.
    pub fn is_due(&self, now: Instant) -> bool {
        let deadlines = [self.shortcut.deadline(), self.ends_at];
        deadlines.into_iter().flatten().any(|at| now >= at)
    }
}
