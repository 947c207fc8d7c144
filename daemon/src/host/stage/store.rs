//! Programs that were copied here from other hosts, each under the SHA-256 of what is in it.
//!
//! They are in one directory of the daemon, which goes with it. What is found there has arrived whole:
//! until then it has another name. There is a limit for all of them together, and the file system keeps
//! some room: for what comes in, the program goes that nobody has asked for in the longest time. What a
//! job holds stays.
//!
//! Who takes something in waits for the file system, and does so aside. The lock is held meanwhile only
//! where names come and go, so that nothing has a name in a store that is closed.

use super::arriving::{Arriving, Claim};
use super::{Hash, StageError, io_error};
use crate::hex;
use pvm::limits::{STAGE_FREE_MIN, STAGE_STORE_MAX};
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions, remove_dir_all, remove_file};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The programs that a daemon has got from others.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    /// Most bytes of all programs.
    limit: u64,
    inside: Mutex<Inside>,
}

/// What there is in it.
#[derive(Default)]
pub(super) struct Inside {
    programs: BTreeMap<Hash, Kept>,
    /// What jobs hold, whether it is here or not.
    held: BTreeMap<Hash, Weak<()>>,
    /// Sizes of the programs that are on their way here.
    pub(super) arriving: u64,
    /// What has not come of them.
    pub(super) missing: u64,
    /// How often any program was asked for.
    turn: u64,
    /// Nothing has a name in it that was not there before.
    pub(super) is_closed: bool,
}

struct Kept {
    size: u64,
    /// When it was asked for last.
    turn: u64,
}

/// A program that is not removed as long as this lives.
#[derive(Clone, Default)]
pub struct Held {
    _holder: Arc<()>,
}

fn directory(socket: &Path) -> PathBuf {
    socket.with_extension("staged")
}

/// Removes what the daemon with this socket has got, or one before it.
pub fn clear(socket: &Path) {
    // Most daemons have nothing.
    let _ = remove_dir_all(directory(socket));
}

impl Store {
    /// That of the daemon with this socket. It makes its directory when it needs one.
    pub fn beside(socket: &Path) -> Self {
        Self::with_limit(socket, STAGE_STORE_MAX)
    }

    fn with_limit(socket: &Path, limit: u64) -> Self {
        Self(Arc::new(Shared {
            dir: directory(socket),
            limit,
            inside: Mutex::default(),
        }))
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        let inside = self.0.inside.lock();
        inside.unwrap_or_else(PoisonError::into_inner)
    }

    /// A program stays from now on, or will when it has come.
    pub fn hold(&self, hash: Hash) -> Held {
        let inside = &mut *self.inside();
        inside.held.retain(|_, holder| holder.strong_count() > 0);
        let known = inside.held.get(&hash).and_then(Weak::upgrade);
        let holder = known.unwrap_or_default();
        inside.held.insert(hash, Arc::downgrade(&holder));
        Held { _holder: holder }
    }

    /// A program, if it is there.
    pub fn find(&self, hash: &Hash) -> Option<PathBuf> {
        let inside = &mut *self.inside();
        inside.turn += 1;
        let kept = inside.programs.get_mut(hash)?;
        kept.turn = inside.turn;
        let path = self.path(hash);
        // Somebody may have tidied up.
        path.is_file().then_some(path)
    }

