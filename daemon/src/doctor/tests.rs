use super::*;
use pvm::wire::control::{
    ClockReading, Dial, DialEnd, Failure, FileSystem, HostWay, Limit, Logout, NameLookup, Room,
};

/// A host that nothing is wrong with.
fn well(host: u32) -> Examined {
    let limit = |soft| {
        Some(Limit {
            soft,
            hard: u64::MAX,
        })
    };
    let room = Room {
        total_kib: 8 << 20,
        free_kib: 4 << 20,
    };
    let system = |path: &str| FileSystem {
        path: path.into(),
        kind: "tmpfs".into(),
        room: Some(room),
        files: 1000,
        files_free: 900,
    };
    let health = HostHealth {
        name: format!("n{host}"),
        software: "pvmd 0.1.0".into(),
        architecture: "x86_64".into(),
        machine: format!("machine {host}"),
        addresses: vec![format!("10.0.0.{host}:7711"), "127.0.0.1:7711".into()],
        cpus: 4,
        cpus_online: 4,
        open_files: limit(1024),
        processes: limit(u64::MAX),
        locked_memory: limit(8 << 20),
        tasks_max: 5000,
        tasks_bound: "some limit".into(),
        tasks_next: "raise it".into(),
        memory: Some(room),
        group_memory: None,
        no_shared_memory: String::new(),
        shm: Some(system("/dev/shm")),
        runtime_dir: Some(system("/run/user/1/pvm")),
        delegated: true,
        reads_memory: true,
        ptrace_scope: -1,
        control_version: 1,
        mesh_version: 1,
        logout: Logout::DoesNothing.into(),
    };
    Examined {
        host,
        health: Some(Box::new(health)),
        clock: Some(ClockReading::default()),
        ..Examined::default()
    }
}

fn dial(address: &str, end: DialEnd, why: &str) -> Dial {
    Dial {
        address: address.into(),
        end: end.into(),
        why: why.into(),
        ..Dial::default()
    }
}

/// A way that is open.
fn open(to: u32) -> HostWay {
    let address = format!("10.0.0.{to}");
    HostWay {
        host: to,
        name: format!("n{to}"),
        lookup: Some(NameLookup {
            addresses: vec![address.clone()],
            trouble: String::new(),
        }),
        dials: vec![
            dial(&format!("{address}:7711"), DialEnd::DialAnswered, ""),
            dial("127.0.0.1:7711", DialEnd::DialOurselves, "that is us"),
        ],
        lost_bytes: 0,
    }
}

/// Hosts that nothing is wrong with, and all ways between them.
fn picture(count: u32) -> Picture {
    let others = |host| (1..=count).filter(move |other| *other != host).map(open);
    Picture {
        hosts: (1..=count)
            .map(|index| HostName {
                index,
                name: format!("n{index}"),
            })
            .collect(),
        examined: (1..=count)
            .map(|host| Examined {
                ways: others(host).collect(),
                ..well(host)
            })
            .collect(),
    }
}

impl Picture {
    fn health_mut(&mut self, host: u32) -> &mut HostHealth {
        let at = host as usize - 1;
        self.examined[at].health.as_mut().unwrap()
    }

    fn way(&mut self, from: u32, to: u32) -> &mut HostWay {
        let mut ways = self.examined[from as usize - 1].ways.iter_mut();
        ways.find(|way| way.host == to).unwrap()
    }

    fn cut(&mut self, from: u32, to: u32, end: DialEnd, why: &str) {
        let way = self.way(from, to);
        way.dials[0].set_end(end);
        way.dials[0].why = why.into();
    }
}

/// Each finding as `id` and line; an id with a `!` is a problem.
fn told(picture: &Picture) -> Vec<(String, String)> {
    let found = judge(picture).into_iter();
    found
        .map(|it| {
            let mark = if it.weight == Weight::Problem {
                "!"
            } else {
                ""
            };
            (format!("{mark}{}", it.id), it.to_string())
        })
        .collect()
}

