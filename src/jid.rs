//! Addresses as RFC 6122 writes them: `local@domain/resource`.
//!
//! They are compared byte by byte: every address a rule compares was written by a server, which has
//! prepared it already.

/// `jid` without its resource.
pub fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// The resource of `jid`, if it has one.
pub fn resource(jid: &str) -> Option<&str> {
    jid.split_once('/').map(|(_, resource)| resource)
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

/// `jid` as a server writes it, as far as case goes: all but the resource in lower case (RFC 6122 §3).
pub fn lowercase(jid: &str) -> String {
    let (bare, resource) = jid.split_at(bare(jid).len());
    bare.to_lowercase() + resource
}

/// Whether `jid` names an account: a local part and a domain of lengths that may be (RFC 6122 §2.1), no
/// resource.
pub fn is_account(jid: &str) -> bool {
    let may_be = |part: &str| (1..=1023).contains(&part.len());
    resource(jid).is_none() && local(jid).is_some_and(may_be) && may_be(domain(jid))
}

/// Whether `name` may be a domain: what a stream's `to` has to be.
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
    use super::*;

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
