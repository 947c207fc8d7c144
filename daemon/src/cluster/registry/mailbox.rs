//! PVM's mailboxes: messages under a name and an index, which any task can read.
//!
//! A mailbox has one entry, at index 0, unless it was begun with [`MULTI_INSTANCE`]; then each put
//! takes the lowest free index or the one that it names. An entry belongs to the task that has put
//! it: others may change it only when it is [`OVERWRITABLE`]. It goes with its owner unless it is
//! [`PERSISTENT`]; then it is nobody's.

use pvm::ids::TaskId;
use pvm::limits::{
    MAIL_BYTES_MAX, MAIL_ENTRIES_MAX, MAIL_ENTRY_MAX, MAIL_INDEX_MAX, MAIL_NAME_MAX,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The entry outlives its owner.
pub const PERSISTENT: u32 = 1;
/// The mailbox has many entries.
pub const MULTI_INSTANCE: u32 = 2;
/// Anybody may overwrite or delete the entry.
pub const OVERWRITABLE: u32 = 4;
/// Of a reader: the entry with the lowest index, from the one that is named.
pub const FIRST_AVAILABLE: u32 = 8;

/// Why a mailbox request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum MailError {
    /// Name, index or message is not allowed.
    #[error("the name is empty or too long, the index too high, or the message too large")]
    BadParameter,
    /// The entry or the mailbox is another task's.
    #[error("it belongs to another task")]
    Denied,
    /// Another task has put an entry there.
    #[error("there is such an entry already")]
    Exists,
    /// There is no such entry.
    #[error("there is no such entry")]
    NotFound,
    /// All mailboxes together are full.
    #[error("the mailboxes are full")]
    Full,
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailEntry {
    /// Who has put it; nobody when that task is gone.
    pub owner: Option<TaskId>,
    /// PVM's flags, as put.
    pub flags: u32,
    /// The message.
    #[serde(with = "super::bytes")]
    pub bytes: Vec<u8>,
}

impl MailEntry {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn may_be_changed_by(&self, task: TaskId) -> bool {
        self.has(OVERWRITABLE) || self.owner == Some(task)
    }
}

type Box = BTreeMap<u32, MailEntry>;

/// All mailboxes. None is empty; the sum of bytes is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailboxes {
    boxes: BTreeMap<String, Box>,
    entries: usize,
    bytes: usize,
}

/// What is put into a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailPut {
    /// The mailbox.
    pub name: String,
    /// Where; `None`: at the lowest free place.
    pub index: Option<u32>,
    /// PVM's flags.
    pub flags: u32,
    /// Who puts it.
    pub owner: TaskId,
    /// The message.
    #[serde(with = "super::bytes")]
    pub bytes: Vec<u8>,
}

impl Mailboxes {
    /// Puts a message; returns its index.
    pub(super) fn put(&mut self, put: &MailPut) -> Result<u32, MailError> {
        let named = put.index.unwrap_or(0);
        let name_fits = (1..=MAIL_NAME_MAX).contains(&put.name.len());
        if !name_fits || put.bytes.len() > MAIL_ENTRY_MAX || named > MAIL_INDEX_MAX {
            return Err(MailError::BadParameter);
        }
        let index = match self.boxes.get(&put.name) {
            Some(found) => place(found, put)?,
            None => named,
        };
        let former = self.find(&put.name, index, 0);
        let freed = former.map_or(0, |(_, entry)| put.name.len() + entry.bytes.len());
        let entries = self.entries + usize::from(former.is_none());
        let bytes = self.bytes - freed + put.name.len() + put.bytes.len();
        if entries > MAIL_ENTRIES_MAX || bytes > MAIL_BYTES_MAX {
            return Err(MailError::Full);
        }
        (self.entries, self.bytes) = (entries, bytes);
        let entry = MailEntry {
            owner: Some(put.owner),
            flags: put.flags,
            bytes: put.bytes.clone(),
        };
        let found = self.boxes.entry(put.name.clone()).or_default();
        found.insert(index, entry);
        Ok(index)
    }

