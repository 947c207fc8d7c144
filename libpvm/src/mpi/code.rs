//! Error classes and codes that the program adds (MPI 5.0, 9.5).

use super::error::{Class, Error, LAST_CODE, Result};
use super::object::lock;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// Longest text in bytes, with the end mark.
const MAX_TEXT: usize = 512;

/// One class or code of the program.
#[derive(Debug, Clone)]
struct Added {
    /// Its class; its own number, of a class.
    class: i32,
    text: Option<String>,
}

#[derive(Default)]
struct Codes {
    added: BTreeMap<i32, Added>,
    /// The greatest number that was ever given out; 0: none was.
    last: i32,
}

static CODES: Mutex<Codes> = Mutex::new(Codes {
    added: BTreeMap::new(),
    last: 0,
});

fn codes() -> MutexGuard<'static, Codes> {
    lock(&CODES)
}

impl Codes {
    fn next(&mut self) -> Result<i32> {
        let next = self.last.max(LAST_CODE).checked_add(1);
        let next = next.ok_or_else(|| Error::new(Class::NoMem, "no more error codes"))?;
        self.last = next;
        Ok(next)
    }

    fn added(&mut self, code: i32) -> Result<&mut Added> {
        self.added.get_mut(&code).ok_or_else(|| {
            Error::new(
                Class::Arg,
                format!("{code} is not an error code that was added"),
            )
        })
    }

    fn is_class_in_use(&self, class: i32) -> bool {
        let mut codes = self.added.iter();
        codes.any(|(number, added)| added.class == class && *number != class)
    }
}

/// The greatest number of a class or code (`MPI_LASTUSEDCODE`).
pub fn last_used() -> i32 {
    codes().last.max(LAST_CODE)
}

/// The class of a code.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none.
pub fn class(code: i32) -> Result<i32> {
    if Class::from_number(code).is_some() {
        return Ok(code);
    }
    codes().added(code).map(|added| added.class)
}

/// The text of a class or code; empty for those of the program that have none.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none.
pub fn text(code: i32) -> Result<String> {
    if let Some(class) = Class::from_number(code) {
        return Ok(format!("{}: {}", class.symbol(), class.text()));
    }
    codes()
        .added(code)
        .map(|added| added.text.clone().unwrap_or_default())
}

/// A new class.
///
/// # Errors
/// `MPI_ERR_NO_MEM` when there are too many.
pub fn add_class() -> Result<i32> {
    let mut codes = codes();
    let class = codes.next()?;
    codes.added.insert(class, Added { class, text: None });
    Ok(class)
}

/// A new code of a class of the library or the program.
///
/// # Errors
/// `MPI_ERR_ARG` when it is no class.
pub fn add_code(class: i32) -> Result<i32> {
    let mut codes = codes();
    let is_class = Class::from_number(class).is_some()
        || codes
            .added
            .get(&class)
            .is_some_and(|added| added.class == class);
    if !is_class {
        return Err(Error::new(
            Class::Arg,
            format!("{class} is not an error class"),
        ));
    }
    let code = codes.next()?;
    codes.added.insert(code, Added { class, text: None });
    Ok(code)
}

/// Gives a class or code of the program a text.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none of the program's, or the text is too long.
pub fn set_text(code: i32, text: &str) -> Result<()> {
    if text.len() >= MAX_TEXT {
        return Err(Error::new(
            Class::Arg,
            format!("a text of {} bytes", text.len()),
        ));
    }
    codes().added(code)?.text = Some(text.to_owned());
    Ok(())
}

/// Takes back a class, which no code may have any more.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none of the program's; `MPI_ERR_OTHER` when it is in use.
pub fn remove_class(class: i32) -> Result<()> {
    let mut codes = codes();
    if codes.added(class)?.class != class {
        return Err(Error::new(
            Class::Arg,
            format!("{class} is a code and not a class"),
        ));
    }
    if codes.is_class_in_use(class) || codes.added(class)?.text.is_some() {
        let detail = format!("class {class} has codes or a text; remove them first");
        return Err(Error::new(Class::Other, detail));
    }
    codes.added.remove(&class);
    Ok(())
}

/// Takes back a code.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none of the program's; `MPI_ERR_OTHER` when it has a text.
pub fn remove_code(code: i32) -> Result<()> {
    let mut codes = codes();
    if codes.added(code)?.class == code {
        return Err(Error::new(
            Class::Arg,
            format!("{code} is a class and not a code"),
        ));
    }
    if codes.added(code)?.text.is_some() {
        let detail = format!("code {code} has a text; remove it first");
        return Err(Error::new(Class::Other, detail));
    }
    codes.added.remove(&code);
    Ok(())
}

/// Takes back the text of a class or code.
///
/// # Errors
/// `MPI_ERR_ARG` when it is none of the program's, or has none.
pub fn remove_text(code: i32) -> Result<()> {
    let taken = codes().added(code)?.text.take();
    taken
        .map(drop)
        .ok_or_else(|| Error::new(Class::Arg, format!("code {code} has no text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: std::fmt::Debug>(result: Result<T>) -> Class {
        result.unwrap_err().class().unwrap()
    }

    #[test]
    fn classes_and_codes_come_and_go() {
        let mine = add_class().unwrap();
        assert!(mine > LAST_CODE);
        let code = add_code(mine).unwrap();
        assert!(last_used() >= code);
        assert_eq!((class(code).unwrap(), class(mine).unwrap()), (mine, mine));
        assert_eq!(text(code).unwrap(), "");
        set_text(code, "broken").unwrap();
        assert_eq!(text(code).unwrap(), "broken");
        assert_eq!(of(remove_code(code)), Class::Other);
        assert_eq!(of(remove_class(mine)), Class::Other);
        remove_text(code).unwrap();
        assert_eq!(of(remove_text(code)), Class::Arg);
        remove_code(code).unwrap();
        remove_class(mine).unwrap();
        assert_eq!(of(class(mine)), Class::Arg);
    }

    #[test]
    fn the_librarys_own_stay() {
        assert_eq!(class(6).unwrap(), 6);
        assert_eq!(text(6).unwrap(), "MPI_ERR_RANK: invalid rank");
        assert_eq!(of(set_text(6, "mine")), Class::Arg);
        assert_eq!(of(remove_class(6)), Class::Arg);
        assert_eq!(of(add_code(-5)), Class::Arg);
        assert_eq!(of(class(-5)), Class::Arg);
        let code = add_code(6).unwrap();
        assert_eq!(class(code).unwrap(), 6);
        assert_eq!(of(add_code(code)), Class::Arg);
    }
}
