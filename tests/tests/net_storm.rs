//! Hosts come to their ends again and again while tasks on all of them talk: what is left goes on, is told
//! of every loss once and in one order, and misses no message. `PVM_ROUNDS` says how often, `PVM_SEED` which
//! hosts and how.

use pvm::settings;
use pvm_tests::site::{PORT, Site};
use pvm_tests::{Running, kill, start};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

const HOSTS: usize = 5;
/// In an ordinary run.
const ROUNDS: u64 = 4;
/// How soon all tasks that are left are told of a loss.
const TOLD: Duration = Duration::from_secs(20);
/// Longest that a host which is cut off lets its tasks run.
const STOPPED: Duration = Duration::from_secs(15);
/// Longest until a job has begun to talk, or has ended.
const SOON: Duration = Duration::from_secs(30);
/// Between the ends of two hosts, at most.
const APART: u64 = 1_500;

/// How a host comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its daemon is killed.
    Killed,
    /// All of it is gone at once.
    PowerOff,
    /// Its cable is cut; it goes on, alone.
    Cut,
}

/// A host that comes to its end, so long after the one before.
#[derive(Debug, Clone, Copy)]
struct Blow {
    host: usize,
    end: End,
    pause: Duration,
}

/// Numbers that look random, the same for a seed: the first half of SplitMix64 is enough here.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 32) % sides
    }

    fn host(&mut self) -> usize {
        1 + self.below(HOSTS as u64) as usize
    }

    /// The host that has founded the virtual machine, and leads, is the first. Every other round has two
    /// hosts, so that there is an order to be told.
    fn blows(&mut self, round: u64) -> Vec<Blow> {
        let first = if round == 0 { 1 } else { self.host() };
        let mut hosts = vec![first];
        while round % 2 == 1 && hosts.len() < 2 {
            hosts.push(self.host());
            hosts.dedup();
        }
        let ends = [End::Killed, End::PowerOff, End::Cut];
        let blow = |(nth, host)| Blow {
            host,
            end: ends[self.below(3) as usize],
            pause: Duration::from_millis(nth as u64 * self.below(APART)),
        };
        hosts.into_iter().enumerate().map(blow).collect()
    }
}

/// What tasks of all jobs have heard, and how long the longest silence was.
#[derive(Default)]
struct Talk {
    messages: u64,
    silence: Duration,
}

/// A number that the environment gives.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The jobs of one round: one of every host, each with a task on every host.
struct Round<'a> {
    site: &'a Site,
    dir: tempfile::TempDir,
    /// By the host that is their home.
    jobs: Vec<(usize, Running)>,
}

impl<'a> Round<'a> {
    #[track_caller]
    fn begin(site: &'a Site) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let jobs = site.hosts().map(|home| {
            let place = dir.path().join(home.to_string());
            std::fs::create_dir(&place).expect("a directory");
            let count = HOSTS.to_string();
            let words = [
                "run",
                "-n",
                &count,
                "--map-by",
                "host",
                "--on-failure=continue",
            ];
            let mut command = site.ours(home, "pvm", &words);
            command.arg(env!("CARGO_BIN_EXE_endure")).arg(&place);
            // Both ways are in use, from the first message to the last.
            if home % 2 == 0 {
                command.env(settings::ROUTE, "relay");
            }
            (home, start(&mut command))
        });
        let jobs = jobs.collect();
        let round = Self { site, dir, jobs };
        let all: Vec<usize> = site.hosts().collect();
        site.until("all tasks talk", SOON, || {
            let files = all
                .iter()
                .flat_map(|home| all.iter().map(|host| round.file(*home, *host)));
            files.into_iter().all(|file| file.exists())
        });
        round
    }

    /// Where the task of a job on a host says which hosts were lost.
    fn file(&self, home: usize, host: usize) -> PathBuf {
        let place = self.dir.path().join(home.to_string());
        place.join(format!("loss.{host}"))
    }

    /// The lost hosts in their order, as that task was told.
    fn losses(&self, home: usize, host: usize) -> Vec<usize> {
        let text = std::fs::read_to_string(self.file(home, host)).expect("it has begun");
        text.lines()
            .map(|line| line.parse().expect("a host"))
            .collect()
    }

    /// Brings hosts to their ends, and waits until every task that is left has been told; returns the
    /// order, which is the same for all of them.
    #[track_caller]
    fn strike(&self, blows: &[Blow]) -> Vec<usize> {
        for blow in blows {
            sleep(blow.pause);
            match blow.end {
                End::Killed => self
                    .site
                    .running(blow.host, "pvmd")
                    .iter()
                    .for_each(|pid| kill(*pid, libc::SIGKILL)),
                End::PowerOff => self.site.power_off(blow.host).unwrap(),
                End::Cut => self.site.cut(blow.host).unwrap(),
            }
        }
        let left = self.left(blows);
        let told = || {
            left.iter()
                .flat_map(|home| left.iter().map(|host| self.losses(*home, *host)))
        };
        self.site.until("all are told", TOLD, || {
            told().all(|losses| losses.len() >= blows.len())
        });
        let mut told = told();
        let order = told.next().expect("somebody is left");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let mut expected: Vec<usize> = blows.iter().map(|blow| blow.host).collect();
        expected.sort_unstable();
        assert_eq!(sorted, expected, "{}", self.site.logs());
        assert!(
            told.all(|losses| losses == order),
            "told in other orders: {}",
            self.site.logs()
        );
        order
    }

    fn left(&self, blows: &[Blow]) -> Vec<usize> {
        let is_left = |host: &usize| blows.iter().all(|blow| blow.host != *host);
        self.site.hosts().filter(is_left).collect()
    }

    /// Lets the jobs end, and sees that no message is missing.
    #[track_caller]
    fn end(mut self, blows: &[Blow]) -> Talk {
        let left = self.left(blows);
        let mut talk = Talk::default();
        for home in &left {
            std::fs::write(self.dir.path().join(home.to_string()).join("stop"), "")
                .expect("a file");
        }
        for (home, run) in std::mem::take(&mut self.jobs) {
            let run = run.finish();
            if !left.contains(&home) {
                continue;
            }
            let sound = run.sorted();
            assert_eq!(
                sound.len(),
                left.len(),
                "{blows:?}: job of host{home}: {run:?}\n{}",
                self.site.logs()
            );
            for line in sound {
                let words: Vec<&str> = line.split(' ').collect();
                let ["sound", messages, silence] = words[..] else {
                    panic!("{line}");
                };
                talk.messages += messages.parse::<u64>().unwrap();
                talk.silence = talk
                    .silence
                    .max(Duration::from_millis(silence.parse().unwrap()));
            }
        }
        for host in left {
            self.site.until("no task is left", SOON, || {
                self.site.running(host, "endure").is_empty()
            });
        }
        talk
    }
}

