//! The paths in a source file, with `use` groups written out.

use super::scan::{Located, Token};

/// A path like `std::sync::atomic`, its line, and how many inline modules it stands in.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// Its parts.
    pub parts: Vec<String>,
    /// Its line.
    pub line: usize,
    /// Number of inline modules around it.
    pub depth: usize,
}

impl Path {
    /// Whether it is this one or goes on from it.
    pub fn starts_with(&self, parts: &[&str]) -> bool {
        self.parts.len() >= parts.len() && self.parts.iter().zip(parts).all(|(a, b)| a == b)
    }
}

/// All paths; a group `a::{b, c::d}` is `a::b` and `a::c::d`.
pub fn paths(tokens: &[Located]) -> Vec<Path> {
    let mut reader = Reader {
        tokens,
        at: 0,
        modules: Vec::new(),
        braces: 0,
        found: Vec::new(),
    };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Located],
    at: usize,
    /// Number of open braces outside each inline module that is open here.
    modules: Vec<usize>,
    braces: usize,
    found: Vec<Path>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let token = &self.tokens[self.at];
        match &token.token {
            Token::Word(word) if word == "mod" && self.mark_at(self.at + 2, '{') => {
                self.modules.push(self.braces);
                self.braces += 1;
                self.at += 3;
            }
            Token::Word(_) => self.tree(&[]),
            Token::Mark('{') => {
                self.braces += 1;
                self.at += 1;
            }
            Token::Mark('}') => {
                self.braces = self.braces.saturating_sub(1);
                if self
                    .modules
                    .last()
                    .is_some_and(|outside| *outside >= self.braces)
                {
                    self.modules.pop();
                }
                self.at += 1;
            }
            _ => self.at += 1,
        }
    }

    /// A path, or a tree of them, that starts at a word.
    fn tree(&mut self, prefix: &[String]) {
        let mut parts = prefix.to_vec();
        let line = self.tokens[self.at].line;
        while let Some(word) = self.tokens.get(self.at).and_then(Located::word) {
            parts.push(word.to_owned());
            self.at += 1;
            if self
                .tokens
                .get(self.at)
                .is_none_or(|it| it.token != Token::Path)
            {
                break;
            }
            self.at += 1;
            if self.mark_at(self.at, '{') {
                return self.group(&parts);
            }
        }
        self.found.push(Path {
            parts,
            line,
            depth: self.modules.len(),
        });
    }

    /// The inside of `{..}` after a path.
    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            if token.is('}') {
                self.at += 1;
                return;
            }
            match &token.token {
                Token::Word(word) if word == "as" => self.at += 2,
                Token::Word(_) => self.tree(prefix),
                _ => self.at += 1,
            }
        }
    }

    fn mark_at(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|it| it.is(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::tokens;
    use super::*;

    fn joined(source: &str) -> Vec<String> {
        paths(&tokens(source))
            .iter()
            .map(|path| path.parts.join("::"))
            .collect()
    }

    #[test]
    fn groups_are_written_out() {
        let source = "use std::{sync::{Arc, atomic::AtomicU32}, io};";
        assert_eq!(
            joined(source),
            [
                "use",
                "std::sync::Arc",
                "std::sync::atomic::AtomicU32",
                "std::io"
            ]
        );
    }

    #[test]
    fn renamed_and_starred_imports() {
        assert_eq!(joined("crate::{a as b, c::*};"), ["crate::a", "crate::c"]);
    }

    #[test]
    fn calls_and_generics() {
        assert_eq!(joined("a::b::<c::D>(e)"), ["a::b", "c::D", "e"]);
    }

    #[test]
    fn inline_modules_are_counted() {
        let source = "x1; mod a { x2; fn f() { x3; } mod b { x4; } } x5; mod c; x6;";
        let found = paths(&tokens(source));
        let depths: Vec<_> = found
            .iter()
            .filter(|path| path.parts[0].starts_with('x'))
            .map(|path| path.depth)
            .collect();
        assert_eq!(depths, [0, 1, 1, 2, 0, 0]);
    }
}
