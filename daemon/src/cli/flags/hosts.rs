//! Which hosts.

use super::typed::{many, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &[
            "H",
            "host",
            "hosts",
            "hostlist",
            "machine",
            "machines",
            "nodelist",
            "w",
            "hosts-group",
        ],
        values: &["HOST[:N],..."],
        group: Group::Hosts,
        scope: Scope::Program,
        shown: true,
        help: "Hosts for this program's tasks, in this order: a,b:2,node[3-5]; \":2\" is the number of \
             tasks that a host gets before the next one does, and so is how often it is named; hosts \
             that are not there yet are added [default: those of the first program, else all hosts, this one first]",
        effect: Effect::Notes(|run, values| many(&mut run.hosts, values.one())),
    },
    Flag {
        names: &["f", "hostfile", "machinefile", "default-hostfile"],
        values: &["FILE"],
        group: Group::Hosts,
        scope: Scope::Program,
        shown: true,
        help: "The same from a file: one host on a line, as host:2, with slots=2 and max-slots=4, or as \
             PVM's host files have it",
        effect: Effect::Notes(|run, values| once(&mut run.hostfile, values.one())),
    },
    Flag {
        names: &["arch"],
        values: &["NAME"],
        group: Group::Hosts,
        scope: Scope::Program,
        shown: false,
        help: "Only hosts of this architecture, as 'pvm conf --json' calls it, e.g. x86_64",
        effect: Effect::Notes(|run, values| once(&mut run.architecture, values.one())),
    },
    Flag {
        names: &["nolocal", "skip-launch-node"],
        values: &[],
        group: Group::Hosts,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused("name the hosts that are to be used with -H"),
    },
    Flag {
        names: &["add-host", "add-hostfile"],
        values: &["HOST"],
        group: Group::Hosts,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "hosts that -H or --hostfile names are added by themselves: write one of these",
        ),
    },
    Flag {
        names: &["launcher", "bootstrap"],
        values: &["NAME"],
        group: Group::Hosts,
        scope: Scope::Job,
        shown: false,
        help: "How hosts are reached: ssh, which is the only way there is",
        effect: Effect::Notes(|run, values| once(&mut run.launcher, values.one())),
    },
    Flag {
        names: &["launcher-exec", "bootstrap-exec"],
        values: &["PROGRAM"],
        group: Group::Hosts,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused("set PVM_SSH to the program that is to be used in place of ssh"),
    },
];
