//! Hosts made of network namespaces: a cluster on one machine whose cables can be cut.
//!
//! ```text
//!   host1: eth0 10.77.0.1, fd77::1      hostN: eth0 10.77.0.N, fd77::N
//!            |                                  |
//!   switch: h1 ------------ bridge ----------- hN
//! ```
//!
//! The bridge lives in a namespace of its own, the *switch*: nothing of a cluster is seen in the
//! namespace of the machine, no packet leaves the cluster, and all clusters use the same addresses.
//! A host has a network, a host name, an `/etc/hosts` and an `/etc/machine-id` of its own; it shares
//! files and process ids with the machine.
//!
//! - [`Lab`]: the hosts, by the name of their cluster; knows nothing but what the kernel knows
//! - [`trouble`]: what can go wrong in a network: loss, cuts, firewalls, addresses that change
//! - [`wire`]: cables that take their time; they need no kernel module, unlike `netem`
//! - [`sshd`]: a real ssh server on a host
//! - [`Cluster`]: a lab of one test, of which nothing is left when it is dropped

mod lab;
pub mod sshd;
mod tap;
mod tool;
pub mod trouble;
pub mod wire;

pub use lab::Lab;

use anyhow::Result;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// A lab of one test.
pub struct Cluster {
    lab: Lab,
    wires: Mutex<BTreeMap<usize, wire::Running>>,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// Makes this many hosts; none, with a sentence on standard error, where that is impossible.
    ///
    /// # Panics
    /// When it is possible and fails.
    pub fn new(count: usize) -> Option<Self> {
        static LAST: Mutex<usize> = Mutex::new(0);
        if let Some(reason) = lab::obstacle() {
            eprintln!("skipped: {reason}");
            return None;
        }
        lab::remove_stale();
        let number = {
            let mut last = LAST.lock().expect("nobody panics with it");
            *last += 1;
            *last
        };
        let name = format!("{}{}-{number}", lab::OF_A_TEST, std::process::id());
        let lab = Lab::make(&name, count).expect("a cluster can be made");
        let dir = tempfile::Builder::new()
            .prefix("pvm-cluster-")
            .tempdir()
            .expect("a directory");
        Some(Self {
            lab,
            wires: Mutex::default(),
            dir,
        })
    }

    /// A private directory of this cluster.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A private directory of a host, for what each host has for itself.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn host_dir(&self, host: usize) -> PathBuf {
        let dir = self.dir.path().join(format!("host{host}"));
        std::fs::create_dir_all(&dir).expect("a directory");
        dir
    }

    /// Makes everything that goes to or comes from a host take this long on its cable.
    ///
    /// # Errors
    /// When its cable cannot be changed.
    pub fn delay(&self, host: usize, delay: Duration) -> Result<()> {
        let mut wires = self.wires.lock().expect("nobody panics with it");
        if let Some(wire) = wires.get(&host) {
            wire.set(delay);
            return Ok(());
        }
        let wire = wire::Wire::lay(&self.lab, host)?;
        wires.insert(host, wire.carry(delay));
        Ok(())
    }
}

impl Deref for Cluster {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A test may be failing: say it and go on.
        if let Err(error) = self.lab.remove() {
            eprintln!("a cluster is left: {error:#}");
        }
    }
}
