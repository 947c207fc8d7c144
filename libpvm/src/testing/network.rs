//! Where the hosts of a virtual machine of a test are.

use crate::settings;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// Where `ip netns` keeps its names.
const NAMESPACES: &str = "/run/netns";

/// The network of the machine that the test runs on, or one for each host.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// Names of network namespaces begin so; the number of the host follows.
    namespaces: Option<String>,
}

impl Network {
    /// As [`settings::TEST_NETWORK`] says.
    pub(super) fn from_environment() -> Self {
        Self {
            namespaces: std::env::var(settings::TEST_NETWORK).ok(),
        }
    }

    /// Runs a function on a host (from 1): sockets that it makes, and processes that it starts, are there.
    ///
    /// # Errors
    /// When there is no such network, or this process must not use it.
    ///
    /// # Panics
    /// When the function does.
    pub(super) fn at<R: Send>(
        &self,
        host: usize,
        function: impl FnOnce() -> R + Send,
    ) -> io::Result<R> {
        if self.namespaces.is_none() {
            return Ok(function());
        }
        let inside = || self.enter(host).map(|()| function());
        std::thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Moves this thread to a host, for good.
    ///
    /// # Errors
    /// As [`Network::at`].
    pub(super) fn enter(&self, host: usize) -> io::Result<()> {
        let Some(prefix) = &self.namespaces else {
            return Ok(());
        };
        let path = Path::new(NAMESPACES).join(format!("{prefix}{host}"));
        let namespace = File::open(path)?;
        let kind = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(namespace.as_fd(), kind)?)
    }
}
