//! `user@node[1-8,12]:4`: a user, names that may be written as ranges, and a number of tasks.

use super::problem::{Problem, shortened};
use pvm::limits::{HOST_NAME_MAX, HOSTS_MAX, TASKS_PER_LAUNCH_MAX};
use std::net::Ipv6Addr;

/// Longest number in a range, in digits.
const DIGITS_MAX: usize = 9;

/// One word that names hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// User there.
    pub user: Option<String>,
    /// The hosts.
    pub names: Vec<String>,
    /// Tasks on each.
    pub slots: Option<Slots>,
}

/// A number of tasks, and whether it is a limit (`4!`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// The number.
    pub count: u32,
    /// There may not be more.
    pub is_limit: bool,
}

/// Reads one word.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn entry(word: &str) -> Result<Entry, Problem> {
    let (user, rest) = match word.rsplit_once('@') {
        Some((user, rest)) => (Some(self::user(user)?), rest),
        None => (None, word),
    };
    let (host, count) = split_count(rest)?;
    let slots = count.map(|text| slots(":", text)).transpose()?.flatten();
    let names = if is_address(host) {
        vec![address(host)?]
    } else {
        expand(host)?
    };
    Ok(Entry { user, names, slots })
}

/// Reads the name or the address of one host.
///
/// # Errors
/// When it is none.
pub fn host(text: &str) -> Result<String, Problem> {
    if is_address(text) {
        return address(text);
    }
    match expand(text)?.as_slice() {
        [name] => Ok(name.clone()),
        _ => Err(Problem::BadName(shortened(text))),
    }
}

/// Checks the name of a user: nothing that a shell or ssh would take for something else.
///
/// # Errors
/// When it cannot be one.
pub fn user(text: &str) -> Result<String, Problem> {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+@\\".contains(c);
    let is_user = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    if text.len() > HOST_NAME_MAX {
        return Err(Problem::LongName(text.len()));
    }
    if is_user {
        Ok(text.to_owned())
    } else {
        Err(Problem::BadUser(shortened(text)))
    }
}

/// Reads `4` or `4!`; nothing for `*`, which asks for as many as there are processors.
///
/// # Errors
/// When it is neither.
pub fn slots(key: &str, text: &str) -> Result<Option<Slots>, Problem> {
    if text == "*" {
        return Ok(None);
    }
    let (digits, is_limit) = match text.strip_suffix('!') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let count = number(key, digits, 0, TASKS_PER_LAUNCH_MAX, 4)?;
    Ok(Some(Slots { count, is_limit }))
}

/// Reads a number.
///
/// # Errors
/// When it is none, or is not between the bounds.
pub fn number(key: &str, text: &str, low: u32, high: u32, example: u32) -> Result<u32, Problem> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = text
        .parse()
        .ok()
        .filter(|value| (low..=high).contains(value));
    value
        .filter(|_| is_digits)
        .ok_or_else(|| Problem::BadNumber {
            key: key.to_owned(),
            value: shortened(text),
            low,
            high,
            example,
        })
}

/// Splits `host:4`; the colons of an IPv6 address are not its end.
fn split_count(text: &str) -> Result<(&str, Option<&str>), Problem> {
    let outside = bare(text, ':')?;
    match outside.as_slice() {
        [] => Ok((text, None)),
        [at] => Ok((&text[..*at], Some(&text[at + 1..]))),
        // An IPv6 address without brackets: it has no count.
        _ => Ok((text, None)),
    }
}

/// Where a character stands outside of brackets.
pub(super) fn bare(text: &str, wanted: char) -> Result<Vec<usize>, Problem> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for (at, c) in text.char_indices() {
        match c {
            '[' if is_inside => return Err(Problem::OpenBracket),
            '[' => is_inside = true,
            ']' if !is_inside => return Err(Problem::OpenBracket),
            ']' => is_inside = false,
            c if c == wanted && !is_inside => found.push(at),
            _ => {}
        }
    }
    if is_inside {
        return Err(Problem::OpenBracket);
    }
    Ok(found)
}

/// A range has no colon, an IPv6 address has.
fn is_address(host: &str) -> bool {
    host.contains(':')
}

/// An IPv6 address, with or without its brackets, perhaps with a scope: `fe80::1%eth0`.
fn address(host: &str) -> Result<String, Problem> {
    let bad = || Problem::BadName(shortened(host));
    let inside = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(bad)?,
        None => host,
    };
    let (digits, scope) = inside.split_once('%').unwrap_or((inside, "0"));
    let is_scope = !scope.is_empty() && scope.chars().all(is_name_character);
    match digits.parse::<Ipv6Addr>() {
        Ok(_) if is_scope && scope.len() <= HOST_NAME_MAX => Ok(inside.to_owned()),
        _ => Err(bad()),
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._".contains(c)
}

/// Writes ranges out: `rack[1-2]-n[01-02]` are four names.
///
/// # Errors
/// When a range is none, or a name cannot be one.
pub fn expand(pattern: &str) -> Result<Vec<String>, Problem> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some(start) = rest.find('[') {
        let after = &rest[start + 1..];
        let end = after.find(']').ok_or(Problem::OpenBracket)?;
        names
            .iter_mut()
            .for_each(|name| name.push_str(&rest[..start]));
        names = each_with(&names, &numbers(&after[..end])?)?;
        rest = &after[end + 1..];
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    match names.iter().find_map(|name| wrong_with(name, pattern)) {
        Some(problem) => Err(problem),
        None => Ok(names),
    }
}

