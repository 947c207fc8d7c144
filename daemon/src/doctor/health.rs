//! Each host by itself: limits, memory, file systems, and what its system allows.

use super::{Finding, View, Weight};
use crate::ui::text;
use pvm::limits::STAGE_FREE_MIN;
use pvm::wire::control::{FileSystem, HostHealth, Limit, Logout, Room};

/// Fewer tasks than this are few.
const TASKS_FEW: u64 = 64;
/// Fewer files of a task than this are few: libraries, pipes, sockets.
const FILES_FEW: u64 = 256;
/// Less memory that may be locked, in bytes, than Linux has ever given.
const LOCKED_LITTLE: u64 = 64 << 10;
/// Less memory than this is little.
const MEMORY_LITTLE_KIB: u64 = 128 << 10;
/// A smaller /dev/shm is one that container software gives when nobody has asked for more.
const SHM_SMALL_KIB: u64 = 128 << 10;
/// Less room than this for sockets, locks and a log is too little; programs that are copied leave it.
const RUNTIME_LITTLE_KIB: u64 = STAGE_FREE_MIN >> 10;
/// See [`RUNTIME_LITTLE_KIB`].
const RUNTIME_FILES_FEW: u64 = 64;
/// File systems that several hosts share: a socket there is not found again, a lock is not sure.
const SHARED: &[&str] = &[
    "nfs", "smb", "cifs", "smb2", "afs", "ceph", "lustre", "gpfs", "beegfs",
];

type Said = (&'static str, Weight, [String; 3]);

/// What is found of the hosts, one after the other.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for examined in &view.picture.examined {
        let name = view.name(examined.host);
        let said = match (&examined.failure, examined.health.as_deref()) {
            (Some(failure), _) => vec![silent(failure)],
            (None, None) => vec![no_health()],
            (None, Some(health)) => of_one(health),
        };
        let of = |(id, weight, texts)| Finding::of(&name, id, weight, texts);
        found.extend(said.into_iter().map(of));
    }
    found
}

fn texts(what: &str, why: &str, next: &str) -> [String; 3] {
    [what, why, next].map(str::to_owned)
}

fn silent(failure: &pvm::wire::control::Failure) -> Said {
    let what = "its daemon has not told what it sees";
    let why = format!("{}: {}", failure.what, failure.why);
    let next = match failure.next.is_empty() {
        true => "see whether it is stopped, on that host: pgrep -a pvmd",
        false => &failure.next,
    };
    ("no-answer", Weight::Problem, texts(what, &why, next))
}

fn no_health() -> Said {
    let what = "its system has not told how it is";
    let why = "something there does not answer, most likely the file system of a server";
    let next = "see which, on that host: df";
    ("no-health", Weight::Problem, texts(what, why, next))
}

fn of_one(health: &HostHealth) -> Vec<Said> {
    let found = [
        tasks(health),
        open_files(health.open_files.as_ref()),
        memory(health.memory.as_ref()),
        group_memory(health.group_memory.as_ref()),
        shared_memory(&health.no_shared_memory),
        runtime_dir(health.runtime_dir.as_ref()),
        cpus(health),
        locked_memory(health.locked_memory.as_ref()),
        reading(health),
        shm(health.shm.as_ref()),
        logout(health.logout()),
    ];
    found.into_iter().flatten().collect()
}

fn tasks(health: &HostHealth) -> Option<Said> {
    let what = format!(
        "at most {} can be started",
        text::count(health.tasks_max as usize, "more task")
    );
    let texts = [what, health.tasks_bound.clone(), health.tasks_next.clone()];
    (health.tasks_max < TASKS_FEW).then_some(("few-tasks", Weight::Problem, texts))
}

fn open_files(limit: Option<&Limit>) -> Option<Said> {
    let limit = limit.filter(|limit| limit.soft < FILES_FEW)?;
    let what = format!("a task may open {} files only", limit.soft);
    let why = "the limit of open files (ulimit -n)";
    let next = "raise 'ulimit -n' where pvmd is started, and start pvmd again";
    Some(("open-files", Weight::Problem, texts(&what, why, next)))
}

fn locked_memory(limit: Option<&Limit>) -> Option<Said> {
    let limit = limit.filter(|limit| limit.soft < LOCKED_LITTLE)?;
    let what = format!(
        "a task may lock {} of memory only",
        text::kibibytes(limit.soft >> 10)
    );
    let why =
        "the limit of locked memory (ulimit -l); PVM locks none, libraries for special networks do";
    let next = "raise 'ulimit -l' where pvmd is started if your programs need it";
    Some(("locked-memory", Weight::Note, texts(&what, why, next)))
}

