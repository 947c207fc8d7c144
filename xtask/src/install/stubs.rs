//! Stubs for the linker: shared objects with the names and symbols of the PVM libraries and
//! nothing in them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// A stub that was made.
pub struct Stub {
    /// As the linker looks for it, e.g. `libpvm3.so`.
    pub name: &'static str,
    /// As programs ask for it at run time, e.g. `libpvm3.so.3`.
    pub soname: &'static str,
    /// Where it is.
    pub file: PathBuf,
}

/// One of the libraries of PVM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    Core,
    Group,
    Fortran,
}

impl Library {
    const ALL: [Self; 3] = [Self::Core, Self::Group, Self::Fortran];

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Core => ("libpvm3.so", "libpvm3.so.3"),
            Self::Group => ("libgpvm3.so", "libgpvm3.so.3"),
            Self::Fortran => ("libfpvm3.so", "libfpvm3.so.3"),
        }
    }

    /// The library that has a symbol; none when it is not of PVM.
    fn of(symbol: &str) -> Option<Self> {
        if GROUP.contains(&symbol) {
            Some(Self::Group)
        } else if symbol.starts_with("pvm_") {
            Some(Self::Core)
        } else if symbol.to_ascii_lowercase().starts_with("pvm") {
            Some(Self::Fortran)
        } else {
            None
        }
    }
}

/// What PVM has in its group library.
const GROUP: &[&str] = &[
    "PvmMax",
    "PvmMin",
    "PvmProduct",
    "PvmSum",
    "pvm_barrier",
    "pvm_bcast",
    "pvm_freezegroup",
    "pvm_gather",
    "pvm_getinst",
    "pvm_gettid",
    "pvm_gsize",
    "pvm_joingroup",
    "pvm_lvgroup",
    "pvm_reduce",
    "pvm_scatter",
];

/// An exported symbol.
#[derive(Debug, PartialEq, Eq)]
struct Symbol {
    name: String,
    /// Bytes of a variable; none for a function.
    variable: Option<u64>,
}

/// Makes the stubs from the symbols that the core exports.
pub fn make(core: &Path, folder: &Path) -> Result<Vec<Stub>> {
    let listing = shell::output(
        shell::command("nm")
            .args(["-D", "--defined-only", "-P", "-t", "d"])
            .arg(core),
    )?;
    let symbols: Vec<Symbol> = listing.lines().filter_map(symbol).collect();
    let mut stubs = Vec::new();
    for library in Library::ALL {
        let own = symbols
            .iter()
            .filter(|symbol| Library::of(&symbol.name) == Some(library));
        let (source, count) = source(own);
        let (name, soname) = library.names();
        if count == 0 {
            bail!("{} exports no symbol of {name}", core.display());
        }
        let file = compile(folder, name, soname, &source)?;
        stubs.push(Stub { name, soname, file });
    }
    Ok(stubs)
}

/// Reads a line `name type value size` of nm.
fn symbol(line: &str) -> Option<Symbol> {
    let mut words = line.split_whitespace();
    let name = words.next()?.split('@').next()?.to_owned();
    let kind = words.next()?;
    let size = words.nth(1).and_then(|size| size.parse().ok());
    match kind {
        "T" | "W" => Some(Symbol {
            name,
            variable: None,
        }),
        "B" | "D" | "R" | "V" => Some(Symbol {
            name,
            variable: size,
        }),
        _ => None,
    }
}

/// C that defines the symbols, and how many they are.
fn source<'a>(symbols: impl Iterator<Item = &'a Symbol>) -> (String, usize) {
    let mut text = String::new();
    let mut count = 0;
    for Symbol { name, variable } in symbols {
        count += 1;
        let line = match variable {
            None => format!("void {name}(void) {{}}"),
            Some(bytes) => format!("char {name}[{bytes}];"),
        };
        writeln!(text, "{line}").expect("a string takes any text");
    }
    (text, count)
}

fn compile(folder: &Path, name: &str, soname: &str, source: &str) -> Result<PathBuf> {
    let code = folder.join(format!("{name}.c"));
    let file = folder.join(name);
    fs::write(&code, source).with_context(|| format!("cannot write {}", code.display()))?;
    let mut gcc = shell::command("gcc");
    gcc.args([
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-s",
        "-w",
        &format!("-Wl,-soname,{soname}"),
    ]);
    shell::output(gcc.arg("-o").arg(&file).arg(&code))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::Scratch;

    #[test]
    fn symbols_have_their_library() {
        assert_eq!(Library::of("pvm_send"), Some(Library::Core));
        assert_eq!(Library::of("pvm_barrier"), Some(Library::Group));
        assert_eq!(Library::of("PvmSum"), Some(Library::Group));
        assert_eq!(Library::of("pvmfsend_"), Some(Library::Fortran));
        assert_eq!(Library::of("PVMFSEND"), Some(Library::Fortran));
        assert_eq!(Library::of("rust_eh_personality"), None);
    }

    #[test]
    fn lines_of_nm_are_read() {
        let function = Symbol {
            name: "pvm_send".into(),
            variable: None,
        };
        let variable = Symbol {
            name: "pvm_errno".into(),
            variable: Some(4),
        };
        assert_eq!(symbol("pvm_send T 4096 17"), Some(function));
        assert_eq!(symbol("pvm_errno@@X B 8192 4"), Some(variable));
        assert_eq!(symbol("local t 1 2"), None);
        assert_eq!(symbol(""), None);
    }

    #[test]
    fn a_program_linked_with_stubs_asks_for_the_right_names() {
        let scratch = Scratch::new("stub").unwrap();
        let core =
            "int pvm_errno; void pvm_send(void){} void pvm_barrier(void){} void pvmfsend_(void){}";
        let core = compile(scratch.path(), "libcore.so", "libcore.so.0", core).unwrap();
        assert_eq!(make(&core, scratch.path()).unwrap().len(), 3);

        let source = scratch.path().join("program.c");
        fs::write(
            &source,
            "void pvm_send(void), pvm_barrier(void); extern int pvm_errno;\n\
            int main(void) { pvm_send(); pvm_barrier(); return pvm_errno; }",
        )
        .unwrap();
        let program = scratch.path().join("program");
        let mut gcc = shell::command("gcc");
        gcc.arg("-o")
            .arg(&program)
            .arg(&source)
            .arg("-L")
            .arg(scratch.path());
        shell::output(gcc.args(["-lgpvm3", "-lpvm3"])).unwrap();
        let wants = shell::output(shell::command("readelf").arg("-d").arg(&program)).unwrap();
        assert!(
            wants.contains("[libpvm3.so.3]") && wants.contains("[libgpvm3.so.3]"),
            "{wants}"
        );
        assert!(!wants.contains("[libcore.so.0]"), "{wants}");
    }
}
