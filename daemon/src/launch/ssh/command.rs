//! The command lines: ours, which runs ssh, and the one that ssh hands to the other host's shell.
//!
//! That shell may be any: sh, bash, csh, fish. So the remote command is `exec /bin/sh -c` with one
//! script in single quotes that has no single quote, no newline and no exclamation mark in it. The
//! script looks for a pvmd that works there, and becomes it. No secret is in a command line.

use super::super::spec::{HostSpec, Start};
use pvm::limits::SSH_CONNECT_S;
use pvm::settings;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that the shell runs, then tries the paths in turn: `$0` is
/// how many, then the paths, then the arguments of pvmd. A pvmd that says its version is one of
/// ours and can run there; PVM 3's does not.
const SCRIPT: &str = r#"printf "\npvm-shell %s\n" "`uname -sm`"; n=$0; l=; while test $n -gt 0; do case $1 in "~/"*) c=$HOME/${1#"~/"};; *) c=$1;; esac; shift; n=$((n-1)); test -n "$l" && continue; q=`command -v "$c" 2>/dev/null`; if test -x "$q"; then :; else case $c in */*) test -e "$c" && printf "pvm-skip %s: not executable\n" "$c";; esac; continue; fi; v=`"$q" --version 2>&1 </dev/null | head -n 1`; case $v in "pvmd "[0-9]*) l=$q;; *) printf "pvm-skip %s: %s\n" "$q" "$v";; esac; done; if test -z "$l"; then printf "pvm-none %s\n" "$PATH"; exit 127; fi; printf "pvm-exec %s\n" "$l"; exec "$l" "$@""#;

/// Runs ssh and says how it ended where the daemon that we may be in, which reaps every child,
/// cannot take that away.
const WRAPPER: &str = r#""$@"; printf "\n%s%s\n" "pvm-exit " "$?" >&2"#;

/// What precedes the exit code on standard error.
pub const EXIT: &str = "pvm-exit ";

/// The user's ssh: a program and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh(Vec<String>);

impl Ssh {
    /// The one that the environment names, else `ssh`.
    pub fn from_environment() -> Self {
        Self::from_text(&std::env::var(settings::SSH).unwrap_or_default())
    }

    /// From one text: words that spaces part, quotes keep together.
    pub fn from_text(text: &str) -> Self {
        let words = split(text);
        Self(if words.is_empty() {
            vec!["ssh".to_owned()]
        } else {
            words
        })
    }

    /// Its program.
    pub fn program(&self) -> &str {
        &self.0[0]
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        let is_file = |path: PathBuf| path.is_file();
        let program = self.program();
        if program.contains('/') {
            return is_file(program.into());
        }
        std::env::var_os(settings::PATH)
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| is_file(dir.join(program))))
    }

    /// Whether it takes the options of OpenSSH and tells its steps.
    fn is_openssh(&self) -> bool {
        Path::new(self.program())
            .file_name()
            .is_some_and(|name| name == "ssh")
    }

    /// Its arguments for a host and a command there.
    pub fn arguments(&self, host: &HostSpec, remote: &str) -> Vec<String> {
        let mut words = self.0.clone();
        if self.is_openssh() {
            let batch = if host.options.start == Start::Password {
                "no"
            } else {
                "yes"
            };
            // -v tells the steps; a forwarding of the user's own could fail and end it.
            words.extend(["-v", "-T", "-x", "-o"].map(str::to_owned));
            words.push(format!("BatchMode={batch}"));
            words.extend(["-o".to_owned(), format!("ConnectTimeout={SSH_CONNECT_S}")]);
            words.extend(["-o".to_owned(), "ClearAllForwardings=yes".to_owned()]);
            if let Some(address) = &host.options.address {
                // Its key is the host's, wherever it is reached.
                words.extend(["-o".to_owned(), format!("HostName={address}")]);
                words.extend(["-o".to_owned(), format!("HostKeyAlias={}", host.name)]);
            }
        }
        if let Some(user) = &host.options.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        let address = host.options.address.as_ref();
        let target = address.filter(|_| !self.is_openssh()).unwrap_or(&host.name);
        words.extend([target.clone(), remote.to_owned()]);
        words
    }
}

