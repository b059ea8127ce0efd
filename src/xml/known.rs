//! Namespaces as numbers: each one that pubshim knows has its own, any other has the place of its declaration.

use super::Namespaces;
use super::chars::unescape;
use crate::ns;
use std::borrow::Cow;

/// The namespaces that pubshim looks for in stanzas, and those that may not be declared. The number of each is its
/// place, from 1.
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

/// The length of the hash table of [`KNOWN`]: so long that few share a slot.
const SLOTS: usize = 256;
static TABLE: [u8; SLOTS] = table();

/// A namespace written with more bytes is not told from others as long: nobody knows one, and whoever asks each of
/// many elements for its namespace must not read a long one again for each. Known ones are shorter, even if each
/// character is written as a reference.
const LONGEST: usize = 1024;

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

/// The slot where the search for a namespace begins, which must not be empty.
const fn slot(namespace: &[u8]) -> usize {
    let len = namespace.len();
    let last = namespace[len - 1] as usize;
    let third = namespace[len - len.div_ceil(3)] as usize;
    (len * 7 + last * 31 + third * 5) % SLOTS
}

/// A namespace in a frame: the number of a known one, or the place where another is declared.
///
/// Two places may declare the same namespace, so numbers of unknown ones are compared by
/// [`Declarations::namespace`](super::declarations::Declarations::namespace) only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Number(u32);

impl Number {
    pub(super) const NONE: Self = Self(0);
    pub(super) const XML: Self = Self(54);
    pub(super) const XMLNS: Self = Self(55);
    /// Any namespace of more than [`LONGEST`] bytes.
    const LONG: Self = Self(63);
    /// The number of a namespace declared in the frame is this and the place where the value of its declaration begins.
    const PLACES: u32 = 64;
    /// The number of a namespace declared by the stream's header is this and which of its declarations it is.
    const STREAM: u32 = 1 << 31;
    /// The most bytes of a frame: each place in it has a number.
    pub(super) const MOST: usize = (Self::STREAM - Self::PLACES) as usize;

    /// The number of `namespace`, if it is a known one.
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

    /// The number of the namespace that a declaration in a frame declares. Its value is written as `value`, which
    /// begins at `place`, below [`MOST`](Self::MOST).
    pub(super) fn of(value: &[u8], place: u32) -> Self {
        if value.len() > LONGEST {
            return Self::LONG;
        }
        let known = match memchr::memchr(b'&', value) {
            None => Self::known(value),
            Some(_) => Self::known(meaning(value).as_bytes()),
        };
        known.unwrap_or(Self::at(place))
    }

    /// The number of an unknown namespace, declared at `place`.
    pub(super) fn at(place: u32) -> Self {
        Self(Self::PLACES + place)
    }

    /// The number of an unknown namespace that the stream's declaration `binding` declares.
    pub(super) fn of_stream(binding: usize) -> Self {
        // A header has fewer declarations than bytes.
        Self(Self::STREAM | u32::try_from(binding).unwrap_or(0))
    }

    /// Whether it has the same number wherever it is declared.
    pub(super) fn is_known(self) -> bool {
        self.0 < Self::LONG.0
    }

    /// The bit that stands for a known namespace; none for others.
    pub(super) fn bit(self) -> u64 {
        match self.0 {
            number @ 1..Self::PLACES => 1 << number,
            _ => 0,
        }
    }

    /// The namespace in a frame with this `text`; `…` for a long one.
    pub(super) fn namespace<'a>(self, text: &'a str, stream: &'a Namespaces) -> Cow<'a, str> {
        match self.0 {
            number @ Self::STREAM.. => {
                let namespace = stream.iter().nth((number ^ Self::STREAM) as usize);
                Cow::Borrowed(namespace.map_or("", |(_, namespace)| namespace))
            }
            _ => self.declared(text),
        }
    }

    /// The same for a namespace that the stream's header does not declare.
    pub(super) fn declared(self, text: &str) -> Cow<'_, str> {
        match self.0 {
            0 => Cow::Borrowed(""),
            _ if self == Self::LONG => Cow::Borrowed("…"),
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

/// The namespace that the checked `value` of a declaration stands for.
pub(super) fn meaning(value: &[u8]) -> Cow<'_, str> {
    unescape(std::str::from_utf8(value).unwrap_or_default())
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
            assert!(known.len() * "&#x00000000;".len() <= LONGEST, "{known}");
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
