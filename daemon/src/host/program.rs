//! Looking up the program of a launch before anything is started, so that what is wrong with it
//! is said once, exactly, and not by every task.

use super::elf::{self, Kind};
use pvm::session::split_variable;
use pvm::settings;
use pvm::wire::control::{App, Failure, FailureCode};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a program cannot be started.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A bare name that no folder of PATH holds.
    #[error("no program of that name in PATH ({})", or_empty(path))]
    NotInPath {
        /// The search path.
        path: String,
        /// A file of that name is in the working directory; whether it can be executed.
        here: Option<bool>,
    },
    /// A path that names nothing.
    #[error("{0} does not exist")]
    NotFound(PathBuf),
    /// Nobody may execute it.
    #[error("{0} is not executable")]
    NotExecutable(PathBuf),
    /// Others may execute it.
    #[error("you may not execute {path}, which belongs to user {owner}")]
    NotAllowed {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A folder on the way may not be entered.
    #[error("{0} may not be read: permission denied")]
    NoAccess(PathBuf),
    /// A folder.
    #[error("{0} is a directory")]
    IsDirectory(PathBuf),
    /// A device, socket or pipe.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// Made for other hardware or another system.
    #[error(
        "{path} is a program for {machine}, this host is {}",
        std::env::consts::ARCH
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it was made for.
        machine: String,
    },
    /// No program and no script.
    #[error("{0} is neither a program nor a script with a '#!' line")]
    NoProgram(PathBuf),
    /// What programs are made of.
    #[error("{path} is source code, no program")]
    Source {
        /// The file.
        path: PathBuf,
        /// What makes a program of it, or runs it.
        with: &'static str,
    },
    /// A file without content.
    #[error("{0} is empty")]
    Empty(PathBuf),
    /// A script whose interpreter does not exist.
    #[error(
        "{path} wants the interpreter {interpreter}, which does not exist or is not executable"
    )]
    NoInterpreter {
        /// The script.
        path: PathBuf,
        /// What its first line names.
        interpreter: PathBuf,
    },
    /// A script with lines that end as on Windows.
    #[error(
        "the first line of {0} ends in a carriage return, which counts as part of its interpreter's name"
    )]
    WindowsLines(PathBuf),
    /// Anything else.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

impl ProgramError {
    /// The failure to answer with; `program` as it was typed.
    pub fn failure(&self, program: &str) -> Failure {
        use ProgramError::*;
        let code = match self {
            NotInPath { .. } | NotFound(_) => FailureCode::FailureProgramNotFound,
            NotExecutable(_) | NotAllowed { .. } | NoAccess(_) | NotAFile(_) => {
                FailureCode::FailureProgramNotExecutable
            }
            IsDirectory(_) => FailureCode::FailureProgramIsDirectory,
            Foreign { .. }
            | NoProgram(_)
            | Source { .. }
            | Empty(_)
            | NoInterpreter { .. }
            | WindowsLines(_)
            | Unreadable { .. } => FailureCode::FailureProgramWrongFormat,
        };
        let next = match self {
            NotInPath {
                here: Some(true), ..
            } => format!("type ./{program}"),
            NotInPath {
                here: Some(false), ..
            } => {
                format!("it is here: type chmod +x {program}, then ./{program}")
            }
            NotInPath { .. } => "give its path, or add its folder to PATH".into(),
            NotFound(_) => "check the path".into(),
            NotExecutable(path) => format!("type: chmod +x {}", path.display()),
            NotAllowed { .. } => "ask its owner for it".into(),
            NoAccess(_) => "check the permissions of the folders above it".into(),
            IsDirectory(_) | NotAFile(_) => "name a program".into(),
            Foreign { .. } => "build it for this host".into(),
            NoProgram(_) => "add a first line such as '#!/bin/sh', or name its interpreter".into(),
            Source { path, with } => run_source(path, with),
            Empty(_) => "build it again".into(),
            NoInterpreter { .. } => "correct its first line, or install the interpreter".into(),
            WindowsLines(path) => format!("type: sed -i 's/\\r$//' {}", path.display()),
            Unreadable { .. } => String::new(),
        };
        Failure {
            code: code.into(),
            what: format!("cannot start '{program}'"),
            why: self.to_string(),
            next,
        }
    }
}

