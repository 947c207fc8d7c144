//! A program on its way into the store: it has another name and another mode there until it is whole.

use super::store::Store;
use super::{Hash, StageError, io_error};
use ring::digest::{Context, SHA256};
use std::fs::{File, Permissions, remove_file, rename};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A program that is on its way here; what has come of it is removed when it is dropped.
pub struct Arriving {
    file: File,
    hash: Hash,
    digest: Context,
    claim: Claim,
}

/// Its place in the store.
pub(super) struct Claim {
    store: Store,
    temporary: PathBuf,
    size: u64,
    left: u64,
}

impl Arriving {
    /// Of which nothing has come yet.
    pub(super) fn new(file: File, hash: Hash, claim: Claim) -> Self {
        let digest = Context::new(&SHA256);
        Self {
            file,
            hash,
            digest,
            claim,
        }
    }

    /// Takes in what has come.
    ///
    /// # Errors
    /// When it is too much, the disk is full, or the store is closed.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        let claim = &mut self.claim;
        let len = bytes.len() as u64;
        if len > claim.left {
            return Err(StageError::OtherSize(claim.size));
        }
        if claim.store.inside().is_closed {
            return Err(StageError::Halting);
        }
        self.digest.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(io_error(&claim.temporary))?;
        claim.left -= len;
        claim.store.inside().missing -= len;
        Ok(())
    }

    /// All has come: it can be run from now on.
    ///
    /// # Errors
    /// When it is not what was announced, or the store is closed.
    pub fn finish(self) -> Result<PathBuf, StageError> {
        let Self {
            file,
            hash,
            digest,
            claim,
        } = self;
        if claim.left > 0 {
            return Err(StageError::OtherSize(claim.size));
        }
        if digest.finish().as_ref() != hash {
            return Err(StageError::OtherContent);
        }
        let mode = file.set_permissions(Permissions::from_mode(0o700));
        mode.map_err(io_error(&claim.temporary))?;
        // The system runs nothing that is open for writing.
        drop(file);
        claim.enter(hash)
    }
}

impl Claim {
    /// It has been counted.
    pub(super) fn new(store: Store, temporary: PathBuf, size: u64) -> Self {
        Self {
            store,
            temporary,
            size,
            left: size,
        }
    }

    fn enter(&self, hash: Hash) -> Result<PathBuf, StageError> {
        let path = self.store.path(&hash);
        let inside = &mut *self.store.inside();
        if inside.is_closed {
            return Err(StageError::Halting);
        }
        rename(&self.temporary, &path).map_err(io_error(&self.temporary))?;
        inside.enter(hash, self.size);
        Ok(path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // It is not there any more when all went well.
        let _ = remove_file(&self.temporary);
        let inside = &mut *self.store.inside();
        inside.arriving -= self.size;
        inside.missing -= self.left;
    }
}
