//! Cuts Rust source into tokens: enough of the language to tell code from comments and strings.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An identifier, keyword or number.
    Word(String),
    /// The inside of a string literal, as written.
    Text(String),
    /// `::`
    Path,
    /// Any other character of code.
    Mark(char),
}

/// A token and its line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The token.
    pub token: Token,
    /// Its line.
    pub line: usize,
}

impl Located {
    /// The word, if it is one.
    pub fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.token {
            Token::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is this character.
    pub fn is(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }
}

/// All tokens of a source file.
pub fn tokens(source: &str) -> Vec<Located> {
    let mut scanner = Scanner {
        rest: source,
        line: 1,
        tokens: Vec::new(),
    };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.tokens
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Located>,
}

impl<'a> Scanner<'a> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.skip(end);
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if let Some((opening, hashes)) = raw_string(self.rest) {
            self.raw(opening, hashes);
        } else if let Some(prefix) = ["\"", "b\"", "c\""]
            .iter()
            .find(|it| self.rest.starts_with(**it))
        {
            self.skip(prefix.len());
            self.string();
        } else if self.rest.starts_with("b'") {
            self.skip(1);
            self.quote();
        } else if self.rest.starts_with('\'') {
            self.quote();
        } else if self.rest.starts_with("::") {
            self.push(Token::Path);
            self.skip(2);
        } else {
            self.word_or_mark();
        }
    }

    fn word_or_mark(&mut self) {
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        if length > 0 {
            self.push(Token::Word(self.rest[..length].to_owned()));
            self.skip(length);
            return;
        }
        let Some(mark) = self.rest.chars().next() else {
            return;
        };
        if !mark.is_whitespace() {
            self.push(Token::Mark(mark));
        }
        self.skip(mark.len_utf8());
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0usize;
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match &bytes[at..bytes.len().min(at + 2)] {
                b"/*" => (depth, at) = (depth + 1, at + 2),
                b"*/" => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.skip(at);
    }

    /// After the opening quote.
    fn string(&mut self) {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(bytes.len());
        self.push(Token::Text(self.rest[..end].to_owned()));
        self.skip((end + 1).min(bytes.len()));
    }

    fn raw(&mut self, opening: usize, hashes: usize) {
        let closing = format!("\"{}", "#".repeat(hashes));
        let inside = &self.rest[opening..];
        let end = inside.find(&closing).unwrap_or(inside.len());
        self.push(Token::Text(inside[..end].to_owned()));
        self.skip((opening + end + closing.len()).min(self.rest.len()));
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        let mut characters = self.rest.char_indices().skip(1);
        let length = match (characters.next(), characters.next()) {
            (Some((_, '\\')), Some((after, escaped))) => {
                let from = after + escaped.len_utf8();
                self.rest[from..]
                    .find('\'')
                    .map_or(self.rest.len(), |end| from + end + 1)
            }
            (Some(_), Some((end, '\''))) => end + 1,
            _ => 1,
        };
        self.skip(length);
    }

    fn push(&mut self, token: Token) {
        self.tokens.push(Located {
            token,
            line: self.line,
        });
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }
}

/// Bytes up to the inside of a raw string that starts here, and its number of hashes.
fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['"', '#']))
    })?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..]
        .starts_with('"')
        .then_some((prefix.len() + hashes + 1, hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source)
            .iter()
            .filter_map(|it| it.word().map(str::to_owned))
            .collect()
    }

    fn texts(source: &str) -> Vec<String> {
        tokens(source)
            .iter()
            .filter_map(|it| it.text().map(str::to_owned))
            .collect()
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(
            words("a // b\nc /* d /* e */ f */ g /// h"),
            ["a", "c", "g"]
        );
        assert_eq!(words("a /* never closed"), ["a"]);
    }

    #[test]
    fn strings_are_set_apart() {
        let source = r##"f("one \" two", b"three", r"fo\ur", r#"fi"ve"#, c"six") g"##;
        assert_eq!(words(source), ["f", "g"]);
        assert_eq!(
            texts(source),
            [r#"one \" two"#, "three", r"fo\ur", "fi\"ve", "six"]
        );
    }

    #[test]
    fn an_unclosed_string_ends_with_the_file() {
        assert_eq!(texts("a \"b\\"), ["b\\"]);
        assert_eq!(texts("r#\"b"), ["b"]);
    }

    #[test]
    fn quotes_are_characters_or_lifetimes() {
        assert_eq!(
            words(r"x<'a>('b', '\'', b'\\', '\u{41}', '/') y"),
            ["x", "a", "y"]
        );
        assert_eq!(words("'\"' a '\"'"), ["a"]);
        assert_eq!(words("for<'de> fn"), ["for", "de", "fn"]);
    }

    #[test]
    fn raw_names_are_words() {
        assert_eq!(words("r#type br"), ["r", "type", "br"]);
    }

    #[test]
    fn lines_are_counted() {
        let lines: Vec<_> = tokens("a\n\"x\ny\"\n/*\n*/ b")
            .iter()
            .map(|it| it.line)
            .collect();
        assert_eq!(lines, [1, 2, 5]);
    }
}
