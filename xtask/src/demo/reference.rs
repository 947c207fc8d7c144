//! The same totals from programs that every Unix has.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::corpus::Corpus;
use super::totals::Totals;
use crate::shell;
use crate::vm::Scratch;

/// A word is a maximal run of ASCII letters, in lower case. `list` names the files, separated by
/// zero bytes, with one that holds a newline between each two: no word goes on in the next file.
const PIPE: &str = "set -eu; export LC_ALL=C
xargs -0 cat < list | tr -cs A-Za-z '\\n' | tr A-Z a-z | sed '/^$/d' > words
sort words | uniq -c > counts
sort -k1,1nr -k2,2 counts > ranked
wc -l < words
wc -l < counts
head -n 10 ranked";

/// Counts with the pipe.
pub fn count(corpus: &Corpus) -> Result<Totals> {
    println!(
        "\n$ cat <the {} files> | tr -cs A-Za-z '\\n' | tr A-Z a-z \\",
        corpus.files().len()
    );
    println!("      | sort | uniq -c | sort -k1,1nr -k2,2 | head");
    let scratch = Scratch::new("reference")?;
    write_list(corpus, scratch.path()).context("cannot write the list of files")?;
    let mut pipe = shell::command("sh");
    let text = shell::output(pipe.current_dir(scratch.path()).args(["-c", PIPE]))?;
    println!("{}", text.lines().skip(2).collect::<Vec<_>>().join("\n"));
    Totals::from_pipe(&text, corpus.files().len() as u64)
}

fn write_list(corpus: &Corpus, dir: &Path) -> std::io::Result<()> {
    let newline = dir.join("newline");
    fs::write(&newline, "\n")?;
    let mut list = Vec::new();
    for file in corpus.files() {
        for name in [file, &newline] {
            list.extend_from_slice(name.as_os_str().as_bytes());
            list.push(0);
        }
    }
    fs::write(dir.join("list"), list)
}
