//! The servers that DNS names for a domain: which is reached, and the error if none is.

use crate::certificate::Certificate;
use crate::dns::{Data, Dns};
use crate::text::assert_has;
use crate::tools::{Peer, Server, Shim, at_once, free_port, header};

const DOMAIN: &str = "shakespeare.lit";
const DIRECT: &str = "_xmpps-client._tcp.shakespeare.lit";
const START_TLS: &str = "_xmpp-client._tcp.shakespeare.lit";
const HERE: Data = Data::A([127, 0, 0, 1]);
/// An address on which no port listens.
const NOBODY: Data = Data::A([127, 77, 7, 7]);
const SILENT: &str = "the DNS server that --nameserver names does not answer";

/// The features shown to a client that asks for `domain`.
fn shown(domain: &str, dns: &Dns, certificate: &Certificate) -> String {
    let shim = Shim::start(&[&dns.option(), &certificate.option()]);
    let mut client = shim.connect();
    client.send(&header(&format!("to='{domain}'")));
    client.wait("</stream:features>")
}

/// The error for a client that asks for `domain` when none of its servers is of use.
fn refused(domain: &str, options: &[&str]) -> String {
    let shim = Shim::start(options);
    let mut client = shim.connect();
    client.send(&header(&format!("to='{domain}'")));
    let told = client.rest();
    assert_has(&told, "<remote-connection-failed ");
    told
}

fn srv(priority: u16, port: u16) -> Data {
    Data::Srv(priority, 0, port, "here.shakespeare.lit")
}

/// Asserts that all of the words are there, in this order.
fn assert_in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word);
        let at = at.unwrap_or_else(|| panic!("no {word:?} in what is left: {rest:?} of {text:?}"));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn srv_records_in_order() {
    let certificate = Certificate::of(DOMAIN);
    let servers = ["third", "first", "second"].map(|id| certificate.start_tls(id));
    let dns = Dns::of(&[
        (START_TLS, srv(30, servers[0].port)),
        (START_TLS, srv(10, servers[1].port)),
        (START_TLS, srv(20, servers[2].port)),
        ("here.shakespeare.lit", HERE),
    ]);
    let seen = shown(DOMAIN, &dns, &certificate);
    assert_has(&seen, "id='first'");
}

#[test]
fn direct_tls_before_starttls_by_priority() {
    let certificate = Certificate::of(DOMAIN);
    let direct = certificate.direct("direct");
    let start_tls = certificate.start_tls("starttls");
    for (priority, expected) in [(5, "id='direct'"), (15, "id='starttls'")] {
        let dns = Dns::of(&[
            (DIRECT, srv(priority, direct.port)),
            (START_TLS, srv(10, start_tls.port)),
            ("here.shakespeare.lit", HERE),
        ]);
        let seen = shown(DOMAIN, &dns, &certificate);
        assert!(seen.contains(expected), "{priority}: {seen}");
    }
}

#[test]
fn a_target_that_is_dead() {
    let certificate = Certificate::of(DOMAIN);
    let alive = certificate.direct("alive");
    let dns = Dns::of(&[
        (DIRECT, srv(1, free_port())),
        (
            DIRECT,
            Data::Srv(2, 0, alive.port, "unknown.shakespeare.lit"),
        ),
        (
            START_TLS,
            Data::Srv(3, 0, free_port(), "nobody.shakespeare.lit"),
        ),
        (DIRECT, srv(4, alive.port)),
        ("here.shakespeare.lit", HERE),
        ("nobody.shakespeare.lit", NOBODY),
    ]);
    let seen = shown(DOMAIN, &dns, &certificate);
    assert_has(&seen, "id='alive'");
}

#[test]
fn an_address_that_is_dead() {
    let certificate = Certificate::of(DOMAIN);
    let alive = certificate.direct("alive");
    let dns = Dns::of(&[
        (DIRECT, srv(1, alive.port)),
        ("here.shakespeare.lit", NOBODY),
        ("here.shakespeare.lit", HERE),
    ]);
    let seen = shown(DOMAIN, &dns, &certificate);
    assert_has(&seen, "id='alive'");
}

#[test]
fn a_target_whose_tls_is_of_no_use() {
    let certificate = Certificate::of(DOMAIN);
    let other = Certificate::of("montague.lit").direct("other");
    let no_tls = Server::start(|stream| Peer::new(stream).send("<stream:stream>"));
    let (silent, connections) = Server::by_hand();
    let alive = certificate.direct("alive");
    let dns = Dns::of(&[
        (DIRECT, srv(1, other.port)),
        (DIRECT, srv(2, no_tls.port)),
        (DIRECT, srv(3, silent.port)),
        (DIRECT, srv(4, alive.port)),
        ("here.shakespeare.lit", HERE),
    ]);
    let shim = Shim::start(&[&dns.option(), &certificate.option(), "--connect-timeout=2s"]);
    let mut client = shim.connect();
    client.send(&header("to='shakespeare.lit'"));
    let seen = client.wait("</stream:features>");
    assert_has(&seen, "id='alive'");
    drop(connections);
}

