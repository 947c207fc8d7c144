//! A virtual machine of a thousand hosts: what it costs when nothing happens, and how it takes losses.

use crate::machine::Machine;
use crate::{host, ms, simulate};
use pvm_daemon::cluster::ledger::Config;
use pvm_daemon::cluster::registry::HostId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What hosts send in a second.
#[derive(Debug, Clone, Copy)]
struct Load {
    messages: f64,
    bytes: f64,
}

/// The mean host and the busiest one, over some time.
async fn load(machine: &Machine, time: Duration) -> [Load; 2] {
    machine.net.take_sent();
    sleep(time).await;
    let sent = machine.net.take_sent();
    let seconds = time.as_secs_f64();
    let messages = |n: u64| n as f64 / seconds;
    let hosts = machine.living.len() as f64;
    let sum = |of: fn(&crate::net::Sent) -> u64| sent.values().map(of).sum::<u64>();
    let most = |of: fn(&crate::net::Sent) -> u64| sent.values().map(of).max().unwrap_or(0);
    [
        Load {
            messages: messages(sum(|sent| sent.messages)) / hosts,
            bytes: messages(sum(|sent| sent.bytes)) / hosts,
        },
        Load {
            messages: messages(most(|sent| sent.messages)),
            bytes: messages(most(|sent| sent.bytes)),
        },
    ]
}

/// Kills hosts at the same moment; says how long it takes until all others know of all of them.
async fn lose(machine: &mut Machine, hosts: &BTreeSet<HostId>) -> Duration {
    let begun = Instant::now();
    for host in hosts {
        machine.kill(*host).await;
    }
    let is_known = |machine: &Machine| {
        let mut living = machine.living.values();
        living.all(|other| {
            let gone = |registry: &pvm_daemon::cluster::registry::Registry| {
                hosts.iter().all(|host| registry.hosts().is_gone(*host))
            };
            other.ledger.read(gone)
        })
    };
    while !is_known(machine) {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "not lost: {}",
            machine.picture()
        );
        sleep(ms(50)).await;
    }
    let took = begun.elapsed();
    let rest = machine.living.len();
    machine.settle(rest).await;
    took
}

fn show(hosts: u64, what: &str, [mean, busiest]: [Load; 2]) {
    println!(
        "{hosts:>5} hosts, {what}: {:.1} messages and {:.0} bytes a second of a host, {:.1} and {:.0} of the busiest",
        mean.messages, mean.bytes, busiest.messages, busiest.bytes
    );
}

#[test]
fn a_thousand_hosts() {
    let mut idle = Vec::new();
    for hosts in [10_u64, 100, 1000] {
        simulate(1, async {
            let begun = Instant::now();
            let mut machine = Machine::at_once(hosts, 1, Config::default()).await;
            println!("{hosts:>5} hosts, all at once: {:.1?}", begun.elapsed());
            let load = load(&machine, Duration::from_secs(10)).await;
            show(hosts, "nothing happens", load);
            idle.push(load);
            if hosts < 1000 {
                return;
            }
            let voters = machine.living[&host(1)].ledger.voters();
            let spared = voters[2..].to_vec();
            let mut tenth = BTreeSet::from([voters[0], voters[1]]);
            while tenth.len() < 100 {
                let host = machine.anyone().expect("they live");
                if !spared.contains(&host) {
                    tenth.insert(host);
                }
            }
            let took = lose(&mut machine, &tenth).await;
            println!("{hosts:>5} hosts, 100 are lost at once: known to all after {took:.1?}");
            let leader = machine.leader().expect("there is a leader");
            let took = lose(&mut machine, &BTreeSet::from([leader])).await;
            println!("{hosts:>5} hosts, the leader is lost: known to all after {took:.1?}");
            machine.check();
        });
    }
    // Ten times the hosts must not cost a host more than a step of the logarithm.
    for pair in idle.windows(2) {
        for (few, many) in pair[0].iter().zip(pair[1]) {
            assert!(many.messages < few.messages * 1.5 + 10.0, "{pair:?}");
            assert!(many.bytes < few.bytes * 1.5 + 1000.0, "{pair:?}");
        }
    }
}
