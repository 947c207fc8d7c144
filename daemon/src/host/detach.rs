//! Becoming a daemon: the starting process waits for a word on a pipe and leaves with it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// The word that the daemon owes the process that started it.
pub struct Readiness(Option<File>);

impl Readiness {
    /// For a daemon in the foreground: nobody waits.
    pub fn nobody() -> Self {
        Readiness(None)
    }

    /// The daemon serves; `words` are for whoever has started it.
    pub fn ready(&mut self, words: &str) {
        self.tell(format!("+{words}").as_bytes());
    }

    /// Another daemon serves already; the start counts as a success.
    pub fn already_running(&mut self, text: &str) {
        self.tell(format!("={text}").as_bytes());
    }

    /// It cannot serve, for this reason.
    pub fn failed(&mut self, text: &str) {
        self.tell(format!("-{text}").as_bytes());
    }

    /// Whether a process waits for the word.
    pub fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&mut self, word: &[u8]) {
        if let Some(mut pipe) = self.0.take() {
            // The starter may have been killed: nothing to do about it.
            let _ = pipe.write_all(word);
        }
    }
}

/// What the starting process hears.
pub enum Word {
    /// The daemon serves; what it says of itself.
    Ready(String),
    /// Another one does.
    AlreadyRunning(String),
    /// None does.
    Failed(String),
}

/// The two sides of [`fork`].
pub enum Side {
    /// The process that was started: it has the word and leaves.
    Starter(Word),
    /// The daemon, in its own session, without terminal.
    Daemon(Readiness),
}

/// Splits off the daemon.
///
/// # Errors
/// When the system has no process or pipe left.
pub fn fork() -> io::Result<Side> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the program has one thread here (called from main before anything is started), so
    // the child is a full copy in which everything may be used.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(reader);
            leave_terminal()?;
            Ok(Side::Daemon(Readiness(Some(File::from(writer)))))
        }
        _ => {
            drop(writer);
            Ok(Side::Starter(hear(reader)))
        }
    }
}

fn hear(pipe: OwnedFd) -> Word {
    let mut word = String::new();
    let read = File::from(pipe).read_to_string(&mut word);
    match (read.is_ok(), word.chars().next()) {
        (true, Some('+')) => Word::Ready(word.split_off(1)),
        (true, Some('=')) => Word::AlreadyRunning(word.split_off(1)),
        (true, Some('-')) => Word::Failed(word.split_off(1)),
        _ => Word::Failed("pvmd has died while it was starting".into()),
    }
}

fn leave_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    std::env::set_current_dir("/")
}

/// Makes this process the one to which orphans below it fall.
pub fn become_subreaper() {
    if let Err(e) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!("orphans of lost keepers cannot be caught: {e}");
    }
}
