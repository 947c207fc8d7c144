//! A plan as text (`pvm run --explain`): what a line means, in a form that stays the same.
//!
//! What is as it is without any option is left out.

use super::binding;
use super::pattern::Pattern;
use super::plan::{App, Files, OnFailure, Output, Plan, Stdin, Voice};
use crate::ui::text;
use pvm::wire::control::{Binding, HostObject, Placement, RankOrder};
use std::ffi::OsStr;

/// The text of a plan.
pub fn text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    plan.apps.iter().for_each(|app| of_app(app, &mut lines));
    of_job(plan, &mut lines);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn of_app(app: &App, lines: &mut Vec<String>) {
    let words = std::iter::once(&app.program).chain(&app.arguments);
    let words: Vec<_> = words.map(|word| shown(word)).collect();
    let each = if app.on_each_host {
        " on each host"
    } else {
        ""
    };
    let count = text::count(app.count as usize, "task");
    lines.push(format!("{count}{each}: {}", words.join(" ")));
    let mut tell = |what: &str, value: String| lines.push(format!("  {what} {value}"));
    if let Some(directory) = &app.directory {
        tell("directory", shown(directory));
    }
    if let Some(path) = &app.path {
        tell("looked up in", shown(path));
    }
    if let Some(placement) = &app.placement {
        of_placement(placement, &mut tell);
    }
    if app.bare {
        tell("environment", "only what follows".to_owned());
    }
    for variable in &app.environment {
        tell("variable", shown(variable));
    }
}

fn of_placement(placement: &Placement, tell: &mut dyn FnMut(&str, String)) {
    let host = |it: &pvm::wire::control::HostSlots| {
        let slots = if it.slots > 0 {
            format!(":{}", it.slots)
        } else {
            String::new()
        };
        let most = if it.slots_max > 0 {
            format!(" (at most {})", it.slots_max)
        } else {
            String::new()
        };
        let name = match it.host.contains(':') {
            true => format!("[{}]", it.host),
            false => it.host.clone(),
        };
        format!("{name}{slots}{most}")
    };
    if !placement.hosts.is_empty() {
        let hosts: Vec<_> = placement.hosts.iter().map(host).collect();
        tell("hosts", hosts.join(" "));
    }
    if !placement.architecture.is_empty() {
        tell("architecture", placement.architecture.clone());
    }
    if placement.per_host > 0 {
        tell("on each host", placement.per_host.to_string());
    }
    if placement.by_host {
        tell("placed", "by host".to_owned());
    }
    match placement.ranks() {
        RankOrder::RanksAsPlaced => {}
        RankOrder::RanksBySlot => tell("ranks", "by slot".to_owned()),
        RankOrder::RanksByHost => tell("ranks", "by host".to_owned()),
    }
    if placement.within_slots {
        tell("slots", "are not exceeded".to_owned());
    }
}

fn of_job(plan: &Plan, lines: &mut Vec<String>) {
    let mut tell = |what: &str, value: String| lines.push(format!("{what}: {value}"));
    if let Some(binding) = &plan.binding {
        tell("bound to", bound(binding));
    }
    match plan.stdin {
        Stdin::Rank(0) => {}
        Stdin::Rank(rank) => tell("stdin", format!("rank {rank}")),
        Stdin::All => tell("stdin", "all".to_owned()),
        Stdin::None => tell("stdin", "none".to_owned()),
    }
    match &plan.output {
        Output::Raw => tell("output", "raw".to_owned()),
        Output::Lines(prefix) => {
            if prefix.time {
                tell("lines begin with", "the time".to_owned());
            }
            if let Some(text) = &prefix.text {
                tell("lines begin with", format!("'{}'", text.written()));
            }
        }
    }
    if plan.merge {
        tell("stderr", "as stdout".to_owned());
    }
    of_files(&plan.files, &mut tell);
    if plan.on_failure == OnFailure::Continue {
        tell("on failure", "continue".to_owned());
    }
    if let Some(limit) = plan.timeout {
        tell("time limit", text::duration(limit));
    }
    if let Some(limit) = plan.hang_timeout {
        tell("limit for waits in vain", text::duration(limit));
    }
    if let Some(file) = &plan.report {
        tell("report", shown(file.as_os_str()));
    }
    let told = [
        (plan.told.map, "where tasks run"),
        (plan.told.exit_codes, "how tasks end"),
        (plan.json, "the report as JSON"),
        (plan.voice == Voice::Verbose, "what is done"),
        (plan.voice == Voice::Quiet, "nothing"),
    ];
    let told = told.into_iter().filter(|(is_told, _)| *is_told);
    told.for_each(|(_, what)| tell("tells", what.to_owned()));
    if plan.stage {
        tell("programs", "are copied to hosts that lack them".to_owned());
    }
    if !plan.without_effect.is_empty() {
        tell("without effect", plan.without_effect.join(" "));
    }
}

fn bound(binding: &Binding) -> String {
    let mut words = vec![match (binding.in_order, binding.object()) {
        (true, _) => "one CPU each".to_owned(),
        (false, object) => {
            let plural = if binding.count > 1 { "s" } else { "" };
            format!("{} {}{plural}", binding.count.max(1), binding::word(object))
        }
    }];
    if binding.object() == HostObject::ObjectNone {
        words = vec!["nothing".to_owned()];
    }
    if !binding.cpus.is_empty() {
        let cpus: Vec<_> = binding.cpus.iter().map(u32::to_string).collect();
        words.push(format!("of CPUs {}", cpus.join(",")));
    }
    if binding.spread() != HostObject::ObjectNone {
        words.push(format!("spread over {}", binding::word(binding.spread())));
    }
    if binding.report {
        words.push("and told".to_owned());
    }
    words.join(" ")
}

fn of_files(files: &Files, tell: &mut dyn FnMut(&str, String)) {
    let copy = if files.copy { " and here" } else { "" };
    let mut file = |what, pattern: &Option<Pattern>| {
        if let Some(pattern) = pattern {
            tell(what, format!("to {}{copy}", pattern.written()));
        }
    };
    file("stdout", &files.out);
    file("stderr", &files.err);
}

fn shown(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let shown = text::word(&word);
    text::harmless(shown.as_bytes())
}
