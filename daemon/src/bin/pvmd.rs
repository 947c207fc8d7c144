//! pvmd: the daemon of the parallel virtual machine.

use clap::{Parser, Subcommand};
use pvm_daemon::host::detach::{self, Readiness, Side, Word};
use pvm_daemon::host::keeper;
use pvm_daemon::server::{self, Options};
use std::process::ExitCode;
use std::time::Duration;

/// The daemon of the parallel virtual machine: one per user and host.
#[derive(Parser)]
#[command(name = "pvmd", version)]
struct Arguments {
    /// Name of this daemon; several daemons of different names are several hosts
    #[arg(long, default_value_t = pvm::session::daemon_name())]
    name: String,
    /// Leave after this many seconds without clients, jobs and tasks
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// Stay in the foreground and log to standard error
    #[arg(long)]
    foreground: bool,
    #[command(subcommand)]
    job: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
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
    if let Some(Inner::Keeper { open_files, .. }) = arguments.job {
        keeper::main(open_files)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options {
        name: arguments.name,
        idle: arguments.idle.map(Duration::from_secs),
        foreground: arguments.foreground,
    };
    if options.foreground {
        return Ok(tell(server::run(&options, Readiness::nobody())?));
    }
    match detach::fork()? {
        Side::Starter(Word::Ready) => Ok(ExitCode::SUCCESS),
        Side::Starter(Word::AlreadyRunning(text)) => Ok(tell(Some(text))),
        Side::Starter(Word::Failed(text)) => {
            eprintln!("{text}");
            Ok(ExitCode::FAILURE)
        }
        Side::Daemon(readiness) => Ok(tell(server::run(&options, readiness)?)),
    }
}

fn tell(already_running: Option<String>) -> ExitCode {
    already_running
        .iter()
        .for_each(|text| eprintln!("pvmd: {text}"));
    ExitCode::SUCCESS
}
