//! Items of a node that the account shares with somebody become messages (listing 20).

use std::borrow::Cow;

use bytes::BytesMut;

use super::pair::{Pair, Place, Reading, STATE};
use super::{Chats, Owner};
use crate::jid;
use crate::ns;
use crate::pubsub::answer;
use crate::translate::{Cx, Wire, rules};
use crate::wire::{Dropped, Leg, Reply};
use crate::xml::{Element, escape, rewrite_standalone};

/// An event may have so many items; servers send one.
const MOST_ITEMS: usize = 256;

impl Chats {
    /// What was on a node before: what was not shown yet is, oldest first.
    pub(super) fn handle_fetched(&mut self, place: &Place, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Some(Owner::Pair(peer)) = self.places.get(place).cloned() else {
            return;
        };
        if !cx.account.status.is_available {
            // It is fetched again when the client is back.
            return self.pair_at(&peer, |pair| pair.note_unread(place));
        }
        let read = |iq| {
            answer::with_items(iq, |items| {
                self.handle_items(&peer, place, items, None, false, cx);
            })
        };
        match reply.ok().and_then(read) {
            Some(()) => self.pair_at(&peer, |pair| pair.note_read(place)),
            None => self.pair_at(&peer, |pair| pair.note_failed(place)),
        }
    }

    fn pair_at(&mut self, peer: &str, act: impl FnOnce(&mut Pair)) {
        if let Some(pair) = self.pairs.get_mut(peer) {
            act(pair);
        }
    }

    /// Items in an answer, or in an event (`is_live`). `replyto`: who has published those that do not say it.
    pub(super) fn handle_items(
        &mut self,
        peer: &str,
        place: &Place,
        items: &Element<'_>,
        replyto: Option<&str>,
        is_live: bool,
        cx: &mut Cx<'_>,
    ) {
        let reading = self.pairs.get(peer).and_then(|pair| pair.reading(place));
        match reading {
            Some(Reading::Done | Reading::Failed) if is_live && !cx.account.status.is_available => {
                return self.pair_at(peer, |pair| pair.note_unread(place));
            }
            // It is found on the node.
            None | Some(Reading::Wanted | Reading::Asked) if is_live => return,
            _ => {}
        }
        let all: Vec<_> = items.children().take(MOST_ITEMS).collect();
        let last = self.seen.last(place);
        let is_last = |item: &Element<'_>| {
            let id = item.attribute("id");
            last.is_some_and(|last| id.as_deref() == Some(last))
        };
        let shown = match is_live {
            true => 0,
            false => all.iter().position(is_last).map_or(0, |at| at + 1),
        };
        for item in &all[shown..] {
            if let Err(reason) = self.handle_item(peer, place, item, replyto, is_live, cx) {
                cx.wire.drop_event(reason);
            }
        }
    }

    fn handle_item(
        &mut self,
        peer: &str,
        place: &Place,
        item: &Element<'_>,
        replyto: Option<&str>,
        is_live: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        if item.local() != "item" {
            return Err(Dropped::Retracted);
        }
        let id = item.attribute("id").unwrap_or_default();
        let is_state = id.starts_with(STATE);
        let author = item.attribute("publisher").or(replyto.map(Cow::Borrowed));
        let author = author.ok_or(Dropped::ForeignFrom)?;
        let account = jid::prepared(jid::bare(&author)).into_owned();
        let is_own = account == cx.account.bare();
        if !is_own && account != peer {
            return Err(Dropped::ForeignFrom);
        }
        let mut payloads = item.children();
        let (Some(message), None) = (payloads.next(), payloads.next()) else {
            return Err(Dropped::WrongPayload);
        };
        if !message.is(ns::CLIENT, "message") {
            return Err(Dropped::WrongPayload);
        }
        let kind = message.attribute("type").unwrap_or(Cow::Borrowed("chat"));
        if !matches!(&*kind, "chat" | "normal" | "headline" | "error") {
            return Err(Dropped::WrongType);
        }
        let pair = self.pairs.get_mut(peer).ok_or(Dropped::NotSubscribed)?;
        let is_late = !is_live && !pair.is_fresh(place);
        // A state of before says nothing of now.
        if is_state && is_late {
            return Ok(());
        }
        if !is_state {
            if !pair.is_new(&id) {
                return Err(Dropped::Seen);
            }
            // What was not shown before it is fetched the next time.
            if pair.reading(place) != Some(Reading::Failed) {
                self.seen.note(place, &id, cx.wire.now);
            }
        }
        // The service delivers what the own server would not.
        if !is_own && cx.account.people.is_blocked(&account) {
            return Err(Dropped::NotSubscribed);
        }
        let full = full_of(&author, &account, &message);
        cx.wire.apply(&rules::MESSAGE_IN);
        if !is_own {
            show(&message, &full, cx.account.jid(), &kind, is_late, cx.wire);
        } else if self.wants_copies
            && is_live
            && *full != *cx.account.jid()
            && message.child(ns::CARBONS, "private").is_none()
        {
            show_copy(&message, &full, peer, cx);
        }
        Ok(())
    }
}

