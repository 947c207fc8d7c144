//! Which virtual machine a new daemon is to join: from its command line, or from whoever starts it
//! through ssh.
//!
//! On standard input: lines of a word and its value, `secret` (64 hexadecimal digits), `address`
//! (once for each), `number` (which host it would be, so that hosts started at once keep their order) and
//! `stays-with` (index and incarnation of the host with which it leaves), then the end. Nothing of it is in
//! a command line or an environment.

use super::Join;
use crate::cluster::registry::HostId;
use crate::cluster::trust::{Secret, Token};
use crate::launch::ssh::{self, answer::Answer};
use pvm::limits::{ADDRESSES_MAX, JOIN_DATA_MAX};
use std::fmt::Write;
use std::io::{self, Read};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where it is said.
pub enum Way {
    /// In the command line.
    Given {
        /// Addresses as typed.
        addresses: Vec<String>,
        /// Token as typed.
        token: Option<String>,
    },
    /// On standard input.
    Stdin,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Neither token nor address.
    #[error(
        "pvmd: no address of a daemon to join; name one: pvmd join ADDRESS:PORT, or use a token: pvmd join --token TOKEN"
    )]
    NoAddress,
    /// An address that is none.
    #[error(
        "pvmd: cannot use the address '{0}': {1}; write HOST:PORT, as 'pvm token' and 'pvm conf' show it"
    )]
    Address(String, String),
    /// A name that is none.
    #[error("pvmd: the name '{0}' cannot be resolved: {1}; see: getent hosts {0}")]
    Name(String, String),
    /// A token that is none.
    #[error("pvmd: {0}")]
    Token(#[from] crate::cluster::trust::BadToken),
    /// No secret.
    #[error("pvmd: {0}")]
    Secret(String),
    /// Standard input cannot be read, or makes no sense.
    #[error("pvmd: what came on standard input is not how to join: {0}")]
    Stdin(String),
}

/// Finds out what to join.
///
/// # Errors
/// See [`JoinError`].
pub fn resolve(way: &Way) -> Result<Join, JoinError> {
    match way {
        Way::Given { addresses, token } => given(addresses, token.as_deref()),
        Way::Stdin => {
            let mut text = String::new();
            let read = io::stdin()
                .take(JOIN_DATA_MAX as u64)
                .read_to_string(&mut text);
            read.map_err(|error| JoinError::Stdin(error.to_string()))?;
            parse(&text)
        }
    }
}

fn given(addresses: &[String], token: Option<&str>) -> Result<Join, JoinError> {
    let mut resolved = Vec::new();
    for text in addresses {
        let found = text.to_socket_addrs();
        let found = found.map_err(|error| cannot_use(text, &error))?;
        resolved.extend(found.take(ADDRESSES_MAX));
    }
    if let Some(token) = token {
        let mut token: Token = token.parse()?;
        if !resolved.is_empty() {
            token.addresses = resolved;
        }
        return Ok(Join::Token(token));
    }
    if resolved.is_empty() {
        return Err(JoinError::NoAddress);
    }
    let path = pvm::session::secret_path().map_err(|error| JoinError::Secret(error.to_string()))?;
    let secret = Secret::load(&path).map_err(|error| JoinError::Secret(error.to_string()))?;
    Ok(Join::Secret {
        secret,
        seeds: resolved,
        number: None,
        stays_with: None,
    })
}

fn cannot_use(text: &str, error: &io::Error) -> JoinError {
    let why = error.to_string();
    let name = text.rsplit_once(':').map(|(name, _)| name.to_owned());
    // What the standard library puts before the words of the resolver.
    match (
        why.split_once("failed to lookup address information: "),
        name,
    ) {
        (Some((_, why)), Some(name)) => JoinError::Name(name, why.to_owned()),
        _ => JoinError::Address(text.to_owned(), why),
    }
}

/// What a daemon that is started elsewhere is to read.
pub fn data(secret: &Secret, addresses: &[SocketAddr], stays_with: Option<HostId>) -> String {
    let mut text = format!("secret {}\n", secret.to_hex());
    for address in addresses {
        // Writing to a string does not fail.
        let _ = writeln!(text, "address {address}");
    }
    if let Some(HostId { index, incarnation }) = stays_with {
        let _ = writeln!(text, "stays-with {index} {incarnation}");
    }
    text
}

fn parse(text: &str) -> Result<Join, JoinError> {
    let wrong = |what: &str| JoinError::Stdin(what.to_owned());
    let (mut secret, mut number, mut stays_with) = (None, None, None);
    let mut addresses = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("secret", hex)) => secret = Secret::from_hex(hex.trim()),
            Some(("address", address)) if addresses.len() < ADDRESSES_MAX => {
                let address = address.trim().parse();
                addresses.push(address.map_err(|_| wrong("an address that is none"))?);
            }
            // One that no host can have is as good as none.
            Some((ssh::NUMBER, text)) => number = text.trim().parse().ok(),
            Some(("stays-with", text)) => {
                stays_with = Some(host(text).ok_or_else(|| wrong("a host that is none"))?)
            }
            _ => {}
        }
    }
    let secret = secret.ok_or_else(|| wrong("no secret"))?;
    if addresses.is_empty() {
        return Err(wrong("no address"));
    }
    Ok(Join::Secret {
        secret,
        seeds: addresses,
        number,
        stays_with,
    })
}

fn host(text: &str) -> Option<HostId> {
    let (index, incarnation) = text.trim().split_once(' ')?;
    Some(HostId::new(index.parse().ok()?, incarnation.parse().ok()?))
}

/// What whoever has started this daemon through ssh is told of the host that it has become.
pub fn words(me: HostId) -> String {
    format!("host {}", me.index)
}

/// Which host a daemon has become that was started elsewhere, by its words.
pub fn index_of(words: &str) -> Option<u16> {
    words.strip_prefix("host ")?.parse().ok()
}

/// Tells whoever has started this daemon through ssh why it has not joined.
pub fn answer(why: &str) -> Answer {
    let why = why.strip_prefix("pvmd: ").unwrap_or(why);
    let id = match () {
        () if why.contains("already running") => "running",
        () if why.contains("protocol") => "version",
        () => "join",
    };
    Answer::Failed {
        id: id.to_owned(),
        why: why.to_owned(),
        next: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let secret = Secret::generate().unwrap();
        let addresses = vec!["127.0.0.1:7".parse().unwrap(), "[::1]:9".parse().unwrap()];
        for (more, wanted, host) in [
            ("", None, None),
            ("number 3\n", Some(3), Some(HostId::new(7, 2))),
            ("number 99999\n", None, None),
        ] {
            let text = data(&secret, &addresses, host) + more;
            let Join::Secret {
                secret: same,
                seeds,
                number,
                stays_with,
            } = parse(&text).unwrap()
            else {
                panic!("not a secret");
            };
            assert_eq!((same.bytes(), &seeds), (secret.bytes(), &addresses));
            assert_eq!((number, stays_with), (wanted, host));
        }
        assert_eq!(index_of(&words(HostId::new(12, 3))), Some(12));
        assert_eq!(index_of("joined"), None);
    }

    #[test]
    fn nonsense_is_told() {
        for text in [
            "",
            "secret 12\naddress 1.2.3.4:5",
            "address x",
            "secret x",
            "stays-with 1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(given(&[], None).is_err());
        assert!(given(&[], Some("x")).is_err());
    }
}
