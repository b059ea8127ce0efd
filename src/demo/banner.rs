//! Text that the demo prints before any stanza passes.

use std::fmt::Write as _;
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
    let mut text = String::from(
        "pubshim demo: a server that knows only publish-subscribe, and pubshim in front.\n\
         For trying and testing, from this machine only; not a server to run.\n\n",
    );
    // The last account is the first one's partner.
    let (Some(first), Some(last)) = (accounts.first(), accounts.last()) else {
        return text;
    };
    let (host, port) = (address.ip().to_string(), address.port());
    slixmpp(last, &jid(last), &host, port, &mut text);
    for account in &accounts {
        let _ = writeln!(text, "  {:24} password {}", jid(account), account.password);
    }
    let other = match is_other {
        true => " (5222 is taken)",
        false => "",
    };
    let _ = writeln!(
        text,
        "Clients log in at {host}, port {port}{other}, without encryption. Lines to copy:"
    );
    profanity(&jid(first), &host, port, &mut text);
    mcabber(last, &jid(last), &host, port, &mut text);
    if !options.script {
        let other = match first == last {
            true => format!("somebody@{domain}"),
            false => jid(last),
        };
        what_to_try(&jid(first), &other, &options.rooms(), &mut text);
    }
    let _ = write!(
        text,
        "\nRefused, as publish-subscribe has no word for it: bookmarks, vCards, archives,\n\
         files, blocking. Clients may say so.\n\
         The server itself is at {server}; it knows no presence and no messages.\n\n\
         What passes, live: the client is on the left, the server on the right. Behind a\n\
         rule are the listings of XEP-0207 it comes from. Ctrl-C ends it.\n\n",
    );
    text
}

/// Commands that show what pubshim is for: Profanity's on the left, mcabber's on the right.
fn what_to_try(own: &str, other: &str, rooms: &str, text: &mut String) {
    text.push_str("\nTry first, when both are logged in (in Profanity, in mcabber):\n");
    for (profanity, mcabber) in [
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
    ] {
        let line = format!("  {profanity:33} {mcabber}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn profanity(jid: &str, host: &str, port: u16, text: &mut String) {
    let _ = writeln!(
        text,
        "  Profanity: /connect {jid} server {host} port {port} tls disable"
    );
}

fn mcabber(account: &Account, jid: &str, host: &str, port: u16, text: &mut String) {
    let _ = write!(
        text,
        "  mcabber, from bash:\n    mcabber -f <(printf 'set %s\\n' jid={jid} password={} \
         server={host} port={port} tls=0)\n",
        account.password
    );
}

fn slixmpp(account: &Account, jid: &str, host: &str, port: u16, text: &mut String) {
    let _ = write!(
        text,
        "A bot with slixmpp, from a shell:\n    python3 -c \"from slixmpp import ClientXMPP; c = ClientXMPP('{jid}', \
         '{}'); c.plugin['feature_mechanisms'].unencrypted_plain = True; c.enable_plaintext = True; \
         c.enable_starttls = c.enable_direct_tls = False; c.add_event_handler('session_start', \
         lambda _: c.send_presence(pstatus='Wooing')); c.connect('{host}', {port}); c.loop.run_forever()\"\n\n",
        account.password
    );
}
