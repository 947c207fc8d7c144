//! Why ssh and what it started came to no good: a pure function of what was seen.

use super::answer::{Answer, Heard};
use super::trace::{State, Trace};
use super::trouble::{Cause, Trouble};
use crate::launch::problem::shortened;
use crate::launch::spec::HostSpec;

/// How ssh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself; 255 when the trouble is its own; none when nobody could tell.
    Code(Option<i32>),
    /// By a signal.
    Signal(i32),
    /// We ended it at the deadline, after this many seconds.
    TimedOut(u64),
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// How it ended.
    pub end: End,
    /// How far it had come.
    pub state: State,
    /// What ssh told.
    pub trace: Trace,
    /// What the other host told.
    pub heard: Heard,
}

/// A cause, why, and what next.
type Verdict = (Cause, String, String);

fn verdict(cause: Cause, why: impl Into<String>, next: impl Into<String>) -> Option<Verdict> {
    Some((cause, why.into(), next.into()))
}

/// The words of a daemon that has joined, or why none has.
///
/// # Errors
/// Why none has.
pub fn classify(host: &HostSpec, story: &Story) -> Result<String, Box<Trouble>> {
    if let Some(Answer::Ok(words)) = &story.heard.answer {
        return Ok(words.clone());
    }
    let (cause, why, next) = answered(story)
        .or_else(|| killed(story))
        .or_else(|| {
            if is_inside(story) {
                inside(story)
            } else {
                outside(story)
            }
        })
        .unwrap_or_else(|| unknown(story));
    let user = host
        .options
        .user
        .clone()
        .or_else(|| story.trace.user.clone());
    let address = story.trace.address.clone();
    Err(Box::new(Trouble {
        host: host.name.clone(),
        user,
        address,
        cause,
        why,
        next,
    }))
}

/// Whether the other host's shell has run our script.
fn is_inside(story: &Story) -> bool {
    story.heard.system.is_some()
}

/// The daemon there said no.
fn answered(story: &Story) -> Option<Verdict> {
    let Some(Answer::Failed { id, why, next }) = &story.heard.answer else {
        return None;
    };
    if id == "version" {
        let next = if next.is_empty() { SAME_VERSION } else { next };
        return verdict(Cause::Version, why, next);
    }
    let id = if id.is_empty() { "no reason given" } else { id };
    let why = if why.is_empty() { id } else { why };
    disk(why).or_else(|| verdict(Cause::NotJoined, why, next))
}

fn killed(story: &Story) -> Option<Verdict> {
    let signal = match story.end {
        End::Signal(signal) => signal,
        // A shell's way to say it; our own ssh, as another host's would be 255.
        End::Code(Some(code @ 129..=159)) if !is_inside(story) => code - 128,
        _ => return None,
    };
    let why = format!("its ssh was killed by signal {signal} on this host");
    verdict(Cause::Killed, why, "try again")
}

const SAME_VERSION: &str = "install the same version on both hosts";
const TRY: &str = "see what it says to: ssh {target} true";

/// What ssh says before it is let in.
fn outside(story: &Story) -> Option<Verdict> {
    own_files(story)
        .or_else(|| name(story))
        .or_else(|| host_key(story))
        .or_else(|| port(story))
        .or_else(|| account(story))
        .or_else(|| shell(story))
        .or_else(|| timed_out(story))
}

/// The first line that has one of these texts.
fn line<'a>(story: &'a Story, texts: &[&str]) -> Option<&'a str> {
    let has = |line: &&String| texts.iter().any(|text| line.contains(text));
    story.trace.lines.iter().find(has).map(String::as_str)
}

/// What follows a text in a line.
fn after<'a>(story: &'a Story, text: &str) -> Option<&'a str> {
    let found = story
        .trace
        .lines
        .iter()
        .find_map(|line| line.split_once(text));
    found.map(|(_, rest)| rest.trim())
}

