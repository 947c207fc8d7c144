//! Which virtual machine a new daemon is to join: from its command line, or from whoever starts it
//! through ssh.
//!
//! On standard input: lines of a word and its value, `secret` (64 hexadecimal digits), `address`
//! (once for each) and `number` (which host it would be, so that hosts started at once keep their order),
//! then the end. Nothing of it is in a command line or an environment.

use super::Join;
use crate::cluster::trust::{Secret, Token};
use crate::launch::ssh::answer::Answer;
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
pub fn data(secret: &Secret, addresses: &[SocketAddr]) -> String {
    let mut text = format!("secret {}\n", secret.to_hex());
    for address in addresses {
        // Writing to a string does not fail.
        let _ = writeln!(text, "address {address}");
    }
    text
}

fn parse(text: &str) -> Result<Join, JoinError> {
    let wrong = |what: &str| JoinError::Stdin(what.to_owned());
    let (mut secret, mut number) = (None, None);
    let mut addresses = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("secret", hex)) => secret = Secret::from_hex(hex.trim()),
            Some(("address", address)) if addresses.len() < ADDRESSES_MAX => {
                let address = address.trim().parse();
                addresses.push(address.map_err(|_| wrong("an address that is none"))?);
            }
            // One that no host can have is as good as none.
            Some(("number", text)) => number = text.trim().parse().ok(),
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
    })
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
        for (more, wanted) in [
            ("", None),
            ("number 3\n", Some(3)),
            ("number 99999\n", None),
        ] {
            let text = data(&secret, &addresses) + more;
            let Join::Secret {
                secret: same,
                seeds,
                number,
            } = parse(&text).unwrap()
            else {
                panic!("not a secret");
            };
            assert_eq!((same.bytes(), &seeds), (secret.bytes(), &addresses));
            assert_eq!(number, wanted);
        }
    }

    #[test]
    fn nonsense_is_told() {
        for text in ["", "secret 12\naddress 1.2.3.4:5", "address x", "secret x"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(given(&[], None).is_err());
        assert!(given(&[], Some("x")).is_err());
    }
}
