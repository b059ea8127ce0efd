//! Refuses options that are only wrong together.

use super::{ConfigError, ListenAddress, ServerAddress, Settings};
use crate::session::{self, ClientTls, Compress, Policy, Security};

/// Refuses options that are only wrong together.
pub(super) fn check(settings: &Settings, allow_remote_plaintext: bool) -> Result<(), ConfigError> {
    if settings.listen.is_empty() {
        return Err(ConfigError::ListenNowhere);
    }
    let session = &settings.session;
    let limited = settings.server.is_some() || !session.domains.is_empty();
    let is_allowed = allow_remote_plaintext || session.client_tls == ClientTls::Require;
    let is_remote = |address: &&ListenAddress| match address {
        ListenAddress::Tcp(address) => !address.ip().to_canonical().is_loopback(),
        ListenAddress::Unix(_) => false,
    };
    match settings.listen.iter().find(is_remote) {
        Some(remote) if !is_allowed => return Err(ConfigError::RemotePlaintext(remote.clone())),
        Some(remote) if !limited => return Err(ConfigError::OpenRelay(remote.clone())),
        _ => {}
    }
    // Clients of a proxy may be on any machine.
    let is_proxied = !settings.proxy_from.is_empty();
    if is_proxied && !is_allowed {
        return Err(ConfigError::ProxiedPlaintext);
    }
    if is_proxied && !limited {
        return Err(ConfigError::ProxiedRelay);
    }
    if settings.login_certificate.is_some() {
        if let Some(address) = settings.listen.iter().find_map(ListenAddress::tcp) {
            return Err(ConfigError::LoginForAnybody(address));
        }
        if session.domains.len() != 1 {
            return Err(ConfigError::LoginAnywhere);
        }
    }
    let is_plain = |server: &ServerAddress| server.security == Security::Plain;
    if settings.proxy.is_some() && settings.server.as_ref().is_some_and(is_plain) {
        return Err(ConfigError::PlainBehindProxy);
    }
    if settings.certificate.is_some() && session.client_tls == ClientTls::Off {
        return Err(ConfigError::CertificateUnused);
    }
    if settings.proxy.is_some() && settings.nameserver.is_some() {
        return Err(ConfigError::NameserverBehindProxy);
    }
    if session.max_server_stanza < session::Session::FREE {
        return Err(ConfigError::SmallServerStanza);
    }
    if settings.max_held < session.max_server_stanza {
        return Err(ConfigError::SmallBudget);
    }
    if session.policy != Policy::Auto && !session.native.is_empty() {
        return Err(ConfigError::NativeWithoutAuto);
    }
    if session.policy != Policy::Auto && session.chat != session::Chat::default() {
        return Err(ConfigError::ChatWithoutAuto);
    }
    if session.policy == Policy::Off && !session.rooms.is_empty() {
        return Err(ConfigError::RoomsUnderOff);
    }
    if session.policy == Policy::Off && session.compress == Compress::Require {
        return Err(ConfigError::CompressUnderOff);
    }
    Ok(())
}
