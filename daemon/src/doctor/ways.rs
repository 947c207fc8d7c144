//! Who does not reach whom, and what hosts take each other's names for.

use super::{Finding, View, Weight};
use crate::ui::fold::fold;
use crate::ui::text;
use pvm::limits::EXAM_TARGETS_MAX;
use pvm::wire::control::{Dial, DialEnd, HostHealth, HostWay};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// Different reasons, and addresses with the same, that one line tells of.
const TOLD_MAX: usize = 3;

/// The dial that tells most of a way: the fastest answer, or else why the most useful address gives
/// none. `None`: no address is known.
pub fn best(way: &HostWay) -> Option<&Dial> {
    let fastest = fastest(&way.dials);
    fastest.or_else(|| useful(way).next()).or(way.dials.first())
}

/// The dial with the fastest answer.
pub fn fastest(dials: &[Dial]) -> Option<&Dial> {
    let answered = dials.iter().filter(|dial| is_answer(dial));
    answered.min_by_key(|dial| dial.answer_us)
}

/// Whether a dial led to the daemon that was meant.
pub fn is_answer(dial: &Dial) -> bool {
    dial.end() == DialEnd::DialAnswered
}

/// Dials to addresses that mean something on both hosts.
fn useful(way: &HostWay) -> impl Iterator<Item = &Dial> {
    let is_for_both = |dial: &&Dial| address(dial).is_none_or(|it| !it.ip().is_loopback());
    way.dials.iter().filter(is_for_both)
}

fn address(dial: &Dial) -> Option<SocketAddr> {
    dial.address.parse().ok()
}

/// Ways from one host to another.
type Ways<'a> = BTreeMap<(u32, u32), &'a HostWay>;

/// What is found.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let told = view.picture.examined.iter();
    let all = told.flat_map(|it| it.ways.iter().map(|way| ((it.host, way.host), way)));
    let all: Ways = all.collect();
    let is_cut = |way: &HostWay| best(way).is_none_or(|dial| !is_answer(dial));
    let cut = all.iter().filter(|(_, way)| is_cut(way));
    let cut = cut.map(|(ends, way)| (*ends, *way));
    let is_untried = |way: &HostWay| way.dials.iter().any(|it| it.end() == DialEnd::DialUntried);
    let (untried, mut cut): (Ways, Ways) = cut.partition(|(_, way)| is_untried(way));
    let mut found = lonely(view, &all, &mut cut);
    found.extend(pairs(view, &cut));
    found.extend(late(view, &untried));
    found.extend(left_out(view));
    found.extend(names(view));
    found
}

/// How many ways lead to each host, and from each.
#[derive(Default)]
struct Counts {
    to: HashMap<u32, usize>,
    from: HashMap<u32, usize>,
}

impl Counts {
    fn of(ways: &Ways) -> Self {
        let mut counts = Self::default();
        for (from, to) in ways.keys() {
            *counts.from.entry(*from).or_default() += 1;
            *counts.to.entry(*to).or_default() += 1;
        }
        counts
    }
}

/// Hosts that none of the others reaches, or that reach none. Their ways are told of then.
fn lonely(view: &View<'_>, all: &Ways, cut: &mut Ways) -> Vec<Finding> {
    let (there, gone) = (Counts::of(all), Counts::of(cut));
    // One way alone is told of as a pair.
    let is_all = |there: &HashMap<u32, usize>, gone: &HashMap<u32, usize>, host: &u32| {
        gone.get(host)
            .is_some_and(|gone| *gone > 1 && there.get(host) == Some(gone))
    };
    let is_unreached = |host: &u32| is_all(&there.to, &gone.to, host);
    let is_lost = |host: &u32| is_all(&there.from, &gone.from, host);
    let hosts: BTreeSet<u32> = cut.keys().flat_map(|(from, to)| [*from, *to]).collect();
    let mut found = Vec::new();
    for host in hosts {
        let name = view.name(host);
        let what = match (is_unreached(&host), is_lost(&host)) {
            (true, true) => format!("{name} and the other hosts do not reach each other"),
            (true, false) => format!("no other host reaches {name}"),
            (false, true) => format!("{name} reaches no other host"),
            (false, false) => continue,
        };
        let is_its = |(from, to): &(u32, u32)| match is_unreached(&host) {
            true => *to == host,
            false => *from == host,
        };
        if let Some((ends, way)) = cut.iter().find(|(ends, _)| is_its(ends)) {
            let texts = [what, why(way), next(view, *ends, way)];
            found.push(Finding::about(
                vec![name],
                "cut-off",
                Weight::Problem,
                texts,
            ));
        }
    }
    cut.retain(|(from, to), _| !is_unreached(to) && !is_lost(from));
    found
}

