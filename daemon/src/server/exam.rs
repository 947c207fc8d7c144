//! Looking at this host and at the ways from it to others, within a time that is known before.
//!
//! A host begins with the one after it, so that not all of them call the same daemon at once.

use crate::cluster::mesh::{AddressError, FullSize, Mesh, Probed, Prober};
use crate::cluster::trust::DaemonId;
use crate::doctor::ways;
use crate::host::health::{self, Known};
use crate::host::{aside, lookup};
use pvm::limits::{
    ADDRESSES_MAX, EXAM_DIAL_MS, EXAM_DIALS_MAX, EXAM_MS, EXAM_NAME_MS, EXAM_TARGETS_MAX,
};
use pvm::wire::control::{Dial, DialEnd, Examined, HostHealth, HostWay, NameLookup};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

const DIAL: Duration = Duration::from_millis(EXAM_DIAL_MS);
const NAME: Duration = Duration::from_millis(EXAM_NAME_MS);
const WHOLE: Duration = Duration::from_millis(EXAM_MS);

/// Another host.
pub struct Target {
    /// Its index.
    pub host: u16,
    /// Its name.
    pub name: String,
    /// Its daemon.
    pub daemon: DaemonId,
    /// Where that is, the most useful first.
    pub addresses: Vec<SocketAddr>,
}

/// Of the other hosts those whose turn it is to be tried, beginning with the one after `me`, and how many
/// are left out: among very many each host tries some, so that each is tried by some.
pub fn in_turn<T>(me: u16, others: &BTreeMap<u16, T>) -> (impl Iterator<Item = &T>, usize) {
    let all = others.range(me..).chain(others.range(..me));
    let left_out = others.len().saturating_sub(EXAM_TARGETS_MAX);
    (all.map(|(_, other)| other).take(EXAM_TARGETS_MAX), left_out)
}

/// Looks; whose host it is, and its clock, are the caller's to fill in.
pub async fn exam(known: Known, mesh: Option<Mesh>, targets: Vec<Target>) -> Examined {
    let until = Instant::now() + WHOLE;
    let ways = async {
        match &mesh {
            Some(mesh) => ways(&mesh.prober(), &targets, until).await,
            None => Vec::new(),
        }
    };
    let (health, ways) = tokio::join!(health(known, until), ways);
    Examined {
        health: health.map(Box::new),
        ways,
        ..Examined::default()
    }
}

/// `None`: the system does not answer.
async fn health(known: Known, until: Instant) -> Option<HostHealth> {
    let limit = until.saturating_duration_since(Instant::now());
    let looked = aside::ask(&aside::FILES, limit, move || health::look(&known)).await;
    let looked = looked.inspect_err(|why| tracing::warn!("cannot look at this host: {why}"));
    looked.ok()
}

async fn ways(prober: &Prober, targets: &[Target], until: Instant) -> Vec<HostWay> {
    let dials = async {
        let mut dials = dials(prober, targets, until).await;
        // Those that there is no time for keep what they have.
        let _ = timeout_at(until, again(prober, targets, &mut dials)).await;
        let lost = lost(prober, &dials, until).await;
        dials.into_iter().zip(lost)
    };
    let (lookups, dials) = tokio::join!(lookups(targets, until), dials);
    let found = targets.iter().zip(lookups.into_iter().zip(dials));
    found
        .map(|(target, (lookup, (dials, lost_bytes)))| HostWay {
            host: target.host.into(),
            name: target.name.clone(),
            lookup: Some(lookup),
            dials,
            lost_bytes,
        })
        .collect()
}

/// For each host the size of packets that do not get to it while smaller ones do; 0: there is none such.
async fn lost(prober: &Prober, dials: &[Vec<Dial>], until: Instant) -> Vec<u32> {
    let places = Arc::new(Semaphore::new(EXAM_DIALS_MAX));
    let mut running = JoinSet::new();
    for (at, dials) in dials.iter().enumerate() {
        let fastest = ways::fastest(dials).and_then(|dial| dial.address.parse().ok());
        let Some(address) = fastest else { continue };
        let (prober, places) = (prober.clone(), places.clone());
        running.spawn(async move {
            let _place = places.acquire().await;
            (at, prober.full_size(address).await)
        });
    }
    let mut all = vec![0; dials.len()];
    collect(running, until, |(at, found)| {
        if let FullSize::Lost(bytes) = found {
            all[at] = bytes as u32;
        }
    })
    .await;
    all
}

async fn lookups(targets: &[Target], until: Instant) -> Vec<NameLookup> {
    let mut running = JoinSet::new();
    for (at, target) in targets.iter().enumerate() {
        let name = target.name.clone();
        running.spawn(async move { (at, lookup::addresses(&name, NAME).await) });
    }
    let late = NameLookup {
        addresses: Vec::new(),
        trouble: "there was no time to look for it".to_owned(),
    };
    let mut all = vec![late; targets.len()];
    collect(running, until, |(at, found)| {
        all[at] = match found {
            Ok(addresses) => NameLookup {
                addresses: addresses.iter().map(ToString::to_string).collect(),
                trouble: String::new(),
            },
            Err(trouble) => NameLookup {
                addresses: Vec::new(),
                trouble,
            },
        };
    })
    .await;
    all
}

