use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;

use super::folder::{CertificateError, Folder, Kept, file_domain};
use super::pem::Pem;
use super::{Certificates, DAY};
use crate::config::{CertificateFiles, Settings};
use crate::session::ClientTls;

/// Some day in 2026.
const NOW: i64 = 1_790_000_000;

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o7777
}

/// What OpenSSL's own program says of a certificate.
fn text(pem: &Pem) -> String {
    let text = pem.certificate().to_text().expect("text");
    let text = String::from_utf8(text).expect("UTF-8");
    // Its versions write this one way or the other.
    text.replace("CN = ", "CN=")
}

fn print(kept: &Kept) -> String {
    kept.pem.fingerprint().expect("a fingerprint")
}

fn expires(kept: &Kept) -> i64 {
    kept.pem.expires().expect("a date")
}

/// A folder in one that is taken away again.
fn folder() -> (tempfile::TempDir, Folder) {
    let above = tempfile::tempdir().expect("folder");
    let folder = Folder::new(Some(&above.path().join("state"))).expect("a folder");
    (above, folder)
}

#[test]
fn what_is_in_a_made_one() {
    let pem = Pem::make("example.org", None, NOW).expect("made");
    let text = text(&pem);
    for part in [
        "Version: 3 ",
        "Subject: CN=example.org\n",
        "Issuer: CN=example.org\n",
        "ASN1 OID: prime256v1",
        "Signature Algorithm: ecdsa-with-SHA256",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "DNS:example.org, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(pem.expires().expect("a date"), NOW + 824 * DAY);
    assert!(pem.certificate().verify(&pem.key()).expect("checked"));
    assert!(pem.is_self_signed());
    assert_eq!(pem.domains(), ["example.org", "localhost"]);
    let other = Pem::make("example.org", None, NOW).expect("made");
    let serial = |pem: &Pem| pem.certificate().serial_number().to_bn().expect("number");
    assert_ne!(serial(&pem), serial(&other));
    assert!(!serial(&pem).is_negative() && serial(&pem).num_bits() == 127);
}

#[test]
fn names_that_are_not_said_twice_or_too_long() {
    let localhost = text(&Pem::make("localhost", None, NOW).expect("made"));
    assert_eq!(localhost.matches("DNS:localhost").count(), 1, "{localhost}");
    let address = text(&Pem::make("192.0.2.7", None, NOW).expect("made"));
    assert!(
        address.contains("IP Address:192.0.2.7, DNS:localhost"),
        "{address}"
    );
    let long = format!("{}.example.org", "a".repeat(60));
    let text = text(&Pem::make(&long, None, NOW).expect("made"));
    assert!(text.contains("Subject: CN=pubshim\n"), "{text}");
    assert!(text.contains(&format!("DNS:{long}, ")), "{text}");
}

#[test]
fn it_is_kept_for_its_owner_alone() {
    let (_above, folder) = folder();
    let kept = folder.certificate("Example.ORG", NOW).expect("made");
    assert_eq!(kept.file.file_name().expect("a name"), "example.org.pem");
    assert_eq!(mode(&kept.file), 0o600);
    let parent = kept.file.parent().expect("a folder");
    assert_eq!(mode(parent), 0o700);
    let files = fs::read_dir(parent).expect("readable").count();
    assert_eq!(files, 1, "nothing else is left");
    assert_eq!(folder.domains(), ["example.org"]);
    let again = folder.certificate("example.org", NOW).expect("read");
    assert_eq!(print(&again), print(&kept));
    let pem = fs::read(&kept.file).expect("readable");
    assert!(X509::from_pem(&pem).is_ok() && PKey::private_key_from_pem(&pem).is_ok());
}

#[test]
fn an_expired_one_is_renewed_with_the_same_key() {
    let (_above, folder) = folder();
    let first = folder.certificate("localhost", NOW).expect("made");
    let soon = folder.certificate("localhost", expires(&first) - DAY);
    assert_eq!(print(&soon.expect("read")), print(&first), "a warning only");
    let end = expires(&first);
    let second = folder.certificate("localhost", end).expect("renewed");
    assert_ne!(print(&second), print(&first));
    assert!(second.pem.key().public_eq(&first.pem.key()));
    assert_eq!(expires(&second), end + 824 * DAY);
    assert_eq!(mode(&second.file), 0o600);
    let read = folder.certificate("localhost", end).expect("read");
    assert_eq!(print(&read), print(&second));
}

#[test]
fn makers_at_the_same_time_agree() {
    let (_above, folder) = folder();
    let prints: Vec<_> = std::thread::scope(|scope| {
        let make = || {
            let kept = folder.certificate("localhost", NOW).expect("made");
            print(&kept)
        };
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        let prints = makers.into_iter().map(|maker| maker.join().expect("made"));
        prints.collect()
    });
    assert!(prints.iter().all(|print| *print == prints[0]), "{prints:?}");
}

#[test]
fn a_name_that_is_no_name_of_a_file() {
    let long = format!("{}example.org", "a.".repeat(130));
    for domain in [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "a/b",
        "/etc/passwd",
        ".ssh",
        "-a",
        "a\0b",
        "a b",
        "a\nb",
        "a_b",
        "[::1]",
        "::1",
        "*.example.org",
        "a,DNS:b",
        &long,
        &"a".repeat(64),
    ] {
        assert_eq!(
            file_domain(domain),
            Err(CertificateError::NoDomain(domain.to_owned())),
            "{domain:?}"
        );
    }
    assert_eq!(
        file_domain("münchen.Example").as_deref(),
        Ok("xn--mnchen-3ya.example")
    );
    assert_eq!(file_domain("192.0.2.7").as_deref(), Ok("192.0.2.7"));
    let (above, folder) = folder();
    folder.certificate("../x", NOW).expect_err("refused");
    assert_eq!(fs::read_dir(above.path()).expect("readable").count(), 0);
}

#[test]
fn a_file_that_others_can_read_or_that_is_none() {
    let (_above, folder) = folder();
    let kept = folder.certificate("localhost", NOW).expect("made");
    let refused = || {
        format!(
            "{:#}",
            folder.certificate("localhost", NOW).expect_err("refused")
        )
    };
    fs::set_permissions(&kept.file, fs::Permissions::from_mode(0o640)).expect("changed");
    assert!(refused().contains("can be read by others"), "{}", refused());
    fs::set_permissions(&kept.file, fs::Permissions::from_mode(0o600)).expect("changed");
    fs::write(&kept.file, "-----BEGIN").expect("written");
    let error = refused();
    assert!(
        error.contains("localhost.pem holds no PEM certificate"),
        "{error}"
    );
    assert!(error.contains("delete the file"), "{error}");
}

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
    let domains = certificates.domains();
    let expected = [
        "localhost",
        "münchen.example",
        "xn--mnchen-3ya.example",
        "example.net",
    ];
    assert_eq!(domains, expected);
    assert!(certificates.depend_on_name() && certificates.has("Example.NET"));
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
    // Root may write everywhere, but not into a file.
    let state = above.path().join("state");
    let certificates = Certificates::open(&settings(&state, ClientTls::Auto)).expect("a warning");
    assert!(certificates.domains().is_empty());
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
    let pem = Pem::make("example.org", None, NOW).expect("made");
    fs::write(&certificate, pem.certificate().to_pem().expect("PEM")).expect("written");
    let traditional = pem
        .key()
        .ec_key()
        .and_then(|key| key.private_key_to_pem())
        .expect("PEM");
    fs::write(&key, traditional).expect("written");
    fs::write(
        &other,
        Pem::make("a.b", None, NOW)
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
