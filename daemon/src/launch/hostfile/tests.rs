use super::*;
use proptest::prelude::*;

#[track_caller]
fn parsed(text: &str) -> Vec<HostSpec> {
    parse(text, "hosts")
        .unwrap_or_else(|error| panic!("{error}"))
        .hosts
}

/// Names, slots and limits.
#[track_caller]
fn summary(text: &str) -> Vec<String> {
    let limits = |host: &HostSpec| {
        let shown = |number: Option<u32>| number.map_or("-".to_owned(), |n| n.to_string());
        format!(
            "{host} {} {}",
            shown(host.options.slots),
            shown(host.options.max_slots)
        )
    };
    parsed(text).iter().map(limits).collect()
}

#[track_caller]
fn error(text: &str) -> String {
    parse(text, "hosts").expect_err(text).to_string()
}

#[test]
fn a_file_of_pvm() {
    let text = "\
# configuration of a run
* ep=$HOME/bin/$PVM_ARCH:/opt/bin wd=/scratch
sparky
azure.example.org   lo=gst so=pw
  thud sp=2000 dx=/opt/pvm/bin/pvmd   # the fast one

* wd=/tmp
ipsc ep=/usr/geist ip=10.0.0.7 bx=gdb id=second
& midnight lo=bob so=ms
&dawn
";
    let hosts = parsed(text);
    let names: Vec<_> = hosts
        .iter()
        .map(|host| (host.name.as_str(), host.line))
        .collect();
    let expected = [
        ("sparky", 3),
        ("azure.example.org", 4),
        ("thud", 5),
        ("ipsc", 8),
        ("midnight", 9),
        ("dawn", 10),
    ];
    assert_eq!(names, expected);
    assert_eq!(
        hosts[0].options.programs,
        ["$HOME/bin/$PVM_ARCH", "/opt/bin"]
    );
    assert_eq!(hosts[0].options.directory.as_deref(), Some("/scratch"));
    assert_eq!(
        (hosts[1].to_string().as_str(), hosts[1].options.start),
        ("gst@azure.example.org", Start::Password)
    );
    let thud = &hosts[2].options;
    assert_eq!(
        (thud.speed, thud.daemon.as_deref()),
        (Some(2000), Some("/opt/pvm/bin/pvmd"))
    );
    let ipsc = &hosts[3].options;
    // A second line of defaults begins anew.
    assert_eq!(
        (ipsc.directory.as_deref(), ipsc.programs.as_slice()),
        (Some("/tmp"), &["/usr/geist".to_owned()][..])
    );
    let rest = (
        ipsc.address.as_deref(),
        ipsc.debugger.as_deref(),
        ipsc.machine.as_deref(),
    );
    assert_eq!(rest, (Some("10.0.0.7"), Some("gdb"), Some("second")));
    assert!(hosts[4].only_later && hosts[5].only_later && !hosts[3].only_later);
    assert_eq!(hosts[4].options.start, Start::Manual);
    let defaults = parse(text, "hosts").unwrap().defaults;
    assert_eq!(
        defaults,
        Options {
            directory: Some("/tmp".into()),
            ..Options::default()
        }
    );
}

#[test]
fn files_of_mpi() {
    let open_mpi =
        "foo.example.com\nbar.example.com slots=2\nyow.example.com slots=4 max-slots=8\n";
    assert_eq!(
        summary(open_mpi),
        [
            "foo.example.com - -",
            "bar.example.com 2 -",
            "yow.example.com 4 8"
        ]
    );
    assert_eq!(
        summary("h max_slots=8\nk slots = 3 max_slots =9"),
        ["h - 8", "k 3 9"]
    );
    assert_eq!(
        summary("node0:4\r\nnode1:4 user=bob\r\n"),
        ["node0 4 -", "bob@node1 4 -"]
    );
    assert_eq!(
        summary("lam1 cpu=2\nlam2 cpu=1 user=x"),
        ["lam1 2 -", "x@lam2 1 -"]
    );
    assert_eq!(summary("a slots=4!\nb:2!"), ["a 4 4", "b 2 2"]);
    // A batch system's list: one line per task.
    assert_eq!(summary("n1\nn1\nn2\nn1\n"), ["n1 3 -", "n2 - -"]);
    assert_eq!(summary("a:2 max-slots=4\na:4 max-slots=4\n"), ["a 6 8"]);
}

