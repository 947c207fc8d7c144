//! What `cargo xtask gen` writes.

pub(super) mod constants;
mod entries;
