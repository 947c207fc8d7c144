//! Receives for whatever comes.
//!
//! One receive is always posted. When a message is matched with it, another is posted at once: a
//! large message whose sender is busy elsewhere does not keep those of other tasks back. Messages
//! of one task are given out in the order in which they were sent.

use crate::datatype::Sink;
use crate::engine::{Engine, EngineError, Envelope, RequestId, Selector};
use crate::transport::{Peer, Transport};
use std::collections::VecDeque;

/// A message that has come.
pub struct Arrival {
    /// What is known of it.
    pub envelope: Envelope,
    /// What it says.
    pub bytes: Vec<u8>,
}

enum Entry {
    /// A receive that is posted, or under way.
    Open(RequestId),
    /// It has come whole, and an older one of the same task has not.
    Held(Arrival),
}

/// The receives of one context.
pub struct Arrivals {
    from: Selector,
    limit: u64,
    /// In the order in which messages are matched with them; the last one is posted.
    entries: VecDeque<Entry>,
    /// Nothing can come any more.
    over: bool,
}

impl Arrivals {
    /// Posts the first receive; messages have at most `limit` bytes.
    pub fn new<T: Transport>(engine: &mut Engine<T>, from: Selector, limit: u64) -> Self {
        let mut arrivals = Self {
            from,
            limit,
            entries: VecDeque::new(),
            over: false,
        };
        arrivals.post(engine);
        arrivals
    }

    /// Gives `each` the messages that have come whole. What could not be received is left out.
    pub fn collect<T: Transport>(
        &mut self,
        engine: &mut Engine<T>,
        mut each: impl FnMut(&mut Engine<T>, Arrival),
    ) {
        if let [Entry::Open(posted)] = *self.entries.make_contiguous()
            && !engine.is_complete(posted)
            && engine.sender_of(posted).is_none()
        {
            return; // nothing has come
        }
        let mut waited_for: Vec<Peer> = Vec::new();
        let mut kept = VecDeque::new();
        while let Some(entry) = self.entries.pop_front() {
            let entry = self.look(engine, entry);
            let sender = match &entry {
                Some(Entry::Open(receive)) => engine.sender_of(*receive),
                Some(Entry::Held(arrival)) => Some(arrival.envelope.source),
                None => None,
            };
            let is_posted = matches!(entry, Some(Entry::Open(_))) && sender.is_none();
            if self.entries.is_empty() && !is_posted && !self.over {
                self.post(engine);
            }
            match entry {
                Some(Entry::Held(arrival)) if !waited_for.contains(&arrival.envelope.source) => {
                    each(engine, arrival);
                }
                Some(entry) => {
                    waited_for.extend(sender);
                    kept.push_back(entry);
                }
                None => {}
            }
        }
        self.entries = kept;
    }

    fn post<T: Transport>(&mut self, engine: &mut Engine<T>) {
        let receive = engine.receive_any_size(self.from, self.limit);
        self.entries.push_back(Entry::Open(receive));
    }

    /// What has become of an entry; `None`: nothing.
    fn look<T: Transport>(&mut self, engine: &mut Engine<T>, entry: Entry) -> Option<Entry> {
        let Entry::Open(receive) = entry else {
            return Some(entry);
        };
        let Some(outcome) = engine.finish(receive) else {
            return Some(entry);
        };
        match outcome.result {
            Ok(envelope) => {
                let bytes = outcome.sink.and_then(Sink::into_vec).unwrap_or_default();
                Some(Entry::Held(Arrival { envelope, bytes }))
            }
            Err(error) => {
                let ends = matches!(error, EngineError::NoSuchContext(_) | EngineError::Lost);
                self.over |= ends;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::Source;
    use crate::engine::Mode;
    use crate::ids::{Context, TaskId};
    use crate::transport::sim::{Behaviour, Network, SimTransport};

    type Sim = Engine<SimTransport>;

    fn task(number: u32) -> TaskId {
        TaskId::new(1, 1, number).unwrap()
    }

    fn send(engine: &mut Sim, tag: i32, len: usize) {
        let to = engine.peer(task(1));
        let source = Source::from_vec(vec![tag as u8; len]);
        let send = engine.send(to, Context::PVM, tag, 0, source, Mode::Standard);
        engine.forget(send);
    }

    #[test]
    fn a_sender_that_is_busy_keeps_its_own_messages_back_and_no_others() {
        let network = Network::new(Behaviour::default());
        let [mut me, mut busy, mut other] =
            [1, 2, 3].map(|number| Engine::new(network.transport(task(number)), task(number)));
        let anything = Selector {
            context: Context::PVM,
            source: None,
            tag: None,
        };
        let mut arrivals = Arrivals::new(&mut me, anything, 1 << 20);
        let mut tags = Vec::new();
        let mut go_on = |me: &mut Sim| {
            for _ in 0..50 {
                me.progress();
                arrivals.collect(me, |_, arrival| {
                    assert_eq!(arrival.bytes.len() as u64, arrival.envelope.len);
                    tags.push(arrival.envelope.tag);
                });
            }
            tags.clone()
        };
        // Announced, and then its sender goes on with something else.
        send(&mut busy, 1, 1000);
        send(&mut busy, 2, 10);
        assert_eq!(go_on(&mut me), []);
        for tag in 3..6 {
            send(&mut other, tag, 10);
        }
        assert_eq!(go_on(&mut me), [3, 4, 5]);
        for _ in 0..50 {
            busy.progress();
            go_on(&mut me);
        }
        assert_eq!(go_on(&mut me), [3, 4, 5, 1, 2]);
        // The end of a sender takes what was under way with it.
        send(&mut busy, 6, 1000);
        go_on(&mut me);
        network.kill(task(2));
        go_on(&mut me);
        send(&mut other, 7, 1000);
        for _ in 0..50 {
            other.progress();
            go_on(&mut me);
        }
        assert_eq!(go_on(&mut me), [3, 4, 5, 1, 2, 7]);
    }
}
