//! The hosts that a launch names. Those that are no hosts of the virtual machine are added before the
//! job is asked for, as `pvm add` adds them: all of them, or there is no job.

use crate::cli::add;
use crate::cli::connect::{self, Connection, Trouble};
use crate::cli::plan::{Plan, Voice};
use crate::cli::{say, token};
use crate::cluster::registry::HostId;
use crate::host::{addresses, lookup};
use crate::job::place::Candidate;
use crate::launch::members::{self, Meant, Member, Named};
use crate::launch::spec::HostSpec;
use crate::ui::fold::fold;
use pvm::limits::{ADMIT_PAUSE_MS, EXAM_NAME_MS, HOST_ANSWER_MS};
use pvm::wire::control::{HostInfo, ListHosts, Run, from_daemon, to_daemon};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Longest that the addresses of a name are looked for.
const NAME: Duration = Duration::from_millis(EXAM_NAME_MS);
/// Longest until the daemon here has heard of a host that has joined.
const HEARD: Duration = Duration::from_millis(HOST_ANSWER_MS);

/// Sees to it that all hosts of the plan are there, and calls them in the request as the daemon does.
///
/// # Errors
/// When one cannot be added. Others that were added with it stay.
pub fn see_to(plan: &Plan, connection: &mut Connection, run: &mut Run) -> Result<(), Trouble> {
    let specs: Vec<&HostSpec> = plan.apps.iter().flat_map(|app| &app.hosts).collect();
    if specs.is_empty() {
        return Ok(());
    }
    let members = members_of(connection)?;
    if specs
        .iter()
        .all(|spec| members::is_known(&spec.name, &members))
    {
        return Ok(());
    }
    let quiet = plan.voice == Voice::Quiet;
    let named = connect::aloud("pvm run", quiet, "the addresses of the hosts", || {
        look_up(&specs, &members)
    })?;
    let here = here(connection).index;
    let meant = members::meant(&named, &members, here);
    let added = add_strangers(plan, connection, &specs, &meant)?;
    let words = meant.iter().map(|meant| match meant {
        Meant::Known => None,
        Meant::Member(index) => Some(index.to_string()),
        Meant::Stranger(first) => added.get(first).map(ToString::to_string),
    });
    call(run, words);
    Ok(())
}

/// Puts the hosts' words into the request, where they are others than those that were typed.
fn call(run: &mut Run, words: impl Iterator<Item = Option<String>>) {
    let Some(launch) = &mut run.launch else {
        return;
    };
    let own = launch.apps.iter_mut().flat_map(|app| &mut app.placement);
    // What all programs share is that of the first.
    let named = launch.placement.iter_mut().chain(own);
    for (slots, word) in named.flat_map(|it| &mut it.hosts).zip(words) {
        if let Some(word) = word {
            slots.host = word;
        }
    }
}

/// Number of hosts of the virtual machine.
///
/// # Errors
/// When the daemon does not tell.
pub fn count(connection: &mut Connection) -> Result<usize, Trouble> {
    Ok(members_of(connection)?.len())
}

/// This host.
fn here(connection: &Connection) -> HostId {
    let welcome = &connection.welcome;
    // Larger numbers no daemon has.
    HostId::new(welcome.host_index as u16, welcome.incarnation as u16)
}

/// The hosts of the virtual machine, as the daemon here knows them.
fn members_of(connection: &mut Connection) -> Result<Vec<Member>, Trouble> {
    let list = to_daemon::Body::ListHosts(ListHosts { known: true });
    let from_daemon::Body::HostList(list) = connection.link.call(list)?.body else {
        return Err(connect::nonsense());
    };
    let here = u32::from(here(connection).index);
    let mut members = Vec::new();
    for host in list.hosts {
        let is_here = host.index == here;
        let mut member = member(host).ok_or_else(connect::nonsense)?;
        if is_here {
            // A daemon that is alone tells none.
            member.addresses.extend(addresses::of_this_host());
        }
        members.push(member);
    }
    Ok(members)
}

