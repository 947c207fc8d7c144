//! Hosts that are not part of the virtual machine: whether they could be.

use super::{Finding, Weight};
use crate::launch::fold::fold;
use crate::launch::spec::HostSpec;
use crate::launch::ssh::Outcome;

/// What came of trying ssh, for each host.
pub fn findings(hosts: &[HostSpec], outcomes: &[Outcome]) -> Vec<Finding> {
    let troubles = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let mut found: Vec<Finding> = troubles
        .map(|trouble| {
            let failure = trouble.failure();
            let texts = [failure.what, failure.why, failure.next];
            let (host, id) = (trouble.host.clone(), trouble.cause.id());
            Finding::about(vec![host], id, Weight::Problem, texts)
        })
        .collect();
    let reached = hosts.iter().zip(outcomes);
    let reached = reached.filter(|(_, outcome)| outcome.is_ok());
    let names: Vec<String> = reached.map(|(host, _)| host.name.clone()).collect();
    if !names.is_empty() {
        found.push(could_join(names));
    }
    found
}

fn could_join(names: Vec<String>) -> Finding {
    let list = fold(&names);
    let what = format!("{list} could be part of the virtual machine");
    let why = "ssh gets there, and pvmd runs there".to_owned();
    let texts = [what, why, format!("type: pvm add {list}")];
    Finding::about(names, "could-join", Weight::Note, texts)
}
