//! Service discovery of services and rooms, and other IQs to rooms: clients find rooms by browsing, and some join no
//! room that does not answer.

use std::collections::BTreeSet;

use bytes::BytesMut;

use super::names::{OCCUPANTS, room_of};
use super::refuse::refuse;
use super::room::Info;
use super::{Ask, Rooms};
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::{Cx, Verdict};
use crate::wire::{Leg, Reply, Rule};
use crate::xml::{Element, escape, rewrite, standalone_child};

const BROWSE: Rule = Rule::new(
    "room-browse",
    "",
    "a publish-subscribe service and its nodes are shown as a room service and its rooms",
);

/// Features of every room: occupants see each other's real JIDs, and there are no passwords.
const FEATURES: [&str; 7] = [
    ns::MUC,
    ns::DISCO_INFO,
    "muc_persistent",
    "muc_public",
    "muc_nonanonymous",
    "muc_unmoderated",
    "muc_unsecured",
];

/// The client's disco#info request to a room, until the service has described the node.
#[derive(Debug)]
pub(crate) struct Question {
    room: Box<str>,
    id: Box<str>,
}

impl Rooms {
    /// Handles an IQ of the client's to a service, a room or an occupant. IQs to a service pass.
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
            (ns::PING, true) => cx.wire.show_answer(&id, bare, cx.account.jid(), ""),
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
        let mut items = format!("<query xmlns='{}'>", ns::DISCO_ITEMS);
        for (_, occupant) in room.iter().flat_map(|room| room.occupants.iter()) {
            let jid = format!("{bare}/{}", occupant.nick);
            items += &format!("<item jid='{}'/>", escape(&jid));
        }
        items += "</query>";
        cx.wire.show_answer(id, bare, cx.account.jid(), &items);
    }

    /// Handles an IQ from the server: a service's discovery answer is rewritten to that of a room service, and the ping
    /// of another occupant's shim is answered.
    pub(in crate::translate) fn server_iq(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        if self.services.is_empty() {
            return Verdict::Pass;
        }
        if let Some(room) = room_of_ping(iq, cx.account.jid()) {
            match self.rooms.contains_key(&*room) {
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
    pub(super) fn show_answer(self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Self { room, id } = &self;
        let own = cx.account.jid();
        match reply {
            Ok(iq) => cx.wire.show_answer(id, room, own, &room_info(iq)),
            Err(refused) => cx.wire.show_failed(id, room, own, refused.condition()),
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

/// A service's disco#info, with the identity and feature of a room service added.
fn service_info(query: &Element<'_>) -> String {
    let xmlns = match query.resolve(None).as_deref() {
        Some(ns::DISCO_INFO) => String::new(),
        _ => format!(" xmlns='{}'", ns::DISCO_INFO),
    };
    // Some clients read only the first identity.
    let mut said = format!(
        "<identity{xmlns} category='conference' type='text'/><feature{xmlns} var='{}'/>",
        ns::MUC
    );
    said.extend(query.children().map(|child| child.raw().to_owned()));
    let mut shown = BytesMut::new();
    rewrite(&mut shown, query, &[], |_| false, &said);
    String::from_utf8_lossy(&shown).into_owned()
}

/// A service's disco#items: a node with an `#occupants` twin is shown as a room, the twin is left out.
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
            shown += &standalone_child(&item);
        }
    }
    shown + "</query>"
}

/// A node's disco#info as that of a room (XEP-0045 §6.4).
fn room_info(iq: &Element<'_>) -> String {
    let known = Info::read(iq).unwrap_or_default();
    let mut info = format!(
        "<query xmlns='{}'><identity category='conference' type='text'",
        ns::DISCO_INFO
    );
    if !known.title.is_empty() {
        info += &format!(" name='{}'", escape(&known.title));
    }
    info += "/>";
    let open = match known.access.as_deref() {
        None | Some("open") => "muc_open",
        Some(_) => "muc_membersonly",
    };
    for feature in FEATURES.iter().chain([&open]) {
        info += &format!("<feature var='{feature}'/>");
    }
    if !known.description.is_empty() {
        info += &format!(
            "<x xmlns='{}' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/protocol/muc#roominfo</value></field>\
             <field var='muc#roominfo_description' type='text-single' label='Description'><value>{}</value></field></x>",
            ns::DATA,
            escape(&known.description)
        );
    }
    info + "</query>"
}
