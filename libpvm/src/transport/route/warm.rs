//! Which peers keep memory for messages while nothing is under way with them: the last few.

use crate::limits::WARM_PEERS_MAX;
use crate::transport::Peer;
use std::collections::VecDeque;

/// The peers that have memory, the one that messages went to or came from last at the end.
#[derive(Default)]
pub(super) struct Warm(VecDeque<Peer>);

impl Warm {
    /// Whether this is the last one.
    #[inline]
    pub fn is_last(&self, peer: Peer) -> bool {
        self.0.back() == Some(&peer)
    }

    /// The peer is the last one now.
    pub fn put_last(&mut self, peer: Peer) {
        if let Some(place) = self.0.iter().position(|&other| other == peer) {
            self.0.remove(place);
        }
        self.0.push_back(peer);
    }

    /// Takes out the one that was not used for longest, if there are too many.
    pub fn take_surplus(&mut self) -> Option<Peer> {
        match self.0.len() {
            0..=WARM_PEERS_MAX => None,
            _ => self.0.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_stay() {
        let mut warm = Warm::default();
        let all = WARM_PEERS_MAX as u32;
        for number in (0..all).chain([0]) {
            warm.put_last(Peer(number));
            assert!(warm.is_last(Peer(number)));
            assert_eq!(warm.take_surplus(), None);
        }
        warm.put_last(Peer(all));
        assert_eq!(warm.take_surplus(), Some(Peer(1)));
        assert_eq!(warm.take_surplus(), None);
    }
}
