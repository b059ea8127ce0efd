//! From the first byte to the bound resource (RFC 6120 §4 to §7).

use pubshim::sandbox::{Config, ConfigError, Limits, Server, Then};

use crate::driver::*;

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

#[test]
fn features_come_in_their_order() {
    let world = World::new();
    let mut client = world.connect();
    let seen = client.open("capulet.lit");
    assert_has(&seen, " from='capulet.lit' version='1.0'");
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] {
        assert_has(&seen, &format!("<mechanism>{mechanism}</mechanism>"));
    }
    assert!(
        !seen.contains("starttls") && !seen.contains("compress"),
        "{seen}"
    );
    client.plain("juliet", PASSWORD);
    let seen = client.open("capulet.lit");
    assert!(
        seen.contains("<bind ") && !seen.contains("mechanism"),
        "{seen}"
    );
}

#[test]
fn it_takes_bytes_one_by_one() {
    let world = World::new();
    let mut client = world.connect();
    let text = format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         to='capulet.lit' version='1.0'><auth xmlns='{SASL}' mechanism='PLAIN'>{}</auth>",
        base64("\0juliet\0secret")
    );
    for byte in text.as_bytes() {
        world.0.borrow_mut().handle(client.id, &[*byte]);
    }
    let seen = client.seen();
    assert!(seen.ends_with("</success>"), "{seen}");
}

#[test]
fn a_wrong_password_can_be_tried_again_but_not_for_ever() {
    let world = World::new();
    let mut client = world.connect();
    client.open("capulet.lit");
    for (name, password) in [
        ("juliet", "wrong"),
        ("nobody", PASSWORD),
        ("juliet@capulet.lit", PASSWORD),
        ("", ""),
    ] {
        let answer = client.plain(name, password);
        assert_eq!(
            answer,
            format!("<failure xmlns='{SASL}'><not-authorized/></failure>"),
            "{name}"
        );
    }
    let answer = client.plain("juliet", "wrong");
    assert!(
        answer.contains("<policy-violation ") && client.is_closed(),
        "{answer}"
    );
}

/// RFC 6120 §6.5.
#[test]
fn logins_that_make_no_sense() {
    for (text, condition) in [
        (
            "<auth xmlns='SASL' mechanism='EXTERNAL'/>".to_owned(),
            "invalid-mechanism",
        ),
        (
            "<auth xmlns='SASL' mechanism='PLAIN'>???</auth>".to_owned(),
            "incorrect-encoding",
        ),
        (
            format!(
                "<auth xmlns='SASL' mechanism='PLAIN'>{}</auth>",
                base64("juliet")
            ),
            "malformed-request",
        ),
        (
            format!(
                "<auth xmlns='SASL' mechanism='PLAIN'>{}</auth>",
                base64("romeo@capulet.lit\0juliet\0secret")
            ),
            "invalid-authzid",
        ),
        ("<abort xmlns='SASL'/>".to_owned(), "aborted"),
        ("<response xmlns='SASL'/>".to_owned(), "malformed-request"),
        (
            format!(
                "<auth xmlns='SASL' mechanism='SCRAM-SHA-1'>{}</auth>",
                base64("p=tls-unique,,n=juliet,r=x")
            ),
            "malformed-request",
        ),
    ] {
        let mut client = World::new().connect();
        client.open("capulet.lit");
        let answer = client.say(&text.replace("SASL", SASL));
        assert_eq!(
            answer,
            format!("<failure xmlns='{SASL}'><{condition}/></failure>"),
            "{text}"
        );
        assert_eq!(
            client.plain("juliet", PASSWORD),
            format!("<success xmlns='{SASL}'></success>")
        );
    }
}

/// An account is one of one domain.
#[test]
fn the_domain_is_the_streams() {
    let world = World::new();
    let mut client = world.connect();
    client.open("montague.lit");
    assert!(client.plain("juliet", PASSWORD).contains("not-authorized"));
    assert!(client.plain("Romeo", PASSWORD).contains("<success "));
    let answer = client.open("capulet.lit");
    assert!(
        answer.contains("<improper-addressing ") && client.is_closed(),
        "{answer}"
    );
}

/// RFC 6120 §4.9.3.
#[test]
fn streams_that_cannot_be() {
    let header = |attributes: &str| {
        format!("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' {attributes}>")
    };
    for (text, condition) in [
        (
            header("xmlns='jabber:client' to='verona.lit' version='1.0'"),
            "host-unknown",
        ),
        (
            header("xmlns='jabber:client' version='1.0'"),
            "host-unknown",
        ),
        (
            header("xmlns='jabber:server' to='capulet.lit' version='1.0'"),
            "invalid-namespace",
        ),
        (
            header("xmlns='jabber:client' to='capulet.lit'"),
            "unsupported-version",
        ),
        ("GET / HTTP/1.1\r\n".to_owned(), "not-well-formed"),
    ] {
        let mut client = World::new().connect();
        let answer = client.say(&text);
        assert!(
            answer.contains("<stream:stream ") && answer.contains(&format!("<{condition} ")),
            "{text}: {answer}"
        );
        assert!(
            answer.ends_with("</stream:stream>") && client.is_closed(),
            "{answer}"
        );
    }
    for (text, condition) in [
        ("<iq type='get' id='1'/>", "not-authorized"),
        (
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "not-authorized",
        ),
        ("<!-- -->", "restricted-xml"),
    ] {
        let mut client = World::new().connect();
        client.open("capulet.lit");
        let answer = client.say(text);
        assert!(
            answer.contains(&format!("<{condition} ")) && client.is_closed(),
            "{text}: {answer}"
        );
    }
}

