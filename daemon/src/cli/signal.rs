//! Names of signals, for people.

/// Signals that people name, with what the shell would say when one kills a program.
const SIGNALS: &[(i32, &str, &str)] = &[
    (libc::SIGHUP, "HUP", "hangup"),
    (libc::SIGINT, "INT", "interrupt"),
    (libc::SIGQUIT, "QUIT", "quit"),
    (libc::SIGILL, "ILL", "illegal instruction"),
    (libc::SIGTRAP, "TRAP", "trace trap"),
    (libc::SIGABRT, "ABRT", "abort"),
    (libc::SIGBUS, "BUS", "bus error"),
    (libc::SIGFPE, "FPE", "arithmetic error"),
    (libc::SIGKILL, "KILL", "killed"),
    (libc::SIGUSR1, "USR1", "user signal 1"),
    (libc::SIGSEGV, "SEGV", "segmentation fault"),
    (libc::SIGUSR2, "USR2", "user signal 2"),
    (libc::SIGPIPE, "PIPE", "broken pipe"),
    (libc::SIGALRM, "ALRM", "alarm clock"),
    (libc::SIGTERM, "TERM", "terminated"),
    (libc::SIGCHLD, "CHLD", "child status"),
    (libc::SIGCONT, "CONT", "continue"),
    (libc::SIGSTOP, "STOP", "stopped"),
    (libc::SIGTSTP, "TSTP", "stopped from the keyboard"),
    (libc::SIGTTIN, "TTIN", "background read"),
    (libc::SIGTTOU, "TTOU", "background write"),
    (libc::SIGURG, "URG", "urgent data"),
    (libc::SIGXCPU, "XCPU", "CPU time limit"),
    (libc::SIGXFSZ, "XFSZ", "file size limit"),
    (libc::SIGVTALRM, "VTALRM", "virtual timer"),
    (libc::SIGPROF, "PROF", "profiling timer"),
    (libc::SIGWINCH, "WINCH", "window size"),
    (libc::SIGIO, "IO", "input or output possible"),
    (libc::SIGPWR, "PWR", "power failure"),
    (libc::SIGSYS, "SYS", "bad system call"),
];

/// Highest signal number of Linux.
const SIGNAL_MAX: i32 = 64;

/// `SIGSEGV`, or `signal 40` for one without a name.
pub fn name(signal: i32) -> String {
    match SIGNALS.iter().find(|(number, ..)| *number == signal) {
        Some((_, name, _)) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// `SIGSEGV (segmentation fault)`.
pub fn described(signal: i32) -> String {
    match SIGNALS.iter().find(|(number, ..)| *number == signal) {
        Some((libc::SIGKILL, ..)) => name(signal),
        Some((_, name, meaning)) => format!("SIG{name} ({meaning})"),
        None => name(signal),
    }
}

/// Reads `TERM`, `SIGTERM`, `sigterm` or `15`.
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=SIGNAL_MAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let found = SIGNALS.iter().find(|(_, name, _)| *name == bare);
    found.map(|(number, ..)| *number)
}

/// All names, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    SIGNALS.iter().map(|(_, name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(parse(text), Some(15), "{text}");
        }
        for text in ["", "0", "65", "-1", "TERMS"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(described(11), "SIGSEGV (segmentation fault)");
        assert_eq!(described(40), "signal 40");
    }
}