#[test]
fn a_starttls_target_of_no_use_is_followed_by_the_next() {
    let certificate = Certificate::of(DOMAIN);
    let refusing = Server::start(|stream| {
        let mut peer = Peer::new(stream);
        peer.wait("http://etherx.jabber.org/streams'>");
        peer.send(&header("id='plain'"));
        peer.send("<stream:features/>");
        peer.rest();
    });
    let other = Certificate::of("montague.lit").start_tls("other");
    let alive = certificate.start_tls("alive");
    let dns = Dns::of(&[
        (START_TLS, srv(1, refusing.port)),
        (START_TLS, srv(2, other.port)),
        (START_TLS, srv(3, alive.port)),
        ("here.shakespeare.lit", HERE),
    ]);
    let seen = shown(DOMAIN, &dns, &certificate);
    assert_has(&seen, "id='alive'");
}

#[test]
fn starttls_targets_of_no_use_are_said_to_the_last() {
    let closing = [(); 3].map(|()| Server::start(drop));
    let [a, b, c] = closing.each_ref().map(|server| server.port);
    let dns = Dns::of(&[
        (START_TLS, srv(1, a)),
        (START_TLS, srv(2, b)),
        (START_TLS, srv(3, c)),
        ("here.shakespeare.lit", HERE),
    ]);
    let told = refused(DOMAIN, &[&dns.option()]);
    let places = [a, b, c].map(|port| format!("here.shakespeare.lit:{port}: "));
    assert_in_order(&told, &places.each_ref().map(|place| &**place));
}

#[test]
fn silent_targets_are_said_before_the_login_is_over() {
    let servers = [(); 8].map(|()| Server::by_hand());
    let ports = servers.each_ref().map(|(server, _)| server.port);
    let mut zone = vec![("here.shakespeare.lit", HERE)];
    for (priority, port) in (1..).zip(ports) {
        zone.push((START_TLS, srv(priority, port)));
    }
    let dns = Dns::of(&zone);
    let told = refused(
        DOMAIN,
        &[&dns.option(), "--connect-timeout=1s", "--login-timeout=60s"],
    );
    let places = [0, 1].map(|n: usize| format!("here.shakespeare.lit:{}: ", ports[n]));
    assert_in_order(
        &told,
        &[
            &places[0],
            "said nothing",
            &places[1],
            "said nothing",
            "not tried",
        ],
    );
}

/// The server answers the first look only: a second look must not take the others' time, nor hide why there is one.
#[test]
fn why_a_certificate_is_refused_is_said_without_a_second_look() {
    let acceptor = Certificate::of("montague.lit").acceptor;
    let mut connections = Vec::new();
    let other = Server::start(move |stream| match connections.is_empty() {
        true => connections.extend(acceptor.accept(stream).err().map(|_| None)),
        false => connections.push(Some(stream)),
    });
    let nobody = free_port();
    let dns = Dns::of(&[
        (DIRECT, srv(1, other.port)),
        (DIRECT, srv(2, nobody)),
        ("here.shakespeare.lit", HERE),
    ]);
    let told = refused(DOMAIN, &[&dns.option(), "--connect-timeout=1s"]);
    assert_in_order(
        &told,
        &[
            &other.port.to_string(),
            "nobody vouches for the server",
            &nobody.to_string(),
            "refused",
        ],
    );
}

#[test]
fn who_is_left_and_reached_is_in_the_log() {
    let certificate = Certificate::of(DOMAIN);
    let (nobody, alive) = (free_port(), certificate.start_tls("alive"));
    let closing = Server::start(drop);
    let dns = Dns::of(&[
        (START_TLS, srv(1, nobody)),
        (START_TLS, srv(2, closing.port)),
        (START_TLS, srv(3, alive.port)),
        ("here.shakespeare.lit", HERE),
    ]);
    let mut shim = Shim::start(&[&dns.option(), &certificate.option()]);
    let mut client = shim.connect();
    client.send(&header("to='shakespeare.lit'"));
    client.wait("</stream:features>");
    let places = [nobody, closing.port, alive.port].map(|it| format!("here.shakespeare.lit:{it}"));
    for (left, next, why) in [(0, 1, "refused"), (1, 2, "without a word")] {
        let line = shim.wait_for_log("is left for");
        assert_in_order(&line, &["INFO", &places[left], &places[next], why]);
    }
    let line = shim.wait_for_log("reached here.shakespeare.lit");
    assert_in_order(&line, &["DEBUG", &places[2]]);
}