#[test]
fn a_stanza_needs_a_resource() {
    let mut client = World::new().connect();
    client.authenticate(JULIET);
    let answer = client.say("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(
        answer.contains("<not-authorized ") && client.is_closed(),
        "{answer}"
    );
}

#[test]
fn a_resource_is_wished_or_given() {
    let world = World::new();
    let mut given = Vec::new();
    for _ in 0..2 {
        let mut client = world.connect();
        client.authenticate(JULIET);
        given
            .push(client.say(
                "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            ));
    }
    assert!(
        given[0].contains("<jid>juliet@capulet.lit/") && given[0] != given[1],
        "{given:?}"
    );
}

/// RFC 6120 §7.7.2.2: the old session goes.
#[test]
fn a_resource_that_is_taken_changes_hands() {
    let world = World::new();
    let mut old = world.login(JULIET, "balcony");
    let mut new = world.login(JULIET, "balcony");
    let seen = old.seen();
    assert!(seen.contains("<conflict ") && old.is_closed(), "{seen}");
    old.disconnect();
    let answer = new.iq(
        "get",
        "juliet@capulet.lit/balcony",
        "<ping xmlns='urn:xmpp:ping'/>",
    );
    assert!(
        answer.contains("<iq type='get'") || answer.contains("<ping"),
        "routed to itself: {answer}"
    );
}

#[test]
fn closing_is_answered() {
    let mut client = World::new().login(JULIET, "balcony");
    assert_eq!(client.say("</stream:stream>"), "</stream:stream>");
    assert!(client.is_closed());
}

#[test]
fn unknown_elements_end_the_stream() {
    let mut client = World::new().login(JULIET, "balcony");
    let answer = client.say("<enable xmlns='urn:xmpp:sm:3'/>");
    assert!(
        answer.contains("<unsupported-stanza-type ") && client.is_closed(),
        "{answer}"
    );
}

/// XEP-0138 §3.
#[test]
fn compression_is_there_if_asked_for() {
    let compress = |method: &str| {
        format!(
            "<compress xmlns='http://jabber.org/protocol/compress'><method>{method}</method></compress>"
        )
    };
    let world = World::with(&Config {
        compression: true,
        ..config()
    });
    let mut client = world.connect();
    client.open("capulet.lit");
    client.plain("juliet", PASSWORD);
    let features = client.open("capulet.lit");
    assert!(features.contains(
        "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method>"
    ));
    assert_has(&client.say(&compress("lzw")), "<unsupported-method/>");
    world
        .0
        .borrow_mut()
        .handle(client.id, compress("zlib").as_bytes());
    let output = client.take();
    assert_eq!(output.then, Then::Compress);
    assert_eq!(
        &*output.bytes,
        b"<compressed xmlns='http://jabber.org/protocol/compress'/>"
    );
    let features = client.open("capulet.lit");
    assert!(
        features.contains("<bind ") && !features.contains("compress"),
        "{features}"
    );

    let mut client = World::new().connect();
    client.authenticate(JULIET);
    assert!(client.say(&compress("zlib")).contains("<setup-failed/>"));
}

#[test]
fn who_does_not_read_is_cut_off() {
    let world = World::limited(Limits {
        outgoing: 4096,
        ..Limits::default()
    });
    let client = world.login(JULIET, "balcony");
    let mut romeo = world.login(ROMEO, "orchard");
    let ping = "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>".repeat(100);
    world.0.borrow_mut().handle(client.id, ping.as_bytes());
    assert!(world.0.borrow().is_cut_off(client.id));
    assert!(!romeo.is_closed());
}

#[test]
fn there_are_only_so_many_connections() {
    let world = World::limited(Limits {
        connections: 1,
        ..Limits::default()
    });
    let first = world.connect();
    assert!(world.0.borrow_mut().connect().is_none());
    first.disconnect();
    world.connect();
}

#[test]
fn a_configuration_must_make_sense() {
    let with = |domains: &[&str], accounts: &[(&str, &str)]| {
        let own = |it: &str| it.to_owned();
        let config = Config {
            domains: domains.iter().map(|it| own(it)).collect(),
            accounts: accounts
                .iter()
                .map(|(jid, password)| (own(jid), own(password)))
                .collect(),
            ..Config::default()
        };
        Server::new(&config, [0; 32]).err().unwrap()
    };
    assert_eq!(with(&[], &[]), ConfigError::NoDomain);
    assert_eq!(with(&["a b"], &[]), ConfigError::Domain("a b".to_owned()));
    assert_eq!(
        with(&["a"], &[("x", "p")]),
        ConfigError::Account("x".to_owned())
    );
    assert_eq!(
        with(&["a"], &[("x@b", "p")]),
        ConfigError::Foreign("x@b".to_owned())
    );
    assert_eq!(
        with(&["a"], &[("x@a", "")]),
        ConfigError::NoPassword("x@a".to_owned())
    );
}
