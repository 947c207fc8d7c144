//! What tasks are bound to: the options of `pvm run` about processors.

use super::flags::typed::Run;
use super::high::{MeaningError, bad, choice};
use super::placing;
use pvm::wire::control::{Binding, HostObject};
use std::ffi::OsStr;

/// Most objects of one task, and the highest number of a CPU.
const CPUS_MAX: u32 = 4096;

/// Words for parts of a host; those of which there is one more than one are plurals.
const OBJECTS: &[(&[&str], HostObject)] = &[
    (
        &["none", "no", "off", "host", "node", "machine", "board"],
        HostObject::ObjectNone,
    ),
    (
        &[
            "hwthread",
            "hwthreads",
            "thread",
            "threads",
            "pu",
            "rr",
            "cpu",
        ],
        HostObject::ObjectHwthread,
    ),
    (&["core", "cores"], HostObject::ObjectCore),
    (&["socket", "sockets", "package"], HostObject::ObjectSocket),
    (&["numa", "ldom", "ldoms"], HostObject::ObjectNuma),
];

/// Words that others know and that are not told apart here.
const CACHES: [&str; 7] = [
    "l1cache", "l2cache", "l3cache", "cache", "l1dcache", "l1icache", "l4cache",
];

/// What the first part of a line says; `None`: tasks are bound to nothing. `report`: it is to be told.
///
/// # Errors
/// The first value that makes no sense.
pub fn binding(first: &Run, report: bool) -> Result<Option<Binding>, MeaningError> {
    let map = placing::mapping(first.map_by.as_deref())?;
    let mut binding = Binding {
        report: report || first.report_bindings,
        ..Binding::default()
    };
    if let Some(value) = &first.bind_to {
        bind_to(&mut binding, value)?;
    }
    if let Some(list) = &first.cpus {
        binding.cpus = cpus("--cpu-set", list)?;
    }
    let cores = match &first.cores {
        Some(value) => Some(number("--cpus-per-proc", value, value)?),
        None => map.cores,
    };
    match (cores, binding.object()) {
        (None, _) => {}
        (Some(_), HostObject::ObjectSocket | HostObject::ObjectNuma) => {
            return Err(MeaningError::Conflict("PE=N", "--bind-to socket or numa"));
        }
        (Some(_), HostObject::ObjectNone) if first.bind_to.is_some() => {
            return Err(MeaningError::Conflict("PE=N", "--bind-to none"));
        }
        (Some(_), _) if binding.in_order || binding.count > 1 => {
            return Err(MeaningError::Conflict(
                "PE=N",
                "several objects in --bind-to",
            ));
        }
        (Some(cores), HostObject::ObjectNone) => {
            binding.set_object(HostObject::ObjectCore);
            binding.count = cores;
        }
        (Some(cores), _) => binding.count = cores,
    }
    if !binding.cpus.is_empty()
        && first.bind_to.is_none()
        && binding.object() == HostObject::ObjectNone
    {
        binding.set_object(HostObject::ObjectCore);
    }
    let is_chosen = ![HostObject::ObjectNone, map.spread].contains(&binding.object());
    if is_chosen && !binding.in_order {
        binding.set_spread(map.spread);
    }
    let says_something = binding.report || binding.object() != HostObject::ObjectNone;
    Ok(says_something.then_some(binding))
}

/// `core:2`, `user:0,2`, `map_cpu:0,2`, `verbose,cores`, `core:overload-allowed`.
fn bind_to(binding: &mut Binding, value: &OsStr) -> Result<(), MeaningError> {
    let text = value.to_string_lossy().to_ascii_lowercase();
    let text = text.as_str();
    let listed = text.strip_prefix("user:").or(text.strip_prefix("map_cpu:"));
    if let Some(list) = listed {
        binding.set_object(HostObject::ObjectHwthread);
        binding.in_order = true;
        binding.cpus = cpus("--bind-to", list.as_ref())?;
        return Ok(());
    }
    let mut words = text.split([':', ',']).filter(|word| !word.is_empty());
    let Some(mut first) = words.next() else {
        return Err(unknown(value));
    };
    if first == "verbose" || first == "quiet" {
        binding.report |= first == "verbose";
        first = words.next().unwrap_or("none");
    }
    binding.set_object(object(first).ok_or_else(|| match CACHES.contains(&first) {
        true => MeaningError::NotDone {
            option: "--bind-to",
            value: first.to_owned(),
            why: "caches are not told apart: write core, numa or socket",
        },
        false => unknown(value),
    })?);
    for word in words {
        match word {
            "overload-allowed" | "if-supported" | "no-overload" => {}
            "report" => binding.report = true,
            _ => binding.count = number("--bind-to", value, word.as_ref())?,
        }
    }
    Ok(())
}

