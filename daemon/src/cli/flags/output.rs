//! Input and output.

use super::typed::{on, once};
use super::{Effect, Flag, Group, Scope};

/// The options.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["l", "tag-output", "label", "prepend-rank"],
        values: &[],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Begin each line of output with the rank of its task, as in `[3] text`",
        effect: Effect::Notes(|run, _| on(&mut run.tag)),
    },
    Flag {
        names: &["prepend-pattern"],
        values: &["TEXT"],
        group: Group::Output,
        scope: Scope::Job,
        shown: false,
        help: "Begin each line of output with this text: %r is the rank, %h the host, %p the process id, \
             %j the job",
        effect: Effect::Notes(|run, values| once(&mut run.prefix, values.one())),
    },
    Flag {
        names: &["timestamp-output", "timestamp"],
        values: &[],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Begin each line of output with the time (UTC)",
        effect: Effect::Notes(|run, _| on(&mut run.timestamp)),
    },
    Flag {
        names: &["outfile-pattern", "outfile", "o"],
        values: &["FILE"],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Write the standard output of tasks to files, and not here: in the name %r (or %t) is the \
             rank, %h (or %N) the host, %p the process id, %j the job",
        effect: Effect::Notes(|run, values| once(&mut run.out_file, values.one())),
    },
    Flag {
        names: &["errfile-pattern", "errfile", "e"],
        values: &["FILE"],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "The same for standard error",
        effect: Effect::Notes(|run, values| once(&mut run.err_file, values.one())),
    },
    Flag {
        names: &["output-filename"],
        values: &["DIR[:nocopy]"],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Write the output of each task also to DIR/1/rank.N/stdout and stderr; with :nocopy not \
             here",
        effect: Effect::Notes(|run, values| once(&mut run.output_folder, values.one())),
    },
    Flag {
        names: &["merge-stderr-to-stdout"],
        values: &[],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Pass standard error of the tasks on as standard output",
        effect: Effect::Notes(|run, _| on(&mut run.merge)),
    },
    Flag {
        names: &["output"],
        values: &["HOW,..."],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "\"lines\" never mixes the lines of two tasks; \"raw\" passes bytes on as they come; also \
             tag, timestamp, merge and dir=DIR [default: lines]",
        effect: Effect::Notes(|run, values| once(&mut run.output, values.one())),
    },
    Flag {
        names: &["u", "unbuffered"],
        values: &[],
        group: Group::Output,
        scope: Scope::Job,
        shown: false,
        help: "As --output raw",
        effect: Effect::Notes(|run, _| once(&mut run.output, "raw".into())),
    },
    Flag {
        names: &["stdin", "s", "i", "input"],
        values: &["RANK|all|none"],
        group: Group::Output,
        scope: Scope::Job,
        shown: true,
        help: "Who reads our standard input: one rank, \"all\" (each gets a copy) or \"none\" [default: \
             0]",
        effect: Effect::Notes(|run, values| once(&mut run.stdin, values.one())),
    },
    Flag {
        names: &["output-from"],
        values: &["LIST"],
        group: Group::Output,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "output is not chosen by rank: write -l and pick lines, or --outfile-pattern 'out.%r'",
        ),
    },
    Flag {
        names: &["xml", "parsable", "parseable"],
        values: &[],
        group: Group::Output,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "output has no XML form: write -l for the rank of each line, --json for the report",
        ),
    },
    Flag {
        names: &["xterm"],
        values: &["LIST"],
        group: Group::Output,
        scope: Scope::Job,
        shown: false,
        help: "",
        effect: Effect::Refused(
            "windows are not opened: write --outfile-pattern 'out.%r', or start xterm -e PROGRAM",
        ),
    },
];
