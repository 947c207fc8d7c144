//! What a process has used so far, from /proc.

use std::time::Duration;

/// Time on processors of a process, all its threads together; `None`: it is gone.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some(of_ticks(ticks(&stat)?))
}

fn of_ticks(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks.saturating_mul(1000) / per_second)
}

/// Fields 14 and 15: time in the program and in the system. The program's name may hold anything.
fn ticks(stat: &[u8]) -> Option<u64> {
    let close = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
    let mut times = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = b"7 (a) b (c)) S 1 7 7 0 -1 4194560 9 0 0 0 120 34 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks(b"7 (a"), None);
    }

    #[test]
    fn a_process_that_computes_uses_time() {
        let own = std::process::id();
        let before = processor_time(own).unwrap();
        while processor_time(own).unwrap() <= before {
            std::hint::black_box((0..10_000u64).sum::<u64>());
        }
        assert_eq!(processor_time(u32::MAX), None);
    }
}
