//! How many functions of each chapter are there, done, and tested.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::entries::{Chapters, path};
use super::table::Function;

/// One chapter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    all: usize,
    done: usize,
    tested: usize,
}

/// A table in Markdown; a function is tested if a test program names it.
pub fn table(functions: &[Function], chapters: &Chapters, named: &BTreeSet<String>) -> String {
    let mut text =
        String::from("| chapter | functions | implemented | tested |\n|---|---:|---:|---:|\n");
    let mut sum = Count::default();
    let mut names: Vec<&str> = functions.iter().map(|f| f.chapter.as_str()).collect();
    names.dedup();
    for name in names {
        let of_chapter = functions.iter().filter(|f| f.chapter == name);
        let mut count = Count::default();
        for function in of_chapter {
            count.all += 1;
            // Those that return a value are all written by hand.
            let done = function.is_value || path(function, chapters).is_some();
            count.done += usize::from(done);
            count.tested += usize::from(done && named.contains(&function.name));
        }
        row(&mut text, name, &count);
        sum.all += count.all;
        sum.done += count.done;
        sum.tested += count.tested;
    }
    row(&mut text, "**all**", &sum);
    text
}

fn row(text: &mut String, name: &str, count: &Count) {
    let Count { all, done, tested } = count;
    writeln!(text, "| {name} | {all} | {done} | {tested} |").expect("a string takes any text");
}

/// The names of MPI functions in the source of a test program.
pub fn names_in(source: &str, names: &mut BTreeSet<String>) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = source.split(|c: char| !is_name(c));
    names.extend(
        words
            .filter(|word| word.starts_with("MPI_"))
            .map(str::to_owned),
    );
}
