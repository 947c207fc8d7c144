//! Finding the daemon, or starting it.

use super::exit::Exit;
use super::failure;
use super::run::waiting::{Waiting, Word};
use pvm::limits::{DAEMON_IDLE_S, HELLO_DEADLINE_MS};
use pvm::session::{self, DaemonOptions, Link, LinkError, hello_tool};
use pvm::settings;
use pvm::wire::control::{Failure, FailureCode, Welcome};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A connection to the daemon of this host.
pub struct Connection {
    /// It.
    pub link: Link,
    /// What the daemon said first.
    pub welcome: Welcome,
    /// Where it listens.
    pub socket: PathBuf,
}

/// Why there is no connection, or no answer over it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No daemon, and none is to be started.
    #[error("no virtual machine is running (no daemon at {}); start one with: pvm run PROGRAM, or pvm up", .0.display())]
    NoMachine(PathBuf),
    /// The daemon said no.
    #[error("{}", failure::one_line(.0))]
    Refused(Failure),
    /// Hosts that cannot be added, a line for each cause.
    #[error("{}", .0.iter().map(failure::one_line).collect::<Vec<_>>().join("\n"))]
    Hosts(Vec<Failure>),
    /// Anything else, as one line.
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// How a tool ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            Trouble::NoMachine(_) => Exit::NoMachine,
            Trouble::Refused(_) | Trouble::Hosts(_) => Exit::Refused,
            Trouble::Other(_) => Exit::Ours,
        }
    }
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(failure) => Trouble::Refused(failure),
            LinkError::NoDaemon { path } => Trouble::NoMachine(path),
            LinkError::Lost => Trouble::Other(
                "lost the daemon: it ended or was killed before it answered; try again, and see: pvm conf".into(),
            ),
            LinkError::TimedOut { path, what, after } => Trouble::Other(format!(
                "the daemon at {} gave no answer within {} s ({what}); see whether it is stopped: pgrep -a pvmd",
                path.display(),
                after.as_secs()
            )),
            other => Trouble::Other(other.to_string()),
        }
    }
}

/// Where the daemon of this host would be: runtime directory and name.
fn place() -> Result<(PathBuf, String), Trouble> {
    let dir = session::runtime_dir().map_err(|error| Trouble::Other(error.to_string()))?;
    Ok((dir, session::daemon_name()))
}

/// Connects to a running daemon: the one that is named or, when it is gone, another host of its virtual
/// machine on this machine.
///
/// # Errors
/// [`Trouble::NoMachine`] when none runs.
pub fn existing() -> Result<Connection, Trouble> {
    existing_within(Duration::from_millis(HELLO_DEADLINE_MS))
}

