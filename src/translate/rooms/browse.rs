//! What a service and its rooms say of themselves, and other questions to them: clients find rooms by browsing, and
//! some join none that does not answer.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::{BufMut as _, BytesMut};

use super::names::{OCCUPANTS, room_of};
use super::refuse::refuse;
use super::{Ask, Rooms};
use crate::jid;
use crate::ns;
use crate::pubsub::{form, request};
use crate::translate::{Cx, Verdict};
use crate::wire::{Leg, Reply, Rule};
use crate::xml::{Element, escape, rewrite, standalone};

const BROWSE: Rule = Rule::new(
    "room-browse",
    "",
    "what a publish-subscribe service and its nodes say of themselves becomes a room service and rooms",
);

/// What a room says it can do; it is not anonymous and has no password.
const FEATURES: [&str; 7] = [
    ns::MUC,
    ns::DISCO_INFO,
    "muc_persistent",
    "muc_public",
    "muc_nonanonymous",
    "muc_unmoderated",
    "muc_unsecured",
];

/// What a room is: a question of the client's that the service has to answer first.
#[derive(Debug)]
pub(crate) struct Question {
    room: Box<str>,
    id: Box<str>,
}

impl Rooms {
    /// An IQ of the client's to a service, a room or an occupant; all but the first are always answered.
    pub(super) fn client_iq(&mut self, to: &str, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        if jid::local(to).is_none() {
            return Verdict::Pass;
        }
        let kind = iq.attribute("type");
        if !matches!(kind.as_deref(), Some("get" | "set")) {
            return Verdict::Taken;
        }
        match jid::resource(to) {
            None => self.ask_room(to, iq, cx),
            Some(nick) => self.ask_occupant(jid::bare(to), nick, iq, cx),
        }
        Verdict::Taken
    }

    fn ask_room(&mut self, bare: &str, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let is_get = iq.attribute("type").as_deref() == Some("get");
        let id = iq.attribute("id").unwrap_or_default();
        let mut children = iq.children();
        let Some(query) = children.next() else {
            return refuse(iq, "bad-request", cx);
        };
        let node = query.attribute("node").is_some();
        match (&*query.namespace(), is_get) {
            (ns::DISCO_INFO | ns::DISCO_ITEMS, true) if node => {
                refuse(iq, "item-not-found", cx);
            }
            (ns::DISCO_INFO, true) => self.ask_info(bare, &id, iq, cx),
            (ns::DISCO_ITEMS, true) => self.show_occupants(bare, &id, cx),
            (ns::PING, true) => cx.wire.show_answer(&id, bare, cx.account.jid(), |_| {}),
            (ns::MUC_OWNER, is_get) => self.ask_owner(bare, is_get, iq, cx),
            (ns::MUC_ADMIN, is_get) => self.ask_admin(bare, is_get, iq, cx),
            _ => refuse(iq, "service-unavailable", cx),
        }
    }

    fn ask_info(&self, bare: &str, id: &str, iq: &Element<'_>, cx: &mut Cx<'_>) {
        cx.wire.apply(&BROWSE);
        let question = Question {
            room: bare.into(),
            id: id.into(),
        };
        let node = jid::local(bare).unwrap_or_default();
        let service = Some(jid::domain(bare));
        let is_sent = cx
            .wire
            .request("get", service, Ask::Question(question), |out| {
                request::info(out, Some(node));
            });
        if !is_sent {
            refuse(iq, "resource-constraint", cx);
        }
    }

    fn show_occupants(&self, bare: &str, id: &str, cx: &mut Cx<'_>) {
        let room = self.rooms.get(bare).filter(|room| room.is_joined());
        cx.wire.show_answer(id, bare, cx.account.jid(), |out| {
            let mut items = format!("<query xmlns='{}'>", ns::DISCO_ITEMS);
            for (_, occupant) in room.iter().flat_map(|room| room.occupants().iter()) {
                let jid = format!("{bare}/{}", occupant.nick);
                items += &format!("<item jid='{}'/>", escape(&jid));
            }
            items += "</query>";
            out.put_slice(items.as_bytes());
        });
    }

    /// An IQ of the server's that a room service has answered: what it says of itself is shown as a room service. Or
    /// the ping of another occupant's shim.
    pub(in crate::translate) fn server_iq(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        if self.services.is_empty() {
            return Verdict::Pass;
        }
        if let Some(room) = room_of_ping(iq, cx.account.jid()) {
            match self.is_in(&room) {
                true => cx.wire.answer_result(iq),
                false => cx.wire.answer_error(iq, "item-not-found"),
            }
            return Verdict::Taken;
        }
        let from = iq.attribute("from").unwrap_or_default();
        if iq.attribute("type").as_deref() != Some("result") || !self.services.has_rooms(&from) {
            return Verdict::Pass;
        }
        let Some(query) = iq.children().next() else {
            return Verdict::Pass;
        };
        let shown = match &*query.namespace() {
            _ if query.attribute("node").is_some() => None,
            ns::DISCO_INFO => Some(service_info(&query)),
            ns::DISCO_ITEMS => Some(service_items(&query, &from)),
            _ => None,
        };
        let Some(shown) = shown else {
            return Verdict::Pass;
        };
        cx.wire.apply(&BROWSE);
        cx.wire.stanza(Leg::Client, |out| {
            rewrite(
                out,
                iq,
                &[],
                |child| child.namespace() != query.namespace(),
                &shown,
            );
        });
        Verdict::Taken
    }
}

