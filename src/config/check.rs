//! Refuses options that are only wrong together.

use super::{ListenAddress, ServerAddress, Settings};
use crate::session::{self, ClientTls, Compress, Policy, Security};

/// Why pubshim does not start with a configuration: a message for its user.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

/// Refuses options that are only wrong together.
pub(super) fn check(settings: &Settings, allow_remote_plaintext: bool) -> Result<(), ConfigError> {
    let session = &settings.session;
    let is_limited = settings.server.is_some() || !session.domains.is_empty();
    let is_allowed = allow_remote_plaintext || session.client_tls == ClientTls::Require;
    check_listening(settings, is_allowed, is_limited)?;
    // Clients of a proxy may be on any machine.
    let is_proxied = !settings.proxy_from.is_empty();
    let is_plain = |server: &ServerAddress| server.security == Security::Plain;
    let has_plain_server = settings.server.as_ref().is_some_and(is_plain);
    let rules = [
        (
            is_proxied && !is_allowed,
            "--proxy-from: what a proxy passes on comes from other machines, and a client's password and messages may \
             travel to pubshim unencrypted; let nobody in without TLS with --client-tls require, or allow it with \
             --allow-remote-plaintext if every network between is trusted",
        ),
        (
            is_proxied && !is_limited,
            "--proxy-from without --server or --domain: what a proxy passes on comes from other machines, and anybody \
             could connect to any server through pubshim (an open relay); name the server with --server, or the \
             domains clients may log in to with --domain",
        ),
        (
            settings.login_certificate.is_some() && session.domains.len() != 1,
            "--login-cert without one --domain: name the domain whose server knows the certificate, so that no other \
             is shown it",
        ),
        (
            settings.proxy.is_some() && has_plain_server,
            "--proxy with plain://: what the proxy reaches is not on this machine; use tls:// or leave the scheme out",
        ),
        (
            settings.certificate.is_some() && session.client_tls == ClientTls::Off,
            "--cert means nothing with --client-tls off; leave one of the two out",
        ),
        (
            settings.proxy.is_some() && settings.nameserver.is_some(),
            "--nameserver means nothing with --proxy, which looks names up itself; leave one of the two out",
        ),
        (
            session.max_server_stanza < session::Session::FREE,
            "--max-server-stanza is less than 64KiB: everyday stanzas of the server, such as a roster, would not pass",
        ),
        (
            settings.max_held < session.max_server_stanza,
            "--max-held is less than --max-server-stanza: it is what all sessions together may hold of stanzas, so one \
             of that size could never pass; raise the one or lower the other",
        ),
        (
            session.policy != Policy::Auto && !session.native.is_empty(),
            "--native takes functions out of --policy auto, and means nothing under another policy; leave one of the \
             two out",
        ),
        (
            session.policy != Policy::Auto && session.chat != session::Chat::default(),
            "--chat says when messages go by pubsub under --policy auto, and means nothing under another policy; leave \
             one of the two out",
        ),
        (
            session.policy == Policy::Off && !session.rooms.is_empty(),
            "--rooms means nothing under --policy off, which changes nothing; leave one of the two out",
        ),
        (
            session.policy == Policy::Off && session.compress == Compress::Require,
            "--compress require means nothing under --policy off, which changes nothing; leave one of the two out",
        ),
    ];
    match rules.into_iter().find(|(is_broken, _)| *is_broken) {
        Some((_, message)) => Err(ConfigError(message.to_owned())),
        None => Ok(()),
    }
}

/// Refuses addresses at which clients could lose their passwords, or go where they must not.
fn check_listening(
    settings: &Settings,
    is_allowed: bool,
    is_limited: bool,
) -> Result<(), ConfigError> {
    let is_remote = |address: &&ListenAddress| {
        let address = address.tcp();
        address.is_some_and(|it| !it.ip().to_canonical().is_loopback())
    };
    let remote = settings.listen.iter().find(is_remote);
    // Every user of this machine can connect to a port.
    let port = settings.listen.iter().find_map(ListenAddress::tcp);
    let login_at = port.filter(|_| settings.login_certificate.is_some());
    Err(ConfigError(match (remote, login_at) {
        _ if settings.listen.is_empty() => {
            "`listen` is empty: no client could connect; name an address such as 127.0.0.1:5222"
                .to_owned()
        }
        (Some(remote), _) if !is_allowed => format!(
            "will not listen on {remote}: it can be reached from other machines, and a client's password \
             and messages may travel to pubshim unencrypted; listen on 127.0.0.1 or [::1], let nobody in \
             without TLS with --client-tls require, or allow it with --allow-remote-plaintext if every network \
             between is trusted"
        ),
        (Some(remote), _) if !is_limited => format!(
            "will not listen on {remote} without --server or --domain: it can be reached from other \
             machines, and anybody could connect to any server through it (an open relay); name the \
             server with --server, or the domains clients may log in to with --domain"
        ),
        (_, Some(port)) => format!(
            "will not listen on {port} with --login-cert: whoever connects there could log in by that certificate, \
             without a password; listen on a socket that only you can reach, as in \
             --listen unix:/run/user/1000/pubshim"
        ),
        _ => return Ok(()),
    }))
}
