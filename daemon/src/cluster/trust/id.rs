//! The name of one run of one daemon, and how a certificate proves it.

use crate::hex;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::str::FromStr;

/// What follows the daemon in the names of its certificate.
const DOMAIN: &str = "vm.pvm";

/// 128 random bits, drawn at each start of a daemon; shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DaemonId(pub u128);

/// A text or bytes that are no daemon id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a daemon id: it has 32 hexadecimal digits")]
pub struct BadDaemonId;

/// A certificate that is not this daemon's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its certificate is not that of daemon {claimed}")]
pub struct IdentityError {
    /// Who the peer says that it is.
    pub claimed: DaemonId,
}

impl DaemonId {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(DaemonId(u128::from_be_bytes(bytes)))
    }

    /// The one that a message names.
    ///
    /// # Errors
    /// When there are not exactly 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadDaemonId> {
        let bytes = bytes.try_into().map_err(|_| BadDaemonId)?;
        Ok(DaemonId(u128::from_be_bytes(bytes)))
    }

    /// For a message.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The name that only this daemon's certificate has.
    pub fn server_name(self) -> String {
        format!("{self}.{DOMAIN}")
    }

    /// The name that every daemon's certificate has.
    pub fn any_server_name() -> String {
        format!("any.{DOMAIN}")
    }
}

impl fmt::Display for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DaemonId({self})")
    }
}

impl FromStr for DaemonId {
    type Err = BadDaemonId;

    fn from_str(text: &str) -> Result<Self, BadDaemonId> {
        let bytes = hex::decode(text).ok_or(BadDaemonId)?;
        Ok(DaemonId(u128::from_be_bytes(bytes)))
    }
}

/// Checks that a certificate has the name of this daemon. That it is of our CA, TLS has checked.
///
/// # Errors
/// When it has not.
pub fn check_identity(
    certificate: &CertificateDer<'_>,
    claimed: DaemonId,
) -> Result<(), IdentityError> {
    let is_its_own = || {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let name = ServerName::try_from(claimed.server_name()).ok()?;
        verify_server_name(&parsed, &name).ok()
    };
    is_its_own().ok_or(IdentityError { claimed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_and_bytes() {
        let id = DaemonId::random().unwrap();
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(DaemonId::from_bytes(&id.to_bytes()), Ok(id));
        assert_ne!(id, DaemonId::random().unwrap());
        assert_eq!(DaemonId(7).to_string(), "00000000000000000000000000000007");
        assert_eq!("7".parse::<DaemonId>(), Err(BadDaemonId));
        assert_eq!(DaemonId::from_bytes(&[0; 15]), Err(BadDaemonId));
    }
}