/// Ways that nobody had the time to try.
fn late(view: &View<'_>, untried: &Ways) -> Option<Finding> {
    let from: BTreeSet<u32> = untried.keys().map(|(from, _)| *from).collect();
    let hosts: Vec<String> = from.into_iter().map(|host| view.name(host)).collect();
    let what = match untried.len() {
        1 => "1 way has not been tried".to_owned(),
        more => format!("{more} ways have not been tried"),
    };
    let why = format!("there was no time for them on {}", fold(&hosts));
    let next = fewer(hosts.first()?);
    let texts = [what, why, next];
    Some(Finding::about(hosts, "not-tried", Weight::Problem, texts))
}

fn pairs(view: &View<'_>, cut: &Ways) -> Vec<Finding> {
    let one = |(&ends, way): (&(u32, u32), &&HostWay)| {
        let (from, to) = ends;
        let is_mutual = cut.contains_key(&(to, from));
        if is_mutual && from > to {
            return None; // told of already
        }
        let names = [from, to].map(|host| view.name(host));
        let what = match is_mutual {
            true => format!("{} and {} do not reach each other", names[0], names[1]),
            false => format!("{} does not reach {}", names[0], names[1]),
        };
        let texts = [what, why(way), next(view, ends, way)];
        Some(Finding::about(
            names.to_vec(),
            "no-way",
            Weight::Problem,
            texts,
        ))
    };
    cut.iter().filter_map(one).collect()
}

/// What came of the addresses of a way, those with the same reason together.
fn why(way: &HostWay) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for dial in useful(way) {
        match reasons.iter_mut().find(|(why, _)| *why == dial.why) {
            Some((_, addresses)) => addresses.push(&dial.address),
            None => reasons.push((&dial.why, vec![&dial.address])),
        }
    }
    if reasons.is_empty() {
        return "no address of it is known that others can use".to_owned();
    }
    let told = reasons.iter().take(TOLD_MAX).map(|(why, addresses)| {
        let shown = &addresses[..addresses.len().min(TOLD_MAX)];
        let more = match addresses.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}{more}: {why}", shown.join(", "))
    });
    told.collect::<Vec<_>>().join("; ")
}

fn next(view: &View<'_>, (from, to): (u32, u32), way: &HostWay) -> String {
    let (from, to) = (view.name(from), view.name(to));
    let dial = best(way);
    let place = dial.and_then(address);
    let port = place.map_or(0, |place| place.port());
    let ip = place.map_or_else(|| text::word(&to).into_owned(), |it| it.ip().to_string());
    match dial.map(Dial::end) {
        None => format!("see the network of {to}, there: ip -brief addr"),
        Some(DialEnd::DialSilent) => format!(
            "let UDP port {port} pass between them; on both hosts: nft list ruleset, or iptables -L -n"
        ),
        Some(DialEnd::DialRejected) => {
            format!("see what rejects UDP port {port}, on {to}: nft list ruleset, or ss -ulnp")
        }
        Some(DialEnd::DialUnreachable) => {
            format!("see the way that packets take, on {from}: ip route get {ip}")
        }
        Some(DialEnd::DialBusy | DialEnd::DialUntried) => fewer(&from),
        Some(DialEnd::DialOtherMachine | DialEnd::DialOtherDaemon | DialEnd::DialOurselves) => {
            format!("see who has that address, on {from}: ip neigh show {ip}, ip -brief addr")
        }
        Some(DialEnd::DialVersion) => "install one release on both hosts".to_owned(),
        Some(DialEnd::DialClock) => "set the clocks, on both hosts: timedatectl".to_owned(),
        Some(DialEnd::DialFailed | DialEnd::DialAnswered) => {
            format!("see the log of pvmd on {to}, beside its socket")
        }
    }
}

