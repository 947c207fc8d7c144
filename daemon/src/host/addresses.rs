//! The addresses of this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// Addresses of all interfaces that are up, the most useful first: loopback comes last, link-local
/// IPv4 before it. Link-local IPv6 is left out: it means something only together with the number of
/// an interface, which is another one on another host.
pub fn of_this_host() -> Vec<IpAddr> {
    let mut addresses = interfaces();
    addresses.retain(is_for_others);
    addresses.sort_by_key(rank);
    let mut distinct = Vec::new();
    for address in addresses {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    distinct
}

fn is_for_others(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !it.is_unspecified(),
        IpAddr::V6(it) => !it.is_unspecified() && !it.is_unicast_link_local(),
    }
}

fn rank(address: &IpAddr) -> u8 {
    let is_link_local = matches!(address, IpAddr::V4(it) if it.is_link_local());
    match (address.is_loopback(), is_link_local) {
        (true, _) => 2,
        (_, true) => 1,
        _ => 0,
    }
}

/// Addresses of the interfaces that are up, as the system lists them; none when it does not.
fn interfaces() -> Vec<IpAddr> {
    let mut first = ptr::null_mut();
    // SAFETY: the call writes one pointer, to a place that is ours.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Vec::new();
    }
    let mut addresses = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: the call above succeeded, so `first` and each `ifa_next` up to the null pointer are
        // entries of a list that is not freed before the end of this function, and nobody writes.
        let entry = unsafe { &*next };
        let is_up = entry.ifa_flags & libc::IFF_UP as libc::c_uint != 0;
        if is_up {
            // SAFETY: `ifa_addr` is null or the address of this entry, in the same list.
            addresses.extend(unsafe { address(entry.ifa_addr) });
        }
        next = entry.ifa_next;
    }
    // SAFETY: `first` is what getifaddrs gave, freed once, and no reference to it is left: `entry`
    // and what it points to were copied from.
    unsafe { libc::freeifaddrs(first) };
    addresses
}

/// The IP address in a socket address.
///
/// # Safety
/// The pointer is null, or to a socket address that is as long as its family says.
unsafe fn address(at: *const libc::sockaddr) -> Option<IpAddr> {
    if at.is_null() {
        return None;
    }
    // SAFETY: not null, and every socket address begins with its family.
    match i32::from(unsafe { (*at).sa_family }) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one; reading does not ask for its alignment.
            let found = unsafe { at.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let found = unsafe { at.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(found.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_last() {
        let addresses = of_this_host();
        assert!(
            addresses.contains(&Ipv4Addr::LOCALHOST.into()),
            "{addresses:?}"
        );
        let ranks: Vec<_> = addresses.iter().map(rank).collect();
        assert!(ranks.is_sorted(), "{addresses:?}");
    }

    #[test]
    fn addresses_that_mean_nothing_elsewhere_are_left_out() {
        let text = [
            "10.0.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "::",
            "::1",
        ];
        let all = text.map(|it| it.parse::<IpAddr>().unwrap());
        let kept: Vec<_> = all.iter().filter(|it| is_for_others(it)).collect();
        let expected = ["10.0.0.1", "169.254.1.1", "127.0.0.1", "fd00::1", "::1"];
        assert_eq!(kept.len(), expected.len());
        assert_eq!(
            kept.iter().map(|it| rank(it)).collect::<Vec<_>>(),
            [0, 1, 2, 0, 2]
        );
    }
}
