//! The client's publishes whose events have not come. Servers send the event before the answer, so a missing event
//! means that the client is not in the room any more, or that the event was lost.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::events::Source;
use super::{Part, Room, State, Step, TRY_AGAIN, forget_steps};
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::held::read_standalone;
use crate::translate::rooms::junk::Junk;
use crate::wire::{Dropped, Reply};
use crate::xml::{Element, escape, standalone};

/// Time after the answer to a publish in which its event may come.
const EVENT_BEHIND: Duration = Duration::from_secs(5);
/// Publishes that are remembered.
const MOST: usize = 256;

/// Publishes, in their order.
#[derive(Default)]
pub(super) struct Unheard(VecDeque<Published>);

struct Published {
    part: Part,
    item: Box<str>,
    /// The message's stanza id.
    id: Option<Box<str>>,
    payload: Bytes,
    /// Set once the service has taken the publish: until when its event is awaited.
    until: Option<Duration>,
}

impl Unheard {
    pub(super) fn push(
        &mut self,
        part: Part,
        item: Box<str>,
        id: Option<Box<str>>,
        payload: Bytes,
    ) {
        if self.0.len() < MOST {
            self.0.push_back(Published {
                part,
                item,
                id,
                payload,
                until: None,
            });
        }
    }

    /// Notes that the service has taken a publish.
    pub(super) fn handle_result(&mut self, item: &str, now: Duration) {
        let mut all = self.0.iter_mut();
        if let Some(published) = all.find(|it| *it.item == *item && it.until.is_none()) {
            published.until = Some(now + EVENT_BEHIND);
        }
    }

    /// Removes a publish whose event or error has come; gives the message's stanza id, and the payload.
    pub(super) fn take(&mut self, part: Part, item: &str) -> Option<(Option<Box<str>>, Bytes)> {
        let is_it = |it: &Published| it.part == part && *it.item == *item;
        let at = self.0.iter().position(is_it)?;
        self.0.remove(at).map(|it| (it.id, it.payload))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn due_at(&self) -> Option<Duration> {
        self.0.iter().filter_map(|it| it.until).min()
    }
}

impl Room {
    /// Asks whether the client is still subscribed, if an event has not come in time.
    pub(super) fn ask_whether_heard(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let due = |it: &Published| it.until.is_some_and(|at| at <= now);
        while let Some(published) = self.unheard.0.iter().find(|it| due(it)) {
            let (part, item) = (published.part, published.item.clone());
            let step = Step::Heard(part, item);
            let is_asked = self.ask("get", part, step, cx, request::own_subscriptions);
            let all = &mut self.unheard.0;
            if let Some(published) = all.iter_mut().find(|it| due(it)) {
                published.until = (!is_asked).then_some(now + TRY_AGAIN);
            }
        }
    }

    /// Handles the answer whether the client is subscribed; `false`: it is out of the room.
    pub(super) fn handle_heard(
        &mut self,
        part: Part,
        item: &str,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        // The event has come meanwhile.
        let Some((id, payload)) = self.unheard.take(part, item) else {
            return true;
        };
        if self.is_unsubscribed(part, reply) {
            if part == Part::Talk {
                self.show_unsent(id.as_deref(), Some(payload), "not-acceptable", cx);
            }
            // ejabberd creates a node that does not exist when something is published to it.
            let [node, twin] = [part, part.other()].map(|it| self.node(it));
            Junk::alone(jid::domain(&self.bare), node, twin).look(cx);
            return match self.state {
                State::Joined => self.show_kicked(cx),
                _ => self.fail("forbidden", cx),
            };
        }
        // The service has taken the message and the client is subscribed: only its event was lost.
        let items = format!(
            "<items xmlns='{}'><item id='{}' publisher='{}'>{}</item></items>",
            ns::PUBSUB_EVENT,
            escape(item),
            escape(&self.own),
            String::from_utf8_lossy(&payload)
        );
        let handle = |items: &Element<'_>| self.handle_items(items, part, Source::Fetch, None, cx);
        read_standalone(items.as_bytes(), handle).unwrap_or(true)
    }

    /// Whether the service says that the client is not subscribed to this node; an unclear answer does not.
    pub(super) fn is_unsubscribed(&self, part: Part, reply: Reply<'_>) -> bool {
        let node = self.node(part);
        let list = reply.ok();
        let list = list.and_then(|iq| answer::own_subscriptions(iq, &node));
        let is_subscribed =
            |(jid, state): &(Box<str>, Box<str>)| *jid == self.own && **state == *"subscribed";
        list.is_some_and(|list| !list.iter().any(is_subscribed))
    }

    /// Returns the client's message of this id as an error, with its content if that is known.
    pub(super) fn show_unsent(
        &self,
        id: Option<&str>,
        payload: Option<Bytes>,
        condition: &str,
        cx: &mut Cx<'_>,
    ) {
        let echo = read_standalone(&payload.unwrap_or_default(), |message| {
            let said = message.children();
            let said = said.filter(|child| child.namespace() != ns::DELAY);
            said.map(|child| standalone(&child)).collect::<String>()
        });
        let echo = echo.unwrap_or_default();
        let own = cx.account.jid();
        cx.wire.show_unsent(&self.bare, own, id, &echo, condition);
    }

    /// Asks for items whose payloads an event has left out, some at a time.
    pub(super) fn fetch(&mut self, part: Part, items: Vec<String>, cx: &mut Cx<'_>) {
        for item in items {
            match self.left_out.len() < MOST {
                true => self.left_out.push_back((part, item.into())),
                false => cx.wire.drop_event(Dropped::Overflow),
            }
        }
        if self.fetches || !cx.wire.may_react() {
            return;
        }
        let Some((part, _)) = self.left_out.front() else {
            return;
        };
        let part = *part;
        let (now, later) = std::mem::take(&mut self.left_out)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(of, _)| *of == part);
        self.left_out = later;
        self.fetches = self.ask("get", part, Step::Fetch(part), cx, |out, node| {
            request::items_by_id(out, node, now.iter().map(|(_, item)| item));
        });
    }

    /// The items that were fetched; `false`: the client is out of the room by them.
    pub(super) fn handle_fetched(&mut self, part: Part, reply: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        self.fetches = false;
        let read = |items: &Element<'_>| self.handle_items(items, part, Source::Fetch, None, cx);
        let is_in = reply.ok().and_then(|iq| answer::with_items(iq, read));
        self.fetch(part, Vec::new(), cx);
        is_in.unwrap_or(true)
    }

    /// Handles the deletion of the room: messages on their way reached nobody and are returned, and nodes that ejabberd
    /// has created for them are removed.
    pub(super) fn show_deleted(&mut self, cx: &mut Cx<'_>) -> bool {
        let published = std::mem::take(&mut self.unheard.0);
        for part in [Part::Occupants, Part::Talk] {
            if published.iter().any(|it| it.part == part) {
                Junk::deleted(jid::domain(&self.bare), self.node(part)).look(cx);
            }
        }
        for said in published.into_iter().filter(|it| it.part == Part::Talk) {
            let (id, payload) = (said.id.as_deref(), Some(said.payload));
            self.show_unsent(id, payload, "item-not-found", cx);
        }
        forget_steps(&self.bare, cx.wire, |step| matches!(step, Step::Say(..)));
        let why = self.destroy.take();
        self.show_destroyed(why.as_deref().unwrap_or("<destroy/>"), cx);
        false
    }
}