/// Ways that nobody was to try.
fn left_out(view: &View<'_>) -> Option<Finding> {
    let told = view.picture.examined.iter();
    let from = told.filter(|it| it.left_out > 0);
    let hosts: Vec<String> = from.map(|it| view.name(it.host)).collect();
    let what = format!(
        "{} have tried the ways to {EXAM_TARGETS_MAX} others each, not to all",
        fold(&hosts)
    );
    let why = "there are too many; each host is tried by as many others".to_owned();
    let texts = [what, why, String::new()];
    let finding = || Finding::about(hosts.clone(), "left-out", Weight::Note, texts);
    (!hosts.is_empty()).then(finding)
}

fn fewer(host: &str) -> String {
    let host = text::word(host);
    format!("look at fewer hosts at a time: pvm doctor {host}")
}

/// What a name is taken for that does not lead to its host.
fn names(view: &View<'_>) -> Vec<Finding> {
    let mut alike: BTreeMap<(u32, String), Vec<String>> = BTreeMap::new();
    for examined in &view.picture.examined {
        let Some(health) = &examined.health else {
            continue;
        };
        for way in &examined.ways {
            if let Some(meant) = meant(view, health, way) {
                let hosts = alike.entry((way.host, meant)).or_default();
                hosts.push(view.name(examined.host));
            }
        }
    }
    let found = alike.into_iter().map(|((host, meant), from)| {
        let name = view.name(host);
        let what = format!("on {} the name {name} {meant}", fold(&from));
        let why = "PVM goes by addresses, ssh and other programs may go by names";
        let next = format!("see there: getent hosts {}", text::word(&name));
        let texts = [what, why.to_owned(), next];
        Finding::about([from, vec![name]].concat(), "name", Weight::Note, texts)
    });
    found.collect()
}

/// What is wrong with what a host takes a name for.
fn meant(view: &View<'_>, health: &HostHealth, way: &HostWay) -> Option<String> {
    let lookup = way.lookup.as_ref()?;
    if is_here(view, health, way) {
        // Its name is one that we have made up.
        return None;
    }
    let dialled = way.dials.iter().filter_map(address);
    let known: BTreeSet<IpAddr> = dialled.map(|it| it.ip()).collect();
    let found = lookup.addresses.iter().filter_map(|it| it.parse().ok());
    let found: BTreeSet<IpAddr> = found.collect();
    match found.first() {
        None => Some(format!("leads nowhere ({})", lookup.trouble)),
        Some(_)
            if found
                .iter()
                .any(|it| known.contains(it) && !it.is_loopback()) =>
        {
            None
        }
        Some(other) => Some(format!("means {other}, where that host is not")),
    }
}

/// Whether the other host is on the same machine.
fn is_here(view: &View<'_>, health: &HostHealth, way: &HostWay) -> bool {
    if let Some(other) = view.health(way.host) {
        return other.machine == health.machine;
    }
    let own = health.addresses.iter();
    let own = own.filter_map(|it| it.parse::<SocketAddr>().ok());
    let own: BTreeSet<IpAddr> = own.map(|it| it.ip()).collect();
    let its = way.dials.iter().filter_map(address);
    own == its.map(|it| it.ip()).collect()
}