fn ids(picture: &Picture) -> Vec<String> {
    told(picture).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn where_all_is_well_nothing_is_said() {
    for count in [1, 2, 5] {
        assert_eq!(told(&picture(count)), []);
    }
    assert_eq!(told(&Picture::default()), []);
}

#[test]
fn each_fact_has_its_finding() {
    type Change = fn(&mut HostHealth);
    let cases: &[(&str, &str, Change)] = &[
        (
            "!few-tasks",
            "n1: at most 7 more tasks can be started: some limit; raise it",
            |h| h.tasks_max = 7,
        ),
        ("!open-files", "n1: a task may open 64 files only: ", |h| {
            h.open_files.as_mut().unwrap().soft = 64
        }),
        (
            "locked-memory",
            "n1: a task may lock 16 KiB of memory only: ",
            |h| h.locked_memory.as_mut().unwrap().soft = 16 << 10,
        ),
        (
            "!memory",
            "n1: only 1.0 MiB of memory are left: of 8.0 GiB in all; ",
            |h| h.memory.as_mut().unwrap().free_kib = 1024,
        ),
        (
            "!group-memory",
            "n1: only 0 KiB of memory are left to pvmd and its tasks: the control group",
            |h| {
                h.group_memory = Some(Room {
                    total_kib: 1 << 20,
                    free_kib: 0,
                })
            },
        ),
        (
            "!shared-memory",
            "n1: tasks cannot share memory, so none can attach: no memfd; ",
            |h| h.no_shared_memory = "no memfd".into(),
        ),
        (
            "dev-shm",
            "n1: /dev/shm has room for 64.0 MiB only: ",
            |h| h.shm.as_mut().unwrap().room.as_mut().unwrap().total_kib = 64 << 10,
        ),
        (
            "!runtime-dir-full",
            "n1: /run/user/1/pvm, where pvmd has its sockets, is full: 12 KiB are left there; ",
            |h| {
                h.runtime_dir
                    .as_mut()
                    .unwrap()
                    .room
                    .as_mut()
                    .unwrap()
                    .free_kib = 12
            },
        ),
        (
            "!runtime-dir-full",
            "n1: /run/user/1/pvm, where pvmd has its sockets, is full: room for 3 more files",
            |h| h.runtime_dir.as_mut().unwrap().files_free = 3,
        ),
        (
            "!runtime-dir-shared",
            "n1: /run/user/1/pvm, where pvmd has its sockets, is on nfs: ",
            |h| h.runtime_dir.as_mut().unwrap().kind = "nfs".into(),
        ),
        (
            "!runtime-dir-gone",
            "n1: the directory of pvmd's sockets is gone: ",
            |h| h.runtime_dir = None,
        ),
        ("cpus", "n1: tasks may use 4 of 64 CPUs: ", |h| {
            h.cpus_online = 64
        }),
        (
            "reading-memory",
            "n1: a task may not read another one's memory: kernel.yama.ptrace_scope is 1",
            |h| h.ptrace_scope = 1,
        ),
        (
            "reading-memory",
            "n1: a task may not read another one's memory: the system refuses",
            |h| h.reads_memory = false,
        ),
        (
            "logout",
            "n1: pvmd and its tasks are killed when the session ends that has started pvmd: ",
            |h| h.set_logout(Logout::KillsSession),
        ),
        (
            "logout",
            "n1: pvmd and its tasks end with the user's last session: ",
            |h| h.set_logout(Logout::EndsServices),
        ),
        (
            "!release",
            "the hosts run different releases: pvmd 0.1.0 on n2, pvmd 0.2.0 on n1; ",
            |h| h.software = "pvmd 0.2.0".into(),
        ),
        (
            "architecture",
            "the hosts have different architectures: aarch64 on n1, x86_64 on n2; ",
            |h| h.architecture = "aarch64".into(),
        ),
    ];
    for (id, begin, change) in cases {
        let mut picture = picture(2);
        change(picture.health_mut(1));
        let told = told(&picture);
        assert!(
            matches!(&told[..], [(found, line)] if found == id && line.starts_with(begin)),
            "{id}: {told:?}"
        );
    }
}

#[test]
fn a_file_system_that_counts_no_files_is_not_full() {
    let mut picture = picture(1);
    let system = picture.health_mut(1).runtime_dir.as_mut().unwrap();
    (system.files, system.files_free) = (0, 0);
    assert_eq!(told(&picture), []);
}

#[test]
fn what_hosts_have_alike_is_said_once_and_problems_come_first() {
    let mut picture = picture(4);
    for host in 1..=4 {
        picture.health_mut(host).ptrace_scope = 1;
    }
    picture.health_mut(3).runtime_dir = None;
    let told = told(&picture);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].1.starts_with("n3: "), "{told:?}");
    assert!(told[1].1.starts_with("n[1-4]: "), "{told:?}");
}

