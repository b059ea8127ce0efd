//! `--login-cert`: the servers that are shown it, and the messages about unusable files. The command line allows it on
//! Unix sockets alone; here pubshim runs in this process, on a TCP socket.

use std::fs;
use std::io::Read as _;
use std::net::Shutdown;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use openssl::pkey::PKey;
use openssl::ssl::{
    HandshakeError, NameType, SslAcceptor, SslAcceptorBuilder, SslMethod, SslVerifyMode, SslVersion,
};
use openssl::symm::Cipher;
use openssl::x509::X509;
use pubshim::config::{CertificateFiles, ListenAddress, ServerAddress, Settings};
use pubshim::net::Listener;
use pubshim::session::Security;
use rcgen::{CertificateParams, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::text::assert_has;
use crate::tools::{Peer, Server, header};

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with the server's certificate (`server.crt`, for `localhost` and `other.lit`) and the user's: `user.crt` with
/// the CA it comes from, `user.key`.
struct Files {
    folder: TempDir,
    server_key: Vec<u8>,
}

impl Files {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "other.lit".to_owned()];
        let server = CertificateParams::new(names).unwrap();
        let server = server.self_signed(&key).unwrap();
        fs::write(folder.path().join("server.crt"), server.pem()).unwrap();
        let server_key = key.serialize_der();

        let mut ca = CertificateParams::new([]).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().unwrap();
        let user = CertificateParams::new(["juliet.lit".to_owned()]).unwrap();
        let user = user.signed_by(&key, &issuer).unwrap().pem();
        fs::write(folder.path().join("user.crt"), user + &ca_pem).unwrap();
        fs::write(folder.path().join("user.key"), key.serialize_pem()).unwrap();
        Self { folder, server_key }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Settings for a client of `domain`.
    fn settings(&self, domain: &str, certificate: &str, key: &str) -> Settings {
        let mut settings = Settings {
            listen: vec![ListenAddress::Tcp(([127, 0, 0, 1], 0).into())],
            ca_file: Some(self.path().join("server.crt")),
            login_certificate: Some(CertificateFiles {
                certificate: self.path().join(certificate),
                key: self.path().join(key),
            }),
            ..Settings::default()
        };
        settings.session.domains = vec![domain.to_owned()];
        settings
    }

    /// TLS as servers do it that show the server's certificate.
    fn acceptor(
        &self,
        newest: SslVersion,
        verify: impl FnOnce(&mut SslAcceptorBuilder),
    ) -> SslAcceptor {
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        tls.set_certificate(&self.certificate("server.crt"))
            .unwrap();
        tls.set_private_key(&PKey::private_key_from_der(&self.server_key).unwrap())
            .unwrap();
        tls.set_max_proto_version(Some(newest)).unwrap();
        verify(&mut tls);
        tls.build()
    }

    fn certificate(&self, name: &str) -> X509 {
        let pem = fs::read(self.path().join(name)).unwrap();
        X509::from_pem(&pem).unwrap()
    }
}

/// A connection as the server saw it.
struct Seen {
    name: Option<String>,
    certificate: Option<Vec<u8>>,
    /// How many certificates came with that one.
    others: usize,
}

/// A server that asks for a certificate, takes any, and tells of each connection, also of those that fail in the
/// handshake.
fn asking(files: &Files, direct: bool, newest: SslVersion) -> (Server, Receiver<Seen>) {
    let tls = files.acceptor(newest, |tls| {
        tls.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    });
    let (sender, seen) = channel();
    let server = Server::start(move |stream| {
        let mut plain = Peer::new(stream);
        if !direct {
            plain.agree_to_tls();
        }
        if let Ok(tls) = tls.accept(plain.stream) {
            let ssl = tls.ssl();
            let certificate = ssl.peer_certificate().map(|it| it.to_der().unwrap());
            let _ = sender.send(Seen {
                name: ssl.servername(NameType::HOST_NAME).map(str::to_owned),
                certificate,
                others: ssl.peer_cert_chain().map_or(0, |chain| chain.len()),
            });
        }
    });
    (server, seen)
}

/// The first connection that the server saw of a client that asks for `domain`, and the client's last bytes.
fn connect(
    settings: Settings,
    (server, seen): &(Server, Receiver<Seen>),
    direct: bool,
    domain: &str,
) -> (Option<Seen>, String) {
    let told = told(settings, server, direct, domain);
    // The client's stream has ended, so the server has seen all.
    let seen = match told.contains("host-unknown") {
        true => seen.try_recv().ok(),
        false => Some(seen.recv_timeout(PATIENCE).unwrap()),
    };
    (seen, told)
}

/// The bytes that a client got that asks for `domain`.
fn told(mut settings: Settings, server: &Server, direct: bool, domain: &str) -> String {
    settings.server = Some(ServerAddress {
        security: match direct {
            true => Security::DirectTls,
            false => Security::StartTls,
        },
        host: "127.0.0.1".to_owned(),
        port: server.port,
    });
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(Listener::bind(&settings)).unwrap();
    let address = listener.address().unwrap();
    let stop = CancellationToken::new();
    let running = runtime.spawn(listener.run(settings, stop.clone()));
    let mut client = Peer::new(std::net::TcpStream::connect(address).unwrap());
    client.send(&header(&format!("to='{domain}'")));
    let told = client.rest();
    drop(client);
    stop.cancel();
    runtime.block_on(running).unwrap().unwrap();
    told
}

