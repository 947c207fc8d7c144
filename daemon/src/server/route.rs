//! Direct connections between tasks of two hosts: the daemons arrange them and see nothing more of them.
//!
//! ```text
//!   task A --OpenRoute--> daemon of A: token and certificates for both
//!          <--RouteOffer: listen--
//!          --RouteListening: port-->  --RouteFor: A's addresses, B's credentials--> daemon of B
//!                                                  --RouteOffer: dial--> task B
//! ```
//!
//! Credentials travel over the unix sockets of one user and the encrypted lines between daemons. When
//! something does not go well nobody is told: the tasks have the relay, and ask again later.

use super::hub::{Asked, Hub};
use super::relay::Pair;
use super::request::{Reply, malformed};
use crate::cluster::registry::HostId;
use pvm::ids::TaskId;
use pvm::limits::ROUTES_PENDING_MAX;
use pvm::wire::control::{OpenRoute, RouteFor, RouteListening, RouteOffer, from_daemon, to_daemon};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Bytes of a token.
const TOKEN: usize = 16;

/// What those who dial will be offered, by who listens and who dials.
#[derive(Default)]
pub struct Introductions(BTreeMap<Pair, RouteOffer>);

impl Introductions {
    /// Keeps an offer until its listener listens. False: it has too many.
    fn keep(&mut self, pair: Pair, offer: RouteOffer) -> bool {
        let of_task = self.0.keys().filter(|other| other.from == pair.from);
        let has_room = self.0.contains_key(&pair) || of_task.count() < ROUTES_PENDING_MAX;
        if has_room {
            self.0.insert(pair, offer);
        }
        has_room
    }

    fn take(&mut self, pair: Pair) -> Option<RouteOffer> {
        self.0.remove(&pair)
    }

    /// A task of this host has ended.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.0.retain(|pair, _| pair.from != task);
    }
}

impl Hub {
    /// A task wants a direct connection: it is to listen.
    pub(super) fn open_route(&mut self, asked: Asked, open: &OpenRoute) -> Reply {
        let from = self.caller(asked, "opening a route")?;
        let peer = TaskId::from_bits(open.peer);
        let Some(to) = peer.filter(|to| self.hosts.of(*to).is_some()) else {
            return Ok(None);
        };
        let at = self.place.mesh.address;
        match offers(from, to, at, self.facts.plain_data) {
            Ok([listen, dial]) => {
                if self.introductions.keep(Pair { from, to }, dial) {
                    self.tell(asked.client, from_daemon::Body::RouteOffer(listen));
                }
            }
            Err(why) => tracing::warn!("no credentials for {from} and {to}: {why}"),
        }
        Ok(None)
    }

    /// A task listens: the other is to dial.
    pub(super) fn route_listening(&mut self, asked: Asked, listening: &RouteListening) -> Reply {
        let from = self.caller(asked, "opening a route")?;
        let port = u16::try_from(listening.port)
            .map_err(|_| malformed("opening a route", "this is not a port"))?;
        let Some(to) = TaskId::from_bits(listening.peer) else {
            return Ok(None);
        };
        let offer = self.introductions.take(Pair { from, to });
        if let (Some(mut offer), Some(host)) = (offer, self.hosts.of(to)) {
            offer.addresses = self.addresses(port);
            let route = RouteFor {
                task: from.bits(),
                peer: to.bits(),
                offer: Some(offer),
            };
            self.tell_host(host, to_daemon::Body::RouteFor(route));
        }
        Ok(None)
    }

    /// A task of another host listens for one of this host.
    pub(super) fn route_for(&mut self, asked: Asked, route: RouteFor) -> Reply {
        let host = self.host_of_client(asked.client);
        let place = host.and_then(|host| self.hosts.place(host));
        let ends = TaskId::from_bits(route.task).zip(TaskId::from_bits(route.peer));
        let (Some(place), Some((from, to)), Some(offer)) = (place, ends, route.offer) else {
            return Err(malformed(
                "opening a route",
                "only another pvmd asks for this",
            ));
        };
        // A daemon speaks for its own tasks only.
        if HostId::of(from) != place || offer.peer != from.bits() || !self.hosts.is_mine(to) {
            return Err(malformed(
                "opening a route",
                "the tasks are not where they should be",
            ));
        }
        self.pass_to_task(to, from_daemon::Body::RouteOffer(offer));
        Ok(None)
    }

