//! Many hosts in network namespaces: what `pvm doctor` finds.

use pvm_tests::Finished;
use pvm_tests::cluster::trouble::Verdict;
use pvm_tests::site::{PORT, Site};
use serde_json::Value;
use std::time::Duration;

/// Longest that it takes, whatever does not answer.
const BOUND: Duration = Duration::from_secs(10);

#[track_caller]
fn report(doctor: &Finished) -> Value {
    assert!(doctor.took < BOUND, "{doctor:?}");
    serde_json::from_slice(&doctor.out).unwrap_or_else(|error| panic!("{error}: {doctor:?}"))
}

/// The ways that are not open, as `from>to`.
fn cut(report: &Value) -> Vec<String> {
    let ways = report["ways"].as_array().unwrap().iter();
    let cut = ways.filter(|way| way["answered"] == false);
    let ends = |way: &Value| {
        let end = |which: &str| way[which].as_str().unwrap().to_owned();
        format!("{}>{}", end("from"), end("to"))
    };
    let mut cut: Vec<_> = cut.map(ends).collect();
    cut.sort();
    cut
}

/// The lines that name a problem of the network.
fn problems(doctor: &Finished) -> Vec<String> {
    let text = doctor.text();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("problem: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn where_all_is_open_there_is_nothing_to_say() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    let found = report(&site.pvm(2, &["doctor", "--json"]).well());
    assert_eq!(cut(&found), [""; 0]);
    assert_eq!(found["ways"].as_array().unwrap().len(), 6);
    let ids = found["findings"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.map(|finding| finding["id"].as_str().unwrap()).collect();
    assert!(!ids.contains(&"name"), "{found}");
    for way in found["ways"].as_array().unwrap() {
        assert_eq!(way["name_trouble"], Value::Null, "{way}");
    }
}

#[test]
fn a_firewall_between_two_hosts_is_found_with_exactly_this_pair() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    site.shut_out(3, 2, PORT).unwrap();
    let doctor = site.pvm(1, &["doctor", "--json"]);
    let found = report(&doctor);
    assert_eq!(cut(&found), ["host2>host3", "host3>host2"], "{doctor:?}");
    for way in found["ways"].as_array().unwrap() {
        if way["answered"] == false {
            let dials = way["dials"].as_array().unwrap().iter();
            let to_others = dials.filter(|dial| {
                let address = dial["address"].as_str().unwrap();
                !address.starts_with("127.") && !address.starts_with("[::1]")
            });
            assert!(to_others.clone().count() > 0, "{way}");
            assert!(
                to_others.clone().all(|dial| dial["end"] == "silent"),
                "{way}"
            );
        }
    }
    assert_eq!(doctor.code, 1);
    // Nobody is lost because of it.
    assert_eq!(
        site.names(1),
        ["host1", "host2", "host3"],
        "{}",
        site.logs()
    );
    let doctor = site.pvm(1, &["doctor"]);
    eprintln!("{}{}", doctor.text(), doctor.err);
    assert!(doctor.took < BOUND && doctor.code == 1, "{doctor:?}");
    let [line] = &problems(&doctor)[..] else {
        panic!("{doctor:?}");
    };
    assert!(
        line.starts_with("host2 and host3 do not reach each other: "),
        "{line}"
    );
    assert!(
        line.contains("UDP port 7711") && line.contains("nft list ruleset"),
        "{line}"
    );
    assert!(doctor.err.contains("waiting for host"), "{doctor:?}");
    site.open_firewall(3).unwrap();
    let found = report(&site.pvm(1, &["doctor", "--json"]).well());
    assert_eq!(cut(&found), [""; 0]);
}

#[test]
fn a_port_that_is_rejected_is_told_at_once() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    site.firewall(3, Verdict::Reject, Some(PORT)).unwrap();
    let doctor = site.pvm(1, &["doctor", "1", "--json"]);
    let found = report(&doctor);
    assert_eq!(cut(&found), ["host1>host3"], "{doctor:?}");
    let mut ways = found["ways"].as_array().unwrap().iter();
    let way = ways.find(|way| way["to"] == "host3").unwrap();
    assert_eq!(way["dials"][0]["end"], "rejected", "{way}");
    assert_eq!(doctor.code, 1);
}

#[test]
fn a_host_that_is_cut_off_does_not_hold_up_the_others() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    site.cut(3).unwrap();
    let doctor = site.pvm(1, &["doctor", "--json"]);
    let found = report(&doctor);
    assert_eq!(doctor.code, 1);
    let hosts = found["hosts"].as_array().unwrap();
    let answered: Vec<_> = hosts
        .iter()
        .map(|host| host["answered"].as_bool().unwrap())
        .collect();
    assert_eq!(answered, [true, true, false], "{found}");
    assert_eq!(cut(&found), ["host1>host3", "host2>host3"], "{found}");
}

#[test]
fn large_packets_that_are_lost_silently_are_told_of() {
    let Some(site) = Site::of_one_machine(3) else {
        return;
    };
    site.narrow(3, 1400).unwrap();
    let doctor = site.pvm(1, &["doctor", "--json"]);
    let found = report(&doctor);
    assert_eq!(cut(&found), [""; 0], "{doctor:?}");
    let ways = found["ways"].as_array().unwrap().iter();
    let lossy = ways.filter(|way| !way["lost_packet_bytes"].is_null());
    let lossy: Vec<_> = lossy
        .map(|way| [&way["from_index"], &way["to_index"]])
        .collect();
    assert_eq!(lossy, [[1, 3], [2, 3], [3, 1], [3, 2]], "{found}");
    let findings = found["findings"].as_array().unwrap().iter();
    let told = findings.filter(|finding| finding["id"] == "packet-size");
    assert_eq!(told.count(), 3, "{found}");
    let doctor = site.pvm(1, &["doctor"]);
    let lines = problems(&doctor);
    assert!(
        lines[2].starts_with("packets of 1500 bytes from host3 to host[1-2] are lost: "),
        "{doctor:?}"
    );
}

#[test]
fn a_host_outside_is_tried_with_ssh() {
    let Some(site) = Site::new(3) else {
        return;
    };
    let Some(_sshd) = site.sshd(2) else {
        return;
    };
    // Without a virtual machine, and with one.
    for has_machine in [false, true] {
        if has_machine {
            site.found();
        }
        let doctor = site.pvm_with_ssh(1, &["doctor", "host2", "host3", "--json"]);
        let found = report(&doctor);
        assert_eq!(found["machine"], has_machine);
        let findings = found["findings"].as_array().unwrap();
        let of = |id: &str| findings.iter().find(|finding| finding["id"] == id);
        assert_eq!(of("could-join").unwrap()["hosts"][0], "host2", "{found}");
        assert_eq!(of("refused").unwrap()["hosts"][0], "host3", "{found}");
        assert_eq!(doctor.code, 1);
    }
    assert!(site.running(2, "pvmd").is_empty(), "it was only asked");
}
