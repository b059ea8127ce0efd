//! Events and answers, as XML.

use std::fmt::Write as _;

use pubshim::ns;
use pubshim::xml::escape;

use super::lists::List;
use super::*;

impl Writer<'_> {
    pub(super) fn event(&self, out: &mut String, event: &Event) {
        out.push_str("<message");
        self.address(out, "from", event.from);
        self.address(out, "to", Some(Address::Own));
        if let Some(kind) = ["headline", "error", "normal"].get(usize::from(event.kind % 6)) {
            let _ = write!(out, " type='{kind}'");
        }
        if event.what & 0x80 != 0 {
            out.push_str(" xml:lang='it' xmlns:y='urn:y'");
        }
        let node = if event.what & 0x40 == 0 {
            "presence"
        } else {
            "other"
        };
        let _ = write!(out, "><event xmlns='{}'>", ns::PUBSUB_EVENT);
        let _ = match event.what % 16 {
            1 => write!(out, "<purge node='{node}'/>"),
            2 => write!(out, "<delete node='{node}'/>"),
            3 => write!(out, "<configuration node='{node}'/>"),
            _ => {
                let _ = write!(out, "<items node='{node}'>");
                for _ in 0..=event.times {
                    for item in &event.items {
                        self.item(out, item.as_ref());
                    }
                    if out.len() > MOST || event.items.is_empty() {
                        break;
                    }
                }
                write!(out, "</items>")
            }
        };
        out.push_str("</event>");
        if let Some(child) = &event.more {
            self.child(out, child, 1);
        }
        out.push_str("</message>");
    }

    pub(super) fn item(&self, out: &mut String, presence: Option<&Presence>) {
        match presence {
            Some(presence) => {
                out.push_str("<item id='i'>");
                self.presence(out, presence, 1);
                out.push_str("</item>");
            }
            None => out.push_str("<retract id='i'/>"),
        }
    }

    pub(super) fn items(&self, out: &mut String, resources: &[Address]) {
        let _ = write!(
            out,
            "<pubsub xmlns='{}'><items node='presence'>",
            ns::PUBSUB
        );
        for address in resources.iter().take(40) {
            let full = address.text(self.own);
            let resource = full.split_once('/').map_or("", |(_, resource)| resource);
            let (full, id) = (escape(&full), escape(resource));
            let _ = write!(
                out,
                "<item id='{id}'><presence xmlns='jabber:client' from='{full}'/></item>"
            );
        }
        out.push_str("</items></pubsub>");
    }

    /// The hoped for answer to an IQ of the session's own, newest first.
    pub fn good_answer(&self, which: usize) -> String {
        let mut out = String::new();
        if let Some(asked) = self.asked.iter().nth_back(which) {
            self.reply(&mut out, asked, None, &self.good(asked));
        }
        out
    }

    /// The answer that the session hopes for.
    fn good(&self, asked: &Asked) -> Reply {
        match asked.what {
            Question::Configuration => Reply::Configuration(0, 0, 0),
            Question::Roster => Reply::Roster(
                [(Address::Romeo, 0), (Address::Nurse, 2)]
                    .map(|(address, subscription)| Item {
                        address,
                        subscription,
                        more: 0,
                    })
                    .to_vec(),
            ),
            Question::Items if asked.to.is_some() => Reply::Items(vec![
                Address::RomeoMobile,
                Address::NurseHome,
                Address::BardGlobe,
            ]),
            Question::Items => Reply::Items(vec![Address::Own, Address::OwnOther]),
            Question::Subscribers => {
                Reply::Subscribers(vec![(Address::Romeo, 0), (Address::RomeoOdd, 0)])
            }
            Question::Affiliations => {
                Reply::Affiliations(vec![(Address::Romeo, 0), (Address::Own, 1)])
            }
            Question::OwnSubscriptions => Reply::OwnSubscriptions(vec![(Address::OwnBare, 0)]),
            Question::Subscribe => Reply::Subscription(0),
            Question::Record => Reply::Record(vec![Recorded {
                id: 2,
                entries: vec![Entry {
                    address: Address::Romeo,
                    halves: 0x33,
                    more: 1,
                    name: Text::None,
                }],
            }]),
            Question::Blocklist => Reply::Blocklist(Vec::new()),
            Question::Privacy => Reply::Privacy(0),
            Question::Other => Reply::Empty,
        }
    }

    pub(super) fn answer(&self, out: &mut String, answer: &Answer) {
        let Some(asked) = self.ours(answer.which) else {
            return;
        };
        match &answer.what {
            Reply::Good => self.reply(out, asked, answer.from, &self.good(asked)),
            reply => self.reply(out, asked, answer.from, reply),
        }
    }

    fn reply(&self, out: &mut String, asked: &Asked, from: Option<Address>, reply: &Reply) {
        let kind = match reply {
            Reply::Error(_) => "error",
            _ => "result",
        };
        let _ = write!(out, "<iq type='{kind}' id='{}'", asked.id);
        match (from, &asked.to) {
            (None, Some(to)) => {
                let _ = write!(out, " from='{}'", escape(to));
            }
            (from, _) => self.address(out, "from", from),
        }
        out.push('>');
        match reply {
            Reply::Good | Reply::Empty => {}
            Reply::Configuration(access, publishers, fields) => {
                configuration(out, *access, *publishers, *fields);
            }
            Reply::Roster(items) => self.roster(out, items),
            Reply::Privacy(which) => privacy(out, *which),
            Reply::Items(resources) => self.items(out, resources),
            Reply::Subscribers(entries) => self.node_list(out, List::Subscribers, entries),
            Reply::Affiliations(entries) => self.node_list(out, List::Affiliations, entries),
            Reply::OwnSubscriptions(entries) => {
                self.node_list(out, List::OwnSubscriptions, entries);
            }
            Reply::Subscription(state) => {
                let states = ["subscribed", "pending", "none", "unconfigured", ""];
                let state = states[usize::from(*state) % states.len()];
                let _ = write!(
                    out,
                    "<pubsub xmlns='{}'><subscription node='presence' subscription='{state}'/></pubsub>",
                    ns::PUBSUB
                );
            }
            Reply::Record(items) => {
                let _ = write!(
                    out,
                    "<pubsub xmlns='{}'><items node='{RECORD}'>",
                    ns::PUBSUB
                );
                self.record(out, items);
                out.push_str("</items></pubsub>");
            }
            Reply::Blocklist(accounts) => self.accounts(out, "blocklist", accounts),
            Reply::Other(child) => self.child(out, child, 1),
            Reply::Error(which) => {
                let conditions = [
                    "item-not-found",
                    "not-acceptable",
                    "feature-not-implemented",
                    "conflict",
                    "forbidden",
                    "service-unavailable",
                    "not-authorized",
                    "internal-server-error",
                    "not-allowed",
                    "unexpected-request",
                    "remote-server-not-found",
                    "gone",
                ];
                let condition = conditions[usize::from(*which) % conditions.len()];
                let xmlns = ns::STANZA_ERRORS;
                let _ = write!(
                    out,
                    "<error type='cancel'><{condition} xmlns='{xmlns}'/></error>"
                );
            }
        }
        out.push_str("</iq>");
    }
}

