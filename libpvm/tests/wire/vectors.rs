//! Golden bytes: `== name` begins one, hexadecimal bytes follow, `#` begins a comment.

/// The files of bytes.
pub const CONTROL: &str = include_str!("golden/control.hex");
pub const FRAMES: &str = include_str!("golden/frames.hex");
pub const GREETING: &str = include_str!("golden/greeting.hex");
pub const PVM: &str = include_str!("golden/pvm.hex");
pub const TYPED: &str = include_str!("golden/typed.hex");
pub const VALUES: &str = include_str!("golden/values.hex");

/// The bytes with this name.
#[track_caller]
pub fn named(file: &str, name: &str) -> Vec<u8> {
    let mut lines = file
        .lines()
        .skip_while(|line| line.strip_prefix("== ") != Some(name));
    assert!(lines.next().is_some(), "no golden bytes are called {name}");
    let body = lines.take_while(|line| !line.starts_with("== "));
    let words = body.flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace());
    let byte =
        |word: &str| u8::from_str_radix(word, 16).unwrap_or_else(|_| panic!("{name}: {word}"));
    words.map(byte).collect()
}

/// As a file holds bytes, for the message of a failed test.
pub fn hex(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.chunks(16).map(|line| line.join(" ") + "\n").collect()
}

/// Fails unless the bytes are those with this name.
#[track_caller]
pub fn assert_golden(file: &str, name: &str, bytes: &[u8]) {
    let golden = named(file, name);
    assert!(
        golden == bytes,
        "{name} is\n{}\nand the file says\n{}",
        hex(bytes),
        hex(&golden)
    );
}
