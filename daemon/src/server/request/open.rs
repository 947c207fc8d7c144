//! OpenVm, IssueToken, RemoveHost: which hosts belong.

use super::{Reply, failure};
use crate::cluster::mesh::MeshOptions;
use crate::cluster::trust::Secret;
use crate::server::fabric::{self, FabricOptions};
use crate::server::hub::{Asked, Hub, Shared};
use pvm::wire::control::{
    Failure, FailureCode, Halt, IssueToken, RemoveHost, TokenIssued, VmOpened, from_daemon,
    to_daemon,
};
use std::time::Duration;

impl Hub {
    /// Opens the virtual machine for other hosts, unless it is open.
    pub(super) fn open_vm(&mut self, asked: Asked, stay: bool) -> Reply {
        self.stays |= stay;
        self.check_serves("opening the virtual machine")?;
        if self.fabric.is_some() {
            return Ok(Some(self.opened()?));
        }
        self.opening.push(asked);
        if self.opening.len() == 1 {
            self.spawn(open);
        }
        Ok(None)
    }

    fn opened(&self) -> Result<from_daemon::Body, Failure> {
        let secret = self.place.secret.as_ref().map_err(|why| not_open(why))?;
        Ok(from_daemon::Body::VmOpened(VmOpened {
            addresses: self.mesh_addresses(),
            secret_file: secret.display().to_string(),
            next_host: self.registry.hosts().next_index().into(),
            leaves: !self.stays && (self.facts.idle.is_some() || self.stays_with.is_some()),
        }))
    }

    /// Where other hosts reach this daemon.
    pub(super) fn mesh_addresses(&self) -> Vec<String> {
        let addresses = self.fabric.as_ref().map(|fabric| fabric.addresses());
        let addresses = addresses.into_iter().flatten();
        addresses.map(|address| address.to_string()).collect()
    }

    /// How this daemon takes part in a virtual machine of several hosts.
    pub(in crate::server) fn fabric_options(&self) -> FabricOptions {
        FabricOptions {
            mesh: MeshOptions {
                host: self.facts.host.clone(),
                ..self.place.mesh.clone()
            },
            key: self.place.key.clone(),
            number: None,
        }
    }

    pub(super) fn issue_token(&mut self, issue: &IssueToken) -> Reply {
        const WHAT: &str = "cannot give out a token";
        let fabric = self.fabric.as_ref().ok_or_else(|| {
            let why = "the virtual machine is not open for other hosts";
            failure(FailureCode::FailureMalformed, WHAT, why, "")
        })?;
        let lifetime = Duration::from_secs(issue.lifetime_s);
        let token = fabric.mesh.issue_token(lifetime, issue.uses.max(1));
        let token = token.map_err(|error| {
            let why = error.to_string();
            failure(
                FailureCode::FailureResources,
                WHAT,
                why,
                "wait until some expire",
            )
        })?;
        Ok(Some(from_daemon::Body::TokenIssued(TokenIssued {
            token: token.to_string(),
        })))
    }

    pub(super) fn remove_host(&mut self, asked: Asked, remove: RemoveHost) -> Reply {
        let candidates = self.candidates();
        let Some(host) = crate::job::place::find(&remove.host, &candidates) else {
            return Err(failure(
                FailureCode::FailureNoSuchHost,
                format!("cannot remove host '{}'", remove.host),
                "it is not part of the virtual machine",
                "'pvm conf' lists the hosts",
            ));
        };
        let halt = Halt {
            force: remove.force,
            ..Halt::default()
        };
        let refused = move |mut failure: Failure| {
            if failure.code() == FailureCode::FailureBusy {
                failure.what = format!("cannot remove host '{}'", remove.host);
                failure.next = format!("wait for it, or type: pvm delete --force {}", remove.host);
            }
            failure
        };
        if host.index == self.hosts.me.index {
            return self.halt_here(asked, halt.force).map_err(refused);
        }
        self.ask_host_soon(
            host.index,
            to_daemon::Body::Halt(halt),
            move |hub, result| {
                hub.conclude(asked, gone_is_done(result).map_err(refused));
            },
        );
        Ok(None)
    }
}

/// That a host is gone is what was asked for.
pub fn gone_is_done(
    result: Result<from_daemon::Body, Failure>,
) -> Result<from_daemon::Body, Failure> {
    match result {
        Err(failure) if failure.code() == FailureCode::FailureHostLost => {
            Ok(from_daemon::Body::Done(Default::default()))
        }
        result => result,
    }
}

async fn open(hub: Shared) {
    let outcome = try_open(&hub).await;
    let mut hub = hub.borrow_mut();
    let reply = outcome.and_then(|()| hub.opened());
    for asked in std::mem::take(&mut hub.opening) {
        hub.conclude(asked, reply.clone());
    }
    hub.submit_deferred();
}

async fn try_open(hub: &Shared) -> Result<(), Failure> {
    let (path, options) = {
        let hub = hub.borrow();
        (hub.place.secret.clone(), hub.fabric_options())
    };
    let path = path.map_err(|why| not_open(&why))?;
    let secret = Secret::load_or_create(&path).map_err(|error| not_open(&error.to_string()))?;
    let found = fabric::found(hub, secret, options).await;
    found.map_err(|error| not_open(&error.to_string()))
}

fn not_open(why: &str) -> Failure {
    failure(
        FailureCode::FailureResources,
        "cannot open the virtual machine for other hosts",
        why,
        "",
    )
}
