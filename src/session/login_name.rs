//! The account a client logs in to, for the log, if SASL names it in plain sight.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::jid;
use crate::xml::Element;

/// The account that an `<auth/>` of a client of `domain` names, by PLAIN (RFC 4616) or SCRAM (RFC 5802 §7).
pub(super) fn login_name(auth: &Element<'_>, domain: &str) -> Option<String> {
    let said = BASE64_STANDARD.decode(auth.text().trim()).ok()?;
    let said = std::str::from_utf8(&said).ok()?;
    let mechanism = auth.attribute("mechanism")?;
    let name = match &*mechanism {
        // A client that leaves out the first NUL may have its password where the name should be.
        "PLAIN" => match *said.split('\0').collect::<Vec<_>>() {
            [_, name, _] => name,
            _ => return None,
        },
        scram if scram.starts_with("SCRAM-") => {
            said.split(',').find_map(|part| part.strip_prefix("n="))?
        }
        _ => return None,
    };
    match name {
        "" => None,
        account if jid::is_account(account) => Some(account.to_owned()),
        local => Some(format!("{local}@{domain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Framer, Limits};

    #[test]
    fn a_login_names_its_account() {
        let mut framer = Framer::new(Limits::AFTER_LOGIN);
        let header = b"<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";
        framer.next(header).expect("good").expect("whole");
        let namespaces = framer.namespaces().expect("a header").clone();
        let name = |mechanism: &str, said: &str| {
            let said = BASE64_STANDARD.encode(said);
            let auth = format!("<auth mechanism='{mechanism}'>{said}</auth>");
            let auth = Element::of_frame(auth.as_bytes(), &namespaces).expect("whole");
            login_name(&auth, "capulet.lit")
        };
        let juliet = Some("juliet@capulet.lit".to_owned());
        assert_eq!(name("PLAIN", "\0juliet\0secret"), juliet);
        assert_eq!(name("PLAIN", "\0juliet@capulet.lit\0secret"), juliet);
        assert_eq!(name("SCRAM-SHA-1", "n,,n=juliet,r=nonce"), juliet);
        assert_eq!(
            name("SCRAM-SHA-1-PLUS", "p=tls-unique,,n=juliet,r=n"),
            juliet
        );
        for (mechanism, said) in [
            ("PLAIN", "secret"),
            ("PLAIN", "juliet\0secret"),
            ("PLAIN", "\0juliet\0\0secret"),
            ("PLAIN", "\0\0secret"),
            ("SCRAM-SHA-1", "n,,r=nonce"),
            ("EXTERNAL", "juliet"),
            ("X-OAUTH2", "\0juliet\0token"),
        ] {
            assert_eq!(name(mechanism, said), None, "{mechanism} {said}");
        }
    }
}
