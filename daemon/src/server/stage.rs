//! Copying programs to hosts that do not have them: the host that is to start tasks asks the home of the
//! job, over a stream of its own.
//!
//! The home gives a program to the hosts that the job has a part on, as long as there is the job. Who
//! has got it keeps it for the next launch, and for certain while a job may start it. Files are read and
//! written aside.

use super::fabric::Fabric;
use super::failure::failure;
use super::hub::Hub;
use super::launch;
use super::line::Carrier;
use crate::cluster::mesh::Head;
use crate::cluster::mesh::proto::Fetch;
use crate::cluster::registry::HostId;
use crate::host::aside;
use crate::host::stage::store::{Held, Store};
use crate::host::stage::{self, Hash, PIECE, Source, StageError};
use pvm::ids::JobId;
use pvm::limits::STAGE_DEADLINE_MS;
use pvm::wire::control::{App, Failure, FailureCode, Launch};
use quinn::RecvStream;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_millis(STAGE_DEADLINE_MS);

/// What is refused when there is no such program.
const NOT_THERE: quinn::VarInt = quinn::VarInt::from_u32(1);

/// What a job has to do with programs that are copied.
#[derive(Default)]
pub struct Programs {
    /// Those of this host that others may ask for.
    offered: BTreeMap<Hash, PathBuf>,
    /// Those that its tasks here may be started from.
    held: BTreeMap<Hash, Held>,
}

impl Programs {
    /// Lets other hosts ask for those of a launch.
    pub fn offer(&mut self, apps: &[App]) {
        for (hash, app) in staged(apps) {
            let path = app.staged.iter().map(|it| OsStr::from_bytes(&it.path));
            self.offered.extend(path.map(|path| (hash, path.into())));
        }
    }

    /// Adds what is held for it.
    pub fn keep(&mut self, held: BTreeMap<Hash, Held>) {
        self.held.extend(held);
    }
}

/// The apps of a launch whose programs may be copied.
fn staged(apps: &[App]) -> impl Iterator<Item = (Hash, &App)> {
    apps.iter()
        .filter_map(|app| Some((stage::hash(app.staged.as_ref()?)?, app)))
}

/// Programs that are to be copied, with their sizes.
pub type Wanted = BTreeMap<Hash, u64>;

/// What came of copying the programs of a launch.
pub struct Copied {
    /// They stay.
    pub held: BTreeMap<Hash, Held>,
    /// Why some could not be copied.
    pub troubles: BTreeMap<Hash, String>,
}

impl Hub {
    /// The file that a host may have of a job's programs.
    pub(super) fn offered(&self, host: HostId, fetch: &Fetch) -> Option<PathBuf> {
        let entry = self.jobs.get(&JobId(fetch.job))?;
        let hash: Hash = fetch.sha256.as_slice().try_into().ok()?;
        let is_for = entry.parts.contains_key(&host.index);
        entry
            .programs
            .offered
            .get(&hash)
            .filter(|_| is_for)
            .cloned()
    }

    /// What a launch may be started from stays.
    pub(super) fn hold_programs(&self, launch: &Launch) -> BTreeMap<Hash, Held> {
        let hold = |(hash, _)| (hash, self.store.hold(hash));
        staged(&launch.apps).map(hold).collect()
    }

    /// Programs of a launch that are to be copied before tasks can be prepared.
    pub(super) fn missing(&self, launch: &Launch) -> Wanted {
        let is_missing = |app: &App| {
            let prepared = launch::prepare(app, launch, &self.store);
            prepared.is_err_and(|failure| launch::is_missing(&failure))
        };
        let missing = staged(&launch.apps).filter(|(_, app)| is_missing(app));
        missing
            .filter_map(|(hash, app)| Some((hash, app.staged.as_ref()?.size)))
            .collect()
    }
}

/// The host that has programs of a job.
#[derive(Clone, Copy)]
pub struct Origin {
    /// It.
    pub host: HostId,
    /// The job.
    pub job: JobId,
}

