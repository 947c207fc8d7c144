//! Running the programs that configure networks.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a program with this on its standard input; what it printed.
pub fn run(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let line = || format!("`{program} {}`", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(line)?;
    let mut stdin = child.stdin.take().context("it has a standard input")?;
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().with_context(line)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}; its input: {input}", line(), said.trim());
    }
    written.with_context(line)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs commands of `ip` inside a namespace.
pub fn ip(namespace: &str, commands: &str) -> Result<()> {
    run("ip", &["-n", namespace, "-batch", "-"], commands).map(drop)
}

/// Runs `nft` with a script inside a namespace.
pub fn nft(namespace: &str, script: &str) -> Result<()> {
    run(
        "ip",
        &["netns", "exec", namespace, "nft", "-f", "-"],
        script,
    )
    .map(drop)
}

/// Runs `tc` inside a namespace.
pub fn tc(namespace: &str, arguments: &[&str]) -> Result<()> {
    run("tc", &[&["-n", namespace], arguments].concat(), "").map(drop)
}
