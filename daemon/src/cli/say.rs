//! Our words on stderr and stdout. Unlike the macros of std, these survive a closed pipe.

use super::exit::Exit;
use std::io::Write;

/// One line on stderr: `<who>: <line>`.
pub fn error(who: &str, line: &str) {
    raw(&format!("{who}: {line}"));
}

/// One line on stderr.
pub fn raw(line: &str) {
    // Nobody can be told that stderr cannot be written.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What was asked for, on stdout.
pub fn out(text: &str) -> Exit {
    let mut stdout = std::io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Signal(libc::SIGPIPE),
        Err(error) => {
            self::error("pvm", &format!("cannot write to stdout: {error}"));
            Exit::Ours
        }
    }
}

/// JSON that was asked for, on stdout, in one line.
pub fn json(value: &serde_json::Value) -> Exit {
    out(&format!("{value}\n"))
}

/// clap's findings, in one line; help goes to stdout.
pub fn clap_error(who: &str, error: &clap::Error) -> Exit {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => out(&error.render().to_string()),
        _ => {
            let text = error.render().to_string();
            let words: Vec<&str> = text
                .lines()
                .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
                .flat_map(str::split_whitespace)
                .collect();
            let line = words.join(" ");
            let line = line.strip_prefix("error: ").unwrap_or(&line);
            self::error(who, &format!("{line}; see: {who} --help"));
            Exit::Usage
        }
    }
}
