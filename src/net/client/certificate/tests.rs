use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use openssl::pkey::PKey;

use super::make::make;
use super::*;
use crate::config::CertificateFiles;

/// Some day in 2026.
const NOW: i64 = 1_790_000_000;

/// Settings with this state folder.
fn settings(state: &Path, client_tls: ClientTls) -> Settings {
    let mut settings = Settings {
        state: Some(state.to_owned()),
        ..Settings::default()
    };
    settings.session.client_tls = client_tls;
    settings.session.domains = vec!["münchen.example".to_owned()];
    settings
}

#[test]
fn those_there_are_and_those_there_must_be() {
    let state = tempfile::tempdir().expect("folder");
    let folder = Folder::new(Some(state.path())).expect("a folder");
    folder
        .certificate("example.net", super::now())
        .expect("made");
    fs::write(state.path().join("notes.pem~"), "").expect("written");
    let certificates =
        Certificates::open(&settings(state.path(), ClientTls::Auto)).expect("opened");
    let domains = &certificates.domains;
    let expected = [
        "localhost",
        "münchen.example",
        "xn--mnchen-3ya.example",
        "example.net",
    ];
    assert_eq!(domains[..], expected);
    assert!(certificates.depend_on_name() && certificates.has("Example.NET"));
    assert!(certificates.has("example.net."), "the dot that ends it");
    assert!(!certificates.has("example.org"));
    assert!(
        certificates.acceptor("example.org").is_some(),
        "that of localhost"
    );
    assert_eq!(folder.domains().len(), 3, "nothing else is made");
}

#[test]
fn without_tls_nothing_is_made() {
    let state = tempfile::tempdir().expect("folder");
    let certificates = Certificates::open(&settings(state.path(), ClientTls::Off)).expect("opened");
    assert!(certificates.acceptor("localhost").is_none());
    assert_eq!(fs::read_dir(state.path()).expect("readable").count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let above = tempfile::NamedTempFile::new().expect("file");
    // Even root cannot make a folder below a file.
    let state = above.path().join("state");
    let certificates = Certificates::open(&settings(&state, ClientTls::Auto)).expect("a warning");
    assert!(certificates.domains.is_empty());
    assert!(certificates.acceptor("localhost").is_none());
    for client_tls in [ClientTls::Offer, ClientTls::Require] {
        let error = Certificates::open(&settings(&state, client_tls)).err();
        let error = format!("{:#}", error.expect("an error"));
        assert!(error.contains("needs a certificate"), "{error}");
        assert!(error.contains("state"), "{error}");
    }
    let nowhere = Settings {
        state: None,
        ..settings(&state, ClientTls::Require)
    };
    let error = format!(
        "{:#}",
        Certificates::open(&nowhere).err().expect("an error")
    );
    assert!(
        error.contains("--state") && error.contains("--cert"),
        "{error}"
    );
}

#[test]
fn files_of_ones_own() {
    let folder = tempfile::tempdir().expect("folder");
    let [certificate, key, other] =
        ["cert.pem", "key.pem", "other.pem"].map(|name| folder.path().join(name));
    let pem = make("example.org", None, NOW).expect("made");
    fs::write(&certificate, pem.certificate().to_pem().expect("PEM")).expect("written");
    let traditional = pem
        .key()
        .ec_key()
        .and_then(|key| key.private_key_to_pem())
        .expect("PEM");
    fs::write(&key, traditional).expect("written");
    fs::write(
        &other,
        make("a.b", None, NOW)
            .and_then(|pem| Ok(pem.text()?))
            .expect("made"),
    )
    .expect("written");
    let read = |certificate: &Path, key: &Path| {
        let files = CertificateFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        Pem::read(&files, "--cert", "--key").map_err(|error| format!("{error:#}"))
    };
    let given = read(&certificate, &key).expect("both are right");
    assert_eq!(given.domains(), ["example.org", "localhost"]);
    given
        .identity()
        .expect("for TLS, whatever form the key has");
    read(&other, &other).expect("both in one file");
    let names = ["*.example.org".to_owned()];
    let wild = rcgen::generate_simple_self_signed(names).expect("made");
    let text = wild.cert.pem() + &wild.signing_key.serialize_pem();
    fs::write(&other, text).expect("written");
    let wild = read(&other, &other).expect("for several domains");
    assert_eq!(wild.domains(), ["*.example.org"]);
    let missing = folder.path().join("missing.pem");
    for (certificate, key, expected) in [
        (&missing, &key, "cannot read --cert "),
        (&certificate, &missing, "cannot read --key "),
        (&key, &key, "key.pem holds no PEM certificate"),
        (&certificate, &certificate, "cert.pem holds no PEM key"),
        (
            &certificate,
            &other,
            "is not that of the first certificate in --cert",
        ),
    ] {
        let error = read(certificate, key).expect_err(expected);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let encrypted = pem
        .key()
        .private_key_to_pem_pkcs8_passphrase(cipher, b"secret");
    fs::write(&key, encrypted.expect("PEM")).expect("written");
    let error = read(&certificate, &key).expect_err("encrypted");
    assert!(error.contains("is locked with a password"), "{error}");
}

#[test]
fn a_folder_that_others_can_write() {
    let state = tempfile::tempdir().expect("folder");
    let folder = Folder::new(Some(state.path())).expect("a folder");
    folder.certificate("localhost", NOW).expect("made");
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o770)).expect("changed");
    let certificates =
        Certificates::open(&settings(state.path(), ClientTls::Auto)).expect("a warning");
    assert!(certificates.domains.is_empty());
    let error = Certificates::open(&settings(state.path(), ClientTls::Require)).err();
    let error = format!("{:#}", error.expect("an error"));
    assert!(error.contains("can be written by others"), "{error}");
    assert!(error.contains("chmod go-w"), "{error}");
    // A pubshim that had found no folder before refuses this one, too.
    let error = folder.certificate("example.org", NOW).expect_err("refused");
    let error = format!("{error:#}");
    assert!(error.contains("can be written by others"), "{error}");
    assert!(!state.path().join("example.org.pem").exists());
}

