//! A host that was reached may be no XMPP server, or the wrong one: until the client was shown anything, the next is
//! tried.

use pubshim::session::{Input, Leg, Output, Policy, Reached, Security, ServerFacts};

use crate::scenes::*;

fn reached(security: Security, has_more: bool) -> Input<'static> {
    Input::Connected(Reached {
        security,
        facts: ServerFacts::default(),
        has_more,
    })
}

/// A session whose server was reached.
fn at_server(security: Security, has_more: bool) -> Driver {
    let mut d = Driver::new(options(Policy::Auto));
    d.client(&client_header("capulet.lit"));
    d.input(reached(security, has_more));
    d.forget();
    d
}

/// The same, and what it says is verified.
fn over_tls(has_more: bool) -> Driver {
    let mut d = at_server(Security::StartTls, has_more);
    d.server(&format!("{}{STARTTLS}", server_header("capulet.lit")));
    d.server(PROCEED);
    d.input(Input::Secured);
    d.forget();
    d
}

fn other_host(host: &str) -> String {
    format!(
        "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{host}</see-other-host></stream:error>"
    )
}

/// The server opens its stream, to name that host alone.
fn sends_to(d: &mut Driver, host: &str) {
    let error = other_host(host);
    d.server(&format!("{}{error}", server_header("capulet.lit")));
}

#[test]
fn a_server_that_says_nothing() {
    for (said, what) in [
        (String::new(), "said nothing within 15 s"),
        (
            server_header("capulet.lit"),
            "did not say how to log in within 15 s",
        ),
    ] {
        for security in [Security::StartTls, Security::DirectTls, Security::Plain] {
            let mut d = at_server(security, false);
            d.server(&said);
            d.advance(14);
            assert_eq!(d.client_bytes(), "");
            d.advance(1);
            let sent = d.assert_refused("remote-connection-failed");
            assert!(
                sent.contains(what) && sent.contains("is it an XMPP server?"),
                "{sent}"
            );
            // Only STARTTLS on a port that does not answer lets the shim advise direct TLS.
            let advises_tls = security == Security::StartTls;
            assert_eq!(sent.contains("tls://"), advises_tls, "{sent}");
        }
    }
}

#[test]
fn a_server_that_does_not_answer_to_starttls() {
    let mut d = at_server(Security::StartTls, false);
    d.server(&format!("{}{STARTTLS}", server_header("capulet.lit")));
    d.forget();
    d.advance(15);
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "did not answer to STARTTLS");
    assert!(!sent.contains("tls://"), "{sent}");
}

/// A sender of both at once has not read the shim's request, and may be an attacker.
#[test]
fn a_server_that_agrees_before_it_is_asked() {
    let mut d = at_server(Security::StartTls, false);
    d.server(&format!(
        "{}{STARTTLS}{PROCEED}",
        server_header("capulet.lit")
    ));
    assert!(!d.outputs().contains(&Output::StartTls));
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "tampering");
}

/// With more time for this server the client would give up before the last of them.
#[test]
fn a_server_with_others_behind_it_has_less_time() {
    let mut d = at_server(Security::StartTls, true);
    d.advance(5);
    let next = |it: &Output| matches!(it, Output::ConnectNext(why) if why.contains("within 5 s"));
    assert!(d.wanted(next));
}

#[test]
fn after_tls_a_server_has_its_time_again() {
    let mut d = at_server(Security::StartTls, false);
    d.advance(10);
    d.server(&format!("{}{STARTTLS}", server_header("capulet.lit")));
    d.server(PROCEED);
    // The handshake is the shell's, and so is its time-out.
    d.advance(20);
    d.input(Input::Secured);
    d.advance(14);
    assert_eq!(d.client_bytes(), "");
    d.advance(1);
    d.assert_refused("remote-connection-failed");
}

#[test]
fn once_features_were_shown_nothing_more_is_waited_for() {
    let mut d = at_server(Security::Plain, false);
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.forget();
    d.advance(60);
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_web_server() {
    let mut d = at_server(Security::StartTls, false);
    d.server("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n");
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "web server");
}

#[test]
fn a_server_of_another_kind() {
    let mut d = at_server(Security::StartTls, false);
    d.server("SSH-2.0-OpenSSH_9.2\r\n");
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "is it an XMPP server?");
}

#[test]
fn a_port_that_begins_with_tls() {
    for record in [[0x15, 3, 3, 0, 2, 2, 40], [0x16, 3, 1, 0, 5, 1, 0]] {
        let mut d = at_server(Security::StartTls, false);
        d.input(Input::Bytes(Leg::Server, &record));
        let sent = d.assert_refused("remote-connection-failed");
        assert_has(&sent, "--server tls://HOST:PORT");
    }
    // Other servers hang up.
    let mut d = at_server(Security::StartTls, false);
    d.input(Input::Eof(Leg::Server));
    let sent = d.assert_refused("remote-connection-failed");
    assert!(
        sent.contains("without a word") && sent.contains("tls://"),
        "{sent}"
    );
}

/// A way in which a host turns out to be no server of the domain; the argument is its header.
type End = fn(&mut Driver, &str);

