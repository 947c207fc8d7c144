//! Groups and collectives.

use super::strings::trimmed;
use super::{jumps, subroutines};
use crate::groups::*;
use crate::operators::*;
use libc::{c_char, c_int, c_void};

subroutines! {
    /// See `pvm_joingroup`.
    pvmfjoingroup_ pvmfjoingroup pvmfjoingroup__ PVMFJOINGROUP (group: *mut c_char, inum: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *inum = pvm_joingroup(group.as_ptr());
    }

    /// See `pvm_lvgroup`.
    pvmflvgroup_ pvmflvgroup pvmflvgroup__ PVMFLVGROUP (group: *mut c_char, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_lvgroup(group.as_ptr());
    }

    /// See `pvm_gsize`.
    pvmfgsize_ pvmfgsize pvmfgsize__ PVMFGSIZE (group: *mut c_char, size: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *size = pvm_gsize(group.as_ptr());
    }

    /// See `pvm_getinst`.
    pvmfgetinst_ pvmfgetinst pvmfgetinst__ PVMFGETINST (group: *mut c_char, tid: *mut c_int, inum: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *inum = pvm_getinst(group.as_ptr(), *tid);
    }

    /// See `pvm_gettid`.
    pvmfgettid_ pvmfgettid pvmfgettid__ PVMFGETTID (group: *mut c_char, inum: *mut c_int, tid: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *tid = pvm_gettid(group.as_ptr(), *inum);
    }

    /// See `pvm_barrier`.
    pvmfbarrier_ pvmfbarrier pvmfbarrier__ PVMFBARRIER (group: *mut c_char, count: *mut c_int, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_barrier(group.as_ptr(), *count);
    }

    /// See `pvm_bcast`.
    pvmfbcast_ pvmfbcast pvmfbcast__ PVMFBCAST (group: *mut c_char, tag: *mut c_int, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_bcast(group.as_ptr(), *tag);
    }

    /// See `pvm_reduce`.
    pvmfreduce_ pvmfreduce pvmfreduce__ PVMFREDUCE (func: Option<Operator>, data: *mut c_void, n: *mut c_int, kind: *mut c_int, tag: *mut c_int, group: *mut c_char, root: *mut c_int, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_reduce(func, data, *n, *kind, *tag, group.as_ptr(), *root);
    }

    /// See `pvm_scatter`.
    pvmfscatter_ pvmfscatter pvmfscatter__ PVMFSCATTER (result: *mut c_void, data: *mut c_void, n: *mut c_int, kind: *mut c_int, tag: *mut c_int, group: *mut c_char, root: *mut c_int, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_scatter(result, data, *n, *kind, *tag, group.as_ptr(), *root);
    }

    /// See `pvm_gather`.
    pvmfgather_ pvmfgather pvmfgather__ PVMFGATHER (result: *mut c_void, data: *mut c_void, n: *mut c_int, kind: *mut c_int, tag: *mut c_int, group: *mut c_char, root: *mut c_int, info: *mut c_int, len: usize) {
        let group = trimmed(group, len);
        *info = pvm_gather(result, data, *n, *kind, *tag, group.as_ptr(), *root);
    }
}

jumps!(PvmMax: pvmmax_ pvmmax pvmmax__ PVMMAX);
jumps!(PvmMin: pvmmin_ pvmmin pvmmin__ PVMMIN);
jumps!(PvmSum: pvmsum_ pvmsum pvmsum__ PVMSUM);
jumps!(PvmProduct: pvmproduct_ pvmproduct pvmproduct__ PVMPRODUCT);
