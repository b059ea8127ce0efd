//! The PROXY header (version 2), with which a proxy before pubshim begins each connection to name the client's address.
//!
//! The header is demanded from the addresses in `--proxy-from`, and read from no other. The address in it goes into
//! the log, and gives no rights.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ppp::v2::{Addresses, Header, PROTOCOL_PREFIX, ParseError};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tracing::{Span, field};

use super::socket::Peer;

/// Length of the fixed part of a header; its last two bytes give the length of the rest.
const FIXED: usize = 16;
/// Longest header read: addresses take 216 bytes at the most, extensions of proxies a few hundred.
const LONGEST: usize = 2048;
/// Version 2 with the command `LOCAL`: the proxy connects for itself.
const LOCAL: u8 = 0x20;
/// Most time for the header. A proxy can send it as soon as it has connected.
const PATIENCE: Duration = Duration::from_secs(5);

/// The log's span for a session. `peer` is the client, or a proxy; for a proxy [`passes`] adds the client's address.
pub(in crate::net) fn span(number: u64, peer: Peer, is_proxy: bool) -> Span {
    let span = tracing::info_span!(
        "session",
        number,
        peer = field::Empty,
        proxy = field::Empty,
        domain = field::Empty,
        account = field::Empty,
    );
    let role = if is_proxy { "proxy" } else { "peer" };
    span.record(role, field::display(peer));
    span
}

/// Reads the header of a connection that a proxy has made, and not a byte more; adds the client's address to the
/// current span. The header has no more time than the `login` it precedes. `false`: there is no client, and the log
/// tells why.
pub(in crate::net) async fn passes(proxy: &mut (impl AsyncRead + Unpin), login: Duration) -> bool {
    let patience = login.min(PATIENCE);
    let header = tokio::time::timeout(patience, read(proxy));
    match header.await.unwrap_or(Err(Broken::Slow(patience))) {
        Ok(Said::Client(origin)) => {
            Span::current().record("peer", field::display(&origin));
            tracing::debug!("passed on by a proxy");
            true
        }
        Ok(Said::NoClient) => {
            tracing::debug!("the proxy only asks whether pubshim is there");
            false
        }
        Err(Broken::Nothing) => {
            tracing::debug!("the proxy has connected and said nothing");
            false
        }
        Err(reason) => {
            tracing::warn!(
                "turned away a connection of a proxy that --proxy-from names: {reason}; have the proxy send PROXY \
                 headers of version 2 (in haproxy `send-proxy-v2` on the `server` line), or take its address out of \
                 --proxy-from"
            );
            false
        }
    }
}

/// Meaning of a header.
#[derive(Debug, PartialEq)]
enum Said {
    /// A client is passed on.
    Client(Origin),
    /// The proxy has connected for itself, as for a health check (`LOCAL`).
    NoClient,
}

/// Address from which a client has connected.
#[derive(Debug, PartialEq)]
enum Origin {
    Address(SocketAddr),
    /// A Unix socket on the machine of the proxy.
    Unix,
    /// The proxy does not say.
    Unknown,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Reasons why no header could be read.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("it ended before it began")]
    Nothing,
    #[error("it begins with something else than a PROXY header")]
    Missing,
    #[error("its PROXY header is of version 1")]
    Text,
    #[error("it ended within its PROXY header")]
    Cut,
    #[error("its PROXY header is {0} bytes long, and {LONGEST} is the most that is read")]
    Long(usize),
    #[error("its PROXY header cannot be read: {0}")]
    Wrong(ParseError),
    #[error("its PROXY header did not come within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("it broke within its PROXY header: {0}")]
    Failed(io::Error),
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, Broken> {
    let mut header = Vec::with_capacity(FIXED);
    let mut length = FIXED;
    while header.len() < length {
        let left = u64::try_from(length - header.len()).unwrap_or_default();
        let read = (&mut *stream).take(left).read_buf(&mut header).await;
        match read {
            Ok(0) | Err(_) if header.is_empty() => return Err(Broken::Nothing),
            Ok(0) => return Err(Broken::Cut),
            Ok(_) => {}
            Err(error) => return Err(Broken::Failed(error)),
        }
        // Checked before the header is whole: other protocols may never send that many bytes.
        check_signature(&header)?;
        if let [.., high, low] = header[..]
            && header.len() == FIXED
        {
            length += usize::from(u16::from_be_bytes([high, low]));
            if length > LONGEST {
                return Err(Broken::Long(length));
            }
        }
    }
    parse(&header)
}

