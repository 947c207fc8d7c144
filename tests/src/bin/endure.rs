//! A task that talks with all others of its job while hosts come to their ends. It counts every message
//! that it sends and gets, and writes down every loss that it is told of:
//! `endure DIRECTORY`, in which `loss.HOST` are the numbers of the hosts of the tasks that were lost, in the
//! order in which that was told, and where it looks for `stop`. HOST is the number of its own host.

use anyhow::{Context, Result, bail, ensure};
use pvm::{Communicator, Error, ExitStatus, ExitWatch, Rank, Request, Vm};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Tag of all messages here.
const TAG: pvm::Tag = 1;
/// Messages to one task of which it has not said that they have come.
const WINDOW: u64 = 64;
/// Between two messages to one task.
const PACE: Duration = Duration::from_millis(4);
/// Longest for the last words, once no host is lost any more. A host that is about to be judged lost
/// must be by then.
const LAST_WORDS: Duration = Duration::from_secs(40);

/// What a message begins with; what follows only fills it.
struct Head {
    /// How many were sent before it.
    number: u64,
    /// How many have come the other way.
    heard: u64,
    is_last: bool,
}

const HEAD: usize = 3;

impl Head {
    /// Most messages are small; a few do not fit into one packet, and fewer go by rendezvous.
    fn message(&self) -> Vec<u64> {
        let filler = match self.number % 64 {
            63 => 20_000,
            7 | 23 | 39 => 500,
            _ => 0,
        };
        let mut words = vec![self.number; HEAD + filler];
        words[..HEAD].copy_from_slice(&[self.number, self.heard, u64::from(self.is_last)]);
        words
    }

    fn of(words: &[u64]) -> Result<Self> {
        let [number, heard, is_last, filler @ ..] = words else {
            bail!("a message of {} words", words.len());
        };
        ensure!(
            filler.iter().all(|word| word == number),
            "another message's words in message {number}"
        );
        Ok(Self {
            number: *number,
            heard: *heard,
            is_last: *is_last == 1,
        })
    }
}

/// The messages to and from one other task.
struct Stream {
    rank: Rank,
    sent: u64,
    heard: u64,
    /// How many of ours it has.
    taken: u64,
    sending: Option<Request<Vec<u64>>>,
    receiving: Option<Request<Vec<u64>>>,
    has_told_last: bool,
    has_heard_last: bool,
    /// Its host was lost, or this task has met an error that says so.
    is_gone: bool,
    since: Instant,
    longest_silence: Duration,
}

impl Stream {
    fn new(rank: Rank) -> Self {
        Self {
            rank,
            sent: 0,
            heard: 0,
            taken: 0,
            sending: None,
            receiving: None,
            has_told_last: false,
            has_heard_last: false,
            is_gone: false,
            since: Instant::now(),
            longest_silence: Duration::ZERO,
        }
    }

    /// Sends what may be sent now.
    fn send(&mut self, world: &Communicator, is_last: bool) -> Result<()> {
        if let Some(sending) = &mut self.sending {
            match sending.test() {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => self.sending = None,
                Err(error) => return self.failed(error),
            }
        }
        if self.has_told_last || !is_last && self.sent - self.taken >= WINDOW {
            return Ok(());
        }
        let head = Head {
            number: self.sent,
            heard: self.heard,
            is_last,
        };
        self.sending = Some(world.isend(self.rank, TAG, head.message())?);
        self.sent += 1;
        self.has_told_last = is_last;
        Ok(())
    }

    /// Takes what has come.
    fn receive(&mut self, world: &Communicator) -> Result<()> {
        loop {
            if self.receiving.is_none() {
                let Some(status) = world.probe(self.rank, TAG)? else {
                    return Ok(());
                };
                let words = status.count::<u64>().context("a part of a word")?;
                self.receiving = Some(world.irecv(self.rank, TAG, vec![0; words])?);
            }
            let Some(receiving) = &mut self.receiving else {
                return Ok(());
            };
            match receiving.test() {
                Ok(None) => return Ok(()),
                Ok(Some(received)) => {
                    self.receiving = None;
                    self.hear(&Head::of(&received.0)?)?;
                }
                Err(error) => return self.failed(error),
            }
        }
    }

    fn hear(&mut self, head: &Head) -> Result<()> {
        ensure!(
            !self.has_heard_last,
            "a message of rank {} after its last one",
            self.rank
        );
        ensure!(
            head.number == self.heard,
            "message {} of rank {} has come in the place of {}",
            head.number,
            self.rank,
            self.heard
        );
        ensure!(
            head.heard >= self.taken && head.heard <= self.sent,
            "rank {} has heard what was not said",
            self.rank
        );
        self.taken = head.heard;
        self.heard += 1;
        self.has_heard_last = head.is_last;
        self.longest_silence = self.longest_silence.max(self.since.elapsed());
        self.since = Instant::now();
        Ok(())
    }

