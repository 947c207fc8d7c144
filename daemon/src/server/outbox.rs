//! What waits to be written to one connection.
//!
//! Control messages are small and never wait for room, so that handling a request never blocks;
//! instead a client that asks without reading the answers is no longer read from ([`Outbox::room`]).
//! Output of tasks takes part of a fixed allowance first, which is how a slow launcher slows its
//! tasks down. A client that lets too much pile up all the same is cut off.

use prost::Message;
use pvm::wire::frame;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tokio::sync::{Notify, Semaphore};

/// Bytes of output that may wait for one launcher.
const OUTPUT_ALLOWANCE: usize = 512 << 10;
/// More than this waiting: no request is taken.
const REQUESTS_STOP: usize = 1 << 20;
/// More than this waiting: the client does not read; it is cut off.
const CUT_OFF: usize = 64 << 20;
/// Frames without descriptors are written together up to this size.
const BATCH: usize = 256 << 10;

/// One write: bytes and the descriptors beside the first of them.
#[derive(Default)]
pub struct Parcel {
    /// One or more frames.
    pub bytes: Vec<u8>,
    /// Beside the first byte.
    pub fds: Vec<Rc<OwnedFd>>,
    output: usize,
}

struct Inner {
    queue: RefCell<VecDeque<Parcel>>,
    waiting: Cell<usize>,
    /// No more is taken; what waits is still written.
    closed: Cell<bool>,
    /// The connection is gone: nothing will be written.
    broken: Cell<bool>,
    filled: Notify,
    drained: Notify,
    allowance: Semaphore,
}

/// A shared handle of one connection's outgoing queue.
#[derive(Clone)]
pub struct Outbox(Rc<Inner>);

impl Default for Outbox {
    fn default() -> Self {
        Outbox(Rc::new(Inner {
            queue: RefCell::default(),
            waiting: Cell::new(0),
            closed: Cell::new(false),
            broken: Cell::new(false),
            filled: Notify::new(),
            drained: Notify::new(),
            allowance: Semaphore::new(OUTPUT_ALLOWANCE),
        }))
    }
}

impl Outbox {
    /// Queues a message.
    pub fn push(&self, message: &impl Message, fds: Vec<Rc<OwnedFd>>) {
        self.queue(message, fds, 0);
    }

    /// Queues output of a task, of `size` bytes, once there is room for it. False when the
    /// connection is gone.
    pub async fn push_output(&self, message: &impl Message, size: usize) -> bool {
        let size = size.min(OUTPUT_ALLOWANCE);
        match self.0.allowance.acquire_many(size as u32).await {
            Ok(permit) => permit.forget(),
            Err(_) => return false,
        }
        self.queue(message, Vec::new(), size);
        true
    }

    /// Queues output of a task once `allowance` has room for it, which the receiver frees. False
    /// when the connection is gone.
    pub async fn push_paced(
        &self,
        message: &impl Message,
        size: usize,
        allowance: &Semaphore,
    ) -> bool {
        match allowance.acquire_many(size as u32).await {
            Ok(permit) => permit.forget(),
            Err(_) => return false,
        }
        self.queue(message, Vec::new(), 0);
        !self.0.closed.get()
    }

    fn queue(&self, message: &impl Message, fds: Vec<Rc<OwnedFd>>, output: usize) {
        if self.0.closed.get() {
            return;
        }
        let mut bytes = Vec::new();
        if let Err(e) = frame::encode(message, &mut bytes) {
            tracing::error!("a message cannot be sent, its connection is closed: {e}");
            return self.break_off();
        }
        self.0.waiting.set(self.0.waiting.get() + bytes.len());
        self.0
            .queue
            .borrow_mut()
            .push_back(Parcel { bytes, fds, output });
        if self.0.waiting.get() > CUT_OFF {
            tracing::warn!("a client does not read what it is sent: it is cut off");
            self.break_off();
        }
        self.0.filled.notify_one();
    }

    /// Waits until the client has read enough for another request to be taken.
    pub async fn room(&self) {
        self.until(|inner| inner.waiting.get() < REQUESTS_STOP)
            .await;
    }

    /// Waits until everything is written.
    pub async fn flushed(&self) {
        self.until(|inner| inner.waiting.get() == 0).await;
    }

    async fn until(&self, done: impl Fn(&Inner) -> bool) {
        loop {
            let drained = self.0.drained.notified();
            if self.0.broken.get() || done(&self.0) {
                return;
            }
            drained.await;
        }
    }

    /// Takes no more; what waits is still written.
    pub fn close(&self) {
        self.0.closed.set(true);
        self.0.allowance.close();
        self.0.filled.notify_one();
    }

    /// Drops what waits: the connection is gone.
    pub fn break_off(&self) {
        self.close();
        self.0.broken.set(true);
        self.0.queue.borrow_mut().clear();
        self.0.drained.notify_waiters();
    }

    /// Waits for the next write; `None` when there will be none.
    pub async fn next(&self) -> Option<Parcel> {
        loop {
            let filled = self.0.filled.notified();
            if let Some(parcel) = self.take() {
                return Some(parcel);
            }
            if self.0.closed.get() {
                return None;
            }
            filled.await;
        }
    }

    /// Whether the connection is gone.
    pub fn is_broken(&self) -> bool {
        self.0.broken.get()
    }

    /// The next write, if there is one.
    pub fn take(&self) -> Option<Parcel> {
        let mut queue = self.0.queue.borrow_mut();
        let mut parcel = queue.pop_front()?;
        while parcel.bytes.len() < BATCH && queue.front().is_some_and(|next| next.fds.is_empty()) {
            let next = queue.pop_front()?;
            parcel.bytes.extend_from_slice(&next.bytes);
            parcel.output += next.output;
        }
        Some(parcel)
    }

    /// A write is done: makes its room free again.
    pub fn written(&self, parcel: &Parcel) {
        self.0
            .waiting
            .set(self.0.waiting.get().saturating_sub(parcel.bytes.len()));
        self.0.allowance.add_permits(parcel.output);
        self.0.drained.notify_waiters();
    }
}
