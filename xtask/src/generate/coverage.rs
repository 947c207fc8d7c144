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

/// A table in Markdown; a function is tested if the code of a test program names it.
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

/// The names of MPI functions in the code of a test program.
pub fn names_in(source: &str, names: &mut BTreeSet<String>) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = without_words(source);
    let words = code.split(|c: char| !is_name(c));
    names.extend(
        words
            .filter(|word| word.starts_with("MPI_"))
            .map(str::to_owned),
    );
}

/// A C source without what its comments and strings say.
fn without_words(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/']) {
        code.push_str(&rest[..at]);
        let skipped = skipped(&rest[at..]).max(1);
        // Something stays, so that what is before and behind are two words.
        code.push(' ');
        rest = &rest[at + skipped..];
    }
    code + rest
}

/// The length of the comment or string that begins here; 0: none does.
fn skipped(text: &str) -> usize {
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if !text.starts_with('"') {
        return 0;
    }
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_said_is_not_tested() {
        let mut names = BTreeSet::new();
        let source = "/* MPI_A */ call(MPI_B(x / 2), \"MPI_C \\\" MPI_D\", MPI_E); FORMS(MPI_F)";
        names_in(source, &mut names);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["MPI_B", "MPI_E", "MPI_F"]);
    }
}
