//! TLS over a socket that never waits, with few system calls: what has come is read in one piece, and
//! records go out as many at a time as there is room for.

use super::direct::{DirectError, NoSignal, ready};
use crate::limits::{DIRECT_BUFFER, TLS_BATCH};
use rustls::Connection;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;

/// One end of a connection.
pub(super) struct Tls {
    connection: Connection,
    /// Records as they came; those before `taken` were given to the connection, those from `end` on
    /// have not come.
    came: Box<[u8]>,
    taken: usize,
    end: usize,
}

impl Tls {
    /// Begins.
    pub fn over(mut connection: Connection) -> Box<Self> {
        connection.set_buffer_limit(Some(TLS_BATCH));
        Box::new(Self {
            connection,
            came: Box::default(),
            taken: 0,
            end: 0,
        })
    }

    /// Whether records wait for room in the socket.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Gives memory back. False: something is in it, and nothing is given back.
    pub fn give_back(&mut self) -> bool {
        let is_empty = self.taken == self.end && !self.connection.wants_write();
        if is_empty {
            (self.came, self.taken, self.end) = (Box::default(), 0, 0);
        }
        is_empty
    }

    #[cfg(all(test, not(loom)))]
    pub fn memory(&self) -> usize {
        self.came.len()
    }

    /// Bytes out of the records that have come; `None`: not now, 0: the end.
    ///
    /// # Errors
    /// The connection is over.
    pub fn read(
        &mut self,
        socket: &mut TcpStream,
        room: &mut [u8],
    ) -> Result<Option<usize>, DirectError> {
        loop {
            match ready(self.connection.reader().read(room)) {
                Ok(None) => {}
                Ok(some) => return Ok(some),
                // Cut off without a farewell; sessions do not depend on one.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) => return Err(error.into()),
            }
            if self.taken == self.end {
                if self.came.is_empty() {
                    self.came = vec![0; DIRECT_BUFFER].into_boxed_slice();
                }
                match ready(socket.read(&mut self.came))? {
                    None => return Ok(None),
                    Some(count) => (self.taken, self.end) = (0, count),
                }
            }
            let mut rest = &self.came[self.taken..self.end];
            self.connection.read_tls(&mut rest)?;
            self.taken = self.end - rest.len();
            if let Err(error) = self.connection.process_new_packets() {
                // The other end is told why, if it can be told at once.
                let _ = self.connection.write_tls(&mut NoSignal {
                    socket,
                    is_followed: false,
                });
                return Err(error.into());
            }
        }
    }

    /// Writes the parts, as one. Returns how many bytes were taken, and whether the socket took any.
    ///
    /// # Errors
    /// The connection is over.
    pub fn write(
        &mut self,
        socket: &mut NoSignal<'_>,
        parts: &[IoSlice<'_>],
    ) -> Result<(usize, bool), DirectError> {
        let mut writer = self.connection.writer();
        // One record for all, where one is enough.
        let taken = match parts {
            [] => 0,
            [one] => writer.write(one)?,
            _ => writer.write_vectored(parts)?,
        };
        let written = match self.connection.wants_write() {
            true => ready(self.connection.write_tls(socket))?,
            false => None,
        };
        Ok((taken, written.is_some()))
    }
}
