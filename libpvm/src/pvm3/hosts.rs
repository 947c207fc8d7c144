//! The hosts of the virtual machine.

use super::encoding::{architecture, signature};
use super::machine::Machine;
use super::{Error, Pvm, Result, tid};
use crate::datatype::Form;
use crate::wire::control::{HostInfo, ListHosts, from_daemon, to_daemon};
use std::collections::BTreeSet;

/// PVM's measure of speed when nobody has set one.
const SPEED: i32 = 1000;

/// One line of `pvm_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its number in the virtual machine.
    pub index: u32,
    /// Id of its daemon.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// Its architecture, as PVM names it.
    pub architecture: String,
    /// Its relative speed.
    pub speed: i32,
    /// How its numbers look in memory.
    pub signature: i32,
}

/// All hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTable {
    /// By index.
    pub hosts: Vec<Host>,
    /// How many different data signatures there are.
    pub formats: usize,
}

impl<M: Machine> Pvm<M> {
    /// The hosts of the virtual machine.
    pub fn config(&mut self) -> Result<HostTable> {
        let answer = self.call(to_daemon::Body::ListHosts(ListHosts::default()))?;
        let from_daemon::Body::HostList(list) = answer else {
            return Err(Error::SysErr);
        };
        let hosts: Vec<Host> = list.hosts.into_iter().map(Host::from).collect();
        let formats: BTreeSet<i32> = hosts.iter().map(|host| host.signature).collect();
        Ok(HostTable {
            formats: formats.len(),
            hosts,
        })
    }

    /// Whether a host is part of the machine, by name.
    pub fn host_status(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(Error::BadParam);
        }
        let known = self.config()?.hosts.iter().any(|host| host.name == name);
        known.then_some(()).ok_or(Error::NoHost)
    }

    /// Fails unless the host of this id is part of the machine.
    pub(super) fn host_exists(&mut self, id: i32) -> Result<()> {
        let id = tid::to_host(id);
        let known = self.config()?.hosts.iter().any(|host| host.tid == id);
        known.then_some(()).ok_or(Error::NoHost)
    }
}

impl From<HostInfo> for Host {
    fn from(info: HostInfo) -> Self {
        let form = Form::of_host(info.format);
        Self {
            index: info.index,
            tid: tid::of_host(info.index),
            name: info.name,
            architecture: architecture(form).to_owned(),
            speed: SPEED,
            signature: signature(form) as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::DataFormat;

    #[test]
    fn hosts_are_told_apart_by_their_numbers() {
        let like = DataFormat::here();
        let mips = DataFormat {
            big_endian: true,
            long_size: 4,
            pointer_size: 4,
            ..like
        };
        let host = |format| {
            Host::from(HostInfo {
                format,
                ..HostInfo::default()
            })
        };
        let (ours, theirs) = (host(Some(like)), host(Some(mips)));
        assert_eq!(ours, host(None));
        assert_eq!(ours.signature, signature(Form::HERE) as i32);
        assert_eq!(theirs.signature, 0x0080_8882);
        assert_eq!(theirs.architecture, "LINUX");
    }
}