    /// Only what tells that the other is gone may go wrong. That the loss is told as well is found out
    /// elsewhere.
    fn failed(&mut self, error: Error) -> Result<()> {
        let Error::PeerGone(_) = error else {
            return Err(error).context(format!("with rank {}", self.rank));
        };
        (self.sending, self.receiving) = (None, None);
        self.is_gone = true;
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.is_gone || self.has_heard_last && self.has_told_last && self.sending.is_none()
    }
}

/// What was told of losses.
struct Losses {
    watch: ExitWatch,
    file: PathBuf,
    ranks: Vec<Rank>,
    /// Of the same tasks, a line each.
    hosts: String,
}

impl Losses {
    fn of(vm: &Vm, world: &Communicator, directory: &str) -> Result<Self> {
        let others = (0..world.size()).filter(|rank| *rank != world.rank());
        let others = others
            .map(|rank| world.task_of(rank))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            watch: vm.notify_exit(&others)?,
            file: PathBuf::from(directory).join(format!("loss.{}", vm.task_id().host())),
            ranks: Vec::new(),
            hosts: String::new(),
        })
    }

    /// Takes what is told; others that have ended well are not lost.
    fn take(&mut self, world: &Communicator) -> Result<()> {
        let before = self.ranks.len();
        while let Some(exit) = self.watch.poll()? {
            let rank = world.rank_of(exit.task).context("the end of a stranger")?;
            ensure!(
                !self.ranks.contains(&rank),
                "the end of rank {rank} was told twice"
            );
            match exit.status {
                ExitStatus::HostLost => {
                    self.ranks.push(rank);
                    self.hosts += &format!("{}\n", exit.task.host());
                }
                status => ensure!(status.is_success(), "rank {rank} has ended: {status:?}"),
            }
        }
        match self.ranks.len() > before {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Whoever reads the file sees all of it.
    fn write(&self) -> Result<()> {
        let new = self.file.with_added_extension("new");
        std::fs::write(&new, &self.hosts)?;
        Ok(std::fs::rename(&new, &self.file)?)
    }
}

fn main() -> Result<()> {
    let directory = std::env::args().nth(1).context("which directory?")?;
    let vm = Vm::attach()?;
    let world = vm.world();
    let mut losses = Losses::of(&vm, &world, &directory)?;
    let others = (0..world.size()).filter(|rank| *rank != world.rank());
    let mut streams: Vec<Stream> = others.map(Stream::new).collect();
    let stop = PathBuf::from(&directory).join("stop");
    let (mut is_ready, mut stopped) = (false, None);
    while stopped.is_none() || !streams.iter().all(Stream::is_over) {
        losses.take(&world)?;
        for stream in &mut streams {
            stream.is_gone |= losses.ranks.contains(&stream.rank);
            if !stream.is_gone {
                stream.send(&world, stopped.is_some())?;
                stream.receive(&world)?;
            }
        }
        if !is_ready && streams.iter().all(|stream| stream.heard > 0) {
            losses.write()?;
            is_ready = true;
        }
        if stopped.is_none() && stop.exists() {
            stopped = Some(Instant::now());
        }
        let late = |since: Instant| since.elapsed() > LAST_WORDS;
        ensure!(!stopped.is_some_and(late), "not over: {}", told(&streams));
        std::thread::sleep(PACE);
    }
    losses.take(&world)?;
    let gone = streams.iter().filter(|stream| stream.is_gone);
    for Stream { rank, .. } in gone {
        ensure!(
            losses.ranks.contains(rank),
            "that rank {rank} is lost was not told"
        );
    }
    let living = || streams.iter().filter(|stream| !stream.is_gone);
    let heard: u64 = living().map(|stream| stream.heard).sum();
    let silence = living()
        .map(|stream| stream.longest_silence.as_millis())
        .max();
    println!("sound {heard} {}", silence.unwrap_or(0));
    Ok(())
}

fn told(streams: &[Stream]) -> String {
    let open = streams.iter().filter(|stream| !stream.is_over());
    let tell = |stream: &Stream| {
        format!(
            "rank {}: {} sent, {} taken, {} heard, last word {}, sending {}; ",
            stream.rank,
            stream.sent,
            stream.taken,
            stream.heard,
            stream.has_heard_last,
            stream.sending.is_some()
        )
    };
    open.map(tell).collect()
}
