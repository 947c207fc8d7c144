//! Many hosts in network namespaces: hosts that a launch names come by themselves.

use pvm::settings;
use pvm_tests::site::Site;
use pvm_tests::{Finished, start};
use std::process::Command;
use std::time::Duration;

/// Longest until hosts that go by themselves are gone.
const GOING: Duration = Duration::from_secs(20);

/// Runs `pvm` on the first host; a daemon that it starts leaves after a second with nothing to do.
#[track_caller]
fn pvm(site: &Site, arguments: &[&str]) -> Finished {
    let ssh = site.ssh().expect("keys can be made");
    let mut command = site.ours(1, "pvm", arguments);
    start(command.env(settings::SSH, ssh).env(settings::IDLE, "1")).finish()
}

/// Waits until nobody's daemon or task is left.
#[track_caller]
fn all_go(site: &Site) {
    for host in site.hosts() {
        site.until("neither daemon nor task", GOING, || {
            site.running(host, "pvmd").is_empty() && site.running(host, "sleep").is_empty()
        });
    }
}

/// Who runs the tests.
fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_launch_brings_the_hosts_that_it_names_and_they_go_with_it() {
    let Some(site) = Site::new(3) else {
        return;
    };
    let (Some(_second), Some(_third)) = (site.sshd(2), site.sshd(3)) else {
        return;
    };
    let all = ["host1", "host2", "host3"];
    let line = ["run", "-n", "3", "--map-by", "host"];
    let named = [&line[..], &["-H", "host1,host2,host3", "hostname"]].concat();
    let run = pvm(&site, &named);
    assert_eq!(run.code, 0, "{run:?}");
    // Where everything takes its time it is said what is waited for, and no more than that.
    let is_news = |line: &str| line.contains("of 2 hosts are ready");
    assert!(run.err.lines().all(is_news), "{run:?}");
    assert_eq!(run.sorted(), all);
    // Nothing is left of what one command has begun.
    all_go(&site);
    let logged = site.hosts().map(|host| site.log(host));
    assert_eq!(logged.collect::<String>(), "");
    // Nor when the daemon that had them come is killed.
    let file = site.host_dir(1).join("hosts");
    std::fs::write(&file, "host1\nhost2 slots=1\nhost3 slots=1\n& host9\n").unwrap();
    let file = file.display().to_string();
    let sleeper = [&line[..], &["-f", &file, "sleep", "60"]].concat();
    let ssh = site.ssh().unwrap();
    let mut command = site.ours(1, "pvm", &sleeper);
    let sleeping = start(command.env(settings::SSH, ssh));
    let is_running = || {
        site.hosts()
            .all(|host| site.running(host, "sleep").len() == 1)
    };
    site.until("every host has a task", GOING, is_running);
    site.kill_daemon(1);
    assert_eq!(sleeping.finish().code, 125);
    all_go(&site);
}

#[test]
fn a_host_is_added_once_whatever_it_is_called() {
    let Some(site) = Site::new(2) else {
        return;
    };
    let Some(_second) = site.sshd(2) else {
        return;
    };
    site.found();
    let address = site.v4(2).to_string();
    let user = user();
    let list = format!("localhost:1,{user}@{address}:1,host2:1,[{}]:1", site.v6(2));
    let run = pvm(&site, &["run", "-v", "-n", "4", "-H", &list, "hostname"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.text().lines().filter(|it| *it == "host2").count(), 3);
    assert_eq!(run.err.matches("adding").count(), 1, "{run:?}");
    assert_eq!(site.names(1), ["host1", "host2"]);
    // It is there now: by any name, and without ssh. Here, and as the other host sees it.
    for host in [1, 2] {
        let first = site.v4(1).to_string();
        let list = format!("{address}:2,{first}:1,{user}@host2");
        let run = site.pvm(host, &["run", "-n", "3", "-H", &list, "hostname"]);
        assert_eq!(run.well().sorted(), ["host1", "host2", "host2"]);
    }
    // A virtual machine that stays keeps what was added to it.
    site.pvm(1, &["halt"]).well();
    all_go(&site);
}

#[test]
fn a_host_file_says_where_a_host_is_reached() {
    let Some(site) = Site::new(2) else {
        return;
    };
    let Some(_second) = site.sshd(2) else {
        return;
    };
    site.found();
    // The name alone would lead nowhere.
    let file = site.host_dir(1).join("hosts");
    std::fs::write(&file, format!("host1.lab ip={}\n", site.v4(2))).unwrap();
    let known = site.ssh().unwrap() + " -o StrictHostKeyChecking=no";
    let file = file.display().to_string();
    let mut command = site.ours(1, "pvm", &["run", "-f", &file, "hostname"]);
    let run = start(command.env(settings::SSH, known)).finish();
    assert_eq!(run.well().text(), "host2\n");
    assert_eq!(site.names(1), ["host1", "host2"]);
}

#[test]
fn nothing_is_started_when_one_host_cannot_be_added() {
    let Some(site) = Site::new(4) else {
        return;
    };
    let Some(_second) = site.sshd(2) else {
        return;
    };
    site.found();
    let line = ["run", "-H", "host1,host2,host4,nowhere", "hostname"];
    let run = pvm(&site, &line);
    eprintln!("{}", run.err);
    assert_eq!((run.code, run.text().as_str()), (125, ""), "{run:?}");
    let lines: Vec<&str> = run.err.lines().collect();
    assert_eq!(lines.len(), 2, "{run:?}");
    for (line, host, cause) in [
        (lines[0], "host4", "refused"),
        (lines[1], "nowhere", "name"),
    ] {
        let is_ours = line.starts_with("pvm run: cannot start pvmd on ");
        assert!(
            is_ours && line.contains(host) && line.contains(cause),
            "{line}"
        );
    }
    // Who could be added stays, for the next line.
    assert_eq!(site.names(1), ["host1", "host2"]);
    let run = site.pvm(
        1,
        &["run", "-n", "2", "-N", "1", "-H", "host1,host2", "hostname"],
    );
    assert_eq!(run.well().sorted(), ["host1", "host2"]);
}