#[test]
fn a_login_certificate_is_shown() {
    let files = Files::make();
    let user = files.certificate("user.crt").to_der().unwrap();
    for (direct, newest) in [
        (false, SslVersion::TLS1_2),
        (false, SslVersion::TLS1_3),
        (true, SslVersion::TLS1_3),
    ] {
        let server = asking(&files, direct, newest);
        let settings = files.settings("localhost", "user.crt", "user.key");
        let (seen, _) = connect(settings, &server, direct, "localhost");
        let seen = seen.unwrap();
        assert_eq!(seen.name.as_deref(), Some("localhost"));
        assert_eq!(seen.certificate.as_ref(), Some(&user));
        assert_eq!(seen.others, 1, "the CA that vouches for it");
    }
}

#[test]
fn none_is_shown_without_the_option() {
    let files = Files::make();
    let server = asking(&files, true, SslVersion::TLS1_3);
    let mut settings = files.settings("localhost", "user.crt", "user.key");
    settings.login_certificate = None;
    let (seen, _) = connect(settings, &server, true, "localhost");
    assert_eq!(seen.unwrap().certificate, None);
}

/// In TLS 1.3 a server refuses the user's certificate after the handshake is over for the client.
#[test]
fn a_server_that_does_not_take_the_certificate() {
    let files = Files::make();
    for (shows, want) in [
        (true, "did not take the certificate of --login-cert"),
        (false, "name it with --login-cert"),
    ] {
        for newest in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let tls = files.acceptor(newest, |tls| {
                tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            });
            let server = Server::start(move |stream| {
                // Read all that has come, so that a reset does not lose the alert.
                if let Err(HandshakeError::Failure(mut failed)) = tls.accept(stream) {
                    let tcp = failed.get_mut();
                    tcp.shutdown(Shutdown::Write).unwrap();
                    let _ = tcp.read_to_end(&mut Vec::new());
                }
            });
            let mut settings = files.settings("localhost", "user.crt", "user.key");
            if !shows {
                settings.login_certificate = None;
            }
            let told = told(settings, &server, true, "localhost");
            // Before TLS 1.3 there is no alert that says so.
            if shows || newest == SslVersion::TLS1_3 {
                assert!(told.contains(want), "{newest:?}: {told}");
            }
        }
    }
}

#[test]
fn a_login_certificate_is_not_shown_to_others() {
    let files = Files::make();
    let server = asking(&files, true, SslVersion::TLS1_3);
    let settings = files.settings("other.lit", "user.crt", "user.key");
    let (seen, told) = connect(settings, &server, true, "localhost");
    assert_has(&told, "<host-unknown ");
    assert!(seen.is_none(), "there is no connection for it at all");
}

#[test]
fn a_server_without_a_good_certificate_is_shown_none() {
    let files = Files::make();
    for newest in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for direct in [false, true] {
            let server = asking(&files, direct, newest);
            let settings = files.settings("montague.lit", "user.crt", "user.key");
            // The server sees the second look alone: the first ended before.
            let (seen, told) = connect(settings, &server, direct, "montague.lit");
            assert_has(&told, "is for localhost and other.lit, not");
            let seen = seen.unwrap();
            assert_eq!(seen.name.as_deref(), Some("montague.lit"));
            assert_eq!(seen.certificate, None);
        }
    }
}

#[test]
fn keys_in_every_form() {
    let files = Files::make();
    let pem = fs::read(files.path().join("user.key")).unwrap();
    let key = PKey::private_key_from_pem(&pem).unwrap();
    let sec1 = key.ec_key().unwrap().private_key_to_pem().unwrap();
    assert!(sec1.starts_with(b"-----BEGIN EC PRIVATE KEY-----"));
    let certificate = fs::read(files.path().join("user.crt")).unwrap();
    fs::write(
        files.path().join("both.pem"),
        [&certificate[..], &sec1].concat(),
    )
    .unwrap();
    let server = asking(&files, true, SslVersion::TLS1_3);
    let settings = files.settings("localhost", "both.pem", "both.pem");
    let (seen, _) = connect(settings, &server, true, "localhost");
    assert!(seen.unwrap().certificate.is_some());
}

#[test]
fn files_that_are_no_use() {
    let files = Files::make();
    let pem = fs::read(files.path().join("user.key")).unwrap();
    let key = PKey::private_key_from_pem(&pem).unwrap();
    let locked = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .unwrap();
    fs::write(files.path().join("locked.key"), locked).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    fs::write(files.path().join("other.key"), other).unwrap();
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(files.path().join("broken.key"), broken).unwrap();
    let runtime = Runtime::new().unwrap();
    for (certificate, key, wants) in [
        (
            "none.crt",
            "user.key",
            ["cannot read --login-cert", "none.crt"],
        ),
        (
            "user.crt",
            "none.key",
            ["cannot read --login-key", "none.key"],
        ),
        ("user.key", "user.key", ["no PEM certificate", "user.key"]),
        ("user.crt", "user.crt", ["no PEM key", "user.crt"]),
        (
            "user.crt",
            "locked.key",
            ["locked with a password", "--login-key"],
        ),
        (
            "user.crt",
            "other.key",
            ["is not that of the first", "other.key"],
        ),
        (
            "user.crt",
            "broken.key",
            ["a key that cannot be read", "broken.key"],
        ),
    ] {
        let settings = files.settings("localhost", certificate, key);
        let error = runtime.block_on(Listener::bind(&settings)).err().unwrap();
        let error = format!("{error:#}");
        for want in wants {
            assert_has(&error, want);
        }
        assert!(!error.contains("AAAA"), "{error}");
    }
}
