//! Network cards whose cable is a file descriptor. The one system call here has no safe interface.

use crate::lab;
use anyhow::{Context, Result};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Makes a network card in a namespace. It is gone when the file is closed.
pub fn open(namespace: &str, name: &str) -> Result<File> {
    lab::inside(namespace, || make(name))?
        .with_context(|| format!("network card {name} in {namespace}"))
}

fn make(name: &str) -> Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: ifreq is plain data of C, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    anyhow::ensure!(name.len() < request.ifr_name.len(), "'{name}' is too long");
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the descriptor is open, the request is a whole ifreq that outlives the call, which is
    // what TUNSETIFF reads and writes.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } {
        0 => {
            rustix::io::ioctl_fionbio(&file, true)?;
            Ok(file)
        }
        _ => Err(std::io::Error::last_os_error().into()),
    }
}
