//! Daemons of one process, over the loopback interface.

mod connect;
mod joining;
mod probing;
mod strangers;
mod streams;

use super::proto::Control;
use super::{Head, LostReason, Mesh, MeshEvent, MeshOptions, Peer};
use crate::cluster::trust::{DaemonId, Secret, Trust};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

/// Longest anything takes here.
const DEADLINE: Duration = Duration::from_secs(20);
/// The virtual machine of most daemons.
const OURS: u8 = 7;

struct Daemon {
    mesh: Mesh,
    events: UnboundedReceiver<MeshEvent>,
}

fn trust(secret: u8, id: u128) -> Trust {
    let secret = Secret::from_bytes(&[secret; 32]).unwrap();
    Trust::new(secret, DaemonId(id)).unwrap()
}

fn options(address: IpAddr, id: u128) -> MeshOptions {
    MeshOptions {
        address: Some(address),
        port: 0,
        host: format!("host{id}"),
    }
}

impl Daemon {
    fn new(id: u128) -> Self {
        Self::of(trust(OURS, id), SystemTime::now())
    }

    fn of(trust: Trust, now: SystemTime) -> Self {
        let options = options(Ipv4Addr::LOCALHOST.into(), trust.id().0);
        let (mesh, events) = Mesh::start_at(trust, options, now).unwrap();
        Daemon { mesh, events }
    }

    /// At all addresses of this host.
    fn everywhere(id: u128) -> Self {
        let options = MeshOptions::default();
        let (mesh, events) = Mesh::start(trust(OURS, id), options).unwrap();
        Daemon { mesh, events }
    }

    fn id(&self) -> DaemonId {
        self.mesh.id()
    }

    fn address(&self) -> SocketAddr {
        self.mesh.local_addresses()[0]
    }

    /// Where it is, behind some addresses that lead nowhere.
    fn hidden(&self) -> Vec<SocketAddr> {
        let dead = |n: u8| SocketAddr::from(([127, 0, 0, n], 9));
        vec![dead(1), dead(2), dead(3), self.address()]
    }

    async fn event(&mut self) -> MeshEvent {
        let event = timeout(DEADLINE, self.events.recv()).await;
        event
            .expect("an event comes in time")
            .expect("the mesh lives")
    }

    async fn connected(&mut self) -> Peer {
        match self.event().await {
            MeshEvent::Connected(peer) => peer,
            other => panic!("not Connected: {other:?}"),
        }
    }

    async fn lost(&mut self) -> (DaemonId, LostReason) {
        match self.event().await {
            MeshEvent::Lost { id, reason } => (id, reason),
            other => panic!("not Lost: {other:?}"),
        }
    }

    fn has_no_event(&mut self) -> bool {
        self.events.try_recv().is_err()
    }
}

fn control() -> Head {
    Head::Control(Control {})
}

/// Two daemons, the first has dialled the second.
async fn pair() -> (Daemon, Daemon) {
    let (mut one, mut two) = (Daemon::new(1), Daemon::new(2));
    one.mesh.connect(two.id(), &[two.address()]).await.unwrap();
    assert_eq!(one.connected().await.id, two.id());
    assert_eq!(two.connected().await.id, one.id());
    (one, two)
}

/// Where these are, so that a port that has become free is not taken by another test.
const MORTALS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);

/// A daemon on a thread of its own, which can be ended as if by SIGKILL.
struct Mortal {
    kill: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    address: SocketAddr,
}

impl Mortal {
    fn new(id: u128, port: u16) -> Self {
        let (kill, killed) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                let options = MeshOptions {
                    port,
                    ..options(MORTALS.into(), id)
                };
                let (mesh, _events) = Mesh::start(trust(OURS, id), options).unwrap();
                tell.send(mesh.local_addresses()[0]).unwrap();
                killed.await.unwrap();
            });
            // Its tasks are dropped where they are: nobody says farewell.
        });
        let address = told.recv().unwrap();
        Mortal {
            kill,
            thread,
            address,
        }
    }

    fn kill(self) {
        self.kill.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
