//! All listings of XEP-0207, looked at as a newcomer would.

use std::collections::BTreeSet;

use crate::common::Node;
use crate::printed;

/// Listing; side that sends, and the policies; the stanza that a newcomer types; the side to look at, and stanzas that
/// are sent there, in any order and among others: with `*` for values that cannot be the same.
type Row = (
    u8,
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static [&'static str],
);

const BOTH: &[&str] = &["auto", "pure"];
const AUTO: &[&str] = &["auto"];
const PURE: &[&str] = &["pure"];

const LISTING_1: &str =
    "<presence from='juliet@capulet.lit/balcony'><status>Moping</status></presence>";
const LISTING_2: &str = "<presence from='juliet@capulet.lit/balcony' to='romeo@montague.lit/mobile'><status>Moping</status></presence>";
/// Without its 'from', which the server knows, and its id, which cannot be guessed; so are those below.
const LISTING_3: &str = "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='presence'><item>\
    <presence from='juliet@capulet.lit/balcony' xmlns='jabber:client'><status>Moping</status></presence>\
    </item></publish></pubsub></iq>";
const LISTING_4: &str = "<message from='juliet@capulet.lit' to='romeo@montague.lit/mobile' id='presfoo'>\
    <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item>\
    <presence from='juliet@capulet.lit/balcony' xmlns='jabber:client'><status>Moping</status></presence>\
    </item></items></event></message>";
const LISTING_5: &str =
    "<presence from='bard@shakespeare.lit' to='juliet@capulet.lit' type='subscribe' />";
const LISTING_7: &str =
    "<presence from='juliet@capulet.lit' to='bard@shakespeare.lit' type='subscribed' />";
/// Corrected: the host, which is printed as example.com.
const LISTING_8: &str = "<iq to='juliet@capulet.lit/balcony' type='set'><query xmlns='jabber:iq:roster'>\
    <item jid='bard@shakespeare.lit' subscription='from' /></query></iq>";
const LISTING_9: &str = "<iq type='set' to='juliet@capulet.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
    <subscribe node='presence' jid='bard@shakespeare.lit' /></pubsub></iq>";
const LISTING_10: &str = "<message to='juliet@capulet.lit' from='capulet.lit' id='approve1'><x xmlns='jabber:x:data' type='form'>\
    <title>PubSub subscriber request</title><instructions>To approve this entity's subscription request, click the OK button. \
    To deny the request, click the cancel button.</instructions>\
    <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
    <field var='pubsub#node' type='text-single' label='Node ID'><value>presence</value></field>\
    <field var='pubsub#subscriber_jid' type='jid-single' label='Subscriber Address'><value>bard@shakespeare.lit</value></field>\
    <field var='pubsub#allow' type='boolean' label='Allow this JID to subscribe to this pubsub node?'><value>false</value></field>\
    </x></message>";
/// Corrected: the address, as capulet.lit has asked.
const LISTING_11: &str = "<message to='capulet.lit'><x xmlns='jabber:x:data' type='submit'>\
    <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
    <field var='pubsub#node'><value>presence</value></field>\
    <field var='pubsub#subscriber_jid'><value>bard@shakespeare.lit</value></field>\
    <field var='pubsub#allow'><value>true</value></field></x></message>";
const LISTING_12: &str =
    "<presence from='juliet@capulet.lit/balcony' to='characters@chat.shakespeare.lit/JC' />";
const LISTING_13: &str = "<iq type='set' to='chat.shakespeare.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
    <subscribe node='characters' jid='juliet@capulet.lit/balcony' />\
    <options node='characters' jid='juliet@capulet.lit/balcony'><x xmlns='jabber:x:data' type='submit'>\
    <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_options</value></field>\
    <field var='roomnick'><value>JC</value></field></x></options></pubsub></iq>";
pub(crate) const LISTING_14: &str = "<message from='juliet@capulet.lit/balcony' to='characters@chat.shakespeare.lit' type='groupchat'>\
    <body>hi</body></message>";
const LISTING_15: &str = "<message from='characters@chat.shakespeare.lit/JC' to='bard@shakespeare.lit/globe' type='groupchat'>\
    <body>hi</body></message>";
const LISTING_16: &str = "<iq to='chat.shakespeare.lit' type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
    <publish node='characters'><item><message xmlns='jabber:client'><body>hi</body></message></item></publish></pubsub></iq>";
const LISTING_17: &str = "<message from='chat.shakespeare.lit' to='bard@shakespeare.lit/globe' id='mucfoo'>\
    <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='characters'><item>\
    <message xmlns='jabber:client'><body>hi</body></message></item></items></event>\
    <addresses xmlns='http://jabber.org/protocol/address'><address type='replyto' jid='juliet@capulet.lit/balcony' /></addresses>\
    </message>";
pub(crate) const MESSAGE: &str =
    "<message to='romeo@montague.lit' type='chat'><body>wherefore art thou?</body></message>";
/// The service is on the domain of one of the two, and the node's name cannot be guessed. Corrected in the second: the
/// tags, the address, and the service.
const LISTING_18: &[&str] = &[
    "<iq type='set' to='pubsub.capulet.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='*' /><configure>\
    <x xmlns='jabber:x:data' type='submit'>\
    <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>\
    <field var='pubsub#access_model'><value>whitelist</value></field>\
    <field var='pubsub#publisher'><value>romeo@montague.lit</value></field></x></configure></pubsub></iq>",
    "<iq type='set' to='pubsub.capulet.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='*'>\
    <subscription jid='romeo@montague.lit' subscription='subscribed' /></subscriptions></pubsub></iq>",
];
/// Under auto the node is on the own account, and Romeo only reads it.
const LISTING_18_AUTO: &[&str] = &[
    "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='*' /><configure>\
    <x xmlns='jabber:x:data' type='submit'>\
    <field var='pubsub#access_model'><value>whitelist</value></field></x></configure></pubsub></iq>",
    "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='*'>\
    <subscription jid='romeo@montague.lit' subscription='subscribed' /></subscriptions></pubsub></iq>",
];
const LISTING_19: &str = "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='*'><item>\
    <message xmlns='jabber:client'><body>wherefore art thou?</body></message></item></publish></pubsub></iq>";
/// Its service is on the domain of one of the two.
const LISTING_20: &str = "<message from='pubsub.montague.lit' to='romeo@montague.lit/mobile' id='msgfoo'>\
    <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='me_and_romeo'><item>\
    <message xmlns='jabber:client'><body>wherefore art thou?</body></message></item></items></event>\
    <addresses xmlns='http://jabber.org/protocol/address'><address type='replyto' jid='juliet@capulet.lit/balcony' /></addresses>\
    </message>";

#[rustfmt::skip]
const LISTINGS: &[Row] = &[
    (1, "client", AUTO, LISTING_1, "server", &[LISTING_1]),
    (2, "server", BOTH, LISTING_2, "client", &[LISTING_2]),
    (3, "client", BOTH, LISTING_1, "server", &[LISTING_3]),
    (4, "server", BOTH, LISTING_4, "client", &[LISTING_2]),
    (5, "client", AUTO, LISTING_5, "server", &[LISTING_5]),
    (6, "server", AUTO, LISTING_5, "client", &[LISTING_5]),
    (7, "client", AUTO, LISTING_7, "server", &[LISTING_7]),
    (8, "server", AUTO, LISTING_8, "client", &[LISTING_8]),
    (8, "client", PURE, LISTING_7, "client", &[LISTING_8]),
    (9, "client", PURE, LISTING_5, "server", &[LISTING_9]),
    (10, "server", BOTH, LISTING_10, "client", &[LISTING_5]),
    (11, "client", BOTH, LISTING_7, "server", &[LISTING_11]),
    (12, "client", BOTH, LISTING_12, "client",
        &["<presence from='characters@chat.shakespeare.lit/JC' to='juliet@capulet.lit/balcony'/>"]),
    (13, "client", PURE, LISTING_12, "server", &[LISTING_13]),
    (14, "client", BOTH, LISTING_14, "client",
        &["<message from='characters@chat.shakespeare.lit/JC' to='juliet@capulet.lit/balcony' type='groupchat'><body>hi</body></message>"]),
    (15, "server", BOTH, LISTING_15, "client", &[LISTING_15]),
    (16, "client", BOTH, LISTING_14, "server", &[LISTING_16]),
    (17, "server", BOTH, LISTING_17, "client", &[LISTING_15]),
    (18, "client", PURE, MESSAGE, "server", LISTING_18),
    (18, "client", AUTO, MESSAGE, "server", LISTING_18_AUTO),
    (19, "client", BOTH, MESSAGE, "server", &[LISTING_19]),
    (20, "server", PURE, LISTING_20, "client",
        &["<message from='juliet@capulet.lit/balcony' to='romeo@montague.lit/mobile' type='chat'><body>wherefore art thou?</body></message>"]),
];

/// Whether a printed element has all that the listing's has.
fn covers(got: &Node, listing: &Node) -> bool {
    let has = |(name, value): (&String, &String)| {
        let found = got.attributes.get(name);
        found.is_some_and(|it| value == "*" || it == value)
    };
    (&got.namespace, &got.local) == (&listing.namespace, &listing.local)
        && got.text.trim() == listing.text.trim()
        && listing.attributes.iter().all(has)
        && listing
            .children
            .iter()
            .all(|child| got.children.iter().any(|it| covers(it, child)))
}

#[test]
fn every_listing_can_be_looked_at() {
    let seen: BTreeSet<_> = LISTINGS.iter().map(|(listing, ..)| *listing).collect();
    assert!(seen.into_iter().eq(1..=20));
    for (listing, from, policies, input, to, shows) in LISTINGS {
        for policy in *policies {
            let about = format!("listing {listing} under {policy}");
            let options = format!("--from {from} --policy {policy}");
            let out = printed(&format!("translate --to {to} {options}"), input);
            let got: Vec<_> = out.lines().map(Node::stanza).collect();
            for shown in *shows {
                let is_there = got.iter().any(|it| covers(it, &Node::stanza(shown)));
                assert!(is_there, "{about}: {shown} is not in\n{out}");
            }
            let out = printed(&format!("explain {options}"), input);
            let number = listing.to_string();
            let names = |line: &str| {
                let listings = line.split_once("(listing ");
                let listings = listings.and_then(|(_, rest)| rest.split_once("):"));
                listings.is_some_and(|(all, _)| all.split(", ").any(|it| it == number))
            };
            // A stanza that is classic XMPP on both sides passes.
            let passes = shows == &[*input] && out.contains("  passes byte for byte");
            assert!(passes || out.lines().any(names), "{about}:\n{out}");
        }
    }
}
