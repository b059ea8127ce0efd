//! How streams begin, as clients and servers write it.

/// A stream header as Pidgin writes it.
pub(crate) fn client_header(domain: &str) -> String {
    format!(
        "<?xml version='1.0' ?><stream:stream to='{domain}' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    )
}

/// A stream header as Prosody writes it.
pub(crate) fn server_header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xml:lang='en' id='5ded7657-5696-4c86-ab1b-7e0de8fb70ae' \
         version='1.0' xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' \
         from='{domain}'>"
    )
}

pub(crate) const STARTTLS: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\
    <required/></starttls></stream:features>";

pub(crate) const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

pub(crate) const MECHANISMS: &str = "<stream:features><mechanisms \
    xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>";

pub(crate) const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\
    AGp1bGlldABwdy1qdWxpZXQ=</auth>";

pub(crate) const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

pub(crate) const BIND_FEATURES: &str = "<stream:features><bind \
    xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind></stream:features>";

pub(crate) const BIND: &str = "<iq type='set' id='bind'><bind \
    xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>";

/// The server's answer to [`BIND`].
pub(crate) fn bound(jid: &str) -> String {
    format!(
        "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>{jid}</jid></bind></iq>"
    )
}

pub(crate) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

pub(crate) const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
