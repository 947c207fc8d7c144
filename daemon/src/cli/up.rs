//! `pvm up`: the virtual machine, with the hosts that it is to have.

use super::add::{self, Wanted};
use super::connect::{self, Trouble};
use super::exit::Exit;
use super::{conf, low, say, token};
use crate::launch::hostfile;
use crate::ui::table::Look;
use pvm::limits::LOCAL_HOSTS_MAX;
use pvm::wire::control::{ListHosts, from_daemon, to_daemon};
use std::path::Path;

/// Does `pvm up`.
///
/// # Errors
/// When there is no daemon and none can be started, or hosts on this machine cannot.
pub fn main(typed: &low::Up, look: Look) -> Result<Exit, Trouble> {
    let wanted = match wanted(typed) {
        Ok(wanted) => wanted,
        Err(line) => {
            say::error("pvm up", &format!("{line}; see: pvm up --help"));
            return Ok(Exit::Usage);
        }
    };
    let mut connection = connect::or_start()?;
    let opened = token::open(&mut connection, true)?;
    if let Some(local) = wanted.local_hosts {
        for number in 2..=local {
            connect::start_another(number, &opened.addresses)?;
        }
    }
    let added = add::hosts("pvm up", false, &wanted.others, &opened, None)?;
    let exit = add::told("pvm up", &added);
    let answer = connection
        .link
        .call(to_daemon::Body::ListHosts(ListHosts::default()))?;
    match answer.body {
        from_daemon::Body::HostList(list) => {
            conf::show(list, typed.json, look);
            Ok(exit)
        }
        _ => Err(connect::nonsense()),
    }
}

struct Hosts {
    local_hosts: Option<u32>,
    others: Wanted,
}

fn wanted(typed: &low::Up) -> Result<Hosts, String> {
    let local_hosts = typed.local_hosts.as_ref().map(|value| {
        let number = value.to_str().and_then(|text| text.parse().ok());
        let number = number.filter(|number| (1..=LOCAL_HOSTS_MAX).contains(number));
        number.ok_or_else(|| {
            let value = value.to_string_lossy();
            format!(
                "'{value}' is not a value of --local-hosts: a number from 1 to {LOCAL_HOSTS_MAX}"
            )
        })
    });
    let mut others = add::wanted(&typed.hosts)?;
    if let Some(path) = &typed.hostfile {
        let file = hostfile::read(Path::new(path)).map_err(|error| error.to_string())?;
        others.extend(file.hosts.into_iter().filter(|host| !host.only_later));
    }
    Ok(Hosts {
        local_hosts: local_hosts.transpose()?,
        others,
    })
}
