//! Element types and the hashes by which a receiver knows what it was sent.

use crate::datatype::Word;
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;

/// Plain data: any bit pattern is a value, there is no padding and there are no references.
///
/// Implemented for every [`bytemuck::Pod`] type: the integers, `f32`, `f64`, arrays of these, and
/// structs that derive `Pod` (`#[repr(C)] #[derive(Clone, Copy, Pod, Zeroable)]`). Slices of plain
/// data travel as they lie in memory.
///
/// Between hosts whose numbers lie otherwise in memory they are converted by the receiver: numbers,
/// arrays of them, `Wrapping` and `num_complex::Complex`. A `usize` of a host with shorter addresses is
/// received as `usize` all the same, one that does not fit is an error. What a struct is made of nobody
/// knows: it is [refused](crate::Error::Unlike) there, and can be sent as a value instead.
///
/// A type without any bytes is refused at compile time where it is used as an element.
pub trait Plain: bytemuck::Pod + Send + Sync {}

impl<T: bytemuck::Pod + Send + Sync> Plain for T {}

/// Types with names that mean the same to every program and language, with the name that is
/// hashed.
macro_rules! primitives {
    ($($type:ty = $name:literal),* $(,)?) => {
        fn primitive(id: TypeId) -> Option<&'static str> {
            $(if id == TypeId::of::<$type>() {
                return Some($name);
            })*
            None
        }

        const PRIMITIVES: &[&str] = &[$($name),*];
    };
}

#[cfg(target_pointer_width = "64")]
primitives! {
    f64 = "f64", f32 = "f32", u8 = "u8", i8 = "i8", u16 = "u16", i16 = "i16", u32 = "u32",
    i32 = "i32", u64 = "u64", i64 = "i64", u128 = "u128", i128 = "i128", usize = "u64",
    isize = "i64",
}

/// The hash that travels with slices of `T`; never 0, which means untyped.
///
/// Primitive types have hashes that never change. Other types are told apart by their full name,
/// so programs that exchange them share the crate that defines them.
pub fn plain_hash<T: Plain>() -> u32 {
    const {
        assert!(
            size_of::<T>() > 0,
            "elements of messages need at least one byte"
        )
    };
    match primitive(TypeId::of::<T>()) {
        Some(name) => hash(&[name]),
        None => hash(&["plain ", std::any::type_name::<T>()]),
    }
}

/// What elements of type `T` are made of.
pub(super) fn word<T: Plain>() -> Word {
    word_of(std::any::type_name::<T>())
}

/// As [`word`], of the type with this name. There is no other way to tell arrays of numbers from
/// structs, and by their names types are told apart anyway.
fn word_of(name: &str) -> Word {
    match name {
        "u8" | "i8" => Word::Fixed(1),
        "u16" | "i16" => Word::Fixed(2),
        "u32" | "i32" | "f32" => Word::Fixed(4),
        "u64" | "i64" | "f64" => Word::Fixed(8),
        "u128" | "i128" => Word::Fixed(16),
        "usize" => Word::Address { signed: false },
        "isize" => Word::Address { signed: true },
        _ => inside(name).map_or(Word::Opaque, word_of),
    }
}

/// The type that this one is nothing but several of.
fn inside(name: &str) -> Option<&str> {
    let array = || {
        name.strip_prefix('[')?
            .rsplit_once("; ")
            .map(|(element, _)| element)
    };
    let generic = |outer| name.strip_prefix(outer)?.strip_suffix('>');
    array()
        .or_else(|| generic("core::num::wrapping::Wrapping<"))
        .or_else(|| generic("num_complex::Complex<"))
}

/// The words of a message for elements `T`, of its sender; `None`: something else was sent. `address`
/// is how many bytes one has there.
pub(super) fn sent_word<T: Plain>(check: u32, address: usize) -> Option<Word> {
    let (word, is_own) = (word::<T>(), check == plain_hash::<T>());
    match word {
        // One by itself is called by its size on every host.
        Word::Address { .. } if is_own && primitive(TypeId::of::<T>()).is_some() => {
            Some(Word::Fixed(size_of::<T>()))
        }
        Word::Address { signed } if address != size_of::<usize>() => {
            let theirs = match (signed, address) {
                (false, 4) => "u32",
                (true, 4) => "i32",
                (false, _) => "u64",
                (true, _) => "i64",
            };
            let is_theirs = primitive(TypeId::of::<T>()).is_some() && check == hash(&[theirs]);
            (is_own || is_theirs).then_some(word)
        }
        word => is_own.then_some(word),
    }
}

/// The hash that travels with serde values of type `T`. Borrowed and owned forms agree: `&str` is
/// received as `String`, `[T]` as `Vec<T>`.
pub fn value_hash<T: ?Sized>() -> u32 {
    thread_local! {
        static KNOWN: RefCell<HashMap<&'static str, u32>> = RefCell::default();
    }
    let name = std::any::type_name::<T>();
    KNOWN.with_borrow_mut(|known| {
        *known
            .entry(name)
            .or_insert_with(|| hash(&["value ", &owned_form(name)]))
    })
}

