//! Stanzas in short, on one line.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::jid;
use crate::ns;
use crate::xml::Element;

/// Bytes after which a stanza is cut, approximately; values are cut at [`MOST_OF_VALUE`].
const MOST: usize = 400;
/// Most characters of a value.
const MOST_OF_VALUE: usize = 160;
/// Bytes from which an id is shown by its ends only.
const LONG: usize = 24;
/// Most elements inside each other.
const DEPTH: usize = 32;

/// A top-level element in short. Addresses of the account `own` are left out.
pub(super) fn short(element: &Element<'_>, own: &str) -> String {
    let mut short = Short {
        text: String::new(),
        depth: 0,
        own,
    };
    short.stanza(element);
    short.text
}

/// Name of a function, by an element in an IQ or another stanza.
pub(super) fn name(element: &Element<'_>) -> String {
    match element.local() {
        "query" | "x" | "pubsub" => tail(&element.namespace()).to_owned(),
        local => local.to_owned(),
    }
}

/// End of a namespace that names its purpose; a version belongs to it.
fn tail(namespace: &str) -> &str {
    let ends = namespace.rmatch_indices(['/', ':']);
    let mut ends = ends.map(|(at, _)| &namespace[at + 1..]);
    let is_name = |end: &&str| !end.bytes().all(|byte| byte.is_ascii_digit());
    ends.find(is_name).unwrap_or(namespace)
}

struct Short<'a> {
    text: String,
    /// Number of open elements around the current one.
    depth: usize,
    own: &'a str,
}

