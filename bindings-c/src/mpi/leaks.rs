//! What a program has left when its last use of MPI ends (`PVM_DEBUG=leaks`): a line for each kind.

use std::io::Write;

use pvm::engine::Envelope;
use pvm::mpi::{Datatype, Process};

use super::handle::{self, Arrived, Object};
use super::state;

/// Tells it, if that is wanted.
pub(crate) fn tell(process: &Process) {
    if !process.debug.leaks {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    for line in lines(process) {
        // There is nobody else to tell.
        let _ = writeln!(stderr, "{}: {line} (PVM_DEBUG=leaks)", state::who());
    }
}

fn lines(process: &Process) -> Vec<String> {
    let objects = handle::counts().into_iter();
    let mut lines: Vec<String> = objects
        .filter_map(|(name, count)| left(name, count))
        .collect();
    let messages = process.with(|engine| {
        let (count, oldest) = engine.not_received();
        oldest.map(|it| (count, it, engine.task(it.source)))
    });
    if let Ok(Some((count, oldest, source))) = messages {
        let from = match process.task.world.rank_of(source) {
            Some(rank) => format!("rank {rank}"),
            None => format!("task {source}"),
        };
        lines.push(not_received(count, &oldest, &from));
    }
    lines
}

/// Objects of a kind that were not freed.
fn left(name: &str, count: usize) -> Option<String> {
    let count = match name {
        Datatype::NAME => count.saturating_sub(handle::given().len()),
        _ => count,
    };
    let what = match name {
        Arrived::NAME => "received after it was matched",
        _ => "freed",
    };
    match count {
        0 => None,
        1 => Some(format!("1 {name} was never {what}")),
        _ => Some(format!("{count} {name}s were never {what}")),
    }
}

fn not_received(count: usize, oldest: &Envelope, from: &str) -> String {
    let Envelope { tag, len, .. } = oldest;
    let one = format!("{from}, with tag {tag} and {len} bytes");
    match count {
        1 => format!("1 message was never received: of {one}"),
        _ => format!("{count} messages were never received, one of them of {one}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm::datatype::Form;
    use pvm::transport::Peer;

    #[test]
    fn a_kind_is_a_line() {
        assert_eq!(left("request", 0), None);
        assert_eq!(left("request", 1).unwrap(), "1 request was never freed");
        assert_eq!(
            left("info object", 3).unwrap(),
            "3 info objects were never freed"
        );
    }

    #[test]
    fn one_of_the_messages_is_described() {
        let oldest = Envelope {
            source: Peer::SELF,
            tag: 7,
            len: 40,
            check: 0,
            form: Form::HERE,
        };
        let line = not_received(2, &oldest, "rank 3");
        assert_eq!(
            line,
            "2 messages were never received, one of them of rank 3, with tag 7 and 40 bytes"
        );
    }
}
