//! One connection to the daemon.

use super::{passing, peer};
use crate::limits::{CALL_DEADLINE_MS, CONTROL_VERSIONS, HELLO_DEADLINE_MS, LINK_TURN};
use crate::wire::control::{
    Failure, FromDaemon, Hello, ToDaemon, Tool, Welcome, from_daemon, hello, to_daemon,
};
use crate::wire::frame::{Decoder, FrameError, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket, socket_with,
};
use rustix::process::geteuid;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// What the daemon said, with the descriptors that came beside it.
#[derive(Debug)]
pub struct Answer {
    /// The message.
    pub body: from_daemon::Body,
    /// Its descriptors.
    pub fds: Vec<OwnedFd>,
}

/// A request whose answer has not been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// A ticket of a stand-in for the daemon.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn fake(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Why the daemon could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The connection has ended.
    #[error(
        "the daemon has closed the connection: it was halted or killed; start the program again with: pvm run"
    )]
    Lost,
    /// The daemon said no.
    #[error("{}", sentence(.0))]
    Refused(Failure),
    /// No answer in time.
    #[error(
        "daemon at {}: no answer within {} s while {what}; is it stopped? look with: pvm conf",
        path.display(), after.as_secs()
    )]
    TimedOut {
        /// Socket of the daemon.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// How long it was waited.
        after: Duration,
    },
    /// Nobody listens there.
    #[error("no daemon at {}; start the program with: pvm run, or a daemon with: pvmd", path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// The kernel has a limit for the paths of sockets.
    #[error(
        "the path {} is too long for a socket; set {} to a shorter directory",
        path.display(), crate::settings::RUNTIME_DIR
    )]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The daemon belongs to another user.
    #[error(
        "daemon at {}: belongs to user {owner}, not to you; name a socket of your own",
        path.display()
    )]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// User that the daemon runs as.
        owner: u32,
    },
    /// The daemon chose a version of the protocol that was not offered.
    #[error(
        "the daemon speaks control protocol {0}, this program {min} to {max}; use one release of both: end that daemon with its own pvm halt",
        min = CONTROL_VERSIONS.0, max = CONTROL_VERSIONS.1
    )]
    Version(u32),
    /// The daemon said something that makes no sense here.
    #[error("the daemon sent {0}; use one release of daemon and program")]
    Nonsense(&'static str),
    /// Bytes that are not a frame, or a request that is too large for one.
    #[error("talking to the daemon: {0}")]
    Frame(#[from] FrameError),
    /// The system said no.
    #[error("daemon at {}: {error}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A failure in one line.
fn sentence(failure: &Failure) -> String {
    let mut text = failure.what.clone();
    for (mark, part) in [(": ", &failure.why), ("; ", &failure.next)] {
        if !part.is_empty() {
            text.push_str(mark);
            text.push_str(part);
        }
    }
    text
}

/// The first frame of a command-line tool.
pub fn hello_tool() -> Hello {
    Hello {
        version_min: CONTROL_VERSIONS.0,
        version_max: CONTROL_VERSIONS.1,
        software: concat!("libpvm ", env!("CARGO_PKG_VERSION")).to_owned(),
        role: Some(hello::Role::Tool(Tool {})),
    }
}

/// Bytes that are read at once.
const READ_MAX: usize = 32 << 10;

/// How many descriptors come beside a message.
fn descriptors(body: &from_daemon::Body) -> usize {
    match body {
        from_daemon::Body::Welcome(welcome) if welcome.task != 0 => 2,
        from_daemon::Body::ChannelOpened(_) => 2,
        _ => 0,
    }
}

/// One connection to the daemon of this host.
pub struct Link {
    socket: Arc<OwnedFd>,
    path: PathBuf,
    decoder: Decoder,
    /// Where bytes are read into.
    room: Box<[u8]>,
    /// Frames that the daemon has not taken yet, from `sent` on.
    unsent: Vec<u8>,
    sent: usize,
    /// Descriptors whose frames are not whole yet, oldest first.
    fds: VecDeque<OwnedFd>,
    last_request: u64,
    /// Requests without an answer.
    open: HashSet<u64>,
    answers: HashMap<u64, Answer>,
    events: VecDeque<Answer>,
    /// The last reading stopped at its limit.
    has_more: bool,
    lost: bool,
}

impl Link {
    /// Connects to the daemon at `socket` and introduces the caller. Returns its welcome and the
    /// descriptors beside it: for a task its inbox and the host page.
    ///
    /// # Errors
    /// When nobody answers within the deadline, or not the right one, or with a refusal.
    pub fn connect(
        socket: &Path,
        hello: Hello,
    ) -> Result<(Link, Welcome, Vec<OwnedFd>), LinkError> {
        Self::connect_within(socket, hello, Duration::from_millis(HELLO_DEADLINE_MS))
    }

    /// As [`Link::connect`], with another deadline.
    ///
    /// # Errors
    /// As [`Link::connect`].
    pub fn connect_within(
        socket: &Path,
        hello: Hello,
        deadline: Duration,
    ) -> Result<(Link, Welcome, Vec<OwnedFd>), LinkError> {
        let mut link = Link::over(dial(socket, deadline)?, socket)?;
        // A daemon that refuses may do so and close before it has read everything.
        let ticket = match link.start(to_daemon::Body::Hello(hello), &[]) {
            Err(LinkError::Lost) => Ticket(1),
            other => other?,
        };
        let answer = link.wait(ticket, deadline, "introducing itself")?;
        let from_daemon::Body::Welcome(welcome) = answer.body else {
            return Err(LinkError::Nonsense("another answer than a welcome"));
        };
        if !(CONTROL_VERSIONS.0..=CONTROL_VERSIONS.1).contains(&welcome.version) {
            return Err(LinkError::Version(welcome.version));
        }
        Ok((link, welcome, answer.fds))
    }

    /// A link over a connected socket.
    fn over(socket: OwnedFd, path: &Path) -> Result<Self, LinkError> {
        let link = Self {
            socket: Arc::new(socket),
            path: path.to_owned(),
            decoder: Decoder::default(),
            room: vec![0; READ_MAX].into_boxed_slice(),
            unsent: Vec::new(),
            sent: 0,
            fds: VecDeque::new(),
            last_request: 0,
            open: HashSet::new(),
            answers: HashMap::new(),
            events: VecDeque::new(),
            has_more: false,
            lost: false,
        };
        ioctl_fionbio(&link.socket, true).map_err(|error| link.io(error))?;
        Ok(link)
    }

    /// Asks and waits for the answer; events that come meanwhile are kept.
    ///
    /// # Errors
    /// [`LinkError::Refused`] with the daemon's failure; [`LinkError::TimedOut`] after
    /// [`CALL_DEADLINE_MS`]: what may take longer is asked with [`Link::start`].
    pub fn call(&mut self, body: to_daemon::Body) -> Result<Answer, LinkError> {
        let ticket = self.start(body, &[])?;
        self.wait(
            ticket,
            Duration::from_millis(CALL_DEADLINE_MS),
            "waiting for an answer",
        )
    }

    /// Asks; the answer is for [`Link::take`] or [`Link::wait`].
    ///
    /// # Errors
    /// When the daemon does not take the request.
    pub fn start(
        &mut self,
        body: to_daemon::Body,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Ticket, LinkError> {
        self.last_request += 1;
        let request = self.last_request;
        self.open.insert(request);
        self.send(request, body, fds)?;
        Ok(Ticket(request))
    }

    /// The answer to a request, if it has come: see [`Link::read_now`].
    pub fn take(&mut self, ticket: Ticket) -> Option<Result<Answer, LinkError>> {
        if let Some(answer) = self.answers.remove(&ticket.0) {
            return Some(match answer.body {
                from_daemon::Body::Failure(failure) => Err(LinkError::Refused(failure)),
                _ => Ok(answer),
            });
        }
        if self.lost || !self.open.contains(&ticket.0) {
            self.open.remove(&ticket.0);
            return Some(Err(LinkError::Lost));
        }
        None
    }

    /// Waits for the answer to a request, at most for `limit`; the ticket stays good after a
    /// time-out. `what` is for the error text.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub fn wait(
        &mut self,
        ticket: Ticket,
        limit: Duration,
        what: &'static str,
    ) -> Result<Answer, LinkError> {
        let start = Instant::now();
        loop {
            self.read_some(LINK_TURN)?;
            if let Some(answer) = self.take(ticket) {
                return answer;
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                let path = self.path.clone();
                return Err(LinkError::TimedOut {
                    path,
                    what,
                    after: limit,
                });
            }
            self.ready(PollFlags::IN, left)?;
        }
    }

    /// Sends what needs no answer.
    ///
    /// # Errors
    /// When the daemon does not take it.
    pub fn tell(&mut self, body: to_daemon::Body) -> Result<(), LinkError> {
        self.send(0, body, &[])
    }

    /// Sends what needs no answer without waiting: what the daemon does not take at once is kept for
    /// [`Link::push_on`].
    ///
    /// # Errors
    /// When the daemon has gone, or the message is too large.
    pub fn post(&mut self, body: to_daemon::Body) -> Result<(), LinkError> {
        let body = Some(body);
        encode(&ToDaemon { request: 0, body }, &mut self.unsent)?;
        self.push_on().map(drop)
    }

    /// Sends what is kept, as far as the daemon takes it. Returns whether that was all.
    ///
    /// # Errors
    /// When the daemon has gone; nothing is kept then.
    pub fn push_on(&mut self) -> Result<bool, LinkError> {
        while self.sent < self.unsent.len() {
            match passing::send(&self.socket, &self.unsent[self.sent..], &[]) {
                Ok(len) => self.sent += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => {
                    (self.sent, self.unsent) = (0, Vec::new());
                    return Err(self.cut(error));
                }
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Takes in what has arrived, without waiting. Returns whether there was anything.
    ///
    /// # Errors
    /// A daemon that has gone, or sends what is not a message, is lost: what arrived before can
    /// still be taken.
    pub fn read_now(&mut self) -> Result<bool, LinkError> {
        self.read_some(usize::MAX)
    }

    /// As [`Link::read_now`], but stops after about `limit` bytes: for callers to whom the daemon
    /// may send without end, such as a job's output.
    ///
    /// # Errors
    /// As [`Link::read_now`].
    pub fn read_some(&mut self, limit: usize) -> Result<bool, LinkError> {
        let (mut any, mut left) = (false, limit);
        while !self.lost && left > 0 {
            match passing::receive(&self.socket, &mut self.room, &mut self.fds) {
                Ok(0) | Err(Errno::CONNRESET) => self.lost = true,
                Ok(len) => {
                    any = true;
                    left = left.saturating_sub(len);
                    self.decoder.extend(&self.room[..len]);
                    self.sort().inspect_err(|_| self.lost = true)?;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.has_more = false;
                    return Ok(any);
                }
                Err(error) => {
                    self.lost = true;
                    return Err(self.io(error));
                }
            }
        }
        self.has_more = !self.lost;
        Ok(any)
    }

    /// Whether the last [`Link::read_some`] stopped at its limit.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// The line of this link.
    pub fn line(&self) -> Line {
        Line(Arc::downgrade(&self.socket))
    }

    /// The oldest event that was read and not taken.
    pub fn next_event(&mut self) -> Option<Answer> {
        self.events.pop_front()
    }

    /// Whether [`Link::next_event`] would return one.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether the daemon has gone.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    fn io(&self, error: Errno) -> LinkError {
        let path = self.path.clone();
        LinkError::Io {
            path,
            error: error.into(),
        }
    }

    /// Cuts what was read into answers and events.
    fn sort(&mut self) -> Result<(), LinkError> {
        while let Some(message) = self.decoder.take::<FromDaemon>()? {
            let Some(body) = message.body else {
                continue; // from a newer daemon
            };
            let count = descriptors(&body);
            if self.fds.len() < count {
                return Err(LinkError::Nonsense("a message without its descriptors"));
            }
            let fds = self.fds.drain(..count).collect();
            let answer = Answer { body, fds };
            if message.request == 0 {
                self.events.push_back(answer);
            } else if self.open.remove(&message.request) {
                self.answers.insert(message.request, answer);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        request: u64,
        body: to_daemon::Body,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        let message = ToDaemon {
            request,
            body: Some(body),
        };
        encode(&message, &mut bytes)?;
        let patience = Duration::from_millis(CALL_DEADLINE_MS);
        while !self.push_on()? {
            self.make_room(patience)?;
        }
        self.put(&bytes, fds, patience)
    }

    /// Sends a frame; the daemon may be for `patience` without taking any of it.
    fn put(
        &mut self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(), LinkError> {
        let (mut sent, mut beside) = (0, fds);
        while sent < bytes.len() {
            match passing::send(&self.socket, &bytes[sent..], beside) {
                Ok(len) => (sent, beside) = (sent + len, &[]),
                Err(Errno::INTR) => {}
                // Nothing else may follow a part of a frame.
                Err(Errno::AGAIN) => {
                    let room = self.make_room(patience);
                    room.inspect_err(|_| self.lost |= sent > 0)?;
                }
                // The system is short of something, and the socket is as good as before.
                Err(error @ (Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS)) if sent == 0 => {
                    return Err(self.io(error));
                }
                Err(error) => return Err(self.cut(error)),
            }
        }
        Ok(())
    }

    /// What it means that the socket takes nothing more. If the daemon has closed it, what it said
    /// before is still to be read, and the end found there.
    fn cut(&mut self, error: Errno) -> LinkError {
        match error {
            Errno::PIPE | Errno::CONNRESET => LinkError::Lost,
            other => {
                self.lost = true;
                self.io(other)
            }
        }
    }

    /// Waits until more can be written, at most for `limit`. Reads meanwhile: the daemon may be waiting
    /// for that.
    fn make_room(&mut self, limit: Duration) -> Result<(), LinkError> {
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                let path = self.path.clone();
                return Err(LinkError::TimedOut {
                    path,
                    what: "sending a request",
                    after: limit,
                });
            }
            let ready = self.ready(PollFlags::IN | PollFlags::OUT, left)?;
            self.read_now()?;
            match ready.contains(PollFlags::OUT) {
                true => return Ok(()),
                false if self.lost => return Err(LinkError::Lost),
                false => {}
            }
        }
    }

    /// Waits until the socket is ready, at most for `limit`.
    fn ready(&self, what: PollFlags, limit: Duration) -> Result<PollFlags, LinkError> {
        let timeout = Timespec::try_from(limit).ok();
        let mut fds = [PollFd::new(&self.socket, what)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(fds[0].revents()),
            Err(error) => Err(self.io(error)),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The other end of a link may be looked at from any thread, while another has the link itself. It
/// does not keep the link open.
#[derive(Clone)]
pub struct Line(Weak<OwnedFd>);

impl Line {
    /// Waits until the daemon takes more, at most for `limit`.
    pub fn wait_for_room(&self, limit: Duration) {
        if let (Some(socket), Ok(limit)) = (self.0.upgrade(), Timespec::try_from(limit)) {
            // Whatever comes of it, the caller tries again.
            let _ = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&limit));
        }
    }

    /// Whether the daemon has said nothing that the link has not read, and is still there.
    pub fn is_quiet(&self) -> bool {
        let Some(socket) = self.0.upgrade() else {
            return false;
        };
        let mut fds = [PollFd::new(&socket, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec::default())), Ok(0))
    }
}

/// A connected socket to a daemon of this user.
pub(super) fn dial(path: &Path, limit: Duration) -> Result<OwnedFd, LinkError> {
    let io = |error: Errno| LinkError::Io {
        path: path.to_owned(),
        error: error.into(),
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(io)?;
    let address = SocketAddrUnix::new(path).map_err(|error| match error {
        Errno::NAMETOOLONG => LinkError::TooLong {
            path: path.to_owned(),
        },
        other => io(other),
    })?;
    // A daemon that is stopped accepts nobody; when its queue is full, connecting waits.
    set_socket_timeout(&socket, Timeout::Send, Some(limit)).map_err(io)?;
    match connect_socket(&socket, &address) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::CONNREFUSED) => {
            return Err(LinkError::NoDaemon {
                path: path.to_owned(),
            });
        }
        Err(Errno::AGAIN) => {
            return Err(LinkError::TimedOut {
                path: path.to_owned(),
                what: "connecting",
                after: limit,
            });
        }
        Err(error) => return Err(io(error)),
    }
    let owner = peer::user(socket.as_fd()).map_err(io)?;
    if owner != geteuid() {
        return Err(LinkError::NotOurs {
            path: path.to_owned(),
            owner: owner.as_raw(),
        });
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::{
        ChannelOpened, Done, FailureCode, ListJobs, OpenChannel, Relay, TaskExited,
    };
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    /// The daemon's end, in a thread of the test.
    struct Host(UnixStream);

    impl Host {
        fn read(&mut self) -> ToDaemon {
            let mut decoder = Decoder::default();
            let mut byte = [0];
            loop {
                self.0.read_exact(&mut byte).unwrap();
                decoder.extend(&byte);
                if let Some(message) = decoder.take().unwrap() {
                    return message;
                }
            }
        }

        fn write(&mut self, request: u64, body: from_daemon::Body, fds: &[BorrowedFd<'_>]) {
            let mut bytes = Vec::new();
            let body = Some(body);
            encode(&FromDaemon { request, body }, &mut bytes).unwrap();
            // In two parts: frames may come in pieces.
            let cut = passing::send(&self.0, &bytes[..1], fds).unwrap();
            self.0.write_all(&bytes[cut..]).unwrap();
        }

        fn answer(&mut self, body: from_daemon::Body) {
            let request = self.read().request;
            self.write(request, body, &[]);
        }
    }

    fn welcome(version: u32) -> from_daemon::Body {
        from_daemon::Body::Welcome(Welcome {
            version,
            ..Welcome::default()
        })
    }

    /// Runs `host` as the daemon and `client` against it.
    fn with_daemon<R>(host: impl FnOnce(Host) + Send, client: impl FnOnce(&Path) -> R) -> R {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| host(Host(listener.accept().unwrap().0)));
            client(&path)
        })
    }

    fn exited(task: u64) -> from_daemon::Body {
        from_daemon::Body::TaskExited(TaskExited {
            task,
            ..TaskExited::default()
        })
    }

    #[test]
    fn answers_events_and_descriptors_find_their_places() {
        let opened = from_daemon::Body::ChannelOpened(ChannelOpened::default());
        let done = from_daemon::Body::Done(Done {});
        with_daemon(
            |mut host| {
                host.answer(welcome(1));
                let first = host.read().request;
                let second = host.read().request;
                host.write(0, exited(5), &[]);
                let files = [host.0.as_fd().try_clone_to_owned().unwrap()];
                let fds = [files[0].as_fd(), files[0].as_fd()];
                host.write(second, opened, &fds);
                host.write(0, exited(6), &[]);
                host.write(first, done.clone(), &[]);
            },
            |path| {
                let (mut link, welcome, fds) = Link::connect(path, hello_tool()).unwrap();
                assert_eq!((welcome.version, fds.len()), (1, 0));
                let ask = to_daemon::Body::OpenChannel(OpenChannel { peer: 1 });
                let list = link
                    .start(to_daemon::Body::ListJobs(ListJobs {}), &[])
                    .unwrap();
                let answer = link.call(ask).unwrap();
                assert_eq!(answer.fds.len(), 2);
                let limit = Duration::from_secs(10);
                assert_eq!(link.wait(list, limit, "testing").unwrap().body, done);
                assert_eq!(link.next_event().unwrap().body, exited(5));
                assert_eq!(link.next_event().unwrap().body, exited(6));
                assert!(matches!(link.take(list), Some(Err(LinkError::Lost))));
            },
        );
    }

    #[test]
    fn refusals_are_told_in_one_line() {
        let failure = Failure {
            code: FailureCode::FailureNotAllowed as i32,
            what: "attaching as t40001".into(),
            why: "wrong capability".into(),
            next: "unset PVM_TASK".into(),
        };
        with_daemon(
            |mut host| host.answer(from_daemon::Body::Failure(failure)),
            |path| {
                let error = Link::connect(path, hello_tool()).err().unwrap();
                let text = "attaching as t40001: wrong capability; unset PVM_TASK";
                assert_eq!(error.to_string(), text);
            },
        );
    }

    #[test]
    fn other_versions_are_refused() {
        with_daemon(
            |mut host| host.answer(welcome(99)),
            |path| {
                let error = Link::connect(path, hello_tool()).err().unwrap();
                assert!(matches!(error, LinkError::Version(99)));
            },
        );
    }

    #[test]
    fn a_daemon_that_goes_is_lost_after_its_last_words() {
        with_daemon(
            |mut host| {
                host.answer(welcome(1));
                host.read();
                host.write(0, exited(9), &[]);
            },
            |path| {
                let (mut link, ..) = Link::connect(path, hello_tool()).unwrap();
                let answer = link.call(to_daemon::Body::ListJobs(ListJobs {}));
                assert!(matches!(answer, Err(LinkError::Lost)));
                assert_eq!(link.next_event().unwrap().body, exited(9));
            },
        );
    }

    #[test]
    fn bytes_that_are_no_frames_end_the_link() {
        with_daemon(
            |mut host| {
                host.answer(welcome(1));
                host.read();
                host.0.write_all(&[0xff; 64]).unwrap();
            },
            |path| {
                let (mut link, ..) = Link::connect(path, hello_tool()).unwrap();
                let answer = link.call(to_daemon::Body::ListJobs(ListJobs {}));
                assert!(matches!(answer, Err(LinkError::Frame(_))));
                assert!(link.is_lost());
            },
        );
    }

    #[test]
    fn what_the_daemon_does_not_take_at_once_goes_out_later_and_in_order() {
        const POSTS: u64 = 16;
        let posted = |number: u64| {
            to_daemon::Body::Relay(Relay {
                peer: number,
                data: vec![number as u8; 20_000],
            })
        };
        let (go, wait) = std::sync::mpsc::channel();
        with_daemon(
            move |mut host| {
                host.answer(welcome(1));
                wait.recv().unwrap();
                for number in 0..POSTS {
                    assert_eq!(host.read().body, Some(posted(number)));
                }
                let request = host.read().request;
                host.write(request, from_daemon::Body::Done(Done {}), &[]);
            },
            move |path| {
                let (mut link, ..) = Link::connect(path, hello_tool()).unwrap();
                for number in 0..POSTS {
                    link.post(posted(number)).unwrap();
                }
                assert!(!link.push_on().unwrap(), "so much fits no socket");
                go.send(()).unwrap();
                link.line().wait_for_room(Duration::from_secs(10));
                let list = to_daemon::Body::ListJobs(ListJobs {});
                link.call(list).unwrap();
                assert!(link.push_on().unwrap());
                drop(link.post(posted(0)));
            },
        );
    }

    #[test]
    fn a_socket_that_fails_in_any_way_is_lost() {
        for send in [Link::post, Link::tell] {
            // Never connected: neither a daemon that has gone nor one that is slow.
            let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
            let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
            let mut link = Link::over(socket, Path::new("nowhere")).unwrap();
            let error = send(&mut link, to_daemon::Body::ListJobs(ListJobs {})).unwrap_err();
            assert!(matches!(error, LinkError::Io { .. }), "{error}");
            assert!(link.is_lost());
        }
    }

    #[test]
    fn a_frame_that_was_begun_and_not_finished_ends_the_link() {
        let (ours, _daemon) = UnixStream::pair().unwrap();
        let mut link = Link::over(ours.into(), Path::new("nowhere")).unwrap();
        let frame = vec![0; 4 << 20];
        let error = link.put(&frame, &[], Duration::ZERO).unwrap_err();
        assert!(matches!(error, LinkError::TimedOut { .. }), "{error}");
        assert!(link.is_lost());
    }

    #[test]
    fn missing_daemons_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.sock");
        let error = Link::connect(&path, hello_tool()).err().unwrap();
        assert!(matches!(error, LinkError::NoDaemon { .. }));
        drop(UnixListener::bind(&path).unwrap());
        let error = Link::connect(&path, hello_tool()).err().unwrap();
        assert!(matches!(error, LinkError::NoDaemon { .. }));
    }
}
