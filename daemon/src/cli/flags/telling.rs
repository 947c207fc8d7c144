//! What we tell.

use super::typed::{many, on, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["display-map", "display-devel-map"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Tell at the start which rank runs on which host",
        effect: Effect::Notes(|run, _| many(&mut run.display, "map".into())),
    },
    Flag {
        names: &["display"],
        values: &["WHAT,..."],
        group: Group::Telling,
        scope: Scope::Job,
        shown: false,
        help: "As --display-map (map) and --report-bindings (bind)",
        effect: Effect::Notes(|run, values| many(&mut run.display, values.one())),
    },
    Flag {
        names: &["json"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Print the final report as one line of JSON on stderr, in place of the verdict",
        effect: Effect::Notes(|run, _| on(&mut run.json)),
    },
    Flag {
        names: &["report"],
        values: &["FILE"],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Write the final report as JSON to this file",
        effect: Effect::Notes(|run, values| once(&mut run.report, values.one())),
    },
    Flag {
        names: &["explain", "dry-run", "do-not-launch", "do-not-run"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Print what the line means, and start nothing",
        effect: Effect::Notes(|run, _| on(&mut run.explain)),
    },
    Flag {
        names: &["q", "quiet", "silent-abort"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Say nothing about how the job went: the exit code tells",
        effect: Effect::Notes(|run, _| on(&mut run.quiet)),
    },
    Flag {
        names: &["v", "verbose"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Tell what is being done, and which options have no effect",
        effect: Effect::Notes(|run, _| on(&mut run.verbose)),
    },
    Flag {
        names: &["h", "help"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Print this help",
        effect: Effect::Notes(|run, _| on(&mut run.help)),
    },
    Flag {
        names: &["V", "version", "info"],
        values: &[],
        group: Group::Telling,
        scope: Scope::Job,
        shown: true,
        help: "Print the version",
        effect: Effect::Notes(|run, _| on(&mut run.version)),
    },
];
