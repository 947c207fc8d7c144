//! Variables.

use super::typed::{Inherited, inherit, many};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["x"],
        values: &["NAME[=VALUE]"],
        group: Group::Environment,
        scope: Scope::Program,
        shown: true,
        help: "Set an environment variable for this program; without VALUE it is passed on as it is here, \
             and several names can be parted by commas (the environment is passed on anyway, but what \
             means something on this host alone)",
        effect: Effect::Notes(|run, values| many(&mut run.environment, values.one())),
    },
    Flag {
        names: &["env"],
        values: &["NAME", "VALUE"],
        group: Group::Environment,
        scope: Scope::Program,
        shown: true,
        help: "The same in two words, or as NAME=VALUE",
        effect: Effect::Notes(|run, values| many(&mut run.environment, values.pair())),
    },
    Flag {
        names: &["envall"],
        values: &[],
        group: Group::Environment,
        scope: Scope::Program,
        shown: false,
        help: "This program gets all of our variables (the default)",
        effect: Effect::Notes(|run, _| inherit(&mut run.inherited, Inherited::All)),
    },
    Flag {
        names: &["envnone"],
        values: &[],
        group: Group::Environment,
        scope: Scope::Program,
        shown: false,
        help: "This program gets none of our variables, but those that are set for it",
        effect: Effect::Notes(|run, _| inherit(&mut run.inherited, Inherited::Nothing)),
    },
    Flag {
        names: &["envlist"],
        values: &["NAME,..."],
        group: Group::Environment,
        scope: Scope::Program,
        shown: false,
        help: "This program gets these of our variables alone",
        effect: Effect::Notes(|run, values| {
            inherit(&mut run.inherited, Inherited::Only(values.one()))
        }),
    },
    Flag {
        names: &["genv"],
        values: &["NAME", "VALUE"],
        group: Group::Environment,
        scope: Scope::Anywhere,
        shown: true,
        help: "Set an environment variable for all programs, in two words or as NAME=VALUE",
        effect: Effect::Notes(|run, values| many(&mut run.all_environment, values.pair())),
    },
    Flag {
        names: &["genvall"],
        values: &[],
        group: Group::Environment,
        scope: Scope::Anywhere,
        shown: false,
        help: "All programs get all of our variables (the default)",
        effect: Effect::Notes(|run, _| inherit(&mut run.all_inherited, Inherited::All)),
    },
    Flag {
        names: &["genvnone"],
        values: &[],
        group: Group::Environment,
        scope: Scope::Anywhere,
        shown: true,
        help: "No program gets any of our variables, but those that are set for it",
        effect: Effect::Notes(|run, _| inherit(&mut run.all_inherited, Inherited::Nothing)),
    },
    Flag {
        names: &["genvlist"],
        values: &["NAME,..."],
        group: Group::Environment,
        scope: Scope::Anywhere,
        shown: true,
        help: "All programs get these of our variables alone",
        effect: Effect::Notes(|run, values| {
            inherit(&mut run.all_inherited, Inherited::Only(values.one()))
        }),
    },
    Flag {
        names: &["export"],
        values: &["LIST"],
        group: Group::Environment,
        scope: Scope::Anywhere,
        shown: false,
        help: "As Slurm has it: ALL or NONE, and NAME or NAME=VALUE, parted by commas",
        effect: Effect::Notes(|run, values| many(&mut run.export, values.one())),
    },
];
