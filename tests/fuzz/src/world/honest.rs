//! A server that does what it acknowledges: it keeps a roster, a block list and a node, and watches over who is
//! shown what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use pubshim::ns;
use pubshim::xml::{Element, escape};

use crate::text::RECORD;

/// The server's state of an account.
pub(super) struct Honest {
    own: String,
    /// Contacts, and whether each may see the account.
    roster: BTreeMap<String, bool>,
    blocked: BTreeSet<String>,
    node: Option<Node>,
    /// The record's items, by id.
    record: BTreeMap<String, String>,
    /// Owners may list the subscribers.
    lists_subscribers: bool,
    /// Events go to members only; else to all subscribers.
    has_whitelist: bool,
    /// Answers to come, each with the contacts that the request has removed: the removal counts when the answer is
    /// there.
    answers: VecDeque<(String, Vec<String>)>,
    removed: Vec<String>,
}

#[derive(Default)]
struct Node {
    /// By bare JID.
    affiliations: BTreeMap<String, String>,
    /// By any JID.
    subscriptions: BTreeSet<String>,
}

const CONTACTS: [&str; 3] = [
    "romeo@montague.lit",
    "nurse@capulet.lit",
    "bard@shakespeare.lit",
];

impl Honest {
    /// `past` says what was between the account and each contact, when its last shim was gone, and is now.
    pub(super) fn new(own: &str, past: u16, has_whitelist: bool) -> Self {
        let bit = |at: usize| past >> at & 1 != 0;
        let mut honest = Self {
            own: own.split('/').next().unwrap_or_default().to_owned(),
            roster: BTreeMap::new(),
            blocked: BTreeSet::new(),
            node: None,
            record: BTreeMap::new(),
            // ejabberd and Prosody do so.
            lists_subscribers: has_whitelist,
            has_whitelist,
            answers: VecDeque::new(),
            removed: Vec::new(),
        };
        let mut node = Node::default();
        for (at, contact) in CONTACTS.into_iter().enumerate() {
            let (sees, is_listed, is_blocked) = (bit(4 * at), bit(4 * at + 1), bit(4 * at + 2));
            if is_listed || sees {
                honest.roster.insert(contact.to_owned(), sees);
            }
            if is_blocked {
                honest.blocked.insert(contact.to_owned());
            }
            if bit(4 * at + 3) {
                node.affiliations
                    .insert(contact.to_owned(), "member".to_owned());
                node.subscriptions.insert(contact.to_owned());
                node.subscriptions.insert(format!("{contact}/mobile"));
                honest.remember(contact);
            }
        }
        if bit(12) {
            honest.node = Some(node);
        }
        honest
    }

    /// The shim of then has noted the JIDs that were subscribed. It let them in because the roster said so, so
    /// it noted no approval.
    fn remember(&mut self, contact: &str) {
        let id = match contact {
            "romeo@montague.lit" => "5d",
            "nurse@capulet.lit" => "88",
            _ => "a6",
        };
        let text = format!(
            "<contacts xmlns='{}'><contact jid='{contact}'>\
             <jid>{contact}/mobile</jid></contact></contacts>",
            ns::SHIM
        );
        self.record.insert(id.to_owned(), text);
    }

    /// Its next answer.
    pub(super) fn answer(&mut self) -> Option<String> {
        let (answer, removed) = self.answers.pop_front()?;
        self.roster.retain(|jid, _| !removed.contains(jid));
        Some(answer)
    }

