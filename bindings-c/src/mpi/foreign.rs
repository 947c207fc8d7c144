//! Programs that the launcher of another MPI has started: each process of them is alone.

use std::ffi::{CStr, OsStr};
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pvm::settings;

/// Says so, in the first of the processes.
pub(crate) fn tell() {
    let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let program = std::env::args().next().unwrap_or_default();
    if let Some(said) = complaint(text, &program) {
        // There is nobody else to tell.
        let _ = writeln!(std::io::stderr().lock(), "{said}");
    }
}

/// What there is to say, as the environment is.
fn complaint(text: impl Fn(&str) -> Option<String>, program: &str) -> Option<String> {
    // A daemon of ours sets some of the variables too.
    if text(settings::TASK).is_some() {
        return None;
    }
    let number = |name: &str| text(name)?.parse::<usize>().ok();
    let any = |names: [&str; 2]| names.into_iter().find_map(&text);
    let hydra = any([settings::PMI_FD, settings::PMI_PORT]);
    let (rank, size) = match hydra {
        Some(_) => (number(settings::PMI_RANK)?, number(settings::PMI_SIZE)?),
        None => {
            text(settings::PMIX_NAMESPACE)?;
            (
                number(settings::PMIX_RANK)?,
                number(settings::OMPI_SIZE).unwrap_or(2),
            )
        }
    };
    (rank == 0 && size > 1).then(|| {
        format!(
            "{program}: this program is built with pvm's MPI, and the launcher of another MPI has \
             started it: each process is alone, rank 0 of 1; type: {} -n {size} {program}",
            launcher()
        )
    })
}

/// Our launcher: `mpiexec` beside this library or in the installation that has it, else `pvm run`.
fn launcher() -> String {
    let library = library().unwrap_or_default();
    let places = library.ancestors().skip(1).take(2);
    let found = places
        .flat_map(|dir| [dir.join("mpiexec"), dir.join("bin/mpiexec")])
        .find(|path| path.is_file());
    found.map_or_else(|| "pvm run".to_owned(), |path| path.display().to_string())
}

/// The file that this library is loaded from.
fn library() -> Option<PathBuf> {
    static HERE: u8 = 0;
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is one of this library, and there is room for the answer.
    let found = unsafe { libc::dladdr((&raw const HERE).cast(), info.as_mut_ptr()) } != 0;
    // SAFETY: zeroes are a valid answer too.
    let name = unsafe { info.assume_init() }.dli_fname;
    // SAFETY: where something was found and it has a name, that is a string which stays.
    let name = (found && !name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
    Some(OsStr::from_bytes(name.to_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{OMPI_SIZE, PMI_FD, PMI_RANK, PMI_SIZE, PMIX_NAMESPACE, PMIX_RANK, TASK};

    fn said(pairs: &[(&str, &str)]) -> Option<String> {
        let text = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        complaint(text, "./ring")
    }

    #[test]
    fn only_the_first_process_of_several_says_so() {
        let hydra = |rank, size| said(&[(PMI_FD, "7"), (PMI_RANK, rank), (PMI_SIZE, size)]);
        let text = hydra("0", "4").unwrap();
        assert!(text.ends_with("-n 4 ./ring"), "{text}");
        assert_eq!(hydra("1", "4"), None);
        assert_eq!(hydra("0", "1"), None);
        let pmix = [(PMIX_NAMESPACE, "job"), (PMIX_RANK, "0"), (OMPI_SIZE, "3")];
        assert!(said(&pmix).unwrap().contains("-n 3 ./ring"));
    }

    #[test]
    fn tasks_of_ours_say_nothing() {
        let ours = [
            (TASK, "1:2"),
            (PMI_FD, "7"),
            (PMI_RANK, "0"),
            (PMI_SIZE, "4"),
        ];
        assert_eq!(said(&ours), None);
        assert_eq!(said(&[(PMI_RANK, "0"), (PMI_SIZE, "4")]), None);
        assert_eq!(said(&[]), None);
    }
}
