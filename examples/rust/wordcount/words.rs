//! Finds and counts words.

use crate::input::Piece;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How often each word was seen.
pub type Table = HashMap<String, u64>;

/// Counts the words that begin inside a piece.
pub fn count_piece(piece: &Piece, table: &mut Table) -> io::Result<()> {
    let mut file = File::open(&piece.path)?;
    if piece.start > 0 {
        // The byte before tells whether the piece begins in the middle of a word.
        file.seek(SeekFrom::Start(piece.start - 1))?;
    }
    count_words(file, piece.start, piece.end, table)
}

/// Counts the words that begin at `start..end`. `reader` is at the byte before `start`, or at the
/// first byte of the file.
fn count_words(mut reader: impl Read, start: u64, end: u64, table: &mut Table) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut word = String::new();
    let mut at = start.saturating_sub(1);
    let mut in_foreign_word = start > 0;
    loop {
        let len = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for &byte in &buffer[..len] {
            let is_letter = byte.is_ascii_alphabetic();
            if in_foreign_word {
                in_foreign_word = is_letter;
            } else if is_letter && (at < end || !word.is_empty()) {
                word.push(char::from(byte.to_ascii_lowercase()));
            } else if !word.is_empty() {
                add(&word, 1, table);
                word.clear();
            }
            at += 1;
            if at >= end && word.is_empty() {
                return Ok(());
            }
        }
    }
    if !word.is_empty() {
        add(&word, 1, table);
    }
    Ok(())
}

fn add(word: &str, count: u64, table: &mut Table) {
    match table.get_mut(word) {
        Some(sum) => *sum += count,
        None => {
            table.insert(word.to_owned(), count);
        }
    }
}

/// Adds one table to another.
pub fn merge(total: &mut Table, part: Table) {
    if total.is_empty() {
        *total = part;
        return;
    }
    for (word, count) in part {
        *total.entry(word).or_default() += count;
    }
}

/// The most frequent words; equally frequent ones in alphabetical order.
pub fn most_frequent(table: &Table, top: usize) -> Vec<(u64, &str)> {
    let mut list: Vec<(u64, &str)> = table
        .iter()
        .map(|(word, &count)| (count, &**word))
        .collect();
    list.sort_unstable_by_key(|&(count, word)| (Reverse(count), word));
    list.truncate(top);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count_in_pieces(text: &[u8], size: u64) -> Table {
        let mut table = Table::default();
        for start in (0..text.len() as u64).step_by(size as usize) {
            let reader = &text[start.saturating_sub(1) as usize..];
            count_words(reader, start, start + size, &mut table).unwrap();
        }
        table
    }

    #[test]
    fn words_are_runs_of_letters() {
        let table = count_in_pieces("Don't panic: DON'T. \u{e9}t\u{e9}2x".as_bytes(), 1000);
        let expected = [(3, "t"), (2, "don"), (1, "panic"), (1, "x")];
        assert_eq!(most_frequent(&table, 10), expected);
        assert_eq!(most_frequent(&table, 2), expected[..2]);
    }

    proptest! {
        /// However a text is cut, every word is counted exactly once.
        #[test]
        fn pieces_hold_every_word_once(text in "[ab .]{0,40}", size in 1u64..12) {
            let mut expected = Table::default();
            for word in text.split([' ', '.']).filter(|word| !word.is_empty()) {
                add(word, 1, &mut expected);
            }
            prop_assert_eq!(count_in_pieces(text.as_bytes(), size), expected);
        }
    }
}