    /// Does what a stanza says.
    pub(super) fn hear(&mut self, stanza: &Element<'_>) {
        let kind = stanza.attribute("type").unwrap_or_default();
        let to = stanza.attribute("to").unwrap_or_default();
        if stanza.is(ns::CLIENT, "presence") && kind == "unsubscribed" {
            self.roster
                .entry(bare(&to))
                .and_modify(|sees| *sees = false);
        }
        let is_request = matches!(&*kind, "get" | "set");
        if !stanza.is(ns::CLIENT, "iq") || !is_request {
            return;
        }
        let id = escape(&stanza.attribute("id").unwrap_or_default()).into_owned();
        let is_own = to.is_empty() || to == self.own;
        let answer = match (stanza.children().next(), is_own) {
            (Some(request), true) => self.handle(&request, kind == "get"),
            _ => Err("service-unavailable"),
        };
        let from = match &*to {
            "" => String::new(),
            to => format!(" from='{}'", escape(to)),
        };
        let answer = match answer {
            Ok(payload) => format!("<iq type='result' id='{id}'{from}>{payload}</iq>"),
            Err(condition) => format!(
                "<iq type='error' id='{id}'{from}><error type='cancel'><{condition} xmlns='{}'/></error></iq>",
                ns::STANZA_ERRORS
            ),
        };
        self.answers
            .push_back((answer, std::mem::take(&mut self.removed)));
    }