    /// Begins to take one in.
    ///
    /// # Errors
    /// When there is no place for it, or it could not be run there.
    pub fn begin(&self, hash: Hash, size: u64) -> Result<Arriving, StageError> {
        let inside = &mut *self.inside();
        if inside.is_closed {
            return Err(StageError::Halting);
        }
        self.make_directory()?;
        self.make_room(inside, size)?;
        let temporary = self.path(&hash).with_extension(hex::encode(&salt()?));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&temporary).map_err(io_error(&temporary))?;
        inside.arriving += size;
        inside.missing += size;
        let claim = Claim::new(self.clone(), temporary, size);
        Ok(Arriving::new(file, hash, claim))
    }

    /// Takes in nothing more, not even what is on its way.
    pub fn close(&self) {
        self.inside().is_closed = true;
    }

    pub(super) fn path(&self, hash: &Hash) -> PathBuf {
        self.0.dir.join(hex::encode(hash))
    }

    fn make_directory(&self) -> Result<(), StageError> {
        let dir = &self.0.dir;
        // Not the one that it is in: that would stay when the daemon is gone.
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io_error(dir)(error)),
            _ => Ok(()),
        }
    }

    fn make_room(&self, inside: &mut Inside, size: u64) -> Result<(), StageError> {
        while let Some(trouble) = self.trouble(inside, size)? {
            let oldest = inside.oldest().ok_or(trouble)?;
            inside.programs.remove(&oldest);
            let path = self.path(&oldest);
            match remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(io_error(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Why there is no room for so many bytes; `None`: there is.
    fn trouble(&self, inside: &Inside, size: u64) -> Result<Option<StageError>, StageError> {
        let dir = &self.0.dir;
        let system = statvfs(dir).map_err(|error| io_error(dir)(error.into()))?;
        if system.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            return Err(StageError::NoExec(dir.clone()));
        }
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let wanted = inside.missing.saturating_add(size);
        if inside.bytes().saturating_add(size) > self.0.limit {
            return Ok(Some(StageError::StoreFull(size)));
        }
        if free < wanted.saturating_add(STAGE_FREE_MIN) {
            let path = dir.clone();
            return Ok(Some(StageError::NoSpace { size, free, path }));
        }
        Ok(None)
    }
}

impl Inside {
    /// A program is there from now on.
    pub(super) fn enter(&mut self, hash: Hash, size: u64) {
        let turn = self.turn;
        self.programs.insert(hash, Kept { size, turn });
    }

    /// Bytes of all programs, once those on their way are here.
    fn bytes(&self) -> u64 {
        let here: u64 = self.programs.values().map(|kept| kept.size).sum();
        here.saturating_add(self.arriving)
    }

    /// The program that may go first.
    fn oldest(&self) -> Option<Hash> {
        let is_held = |hash: &Hash| {
            let holder = self.held.get(hash);
            holder.is_some_and(|holder| holder.strong_count() > 0)
        };
        let free = self.programs.iter().filter(|(hash, _)| !is_held(hash));
        free.min_by_key(|(_, kept)| kept.turn)
            .map(|(hash, _)| *hash)
    }
}

fn salt() -> Result<[u8; 8], StageError> {
    let mut salt = [0; 8];
    let random = getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()));
    random.map_err(io_error(Path::new("/dev/urandom")))?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use super::super::measure;
    use super::*;
    use ring::digest::SHA256;
    use std::os::unix::fs::PermissionsExt;

    struct Place {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            Self::with_limit(STAGE_STORE_MAX)
        }

        fn with_limit(limit: u64) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::with_limit(&dir.path().join("default.sock"), limit);
            Self { dir, store }
        }

        fn files(&self) -> usize {
            let files = std::fs::read_dir(self.dir.path().join("default.staged"));
            files.map_or(0, Iterator::count)
        }
    }

    fn hash_of(bytes: &[u8]) -> Hash {
        let hash = ring::digest::digest(&SHA256, bytes);
        hash.as_ref().try_into().unwrap()
    }

    /// Takes in a program; its hash.
    fn put(store: &Store, bytes: &[u8]) -> Result<Hash, StageError> {
        let hash = hash_of(bytes);
        let mut arriving = store.begin(hash, bytes.len() as u64)?;
        arriving.take(bytes)?;
        arriving.finish().map(|_| hash)
    }

    #[test]
    fn a_program_arrives_and_can_be_run_by_us_alone() {
        let place = Place::new();
        let source = place.dir.path().join("program");
        let script = b"#!/bin/sh\necho staged\n";
        std::fs::write(&source, script).unwrap();
        let staged = measure(&source).unwrap();
        assert_eq!(staged.size, script.len() as u64);
        assert_eq!(staged.path, source.as_os_str().as_encoded_bytes());
        let hash = super::super::hash(&staged).unwrap();
        let store = &place.store;
        assert_eq!(store.find(&hash), None);
        let mut arriving = store.begin(hash, staged.size).unwrap();
        for piece in script.chunks(5) {
            assert_eq!(store.find(&hash), None);
            arriving.take(piece).unwrap();
        }
        let path = arriving.finish().unwrap();
        assert_eq!(store.find(&hash), Some(path.clone()));
        assert_eq!(place.files(), 1);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path) & 0o7777, 0o700);
        assert_eq!(mode(path.parent().unwrap()) & 0o777, 0o700);
        clear(&place.dir.path().join("default.sock"));
        assert_eq!(store.find(&hash), None);
        assert_eq!(place.files(), 0);
        // It comes again.
        put(store, script).unwrap();
        assert_eq!(store.find(&hash), Some(path));
    }

    #[test]
    fn what_is_not_the_same_leaves_nothing() {
        let place = Place::new();
        let store = &place.store;
        let hash = hash_of(b"abc");
        let other = |bytes: &[u8]| {
            let mut arriving = store.begin(hash, 3)?;
            arriving.take(bytes)?;
            arriving.finish()
        };
        assert!(matches!(other(b"ab"), Err(StageError::OtherSize(3))));
        assert!(matches!(other(b"abcd"), Err(StageError::OtherSize(3))));
        assert!(matches!(other(b"abd"), Err(StageError::OtherContent)));
        assert_eq!((place.files(), store.find(&hash)), (0, None));
        drop(store.begin(hash, 3).unwrap());
        assert_eq!(place.files(), 0);
        assert!(other(b"abc").is_ok());
        // Once more, as two jobs at a time do it.
        assert!(other(b"abc").is_ok());
        assert_eq!(place.files(), 1);
        let inside = store.inside();
        assert_eq!((inside.bytes(), inside.missing), (3, 0));
    }

    #[test]
    fn the_one_that_was_not_asked_for_in_the_longest_time_goes_first() {
        let place = Place::with_limit(10);
        let store = &place.store;
        let [a, b, c] = [b"aaaa", b"bbbb", b"cccc"].map(|bytes| put(store, bytes).unwrap());
        // There was room for two.
        assert_eq!(store.find(&a), None);
        assert!(store.find(&c).is_some() && store.find(&b).is_some());
        put(store, b"dddd").unwrap();
        assert!(store.find(&b).is_some());
        assert_eq!((store.find(&c), place.files()), (None, 2));
        // One that needs all of the room.
        put(store, b"0123456789").unwrap();
        assert_eq!(place.files(), 1);
    }

    #[test]
    fn what_a_job_holds_stays() {
        let place = Place::with_limit(10);
        let store = &place.store;
        let held = store.hold(hash_of(b"aaaa"));
        let also_held = store.hold(hash_of(b"aaaa"));
        let a = put(store, b"aaaa").unwrap();
        let b = put(store, b"bbbb").unwrap();
        drop(held);
        put(store, b"cccc").unwrap();
        assert!(store.find(&a).is_some() && store.find(&b).is_none());
        let refused = put(store, b"0123456789").unwrap_err();
        assert!(matches!(refused, StageError::StoreFull(10)), "{refused}");
        drop(also_held);
        put(store, b"0123456789").unwrap();
        assert_eq!((store.find(&a), place.files()), (None, 1));
    }

    #[test]
    fn what_is_on_its_way_has_its_room() {
        let place = Place::with_limit(10);
        let store = &place.store;
        let arriving = store.begin(hash_of(b"aaaaaa"), 6).unwrap();
        assert!(matches!(
            put(store, b"bbbbbb"),
            Err(StageError::StoreFull(6))
        ));
        drop(arriving);
        put(store, b"bbbbbb").unwrap();
    }

    #[test]
    fn a_program_that_the_disk_has_no_room_for_is_refused_before_it_comes() {
        let place = Place::with_limit(u64::MAX);
        let refused = place.store.begin([7; 32], u64::MAX / 2).err().unwrap();
        assert!(matches!(refused, StageError::NoSpace { .. }), "{refused}");
        assert_eq!(place.files(), 0);
    }

    #[test]
    fn a_closed_store_takes_in_nothing_more() {
        let place = Place::new();
        let store = &place.store;
        let kept = put(store, b"kept").unwrap();
        let begun = store.begin(hash_of(b"abc"), 3).unwrap();
        let mut whole = store.begin(hash_of(b"xyz"), 3).unwrap();
        whole.take(b"xyz").unwrap();
        store.close();
        let mut begun = begun;
        assert!(matches!(begun.take(b"abc"), Err(StageError::Halting)));
        assert!(matches!(whole.finish(), Err(StageError::Halting)));
        assert!(matches!(put(store, b"abc"), Err(StageError::Halting)));
        // What is there can still be run.
        assert!(store.find(&kept).is_some());
    }

    #[test]
    fn a_place_that_is_gone_does_not_come_back() {
        let place = Place::new();
        std::fs::remove_dir(place.dir.path()).unwrap();
        let refused = put(&place.store, b"abc").unwrap_err();
        assert!(matches!(refused, StageError::Io { .. }), "{refused}");
        assert!(!place.dir.path().exists());
    }
}