/// Every name with every number behind it.
fn each_with(names: &[String], numbers: &[String]) -> Result<Vec<String>, Problem> {
    if names.len().saturating_mul(numbers.len()) > HOSTS_MAX {
        return Err(Problem::TooMany);
    }
    let all = names
        .iter()
        .flat_map(|name| numbers.iter().map(move |number| format!("{name}{number}")));
    Ok(all.collect())
}

fn wrong_with(name: &str, pattern: &str) -> Option<Problem> {
    if name.is_empty() {
        return Some(Problem::NoName);
    }
    if name.len() > HOST_NAME_MAX {
        return Some(Problem::LongName(name.len()));
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(is_name_character);
    (!is_name).then(|| Problem::BadName(shortened(pattern)))
}

/// The numbers of `1-8,12`, with the zeros that they were written with.
fn numbers(text: &str) -> Result<Vec<String>, Problem> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let bad = || Problem::BadRange(shortened(text));
        let (first, last) = (digits(low).ok_or_else(bad)?, digits(high).ok_or_else(bad)?);
        if first > last {
            let (low, high) = (high.to_owned(), low.to_owned());
            return Err(Problem::Backwards { low, high });
        }
        if all.len() + (last - first) as usize >= HOSTS_MAX {
            return Err(Problem::TooMany);
        }
        let width = if low.starts_with('0') { low.len() } else { 0 };
        all.extend((first..=last).map(|number| format!("{number:0width$}")));
    }
    Ok(all)
}

fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.len() <= DIGITS_MAX;
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    (is_number && is_digits)
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(word: &str) -> Vec<String> {
        entry(word).unwrap().names
    }

    #[test]
    fn ranges_are_written_out() {
        assert_eq!(names("node[1-3,12]"), ["node1", "node2", "node3", "node12"]);
        assert_eq!(names("n[08-10].lab"), ["n08.lab", "n09.lab", "n10.lab"]);
        assert_eq!(names("r[1-2]-n[1-2]"), ["r1-n1", "r1-n2", "r2-n1", "r2-n2"]);
        assert_eq!(names("n[0-1]"), ["n0", "n1"]);
        assert_eq!(names("10.0.0.[1-2]"), ["10.0.0.1", "10.0.0.2"]);
    }

    #[test]
    fn users_and_counts() {
        let found = entry("DOMAIN\\bob@node1:4!").unwrap();
        assert_eq!(found.user.as_deref(), Some("DOMAIN\\bob"));
        let slots = Slots {
            count: 4,
            is_limit: true,
        };
        assert_eq!(
            (found.names, found.slots),
            (vec!["node1".to_owned()], Some(slots))
        );
        assert_eq!(entry("a:*").unwrap().slots, None);
        assert_eq!(
            entry("bob@corp@a").unwrap().user.as_deref(),
            Some("bob@corp")
        );
    }

    #[test]
    fn ipv6() {
        let slots = Slots {
            count: 2,
            is_limit: false,
        };
        let found = entry("bob@[2001:db8::1]:2").unwrap();
        assert_eq!(
            (found.names, found.slots),
            (vec!["2001:db8::1".to_owned()], Some(slots))
        );
        assert_eq!(names("[fe80::1%eth0]"), ["fe80::1%eth0"]);
        assert_eq!(names("2001:db8::1"), ["2001:db8::1"]);
        assert!(entry("[fe80::1%]").is_err() && entry("[::g]").is_err());
    }

    #[test]
    fn one_host_is_one() {
        for (text, read) in [
            ("10.0.0.7", "10.0.0.7"),
            ("[fd00::7]", "fd00::7"),
            ("a-ib.lab", "a-ib.lab"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(read));
        }
        for text in [
            "",
            "-oProxyCommand=x",
            "a b",
            "n[1-2]",
            "a@b",
            "a:4",
            "[fd00::7",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_that_ssh_would_take_for_an_option() {
        for word in [
            "-oProxyCommand=x",
            "a@-o",
            "-l@a",
            "a b",
            "a;b",
            "$(x)@a",
            "`x`",
            "a/b",
            "_[-1]",
        ] {
            assert!(entry(word).is_err(), "{word}");
        }
    }

    #[test]
    fn too_many_are_refused_before_they_are_made() {
        for word in [
            "n[1-65535]",
            "n[0-999999999]",
            "n[1-999][1-999][1-999]",
            "n[1-60000,1-60000]",
        ] {
            assert_eq!(entry(word), Err(Problem::TooMany), "{word}");
        }
        assert_eq!(names("n[1-65534]").len(), HOSTS_MAX);
    }

    proptest! {
        #[test]
        fn ranges_that_we_write_are_read_back(
            names in proptest::collection::btree_set("(node|n0|x)[0-9]{0,3}(\\.lab)?", 1..40)
        ) {
            let written: Vec<String> = names.into_iter().collect();
            let ranges = crate::ui::fold::ranges(&written);
            let mut back: Vec<String> = ranges.iter().flat_map(|it| expand(it).unwrap()).collect();
            back.sort();
            prop_assert_eq!(back, written);
        }
    }
}
