//! Tests that may be skipped, and why: everything else has to run.

/// Why a test may be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    OneSided,
    Files,
    Processes,
    Ranks,
    Graphics,
    Beyond,
}

impl Why {
    const ALL: [Self; 6] = [
        Self::OneSided,
        Self::Files,
        Self::Processes,
        Self::Ranks,
        Self::Graphics,
        Self::Beyond,
    ];

    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::OneSided => "one-sided",
            Self::Files => "files",
            Self::Processes => "processes",
            Self::Ranks => "ranks",
            Self::Graphics => "graphics",
            Self::Beyond => "beyond",
        }
    }

    /// What goes on behind "because".
    fn sentence(self) -> &'static str {
        match self {
            Self::OneSided => "one-sided communication is not here yet",
            Self::Files => "files (MPI I/O) are not here yet",
            Self::Processes => "starting and meeting processes is not here yet",
            Self::Ranks => "it is for another number of ranks",
            Self::Graphics => "it needs a graphics processor",
            Self::Beyond => "it is no part of MPI 5.0",
        }
    }
}

/// Tests of mpi4py that are not run: they would fail, or wait for ever.
pub const MPI4PY: &[(&str, Why)] = &[
    ("test_dynproc.*", Why::Processes),
    ("test_spawn.*", Why::Processes),
    ("test_util_pool.*", Why::Processes),
    ("test_errhandler.TestErrhandlerFile*", Why::Files),
    ("test_io.TestDatarep.*", Why::Files),
    ("test_objmodel.TestObjModel.testSafeFreeCreated", Why::Files),
    ("test_msgspec.TestMessageRMA*", Why::OneSided),
    ("test_util_sync.TestSequential*", Why::OneSided),
    ("test_win.TestWinNull.testGetName", Why::OneSided),
];

/// What mpi4py itself says when it skips a test.
const SAID: &[(&str, Why)] = &[
    ("mpi-file", Why::Files),
    ("mpi-io", Why::Files),
    ("File", Why::Files),
    ("mpi-win", Why::OneSided),
    ("mpi-win-allocate", Why::OneSided),
    ("mpi-win-attr", Why::OneSided),
    ("mpi-win-create", Why::OneSided),
    ("mpi-win-dynamic", Why::OneSided),
    ("mpi-win-shared", Why::OneSided),
    ("mpi-rma", Why::OneSided),
    ("mpi-rma-nb", Why::OneSided),
    ("Win", Why::OneSided),
    ("mpi-world-size<2", Why::Ranks),
    ("mpi-world-size<3", Why::Ranks),
    ("mpi-world-size>1", Why::Ranks),
    ("comm.size==1", Why::Ranks),
    // Packages for memory of graphics processors.
    ("cupy", Why::Graphics),
    ("numba", Why::Graphics),
    ("mpi-comm_revoke", Why::Beyond),
];

/// Why a test is skipped, of what was noted of it; `None`: for a reason that nobody expected.
pub fn known(said: &str) -> Option<Why> {
    let of_ours = Why::ALL.into_iter().find(|why| why.word() == said);
    let of_mpi4py = SAID.iter().find(|(word, _)| *word == said);
    of_ours.or(of_mpi4py.map(|(_, why)| *why))
}

/// The reason that was noted of a test, for those who read the table.
pub fn sentence(said: &str) -> String {
    match known(said) {
        Some(why) if why.word() == said => why.sentence().to_owned(),
        Some(why) => format!("{} ({said})", why.sentence()),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_known_by_our_words_and_by_those_of_mpi4py() {
        assert_eq!(known("files"), Some(Why::Files));
        assert_eq!(known("mpi-rma"), Some(Why::OneSided));
        assert_eq!(known("mpi-session"), None);
        assert_eq!(sentence("ranks"), "it is for another number of ranks");
        assert_eq!(
            sentence("mpi-io"),
            "files (MPI I/O) are not here yet (mpi-io)"
        );
    }
}
