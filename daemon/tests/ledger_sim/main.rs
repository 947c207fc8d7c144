//! Whole ledgers, many in one process, in virtual time, with losses, partitions and deaths that
//! come from a seed. With `PVM_SEED` set, the storms run with that seed only.

mod large;
mod machine;
mod net;

use machine::Machine;
use net::Luck;
use pvm::limits::LEDGER_LOG_BYTES_MAX;
use pvm::settings;
use pvm_daemon::cluster::ledger::{Config, LedgerError, News, TwoHosts};
use pvm_daemon::cluster::registry::{Command, Event, HostId, Outcome};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Says which seed it was when a test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}: {}={}", self.0, settings::SEED, self.0);
        }
    }
}

fn seeds(ordinary: impl IntoIterator<Item = u64>) -> Vec<u64> {
    match std::env::var(settings::SEED) {
        Ok(seed) => vec![seed.parse().expect("the seed is a number")],
        Err(_) => ordinary.into_iter().collect(),
    }
}

fn simulate(seed: u64, test: impl Future<Output = ()>) {
    let _seed = Seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    runtime.block_on(test);
}

fn host(index: u16) -> HostId {
    HostId::new(index, 1)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One fault after the other, for a minute; proposals everywhere, all the time.
async fn storm(hosts: u64, seed: u64) {
    let mut machine = Machine::of(hosts, seed, small_logs()).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        fault(&mut machine).await;
        let calm = begun.elapsed() + ms(1000 + machine.luck.below(6000));
        while begun.elapsed() < calm {
            sleep(ms(machine.luck.below(120))).await;
            if let Some(host) = machine.anyone() {
                machine.propose(host);
            }
        }
        bring_back(&mut machine).await;
    }
    machine.net.cut_off([]);
    machine.net.weather(0, ms(2));
    calm_down(&mut machine, hosts as usize).await;
    machine.await_results().await;
    machine.settle(hosts as usize).await;
    let good = machine.check();
    let all = machine.proposals.lock().unwrap().len();
    assert!(
        good * 2 > all,
        "only {good} of {all} proposals were answered"
    );
}

/// Without further faults everybody must find together again.
async fn calm_down(machine: &mut Machine, hosts: usize) {
    let begun = Instant::now();
    while !machine.is_settled(hosts) {
        if begun.elapsed() > Duration::from_secs(60) {
            panic!("not calm: {}", machine.picture());
        }
        sleep(ms(500)).await;
        bring_back(machine).await;
    }
}

/// So small that snapshots are made and sent all the time.
fn small_logs() -> Config {
    Config {
        snapshot_after: 40,
        keep: 20,
        ..Config::default()
    }
}

/// Something bad, but never to a majority.
async fn fault(machine: &mut Machine) {
    match machine.luck.below(5) {
        0 => machine.net.weather(machine_loss(&mut machine.luck), ms(20)),
        1 => machine.net.weather(0, ms(1 + machine.luck.below(60))),
        2 => {
            let island = minority(machine);
            machine.net.cut_off(island);
        }
        3 => {
            machine.net.cut_off([]);
            if let Some(leader) = machine.leader().filter(|l| machine.living.contains_key(l))
                && may_die(machine, leader)
            {
                machine.kill(leader).await;
            }
        }
        _ => {
            machine.net.cut_off([]);
            if let Some(host) = machine.anyone().filter(|host| may_die(machine, *host)) {
                machine.kill(host).await;
            }
        }
    }
}

fn machine_loss(luck: &mut Luck) -> u64 {
    4 + luck.below(30)
}

/// Whether a majority of the voters is left without this one, as every living host sees it.
fn may_die(machine: &Machine, host: HostId) -> bool {
    let rest = machine.living.len() - 1;
    rest >= 4
        && machine.living.values().all(|seen| {
            let voters = seen.ledger.voters();
            let left = voters.iter().filter(|voter| **voter != host);
            let left = left
                .filter(|voter| machine.living.contains_key(voter))
                .count();
            left * 2 > voters.len() + 1
        })
}

