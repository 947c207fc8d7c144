//! Hosts beside each other: clocks, releases, architectures, addresses, names.

use super::{Finding, View, Weight};
use crate::ui::fold::fold;
use crate::ui::text;
use pvm::wire::control::{ClockReading, HostHealth};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Clocks that differ by less do no harm.
const CLOCK_OFF_US: u64 = 2_000_000;

/// What is found.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut found = clocks(view);
    found.extend(releases(view));
    found.extend(architectures(view));
    found.extend(addresses(view));
    found.extend(names(view));
    found
}

fn clocks(view: &View<'_>) -> Vec<Finding> {
    let told = view.picture.examined.iter();
    let told = told.filter_map(|it| Some((it.host, it.clock.as_ref()?)));
    told.filter_map(|(host, clock)| {
        let what = off(clock)?;
        let why = "nothing sets it, most likely";
        let next = "see on that host: timedatectl, or chronyc tracking";
        let texts = [what, why.to_owned(), next.to_owned()];
        Some(Finding::of(
            &view.name(host),
            "clock",
            Weight::Problem,
            texts,
        ))
    })
    .collect()
}

fn off(clock: &ClockReading) -> Option<String> {
    let by = clock.ahead_us.unsigned_abs();
    if by <= CLOCK_OFF_US.saturating_add(clock.doubt_us) {
        return None;
    }
    let side = if clock.ahead_us > 0 {
        "ahead of"
    } else {
        "behind"
    };
    let by = text::duration(Duration::from_micros(by));
    Some(format!("its clock is {by} {side} the one here"))
}

/// The hosts by what they say of themselves.
fn sorted(view: &View<'_>, by: impl Fn(&HostHealth) -> &str) -> Vec<(String, Vec<String>)> {
    let mut sorted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (host, health) in view.healths() {
        let hosts = sorted.entry(by(health).to_owned()).or_default();
        hosts.push(view.name(host));
    }
    sorted.into_iter().collect()
}

/// All hosts, and who of them has what.
fn told(sorted: &[(String, Vec<String>)]) -> (Vec<String>, String) {
    let all = sorted.iter().flat_map(|(_, hosts)| hosts.clone()).collect();
    let parts = sorted.iter();
    let parts = parts.map(|(what, hosts)| format!("{what} on {}", fold(hosts)));
    (all, parts.collect::<Vec<_>>().join(", "))
}

fn releases(view: &View<'_>) -> Option<Finding> {
    let sorted = sorted(view, |health| &health.software);
    let (hosts, list) = told(&sorted);
    let what = "the hosts run different releases".to_owned();
    let next = "install one release on all of them".to_owned();
    let is_mixed = sorted.len() > 1;
    is_mixed.then(|| Finding::about(hosts, "release", Weight::Problem, [what, list, next]))
}

fn architectures(view: &View<'_>) -> Option<Finding> {
    let sorted = sorted(view, |health| &health.architecture);
    let (hosts, list) = told(&sorted);
    let what = "the hosts have different architectures".to_owned();
    let next = "each needs programs made for it".to_owned();
    let is_mixed = sorted.len() > 1;
    is_mixed.then(|| Finding::about(hosts, "architecture", Weight::Note, [what, list, next]))
}

/// Addresses that several machines have.
fn addresses(view: &View<'_>) -> Vec<Finding> {
    let mut owners: BTreeMap<IpAddr, BTreeMap<&str, BTreeSet<u32>>> = BTreeMap::new();
    for (host, health) in view.healths() {
        let own = health.addresses.iter();
        let own = own.filter_map(|it| it.parse::<SocketAddr>().ok());
        for address in own.map(|it| it.ip()).filter(|it| !it.is_loopback()) {
            let machines = owners.entry(address).or_default();
            machines.entry(&health.machine).or_default().insert(host);
        }
    }
    owners.retain(|_, machines| machines.len() > 1);
    let found = owners.into_iter().map(|(address, machines)| {
        let hosts = machines.into_values().flatten();
        let hosts: Vec<String> = hosts.map(|host| view.name(host)).collect();
        let what = format!("{} have the same address {address}", fold(&hosts));
        let why = "a bridge of container software, most likely; PVM is not confused by it";
        let next = "see which, on these hosts: ip -brief addr";
        let texts = [what, why.to_owned(), next.to_owned()];
        Finding::about(hosts, "same-address", Weight::Note, texts)
    });
    found.collect()
}

/// Names that several hosts have.
fn names(view: &View<'_>) -> Vec<Finding> {
    let mut indices: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for host in &view.picture.hosts {
        let same = indices.entry(&host.name).or_default();
        same.push(host.index.to_string());
    }
    indices.retain(|_, same| same.len() > 1);
    let found = indices.into_iter().map(|(name, same)| {
        let what = format!("{} hosts are called {name}", same.len());
        let why = format!("those of index {}", same.join(", "));
        let next = "name them by index, or start their daemons with --host-name";
        let texts = [what, why, next.to_owned()];
        Finding::about(vec![name.to_owned()], "same-name", Weight::Note, texts)
    });
    found.collect()
}