#[test]
fn a_clock_is_off_when_that_is_sure() {
    let cases = [
        (1_900_000, 0, None),
        (
            -2_100_000,
            50_000,
            Some("n2: its clock is 2.1 s behind the one here: "),
        ),
        (
            61_000_000,
            1_000,
            Some("n2: its clock is 1m01s ahead of the one here: "),
        ),
        (3_000_000, 1_500_000, None),
        (i64::MIN, 0, Some("n2: its clock is ")),
        (i64::MAX, u64::MAX, None),
    ];
    for (ahead_us, doubt_us, expected) in cases {
        let mut picture = picture(2);
        let clock = picture.examined[1].clock.as_mut().unwrap();
        (clock.ahead_us, clock.doubt_us) = (ahead_us, doubt_us);
        let told = told(&picture);
        match expected {
            None => assert_eq!(told, []),
            Some(begin) => {
                assert_eq!(told.len(), 1, "{told:?}");
                assert!(
                    told[0].0 == "!clock" && told[0].1.starts_with(begin),
                    "{told:?}"
                );
            }
        }
    }
}

#[test]
fn a_pair_that_is_cut_is_one_line() {
    let mut picture = picture(3);
    picture.cut(2, 3, DialEnd::DialSilent, "no answer");
    let told_once = told(&picture);
    assert_eq!(
        told_once,
        [(
            "!no-way".to_owned(),
            "n2 does not reach n3: 10.0.0.3:7711: no answer; let UDP port 7711 pass between them; \
             on both hosts: nft list ruleset, or iptables -L -n"
                .to_owned()
        )]
    );
    picture.cut(3, 2, DialEnd::DialSilent, "no answer");
    let told = told(&picture);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.starts_with("n2 and n3 do not reach each other: "),
        "{told:?}"
    );
    assert_eq!(judge(&picture)[0].hosts, ["n2", "n3"]);
}

#[test]
fn a_host_that_nobody_reaches_is_one_line() {
    let cases: [(&[(u32, u32)], &str); 3] = [
        (&[(1, 3), (2, 3)], "no other host reaches n3: "),
        (&[(3, 1), (3, 2)], "n3 reaches no other host: "),
        (
            &[(1, 3), (2, 3), (3, 1), (3, 2)],
            "n3 and the other hosts do not reach each other: ",
        ),
    ];
    for (cut, begin) in cases {
        let mut picture = picture(3);
        for (from, to) in cut {
            picture.cut(*from, *to, DialEnd::DialRejected, "nobody listens");
        }
        let told = told(&picture);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].0 == "!cut-off" && told[0].1.starts_with(begin),
            "{told:?}"
        );
    }
    // Of two hosts it is a pair.
    let mut two = picture(2);
    two.cut(1, 2, DialEnd::DialSilent, "no answer");
    assert_eq!(ids(&two), ["!no-way"]);
}

#[test]
fn every_end_of_a_dial_has_its_advice() {
    let cases = [
        (DialEnd::DialSilent, "let UDP port 7711 pass"),
        (DialEnd::DialRejected, "what rejects UDP port 7711, on n2"),
        (DialEnd::DialUnreachable, "on n1: ip route get 10.0.0.2"),
        (DialEnd::DialBusy, "pvm doctor n1"),
        (DialEnd::DialOtherMachine, "ip neigh show 10.0.0.2"),
        (DialEnd::DialOtherDaemon, "ip neigh show 10.0.0.2"),
        (DialEnd::DialOurselves, "ip neigh show 10.0.0.2"),
        (DialEnd::DialVersion, "install one release"),
        (DialEnd::DialClock, "timedatectl"),
        (DialEnd::DialFailed, "see the log of pvmd on n2"),
    ];
    for (end, advice) in cases {
        let mut picture = picture(2);
        picture.cut(1, 2, end, "so it is");
        let told = told(&picture);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains(advice), "{end:?}: {told:?}");
    }
    let mut nowhere = picture(2);
    nowhere.way(1, 2).dials.clear();
    let told = told(&nowhere);
    assert!(told[0].1.contains("no address of it is known"), "{told:?}");
}

#[test]
fn ways_that_were_not_tried_are_counted() {
    let mut picture = picture(4);
    picture.cut(1, 2, DialEnd::DialUntried, "no time");
    picture.cut(1, 3, DialEnd::DialUntried, "no time");
    picture.cut(4, 2, DialEnd::DialUntried, "no time");
    picture.cut(3, 2, DialEnd::DialSilent, "no answer");
    let told = told(&picture);
    let ids: Vec<_> = told.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["!no-way", "!not-tried"]);
    assert_eq!(
        told[1].1,
        "3 ways have not been tried: there was no time for them on n[1,4]; \
         look at fewer hosts at a time: pvm doctor n1"
    );
}

#[test]
fn a_way_alone_is_not_many() {
    let mut picture = picture(2);
    picture.cut(1, 2, DialEnd::DialUntried, "no time");
    let line = &told(&picture)[0].1;
    assert!(line.starts_with("1 way has not been tried: "), "{line}");
}

