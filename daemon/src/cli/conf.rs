//! `pvm conf`: the hosts.

use super::connect::{self, Trouble};
use super::exit::Exit;
use super::{low, say};
use crate::ui::table::{Column, Look, render};
use crate::ui::text;
use pvm::wire::control::{DataFormat, HostInfo, HostList, ListHosts, from_daemon, to_daemon};
use serde_json::{Value, json};
use std::time::Duration;

const COLUMNS: &[Column] = &[
    Column("HOST", false),
    Column("INDEX", true),
    Column("ARCH", false),
    Column("CPUS", true),
    Column("JOBS", true),
    Column("TASKS", true),
    Column("UP", true),
    Column("DAEMON", true),
    Column("SOFTWARE", false),
];

/// Does `pvm conf`.
///
/// # Errors
/// When no daemon answers.
pub fn main(typed: &low::Conf, look: Look) -> Result<Exit, Trouble> {
    let mut connection = connect::existing()?;
    let answer = connection
        .link
        .call(to_daemon::Body::ListHosts(ListHosts::default()))?;
    match answer.body {
        from_daemon::Body::HostList(list) => Ok(show(list, typed.json, look)),
        _ => Err(connect::nonsense()),
    }
}

/// Shows the hosts.
pub fn show(mut list: HostList, as_json: bool, look: Look) -> Exit {
    list.hosts.sort_by_key(|host| host.index);
    match as_json {
        true => say::json(&list.hosts.iter().map(in_json).collect()),
        false => say::out(&render(
            look,
            COLUMNS,
            &list.hosts.iter().map(row).collect::<Vec<_>>(),
        )),
    }
}

fn row(host: &HostInfo) -> Vec<String> {
    vec![
        text::harmless(host.name.as_bytes()),
        host.index.to_string(),
        text::harmless(host.architecture.as_bytes()),
        host.cpus.to_string(),
        host.jobs.to_string(),
        host.tasks.to_string(),
        text::duration(Duration::from_millis(host.up_ms)),
        host.daemon_pid.to_string(),
        text::harmless(host.software.as_bytes()),
    ]
}

fn in_json(host: &HostInfo) -> Value {
    json!({
        "host": host.name,
        "index": host.index,
        "incarnation": host.incarnation,
        "architecture": host.architecture,
        "software": host.software,
        "cpus": host.cpus,
        "jobs": host.jobs,
        "tasks": host.tasks,
        "daemon_pid": host.daemon_pid,
        "socket": host.socket,
        "up_ms": host.up_ms,
        "addresses": host.addresses,
        "votes": host.votes,
        "data_format": host.format.as_ref().map(format_in_json),
    })
}

fn format_in_json(format: &DataFormat) -> Value {
    json!({
        "byte_order": if format.big_endian { "big" } else { "little" },
        "float": format.float().as_str_name(),
        "long_double": format.long_double().as_str_name(),
        "sizes": {
            "short": format.short_size,
            "int": format.int_size,
            "long": format.long_size,
            "long_long": format.long_long_size,
            "pointer": format.pointer_size,
            "wchar": format.wchar_size,
            "bool": format.bool_size,
            "long_double": format.long_double_size,
        },
        "page_size": format.page_size,
    })
}