/// The command that runs ssh.
pub fn local(ssh: &Ssh, host: &HostSpec, remote: &str) -> Command {
    let words = ssh.arguments(host, remote);
    if host.options.start == Start::Password {
        // It asks at the terminal, so it must stay in the group that has it.
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        return command;
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WRAPPER, "sh"]).args(words);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// The command for the other host's shell: a pvmd with these arguments. `own` is where the pvmd is
/// that starts it: on machines that share a file system it is the right one there too.
pub fn remote(host: &HostSpec, own: Option<&Path>, arguments: &[String]) -> String {
    let candidates = candidates(host, own);
    let mut line = format!("exec /bin/sh -c {} {}", quoted(SCRIPT), candidates.len());
    for word in candidates.iter().chain(arguments) {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    line
}

/// Where pvmd may be, best first.
fn candidates(host: &HostSpec, own: Option<&Path>) -> Vec<String> {
    if let Some(path) = &host.options.daemon {
        return vec![path.clone()];
    }
    let own = own.and_then(Path::to_str).map(str::to_owned);
    let usual = ["pvmd", "~/.cargo/bin/pvmd", "~/.local/bin/pvmd"];
    own.into_iter().chain(usual.map(str::to_owned)).collect()
}

/// One word for any shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    // Control characters are in no argument of ours; csh would end the line there.
    let word: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Words of a text; quotes of both kinds keep spaces together.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostSpec {
        HostSpec::named(name)
    }

    #[test]
    fn ssh_and_its_arguments() {
        let mut bob = host("node1");
        bob.options.user = Some("bob".into());
        let words = Ssh::from_text("").arguments(&bob, "exec x");
        assert_eq!(
            words.join(" "),
            "ssh -v -T -x -o BatchMode=yes -o ConnectTimeout=10 -o ClearAllForwardings=yes -l bob node1 exec x"
        );
        bob.options.start = Start::Password;
        let words = Ssh::from_text("/usr/bin/ssh -p 22 -i 'my key'").arguments(&bob, "x");
        assert_eq!(words[..5], ["/usr/bin/ssh", "-p", "22", "-i", "my key"]);
        assert!(words.contains(&"BatchMode=no".to_owned()));
        let mut elsewhere = host("a");
        let words = Ssh::from_text("rsh").arguments(&elsewhere, "x");
        assert_eq!(words, ["rsh", "a", "x"]);
        elsewhere.options.address = Some("10.0.0.7".into());
        let words = Ssh::from_text("rsh").arguments(&elsewhere, "x");
        assert_eq!(words, ["rsh", "10.0.0.7", "x"]);
        let words = Ssh::from_text("ssh").arguments(&elsewhere, "x").join(" ");
        assert!(
            words.ends_with(" -o HostName=10.0.0.7 -o HostKeyAlias=a a x"),
            "{words}"
        );
    }

    #[test]
    fn the_script_suits_every_shell() {
        assert!(!SCRIPT.contains(['\'', '!', '\n']));
        assert!(!SCRIPT.contains("\\\\") && !SCRIPT.contains("\\'"));
    }

    #[test]
    fn words_survive_a_shell() {
        let words = ["plain", "", "it's", "a b", "$HOME `x` \\ \"q\" *"];
        let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let mut shell = Command::new("/bin/sh");
        let script = format!("printf '%s\\n' {}", line.join(" "));
        let output = shell.args(["-c", &script]).output().unwrap();
        let expected: String = words.iter().map(|word| format!("{word}\n")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    /// Runs a remote command as sshd would, with a home directory of its own.
    fn there(remote: &str, home: &Path) -> (String, Option<i32>) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", remote]).env_clear();
        shell.env("HOME", home).env("PATH", "/usr/bin:/bin");
        let output = shell.output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
        )
    }

    fn script(path: &Path, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_first_pvmd_that_works_is_started() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("own place/pvmd");
        let arguments = ["--join-stdin".to_owned(), "it's".to_owned()];
        let remote = remote(&host("a"), Some(&own), &arguments);
        let (out, code) = there(&remote, home.path());
        assert!(out.contains("\npvm-shell Linux "), "{out}");
        assert!(
            out.contains("\npvm-none /usr/bin:/bin\n") && code == Some(127),
            "{out}"
        );

        script(&own, "#!/bin/sh\necho usage: pvmd3\n");
        let local = home.path().join(".local/bin/pvmd");
        script(
            &local,
            "#!/bin/sh\ntest $1 = --version && echo pvmd 0.1.0 && exit\nprintf '<%s>' \"$@\"\n",
        );
        let cargo = home.path().join(".cargo/bin/pvmd");
        std::fs::create_dir_all(cargo.parent().unwrap()).unwrap();
        std::fs::write(&cargo, "").unwrap();
        let (out, code) = there(&remote, home.path());
        let skipped = format!(
            "pvm-skip {}: usage: pvmd3\npvm-skip {}: not executable\n",
            own.display(),
            cargo.display()
        );
        assert!(out.contains(&skipped), "{out}");
        assert!(
            out.ends_with(&format!(
                "pvm-exec {}\n<--join-stdin><it's>",
                local.display()
            )),
            "{out}"
        );
        assert_eq!(code, Some(0));
    }

    #[test]
    fn a_path_from_the_host_file_is_the_only_one() {
        let mut host = host("a");
        host.options.daemon = Some("~/pvm/pvmd".into());
        let home = tempfile::tempdir().unwrap();
        script(
            &home.path().join(".local/bin/pvmd"),
            "#!/bin/sh\necho pvmd 0.1.0\n",
        );
        let (out, _) = there(&remote(&host, None, &[]), home.path());
        assert!(out.contains("pvm-none"), "{out}");
        script(
            &home.path().join("pvm/pvmd"),
            "#!/bin/sh\necho pvmd 0.1.0\n",
        );
        let (out, _) = there(&remote(&host, None, &[]), home.path());
        assert!(out.contains("/pvm/pvmd\npvmd 0.1.0\n"), "{out}");
    }
}
