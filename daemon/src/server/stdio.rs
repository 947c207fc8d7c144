//! Standard streams of tasks: output to the launcher or the log, input from the launcher.

use super::hub::{Hub, Shared};
use super::log::Log;
use super::outbox::Outbox;
use prost::bytes::Bytes;
use pvm::ids::JobId;
use pvm::wire::control::{
    FromDaemon, Output, StdinData, StdinDemand, Stream, from_daemon, to_daemon,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;

/// Bytes of one read from a task's pipe: what a pipe holds.
const READ_BYTES: usize = 64 << 10;
/// Longest line of output in the log; longer ones are cut.
const LOG_LINE_MAX: usize = 16 << 10;

/// Where a task's output goes.
pub enum Sink {
    /// To its launcher.
    Launcher {
        /// The launcher's connection, or that to the job's home.
        outbox: Outbox,
        /// Paces it, when the connection itself does not.
        allowance: Option<Rc<Semaphore>>,
        /// Names the stream; `data` is filled in for each piece.
        template: Output,
    },
    /// To the daemon's log, line by line.
    Log {
        /// The log.
        log: Log,
        /// Name of the task.
        task: String,
        /// The beginning of a line.
        partial: Vec<u8>,
    },
    /// Nowhere: the launcher has gone.
    Nobody,
}

impl Sink {
    /// To a launcher.
    pub fn launcher(outbox: Outbox, job: JobId, rank: u32, stream: Stream) -> Self {
        let template = Output {
            job: job.0,
            rank,
            stream: stream.into(),
            data: Bytes::new(),
            eof: false,
        };
        Sink::Launcher {
            outbox,
            allowance: None,
            template,
        }
    }

    /// To the home of the job, of which this is a part. `allowance` is what the home's launcher
    /// has room for.
    pub fn home(
        outbox: Outbox,
        allowance: Rc<Semaphore>,
        job: JobId,
        rank: u32,
        stream: Stream,
    ) -> Self {
        match Sink::launcher(outbox, job, rank, stream) {
            Sink::Launcher {
                outbox, template, ..
            } => Sink::Launcher {
                outbox,
                allowance: Some(allowance),
                template,
            },
            other => other,
        }
    }

    /// To the log.
    pub fn log(log: Log, task: String) -> Self {
        Sink::Log {
            log,
            task,
            partial: Vec::new(),
        }
    }

    /// Passes a piece on; the last one has `eof`.
    pub async fn take(&mut self, data: Bytes, eof: bool) {
        match self {
            Sink::Launcher {
                outbox,
                allowance,
                template,
            } => {
                let size = data.len();
                let output = Output {
                    data,
                    eof,
                    ..template.clone()
                };
                let message = FromDaemon {
                    request: 0,
                    body: Some(from_daemon::Body::Output(output)),
                };
                let is_taken = match allowance {
                    None => outbox.push_output(&message, size).await,
                    Some(allowance) => outbox.push_paced(&message, size, allowance).await,
                };
                if !is_taken {
                    *self = Sink::Nobody;
                }
            }
            Sink::Log { log, task, partial } => {
                partial.extend_from_slice(&data);
                let lines = whole_lines(task, partial, eof);
                if !lines.is_empty() {
                    log.write_lines(&lines);
                }
            }
            Sink::Nobody => {}
        }
    }
}

/// Cuts whole lines off `partial` and names the task in front of each.
fn whole_lines(task: &str, partial: &mut Vec<u8>, eof: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    while !partial.is_empty() {
        let end = match partial.iter().position(|b| *b == b'\n') {
            Some(at) => at + 1,
            None if eof || partial.len() >= LOG_LINE_MAX => partial.len(),
            None => break,
        };
        let line: Vec<u8> = partial.drain(..end).collect();
        lines.extend_from_slice(format!("[{task}] ").as_bytes());
        lines.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
        lines.push(b'\n');
    }
    lines
}

thread_local! {
    /// One for all pipes: a read and the copy of what it brought are not interrupted.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Passes on everything that comes out of a pipe, then tells the job that it has ended.
pub async fn pump(hub: Shared, job: JobId, pipe: OwnedFd, mut sink: Sink) {
    match pipe::Receiver::from_owned_fd(pipe) {
        Ok(pipe) => {
            while let Some(data) = read(&pipe).await {
                sink.take(data, false).await;
            }
        }
        Err(e) => tracing::error!("output of {job} is lost: {e}"),
    }
    sink.take(Bytes::new(), true).await;
    hub.borrow_mut()
        .drive(job, |life, now, out| life.stream_closed(now, out));
}

/// The next piece; `None` at the end.
async fn read(pipe: &pipe::Receiver) -> Option<Bytes> {
    loop {
        pipe.readable().await.ok()?;
        let piece = SCRATCH.with_borrow_mut(|scratch| {
            let read = pipe.try_read(scratch)?;
            io::Result::Ok(Bytes::copy_from_slice(&scratch[..read]))
        });
        match piece {
            Ok(piece) if piece.is_empty() => return None,
            Ok(piece) => return Some(piece),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

/// Feeds what the launcher sends to all tasks of a job, as fast as the slowest reads.
#[derive(Clone)]
pub struct Feeder {
    pieces: mpsc::Sender<Bytes>,
    task: Rc<tokio::task::AbortHandle>,
    far: Rc<Far>,
}

impl Feeder {
    /// Feeds these pipes, and the tasks of these hosts.
    pub fn new(hub: &Hub, job: JobId, pipes: Vec<OwnedFd>, hosts: BTreeSet<u16>) -> Option<Self> {
        let (pieces, next) = mpsc::channel(1);
        let hub = hub.me.upgrade()?;
        let far = Rc::new(Far::new(hosts));
        let feeding = tokio::task::spawn_local(feed(hub, job, pipes, far.clone(), next));
        Some(Feeder {
            pieces,
            task: Rc::new(feeding.abort_handle()),
            far,
        })
    }

    /// Passes a piece on; false when the last one was not yet asked for.
    pub fn take(&self, piece: Bytes) -> bool {
        self.pieces.try_send(piece).is_ok()
    }

    /// Asks the launcher for a piece.
    pub fn demand(&self, hub: &Hub, job: JobId) {
        if let Some(lease) = hub.jobs.get(&job).and_then(|entry| entry.lease) {
            hub.tell(
                lease,
                from_daemon::Body::StdinDemand(StdinDemand { job: job.0 }),
            );
        }
    }

    /// The tasks of another host have taken what they were sent.
    pub fn has_taken(&self, host: u16) {
        self.far.has_taken(host);
    }

    /// Another host has no tasks of the job any more.
    pub fn forget(&self, host: u16) {
        self.far.forget(host);
    }

    /// Closes the tasks' input.
    pub fn stop(&self) {
        self.task.abort();
    }
}

/// Other hosts whose tasks are fed, and which of them have taken what they were sent.
struct Far {
    hosts: RefCell<BTreeMap<u16, bool>>,
    changed: Notify,
}

impl Far {
    fn new(hosts: BTreeSet<u16>) -> Self {
        Far {
            hosts: RefCell::new(hosts.into_iter().map(|host| (host, true)).collect()),
            changed: Notify::new(),
        }
    }

    fn send(&self, hub: &Hub, piece: &StdinData) {
        for (host, has_taken) in self.hosts.borrow_mut().iter_mut() {
            *has_taken = false;
            hub.tell_host(*host, to_daemon::Body::Stdin(piece.clone()));
        }
    }

    fn has_taken(&self, host: u16) {
        if let Some(has_taken) = self.hosts.borrow_mut().get_mut(&host) {
            *has_taken = true;
        }
        self.changed.notify_one();
    }

    fn forget(&self, host: u16) {
        self.hosts.borrow_mut().remove(&host);
        self.changed.notify_one();
    }

    async fn all_have_taken(&self) {
        while self.hosts.borrow().values().any(|has_taken| !has_taken) {
            self.changed.notified().await;
        }
    }
}

async fn feed(
    hub: Shared,
    job: JobId,
    pipes: Vec<OwnedFd>,
    far: Rc<Far>,
    mut next: mpsc::Receiver<Bytes>,
) {
    let open = pipes
        .into_iter()
        .filter_map(|fd| pipe::Sender::from_owned_fd(fd).ok());
    let mut open: Vec<_> = open.collect();
    let mut message = StdinData {
        job: job.0,
        data: Bytes::new(),
        eof: false,
    };
    while let Some(piece) = next.recv().await {
        message.data = piece.clone();
        far.send(&hub.borrow(), &message);
        let mut writes = JoinSet::new();
        for mut pipe in open {
            let piece = piece.clone();
            // A task that has closed its input or has ended drops out.
            writes.spawn_local(async move { pipe.write_all(&piece).await.is_ok().then_some(pipe) });
        }
        open = writes.join_all().await.into_iter().flatten().collect();
        far.all_have_taken().await;
        let hub = hub.borrow();
        if let Some(feeder) = hub.jobs.get(&job).and_then(|entry| entry.feeder.as_ref()) {
            feeder.demand(&hub, job);
        }
    }
    message.data = Bytes::new();
    message.eof = true;
    far.send(&hub.borrow(), &message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_and_cut_only_at_their_ends() {
        let mut partial = b"one\ntwo\nthr".to_vec();
        assert_eq!(
            whole_lines("t1", &mut partial, false),
            b"[t1] one\n[t1] two\n"
        );
        assert_eq!(partial, b"thr");
        assert_eq!(whole_lines("t1", &mut partial, true), b"[t1] thr\n");
        let mut long = vec![b'x'; LOG_LINE_MAX];
        assert_eq!(whole_lines("t1", &mut long, false).len(), LOG_LINE_MAX + 6);
    }
}
