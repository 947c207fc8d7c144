//! Many hosts in network namespaces, with files of their own: `pvm run --stage`.

use pvm::limits::STAGE_FREE_MIN;
use pvm_tests::site::Site;
use std::fs::{DirBuilder, Permissions, copy, create_dir, read_dir};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A site of two hosts, of which the first alone has a program.
fn site(options: &str) -> Option<(Site, PathBuf)> {
    let site = Site::new(2)?;
    let programs = site.dir().join("programs");
    create_dir(&programs).unwrap();
    let ring = programs.join("ring");
    copy(pvm_tests::program("ring"), &ring).unwrap();
    site.found();
    site.give_secret(2);
    // Its runtime directory is there before anything is mounted on it.
    let run = site.runtime_dir(2);
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(&run)
        .unwrap();
    let places = [(programs.as_path(), "size=1m"), (run.as_path(), options)];
    site.pvmd_behind(2, &places, &["join", "host1:7711"]).well();
    site.see(1, 2);
    Some((site, ring))
}

/// What a host's daemon sees in a directory.
fn seen(site: &Site, host: usize, dir: &Path) -> Vec<PathBuf> {
    let pid = site
        .running(host, "pvmd")
        .into_iter()
        .min()
        .expect("a daemon");
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let dir = root.join(dir.strip_prefix("/").unwrap());
    let entries = read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_program_that_one_host_has_runs_on_both() {
    let Some((site, ring)) = site("mode=700") else {
        return;
    };
    let ring = ring.display().to_string();
    let line = ["-n", "4", "--map-by", "host", &ring];
    let run = |more: &[&str]| site.pvm(1, &[&["run"], more, &line].concat());
    let without = run(&[]);
    assert_eq!(
        (without.code, without.err.lines().count()),
        (127, 1),
        "{without:?}"
    );
    assert!(without.err.contains("on host2"), "{without:?}");
    let store = site.runtime_dir(2).join("default.staged");
    assert!(seen(&site, 2, &store).is_empty());
    let with = run(&["--stage"]).well();
    assert!(with.text().contains("each counted 1000 times"), "{with:?}");
    assert_eq!(seen(&site, 2, &store).len(), 1);
    run(&["--stage"]).well();
    assert_eq!(seen(&site, 2, &store).len(), 1);
}

#[test]
fn the_next_program_gets_the_room_of_one_that_no_job_uses() {
    let len = std::fs::metadata(pvm_tests::program("ring")).unwrap().len();
    let room = STAGE_FREE_MIN + len + len / 2;
    let Some((site, ring)) = site(&format!("mode=700,size={room}")) else {
        return;
    };
    // What comes after its end does not matter to a program.
    let other = ring.with_file_name("other");
    let longer = [std::fs::read(&ring).unwrap(), vec![0]].concat();
    std::fs::write(&other, longer).unwrap();
    std::fs::set_permissions(&other, Permissions::from_mode(0o755)).unwrap();
    let store = site.runtime_dir(2).join("default.staged");
    let run = |program: &Path| {
        let program = program.display().to_string();
        let line = ["run", "--stage", "-n", "2", "--map-by", "host", &program];
        site.pvm(1, &line).well();
        let files = seen(&site, 2, &store);
        let [file] = &files[..] else {
            panic!("{files:?}");
        };
        file.file_name().unwrap().to_owned()
    };
    let first = run(&ring);
    assert_ne!(run(&other), first);
    assert_eq!(run(&ring), first);
}

/// A launch that host2 refuses, because of the file system that its runtime directory is on.
#[track_caller]
fn refused(options: &str, why: &str) {
    let Some((site, ring)) = site(options) else {
        return;
    };
    let ring = ring.display().to_string();
    let run = site.pvm(1, &["run", "--stage", "-n", "2", "--map-by", "host", &ring]);
    eprintln!("{}", run.err);
    assert_eq!((run.code, run.err.lines().count()), (127, 1), "{run:?}");
    for part in ["cannot copy", "on host2", why] {
        assert!(run.err.contains(part), "{run:?}");
    }
    let store = site.runtime_dir(2).join("default.staged");
    assert!(seen(&site, 2, &store).is_empty());
    // Nothing runs.
    assert!(site.running(1, "ring").is_empty() && site.running(2, "ring").is_empty());
    site.pvm(1, &["run", "-n", "2", "--map-by", "host", "true"])
        .well();
}

#[test]
fn a_full_disk_refuses_the_launch_with_one_line() {
    refused("mode=700,size=12m", "stay free");
}

#[test]
fn a_file_system_without_programs_refuses_the_launch_with_one_line() {
    refused("mode=700,noexec", "is mounted noexec");
}