/// A server that sends clients on to this port of the same host (`see-other-host`).
fn leading_to(certificate: &Certificate, port: u16) -> Server {
    let acceptor = certificate.acceptor.clone();
    Server::start(move |stream| {
        let mut server = Peer::over(acceptor.accept(stream).unwrap());
        server.wait("version='1.0'");
        server.send(&header("id='leading'"));
        server.send(&format!(
            "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>\
             here.shakespeare.lit:{port}</see-other-host></stream:error></stream:stream>"
        ));
    })
}

#[test]
fn nobody_follows_a_server_whose_certificate_was_not_checked() {
    let certificate = Certificate::of("montague.lit");
    let alive = certificate.direct("alive");
    let leading = leading_to(&certificate, alive.port);
    let dns = Dns::of(&[
        (DIRECT, srv(1, leading.port)),
        ("here.shakespeare.lit", HERE),
    ]);
    let told = refused(DOMAIN, &[&dns.option(), "--danger-accept-invalid-certs"]);
    let option = format!("--server here.shakespeare.lit:{}", alive.port);
    assert_in_order(&told, &["--danger-accept-invalid-certs", &option]);
}

#[test]
fn a_server_that_names_another_host() {
    let certificate = Certificate::of(DOMAIN);
    let alive = certificate.direct("alive");
    let nobody = free_port();
    for (port, is_there) in [(alive.port, true), (nobody, false)] {
        let leading = leading_to(&certificate, port);
        let dns = Dns::of(&[
            (DIRECT, srv(1, leading.port)),
            (DIRECT, srv(2, alive.port)),
            ("here.shakespeare.lit", HERE),
        ]);
        if is_there {
            let seen = shown(DOMAIN, &dns, &certificate);
            assert_has(&seen, "id='alive'");
            continue;
        }
        let told = refused(DOMAIN, &[&dns.option(), &certificate.option()]);
        let [from, to] = [leading.port, port].map(|it| format!("here.shakespeare.lit:{it}"));
        assert_in_order(
            &told,
            &[
                &from,
                "wants its users at",
                &to,
                "cannot connect",
                "refused",
            ],
        );
    }
}

#[test]
fn no_records() {
    let dns = Dns::of(&[(DOMAIN, NOBODY)]);
    let told = refused(DOMAIN, &[&dns.option()]);
    assert_in_order(&told, &["127.77.7.7:5222", "refused", "--server"]);
    let asked = dns.asked();
    for name in [DIRECT, START_TLS, DOMAIN] {
        assert!(asked.contains(&name.to_owned()), "{asked:?}");
    }
}

#[test]
fn a_domain_without_service() {
    let dns = Dns::of(&[(START_TLS, Data::Srv(0, 0, 0, ".")), (DOMAIN, NOBODY)]);
    let told = refused(DOMAIN, &[&dns.option()]);
    assert_has(&told, "no XMPP server for clients");
    assert!(
        !dns.asked().contains(&DOMAIN.to_owned()),
        "it was looked for"
    );
}

#[test]
fn records_that_all_fail_are_not_followed_by_the_domain() {
    let dns = Dns::of(&[
        (START_TLS, srv(0, free_port())),
        ("here.shakespeare.lit", HERE),
        (DOMAIN, NOBODY),
    ]);
    let told = refused(DOMAIN, &[&dns.option()]);
    assert_has(&told, "here.shakespeare.lit");
    assert!(!dns.asked().contains(&DOMAIN.to_owned()), "{told}");
}

#[test]
fn a_resolver_that_is_silent() {
    let dns = Dns::answering(|_| None);
    let told = refused(DOMAIN, &[&dns.option(), "--connect-timeout=1s"]);
    assert_in_order(
        &told,
        &[
            "SRV records could not be looked up",
            SILENT,
            "cannot find the server shakespeare.lit",
            "--server",
        ],
    );
}

#[test]
fn a_resolver_that_drops_one_of_the_questions() {
    let certificate = Certificate::of(DOMAIN);
    let both = [(DIRECT, START_TLS), (START_TLS, DIRECT)];
    at_once(both, |(dropped, known)| {
        let alive = match known == DIRECT {
            true => certificate.direct("alive"),
            false => certificate.start_tls("alive"),
        };
        let zone = [
            (known, srv(1, alive.port)),
            ("here.shakespeare.lit", HERE),
            (DOMAIN, NOBODY),
        ];
        let dns = Dns::silent_about(dropped, &zone);
        let shim = Shim::start(&[&dns.option(), &certificate.option(), "--connect-timeout=2s"]);
        let mut client = shim.connect();
        client.send(&header("to='shakespeare.lit'"));
        let seen = client.wait("</stream:features>");
        assert_has(&seen, "id='alive'");
    });
}

