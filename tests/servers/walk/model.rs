//! Presence as it is sent and as it is shown.

use super::rng::Rng;
use crate::puppet::Presence as Seen;

/// A client's view of a full JID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Gone,
    /// Children of the presence, sorted by name.
    There(Vec<String>),
}

impl Shown {
    /// The view after this presence; `None` if it is no broadcast.
    pub(super) fn of(seen: &Seen) -> Option<Self> {
        match &*seen.type_ {
            "" => Some(Self::There(comparable(seen.parts.clone()))),
            "unavailable" => Some(Self::Gone),
            _ => None,
        }
    }
}

/// A presence to send.
#[derive(Clone)]
pub(super) struct Presence {
    pub(super) xml: String,
    pub(super) shown: Shown,
    /// The priority is not negative: events, which go to the bare JID, arrive.
    pub(super) is_reachable: bool,
}

impl Presence {
    /// A random presence; `serial` makes it different from others, if it has a status.
    pub(super) fn random(rng: &mut Rng, serial: usize) -> Self {
        let count = if rng.once_in(8) { 0 } else { 1 + rng.below(5) };
        let mut children: Vec<_> = (0..count).map(|_| rng.below(7)).collect();
        children.sort_unstable();
        children.dedup();
        let children = children.into_iter().map(|it| child(rng, it, serial));
        let children = children.collect();
        Self::with(rng, children, serial)
    }

    /// A presence that is like no other.
    pub(super) fn unique(rng: &mut Rng, serial: usize) -> Self {
        let children = vec![child(rng, 0, serial), child(rng, 1, serial)];
        Self::with(rng, children, serial)
    }

    fn with(rng: &mut Rng, children: Vec<(String, String)>, serial: usize) -> Self {
        let (xml, parts): (Vec<_>, Vec<_>) = children.into_iter().unzip();
        let id = match rng.below(3) {
            0 => String::new(),
            1 => format!(" id='walk-{serial}'"),
            _ => " id='the-same-for-all'".to_string(),
        };
        Self {
            xml: format!("<presence{id}>{}</presence>", xml.concat()),
            is_reachable: !parts.iter().any(|it| it.contains("}priority>-")),
            shown: Shown::There(comparable(parts)),
        }
    }

    pub(super) fn unavailable(rng: &mut Rng, serial: usize) -> Self {
        let xml = match rng.below(3) {
            0 => "<presence type='unavailable'/>".to_string(),
            1 => format!("<presence type='unavailable' id='walk-{serial}'/>"),
            _ => "<presence type='unavailable'><status>Bye</status></presence>".to_string(),
        };
        Self {
            xml,
            shown: Shown::Gone,
            is_reachable: false,
        }
    }
}

/// One of seven children to send, and the form in which `flat` in `puppet.py` writes it.
fn child(rng: &mut Rng, which: usize, serial: usize) -> (String, String) {
    let client = |name: &str, text: &str| {
        let xml = text.replace('&', "&amp;").replace('<', "&lt;");
        (
            format!("<{name}>{xml}</{name}>"),
            format!("<{{jabber:client}}{name}>{text}</>"),
        )
    };
    match which {
        0 => client("show", rng.pick(&["away", "chat", "dnd", "xa"])),
        1 => client("status", &format!("<{serial}> ü & \"so\"")),
        2 => status_in("it", serial),
        3 => status_in("de-AT", serial),
        4 => client("priority", rng.pick(&["-128", "-1", "0", "5", "127"])),
        5 => (
            format!("<c xmlns='{CAPS}' hash='sha-1' node='urn:example:walk' ver='walk{serial}='/>"),
            format!("<{{{CAPS}}}c hash='sha-1' node='urn:example:walk' ver='walk{serial}='></>"),
        ),
        _ => (
            format!("<w:mood xmlns:w='urn:example:walk' n='{serial}'>x<y xmlns='urn:y'/></w:mood>"),
            format!("<{{urn:example:walk}}mood n='{serial}'>x<{{urn:y}}y></></>"),
        ),
    }
}

const CAPS: &str = "http://jabber.org/protocol/caps";

fn status_in(lang: &str, serial: usize) -> (String, String) {
    (
        format!("<status xml:lang='{lang}'>{serial} {lang}</status>"),
        format!(
            "<{{jabber:client}}status {{http://www.w3.org/XML/1998/namespace}}lang='{lang}'>{serial} {lang}</>"
        ),
    )
}

/// Drops children that servers and shims add and a priority of 0, and sorts the rest, as servers change the order.
fn comparable(mut parts: Vec<String>) -> Vec<String> {
    const NOT_THE_SENDERS: [&str; 3] = [
        "<{urn:xmpp:delay}",
        "<{vcard-temp:x:update}",
        "<{urn:pubshim:0}",
    ];
    parts.retain(|part| {
        part != "<{jabber:client}priority>0</>"
            && !NOT_THE_SENDERS.iter().any(|it| part.starts_with(it))
    });
    parts.sort();
    parts
}
