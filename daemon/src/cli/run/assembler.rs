//! The line assembler: bytes of many tasks become lines that are never mixed.
//!
//! Pure: bytes and times go in, bytes for our stdout and stderr come out.
//!
//! - A line is passed on whole, in the order of its task and stream.
//! - What follows the last newline is held. When nothing at all has come for the place's patience
//!   it is shown, and goes on in place. When another task's text has to come in between, the shown
//!   part is ended with a newline first, and what follows begins a line of its own.
//! - A line longer than [`LINE_MAX`], and any when [`HELD_MAX`] is reached, is shown in parts.
//! - One task without prefixes, and raw output, pass bytes on as they are.

use super::outbox::{Outbox, Stream};
use super::prefix::Prefixes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest line that is kept whole, in bytes.
pub const LINE_MAX: usize = 8 << 20;
/// Most bytes that all unfinished lines together may hold.
pub const HELD_MAX: usize = 128 << 20;

/// Where a stream of bytes comes from.
type Key = (u32, Stream);

/// How bytes are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As they come.
    Raw,
    /// As whole lines.
    Lines,
}

/// A line that has not ended.
#[derive(Default)]
struct Open {
    /// Bytes that are not shown yet.
    held: Vec<u8>,
    /// Its shown part was ended with a newline that is not its own.
    broken: bool,
}

/// One place on the screen: stdout, stderr, or both.
#[derive(Default)]
struct Place {
    /// Whose unfinished line the cursor stands in.
    cursor: Option<Key>,
    /// When the last bytes came.
    touched: Option<Instant>,
    /// Quiet time after which unfinished lines are shown.
    patience: Option<Duration>,
}

/// The assembler of one job.
pub struct Assembler {
    mode: Mode,
    /// Standard error of the tasks is passed on as standard output.
    merge: bool,
    prefixes: Prefixes,
    now: Option<Instant>,
    open: BTreeMap<Key, Open>,
    held: usize,
    places: [Place; 2],
    outbox: Outbox,
}

impl Assembler {
    /// `patience` of stdout and stderr: quiet time after which an unfinished line is shown.
    pub fn new(
        mode: Mode,
        prefixes: Prefixes,
        merge: bool,
        patience: [Option<Duration>; 2],
        outbox: Outbox,
    ) -> Self {
        let places = patience.map(|patience| Place {
            patience,
            ..Place::default()
        });
        Self {
            mode,
            merge,
            prefixes,
            now: None,
            open: BTreeMap::new(),
            held: 0,
            places,
            outbox,
        }
    }

    /// What is to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What stands in front of lines.
    pub fn prefixes(&mut self) -> &mut Prefixes {
        &mut self.prefixes
    }

    /// Where a stream of a task goes.
    fn outlet(&self, stream: Stream) -> Stream {
        if self.merge { Stream::Out } else { stream }
    }

    /// The place on the screen of a stream of a task.
    fn place(&self, stream: Stream) -> usize {
        self.outbox.place(self.outlet(stream))
    }

    /// There is more than one task now: from here on lines are kept whole.
    pub fn keep_lines(&mut self) {
        if self.mode == Mode::Raw {
            self.mode = Mode::Lines;
        }
    }

    /// Takes bytes of a task; `eof`: its stream has ended with them.
    pub fn feed(&mut self, now: Instant, rank: u32, stream: Stream, data: &[u8], eof: bool) {
        let key = (rank, stream);
        let place = self.place(stream);
        self.now = Some(now);
        if !data.is_empty() {
            self.places[place].touched = Some(now);
        }
        if self.mode == Mode::Raw {
            self.outbox.push(self.outlet(stream), data);
            if let Some(last) = data.last() {
                self.places[place].cursor = (*last != b'\n').then_some(key);
            }
            return;
        }
        let lines_end = data
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let (lines, rest) = data.split_at(lines_end);
        if !lines.is_empty() {
            let held = self.take_held(key);
            self.show(key, &[&held, lines]);
        }
        self.hold(key, rest);
        if eof {
            self.show_held(key);
            self.open.remove(&key);
        }
    }

    fn hold(&mut self, key: Key, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        let open = self.open.entry(key).or_default();
        open.held.extend_from_slice(rest);
        let too_long = open.held.len() > LINE_MAX;
        self.held += rest.len();
        if too_long || self.held > HELD_MAX {
            self.show_held(key);
        }
    }