pub(super) fn privacy(out: &mut String, which: u8) {
    out.push_str("<query xmlns='jabber:iq:privacy'>");
    out.push_str(match which % 8 {
        0 => "",
        1 => "<active name='a'/>",
        2 => "<default name='b'/><active/>",
        3 => "<list name='a'><item action='deny' order='1'><presence-out/></item></list>",
        4 => "<list name='a'><item action='allow' order='x'/></list><list name='b'/>",
        5 => "<active name='c&apos;&lt;'/><default name=''/>",
        6 => "<list/>",
        _ => "<list name='b'><item type='jid' value='a@b' action='allow' order='1'/></list>",
    });
    out.push_str("</query>");
}

/// A form with the configuration of a node.
pub fn configuration(out: &mut String, access_at: u8, publishers: u8, fields: u8) {
    let access = ["authorize", "whitelist", "presence", "open", ""];
    let access_model = access[usize::from(access_at) % access.len()];
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><configure node='presence'><x xmlns='{}' type='form'>",
        ns::PUBSUB_OWNER,
        ns::DATA
    );
    let mut field = |var: &str, value: &str| {
        let _ = write!(
            out,
            "<field var='pubsub#{var}'><value>{value}</value></field>"
        );
    };
    field("access_model", access_model);
    match publishers % 4 {
        0 => field("publish_model", "publishers"),
        1 => field("publish_model", "open"),
        _ => {}
    }
    if fields & 1 != 0 {
        field("notify_retract", "1");
    }
    if fields & 2 != 0 {
        field("max_items", "1");
    }
    if fields & 4 != 0 {
        field("purge_offline", "true");
    }
    out.push_str("</x></configure></pubsub>");
}

pub(super) fn content(text: &Text) -> String {
    match text {
        Text::None => String::new(),
        Text::Word => "Moping".to_owned(),
        Text::Number(number) => number.to_string(),
        Text::Odd => "a&amp;<![CDATA[</a>&]]>&#x1F600; \r\n\u{e9}&gt;".to_owned(),
        Text::Shim => "urn:pubshim:0 &#".to_owned(),
        Text::Long(many) => "long ".repeat(usize::from(*many) * 4),
        Text::Any(text) => {
            let is_char = |c: &char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
            let text: String = text.chars().filter(is_char).take(200).collect();
            escape(&text).into_owned()
        }
    }
}
