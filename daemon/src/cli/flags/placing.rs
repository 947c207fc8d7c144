//! On which hosts tasks go, and on which processors there.

use super::typed::{on, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["N", "ppn", "npernode", "perhost", "ntasks-per-node", "grr"],
        values: &["N"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: true,
        help: "Number of tasks that each host gets before the next one does [default: its slots, else its \
             CPUs]",
        effect: Effect::Notes(|run, values| once(&mut run.per_host, values.one())),
    },
    Flag {
        names: &["pernode"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "As --ppn 1",
        effect: Effect::Notes(|run, _| once(&mut run.per_host, "1".into())),
    },
    Flag {
        names: &["map-by", "mapby"],
        values: &["OBJECT"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: true,
        help: "\"slot\" fills one host after the other, \"host\" (or \"node\") gives one task to each in \
             turn, \"ppr:N:node\" is --ppn N; core, socket, numa and hwthread fill hosts as slot does, \
             and say with --bind-to which of them the next task gets; after ':' PE=N, OVERSUBSCRIBE and \
             NOOVERSUBSCRIBE [default: slot]",
        effect: Effect::Notes(|run, values| once(&mut run.map_by, values.one())),
    },
    Flag {
        names: &["bynode", "rr"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "As --map-by host",
        effect: Effect::Notes(|run, _| once(&mut run.map_by, "host".into())),
    },
    Flag {
        names: &["byslot"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "As --map-by slot",
        effect: Effect::Notes(|run, _| once(&mut run.map_by, "slot".into())),
    },
    Flag {
        names: &["m", "distribution"],
        values: &["block|cyclic"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "As --map-by slot or --map-by host",
        effect: Effect::Notes(|run, values| once(&mut run.map_by, values.one())),
    },
    Flag {
        names: &["rank-by"],
        values: &["slot|host"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: true,
        help: "In what order ranks are given to the tasks that were placed: \"slot\" host by host, \
             \"host\" (or \"node\") one on each host in turn [default: as they were placed]",
        effect: Effect::Notes(|run, values| once(&mut run.rank_by, values.one())),
    },
    Flag {
        names: &["bind-to", "binding", "cpu-bind"],
        values: &["OBJECT"],
        group: Group::Placing,
        scope: Scope::Job,
        shown: true,
        help: "Bind each task to a core, socket, numa or hwthread of its own, or to several (\"core:2\"), \
             or to the CPUs \"user:0,2,4\" in turn; \"none\" leaves it to the system; where there are \
             more tasks than objects they share them in turn [default: none]",
        effect: Effect::Notes(|run, values| once(&mut run.bind_to, values.one())),
    },
    Flag {
        names: &["bind-to-core"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "As --bind-to core",
        effect: Effect::Notes(|run, _| once(&mut run.bind_to, "core".into())),
    },
    Flag {
        names: &["bind-to-socket"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "As --bind-to socket",
        effect: Effect::Notes(|run, _| once(&mut run.bind_to, "socket".into())),
    },
    Flag {
        names: &["bind-to-none"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "As --bind-to none",
        effect: Effect::Notes(|run, _| once(&mut run.bind_to, "none".into())),
    },
    Flag {
        names: &["cpus-per-proc", "cpus-per-rank", "cpus-per-task"],
        values: &["N"],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "Bind each task to N cores (as --map-by :PE=N)",
        effect: Effect::Notes(|run, values| once(&mut run.cores, values.one())),
    },
    Flag {
        names: &["cpu-set", "cpu-list"],
        values: &["LIST"],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "Bind to these CPUs alone, e.g. 0-3,8",
        effect: Effect::Notes(|run, values| once(&mut run.cpus, values.one())),
    },
    Flag {
        names: &["report-bindings"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Job,
        shown: true,
        help: "Each task tells on stderr what it was bound to, before its program begins",
        effect: Effect::Notes(|run, _| on(&mut run.report_bindings)),
    },
    Flag {
        names: &["oversubscribe", "overcommit", "O"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "More tasks than slots are placed (as they are anyway, up to max-slots=)",
        effect: Effect::Notes(|run, _| {
            run.oversubscribe = Some(true);
            Ok(())
        }),
    },
    Flag {
        names: &["nooversubscribe", "no-oversubscribe"],
        values: &[],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "Fail when there are more tasks than slots",
        effect: Effect::Notes(|run, _| {
            run.oversubscribe = Some(false);
            Ok(())
        }),
    },
    Flag {
        names: &["npersocket", "ntasks-per-socket"],
        values: &["N"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "tasks are counted per host: write --ppn N; --map-by socket --bind-to socket spreads them over the sockets",
        ),
    },
    Flag {
        names: &["rankfile", "rf"],
        values: &["FILE"],
        group: Group::Placing,
        scope: Scope::Program,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "rank files are not read: name the hosts in the order of the ranks with -H a,b,a and bind with --bind-to user:0,2",
        ),
    },
    Flag {
        names: &["gpus-per-proc", "g", "gpus-per-task"],
        values: &["N"],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "GPUs are not given out: set CUDA_VISIBLE_DEVICES from MPI_LOCALRANKID in a script that starts the program",
        ),
    },
    Flag {
        names: &["membind", "mem-bind"],
        values: &["POLICY"],
        group: Group::Placing,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused("memory is not bound: start the program with numactl"),
    },
];
