//! What a ledger needs of its daemon: to reach other ledgers, and to find out whether a host lives.

use crate::cluster::registry::{HostId, HostRecord};
use std::pin::Pin;
use std::time::Duration;

/// A future that is sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why another ledger has not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// There is no way to it now.
    #[error("host {0} cannot be reached")]
    Unreachable(HostId),
    /// No answer in time.
    #[error("host {0} has not answered in time")]
    Deadline(HostId),
}

/// The way to other ledgers.
pub trait Wire: Send + Sync + 'static {
    /// Brings a request to the ledger of a host, whose [`super::Ledger::handle`] answers it.
    ///
    /// Who asks must be authenticated as a daemon of this virtual machine; that it is the one that
    /// it says in the request is taken as true.
    fn call(
        &self,
        to: HostId,
        request: Vec<u8>,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Vec<u8>, WireError>>;
}

/// A second opinion on a host that is suspected.
pub trait Prober: Send + Sync + 'static {
    /// Whether the daemon of this host answers, on any of its addresses. Takes as long as it must
    /// to be rather sure.
    fn is_alive(&self, host: HostRecord) -> BoxFuture<'_, bool>;
}