/// The name of the type with this hash, when it is a primitive.
pub(super) fn name_of(wanted: u32) -> Option<&'static str> {
    PRIMITIVES
        .iter()
        .find(|name| hash(&[name]) == wanted)
        .copied()
}

/// FNV-1a over the concatenation, kept away from 0.
const fn hash(parts: &[&str]) -> u32 {
    let mut state = 0x811c_9dc5u32;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            state = (state ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        part += 1;
    }
    if state == 0 { 1 } else { state }
}

/// A type's name with references removed, `str` for `String`, `[T]` for `Vec<T>` and `T` for
/// `Box<T>`: they encode alike.
fn owned_form(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    // What each open '<' is closed with.
    let mut closers = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let at_start = !out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let replaced = [
            ("&mut ", "", None),
            ("&", "", None),
            ("alloc::string::String", "str", None),
            ("alloc::vec::Vec<", "[", Some("]")),
            ("alloc::boxed::Box<", "", Some("")),
        ];
        let hit = replaced
            .iter()
            .find(|(from, ..)| at_start && rest.starts_with(from));
        if let Some((from, to, closer)) = hit {
            out.push_str(to);
            closers.extend(closer);
            rest = &rest[from.len()..];
            continue;
        }
        match first {
            '<' => {
                closers.push(">");
                out.push(first);
            }
            '>' if !out.ends_with('-') => out.push_str(closers.pop().unwrap_or(">")),
            _ => out.push(first),
        }
        rest = &rest[first.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes are on the wire: never change a line here.
    #[test]
    fn golden_hashes() {
        assert_eq!(plain_hash::<f64>(), 0x0043_5aeb);
        assert_eq!(plain_hash::<i32>(), 0xcaa7_f4a5);
        assert_eq!(plain_hash::<usize>(), plain_hash::<u64>());
    }

    #[test]
    fn different_types_have_different_hashes() {
        let hashes = [
            plain_hash::<u8>(),
            plain_hash::<i8>(),
            plain_hash::<f32>(),
            plain_hash::<u32>(),
            plain_hash::<[u32; 1]>(),
            plain_hash::<[u32; 2]>(),
            value_hash::<u32>(),
            value_hash::<(u32, u8)>(),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash));
        }
        assert_eq!(name_of(plain_hash::<f32>()), Some("f32"));
        assert_eq!(name_of(plain_hash::<[f32; 3]>()), None);
    }

    #[test]
    fn what_elements_are_made_of_is_known_of_numbers_and_arrays_of_them() {
        assert_eq!(word::<u8>(), Word::Fixed(1));
        assert_eq!(word::<[[i16; 3]; 2]>(), Word::Fixed(2));
        assert_eq!(word::<std::num::Wrapping<u128>>(), Word::Fixed(16));
        assert_eq!(word_of("num_complex::Complex<f64>"), Word::Fixed(8));
        assert_eq!(word::<[isize; 4]>(), Word::Address { signed: true });
        assert_eq!(word_of("some::Struct<f64>"), Word::Opaque);
        assert_eq!(word_of("[some::Struct; 2]"), Word::Opaque);
        let primitives = PRIMITIVES.iter().map(|name| word_of(name));
        assert!(primitives.into_iter().all(|word| word != Word::Opaque));
    }

    #[test]
    fn addresses_are_called_by_their_size_at_their_sender() {
        let addresses = Some(Word::Address { signed: false });
        let narrow = hash(&["u32"]);
        assert_eq!(sent_word::<usize>(narrow, 4), addresses);
        assert_eq!(sent_word::<usize>(narrow, 8), None);
        assert_eq!(
            sent_word::<usize>(plain_hash::<u64>(), 4),
            Some(Word::Fixed(8))
        );
        assert_eq!(sent_word::<u64>(narrow, 4), None);
        assert_eq!(
            sent_word::<[usize; 2]>(plain_hash::<[usize; 2]>(), 4),
            addresses
        );
        assert_eq!(sent_word::<[usize; 2]>(narrow, 4), None);
    }

    #[test]
    fn borrowed_values_are_received_as_owned_ones() {
        assert_eq!(value_hash::<str>(), value_hash::<String>());
        assert_eq!(value_hash::<&str>(), value_hash::<String>());
        assert_eq!(value_hash::<[&[u8]]>(), value_hash::<Vec<Vec<u8>>>());
        assert_eq!(
            value_hash::<(&str, Option<Box<[i32]>>)>(),
            value_hash::<(String, Option<Vec<i32>>)>()
        );
        assert_ne!(value_hash::<Vec<u8>>(), value_hash::<Vec<i8>>());
    }

    #[test]
    fn names_are_rewritten_inside_generics() {
        assert_eq!(
            owned_form(
                "core::option::Option<alloc::vec::Vec<(&str, alloc::boxed::Box<a::B<u8>>)>>"
            ),
            "core::option::Option<[(str, a::B<u8>)]>"
        );
    }
}
