//! The sockets clients connect to: an address and port, or a path.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::either::Either;

use super::stream::PlainClient;
use super::unix::UnixSocket;
use crate::config::ListenAddress;

/// A bound address, or a bound path.
pub(in crate::net) enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixSocket),
}

/// The address of a client.
#[derive(Clone, Copy)]
pub(in crate::net) enum Peer {
    /// Address and port.
    Tcp(SocketAddr),
    /// A process on this machine.
    Unix,
}

impl Peer {
    /// The IP address; an IPv4-mapped IPv6 address as IPv4.
    pub(in crate::net) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl Socket {
    /// Binds an address of the configuration.
    pub(in crate::net) async fn bind(address: &ListenAddress) -> anyhow::Result<Self> {
        match address {
            ListenAddress::Tcp(tcp) => {
                let socket = TcpListener::bind(tcp).await.with_context(|| {
                    format!("cannot listen on {tcp}; choose another address with --listen")
                })?;
                Ok(Self::Tcp(socket))
            }
            ListenAddress::Unix(path) => Ok(Self::Unix(UnixSocket::bind(path).await?)),
        }
    }

    /// The bound address, with the port that the system chose.
    pub(in crate::net) fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(ListenAddress::Tcp),
            Self::Unix(socket) => Ok(ListenAddress::Unix(socket.path().to_owned())),
        }
    }

    /// Accepts the next client.
    pub(in crate::net) async fn accept(&self) -> io::Result<(PlainClient, Peer)> {
        match self {
            Self::Tcp(socket) => {
                let (client, peer) = socket.accept().await?;
                Ok((Either::Left(client), Peer::Tcp(peer)))
            }
            Self::Unix(socket) => Ok((Either::Right(socket.accept().await?), Peer::Unix)),
        }
    }
}