/// Some hosts, with less than half of the voters; none when there is no leader who knows them.
fn minority(machine: &mut Machine) -> BTreeSet<HostId> {
    let mut island = BTreeSet::new();
    let leader = machine
        .leader()
        .and_then(|leader| machine.living.get(&leader));
    let Some(leader) = leader.filter(|leader| leader.ledger.has_quorum()) else {
        return island;
    };
    let voters = leader.ledger.voters();
    let dead = voters
        .iter()
        .filter(|voter| !machine.living.contains_key(voter));
    let mut spare = ((voters.len() - 1) / 2).saturating_sub(dead.count());
    for host in machine.living.keys().copied().collect::<Vec<_>>() {
        if machine.luck.below(3) != 0 || island.len() * 2 + 2 >= machine.living.len() {
            continue;
        }
        if voters.contains(&host) {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        island.insert(host);
    }
    island
}

/// The expelled start anew, and so do the dead, when they are known to be lost.
async fn bring_back(machine: &mut Machine) {
    let mut expelled = Vec::new();
    for (id, host) in &mut machine.living {
        if host.listen().contains(&News::Expelled) {
            expelled.push(*id);
        }
    }
    for host in expelled {
        machine.kill(host).await;
    }
    for key in std::mem::take(&mut machine.away) {
        if machine.join(key).await.is_err() {
            machine.away.push(key);
        }
    }
}

#[test]
fn five_hosts_in_a_storm() {
    for seed in seeds(1..=4) {
        simulate(seed, storm(5, seed));
    }
}

#[test]
fn nine_hosts_in_a_storm() {
    for seed in seeds(11..=13) {
        simulate(seed, storm(9, seed));
    }
}

#[test]
fn a_hundred_hosts() {
    simulate(1, async {
        let mut machine = Machine::of(110, 1, Config::default()).await;
        let leader = machine.leader().expect("there is a leader");
        assert_eq!(machine.living[&leader].ledger.voters().len(), 5);
        for host in machine.living.keys().copied().collect::<Vec<_>>() {
            machine.propose(host);
        }
        machine.kill(leader).await;
        for index in [50, 77, 109] {
            machine.kill(host(index)).await;
        }
        machine.settle(106).await;
        machine.await_results().await;
        machine.check();
    });
}

#[test]
fn a_minority_applies_nothing() {
    simulate(1, async {
        let mut machine = Machine::of(5, 1, Config::default()).await;
        let leader = machine.leader().expect("there is a leader");
        let island = [leader, if leader == host(5) { host(4) } else { host(5) }];
        machine.net.cut_off(island);
        sleep(ms(50)).await;
        let on_island: Vec<String> = island.iter().map(|host| machine.propose(*host)).collect();
        let others: Vec<HostId> = machine.living.keys().copied().collect();
        let inland = others.iter().find(|host| !island.contains(host));
        let inland = machine.propose(*inland.expect("three are not on the island"));
        sleep(Duration::from_secs(40)).await;
        for name in &on_island {
            assert_eq!(machine.result(name), Some(Err(LedgerError::Deadline)));
        }
        assert_eq!(machine.result(&inland), Some(Ok(Outcome::Index(0))));
        for host in island {
            let host = machine.living.get_mut(&host).expect("it lives");
            assert!(!host.ledger.has_quorum());
            let lost = host
                .listen()
                .iter()
                .filter(|news| matches!(news, News::QuorumLost { .. }));
            assert_eq!(lost.count(), 1);
            assert_eq!(host.ledger.read(|r| r.hosts().living().count()), 5);
        }
        machine.net.cut_off([]);
        sleep(Duration::from_secs(10)).await;
        for host in island {
            machine.kill(host).await;
        }
        machine.settle(3).await;
        machine.check();
        for name in on_island {
            let found = machine.living.values().next().expect("three live");
            assert!(found.ledger.read(|r| r.mail().find(&name, 0, 0).is_none()));
        }
    });
}

#[test]
fn either_of_two_hosts_goes_on_alone() {
    for (seed, dies) in [(1, 1), (2, 2)] {
        simulate(seed, async {
            let mut machine = Machine::of(2, seed, Config::default()).await;
            let rest = host(3 - dies);
            let before = machine.propose(host(dies));
            while machine.result(&before).is_none() {
                sleep(ms(1)).await;
            }
            machine.kill(host(dies)).await;
            let begun = Instant::now();
            machine.living[&rest].ledger.suspect(host(dies), "test");
            let after = machine.propose(rest);
            machine.settle(1).await;
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
            machine.await_results().await;
            let kept = |name: &str| {
                let ledger = &machine.living[&rest].ledger;
                ledger.read(|registry| registry.mail().find(name, 0, 0).is_some())
            };
            assert!(kept(&before) && kept(&after));
            assert_eq!(machine.result(&after), Some(Ok(Outcome::Index(0))));
            let last = machine.living.get_mut(&rest).expect("it lives");
            assert!(last.listen().contains(&News::TakenOver));
            assert!(
                !last
                    .heard
                    .iter()
                    .any(|n| matches!(n, News::QuorumLost { .. }))
            );
            assert_eq!(machine.check(), 2);
            // The machine grows again, also by the one that died.
            machine.join(dies.into()).await.expect("it can come back");
            machine.join(7).await.expect("another can join");
            machine.settle(3).await;
            assert_eq!(machine.check(), 2);
        });
    }
}

#[test]
fn a_voter_may_die_while_a_third_host_joins() {
    for delay in [0, 1, 2, 3, 5, 8, 13, 21, 60, 100, 200, 400] {
        simulate(delay, async {
            let mut machine = Machine::of(2, delay, Config::default()).await;
            machine.join(3).await.expect("a third can join");
            sleep(ms(delay)).await;
            machine.kill(host(1 + (delay % 2) as u16)).await;
            machine.away.clear();
            calm_down(&mut machine, 2).await;
        });
    }
}

/// One of two hosts dies and comes back, again and again, while both propose.
async fn two_take_turns(seed: u64) {
    let mut machine = Machine::of(2, seed, small_logs()).await;
    for _ in 0..8 {
        machine.settle(2).await;
        machine.net.weather(20, ms(10));
        let calm = Instant::now() + ms(machine.luck.below(3000));
        while Instant::now() < calm {
            sleep(ms(machine.luck.below(40))).await;
            let host = machine.anyone().expect("two live");
            machine.propose(host);
        }
        machine.net.weather(0, ms(2));
        let dies = machine.anyone().expect("two live");
        let both = machine.living.len() == 2;
        assert!(
            both && machine
                .living
                .values()
                .all(|host| host.ledger.voters().len() == 2)
        );
        machine.kill(dies).await;
        machine.settle(1).await;
        let key = machine.away.pop().expect("one has died");
        machine.join(key).await.expect("it can come back");
    }
    machine.settle(2).await;
    machine.await_results().await;
    assert!(machine.check() > 100);
}

#[test]
fn two_hosts_take_turns_in_dying() {
    for seed in seeds(1..=6) {
        simulate(seed, two_take_turns(seed));
    }
}

#[test]
fn two_hosts_that_are_cut_apart_never_mix() {
    simulate(1, async {
        let mut machine = Machine::of(2, 1, Config::default()).await;
        machine.net.cut_off([host(2)]);
        sleep(Duration::from_secs(10)).await;
        machine.net.cut_off([]);
        let names = [1, 2].map(|n| machine.propose(host(n)));
        sleep(Duration::from_secs(20)).await;
        for (at, name) in [1, 2].iter().zip(&names) {
            assert_eq!(machine.result(name), Some(Ok(Outcome::Index(0))));
            let ledger = &machine.living[&host(*at)].ledger;
            assert_eq!(ledger.leader(), Some(host(*at)));
            assert_eq!(ledger.read(|r| r.hosts().living().count()), 1);
            assert_eq!(ledger.read(|r| r.mail().all().count()), 1);
        }
        let lineages = [1, 2].map(|n| machine.living[&host(n)].ledger.lineage());
        assert_ne!(lineages[0], lineages[1]);
    });
}

#[test]
fn two_hosts_stop_when_they_are_told_to() {
    simulate(1, async {
        let config = Config {
            two_hosts: TwoHosts::Stop,
            ..Config::default()
        };
        let mut machine = Machine::of(2, 1, config).await;
        machine.kill(host(1)).await;
        sleep(Duration::from_secs(20)).await;
        let rest = machine.living.get_mut(&host(2)).expect("it lives");
        assert!(matches!(
            rest.listen().last(),
            Some(News::QuorumLost { .. })
        ));
        assert!(!rest.ledger.has_quorum());
    });
}

#[test]
fn a_leader_that_leaves_hands_over() {
    simulate(1, async {
        let mut machine = Machine::of(4, 1, Config::default()).await;
        for left in [3, 2, 1] {
            let leader = machine.leader().expect("there is a leader");
            let begun = Instant::now();
            machine.living[&leader]
                .ledger
                .leave(Duration::from_secs(30))
                .await
                .expect("it may leave");
            machine.kill(leader).await;
            machine.settle(left).await;
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{:?}",
                begun.elapsed()
            );
        }
        machine.check();
        let last = machine.living.values_mut().next().expect("one lives");
        let heard = last.listen().iter();
        let left = heard.filter(|n| {
            matches!(
                n,
                News::Event {
                    event: Event::HostLeft(_),
                    ..
                }
            )
        });
        assert_eq!(left.count(), 3);
        assert!(!last.heard.contains(&News::TakenOver));
    });
}

