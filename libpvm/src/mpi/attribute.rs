//! What programs attach to objects: attributes and their keys (MPI 5.0, 7.7).
//!
//! Functions of the program are called with nothing locked: they may call anything.

use super::error::{Class, Error, Result};
use super::object::lock;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

/// What objects a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the objects")]
pub enum Holder {
    Comm,
    Type,
    Win,
}

/// A function of the program that is asked when an object is copied: the handle of the old object,
/// the key, the value. It gives the value that the copy gets, if any.
pub type CopyFunction = dyn Fn(u64, i32, usize) -> Result<Option<usize>> + Send + Sync;
/// A function of the program that is told before a value goes: the handle of the object, the key, the
/// value. When it fails the value stays.
pub type DeleteFunction = dyn Fn(u64, i32, usize) -> Result<()> + Send + Sync;

/// What happens to the attributes of a key when an object is copied.
pub enum Copy {
    /// Copies do not have it.
    Never,
    /// Copies have the same value.
    Same,
    /// The program decides.
    Ask(Box<CopyFunction>),
}

/// A key.
pub struct Keyval {
    number: i32,
    holder: Holder,
    copy: Copy,
    delete: Option<Box<DeleteFunction>>,
}

/// The first number of a key of the program; smaller ones are the standard's.
const FIRST: i32 = 0x1000;

/// The keys of the program.
#[derive(Default)]
struct Keys {
    /// Those that exist, and what keeps them until they are freed: attributes of a key that was freed
    /// go on.
    known: HashMap<i32, (Weak<Keyval>, Option<Arc<Keyval>>)>,
    made: i32,
}

fn keys() -> MutexGuard<'static, Keys> {
    static KEYS: OnceLock<Mutex<Keys>> = OnceLock::new();
    lock(KEYS.get_or_init(Mutex::default))
}

/// Makes a key; gives its number.
///
/// # Errors
/// `MPI_ERR_NO_MEM` when there are no more numbers.
pub fn create(holder: Holder, copy: Copy, delete: Option<Box<DeleteFunction>>) -> Result<i32> {
    let mut keys = keys();
    let number = FIRST.checked_add(keys.made);
    let number = number.ok_or_else(|| Error::new(Class::NoMem, "too many attribute keys"))?;
    keys.made += 1;
    // Keys that were freed are forgotten once no attribute has them.
    keys.known.retain(|_, (known, _)| known.strong_count() > 0);
    let keyval = Arc::new(Keyval {
        number,
        holder,
        copy,
        delete,
    });
    let known = Arc::downgrade(&keyval);
    keys.known.insert(number, (known, Some(keyval)));
    Ok(number)
}

/// Frees a key. Attributes that have it stay.
///
/// # Errors
/// `MPI_ERR_KEYVAL`.
pub fn free(holder: Holder, number: i32) -> Result<()> {
    let mut keys = keys();
    let owner = keys.known.get_mut(&number).map(|(_, owner)| owner);
    let owner = owner.filter(|owner| owner.as_ref().is_some_and(|key| key.holder == holder));
    let freed = owner.and_then(Option::take);
    drop(keys);
    // What the program gave with it is dropped with nothing locked.
    freed.map(drop).ok_or_else(|| wrong(number))
}

fn find(holder: Holder, number: i32) -> Result<Arc<Keyval>> {
    let known = keys().known.get(&number).map(|(known, _)| known.clone());
    let keyval = known.and_then(|known| known.upgrade());
    let keyval = keyval.filter(|keyval| keyval.holder == holder);
    keyval.ok_or_else(|| wrong(number))
}

#[cold]
fn wrong(number: i32) -> Error {
    let detail = match number {
        0 => "MPI_KEYVAL_INVALID".to_owned(),
        1..FIRST => format!("the predefined key {number} cannot be used for this"),
        _ => format!("{number} is no key of this kind of object"),
    };
    Error::new(Class::Keyval, detail)
}

type Attribute = (Arc<Keyval>, usize);

/// The attributes of one object, in the order in which they were set.
pub struct Attributes {
    holder: Holder,
    set: Mutex<Vec<Attribute>>,
}

impl Attributes {
    /// None.
    pub fn new(holder: Holder) -> Self {
        Self {
            holder,
            set: Mutex::default(),
        }
    }

    /// The value of a key, if it is set.
    ///
    /// # Errors
    /// `MPI_ERR_KEYVAL`.
    pub fn get(&self, number: i32) -> Result<Option<usize>> {
        let keyval = find(self.holder, number)?;
        Ok(self.value(&keyval))
    }

    /// Sets the value of a key of the object with this handle; one that it had before is deleted.
    ///
    /// # Errors
    /// `MPI_ERR_KEYVAL`, and those of the program's function.
    pub fn set(&self, object: u64, number: i32, value: usize) -> Result<()> {
        let keyval = find(self.holder, number)?;
        self.remove(object, &keyval)?;
        lock(&self.set).push((keyval, value));
        Ok(())
    }

    /// Deletes the value of a key of the object with this handle.
    ///
    /// # Errors
    /// `MPI_ERR_KEYVAL`, also when it is not set; and those of the program's function.
    pub fn delete(&self, object: u64, number: i32) -> Result<()> {
        let keyval = find(self.holder, number)?;
        match self.remove(object, &keyval)? {
            true => Ok(()),
            false => Err(Error::new(Class::Keyval, format!("{number} is not set"))),
        }
    }

    /// Deletes all, the last one that was set first.
    ///
    /// # Errors
    /// Those of the program's functions; then this attribute and those before it stay.
    pub fn delete_all(&self, object: u64) -> Result<()> {
        loop {
            let last = lock(&self.set).last().map(|(keyval, _)| Arc::clone(keyval));
            let Some(keyval) = last else {
                return Ok(());
            };
            self.remove(object, &keyval)?;
        }
    }

