use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;
use crate::config::Settings;

/// Certificates for `localhost` and two domains.
fn certificates() -> Arc<Certificates> {
    let state = tempfile::tempdir().expect("folder");
    let mut settings = Settings {
        state: Some(state.path().to_owned()),
        ..Settings::default()
    };
    settings.session.domains = vec!["example.org".to_owned(), "münchen.example".to_owned()];
    Arc::new(Certificates::open(&settings).expect("certificates"))
}

/// A client's end of a connection, and a future that secures the other, of which `read` bytes were read already.
fn connect(
    certificates: &Arc<Certificates>,
    read: usize,
    domain: Option<&str>,
) -> (
    UnixStream,
    impl Future<Output = Result<SecureClient, String>> + use<>,
) {
    let (client, mut server) = UnixStream::pair().expect("a pair");
    let (certificates, domain) = (Arc::clone(certificates), domain.map(str::to_owned));
    let secured = async move {
        let mut first = vec![0; read];
        server.read_exact(&mut first).await.expect("they come");
        secure(Either::Right(server), first, certificates, domain).await
    };
    (client, secured)
}

/// A client that trusts any certificate, and asks for these protocols.
fn client(protocols: &[&str]) -> tokio_native_tls::TlsConnector {
    let mut tls = native_tls::TlsConnector::builder();
    tls.danger_accept_invalid_certs(true);
    tls.request_alpns(protocols);
    tls.build().expect("a connector").into()
}

/// The common name of a certificate.
fn subject(certificate: &X509) -> String {
    let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let name = names.next().expect("a name").data().to_string();
    name.expect("UTF-8").to_string()
}

