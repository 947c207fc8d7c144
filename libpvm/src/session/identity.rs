//! Who the daemon says that this process is.

use crate::ids::TaskId;
use crate::settings;
use std::path::PathBuf;

/// An environment that names a task in a way that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The task variable is not `<id hex>:<capability hex>`.
    #[error(
        "{} is '{text}', not '<task>:<capability>'; unset it to attach as a new task",
        settings::TASK
    )]
    Malformed {
        /// What it is.
        text: String,
    },
    /// The task variable is set, the socket variable is not.
    #[error(
        "{} is set but {} is not; unset it to attach as a new task",
        settings::TASK,
        settings::SOCKET
    )]
    NoSocket,
}

/// Socket, task id and capability that the daemon gave to this process; `None` when it was not
/// started by a daemon.
///
/// # Errors
/// When the variables are there but make no sense.
pub fn identity_from_environment() -> Result<Option<(PathBuf, u64, Vec<u8>)>, IdentityError> {
    let Some(text) = std::env::var_os(settings::TASK).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let (task, capability) = parse(&text).ok_or_else(|| IdentityError::Malformed {
        text: text.clone().into_owned(),
    })?;
    let socket = std::env::var_os(settings::SOCKET).ok_or(IdentityError::NoSocket)?;
    Ok(Some((socket.into(), task, capability)))
}

fn parse(text: &str) -> Option<(u64, Vec<u8>)> {
    let (task, capability) = text.split_once(':')?;
    let task = u64::from_str_radix(task, 16).ok()?;
    TaskId::from_bits(task)?;
    Some((task, hex(capability)?))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    digits
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_read() {
        let task = TaskId::new(1, 1, 7).unwrap().bits();
        let text = format!("{task:x}:00fFa1");
        assert_eq!(parse(&text), Some((task, vec![0, 255, 0xa1])));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            ":",
            "1000100000007",
            "1000100000007:",
            "1000100000007:abc",
            "0:ab",
            "x:ab",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            parse(&text);
            hex(&text);
        }
    }
}
