//! A host that the others regard as lost, and that finds them again, comes back.
//!
//! Its tasks are gone: nothing of its former life counts any more. It ends what it has, begins another
//! life (see [`super::life`]) and asks the hosts that it knew, one after the other, to be admitted. What
//! they admit is the same host with the next incarnation. Each attempt is a life, too, so none can leave
//! anything to the next.
//!
//! A host that is halted or deleted is not expelled: it has left.

use super::fabric;
use super::hub::{Hub, Shared};
use crate::cluster::registry::HostId;
use crate::cluster::trust::Secret;
use pvm::limits::{ADDRESSES_MAX, RETURN_MS, RETURN_PAUSE_MAX_MS, RETURN_PAUSE_MIN_MS};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PAUSE_MIN: Duration = Duration::from_millis(RETURN_PAUSE_MIN_MS);
const PAUSE_MAX: Duration = Duration::from_millis(RETURN_PAUSE_MAX_MS);

/// What a host knows of the virtual machine that it comes back to.
#[derive(Clone)]
pub struct Home {
    secret: Secret,
    /// Where each other host's daemon is, the best first.
    doors: Vec<Vec<SocketAddr>>,
    former: HostId,
    stays: bool,
    stays_with: Option<HostId>,
    attempts: u32,
    until: Instant,
}

impl Home {
    /// Before the next attempt.
    fn pause(&self) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(self.attempts));
        pause.min(PAUSE_MAX)
    }

    /// Whether it has been tried for long enough.
    fn is_too_late(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Whom the next attempt asks.
    fn door(&self) -> &[SocketAddr] {
        let turn = self.attempts as usize % self.doors.len().max(1);
        self.doors.get(turn).map_or(&[], Vec::as_slice)
    }
}

/// When which host is asked. First those that were silent: they are the ones that went on, the rest may be
/// lost as well. Of these each host begins with the one after it: two that come back at the same time must
/// not wait for each other, and who waits for one that is not back yet is let in when that one is.
fn turn(host: HostId, me: HostId, unheard: &[HostId]) -> (bool, u16) {
    let is_heard = !unheard.contains(&host);
    (is_heard, host.index.wrapping_sub(me.index))
}

/// Begins a life that looks for its place.
pub(super) fn begin(hub: &Shared, home: Home) {
    {
        let hub = &mut *hub.borrow_mut();
        hub.is_returning = true;
        hub.is_cut_off = true;
        hub.stays = home.stays;
        // For those who ask: it has no tasks before it has its new place.
        hub.hosts.me = home.former;
    }
    tokio::task::spawn_local(come_back(hub.clone(), home));
}

async fn come_back(hub: Shared, home: Home) {
    tokio::time::sleep(home.pause()).await;
    if home.is_too_late(Instant::now()) {
        let limit = Duration::from_millis(RETURN_MS).as_secs();
        tracing::error!("not back in the virtual machine after {limit} s: pvmd ends");
        return hub.borrow_mut().halt(None, Duration::ZERO);
    }
    let options = hub.borrow().fabric_options();
    let joined = fabric::join(&hub, home.secret.clone(), home.door(), options).await;
    let hub = &mut *hub.borrow_mut();
    match joined {
        Ok(()) => {
            tracing::warn!(
                "this host is back in the virtual machine, as host {}",
                hub.hosts.me
            );
            hub.stay_with(home.stays_with);
        }
        Err(why) => {
            tracing::warn!("this host is not back in the virtual machine yet: {why}");
            hub.begin_again(Home {
                attempts: home.attempts.saturating_add(1),
                ..home
            });
        }
    }
}

impl Hub {
    /// The others go on without this host.
    pub(super) fn expelled(&mut self) {
        match self.home() {
            Some(home) => {
                tracing::error!(
                    "the other hosts regard this one as lost: it ends its tasks and joins again"
                );
                self.begin_again(home);
            }
            None => {
                tracing::error!("the other hosts regard this one as lost: it ends");
                self.halt(None, Duration::ZERO);
            }
        }
    }

    /// Ends this life, for another one to begin, unless the end is for good.
    fn begin_again(&mut self, home: Home) {
        if !self.is_halting() {
            self.halt(None, Duration::ZERO);
            self.home = Some(Box::new(home));
        }
    }

    /// Whether the end that is under way is not the end of the daemon.
    pub fn is_to_return(&self) -> bool {
        self.home.is_some()
    }

