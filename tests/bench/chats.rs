//! The cost of one-to-one messages by pubsub.

use divan::{Bencher, black_box};
use pubshim::session::Leg;

use super::{ID, Numbered, PRESENCE, Shim, rounds};

/// Juliet's message, as ejabberd tells of it.
fn written() -> Vec<u8> {
    format!(
        "<message to='romeo@montague.lit' from='juliet@capulet.lit' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><items node='chat/{NODE}'><item id='{ID}'><message \
         xmlns='jabber:client' from='juliet@capulet.lit/balcony' to='romeo@montague.lit' type='chat' id='f5b1a0c2'>\
         <body>Wherefore art thou?</body><delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:52:33Z'/></message>\
         </item></items></event></message>"
    )
    .into_bytes()
}

/// As long as the names a shim gives.
const NODE: &str = "ps-0000000b-00000000000000000000000000000000";

const MESSAGE: &str = "<message to='juliet@capulet.lit' type='chat' id='f5b1a0c2'><body>Neither, fair maid</body>\
    </message>";

/// A session in which Juliet was written to and has written.
fn talking() -> Shim {
    let mut shim = Shim::established();
    shim.receive(Leg::Client, PRESENCE.as_bytes());
    shim.settle_with("<item jid='juliet@capulet.lit' subscription='both'/>");
    shim.receive(
        Leg::Server,
        b"<presence from='juliet@capulet.lit/balcony' to='romeo@montague.lit/mobile' id='a1'><shim \
          xmlns='urn:pubshim:0' chat='1'/></presence>",
    );
    shim.settle();
    shim.receive(Leg::Client, MESSAGE.as_bytes());
    shim.settle();
    shim.receive(Leg::Server, &written());
    shim.settle();
    shim
}

/// A message of the client's is published, and the publish is answered.
#[divan::bench]
fn chat_wrapped(bencher: Bencher<'_, '_>) {
    let mut shim = talking();
    rounds(bencher, 1, || {
        shim.receive(Leg::Client, black_box(MESSAGE.as_bytes()));
        let is_published = shim.to_server.starts_with(b"<iq ");
        shim.answer("");
        is_published && shim.to_client.is_empty() && shim.to_server.is_empty()
    });
}

/// Listing 20 becomes a message.
#[divan::bench]
fn chat_unwrapped(bencher: Bencher<'_, '_>) {
    let mut shim = talking();
    let mut written = Numbered::new(written());
    rounds(bencher, 1, || {
        written.next();
        shim.receive(Leg::Server, black_box(&written.stanza));
        shim.to_client.starts_with(b"<message ") && shim.to_server.is_empty()
    });
}

/// A chat state each way, between people who write by pubsub: it goes natively.
#[divan::bench]
fn chat_state_each_way(bencher: Bencher<'_, '_>) {
    const TYPING: &str = "<message from='juliet@capulet.lit/balcony' to='juliet@capulet.lit' type='chat' \
        id='f5b1a0c2'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>";
    let mut shim = talking();
    rounds(bencher, 2, || {
        shim.receive(Leg::Client, black_box(TYPING.as_bytes()));
        let is_sent = shim.to_server == TYPING.as_bytes();
        shim.receive(Leg::Server, black_box(TYPING.as_bytes()));
        is_sent && shim.to_client == TYPING.as_bytes()
    });
}
