//! "Did you mean": the known word that is nearest to a mistyped one.

/// The nearest of `known`, when it is near enough to be what was meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    let scored = known
        .iter()
        .map(|word| (distance(&typed, &word.to_ascii_lowercase()), *word));
    let (distance, word) = scored.min_by_key(|(distance, word)| (*distance, word.len()))?;
    let longest = typed.chars().count().max(word.len());
    if distance * 2 <= longest {
        return Some(word);
    }
    // `nproc` begins as `np` does.
    let begins = |word: &&&str| word.len() > 1 && typed.starts_with(**word);
    known
        .iter()
        .filter(begins)
        .max_by_key(|word| word.len())
        .copied()
}

/// ` (did you mean '...'?)`, when there is a nearest word; else nothing.
pub fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!(" (did you mean '{word}'?)"))
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "abc", 3),
            ("run", "run", 0),
            ("rnu", "run", 1),
            ("wdri", "wdir", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_near_words_are_offered() {
        let words = ["run", "ps", "conf", "kill", "halt", "version"];
        assert_eq!(nearest("rnu", words), Some("run"));
        assert_eq!(nearest("stats", words), None);
        assert_eq!(nearest("config", words), Some("conf"));
        assert_eq!(nearest("nproc", ["x", "n", "np"]), Some("np"));
    }
}