    /// Takes out an entry that the task may change.
    pub(super) fn take(
        &mut self,
        name: &str,
        index: u32,
        flags: u32,
        task: TaskId,
    ) -> Result<(u32, MailEntry), MailError> {
        let (index, entry) = self.find(name, index, flags).ok_or(MailError::NotFound)?;
        if !entry.may_be_changed_by(task) {
            return Err(MailError::Denied);
        }
        let entry = self.remove(name, index).ok_or(MailError::NotFound)?;
        Ok((index, entry))
    }

    /// Takes a task's entries out, or away from it. Returns those that are no more.
    pub(super) fn forget(&mut self, gone: impl Fn(TaskId) -> bool) -> Vec<(String, u32)> {
        let mut removed = Vec::new();
        for (name, entries) in &mut self.boxes {
            for (index, entry) in entries {
                if !entry.owner.is_some_and(&gone) {
                    continue;
                }
                entry.owner = None;
                if !entry.has(PERSISTENT) {
                    removed.push((name.clone(), *index));
                }
            }
        }
        self.remove_all(removed)
    }

    /// Takes out what is nobody's, of one mailbox or of all. Returns what is no more.
    pub(super) fn drop_orphans(&mut self, only: Option<&str>) -> Vec<(String, u32)> {
        let mut removed = Vec::new();
        for (name, entries) in &self.boxes {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let orphans = entries.iter().filter(|(_, entry)| entry.owner.is_none());
            removed.extend(orphans.map(|(index, _)| (name.clone(), *index)));
        }
        self.remove_all(removed)
    }

    fn remove_all(&mut self, removed: Vec<(String, u32)>) -> Vec<(String, u32)> {
        for (name, index) in &removed {
            self.remove(name, *index);
        }
        removed
    }

    fn remove(&mut self, name: &str, index: u32) -> Option<MailEntry> {
        let Entry::Occupied(mut found) = self.boxes.entry(name.to_owned()) else {
            return None;
        };
        let entry = found.get_mut().remove(&index)?;
        if found.get().is_empty() {
            found.remove();
        }
        self.entries -= 1;
        self.bytes -= name.len() + entry.bytes.len();
        Some(entry)
    }

    /// The entry at the index; with [`FIRST_AVAILABLE`] the first from there on.
    pub fn find(&self, name: &str, index: u32, flags: u32) -> Option<(u32, &MailEntry)> {
        let entries = self.boxes.get(name)?;
        let found = match flags & FIRST_AVAILABLE {
            0 => entries.get_key_value(&index),
            _ => entries.range(index..).next(),
        };
        found.map(|(index, entry)| (*index, entry))
    }

    /// Every mailbox and its entries, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &BTreeMap<u32, MailEntry>)> {
        self.boxes
            .iter()
            .map(|(name, entries)| (name.as_str(), entries))
    }
}

/// Where a message goes in a mailbox that is there.
fn place(found: &Box, put: &MailPut) -> Result<u32, MailError> {
    let many = put.flags & MULTI_INSTANCE != 0;
    if found
        .values()
        .any(|entry| entry.has(MULTI_INSTANCE) != many)
    {
        return Err(MailError::Denied);
    }
    let index = match (many, put.index) {
        (false, None) => found.keys().next().copied().unwrap_or(0),
        (true, None) => return lowest_free(found).ok_or(MailError::Full),
        (false, Some(index)) if !found.contains_key(&index) => return Err(MailError::Exists),
        (_, Some(index)) => index,
    };
    match found.get(&index) {
        Some(entry) if entry.may_be_changed_by(put.owner) => Ok(index),
        Some(_) if many => Err(MailError::Exists),
        Some(_) => Err(MailError::Denied),
        None => Ok(index),
    }
}