#[test]
fn who_was_away_for_long_is_told_what_is_so() {
    simulate(1, async {
        let mut machine = Machine::of(6, 1, small_logs()).await;
        let voters = machine.living[&host(1)].ledger.voters();
        let hosts: Vec<HostId> = machine.living.keys().copied().collect();
        let learner = hosts.iter().find(|host| !voters.contains(host));
        let learner = *learner.expect("five vote of six");
        machine.net.charm(learner);
        machine.net.cut_off([learner]);
        for _ in 0..300 {
            machine.propose(voters[0]);
            sleep(ms(5)).await;
        }
        machine.await_results().await;
        machine.net.cut_off([]);
        machine.settle(6).await;
        assert_eq!(machine.check(), 300);
        let away = machine.living.get_mut(&learner).expect("it lives");
        assert!(
            away.listen()
                .iter()
                .any(|news| matches!(news, News::Reset { .. }))
        );
    });
}

#[test]
fn a_voter_that_is_replaced_while_it_is_cut_off_hears_of_it() {
    simulate(1, async {
        let mut machine = Machine::of(5, 1, Config::default()).await;
        let leader = machine.leader().expect("there is a leader");
        let others: Vec<HostId> = machine.living.keys().copied().collect();
        let mut others = others.into_iter().filter(|host| *host != leader);
        let (away, dies) = (others.next_back(), others.next_back());
        let (away, dies) = (away.expect("five"), dies.expect("five"));
        machine.net.charm(away);
        machine.net.cut_off([away]);
        machine.kill(dies).await;
        // Of four hosts three vote.
        while machine.living[&leader].ledger.voters().len() != 3 {
            sleep(ms(50)).await;
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(machine.living[&away].ledger.voters().len(), 5);
        machine.net.cut_off([]);
        machine.settle(4).await;
    });
}

#[test]
fn events_are_quick_and_deaths_too() {
    simulate(1, async {
        let mut machine = Machine::of(9, 1, Config::default()).await;
        let begun = Instant::now();
        let name = machine.propose(host(9));
        let has = |machine: &Machine| {
            let mut all = machine.living.values();
            all.all(|host| host.ledger.read(|r| r.mail().find(&name, 0, 0).is_some()))
        };
        while !has(&machine) {
            sleep(ms(1)).await;
        }
        let took = begun.elapsed();
        assert!(took < ms(20), "{took:?}");
        let leader = machine.leader().expect("there is a leader");
        for (dies, longest) in [(leader, 9), (host(9), 4)] {
            let begun = Instant::now();
            machine.kill(dies).await;
            let is_lost = |machine: &Machine| {
                let mut all = machine.living.values();
                all.all(|host| host.ledger.read(|r| r.hosts().is_gone(dies)))
            };
            while !is_lost(&machine) {
                sleep(ms(10)).await;
            }
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(longest), "{took:?}");
        }
        machine.settle(7).await;
    });
}

