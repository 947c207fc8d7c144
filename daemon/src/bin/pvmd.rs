//! pvmd: the daemon of the parallel virtual machine.

use clap::{Args, Parser, Subcommand, ValueEnum};
use pvm_daemon::host::detach::{self, Readiness, Side, Word};
use pvm_daemon::host::keeper;
use pvm_daemon::launch::ssh::answer::Answer;
use pvm_daemon::server::joining::{self, Way};
use pvm_daemon::server::{self, Options};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

/// The daemon of the parallel virtual machine: one per user and host.
#[derive(Parser)]
#[command(name = "pvmd", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    daemon: DaemonArguments,
    #[command(subcommand)]
    job: Option<Inner>,
}

#[derive(Args)]
struct DaemonArguments {
    /// Name of this daemon; several daemons of different names are several hosts
    #[arg(long, default_value_t = pvm::session::daemon_name())]
    name: String,
    /// Name of this host for the others [default: as the system says]
    #[arg(long, value_name = "NAME")]
    host_name: Option<String>,
    /// Leave after this many seconds without clients, jobs and tasks
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    foreground: bool,
    /// The one address to listen at for other hosts [default: all]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// UDP port for other hosts [default: any that is free]
    #[arg(long, value_name = "PORT", env = pvm::settings::PORT, default_value_t = 0)]
    port: u16,
    /// How direct connections between tasks are protected
    #[arg(long, env = pvm::settings::DATA, default_value = "tls")]
    data: Protection,
    /// Read from standard input which virtual machine to join; tell on standard output how it went
    #[arg(long)]
    join_stdin: bool,
    /// Tell on standard output that this program runs here, and end: 'pvm doctor' asks
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protection {
    /// Encrypted
    Tls,
    /// Both ends are known, but whoever is on the path can read along: for networks that are trusted
    Plain,
}

#[derive(Subcommand)]
enum Inner {
    /// Start a daemon that becomes a host of a virtual machine
    Join {
        /// Daemons of the virtual machine: HOST:PORT or ADDRESS:PORT; a token names them itself
        #[arg(value_name = "ADDRESS:PORT")]
        addresses: Vec<String>,
        /// From 'pvm token'; without one the secret file of the virtual machine is used
        #[arg(long)]
        token: Option<String>,
        #[command(flatten)]
        daemon: DaemonArguments,
    },
    /// The parent of one job's processes; started by pvmd only
    #[command(hide = true)]
    Keeper {
        /// Names the job in process listings
        #[arg(long)]
        job: String,
        /// Soft limit of open files for tasks
        #[arg(long)]
        open_files: Option<u64>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.daemon.check {
        println!("{}", Answer::Ok("pvmd runs here".to_owned()));
        return Ok(ExitCode::SUCCESS);
    }
    let (daemon, way) = match arguments.job {
        Some(Inner::Keeper { open_files, .. }) => {
            keeper::main(open_files)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Inner::Join {
            addresses,
            token,
            daemon,
        }) => (daemon, Some(Way::Given { addresses, token })),
        None if arguments.daemon.join_stdin => (arguments.daemon, Some(Way::Stdin)),
        None => (arguments.daemon, None),
    };
    let by_stdin = daemon.join_stdin;
    let join = match way.map(|way| joining::resolve(&way)).transpose() {
        Ok(join) => join,
        Err(error) => return Ok(failed(by_stdin, &error.to_string())),
    };
    let options = Options {
        name: daemon.name,
        idle: daemon.idle.map(Duration::from_secs),
        foreground: daemon.foreground,
        host: daemon.host_name,
        join,
        address: daemon.listen,
        port: daemon.port,
        plain_data: daemon.data == Protection::Plain,
    };
    let joins = options.join.is_some();
    if options.foreground {
        return Ok(match server::run(&options, Readiness::nobody()) {
            Ok(Some(text)) if joins => failed(by_stdin, &not_joined(&text, by_stdin)),
            Ok(already_running) => tell(already_running),
            Err(error) => failed(by_stdin, &error.to_string()),
        });
    }
    match detach::fork()? {
        Side::Starter(Word::Ready(words)) => Ok(succeeded(by_stdin, words)),
        Side::Starter(Word::AlreadyRunning(text)) => Ok(match joins {
            true => failed(by_stdin, &not_joined(&text, by_stdin)),
            false => tell(Some(text)),
        }),
        Side::Starter(Word::Failed(text)) => Ok(failed(by_stdin, &text)),
        Side::Daemon(readiness) => Ok(tell(server::run(&options, readiness)?)),
    }
}

fn tell(already_running: Option<String>) -> ExitCode {
    already_running
        .iter()
        .for_each(|text| eprintln!("pvmd: {text}"));
    ExitCode::SUCCESS
}

/// A daemon that runs is where it is: nothing has joined.
fn not_joined(running: &str, by_stdin: bool) -> String {
    match by_stdin {
        // Whoever has asked through ssh knows what to do.
        true => running.to_owned(),
        false => format!("pvmd: {running}: nothing has joined; end that one first: pvm halt"),
    }
}

/// Says that the daemon serves to whoever has started it through ssh.
fn succeeded(by_stdin: bool, words: String) -> ExitCode {
    if by_stdin {
        println!("{}", Answer::Ok(words));
    }
    ExitCode::SUCCESS
}

fn failed(by_stdin: bool, why: &str) -> ExitCode {
    match by_stdin {
        true => println!("{}", joining::answer(why)),
        false => eprintln!("{why}"),
    }
    ExitCode::FAILURE
}
