//! Questions to the system that it may never answer: names, and file systems of other hosts.
//!
//! Nothing ends such a question, and a runtime that ends would wait for it. So each has a thread of its
//! own that may be left alone, and there is a limit for such threads.

use pvm::limits::EXAM_ASIDE_MAX;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Places for questions of one kind: those of another kind do not have to wait for them.
pub struct Places(LazyLock<Arc<Semaphore>>);

/// For names.
pub static NAMES: Places = Places::new();

/// For file systems.
pub static FILES: Places = Places::new();

impl Places {
    const fn new() -> Self {
        Self(LazyLock::new(|| Arc::new(Semaphore::new(EXAM_ASIDE_MAX))))
    }
}

/// The answer to a question, which is asked aside.
///
/// # Errors
/// Why there is none, as a clause; also when it takes longer than `limit`.
pub async fn ask<T: Send + 'static>(
    places: &'static Places,
    limit: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let asked = async {
        let place = places.0.clone().acquire_owned().await;
        let place = place.map_err(|error| error.to_string())?;
        let (answer, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name("aside".to_owned());
        let started = thread.spawn(move || {
            // Nobody may want to know any more.
            let _ = answer.send(question());
            drop(place);
        });
        started.map_err(|error| format!("no thread to ask the system: {error}"))?;
        told.await.map_err(|error| error.to_string())
    };
    let late = |_| format!("no answer within {} ms", limit.as_millis());
    tokio::time::timeout(limit, asked).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn nobody_waits_longer_than_he_wants_to() {
        assert_eq!(ask(&FILES, Duration::from_secs(20), || 7).await, Ok(7));
        let (end, is_to_end) = mpsc::channel::<()>();
        let short = Duration::from_millis(10);
        let stuck = ask(&FILES, short, move || is_to_end.recv().is_ok()).await;
        assert_eq!(stuck, Err("no answer within 10 ms".to_owned()));
        end.send(()).unwrap();
    }
}
