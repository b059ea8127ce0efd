//! Errors in the XML of a peer.

/// A violation of RFC 6120 §11 or of our [`Limits`](super::Limits); it ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not XML.
    #[error("not well-formed XML: {0}")]
    NotWellFormed(&'static str),
    /// XML, but with what RFC 6120 §11.1 forbids.
    #[error("forbidden in XMPP: {0}")]
    Restricted(&'static str),
    /// A prefix nobody declared, or a declaration that is not allowed.
    #[error("bad namespace prefix: {0}")]
    BadPrefix(&'static str),
    /// XML where a stream has no place for it, such as text between stanzas.
    #[error("not a stream of stanzas: {0}")]
    BadFormat(&'static str),
    /// Not UTF-8 (RFC 6120 §11.6).
    #[error("not UTF-8")]
    Encoding,
    /// A limit was exceeded.
    #[error("too large: {0}")]
    TooBig(&'static str),
}

impl XmlError {
    /// The stream error condition (RFC 6120 §4.9.3) to answer with.
    pub fn condition(self) -> &'static str {
        match self {
            Self::NotWellFormed(_) => "not-well-formed",
            Self::Restricted(_) => "restricted-xml",
            Self::BadPrefix(_) => "bad-namespace-prefix",
            Self::BadFormat(_) => "bad-format",
            Self::Encoding => "unsupported-encoding",
            Self::TooBig(_) => "policy-violation",
        }
    }
}