fn own_files(story: &Story) -> Option<Verdict> {
    if let Some(path) = after(story, "Bad owner or permissions on ") {
        let why = format!("ssh does not trust {path}: others may write it");
        return verdict(Cause::SshOptions, why, format!("type: chmod 600 {path}"));
    }
    let options = [
        "Bad configuration option",
        "bad configuration option",
        "unknown option",
        "illegal option",
    ];
    if let Some(line) = line(story, &options) {
        let next = "mend ~/.ssh/config or the setting PVM_SSH";
        return verdict(Cause::SshOptions, shortened(line), next);
    }
    if line(story, &["Cannot execute command-line and remote command"]).is_some() {
        let why = "the ssh configuration has a RemoteCommand for this host";
        return verdict(
            Cause::SshOptions,
            why,
            "take RemoteCommand out of ~/.ssh/config",
        );
    }
    None
}

fn name(story: &Story) -> Option<Verdict> {
    let said = after(story, "Could not resolve hostname ")?;
    let reason = said.rsplit_once(": ").map_or("", |(_, reason)| reason);
    if reason.contains("Temporary failure") {
        let why = format!("the name servers do not answer ({reason})");
        return verdict(
            Cause::SlowName,
            why,
            "check the network of this host, or give the address in place of the name",
        );
    }
    let why = format!("its name has no address ({reason})");
    verdict(
        Cause::UnknownName,
        why,
        "check the spelling, or give its address, or add it to /etc/hosts",
    )
}

fn host_key(story: &Story) -> Option<Verdict> {
    let changed = [
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "differs from the key for the IP address",
    ];
    if line(story, &changed).is_some() {
        let place = after(story, "Offending ").and_then(|rest| rest.split_once(" key in "));
        let place = place.map(|(_, place)| place);
        let noted = place.map_or(String::new(), |place| format!(" (noted in {place})"));
        let why = format!("its host key is another than before{noted}");
        return verdict(
            Cause::HostKeyChanged,
            why,
            "ask why; if it is all right type: ssh-keygen -R {host}",
        );
    }
    if line(
        story,
        &["Host key verification failed", "host key is known for"],
    )
    .is_some()
    {
        let why = "its host key is not known here";
        return verdict(
            Cause::HostKeyUnknown,
            why,
            "look at it and accept it once: ssh {target} true",
        );
    }
    let none = ["no matching", "Unable to negotiate"];
    let line = line(story, &none)?;
    let what = line
        .split_once("no matching ")
        .map_or(line, |(_, what)| what);
    let why = format!("no common {}", shortened(what));
    verdict(
        Cause::NoCommonMethod,
        why,
        "update the older of the two, or allow it in ~/.ssh/config",
    )
}

fn port(story: &Story) -> Option<Verdict> {
    let port = after(story, " port ").map(|rest| rest.split([':', ' ']).next().unwrap_or(rest));
    let port = port
        .filter(|port| port.bytes().all(|b| b.is_ascii_digit()))
        .unwrap_or("22");
    if let Some(line) = line(
        story,
        &["No route to host", "Network is unreachable", "Host is down"],
    ) {
        let reason = line.rsplit_once(": ").map_or(line, |(_, reason)| reason);
        let why = format!("this host cannot reach its address ({reason})");
        return verdict(
            Cause::NoRoute,
            why,
            "check that it is on and in the same network: ping {host}",
        );
    }
    if line(story, &["Connection refused"]).is_some() {
        let why = format!("nobody listens at its port {port} (Connection refused)");
        return verdict(
            Cause::Refused,
            why,
            "start sshd there, or give its port in ~/.ssh/config",
        );
    }
    if line(story, &["during banner exchange"]).is_some() {
        let why = format!("something listens at its port {port}, but does not speak ssh");
        return verdict(Cause::HungUp, why, TRY);
    }
    if line(
        story,
        &["Connection timed out", "Operation timed out", "timed out"],
    )
    .is_some()
    {
        let why =
            format!("its port {port} does not answer: it is off, or a firewall drops packets");
        return verdict(
            Cause::NoAnswer,
            why,
            "check that it is on: ping {host}; open the port in its firewall",
        );
    }
    None
}

