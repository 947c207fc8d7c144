//! The daemon's log: standard error in the foreground, else a file that exists only when there is
//! something in it.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Largest log file; then it begins again.
const SIZE_MAX: u64 = 4 << 20;

/// What is told unless the user wants something else. The consensus and the connections tell of every
/// message that does not arrive; what that means is told by us.
const USUAL: &str = "warn,openraft=off,quinn=off,quinn_proto=off";

/// Where lines go.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Target>>);

enum Target {
    Stderr,
    File {
        path: PathBuf,
        file: Option<File>,
        size: u64,
    },
}

impl Log {
    /// To standard error.
    pub fn stderr() -> Self {
        Log(Arc::new(Mutex::new(Target::Stderr)))
    }

    /// To a file, made when the first line comes.
    pub fn file(path: PathBuf) -> Self {
        Log(Arc::new(Mutex::new(Target::File {
            path,
            file: None,
            size: 0,
        })))
    }

    /// Sends the records of `tracing` here, those that `filter` (default [`USUAL`]) lets through.
    pub fn install(&self, filter: Option<&str>) {
        let filter = EnvFilter::try_new(filter.unwrap_or(USUAL));
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(USUAL)))
            .with_writer(self.clone())
            .with_ansi(false)
            .with_target(false);
        // A second one is refused: that of a test in the same process stays.
        let _ = subscriber.try_init();
    }

    /// Writes whole lines.
    pub fn write_lines(&self, bytes: &[u8]) {
        let mut target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody to tell when the log itself cannot be written.
        let _ = target.write_all(bytes);
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stderr => io::stderr().write(bytes),
            Target::File { path, file, size } => {
                if file.is_none() || *size + bytes.len() as u64 > SIZE_MAX {
                    *file = Some(File::create(&*path)?);
                    *size = 0;
                }
                let written = file.as_mut().map_or(Ok(0), |file| file.write(bytes))?;
                *size += written as u64;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One record on its way to the log.
pub struct Record(Log);

impl Write for Record {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_lines(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Record;

    fn make_writer(&'a self) -> Record {
        Record(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_daemon_leaves_no_file_and_a_noisy_one_a_bounded_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let log = Log::file(path.clone());
        assert!(!path.exists());
        let line = vec![b'x'; 1 << 20];
        (0..10).for_each(|_| log.write_lines(&line));
        let size = std::fs::metadata(&path).unwrap().len();
        assert!((1 << 20..=SIZE_MAX).contains(&size), "{size}");
    }
}
