//! Tasks, hosts, errors.

use super::strings::{fill, trimmed};
use super::subroutines;
use crate::entry::call;
use crate::errors::pvm_perror;
use crate::hosts::{pvm_mstat, pvm_tidtohost};
use crate::processes::*;
use libc::{c_char, c_int};
use pvm::pvm3::{Error, Host, Result, TaskEntry};
use std::ptr::null;
use std::sync::{Mutex, PoisonError};

subroutines! {
    /// See `pvm_mytid`.
    pvmfmytid_ pvmfmytid pvmfmytid__ PVMFMYTID (tid: *mut c_int) {
        *tid = pvm_mytid();
    }

    /// See `pvm_parent`.
    pvmfparent_ pvmfparent pvmfparent__ PVMFPARENT (tid: *mut c_int) {
        *tid = pvm_parent();
    }

    /// See `pvm_exit`.
    pvmfexit_ pvmfexit pvmfexit__ PVMFEXIT (info: *mut c_int) {
        *info = pvm_exit();
    }

    /// See `pvm_kill`.
    pvmfkill_ pvmfkill pvmfkill__ PVMFKILL (tid: *mut c_int, info: *mut c_int) {
        *info = pvm_kill(*tid);
    }

    /// See `pvm_sendsig`.
    pvmfsendsig_ pvmfsendsig pvmfsendsig__ PVMFSENDSIG (tid: *mut c_int, signal: *mut c_int, info: *mut c_int) {
        *info = pvm_sendsig(*tid, *signal);
    }

    /// See `pvm_pstat`.
    pvmfpstat_ pvmfpstat pvmfpstat__ PVMFPSTAT (tid: *mut c_int, status: *mut c_int) {
        *status = pvm_pstat(*tid);
    }

    /// See `pvm_tidtohost`.
    pvmftidtohost_ pvmftidtohost pvmftidtohost__ PVMFTIDTOHOST (tid: *mut c_int, host: *mut c_int) {
        *host = pvm_tidtohost(*tid);
    }

    /// See `pvm_tidtohost`; the manual has this name.
    pvmftidtoh_ pvmftidtoh pvmftidtoh__ PVMFTIDTOH (tid: *mut c_int, host: *mut c_int) {
        *host = pvm_tidtohost(*tid);
    }

    /// See `pvm_mstat`.
    pvmfmstat_ pvmfmstat pvmfmstat__ PVMFMSTAT (host: *mut c_char, status: *mut c_int, len: usize) {
        let host = trimmed(host, len);
        *status = pvm_mstat(host.as_ptr());
    }

    /// See `pvm_perror`.
    pvmfperror_ pvmfperror pvmfperror__ PVMFPERROR (msg: *mut c_char, info: *mut c_int, len: usize) {
        let msg = trimmed(msg, len);
        *info = pvm_perror(msg.as_ptr());
    }

    /// See `pvm_spawn`; the place `*` stands for anywhere.
    pvmfspawn_ pvmfspawn pvmfspawn__ PVMFSPAWN (task: *mut c_char, flags: *mut c_int, place: *mut c_char, n: *mut c_int, tids: *mut c_int, started: *mut c_int, task_len: usize, place_len: usize) {
        let (task, place) = (trimmed(task, task_len), trimmed(place, place_len));
        let place = match place.as_bytes() {
            b"*" => null(),
            _ => place.as_ptr(),
        };
        *started = pvm_spawn(task.as_ptr(), null(), *flags, place, *n, tids);
    }

    /// One sibling per call, by index; with index -1 only how many there are.
    pvmfsiblings_ pvmfsiblings pvmfsiblings__ PVMFSIBLINGS (count: *mut c_int, index: *mut c_int, tid: *mut c_int) {
        *count = call("pvmfsiblings", |task| {
            let siblings = task.siblings()?;
            match usize::try_from(*index).ok().map(|at| siblings.get(at)) {
                None => {}
                Some(Some(sibling)) => *tid = *sibling,
                Some(None) => return Err(Error::BadParam),
            }
            Ok(siblings.len() as c_int)
        });
    }

    /// One host per call; `nhost` -1 begins anew.
    pvmfconfig_ pvmfconfig pvmfconfig__ PVMFCONFIG (nhost: *mut c_int, narch: *mut c_int, dtid: *mut c_int, name: *mut c_char, arch: *mut c_char, speed: *mut c_int, info: *mut c_int, name_len: usize, arch_len: usize) {
        let restart = *nhost == -1;
        *info = call("pvmfconfig", |task| {
            let (host, count) = HOSTS.step(restart, || {
                let table = task.config()?;
                *narch = table.formats as c_int;
                Ok(table.hosts)
            })?;
            *nhost = count;
            *dtid = host.tid;
            *speed = host.speed;
            fill(name, name_len, host.name.as_bytes());
            fill(arch, arch_len, host.architecture.as_bytes());
            Ok(0)
        });
    }

    /// One task per call; `ntask` -1 begins anew.
    pvmftasks_ pvmftasks pvmftasks__ PVMFTASKS (place: *mut c_int, ntask: *mut c_int, tid: *mut c_int, ptid: *mut c_int, dtid: *mut c_int, flag: *mut c_int, aout: *mut c_char, info: *mut c_int, aout_len: usize) {
        let restart = *ntask == -1;
        *info = call("pvmftasks", |task| {
            let (entry, count) = TASKS.step(restart, || task.tasks(*place))?;
            *ntask = count;
            *tid = entry.tid;
            *ptid = entry.parent;
            *dtid = entry.host;
            *flag = entry.flag;
            fill(aout, aout_len, entry.program.as_bytes());
            Ok(1)
        });
    }
}

static HOSTS: Walk<Host> = Walk::new();
static TASKS: Walk<TaskEntry> = Walk::new();

/// A list that is given out entry by entry, then from the start.
struct Walk<T>(Mutex<(Vec<T>, usize)>);

impl<T: Clone> Walk<T> {
    const fn new() -> Self {
        Self(Mutex::new((Vec::new(), 0)))
    }

    /// The next entry and how many there are. The list is made anew at the start.
    fn step(&self, restart: bool, list: impl FnOnce() -> Result<Vec<T>>) -> Result<(T, c_int)> {
        let mut walk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if restart || walk.1 >= walk.0.len() {
            *walk = (list()?, 0);
        }
        let entry = walk.0.get(walk.1).cloned().ok_or(Error::NoTask)?;
        walk.1 += 1;
        Ok((entry, walk.0.len() as c_int))
    }
}
