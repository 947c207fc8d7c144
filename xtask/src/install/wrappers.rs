//! `mpicc` and its sisters: one script under several names.

use anyhow::Result;

use super::tree::Tree;
use super::{filled, link};

/// What it is called; those with `_abi` are what implementations with an ABI of their own call it for
/// the standard one.
const NAMES: [&str; 6] = [
    "mpicc",
    "mpicxx",
    "mpic++",
    "mpiCC",
    "mpicc_abi",
    "mpicxx_abi",
];

/// Installs it.
pub fn lay_out(tree: &Tree, prefix: &str) -> Result<()> {
    tree.script(&filled("bin/mpicc.in", prefix)?, "libexec/pvm/mpicc")?;
    NAMES
        .iter()
        .try_for_each(|name| link(tree, "../libexec/pvm/mpicc", &format!("bin/{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;
    use crate::vm::Scratch;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// An installation of the wrappers alone.
    struct Prefix(Scratch);

    impl Prefix {
        fn new() -> Self {
            let scratch = Scratch::new("wrappers").unwrap();
            let tree = Tree::new(scratch.path());
            lay_out(&tree, "/elsewhere").unwrap();
            tree.text("", "include/mpi.h").unwrap();
            Self(scratch)
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn command(&self, name: &str) -> Command {
            let mut command = Command::new(self.path().join("bin").join(name));
            for variable in ["MPICC_CC", "MPICH_CC", "OMPI_CC"] {
                command.env_remove(variable);
            }
            for variable in ["MPICXX_CXX", "MPICH_CXX", "OMPI_CXX"] {
                command.env_remove(variable);
            }
            command
        }

        /// What a name of it prints for these arguments; `@` stands for the prefix.
        fn says(&self, name: &str, arguments: &[&str]) -> String {
            let said = shell::output(self.command(name).args(arguments)).unwrap();
            let prefix = self.path().display().to_string();
            said.trim_end().replace(&prefix, "@")
        }
    }

    #[test]
    fn every_way_to_show_is_answered() {
        let prefix = Prefix::new();
        let link = "-L@/lib -Wl,-rpath,@/lib -lmpi_abi";
        let both = format!("cc -I@/include {link}");
        for (argument, answer) in [
            ("-show", both.as_str()),
            ("-showme", &both),
            ("--showme", &both),
            ("-showme:command", "cc"),
            ("-showme:compile", "-I@/include"),
            ("--showme:compile", "-I@/include"),
            ("-showme:link", link),
            ("--showme:incdirs", "@/include"),
            ("-showme:libdirs", "@/lib"),
            ("-showme:libs", "mpi_abi"),
            ("-compile-info", "cc -I@/include"),
            ("-compile_info", "cc -I@/include"),
            ("-link-info", &both),
            ("-link_info", &both),
        ] {
            assert_eq!(prefix.says("mpicc", &[argument]), answer, "{argument}");
        }
        let version = format!(
            "mpicc: pvm {} (language: C, MPI 5.0, ABI 1.0)",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(prefix.says("mpicc", &["-showme:version"]), version);
        assert!(
            prefix
                .says("mpicc", &["-showme:help"])
                .starts_with("usage: mpicc")
        );
        let wrong = prefix
            .command("mpicc")
            .arg("-showme:colour")
            .output()
            .unwrap();
        assert_eq!(wrong.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("-showme:colour is not known"));
    }

    #[test]
    fn libraries_are_for_linking_only() {
        let prefix = Prefix::new();
        let link = "-L@/lib -Wl,-rpath,@/lib -lmpi_abi";
        let says = |arguments: &[&str]| prefix.says("mpicc", arguments);
        let linked = format!("cc -I@/include -O2 -static a.c -o a {link}");
        assert_eq!(says(&["-O2", "-static", "a.c", "-o", "a", "-show"]), linked);
        for only in ["-c", "-S", "-E", "-M", "-MM", "-fsyntax-only"] {
            assert_eq!(
                says(&["-show", only, "a.c"]),
                format!("cc -I@/include {only} a.c")
            );
        }
        assert!(
            prefix
                .command("mpicc")
                .arg("--version")
                .output()
                .unwrap()
                .status
                .success()
        );
        let verbose = prefix.command("mpicc").arg("-v").output().unwrap();
        assert!(verbose.status.success());
        assert!(verbose.stdout.starts_with(b"mpicc of pvm "));
    }

    #[test]
    fn names_options_and_variables_choose_the_compiler() {
        let prefix = Prefix::new();
        for name in ["mpicxx", "mpic++", "mpiCC", "mpicxx_abi"] {
            assert_eq!(prefix.says(name, &["-showme:command"]), "c++", "{name}");
        }
        assert_eq!(prefix.says("mpicc_abi", &["-showme:command"]), "cc");
        assert_eq!(
            prefix.says("mpicc", &["-cc=clang", "-showme:command"]),
            "clang"
        );
        assert_eq!(
            prefix.says("mpicxx", &["-cxx=clang++", "-showme:command"]),
            "clang++"
        );
        for (name, variable) in [
            ("mpicc", "OMPI_CC"),
            ("mpicc", "MPICH_CC"),
            ("mpicc", "MPICC_CC"),
        ] {
            let mut command = prefix.command(name);
            let said = shell::output(
                command
                    .env(variable, "ccache gcc")
                    .args(["-show", "-c", "a.c"]),
            );
            assert!(said.unwrap().starts_with("ccache gcc -I/"), "{variable}");
        }
    }

    #[test]
    fn the_prefix_is_found_from_anywhere() {
        let prefix = Prefix::new();
        let include = format!("{}/include\n", prefix.path().display());
        let ask = |path: PathBuf, folder: &Path| {
            shell::output(
                Command::new(path)
                    .arg("-showme:incdirs")
                    .current_dir(folder),
            )
            .unwrap()
        };
        assert_eq!(ask("./mpicc".into(), &prefix.path().join("bin")), include);
        assert_eq!(ask("bin/mpicc".into(), prefix.path()), include);
        let elsewhere = Scratch::new("link").unwrap();
        let link = elsewhere.path().join("mpicc");
        std::os::unix::fs::symlink(prefix.path().join("bin/mpicc"), &link).unwrap();
        assert_eq!(ask(link, elsewhere.path()), include);
        let mut command = Command::new("mpicc");
        command.arg("-showme:incdirs").env(
            "PATH",
            format!("{}/bin:/bin:/usr/bin", prefix.path().display()),
        );
        assert_eq!(shell::output(&mut command).unwrap(), include);
        let moved = prefix.path().join("include/mpi.h");
        std::fs::remove_file(moved).unwrap();
        let lost = prefix.command("mpicc").output().unwrap();
        assert!(String::from_utf8_lossy(&lost.stderr).contains("install it again"));
    }
}