    /// What is known of the virtual machine, if there is anybody to ask.
    fn home(&self) -> Option<Home> {
        let fabric = self.fabric.as_ref()?;
        let mut others: Vec<HostId> = self.hosts.others.values().map(|other| other.id).collect();
        others.sort_by_key(|host| turn(*host, self.hosts.me, &self.hosts.unheard));
        let doors = others.into_iter().filter_map(|host| {
            let (_, mut addresses) = fabric.find(host)?;
            addresses.truncate(ADDRESSES_MAX);
            (!addresses.is_empty()).then_some(addresses)
        });
        let doors: Vec<_> = doors.collect();
        (!doors.is_empty()).then(|| Home {
            secret: fabric.secret.clone(),
            doors,
            former: self.hosts.me,
            stays: self.stays,
            stays_with: self.stays_with,
            attempts: 0,
            until: Instant::now() + Duration::from_millis(RETURN_MS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{HERE, alone};
    use pvm::wire::control::FailureCode;

    /// Longest that any of these waits.
    const LIMIT: Duration = Duration::from_secs(40);

    fn home(ports: &[u16]) -> Home {
        let doors = ports
            .iter()
            .map(|port| vec![SocketAddr::from((HERE, *port))]);
        Home {
            secret: Secret::generate().unwrap(),
            doors: doors.collect(),
            former: HostId::new(2, 1),
            stays: true,
            stays_with: Some(HostId::new(1, 1)),
            attempts: 0,
            until: Instant::now() + LIMIT,
        }
    }

    /// Begins such a life, does something, and waits until it is over. Returns its state.
    fn live(home: Home, act: impl FnOnce(&mut Hub)) -> Shared {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let hub = alone();
        let life = async {
            begin(&hub, home);
            act(&mut hub.borrow_mut());
            let changes = hub.borrow().changes();
            while !hub.borrow().is_over() {
                changes.notified().await;
            }
        };
        let limited = async { tokio::time::timeout(LIMIT, life).await };
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime.unwrap(), limited).unwrap();
        drop(local);
        hub
    }

    #[test]
    fn pauses_grow_to_a_limit_and_every_door_has_its_turn() {
        let mut home = home(&[1, 2]);
        let first = home.doors[0].clone();
        assert_eq!((home.pause(), home.door()), (PAUSE_MIN, &first[..]));
        home.attempts = 1;
        let second = home.doors[1].clone();
        assert_eq!((home.pause(), home.door()), (2 * PAUSE_MIN, &second[..]));
        home.attempts = u32::MAX;
        assert_eq!((home.pause(), home.door()), (PAUSE_MAX, &second[..]));
        assert!(home.is_too_late(home.until) && !home.is_too_late(home.until - PAUSE_MIN));
    }

    /// A port at which nobody listens any more.
    fn closed() -> u16 {
        let socket = std::net::UdpSocket::bind((HERE, 0)).unwrap();
        socket.local_addr().unwrap().port()
    }

    #[test]
    fn who_was_silent_is_asked_first_and_each_begins_with_another() {
        let all: Vec<HostId> = (1..=5).map(|index| HostId::new(index, 1)).collect();
        let order = |me: u16, unheard: &[HostId]| {
            let me = HostId::new(me, 1);
            let mut others: Vec<HostId> = all.iter().copied().filter(|it| *it != me).collect();
            others.sort_by_key(|host| turn(*host, me, unheard));
            others.iter().map(|host| host.index).collect::<Vec<_>>()
        };
        assert_eq!(order(1, &all), [2, 3, 4, 5]);
        assert_eq!(order(2, &all), [3, 4, 5, 1]);
        assert_eq!(order(2, &[all[0], all[4]]), [5, 1, 3, 4]);
    }

    #[test]
    fn an_attempt_in_vain_is_followed_by_another_life() {
        let home = home(&[closed(), 9]);
        let hub = live(home.clone(), |hub| {
            let refused = hub.check_serves("trying").unwrap_err();
            assert_eq!(refused.code(), FailureCode::FailureHostLost);
            assert!(!hub.is_over() && hub.stays);
        });
        let next = hub.borrow_mut().home.take().unwrap();
        assert_eq!((next.attempts, next.until), (1, home.until));
        assert_eq!(
            (next.former, next.stays_with),
            (home.former, home.stays_with)
        );
        assert_eq!(next.door(), home.doors[1]);
    }

    #[test]
    fn it_ends_for_good_after_a_while_or_when_it_is_halted() {
        let late = Home {
            until: Instant::now(),
            ..home(&[9])
        };
        assert!(!live(late, |_| ()).borrow().is_to_return());
        let hub = live(home(&[9]), |hub| hub.halt(None, Duration::ZERO));
        hub.borrow_mut().begin_again(home(&[9]));
        assert!(!hub.borrow().is_to_return());
        // Nor does a host that knows nobody.
        let alone = alone();
        alone.borrow_mut().expelled();
        assert!(alone.borrow().is_over() && !alone.borrow().is_to_return());
    }
}