impl Question {
    /// Shows the client the answer.
    pub(super) fn answer(self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Self { room, id } = &self;
        let own = cx.account.jid();
        match reply {
            Ok(iq) => {
                let info = room_info(iq);
                cx.wire
                    .show_answer(id, room, own, |out| out.put_slice(info.as_bytes()));
            }
            Err(refused) => {
                let condition = refused.condition_or("remote-server-timeout");
                cx.wire.show_failed(id, room, own, condition);
            }
        }
    }
}

/// The room that a shim's ping to `own` asks about.
fn room_of_ping(iq: &Element<'_>, own: &str) -> Option<String> {
    let is_for_us = iq.attribute("type").as_deref() == Some("get")
        && iq.attribute("to").as_deref() == Some(own);
    let ping = iq.child(ns::PING, "ping").filter(|_| is_for_us)?;
    let shim = ping.child(ns::SHIM, "shim")?;
    Some(shim.attribute("room")?.into_owned())
}

/// What a service says of itself, and that it has rooms.
fn service_info(query: &Element<'_>) -> String {
    let xmlns = match query.resolve(None).as_deref() {
        Some(ns::DISCO_INFO) => String::new(),
        _ => format!(" xmlns='{}'", ns::DISCO_INFO),
    };
    // Some clients take a service for what it says first.
    let mut said = format!(
        "<identity{xmlns} category='conference' type='text'/><feature{xmlns} var='{}'/>",
        ns::MUC
    );
    said.extend(query.children().map(|child| child.raw().to_owned()));
    let mut shown = BytesMut::new();
    rewrite(&mut shown, query, &[], |_| false, &said);
    String::from_utf8_lossy(&shown).into_owned()
}

/// The nodes of a service: those that have occupants are rooms, and that is not shown twice.
fn service_items(query: &Element<'_>, service: &str) -> String {
    let nodes: BTreeSet<_> = query
        .children()
        .filter_map(|item| Some(item.attribute("node")?.into_owned()))
        .collect();
    let mut shown = format!("<query xmlns='{}'>", ns::DISCO_ITEMS);
    for item in query.children() {
        let node = item.attribute("node").unwrap_or_default();
        let is_twin = node
            .strip_suffix(OCCUPANTS)
            .is_some_and(|it| nodes.contains(it));
        let has_twin = nodes.contains(&format!("{node}{OCCUPANTS}"));
        if is_twin {
            continue;
        }
        if let Some(room) = room_of(service, &node).filter(|_| has_twin) {
            let name = item.attribute("name").filter(|name| !name.is_empty());
            let name = name.unwrap_or(node);
            shown += &format!("<item jid='{}' name='{}'/>", escape(&room), escape(&name));
        } else {
            shown += &standalone(&item);
        }
    }
    shown + "</query>"
}

/// What a node says of itself, as a room says it (XEP-0045 §6.4).
fn room_info(iq: &Element<'_>) -> String {
    let (mut title, mut description) = (None, None);
    let mut is_open = true;
    if let Some(query) = iq.child(ns::DISCO_INFO, "query")
        && let Some(form) = query.child(ns::DATA, "x")
    {
        let value = |var| form::value(&form, var).map(Cow::into_owned);
        title = value("pubsub#title").filter(|title| !title.is_empty());
        description = value("pubsub#description").filter(|it| !it.is_empty());
        is_open = value("pubsub#access_model").is_none_or(|model| model == "open");
    }
    let mut info = format!(
        "<query xmlns='{}'><identity category='conference' type='text'",
        ns::DISCO_INFO
    );
    if let Some(title) = title {
        info += &format!(" name='{}'", escape(&title));
    }
    info += "/>";
    let open = if is_open {
        "muc_open"
    } else {
        "muc_membersonly"
    };
    for feature in FEATURES.iter().chain([&open]) {
        info += &format!("<feature var='{feature}'/>");
    }
    if let Some(description) = description {
        info += &format!(
            "<x xmlns='{}' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/protocol/muc#roominfo</value></field>\
             <field var='muc#roominfo_description' type='text-single' label='Description'><value>{}</value></field></x>",
            ns::DATA,
            escape(&description)
        );
    }
    info + "</query>"
}
