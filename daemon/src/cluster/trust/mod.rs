//! Who belongs to a virtual machine.
//!
//! One [`Secret`] of 32 bytes is the membership. Every holder derives the same certificate authority
//! from it, and each daemon makes its own short-lived certificate:
//!
//! ```text
//! secret --HKDF--> Ed25519 key --> CA certificate, the same on every host
//!                                   |
//!                                   +--> leaf of this daemon: any.vm.pvm, <daemon id>.vm.pvm
//! ```
//!
//! # Invariants
//! - A connection counts as a daemon's only when its certificate is of our CA and has this daemon's
//!   name: [`check_identity`].
//! - The secret is never shown: not by `Debug`, not in a log, not on a command line.
//! - A host without the secret gets it with a [`Token`], over a connection whose other end has proved
//!   to hold the CA that the token names.

mod certificate;
mod id;
mod pinned;
mod secret;
mod table;
mod token;

#[cfg(test)]
pub(super) use certificate::tests::leaf as leaf_for_tests;
pub use certificate::{Credentials, Trust, TrustError};
pub use id::{BadDaemonId, DaemonId, IdentityError, check_identity};
pub use pinned::joining_config;
pub use secret::{Secret, SecretError};
pub use table::{Redeemed, TokenTable, TooManyTokens};
pub use token::{BadToken, EXPORTER_LABEL, Exporter, Fingerprint, OneTime, Proof, Token};
