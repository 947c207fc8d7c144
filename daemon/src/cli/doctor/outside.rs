//! What is found of hosts that are not part of the virtual machine: whether they could be.

use crate::doctor::{Finding, Weight};
use crate::launch::spec::{HostSpec, typed};
use crate::launch::ssh::Outcome;
use crate::ui::fold::fold;

/// What came of trying ssh, for each host; `None`: there was no time for it. `has_machine`: there is a
/// virtual machine to be part of.
pub(super) fn findings(
    hosts: &[HostSpec],
    outcomes: &[Option<Outcome>],
    has_machine: bool,
) -> Vec<Finding> {
    let troubles = outcomes.iter().flatten();
    let troubles = troubles.filter_map(|outcome| outcome.as_ref().err());
    let mut found: Vec<Finding> = troubles
        .map(|trouble| {
            let failure = trouble.failure();
            let texts = [failure.what, failure.why, failure.next];
            let (host, id) = (trouble.host.clone(), trouble.cause.id());
            Finding::about(vec![host], id, Weight::Problem, texts)
        })
        .collect();
    let those = |is_meant: fn(&Option<Outcome>) -> bool| -> Vec<HostSpec> {
        let all = hosts.iter().zip(outcomes);
        let meant = all.filter(|(_, outcome)| is_meant(outcome));
        meant.map(|(host, _)| host.clone()).collect()
    };
    found.extend(late(&those(Option::is_none)));
    let reached = those(|outcome| matches!(outcome, Some(Ok(_))));
    found.extend(could_join(&reached, has_machine));
    found
}

fn names(hosts: &[HostSpec]) -> Vec<String> {
    hosts.iter().map(|host| host.name.clone()).collect()
}

fn late(hosts: &[HostSpec]) -> Option<Finding> {
    let what = format!(
        "ssh has not been tried to the end with {}",
        fold(&names(hosts))
    );
    let why = "there was no time for it".to_owned();
    let next = format!(
        "name fewer hosts at a time: pvm doctor {}",
        typed(hosts.get(..1)?)
    );
    let texts = [what, why, next];
    Some(Finding::about(
        names(hosts),
        "not-tried",
        Weight::Problem,
        texts,
    ))
}

fn could_join(hosts: &[HostSpec], has_machine: bool) -> Option<Finding> {
    if hosts.is_empty() {
        return None;
    }
    let list = fold(&names(hosts));
    let what = format!("{list} could be part of the virtual machine");
    let why = "ssh gets there, and pvmd runs there".to_owned();
    let command = if has_machine { "add" } else { "up" };
    let texts = [what, why, format!("type: pvm {command} {}", typed(hosts))];
    Some(Finding::about(
        names(hosts),
        "could-join",
        Weight::Note,
        texts,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::ssh::{Cause, Trouble};

    fn joined() -> Option<Outcome> {
        Some(Ok("pvmd runs here".to_owned()))
    }

    fn lines(found: &[Finding]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn who_could_join_is_noted_and_who_could_not_is_a_problem() {
        let hosts = ["a1", "a2", "b", "c"].map(HostSpec::named);
        let trouble = Trouble {
            host: "b".into(),
            user: None,
            address: None,
            cause: Cause::NoRoute,
            why: "no route".into(),
            next: "ping {host}".into(),
        };
        let outcomes = [joined(), joined(), Some(Err(Box::new(trouble))), None];
        let found = findings(&hosts, &outcomes, true);
        assert_eq!(
            lines(&found),
            [
                "cannot start pvmd on b: no route [no-route]; ping b",
                "ssh has not been tried to the end with c: there was no time for it; \
                 name fewer hosts at a time: pvm doctor c",
                "a[1-2] could be part of the virtual machine: ssh gets there, and pvmd runs there; \
                 type: pvm add 'a[1-2]'",
            ]
        );
        let weights: Vec<_> = found.iter().map(|it| (it.weight, it.id)).collect();
        let expected = [
            (Weight::Problem, "no-route"),
            (Weight::Problem, "not-tried"),
            (Weight::Note, "could-join"),
        ];
        assert_eq!(weights, expected);
        assert!(findings(&[], &[], true).is_empty());
    }

    #[test]
    fn the_command_is_one_that_does_it() {
        let mut host = HostSpec::named("2001:db8::7");
        host.options.user = Some("bob".to_owned());
        let found = findings(&[host], &[joined()], false);
        assert_eq!(found[0].next, "type: pvm up 'bob@[2001:db8::7]'");
    }
}