fn unknown(value: &OsStr) -> MeaningError {
    let words = ["none", "core", "socket", "numa", "hwthread"];
    choice(
        "--bind-to",
        value,
        "none, core, socket, numa, hwthread, with a number as in core:2, or user:0,2",
        &words,
    )
}

/// The part of a host that a word means.
pub fn object(word: &str) -> Option<HostObject> {
    let found = OBJECTS.iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, object)| *object)
}

/// The word for a part of a host.
pub fn word(object: HostObject) -> &'static str {
    let found = OBJECTS.iter().find(|(_, it)| *it == object);
    found.map_or("none", |(words, _)| words[0])
}

/// `0-3,8`.
fn cpus(option: &'static str, list: &OsStr) -> Result<Vec<u32>, MeaningError> {
    let expected = "CPUs by their numbers, for example 0-3,8";
    let wrong = || bad(option, list, expected);
    let text = list.to_str().ok_or_else(wrong)?;
    let cpu = |text: &str| {
        let number = text.parse::<u32>().ok();
        number.filter(|cpu| *cpu < CPUS_MAX).ok_or_else(wrong)
    };
    let mut all = Vec::new();
    for word in text.split(',') {
        let (low, high) = word.split_once('-').unwrap_or((word, word));
        let (low, high) = (cpu(low)?, cpu(high)?);
        if low > high || all.len() > CPUS_MAX as usize {
            return Err(wrong());
        }
        all.extend(low..=high);
    }
    Ok(all)
}

fn number(option: &'static str, value: &OsStr, text: &OsStr) -> Result<u32, MeaningError> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    let number = number.filter(|number| (1..=CPUS_MAX).contains(number));
    number.ok_or_else(|| match option {
        "--bind-to" => unknown(value),
        _ => bad(option, value, "a number of cores, for example 2"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(bind_to: &str, map_by: &str) -> Result<Option<Binding>, String> {
        let run = Run {
            bind_to: (!bind_to.is_empty()).then(|| bind_to.into()),
            map_by: (!map_by.is_empty()).then(|| map_by.into()),
            ..Run::default()
        };
        binding(&run, false).map_err(|error| error.to_string())
    }

    #[test]
    fn objects_and_numbers_of_them() {
        let two = bound("core:2", "").unwrap().unwrap();
        assert_eq!((two.object(), two.count), (HostObject::ObjectCore, 2));
        let spread = bound("core", "socket").unwrap().unwrap();
        assert_eq!(spread.spread(), HostObject::ObjectSocket);
        let cores = bound("", "slot:PE=3").unwrap().unwrap();
        assert_eq!((cores.object(), cores.count), (HostObject::ObjectCore, 3));
        let listed = bound("user:3,0-1", "").unwrap().unwrap();
        assert_eq!((listed.cpus, listed.in_order), (vec![3, 0, 1], true));
        assert!(bound("verbose,cores", "").unwrap().unwrap().report);
        assert_eq!(bound("none", ""), Ok(None));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for wrong in ["coer", "core:x", "core:0", "user:9-1", "user:99999", ""] {
            let run = Run {
                bind_to: Some(wrong.into()),
                ..Run::default()
            };
            assert!(binding(&run, false).is_err(), "{wrong}");
        }
        assert!(
            bound("l3cache", "")
                .unwrap_err()
                .contains("caches are not told apart")
        );
        assert!(bound("socket", "slot:PE=2").is_err());
    }
}