/// A state folder with certificates for `localhost` and two domains, of which the last is not asked for.
fn state() -> tempfile::TempDir {
    let state = tempfile::tempdir().expect("folder");
    let folder = Folder::new(Some(state.path())).expect("a folder");
    for domain in ["localhost", "münchen.example", "example.net"] {
        folder.certificate(domain, super::now()).expect("made");
    }
    state
}

#[test]
fn a_broken_one_takes_nothing_from_the_others() {
    for name in ["localhost", "xn--mnchen-3ya.example", "example.net"] {
        let state = state();
        let file = state.path().join(format!("{name}.pem"));
        fs::write(&file, "-----BEGIN").expect("written");
        let open = |client_tls| Certificates::open(&settings(state.path(), client_tls));
        let auto = open(ClientTls::Auto).expect("warnings");
        for other in ["localhost", "xn--mnchen-3ya.example", "example.net"] {
            assert_eq!(auto.has(other), other != name, "{other} without {name}");
            let is_listed = auto.domains.iter().any(|domain| domain == other);
            assert_eq!(is_listed, other != name, "{other} without {name}");
        }
        assert!(auto.depend_on_name());
        for client_tls in [ClientTls::Offer, ClientTls::Require] {
            let result = open(client_tls);
            if name == "example.net" {
                result.expect("nobody asks for it");
                continue;
            }
            let error = format!("{:#}", result.err().expect("an error"));
            assert!(error.contains("--client-tls needs"), "{error}");
            assert!(error.contains(&format!("{name}.pem holds no")), "{error}");
        }
    }
}

#[test]
fn one_that_tls_does_not_take_is_not_promised() {
    let state = state();
    let key = openssl::rsa::Rsa::generate(512).and_then(PKey::from_rsa);
    let weak = make("example.net", Some(key.expect("a weak key")), super::now());
    let text = weak.and_then(|pem| Ok(pem.text()?)).expect("PEM");
    fs::write(state.path().join("example.net.pem"), text).expect("written");
    let settings = settings(state.path(), ClientTls::Auto);
    let certificates = Certificates::open(&settings).expect("a warning");
    assert!(!certificates.has("example.net"));
    let is_promised = certificates.domains.iter().any(|it| it == "example.net");
    assert!(!is_promised, "{:?}", certificates.domains);
    assert!(certificates.has("localhost"));
}

#[test]
fn the_only_one_is_found_by_its_name() {
    let state = tempfile::tempdir().expect("folder");
    fs::write(state.path().join("localhost.pem"), "-----BEGIN").expect("written");
    let mut settings = settings(state.path(), ClientTls::Auto);
    settings.session.domains = vec!["example.org".to_owned()];
    let certificates = Certificates::open(&settings).expect("a warning");
    assert!(certificates.depend_on_name());
    assert!(certificates.acceptor("example.org").is_some());
    assert!(certificates.acceptor("elsewhere.org").is_none());
}

#[test]
fn whom_sessions_offer_starttls() {
    let state = state();
    let mut settings = settings(state.path(), ClientTls::Auto);
    let told = |settings: &Settings| {
        let mut options = settings.session.clone();
        let certificates = Certificates::open(settings).expect("opened");
        certificates.tell(&mut options);
        (options.client_tls, options.certified)
    };
    let (client_tls, certified) = told(&settings);
    assert_eq!(client_tls, ClientTls::Auto);
    assert!(certified.contains(&"example.net".to_owned()));
    let file = state.path().join("example.net.pem");
    settings.certificate = Some(CertificateFiles {
        certificate: file.clone(),
        key: file,
    });
    assert_eq!(told(&settings).0, ClientTls::Offer);
    settings.session.client_tls = ClientTls::Require;
    assert_eq!(told(&settings).0, ClientTls::Require);
}
