//! Values of options, each checked where it is read.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::jid;
use crate::session::Security;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix-domain socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The IP address and port; `None` for a socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => {
                    Err("a socket needs a whole path, as in unix:/run/user/1000/pubshim".to_owned())
                }
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| Self::refused())
    }
}

/// The address of a proxy before pubshim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxySource(pub IpAddr);

impl FromStr for ProxySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ip: IpAddr = text.parse().map_err(|_| Self::refused())?;
        Ok(Self(ip.to_canonical()))
    }
}

/// DNS server to ask; the empty text is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub Option<SocketAddr>);

impl FromStr for NameServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_port = || text.parse().ok();
        let without = || Some(SocketAddr::new(text.parse().ok()?, 53));
        match text {
            "" => Ok(Self(None)),
            _ => with_port()
                .or_else(without)
                .map(|address| Self(Some(address)))
                .ok_or_else(Self::refused),
        }
    }
}

/// Oldest TLS spoken with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[value(name = "1.2")]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[value(name = "1.3")]
    #[serde(rename = "1.3")]
    V1_3,
}

/// Proxy on the way to servers; the empty text is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy(pub Option<ProxyAddress>);

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        // The text may hold a password: errors do not repeat it.
        let rest = text.strip_prefix("socks5://").ok_or_else(Self::refused)?;
        let (credentials, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((credentials, address)) => {
                let (user, password) = credentials.split_once(':').ok_or_else(Self::refused)?;
                // RFC 1929 §2: a length is one byte.
                let is_good = |text: &str| (1..=255).contains(&text.len());
                if !is_good(user) || !is_good(password) {
                    return Err(Self::refused());
                }
                (Some((user.to_owned(), password.to_owned())), address)
            }
        };
        let (host, port) = split_port(address).ok_or_else(Self::refused)?;
        Ok(Self(Some(ProxyAddress {
            host: host.to_owned(),
            port: port.unwrap_or(1080),
            credentials,
        })))
    }
}

/// A SOCKS5 proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
    /// User and password; `None`: random ones for each session.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for ProxyAddress {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A domain a client may log in to, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(pub String);

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if !jid::is_domain(text) || text.contains(',') {
            return Err(Self::refused());
        }
        Ok(Self(text.to_lowercase()))
    }
}

/// A number of things, from 1 to 100 million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub usize);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = number(text, &[], 1..=100_000_000);
        count.map(Self).ok_or_else(Self::refused)
    }
}

/// A number of bytes, up to 1024 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let bytes = number(text, &units, 1..=1 << 40);
        bytes.map(Self).ok_or_else(Self::refused)
    }
}

/// A time to wait, from a second to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3600)];
        let seconds = number(text, &units, 1..=86400).map(Duration::from_secs);
        seconds.map(Self).ok_or_else(Self::refused)
    }
}

/// A number in `range`, with one of `units` or none.
fn number<T: TryFrom<u64>>(
    text: &str,
    units: &[(&str, u64)],
    range: RangeInclusive<u64>,
) -> Option<T> {
    let mut units = units.iter();
    let (number, unit) = units
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    let number: u64 = number.parse().ok()?;
    let number = number.checked_mul(unit)?;
    range.contains(&number).then(|| number.try_into().ok())?
}

/// Level of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevel(pub u8);

impl FromStr for CompressionLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = text.parse().ok().filter(|level| (1..=9).contains(level));
        level.map(Self).ok_or_else(Self::refused)
    }
}

/// Steps from the usual amount of logging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbosity(pub i8);

impl FromStr for Verbosity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps = text.parse().ok().filter(|steps| (-3..=2).contains(steps));
        steps.map(Self).ok_or_else(Self::refused)
    }
}

/// Server to connect to; the empty text is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(pub Option<ServerAddress>);

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|server| Self(Some(server)))
    }
}

/// A server's address, and the security of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Security of the connection.
    pub security: Security,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
}

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (security, default_port, rest) = match text.split_once("://") {
            None => (Security::StartTls, Some(5222), text),
            Some(("tls", rest)) => (Security::DirectTls, Some(5223), rest),
            Some(("plain", rest)) => (Security::Plain, None, rest),
            Some(_) => return Err(Server::refused()),
        };
        let (host, port) = split_port(rest).ok_or_else(Server::refused)?;
        if security == Security::Plain && !is_this_machine(host) {
            return Err(format!(
                "plain:// is unencrypted, and only allowed to this machine (localhost, 127.0.0.1 \
                 or [::1]); use tls:// or leave the scheme out to reach {host}"
            ));
        }
        let port = port
            .or(default_port)
            .ok_or("plain:// needs a port, as in plain://HOST:PORT")?;
        Ok(Self {
            security,
            host: host.to_owned(),
            port,
        })
    }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let (address, rest) = text.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let allowed = |c: char| c.is_alphanumeric() || "-._".contains(c);
            if host.is_empty() || !host.chars().all(allowed) {
                return None;
            }
            (host, rest)
        }
    };
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = rest.strip_prefix(':')?.parse().ok()?;
    (port != 0).then_some((host, Some(port)))
}

fn is_this_machine(host: &str) -> bool {
    let ip = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// A value that flag, variable and file write alike.
trait Value: FromStr<Err = String> {
    /// Allowed values: the end of a sentence that begins with "expected".
    const ALLOWED: &'static str;

    /// Error for other values.
    fn refused() -> String {
        format!("expected {}", Self::ALLOWED)
    }
}

struct ValueVisitor<V>(PhantomData<V>);

impl<V: Value> Visitor<'_> for ValueVisitor<V> {
    type Value = V;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(V::ALLOWED)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<V, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<V, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! values {
    ($($type:ident $(($plain:ty))?: $allowed:literal;)*) => {$(
        impl Value for $type {
            const ALLOWED: &'static str = $allowed;
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ValueVisitor(PhantomData))
            }
        }

        $(impl From<$type> for $plain {
            fn from($type(value): $type) -> Self {
                value
            }
        })?
    )*};
}

values! {
    ListenAddress: "an IP address and a port such as 127.0.0.1:5222 or [::1]:5222, or unix:PATH";
    ProxySource(IpAddr): "an IP address such as 127.0.0.1";
    NameServer(Option<SocketAddr>): "an IP address, with or without a port, such as 192.0.2.53 or [::1]:5353";
    Proxy(Option<ProxyAddress>): "socks5://HOST[:PORT] or socks5://USER:PASSWORD@HOST[:PORT]";
    Server(Option<ServerAddress>):
        "HOST, HOST:PORT, tls://HOST[:PORT] or plain://HOST:PORT, an IPv6 address in brackets";
    Domain(String): "a domain such as example.org";
    Count(usize): "a whole number from 1 to 100000000";
    Size(usize): "a size from 1 byte to 1024GiB, in bytes or such as 64KiB or 16MiB";
    Seconds(Duration): "a time from 1s to 24h, in seconds or such as 90s or 2m";
    CompressionLevel(u8): "a whole number from 1 to 9";
    Verbosity(i8): "a whole number from -3 to 2";
}

#[cfg(test)]
mod tests;
