//! Which libraries a program or library of this host wants: the dynamic section of its file.
//!
//! Pure over a function that reads bytes of the file. Everything in a file may be wrong, so every length has
//! a limit, and what cannot be read is as if it were not there.

/// What a file says to the dynamic loader.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Libraries that it wants.
    pub needed: Vec<String>,
    /// What it calls itself.
    pub soname: Option<String>,
    /// Where its libraries are looked for, before the environment has its say.
    pub rpath: Option<String>,
    /// The same, after it.
    pub runpath: Option<String>,
}

/// Program headers that are looked at.
const SEGMENTS_MAX: usize = 128;
/// Entries of the section that are looked at.
const ENTRIES_MAX: usize = 4096;
/// Longest name.
const NAME_MAX: usize = 4096;

const IS_64_BIT: bool = cfg!(target_pointer_width = "64");
const ORDER: u8 = if cfg!(target_endian = "big") { 2 } else { 1 };
/// Where the lower half of a segment's kind is; kinds that matter have nothing in the other.
const KIND_LOW: usize = if cfg!(target_endian = "big") { 2 } else { 0 };
const SEGMENT_LOAD: u32 = 1;
const SEGMENT_DYNAMIC: u32 = 2;

const TAG_END: u64 = 0;
const TAG_NEEDED: u64 = 1;
const TAG_STRINGS: u64 = 5;
const TAG_SONAME: u64 = 14;
const TAG_RPATH: u64 = 15;
const TAG_RUNPATH: u64 = 29;

/// A part of the file that is mapped.
#[derive(Clone, Copy)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// Reads the section; `None`: the file is none for this host, or has no such section. `read` gives up to so
/// many bytes from an offset on.
pub fn dynamic(read: impl Fn(u64, usize) -> Option<Vec<u8>>) -> Option<Dynamic> {
    if !IS_64_BIT {
        return None;
    }
    let segments = segments(&read)?;
    let section = segments.iter().find(|it| it.kind == SEGMENT_DYNAMIC)?;
    let bytes = read(
        section.offset,
        (section.size as usize).min(ENTRIES_MAX * 16),
    )?;
    let entries = bytes.chunks_exact(16).map(|it| (word(it, 0), word(it, 8)));
    let entries: Vec<(u64, u64)> = entries.take_while(|(tag, _)| *tag != TAG_END).collect();
    let strings = entries.iter().find(|(tag, _)| *tag == TAG_STRINGS)?.1;
    let strings = offset_of(&segments, strings)?;
    let name = |at: u64| text(&read, strings.checked_add(at)?);
    let named = |wanted: u64| {
        let found = entries.iter().find(|(tag, _)| *tag == wanted)?;
        name(found.1)
    };
    let needed = entries.iter().filter(|(tag, _)| *tag == TAG_NEEDED);
    Some(Dynamic {
        needed: needed.filter_map(|(_, at)| name(*at)).collect(),
        soname: named(TAG_SONAME),
        rpath: named(TAG_RPATH),
        runpath: named(TAG_RUNPATH),
    })
}

fn segments(read: &impl Fn(u64, usize) -> Option<Vec<u8>>) -> Option<Vec<Segment>> {
    let head = read(0, 64).filter(|head| head.len() == 64)?;
    if !head.starts_with(&[0x7f, b'E', b'L', b'F', 2, ORDER]) {
        return None;
    }
    let (size, count) = (usize::from(half(&head, 54)), usize::from(half(&head, 56)));
    if size < 56 {
        return None;
    }
    let bytes = read(word(&head, 32), size * count.min(SEGMENTS_MAX))?;
    let segment = |it: &[u8]| Segment {
        kind: u32::from(half(it, KIND_LOW)),
        offset: word(it, 8),
        address: word(it, 16),
        size: word(it, 32),
    };
    Some(bytes.chunks_exact(size).map(segment).collect())
}

/// Where in the file an address of memory is.
fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let mapped = segments.iter().filter(|it| it.kind == SEGMENT_LOAD);
    let mut inside = mapped.filter_map(|it| {
        let within = address
            .checked_sub(it.address)
            .filter(|within| *within < it.size)?;
        it.offset.checked_add(within)
    });
    inside.next()
}

fn text(read: &impl Fn(u64, usize) -> Option<Vec<u8>>, at: u64) -> Option<String> {
    let bytes = read(at, NAME_MAX)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    String::from_utf8(bytes[..end].to_vec()).ok()
}

fn half(bytes: &[u8], at: usize) -> u16 {
    let bytes = bytes.get(at..at + 2).and_then(|it| it.try_into().ok());
    u16::from_ne_bytes(bytes.unwrap_or_default())
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..at + 8).and_then(|it| it.try_into().ok());
    u64::from_ne_bytes(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn over(bytes: &[u8]) -> Option<Dynamic> {
        dynamic(|offset, count| {
            let rest = bytes.get(usize::try_from(offset).ok()?..)?;
            Some(rest[..rest.len().min(count)].to_vec())
        })
    }

    #[test]
    fn our_own_file_wants_the_c_library() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let needed = over(&own).unwrap().needed;
        assert!(
            needed.iter().any(|name| name.starts_with("libc.so")),
            "{needed:?}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            over(&bytes);
        }

        #[test]
        fn any_damage_is_borne(at in 0usize..4096, byte: u8) {
            let mut own = std::fs::read("/proc/self/exe").unwrap();
            own.truncate(1 << 20);
            own[at] = byte;
            over(&own);
        }
    }
}
