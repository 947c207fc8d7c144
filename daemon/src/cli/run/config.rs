//! Files of programs (`-configfile`): each line is what stands between two `:` of a command line.
//!
//! A word that begins with `#` begins a comment; a line that ends in a backslash goes on in the next one;
//! quotes and backslashes keep blanks, as a shell has it. Nothing is expanded.

use pvm::limits::CONFIGFILE_MAX;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The system does not let us read it.
    #[error("-configfile {0}: cannot be read: {1}; check the path")]
    Unreadable(String, String),
    /// Too large.
    #[error("-configfile {0}: is larger than {limit} MiB; write the arguments of the programs into files of their own", limit = CONFIGFILE_MAX >> 20)]
    TooLarge(String),
    /// Not text.
    #[error("-configfile {0}: is not a text file (UTF-8); write lines such as '-n 4 ./program'")]
    NotText(String),
    /// Nothing in it.
    #[error("-configfile {0}: names no program; write lines such as '-n 4 ./program'")]
    Empty(String),
    /// A quote without its partner.
    #[error("-configfile {0}:{1}: a quote is not closed; write the second one")]
    OpenQuote(String, usize),
    /// A file in a file.
    #[error("-configfile in a file of -configfile: write its lines here")]
    Nested,
}

/// One line with something in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: usize,
    /// Its words.
    pub words: Vec<OsString>,
}

/// Reads a file of programs.
///
/// # Errors
/// When it cannot be read or has nothing in it.
pub fn read(path: &Path) -> Result<Vec<Line>, ConfigError> {
    let place = path.display().to_string();
    let unreadable =
        |error: std::io::Error| ConfigError::Unreadable(place.clone(), error.to_string());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(CONFIGFILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > CONFIGFILE_MAX {
        return Err(ConfigError::TooLarge(place));
    }
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(place.clone()))?;
    let lines = parse(&text).map_err(|line| ConfigError::OpenQuote(place.clone(), line))?;
    match lines.is_empty() {
        true => Err(ConfigError::Empty(place)),
        false => Ok(lines),
    }
}

/// Where a reader of characters is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Between,
    Word,
    Quoted(char),
    Comment,
}

/// The lines of a text that have words in them.
///
/// # Errors
/// The line in which a quote is opened that is not closed.
fn parse(text: &str) -> Result<Vec<Line>, usize> {
    let mut lines = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let (mut state, mut here, mut begin, mut opened) = (State::Between, 1, 1, 1);
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let mut rest = text.chars().chain(['\n']).peekable();
    while let Some(c) = rest.next() {
        match (state, c) {
            (State::Quoted(quote), c) if c == quote => state = State::Word,
            (State::Quoted(_), '\n') => {
                here += 1;
                push(&mut words, c);
            }
            (State::Quoted('"'), '\\') if matches!(rest.peek(), Some('"' | '\\')) => {
                push(&mut words, rest.next().unwrap_or(c));
            }
            (State::Quoted(_), c) => push(&mut words, c),
            (_, '\n') => {
                here += 1;
                state = State::Between;
                if !words.is_empty() {
                    let words = words.drain(..).map(OsString::from).collect();
                    lines.push(Line {
                        number: begin,
                        words,
                    });
                }
                begin = here;
            }
            (State::Comment, _) => {}
            (_, '\\') if rest.peek() == Some(&'\n') => {
                rest.next();
                here += 1;
                state = State::Between;
            }
            (State::Between, '#') => state = State::Comment,
            (_, c) if c.is_whitespace() => state = State::Between,
            (before, c) => {
                if before == State::Between {
                    words.push(String::new());
                }
                state = State::Word;
                match c {
                    '\'' | '"' => (state, opened) = (State::Quoted(c), here),
                    '\\' => push(&mut words, rest.next().unwrap_or(c)),
                    c => push(&mut words, c),
                }
            }
        }
    }
    match state {
        State::Quoted(_) => Err(opened),
        _ => Ok(lines),
    }
}

fn push(words: &mut [String], c: char) {
    words
        .iter_mut()
        .last()
        .into_iter()
        .for_each(|word| word.push(c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<(usize, Vec<String>)> {
        let lines = parse(text).unwrap().into_iter();
        let text = |word: OsString| word.into_string().unwrap();
        lines
            .map(|line| (line.number, line.words.into_iter().map(text).collect()))
            .collect()
    }

    #[test]
    fn lines_comments_and_continuations() {
        let text = "# first\n\n-n 1 ./a # the master\n  # indented\n-n 2 \\\n  ./b x#y\r\n-n 3 ./c";
        let expected = [
            (3, vec!["-n", "1", "./a"]),
            (5, vec!["-n", "2", "./b", "x#y"]),
            (7, vec!["-n", "3", "./c"]),
        ];
        let expected =
            expected.map(|(line, words)| (line, words.into_iter().map(String::from).collect()));
        assert_eq!(words(text), expected);
    }

    #[test]
    fn quotes_keep_blanks() {
        let text = r#"sh -c 'echo "a  b"; # no comment' "x\"y" a\ b "" 'it''s'"#;
        let expected = [
            "sh",
            "-c",
            "echo \"a  b\"; # no comment",
            "x\"y",
            "a b",
            "",
            "its",
        ];
        assert_eq!(words(text)[0].1, expected);
        assert_eq!(parse("a\nb 'c\nd"), Err(2));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a#'\"\\\\ \n\r]{0,40}") {
            for line in parse(&text).unwrap_or_default() {
                prop_assert!(!line.words.is_empty());
            }
        }
    }
}