impl Short<'_> {
    fn stanza(&mut self, element: &Element<'_>) {
        self.text.push('<');
        self.text.push_str(element.local());
        if let Some(kind) = element.attribute("type") {
            self.text.push(' ');
            self.value(&kind);
        }
        self.text.push('>');
        for name in ["from", "to"] {
            let Some(address) = element.attribute(name) else {
                continue;
            };
            if address != self.own && address != jid::bare(self.own) {
                self.attribute(name, &address);
            }
        }
        match element.local() {
            "presence" => self.inside_presence(element),
            _ => self.inside(element),
        }
    }

    /// Writes texts; of other children the names.
    fn inside_presence(&mut self, presence: &Element<'_>) {
        for child in presence.children() {
            if self.is_full() {
                return;
            }
            match (child.children().next().is_none(), &*child.namespace()) {
                (true, ns::CLIENT) => self.child(&child),
                (_, ns::CLIENT) if child.local() == "error" => self.child(&child),
                _ => {
                    self.text.push(' ');
                    self.text.push_str(&name(&child));
                }
            }
        }
    }

    /// Writes text and children.
    fn inside(&mut self, element: &Element<'_>) {
        let text = element.text();
        if !text.trim().is_empty() {
            self.text.push(' ');
            self.quoted(text.trim());
        }
        let mut features = 0;
        for child in element.children() {
            if self.is_full() {
                return;
            }
            match (&*child.namespace(), child.local()) {
                (ns::DISCO_INFO, "feature") => features += 1,
                // Same as the publisher, which is shown.
                (ns::ADDRESS, "addresses") => {}
                _ => self.child(&child),
            }
        }
        if features > 0 {
            let _ = write!(self.text, " {features} features");
        }
    }

    fn child(&mut self, element: &Element<'_>) {
        self.depth += 1;
        match self.depth > DEPTH {
            true => self.text.push_str(" …"),
            false => self.describe(element),
        }
        self.depth -= 1;
    }

    fn describe(&mut self, element: &Element<'_>) {
        let namespace = element.namespace();
        match (&*namespace, element.local()) {
            (ns::PUBSUB | ns::PUBSUB_OWNER, "pubsub") => self.inside(element),
            (ns::PUBSUB_EVENT, "event") => {
                self.text.push_str(" event");
                self.inside(element);
            }
            (ns::PUBSUB | ns::PUBSUB_OWNER | ns::PUBSUB_EVENT, _) => self.pubsub(element),
            (ns::CLIENT, "presence" | "message" | "iq") => {
                self.text.push(' ');
                self.stanza(element);
            }
            (ns::DATA, "x") => self.form(element),
            (ns::CLIENT, "error") => self.error(element),
            _ => self.other(element),
        }
    }

    /// Writes the action on a node: `publish presence/balcony` and so on.
    fn pubsub(&mut self, action: &Element<'_>) {
        self.text.push(' ');
        self.text.push_str(action.local());
        if let Some(node) = action.attribute("node") {
            self.text.push(' ');
            self.token(&node);
        }
        self.attributes(action, &["node"]);
        let mut separator = "/";
        for child in action.children() {
            if self.is_full() {
                return;
            }
            if child.local() != "item" {
                self.child(&child);
            } else {
                self.text.push_str(separator);
                self.token(&child.attribute("id").unwrap_or_default());
                self.attributes(&child, &["id", self.told_by(&child)]);
                self.inside(&child);
            }
            separator = " /";
        }
    }

    /// Attribute of an item that repeats the account or the stanza's `from`; "" if none does.
    fn told_by(&self, item: &Element<'_>) -> &'static str {
        let publisher = item.attribute("publisher");
        let stanza = item.children().next();
        let from = stanza.and_then(|it| it.attribute("from").map(Cow::into_owned));
        match publisher.is_some_and(|it| *it == *self.own || from.is_some_and(|from| *it == from)) {
            true => "publisher",
            false => "",
        }
    }

    /// Writes the conditions of an error, and its text.
    fn error(&mut self, error: &Element<'_>) {
        for child in error.children() {
            if self.is_full() {
                return;
            }
            self.text.push(' ');
            match child.local() {
                "text" => self.quoted(&child.text()),
                condition => self.text.push_str(condition),
            }
        }
    }

    fn other(&mut self, element: &Element<'_>) {
        self.text.push(' ');
        self.text.push_str(&name(element));
        let before = self.text.len();
        self.attributes(element, &[]);
        let has_attributes = self.text.len() > before;
        let has_children = element.children().next().is_some();
        let text = element.text();
        if has_children || has_attributes && !text.trim().is_empty() {
            self.text.push_str(" {");
            self.inside(element);
            self.text.push_str(" }");
        } else if !text.trim().is_empty() {
            self.text.push('=');
            self.quoted(text.trim());
        }
    }

    /// Writes attributes, without those `told` already.
    fn attributes(&mut self, element: &Element<'_>, told: &[&str]) {
        for attribute in element.tag().attributes().flatten() {
            if self.is_full() {
                return;
            }
            let is_told = told.contains(&attribute.name) || attribute.name == "xml:lang";
            if !is_told && attribute.declares().is_none() {
                self.attribute(attribute.name, &attribute.value());
            }
        }
    }

    /// Writes the fields of a form (XEP-0004) that have values.
    fn form(&mut self, form: &Element<'_>) {
        for field in form.children() {
            let var = field.attribute("var").unwrap_or_default();
            if field.local() != "field" || var == "FORM_TYPE" {
                continue;
            }
            if self.is_full() {
                return;
            }
            let values: Vec<_> = field
                .children()
                .filter(|child| child.local() == "value")
                .map(|value| value.text().into_owned())
                .filter(|value| !value.is_empty())
                .collect();
            if values.is_empty() {
                continue;
            }
            self.attribute(
                var.strip_prefix("pubsub#").unwrap_or(&var),
                &values.join("|"),
            );
        }
    }

    /// Whether the text is long enough; if so, ends it with dots.
    fn is_full(&mut self) -> bool {
        let is_full = self.text.len() > MOST;
        if is_full && !self.text.ends_with('…') {
            self.text.push_str(" …");
        }
        is_full
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let _ = write!(self.text, " {name}=");
        self.token(value);
    }

    /// Writes a value; of a long random one the ends.
    fn token(&mut self, value: &str) {
        let is_random = |c: char| c.is_ascii_alphanumeric() || "-_#".contains(c);
        let has_digit = || value.contains(|c: char| c.is_ascii_digit());
        let is_long = value.len() >= LONG && value.chars().all(is_random) && has_digit();
        match is_long.then(|| (value.get(..4), value.get(value.len() - 6..))) {
            Some((Some(start), Some(end))) => {
                let _ = write!(self.text, "{start}…{end}");
            }
            _ => self.value(value),
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        self.value(text);
        self.text.push('"');
    }

    fn value(&mut self, value: &str) {
        let mut chars = value.chars();
        self.text.extend(chars.by_ref().take(MOST_OF_VALUE));
        if chars.next().is_some() {
            self.text.push('…');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::read_stanza;

    fn shown(xml: &str) -> String {
        let own = "juliet@capulet.lit/balcony";
        read_stanza(xml, |element| short(element, own)).expect("whole")
    }

    #[test]
    fn stanzas_are_short() {
        for (xml, expected) in [
            ("<presence/>", "<presence>"),
            (
                "<presence type='subscribe' to='romeo@montague.lit' id='s'/>",
                "<presence subscribe> to=romeo@montague.lit",
            ),
            (
                "<presence from='romeo@montague.lit/m' to='juliet@capulet.lit'><show>away</show><priority>5</priority>\
                 <status>a &lt;b&gt;</status><x xmlns='http://jabber.org/protocol/muc'/>\
                 <c xmlns='http://jabber.org/protocol/caps' ver='v'/></presence>",
                "<presence> from=romeo@montague.lit/m show=\"away\" priority=\"5\" status=\"a <b>\" muc c",
            ),
            (
                "<message type='chat' to='a@b'><body>hi</body></message>",
                "<message chat> to=a@b body=\"hi\"",
            ),
            (
                "<iq type='result' id='r'><query xmlns='jabber:iq:roster' ver='1'><item jid='a@b' subscription='both'>\
                 <group>x</group></item></query></iq>",
                "<iq result> roster ver=1 { item jid=a@b subscription=both { group=\"x\" } }",
            ),
            (
                "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
                "<iq get> ping",
            ),
            (
                "<iq type='get'><query xmlns='urn:xmpp:mam:2'/></iq>",
                "<iq get> mam:2",
            ),
            (
                "<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>none</text></error></iq>",
                "<iq error> item-not-found \"none\"",
            ),
            (
                "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='presence'>\
                 <affiliation jid='a@b' affiliation='member'/></affiliations></pubsub></iq>",
                "<iq set> affiliations presence affiliation jid=a@b affiliation=member",
            ),
            (
                "<message><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'><item id='1'/><item id='2'/>\
                 <retract id='3'/></items></event></message>",
                "<message> event items n/1 /2 retract id=3",
            ),
            // A publisher equal to `from` is left out; long ids are shown by their ends.
            (
                "<message><event xmlns='http://jabber.org/protocol/pubsub#event'>\
                 <items node='ps-01234567-0123456789abcdef0123456789abcdef'><item id='1' publisher='a@b/c'>\
                 <presence xmlns='jabber:client' from='a@b/c'/></item></items></event>\
                 <addresses xmlns='http://jabber.org/protocol/address'><address type='replyto' jid='a@b/c'/></addresses>\
                 </message>",
                "<message> event items ps-0…abcdef/1 <presence> from=a@b/c",
            ),
            (
                "<message><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'>\
                 <item id='1' publisher='d@b/c'><presence xmlns='jabber:client' from='a@b/c'/></item></items></event>\
                 </message>",
                "<message> event items n/1 publisher=d@b/c <presence> from=a@b/c",
            ),
            (
                "<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='a'/><feature var='b'/>\
                 </query></iq>",
                "<iq result> disco#info { 2 features }",
            ),
        ] {
            assert_eq!(shown(xml), expected);
        }
    }

    #[test]
    fn a_long_stanza_is_cut() {
        let deep = format!("<iq>{}{}</iq>", "<a>".repeat(5000), "</a>".repeat(5000));
        assert!(shown(&deep).len() < 2 * MOST);
        // Nested `<pubsub/>` write no text: only [`DEPTH`] stops them.
        let pubsub = "<pubsub xmlns='http://jabber.org/protocol/pubsub'>";
        let silent = format!(
            "<iq>{}{}</iq>",
            pubsub.repeat(50_000),
            "</pubsub>".repeat(50_000)
        );
        assert!(shown(&silent).len() < 2 * MOST);
        let many = format!("<iq><q>{}</q></iq>", "<a b='c'/>".repeat(5000));
        assert!(shown(&many).len() < 2 * MOST);
        let long = format!("<message><body>{}</body></message>", "ä".repeat(5000));
        assert!(shown(&long).chars().count() < 2 * MOST_OF_VALUE);
    }
}
