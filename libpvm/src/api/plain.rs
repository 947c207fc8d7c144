//! Element types and the hashes by which a receiver knows what it was sent.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;

/// Plain data: any bit pattern is a value, there is no padding and there are no references.
///
/// Implemented for every [`bytemuck::Pod`] type: the integers, `f32`, `f64`, arrays of these, and
/// structs that derive `Pod` (`#[repr(C)] #[derive(Clone, Copy, Pod, Zeroable)]`). Slices of plain
/// data travel as they lie in memory.
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
