//! A ledger that reaches nobody.

use crate::cluster::ledger::{
    Admission, BoxFuture, Config, Ledger, Lineage, News, Prober, Wire, WireError, World,
};
use crate::cluster::registry::{HostFacts, HostId, HostRecord, HostState};
use pvm::sync::atomic::{AtomicUsize, Ordering};
use pvm::wire::control::DataFormat;
use std::sync::Arc;
use std::time::Duration;

/// More calls than this are not answered at all, so that a ledger that never rests does not hang the test.
const MANY: usize = 1_000;

/// Fails at once, and counts.
#[derive(Default)]
struct Dead(AtomicUsize);

impl Wire for Dead {
    fn call(
        &self,
        to: HostId,
        _request: Vec<u8>,
        _deadline: Duration,
    ) -> BoxFuture<'_, Result<Vec<u8>, WireError>> {
        Box::pin(async move {
            if self.0.fetch_add(1, Ordering::Relaxed) >= MANY {
                std::future::pending::<()>().await;
            }
            Err(WireError::Unreachable(to))
        })
    }
}

impl Prober for Dead {
    fn is_alive(&self, _host: HostRecord) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }
}

fn admission() -> Admission {
    let facts = |daemon| HostFacts {
        daemon,
        key: format!("key {daemon}"),
        number: None,
        name: format!("host{daemon}"),
        addresses: Vec::new(),
        architecture: String::new(),
        format: DataFormat::here(),
        cpus: 1,
        software: String::new(),
    };
    let record = HostRecord {
        id: HostId::new(2, 1),
        facts: facts(2),
        state: HostState::Living,
    };
    Admission {
        record,
        lineage: Lineage {
            daemon: 1,
            since: 0,
        },
        door: HostId::new(1, 1),
    }
}

async fn alone() -> (
    Arc<Dead>,
    Ledger,
    tokio::sync::mpsc::UnboundedReceiver<News>,
) {
    let dead = Arc::new(Dead::default());
    let world = World {
        wire: dead.clone(),
        prober: dead.clone(),
    };
    let (ledger, news) = Ledger::join(Config::default(), &admission(), world)
        .await
        .unwrap();
    (dead, ledger, news)
}

/// As when the daemon has taken the mesh down and goes on for a moment: every call fails at once.
#[tokio::test(start_paused = true)]
async fn who_is_refused_at_once_asks_no_faster() {
    let (dead, ledger, _news) = alone().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let calls = dead.0.load(Ordering::Relaxed);
    assert!((10..100).contains(&calls), "{calls} calls in 10 s");
    ledger.shutdown().await;
    let calls = dead.0.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(dead.0.load(Ordering::Relaxed), calls);
}

#[tokio::test(start_paused = true)]
async fn one_host_is_suspected_once_at_a_time() {
    let (dead, ledger, _news) = alone().await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..100 {
        ledger.suspect(HostId::new(1, 1), "it is silent");
        ledger.suspect(HostId::new(3, 1), "it is silent");
    }
    assert!(tasks() <= before + 2);
    drop(ledger);
    // Nothing outlives the ledger.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(dead.0.load(Ordering::Relaxed) < 10);
    assert_eq!(tasks(), 0);
}
