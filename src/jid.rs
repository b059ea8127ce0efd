//! Addresses as RFC 6122 writes them: `local@domain/resource`.
//!
//! Rules compare bare JIDs byte by byte, in the form servers prepare (nodeprep, nameprep). A server writes JIDs
//! prepared; those of clients, other services and records are prepared here, once, where they come in. A resource is
//! opaque: neither trimmed nor folded. Stanzas that are passed on keep the spelling they came in.

use std::borrow::Cow;

/// Longest bare JID that is prepared, in bytes: three times what RFC 6122 §2.1 allows, since preparing may shorten it.
const MOST_UNPREPARED: usize = 3 * (1023 + 1 + 1023);

/// `jid` without its resource.
pub fn bare(jid: &str) -> &str {
    let end = memchr::memchr(b'/', jid.as_bytes());
    end.map_or(jid, |at| &jid[..at])
}

/// The resource of `jid`, if it has one.
pub fn resource(jid: &str) -> Option<&str> {
    let end = memchr::memchr(b'/', jid.as_bytes());
    end.map(|at| &jid[at + 1..])
}

/// The part of `jid` before its `@`, if it has one.
pub fn local(jid: &str) -> Option<&str> {
    bare(jid).split_once('@').map(|(local, _)| local)
}

/// The domain of `jid`.
pub fn domain(jid: &str) -> &str {
    let bare = bare(jid);
    bare.split_once('@').map_or(bare, |(_, domain)| domain)
}

/// `jid` as a server writes it (RFC 6122 §2): its local part after nodeprep, its domain after nameprep, its
/// resource untouched. `None` for a JID that servers refuse: with a part that is empty, too long or has forbidden
/// characters.
///
/// A domain in ASCII (`xn--…`) is not changed to Unicode: to servers these are two domains.
pub fn prepare(jid: &str) -> Option<Cow<'_, str>> {
    let bare = bare(jid);
    if bare.len() > MOST_UNPREPARED {
        return None;
    }
    let prepared = prepare_bare(bare)?;
    // Refuse JIDs with characters newer than stringprep's Unicode 3.2 that turn into capitals, as servers do.
    let is_stable = is_plain(&prepared) || prepare_bare(&prepared)? == prepared;
    is_stable.then(|| with_bare(jid, prepared))
}

fn prepare_bare(bare: &str) -> Option<String> {
    let Some((local, domain)) = bare.split_once('@') else {
        return Some(::jid::DomainPart::new(bare).ok()?.to_string());
    };
    let local = ::jid::NodePart::new(local).ok()?;
    let domain = ::jid::DomainPart::new(domain).ok()?;
    Some(format!("{}@{}", local.as_str(), domain.as_str()))
}

/// A cheap check: if `true`, preparing a bare JID changes nothing.
fn is_plain(bare: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"@.-_".contains(&byte);
    bare.bytes().all(is_plain)
}

/// As [`prepare`], for comparing: a JID that cannot be prepared is put in lower case instead.
pub fn prepared(jid: &str) -> Cow<'_, str> {
    if is_plain(bare(jid)) {
        return Cow::Borrowed(jid);
    }
    prepare(jid).unwrap_or_else(|| with_bare(jid, bare(jid).to_lowercase()))
}

/// `jid` with another bare JID before its resource.
fn with_bare(jid: &str, bare: String) -> Cow<'_, str> {
    let (before, resource) = jid.split_at(self::bare(jid).len());
    match bare == before {
        true => Cow::Borrowed(jid),
        false => Cow::Owned(bare + resource),
    }
}

/// The JID in a text, without white space around it. Spaces at the end of a resource stay, line breaks do not.
pub fn in_text(text: &str) -> &str {
    let jid = text.trim_start();
    match resource(jid) {
        Some(_) => jid.split(['\r', '\n']).next().unwrap_or_default(),
        None => jid.trim_end(),
    }
}

/// Whether `jid` names an account: a local part and a domain of allowed lengths (RFC 6122 §2.1), no resource.
pub fn is_account(jid: &str) -> bool {
    let may_be = |part: &str| (1..=1023).contains(&part.len());
    resource(jid).is_none() && local(jid).is_some_and(may_be) && may_be(domain(jid))
}

/// Whether two domains are the same in DNS, regardless of case and script.
pub fn is_same_domain(one: &str, other: &str) -> bool {
    let ascii = |domain: &str| idna::domain_to_ascii(domain.trim_end_matches('.')).ok();
    one.eq_ignore_ascii_case(other)
        || ascii(one).is_some_and(|one| ascii(other).is_some_and(|other| one == other))
}

