use super::mailbox::{MULTI_INSTANCE, PERSISTENT};
use super::*;
use crate::job::group::GroupError;
use proptest::prelude::*;
use pvm::ids::HOST_MAX;
use pvm::wire::control::DataFormat;
use pvm::wire::value;
use std::collections::{BTreeMap, BTreeSet};

fn facts(daemon: u128, key: &str) -> HostFacts {
    HostFacts {
        daemon,
        key: key.to_owned(),
        number: None,
        name: format!("name of {key}"),
        addresses: vec!["127.0.0.1:7".parse().unwrap()],
        architecture: "x86_64".to_owned(),
        format: DataFormat::here(),
        cpus: 4,
        software: "0.1.0".to_owned(),
    }
}

fn registry_of(hosts: u16) -> Registry {
    let mut registry = Registry::default();
    for n in 1..=hosts {
        let added = add(&mut registry, u128::from(n), &format!("key {n}"));
        assert_eq!(added, Ok(HostId::new(n, 1)));
    }
    registry
}

fn add(registry: &mut Registry, daemon: u128, key: &str) -> Result<HostId, Refusal> {
    match registry
        .apply(&Command::AddHost(facts(daemon, key)))
        .outcome
    {
        Outcome::Host(record) => Ok(record.id),
        Outcome::Refused(why) => Err(why),
        other => panic!("{other:?} is no answer to AddHost"),
    }
}

#[test]
fn hosts_of_other_kinds_belong_if_numbers_can_be_exchanged_with_them() {
    let mut registry = registry_of(1);
    let mips = HostFacts {
        architecture: "mips".to_owned(),
        format: DataFormat {
            big_endian: true,
            long_size: 4,
            pointer_size: 4,
            ..DataFormat::here()
        },
        ..facts(2, "mips")
    };
    let strange = HostFacts {
        format: DataFormat::default(),
        ..facts(3, "strange")
    };
    let refused = registry.apply(&Command::AddHost(strange)).outcome;
    assert_eq!(refused, Outcome::Refused(Refusal::DataFormat));
    registry.apply(&Command::AddHost(mips.clone()));
    let record = registry.hosts().by_index(2).unwrap();
    assert_eq!(record.facts, mips);
    let bytes = value::encode(&mips).unwrap();
    assert_eq!(value::decode::<HostFacts>(&bytes), Ok(mips));
}

fn lose(registry: &mut Registry, host: HostId) -> Vec<Event> {
    let why = "test".to_owned();
    registry.apply(&Command::LoseHost { host, why }).events
}

fn task(host: u16, local: u32) -> TaskId {
    TaskId::new(host, 1, local).unwrap()
}

fn origin(task: TaskId, ticket: u64) -> Origin {
    let host = HostId::of(task);
    Origin { host, ticket }
}

fn join(task: TaskId) -> Command {
    let origin = origin(task, 0);
    let name = "g".to_owned();
    Command::Join { name, task, origin }
}

fn barrier(task: TaskId, count: u32, ticket: u64) -> Command {
    Command::Barrier {
        name: "g".to_owned(),
        task,
        count,
        origin: origin(task, ticket),
    }
}

fn put(owner: TaskId, flags: u32) -> Command {
    let put = MailPut {
        name: "m".to_owned(),
        index: None,
        flags,
        owner,
        bytes: vec![1, 2, 3],
    };
    let origin = origin(owner, 0);
    Command::Put { put, origin }
}

#[test]
fn a_host_that_returns_is_known_again() {
    let mut registry = registry_of(3);
    let second = HostId::new(2, 1);
    assert_eq!(
        add(&mut registry, 20, "key 2"),
        Err(Refusal::HostLives(second))
    );
    assert_eq!(add(&mut registry, 2, "key 2"), Ok(second));
    assert_eq!(lose(&mut registry, second).len(), 1);
    assert_eq!(lose(&mut registry, second), []);
    assert_eq!(
        add(&mut registry, 2, "key 2"),
        Err(Refusal::DaemonGone(second))
    );
    assert_eq!(add(&mut registry, 9, "key 9"), Ok(HostId::new(4, 1)));
    assert_eq!(add(&mut registry, 20, "key 2"), Ok(HostId::new(2, 2)));
    assert_eq!(lose(&mut registry, second), []);
    assert!(registry.hosts().is_gone(second));
    assert!(!registry.is_current(task(2, 1)));
    assert!(registry.is_current(TaskId::new(2, 2, 1).unwrap()));
}

