//! Stanzas that no rule names: each arrives, once, in order, byte for byte.

use std::collections::VecDeque;

use pubshim::session::{Leg, Policy};
use pubshim::xml::Element;

/// Stanzas written and not arrived, by the leg they go to, oldest first.
#[derive(Default)]
pub(super) struct Passing {
    waiting: [VecDeque<Vec<u8>>; 2],
    serial: usize,
}

/// Every id begins with this, and nothing else that is said does.
const ID: &str = "pass-";

/// Whether an element is one of these: nobody answers it.
pub(super) fn is_passing(element: &Element<'_>) -> bool {
    let id = element.attribute("id");
    id.is_some_and(|id| id.starts_with(ID))
}

impl Passing {
    /// A new stanza to be written, of one of several kinds; none if a rule may name it.
    pub(super) fn write(&mut self, to: Leg, kind: u8, policy: Policy) -> Option<String> {
        self.serial += 1;
        let id = format!("{ID}{}", self.serial);
        let text = match (to, policy) {
            (Leg::Server, Policy::Auto) => from_client(&id, kind),
            (Leg::Client, Policy::Auto | Policy::Pure) => from_server(&id, kind),
            // Under pure nothing but pubsub leaves; under off nothing is read.
            _ => return None,
        };
        self.waiting[to as usize].push_back(text.clone().into_bytes());
        Some(text)
    }

    /// Looks at what was sent on a leg.
    pub(super) fn look_at(&mut self, leg: Leg, sent: &[u8]) {
        let is_one = sent.windows(ID.len()).any(|it| it == ID.as_bytes());
        if !is_one {
            return;
        }
        let next = self.waiting[leg as usize].pop_front();
        assert_eq!(
            next.map(|it| String::from_utf8_lossy(&it).into_owned()),
            Some(String::from_utf8_lossy(sent).into_owned()),
            "{leg}: what no rule names, as it was written and as it was sent"
        );
    }

    /// Everything that was read on the other leg has been sent.
    pub(super) fn expect_none(&self, leg: Leg) {
        let waiting = &self.waiting[leg as usize];
        let first = waiting.front().map(|it| String::from_utf8_lossy(it));
        assert_eq!(first, None, "{leg}: lost, of {}", waiting.len());
    }
}

fn from_client(id: &str, kind: u8) -> String {
    match kind % 6 {
        0 => format!(
            "<message to='bard@shakespeare.lit' type='chat' id='{id}'><body>Hi</body></message>"
        ),
        1 => format!(
            "<message to='room@muc.lit' id='{id}' type='groupchat'><body>All</body></message>"
        ),
        2 => format!(
            "<iq type='get' to='bard@shakespeare.lit/globe' id='{id}'><q xmlns='urn:q'/></iq>"
        ),
        3 => format!("<iq type='set' to='montague.lit' id='{id}'><q xmlns='urn:q'><a/></q></iq>"),
        4 => odd("to", id),
        _ => format!("<iq type='result' to='bard@shakespeare.lit/globe' id='{id}'/>"),
    }
}

fn from_server(id: &str, kind: u8) -> String {
    let from = "from='bard@shakespeare.lit/globe'";
    match kind % 10 {
        0 => format!("<message {from} type='chat' id='{id}'><body>Hi</body></message>"),
        1 => format!(
            "<message from='room@muc.lit/b' type='groupchat' id='{id}'><body>All</body></message>"
        ),
        2 => format!("<iq type='get' {from} id='{id}'><q xmlns='urn:q'/></iq>"),
        3 => format!("<iq type='result' {from} id='{id}'/>"),
        4 => odd("from", id),
        5 => format!(
            "<message from='montague.lit' type='error' id='{id}'><error type='cancel'/></message>"
        ),
        6 => {
            format!("<presence from='paris@many.lit/{id}' id='{id}'><status>Hi</status></presence>")
        }
        _ => odd("from", id),
    }
}

/// An element in a style that no program writes.
fn odd(address: &str, id: &str) -> String {
    format!(
        "<message\n\t{address}=\"bard@shakespeare.lit\"   id='{id}' ><y:a xmlns:y='urn:y' y:b=''/>\
         <body\n>&#x1F600;<![CDATA[<&]]>\r\n&gt;</body\t></message >"
    )
}