/// What turns files of these names into programs, or runs them.
const SOURCES: &[(&[&str], &str)] = &[
    (&["c"], "mpicc"),
    (&["cc", "cpp", "cxx", "c++", "C"], "mpicxx"),
    (
        &["f", "for", "f77", "f90", "f95", "f03", "f08", "F", "F90"],
        "gfortran",
    ),
    (&["rs"], "rustc"),
    (&["py"], PYTHON),
];
const PYTHON: &str = "python3";

/// How a source becomes, or is, a running program.
fn run_source(path: &Path, with: &str) -> String {
    let shown = path.display();
    match with {
        PYTHON => format!("name its interpreter: {with} {shown}"),
        _ => {
            let made = path.with_extension("");
            format!("compile it: {with} {shown} -o {}", made.display())
        }
    }
}

/// A file that is no program as it is: source code, going by its name, or something else.
fn unfit(path: &Path, otherwise: impl FnOnce(PathBuf) -> ProgramError) -> ProgramError {
    let extension = path.extension().and_then(OsStr::to_str);
    let language = SOURCES
        .iter()
        .find(|(names, _)| extension.is_some_and(|extension| names.contains(&extension)));
    match language {
        Some((_, with)) if !read_head(path).is_ok_and(|head| head.starts_with(b"#!")) => {
            ProgramError::Source {
                path: path.into(),
                with,
            }
        }
        _ => otherwise(path.into()),
    }
}

/// The value of a variable among some of which the last one counts.
pub fn value<'a>(
    variables: impl DoubleEndedIterator<Item = &'a Vec<u8>>,
    name: &str,
) -> Option<&'a [u8]> {
    let mut pairs = variables.rev().filter_map(|it| split_variable(it));
    let found = pairs.find(|(it, _)| *it == name.as_bytes());
    found.map(|(_, value)| value)
}

/// Where an app's program is looked up: in its own folders, then in PATH as its tasks have it, or, when they
/// get nothing of the launch's environment, as that has it.
pub fn folders(environment: &[Vec<u8>], app: &App) -> Option<Vec<u8>> {
    let path = value(
        environment.iter().chain(&app.extra_environment),
        settings::PATH,
    );
    match (app.path.is_empty(), path) {
        (true, path) => path.map(<[u8]>::to_vec),
        (false, None) => Some(app.path.clone()),
        (false, Some(path)) => Some([&app.path[..], path].join(&b':')),
    }
}

/// Finds the program and checks that this host can run it. Bare names are looked up in the folders of `path`,
/// or where the system has programs, other names are relative to `directory`.
///
/// # Errors
/// The reason why starting it would fail.
pub fn find(
    program: &OsStr,
    directory: &Path,
    path: Option<&[u8]>,
) -> Result<PathBuf, ProgramError> {
    let found = match program.as_bytes().contains(&b'/') {
        true => directory.join(
            Path::new(program)
                .strip_prefix(".")
                .unwrap_or(program.as_ref()),
        ),
        false => search(program, directory, path)?,
    };
    check(&found)?;
    Ok(found)
}

fn search(program: &OsStr, directory: &Path, path: Option<&[u8]>) -> Result<PathBuf, ProgramError> {
    let path = path.unwrap_or(b"/usr/local/bin:/usr/bin:/bin");
    let mut second_best = None;
    if !program.is_empty() {
        for folder in path.split(|byte| *byte == b':') {
            let candidate = directory.join(OsStr::from_bytes(folder)).join(program);
            match check_file(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(ProgramError::NotExecutable(_)) => second_best = Some(candidate),
                Err(_) => {}
            }
        }
    }
    if let Some(found) = second_best {
        return Ok(found);
    }
    Err(ProgramError::NotInPath {
        here: match check_file(&directory.join(program)) {
            Ok(()) => Some(true),
            Err(ProgramError::NotExecutable(_)) => Some(false),
            Err(source @ ProgramError::Source { .. }) => return Err(source),
            Err(_) => None,
        },
        path: String::from_utf8_lossy(path).into_owned(),
    })
}

