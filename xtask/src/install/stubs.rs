//! Stubs for the linker: shared objects with the names and symbols of the libraries of PVM and MPI
//! and nothing in them.

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

/// One of the libraries that programs are linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    Core,
    Group,
    Fortran,
    Mpi,
}

impl Library {
    const ALL: [Self; 4] = [Self::Core, Self::Group, Self::Fortran, Self::Mpi];

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Core => ("libpvm3.so", "libpvm3.so.3"),
            Self::Group => ("libgpvm3.so", "libgpvm3.so.3"),
            Self::Fortran => ("libfpvm3.so", "libfpvm3.so.3"),
            Self::Mpi => ("libmpi_abi.so", "libmpi_abi.so.1"),
        }
    }

    /// As `bindings-c/exports.txt` calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Core => "pvm3",
            Self::Group => "gpvm3",
            Self::Fortran => "fpvm3",
            Self::Mpi => "mpi_abi",
        }
    }
}

/// An exported symbol.
#[derive(Debug, PartialEq, Eq)]
struct Symbol<'a> {
    name: &'a str,
    /// Bytes of a variable; none for a function.
    variable: Option<u64>,
}

/// Makes the stubs from the table of exported symbols (`bindings-c/exports.txt`, which the tests
/// compare with the library).
pub fn make(exports: &str, folder: &Path) -> Result<Vec<Stub>> {
    let mut stubs = Vec::new();
    for library in Library::ALL {
        let own = exports.lines().filter_map(|line| symbol(line, library));
        let (source, count) = source(own);
        let (name, soname) = library.names();
        if count == 0 {
            bail!("bindings-c/exports.txt has no symbol of {name}");
        }
        let file = compile(folder, name, soname, &source)?;
        stubs.push(Stub { name, soname, file });
    }
    Ok(stubs)
}

/// Reads a line `library name [size]` if it is about this library.
fn symbol(line: &str, library: Library) -> Option<Symbol<'_>> {
    let mut words = line.split_whitespace();
    if words.next()? != library.word() {
        return None;
    }
    let name = words.next()?;
    let variable = words.next().and_then(|size| size.parse().ok());
    Some(Symbol { name, variable })
}

/// C that defines the symbols, and how many they are.
fn source<'a>(symbols: impl Iterator<Item = Symbol<'a>>) -> (String, usize) {
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
    fn lines_of_the_table_are_read() {
        let function = Symbol {
            name: "pvm_send",
            variable: None,
        };
        let variable = Symbol {
            name: "pvm_errno",
            variable: Some(4),
        };
        assert_eq!(symbol("pvm3 pvm_send", Library::Core), Some(function));
        assert_eq!(symbol("pvm3 pvm_errno 4", Library::Core), Some(variable));
        assert_eq!(symbol("gpvm3 pvm_barrier", Library::Core), None);
        assert_eq!(symbol("# library  symbol", Library::Core), None);
        assert_eq!(symbol("", Library::Core), None);
    }

    #[test]
    fn a_program_linked_with_stubs_asks_for_the_right_names() {
        let scratch = Scratch::new("stub").unwrap();
        let exports = "# table\npvm3 pvm_send\npvm3 pvm_errno 4\ngpvm3 pvm_barrier\nfpvm3 pvmfsend_\nmpi_abi MPI_Send";
        assert_eq!(make(exports, scratch.path()).unwrap().len(), 4);

        let source = scratch.path().join("program.c");
        fs::write(
            &source,
            "void pvm_send(void), pvm_barrier(void), MPI_Send(void); extern int pvm_errno;\n\
            int main(void) { pvm_send(); pvm_barrier(); MPI_Send(); return pvm_errno; }",
        )
        .unwrap();
        let program = scratch.path().join("program");
        let mut gcc = shell::command("gcc");
        gcc.arg("-o")
            .arg(&program)
            .arg(&source)
            .arg("-L")
            .arg(scratch.path());
        shell::output(gcc.args(["-lgpvm3", "-lpvm3", "-lmpi_abi"])).unwrap();
        let wants = shell::output(shell::command("readelf").arg("-d").arg(&program)).unwrap();
        for soname in ["libpvm3.so.3", "libgpvm3.so.3", "libmpi_abi.so.1"] {
            assert!(wants.contains(&format!("[{soname}]")), "{wants}");
        }
        assert!(!wants.contains("[libcore.so.0]"), "{wants}");
    }
}
