//! A virtual machine of simulated hosts, and what must be true of what they have heard.

use crate::net::{Luck, Net};
use pvm::ids::TaskId;
use pvm::limits::MAIL_ENTRY_MAX;
use pvm::wire::control::DataFormat;
use pvm_daemon::cluster::ledger::{Admission, Config, Ledger, LedgerError, News};
use pvm_daemon::cluster::registry::{
    Command, Event, HostFacts, HostId, MailPut, Origin, Outcome, Registry, mailbox,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// How long a host waits to be admitted before it tries another door.
const IMPATIENCE: Duration = Duration::from_secs(5);

/// A host, while it lives and after.
pub struct Host {
    pub ledger: Ledger,
    key: u128,
    news: mpsc::UnboundedReceiver<News>,
    pub heard: Vec<News>,
}

impl Host {
    /// What it has heard by now. Of a reset only the place is kept.
    pub fn listen(&mut self) -> &[News] {
        while let Ok(mut news) = self.news.try_recv() {
            if let News::Reset { registry, .. } = &mut news {
                **registry = Registry::default();
            }
            self.heard.push(news);
        }
        &self.heard
    }
}

/// What became of the proposals, by name.
pub type Ledgered = Arc<Mutex<BTreeMap<String, Option<Result<Outcome, LedgerError>>>>>;

/// The whole machine.
pub struct Machine {
    pub net: Arc<Net>,
    pub luck: Luck,
    pub config: Config,
    pub living: BTreeMap<HostId, Host>,
    pub dead: Vec<Host>,
    /// Keys of hosts that may come back.
    pub away: Vec<u128>,
    pub proposals: Ledgered,
    daemons: u128,
    names: u64,
}

impl Machine {
    /// A machine of one host.
    pub async fn found(seed: u64, config: Config) -> Machine {
        let mut machine = Machine {
            net: Net::new(seed),
            luck: Luck::new(seed ^ 0xABCD),
            config,
            living: BTreeMap::new(),
            dead: Vec::new(),
            away: Vec::new(),
            proposals: Arc::default(),
            daemons: 0,
            names: 0,
        };
        let facts = machine.facts(1);
        let world = machine.net.world(HostId::new(1, 1));
        let founded =
            Ledger::found(machine.config.clone(), facts, Registry::default(), world).await;
        let (ledger, news) = founded.expect("a ledger can be founded");
        machine.plug(ledger, 1, news);
        machine
    }

    /// A machine of so many hosts that have come all at once.
    pub async fn at_once(hosts: u64, seed: u64, config: Config) -> Machine {
        let mut machine = Machine::found(seed, config).await;
        let mut admissions = Vec::new();
        for key in 2..=hosts {
            let facts = machine.facts(key.into());
            let door = machine.living[&HostId::new(1, 1)].ledger.clone();
            admissions.push(tokio::spawn(async move { door.admit(facts).await }));
        }
        for (key, admission) in (2..).zip(admissions) {
            let admission = admission.await.expect("nothing panics");
            let admission = admission.expect("a host is admitted");
            machine.start(key, &admission).await;
        }
        machine.settle(hosts as usize).await;
        machine
    }

    /// A machine of so many hosts, which all know each other.
    pub async fn of(hosts: u64, seed: u64, config: Config) -> Machine {
        let mut machine = Machine::found(seed, config).await;
        for key in 2..=hosts {
            let joined = machine.join(key.into()).await;
            joined.expect("a host can join");
        }
        machine.settle(hosts as usize).await;
        machine
    }

    /// Lets a host join through any other.
    pub async fn join(&mut self, key: u128) -> Result<HostId, LedgerError> {
        let facts = self.facts(key);
        let door = self.anyone().expect("somebody lives");
        let admitted = self.living[&door].ledger.admit(facts);
        let admission = timeout(IMPATIENCE, admitted).await;
        let admission = admission.map_err(|_| LedgerError::Deadline)??;
        self.start(key, &admission).await;
        Ok(admission.record.id)
    }

    async fn start(&mut self, key: u128, admission: &Admission) {
        let world = self.net.world(admission.record.id);
        let joined = Ledger::join(self.config.clone(), admission, world).await;
        let (ledger, news) = joined.expect("a ledger can start");
        self.plug(ledger, key, news);
    }

    fn plug(&mut self, ledger: Ledger, key: u128, news: mpsc::UnboundedReceiver<News>) {
        self.net.plug(&ledger);
        let host = Host {
            key,
            news,
            heard: Vec::new(),
            ledger,
        };
        self.living.insert(host.ledger.me(), host);
    }

    fn facts(&mut self, key: u128) -> HostFacts {
        self.daemons += 1;
        HostFacts {
            daemon: self.daemons,
            key: format!("machine {key}"),
            number: None,
            name: format!("host {key}"),
            addresses: Vec::new(),
            architecture: "x86_64".to_owned(),
            format: DataFormat::here(),
            cpus: 1,
            software: "0.1.0".to_owned(),
        }
    }

    /// Ends a host without a word.
    pub async fn kill(&mut self, host: HostId) {
        self.net.unplug(host);
        let mut gone = self.living.remove(&host).expect("it lives");
        gone.ledger.shutdown().await;
        gone.listen();
        self.away.push(gone.key);
        self.dead.push(gone);
    }

    /// Proposes on a host; what becomes of it is noted.
    pub fn propose(&mut self, host: HostId) -> String {
        self.names += 1;
        let name = format!("{host}: {}", self.names);
        let flags = mailbox::MULTI_INSTANCE | mailbox::PERSISTENT;
        let put = self.put(host, (&name, flags), 20);
        let proposed = self.living[&host].ledger.propose(put);
        self.proposals.lock().unwrap().insert(name.clone(), None);
        let (proposals, noted) = (self.proposals.clone(), name.clone());
        tokio::spawn(async move {
            let result = proposed.await;
            proposals.lock().unwrap().insert(noted, Some(result));
        });
        name
    }

    /// Puts a message as large as can be in the place of the former one.
    pub async fn propose_large(&self, host: HostId) {
        let put = self.put(host, ("large", mailbox::OVERWRITABLE), MAIL_ENTRY_MAX);
        let put = self.living[&host].ledger.propose(put).await;
        assert_eq!(put, Ok(Outcome::Index(0)));
    }

    fn put(&self, host: HostId, (name, flags): (&str, u32), length: usize) -> Command {
        let put = MailPut {
            name: name.to_owned(),
            index: None,
            flags,
            owner: TaskId::new(host.index, host.incarnation, 1).unwrap(),
            bytes: vec![7; length],
        };
        let ticket = self.names;
        let origin = Origin { host, ticket };
        Command::Put { put, origin }
    }

    pub fn result(&self, name: &str) -> Option<Result<Outcome, LedgerError>> {
        self.proposals.lock().unwrap()[name].clone()
    }

    pub fn anyone(&mut self) -> Option<HostId> {
        let all: Vec<HostId> = self.living.keys().copied().collect();
        self.luck.pick(&all)
    }

    /// The leader that most believe in.
    pub fn leader(&self) -> Option<HostId> {
        let mut votes = BTreeMap::<HostId, usize>::new();
        for host in self.living.values() {
            if let Some(leader) = host.ledger.leader() {
                *votes.entry(leader).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, n)| *n)
            .map(|(host, _)| host)
    }

    /// Waits until all who live agree on each other, on a leader and on everything else.
    pub async fn settle(&mut self, hosts: usize) {
        let begun = Instant::now();
        while !self.is_settled(hosts) {
            if begun.elapsed() > Duration::from_secs(60) {
                panic!("not settled with {hosts} hosts: {}", self.picture());
            }
            sleep(Duration::from_millis(50 + hosts as u64 / 2)).await;
        }
    }

    pub fn is_settled(&self, hosts: usize) -> bool {
        let Some(first) = self.living.values().next() else {
            return false;
        };
        let registry = first.ledger.read(Registry::clone);
        let ids: Vec<HostId> = registry.hosts().living().map(|record| record.id).collect();
        let voters = first.ledger.voters();
        let most = self.config.voters;
        let wanted = [1, 1, 2, 3, 3].get(hosts).copied().unwrap_or(5).min(most);
        ids.len() == hosts
            && ids.iter().all(|id| self.living.contains_key(id))
            && voters.len() == wanted
            && voters.iter().all(|voter| ids.contains(voter))
            && self.living.values().all(|host| {
                let leader = host.ledger.leader();
                leader.is_some_and(|leader| ids.contains(&leader))
                    && leader == first.ledger.leader()
                    && host.ledger.has_quorum()
                    && host.ledger.voters() == voters
                    && host.ledger.read(|other| *other == registry)
            })
    }

    pub fn picture(&self) -> String {
        let lines = self.living.values().map(|host| {
            let living = host.ledger.read(|registry| {
                let living = registry.hosts().living();
                living.map(|r| r.id.to_string()).collect::<Vec<_>>()
            });
            let voters = host.ledger.voters();
            let voters: Vec<String> = voters.iter().map(HostId::to_string).collect();
            format!(
                "\n  {}: leader {:?}, voters {voters:?}, living {living:?}, quorum {}",
                host.ledger.me(),
                host.ledger.leader().map(|l| l.to_string()),
                host.ledger.has_quorum(),
            )
        });
        lines.collect()
    }

    /// Waits until every proposal has its result.
    pub async fn await_results(&self) {
        let done = async {
            while self.proposals.lock().unwrap().values().any(Option::is_none) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let done = timeout(Duration::from_secs(120), done).await;
        done.expect("every proposal has a result before its deadline");
    }

    /// Checks that all have heard the same and that what was promised is so. Returns how many
    /// proposals were answered well.
    pub fn check(&mut self) -> usize {
        let mut reference = BTreeMap::<u64, Vec<Event>>::new();
        let mut hosts: Vec<&mut Host> = self.living.values_mut().chain(&mut self.dead).collect();
        for host in &mut hosts {
            for (index, events) in by_entry(host.listen()) {
                let known = reference.entry(index).or_insert_with(|| events.clone());
                assert_eq!(
                    *known,
                    events,
                    "entry {index} differs on {}",
                    host.ledger.me()
                );
            }
        }
        for host in &hosts {
            check_gaps(&host.heard, &reference);
        }
        self.check_proposals(&reference)
    }

    fn check_proposals(&self, reference: &BTreeMap<u64, Vec<Event>>) -> usize {
        let mut applied = BTreeMap::<&str, usize>::new();
        let mut latest = BTreeMap::<&str, u64>::new();
        for event in reference.values().flatten() {
            let Event::MailPut { name, .. } = event else {
                continue;
            };
            *applied.entry(name).or_default() += 1;
            let Some((host, number)) = name.split_once(": ") else {
                continue;
            };
            let number = number.parse().expect("names are made so");
            let before = latest.insert(host, number).unwrap_or(0);
            assert!(before < number, "{name} was applied after {before}");
        }
        let mut good = 0;
        for (name, result) in self.proposals.lock().unwrap().iter() {
            let times = applied.get(name.as_str()).copied().unwrap_or(0);
            match result {
                Some(Ok(Outcome::Index(_))) => {
                    good += 1;
                    assert_eq!(times, 1, "'{name}' was answered and applied {times} times");
                }
                Some(Ok(_)) => assert_eq!(times, 0, "'{name}' was refused and applied"),
                Some(Err(_)) | None => assert!(times <= 1, "'{name}' was applied {times} times"),
            }
        }
        good
    }
}

/// The events by the entries of the log, in order.
fn by_entry(heard: &[News]) -> Vec<(u64, Vec<Event>)> {
    let mut entries: Vec<(u64, Vec<Event>)> = Vec::new();
    for news in heard {
        let News::Event { index, event } = news else {
            continue;
        };
        match entries.last_mut() {
            Some((last, events)) if last == index => events.push(event.clone()),
            Some((last, _)) => {
                assert!(*last < *index, "entry {index} came after {last}");
                entries.push((*index, vec![event.clone()]));
            }
            None => entries.push((*index, vec![event.clone()])),
        }
    }
    entries
}

/// Between the first and the last entry nothing is missing but what a reset stands for.
fn check_gaps(heard: &[News], reference: &BTreeMap<u64, Vec<Event>>) {
    let mut seen = 0;
    for news in heard {
        match news {
            News::Event { index, .. } if *index > seen => {
                let missing = reference.range(seen + 1..*index).next();
                assert_eq!(missing, None, "an entry is missing before {index}");
                seen = *index;
            }
            News::Reset { index, .. } => {
                assert!(*index >= seen, "a reset to {index} after {seen}");
                seen = *index;
            }
            _ => {}
        }
    }
}
