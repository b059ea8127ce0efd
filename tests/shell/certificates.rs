//! Certificates of servers that are refused, and the sentences that say why.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslVersion};
use openssl::x509::X509;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};
use tempfile::NamedTempFile;

use crate::text::assert_has;
use crate::tools::{FEATURES_LOGIN, Peer, Server, Shim, at_once, header};

/// Both ways to TLS: STARTTLS, and from the first byte.
const WAYS: [bool; 2] = [false, true];

/// A certificate and its key, in PEM.
struct Made {
    certificate: String,
    key: String,
}

impl Made {
    /// A server's end of TLS that shows it, and speaks no newer TLS than this.
    fn acceptor(&self, newest: SslVersion) -> SslAcceptor {
        let certificate = X509::from_pem(self.certificate.as_bytes()).unwrap();
        let key = PKey::private_key_from_pem(self.key.as_bytes()).unwrap();
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        tls.set_certificate(&certificate).unwrap();
        tls.set_private_key(&key).unwrap();
        tls.set_max_proto_version(Some(newest)).unwrap();
        tls.build()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn self_signed(params: &CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    Made {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// A certificate for `localhost` from a CA of this name.
fn from_ca(name: &str) -> Made {
    let mut ca = params(&[]);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, name);
    let issuer = Issuer::new(ca, KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let made = params(&["localhost"]).signed_by(&key, &issuer).unwrap();
    Made {
        certificate: made.pem(),
        key: key.serialize_pem(),
    }
}

/// A server that shows a certificate.
struct Showing {
    server: Server,
    /// Connections so far.
    count: Arc<AtomicUsize>,
    direct: bool,
}

impl Showing {
    fn start(made: &Made, direct: bool) -> Self {
        Self::start_with(made, direct, SslVersion::TLS1_3)
    }

    /// One that speaks no newer TLS than this.
    fn start_with(made: &Made, direct: bool, newest: SslVersion) -> Self {
        let acceptor = made.acceptor(newest);
        Self::start_by(direct, move |stream, _| {
            let Ok(mut tls) = acceptor.accept(stream) else {
                return;
            };
            // A shim that only looks at the certificate says nothing.
            if tls.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
                let mut peer = Peer::over(tls);
                peer.send(&header("id='secure' from='localhost'"));
                peer.send(FEATURES_LOGIN);
                peer.rest();
            }
        })
    }

    /// One that does this, with the number of the connection, when TLS is to begin.
    fn start_by(direct: bool, mut serve: impl FnMut(TcpStream, usize) + Send + 'static) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let server = Server::start(move |stream| {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            let mut plain = Peer::new(stream);
            if !direct {
                plain.agree_to_tls();
            }
            serve(plain.stream, number);
        });
        Self {
            server,
            count,
            direct,
        }
    }

    /// A shim for it that trusts this certificate.
    fn shim(&self, trusted: Option<&Made>, options: &[&str]) -> (Shim, NamedTempFile) {
        let mut file = NamedTempFile::new().unwrap();
        let scheme = if self.direct { "tls://" } else { "" };
        let server = format!("--server={scheme}127.0.0.1:{}", self.server.port);
        let mut all = vec![server];
        if let Some(made) = trusted {
            file.write_all(made.certificate.as_bytes()).unwrap();
            all.push(format!("--ca-file={}", file.path().display()));
        }
        all.extend(options.iter().map(|option| (*option).to_owned()));
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        (Shim::start(&all), file)
    }

    /// The log line about a client that asks for `localhost`.
    fn refused(&self, trusted: Option<&Made>, options: &[&str]) -> String {
        let (mut shim, _file) = self.shim(trusted, options);
        refused(&mut shim)
    }
}

/// The log line about one more client that asks for `localhost`.
fn refused(shim: &mut Shim) -> String {
    let mut client = shim.connect();
    client.send(&header("to='localhost'"));
    let told = client.rest();
    assert_has(&told, "<remote-connection-failed ");
    assert!(told.ends_with("</stream:stream>"), "{told}");
    let log = shim.wait_for_log("ended the client's stream");
    assert_has(&log, "no secure connection for localhost: ");
    assert!(log.len() < 700, "{log}");
    log
}

#[test]
fn a_certificate_for_another_name_names_it() {
    let names = ["montague.lit", "*.montague.lit", "c.lit", "d.lit", "e.lit"];
    let made = self_signed(&params(&names));
    for (direct, newest) in [
        (false, SslVersion::TLS1_2),
        (false, SslVersion::TLS1_3),
        (true, SslVersion::TLS1_3),
    ] {
        let server = Showing::start_with(&made, direct, newest);
        let log = server.refused(Some(&made), &[]);
        assert_has(
            &log,
            "is for montague.lit, *.montague.lit, c.lit and 2 more, not for localhost; ",
        );
        assert_has(&log, "--server");
    }
}

#[test]
fn expired_since_when() {
    let mut params = params(&["localhost"]);
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 29);
    let made = self_signed(&params);
    for direct in WAYS {
        let log = Showing::start(&made, direct).refused(Some(&made), &[]);
        assert_has(&log, "certificate expired on 2020-02-29; ");
        assert_has(&log, "clock");
    }
}