    fn take_held(&mut self, key: Key) -> Vec<u8> {
        let held = self
            .open
            .get_mut(&key)
            .map(|open| std::mem::take(&mut open.held));
        let held = held.unwrap_or_default();
        self.held -= held.len();
        held
    }

    fn show_held(&mut self, key: Key) {
        let held = self.take_held(key);
        self.show(key, &[&held]);
    }

    /// Writes parts of one stream, joined; they begin at the stream's position.
    fn show(&mut self, key: Key, parts: &[&[u8]]) {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        if total == 0 {
            return;
        }
        let in_place = self.places[self.place(key.1)].cursor == Some(key);
        let mut at_start = !in_place;
        let mut skip = 0;
        if !in_place {
            self.end_line(self.outlet(key.1));
            let open = self.open.get_mut(&key);
            let broken = open.is_some_and(|open| std::mem::take(&mut open.broken));
            let first = parts.iter().find_map(|part| part.first());
            // The newline that ended the broken line stands for this one.
            skip = usize::from(broken && first == Some(&b'\n'));
        }
        for part in parts {
            let part = &part[skip.min(part.len())..];
            skip = skip.saturating_sub(part.len());
            self.put(key, part, &mut at_start);
        }
        let place = self.place(key.1);
        self.places[place].cursor = (!at_start).then_some(key);
        if !at_start {
            self.open.entry(key).or_default();
        }
    }

    fn put(&mut self, (rank, stream): Key, part: &[u8], at_start: &mut bool) {
        let outlet = self.outlet(stream);
        if self.prefixes.are_none() {
            self.outbox.push(outlet, part);
        } else {
            for line in part.split_inclusive(|byte| *byte == b'\n') {
                if *at_start {
                    self.outbox.push(outlet, &self.prefixes.of(rank, self.now));
                }
                self.outbox.push(outlet, line);
                *at_start = line.ends_with(b"\n");
            }
        }
        if let Some(last) = part.last() {
            *at_start = *last == b'\n';
        }
    }

    /// Ends the unfinished line that the cursor stands in, whosever it is.
    fn end_line(&mut self, stream: Stream) {
        let place = self.outbox.place(stream);
        let Some(owner) = self.places[place].cursor.take() else {
            return;
        };
        self.outbox.push(self.outlet(owner.1), b"\n");
        if let Some(open) = self.open.get_mut(&owner) {
            open.broken = true;
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let holders = self.open.iter().filter(|(_, open)| !open.held.is_empty());
        holders
            .filter_map(|(key, _)| self.due(self.place(key.1)))
            .min()
    }

    fn due(&self, place: usize) -> Option<Instant> {
        let place = &self.places[place];
        Some(place.touched? + place.patience?)
    }

    /// Shows unfinished lines whose time has come.
    pub fn tick(&mut self, now: Instant) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.now = Some(now);
        let keys: Vec<Key> = self.open.keys().copied().collect();
        for key in keys {
            let due = self.due(self.place(key.1));
            if due.is_some_and(|due| due <= now) {
                self.show_held(key);
            }
        }
    }

    /// The job has ended: shows what is held.
    pub fn finish(&mut self) {
        let keys: Vec<Key> = self.open.keys().copied().collect();
        for key in keys {
            self.show_held(key);
        }
        self.open.clear();
        if !self.prefixes.are_none() {
            self.end_line(Stream::Out);
            self.end_line(Stream::Err);
        }
    }