/// The common name of the certificate that a client is shown when it asks for `name`.
async fn shown(
    certificates: &Arc<Certificates>,
    client: &tokio_native_tls::TlsConnector,
    name: &str,
    read: usize,
    domain: Option<&str>,
) -> String {
    let (stream, secured) = connect(certificates, read, domain);
    let (tls, secured) = tokio::join!(client.connect(name, stream), secured);
    let (mut tls, mut secured) = (tls.expect("secured"), secured.expect("secured"));
    secured.write_all(b"<stream>").await.expect("written");
    secured.flush().await.expect("flushed");
    let mut told = [0; 8];
    tls.read_exact(&mut told).await.expect("told");
    assert_eq!(&told, b"<stream>");
    let certificate = tls.get_ref().peer_certificate().expect("one");
    let der = certificate.expect("one").to_der().expect("DER");
    subject(&X509::from_der(&der).expect("a certificate"))
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_for_the_name_it_asks_for() {
    let certificates = certificates();
    let client = client(&[]);
    for (name, expected) in [
        ("localhost", "localhost"),
        ("example.org", "example.org"),
        ("EXAMPLE.org", "example.org"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("elsewhere.org", "localhost"),
        ("127.0.0.1", "localhost"),
    ] {
        for read in [0, 1, 5, 6, 100] {
            assert_eq!(
                shown(&certificates, &client, name, read, None).await,
                expected,
                "{name}, {read}"
            );
        }
    }
}

#[tokio::test]
async fn the_domain_of_the_stream_beats_the_name() {
    let certificates = certificates();
    let client = client(&[]);
    let shown = async |domain| shown(&certificates, &client, "localhost", 0, Some(domain)).await;
    assert_eq!(shown("Example.org").await, "example.org");
    assert_eq!(shown("münchen.example").await, "xn--mnchen-3ya.example");
    assert_eq!(shown("elsewhere.org").await, "localhost");
}

#[tokio::test]
async fn other_protocols_and_none_are_let_in() {
    let certificates = certificates();
    for (asked, expected) in [
        (&["xmpp-client"][..], Some(&b"xmpp-client"[..])),
        (&["h2", "xmpp-client"], Some(b"xmpp-client")),
        (&["h2"], None),
        (&[], None),
    ] {
        let (stream, secured) = connect(&certificates, 0, None);
        let connected = client(asked);
        let (tls, secured) = tokio::join!(connected.connect("localhost", stream), secured);
        secured.expect("secured");
        let agreed = tls.expect("secured").get_ref().negotiated_alpn();
        assert_eq!(agreed.expect("told").as_deref(), expected, "{asked:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_trust_says_so() {
    let certificates = certificates();
    let tls = native_tls::TlsConnector::new().expect("a connector");
    let tls: tokio_native_tls::TlsConnector = tls.into();
    let (stream, secured) = connect(&certificates, 0, None);
    let (refused, secured) = tokio::join!(tls.connect("example.org", stream), secured);
    refused.expect_err("it does not trust");
    assert_eq!(
        secured.err().expect("not secured"),
        "the client does not accept pubshim's certificate: see `pubshim cert example.org`"
    );
}

#[test]
fn what_clients_tell_of_their_reasons() {
    let of = |reason: &str| {
        let error = format!(
            "error:0A000438:SSL routines:ssl3_read_bytes:{reason}:../ssl/a.c:1601:SSL alert number 80"
        );
        failure(&error, "a.example")
    };
    let certificate =
        "the client does not accept pubshim's certificate: see `pubshim cert a.example`";
    // Three spellings of OpenSSL's versions.
    for reason in [
        "tlsv1 alert unknown ca",
        "sslv3 alert certificate unknown",
        "ssl/tls alert bad certificate",
    ] {
        assert_eq!(of(reason), certificate, "{reason}");
    }
    assert_eq!(
        of("tlsv1 alert internal error"),
        "the client gave up in the TLS handshake (tlsv1 alert internal error)"
    );
    assert!(of("tlsv1 alert protocol version").starts_with("client and pubshim have no version"));
    assert!(of("no shared cipher").ends_with("(no shared cipher)"));
    assert!(failure("unexpected EOF", "a.example").contains("closed the connection"));
}

#[tokio::test]
async fn an_old_client() {
    let certificates = certificates();
    let mut tls = SslConnector::builder(SslMethod::tls()).expect("a connector");
    tls.set_verify(SslVerifyMode::NONE);
    tls.set_cipher_list("DEFAULT@SECLEVEL=0").expect("ciphers");
    tls.set_min_proto_version(Some(SslVersion::TLS1))
        .expect("a version");
    tls.set_max_proto_version(Some(SslVersion::TLS1_1))
        .expect("a version");
    let (stream, secured) = connect(&certificates, 0, None);
    let stream = stream.into_std().expect("a socket");
    stream.set_nonblocking(false).expect("a socket");
    let connected =
        tokio::task::spawn_blocking(move || tls.build().connect("localhost", stream).is_ok());
    let error = secured.await.err().expect("not secured");
    assert!(error.contains("no version of TLS in common"), "{error}");
    assert!(!connected.await.expect("it has tried"));
}

#[tokio::test]
async fn what_is_no_tls() {
    let certificates = certificates();
    for bytes in [
        &b"\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00"[..],
        b"\x16\x03\x01\xff\xff and so on, without an end",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16<stream:stream>",
        b"\x15\x03\x01\x00\x02\x02\x28",
    ] {
        for domain in [None, Some("localhost")] {
            let (mut stream, secured) = connect(&certificates, 1, domain);
            stream.write_all(bytes).await.expect("written");
            stream.shutdown().await.expect("shut");
            let error = secured.await.err().expect("not secured");
            assert!(!error.contains('\n') && error.len() < 300, "{error}");
        }
    }
}

/// The first message of a client that asks for `example.org`.
async fn first_message() -> Vec<u8> {
    let (client_end, mut server) = UnixStream::pair().expect("a pair");
    let connector = client(&["xmpp-client"]);
    let connecting = tokio::spawn(async move {
        let _ = connector.connect("example.org", client_end).await;
    });
    let mut message = Vec::new();
    hello::read_record(&mut server, &mut message)
        .await
        .expect("it comes");
    connecting.abort();
    message
}

#[tokio::test]
async fn a_client_that_breaks_off_anywhere() {
    let certificates = certificates();
    let message = first_message().await;
    assert_eq!(hello::asked_name(&message).as_deref(), Some("example.org"));
    for count in 1..=message.len() {
        let (mut stream, secured) = connect(&certificates, 1, None);
        stream.write_all(&message[..count]).await.expect("written");
        drop(stream);
        let error = secured.await.err().expect("not secured");
        assert!(error.contains("closed the connection"), "{count}: {error}");
        assert!(error.contains("`pubshim cert "), "{count}: {error}");
    }
}

#[tokio::test]
async fn nothing_is_read_beyond_the_first_record() {
    let message = first_message().await;
    let mut first = vec![message[0]];
    let rest = [&message[1..], b"more"].concat();
    let mut rest = &rest[..];
    hello::read_record(&mut rest, &mut first)
        .await
        .expect("it is there");
    assert_eq!((first, rest), (message, &b"more"[..]));
}

#[tokio::test]
async fn a_name_that_cannot_be_read_is_none() {
    let message = first_message().await;
    assert_eq!(hello::asked_name(&[]), None);
    // Each byte wrong in turn must not panic; the result does not matter.
    for at in 0..message.len() {
        let mut wrong = message.clone();
        wrong[at] ^= 0xff;
        let _ = hello::asked_name(&wrong);
        let _ = hello::asked_name(&message[..at]);
    }
}

#[test]
fn without_a_certificate_the_error_names_the_options() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let error = runtime.expect("a runtime").block_on(async {
        let (_client, secured) = connect(&Arc::default(), 0, Some("localhost"));
        secured.await.err().expect("not secured")
    });
    assert!(
        error.contains("--state") && error.contains("--cert"),
        "{error}"
    );
}