#[test]
fn hosts_that_are_started_at_once_keep_their_order() {
    let mut registry = registry_of(1);
    let mut add = |daemon: u128, number: u16| {
        let facts = HostFacts {
            number: Some(number),
            ..facts(daemon, &format!("key {daemon}"))
        };
        match registry.apply(&Command::AddHost(facts)).outcome {
            Outcome::Host(record) => record.id.index,
            other => panic!("{other:?} is no answer to AddHost"),
        }
    };
    assert_eq!(add(13, 3), 3);
    assert_eq!(add(12, 2), 2);
    // Numbers that somebody has, or that there are not, are as good as none.
    assert_eq!([add(14, 3), add(15, 0), add(16, HOST_MAX + 1)], [4, 5, 6]);
    assert_eq!(registry.hosts().next_index(), 7);
}

#[test]
fn numbers_of_the_gone_are_the_last_to_be_given() {
    let mut registry = Registry::default();
    for n in 1..=pvm::ids::HOST_MAX {
        add(&mut registry, u128::from(n), &n.to_string()).unwrap();
    }
    assert_eq!(add(&mut registry, 5000, "new"), Err(Refusal::TooManyHosts));
    lose(&mut registry, HostId::new(77, 1));
    assert_eq!(add(&mut registry, 5000, "new"), Ok(HostId::new(77, 2)));
}

#[test]
fn a_lost_host_takes_its_tasks_along() {
    let mut registry = registry_of(3);
    for host in 1..=3 {
        registry.apply(&join(task(host, 1)));
        registry.apply(&put(task(host, 1), MULTI_INSTANCE));
    }
    registry.apply(&put(task(2, 1), MULTI_INSTANCE | PERSISTENT));
    assert_eq!(
        registry.apply(&barrier(task(1, 1), 0, 11)).outcome,
        Outcome::Waiting
    );
    assert!(registry.is_waiting(origin(task(1, 1), 11)));
    registry.apply(&barrier(task(2, 1), 0, 12));
    let events = lose(&mut registry, HostId::new(2, 1));
    let gone = Event::MailRemoved {
        name: "m".to_owned(),
        index: 1,
    };
    assert_eq!(events[2..], [gone]);
    let events = lose(&mut registry, HostId::new(3, 1));
    let passed = Event::BarrierPassed {
        name: "g".to_owned(),
        origins: vec![origin(task(1, 1), 11)],
    };
    assert_eq!(events[2], passed);
    assert_eq!(
        registry.barrier_end(origin(task(1, 1), 11)),
        Some(BarrierResult::Passed)
    );
    assert_eq!(registry.mail().find("m", 3, 0).unwrap().1.owner, None);
    assert_eq!(
        registry.apply(&join(task(2, 5))).outcome,
        Outcome::Refused(Refusal::TaskGone(task(2, 5)))
    );
}

#[test]
fn a_barrier_that_cannot_fill_up_is_broken() {
    let mut registry = registry_of(2);
    registry.apply(&join(task(1, 1)));
    registry.apply(&join(task(2, 1)));
    registry.apply(&barrier(task(1, 1), 2, 5));
    let events = lose(&mut registry, HostId::new(2, 1));
    let broken = Event::BarrierBroken {
        name: "g".to_owned(),
        origins: vec![origin(task(1, 1), 5)],
        lost: task(2, 1),
        needed: 2,
        left: 1,
    };
    assert_eq!(events.last(), Some(&broken));
}

#[test]
fn refusals_are_answers() {
    let mut registry = registry_of(1);
    let applied = registry.apply(&barrier(task(1, 1), 2, 5));
    let outcome = Outcome::Refused(Refusal::Group(GroupError::NoSuchGroup));
    let origin = origin(task(1, 1), 5);
    let reply = Event::Reply {
        origin,
        outcome: outcome.clone(),
    };
    assert_eq!((applied.outcome, applied.events), (outcome, vec![reply]));
}

#[test]
fn a_batch_is_applied_once_and_never_late() {
    let mut registry = registry_of(2);
    let batch = |number| Batch {
        from: HostId::new(1, 1),
        number,
        commands: vec![put(task(1, 1), MULTI_INSTANCE)],
    };
    let (outcomes, events) = registry.apply_batch(&batch(4));
    assert_eq!((outcomes, events.len()), (vec![Outcome::Index(0)], 2));
    assert_eq!(
        registry.apply_batch(&batch(4)),
        (vec![Outcome::Index(0)], vec![])
    );
    assert_eq!(
        registry.apply_batch(&batch(3)),
        (vec![Outcome::Refused(Refusal::Stale)], vec![])
    );
    assert_eq!(registry.apply_batch(&batch(6)).0, [Outcome::Index(1)]);
    let mut stranger = batch(7);
    stranger.from = HostId::new(9, 1);
    assert_eq!(
        registry.apply_batch(&stranger).0,
        [Outcome::Refused(Refusal::NotLiving(stranger.from))]
    );
}

