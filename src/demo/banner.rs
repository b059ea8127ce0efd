//! What the demo says before anything passes.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::options::DemoOptions;
use crate::config::Domain;
use crate::session::Policy;

/// The banner for clients that connect to `address`; `is_other`: the usual port is taken.
pub(super) fn banner(options: &DemoOptions, address: SocketAddr, is_other: bool) -> String {
    let Domain(domain) = &options.domain;
    let (host, port) = (address.ip(), address.port());
    let accounts = options.accounts();
    let mut text = String::from(
        "pubshim demo: a server that knows only publish-subscribe, and pubshim in front.\n\
         For trying and testing, from this machine only; not a server to run.\n\n",
    );
    for account in &accounts {
        let address = format!("{}@{domain}", account.name);
        let _ = writeln!(text, "  {address:24} password {}", account.password);
    }
    let other = match is_other {
        true => " (5222 is taken)",
        false => "",
    };
    let _ = write!(
        text,
        "\nClients log in at {host}, port {port}{other}, without encryption. Lines to copy:\n\n"
    );
    // The last logs in as somebody else, so that there is one to talk to.
    let (first, last) = (accounts.first(), accounts.last());
    for (account, line) in [
        (first, profanity as fn(&str, &str, &str, u16) -> String),
        (last, mcabber),
        (last, slixmpp),
    ] {
        let Some(account) = account else { continue };
        let jid = format!("{}@{domain}", account.name);
        let line = line(&jid, &account.password, &host.to_string(), port);
        text.push_str(&line);
    }
    if options.policy != Policy::Off {
        let rooms = options.rooms();
        let _ = write!(
            text,
            "\nA room to meet in: characters@{rooms}. Who joins first makes it and accepts it\n\
             (mcabber does so by itself):\n\n  Profanity:\n    /join characters@{rooms}\n    /room accept\n  \
             mcabber:\n    /room join characters@{rooms} nick\n"
        );
    }
    text.push_str(
        "\nWhat passes, live: the client is on the left, the server on the right. Behind a\n\
         rule are the listings of XEP-0207 it comes from, and how many times as many\n\
         bytes pubsub takes. Ctrl-C ends it.\n\n",
    );
    text
}

fn profanity(jid: &str, _: &str, host: &str, port: u16) -> String {
    format!("  Profanity:\n    /connect {jid} server {host} port {port} tls disable\n")
}

fn mcabber(jid: &str, password: &str, host: &str, port: u16) -> String {
    format!(
        "  mcabber, from bash:\n    mcabber -f <(printf 'set %s\\n' jid={jid} password={password} \
         server={host} port={port} tls=0)\n"
    )
}

fn slixmpp(jid: &str, password: &str, host: &str, port: u16) -> String {
    format!(
        "  slixmpp, from a shell:\n    python3 -c \"from slixmpp import ClientXMPP; c = ClientXMPP('{jid}', \
         '{password}'); c.plugin['feature_mechanisms'].unencrypted_plain = True; c.enable_plaintext = True; \
         c.enable_starttls = c.enable_direct_tls = False; c.add_event_handler('session_start', \
         lambda _: c.send_presence(pstatus='Wooing')); c.connect('{host}', {port}); c.loop.run_forever()\"\n"
    )
}
