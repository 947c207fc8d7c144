//! For programs: all facts and all findings.

use super::Report;
use crate::doctor::{Finding, View, Weight, ways};
use pvm::wire::control::{Dial, DialEnd, Examined, FileSystem, HostHealth, HostWay, Limit, Room};
use serde_json::{Value, json};

/// All of it.
pub(super) fn report(report: &Report) -> Value {
    let view = View::of(&report.picture);
    let examined = &report.picture.examined;
    let ways = examined
        .iter()
        .flat_map(|from| from.ways.iter().map(move |to| (from, to)));
    json!({
        "machine": report.has_machine,
        "hosts": examined.iter().map(|it| host(&view, it)).collect::<Vec<_>>(),
        "ways": ways.map(|(from, to)| way(&view, from, to)).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "problems": report.problems(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.id,
        "problem": finding.weight == Weight::Problem,
        "hosts": finding.hosts,
        "what": finding.what,
        "why": finding.why,
        "next": finding.next,
    })
}

fn host(view: &View<'_>, examined: &Examined) -> Value {
    let clock = examined.clock.as_ref();
    json!({
        "host": view.name(examined.host),
        "index": examined.host,
        "answered": examined.failure.is_none(),
        "ways_left_out": examined.left_out,
        "clock_ahead_us": clock.map(|clock| clock.ahead_us),
        "clock_doubt_us": clock.map(|clock| clock.doubt_us),
        "health": examined.health.as_deref().map(health),
    })
}

fn health(health: &HostHealth) -> Value {
    json!({
        "software": health.software,
        "control_protocol": health.control_version,
        "mesh_protocol": health.mesh_version,
        "architecture": health.architecture,
        "addresses": health.addresses,
        "cpus": health.cpus,
        "cpus_online": health.cpus_online,
        "open_files": limit(health.open_files.as_ref()),
        "processes": limit(health.processes.as_ref()),
        "locked_memory_bytes": limit(health.locked_memory.as_ref()),
        "tasks_max": health.tasks_max,
        "tasks_bound": health.tasks_bound,
        "memory": room(health.memory.as_ref()),
        "group_memory": room(health.group_memory.as_ref()),
        "shared_memory": health.no_shared_memory.is_empty(),
        "dev_shm": health.shm.as_ref().map(file_system),
        "runtime_dir": health.runtime_dir.as_ref().map(file_system),
        "control_groups": health.delegated,
        "reads_memory": health.reads_memory,
        "logout": health.logout().as_str_name().trim_start_matches("LOGOUT_").to_lowercase(),
        "ptrace_scope": (health.ptrace_scope >= 0).then_some(health.ptrace_scope),
    })
}

/// `null` is no limit.
fn limit(limit: Option<&Limit>) -> Value {
    let number = |it: u64| (it != u64::MAX).then_some(it);
    json!({
        "soft": limit.and_then(|limit| number(limit.soft)),
        "hard": limit.and_then(|limit| number(limit.hard)),
    })
}

fn room(room: Option<&Room>) -> Value {
    json!(room.map(|room| json!({ "total_kib": room.total_kib, "free_kib": room.free_kib })))
}

fn file_system(system: &FileSystem) -> Value {
    json!({
        "path": system.path,
        "kind": system.kind,
        "room": room(system.room.as_ref()),
        "files_free": (system.files > 0).then_some(system.files_free),
    })
}

fn way(view: &View<'_>, from: &Examined, way: &HostWay) -> Value {
    let best = ways::best(way).filter(|dial| ways::is_answer(dial));
    let lookup = way.lookup.clone().unwrap_or_default();
    json!({
        "from": view.name(from.host),
        "to": view.name(way.host),
        "from_index": from.host,
        "to_index": way.host,
        "answered": best.is_some(),
        "connect_us": best.map(|dial| dial.connect_us),
        "answer_us": best.map(|dial| dial.answer_us),
        "lost_packet_bytes": (way.lost_bytes > 0).then_some(way.lost_bytes),
        "name_addresses": lookup.addresses,
        "name_trouble": (!lookup.trouble.is_empty()).then_some(lookup.trouble),
        "dials": way.dials.iter().map(dial).collect::<Vec<_>>(),
    })
}

fn dial(dial: &Dial) -> Value {
    let end = dial.end();
    json!({
        "address": dial.address,
        "end": end.as_str_name().trim_start_matches("DIAL_").to_lowercase(),
        "why": (!dial.why.is_empty()).then_some(&dial.why),
        "connect_us": (end == DialEnd::DialAnswered).then_some(dial.connect_us),
        "answer_us": (end == DialEnd::DialAnswered).then_some(dial.answer_us),
    })
}