#[test]
fn large_messages_do_not_pile_up() {
    simulate(1, async {
        let mut machine = Machine::of(3, 1, Config::default()).await;
        for _ in 0..40 {
            machine.propose_large(host(2)).await;
        }
        sleep(Duration::from_secs(2)).await;
        machine.settle(3).await;
        for host in machine.living.values() {
            assert!(host.ledger.log_bytes() <= LEDGER_LOG_BYTES_MAX);
        }
        machine.join(4).await.expect("another can join");
        machine.settle(4).await;
    });
}

#[test]
fn a_suspect_that_lives_stays() {
    simulate(1, async {
        let mut machine = Machine::of(3, 1, Config::default()).await;
        for suspect in 1..=3 {
            for at in 1..=3 {
                machine.living[&host(at)]
                    .ledger
                    .suspect(host(suspect), "test");
            }
        }
        sleep(Duration::from_secs(5)).await;
        machine.settle(3).await;
    });
}

#[test]
fn nonsense_is_answered_and_changes_nothing() {
    simulate(1, async {
        let mut machine = Machine::of(2, 1, Config::default()).await;
        let mut luck = Luck::new(1);
        for length in 0..400 {
            let bytes: Vec<u8> = (0..length).map(|_| luck.next() as u8).collect();
            let answer = machine.living[&host(1)].ledger.handle(&bytes).await;
            assert!(!answer.is_empty());
        }
        let ledger = &machine.living[&host(1)].ledger;
        let proposed = ledger.propose(Command::DropOrphans { name: None });
        assert_eq!(proposed.await, Ok(Outcome::Done));
        machine.settle(2).await;
    });
}
