//! How many tasks of what, and where they find it.

use super::typed::{on, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["n", "np", "c", "ntasks"],
        values: &["N"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: true,
        help: "Number of tasks of this program [default: 1; with --ppn, so many on each host]",
        effect: Effect::Notes(|run, values| once(&mut run.count, values.one())),
    },
    Flag {
        names: &["soft"],
        values: &["LIST"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: false,
        help: "Numbers of tasks that are as good as that of -n: a, a:b or a:b:step, parted by commas; the \
             largest one up to -n is taken",
        effect: Effect::Notes(|run, values| once(&mut run.soft, values.one())),
    },
    Flag {
        names: &["wdir", "wd", "d", "D", "chdir"],
        values: &["DIR"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: true,
        help: "Working directory of this program's tasks [default: where pvm runs]",
        effect: Effect::Notes(|run, values| once(&mut run.directory, values.one())),
    },
    Flag {
        names: &["path"],
        values: &["DIR:..."],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: true,
        help: "Folders in which this program is looked up before PATH",
        effect: Effect::Notes(|run, values| once(&mut run.path, values.one())),
    },
    Flag {
        names: &["configfile", "app"],
        values: &["FILE"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: true,
        help: "Read programs and their options from FILE: each line is what stands between two ':'; '#' \
             begins a comment, '\\' at the end goes on in the next line",
        effect: Effect::Notes(|run, values| once(&mut run.config, values.one())),
    },
    Flag {
        names: &["stage", "preload-binary", "bcast"],
        values: &[],
        group: Group::Tasks,
        scope: Scope::Job,
        shown: true,
        help: "Copy the programs to hosts that do not have them: the program files alone, no libraries, \
             no data",
        effect: Effect::Notes(|run, _| on(&mut run.stage)),
    },
    Flag {
        names: &["initial-errhandler"],
        values: &["HANDLER"],
        group: Group::Tasks,
        scope: Scope::Job,
        shown: false,
        help: "What MPI does with errors before the program says so: mpi_errors_are_fatal, \
             mpi_errors_abort or mpi_errors_return; tasks find it in PVM_INITIAL_ERRHANDLER",
        effect: Effect::Notes(|run, values| once(&mut run.error_handler, values.one())),
    },
    Flag {
        names: &["usize"],
        values: &["N"],
        group: Group::Tasks,
        scope: Scope::Job,
        shown: false,
        help: "What MPI_UNIVERSE_SIZE is: a number, SYSTEM (the default: the CPUs of all hosts, or the tasks \
             when they are more) or INFINITE; tasks find it in PVM_UNIVERSE_SIZE",
        effect: Effect::Notes(|run, values| once(&mut run.universe, values.one())),
    },
    Flag {
        names: &["ilp64"],
        values: &[],
        group: Group::Tasks,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused("integers of 8 bytes are chosen when a program is compiled"),
    },
    Flag {
        names: &["file"],
        values: &["FILE"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "its meaning is left open by the MPI standard: write -configfile FILE for a file of programs, --hostfile FILE for a file of hosts",
        ),
    },
    Flag {
        names: &["multi-prog"],
        values: &["FILE"],
        group: Group::Tasks,
        scope: Scope::Program,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "Slurm's files of programs are not read: write -configfile FILE, with a line '-n N PROGRAM' for each program",
        ),
    },
];