fn account(story: &Story) -> Option<Verdict> {
    let file = after(story, "Permissions ").and_then(|rest| rest.split('\'').nth(1));
    let is_open = line(story, &["UNPROTECTED PRIVATE KEY FILE", "bad permissions"]).is_some();
    if let (true, Some(file)) = (is_open, file) {
        let why = format!("ssh does not use the private key {file}: others may read it");
        return verdict(Cause::KeyFile, why, format!("type: chmod 600 {file}"));
    }
    if line(story, &["Too many authentication failures"]).is_some() {
        let why = "too many authentication failures: ssh offered every key of its agent";
        return verdict(
            Cause::NotLetIn,
            why,
            "name the key in ~/.ssh/config with IdentityFile and IdentitiesOnly yes",
        );
    }
    if let Some(methods) = after(story, "Permission denied (") {
        let methods = methods.split(')').next().unwrap_or(methods);
        let by_password = methods.contains("password") || methods.contains("keyboard");
        let next = if by_password {
            "type: ssh-copy-id {target}"
        } else {
            ADD_KEY
        };
        let whom = match &story.trace.user {
            Some(user) => format!(" for user {user}"),
            None => String::new(),
        };
        return verdict(
            Cause::NotLetIn,
            format!("permission denied ({methods}){whom}"),
            next,
        );
    }
    let closed = [
        "kex_exchange_identification",
        "ssh_exchange_identification",
        "Connection closed by",
        "Connection reset by",
    ];
    line(story, &closed)?;
    let why = "its ssh server hangs up before it lets anybody in (too many at a time, or this host is barred)";
    verdict(
        Cause::HungUp,
        why,
        "see its log: journalctl -u ssh; sshd_config MaxStartups, fail2ban, hosts.deny",
    )
}

const ADD_KEY: &str =
    "add your public key to ~/.ssh/authorized_keys there, or load the right key here: ssh-add";

/// Let in, but the shell never came to our script.
fn shell(story: &Story) -> Option<Verdict> {
    let expired = [
        "has expired",
        "change your password",
        "nologin",
        "account is locked",
    ];
    let said = line(story, &expired).or(story.heard.noise.first().map(String::as_str));
    let is_over = matches!(story.end, End::Code(code) if code != Some(255));
    match said {
        Some(said) if is_over => {
            let why = format!("the shell there ended at once: {}", shortened(said));
            verdict(
                Cause::NoShell,
                why,
                "give the user a shell there, and see: ssh {target} true",
            )
        }
        None if is_over && story.trace.state >= State::Start => {
            let why = "the shell there ended at once and said nothing";
            verdict(
                Cause::NoShell,
                why,
                "look for exit or exec in the start-up files of the shell there",
            )
        }
        _ => None,
    }
}

fn timed_out(story: &Story) -> Option<Verdict> {
    let End::TimedOut(seconds) = story.end else {
        return None;
    };
    match story.state {
        State::Queued | State::Resolve => {
            let why = format!("no address for its name within {seconds} s");
            verdict(
                Cause::SlowName,
                why,
                "check the name servers of this host, or give the address in place of the name",
            )
        }
        State::Dial => {
            let why =
                format!("no answer within {seconds} s: it is off, or a firewall drops packets");
            verdict(
                Cause::NoAnswer,
                why,
                "check that it is on: ping {host}; open the port in its firewall",
            )
        }
        State::Authenticate => {
            let why = format!(
                "its ssh server accepted the connection and did not let us in within {seconds} s"
            );
            verdict(
                Cause::HungUp,
                why,
                "see where it stays: ssh -v {target} true",
            )
        }
        _ => {
            let said = story.heard.noise.last();
            let said = said.map_or(String::new(), |said| {
                format!("; it said: {}", shortened(said))
            });
            let why = format!(
                "the shell there did not get through its start-up files within {seconds} s{said}"
            );
            verdict(
                Cause::ShellStuck,
                why,
                "see where it stays: ssh {target} true; guard what is for terminals only",
            )
        }
    }
}