#[test]
fn all_forms_in_one_file() {
    let text = "\u{feff}bob@node[08-10]:2\n\t[2001:db8::1] slots=2\n* slots=3 lo=ann\nx\nbob@y\n::1\nlast \\\n  slots=9 \\\n  so=pw";
    assert_eq!(
        summary(text),
        [
            "bob@node08 2 -",
            "bob@node09 2 -",
            "bob@node10 2 -",
            "2001:db8::1 2 -",
            "ann@x 3 -",
            "bob@y 3 -",
            "ann@::1 3 -",
            "ann@last 9 -",
        ]
    );
    assert_eq!(parsed(text)[7].line, 7);
    let quoted = "h wd=\"/my files/#1\" ep=/a#b # comment";
    assert_eq!(
        parsed(quoted)[0].options.directory.as_deref(),
        Some("/my files/#1")
    );
    assert_eq!(parsed(quoted)[0].options.programs, ["/a#b"]);
}

#[test]
fn a_comment_does_not_go_on() {
    assert_eq!(summary("# old hosts: \\\na\n"), ["a - -"]);
}

#[test]
fn lists() {
    let names = |text: &str| -> Vec<String> {
        let hosts = list(text, "-H")
            .unwrap_or_else(|error| panic!("{error}"))
            .hosts;
        let tasks = |host: &HostSpec| {
            host.options
                .slots
                .map_or(String::new(), |n| format!(":{n}"))
        };
        hosts
            .iter()
            .map(|host| format!("{host}{}", tasks(host)))
            .collect()
    };
    assert_eq!(
        names("a:2,b[1-3],user@c"),
        ["a:2", "b1", "b2", "b3", "user@c"]
    );
    assert_eq!(
        names("b[1,3]:2, [::1]:4 ,,a:*"),
        ["b1:2", "b3:2", "::1:4", "a"]
    );
    assert_eq!(names("a,b,a"), ["a:2", "b"]);
    let error = |text: &str| list(text, "-H").unwrap_err().to_string();
    assert_eq!(
        error("a,b[3-1]"),
        "-H: 'b[3-1]': the range 3-1 runs backwards; write 1-3"
    );
    assert_eq!(
        error(","),
        "-H names no host; write one name per line, for example node1 slots=4"
    );
    assert_eq!(
        error("a,&b"),
        "-H: '&b': '&b' is no host name; names are letters, digits, '-', '.' and '_', IPv6 addresses in brackets"
    );
}