fn or_empty(path: &str) -> &str {
    if path.is_empty() {
        "which is empty"
    } else {
        path
    }
}

/// Checks all that can be checked without running it.
///
/// # Errors
/// The reason why starting it would fail.
pub fn check(path: &Path) -> Result<(), ProgramError> {
    check_file(path)?;
    let head = match read_head(path) {
        Ok(head) => head,
        // Execute-only programs are legal.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(e) => {
            return Err(ProgramError::Unreadable {
                path: path.into(),
                why: e.to_string(),
            });
        }
    };
    match elf::kind(&head) {
        Kind::Native => Ok(()),
        Kind::Foreign(machine) => Err(ProgramError::Foreign {
            path: path.into(),
            machine,
        }),
        Kind::WindowsLines => Err(ProgramError::WindowsLines(path.into())),
        Kind::Script(interpreter) => match check_file(&interpreter) {
            Ok(()) => Ok(()),
            Err(_) => Err(ProgramError::NoInterpreter {
                path: path.into(),
                interpreter,
            }),
        },
        // The kernel may know formats that we do not (binfmt_misc): only when it has some.
        Kind::Unknown if has_extra_formats() => Ok(()),
        Kind::Unknown => Err(unfit(path, ProgramError::NoProgram)),
        Kind::Empty => Err(ProgramError::Empty(path.into())),
    }
}

fn check_file(path: &Path) -> Result<(), ProgramError> {
    let data = match std::fs::metadata(path) {
        Ok(data) => data,
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return Err(ProgramError::NoAccess(path.into()));
        }
        Err(_) => return Err(ProgramError::NotFound(path.into())),
    };
    let kind = data.file_type();
    if kind.is_dir() {
        return Err(ProgramError::IsDirectory(path.into()));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return Err(ProgramError::NotAFile(path.into()));
    }
    match rustix::fs::access(path, rustix::fs::Access::EXEC_OK) {
        Ok(()) => Ok(()),
        Err(_) if data.mode() & 0o111 == 0 => Err(unfit(path, ProgramError::NotExecutable)),
        Err(_) => Err(ProgramError::NotAllowed {
            path: path.into(),
            owner: data.uid(),
        }),
    }
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(elf::HEAD);
    File::open(path)?
        .take(elf::HEAD as u64)
        .read_to_end(&mut head)?;
    Ok(head)
}

fn has_extra_formats() -> bool {
    let own = ["register", "status"];
    std::fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| {
        entries
            .flatten()
            .any(|e| !own.iter().any(|name| e.file_name() == *name))
    })
}