    /// Says a line of our own on stderr, never inside a line of a task.
    pub fn say(&mut self, line: &str) {
        self.end_line(Stream::Err);
        self.outbox.push(Stream::Err, line.as_bytes());
        self.outbox.push(Stream::Err, b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::pattern::Pattern;
    use crate::cli::plan::Prefix;
    use proptest::prelude::*;
    use std::time::SystemTime;

    const PATIENCE: Duration = Duration::from_millis(200);

    struct World {
        start: Instant,
        now: Instant,
        assembler: Assembler,
    }

    impl World {
        fn new(tag: bool) -> Self {
            let tag = tag.then(Pattern::rank);
            Self::with(Mode::Lines, tag, false)
        }

        fn with(mode: Mode, tag: Option<Pattern>, merge: bool) -> Self {
            let start = Instant::now();
            let patience = [Some(PATIENCE); 2];
            let prefix = Prefix {
                time: false,
                text: tag,
            };
            let prefixes = Prefixes::new(prefix, start, SystemTime::UNIX_EPOCH);
            let outbox = Outbox::new(!merge);
            Self {
                start,
                now: start,
                assembler: Assembler::new(mode, prefixes, merge, patience, outbox),
            }
        }

        fn out(&mut self, rank: u32, text: &str) -> &mut Self {
            self.assembler
                .feed(self.now, rank, Stream::Out, text.as_bytes(), false);
            self
        }

        fn eof(&mut self, rank: u32) -> &mut Self {
            self.assembler.feed(self.now, rank, Stream::Out, b"", true);
            self
        }

        fn wait(&mut self, millis: u64) -> &mut Self {
            self.now += Duration::from_millis(millis);
            self.assembler.tick(self.now);
            self
        }

        fn seen(&mut self) -> String {
            let bytes: Vec<u8> = self
                .assembler
                .outbox()
                .drain()
                .into_iter()
                .flat_map(|(_, bytes)| bytes)
                .collect();
            String::from_utf8(bytes).unwrap()
        }
    }

    #[test]
    fn lines_of_two_tasks_are_not_mixed() {
        let mut world = World::new(false);
        world
            .out(0, "one ")
            .out(1, "two\nthr")
            .out(0, "end\nx")
            .out(1, "ee\n");
        assert_eq!(world.seen(), "two\none end\nthree\n");
    }

    #[test]
    fn tags_stand_at_the_beginning_of_each_line() {
        let mut world = World::new(true);
        world.out(3, "a\nb\n\nc").out(11, "d\n").eof(3);
        assert_eq!(world.seen(), "[3] a\n[3] b\n[3] \n[11] d\n[3] c");
        world.assembler.finish();
        assert_eq!(world.seen(), "\n");
    }

    #[test]
    fn an_unfinished_line_is_shown_after_a_while_and_goes_on_in_place() {
        let mut world = World::new(true);
        world.out(0, "name? ").wait(199);
        assert_eq!(world.seen(), "");
        world.wait(1);
        assert_eq!(world.seen(), "[0] name? ");
        world.out(0, "Ann\n");
        assert_eq!(world.seen(), "Ann\n");
    }

    #[test]
    fn another_tasks_line_ends_a_shown_part_first() {
        let mut world = World::new(true);
        world
            .out(0, "working")
            .wait(200)
            .out(1, "other\n")
            .out(0, " done\n");
        assert_eq!(world.seen(), "[0] working\n[1] other\n[0]  done\n");
        let mut world = World::new(false);
        world
            .out(0, "working")
            .wait(200)
            .out(1, "other\n")
            .out(0, "\nnext\n");
        assert_eq!(
            world.seen(),
            "working\nother\nnext\n",
            "no empty line for the newline we wrote"
        );
    }

    #[test]
    fn a_busy_job_does_not_tear_lines() {
        let mut world = World::new(false);
        for _ in 0..10 {
            world.out(0, "x").wait(150).out(1, "y\n").wait(150);
        }
        world.eof(0);
        assert_eq!(world.seen(), "y\n".repeat(10) + &"x".repeat(10));
    }

    #[test]
    fn missing_last_newlines_are_added_only_between_tasks() {
        let mut world = World::new(false);
        world.out(0, "a").out(1, "b").eof(1).eof(0);
        world.assembler.finish();
        assert_eq!(world.seen(), "b\na");
        world.assembler.say("pvm run: verdict");
        assert_eq!(world.seen(), "\npvm run: verdict\n");
    }

    #[test]
    fn raw_bytes_are_untouched() {
        let mut world = World::with(Mode::Raw, None, false);
        world.out(0, "a").out(1, "b\nc").out(0, "d");
        assert_eq!(world.seen(), "ab\ncd");
        world.assembler.say("x");
        assert_eq!(world.seen(), "\nx\n");
    }

    #[test]
    fn a_single_task_that_gets_company_keeps_its_lines() {
        let mut world = World::with(Mode::Raw, None, false);
        world.out(0, "alone");
        world.assembler.keep_lines();
        world.out(1, "child\n").out(0, " no more\n");
        assert_eq!(world.seen(), "alone\nchild\n no more\n");
    }

    #[test]
    fn merged_streams_are_one_and_our_words_are_apart() {
        let mut world = World::with(Mode::Lines, None, true);
        let now = world.now;
        world
            .assembler
            .feed(now, 0, Stream::Err, b"error\nhalf", false);
        world.out(0, "text\n").eof(0);
        world.assembler.say("word");
        world.assembler.finish();
        let drained = world.assembler.outbox().drain();
        let of = |wanted: Stream| {
            let pieces = drained.iter().filter(|(to, _)| *to == wanted);
            let bytes = pieces.flat_map(|(_, bytes)| bytes.clone()).collect();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(of(Stream::Out), "error\ntext\nhalf");
        assert_eq!(of(Stream::Err), "word\n");
    }

    #[test]
    fn endless_lines_are_bounded() {
        let mut world = World::new(false);
        let block = "z".repeat(1 << 20);
        for _ in 0..20 {
            world.out(0, &block);
        }
        assert!(world.assembler.held <= LINE_MAX);
        world.eof(0);
        assert_eq!(world.seen().len(), 20 << 20);
    }

    /// Text with the newlines that we may add or leave out taken away.
    fn bare(text: &str) -> String {
        text.replace('\n', "")
    }

    #[derive(Debug, Clone)]
    enum Step {
        Feed(u32, bool, String),
        Wait(u64),
        Say,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let feed =
            (0u32..3, any::<bool>(), "[a-c\n]{0,6}").prop_map(|(r, e, t)| Step::Feed(r, e, t));
        let step =
            prop_oneof![6 => feed, 2 => (0u64..400).prop_map(Step::Wait), 1 => Just(Step::Say)];
        prop::collection::vec(step, 0..40)
    }

    /// Letters of each task made its own, so that lines show whose they are.
    fn own(rank: u32, stream: Stream, text: &str) -> String {
        let base = rank * 6 + if stream == Stream::Err { 3 } else { 0 };
        let shift = |c: char| match c {
            '\n' => '\n',
            c => char::from_u32('A' as u32 + base + (c as u32 - 'a' as u32)).unwrap(),
        };
        text.chars().map(shift).collect()
    }

    fn owner(c: char) -> u32 {
        (c as u32 - 'A' as u32) / 3
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_mixed(steps in steps(), tag: bool) {
            let mut world = World::new(tag);
            let mut sent: BTreeMap<u32, String> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Feed(rank, err, text) => {
                        let stream = if err { Stream::Err } else { Stream::Out };
                        let text = own(rank, stream, &text);
                        world.assembler.feed(world.now, rank, stream, text.as_bytes(), false);
                        sent.entry(rank * 2 + u32::from(err)).or_default().push_str(&text);
                    }
                    Step::Wait(millis) => { world.wait(millis); }
                    Step::Say => world.assembler.say("#"),
                }
            }
            world.assembler.finish();
            let seen = world.seen();
            let mut got: BTreeMap<u32, String> = BTreeMap::new();
            for line in seen.lines().filter(|line| *line != "#") {
                let body = if tag { line.split_once("] ").expect("a tag").1 } else { line };
                prop_assert!(!body.contains(['[', '#']), "torn: {line}");
                let owners: Vec<u32> = body.chars().map(owner).collect();
                prop_assert!(owners.windows(2).all(|pair| pair[0] == pair[1]), "mixed: {line}");
                if let Some(first) = owners.first() {
                    got.entry(*first).or_default().push_str(body);
                    let tagged = format!("[{}] ", first / 2);
                    prop_assert!(!tag || line.starts_with(&tagged));
                }
            }
            for (key, text) in &sent {
                prop_assert_eq!(bare(text), got.get(key).cloned().unwrap_or_default());
            }
        }

        #[test]
        fn without_pauses_every_line_is_whole(feeds in prop::collection::vec((0u32..3, "[a-c\n]{0,6}"), 0..40)) {
            let mut world = World::new(false);
            let mut sent = [String::new(), String::new(), String::new()];
            for (rank, text) in feeds {
                let text = own(rank, Stream::Out, &text);
                world.out(rank, &text);
                sent[rank as usize].push_str(&text);
            }
            world.assembler.finish();
            let seen = world.seen();
            let mut wanted: Vec<&str> = sent.iter().flat_map(|text| text.lines()).collect();
            let mut got: Vec<&str> = seen.lines().collect();
            wanted.sort_unstable();
            got.sort_unstable();
            prop_assert_eq!(wanted, got);
            let _ = world.start;
        }
    }
}