/// Refuses bytes that cannot be the beginning of a header.
fn check_signature(header: &[u8]) -> Result<(), Broken> {
    let come = header.len().min(PROTOCOL_PREFIX.len());
    if header[..come] == PROTOCOL_PREFIX[..come] {
        return Ok(());
    }
    Err(match header.starts_with(b"PROXY ") {
        true => Broken::Text,
        false => Broken::Missing,
    })
}

/// Parses a whole header.
fn parse(header: &[u8]) -> Result<Said, Broken> {
    // The rest of a `LOCAL` header is to be ignored.
    if header.get(PROTOCOL_PREFIX.len()) == Some(&LOCAL) {
        return Ok(Said::NoClient);
    }
    let header = Header::try_from(header).map_err(Broken::Wrong)?;
    let address = |ip: IpAddr, port| Origin::Address(SocketAddr::new(ip.to_canonical(), port));
    Ok(Said::Client(match header.addresses {
        Addresses::IPv4(ip) => address(ip.source_address.into(), ip.source_port),
        Addresses::IPv6(ip) => address(ip.source_address.into(), ip.source_port),
        Addresses::Unix(_) => Origin::Unix,
        Addresses::Unspecified => Origin::Unknown,
    }))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;

    /// The client's first bytes behind a header, which must be left unread.
    const BEHIND: &[u8] = b"<?xml version='1.0'?>";
    const IPV4: &[u8] = &[192, 0, 2, 7, 127, 0, 0, 1, 0xd4, 0x31, 0x14, 0x66];

    /// A header with these two bytes behind the signature and this rest.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len())
            .expect("a short rest")
            .to_be_bytes();
        [PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    /// A stream whose other end has vanished.
    struct Reset;

    impl AsyncRead for Reset {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }

    /// A stream that gives one byte at a time.
    struct Slowly<'a>(&'a [u8]);

    impl AsyncRead for Slowly<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some((first, rest)) = self.0.split_first() {
                buf.put_slice(&[*first]);
                self.0 = rest;
            }
            Poll::Ready(Ok(()))
        }
    }

    /// Reads a header from a stream that never makes it wait.
    fn read_now(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, Broken> {
        match std::pin::pin!(read(stream)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(said) => said,
            Poll::Pending => panic!("there is nothing to wait for"),
        }
    }

    /// Reads a header from these bytes, and counts how many were read; they may come at once or one by one.
    fn try_read(bytes: &[u8]) -> (Result<Said, Broken>, usize) {
        let wait = |future: Pin<&mut dyn Future<Output = Result<Said, Broken>>>| match future
            .poll(&mut Context::from_waker(std::task::Waker::noop()))
        {
            Poll::Ready(said) => said,
            Poll::Pending => panic!("there is nothing to wait for"),
        };
        let (mut whole, mut slowly) = (bytes, Slowly(bytes));
        let said = wait(std::pin::pin!(read(&mut whole)));
        let said_slowly = wait(std::pin::pin!(read(&mut slowly)));
        assert_eq!(said.is_ok(), said_slowly.is_ok());
        assert_eq!(said.as_ref().ok(), said_slowly.as_ref().ok());
        (said, bytes.len() - whole.len())
    }

    /// The meaning of a good header; checks that the bytes behind it are left unread.
    fn said(header: &[u8]) -> Said {
        let (said, count) = try_read(&[header, BEHIND].concat());
        assert_eq!(count, header.len(), "{said:?}");
        said.expect("a good header")
    }

    /// The error for bytes that are no good header.
    fn refused(bytes: &[u8]) -> String {
        let (said, count) = try_read(bytes);
        assert!(count <= LONGEST);
        said.expect_err("no header").to_string()
    }

    fn from(address: &str) -> Said {
        Said::Client(Origin::Address(address.parse().expect("an address")))
    }

    #[test]
    fn whose_connection_it_is() {
        assert_eq!(said(&header(0x21, 0x11, IPV4)), from("192.0.2.7:54321"));
        let mut ipv6 = [0; 36];
        ipv6[..2].copy_from_slice(&[0x20, 0x01]);
        ipv6[15] = 7;
        ipv6[32..34].copy_from_slice(&[0, 80]);
        assert_eq!(said(&header(0x21, 0x21, &ipv6)), from("[2001::7]:80"));
        ipv6[..16].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7]);
        assert_eq!(said(&header(0x21, 0x21, &ipv6)), from("192.0.2.7:80"));
        let unix = header(0x21, 0x31, &[b'\n'; 216]);
        assert_eq!(said(&unix), Said::Client(Origin::Unix));
        assert_eq!(said(&header(0x21, 0, &[])), Said::Client(Origin::Unknown));
        assert_eq!(
            said(&header(0x21, 0, &[1; 99])),
            Said::Client(Origin::Unknown)
        );
    }

    #[test]
    fn what_a_proxy_adds_is_read_and_not_understood() {
        for added in [&[1, 0, 1, 5][..], &[4, 255, 255], &[0xee], &[7; 1000]] {
            let rest = [IPV4, added].concat();
            assert_eq!(said(&header(0x21, 0x11, &rest)), from("192.0.2.7:54321"));
        }
        let longest = [IPV4, &[4; LONGEST - FIXED - 12]].concat();
        assert_eq!(said(&header(0x21, 0x11, &longest)), from("192.0.2.7:54321"));
    }

    #[test]
    fn a_proxy_that_connects_for_itself() {
        for (family, rest) in [(0, &[][..]), (0x11, IPV4), (0x11, &[]), (0xff, &[1; 99])] {
            assert_eq!(said(&header(0x20, family, rest)), Said::NoClient);
        }
    }

    #[test]
    fn what_is_no_header_of_version_2() {
        for (bytes, reason) in [
            (&b"<"[..], "something else"),
            (BEHIND, "something else"),
            (b"\r\n\r\n<?xml version='1.0'?>", "something else"),
            (b"\x16\x03\x01\x02\x00\x01\x00", "something else"),
            (
                b"PROXY TCP4 192.0.2.7 127.0.0.1 54321 5222\r\n",
                "version 1",
            ),
        ] {
            let told = refused(bytes);
            assert!(told.contains(reason), "{told}");
        }
        for (command, family, rest) in [
            (0x11, 0x11, IPV4),
            (0x22, 0x11, IPV4),
            (0x21, 0x41, IPV4),
            (0x21, 0x13, IPV4),
            (0x21, 0x11, &IPV4[1..]),
            (0x21, 0x21, &[0; 35]),
            (0x21, 0x31, &[0; 215]),
        ] {
            let reason = refused(&header(command, family, rest));
            assert!(reason.contains("cannot be read"), "{reason}");
        }
        for length in [LONGEST - FIXED + 1, 65535] {
            let reason = refused(&header(0x21, 0x11, &vec![0; length]));
            assert!(reason.contains("bytes long"), "{reason}");
        }
    }

    #[test]
    fn a_header_that_ends_too_soon() {
        let whole = header(0x21, 0x11, IPV4);
        for end in 1..whole.len() {
            assert!(refused(&whole[..end]).contains("ended within"), "{end}");
            let mut broken = (&whole[..end]).chain(Reset);
            let reason = read_now(&mut broken).expect_err("no end").to_string();
            assert!(reason.contains("broke within"), "{reason}");
        }
    }

    /// Health checks may connect without sending anything.
    #[test]
    fn a_connection_on_which_nothing_was_said() {
        assert!(matches!(try_read(b""), (Err(Broken::Nothing), 0)));
        assert!(matches!(read_now(&mut Reset), Err(Broken::Nothing)));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_refused_or_understood(
            cut in 0..=FIXED,
            random in prop::collection::vec(any::<u8>(), 0..3000),
        ) {
            let good = header(0x21, 0x11, IPV4);
            let bytes = [&good[..cut], &random].concat();
            let (_, count) = try_read(&bytes);
            prop_assert!(count <= LONGEST);
        }
    }
}
