//! The keeper: the parent of all processes of one job, and the one that ends them.
//!
//! It is a process of its own so that nothing outlives the daemon: when the daemon's end of the
//! socket closes, for whatever reason, the keeper ends every descendant. It is a subreaper:
//! processes that fork twice or take a session of their own still fall to it, and when
//! `waitpid` says that there is no child, there is no descendant either.
//!
//! One thread, one loop over the socket, SIGCHLD and the pipes on which children report a
//! failed exec.

mod child;
mod ending;
mod link;
mod spawn;

pub use spawn::{KeeperProcess, start};

use super::cgroup::JobGroup;
use child::{Child, Outcome};
use ending::Ending;
use link::Link;
use pvm::wire::control::exit_status::How;
use pvm::wire::control::{
    ExitStatus, FromKeeper, KeeperEnd, KeeperExited, KeeperFailed, KeeperSignal, KeeperStart,
    KeeperStarted, from_keeper, to_keeper,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// From SIGTERM to SIGKILL when the daemon is lost.
const GRACE_WITHOUT_DAEMON: Duration = Duration::from_millis(1500);

/// Runs the keeper on the socket at descriptor 3 until all descendants have ended. `open_files`
/// is the soft limit that tasks get.
pub fn main(open_files: Option<u64>) -> std::io::Result<()> {
    crate::host::detach::become_subreaper();
    let signals = child::block_and_watch_children()?;
    let mut keeper = Keeper {
        link: Some(Link::inherited()?),
        children: BTreeMap::new(),
        ending: None,
        group: JobGroup::make(),
        open_files,
    };
    loop {
        keeper.wait(&signals)?;
        keeper.take_messages();
        keeper.note_execs();
        let is_alone = keeper.reap();
        if keeper.link.is_none() {
            keeper.begin_ending(GRACE_WITHOUT_DAEMON);
        }
        if let Some(ending) = &mut keeper.ending {
            if is_alone {
                return Ok(());
            }
            ending.go_on(keeper.group.as_ref());
        }
    }
}

struct Keeper {
    /// `None` after the daemon has gone.
    link: Option<Link>,
    children: BTreeMap<i32, Child>,
    ending: Option<Ending>,
    group: Option<JobGroup>,
    open_files: Option<u64>,
}

impl Keeper {
    /// Sleeps until something happens or the ending has its next step.
    fn wait(&mut self, signals: &OwnedFd) -> std::io::Result<()> {
        let timeout = self.ending.as_ref().map(|ending| {
            let left = ending.next_step().saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut fds = vec![PollFd::new(signals, PollFlags::IN)];
        fds.extend(
            self.link
                .as_ref()
                .map(|link| PollFd::from_borrowed_fd(link.as_fd(), PollFlags::IN)),
        );
        let pipes = self.children.values().filter_map(Child::exec_pipe);
        fds.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                child::drain_signals(signals);
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Obeys what the daemon has sent; forgets the link when it has gone.
    fn take_messages(&mut self) {
        let Some(link) = &mut self.link else { return };
        if link.read_available().is_err() {
            self.link = None;
            return;
        }
        loop {
            let Some(link) = &mut self.link else { return };
            match link.take() {
                Ok(Some((to_keeper::Body::Start(start), fds))) => self.start(&start, fds),
                Ok(Some((to_keeper::Body::Signal(signal), _))) => self.signal(&signal),
                Ok(Some((to_keeper::Body::End(KeeperEnd { grace_ms }), _))) => {
                    self.begin_ending(Duration::from_millis(grace_ms.into()));
                }
                Ok(None) => return,
                Err(_) => self.link = None,
            }
        }
    }

    fn begin_ending(&mut self, grace: Duration) {
        match &mut self.ending {
            Some(ending) => ending.hurry(grace),
            None => self.ending = Some(Ending::begin(grace)),
        }
    }

    fn start(&mut self, start: &KeeperStart, fds: Vec<OwnedFd>) {
        let result = match self.ending {
            Some(_) => Err(("start", libc::ECANCELED)),
            None => child::start(start, fds, self.open_files, self.group.as_ref()),
        };
        match result {
            Ok((pid, child)) => {
                self.children.insert(pid, child);
            }
            Err((step, errno)) => self.tell_failed(start.task, step, errno),
        }
    }

    fn signal(&self, order: &KeeperSignal) {
        if let Some((pid, _)) = self.children.iter().find(|(_, c)| c.task == order.task) {
            child::signal_group(*pid, order.signal);
        }
    }

    /// Tells the daemon of children that have passed, or failed, their exec.
    fn note_execs(&mut self) {
        let told: Vec<_> = self.children.iter_mut().filter_map(exec_outcome).collect();
        told.into_iter()
            .for_each(|(pid, outcome)| self.tell_exec(pid, outcome));
    }

    fn tell_exec(&mut self, pid: i32, outcome: Outcome) {
        let Some(child) = self.children.get_mut(&pid) else {
            return;
        };
        let task = child.task;
        match outcome {
            Outcome::Running => self.tell(from_keeper::Body::Started(KeeperStarted {
                task,
                pid: pid as u32,
            })),
            Outcome::Failed { step, errno } => {
                child.is_void = true;
                self.tell_failed(task, step, errno);
            }
        }
    }

    /// Reaps what has ended. True when no child, and so no descendant, is left.
    fn reap(&mut self) -> bool {
        loop {
            match child::reap() {
                child::Reaped::Ended(end) => self.note_end(end),
                child::Reaped::NoneYet => return false,
                child::Reaped::NoChild => return true,
            }
        }
    }

    fn note_end(&mut self, end: child::End) {
        // Orphans that fell to us have no entry.
        if let Some(outcome) = self
            .children
            .get_mut(&end.pid)
            .and_then(Child::last_outcome)
        {
            self.tell_exec(end.pid, outcome);
        }
        let Some(child) = self.children.remove(&end.pid) else {
            return;
        };
        if child.is_void {
            return;
        }
        self.tell(from_keeper::Body::Exited(KeeperExited {
            task: child.task,
            status: Some(ExitStatus {
                how: Some(match end.signal {
                    Some(signal) => How::Signal(signal),
                    None => How::Code(end.code),
                }),
                core_dumped: end.core_dumped,
            }),
            max_rss_kib: end.max_rss_kib,
        }));
    }

    fn tell_failed(&mut self, task: u64, step: &str, errno: i32) {
        self.tell(from_keeper::Body::Failed(KeeperFailed {
            task,
            errno,
            step: step.into(),
        }));
    }

    fn tell(&mut self, body: from_keeper::Body) {
        if let Some(link) = &mut self.link
            && link.send(&FromKeeper { body: Some(body) }).is_err()
        {
            self.link = None;
        }
    }
}

fn exec_outcome((pid, child): (&i32, &mut Child)) -> Option<(i32, Outcome)> {
    Some((*pid, child.new_outcome()?))
}
