use std::os::unix::fs::PermissionsExt as _;

use openssl::pkey::PKey;
use openssl::x509::X509;

use super::*;

/// Some day in 2026.
const NOW: i64 = 1_790_000_000;

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o7777
}

/// A certificate as OpenSSL's own program prints it.
fn text(pem: &Pem) -> String {
    let text = pem.certificate().to_text().expect("text");
    let text = String::from_utf8(text).expect("UTF-8");
    // Versions of OpenSSL differ in these spaces.
    text.replace("CN = ", "CN=")
}

fn print(kept: &Kept) -> String {
    let [sha256, _] = kept.pem.fingerprints().expect("fingerprints");
    sha256
}

fn expires(kept: &Kept) -> i64 {
    kept.pem.expires().expect("a date")
}

/// A state folder inside a temporary one.
fn folder() -> (tempfile::TempDir, Folder) {
    let above = tempfile::tempdir().expect("folder");
    let folder = Folder::new(Some(&above.path().join("state"))).expect("a folder");
    (above, folder)
}

#[test]
fn what_is_in_a_made_one() {
    let pem = make("example.org", None, NOW).expect("made");
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
    let other = make("example.org", None, NOW).expect("made");
    let serial = |pem: &Pem| pem.certificate().serial_number().to_bn().expect("number");
    assert_ne!(serial(&pem), serial(&other));
    assert!(!serial(&pem).is_negative() && serial(&pem).num_bits() == 127);
}

#[test]
fn names_that_are_not_said_twice_or_too_long() {
    let localhost = text(&make("localhost", None, NOW).expect("made"));
    assert_eq!(localhost.matches("DNS:localhost").count(), 1, "{localhost}");
    let address = text(&make("192.0.2.7", None, NOW).expect("made"));
    assert!(
        address.contains("IP Address:192.0.2.7, DNS:localhost"),
        "{address}"
    );
    let long = format!("{}.example.org", "a".repeat(60));
    let text = text(&make(&long, None, NOW).expect("made"));
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
fn renewers_at_the_same_time_agree() {
    let (_above, folder) = folder();
    let first = folder.certificate("localhost", NOW).expect("made");
    let end = expires(&first);
    let barrier = std::sync::Barrier::new(8);
    let prints: Vec<_> = std::thread::scope(|scope| {
        let renew = || {
            barrier.wait();
            let kept = folder.certificate("localhost", end).expect("renewed");
            print(&kept)
        };
        let renewers: Vec<_> = (0..8).map(|_| scope.spawn(renew)).collect();
        let prints = renewers.into_iter().map(|it| it.join().expect("renewed"));
        prints.collect()
    });
    assert!(prints.iter().all(|print| *print == prints[0]), "{prints:?}");
    assert_ne!(prints[0], print(&first));
    let parent = first.file.parent().expect("a folder");
    let files = fs::read_dir(parent).expect("readable").count();
    assert_eq!(files, 1, "nothing else is left");
}

#[test]
fn what_is_new_is_known() {
    let (_above, folder) = folder();
    let is_new = |now| {
        let kept = folder.certificate("localhost", now).expect("kept");
        (kept.is_new, expires(&kept))
    };
    let (made, end) = is_new(NOW);
    assert!(made);
    assert!(!is_new(NOW).0 && !is_new(end - DAY).0);
    assert!(is_new(end).0);
    assert!(!is_new(end).0);
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
        "a..b",
        "a.b..",
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
    assert_eq!(file_domain("Example.org.").as_deref(), Ok("example.org"));
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

#[test]
fn a_folder_or_file_of_others() {
    for (owner, mode, is_good) in [
        (1000, 0o700, true),
        (1000, 0o755, true),
        (0, 0o755, true),
        (1001, 0o700, false),
        (1000, 0o770, false),
        (1000, 0o702, false),
        (0, 0o1777, false),
    ] {
        let fault = fault_of_folder(owner, mode, 1000);
        assert_eq!(fault.is_none(), is_good, "{owner} {mode:o}: {fault:?}");
    }
    for (owner, mode, is_good) in [
        (1000, 0o600, true),
        (1000, 0o400, true),
        (1001, 0o600, false),
        (0, 0o600, false),
        (1000, 0o640, false),
        (1000, 0o602, false),
    ] {
        let fault = fault_of_file(owner, mode, 1000);
        assert_eq!(fault.is_none(), is_good, "{owner} {mode:o}: {fault:?}");
    }
}