#[test]
fn not_yet_valid() {
    let mut params = params(&["localhost"]);
    params.not_before = date_time_ymd(2999, 12, 31);
    let made = self_signed(&params);
    let log = Showing::start(&made, true).refused(Some(&made), &[]);
    assert_has(&log, "is valid from 2999-12-31 on; ");
}

#[test]
fn self_signed_and_untrusted() {
    let made = self_signed(&params(&["localhost"]));
    for direct in WAYS {
        let log = Showing::start(&made, direct).refused(None, &[]);
        assert_has(&log, "(self-signed); ");
        assert_has(&log, "--ca-file");
    }
    let made = self_signed(&params(&["montague.lit"]));
    let log = Showing::start(&made, true).refused(None, &[]);
    assert_has(
        &log,
        "(self-signed), and it is for montague.lit, not for localhost; ",
    );
}

#[test]
fn private_ca_names_its_issuer() {
    let made = from_ca("Verona City Council");
    for direct in WAYS {
        let log = Showing::start(&made, direct).refused(None, &[]);
        assert_has(
            &log,
            r#"comes from "Verona City Council", which is not trusted by this system; "#,
        );
        assert_has(&log, "--ca-file");
    }
    let other = self_signed(&params(&["localhost"]));
    let log = Showing::start(&made, true).refused(Some(&other), &[]);
    assert_has(&log, "nor in --ca-file");
}