#[test]
fn ways_that_nobody_was_to_try_are_noted() {
    let mut picture = picture(4);
    for host in [0, 1, 3] {
        picture.examined[host].left_out = 7;
    }
    let told = told(&picture);
    assert_eq!(told.len(), 1, "{told:?}");
    let (id, line) = &told[0];
    assert!(
        id == "left-out" && line.starts_with("n[1-2,4] have tried the ways to 128 others each"),
        "{told:?}"
    );
}

#[test]
fn one_address_that_answers_is_enough_and_loopback_is_none() {
    let mut picture = picture(2);
    let way = picture.way(1, 2);
    way.dials
        .insert(0, dial("172.17.0.1:7711", DialEnd::DialSilent, "no answer"));
    assert_eq!(told(&picture), []);
    picture.way(1, 2).dials[1].set_end(DialEnd::DialSilent);
    let told = told(&picture);
    assert!(!told[0].1.contains("127.0.0.1"), "{told:?}");
    assert!(told[0].1.contains("172.17.0.1:7711"), "{told:?}");
}

#[test]
fn ways_that_lose_large_packets_are_told_together() {
    let mut picture = picture(4);
    for (from, to) in [(1, 2), (1, 3), (1, 4), (3, 1)] {
        picture.way(from, to).lost_bytes = 1500;
    }
    let told = told(&picture);
    let begins = [
        "packets of 1500 bytes from n1 to n[2-4] are lost: smaller ones arrive",
        "packets of 1500 bytes from n3 to n1 are lost: ",
    ];
    assert_eq!(told.len(), begins.len(), "{told:?}");
    for ((id, line), begin) in told.iter().zip(begins) {
        assert!(id == "!packet-size" && line.starts_with(begin), "{told:?}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_noted_once() {
    let mut picture = picture(3);
    for from in [1, 2] {
        let lookup = picture.way(from, 3).lookup.as_mut().unwrap();
        lookup.addresses = vec!["127.0.1.1".into()];
    }
    let lookup = picture.way(3, 1).lookup.as_mut().unwrap();
    *lookup = NameLookup {
        addresses: Vec::new(),
        trouble: "name or service not known".into(),
    };
    let lines: Vec<_> = told(&picture).into_iter().map(|(_, line)| line).collect();
    assert_eq!(ids(&picture), ["name", "name"]);
    assert!(
        lines[0].starts_with("on n3 the name n1 leads nowhere (name or service not known): "),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("on n[1-2] the name n3 means 127.0.1.1, where that host is not: "),
        "{lines:?}"
    );
}

#[test]
fn hosts_on_one_machine_need_no_names_and_share_addresses() {
    let mut picture = picture(2);
    for (host, other) in [(1, 2), (2, 1)] {
        let health = picture.health_mut(host);
        health.machine = "the same".into();
        health.addresses = vec![format!("10.0.0.9:{host}")];
        let lookup = picture.way(host, other).lookup.as_mut().unwrap();
        lookup.addresses.clear();
    }
    assert_eq!(told(&picture), []);
    // Of the other host nothing but its addresses may be known.
    picture.way(1, 2).dials = vec![dial("10.0.0.9:2", DialEnd::DialAnswered, "")];
    picture.examined.truncate(1);
    assert_eq!(told(&picture), []);
    picture.way(1, 2).dials[0].address = "10.0.0.8:2".into();
    assert_eq!(ids(&picture), ["name"]);
}

#[test]
fn addresses_and_names_of_several_hosts_are_noted() {
    let mut picture = picture(3);
    for host in [1, 3] {
        let addresses = &mut picture.health_mut(host).addresses;
        addresses.push("172.17.0.1:7711".into());
    }
    let lines = told(&picture);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0]
            .1
            .starts_with("n[1,3] have the same address 172.17.0.1: "),
        "{lines:?}"
    );
    picture.hosts[1].name = "n1".into();
    assert_eq!(ids(&picture), ["same-address", "same-name"]);
}

#[test]
fn who_has_told_nothing_is_a_problem() {
    let mut picture = picture(2);
    picture.examined[1] = Examined {
        host: 2,
        failure: Some(Failure {
            what: "host n2 is lost".into(),
            why: "no answer for 7.5 s".into(),
            ..Failure::default()
        }),
        ..Examined::default()
    };
    let lines = told(&picture);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].1.starts_with(
            "n2: its daemon has not told what it sees: host n2 is lost: no answer for 7.5 s; "
        ),
        "{lines:?}"
    );
    picture.examined[1].failure = None;
    assert_eq!(ids(&picture), ["!no-health"]);
}