#[test]
fn where_nothing_comes_of_a_server_the_next_is_tried() {
    let header = server_header("capulet.lit");
    let ends: [(&str, End); 6] = [
        ("without a word", |d, _| d.input(Input::Eof(Leg::Server))),
        ("said nothing", |d, _| d.advance(15)),
        ("no STARTTLS", |d, header| {
            d.server(&format!("{header}<stream:features/>"));
        }),
        ("host-unknown", |d, header| {
            d.server(&format!("{header}<stream:error><host-unknown xmlns='{STREAM_ERRORS}'/></stream:error></stream:stream>"));
        }),
        ("not well-formed", |d, header| {
            d.server(&format!("{header}</oops><more/>"));
        }),
        ("expired", |d, header| {
            d.server(&format!("{header}{STARTTLS}"));
            d.server(PROCEED);
            d.input(Input::Failed("its certificate has expired".to_owned()));
        }),
    ];
    for (why, end) in ends {
        let mut d = at_server(Security::StartTls, true);
        end(&mut d, &header);
        let outputs = d.outputs();
        let next = outputs.iter().find_map(|it| match it {
            Output::ConnectNext(reason) => Some(reason),
            _ => None,
        });
        assert!(
            next.is_some_and(|reason| reason.contains(why)),
            "{why}: {outputs:?}"
        );
        assert_eq!(d.client_bytes(), "", "{why}");
        // Late bytes of the first host are dropped.
        d.server_bytes();
        d.server("<stream:error/>");

        d.input(reached(Security::Plain, false));
        assert_eq!(d.server_bytes(), client_header("capulet.lit"), "{why}");
        d.server(&format!("{header}{MECHANISMS}"));
        assert_eq!(d.client_bytes(), format!("{header}{MECHANISMS}"), "{why}");
    }
}

#[test]
fn a_server_that_wants_nobody_is_heard() {
    let mut d = at_server(Security::StartTls, false);
    d.server(&format!(
        "{}<stream:error><host-unknown xmlns='{STREAM_ERRORS}'/><text xmlns='{STREAM_ERRORS}'>Not &lt;here&gt;{}</text></stream:error>",
        server_header("capulet.lit"),
        "!".repeat(500)
    ));
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "host-unknown (Not &lt;here&gt;!");
    assert!(
        sent.contains("does it serve capulet.lit?") && sent.len() < 800,
        "{sent}"
    );
}

#[test]
fn when_there_are_no_more_the_client_is_told() {
    let mut d = at_server(Security::StartTls, true);
    d.input(Input::Eof(Leg::Server));
    d.forget();
    d.input(Input::Failed("a and b were tried".to_owned()));
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "a and b were tried");
}

#[test]
fn once_the_client_was_shown_a_server_no_other_is_tried() {
    let mut d = at_server(Security::Plain, true);
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.forget();
    d.input(Input::Eof(Leg::Server));
    d.assert_refused("reset");
    let mut d = at_server(Security::Plain, true);
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.client(AUTH);
    d.server(SUCCESS);
    d.client(&client_header("capulet.lit"));
    d.forget();
    d.input(Input::Eof(Leg::Server));
    d.assert_refused("remote-connection-failed");
}

#[test]
fn another_host_before_login() {
    for host in [
        "xmpp.capulet.lit",
        "xmpp.capulet.lit:5269",
        "[2001:db8::1]:5222",
    ] {
        let mut d = over_tls(false);
        d.server(&format!(
            "{}{}</stream:stream>",
            server_header("capulet.lit"),
            other_host(host)
        ));
        assert_eq!(d.outputs(), [Output::ConnectTo(host.to_owned())]);
        assert_eq!(d.client_bytes(), "");
        d.server_bytes();
        d.input(reached(Security::StartTls, false));
        d.server(&format!("{}{STARTTLS}", server_header("capulet.lit")));
        d.server(PROCEED);
        assert_eq!(
            d.outputs(),
            [Output::StartTls],
            "its certificate counts, too"
        );
        d.input(Input::Secured);
        d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
        assert_eq!(
            d.client_bytes(),
            format!("{}{MECHANISMS}", server_header("capulet.lit"))
        );
    }
}

#[test]
fn another_host_four_times() {
    let mut d = over_tls(false);
    for _ in 0..3 {
        sends_to(&mut d, "a.capulet.lit");
        assert_eq!(d.outputs(), [Output::ConnectTo("a.capulet.lit".to_owned())]);
        d.input(reached(Security::DirectTls, false));
        d.forget();
    }
    sends_to(&mut d, "a.capulet.lit");
    let sent = d.assert_refused("remote-connection-failed");
    assert_has(&sent, "from host to host");
}

/// Before TLS an attacker may have named the other host.
#[test]
fn another_host_nobody_vouches_for() {
    for security in [Security::StartTls, Security::Plain] {
        let mut d = at_server(security, false);
        sends_to(&mut d, "evil.example");
        let sent = d.assert_refused("remote-connection-failed");
        assert_has(&sent, "--server evil.example");
    }
}

#[test]
fn another_host_that_is_none() {
    for host in ["", "a b", "&lt;b/&gt;", "a/b", &"a".repeat(300)] {
        let mut d = over_tls(false);
        sends_to(&mut d, host);
        let sent = d.assert_refused("remote-connection-failed");
        assert_has(&sent, "whose name is none");
    }
}

#[test]
fn another_host_after_login() {
    let mut d = Driver::auto(JULIET);
    d.server(&other_host("xmpp.capulet.lit"));
    let sent = d.assert_refused("reset");
    assert_has(&sent, "--server");
}

#[test]
fn a_second_server_is_recorded() {
    let mut d = Driver::new(options(Policy::Auto));
    d.client(&client_header("capulet.lit"));
    d.input(reached(Security::StartTls, true));
    d.input(Input::Eof(Leg::Server));
    d.input(reached(Security::DirectTls, false));
    sends_to(&mut d, "a.capulet.lit");
    d.input(reached(Security::Plain, false));
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.assert_recorded(&[
        "connected of several",
        "redirected to a.capulet.lit",
        "connected by plain",
    ]);
}