fn memory(room: Option<&Room>) -> Option<Said> {
    let room = room.filter(|room| room.free_kib < MEMORY_LITTLE_KIB)?;
    let what = format!("only {} of memory are left", text::kibibytes(room.free_kib));
    let why = format!("of {} in all", text::kibibytes(room.total_kib));
    let next = "see who has it, on that host: ps aux --sort=-rss | head";
    Some(("memory", Weight::Problem, texts(&what, &why, next)))
}

fn group_memory(room: Option<&Room>) -> Option<Said> {
    let room = room.filter(|room| room.free_kib < MEMORY_LITTLE_KIB)?;
    let what = format!(
        "only {} of memory are left to pvmd and its tasks",
        text::kibibytes(room.free_kib)
    );
    let why = format!(
        "the control group that pvmd is in may use {}",
        text::kibibytes(room.total_kib)
    );
    let next = "raise the limit of the container or service";
    Some(("group-memory", Weight::Problem, texts(&what, &why, next)))
}

fn shared_memory(trouble: &str) -> Option<Said> {
    let what = "tasks cannot share memory, so none can attach";
    let next = "see whether the system allows memfd_create";
    let said = ("shared-memory", Weight::Problem, texts(what, trouble, next));
    (!trouble.is_empty()).then_some(said)
}

fn shm(system: Option<&FileSystem>) -> Option<Said> {
    let total = system?.room.as_ref()?.total_kib;
    let what = format!("/dev/shm has room for {} only", text::kibibytes(total));
    let why = "PVM does not use it, other software may";
    let next = "with containers: --shm-size";
    let said = ("dev-shm", Weight::Note, texts(&what, why, next));
    (total < SHM_SMALL_KIB).then_some(said)
}

fn runtime_dir(system: Option<&FileSystem>) -> Option<Said> {
    const NEXT: &str = "let PVM_RUNTIME_DIR name a directory of that host";
    let Some(system) = system else {
        let what = "the directory of pvmd's sockets is gone";
        let why = "somebody has removed it";
        let next = "end the daemon and start it again: pvm halt";
        return Some(("runtime-dir-gone", Weight::Problem, texts(what, why, next)));
    };
    let path = &system.path;
    if SHARED.contains(&system.kind.as_str()) {
        let what = format!("{path}, where pvmd has its sockets, is on {}", system.kind);
        let why = "sockets and locks do not work there as they have to";
        return Some((
            "runtime-dir-shared",
            Weight::Problem,
            texts(&what, why, NEXT),
        ));
    }
    let free = system.room.as_ref().map_or(u64::MAX, |room| room.free_kib);
    let is_counted = system.files > 0;
    let why = match (free, system.files_free) {
        (free, _) if free < RUNTIME_LITTLE_KIB => {
            format!("{} are left there", text::kibibytes(free))
        }
        (_, files) if is_counted && files < RUNTIME_FILES_FEW => {
            format!("room for {files} more files is left there")
        }
        _ => return None,
    };
    let what = format!("{path}, where pvmd has its sockets, is full");
    let next = format!("make room, or {NEXT}");
    Some(("runtime-dir-full", Weight::Problem, [what, why, next]))
}

fn cpus(health: &HostHealth) -> Option<Said> {
    let (used, there) = (health.cpus, health.cpus_online);
    let what = format!("tasks may use {used} of {there} CPUs");
    let why = "an affinity mask or a quota says so";
    let next = "widen it where pvmd is started if that is not meant";
    (used < there).then(|| ("cpus", Weight::Note, texts(&what, why, next)))
}

fn reading(health: &HostHealth) -> Option<Said> {
    let what = "a task may not read another one's memory";
    let slower = "large messages inside the host are copied twice";
    let (why, next) = match (health.reads_memory, health.ptrace_scope) {
        (true, ..=0) => return None,
        (true, scope) => (
            format!("kernel.yama.ptrace_scope is {scope}; {slower}"),
            "the administrator may set it to 0",
        ),
        (false, _) => (
            format!("the system refuses process_vm_readv; {slower}"),
            "with containers: --cap-add SYS_PTRACE",
        ),
    };
    Some(("reading-memory", Weight::Note, texts(what, &why, next)))
}

fn logout(fate: Logout) -> Option<Said> {
    let texts = match fate {
        Logout::DoesNothing => return None,
        Logout::KillsSession => texts(
            "pvmd and its tasks are killed when the session ends that has started pvmd",
            "KillUserProcesses in the settings of systemd-logind",
            "make it a service there: loginctl enable-linger, systemctl --user enable --now pvmd",
        ),
        Logout::EndsServices => texts(
            "pvmd and its tasks end with the user's last session",
            "systemd ends the services of users who do not linger",
            "let the user linger there: loginctl enable-linger",
        ),
    };
    Some(("logout", Weight::Note, texts))
}