/// As [`existing`], with another limit for a daemon to say that it is there.
///
/// # Errors
/// As [`existing`].
pub fn existing_within(limit: Duration) -> Result<Connection, Trouble> {
    let (dir, name) = place()?;
    let mut trouble = None;
    for socket in session::sockets_of(&dir, &name) {
        match Link::connect_within(&socket, hello_tool(), limit) {
            Ok((link, welcome, _)) => {
                return Ok(Connection {
                    link,
                    welcome,
                    socket,
                });
            }
            Err(error @ (LinkError::NoDaemon { .. } | LinkError::Lost)) => {
                trouble.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let socket = session::socket_path(&dir, &name);
    Err(trouble
        .unwrap_or(LinkError::NoDaemon { path: socket })
        .into())
}

/// Starts another daemon of this virtual machine on this machine, host number `number`, unless it runs.
///
/// # Errors
/// When it cannot be started, or does not become part of the virtual machine.
pub fn start_another(number: u32, join: &[String]) -> Result<(), Trouble> {
    let (dir, name) = place()?;
    let name = format!("{name}.{number}");
    if Link::connect(&session::socket_path(&dir, &name), hello_tool()).is_ok() {
        return Ok(());
    }
    let options = DaemonOptions {
        dir,
        name,
        idle: None,
        pvmd: None,
        secret: None,
        join: join.to_vec(),
    };
    session::start_daemon(&options).map_err(|error| Trouble::Other(error.to_string()))
}

/// The daemons of this virtual machine that run on this machine.
///
/// # Errors
/// When there is no runtime directory.
pub fn all_here() -> Result<Vec<Connection>, Trouble> {
    let (dir, name) = place()?;
    let connect = |socket: PathBuf| {
        let (link, welcome, _) = Link::connect(&socket, hello_tool()).ok()?;
        Some(Connection {
            link,
            welcome,
            socket,
        })
    };
    Ok(session::sockets_of(&dir, &name)
        .into_iter()
        .filter_map(connect)
        .collect())
}

/// Attempts to meet a daemon: one can leave, idle, just when we come.
const ATTEMPTS: usize = 5;
/// Longest wait for a daemon that is leaving.
const LEAVING: Duration = Duration::from_secs(10);

/// Connects to the daemon, which is started when none runs.
///
/// # Errors
/// What went wrong, in one line.
pub fn or_start() -> Result<Connection, Trouble> {
    let (dir, name) = place()?;
    let options = DaemonOptions {
        dir,
        name,
        idle: Some(idle()?),
        pvmd: None,
        secret: None,
        join: Vec::new(),
    };
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match existing() {
            Ok(connection) => return Ok(connection),
            Err(trouble @ Trouble::NoMachine(_)) => {
                last = Some(trouble);
                session::start_daemon(&options)
                    .map_err(|error| Trouble::Other(error.to_string()))?;
            }
            Err(Trouble::Refused(failure)) if failure.code() == FailureCode::FailureEnding => {
                last = Some(Trouble::Refused(failure));
            }
            Err(other) => return Err(other),
        }
    }
    let gone = || {
        let at = session::socket_path(&options.dir, &options.name);
        Trouble::Other(format!(
            "the daemon at {} starts and is gone again at once; see why: pvmd --foreground",
            at.display()
        ))
    };
    match last {
        Some(Trouble::NoMachine(_)) | None => Err(gone()),
        Some(other) => Err(other),
    }
}

/// An answer that is not one.
pub fn nonsense() -> Trouble {
    Trouble::Other(
        "the daemon answered something that this program does not know; use one release of pvm and pvmd".into(),
    )
}

/// Waits until a daemon that is ending has gone; `false`: it has not, in ten seconds.
pub fn see_off(connection: Connection) -> bool {
    let mut link = connection.link;
    let deadline = Instant::now() + LEAVING;
    while link.read_now().is_ok() && !link.is_lost() && Instant::now() < deadline {
        wait_for_word(&link, deadline);
    }
    link.is_lost()
}

/// Waits until the daemon says something, or has gone, at most until a moment. It may return early.
pub fn wait_for_word(link: &Link, until: Instant) {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).ok();
    let mut fds = [PollFd::new(link, PollFlags::IN)];
    // An interrupted poll is just tried again.
    let _ = poll(&mut fds, timeout.as_ref());
}

fn idle() -> Result<Duration, Trouble> {
    let Some(text) = std::env::var_os(settings::IDLE) else {
        return Ok(Duration::from_secs(DAEMON_IDLE_S));
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    let bad = || {
        format!(
            "{} is '{}': it should be a number of seconds, for example 60",
            settings::IDLE,
            text.display()
        )
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| Trouble::Other(bad()))
}

/// Does something that blocks, and says on stderr what it is when it takes long; `quiet`: it does not.
pub fn aloud<T: Send>(
    who: &'static str,
    quiet: bool,
    what: &str,
    act: impl FnOnce() -> T + Send,
) -> T {
    if quiet {
        return act();
    }
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let rewrite = std::io::stderr().is_terminal();
            let mut waiting = Waiting::new(Instant::now(), what);
            let mut status = Status::new(who, rewrite);
            loop {
                let left = waiting
                    .deadline(rewrite)
                    .saturating_duration_since(Instant::now());
                match is_done.recv_timeout(left) {
                    Err(RecvTimeoutError::Timeout) => match waiting.word(Instant::now(), rewrite) {
                        Some(Word::Say(word)) => status.show(&word),
                        // What blocks has deadlines of its own; it ends with its own words.
                        Some(Word::GiveUp(_)) => break,
                        None => {}
                    },
                    _ => break,
                }
            }
            status.clear();
        });
        let result = act();
        drop(done);
        result
    })
}

/// The line about what is being waited for: rewritten in place on a terminal.
pub struct Status {
    who: &'static str,
    rewrite: bool,
    shown: bool,
}

impl Status {
    /// Of the tool `who`; `rewrite`: stderr is a terminal.
    pub fn new(who: &'static str, rewrite: bool) -> Self {
        Self {
            who,
            rewrite,
            shown: false,
        }
    }

    /// Whether it is rewritten in place.
    pub fn rewrites(&self) -> bool {
        self.rewrite
    }

    /// Shows it.
    pub fn show(&mut self, word: &str) {
        let who = self.who;
        let text = match self.rewrite {
            true => format!("\r\x1b[K{who}: {word}"),
            false => format!("{who}: {word}\n"),
        };
        // Nobody can be told that stderr cannot be written.
        let _ = std::io::stderr().write_all(text.as_bytes());
        self.shown = true;
    }

    /// Takes it off the terminal.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) && self.rewrite {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
