//! Info objects: keys and values in the order in which they were set (MPI 5.0, chapter 10).

use super::error::{Class, Error, Result};
use super::object::lock;
use std::sync::{Arc, Mutex, MutexGuard};

/// Longest key in bytes, with the end mark.
pub const MAX_KEY: usize = 256;
/// Longest value in bytes, with the end mark.
pub const MAX_VALUE: usize = 1024;

/// An info object. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Info(Arc<Mutex<Vec<(String, String)>>>);

impl Info {
    /// An object with these pairs.
    pub fn with(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let info = Self::default();
        info.pairs().extend(pairs);
        info
    }

    /// Another object with the same pairs.
    pub fn dup(&self) -> Self {
        Self::with(self.pairs().clone())
    }

    /// Sets a value.
    ///
    /// # Errors
    /// `MPI_ERR_INFO_KEY`, `MPI_ERR_INFO_VALUE`: empty, or too long.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        check_key(key)?;
        if value.len() >= MAX_VALUE {
            let detail = format!("the value of '{key}' has {} bytes", value.len());
            return Err(Error::new(Class::InfoValue, detail));
        }
        let mut pairs = self.pairs();
        match pairs.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => value.clone_into(old),
            None => pairs.push((key.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// `MPI_ERR_INFO_KEY`.
    pub fn get(&self, key: &str) -> Result<Option<String>> {
        check_key(key)?;
        let pairs = self.pairs();
        let found = pairs.iter().find(|(name, _)| name == key);
        Ok(found.map(|(_, value)| value.clone()))
    }

    /// Takes a key out.
    ///
    /// # Errors
    /// `MPI_ERR_INFO_KEY`; `MPI_ERR_INFO_NOKEY` when it is not there.
    pub fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let mut pairs = self.pairs();
        let at = pairs.iter().position(|(name, _)| name == key);
        let at = at.ok_or_else(|| Error::new(Class::InfoNokey, format!("'{key}'")))?;
        pairs.remove(at);
        Ok(())
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.pairs().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key with this number.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` when there are not so many.
    pub fn key(&self, number: i32) -> Result<String> {
        let pairs = self.pairs();
        let pair = usize::try_from(number).ok().and_then(|n| pairs.get(n));
        let detail = || format!("key number {number} of {}", pairs.len());
        pair.map(|(key, _)| key.clone())
            .ok_or_else(|| Error::new(Class::Arg, detail()))
    }

    fn pairs(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        lock(&self.0)
    }
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() >= MAX_KEY {
        let detail = format!("it has {} bytes", key.len());
        return Err(Error::new(Class::InfoKey, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order() {
        let info = Info::default();
        for (key, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
            info.set(key, value).unwrap();
        }
        assert_eq!(info.len(), 2);
        assert_eq!(
            (info.key(0).unwrap(), info.key(1).unwrap()),
            ("b".into(), "a".into())
        );
        assert_eq!(info.get("b").unwrap().as_deref(), Some("3"));
        let copy = info.dup();
        info.delete("b").unwrap();
        assert_eq!(info.get("b").unwrap(), None);
        assert_eq!(copy.len(), 2);
    }

    #[test]
    fn wrong_keys_are_told() {
        let info = Info::default();
        let class = |error: Error| error.class().unwrap();
        assert_eq!(class(info.set("", "x").unwrap_err()), Class::InfoKey);
        assert_eq!(
            class(info.set(&"k".repeat(256), "x").unwrap_err()),
            Class::InfoKey
        );
        assert_eq!(
            class(info.set("k", &"v".repeat(1024)).unwrap_err()),
            Class::InfoValue
        );
        assert_eq!(class(info.delete("k").unwrap_err()), Class::InfoNokey);
        assert_eq!(class(info.key(0).unwrap_err()), Class::Arg);
        assert_eq!(class(info.key(-1).unwrap_err()), Class::Arg);
    }
}