/// What happened after our script had begun.
fn inside(story: &Story) -> Option<Verdict> {
    let text = story.trace.lines.join("\n");
    if story.heard.started.is_none() {
        return story
            .heard
            .none
            .as_ref()
            .and_then(|path| no_pvmd(story, path))
            .or_else(|| timed_out(story));
    }
    if let Some(found) = disk(&text) {
        return Some(found);
    }
    if text.contains("unexpected argument") || text.contains("unrecognized") {
        let started = story.heard.started.as_deref().unwrap_or("pvmd");
        let why = format!("{started} there is of another version and cannot join");
        return verdict(Cause::Version, why, SAME_VERSION);
    }
    if let End::TimedOut(seconds) = story.end {
        let why = format!(
            "pvmd was started there and has not joined within {seconds} s: it may not reach this host's port (firewall)"
        );
        return verdict(Cause::JoinStuck, why, "let UDP through between the hosts");
    }
    if line(
        story,
        &[
            "closed by remote host",
            "Broken pipe",
            "Connection reset",
            "Timeout, server",
        ],
    )
    .is_some()
    {
        return verdict(
            Cause::Lost,
            "the connection to it broke while pvmd was starting there",
            "try again",
        );
    }
    None
}

fn no_pvmd(story: &Story, path: &str) -> Option<Verdict> {
    const INSTALL: &str =
        "install pvm there, or give the path of its pvmd: dx=PATH in the host file";
    let Some((program, said)) = story.heard.skipped.first() else {
        let why = format!("there is no pvmd in PATH ({path}), ~/.cargo/bin and ~/.local/bin there");
        return verdict(Cause::NoPvmd, why, INSTALL);
    };
    let has = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let said = shortened(said);
    if has(&["not executable", "ermission denied"]) {
        let why = format!("{program} there may not be executed");
        return verdict(
            Cause::NotExecutable,
            why,
            format!("type: ssh {{target}} chmod +x {program}"),
        );
    }
    if has(&["GLIBC", "shared libraries", "required by", "ld-linux"]) {
        let why = format!("{program} cannot run there: {said}");
        return verdict(Cause::NoLibrary, why, "build or install pvm on that host");
    }
    if has(&[
        "Exec format",
        "cannot execute",
        "yntax error",
        "ELF",
        "not found",
    ]) {
        let system = story.heard.system.as_deref().unwrap_or_default();
        let why = format!("{program} is not for its system, {system}");
        return verdict(Cause::WrongSystem, why, "build or install pvm on that host");
    }
    if said.starts_with("pvmd ") || said.is_empty() {
        return verdict(
            Cause::AnotherPvmd,
            format!("{program} there does not say its version"),
            INSTALL,
        );
    }
    verdict(
        Cause::AnotherPvmd,
        format!("{program} there is something else: {said}"),
        INSTALL,
    )
}

fn disk(text: &str) -> Option<Verdict> {
    if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
        return verdict(
            Cause::DiskFull,
            "a disk there is full",
            "see which: ssh {target} df -h",
        );
    }
    if text.contains("Read-only file system") {
        let next = "let PVM_RUNTIME_DIR there name a directory that can be written";
        return verdict(
            Cause::ReadOnly,
            "pvmd there cannot write its runtime directory: read-only file system",
            next,
        );
    }
    None
}

fn unknown(story: &Story) -> Verdict {
    let said = story.trace.lines.last().or(story.heard.noise.last());
    let said = said.map_or("it said nothing".to_owned(), |line| shortened(line));
    let who = if is_inside(story) {
        "pvmd there"
    } else {
        "ssh"
    };
    let how = match story.end {
        End::Code(Some(255)) if is_inside(story) => "was killed or lost its connection".to_owned(),
        End::Code(Some(code)) => format!("ended with code {code}"),
        End::Code(None) => "ended".to_owned(),
        End::Signal(signal) => format!("was killed by signal {signal}"),
        End::TimedOut(seconds) => format!("took more than {seconds} s"),
    };
    (Cause::Ended, format!("{who} {how}: {said}"), TRY.to_owned())
}
