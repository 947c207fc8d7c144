//! The help page of `pvm run`, made from the table of its options, and the ends of the others: examples,
//! behaviour, exit codes.

use super::flags::{self, Group};

/// Of `pvm`.
pub const PVM: &str = "\
Examples:
  pvm run -n 8 hostname            eight tasks of any program
  pvm run -n 4 -l ./solver in.dat  each line of output begins with its rank
  pvm up --local-hosts 3           three hosts on this machine
  pvm add node1 node2              hosts through ssh
  pvm doctor                       what is wrong with the hosts and their network
  pvm ps                           which tasks are running
  pvm kill j2                      end job 2
  pvm halt                         end the virtual machine

'pvm run' starts the virtual machine by itself, and one with nothing to do goes away by itself.
'pvm <command> --help' tells more. Called as mpiexec or mpirun, pvm behaves as 'pvm run'.";

/// Columns of a help page.
const WIDTH: usize = 100;
/// Where it says what an option does.
const INDENT: usize = 10;

/// The page of `pvm run`.
pub fn of_run() -> String {
    let mut page = RUN_HEAD.to_owned();
    for (group, heading) in Group::ALL {
        let shown = flags::all().filter(|flag| flag.group == group && flag.shown);
        for (at, flag) in shown.enumerate() {
            if at == 0 {
                page += &format!("\n{heading}:\n");
            }
            page += &format!("  {}\n{}", flag.usage(), wrapped(flag.help));
        }
    }
    page + "\n" + RUN
}

/// Lines of a paragraph that is indented.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if INDENT + line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
        .iter()
        .map(|line| format!("{:INDENT$}{line}\n", ""))
        .collect()
}

const RUN_HEAD: &str = "\
Run a program as a job of N tasks; mpiexec and mpirun are other names of this

Usage: pvm run [OPTIONS] PROGRAM [ARGUMENTS]... [: [OPTIONS] PROGRAM [ARGUMENTS]...]...
";

/// The end of it; the exit codes are those of `exit::Exit`.
pub const RUN: &str = "\
Examples:
  pvm run -n 8 hostname
  pvm run -n 4 -l ./solver input.dat < parameters
  pvm run -n 1 ./master : -n 8 -wdir /data ./worker
  pvm run -n 8 --map-by host --stage ./solver
  pvm run -n 8 -H node1:4,node2:4 ./solver
  pvm run -n 2 -x DEBUG=1 --timeout 10m -- ./program --its-own-option

Options may be written with one dash or two, and with a blank or '=' before the value. They end
at the first word that is no option; after '--' even a lone ':' belongs to the program. What MPICH, Open
MPI, Intel MPI and the MPI standard call otherwise is understood too; pvm-run(1) tells all names, and which
options have no effect here.

Output: whole lines, each task's in its order. A line that is not finished is shown when nothing
more came for 200 ms (on a terminal; in a pipe 1 s, in a file never) and goes on in place; if
another task's line has to come in between, it is ended first. With one task, and with
--output=raw, bytes are passed on untouched. A newline that is missing at the very end is only
added to tagged lines.

Hosts that -H or --hostfile names and that are no hosts of the virtual machine are added first, as 'pvm
add' does it: through ssh. A host may be called by its name, short or long, by its address, or as your ssh
calls it; it is added once. When one cannot be added nothing is started, and those that could be stay. In
a virtual machine that 'pvm run' has started itself, hosts that came like this go when it does: after a
minute with nothing to do (PVM_IDLE), when it is halted, or when its daemon here is lost. In one that
stays ('pvm up') they stay, too.

Environment: tasks get all variables of 'pvm run'. On other hosts those of this session are left out (SSH_*,
DISPLAY, WAYLAND_DISPLAY, XAUTHORITY, WINDOWID, DBUS_SESSION_BUS_ADDRESS, XDG_SESSION_*, XDG_SEAT, XDG_VTNR,
GPG_TTY, TMUX, TMUX_PANE, STY, and SLURM_PROCID and the like), and HOSTNAME, TMPDIR, TMP, TEMP and
XDG_RUNTIME_DIR are as pvmd there has them. What -x names is passed on to all hosts.

--stage copies each program to the hosts that are to run it and do not find it: the file alone, no
libraries, no data. It is kept there, in the runtime directory of pvmd (PVM_RUNTIME_DIR), for the next
launch, until pvmd ends or others need the room: 4 GiB for all. Before it runs it is checked to be the
same, by its SHA-256.

Signals: ^C (SIGINT), SIGTERM and SIGHUP end the tasks (SIGTERM, and SIGKILL two seconds later);
the second one kills them at once. SIGQUIT, SIGUSR1, SIGUSR2, ^Z and SIGCONT are passed on to all
tasks.

Time: at the limit of --timeout the verdict tells what each task waited for, as 'pvm stacks' does. A job
that hangs is found with --hang-timeout: all its tasks wait in calls of MPI, and nothing has come to any of
them for so long. It is not found while a task computes, polls (MPI_Test, PVM_WAIT=spin) or waits for
something else, a file say.