/// Whether `name` may be a domain, as a stream's `to` has to be.
pub fn is_domain(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "\"&'/:<>@".contains(c);
    let literal = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match literal {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => (1..=1023).contains(&name.len()) && !name.contains(forbidden),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn domains_in_every_script_and_case() {
        for (one, other) in [
            ("Example.ORG", "example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "bücher.example"),
            ("example.org.", "example.org"),
        ] {
            assert!(is_same_domain(one, other), "{one} {other}");
        }
        for (one, other) in [("example.org", "example.com"), ("", "a"), ("xn--", "xn--a")] {
            assert!(!is_same_domain(one, other), "{one} {other}");
        }
    }

    /// From RFC 3491, RFC 6122 §A and B, XEP-0106; the fixtures' Käthe.
    #[test]
    fn an_address_is_prepared_as_servers_do() {
        for (typed, expected) in [
            ("Bard@Shakespeare.lit", "bard@shakespeare.lit"),
            ("Ángel@Montague.lit", "ángel@montague.lit"),
            ("KÄTHE@BÜCHER.example", "käthe@bücher.example"),
            ("Straße@capulet.lit", "strasse@capulet.lit"),
            ("\u{ff22}ard@shakespeare.lit", "bard@shakespeare.lit"),
            ("so\u{ad}ft@capulet.lit", "soft@capulet.lit"),
            (r"d\27Artagnan@montague.lit", r"d\27artagnan@montague.lit"),
            ("ICQ.Capulet.lit", "icq.capulet.lit"),
            ("xn--Bcher-kva.example", "xn--bcher-kva.example"),
            ("juliet@[::1]", "juliet@[::1]"),
        ] {
            assert_eq!(prepare(typed).as_deref(), Some(expected), "{typed}");
            assert_eq!(prepared(typed), expected, "{typed}");
        }
    }

    #[test]
    fn a_resource_is_not_prepared() {
        let jid = "Juliet@Capulet.lit/ Bal\u{ff43}ony/@ ";
        assert_eq!(prepared(jid), "juliet@capulet.lit/ Bal\u{ff43}ony/@ ");
        assert_eq!(
            prepared("juliet@capulet.lit/Home "),
            "juliet@capulet.lit/Home "
        );
    }

    #[test]
    fn a_jid_is_found_between_lines() {
        for (text, expected) in [
            ("\n  bard@shakespeare.lit\n  ", "bard@shakespeare.lit"),
            (" bard@shakespeare.lit ", "bard@shakespeare.lit"),
            ("bard@shakespeare.lit/globe ", "bard@shakespeare.lit/globe "),
            (
                "\n\tbard@shakespeare.lit/globe \r\n ",
                "bard@shakespeare.lit/globe ",
            ),
            ("", ""),
        ] {
            assert_eq!(in_text(text), expected);
        }
    }

    #[test]
    fn what_no_server_takes_is_compared_in_lower_case() {
        let long = "A".repeat(1024);
        for bad in [
            "",
            "@Capulet.lit",
            "Juliet@",
            "Ju liet@Capulet.lit",
            "Juliet@Capulet@Lit",
            "Juliet@Capu let.lit",
            "\u{200e}Juliet@Capulet.lit",
            "\u{1ccd6}@Capulet.lit",
            "\u{1ccd6}",
            &format!("{long}@capulet.lit"),
            &format!("juliet@{long}"),
            &"Ä".repeat(200_000),
        ] {
            assert_eq!(prepare(bad), None, "{bad}");
            assert_eq!(prepared(bad), bad.to_lowercase());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        /// A JID that was prepared and written to a record is found there again.
        #[test]
        fn preparing_twice_changes_nothing(jid in "\\PC{0,12}@?\\PC{0,12}(/.{0,6})?") {
            let once = prepared(&jid).into_owned();
            prop_assert_eq!(prepared(&once), once.as_str());
            prop_assert_eq!(resource(&once), resource(&jid));
        }

        #[test]
        fn no_text_makes_preparing_panic(jid in any::<String>(), at in any::<String>()) {
            prepared(&jid);
            prepare(&format!("{jid}@{at}"));
        }
    }

    #[test]
    fn a_resource_may_look_like_an_address() {
        let jid = "juliet@capulet.lit/a@b/c";
        assert_eq!(bare(jid), "juliet@capulet.lit");
        assert_eq!(resource(jid), Some("a@b/c"));
        assert_eq!(local(jid), Some("juliet"));
        assert_eq!(domain(jid), "capulet.lit");
        assert_eq!(domain("capulet.lit/a@b"), "capulet.lit");
        assert_eq!(local("capulet.lit/a@b"), None);
    }

    #[test]
    fn accounts_and_domains() {
        assert!(is_account("juliet@capulet.lit"));
        for other in [
            "capulet.lit",
            "@capulet.lit",
            "juliet@",
            "juliet@capulet.lit/balcony",
            "",
        ] {
            assert!(!is_account(other), "{other}");
        }
        assert!(is_domain("capulet.lit") && is_domain("[::1]") && is_domain("bücher.example"));
        for other in [
            "",
            "juliet@capulet.lit",
            "capulet.lit/x",
            "a b",
            "capulet.lit:5222",
            "[x]",
        ] {
            assert!(!is_domain(other), "{other}");
        }
    }
}