    /// What a copy of the object with this handle gets.
    ///
    /// # Errors
    /// Those of the program's functions; then there must be no copy.
    pub fn copy(&self, object: u64) -> Result<Copied> {
        let set: Vec<Attribute> = lock(&self.set).clone();
        let mut copied = Copied::default();
        for (keyval, value) in set {
            let value = match &keyval.copy {
                Copy::Never => None,
                Copy::Same => Some(value),
                Copy::Ask(function) => function(object, keyval.number, value)?,
            };
            copied.0.extend(value.map(|value| (keyval, value)));
        }
        Ok(copied)
    }

    /// Takes what was copied, for a new object.
    pub fn adopt(&self, copied: Copied) {
        lock(&self.set).extend(copied.0);
    }

    fn value(&self, keyval: &Arc<Keyval>) -> Option<usize> {
        let set = lock(&self.set);
        let found = set.iter().find(|(other, _)| Arc::ptr_eq(other, keyval));
        found.map(|(_, value)| *value)
    }

    /// Says whether there was one.
    fn remove(&self, object: u64, keyval: &Arc<Keyval>) -> Result<bool> {
        let Some(value) = self.value(keyval) else {
            return Ok(false);
        };
        if let Some(delete) = &keyval.delete {
            delete(object, keyval.number, value)?;
        }
        lock(&self.set).retain(|(other, _)| !Arc::ptr_eq(other, keyval));
        Ok(true)
    }
}

/// Attributes on their way to a new object.
#[derive(Default)]
pub struct Copied(Vec<Attribute>);

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attributes", lock(&self.set).len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Said = Arc<Mutex<Vec<(u64, usize)>>>;

    fn teller(said: &Said) -> Option<Box<DeleteFunction>> {
        let said = Arc::clone(said);
        Some(Box::new(move |object, _, value| {
            lock(&said).push((object, value));
            match value {
                13 => Err(Error::from_code(20_000)),
                _ => Ok(()),
            }
        }))
    }

    #[test]
    fn values_go_in_the_reverse_order() {
        let said = Said::default();
        let keys = [(); 3].map(|()| create(Holder::Comm, Copy::Same, teller(&said)).unwrap());
        let attributes = Attributes::new(Holder::Comm);
        for (key, value) in keys.into_iter().zip(1..) {
            attributes.set(5, key, value).unwrap();
        }
        attributes.set(5, keys[0], 4).unwrap();
        attributes.delete_all(5).unwrap();
        assert_eq!(*lock(&said), [(5, 1), (5, 4), (5, 3), (5, 2)]);
        assert_eq!(attributes.get(keys[0]), Ok(None));
        let error = attributes.delete(5, keys[0]).unwrap_err();
        assert_eq!(error.class(), Some(Class::Keyval));
    }

    #[test]
    fn a_value_stays_when_its_function_fails() {
        let said = Said::default();
        let key = create(Holder::Comm, Copy::Same, teller(&said)).unwrap();
        let attributes = Attributes::new(Holder::Comm);
        attributes.set(5, key, 13).unwrap();
        for failed in [
            attributes.delete(5, key),
            attributes.delete_all(5),
            attributes.set(5, key, 1),
        ] {
            assert_eq!(failed.unwrap_err().code(), 20_000);
        }
        assert_eq!(attributes.get(key), Ok(Some(13)));
    }

    #[test]
    fn copies_get_what_the_program_says() {
        let ask = |object: u64, _: i32, value: usize| match value {
            13 => Err(Error::from_code(20_000)),
            value => Ok((value > 1).then_some(value + object as usize)),
        };
        let never = create(Holder::Comm, Copy::Never, None).unwrap();
        let same = create(Holder::Comm, Copy::Same, None).unwrap();
        let asked = create(Holder::Comm, Copy::Ask(Box::new(ask)), None).unwrap();
        let attributes = Attributes::new(Holder::Comm);
        for key in [never, same, asked] {
            attributes.set(0, key, 7).unwrap();
        }
        let copy = Attributes::new(Holder::Comm);
        copy.adopt(attributes.copy(100).unwrap());
        let values = [never, same, asked].map(|key| copy.get(key).unwrap());
        assert_eq!(values, [None, Some(7), Some(107)]);
        attributes.set(0, asked, 13).unwrap();
        assert_eq!(attributes.copy(100).map(|_| ()).unwrap_err().code(), 20_000);
    }

    #[test]
    fn a_freed_key_lives_on_in_attributes() {
        let key = create(Holder::Comm, Copy::Same, None).unwrap();
        let attributes = Attributes::new(Holder::Comm);
        attributes.set(5, key, 1).unwrap();
        let class = |result: Result<()>| result.unwrap_err().class();
        assert_eq!(class(free(Holder::Type, key)), Some(Class::Keyval));
        free(Holder::Comm, key).unwrap();
        assert_eq!(class(free(Holder::Comm, key)), Some(Class::Keyval));
        assert_eq!(attributes.get(key), Ok(Some(1)));
        attributes.delete(5, key).unwrap();
        assert_eq!(class(attributes.set(5, key, 2)), Some(Class::Keyval));
    }

    #[test]
    fn keys_are_for_one_kind_of_object() {
        let key = create(Holder::Type, Copy::Same, None).unwrap();
        let attributes = Attributes::new(Holder::Comm);
        for wrong in [key, 0, 501, -1] {
            let error = attributes.get(wrong).unwrap_err();
            assert_eq!(error.class(), Some(Class::Keyval));
        }
    }
}