    fn handle(&mut self, request: &Element<'_>, is_get: bool) -> Result<String, &'static str> {
        match (&*request.namespace(), is_get) {
            (ns::ROSTER, true) => Ok(self.list_roster()),
            (ns::ROSTER, false) => {
                for item in request.children() {
                    let jid = bare(&item.attribute("jid").unwrap_or_default());
                    if item.attribute("subscription").as_deref() == Some("remove") {
                        self.removed.push(jid);
                    } else {
                        self.roster.entry(jid).or_insert(false);
                    }
                }
                Ok(String::new())
            }
            (ns::BLOCKING, true) => {
                let items = self
                    .blocked
                    .iter()
                    .map(|it| format!("<item jid='{}'/>", escape(it)));
                let items = items.collect::<String>();
                Ok(format!(
                    "<blocklist xmlns='{}'>{items}</blocklist>",
                    ns::BLOCKING
                ))
            }
            (ns::BLOCKING, false) => {
                let jids = request
                    .children()
                    .filter_map(|it| Some(bare(&it.attribute("jid")?)));
                let jids: Vec<_> = jids.collect();
                match request.local() {
                    "block" => self.blocked.extend(jids),
                    _ if jids.is_empty() => self.blocked.clear(),
                    _ => self.blocked.retain(|it| !jids.contains(it)),
                }
                Ok(String::new())
            }
            (ns::PUBSUB_OWNER, _) => self.own_node(request, is_get),
            (ns::PUBSUB, _) => self.pubsub(request),
            _ => Err("service-unavailable"),
        }
    }

    fn list_roster(&self) -> String {
        let items = self.roster.iter().map(|(jid, sees)| {
            let subscription = if *sees { "both" } else { "to" };
            format!(
                "<item jid='{}' subscription='{subscription}'/>",
                escape(jid)
            )
        });
        format!(
            "<query xmlns='{}'>{}</query>",
            ns::ROSTER,
            items.collect::<String>()
        )
    }

    /// Answers an owner's request.
    fn own_node(&mut self, request: &Element<'_>, is_get: bool) -> Result<String, &'static str> {
        let inner = request.children().next().ok_or("bad-request")?;
        if inner.attribute("node").as_deref() != Some("presence") {
            // The record's is as it should be.
            return match (inner.local(), is_get) {
                ("configure", true) => Ok(self.configuration()),
                _ => Ok(String::new()),
            };
        }
        let configuration = self.configuration();
        let node = self.node.as_mut().ok_or("item-not-found")?;
        let mut list = String::new();
        match (inner.local(), is_get) {
            ("configure", true) => return Ok(configuration),
            ("delete", _) => self.node = None,
            ("affiliations", true) => {
                let _ = write!(
                    list,
                    "<affiliation jid='{}' affiliation='owner'/>",
                    self.own
                );
                for (jid, affiliation) in &node.affiliations {
                    let jid = escape(jid);
                    let _ = write!(
                        list,
                        "<affiliation jid='{jid}' affiliation='{affiliation}'/>"
                    );
                }
            }
            ("affiliations", false) => {
                for it in inner.children() {
                    let jid = bare(&it.attribute("jid").unwrap_or_default());
                    match it.attribute("affiliation").as_deref() {
                        Some("none") | None => drop(node.affiliations.remove(&jid)),
                        Some(it) => drop(node.affiliations.insert(jid, it.to_owned())),
                    }
                }
            }
            ("subscriptions", true) if !self.lists_subscribers => {
                return Err("feature-not-implemented");
            }
            ("subscriptions", true) => {
                for jid in &node.subscriptions {
                    let jid = escape(jid);
                    let _ = write!(
                        list,
                        "<subscription jid='{jid}' subscription='subscribed'/>"
                    );
                }
            }
            ("subscriptions", false) => {
                for it in inner.children() {
                    let jid = it.attribute("jid").unwrap_or_default().into_owned();
                    match it.attribute("subscription").as_deref() {
                        Some("subscribed") => drop(node.subscriptions.insert(jid)),
                        _ => drop(node.subscriptions.remove(&jid)),
                    }
                }
            }
            _ => return Ok(String::new()),
        }
        let name = inner.local();
        Ok(match is_get {
            true => format!(
                "<pubsub xmlns='{}'><{name} node='presence'>{list}</{name}></pubsub>",
                ns::PUBSUB_OWNER
            ),
            false => String::new(),
        })
    }

    fn configuration(&self) -> String {
        let mut configuration = String::new();
        let access = u8::from(self.has_whitelist);
        crate::text::configuration(&mut configuration, access, 0, 0);
        configuration
    }

    fn pubsub(&mut self, request: &Element<'_>) -> Result<String, &'static str> {
        let inner = request.children().next().ok_or("bad-request")?;
        let is_presence = inner.attribute("node").as_deref() == Some("presence");
        let is_record = inner.attribute("node").as_deref() == Some(RECORD);
        match inner.local() {
            "create" if is_presence => {
                if self.node.is_some() {
                    return Err("conflict");
                }
                self.node = Some(Node::default());
            }
            "create" => return Err("conflict"),
            "publish" => {
                let item = inner.children().next().ok_or("bad-request")?;
                let id = item.attribute("id").unwrap_or_default().into_owned();
                let payload = item.children().next().ok_or("bad-request")?;
                if is_record {
                    self.record.insert(id, payload.raw().to_owned());
                } else if is_presence && payload.attribute("type").is_none() {
                    self.check_shown(payload.raw());
                }
            }
            "items" if is_record => {
                let items = self.record.iter();
                let items = items.map(|(id, it)| format!("<item id='{}'>{it}</item>", escape(id)));
                let items = items.collect::<String>();
                return Ok(format!(
                    "<pubsub xmlns='{}'><items node='{RECORD}'>{items}</items></pubsub>",
                    ns::PUBSUB
                ));
            }
            "items" if is_presence && self.node.is_none() => return Err("item-not-found"),
            "items" => {
                return Ok(format!(
                    "<pubsub xmlns='{}'><items node='presence'/></pubsub>",
                    ns::PUBSUB
                ));
            }
            _ => {}
        }
        Ok(String::new())
    }

    /// Asserts that events go only to contacts that may see the account by the roster and are not blocked.
    fn check_shown(&self, what: &str) {
        let Some(node) = &self.node else { return };
        let own = &self.own;
        let others = |it: &&String| bare(it) != *own;
        let members = node.affiliations.iter().filter(|(_, it)| *it != "outcast");
        let members: BTreeSet<_> = members
            .map(|(jid, _)| jid.clone())
            .filter(|it| others(&it))
            .collect();
        let subscribed = node.subscriptions.iter().filter(others);
        let delivered = subscribed
            .map(|it| bare(it))
            .filter(|it| !self.has_whitelist || members.contains(it));
        for contact in delivered.chain(members.iter().cloned()) {
            let sees = self.roster.get(&contact) == Some(&true);
            let is_blocked = self.blocked.contains(&contact);
            assert!(
                sees && !is_blocked,
                "{contact}, in the roster: {:?}, blocked: {is_blocked}, is shown {what}",
                self.roster.get(&contact)
            );
        }
    }
}

fn bare(jid: &str) -> String {
    jid.split('/').next().unwrap_or_default().to_owned()
}