fn lowest_free(entries: &Box) -> Option<u32> {
    (0..=MAIL_INDEX_MAX)
        .zip(entries.keys().map(Some).chain(std::iter::repeat(None)))
        .find(|(free, used)| *used != Some(free))
        .map(|(free, _)| free)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(local: u32) -> TaskId {
        TaskId::new(1, 1, local).unwrap()
    }

    fn put(
        boxes: &mut Mailboxes,
        owner: u32,
        index: Option<u32>,
        flags: u32,
    ) -> Result<u32, MailError> {
        boxes.put(&MailPut {
            name: "m".to_owned(),
            index,
            flags,
            owner: task(owner),
            bytes: vec![owner as u8],
        })
    }

    #[test]
    fn one_entry_is_its_owners() {
        let mut boxes = Mailboxes::default();
        assert_eq!(put(&mut boxes, 1, None, 0), Ok(0));
        assert_eq!(put(&mut boxes, 1, None, 0), Ok(0));
        assert_eq!(put(&mut boxes, 2, None, 0), Err(MailError::Denied));
        assert_eq!(
            put(&mut boxes, 2, None, MULTI_INSTANCE),
            Err(MailError::Denied)
        );
        assert_eq!(boxes.take("m", 0, 0, task(2)), Err(MailError::Denied));
        assert_eq!(boxes.take("m", 0, 0, task(1)).unwrap().1.bytes, [1]);
        assert_eq!(boxes, Mailboxes::default());
    }

    #[test]
    fn many_entries_take_the_lowest_places() {
        let mut boxes = Mailboxes::default();
        for expected in 0..3 {
            assert_eq!(put(&mut boxes, 1, None, MULTI_INSTANCE), Ok(expected));
        }
        boxes.take("m", 1, 0, task(1)).unwrap();
        assert_eq!(put(&mut boxes, 2, None, MULTI_INSTANCE), Ok(1));
        assert_eq!(
            put(&mut boxes, 1, Some(1), MULTI_INSTANCE),
            Err(MailError::Exists)
        );
        assert_eq!(put(&mut boxes, 1, Some(9), MULTI_INSTANCE), Ok(9));
        assert_eq!(boxes.find("m", 3, 0), None);
        assert_eq!(boxes.find("m", 3, FIRST_AVAILABLE).unwrap().0, 9);
    }

    #[test]
    fn overwritable_is_everybodys() {
        let mut boxes = Mailboxes::default();
        put(&mut boxes, 1, None, OVERWRITABLE).unwrap();
        assert_eq!(put(&mut boxes, 2, None, 0), Ok(0));
        assert_eq!(put(&mut boxes, 1, None, 0), Err(MailError::Denied));
    }

    #[test]
    fn an_owners_death_takes_or_orphans() {
        let mut boxes = Mailboxes::default();
        put(&mut boxes, 1, None, MULTI_INSTANCE).unwrap();
        put(&mut boxes, 1, None, MULTI_INSTANCE | PERSISTENT).unwrap();
        put(&mut boxes, 2, None, MULTI_INSTANCE).unwrap();
        let gone = boxes.forget(|owner| owner == task(1));
        assert_eq!(gone, [("m".to_owned(), 0)]);
        assert_eq!(boxes.find("m", 1, 0).unwrap().1.owner, None);
        assert_eq!(boxes.drop_orphans(Some("other")), []);
        assert_eq!(boxes.drop_orphans(None), [("m".to_owned(), 1)]);
    }

    #[test]
    fn all_together_have_a_limit() {
        let mut boxes = Mailboxes::default();
        let mut one = MailPut {
            name: "m".to_owned(),
            index: None,
            flags: MULTI_INSTANCE,
            owner: task(1),
            bytes: vec![0; MAIL_ENTRY_MAX],
        };
        let stored = (0..100).take_while(|_| boxes.put(&one).is_ok()).count();
        assert_eq!(stored, MAIL_BYTES_MAX / MAIL_ENTRY_MAX - 1);
        assert_eq!(boxes.put(&one), Err(MailError::Full));
        one.bytes = vec![0; 2];
        assert_eq!(boxes.put(&one), Ok(stored as u32));
        one.index = Some(MAIL_INDEX_MAX + 1);
        assert_eq!(boxes.put(&one), Err(MailError::BadParameter));
    }
}