/// Checks a working directory.
///
/// # Errors
/// The failure to answer with.
pub fn check_directory(directory: &Path) -> Result<(), Failure> {
    let why = match std::fs::metadata(directory) {
        _ if !directory.is_absolute() => "it is not an absolute path".to_owned(),
        Ok(data) if !data.is_dir() => "it is not a directory".into(),
        Ok(_) => match rustix::fs::access(directory, rustix::fs::Access::EXEC_OK) {
            Ok(()) => return Ok(()),
            Err(_) => "permission denied".into(),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => "no such directory".into(),
        Err(e) => e.to_string(),
    };
    Err(Failure {
        code: FailureCode::FailureDirectory.into(),
        what: format!("cannot run in the directory '{}'", directory.display()),
        why,
        next: "name a directory that exists on this host".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, name: &str, mode: u32, content: &[u8]) {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn code(program: &str, dir: &Path) -> FailureCode {
        let error = find(program.as_ref(), dir, Some(b"/usr/bin:/bin")).unwrap_err();
        error.failure(program).code()
    }

    #[test]
    fn folders_of_its_own_come_first() {
        let environment = [b"PATH=/a".to_vec(), b"X=1".to_vec(), b"PATH=/b".to_vec()];
        let folders = |path: &str, extra: &[&str]| {
            let app = App {
                path: path.into(),
                extra_environment: extra.iter().map(|it| (*it).into()).collect(),
                ..App::default()
            };
            String::from_utf8(super::folders(&environment, &app).unwrap()).unwrap()
        };
        assert_eq!(folders("", &[]), "/b");
        assert_eq!(folders("/own:rel", &["PATH=/c"]), "/own:rel:/c");
        assert_eq!(super::folders(&[], &App::default()), None);
    }

    #[test]
    fn programs_are_found_in_path_or_relative_to_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), "mine", 0o755, b"#!/bin/sh\n");
        let path = Some(&b"/nowhere:/usr/bin:/bin"[..]);
        let find = |program: &str| find(program.as_ref(), dir.path(), path);
        assert!(find("sh").unwrap().is_absolute());
        let mine = find("./mine").unwrap();
        assert_eq!(mine.as_os_str(), dir.path().join("mine").as_os_str());
        let here = find("mine").unwrap_err();
        assert_eq!(here.failure("mine").next, "type ./mine");
        file(dir.path(), "plain", 0o644, b"#!/bin/sh\n");
        let here = find("plain").unwrap_err();
        let next = "it is here: type chmod +x plain, then ./plain";
        assert_eq!(here.failure("plain").next, next);
    }

    #[test]
    fn each_mistake_has_its_code() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        file(dir, "plain", 0o644, b"#!/bin/sh\n");
        file(dir, "empty", 0o755, b"");
        file(dir, "text", 0o755, b"hello\n");
        file(dir, "lost", 0o755, b"#!/no/such/interpreter\n");
        file(dir, "dos", 0o755, b"#!/bin/sh\r\n");
        file(dir, "windows.exe", 0o755, b"MZ\x90\0");
        use FailureCode::*;
        assert_eq!(code("no-such-program-here", dir), FailureProgramNotFound);
        assert_eq!(code("", dir), FailureProgramNotFound);
        assert_eq!(code("./nothing", dir), FailureProgramNotFound);
        assert_eq!(code("./plain", dir), FailureProgramNotExecutable);
        assert_eq!(code("/dev/null", dir), FailureProgramNotExecutable);
        assert_eq!(code("/usr", dir), FailureProgramIsDirectory);
        for program in ["./empty", "./text", "./lost", "./dos", "./windows.exe"] {
            assert_eq!(code(program, dir), FailureProgramWrongFormat, "{program}");
        }
    }

    #[test]
    fn source_code_is_to_be_compiled() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        file(dir, "hello.c", 0o644, b"int main(void) {}\n");
        file(dir, "hello.f90", 0o755, b"end\n");
        file(dir, "hello.py", 0o644, b"print()\n");
        file(dir, "script.py", 0o644, b"#!/bin/sh\n");
        let next = |program: &str| {
            let error = find(program.as_ref(), dir, Some(b"/usr/bin:/bin")).unwrap_err();
            error
                .failure(program)
                .next
                .replace(dir.to_str().unwrap(), "DIR")
        };
        let compile = "compile it: mpicc DIR/hello.c -o DIR/hello";
        assert_eq!(next("hello.c"), compile);
        assert_eq!(next("./hello.c"), compile);
        assert!(next("./hello.f90").starts_with("compile it: gfortran"));
        assert_eq!(
            next("hello.py"),
            "name its interpreter: python3 DIR/hello.py"
        );
        assert_eq!(next("./script.py"), "type: chmod +x DIR/script.py");
    }

    #[test]
    fn bad_directories_are_named() {
        let why = |path: &str| check_directory(Path::new(path)).unwrap_err().why;
        assert_eq!(why("/no/such"), "no such directory");
        assert_eq!(why("/etc/passwd"), "it is not a directory");
        assert_eq!(why("relative"), "it is not an absolute path");
        assert!(check_directory(Path::new("/")).is_ok());
    }
}
