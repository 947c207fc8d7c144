//! What a forge runs. Nothing runs only there: each step is a command of its own.

use anyhow::Result;

use crate::shell::{self, Failures};
use crate::{generate, test, tidy};

/// Formatting, generated files, lints, documentation, house rules, then every test; all failures are told at the
/// end.
pub fn run(options: &test::Options) -> Result<()> {
    let mut failures = Failures::default();
    failures.take(shell::run(
        shell::cargo().args(["fmt", "--all", "--", "--check"]),
    ));
    failures.take(tidy::run());
    failures.take(generate::run(&generate::Options { check: true }));
    failures.take(shell::run(shell::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny=warnings",
    ])));
    failures.take(shell::run(
        shell::cargo()
            .args([
                "doc",
                "--workspace",
                "--exclude=xtask",
                "--lib",
                "--no-deps",
            ])
            .env(
                "RUSTDOCFLAGS",
                shell::flags_with("RUSTDOCFLAGS", "--deny=warnings"),
            ),
    ));
    failures.take(test::run(options));
    failures.into_result()
}