/// Who has written a message: the service says which account, and where it does not say which resource, the message
/// does.
fn full_of<'a>(author: &'a str, account: &str, message: &Element<'a>) -> Cow<'a, str> {
    if jid::resource(author).is_some() {
        return Cow::Borrowed(author);
    }
    let from = message.attribute("from");
    from.filter(|from| jid::prepared(jid::bare(from)) == account)
        .unwrap_or(Cow::Borrowed(author))
}

fn show(message: &Element<'_>, from: &str, to: &str, kind: &str, is_late: bool, wire: &mut Wire) {
    let changes = [("from", Some(from)), ("to", Some(to)), ("type", Some(kind))];
    let account = jid::bare(from);
    let may_stay = |child: &Element<'_>| {
        !is_of_server(child) && (!is_delay(child) || is_late && is_said_by(child, account))
    };
    wire.stanza(Leg::Client, |out| {
        rewrite_standalone(out, message, &changes, may_stay, "");
    });
}

/// What another resource of the account has written to `peer` (XEP-0280): to nobody else, whatever it says, since the
/// service may be his.
fn show_copy(message: &Element<'_>, from: &str, peer: &str, cx: &mut Cx<'_>) {
    let mut inside = BytesMut::new();
    let to = message.attribute("to");
    let to = to.filter(|to| jid::prepared(jid::bare(to)) == peer);
    let changes = [
        ("from", Some(from)),
        ("to", Some(to.as_deref().unwrap_or(peer))),
    ];
    let may_stay = |child: &Element<'_>| !is_of_server(child) && !is_delay(child);
    rewrite_standalone(&mut inside, message, &changes, may_stay, "");
    let (own, to) = (escape(cx.account.bare()), escape(cx.account.jid()));
    let (copies, forward) = (ns::CARBONS, ns::FORWARD);
    let start = format!(
        "<message from='{own}' to='{to}' type='chat'><sent xmlns='{copies}'><forwarded xmlns='{forward}'>"
    );
    cx.wire.stanza(Leg::Client, |out| {
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(&inside);
        out.extend_from_slice(b"</forwarded></sent></message>");
    });
}

/// Whether it says when a message was said.
fn is_delay(child: &Element<'_>) -> bool {
    matches!(&*child.namespace(), ns::DELAY | ns::DELAY_0)
}

/// Whether it is said in the name of nobody but `account`.
fn is_said_by(child: &Element<'_>, account: &str) -> bool {
    let from = child.attribute("from");
    from.is_none_or(|from| jid::bare(&from) == account)
}

/// Whether only a server may say this: ids it gives, copies, what it has kept, the words of a room.
fn is_of_server(child: &Element<'_>) -> bool {
    let namespace = child.namespace();
    let is_room = namespace == ns::MUC_USER && child.child(ns::MUC_USER, "invite").is_none();
    matches!(
        &*namespace,
        ns::CARBONS | ns::MAM | ns::MUC | ns::OCCUPANT_ID | ns::SHIM
    ) || is_room
        || child.is(ns::SID, "stanza-id")
}
