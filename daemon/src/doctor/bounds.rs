//! What hosts say of themselves, brought within bounds before anybody believes it: it fits into a frame
//! then, whatever it is.

use pvm::limits::{
    ADDRESS_TEXT_MAX, ADDRESSES_MAX, EXAM_TARGETS_MAX, HOST_ADDRESSES_MAX, HOST_TEXT_MAX,
    REASON_MAX,
};
use pvm::wire::control::{ClockReading, Examined, FileSystem, HostHealth, HostWay};

/// What another host says: within bounds, and without what only the daemon that asks can know.
pub fn of_another(mut found: Examined) -> Examined {
    found.failure = None;
    found.clock = found.clock.map(|clock| ClockReading {
        ahead_us: 0,
        doubt_us: u64::MAX,
        ..clock
    });
    within(found)
}

/// Within bounds: what is too long is cut, what is too much left out.
pub fn within(mut found: Examined) -> Examined {
    if let Some(health) = &mut found.health {
        bound_health(health);
    }
    found.ways.truncate(EXAM_TARGETS_MAX);
    found.ways.iter_mut().for_each(bound_way);
    found
}

fn bound_health(health: &mut HostHealth) {
    cut(&mut health.name, HOST_TEXT_MAX);
    cut(&mut health.software, HOST_TEXT_MAX);
    cut(&mut health.architecture, HOST_TEXT_MAX);
    cut(&mut health.machine, HOST_TEXT_MAX);
    cut(&mut health.tasks_bound, REASON_MAX);
    cut(&mut health.tasks_next, REASON_MAX);
    cut(&mut health.no_shared_memory, REASON_MAX);
    cut_addresses(&mut health.addresses);
    let systems = [&mut health.shm, &mut health.runtime_dir];
    systems.into_iter().flatten().for_each(bound_file_system);
}

fn bound_file_system(system: &mut FileSystem) {
    cut(&mut system.path, REASON_MAX);
    cut(&mut system.kind, HOST_TEXT_MAX);
}

fn bound_way(way: &mut HostWay) {
    cut(&mut way.name, HOST_TEXT_MAX);
    if let Some(lookup) = &mut way.lookup {
        cut(&mut lookup.trouble, REASON_MAX);
        cut_addresses(&mut lookup.addresses);
    }
    way.dials.truncate(ADDRESSES_MAX);
    for dial in &mut way.dials {
        cut(&mut dial.address, ADDRESS_TEXT_MAX);
        cut(&mut dial.why, REASON_MAX);
    }
}

fn cut_addresses(addresses: &mut Vec<String>) {
    addresses.truncate(HOST_ADDRESSES_MAX);
    let each = addresses.iter_mut();
    each.for_each(|address| cut(address, ADDRESS_TEXT_MAX));
}

fn cut(text: &mut String, len: usize) {
    text.truncate(text.floor_char_boundary(len));
}

/// Says how far a clock is ahead of ours, which stood at `asked_us` and then at `heard_us`. The answer
/// and the question are taken to have been under way for the same time.
pub fn compare(clock: &mut ClockReading, asked_us: u64, heard_us: u64) {
    let [asked, there, answered, heard] =
        [asked_us, clock.heard_us, clock.answered_us, heard_us].map(i128::from);
    let ahead = ((there - asked) + (answered - heard)) / 2;
    // Who answers before it is asked, or takes longer than we have waited, has set its clock meanwhile.
    let doubt = ((heard - asked) - (answered - there)).abs() / 2;
    clock.ahead_us = ahead.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    clock.doubt_us = doubt.clamp(0, u64::MAX.into()) as u64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;
    use pvm::limits::CONTROL_FRAME_MAX;
    use pvm::wire::control::{Dial, Failure, NameLookup};

    fn clock(heard_us: u64, answered_us: u64) -> ClockReading {
        ClockReading {
            heard_us,
            answered_us,
            ..ClockReading::default()
        }
    }

    #[test]
    fn clocks_are_compared_by_the_round_trip() {
        let cases = [
            // There, answered; asked, heard; ahead, doubt.
            ((1_000, 1_000), (1_000, 1_000), (0, 0)),
            ((5_100, 9_100), (0, 4_200), (5_000, 100)),
            ((0, 4_000), (5_000, 9_200), (-5_100, 100)),
            // Set while it was asked: nothing is known.
            ((9_000, 1_000), (0, 0), (5_000, 4_000)),
            ((u64::MAX, u64::MAX), (0, 0), (i64::MAX, 0)),
            ((0, u64::MAX), (0, 0), (i64::MAX, 1 << 63)),
        ];
        for ((there, answered), (asked, heard), expected) in cases {
            let mut reading = clock(there, answered);
            compare(&mut reading, asked, heard);
            let (ahead, doubt) = (reading.ahead_us, reading.doubt_us);
            let (expected_ahead, expected_doubt) = expected;
            assert!((ahead.abs_diff(expected_ahead)) <= 1, "{reading:?}");
            assert!((doubt.abs_diff(expected_doubt)) <= 1, "{reading:?}");
        }
    }

    #[test]
    fn too_much_is_cut_until_it_fits_into_a_frame() {
        let long = "ä".repeat(REASON_MAX);
        let way = HostWay {
            name: long.clone(),
            lookup: Some(NameLookup {
                addresses: vec![long.clone(); 100],
                trouble: long.clone(),
            }),
            dials: vec![
                Dial {
                    address: long.clone(),
                    why: long.clone(),
                    ..Dial::default()
                };
                100
            ],
            ..HostWay::default()
        };
        let found = of_another(Examined {
            failure: Some(Failure::default()),
            health: Some(Box::new(HostHealth {
                name: long.clone(),
                addresses: vec![long.clone(); 100],
                runtime_dir: Some(FileSystem {
                    path: long,
                    ..FileSystem::default()
                }),
                ..HostHealth::default()
            })),
            ways: vec![way; 200],
            clock: Some(ClockReading {
                ahead_us: 77,
                ..ClockReading::default()
            }),
            ..Examined::default()
        });
        let (len, largest) = (found.encoded_len(), CONTROL_FRAME_MAX / 4);
        assert!(
            found.ways.len() == EXAM_TARGETS_MAX && len < largest,
            "{len}"
        );
        assert_eq!(found.failure, None);
        assert_eq!(found.clock.unwrap().ahead_us, 0);
    }

    proptest! {
        #[test]
        fn whatever_bytes_come_nothing_breaks(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            asked in any::<u64>(),
            heard in any::<u64>(),
        ) {
            if let Ok(found) = Examined::decode(&bytes[..]) {
                let mut found = of_another(found);
                if let Some(clock) = &mut found.clock {
                    compare(clock, asked, heard);
                }
                prop_assert!(found.ways.len() <= EXAM_TARGETS_MAX);
                let name = pvm::wire::control::HostName { index: found.host, name: "x".into() };
                crate::doctor::judge(&crate::doctor::Picture {
                    hosts: vec![name],
                    examined: vec![found],
                });
            }
        }
    }
}
