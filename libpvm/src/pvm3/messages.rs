//! Sending, receiving and probing.

use super::buffer::Buffer;
use super::buffers::NONE;
use super::encoding::Encoding;
use super::header::{self, Header};
use super::inbox::Selector;
use super::machine::Machine;
use super::{Error, Pvm, Result, options, tid};
use crate::ids::TaskId;
use std::time::Instant;

/// A message received into the program's own memory.
pub struct Received {
    /// Its sender.
    pub tid: i32,
    /// Its tag.
    pub tag: i32,
    /// The message.
    pub message: Buffer,
}

impl<M: Machine> Pvm<M> {
    /// Releases a buffer, also one whose message still waits for its receive.
    pub fn free_buffer(&mut self, id: i32) -> Result<()> {
        self.buffers.free(id)?;
        self.inbox.forget(id);
        Ok(())
    }

    /// Sends the active send buffer, which stays as it is.
    pub fn send(&mut self, tid: i32, tag: i32) -> Result<()> {
        self.machine()?;
        let to = self.names.task(tid)?;
        self.check_tag(tag)?;
        self.send_to(&[to], tag)
    }

    /// Sends the active send buffer to every one of `tids` but this task.
    pub fn mcast(&mut self, tids: &[i32], tag: i32) -> Result<()> {
        let me = self.my_tid()?;
        self.check_tag(tag)?;
        let named = tids.iter().map(|tid| self.names.task(*tid));
        let tasks = named.collect::<Result<Vec<_>>>()?;
        let others: Vec<_> = tasks.into_iter().filter(|task| task.tid() != me).collect();
        self.send_to(&others, tag)
    }

    /// Sends `body` as raw data; the active send buffer is not touched.
    pub fn psend(&mut self, tid: i32, tag: i32, body: &[u8]) -> Result<()> {
        let context = self.context();
        self.machine()?;
        let to = self.names.task(tid)?;
        self.check_tag(tag)?;
        self.send_raw(to, tag, context, body)
    }

    /// Waits for a message and makes it the active receive buffer, in place of the present one.
    /// `None` when the deadline passes first.
    pub fn receive(
        &mut self,
        tid: i32,
        tag: i32,
        deadline: Option<Instant>,
    ) -> Result<Option<i32>> {
        let context = self.context();
        let wanted = Selector {
            source: tid,
            tag,
            context,
        };
        let id = self.await_message(wanted, deadline)?;
        if let Some(id) = id {
            let message = self.buffers.get_mut(id)?;
            message.rewind();
            self.buffers.accept(id);
        }
        Ok(id)
    }

    /// Waits for a message that does not become a buffer of the program. Raw data of an unlike host is
    /// [`Error::BadMsg`], and gone.
    pub fn precv(&mut self, tid: i32, tag: i32) -> Result<Received> {
        let context = self.context();
        let received = self.receive_private(Selector {
            source: tid,
            tag,
            context,
        })?;
        received.message.check_readable()?;
        Ok(received)
    }

    /// Id of the message that a receive would take now.
    pub fn probe(&mut self, tid: i32, tag: i32) -> Result<Option<i32>> {
        let context = self.context();
        self.take_in()?;
        Ok(self.inbox.find(Selector {
            source: tid,
            tag,
            context,
        }))
    }

    /// Body length, tag and sender of a message.
    pub fn buffer_info(&mut self, id: i32) -> Result<(i32, i32, i32)> {
        let message = self.buffers.get(id)?;
        Ok((message.len() as i32, message.tag, message.source))
    }

    /// Waits for a message of the library's own.
    pub(super) fn receive_private(&mut self, wanted: Selector) -> Result<Received> {
        let id = self.await_message(wanted, None)?.ok_or(Error::SysErr)?;
        let message = self.buffers.take(id).ok_or(Error::SysErr)?;
        Ok(Received {
            tid: message.source,
            tag: message.tag,
            message,
        })
    }

    /// Sends raw data in any context.
    pub(super) fn send_raw(
        &mut self,
        to: TaskId,
        tag: i32,
        context: i32,
        body: &[u8],
    ) -> Result<()> {
        let mut message = Vec::new();
        message
            .try_reserve_exact(header::LEN + body.len())
            .map_err(|_| Error::NoMem)?;
        message.resize(header::LEN, 0);
        message.extend_from_slice(body);
        Header::new(Encoding::Raw, context, 0).write(&mut message);
        self.post(to, tag, message)
    }

    /// Sends the active send buffer.
    pub(super) fn send_to(&mut self, tasks: &[TaskId], tag: i32) -> Result<()> {
        let context = self.context();
        let me = self.my_tid()?;
        let buffer = self.buffers.sending()?;
        buffer.tag = tag;
        buffer.source = me;
        let Some((last, others)) = tasks.split_last() else {
            return Ok(());
        };
        buffer.destination = last.tid();
        let message = buffer.message(context)?;
        for task in others {
            self.post(*task, tag, message.clone())?;
        }
        self.post(*last, tag, message)
    }

    fn post(&mut self, to: TaskId, tag: i32, message: Vec<u8>) -> Result<()> {
        let sent = self.machine()?.send(to, tag, message);
        sent.map_err(|_| self.lost())
    }

    fn await_message(
        &mut self,
        wanted: Selector,
        deadline: Option<Instant>,
    ) -> Result<Option<i32>> {
        self.take_in()?;
        loop {
            if let Some(id) = self.inbox.take(wanted) {
                return Ok(Some(id));
            }
            if !self.take_in_one(deadline)? {
                return Ok(None);
            }
        }
    }

    pub(super) fn check_tag(&self, tag: i32) -> Result<()> {
        let reserved = self.options.get(options::RESERVED).unwrap_or(0) != 0;
        if tag < 0 && !reserved {
            return Err(Error::BadParam);
        }
        Ok(())
    }

    /// Whether `id` is the active receive buffer; for calls that come back to it.
    pub fn is_receiving(&self, id: i32) -> bool {
        id != NONE && self.buffers.receive_id() == id
    }

    /// Host part of any id.
    pub fn tid_to_host(tid: i32) -> i32 {
        tid::to_host(tid)
    }
}
