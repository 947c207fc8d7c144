//! When and how a job ends.

use super::typed::{on, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["timeout", "time"],
        values: &["TIME"],
        group: Group::Ending,
        scope: Scope::Job,
        shown: true,
        help: "End the job after this time: seconds, or a number with s, m or h [default: \
             MPIEXEC_TIMEOUT, else none]",
        effect: Effect::Notes(|run, values| once(&mut run.timeout, values.one())),
    },
    Flag {
        names: &["hang-timeout"],
        values: &["TIME"],
        group: Group::Ending,
        scope: Scope::Job,
        shown: true,
        help: "End the job when all its tasks have waited in calls for this long and nothing has come to \
             any of them; tell what for",
        effect: Effect::Notes(|run, values| once(&mut run.hang_timeout, values.one())),
    },
    Flag {
        names: &["on-failure"],
        values: &["kill|continue"],
        group: Group::Ending,
        scope: Scope::Job,
        shown: true,
        help: "When a task fails: \"kill\" ends the others, \"continue\" lets them go on [default: kill]",
        effect: Effect::Notes(|run, values| once(&mut run.on_failure, values.one())),
    },
    Flag {
        names: &[
            "disable-auto-cleanup",
            "enable-recovery",
            "continuous",
            "no-kill",
        ],
        values: &[],
        group: Group::Ending,
        scope: Scope::Job,
        shown: false,
        help: "As --on-failure continue",
        effect: Effect::Notes(|run, _| once(&mut run.on_failure, "continue".into())),
    },
    Flag {
        names: &[
            "enable-auto-cleanup",
            "disable-recovery",
            "kill-on-bad-exit",
            "K",
        ],
        values: &[],
        group: Group::Ending,
        scope: Scope::Job,
        shown: false,
        help: "As --on-failure kill",
        effect: Effect::Notes(|run, _| once(&mut run.on_failure, "kill".into())),
    },
    Flag {
        names: &["print-all-exitcodes"],
        values: &[],
        group: Group::Ending,
        scope: Scope::Job,
        shown: true,
        help: "Tell at the end how each task ended",
        effect: Effect::Notes(|run, _| on(&mut run.exit_codes)),
    },
    Flag {
        names: &["max-restarts"],
        values: &["N"],
        group: Group::Ending,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused("tasks are not started again when they fail"),
    },
];
