//! Signals to the launcher: what each means for the job.

use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// End the job; the second time at once.
    End,
    /// Stop the job, then ourselves.
    Stop,
    /// Pass it on to every task.
    Forward,
}

/// The signals that we take, with their meaning.
const TAKEN: &[(i32, Meaning)] = &[
    (libc::SIGINT, Meaning::End),
    (libc::SIGTERM, Meaning::End),
    (libc::SIGHUP, Meaning::End),
    (libc::SIGTSTP, Meaning::Stop),
    (libc::SIGCONT, Meaning::Forward),
    (libc::SIGQUIT, Meaning::Forward),
    (libc::SIGUSR1, Meaning::Forward),
    (libc::SIGUSR2, Meaning::Forward),
];

/// What a taken signal means.
pub fn meaning(signal: i32) -> Option<Meaning> {
    let found = TAKEN.iter().find(|(taken, _)| *taken == signal);
    found.map(|(_, meaning)| *meaning)
}

/// Signals as something to poll.
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
}

impl Signals {
    /// Takes the signals over from now on, except those that our caller had us ignore (nohup).
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn take_over() -> io::Result<Self> {
        let ignored = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored_mask(&ignored);
        let taken = TAKEN.iter().map(|(signal, _)| *signal);
        let wanted = taken.filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let (read, write) = UnixStream::pair()?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, wanted)?;
        Ok(Self { delivery })
    }

    /// Those that came since the last call.
    pub fn pending(&mut self) -> Vec<i32> {
        self.delivery.pending().collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

/// The set of ignored signals in the text of /proc/self/status.
fn ignored_mask(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_seen() {
        let mask = ignored_mask("Name:\tpvm\nSigIgn:\t0000000000001001\n");
        assert_eq!(
            (mask & 1, mask >> (libc::SIGPIPE - 1) & 1, mask >> 1 & 1),
            (1, 1, 0)
        );
        assert_eq!(ignored_mask(""), 0);
    }

    #[test]
    fn signals_can_be_polled() {
        let mut signals = Signals::take_over().unwrap();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::USR1).unwrap();
        let mut fds = [rustix::event::PollFd::new(
            &signals,
            rustix::event::PollFlags::IN,
        )];
        while rustix::event::poll(&mut fds, None).is_err() {}
        assert!(signals.pending().contains(&libc::SIGUSR1));
    }
}
