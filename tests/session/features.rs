//! Which stream features a client gets to see.

use pubshim::session::{Event, Options, Policy};

use crate::scenes::*;

/// As Prosody offers it after SASL, cut from a real answer.
const PROSODY: [&str; 8] = [
    "<ver xmlns='urn:xmpp:features:rosterver'/>",
    "<sm xmlns='urn:xmpp:sm:2'><optional/></sm>",
    "<sm xmlns='urn:xmpp:sm:3'><optional/></sm>",
    "<c xmlns='http://jabber.org/protocol/caps' ver='aFSBIOQm69bgjlIJRHM6A+jGGdU=' node='http://prosody.im' hash='sha-1'/>",
    "<csi xmlns='urn:xmpp:csi:0'/>",
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>",
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>",
    "<sub xmlns='urn:xmpp:features:pre-approval'/>",
];

/// Features a server may offer and pubshim has no part in.
const UNKNOWN: [&str; 7] = [
    "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><inline><sm xmlns='urn:xmpp:sm:3'/></inline></authentication>",
    "<auth xmlns='http://jabber.org/features/iq-auth'/>",
    "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes></limits>",
    "<bind xmlns='urn:xmpp:bind:0'/>",
    "<mechanisms xmlns='urn:example:0'/>",
    "<dialback xmlns='urn:xmpp:features:dialback'/>",
    "<push xmlns='p1:push'/>",
];

const STARTTLS_FEATURE: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const COMPRESSION: &str =
    "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>";

/// The client's view of `features` on the stream it logs in on, and on the next one.
fn shown(policy: Policy, features: &str) -> [String; 2] {
    [Stage::Opened, Stage::Reopened].map(|stage| {
        let mut d = Driver::at(stage, options(policy));
        if stage == Stage::Reopened {
            d.server(&server_header("capulet.lit"));
            d.forget();
        }
        d.server(&format!("<stream:features>{features}</stream:features>"));
        without_header(&d.client_bytes())
    })
}

/// The header comes with the first features.
fn without_header(seen: &str) -> String {
    let header = server_header("capulet.lit");
    seen.strip_prefix(&header).unwrap_or(seen).to_owned()
}

#[test]
fn features_keep_what_is_on_the_list_byte_for_byte() {
    let before_login = [
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>X</mechanism></mechanisms>",
        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>",
        "<register xmlns='http://jabber.org/features/iq-register'/>",
        "<f:bind\n xmlns:f = \"urn:ietf:params:xml:ns:xmpp-bind\" ><f:required></f:required>&#x20;<![CDATA[]]></f:bind >",
    ];
    let kept =
        before_login.join(" ") + PROSODY[0] + PROSODY[3] + PROSODY[5] + PROSODY[6] + PROSODY[7];
    let expected = format!("<stream:features>{kept}</stream:features>");
    assert_eq!(shown(Policy::Auto, &kept), [&*expected, &*expected]);
    assert_eq!(shown(Policy::Pure, &kept), [&*expected, &*expected]);
}

#[test]
fn features_lose_what_is_not_on_the_list() {
    let removed = [
        PROSODY[1],
        PROSODY[2],
        PROSODY[4],
        STARTTLS_FEATURE,
        COMPRESSION,
    ];
    let all = removed
        .iter()
        .chain(&UNKNOWN)
        .map(|f| format!("{f}{}", PROSODY[5]));
    let all: String = all.collect();
    let expected = format!(
        "<stream:features>{}</stream:features>",
        PROSODY[5].repeat(removed.len() + UNKNOWN.len())
    );
    assert_eq!(shown(Policy::Auto, &all), [&*expected, &*expected]);
}

#[test]
fn off_keeps_all_but_starttls_and_compression() {
    let all = PROSODY.concat() + &UNKNOWN.concat();
    let with = format!("{STARTTLS_FEATURE}{all}{COMPRESSION}");
    let expected = format!("<stream:features>{all}</stream:features>");
    assert_eq!(shown(Policy::Off, &with), [&*expected, &*expected]);
}

#[test]
fn a_removed_feature_is_logged_once() {
    let mut d = Driver::at(Stage::Opened, options(Policy::Auto));
    d.server(&format!(
        "<stream:features>{}</stream:features>",
        UNKNOWN[2]
    ));
    let removed: Vec<_> = d.events();
    assert_eq!(removed.len(), 1);
    assert!(matches!(&removed[0], Event::FeatureRemoved(name) if name.contains("limits")));
}

#[test]
fn features_without_a_child_pass() {
    for policy in [Policy::Auto, Policy::Off] {
        let mut d = Driver::at(Stage::Opened, options(policy));
        d.server("<stream:features/>");
        assert_eq!(without_header(&d.client_bytes()), "<stream:features/>");
    }
}

#[test]
fn csi_is_swallowed() {
    let mut d = Driver::auto(JULIET);
    d.client("<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>");
    d.assert_silent();
    d.client_passes("<message/>");
}

