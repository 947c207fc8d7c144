//! One ssh: its pipes, its deadline, and its end by process id.
//!
//! The daemon reaps every child that it has, whoever started it. So the end of ssh is seen by the end
//! of its standard output, and its exit code is told by the shell around it. The end of its standard
//! error is no sign: a connection that ssh shares and leaves open for later holds that.

use super::answer::{Heard, Splitter};
use super::classify::{End, Story};
use super::trace::{State, Trace};
use super::{Options, Report, command};
use crate::launch::spec::{HostSpec, Start};
use pvm::limits::SSH_LEAVE_MS;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// Longest that the thread waits for a process that ends.
const REAP_NS: i64 = 100_000_000;

/// A running ssh; dropping it ends it.
struct Ssh {
    child: Child,
    pidfd: OwnedFd,
    /// It leads a process group of its own.
    is_leader: bool,
    has_ended: bool,
}

/// What it tells.
struct Ears {
    out: pipe::Receiver,
    err: pipe::Receiver,
    is_err_open: bool,
    out_lines: Splitter,
    err_lines: Splitter,
    heard: Heard,
    trace: Trace,
}

/// Runs ssh for a host until its daemon has answered, it ends, or the deadline has come.
///
/// # Errors
/// When there are no processes, pipes or descriptors for it.
pub(super) async fn run(
    host: &HostSpec,
    arguments: &[String],
    data: &[u8],
    options: &Options,
    report: &Report,
) -> io::Result<Story> {
    let remote = command::remote(host, options.own.as_deref(), arguments);
    let mut command = command::local(&options.ssh, host, &remote);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let is_leader = host.options.start != Start::Password;
    let mut ssh = Ssh::new(command.spawn()?, is_leader)?;
    let (mut ears, mouth) = ssh.pipes()?;
    let mut mouth = Some(mouth);
    let mut state = State::Resolve;
    report.reached(state).await;
    let listening = async {
        loop {
            let is_over = ears.listen().await;
            let now = ears.state().max(state);
            if now > state {
                state = now;
                report.reached(state).await;
            }
            if ears.heard.started.is_some()
                && let Some(mut pipe) = mouth.take()
            {
                // It does not read when it has gone; then its end says why.
                let _ = pipe.write_all(data).await;
            }
            if is_over || ears.heard.answer.is_some() {
                return;
            }
        }
    };
    let end = match timeout(options.deadline, listening).await {
        Ok(()) => {
            // With an answer it has a moment to leave; without one it has ended.
            let leaving = async { while !ears.listen().await {} };
            if timeout(Duration::from_millis(SSH_LEAVE_MS), leaving)
                .await
                .is_err()
            {
                ssh.kill();
            }
            ssh.reap();
            ssh.end(ears.trace.exit)
        }
        Err(_) => {
            ssh.kill();
            ssh.reap();
            End::TimedOut(options.deadline.as_secs())
        }
    };
    Ok(Story {
        end,
        state,
        trace: ears.trace,
        heard: ears.heard,
    })
}

impl Ssh {
    fn new(mut child: Child, is_leader: bool) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK);
        match pidfd {
            Ok(pidfd) => Ok(Self {
                child,
                pidfd,
                is_leader,
                has_ended: false,
            }),
            Err(error) => {
                // It is ours and cannot be watched.
                let _ = child.kill().and_then(|()| child.wait());
                Err(error.into())
            }
        }
    }

    fn pipes(&mut self) -> io::Result<(Ears, pipe::Sender)> {
        let missing = || io::Error::other("a pipe is missing");
        let out = self.child.stdout.take().ok_or_else(missing)?;
        let err = self.child.stderr.take().ok_or_else(missing)?;
        let stdin = self.child.stdin.take().ok_or_else(missing)?;
        let ears = Ears {
            out: pipe::Receiver::from_owned_fd(out.into())?,
            err: pipe::Receiver::from_owned_fd(err.into())?,
            is_err_open: true,
            out_lines: Splitter::default(),
            err_lines: Splitter::default(),
            heard: Heard::default(),
            trace: Trace::default(),
        };
        Ok((ears, pipe::Sender::from_owned_fd(stdin.into())?))
    }

    /// Ends it and what it has started.
    fn kill(&mut self) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let pid = Pid::from_child(&self.child);
        // Through the pidfd first: that tells whether the process id is still this process's.
        let is_it = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL).is_ok();
        if is_it && self.is_leader {
            // Those of its group that have gone meanwhile need nothing.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }

    /// Takes away what is left of it, now that it ends.
    fn reap(&mut self) {
        self.has_ended = true;
        let mut waits = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: REAP_NS,
        };
        // It is gone at once, unless the kernel holds it; then init gets it.
        let _ = rustix::event::poll(&mut waits, Some(&limit));
        let _ = self.child.try_wait();
    }

    /// How it ended; it has.
    fn end(&mut self, told: Option<i32>) -> End {
        let status = self.child.try_wait().ok().flatten();
        match (told, status) {
            (Some(code), _) => End::Code(Some(code)),
            (None, Some(status)) => match status.signal() {
                Some(signal) => End::Signal(signal),
                None => End::Code(status.code()),
            },
            (None, None) => End::Code(None),
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if !self.has_ended {
            self.kill();
            self.reap();
        }
    }
}

impl Ears {
    /// Waits for something to hear and takes it in; whether ssh has ended and all is heard.
    async fn listen(&mut self) -> bool {
        let (mut out, mut err) = ([0; 4096], [0; 4096]);
        tokio::select! {
            read = self.out.read(&mut out) => {
                let count = read.unwrap_or(0);
                self.out_lines.feed(&out[..count], |line| self.heard.line(line));
                if count == 0 {
                    self.drain();
                }
                count == 0
            }
            read = self.err.read(&mut err), if self.is_err_open => {
                let count = read.unwrap_or(0);
                self.is_err_open = count > 0;
                self.err_lines.feed(&err[..count], |line| self.trace.line(line));
                false
            }
        }
    }

    /// Takes in what is left on standard error: who wrote it ends, so it is all there.
    fn drain(&mut self) {
        let mut bytes = [0; 4096];
        // Past the runtime, which may not yet have been told that there is something to read.
        while let Ok(count @ 1..) = rustix::io::read(&self.err, &mut bytes) {
            self.err_lines
                .feed(&bytes[..count], |line| self.trace.line(line));
        }
        self.out_lines.end(|line| self.heard.line(line));
        self.err_lines.end(|line| self.trace.line(line));
    }

    /// How far it has come, by all that was heard.
    fn state(&self) -> State {
        let inside = match (&self.heard.started, &self.heard.system) {
            (Some(_), _) => State::Join,
            (None, Some(_)) => State::Start,
            (None, None) => State::Resolve,
        };
        inside.max(self.trace.state)
    }
}
