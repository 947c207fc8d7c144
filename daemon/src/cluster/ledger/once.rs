//! What is done for a host is done once at a time.

use crate::cluster::registry::HostId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The hosts for which it is being done.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<BTreeSet<HostId>>);

/// That it is being done for a host, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    once: Arc<Once>,
    host: HostId,
}

impl Once {
    /// Begins; `None` when it is being done already.
    pub(super) fn begin(self: &Arc<Self>, host: HostId) -> Option<Turn> {
        let hosts = self.0.lock();
        let new = hosts.unwrap_or_else(PoisonError::into_inner).insert(host);
        new.then(|| Turn {
            once: self.clone(),
            host,
        })
    }
}

impl Turn {
    pub(super) fn host(&self) -> HostId {
        self.host
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let hosts = self.once.0.lock();
        let mut hosts = hosts.unwrap_or_else(PoisonError::into_inner);
        hosts.remove(&self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_turn_at_a_time() {
        let once = Arc::new(Once::default());
        let (one, two) = (HostId::new(1, 1), HostId::new(2, 1));
        let turn = once.begin(one).unwrap();
        assert_eq!(turn.host(), one);
        assert!(once.begin(one).is_none());
        let _other = once.begin(two).unwrap();
        drop(turn);
        assert!(once.begin(one).is_some());
    }
}
