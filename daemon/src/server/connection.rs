//! One connection, from its first frame to its last.

use super::failure::failure;
use super::hub::{Asked, ClientId, Hub, Role, Shared};
use super::outbox::Outbox;
use super::request;
use super::shm::{self, Bell};
use super::stream::{self, ReadError, Reader};
use pvm::limits::{CONTROL_VERSIONS, HELLO_DEADLINE_MS};
use pvm::wire::control::{
    Failure, FailureCode, FromDaemon, Hello, ToDaemon, from_daemon, hello, to_daemon,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UnixStream;

/// The bell of the task behind a connection, once it is attached.
type BellSlot = Rc<RefCell<Option<Rc<Bell>>>>;

/// Serves one connection until it ends.
pub async fn serve(hub: Shared, stream: UnixStream) {
    let Ok(peer) = stream.peer_cred() else {
        return;
    };
    let pid = peer.pid().map_or(0, |pid| pid as u32);
    let stream = Rc::new(stream);
    let outbox = Outbox::default();
    let bell = BellSlot::default();
    let ring = {
        let bell = bell.clone();
        move || bell.borrow().iter().for_each(|bell| bell.ring_control())
    };
    tokio::task::spawn_local(stream::write(stream.clone(), outbox.clone(), ring));
    if peer.uid() != rustix::process::geteuid().as_raw() {
        refuse(&outbox, 1, not_this_user(peer.uid()));
        hub.borrow_mut()
            .note_nonsense(pid, &format_args!("it is of user {}", peer.uid()));
        return stream::finish(&outbox).await;
    }
    let mut reader = Reader::new(stream);
    let Some((request, hello)) = first_frame(&hub, &mut reader, &outbox, pid).await else {
        return stream::finish(&outbox).await;
    };
    let arrival = Arrival {
        outbox: outbox.clone(),
        pid,
        bell,
    };
    let client = hub.borrow_mut().greet(arrival, request, hello);
    if let Some(client) = client {
        tracing::debug!("process {pid} is connected");
        take_requests(&hub, client, &mut reader, &outbox, pid).await;
        hub.borrow_mut().client_gone(client);
        tracing::debug!("process {pid} has left");
    }
    stream::finish(&outbox).await;
}

/// What is known of a connection when its first frame has come.
struct Arrival {
    outbox: Outbox,
    pid: u32,
    bell: BellSlot,
}

async fn first_frame(
    hub: &Shared,
    reader: &mut Reader,
    outbox: &Outbox,
    pid: u32,
) -> Option<(u64, Hello)> {
    let limit = Duration::from_millis(HELLO_DEADLINE_MS);
    let why = match tokio::time::timeout(limit, reader.next::<ToDaemon>()).await {
        Ok(Ok(ToDaemon {
            request,
            body: Some(to_daemon::Body::Hello(hello)),
        })) => return Some((request, hello)),
        Ok(Err(ReadError::Closed)) => return None,
        Ok(Ok(_)) => "its first frame is not Hello".to_owned(),
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("no Hello within {} s", limit.as_secs()),
    };
    hub.borrow_mut().note_nonsense(pid, &why);
    let next = "use programs of this release of pvm";
    refuse(
        outbox,
        1,
        failure(
            FailureCode::FailureMalformed,
            "connecting to pvmd",
            why,
            next,
        ),
    );
    None
}

async fn take_requests(
    hub: &Shared,
    client: ClientId,
    reader: &mut Reader,
    outbox: &Outbox,
    pid: u32,
) {
    loop {
        outbox.room().await;
        match reader.next::<ToDaemon>().await {
            Ok(ToDaemon { request, body }) => {
                let fds = reader.descriptors(request::descriptors(body.as_ref()));
                let asked = Asked { client, request };
                hub.borrow_mut().request(asked, body, fds);
            }
            Err(ReadError::Closed) => return,
            Err(e) => {
                hub.borrow_mut().note_nonsense(pid, &e);
                let what = "reading a request";
                refuse(
                    outbox,
                    0,
                    failure(FailureCode::FailureMalformed, what, e.to_string(), ""),
                );
                return;
            }
        }
    }
}

fn refuse(outbox: &Outbox, request: u64, failure: Failure) {
    let body = Some(from_daemon::Body::Failure(failure));
    outbox.push(&FromDaemon { request, body }, Vec::new());
}

fn not_this_user(uid: u32) -> Failure {
    let own = rustix::process::geteuid().as_raw();
    failure(
        FailureCode::FailureNotAllowed,
        "connecting to pvmd",
        format!("this daemon serves user {own} only, you are user {uid}"),
        "start your own: pvmd",
    )
}

/// The version to speak with this client.
fn common_version(hello: &Hello) -> Result<u32, Failure> {
    let (min, max) = CONTROL_VERSIONS;
    let version = max.min(hello.version_max);
    if version >= min.max(hello.version_min) {
        return Ok(version);
    }
    Err(failure(
        FailureCode::FailureVersion,
        format!("{} cannot talk to this pvmd", hello.software),
        format!(
            "it speaks protocol {} to {}, pvmd {min} to {max}",
            hello.version_min, hello.version_max
        ),
        "use programs of one release; 'pvm halt' ends this daemon",
    ))
}

impl Hub {
    /// Lets a connection in, as a tool or a task, or refuses it.
    fn greet(&mut self, arrival: Arrival, request: u64, hello: Hello) -> Option<ClientId> {
        let Arrival { outbox, pid, bell } = arrival;
        let version = match common_version(&hello) {
            Ok(version) => version,
            Err(why) => {
                refuse(&outbox, request, why);
                return None;
            }
        };
        let client = self.next_client();
        let attached = match hello.role {
            Some(hello::Role::Attach(attach)) => self.attach(client, pid, attach).map(Some),
            Some(hello::Role::Tool(_)) => Ok(None),
            None => Err(request::malformed(
                "connecting to pvmd",
                "neither tool nor task",
            )),
        };
        let attached = match attached {
            Ok(attached) => attached,
            Err(why) => {
                refuse(&outbox, request, why);
                return None;
            }
        };
        let role = attached.as_ref().map_or(Role::Tool, |a| Role::Task(a.task));
        self.clients
            .insert(client, super::hub::Client { outbox, pid, role });
        self.changed.notify_one();
        let asked = Asked { client, request };
        let mut welcome = self.welcome(version);
        match attached {
            None => self.answer(asked, from_daemon::Body::Welcome(welcome)),
            Some(attached) => {
                *bell.borrow_mut() = Some(attached.bell);
                self.describe(attached.task, &mut welcome);
                let fds = vec![attached.inbox, self.host_page_fd.clone()];
                self.answer_with(asked, from_daemon::Body::Welcome(welcome), fds);
                self.open_awaited(attached.task);
                self.release_held(attached.task);
            }
        }
        Some(client)
    }
}

/// A task that has just attached.
pub struct Attached {
    /// Which.
    pub task: pvm::ids::TaskId,
    /// Its inbox.
    pub inbox: Rc<std::os::fd::OwnedFd>,
    /// Its bell.
    pub bell: Rc<Bell>,
}

/// Makes the memory of an attaching task.
///
/// # Errors
/// When there is none.
pub fn make_inbox() -> Result<(Rc<std::os::fd::OwnedFd>, Rc<Bell>), Failure> {
    let made = shm::inbox();
    let (inbox, bell) = made.map_err(|e| {
        let what = "attaching to the virtual machine";
        failure(
            FailureCode::FailureResources,
            what,
            e.to_string(),
            "end some tasks",
        )
    })?;
    Ok((Rc::new(inbox), Rc::new(bell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version_min: u32, version_max: u32) -> Hello {
        Hello {
            version_min,
            version_max,
            ..Hello::default()
        }
    }

    #[test]
    fn the_highest_common_version_is_spoken() {
        let (min, max) = CONTROL_VERSIONS;
        assert_eq!(common_version(&hello(min, max + 5)), Ok(max));
        assert_eq!(common_version(&hello(0, max)), Ok(max));
        assert!(common_version(&hello(max + 1, max + 5)).is_err());
        assert!(common_version(&hello(0, 0)).is_err());
    }
}
