//! The library's tests and the examples once more, with the tasks of each on three hosts: several daemons
//! on this machine, and hosts with networks of their own, where that is possible.

use super::{Part, leave_out};
use crate::needs::Need;
use crate::shell::{self, Failures};
use pvm_cluster::Cluster;

const HOSTS: usize = 3;

/// Test programs that take as many hosts as [`TEST_HOSTS`] says.
const PROGRAMS: [&str; 7] = [
    "messages",
    "collectives",
    "life",
    "routes",
    "examples_rust",
    "c_examples",
    "mpi_programs",
];

/// Settings of the tests and of the tasks; `tidy` checks that they exist.
const TEST_HOSTS: &str = "PVM_TEST_HOSTS";
const TEST_NETWORK: &str = "PVM_TEST_NETWORK";
const ROUTE: &str = "PVM_ROUTE";
const DATA: &str = "PVM_DATA";

/// How messages go from host to host.
const WAYS: [(&str, &str); 3] = [("direct", "tls"), ("direct", "plain"), ("relay", "tls")];

/// Runs them in all ways.
pub(super) fn run(missing: &[&Need], failures: &mut Failures) -> Vec<Part> {
    let mut parts = vec![part("three local hosts", &[], missing, failures)];
    let cluster = Cluster::new(HOSTS);
    let network = cluster
        .as_ref()
        .map(|cluster| format!("{}-", cluster.name()));
    let place = match network {
        Some(_) => "networks",
        None => "local hosts",
    };
    for (route, data) in WAYS {
        let mut settings = vec![(ROUTE, route), (DATA, data)];
        settings.extend(network.as_deref().map(|network| (TEST_NETWORK, network)));
        let name = format!("{HOSTS} {place}, {route} {data}");
        parts.push(part(&name, &settings, missing, failures));
    }
    parts
}

fn part(name: &str, settings: &[(&str, &str)], missing: &[&Need], failures: &mut Failures) -> Part {
    let mut tests = shell::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    tests.args(PROGRAMS.iter().flat_map(|program| ["--test", program]));
    leave_out(&mut tests, missing);
    tests.env(TEST_HOSTS, HOSTS.to_string());
    tests.envs(settings.iter().copied());
    Part::of(name, &mut tests, failures)
}