    /// Where this host is reached, at a port.
    fn addresses(&self, port: u16) -> Vec<String> {
        let fabric = self.fabric.iter();
        let addresses = fabric.flat_map(|fabric| fabric.addresses());
        addresses
            .map(|address| SocketAddr::new(address.ip(), port).to_string())
            .collect()
    }
}

/// What the task that listens, at one address or at all, and the one that dials are to know.
fn offers(
    listens: TaskId,
    dials: TaskId,
    at: Option<IpAddr>,
    plain: bool,
) -> Result<[RouteOffer; 2], String> {
    let mut token = vec![0; TOKEN];
    getrandom::fill(&mut token).map_err(|error| error.to_string())?;
    let offer = |peer: TaskId, listen| RouteOffer {
        peer: peer.bits(),
        listen,
        plain,
        token: token.clone(),
        ..RouteOffer::default()
    };
    let mut both = [offer(dials, true), offer(listens, false)];
    let at = at.map(|address| SocketAddr::new(address, 0));
    both[0].addresses = at.iter().map(ToString::to_string).collect();
    if !plain {
        let identities = [identity()?, identity()?];
        for (side, offer) in both.iter_mut().enumerate() {
            (offer.certificate, offer.key) = identities[side].clone();
            offer.peer_certificate = identities[1 - side].0.clone();
        }
    }
    Ok(both)
}

/// A certificate for one connection and its key: nobody looks at what it says, the other end knows it
/// as a whole.
fn identity() -> Result<(Vec<u8>, Vec<u8>), String> {
    let made = || {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = CertificateParams::default().self_signed(&key)?;
        Ok((certificate.der().to_vec(), key.serialize_der()))
    };
    made().map_err(|error: rcgen::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm::transport::net::tls::Certificates;

    fn task(host: u16, number: u32) -> TaskId {
        TaskId::new(host, 1, number).unwrap()
    }

    #[test]
    fn both_sides_are_told_of_each_other() {
        let (a, b) = (task(1, 1), task(2, 7));
        let [listen, dial] = offers(a, b, None, false).unwrap();
        assert!(listen.listen && !dial.listen && !listen.plain);
        assert!(listen.addresses.is_empty());
        assert_eq!((listen.peer, dial.peer), (b.bits(), a.bits()));
        assert_eq!((&listen.token, listen.token.len()), (&dial.token, TOKEN));
        assert_eq!(listen.certificate, dial.peer_certificate);
        assert_eq!(dial.certificate, listen.peer_certificate);
        assert_ne!(listen.key, dial.key);
        let token = dial.token.clone();
        for offer in [listen, dial] {
            let certificates = Certificates {
                own: offer.certificate,
                key: offer.key,
                peer: offer.peer_certificate,
            };
            assert!(certificates.client().is_ok() && certificates.server().is_ok());
        }
        let at = Some("10.0.0.7".parse().unwrap());
        let [again, other] = offers(a, b, at, true).unwrap();
        assert_eq!(
            (again.addresses.len(), &again.addresses[0][..]),
            (1, "10.0.0.7:0")
        );
        assert!(other.addresses.is_empty());
        assert!(again.plain && again.certificate.is_empty() && again.key.is_empty());
        assert_ne!(again.token, token);
    }

    #[test]
    fn a_task_has_so_many_offers_and_its_end_forgets_them() {
        let mut introductions = Introductions::default();
        let me = task(1, 1);
        let pair = |number| Pair {
            from: me,
            to: task(2, number),
        };
        for number in 1..=ROUTES_PENDING_MAX as u32 {
            assert!(introductions.keep(pair(number), RouteOffer::default()));
        }
        assert!(!introductions.keep(pair(9999), RouteOffer::default()));
        assert!(introductions.keep(pair(1), RouteOffer::default()));
        assert!(introductions.take(pair(1)).is_some() && introductions.take(pair(1)).is_none());
        assert!(introductions.keep(pair(9999), RouteOffer::default()));
        introductions.forget(me);
        assert!(introductions.take(pair(2)).is_none());
    }
}
