//! Small texts: durations, sizes, rank lists, other people's bytes.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// `0.3 s`, `12 s`, `2m05s`, `3h07m`, `2d04h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `0.43 ms`, `17 ms`.
pub fn milliseconds(micros: u32) -> String {
    let time = f64::from(micros) / 1000.0;
    match time < 10.0 {
        true => format!("{time:.2} ms"),
        false => format!("{time:.0} ms"),
    }
}

/// `512 KiB`, `1.5 GiB`.
pub fn kibibytes(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib} KiB"),
        1024..1_048_576 => format!("{:.1} MiB", kib as f64 / 1024.0),
        _ => format!("{:.1} GiB", kib as f64 / 1_048_576.0),
    }
}

/// `1 task`, `8 tasks`.
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// Ranges in a list of ranks are cut off after this many.
const RANGES_MAX: usize = 8;

/// `rank 3`, `ranks 0,2-5`. The list is sorted first.
pub fn ranks(list: &mut [u32]) -> String {
    list.sort_unstable();
    let ranges = ranges(list);
    let mut text = ranges[..ranges.len().min(RANGES_MAX)].join(",");
    if ranges.len() > RANGES_MAX {
        text.push_str(",...");
    }
    let noun = if list.len() == 1 { "rank" } else { "ranks" };
    format!("{noun} {text}")
}

/// A moment: `2026-11-26T07:34:20.123Z`.
pub fn utc(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (mut days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let day = days + 1;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// The ranges of a sorted list of numbers: `0`, `2-5`.
pub fn ranges(sorted: &[u32]) -> Vec<String> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in sorted.iter().copied() {
        match ranges.last_mut() {
            Some((_, last)) if *last == number || last.checked_add(1) == Some(number) => {
                *last = number;
            }
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): (u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.into_iter().map(range).collect()
}

/// Text as one word of a command that is to be typed: quoted, if a shell would take it apart.
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.,:/@%+=".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")).into(),
    }
}

/// Bytes of others made harmless for a terminal: control characters become `\x1b` and the like.
pub fn harmless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\t' => text.push('\t'),
            c if c.is_control() => text.push_str(&format!("\\x{:02x}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (300, "0.3 s"),
            (12_900, "12 s"),
            (125_000, "2m05s"),
            (11_220_000, "3h07m"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn short_times() {
        let cases = [(0, "0.00 ms"), (431, "0.43 ms"), (17_400, "17 ms")];
        for (micros, text) in cases {
            assert_eq!(milliseconds(micros), text);
        }
    }

    #[test]
    fn moments() {
        // As date -u has them.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.500Z"),
            (951_782_399, "2000-02-28T23:59:59.500Z"),
            (951_782_400, "2000-02-29T00:00:00.500Z"),
            (1_795_678_460, "2026-11-26T07:34:20.500Z"),
            (4_107_542_399, "2100-02-28T23:59:59.500Z"),
            (4_107_542_400, "2100-03-01T00:00:00.500Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 500);
            assert_eq!(utc(time), text);
        }
    }

    #[test]
    fn rank_lists() {
        assert_eq!(ranks(&mut [3]), "rank 3");
        assert_eq!(ranks(&mut [5, 0, 3, 4, 2]), "ranks 0,2-5");
        let mut odd: Vec<u32> = (0..40).map(|n| n * 2).collect();
        assert_eq!(ranks(&mut odd), "ranks 0,2,4,6,8,10,12,14,...");
    }

    #[test]
    fn words_for_a_shell() {
        for plain in ["node3", "bob@a-b.lab,10.0.0.7:7711", "fe80::1%eth0"] {
            assert_eq!(word(plain), plain);
        }
        assert_eq!(word("n[1-2]"), "'n[1-2]'");
        assert_eq!(word("x; it's"), r"'x; it'\''s'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn foreign_bytes() {
        assert_eq!(
            harmless(b"a\tb\x1b[31m\xff\r"),
            "a\tb\\x1b[31m\u{fffd}\\x0d"
        );
    }
}