/// Gets programs from another host; those that could not be got, with the reason.
pub async fn fetch(
    fabric: Rc<Fabric>,
    origin: Origin,
    store: &Store,
    wanted: Wanted,
) -> BTreeMap<Hash, String> {
    let mut troubles = BTreeMap::new();
    let until = tokio::time::Instant::now() + DEADLINE;
    for (hash, size) in wanted {
        let fetched = fetch_one(&fabric, origin, store, (hash, size));
        let late = || format!("it takes longer than {} s", DEADLINE.as_secs());
        let fetched = tokio::time::timeout_at(until, fetched).await;
        if let Err(why) = fetched.unwrap_or_else(|_| Err(late())) {
            troubles.insert(hash, why);
        }
    }
    troubles
}

async fn fetch_one(
    fabric: &Fabric,
    origin: Origin,
    store: &Store,
    (hash, size): (Hash, u64),
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let found = fabric.find(origin.host);
    let (daemon, addresses) = found.ok_or("the host that has it is gone")?;
    let connected = fabric.mesh.connect(daemon, &addresses).await;
    connected.map_err(|error| text(&error))?;
    let head = Head::Fetch(Fetch {
        sha256: hash.to_vec(),
        job: origin.job.0,
    });
    let opened = fabric.mesh.open_bi(daemon, head).await;
    let (_send, mut recv) = opened.map_err(|error| text(&error))?;
    let store = store.clone();
    let mut arriving = files(move || store.begin(hash, size)).await?;
    let mut next = piece(&mut recv).await?;
    while !next.is_empty() {
        // One piece comes while the one before is written.
        let written = files(move || arriving.take(&next).map(|()| arriving));
        let (written, following) = tokio::join!(written, piece(&mut recv));
        (arriving, next) = (written?, following?);
    }
    files(move || arriving.finish()).await?;
    Ok(())
}

/// The next piece of what comes; nothing more at the end.
async fn piece(recv: &mut RecvStream) -> Result<Vec<u8>, String> {
    let mut piece = vec![0; PIECE];
    let mut len = 0;
    while len < PIECE {
        let read = recv.read(&mut piece[len..]).await;
        match read.map_err(|error| format!("the copy broke off: {error}"))? {
            Some(more) => len += more,
            None => break,
        }
    }
    piece.truncate(len);
    Ok(piece)
}

/// Does something with files.
async fn files<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, String> {
    let done = aside::ask(&aside::PROGRAMS, DEADLINE, work).await?;
    done.map_err(|error| error.to_string())
}

/// Sends a file to who has asked for it; `None`: there is none.
pub async fn serve(path: Option<PathBuf>, (mut send, _recv): Carrier) {
    let sending = async {
        let path = path.ok_or("there is no such program")?;
        let source = files(move || Source::open(&path)).await?;
        let (mut source, mut next) = read(source).await?;
        while !next.is_empty() {
            // One piece is read while the one before goes.
            let (following, sent) = tokio::join!(read(source), send.write_all(&next));
            sent.map_err(|error| error.to_string())?;
            (source, next) = following?;
        }
        send.finish().map_err(|error| error.to_string())
    };
    let sent = timeout(DEADLINE, sending).await;
    if let Err(why) = sent.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
        tracing::warn!("a program is not sent to another host: {why}");
        // It may be gone already.
        let _ = send.reset(NOT_THERE);
    }
}

async fn read(mut source: Source) -> Result<(Source, Vec<u8>), String> {
    files(move || source.piece().map(|piece| (source, piece))).await
}

/// That a program could not be copied here.
pub fn not_copied(app: &App, why: &str) -> Failure {
    let program = String::from_utf8_lossy(&app.program);
    failure(
        FailureCode::FailureProgramNotFound,
        format!("cannot copy '{program}'"),
        why,
        "copy it by hand, or start without --stage where it is there",
    )
}
