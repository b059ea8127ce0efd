//! Connections through a SOCKS5 proxy (RFC 1928, RFC 1929), which looks up names itself.

use std::fmt::Write as _;
use std::io::ErrorKind;

use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use super::route::{Credentials, Tried};
use super::targets::{Target, place};
use crate::config::ProxyAddress;

/// Random bytes in a drawn user name, and in a drawn password.
const RANDOM: usize = 16;

/// The credentials in `--proxy`, or random ones: Tor uses a separate circuit for each.
pub(super) fn credentials(proxy: &ProxyAddress) -> Result<Credentials, Tried> {
    if let Some(credentials) = &proxy.credentials {
        return Ok(credentials.clone());
    }
    let random = || {
        let mut bytes = [0; RANDOM];
        getrandom::fill(&mut bytes).map_err(|error| {
            Tried::whole(format!("the system gives no random numbers: {error}"), "")
        })?;
        Ok::<_, Tried>(bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    };
    Ok((random()?, random()?))
}

/// Asks the proxy at the other end of `tcp` to connect to `target`; `is_named`: with `--server`.
pub(super) async fn connect(
    tcp: TcpStream,
    proxy: &ProxyAddress,
    credentials: &Credentials,
    target: &Target,
    is_named: bool,
) -> Result<TcpStream, Tried> {
    let (user, password) = credentials;
    let host = (&*target.host, target.port);
    Socks5Stream::connect_with_password_and_socket(tcp, host, user, password)
        .await
        .map(Socks5Stream::into_inner)
        .map_err(|error| failure(&error, proxy, target, is_named))
}

/// Why the proxy did not connect, and advice for the user.
fn failure(error: &Error, proxy: &ProxyAddress, target: &Target, is_named: bool) -> Tried {
    let place = place(&proxy.host, proxy.port);
    let is_random = proxy.credentials.is_none();
    let what_is_there = "is it a SOCKS5 proxy? name the right one with --proxy";
    let other_server = match is_named {
        true => "check --server, and whether the proxy reaches it",
        false => {
            "SRV records are not looked up behind a proxy: name the server with --server HOST or tls://HOST"
        }
    };
    match error {
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Tried::whole(
            format!("the proxy {place} closed the connection before it had connected to {target}"),
            what_is_there,
        ),
        Error::Io(error) => Tried::whole(
            format!("the connection to the proxy {place} broke: {error}"),
            what_is_there,
        ),
        Error::NoAcceptableAuthMethods if is_random => Tried::whole(
            format!("the proxy {place} lets nobody in by a random user"),
            "name yours with --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        Error::PasswordAuthFailure(_) if is_random => Tried::whole(
            format!("the proxy {place} asks for a user and a password"),
            "name yours with --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        Error::PasswordAuthFailure(_) => Tried::whole(
            format!("the proxy {place} refused the user and the password"),
            "give the right ones with --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        Error::NoAcceptableAuthMethods => Tried::whole(
            format!("the proxy {place} asks for another login than a user and a password"),
            "see what its configuration allows",
        ),
        Error::ConnectionNotAllowedByRuleset => Tried::whole(
            format!("the proxy {place} does not allow connections to {target}"),
            "see what its configuration allows",
        ),
        Error::GeneralSocksServerFailure
        | Error::NetworkUnreachable
        | Error::HostUnreachable
        | Error::ConnectionRefused
        | Error::TtlExpired
        | Error::AddressTypeNotSupported => Tried::whole(
            format!("the proxy {place} could not connect to {target}: {error}"),
            other_server,
        ),
        // tokio_socks uses this error for every reply code that it does not know.
        Error::UnknownAuthMethod => Tried::whole(
            format!("the proxy {place} refused for a reason of its own"),
            other_server,
        ),
        Error::InvalidTargetAddress(reason) => Tried::whole(
            format!("the proxy {place} cannot be asked for {target}: {reason}"),
            other_server,
        ),
        _ => Tried::whole(
            format!("what answers at the proxy's address {place} does not speak SOCKS5: {error}"),
            what_is_there,
        ),
    }
}
