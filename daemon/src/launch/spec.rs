//! One host as a host file or a list names it.

use crate::ui::{fold, text};
use std::fmt;

/// How its daemon gets started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Through ssh, which may ask nothing.
    #[default]
    Ssh,
    /// Through ssh, which may ask for a password (`so=pw`).
    Password,
    /// By hand: the user types the command there (`so=ms`).
    Manual,
}

/// What is said about a host beside its name. Nothing in it is expanded: `$HOME` and the like are
/// the other host's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// User there; none: whom ssh chooses (`lo=`, `user=`, `user@`).
    pub user: Option<String>,
    /// Tasks that it gets before others do (`slots=`, `cpu=`, `:4`).
    pub slots: Option<u32>,
    /// Tasks that it never gets more of (`max-slots=`, `slots=4!`).
    pub max_slots: Option<u32>,
    /// How its daemon is started (`so=`).
    pub start: Start,
    /// Path of pvmd there (`dx=`).
    pub daemon: Option<String>,
    /// Folders in which programs are looked up there (`ep=`).
    pub programs: Vec<String>,
    /// Working directory of tasks there (`wd=`).
    pub directory: Option<String>,
    /// Relative speed, 1 to 1000000 (`sp=`).
    pub speed: Option<u32>,
    /// Address, or name of one, where it is reached in place of what its name resolves to (`ip=`).
    pub address: Option<String>,
    /// Debugger there (`bx=`).
    pub debugger: Option<String>,
    /// Name of its virtual machine, when the user has several (`id=`).
    pub machine: Option<String>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSpec {
    /// Its name or address; an IPv6 address without its brackets.
    pub name: String,
    /// What else is said about it.
    pub options: Options,
    /// It is not started now: what is said about it counts when it is added later (`&host`).
    pub only_later: bool,
    /// Line of the file that names it first; 0 in a list.
    pub line: usize,
}

impl HostSpec {
    /// A host of which nothing but the name is known.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// Hosts as one word for a command that is to be typed: `bob@node[1-4],login`. Those of one user
/// stand together.
pub fn typed(hosts: &[HostSpec]) -> String {
    let mut users: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for host in hosts {
        let user = host.options.user.as_deref();
        match users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, names)) => names.push(&host.name),
            None => users.push((user, vec![&host.name])),
        }
    }
    let of_user = |(user, names): &(Option<&str>, Vec<&str>)| {
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let ranges = fold::ranges(names).into_iter();
        let each = ranges.map(|it| match it.contains(':') {
            true => format!("{user}[{it}]"),
            false => format!("{user}{it}"),
        });
        each.collect::<Vec<_>>().join(",")
    };
    let list = users.iter().map(of_user).collect::<Vec<_>>().join(",");
    text::word(&list).into_owned()
}

/// `user@name`, as one types it for ssh.
impl fmt::Display for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.options.user {
            Some(user) => write!(f, "{user}@{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::hostfile;

    #[test]
    fn what_is_typed_names_the_same_hosts() {
        let cases = [
            ("node3", "node3"),
            ("node2,login,node1", "'node[1-2],login'"),
            ("bob@n1,n2,bob@n2", "'bob@n[1-2],n2'"),
            ("bob@[2001:db8::7],::1", "'bob@[2001:db8::7],[::1]'"),
        ];
        for (list, expected) in cases {
            let hosts = hostfile::list(list, "HOST").unwrap().hosts;
            assert_eq!(typed(&hosts), expected);
            let back = hostfile::list(expected.trim_matches('\''), "HOST").unwrap();
            let sorted = |hosts: &[HostSpec]| {
                let mut texts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
                texts.sort();
                texts
            };
            assert_eq!(sorted(&back.hosts), sorted(&hosts));
        }
    }

    #[test]
    fn no_host_is_left_out() {
        let names: Vec<_> = ('a'..='z').map(|c| format!("{c}-host")).collect();
        let hosts: Vec<_> = names.iter().map(|name| HostSpec::named(name)).collect();
        assert_eq!(typed(&hosts), names.join(","));
    }
}
