//! For people: a matrix of the ways, a table of the hosts, a line for each finding.

use super::Report;
use crate::doctor::{View, Weight, ways};
use crate::ui::table::{Column, Look, render};
use crate::ui::text;
use pvm::wire::control::{ClockReading, Dial, DialEnd, Examined, HostHealth, Limit};
use std::collections::BTreeSet;
use std::time::Duration;

/// More hosts than this make no matrix that anybody can read.
const MATRIX_MAX: usize = 24;
/// Findings after which they are only counted.
const LINES_MAX: usize = 200;

const HOSTS: &[Column] = &[
    Column("HOST", false),
    Column("CLOCK", true),
    Column("CPUS", true),
    Column("MEMORY", true),
    Column("TASKS", true),
    Column("FILES", true),
    Column("LOCKED", true),
    Column("CGROUP", false),
    Column("SOFTWARE", false),
];

/// All of it as text.
pub(super) fn report(report: &Report, look: Look) -> String {
    let view = View::of(&report.picture);
    let mut text = matrix(&view, look);
    text.push_str(&hosts(&view, look));
    for finding in report.findings.iter().take(LINES_MAX) {
        let weight = match finding.weight {
            Weight::Problem => "problem",
            Weight::Note => "note",
        };
        let line = text::harmless(finding.to_string().as_bytes());
        text.push_str(&format!("{weight}: {line}\n"));
    }
    if let more @ 1.. = report.findings.len().saturating_sub(LINES_MAX) {
        text.push_str(&format!("and {more} more findings: see --json\n"));
    }
    text + &last_word(report)
}

fn last_word(report: &Report) -> String {
    let all: Vec<_> = report
        .picture
        .examined
        .iter()
        .flat_map(|it| &it.ways)
        .collect();
    let answered = all
        .iter()
        .filter(|way| ways::best(way).is_some_and(ways::is_answer));
    let ways = match (all.len(), answered.count()) {
        (0, _) => String::new(),
        (all, open) if all == open => format!(", all {all} ways open"),
        (all, open) => format!(", {open} of {all} ways open"),
    };
    let hosts = text::count(report.picture.hosts.len(), "host");
    let problems = match report.problems() {
        0 => "no problem".to_owned(),
        count => text::count(count, "problem"),
    };
    format!("{hosts}{ways}, {problems}\n")
}

