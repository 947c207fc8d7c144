//! The environment of a job on its way to another host. Pure.
//!
//! All of it travels but what means something where it was set alone; tasks on the host of their launcher
//! keep that, too. What was given to a program by name (`pvm run -x`) is not looked at here: it goes
//! everywhere.

use pvm::session::split_variable;
use pvm::settings::{OF_A_HOST, OF_A_SESSION};

/// What leaves the host on which an environment was taken.
pub fn leaving(environment: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let travels = |variable: &&Vec<u8>| {
        let name = name(variable);
        !is_in(OF_A_HOST, name) && !is_in(OF_A_SESSION, name)
    };
    environment.iter().filter(travels).cloned().collect()
}

/// What an environment that has come here is for tasks: with what this host, of whose daemon `own` is,
/// has in place of what was left behind.
pub fn arriving(mut environment: Vec<Vec<u8>>, own: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let own = own.into_iter();
    environment.extend(own.filter(|variable| is_in(OF_A_HOST, name(variable))));
    environment
}

fn name(variable: &[u8]) -> &[u8] {
    split_variable(variable).map_or(variable, |(name, _)| name)
}

fn is_in(table: &[&str], name: &[u8]) -> bool {
    table.iter().any(|entry| match entry.strip_suffix('*') {
        Some(begin) => name.starts_with(begin.as_bytes()),
        None => name == entry.as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|it| it.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_means_something_here_alone_stays_here() {
        let all = "PATH=/bin DISPLAY=:0 DISPLAYS=2 SSH_TTY=/dev/pts/1 SSHFS=x XDG_SESSION_ID=3 TMPDIR=/s TMPDIRS=4 NONE";
        let kept = "PATH=/bin DISPLAYS=2 SSHFS=x TMPDIRS=4 NONE";
        assert_eq!(leaving(&environment(all)), environment(kept));
        assert_eq!(leaving(&environment(kept)), environment(kept));
    }

    #[test]
    fn a_host_has_its_own() {
        let own = environment("PATH=/sbin TMPDIR=/there SSH_TTY=/dev/pts/9 HOSTNAME=b");
        let all = arriving(environment("PATH=/bin A=1"), own);
        assert_eq!(all, environment("PATH=/bin A=1 TMPDIR=/there HOSTNAME=b"));
    }
}