#[test]
fn texts_have_limits() {
    let mut registry = registry_of(1);
    let long = "k".repeat(pvm::limits::HOST_TEXT_MAX + 1);
    assert_eq!(add(&mut registry, 9, &long), Err(Refusal::TooLarge));
    assert_eq!(add(&mut registry, 9, ""), Err(Refusal::TooLarge));
}

fn any_task() -> impl Strategy<Value = TaskId> {
    (1..5u16, 1..4u16, 1..4u32)
        .prop_map(|(host, incarnation, local)| TaskId::new(host, incarnation, local).unwrap())
}

fn any_host() -> impl Strategy<Value = HostId> {
    (1..5u16, 1..4u16).prop_map(|(index, incarnation)| HostId::new(index, incarnation))
}

fn any_command() -> impl Strategy<Value = Command> {
    let group = || prop::sample::select(vec!["g".to_owned(), "h".to_owned()]);
    let at = |task| origin(task, 0);
    prop_oneof![
        4 => (any::<u8>(), 1..5u8)
            .prop_map(|(daemon, key)| Command::AddHost(facts(daemon.into(), &key.to_string()))),
        1 => any_host().prop_map(|host| Command::LoseHost { host, why: "test".to_owned() }),
        1 => any_host().prop_map(|host| Command::LeaveHost { host }),
        1 => any_host().prop_map(|host| Command::UpdateAddresses { host, addresses: vec![] }),
        8 => (group(), any_task())
            .prop_map(move |(name, task)| Command::Join { name, task, origin: at(task) }),
        1 => (group(), any_task())
            .prop_map(move |(name, task)| Command::Leave { name, task, origin: at(task) }),
        8 => (group(), any_task(), 0..4u32).prop_map(move |(name, task, count)| {
            Command::Barrier { name, task, count, origin: at(task) }
        }),
        1 => any_task().prop_map(|task| Command::TaskGone { task }),
        2 => (any_task(), 0..8u32).prop_map(|(task, flags)| put(task, flags)),
        1 => (any_task(), 0..3u32).prop_map(move |(task, index)| {
            Command::Delete { name: "m".to_owned(), index, task, origin: at(task) }
        }),
        1 => (any_task(), 0..3u32).prop_map(move |(task, index)| {
            Command::Take { name: "m".to_owned(), index, flags: 8, task, origin: at(task) }
        }),
        1 => Just(Command::DropOrphans { name: None }),
    ]
}

/// Gives each request a ticket of its own, its number.
fn with_ticket(mut command: Command, number: u64) -> Command {
    match &mut command {
        Command::Barrier { origin, .. } | Command::Join { origin, .. } => origin.ticket = number,
        _ => {}
    }
    command
}

fn check_hosts(registry: &Registry, highest: &mut BTreeMap<u16, u16>) {
    let mut keys = BTreeSet::new();
    for record in registry.hosts().all() {
        let before = highest.insert(record.id.index, record.id.incarnation);
        assert!(before.unwrap_or(1) <= record.id.incarnation);
        assert!(!record.is_living() || keys.insert(&record.facts.key));
    }
}

fn check_tasks(registry: &Registry) {
    for name in registry.groups().names() {
        for task in registry.groups().members(name).unwrap().values() {
            assert!(registry.is_current(*task), "{task} is in group {name}");
        }
    }
    let entries = registry
        .mail()
        .all()
        .flat_map(|(_, entries)| entries.values());
    for owner in entries.filter_map(|entry| entry.owner) {
        assert!(registry.is_current(owner), "{owner} owns a message");
    }
}

proptest! {
    #[test]
    fn every_copy_is_the_same(commands in prop::collection::vec(any_command(), 0..120)) {
        let (mut one, mut other) = (Registry::default(), Registry::default());
        let mut highest = BTreeMap::new();
        let mut waiting = BTreeSet::new();
        for (number, command) in commands.into_iter().enumerate() {
            let command = with_ticket(command, number as u64);
            let applied = one.apply(&command);
            prop_assert_eq!(&applied, &other.apply(&command));
            if matches!(applied.outcome, Outcome::Waiting | Outcome::Passed) {
                waiting.extend(command.origin());
            }
            for event in &applied.events {
                let (Event::BarrierPassed { origins, .. } | Event::BarrierBroken { origins, .. })
                    = event else { continue };
                for origin in origins {
                    prop_assert!(waiting.remove(origin), "{origin:?} ended, but did not wait");
                    prop_assert!(one.barrier_end(*origin).is_some());
                }
            }
            waiting.retain(|origin| one.hosts().is_living(origin.host));
            let now: BTreeSet<Origin> = one.groups().waiting().copied().collect();
            prop_assert!(now.is_subset(&waiting));
            check_hosts(&one, &mut highest);
            check_tasks(&one);
            other = value::decode(&value::encode(&other).unwrap()).unwrap();
            prop_assert_eq!(&one, &other);
        }
    }
}
