//! Trying one address of a daemon, for those who look for what is wrong: a connection made anew, one
//! question and its answer, and the end. The daemon that is called takes it for a dial that another
//! address has won.

use super::error::{AddressError, CloseCode, Wanted};
use super::size::{self, FullSize};
use super::{Shared, dial, knock};
use crate::cluster::trust::DaemonId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How fast an address leads to its daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// Until both ends have proved who they are.
    pub connect: Duration,
    /// One question and its answer after that.
    pub answer: Duration,
}

/// Tries addresses.
#[derive(Clone)]
pub struct Prober {
    mesh: Shared,
    own: Arc<[SocketAddr]>,
}

impl Prober {
    pub(super) fn new(mesh: Shared) -> Self {
        let own = mesh.own_addresses().into();
        Self { mesh, own }
    }

    /// Tries one address of a daemon, whether or not it is connected, for at most `limit`. Nothing is
    /// left of it.
    ///
    /// # Errors
    /// When the address does not lead to it.
    pub async fn probe(
        &self,
        id: DaemonId,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Probed, AddressError> {
        match self.own.contains(&address) {
            true => Err(AddressError::Ourselves),
            false => probe(&self.mesh, id, address, limit).await,
        }
    }

    /// Whether packets of full size get to an address that has answered.
    pub async fn full_size(&self, address: SocketAddr) -> FullSize {
        size::full(address).await
    }
}

async fn probe(
    mesh: &Shared,
    id: DaemonId,
    address: SocketAddr,
    limit: Duration,
) -> Result<Probed, AddressError> {
    let silence = AddressError::NoAnswer(limit.as_millis() as u64);
    let tried = async {
        let refusal = knock::refusal(address);
        tokio::pin!(refusal);
        tokio::select! {
            made = reach(mesh, id, address) => match made {
                // The system may find out later than a connection gives up.
                Err(AddressError::NoAnswer(_)) => Err(refusal.await),
                made => made,
            },
            refusal = &mut refusal => Err(refusal),
        }
    };
    timeout(limit, tried).await.unwrap_or(Err(silence))
}

async fn reach(mesh: &Shared, id: DaemonId, address: SocketAddr) -> Result<Probed, AddressError> {
    let begun = Instant::now();
    let (config, name) = (mesh.client_config(), id.server_name());
    let connection = dial::handshake(&mesh.endpoint, config, address, &name).await?;
    let connect = begun.elapsed();
    let begun = Instant::now();
    let closer = connection.clone();
    let greeted = dial::greet(mesh, Wanted::Daemon(id), address, connection).await;
    let answer = begun.elapsed();
    closer.close(
        CloseCode::Closed.into(),
        b"it was only asked whether it answers",
    );
    greeted.map(|_| Probed { connect, answer })
}