Exit codes:
  0      every task succeeded
  N      the first task that failed exited with N
  128+S  the first task that failed was killed by signal S, or pvm run itself was ended by it
         (130: ^C; 141: nobody reads our output any more)
  2      the command line makes no sense
  123    all tasks waited and nothing came to any of them (--hang-timeout)
  124    the time limit (--timeout) was reached
  125    pvm run itself failed: no daemon, daemon lost, no resources, bad working directory
  126    the program cannot be executed: no permission, a directory, another architecture
  127    the program was not found
";

/// Of `pvm up`.
pub const UP: &str = "\
Examples:
  pvm up                          a virtual machine of this host that stays until 'pvm halt'
  pvm up --local-hosts 3          three hosts on this machine, to try things out
  pvm up --hostfile hosts         this host and those of a file, through ssh
  pvm up node[1-4]                the same with a list

All hosts share the secret in ~/.config/pvm/vm.key (PVM_SECRET names another file), which is made
when it is not there. What hosts say to each other is encrypted.

Exit codes: 0 done; 1 some host could not be added; 2 usage; 125 our own failure";

/// Of `pvm add`.
pub const ADD: &str = "\
Examples:
  pvm add node1                   starts pvmd on node1 with your ssh
  pvm add bob@node[1-4],node9

Exit codes: 0 done; 1 some host could not be added; 2 usage; 3 no virtual machine is running;
125 our own failure";

/// Of `pvm delete`.
pub const DELETE: &str = "\
Examples:
  pvm delete node1                refuses while jobs that were started there are running
  pvm delete --force node1        ends them

Exit codes: 0 done; 1 no such host, or it is used; 2 usage; 3 no virtual machine is running;
125 our own failure";

/// Of `pvm token`.
pub const TOKEN: &str = "\
Example:
  pvm token                       here; prints a token, good for one host and ten minutes
  pvmd join --token TOKEN         on the host that is to join, as it was printed

Whoever has the token can join: pass it on as you would a password.

Exit codes: 0 done; 2 usage; 3 no virtual machine is running; 125 our own failure";

/// Of `pvm stacks`.
pub const STACKS: &str = "\
Examples:
  pvm stacks
  pvm stacks j3
  pvm stacks j3 --json

A task says what it waits for when it has waited for a moment: the operation, from or to whom, the
tag, and since when. When most ranks of a job are in one collective, those that are not are named.

Exit codes: 0 done; 1 no such job; 2 usage; 3 no virtual machine is running; 125 our own failure";

/// Of `pvm ps`.
pub const PS: &str = "\
Examples:
  pvm ps
  pvm ps --json

Exit codes: 0 done; 2 usage; 3 no virtual machine is running; 125 our own failure";

/// Of `pvm conf`.
pub const CONF: &str = "\
Examples:
  pvm conf
  pvm conf --json

Exit codes: 0 done; 2 usage; 3 no virtual machine is running; 125 our own failure";

/// Of `pvm doctor`.
pub const DOCTOR: &str = "\
Examples:
  pvm doctor                      every host of the virtual machine, and every way between two
  pvm doctor node3                how node3 is, and whom it reaches
  pvm doctor node9                not part of the virtual machine: does ssh get there, does pvmd run
  pvm doctor --json

Each host connects to every address of every other one, anew, and looks up its name; where there are
more than 128 others, it does so with 128 of them, and each is tried by as many. The first table
has a row for each host that was asked and a column for each that it has tried: the time of a question
and its answer when they are connected, or what came of it. 'silent' is no answer, as from a host that
is off or a firewall that drops; 'rejected' is an answer of the system there, or of a firewall, that
nobody listens; 'no way' is that the system here does not send there; '?' is that the host of the row
has told nothing. Each way that is open is tried with packets of full size, too: where they are lost and
small ones are not, direct connections of tasks stand still.

The second table is how the hosts are: how far the clock is ahead of the one of the host that asks
('<' is no further than can be told), CPUs that tasks may use (of those that are there), memory that
is left, tasks that can be started, files that a task may open, memory that it may lock, whether jobs
get control groups, the release of pvmd.

Then comes a line for each finding. A problem has to be dealt with; a note is good to know. A host
that gives no answer does not keep the others: all is told within ten seconds, also what there was no
time to try.

Without a virtual machine this host alone is looked at, and hosts that are named, through ssh.

Exit codes: 0 no problem; 1 problems; 2 usage; 125 our own failure";

/// Of `pvm kill`.
pub const KILL: &str = "\
Examples:
  pvm kill t40003           SIGTERM to one task
  pvm kill j2 -s KILL       SIGKILL to every task of job 2
  pvm kill -USR1 t40003 t40004

Exit codes: 0 done; 1 no such task or job; 2 usage; 3 no virtual machine is running;
125 our own failure";

/// Of `pvm halt`.
pub const HALT: &str = "\
Examples:
  pvm halt                  refuses while jobs are running
  pvm halt --force          ends them

Exit codes: 0 done, or none was running; 1 jobs are running; 2 usage; 125 our own failure";

/// Of `pvm version`.
pub const VERSION: &str = "\
Examples:
  pvm version
  pvm version --json";

/// Of `pvm completion`.
pub const COMPLETION: &str = "\
Examples:
  eval \"$(pvm completion bash)\"         in this shell; in ~/.bashrc for all
  pvm completion fish > ~/.config/fish/completions/pvm.fish

Where 'cargo xtask install' has put pvm under /usr or /usr/local, shells find it by themselves.

Exit codes: 0 done; 2 usage";