/// From each host to each other one.
fn matrix(view: &View<'_>, look: Look) -> String {
    let told = view.picture.examined.iter();
    let others: BTreeSet<u32> = told
        .flat_map(|it| it.ways.iter().map(|way| way.host))
        .collect();
    if others.is_empty() {
        return String::new();
    }
    let asked = view.picture.hosts.iter().map(|host| host.index);
    let all: BTreeSet<u32> = others.into_iter().chain(asked).collect();
    if all.len() > MATRIX_MAX {
        return format!("the ways between {} hosts: see --json\n", all.len());
    }
    let name = |host: u32| text::harmless(view.name(host).as_bytes());
    let titles: Vec<String> = all.iter().map(|host| name(*host)).collect();
    let columns = titles.iter().map(|title| Column(title, true));
    let columns: Vec<Column> = std::iter::once(Column("FROM/TO", false))
        .chain(columns)
        .collect();
    let row = |from: &Examined| {
        let cells = all.iter().map(|to| cell(from, *to));
        std::iter::once(name(from.host)).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = view.picture.examined.iter().map(row).collect();
    render(look, &columns, &rows)
}

fn cell(from: &Examined, to: u32) -> String {
    if from.host == to {
        return "-".to_owned();
    }
    match from.ways.iter().find(|way| way.host == to) {
        Some(way) => ways::best(way).map_or_else(|| "no address".to_owned(), word),
        None => "?".to_owned(),
    }
}

fn word(dial: &Dial) -> String {
    let word = match dial.end() {
        DialEnd::DialAnswered => return text::milliseconds(dial.answer_us),
        DialEnd::DialSilent => "silent",
        DialEnd::DialRejected => "rejected",
        DialEnd::DialUnreachable => "no way",
        DialEnd::DialBusy => "busy",
        DialEnd::DialOtherMachine | DialEnd::DialOtherDaemon => "stranger",
        DialEnd::DialOurselves => "same address",
        DialEnd::DialVersion => "release",
        DialEnd::DialClock => "clock",
        DialEnd::DialUntried => "not tried",
        DialEnd::DialFailed => "failed",
    };
    word.to_owned()
}

fn hosts(view: &View<'_>, look: Look) -> String {
    let row = |examined: &Examined| {
        let name = text::harmless(view.name(examined.host).as_bytes());
        let facts = match &examined.health {
            Some(health) => facts(examined, health),
            None => vec!["?".to_owned(); HOSTS.len() - 1],
        };
        std::iter::once(name).chain(facts).collect()
    };
    let rows: Vec<Vec<String>> = view.picture.examined.iter().map(row).collect();
    render(look, HOSTS, &rows)
}

fn facts(examined: &Examined, health: &HostHealth) -> Vec<String> {
    let rooms = [&health.memory, &health.group_memory];
    let free = rooms.into_iter().flatten().map(|room| room.free_kib).min();
    let limit = |limit: &Option<Limit>, shown: fn(u64) -> String| match limit {
        Some(limit) if limit.soft != u64::MAX => shown(limit.soft),
        Some(_) => "no limit".to_owned(),
        None => "?".to_owned(),
    };
    vec![
        examined
            .clock
            .as_ref()
            .map_or_else(|| "-".to_owned(), clock_text),
        match health.cpus == health.cpus_online {
            true => health.cpus.to_string(),
            false => format!("{}/{}", health.cpus, health.cpus_online),
        },
        free.map_or_else(|| "?".to_owned(), text::kibibytes),
        health.tasks_max.to_string(),
        limit(&health.open_files, |files| files.to_string()),
        limit(&health.locked_memory, |bytes| text::kibibytes(bytes >> 10)),
        if health.delegated { "yes" } else { "no" }.to_owned(),
        text::harmless(health.software.as_bytes()),
    ]
}

/// How far a clock is ahead: `+3.1 s`, `-0.20 ms`; `<31 ms`: no further than can be told.
fn clock_text(clock: &ClockReading) -> String {
    let time = |us: u64| match u32::try_from(us) {
        Ok(us) if us < 1_000_000 => text::milliseconds(us),
        _ => text::duration(Duration::from_micros(us)),
    };
    let by = clock.ahead_us.unsigned_abs();
    match (clock.ahead_us, clock.doubt_us) {
        (0, 0) => "here".to_owned(),
        (_, doubt) if by <= doubt => format!("<{}", time(doubt)),
        (..0, _) => format!("-{}", time(by)),
        _ => format!("+{}", time(by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Picture;
    use pvm::wire::control::{HostName, HostWay};

    fn dial(end: DialEnd, answer_us: u32) -> Dial {
        Dial {
            address: "10.0.0.1:7711".into(),
            end: end.into(),
            answer_us,
            ..Dial::default()
        }
    }

    fn examined(host: u32, ways: &[(u32, Dial)]) -> Examined {
        let way = |(host, dial): &(u32, Dial)| HostWay {
            host: *host,
            name: format!("h{host}"),
            dials: vec![dial.clone()],
            ..HostWay::default()
        };
        Examined {
            host,
            ways: ways.iter().map(way).collect(),
            ..Examined::default()
        }
    }

    #[test]
    fn the_matrix_has_a_row_for_whom_was_asked_and_a_column_for_all() {
        let picture = Picture {
            hosts: [1, 2]
                .map(|index| HostName {
                    index,
                    name: format!("h{index}\x1b"),
                })
                .into(),
            examined: vec![
                examined(
                    1,
                    &[
                        (2, dial(DialEnd::DialAnswered, 431)),
                        (3, dial(DialEnd::DialSilent, 0)),
                    ],
                ),
                examined(2, &[]),
            ],
        };
        assert_eq!(
            matrix(&View::of(&picture), Look::Plain),
            "FROM/TO  h1\\x1b   h2\\x1b      h3\n\
             h1\\x1b        -  0.43 ms  silent\n\
             h2\\x1b        ?        -       ?\n"
        );
        assert_eq!(matrix(&View::of(&Picture::default()), Look::Plain), "");
    }

    #[test]
    fn clocks_are_short() {
        let clock = |ahead_us, doubt_us| {
            clock_text(&ClockReading {
                ahead_us,
                doubt_us,
                ..ClockReading::default()
            })
        };
        assert_eq!(clock(0, 0), "here");
        assert_eq!(clock(-1_500, 1_500), "<1.50 ms");
        assert_eq!(clock(-1_500, 1_400), "-1.50 ms");
        assert_eq!(clock(61_000_000, 10), "+1m01s");
        assert!(clock(i64::MIN, 0).starts_with('-'));
    }
}
