//! One item of a conversation's node: who wrote it, whom it is for, and how the client is shown it (listing 20).

use std::borrow::Cow;

use super::Chats;
use super::delay::Written;
use super::message::STATE;
use super::pair::Reading;
use super::place::Place;
use super::record::Last;
use super::show::{show, show_copy};
use crate::jid;
use crate::ns;
use crate::pubsub::payload;
use crate::translate::marker::is_of_a_room;
use crate::translate::{Cx, rules};
use crate::wire::Dropped;
use crate::xml::Element;

/// The origin of items: an answer or an event.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) peer: &'a str,
    pub(super) place: &'a Place,
    /// The publisher of items that do not name one.
    pub(super) replyto: Option<&'a str>,
    pub(super) is_live: bool,
}

/// A message that is to be shown.
struct Received<'a> {
    message: Element<'a>,
    kind: Cow<'a, str>,
    /// The author's full JID.
    full: Cow<'a, str>,
    /// The account itself wrote it.
    is_own: bool,
    meant: Meant,
    is_of_a_room: bool,
    written: Option<Written>,
    /// The message was written before the client came.
    is_late: bool,
    /// The client may be shown a copy, as of another resource's message (XEP-0280).
    may_copy: bool,
}

impl Chats {
    /// Shows an item, or gives why it is not shown.
    pub(super) fn handle_item(
        &mut self,
        source: Source<'_>,
        item: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        let Source {
            peer,
            place,
            is_live,
            ..
        } = source;
        let id = item.attribute("id").unwrap_or_default();
        let is_state = id.starts_with(STATE);
        let author = self.author_of(source, item)?;
        let account = jid::prepared(jid::bare(&author));
        let is_own = *account == *cx.account.bare();
        if !is_own && *account != *peer {
            return Err(Dropped::ForeignFrom);
        }
        let message = payload(item, "message").ok_or(Dropped::WrongPayload)?;
        let kind = message.attribute("type").unwrap_or(Cow::Borrowed("chat"));
        let is_of_a_room = self.shares_nodes && is_of_a_room(&message);
        if is_of_a_room && *kind == *"groupchat" {
            return self.note_private(source, &id, &author, &message, cx);
        }
        self.check_type(&kind)?;
        let meant = self.meant_for(&message, is_own, cx)?;
        let written = Written::of(&message, &account);
        let at = written.and_then(|it| it.at);
        let pair = self.pairs.get(peer);
        let is_now = is_live || pair.is_some_and(|pair| pair.came_meanwhile(place, &id));
        let is_late = !is_now && at.is_none_or(|at| at <= self.available_since);
        // An old chat state says nothing about now.
        if is_state && is_late {
            return Ok(());
        }
        if !is_state && meant != Meant::Other {
            self.note_item(source, &id, at, cx)?;
        }
        // A service delivers messages of blocked accounts, which the own server would not.
        if !is_own && cx.account.people.is_blocked(&account) {
            return Err(Dropped::NotSubscribed);
        }
        let received = Received {
            full: full_of(&author, &account, &message),
            may_copy: self.wants_copies && is_live && is_public(&message),
            message,
            kind,
            is_own,
            meant,
            is_of_a_room,
            written,
            is_late,
        };
        self.show_received(&received, peer, cx);
        Ok(())
    }

    /// Whether a message of this type travels by pubsub.
    fn check_type(&self, kind: &str) -> Result<(), Dropped> {
        match kind {
            "chat" | "normal" | "headline" => Ok(()),
            // Under `auto` errors go natively.
            "error" if self.shares_nodes => Ok(()),
            _ => Err(Dropped::WrongType),
        }
    }

    /// Notes that the item is shown, unless it was shown before; `at`: when it was written.
    fn note_item(
        &mut self,
        source: Source<'_>,
        id: &str,
        at: Option<i64>,
        cx: &Cx<'_>,
    ) -> Result<(), Dropped> {
        let Source { peer, place, .. } = source;
        let pair = self.pairs.get_mut(peer).ok_or(Dropped::NotSubscribed)?;
        let is_new = pair.is_new(id);
        // After a failed read the record stays behind, so that earlier items are fetched next time.
        if pair.reading(place) != Some(Reading::Failed) {
            let last = Last {
                item: id.into(),
                at: at.unwrap_or_else(|| cx.wire.unix_time()),
            };
            self.record.note(peer, place, last, cx.wire.now);
        }
        is_new.then_some(()).ok_or(Dropped::Seen)
    }