async fn dials(prober: &Prober, targets: &[Target], until: Instant) -> Vec<Vec<Dial>> {
    let places = Arc::new(Semaphore::new(EXAM_DIALS_MAX));
    let mut running = JoinSet::new();
    let dialled = |target: &Target| target.addresses.len().min(ADDRESSES_MAX);
    let blank = |target: &Target| {
        let addresses = target.addresses.iter().take(ADDRESSES_MAX);
        addresses.map(untried).collect()
    };
    let mut all: Vec<Vec<Dial>> = targets.iter().map(blank).collect();
    // The most useful address of every host comes before all others.
    for which in 0..ADDRESSES_MAX {
        let tried = targets.iter().enumerate();
        for (at, target) in tried.filter(|(_, target)| which < dialled(target)) {
            let (prober, places) = (prober.clone(), places.clone());
            let (daemon, address) = (target.daemon, target.addresses[which]);
            running.spawn(async move {
                let _place = places.acquire().await;
                (at, which, prober.probe(daemon, address, DIAL).await)
            });
        }
    }
    collect(running, until, |(at, which, probed)| {
        let dial = &mut all[at][which];
        match probed {
            Ok(probed) => {
                dial.set_end(DialEnd::DialAnswered);
                dial.why.clear();
                (dial.connect_us, dial.answer_us) = times(probed);
            }
            Err(error) => {
                dial.set_end(end(&error));
                dial.why = error.to_string();
            }
        }
    })
    .await;
    all
}

/// Tries once more the address of each host that was fastest, one after the other: the many dials at a
/// time have kept the daemons busy, which is no time of the network.
async fn again(prober: &Prober, targets: &[Target], dials: &mut [Vec<Dial>]) {
    for (target, dials) in targets.iter().zip(dials) {
        let answered = dials.iter_mut().filter(|dial| ways::is_answer(dial));
        let Some(fastest) = answered.min_by_key(|dial| dial.answer_us) else {
            continue;
        };
        let Ok(address) = fastest.address.parse() else {
            continue;
        };
        // That it has answered before counts, whatever comes of it now.
        if let Ok(probed) = prober.probe(target.daemon, address, DIAL).await {
            let (connect_us, answer_us) = times(probed);
            fastest.connect_us = fastest.connect_us.min(connect_us);
            fastest.answer_us = fastest.answer_us.min(answer_us);
        }
    }
}

fn times(probed: Probed) -> (u32, u32) {
    let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    (micros(probed.connect), micros(probed.answer))
}

/// Takes in what comes until a moment; the rest is dropped.
async fn collect<T: 'static>(mut running: JoinSet<T>, until: Instant, mut take: impl FnMut(T)) {
    while let Ok(Some(ended)) = timeout_at(until, running.join_next()).await {
        // One that panics has found nothing.
        if let Ok(found) = ended {
            take(found);
        }
    }
}

fn untried(address: &SocketAddr) -> Dial {
    Dial {
        address: address.to_string(),
        end: DialEnd::DialUntried.into(),
        why: "there was no time to try it".to_owned(),
        ..Dial::default()
    }
}

fn end(error: &AddressError) -> DialEnd {
    match error {
        AddressError::NoAnswer(_) => DialEnd::DialSilent,
        AddressError::NobodyListens => DialEnd::DialRejected,
        AddressError::NotReachable(_) => DialEnd::DialUnreachable,
        AddressError::Busy => DialEnd::DialBusy,
        AddressError::OtherVirtualMachine => DialEnd::DialOtherMachine,
        AddressError::OtherDaemon => DialEnd::DialOtherDaemon,
        AddressError::Ourselves => DialEnd::DialOurselves,
        AddressError::Version(_) => DialEnd::DialVersion,
        AddressError::OutOfTime => DialEnd::DialClock,
        _ => DialEnd::DialFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_many_hosts_each_is_tried_by_as_many() {
        let count = EXAM_TARGETS_MAX as u16 + 50;
        let mut tried = vec![0; usize::from(count)];
        for me in 0..count {
            let others = (0..count).filter(|other| *other != me);
            let others: BTreeMap<u16, u16> = others.map(|other| (other, other)).collect();
            let (targets, left_out) = in_turn(me, &others);
            targets.for_each(|host| tried[usize::from(*host)] += 1);
            assert_eq!(left_out, 49);
        }
        assert!(tried.iter().all(|by| *by == EXAM_TARGETS_MAX), "{tried:?}");
        let few = BTreeMap::from([(1, 'a'), (3, 'c')]);
        let (targets, left_out) = in_turn(2, &few);
        assert_eq!(
            (targets.collect::<String>(), left_out),
            ("ca".to_owned(), 0)
        );
    }
}
