//! Tokens: what a host without the secret joins with.
//!
//! `PVM1.<fingerprint>.<one-time secret>.<address>[,<address>...]`. The fingerprint says which virtual
//! machine it is for, so that the secret of a token is proved to nobody else. What is sent is not the
//! one-time secret but a [`Proof`]: its message authentication code over what both ends of this one
//! TLS connection can export. Seen or passed on it is worth nothing on another connection.

use crate::hex;
use pvm::limits::ADDRESSES_MAX;
use rcgen::PublicKeyData;
use ring::{digest, hmac};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Names the use that the exported bytes of a connection are for.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-pvm-join-1";
/// How a token begins.
const KIND: &str = "PVM1";

/// What both ends of one TLS connection export, and nobody else.
pub type Exporter = [u8; 32];
/// That somebody holds a token, on one connection.
pub type Proof = [u8; 32];

/// SHA-256 of the public key of a virtual machine's authority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The secret of one token.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTime([u8; 16]);

/// An invitation to a virtual machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Which virtual machine.
    pub fingerprint: Fingerprint,
    /// What is proved.
    pub one_time: OneTime,
    /// Where the daemon that gave it out is.
    pub addresses: Vec<SocketAddr>,
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It begins otherwise.
    #[error("not a join token: it does not begin with {KIND}.")]
    Kind,
    /// It is not in four parts.
    #[error("the join token is cut short: copy all of it")]
    CutShort,
    /// Its second part.
    #[error("the join token is damaged: its second part is not 64 hexadecimal digits")]
    Fingerprint,
    /// Its third part.
    #[error("the join token is damaged: its third part is not 32 hexadecimal digits")]
    OneTime,
    /// One of its addresses.
    #[error("the join token is damaged: '{0}' is not an address with a port")]
    Address(String),
    /// Too many of them.
    #[error("the join token is damaged: it has more than {ADDRESSES_MAX} addresses")]
    TooManyAddresses,
}

impl Fingerprint {
    /// Of a public key.
    pub(super) fn of_key(key: &impl PublicKeyData) -> Self {
        Self::of(&key.subject_public_key_info())
    }

    /// Of a public key with its algorithm, in DER.
    pub(super) fn of(public_key_info: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, public_key_info).as_ref());
        Fingerprint(bytes)
    }
}

impl OneTime {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(OneTime(bytes))
    }

    /// Proves that we hold it, on the connection that exports this.
    pub fn prove(&self, exporter: &Exporter) -> Proof {
        let mut proof = [0; 32];
        proof.copy_from_slice(hmac::sign(&self.key(), exporter).as_ref());
        proof
    }

    /// Whether somebody has proved that, in a time that does not depend on the proof.
    pub fn is_proved(&self, proof: &[u8], exporter: &Exporter) -> bool {
        hmac::verify(&self.key(), exporter, proof).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Debug for OneTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTime(..)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token {
            fingerprint,
            addresses,
            ..
        } = self;
        write!(f, "Token({fingerprint}, {addresses:?})")
    }
}

impl fmt::Display for Token {
    /// The whole token with its secret: for the one who is invited.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_time = hex::encode(&self.one_time.0);
        write!(f, "{KIND}.{}.{one_time}.", self.fingerprint)?;
        for (index, address) in self.addresses.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.trim().strip_prefix(KIND).ok_or(BadToken::Kind)?;
        let rest = rest.strip_prefix('.').ok_or(BadToken::Kind)?;
        let mut parts = rest.splitn(3, '.');
        let (Some(fingerprint), Some(one_time), Some(addresses)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(BadToken::CutShort);
        };
        let fingerprint = hex::decode(fingerprint).ok_or(BadToken::Fingerprint)?;
        let one_time = hex::decode(one_time).ok_or(BadToken::OneTime)?;
        Ok(Token {
            fingerprint: Fingerprint(fingerprint),
            one_time: OneTime(one_time),
            addresses: read_addresses(addresses)?,
        })
    }
}

fn read_addresses(text: &str) -> Result<Vec<SocketAddr>, BadToken> {
    if text.is_empty() {
        return Err(BadToken::CutShort);
    }
    let texts = text.split(',');
    if texts.clone().count() > ADDRESSES_MAX {
        return Err(BadToken::TooManyAddresses);
    }
    texts
        .map(|it| it.parse().map_err(|_| BadToken::Address(it.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(addresses: &[&str]) -> Token {
        Token {
            fingerprint: Fingerprint([0xab; 32]),
            one_time: OneTime([0x1f; 16]),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn tokens_are_texts() {
        let token = token(&["10.0.0.1:7000", "[fd00::1]:7000"]);
        let text = token.to_string();
        let (ab, one) = ("ab".repeat(32), "1f".repeat(16));
        assert_eq!(
            text,
            format!("PVM1.{ab}.{one}.10.0.0.1:7000,[fd00::1]:7000")
        );
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(&one));
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said() {
        let whole = token(&["10.0.0.1:7000"]).to_string();
        let bad = |text: &str| text.parse::<Token>().unwrap_err();
        assert_eq!(bad(""), BadToken::Kind);
        assert_eq!(bad("PVM2.a.b.c"), BadToken::Kind);
        assert_eq!(bad("PVM1"), BadToken::Kind);
        assert_eq!(bad("PVM1.ab"), BadToken::CutShort);
        assert_eq!(bad(&whole[..whole.len() - 13]), BadToken::CutShort);
        assert_eq!(bad(&whole.replacen("ab", "x", 1)), BadToken::Fingerprint);
        assert_eq!(bad(&whole.replacen("1f", "1", 1)), BadToken::OneTime);
        let cut = &whole[..whole.len() - 5];
        assert_eq!(bad(cut), BadToken::Address("10.0.0.1".to_owned()));
        let many = format!("{whole}{}", ",10.0.0.1:1".repeat(ADDRESSES_MAX));
        assert_eq!(bad(&many), BadToken::TooManyAddresses);
    }

    #[test]
    fn a_proof_is_for_one_secret_and_one_connection() {
        let one = OneTime([1; 16]);
        let proof = one.prove(&[7; 32]);
        assert!(one.is_proved(&proof, &[7; 32]));
        assert!(!one.is_proved(&proof, &[8; 32]));
        assert!(!OneTime([2; 16]).is_proved(&proof, &[7; 32]));
        assert!(!one.is_proved(&proof[..31], &[7; 32]));
        assert!(!one.is_proved(&[], &[7; 32]));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(PVM1)?[.]?.{0,80}") {
            let _ = text.parse::<Token>();
        }
    }
}
