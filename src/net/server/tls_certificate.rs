//! Names, dates and issuer of a server's certificate in printable form: they come from a stranger.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::x509::{X509, X509NameRef};
use time::{Duration, OffsetDateTime};

/// Names kept for printing.
const NAMES: usize = 3;
/// Characters of the issuer's name kept for printing.
const ISSUER: usize = 64;

/// The printable part of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The first names that the certificate is for, in lower case.
    names: Vec<String>,
    /// Number of further names, among them those that are no domain names.
    more: usize,
    /// The certificate is for the domain that was asked for.
    pub(super) is_right: bool,
    /// Beginning of its validity.
    pub(super) from: Option<OffsetDateTime>,
    /// End of its validity.
    pub(super) until: Option<OffsetDateTime>,
    /// The issuer's name; `None` if none can be printed.
    pub(super) issuer: Option<String>,
}

impl Certificate {
    /// Reads a certificate in DER that was shown for `domain`.
    pub(super) fn read(der: &[u8], domain: &str) -> Option<Self> {
        let certificate = X509::from_der(der).ok()?;
        let alternatives = certificate.subject_alt_names();
        let mut all: Vec<_> = alternatives
            .iter()
            .flatten()
            .filter_map(|name| name.dnsname().map(str::to_ascii_lowercase))
            .collect();
        // The common name counts only if there is no alternative name (RFC 6125 §6.4.4).
        if all.is_empty() {
            all.extend(entry(certificate.subject_name(), Nid::COMMONNAME));
        }
        let is_right = all.iter().any(|name| covers(name, domain));
        let names = all.iter().filter(|name| is_domain(name)).take(NAMES);
        let names: Vec<_> = names.cloned().collect();
        Some(Self {
            more: all.len() - names.len(),
            names,
            is_right,
            from: moment(certificate.not_before()),
            until: moment(certificate.not_after()),
            issuer: [Nid::COMMONNAME, Nid::ORGANIZATIONNAME]
                .iter()
                .find_map(|nid| entry(certificate.issuer_name(), *nid))
                .map(|name| printable(&name))
                .filter(|name| !name.is_empty()),
        })
    }

    /// The names of the certificate as a part of a sentence; `None` if none can be printed.
    pub(super) fn names(&self) -> Option<String> {
        let (last, others) = self.names.split_last()?;
        let text = match (others, self.more) {
            ([], 0) => last.clone(),
            (_, 0) => format!("{} and {last}", others.join(", ")),
            (_, more) => format!("{} and {more} more", self.names.join(", ")),
        };
        Some(text)
    }
}

/// One entry of a distinguished name.
fn entry(name: &X509NameRef, nid: Nid) -> Option<String> {
    let text = name.entries_by_nid(nid).next()?.data();
    text.to_string().ok()
}

/// Whether a name in a certificate stands for `domain` (RFC 6125 §6.4).
fn covers(name: &str, domain: &str) -> bool {
    let under = name.strip_prefix("*.");
    let is_below = |under| {
        let parent = domain.split_once('.').map(|(_, parent)| parent);
        // OpenSSL accepts no wildcard for a whole top-level domain.
        parent.is_some_and(|it| it.contains('.') && it.eq_ignore_ascii_case(under))
    };
    name.eq_ignore_ascii_case(domain) || under.is_some_and(is_below)
}

/// Whether this looks like the name of a host in DNS, or a wildcard.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&label.len()) && label.bytes().all(is_right)
    };
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && name.split('.').all(is_label)
}

/// The harmless part of a stranger's text: without characters that move the cursor, change the direction of writing
/// or end a quotation.
fn printable(text: &str) -> String {
    let is_shown = |c: &char| c.is_alphanumeric() || " .,-_'&()/:+@".contains(*c);
    let mut shown: String = text.chars().filter(is_shown).take(ISSUER + 1).collect();
    if let Some((at, _)) = shown.char_indices().nth(ISSUER) {
        shown.truncate(at);
        shown.push('…');
    }
    shown.trim().to_owned()
}

/// A time of OpenSSL's; `None` if it is out of range.
fn moment(time: &Asn1TimeRef) -> Option<OffsetDateTime> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let since = Duration::days(since.days.into()) + Duration::seconds(since.secs.into());
    OffsetDateTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    /// A certificate with these names and this common name, which is its issuer's, too.
    fn certificate(names: &[&str], common_name: &str) -> Certificate {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(2026, 1, 2);
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        Certificate::read(made.der(), "example.org").expect("a certificate")
    }

    #[test]
    fn three_names_and_a_count() {
        let names = |names: &[&str]| certificate(names, "x").names();
        assert_eq!(names(&["a.example"]).as_deref(), Some("a.example"));
        assert_eq!(names(&["a", "B.c"]).as_deref(), Some("a and b.c"));
        assert_eq!(names(&["a", "b", "c"]).as_deref(), Some("a, b and c"));
        assert_eq!(
            names(&["a", "b", "*.c", "d", "e"]).as_deref(),
            Some("a, b, *.c and 2 more")
        );
        let from_common_name = certificate(&[], "a.example").names();
        assert_eq!(from_common_name.as_deref(), Some("a.example"));
    }

    #[test]
    fn dates_and_issuer() {
        let it = certificate(&["a"], "Verona CA");
        let date = |at: Option<OffsetDateTime>| at.map(|at| at.date().to_string());
        assert_eq!(date(it.from).as_deref(), Some("2020-02-29"));
        assert_eq!(date(it.until).as_deref(), Some("2026-01-02"));
        assert_eq!(it.issuer.as_deref(), Some("Verona CA"));
    }

    #[test]
    fn what_is_no_domain_is_not_printed() {
        let hostile = [
            "a b",
            "\u{1b}[31mred",
            "x\nWARN all is well",
            "<b>",
            "..",
            "",
            "a..b",
        ];
        let long = format!("{}.example", "a".repeat(64));
        let names = [&hostile[..], &[&long, "real.example"]].concat();
        let it = certificate(&names, "x");
        assert_eq!(it.names().as_deref(), Some("real.example and 8 more"));
        assert_eq!(certificate(&hostile, "x").names(), None);
    }

    #[test]
    fn a_hostile_issuer_is_cut() {
        let issuer = |name: &str| certificate(&["a"], name).issuer;
        assert_eq!(
            issuer("\u{1b}[2J\"Veröna\"\n\u{202e}CA").as_deref(),
            Some("2JVerönaCA")
        );
        assert_eq!(issuer("\u{7}\u{202e}"), None);
        let cut = issuer(&"ä".repeat(1000)).expect("an issuer");
        assert_eq!(cut.chars().count(), ISSUER + 1);
    }

    #[test]
    fn which_names_are_right() {
        for (name, is_right) in [
            ("example.org", true),
            ("*.org", false),
            ("*.example.org", false),
            ("org", false),
            ("*", false),
        ] {
            assert_eq!(certificate(&[name], "x").is_right, is_right, "{name}");
        }
        assert!(covers("*.Example.org", "xmpp.example.org"));
        assert!(!covers("*.example.org", "a.xmpp.example.org"));
    }
}
