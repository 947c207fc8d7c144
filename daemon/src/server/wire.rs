//! How the ledger reaches the ledgers of other hosts, and finds out whether one lives.

use crate::cluster::ledger::{BoxFuture, Prober, Wire, WireError};
use crate::cluster::mesh::proto::Rpc;
use crate::cluster::mesh::{ConnectError, Head, Mesh, stream};
use crate::cluster::registry::{HostId, HostRecord, Registry};
use crate::cluster::trust::DaemonId;
use pvm::limits::{LEDGER_FRAME_MAX, LINE_PAUSE_MIN_MS, PROBE_MS};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

type Entries = HashMap<HostId, (DaemonId, Vec<SocketAddr>)>;

/// Where the daemons of the living hosts are.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    entries: Mutex<Entries>,
    changed: Notify,
}

impl Directory {
    /// Notes a host, or its new addresses.
    pub fn learn(&self, record: &HostRecord) {
        let entry = (
            DaemonId(record.facts.daemon),
            record.facts.addresses.clone(),
        );
        self.entries().insert(record.id, entry);
        self.0.changed.notify_waiters();
    }

    /// Forgets one that is gone.
    pub fn forget(&self, host: HostId) {
        self.entries().remove(&host);
    }

    /// Which daemon a host has, and where.
    pub fn find(&self, host: HostId) -> Option<(DaemonId, Vec<SocketAddr>)> {
        self.entries().get(&host).cloned()
    }

    /// Where all daemons are but that of one host.
    pub fn all_but(&self, me: HostId) -> Vec<(DaemonId, Vec<SocketAddr>)> {
        let entries = self.entries();
        let others = entries.iter().filter(|(host, _)| **host != me);
        others.map(|(_, entry)| entry.clone()).collect()
    }

    /// As [`Directory::find`], and waits for a host that is not noted yet: the ledger may want to reach
    /// a new host before the hub has heard of it.
    async fn find_soon(&self, host: HostId) -> (DaemonId, Vec<SocketAddr>) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = self.find(host) {
                return found;
            }
            changed.await;
        }
    }

    /// The host of a daemon.
    pub fn of(&self, daemon: DaemonId) -> Option<HostId> {
        let entries = self.entries();
        let mut all = entries.iter();
        all.find(|(_, (id, _))| *id == daemon)
            .map(|(host, _)| *host)
    }

    /// Noted hosts that do not belong any more, and their daemons.
    pub fn missing_in(&self, registry: &Registry) -> Vec<(HostId, DaemonId)> {
        let entries = self.entries();
        let noted = entries.iter().map(|(host, (daemon, _))| (*host, *daemon));
        noted
            .filter(|(host, _)| !registry.hosts().is_living(*host))
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mesh as the ledger uses it.
pub struct MeshWire {
    mesh: Mesh,
    directory: Directory,
}

impl MeshWire {
    /// Through this mesh.
    pub fn new(mesh: Mesh, directory: Directory) -> Self {
        Self { mesh, directory }
    }

    async fn ask(
        &self,
        daemon: DaemonId,
        addresses: &[SocketAddr],
        request: Vec<u8>,
    ) -> Option<Vec<u8>> {
        self.mesh.connect(daemon, addresses).await.ok()?;
        self.ask_connected(daemon, request).await
    }

    /// Whether a daemon answers. A connection may break just while it is asked, above all one that is
    /// under suspicion; then another one is made. Who leaves judges nobody.
    async fn answers(&self, host: &HostRecord) -> bool {
        let daemon = DaemonId(host.facts.daemon);
        loop {
            match self.mesh.connect(daemon, &host.facts.addresses).await {
                Ok(_) => {}
                Err(error) => return error == ConnectError::Leaving,
            }
            // It makes no sense to any ledger, and the answer says so.
            if self.ask_connected(daemon, Vec::new()).await.is_some() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(LINE_PAUSE_MIN_MS)).await;
        }
    }

    /// Asks over the connection that there is.
    async fn ask_connected(&self, daemon: DaemonId, request: Vec<u8>) -> Option<Vec<u8>> {
        let opened = self.mesh.open_bi(daemon, Head::Rpc(Rpc {})).await;
        let (mut send, mut recv) = opened.ok()?;
        stream::send_all(&mut send, &request).await.ok()?;
        stream::receive_all(&mut recv, LEDGER_FRAME_MAX).await.ok()
    }
}

impl Wire for MeshWire {
    fn call(
        &self,
        to: HostId,
        request: Vec<u8>,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Vec<u8>, WireError>> {
        Box::pin(async move {
            let asked = async {
                let (daemon, addresses) = self.directory.find_soon(to).await;
                self.ask(daemon, &addresses, request).await
            };
            let answer = tokio::time::timeout(deadline, asked).await;
            let answer = answer.map_err(|_| WireError::Deadline(to))?;
            answer.ok_or(WireError::Unreachable(to))
        })
    }
}

impl Prober for MeshWire {
    fn is_alive(&self, host: HostRecord) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let limit = Duration::from_millis(PROBE_MS);
            let answers = tokio::time::timeout(limit, self.answers(&host)).await;
            answers.unwrap_or(false)
        })
    }
}
