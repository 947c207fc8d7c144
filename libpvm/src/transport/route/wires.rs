//! Which peers there are sockets with, and when those are looked at.

use crate::transport::Peer;
use crate::transport::shm::Sockets;
use std::sync::Arc;

/// Polls after a sign of life of sockets in which they are looked at each time.
const HOT_POLLS: u32 = 256;
/// After that, they are looked at in one poll of so many.
const COLD_POLLS: u32 = 16;
/// So many peers are looked at without asking the system which of them are ready.
const FEW: usize = 2;

/// The peers of a task that it has sockets with.
#[derive(Default)]
pub(super) struct Wires {
    /// With what those are waited for; `None`: there was none yet.
    sockets: Option<Arc<Sockets>>,
    /// Whose sockets there are.
    peers: Vec<Peer>,
    /// Whose sockets are to be looked at, some of them perhaps twice.
    ready: Vec<u32>,
    /// Memory for the next turn: turns allocate nothing.
    spare: Vec<u32>,
    /// Polls since they showed life.
    idle: u32,
}

impl Wires {
    /// There are sockets with a peer now, waited for with `sockets`; they are to be looked at.
    pub fn add(&mut self, peer: Peer, sockets: Arc<Sockets>) {
        self.sockets = Some(sockets);
        if !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
        self.note(peer);
    }

    /// The sockets with a peer are to be looked at, whatever the system says of them.
    pub fn note(&mut self, peer: Peer) {
        self.ready.push(peer.0);
    }

    /// Those whose turn it is, each once: who was noted, whose sockets are ready, and who `is_due`. A
    /// few that are all `is_cheap` to look at are not asked for first. Given back with
    /// [`Wires::end_turn`].
    pub fn begin_turn(
        &mut self,
        is_due: impl Fn(Peer) -> bool,
        is_cheap: impl Fn(Peer) -> bool,
    ) -> Vec<u32> {
        let spare = std::mem::take(&mut self.spare);
        let mut turn = std::mem::replace(&mut self.ready, spare);
        let all_now = self.peers.len() <= FEW && self.peers.iter().all(|&peer| is_cheap(peer));
        if !all_now && let Some(sockets) = &self.sockets {
            sockets.ready(&mut turn);
        }
        let due = self.peers.iter().filter(|&&peer| all_now || is_due(peer));
        turn.extend(due.map(|peer| peer.0));
        turn.sort_unstable();
        turn.dedup();
        turn
    }

    /// After a turn: peers without sockets are forgotten, whoever has noted them.
    pub fn end_turn(&mut self, mut turn: Vec<u32>, is_wired: impl Fn(Peer) -> bool) {
        self.peers.retain(|&peer| is_wired(peer));
        self.ready.retain(|&peer| self.peers.contains(&Peer(peer)));
        turn.clear();
        self.spare = turn;
    }

    /// The sockets have shown life, or may have: the next polls look.
    pub fn expect(&mut self) {
        self.idle = 0;
    }

    /// With what sockets are waited for, while there are any.
    pub fn sockets(&self) -> Option<&Sockets> {
        self.sockets.as_deref().filter(|_| !self.is_empty())
    }

    /// Whether there are no sockets.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether some are to be looked at without being waited for.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Counts a poll. Returns whether it is to look at the sockets.
    #[inline]
    pub fn is_turn(&mut self) -> bool {
        if self.is_empty() {
            return false;
        }
        self.idle = self.idle.saturating_add(1);
        let is_cold = self.idle > HOT_POLLS && self.ready.is_empty();
        if is_cold && self.idle > HOT_POLLS + COLD_POLLS {
            self.idle = HOT_POLLS;
        }
        !is_cold || self.idle == HOT_POLLS
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ids::TaskId;
    use crate::transport::standin::Hub;

    #[test]
    fn who_is_noted_twice_has_one_turn_and_who_has_no_sockets_none() {
        let shm = Hub::default().shm(TaskId::new(1, 1, 1).unwrap());
        let sockets = shm.sockets().unwrap();
        let mut wires = Wires::default();
        assert!(!wires.is_turn() && wires.sockets().is_none());
        for peer in [Peer(2), Peer(1), Peer(2)] {
            wires.add(peer, sockets.clone());
        }
        let is_due = |peer| peer == Peer(1);
        let turn = wires.begin_turn(is_due, |_| false);
        assert_eq!(turn, [1, 2]);
        for peer in [1, 2, 2] {
            wires.note(Peer(peer));
        }
        wires.end_turn(turn, |peer| peer == Peer(1));
        assert!(wires.has_ready() && wires.is_turn());
        let turn = wires.begin_turn(|_| false, |_| false);
        assert_eq!(turn, [1]);
        wires.note(Peer(1));
        wires.end_turn(turn, |_| false);
        assert!(wires.is_empty() && !wires.has_ready(), "a spin");
    }

    #[test]
    fn a_few_that_are_cheap_have_a_turn_unasked() {
        let shm = Hub::default().shm(TaskId::new(1, 1, 1).unwrap());
        let sockets = shm.sockets().unwrap();
        let mut wires = Wires::default();
        for peer in 1..=FEW as u32 + 1 {
            wires.add(Peer(peer), sockets.clone());
            wires.ready.clear();
            let all: Vec<u32> = (1..=peer).collect();
            let turn = wires.begin_turn(|_| false, |_| true);
            assert_eq!(turn == all, all.len() <= FEW, "{turn:?}");
            let turn = wires.begin_turn(|_| false, |it| it != Peer(1));
            assert_eq!(turn, [], "one is not cheap");
        }
    }

    #[test]
    fn sockets_without_life_are_looked_at_now_and_then() {
        let shm = Hub::default().shm(TaskId::new(1, 1, 1).unwrap());
        let mut wires = Wires::default();
        wires.add(Peer(1), shm.sockets().unwrap());
        wires.ready.clear();
        let looks = |wires: &mut Wires, polls: u32| (0..polls).filter(|_| wires.is_turn()).count();
        assert_eq!(looks(&mut wires, HOT_POLLS), HOT_POLLS as usize);
        assert_eq!(looks(&mut wires, 10 * (COLD_POLLS + 1)), 10);
        wires.expect();
        assert_eq!(looks(&mut wires, HOT_POLLS), HOT_POLLS as usize);
    }
}
