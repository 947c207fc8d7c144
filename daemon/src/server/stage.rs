//! Copying programs to hosts that do not have them: the host that is to start tasks asks the home of the
//! job, over a stream of its own.

use super::fabric::Fabric;
use super::failure::failure;
use super::hub::Hub;
use super::line::Carrier;
use crate::cluster::mesh::Head;
use crate::cluster::mesh::proto::Fetch;
use crate::cluster::registry::HostId;
use crate::host::stage::{self, Hash, Store};
use pvm::ids::JobId;
use pvm::limits::{NET_BATCH, STAGE_DEADLINE_MS};
use pvm::wire::control::{App, Failure, FailureCode, Launch, StagedFile};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_millis(STAGE_DEADLINE_MS);

/// What is refused when there is no such program.
const NOT_THERE: quinn::VarInt = quinn::VarInt::from_u32(1);

/// Programs of jobs of this host that others may ask for.
#[derive(Default)]
pub struct Offers(BTreeMap<Hash, (JobId, PathBuf)>);

/// Why programs could not be copied, by their hash.
pub type Troubles = BTreeMap<Hash, String>;

impl Hub {
    /// Lets other hosts ask for the programs of a job, as long as there is the job.
    pub(super) fn offer(&mut self, job: JobId, apps: &[App]) {
        let jobs = &self.jobs;
        self.offers.0.retain(|_, (job, _)| jobs.contains_key(job));
        for staged in apps.iter().filter_map(|app| app.staged.as_ref()) {
            if let Ok(hash) = stage::checked(staged) {
                let path = Path::new(OsStr::from_bytes(&staged.path)).to_owned();
                self.offers.0.insert(hash, (job, path));
            }
        }
    }

    /// The file behind an offer.
    pub(super) fn offered(&self, hash: &[u8]) -> Option<PathBuf> {
        let hash: Hash = hash.try_into().ok()?;
        let (job, path) = self.offers.0.get(&hash)?;
        self.jobs.contains_key(job).then(|| path.clone())
    }

    /// Where programs are that this host has got from others.
    pub(super) fn store(&self) -> Store {
        Store::beside(&self.facts.socket)
    }

    /// Programs of a launch that are to be copied before tasks can be prepared.
    pub(super) fn missing(&self, launch: &Launch) -> Vec<StagedFile> {
        let store = self.store();
        let mut missing: Vec<StagedFile> = Vec::new();
        for app in &launch.apps {
            let Some(staged) = &app.staged else { continue };
            let is_known = missing.iter().any(|other| other.sha256 == staged.sha256);
            let prepared = super::launch::prepare(app, launch, &store);
            let is_missing = prepared
                .is_err_and(|failure| failure.code() == FailureCode::FailureProgramNotFound);
            if is_missing && !is_known {
                missing.push(staged.clone());
            }
        }
        missing
    }
}

/// Gets programs from another host; those that could not be got, with the reason.
pub async fn fetch(
    fabric: Rc<Fabric>,
    host: HostId,
    store: &Store,
    wanted: &[StagedFile],
) -> Troubles {
    let mut troubles = Troubles::new();
    let until = tokio::time::Instant::now() + DEADLINE;
    for staged in wanted {
        let hash = match stage::checked(staged) {
            Ok(hash) => hash,
            Err(_) => continue, // It is looked for in vain, which is told.
        };
        let fetched = fetch_one(&fabric, host, store, hash, staged.size);
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
    host: HostId,
    store: &Store,
    hash: Hash,
    size: u64,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (daemon, addresses) = fabric.find(host).ok_or("the host that has it is gone")?;
    let connected = fabric.mesh.connect(daemon, &addresses).await;
    connected.map_err(|error| text(&error))?;
    let head = Head::Fetch(Fetch {
        sha256: hash.to_vec(),
    });
    let opened = fabric.mesh.open_bi(daemon, head).await;
    let (_send, mut recv) = opened.map_err(|error| text(&error))?;
    let mut arriving = store.begin(hash, size).map_err(|error| text(&error))?;
    while let Some(piece) = recv
        .read_chunk(NET_BATCH, true)
        .await
        .map_err(|error| format!("the copy broke off: {error}"))?
    {
        arriving.take(&piece.bytes).map_err(|error| text(&error))?;
    }
    arriving.finish().map_err(|error| text(&error))?;
    Ok(())
}

/// Sends a file to who has asked for it; `None`: there is none.
pub async fn serve(path: Option<PathBuf>, (mut send, _recv): Carrier) {
    let sending = async {
        let mut file = path.and_then(|path| File::open(path).ok())?;
        loop {
            let (back, piece) = read(file).await?;
            if piece.is_empty() {
                return send.finish().ok();
            }
            file = back;
            send.write_all(&piece).await.ok()?;
        }
    };
    if let Ok(None) | Err(_) = timeout(DEADLINE, sending).await {
        // It may be gone already.
        let _ = send.reset(NOT_THERE);
    }
}

/// The next piece of a file, read where it may take its time.
async fn read(mut file: File) -> Option<(File, Vec<u8>)> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; NET_BATCH];
        let len = file.read(&mut piece).ok()?;
        piece.truncate(len);
        Some((file, piece))
    });
    reading.await.ok()?
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
