//! Work that the system may keep waiting, for ever perhaps: names, and files, which may be another
//! host's. It is done on threads of the runtime that are there for it.
//!
//! Nothing ends such work. So there is a limit for each kind, and a runtime on which some may be left is
//! not to wait for it: `shutdown_background`.

use pvm::limits::ASIDE_MAX;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Places for work of one kind: that of another kind does not have to wait for it.
pub struct Places(LazyLock<Arc<Semaphore>>);

/// For names.
pub static NAMES: Places = Places::new();

/// For file systems.
pub static FILES: Places = Places::new();

/// For programs that are copied.
pub static PROGRAMS: Places = Places::new();

impl Places {
    const fn new() -> Self {
        Self(LazyLock::new(|| Arc::new(Semaphore::new(ASIDE_MAX))))
    }
}

/// What comes of work that is done aside.
///
/// # Errors
/// Why nothing does, as a clause; also when it takes longer than `limit`.
pub async fn ask<T: Send + 'static>(
    places: &'static Places,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let asked = async {
        let place = places.0.clone().acquire_owned().await;
        let place = place.map_err(|error| error.to_string())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|error| error.to_string())
    };
    let late = |_| format!("no answer within {} ms", limit.as_millis());
    tokio::time::timeout(limit, asked).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn nobody_waits_longer_than_he_wants_to() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let long = Duration::from_secs(20);
        let seven = runtime.block_on(ask(&FILES, long, || 7));
        assert_eq!(seven, Ok(7));
        let (end, is_to_end) = mpsc::channel::<()>();
        let short = Duration::from_millis(10);
        let stuck = runtime.block_on(ask(&FILES, short, move || is_to_end.recv().is_ok()));
        assert_eq!(stuck, Err("no answer within 10 ms".to_owned()));
        // Nor does a runtime.
        runtime.shutdown_background();
        end.send(()).unwrap();
    }
}
