//! What TCP does between the two tasks when nothing is in between.

use super::task::TAG;
use anyhow::Context as _;
use pvm::Communicator;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A connection from one task to the other.
pub struct Raw {
    stream: TcpStream,
    is_first: bool,
}

impl Raw {
    /// Connects the two tasks; the first one is at `address`.
    pub fn connect(world: &Communicator, address: &str) -> anyhow::Result<Self> {
        let is_first = world.rank() == 0;
        let mut port = [0u16];
        let stream = if is_first {
            let listener = TcpListener::bind((address, 0)).context("listening")?;
            port[0] = listener.local_addr()?.port();
            world.send(1, TAG, &port)?;
            listener.accept()?.0
        } else {
            world.recv_into(0, TAG, &mut port)?;
            TcpStream::connect((address, port[0])).context("connecting")?
        };
        stream.set_nodelay(true)?;
        Ok(Self { stream, is_first })
    }

    /// Sends 8 bytes there and back, again and again. As our tasks do, it asks for them until they are
    /// there: a read that sleeps takes several times as long.
    pub fn ping_pong(&mut self, trips: u32) -> std::io::Result<()> {
        let mut word = [0; 8];
        self.stream.set_nonblocking(true)?;
        for _ in 0..trips {
            if self.is_first {
                self.stream.write_all(&word)?;
            }
            let mut come = 0;
            while come < word.len() {
                match self.stream.read(&mut word[come..]) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => come += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if !self.is_first {
                self.stream.write_all(&word)?;
            }
        }
        self.stream.set_nonblocking(false)
    }

    /// Sends the buffers in turn, so many times in all, from the first task to the second, which says
    /// when it has everything.
    pub fn stream(&mut self, buffers: &mut [Vec<u8>], times: usize) -> std::io::Result<()> {
        let count = buffers.len();
        for turn in 0..times {
            let buffer = &mut buffers[turn % count];
            if self.is_first {
                self.stream.write_all(buffer)?;
            } else {
                self.stream.read_exact(buffer)?;
            }
        }
        let mut done = [0];
        match self.is_first {
            true => self.stream.read_exact(&mut done),
            false => self.stream.write_all(&done),
        }
    }
}
