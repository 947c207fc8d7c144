//! The socket of the mesh, and how QUIC is tuned for a local network.

use crate::cluster::trust::Credentials;
use pvm::limits::{
    GREETING_WINDOW, HALF_OPEN_MAX, KEEP_ALIVE_MS, PEER_SEND_WINDOW, PEER_SILENCE_MS,
    PEER_STREAMS_MAX, STREAM_WINDOW,
};
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AckFrequencyConfig, ClientConfig, Connection, EndpointConfig, IdleTimeout, MtuDiscoveryConfig,
    ServerConfig, TransportConfig, VarInt,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Wanted buffers of the socket; the system gives what it allows.
const SOCKET_BUFFER: usize = 4 << 20;
/// First guess of a round trip: a busy local network. It only matters until there is a measurement.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(5);
/// Packets that quinn gives the system at once, to be cut there (`MAX_TRANSMIT_SEGMENTS`).
const BURST: usize = 10;
/// What the system takes at once: 64 KiB less the headers of IPv6 and UDP. More is refused whole
/// (EMSGSIZE), which quinn takes for the loss of all packets in it.
const BURST_MAX: usize = 65_535 - 40 - 8;
/// Largest UDP payload, so that a burst is always taken; less than jumbo frames have room for. How much
/// of it a path takes is found out.
pub(super) const PAYLOAD_MAX: u16 = (BURST_MAX / BURST) as u16;
/// Bytes that are sent before the first confirmation: what a socket buffer of usual size takes.
const FIRST_WINDOW: u64 = 128 << 10;
/// A receiver confirms after so many packets or this time.
const CONFIRM_AFTER: (u32, Duration) = (10, Duration::from_millis(5));

/// Binds the socket: to one address, or to all of them, IPv6 and IPv4, as far as there are such.
pub(super) fn socket(address: Option<IpAddr>, port: u16) -> io::Result<UdpSocket> {
    match address {
        Some(address) => socket_at(SocketAddr::new(address, port)),
        None => socket_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).or_else(|error| {
            match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => socket_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            }
        }),
    }
}

fn socket_at(address: SocketAddr) -> io::Result<UdpSocket> {
    let bound = || -> io::Result<UdpSocket> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        if address.ip() == Ipv6Addr::UNSPECIFIED {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        // Smaller ones than wanted only make it slower.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
        let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
        bind(&socket, &address)?;
        Ok(socket.into())
    };
    bound().map_err(|error| io::Error::new(error.kind(), format!("UDP {address}: {error}")))
}

/// What holds for the endpoint as a whole.
pub(super) fn endpoint_config() -> io::Result<EndpointConfig> {
    let mut config = EndpointConfig::default();
    config
        .max_udp_payload_size(PAYLOAD_MAX)
        .map_err(io::Error::other)?;
    Ok(config)
}

/// For connections that come.
pub(super) fn server_config(credentials: &Credentials) -> io::Result<ServerConfig> {
    let crypto =
        QuicServerConfig::try_from(credentials.server_config()).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport()?))
        .max_incoming(HALF_OPEN_MAX)
        .incoming_buffer_size(u64::from(GREETING_WINDOW))
        .incoming_buffer_size_total(u64::from(GREETING_WINDOW) * HALF_OPEN_MAX as u64);
    Ok(config)
}

/// For connections that are made.
pub(super) fn client_config(tls: Arc<rustls::ClientConfig>) -> io::Result<ClientConfig> {
    let crypto = QuicClientConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()?));
    Ok(config)
}

/// Lets the other end open streams, as many as peers may.
pub(super) fn admit_streams(connection: &Connection) {
    connection.set_receive_window(VarInt::MAX);
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(PEER_STREAMS_MAX));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(PEER_STREAMS_MAX));
}

/// How every connection begins: with room for a greeting, until both sides know each other.
fn transport() -> io::Result<TransportConfig> {
    let silence = Duration::from_millis(PEER_SILENCE_MS);
    let silence = IdleTimeout::try_from(silence).map_err(io::Error::other)?;
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(PAYLOAD_MAX);
    let mut confirm = AckFrequencyConfig::default();
    confirm
        .ack_eliciting_threshold(VarInt::from_u32(CONFIRM_AFTER.0))
        .max_ack_delay(Some(CONFIRM_AFTER.1));
    let mut cubic = CubicConfig::default();
    cubic.initial_window(FIRST_WINDOW);
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(silence))
        .keep_alive_interval(Some(Duration::from_millis(KEEP_ALIVE_MS)))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(GREETING_WINDOW))
        .send_window(PEER_SEND_WINDOW)
        .initial_rtt(FIRST_ROUND_TRIP)
        .mtu_discovery_config(Some(mtu))
        .ack_frequency_config(Some(confirm))
        .congestion_controller_factory(Arc::new(cubic))
        .datagram_receive_buffer_size(None);
    Ok(config)
}

/// An address as people write it: IPv4 in IPv6 is IPv4.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}