    fn show_received(&mut self, received: &Received<'_>, peer: &str, cx: &mut Cx<'_>) {
        let Received { message, full, .. } = received;
        let may_copy = received.may_copy;
        match (received.is_own, received.meant) {
            (false, Meant::Client) if received.is_of_a_room => self.note_marked(full, message),
            // A copy would show the mark to the client.
            _ if received.is_of_a_room => {}
            (false, Meant::Client) => {
                cx.wire.apply(&rules::MESSAGE_IN);
                let hidden = received.written.filter(|_| !received.is_late);
                show(message, full, &received.kind, hidden, cx);
            }
            (false, Meant::Other) if may_copy => {
                let to = message.attribute("to").unwrap_or_default();
                cx.wire.apply(&rules::MESSAGE_IN);
                show_copy("received", message, full, &to, cx);
            }
            (true, _) if may_copy && **full != *cx.account.jid() => {
                // The copy names the peer as addressee, whatever the payload says, as the service may be the peer's.
                let to = message.attribute("to");
                let to = to.filter(|to| jid::prepared(jid::bare(to)) == peer);
                cx.wire.apply(&rules::MESSAGE_IN);
                show_copy("sent", message, full, to.as_deref().unwrap_or(peer), cx);
            }
            _ => {}
        }
    }

    /// The author of an item. On a shared node the service names it; on a node of the peer's account it is the peer,
    /// and an item that names another publisher is refused.
    fn author_of<'a>(
        &self,
        source: Source<'a>,
        item: &Element<'a>,
    ) -> Result<Cow<'a, str>, Dropped> {
        if item.local() != "item" {
            return Err(Dropped::Retracted);
        }
        let publisher = item.attribute("publisher");
        if self.shares_nodes {
            let author = publisher.or(source.replyto.map(Cow::Borrowed));
            return author.ok_or(Dropped::ForeignFrom);
        }
        match publisher.is_none_or(|it| jid::bare(&it) == source.peer) {
            true => Ok(Cow::Borrowed(source.peer)),
            false => Err(Dropped::ForeignFrom),
        }
    }

    /// The recipient of a message within the account. A message for a resource that is not there is for all resources
    /// (RFC 6121 §8.5.3.2.1).
    fn meant_for(
        &self,
        message: &Element<'_>,
        is_own: bool,
        cx: &Cx<'_>,
    ) -> Result<Meant, Dropped> {
        if self.shares_nodes || is_own {
            return Ok(Meant::Client);
        }
        // Listing 20 prints no `to`: the peer alone reads the node.
        let Some(to) = message.attribute("to") else {
            return Ok(Meant::Client);
        };
        if jid::prepared(jid::bare(&to)) != cx.account.bare() {
            return Err(Dropped::WrongPayload);
        }
        match jid::resource(&to) {
            Some(resource)
                if resource != cx.account.resource()
                    && self.reach.has(cx.account.bare(), resource) =>
            {
                Ok(Meant::Other)
            }
            _ => Ok(Meant::Client),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    Client,
    /// Another resource of the account.
    Other,
}

/// The author's full JID: the service names the account, and if it names no resource, the message does.
pub(super) fn full_of<'a>(author: &'a str, account: &str, message: &Element<'a>) -> Cow<'a, str> {
    if jid::resource(author).is_some() {
        return Cow::Borrowed(author);
    }
    let from = message.attribute("from");
    from.filter(|from| jid::prepared(jid::bare(from)) == account)
        .unwrap_or(Cow::Borrowed(author))
}

/// Whether a message may be copied to other resources (XEP-0280).
pub(super) fn is_public(message: &Element<'_>) -> bool {
    message.child(ns::CARBONS, "private").is_none()
}
