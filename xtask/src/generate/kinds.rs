//! What parameters are, in C and in Rust.

/// What a parameter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of the table below.
    Plain(&'static Row),
    /// A handle: the C type, e.g. `MPI_Comm`.
    Handle(&'static str),
    /// A handle that counts in some processes only; in others it may be anything.
    AnyHandle(&'static str),
    /// Where handles come from or go to.
    HandlePointer(&'static str),
    /// Handles that are read.
    Handles(&'static str),
    /// Handles that are read and written.
    HandlesMut(&'static str),
    /// A function of the program; the typedef, and that of the large form.
    Function(String),
    /// A type of the tool interface, as written in C.
    Tool(String),
}

/// A kind with the same shape in all functions.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    word: &'static str,
    /// C before and behind the name, with int counts and with large ones.
    c: (&'static str, &'static str),
    c_large: (&'static str, &'static str),
    /// The Rust type of `raw.rs`, with int counts and with large ones.
    rust: &'static str,
    rust_large: &'static str,
}

macro_rules! rows {
    ($($word:literal: $before:literal $behind:literal, $rust:ident
       $(| $before_large:literal $behind_large:literal, $rust_large:ident)?;)*) => {
        const ROWS: &[Row] = &[$(
            rows!(@row $word ($before, $behind) $rust $(($before_large, $behind_large) $rust_large)?),
        )*];
    };
    (@row $word:literal $c:tt $rust:ident) => {
        rows!(@row $word $c $rust $c $rust)
    };
    (@row $word:literal $c:tt $rust:ident $large:tt $rust_large:ident) => {
        Row { word: $word, c: $c, c_large: $large, rust: stringify!($rust), rust_large: stringify!($rust_large) }
    };
}

// Weights are no arrays in C: of an array gcc believes that there is an element, and warns of MPI_UNWEIGHTED.
rows! {
    "int": "int " "", Int;
    "count": "int " "", Count | "MPI_Count " "", LargeCount;
    "num": "int " "", Int | "MPI_Count " "", LargeInt;
    "formed_count": "int " "", FormedInt | "MPI_Count " "", FormedCount;
    "formed_aint": "MPI_Aint " "", FormedAint | "MPI_Count " "", FormedCount;
    "op_type": "MPI_Datatype " "", OpDatatype;
    "type_or_null": "MPI_Datatype " "", DatatypeOrNull;
    "unit": "int " "", Int | "MPI_Aint " "", Aint;
    "aint": "MPI_Aint " "", Aint;
    "xaint": "MPI_Aint " "", Aint | "MPI_Count " "", LargeInt;
    "offset": "MPI_Offset " "", LargeInt;
    "bigcount": "MPI_Count " "", LargeInt;
    "ints": "const int " "[]", Ints;
    "weights": "const int *" "", Ints;
    "counts": "const int " "[]", Ints | "const MPI_Count " "[]", Counts;
    "displs": "const int " "[]", Ints | "const MPI_Aint " "[]", Aints;
    "aints": "const MPI_Aint " "[]", Aints;
    "xaints": "const MPI_Aint " "[]", Aints | "const MPI_Count " "[]", Counts;
    "ranges": "int " "[][3]", Ranges;
    "out_int": "int *" "", OutInt;
    "out_ints": "int " "[]", OutInts;
    "out_weights": "int *" "", OutInts;
    "out_count": "int *" "", OutCount | "MPI_Count *" "", OutLargeCount;
    "out_unit": "int *" "", OutCount | "MPI_Aint *" "", OutAint;
    "out_aint": "MPI_Aint *" "", OutAint;
    "out_xaint": "MPI_Aint *" "", OutAint | "MPI_Count *" "", OutLargeCount;
    "out_bigcount": "MPI_Count *" "", OutLargeCount;
    "out_offset": "MPI_Offset *" "", OutLargeCount;
    "out_aints": "MPI_Aint " "[]", OutAints;
    "out_bigcounts": "MPI_Count " "[]", OutCounts;
    "buf": "const void *" "", Buf;
    "out_buf": "void *" "", OutBuf;
    "pointer": "void *" "", Pointer;
    "string": "const char *" "", Str;
    "out_string": "char *" "", OutStr;
    "strings": "char *" "[]", Strings;
    "string_lists": "char **" "[]", StringLists;
    "argc": "int *" "", Argc;
    "argv": "char ***" "", Argv;
    "status": "MPI_Status *" "", OutStatus;
    "statuses": "MPI_Status " "[]", OutStatuses;
    "const_status": "const MPI_Status *" "", InStatus;
}

const HANDLES: &[(&str, &str)] = &[
    ("comm", "MPI_Comm"),
    ("type", "MPI_Datatype"),
    ("group", "MPI_Group"),
    ("op", "MPI_Op"),
    ("info", "MPI_Info"),
    ("errhandler", "MPI_Errhandler"),
    ("request", "MPI_Request"),
    ("message", "MPI_Message"),
    ("session", "MPI_Session"),
    ("win", "MPI_Win"),
    ("file", "MPI_File"),
];

fn handle(word: &str) -> Option<&'static str> {
    let found = HANDLES.iter().find(|(name, _)| *name == word);
    found.map(|(_, c)| *c)
}

impl Row {
    /// What the table calls it.
    pub fn word(&self) -> &'static str {
        self.word
    }
}

impl Kind {
    /// The kind of a word in the table.
    pub fn named(word: &str) -> Option<Self> {
        if let Some(row) = ROWS.iter().find(|row| row.word == word) {
            return Some(Self::Plain(row));
        }
        if let Some(c) = handle(word) {
            return Some(Self::Handle(c));
        }
        if let Some(c) = word.strip_prefix("any_").and_then(handle) {
            return Some(Self::AnyHandle(c));
        }
        if word.starts_with("MPI_T_") {
            return Some(Self::Tool(word.to_owned()));
        }
        if word.starts_with("MPI_") && word.ends_with("_function") {
            return Some(Self::Function(word.to_owned()));
        }
        if let Some(one) = word.strip_prefix("out_") {
            let many = one.strip_suffix('s').and_then(handle).map(Self::HandlesMut);
            return handle(one).map(Self::HandlePointer).or(many);
        }
        word.strip_suffix('s').and_then(handle).map(Self::Handles)
    }

    /// A parameter of this kind in C.
    pub fn c(&self, name: &str, large: bool) -> String {
        match self {
            Self::Plain(row) => {
                let (before, behind) = if large { row.c_large } else { row.c };
                format!("{before}{name}{behind}")
            }
            Self::Handle(c) | Self::AnyHandle(c) => format!("{c} {name}"),
            Self::HandlePointer(c) => format!("{c} *{name}"),
            Self::Handles(c) => format!("const {c} {name}[]"),
            Self::HandlesMut(c) => format!("{c} {name}[]"),
            Self::Function(c) => format!("{} *{name}", large_function(c, large)),
            Self::Tool(c) => match c.strip_suffix('*') {
                Some(c) => format!("{c} *{name}"),
                None => format!("{c} {name}"),
            },
        }
    }

    /// Its type in Rust, one of `bindings-c/src/mpi/raw.rs`.
    pub fn rust(&self, large: bool) -> String {
        match self {
            Self::Plain(row) => (if large { row.rust_large } else { row.rust }).to_owned(),
            Self::Handle(c) => bare(c).to_owned(),
            Self::AnyHandle(c) => format!("Any{}", bare(c)),
            Self::HandlePointer(c) => format!("Out<{}>", bare(c)),
            Self::Handles(c) => format!("Array<{}>", bare(c)),
            Self::HandlesMut(c) => format!("ArrayMut<{}>", bare(c)),
            Self::Function(c) => camel(&large_function(c, large)),
            Self::Tool(c) if c == "MPI_T_cb_safety" => "Int".to_owned(),
            Self::Tool(_) => "Pointer".to_owned(),
        }
    }

    /// Whether errors are raised with the handler of this parameter.
    pub fn has_handler(&self) -> bool {
        matches!(
            self,
            Self::AnyHandle("MPI_Comm")
                | Self::Handle("MPI_Comm" | "MPI_Win" | "MPI_File" | "MPI_Session")
        )
    }
}

/// The typedefs that exist for large counts too.
fn large_function(c: &str, large: bool) -> String {
    let has_large = ["MPI_User_function", "MPI_Datarep_conversion_function"].contains(&c);
    match large && has_large {
        true => format!("{c}_c"),
        false => c.to_owned(),
    }
}

/// `MPI_Comm` as `Comm`.
fn bare(c: &str) -> &str {
    c.strip_prefix("MPI_").unwrap_or(c)
}

/// `MPI_Comm_copy_attr_function` as `CommCopyAttrFunction`.
fn camel(c: &str) -> String {
    let words = bare(c).split('_');
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_what_the_standard_writes() {
        let c = |word: &str, large| Kind::named(word).unwrap().c("x", large);
        assert_eq!(c("count", false), "int x");
        assert_eq!(c("count", true), "MPI_Count x");
        assert_eq!(c("displs", true), "const MPI_Aint x[]");
        assert_eq!(c("out_comm", false), "MPI_Comm *x");
        assert_eq!(c("out_requests", false), "MPI_Request x[]");
        assert_eq!(c("types", false), "const MPI_Datatype x[]");
        assert_eq!(c("MPI_User_function", true), "MPI_User_function_c *x");
        assert_eq!(c("MPI_T_enum*", false), "MPI_T_enum *x");
        assert_eq!(Kind::named("comm_"), None);
    }

    #[test]
    fn kinds_have_a_type_in_rust() {
        let rust = |word: &str| Kind::named(word).unwrap().rust(false);
        assert_eq!(rust("MPI_Comm_copy_attr_function"), "CommCopyAttrFunction");
        assert_eq!(rust("out_type"), "Out<Datatype>");
        assert_eq!(rust("buf"), "Buf");
        assert_eq!(rust("any_group"), "AnyGroup");
    }
}
