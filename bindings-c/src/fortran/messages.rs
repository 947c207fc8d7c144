//! Sending, receiving, probing, notification.

use super::subroutines;
use crate::messages::*;
use crate::notify::pvm_notify;
use crate::options::*;
use libc::{c_int, c_void, timeval};

subroutines! {
    /// See `pvm_send`.
    pvmfsend_ pvmfsend pvmfsend__ PVMFSEND (tid: *mut c_int, tag: *mut c_int, info: *mut c_int) {
        *info = pvm_send(*tid, *tag);
    }

    /// See `pvm_mcast`.
    pvmfmcast_ pvmfmcast pvmfmcast__ PVMFMCAST (ntask: *mut c_int, tids: *mut c_int, tag: *mut c_int, info: *mut c_int) {
        *info = pvm_mcast(tids, *ntask, *tag);
    }

    /// See `pvm_psend`.
    pvmfpsend_ pvmfpsend pvmfpsend__ PVMFPSEND (tid: *mut c_int, tag: *mut c_int, items: *mut c_void, n: *mut c_int, kind: *mut c_int, info: *mut c_int) {
        *info = pvm_psend(*tid, *tag, items, *n, *kind);
    }

    /// See `pvm_precv`.
    pvmfprecv_ pvmfprecv pvmfprecv__ PVMFPRECV (tid: *mut c_int, tag: *mut c_int, items: *mut c_void, n: *mut c_int, kind: *mut c_int, from_tid: *mut c_int, from_tag: *mut c_int, from_len: *mut c_int, info: *mut c_int) {
        *info = pvm_precv(*tid, *tag, items, *n, *kind, from_tid, from_tag, from_len);
    }

    /// See `pvm_recv`.
    pvmfrecv_ pvmfrecv pvmfrecv__ PVMFRECV (tid: *mut c_int, tag: *mut c_int, bufid: *mut c_int) {
        *bufid = pvm_recv(*tid, *tag);
    }

    /// See `pvm_nrecv`.
    pvmfnrecv_ pvmfnrecv pvmfnrecv__ PVMFNRECV (tid: *mut c_int, tag: *mut c_int, bufid: *mut c_int) {
        *bufid = pvm_nrecv(*tid, *tag);
    }

    /// See `pvm_trecv`; -1 seconds stand for ever.
    pvmftrecv_ pvmftrecv pvmftrecv__ PVMFTRECV (tid: *mut c_int, tag: *mut c_int, sec: *mut c_int, usec: *mut c_int, bufid: *mut c_int) {
        let timeout = timeval {
            tv_sec: i64::from(*sec) as _,
            tv_usec: i64::from(*usec) as _,
        };
        *bufid = match *sec {
            -1 => pvm_trecv(*tid, *tag, std::ptr::null()),
            _ => pvm_trecv(*tid, *tag, &timeout),
        };
    }

    /// See `pvm_probe`.
    pvmfprobe_ pvmfprobe pvmfprobe__ PVMFPROBE (tid: *mut c_int, tag: *mut c_int, bufid: *mut c_int) {
        *bufid = pvm_probe(*tid, *tag);
    }

    /// See `pvm_notify`.
    pvmfnotify_ pvmfnotify pvmfnotify__ PVMFNOTIFY (what: *mut c_int, tag: *mut c_int, n: *mut c_int, tids: *mut c_int, info: *mut c_int) {
        *info = pvm_notify(*what, *tag, *n, tids);
    }

    /// See `pvm_setopt`.
    pvmfsetopt_ pvmfsetopt pvmfsetopt__ PVMFSETOPT (what: *mut c_int, value: *mut c_int, old: *mut c_int) {
        *old = pvm_setopt(*what, *value);
    }

    /// See `pvm_getopt`.
    pvmfgetopt_ pvmfgetopt pvmfgetopt__ PVMFGETOPT (what: *mut c_int, value: *mut c_int) {
        *value = pvm_getopt(*what);
    }

    /// See `pvm_setcontext`.
    pvmfsetcontext_ pvmfsetcontext pvmfsetcontext__ PVMFSETCONTEXT (new: *mut c_int, old: *mut c_int) {
        *old = pvm_setcontext(*new);
    }

    /// See `pvm_getcontext`.
    pvmfgetcontext_ pvmfgetcontext pvmfgetcontext__ PVMFGETCONTEXT (context: *mut c_int) {
        *context = pvm_getcontext();
    }
}
