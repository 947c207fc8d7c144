//! For tests of this room: the state of a daemon that is alone and serves nobody.

use super::hub::{ClusterPlace, Facts, Hub, Shared};
use super::log::Log;
use super::shm;
use crate::cluster::mesh::MeshOptions;
use crate::cluster::trust::DaemonId;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Instant;

/// Where it listens for others.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Its state.
pub fn alone() -> Shared {
    let facts = Facts {
        host: "here".to_owned(),
        daemon: DaemonId::random().unwrap(),
        socket: "nowhere".into(),
        cpus: 1,
        since: Instant::now(),
        idle: None,
        plain_data: false,
        open_files: None,
        log: Log::stderr(),
    };
    let place = ClusterPlace {
        secret: Err("none is needed".to_owned()),
        mesh: MeshOptions {
            address: Some(HERE),
            port: 0,
            host: "here".to_owned(),
        },
        key: "here".to_owned(),
    };
    Hub::new(facts, Rc::new(place), shm::host_page(1).unwrap())
}