/// OpenSSL looks for the issuer there, and keeps what it thinks of the place before its verdict.
#[test]
fn a_folder_of_authorities_that_is_none_changes_no_verdict() {
    let made = from_ca("Verona City Council");
    let server = Showing::start(&made, true);
    let option = format!("--server=tls://127.0.0.1:{}", server.server.port);
    let mut command = Command::new("env");
    command.args(["SSL_CERT_DIR=/dev/null", env!("CARGO_BIN_EXE_pubshim")]);
    let log = refused(&mut Shim::start_by(command, &[&option]));
    assert_has(&log, r#"comes from "Verona City Council", which is not"#);
}

#[test]
fn hostile_names_are_not_printed() {
    let hostile = ["\u{1b}[2Ja.lit", "b.lit\nWARN well", "<c/>", "d.lit"];
    let made = self_signed(&params(&hostile));
    let log = Showing::start(&made, true).refused(Some(&made), &[]);
    assert_has(&log, "is for d.lit and 3 more, not");
    let made = from_ca("\u{1b}[31m\u{202e}evil\"\nWARN");
    let log = Showing::start(&made, true).refused(None, &[]);
    assert_has(&log, r#"comes from "31mevilWARN", which"#);
}

#[test]
fn tls_min_refuses_1_2() {
    let made = self_signed(&params(&["localhost"]));
    for direct in WAYS {
        let old = Showing::start_with(&made, direct, SslVersion::TLS1_2);
        let log = old.refused(Some(&made), &["--tls-min=1.3"]);
        assert_has(&log, "speaks no TLS 1.3, which --tls-min asks for; ");
        for (newest, min) in [(SslVersion::TLS1_2, "1.2"), (SslVersion::TLS1_3, "1.3")] {
            let server = Showing::start_with(&made, direct, newest);
            let (shim, _file) = server.shim(Some(&made), &[&format!("--tls-min={min}")]);
            let mut client = shim.connect();
            client.send(&header("to='localhost'"));
            client.wait("id='secure'");
        }
    }
}

#[test]
fn the_probe_happens_once() {
    let made = self_signed(&params(&["montague.lit"]));
    let server = Showing::start(&made, false);
    let (mut shim, _file) = server.shim(Some(&made), &[]);
    for connections in [2, 3, 4] {
        let log = refused(&mut shim);
        assert_has(&log, "is for montague.lit, not for");
        assert_eq!(server.count.load(Ordering::Relaxed), connections);
    }
}

#[test]
fn a_probe_that_stalls() {
    let made = self_signed(&params(&["montague.lit"]));
    at_once(WAYS, |direct| {
        let acceptor = made.acceptor(SslVersion::TLS1_3);
        let server = Showing::start_by(direct, move |stream, number| match number {
            0 => drop(acceptor.accept(stream)),
            _ => drop(Peer::new(stream).rest()),
        });
        let log = server.refused(Some(&made), &["--connect-timeout=1s"]);
        assert_has(&log, "certificate is for another name; ");
        assert_eq!(server.count.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_probe_that_is_told_without_end() {
    let made = self_signed(&params(&["montague.lit"]));
    let acceptor = made.acceptor(SslVersion::TLS1_3);
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let server = Server::start(move |stream| {
        let mut plain = Peer::new(stream);
        if counter.fetch_add(1, Ordering::Relaxed) > 0 {
            plain.wait("<stream:stream ");
            plain.wait(">");
            plain.send(&header("id='plain' from='localhost'"));
            while plain.stream.write_all(&[b' '; 4096]).is_ok() {}
            return;
        }
        plain.agree_to_tls();
        drop(acceptor.accept(plain.stream));
    });
    let server = Showing {
        server,
        count,
        direct: false,
    };
    let log = server.refused(Some(&made), &[]);
    assert_has(&log, "certificate is for another name; ");
    assert_eq!(server.count.load(Ordering::Relaxed), 2);
}

/// The log line about a server that answers TLS with these bytes and then ends the connection.
fn answering(direct: bool, answer: &'static [u8]) -> String {
    let server = Showing::start_by(direct, move |mut stream, _| {
        // Read the whole first record: unread bytes would have the connection reset.
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let length = u16::from_be_bytes([head[3], head[4]]);
        stream.read_exact(&mut vec![0; length.into()]).unwrap();
        stream.write_all(answer).unwrap();
    });
    let log = server.refused(None, &[]);
    assert_eq!(
        server.count.load(Ordering::Relaxed),
        1,
        "nothing to look at"
    );
    log
}

#[test]
fn a_port_without_tls() {
    let stream = b"<?xml version='1.0'?><stream:stream>";
    for (direct, answer, want) in [
        (true, &stream[..], "leave tls:// out, or"),
        (true, b"220 mail.example ESMTP\r\n", "leave tls:// out, or"),
        (true, b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"),
        (false, b"<message/>", "agreed to TLS, and then spoke none"),
    ] {
        let log = answering(direct, answer);
        assert_has(&log, want);
    }
}

#[test]
fn a_server_that_hangs_up_in_the_handshake() {
    for direct in WAYS {
        // The server hangs up at once, or in the midst of a TLS record.
        for answer in [&b""[..], b"\x16\x03\x03\x00\x50\x02"] {
            let log = answering(direct, answer);
            assert_has(&log, "hung up during the TLS handshake");
            assert_eq!(log.contains("tls://"), direct, "{log}");
        }
    }
}

#[test]
fn alerts_in_the_users_words() {
    for (alert, want) in [
        (0x46, "only a TLS older than 1.2"),
        (0x78, "not for XMPP clients"),
        (0x70, "does not know that domain"),
        (0x2a, "--login-cert"),
        (0x28, "handshake failure"),
    ] {
        let record = Box::leak(Box::new([0x15, 3, 3, 0, 2, 2, alert]));
        let log = answering(true, record);
        assert_has(&log, want);
        assert!(!log.contains("SSL routines"), "{log}");
    }
}
