//! The daemons that are connected, and those that are being dialled.
//!
//! # Invariants
//! - For each daemon `Connected` and `Lost` alternate, beginning with `Connected`; streams are told of
//!   only in between. Events are sent under the lock of this table, so they are in its order.
//! - New streams go over the newest connection: when a daemon dials again, it knows that the older ones
//!   are dead before we do.

use super::error::{CloseCode, ConnectError, LostReason};
use super::{MeshEvent, Peer};
use crate::cluster::trust::DaemonId;
use pvm::limits::CONNECTIONS_PER_PEER_MAX;
use quinn::Connection;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

/// How a dial has ended; `None` while it goes on.
pub(super) type Outcome = Option<Result<Peer, ConnectError>>;

/// Number of a connection, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkNumber(u64);

#[derive(Debug)]
pub(super) struct Peers {
    events: UnboundedSender<MeshEvent>,
    connected: HashMap<DaemonId, Entry>,
    dials: HashMap<DaemonId, Dial>,
    last_number: u64,
    is_leaving: bool,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    /// Never empty; the newest is the last.
    links: Vec<(LinkNumber, Connection)>,
}

/// Number of a dial, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DialNumber(u64);

#[derive(Debug)]
struct Dial {
    number: DialNumber,
    addresses: Vec<SocketAddr>,
    outcome: watch::Sender<Outcome>,
}

/// What somebody who wants a connection does next.
#[derive(Debug)]
pub(super) enum Step {
    /// There is one.
    Connected(Peer),
    /// Somebody dials these addresses already.
    Wait(Vec<SocketAddr>, watch::Receiver<Outcome>),
    /// Dial, and say if it failed.
    Dial(DialNumber, watch::Receiver<Outcome>),
    /// There will be none.
    Leave,
}

impl Peers {
    pub(super) fn new(events: UnboundedSender<MeshEvent>) -> Self {
        Peers {
            events,
            connected: HashMap::new(),
            dials: HashMap::new(),
            last_number: 0,
            is_leaving: false,
        }
    }

    /// Somebody wants a connection.
    pub(super) fn want(&mut self, id: DaemonId, addresses: &[SocketAddr]) -> Step {
        if self.is_leaving {
            return Step::Leave;
        }
        if let Some(entry) = self.connected.get(&id).filter(|it| it.is_alive()) {
            return Step::Connected(entry.peer.clone());
        }
        if let Some(dial) = self.dials.get(&id) {
            return Step::Wait(dial.addresses.clone(), dial.outcome.subscribe());
        }
        let (outcome, ends) = watch::channel(None);
        let number = DialNumber(self.next_number());
        let dial = Dial {
            number,
            addresses: addresses.to_vec(),
            outcome,
        };
        self.dials.insert(id, dial);
        Step::Dial(number, ends)
    }

    /// All addresses have failed. Nobody cares when the daemon has called in the meantime.
    pub(super) fn dial_failed(&mut self, id: DaemonId, number: DialNumber, error: ConnectError) {
        if self.dials.get(&id).is_some_and(|it| it.number == number)
            && let Some(dial) = self.dials.remove(&id)
        {
            dial.outcome.send_replace(Some(Err(error)));
        }
    }

    /// Takes a connection in. `None`: it is not wanted.
    pub(super) fn add(&mut self, peer: &Peer, connection: &Connection) -> Option<LinkNumber> {
        if self.is_leaving {
            return None;
        }
        let number = LinkNumber(self.next_number());
        let link = (number, connection.clone());
        self.bury(peer.id);
        match self.connected.get_mut(&peer.id) {
            Some(entry) => entry.add(peer, link),
            None => {
                let links = vec![link];
                let peer = peer.clone();
                let entry = Entry {
                    peer: peer.clone(),
                    links,
                };
                self.connected.insert(peer.id, entry);
                self.tell(MeshEvent::Connected(peer));
            }
        }
        if let Some(dial) = self.dials.remove(&peer.id) {
            dial.outcome.send_replace(Some(Ok(peer.clone())));
        }
        Some(number)
    }

    /// A connection has ended.
    pub(super) fn remove(&mut self, id: DaemonId, number: LinkNumber, reason: LostReason) {
        let Some(entry) = self.connected.get_mut(&id) else {
            return;
        };
        entry.links.retain(|(it, _)| *it != number);
        if entry.links.is_empty() {
            self.connected.remove(&id);
            self.tell(MeshEvent::Lost { id, reason });
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Removes connections that have ended, before their tasks have noticed: whoever comes anew after a
    /// loss is told of as lost and connected.
    fn bury(&mut self, id: DaemonId) {
        let links = self.connected.get(&id).map(|it| it.links.clone());
        for (number, connection) in links.unwrap_or_default() {
            if let Some(reason) = connection.close_reason() {
                self.remove(id, number, LostReason::of(&reason));
            }
        }
    }

    /// Tells of a stream, unless its connection has ended.
    pub(super) fn stream(&self, id: DaemonId, number: LinkNumber, event: MeshEvent) {
        let entry = self.connected.get(&id);
        if entry.is_some_and(|it| it.links.iter().any(|(it, _)| *it == number)) {
            self.tell(event);
        }
    }

    pub(super) fn tell(&self, event: MeshEvent) {
        // Nobody listens when the daemon ends.
        let _ = self.events.send(event);
    }

    /// Takes no connections any more.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        for (_, dial) in self.dials.drain() {
            dial.outcome.send_replace(Some(Err(ConnectError::Leaving)));
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// The connection for new streams.
    pub(super) fn newest(&self, id: DaemonId) -> Option<Connection> {
        let links = &self.connected.get(&id)?.links;
        let alive = links.iter().rev().find(|it| is_alive(it));
        alive.map(|(_, connection)| connection.clone())
    }

    /// The daemon, when it is connected.
    pub(super) fn living(&self, id: DaemonId) -> Option<Peer> {
        let entry = self.connected.get(&id).filter(|it| it.is_alive());
        entry.map(|entry| entry.peer.clone())
    }

    pub(super) fn all(&self) -> Vec<Peer> {
        self.connected.values().map(|it| it.peer.clone()).collect()
    }

    /// Closes all connections to a daemon. They are removed when their tasks notice.
    pub(super) fn close(&self, id: DaemonId) {
        for (_, connection) in self.connected.get(&id).iter().flat_map(|it| &it.links) {
            connection.close(CloseCode::Closed.into(), b"not wanted any more");
        }
    }
}

impl Entry {
    fn add(&mut self, peer: &Peer, link: (LinkNumber, Connection)) {
        self.peer = peer.clone();
        self.links.push(link);
        if self.links.len() > CONNECTIONS_PER_PEER_MAX {
            let (_, oldest) = self.links.remove(0);
            oldest.close(CloseCode::Closed.into(), b"there are newer connections");
        }
    }

    fn is_alive(&self) -> bool {
        self.links.iter().any(is_alive)
    }
}

fn is_alive((_, connection): &(LinkNumber, Connection)) -> bool {
    connection.close_reason().is_none()
}
