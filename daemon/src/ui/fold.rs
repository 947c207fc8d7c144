//! Many names in few words: `node[3-17,20],login`. The launcher's lists of hosts read it back.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Pieces of a folded list after which it is cut off.
const PIECES_MAX: usize = 12;

/// Names that differ in one number, written in the same way.
struct Family<'a> {
    before: &'a str,
    after: &'a str,
    /// Digits, when the numbers have leading zeros.
    width: usize,
    numbers: BTreeSet<u32>,
}

/// One name taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

/// Writes names in the order in which their families appear, each family as a range. What is too
/// long for a line is counted.
pub fn fold<T: AsRef<str>>(names: &[T]) -> String {
    let pieces = families(names);
    if pieces.len() <= PIECES_MAX {
        return join(&pieces);
    }
    let shown = &pieces[..PIECES_MAX - 1];
    let named: usize = shown.iter().map(|piece| piece.count).sum();
    let all: usize = pieces.iter().map(|piece| piece.count).sum();
    format!("{} and {} more", join(shown), all - named)
}

/// All of them, each family as a range: for what is to be typed.
pub fn ranges<T: AsRef<str>>(names: &[T]) -> Vec<String> {
    families(names).into_iter().map(|it| it.text).collect()
}

/// One family as text.
struct Piece {
    text: String,
    count: usize,
}

fn join(pieces: &[Piece]) -> String {
    let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    texts.join(",")
}

fn families<T: AsRef<str>>(names: &[T]) -> Vec<Piece> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let padded = padded(&names);
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for name in names {
        let parts = parts(name);
        let is_padded = padded.contains(&(parts.before, parts.after, parts.digits.len()));
        let width = if is_padded { parts.digits.len() } else { 0 };
        let number: Option<u32> = parts.digits.parse().ok();
        let at = *index
            .entry((parts.before, parts.after, width, parts.digits.is_empty()))
            .or_insert_with(|| {
                families.push(Family {
                    before: parts.before,
                    after: parts.after,
                    width,
                    numbers: BTreeSet::new(),
                });
                families.len() - 1
            });
        families[at].numbers.extend(number);
    }
    families.iter().map(Family::piece).collect()
}

/// Where numbers of a certain length have leading zeros: there `10` is one of `08, 09, 10`.
fn padded<'a>(names: &[&'a str]) -> BTreeSet<(&'a str, &'a str, usize)> {
    let all = names.iter().map(|name| parts(name));
    all.filter(|parts| parts.digits.len() > 1 && parts.digits.starts_with('0'))
        .map(|parts| (parts.before, parts.after, parts.digits.len()))
        .collect()
}

/// Takes a name apart at the last number of its first label; an IP address at its last number.
fn parts(name: &str) -> Parts<'_> {
    let whole = Parts {
        before: name,
        digits: "",
        after: "",
    };
    if name.contains(':') {
        return whole;
    }
    let is_address = name.parse::<IpAddr>().is_ok();
    let label = if is_address {
        name
    } else {
        name.split('.').next().unwrap_or(name)
    };
    let Some(end) = label.rfind(|c: char| c.is_ascii_digit()) else {
        return whole;
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let start = label[..=end].trim_end_matches(is_digit).len();
    // A number that does not fit is a name like any other.
    if end + 1 - start > 9 {
        return whole;
    }
    Parts {
        before: &name[..start],
        digits: &name[start..=end],
        after: &name[end + 1..],
    }
}

impl Family<'_> {
    fn piece(&self) -> Piece {
        let Self {
            before,
            after,
            width,
            numbers,
        } = self;
        let width = *width;
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in numbers.iter().copied() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let shown: Vec<String> = ranges
            .iter()
            .map(|(first, last)| match first == last {
                true => format!("{first:0width$}"),
                false => format!("{first:0width$}-{last:0width$}"),
            })
            .collect();
        let text = match numbers.len() {
            0 => (*before).to_owned(),
            1 => format!("{before}{}{after}", shown[0]),
            _ => format!("{before}[{}]{after}", shown.join(",")),
        };
        Piece {
            text,
            count: numbers.len().max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_become_ranges() {
        let cases: [(&[&str], &str); 9] = [
            (&[], ""),
            (&["a"], "a"),
            (&["node3", "node5", "node4"], "node[3-5]"),
            (&["node1", "login", "node2", "node7"], "node[1-2,7],login"),
            (&["n08", "n09", "n10", "n8"], "n[08-10],n8"),
            (&["a1.lab", "a2.lab", "a3.home"], "a[1-2].lab,a3.home"),
            (&["10.0.0.1", "10.0.0.2"], "10.0.0.[1-2]"),
            (&["r1-n1", "r1-n2", "r2-n1"], "r1-n[1-2],r2-n1"),
            (&["fe80::1", "fe80::2"], "fe80::1,fe80::2"),
        ];
        for (names, text) in cases {
            assert_eq!(fold(names), text);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = ('a'..='z').map(|c| format!("{c}-host")).collect();
        let text = fold(&names);
        assert!(text.ends_with(",k-host and 15 more"), "{text}");
        assert_eq!(ranges(&names), names);
    }
}
