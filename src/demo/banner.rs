//! Text that the demo prints before any stanza passes.

use std::net::SocketAddr;

use super::options::{Account, DemoOptions};
use crate::config::Domain;

/// Banner for clients that connect to `address`. `is_other`: the usual port is taken; `server`: address of the server
/// behind pubshim. The most important lines stand last, where a small terminal shows them.
pub(super) fn banner(
    options: &DemoOptions,
    address: SocketAddr,
    is_other: bool,
    server: SocketAddr,
) -> String {
    let Domain(domain) = &options.domain;
    let accounts = options.accounts();
    let jid = |account: &Account| format!("{}@{domain}", account.name);
    // The last account is the first one's partner.
    let (Some(first), Some(last)) = (accounts.first(), accounts.last()) else {
        return String::new();
    };
    let (host, port) = (address.ip(), address.port());
    let taken = if is_other { " (5222 is taken)" } else { "" };
    let line = |it: &Account| format!("  {:24} password {}\n", jid(it), it.password);
    let lines: String = accounts.iter().map(line).collect();
    let other = match first == last {
        true => format!("somebody@{domain}"),
        false => jid(last),
    };
    let tries = match options.script {
        true => String::new(),
        false => what_to_try(&jid(first), &other, &options.rooms()),
    };
    format!(
        "pubshim demo: a server that knows only publish-subscribe, and pubshim in front.\n\
         For trying and testing, from this machine only; not a server to run.\n\n\
         A bot with slixmpp, from a shell:\n    python3 -c \"from slixmpp import ClientXMPP; \
         c = ClientXMPP('{jid}', '{password}'); c.plugin['feature_mechanisms'].unencrypted_plain = True; \
         c.enable_plaintext = True; c.enable_starttls = c.enable_direct_tls = False; \
         c.add_event_handler('session_start', lambda _: c.send_presence(pstatus='Wooing')); \
         c.connect('{host}', {port}); c.loop.run_forever()\"\n\n\
         {lines}Clients log in at {host}, port {port}{taken}, without encryption. Lines to copy:\n  \
         Profanity: /connect {first} server {host} port {port} tls disable\n  \
         mcabber, from bash:\n    mcabber -f <(printf 'set %s\\n' jid={jid} password={password} server={host} \
         port={port} tls=0)\n\
         {tries}\n\
         Refused, as publish-subscribe has no word for it: bookmarks, vCards, archives,\n\
         files, blocking. Clients may say so.\n\
         The server itself is at {server}; it knows no presence and no messages.\n\n\
         What passes, live: the client is on the left, the server on the right. Behind a\n\
         rule are the listings of XEP-0207 it comes from. Ctrl-C ends it.\n\n",
        jid = jid(last),
        password = last.password,
        first = jid(first)
    )
}

/// Commands that show what pubshim is for: Profanity's on the left, mcabber's on the right.
fn what_to_try(own: &str, other: &str, rooms: &str) -> String {
    let lines = [
        (
            format!("/sub request {other}"),
            format!("/authorization allow {own}"),
        ),
        ("/away".to_owned(), "/status dnd".to_owned()),
        (
            format!("/msg {other} hello"),
            format!("/say_to {own} hello"),
        ),
        (
            format!("/join characters@{rooms}"),
            format!("/room join characters@{rooms} nick"),
        ),
        ("/room accept".to_owned(), String::new()),
    ];
    let line = |(profanity, mcabber): (String, String)| {
        let line = format!("  {profanity:33} {mcabber}");
        line.trim_end().to_owned() + "\n"
    };
    let lines: String = lines.into_iter().map(line).collect();
    format!("\nTry first, when both are logged in (in Profanity, in mcabber):\n{lines}")
}
