//! A host whose addresses change: another network, another lease.
//!
//! The system does not tell; one has to look. The others still send to where this host was, so it
//! dials all of them anew, before they miss it, and has its new addresses noted by everybody.

use super::fabric::Fabric;
use super::hub::Shared;
use crate::cluster::registry::Command;
use pvm::limits::ADDRESS_LOOK_MS;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Looks at the addresses of this host for as long as it is part of a virtual machine.
pub async fn watch(hub: Shared, fabric: Weak<Fabric>) {
    let mut noted: Option<BTreeSet<SocketAddr>> = None;
    loop {
        {
            let Some(fabric) = fabric.upgrade() else {
                return;
            };
            let addresses = fabric.addresses();
            let set = addresses.iter().copied().collect();
            let has_moved = noted.as_ref().is_some_and(|noted| *noted != set);
            if has_moved && !addresses.is_empty() {
                tracing::warn!("this host has other addresses now: {addresses:?}");
                moved(&hub, &fabric, addresses);
            }
            noted = Some(set);
        }
        tokio::time::sleep(Duration::from_millis(ADDRESS_LOOK_MS)).await;
    }
}

fn moved(hub: &Shared, fabric: &Rc<Fabric>, addresses: Vec<SocketAddr>) {
    for (daemon, addresses) in fabric.others() {
        let mesh = fabric.mesh.clone();
        tokio::spawn(async move {
            if let Err(error) = mesh.redial(daemon, &addresses).await {
                tracing::debug!("not found again from another address: {error}");
            }
        });
    }
    let host = fabric.ledger.me();
    let update = Command::UpdateAddresses { host, addresses };
    hub.borrow_mut().submit(update, |_, result| {
        if let Err(why) = result {
            tracing::warn!("the others do not know the new addresses of this host: {why}");
        }
    });
}