#[test]
fn a_resolver_that_is_not_there() {
    let nowhere = format!("--nameserver=127.0.0.1:{}", free_port());
    let told = refused(DOMAIN, &[&nowhere, "--connect-timeout=1s"]);
    assert_in_order(&told, &["could not be looked up", "--server"]);
}

#[test]
fn a_resolver_that_answers_garbage() {
    let all: [&[u8]; 4] = [
        b"",
        b"\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0xc0; 512],
    ];
    at_once(all, |garbage| {
        let dns = Dns::answering(|_| Some(garbage.to_vec()));
        let told = refused(DOMAIN, &[&dns.option(), "--connect-timeout=1s"]);
        assert_in_order(&told, &["could not be looked up", "--server"]);
    });
}

#[test]
fn a_resolver_whose_answers_are_cut_short() {
    // Each record begins with a pointer to itself, or ends before its data does.
    let tails: [&[u8]; 2] = [&[0xc0, 12], &[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 99, 1]];
    at_once(tails, |tail| {
        let dns = Dns::answering(move |question| {
            let mut packet = question.answer(0, &[]);
            packet[7] = 1;
            packet.extend(tail);
            Some(packet)
        });
        let told = refused(DOMAIN, &[&dns.option(), "--connect-timeout=1s"]);
        assert_in_order(&told, &["could not be looked up", "--server"]);
    });
}

#[test]
fn a_resolver_that_fails() {
    const SERVER_FAILURE: u8 = 2;
    let dns = Dns::answering(|question| Some(question.answer(SERVER_FAILURE, &[])));
    let told = refused(DOMAIN, &[&dns.option()]);
    assert_in_order(
        &told,
        &["could not be looked up", "Server Failure", "--server"],
    );
}

#[test]
fn names_that_lead_in_a_circle() {
    let dns = Dns::of(&[
        (DIRECT, Data::Cname(START_TLS)),
        (START_TLS, Data::Cname(DIRECT)),
        (DOMAIN, Data::Cname("www.shakespeare.lit")),
        ("www.shakespeare.lit", Data::Cname(DOMAIN)),
    ]);
    let told = refused(DOMAIN, &[&dns.option()]);
    assert_in_order(
        &told,
        &["cannot find the server shakespeare.lit", "--server"],
    );
    let asked = dns.asked().len();
    assert!(asked < 100, "{asked} questions");
}

#[test]
fn an_internationalised_domain() {
    let certificate = Certificate::of("xn--mnchen-3ya.example");
    let server = certificate.direct("münchen");
    let dns = Dns::of(&[
        (
            "_xmpps-client._tcp.xn--mnchen-3ya.example",
            Data::Srv(0, 0, server.port, "xmpp.xn--mnchen-3ya.example"),
        ),
        ("xmpp.xn--mnchen-3ya.example", HERE),
    ]);
    let seen = shown("München.example", &dns, &certificate);
    assert_has(&seen, "id='münchen'");
}

#[test]
fn all_that_was_tried_is_said() {
    let ports = [free_port(), free_port()];
    let no_tls = Server::start(|stream| Peer::new(stream).send("<stream:stream>"));
    let dns = Dns::of(&[
        (START_TLS, srv(1, ports[0])),
        (DIRECT, srv(2, no_tls.port)),
        (
            START_TLS,
            Data::Srv(3, 0, ports[1], "unknown.shakespeare.lit"),
        ),
        ("here.shakespeare.lit", HERE),
        ("here.shakespeare.lit", NOBODY),
    ]);
    let told = refused(DOMAIN, &[&dns.option()]);
    let port = |n: usize| ports[n].to_string();
    assert_in_order(
        &told,
        &[
            "no server of shakespeare.lit is of use: ",
            "here.shakespeare.lit:",
            &port(0),
            "cannot connect to",
            "refused",
            "; tls://here.shakespeare.lit:",
            &no_tls.port.to_string(),
            "TLS",
            "; cannot find the server unknown.shakespeare.lit: there is no such name",
            "--server",
        ],
    );
    for address in ["127.0.0.1:", "127.77.7.7:"] {
        assert_has(&told, &format!("{address}{}: ", port(0)));
    }
}

#[test]
fn who_names_a_server_or_an_address_needs_no_records() {
    let dns = Dns::of(&[("here.shakespeare.lit", NOBODY)]);
    let server = format!("--server=here.shakespeare.lit:{}", free_port());
    let told = refused(DOMAIN, &[&dns.option(), &server]);
    assert_has(&told, "127.77.7.7:");
    let told = refused("127.77.7.7", &[&dns.option()]);
    assert_has(&told, "127.77.7.7:5222");
    let told = refused("[::1]", &[&dns.option(), "--connect-timeout=1s"]);
    assert_has(&told, "[::1]:5222");
    let asked = dns.asked();
    assert!(
        asked.iter().all(|it| it == "here.shakespeare.lit"),
        "{asked:?}"
    );
}
