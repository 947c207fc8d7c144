//! A network of ledgers in one process, in virtual time, whose luck comes from a seed.

use pvm_daemon::cluster::ledger::{BoxFuture, Ledger, Prober, Wire, WireError, World};
use pvm_daemon::cluster::registry::{HostId, HostRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::sleep;

/// Numbers that look random (splitmix64).
pub struct Luck(u64);

impl Luck {
    pub fn new(seed: u64) -> Self {
        Luck(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len() as u64) as usize;
        from.get(at).copied()
    }
}

/// What a host has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Requests and answers.
    pub messages: u64,
    pub bytes: u64,
}

struct State {
    sent: BTreeMap<HostId, Sent>,
    ledgers: BTreeMap<HostId, Ledger>,
    luck: Luck,
    /// One message in so many is lost; none when 0.
    loss: u64,
    /// Longest that a message travels.
    delay: Duration,
    /// Hosts that are cut off from all that are not among them.
    island: BTreeSet<HostId>,
    /// Hosts that probers find whatever happens.
    charmed: BTreeSet<HostId>,
}

/// All ledgers and the ways between them.
pub struct Net(Mutex<State>);

impl Net {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Net(Mutex::new(State {
            sent: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            luck: Luck::new(seed),
            loss: 0,
            delay: Duration::from_millis(2),
            island: BTreeSet::new(),
            charmed: BTreeSet::new(),
        })))
    }

    /// What the ledger of a host needs.
    pub fn world(self: &Arc<Self>, me: HostId) -> World {
        let end = Arc::new(End {
            net: self.clone(),
            me,
        });
        World {
            wire: end.clone(),
            prober: end,
        }
    }

    pub fn plug(&self, ledger: &Ledger) {
        self.state().ledgers.insert(ledger.me(), ledger.clone());
    }

    pub fn unplug(&self, host: HostId) -> Option<Ledger> {
        self.state().ledgers.remove(&host)
    }

    pub fn weather(&self, loss: u64, delay: Duration) {
        let mut state = self.state();
        (state.loss, state.delay) = (loss, delay);
    }

    pub fn cut_off(&self, island: impl IntoIterator<Item = HostId>) {
        self.state().island = island.into_iter().collect();
    }

    /// What every host has sent since this was asked last.
    pub fn take_sent(&self) -> BTreeMap<HostId, Sent> {
        std::mem::take(&mut self.state().sent)
    }

    pub fn charm(&self, host: HostId) {
        self.state().charmed.insert(host);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn is_cut(&self, one: HostId, other: HostId) -> bool {
        self.island.contains(&one) != self.island.contains(&other)
    }

    /// How long a message of so many bytes travels; `None` when it is lost.
    fn travel(&mut self, from: HostId, to: HostId, bytes: usize) -> Option<Duration> {
        let sent = self.sent.entry(from).or_default();
        sent.messages += 1;
        sent.bytes += bytes as u64;
        let lost = self.loss != 0 && self.luck.below(self.loss) == 0;
        if lost || self.is_cut(from, to) {
            return None;
        }
        let longest = self.delay.as_micros() as u64;
        Some(Duration::from_micros(self.luck.below(longest)))
    }
}

/// Where one host is connected.
struct End {
    net: Arc<Net>,
    me: HostId,
}

impl End {
    async fn call(&self, to: HostId, request: Vec<u8>) -> Option<Vec<u8>> {
        let travel = self.net.state().travel(self.me, to, request.len())?;
        sleep(travel).await;
        let ledger = self.net.state().ledgers.get(&to).cloned()?;
        // The other works on, also when this one no longer waits.
        let answer = tokio::spawn(async move { ledger.handle(&request).await });
        let answer = answer.await.ok()?;
        let travel = self.net.state().travel(to, self.me, answer.len())?;
        sleep(travel).await;
        Some(answer)
    }
}

impl Wire for End {
    fn call(
        &self,
        to: HostId,
        request: Vec<u8>,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Vec<u8>, WireError>> {
        Box::pin(async move {
            match self.call(to, request).await {
                Some(answer) => Ok(answer),
                None => {
                    sleep(deadline).await;
                    Err(WireError::Deadline(to))
                }
            }
        })
    }
}

impl Prober for End {
    fn is_alive(&self, host: HostRecord) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            sleep(Duration::from_millis(500)).await;
            let state = self.net.state();
            let there = state.ledgers.contains_key(&host.id) && !state.is_cut(self.me, host.id);
            there || state.charmed.contains(&host.id)
        })
    }
}