#[test]
fn errors_say_where_what_and_what_to_write() {
    let cases = [
        (
            "a\n\nb slot:4",
            "hosts:3: 'b slot:4': 'slot:4' is no option; write one host per line, and the number of its tasks as slots=4",
        ),
        (
            "slots=4",
            "hosts:1: 'slots=4': there is no host name; write for example node1 slots=4",
        ),
        (
            "&",
            "hosts:1: '&': there is no host name; write for example node1 slots=4",
        ),
        (
            "a slots=four",
            "hosts:1: 'a slots=four': slots=four is no number from 0 to 100000; write for example slots=4",
        ),
        (
            "a slots=-1",
            "hosts:1: 'a slots=-1': slots=-1 is no number from 0 to 100000; write for example slots=4",
        ),
        (
            "a:x",
            "hosts:1: 'a:x': :x is no number from 0 to 100000; write for example :4",
        ),
        (
            "a slots=4 max-slots=2",
            "hosts:1: 'a slots=4 max-slots=2': max-slots=2 is less than slots=4; write max-slots=4 or more",
        ),
        (
            "a b",
            "hosts:1: 'a b': 'b' is no option; write one host per line, and the number of its tasks as slots=4",
        ),
        (
            "a 4",
            "hosts:1: 'a 4': '4' is no option; write one host per line, and the number of its tasks as slots=4",
        ),
        (
            "a,b",
            "hosts:1: 'a,b': a comma between hosts; in a file write one host per line",
        ),
        (
            "a sp=0",
            "hosts:1: 'a sp=0': sp=0 is no number from 1 to 1000000; write for example sp=1000",
        ),
        (
            "a so=rsh",
            "hosts:1: 'a so=rsh': so=rsh is not known; write so=pw when ssh asks for a password, so=ms to start the daemon by hand",
        ),
        (
            "a lo=",
            "hosts:1: 'a lo=': lo= has no value; write it right after the '=', or leave the option out",
        ),
        (
            "a speed=3",
            "hosts:1: 'a speed=3': 'speed=3' is no option; those of MPI are slots= max-slots= cpu= user=, those of PVM lo= so= dx= ep= wd= sp= ip= bx= id=",
        ),
        (
            "node[1-",
            "hosts:1: 'node[1-': a bracket is not closed; write for example node[1-8] or [2001:db8::1]",
        ),
        (
            "node[a-b]",
            "hosts:1: 'node[a-b]': '[a-b]' is no range; write for example node[1-8,12] or node[01-16]",
        ),
        (
            "$a",
            "hosts:1: '$a': '$' asks for a second daemon on one host; leave it out, and give its tasks as slots=4",
        ),
        (
            "a\n-oProxyCommand=x",
            "hosts:2: '-oProxyCommand=x': there is no host name; write for example node1 slots=4",
        ),
        (
            "-l@a",
            "hosts:1: '-l@a': '-l' is no user name; write user@host or lo=user",
        ),
        (
            "a wd=\"x",
            "hosts:1: 'a wd=\"x': a quote is not closed; write the second '\"'",
        ),
        (
            "a\x07",
            "hosts:1: 'a\\x07': there is a control character in this line; delete it",
        ),
        (
            "a wd=/x\na wd=/y",
            "hosts:2: 'a wd=/y': line 1 says other things about this host; write it once",
        ),
        (
            "n[1-65535]",
            "hosts:1: 'n[1-65535]': these are more than 65534 hosts; shorten the list or its ranges",
        ),
        (
            "[::1",
            "hosts:1: '[::1': a bracket is not closed; write for example node[1-8] or [2001:db8::1]",
        ),
        (
            "# nothing\n",
            "hosts names no host; write one name per line, for example node1 slots=4",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected);
    }
}

#[test]
fn files_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hosts");
    let place = path.display().to_string();
    let error = || read(&path).unwrap_err().to_string();
    assert_eq!(
        error(),
        format!("{place} cannot be read: No such file or directory (os error 2); check the path")
    );
    std::fs::write(&path, b"a\xff").unwrap();
    assert_eq!(
        error(),
        format!("{place} is not a text file (UTF-8); write one host name per line")
    );
    std::fs::write(&path, vec![b'\n'; HOSTFILE_MAX as usize + 1]).unwrap();
    assert_eq!(
        error(),
        format!("{place} is larger than 4 MiB; write ranges, for example node[1-512]")
    );
    std::fs::write(&path, "a slots=2\n").unwrap();
    assert_eq!(read(&path).unwrap().hosts[0].options.slots, Some(2));
}

/// Pieces that real files are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z\\[\\]0-9,:@&*$!=\\\\\"# \t\r\n.-]{0,6}",
        Just("node[1-3]".to_owned()),
        Just(" slots=".to_owned()),
        Just(" max-slots=4".to_owned()),
        Just("\n* ".to_owned()),
        Just("\n& ".to_owned()),
        Just("[2001:db8::1]".to_owned()),
        Just(" so=pw lo=".to_owned()),
        "\\PC{0,3}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn no_text_panics_and_every_error_is_one_line(text in pieces()) {
        for outcome in [parse(&text, "hosts"), list(&text, "-H")] {
            match outcome {
                Ok(hosts) => {
                    prop_assert!(!hosts.hosts.is_empty());
                    for host in &hosts.hosts {
                        prop_assert!(!host.to_string().starts_with('-'));
                        prop_assert!(!host.name.contains(char::is_whitespace));
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    prop_assert!(!error.contains(char::is_control), "{error:?}");
                    prop_assert!(error.contains("; ") && error.len() < 1000, "{error:?}");
                }
            }
        }
    }
}