fn member(host: HostInfo) -> Option<Member> {
    let ip = |text: &String| Some(text.parse::<SocketAddr>().ok()?.ip().to_canonical());
    Some(Member {
        addresses: host.addresses.iter().filter_map(ip).collect(),
        host: Candidate {
            index: host.index.try_into().ok()?,
            name: host.name,
            architecture: host.architecture,
            cpus: host.cpus,
        },
    })
}

/// The names with their addresses; none for names that need none, or have none: ssh may know them.
fn look_up(specs: &[&HostSpec], members: &[Member]) -> Result<Vec<Named>, Trouble> {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let unknown = specs.iter().enumerate();
    let unknown: Vec<(usize, String)> = unknown
        .filter(|(_, spec)| !members::is_known(&spec.name, members))
        .map(|(at, spec)| {
            (
                at,
                spec.options.address.as_ref().unwrap_or(&spec.name).clone(),
            )
        })
        .collect();
    let found = runtime()?.block_on(async {
        let mut searches = JoinSet::new();
        for (at, name) in unknown {
            searches.spawn(async move { (at, lookup::addresses(&name, NAME).await) });
        }
        let mut found: BTreeMap<usize, Vec<IpAddr>> = BTreeMap::new();
        while let Some(ended) = searches.join_next().await {
            if let Ok((at, Ok(addresses))) = ended {
                found.insert(at, addresses);
            }
        }
        found
    });
    let named = names.into_iter().enumerate().map(|(at, name)| Named {
        name,
        addresses: found.get(&at).cloned().unwrap_or_default(),
    });
    Ok(named.collect())
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Trouble::Other(error.to_string()))
}

/// Adds the hosts that are none yet: the index of each, by its place in the list.
fn add_strangers(
    plan: &Plan,
    connection: &mut Connection,
    specs: &[&HostSpec],
    meant: &[Meant],
) -> Result<BTreeMap<usize, u16>, Trouble> {
    let is_first = |at: &usize| meant[*at] == Meant::Stranger(*at);
    let places: Vec<usize> = (0..meant.len()).filter(is_first).collect();
    let wanted: Vec<HostSpec> = places.iter().map(|at| specs[*at].clone()).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    if plan.voice == Voice::Verbose {
        let names: Vec<&str> = wanted.iter().map(|spec| spec.name.as_str()).collect();
        say::error("pvm run", &format!("adding {}", fold(&names)));
    }
    let opened = token::open(connection, false)?;
    // Hosts of a virtual machine that goes away by itself go with it.
    let stays_with = opened.leaves.then(|| here(connection));
    let quiet = plan.voice == Voice::Quiet;
    let added = add::hosts("pvm run", quiet, &wanted, &opened, stays_with)?;
    if !added.failures.is_empty() {
        return Err(Trouble::Hosts(added.failures));
    }
    let indices = places.into_iter().zip(added.indices);
    let indices = indices
        .filter_map(|(at, index)| Some((at, index?)))
        .collect();
    wait_for(connection, &indices)?;
    Ok(indices)
}

/// Waits until the daemon here has heard of hosts that have joined.
fn wait_for(connection: &mut Connection, indices: &BTreeMap<usize, u16>) -> Result<(), Trouble> {
    let end = Instant::now() + HEARD;
    loop {
        let members = members_of(connection)?;
        let is_there = |index: &&u16| members.iter().any(|it| it.host.index == **index);
        let Some(missing) = indices.values().find(|index| !is_there(index)) else {
            return Ok(());
        };
        if Instant::now() > end {
            let line = format!(
                "host {missing} has joined and is not known here after {} s; see: pvm conf",
                HEARD.as_secs()
            );
            return Err(Trouble::Other(line));
        }
        // The daemon tells its clients nothing of hosts that come.
        std::thread::sleep(Duration::from_millis(ADMIT_PAUSE_MS));
    }
}
