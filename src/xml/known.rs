//! Namespaces as numbers: those pubshim knows have one each, others that of the place that declares them.

use super::Namespaces;
use super::chars::unescape;
use crate::ns;
use std::borrow::Cow;

/// The namespaces that somebody looks for in a stanza, or that may not be declared.
const KNOWN: [&str; 55] = [
    ns::CLIENT,
    ns::STREAM,
    ns::STREAM_ERRORS,
    ns::STANZA_ERRORS,
    ns::TLS,
    ns::SASL,
    ns::SASL2,
    ns::SASL_CB,
    ns::BIND,
    ns::SESSION,
    ns::REGISTER_FEATURE,
    ns::REGISTER,
    ns::IQ_AUTH,
    ns::ROSTERVER,
    ns::PRE_APPROVAL,
    ns::CAPS,
    ns::COMPRESS_FEATURE,
    ns::COMPRESS,
    ns::SM,
    ns::SM2,
    ns::CSI,
    ns::ROSTER,
    ns::DATA,
    ns::PUBSUB,
    ns::PUBSUB_OWNER,
    ns::PUBSUB_EVENT,
    ns::PUBSUB_ERRORS,
    ns::ADDRESS,
    ns::MUC,
    ns::MUC_USER,
    ns::MUC_OWNER,
    ns::MUC_ADMIN,
    ns::VCARD,
    ns::CONFERENCE,
    ns::OCCUPANT_ID,
    ns::RECEIPTS,
    ns::CHAT_MARKERS,
    ns::ENCRYPTED,
    ns::CHAT_STATES,
    ns::HINTS,
    ns::CARBONS,
    ns::FORWARD,
    ns::MAM,
    ns::PRIVACY,
    ns::INVISIBLE,
    ns::INVISIBLE_0,
    ns::BLOCKING,
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::DELAY,
    ns::DELAY_0,
    ns::SID,
    ns::SHIM,
    ns::XML,
    ns::XMLNS,
];

/// Places for the hashes of [`KNOWN`], so many that few share one.
const SLOTS: usize = 256;
static TABLE: [u8; SLOTS] = table();

const fn table() -> [u8; SLOTS] {
    let mut table = [0; SLOTS];
    let mut at = 0;
    let mut number = 1_u8;
    while at < KNOWN.len() {
        let mut slot = slot(KNOWN[at].as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = number;
        number += 1;
        at += 1;
    }
    table
}

/// Where the search for a namespace begins; it is not empty.
const fn slot(namespace: &[u8]) -> usize {
    let len = namespace.len();
    let last = namespace[len - 1] as usize;
    let third = namespace[len - len.div_ceil(3)] as usize;
    (len * 7 + last * 31 + third * 5) % SLOTS
}

/// What stands for a namespace in a frame: of a known one its number, of another the place of its declaration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(u32);

impl Number {
    pub(super) const NONE: Self = Self(0);
    pub(super) const XML: Self = Self(54);
    pub(super) const XMLNS: Self = Self(55);
    /// Above the known ones: where in the frame the value of the declaration begins.
    const PLACES: u32 = 64;
    /// From here on: which of the declarations of the stream's header.
    const STREAM: u32 = 1 << 31;
    /// The longest frame whose places have numbers.
    pub(super) const MOST: usize = (Self::STREAM - Self::PLACES) as usize;

    /// That of a known namespace, if `namespace` is one.
    pub(super) fn known(namespace: &[u8]) -> Option<Self> {
        if namespace.is_empty() {
            return Some(Self::NONE);
        }
        let mut slot = slot(namespace);
        loop {
            let number = TABLE[slot];
            let known = KNOWN.get(usize::from(number).checked_sub(1)?)?;
            if known.as_bytes() == namespace {
                return Some(Self(u32::from(number)));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// That of a namespace whose declaration's value begins at `place`, which is below [`MOST`](Self::MOST).
    pub(super) fn of(namespace: &[u8], place: u32) -> Self {
        Self::known(namespace).unwrap_or(Self(Self::PLACES + place))
    }

    /// That of an unknown one that is the stream's declaration `binding`.
    pub(super) fn of_stream(binding: usize) -> Self {
        // A header has fewer declarations than bytes.
        Self(Self::STREAM | u32::try_from(binding).unwrap_or(0))
    }

    /// The bit that stands for it among the known ones; none for others.
    pub(super) fn bit(self) -> u64 {
        match self.0 {
            number @ 1..Self::PLACES => 1 << number,
            _ => 0,
        }
    }

    /// The namespace it stands for in a frame with this `text`.
    pub(super) fn namespace<'a>(self, text: &'a str, stream: &'a Namespaces) -> Cow<'a, str> {
        match self.0 {
            number @ Self::STREAM.. => {
                let namespace = stream.iter().nth((number ^ Self::STREAM) as usize);
                Cow::Borrowed(namespace.map_or("", |(_, namespace)| namespace))
            }
            _ => self.declared(text),
        }
    }

    /// The same where it is none of the stream's.
    pub(super) fn declared(self, text: &str) -> Cow<'_, str> {
        match self.0 {
            0 => Cow::Borrowed(""),
            number @ 1..Self::PLACES => Cow::Borrowed(KNOWN[number as usize - 1]),
            number => {
                let place = number.saturating_sub(Self::PLACES) as usize;
                let quote = text.as_bytes()[place - 1];
                let value = &text[place..];
                let end = memchr::memchr(quote, value.as_bytes()).unwrap_or(value.len());
                unescape(&value[..end])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_namespace_has_a_number() {
        let stream = Namespaces::none();
        let mut bits = 0;
        for known in KNOWN {
            let number = Number::known(known.as_bytes()).expect(known);
            assert_eq!(number.namespace("", &stream), known);
            bits |= number.bit();
        }
        assert_eq!(bits.count_ones() as usize, KNOWN.len());
        for (namespace, number) in [
            ("", Some(Number::NONE)),
            (ns::XML, Some(Number::XML)),
            (ns::XMLNS, Some(Number::XMLNS)),
            ("jabber:clienT", None),
            ("x", None),
        ] {
            assert_eq!(Number::known(namespace.as_bytes()), number, "{namespace}");
        }
    }
}