#[test]
fn stream_management_is_refused_in_its_own_words() {
    for version in ["urn:xmpp:sm:3", "urn:xmpp:sm:2"] {
        for stage in [Stage::Binding, Stage::Established] {
            let mut d = Driver::at(stage, options(Policy::Auto));
            for element in ["<enable", "<resume h='0' previd='x'"] {
                d.client(&format!("{element} xmlns='{version}'/>"));
                let failed = d.one_to_client();
                assert_eq!((&*failed.local, &*failed.namespace), ("failed", version));
                // XEP-0198 §3 and §5: with a stanza error condition inside.
                assert_eq!(
                    failed.children[0].namespace,
                    "urn:ietf:params:xml:ns:xmpp-stanzas"
                );
            }
            assert_eq!(d.server_bytes(), "");
        }
        let mut d = Driver::auto(JULIET);
        d.client(&format!(
            "<r xmlns='{version}'/><a h='1' xmlns='{version}'/>"
        ));
        d.assert_silent();
    }
}

#[test]
fn compression_is_refused_in_its_own_words() {
    let mut d = Driver::auto(JULIET);
    d.client(
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
    );
    let failure = d.one_to_client();
    assert_eq!(failure.local, "failure");
    assert_eq!(failure.namespace, "http://jabber.org/protocol/compress");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn off_passes_every_top_level_element() {
    let mut d = Driver::logged_in(JULIET, options(Policy::Off));
    let client = "<inactive xmlns='urn:xmpp:csi:0'/><enable xmlns='urn:xmpp:sm:3' resume='true'/>\
        <r xmlns='urn:xmpp:sm:3'/><weather xmlns='urn:example'/>";
    d.client_passes(client);
    let server = "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='1'/><a xmlns='urn:xmpp:sm:3' h='1'/>\
        <weather xmlns='urn:example'/>";
    d.server_passes(server);
    assert_eq!(d.events(), []);
}

#[test]
fn off_lets_a_stream_be_resumed_instead_of_bound() {
    let mut d = Driver::at(Stage::Binding, options(Policy::Off));
    let resume = "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>";
    d.client_passes(resume);
    let resumed =
        "<resumed xmlns='urn:xmpp:sm:3' h='0' previd='x'/><message from='romeo@montague.lit'/>";
    d.server_passes(resumed);
    d.client_passes("<presence/>");
    assert_eq!(d.session.timeout(), None);
}

/// XEP-0388 has no stream restart, so nothing tells a pass-through when the login ends.
#[test]
fn off_lets_a_client_log_in_the_new_way_and_stay() {
    let mut d = Driver::at(Stage::Login, options(Policy::Off));
    let authenticate = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
        <initial-response>AGE=</initial-response></authenticate>";
    d.client_passes(authenticate);
    let success = format!(
        "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>{JULIET}</authorization-identifier></success>\
         {BIND_FEATURES}"
    );
    d.server_passes(&success);
    d.client_passes("<presence/>");
    d.advance(600);
    d.assert_silent(); // it is no login that hangs
}

#[test]
fn off_lets_a_client_log_in_the_old_way_and_stay() {
    let mut d = Driver::at(Stage::Login, options(Policy::Off));
    let auth = "<iq type='set' id='a'><query xmlns='jabber:iq:auth'><username>juliet</username>\
        <password>x</password><resource>balcony</resource></query></iq>";
    d.client_passes(auth);
    d.server_passes("<iq type='result' id='a'/>");
    d.client("<presence/>");
    d.server("<message/>");
    assert_eq!(
        d.server_bytes() + &d.client_bytes(),
        "<presence/><message/>"
    );
    d.advance(600);
    d.assert_silent(); // it is no login that hangs
}

#[test]
fn what_nobody_knows_is_refused_to_who_sent_it() {
    let mut d = Driver::auto(JULIET);
    d.server("<weather xmlns='urn:example'/><message/>");
    assert_eq!(d.client_bytes(), "<message/>");
    assert_eq!(d.events().len(), 1);
    for element in [
        "<weather xmlns='urn:example'/>",
        "<message xmlns='jabber:server'/>",
        "<stream:features/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    ] {
        let mut d = Driver::auto(JULIET);
        d.client(&format!("{element}<message/>"));
        d.assert_refused("unsupported-stanza-type");
        assert_eq!(d.server_bytes(), "</stream:stream>");
    }
}

#[test]
fn limits_grow_with_the_login() {
    let limits = Options::default();
    assert_eq!(limits.limits_before_login.bytes, 64 * 1024);
    assert_eq!(limits.limits.bytes, 256 * 1024);
    let big = |bytes: usize| format!("<message><body>{}</body></message>", "x".repeat(bytes));
    let mut d = Driver::auto(JULIET);
    d.client_passes(&big(255 * 1024));
    d.server_passes(&big(255 * 1024));
    d.client(&big(256 * 1024));
    d.assert_refused("policy-violation");

    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client(&format!(
        "<auth xmlns='{SASL}' mechanism='X'>{}</auth>",
        "A".repeat(64 * 1024)
    ));
    d.assert_refused("policy-violation");
}