/// Has the lost hosts come back, as the same hosts in other lives.
#[track_caller]
fn bring_back(site: &Site, blows: &[Blow]) {
    let door = site
        .hosts()
        .find(|host| blows.iter().all(|blow| blow.host != *host));
    let door = format!("host{}:{PORT}", door.expect("somebody is left"));
    for Blow { host, end, .. } in blows {
        site.until("its tasks have ended", STOPPED, || {
            site.running(*host, "endure").is_empty()
        });
        match end {
            // It hears the others again, and comes by itself.
            End::Cut => site.heal(*host).unwrap(),
            End::Killed | End::PowerOff => {
                site.pvmd(*host, &["join", &door]).well();
            }
        }
    }
    until_whole(site);
    for Blow { host, .. } in blows {
        let name = site.host_name(*host);
        let past = format!("WARN host {name} (");
        let log = site.log(*host);
        assert!(!log.contains(&past), "told its own end as news:\n{log}");
    }
}

/// Waits until all hosts list the same hosts, and all of them vote: of fewer voters no two can be lost at
/// once.
#[track_caller]
fn until_whole(site: &Site) {
    site.until("all hosts vote, and list the same hosts", SOON, || {
        let lists: Vec<_> = site.hosts().map(|host| lives(site, host)).collect();
        let is_whole = |list: &Vec<_>| list.len() == HOSTS && *list == lists[0];
        lists.iter().all(is_whole)
    });
}

/// The lives of all hosts that answer and vote, as one of them lists them.
fn lives(site: &Site, host: usize) -> Vec<Option<u64>> {
    let conf = site.conf(host);
    let votes = conf
        .iter()
        .filter(|it| it["daemon_pid"] != 0 && it["votes"] == true);
    votes.map(|it| it["incarnation"].as_u64()).collect()
}

#[test]
fn whoever_is_left_goes_on() {
    let Some(site) = Site::of_one_machine(HOSTS) else {
        return;
    };
    let seed = number(settings::SEED).unwrap_or(1);
    let rounds = number(settings::ROUNDS).unwrap_or(ROUNDS);
    until_whole(&site);
    let mut dice = Dice(seed);
    let mut delays = Vec::new();
    for round in 0..rounds {
        let blows = dice.blows(round);
        let jobs = Round::begin(&site);
        let begin = Instant::now();
        let order = jobs.strike(&blows);
        let told = begin.elapsed();
        let talk = jobs.end(&blows);
        eprintln!(
            "round {round} of seed {seed}: {blows:?}: lost {order:?}, told after {told:.1?}; {} messages, longest silence {:.1?}",
            talk.messages, talk.silence
        );
        bring_back(&site, &blows);
        delays.push(told);
    }
    delays.sort_unstable();
    let at = |tenths: usize| delays[tenths * (delays.len() - 1) / 10];
    if !delays.is_empty() {
        eprintln!(
            "told after: least {:.1?}, median {:.1?}, most {:.1?}",
            at(0),
            at(5),
            at(10)
        );
    }
}
