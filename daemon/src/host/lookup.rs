//! What this host takes a name for.

use super::aside;
use pvm::limits::{HOST_ADDRESSES_MAX, HOST_NAME_MAX};
use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

/// The addresses of a name, each once.
///
/// # Errors
/// Why there are none, as a clause; also when it takes longer than `limit`.
pub async fn addresses(name: &str, limit: Duration) -> Result<Vec<IpAddr>, String> {
    if name.is_empty() || name.len() > HOST_NAME_MAX || name.contains('\0') {
        return Err("it is no name of a host".to_owned());
    }
    let name = name.to_owned();
    aside::ask(&aside::NAMES, limit, move || search(&name)).await?
}

fn search(name: &str) -> Result<Vec<IpAddr>, String> {
    let sockets = (name, 0).to_socket_addrs().map_err(|error| {
        let text = error.to_string();
        // The system's own words are at the end.
        text.rsplit(": ").next().unwrap_or(&text).to_lowercase()
    })?;
    let mut distinct = Vec::new();
    for address in sockets.map(|it| it.ip().to_canonical()) {
        if !distinct.contains(&address) && distinct.len() < HOST_ADDRESSES_MAX {
            distinct.push(address);
        }
    }
    Ok(distinct)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn addresses_are_names_of_themselves() {
        let found = addresses("127.0.0.1", LIMIT).await;
        assert_eq!(found, Ok(vec!["127.0.0.1".parse().unwrap()]));
        let mapped = addresses("::ffff:10.0.0.1", LIMIT).await;
        assert_eq!(mapped, Ok(vec!["10.0.0.1".parse().unwrap()]));
    }

    #[tokio::test]
    async fn what_is_no_name_is_not_looked_for() {
        for name in ["", "a\0b", &"x".repeat(HOST_NAME_MAX + 1)] {
            let refused = addresses(name, LIMIT).await;
            assert_eq!(refused, Err("it is no name of a host".to_owned()));
        }
    }
}
