//! Into a room, or to a new one: what is asked for, and what each answer comes to.

use bytes::BufMut as _;

use super::{Part, Room, State, Step, TRY_AGAIN, forget};
use crate::jid;
use crate::ns;
use crate::pubsub::{form, request};
use crate::translate::Cx;
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// So often another client may be creating the same room.
const MOST_TRIES: u8 = 3;
/// The room node keeps so many messages.
const MOST_MESSAGES: usize = 200;
/// The requests of a join.
const JOIN: usize = 4;

impl Room {
    /// Asks for all that a join needs in one write (listing 13); later, where there is no place for it.
    pub(crate) fn enter(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.wire.places() < JOIN {
            self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
            return true;
        }
        let own = cx.account.jid().to_owned();
        let mut awaited = 0;
        for part in [Part::Occupants, Part::Talk] {
            let node = self.node(part);
            // As listing 13 prints it, which ejabberd refuses. Nobody else can read this nick: the item tells it.
            let options =
                (self.only_nodes && part == Part::Talk).then_some(("roomnick", &*self.nick));
            awaited += usize::from(self.ask("set", Step::Subscribe, cx, |out| match options {
                Some(nick) => request::subscribe_with(out, &node, &own, &[nick]),
                None => request::subscribe(out, &node, &own),
            }));
        }
        let node = self.node(Part::Occupants);
        awaited += usize::from(self.ask("get", Step::Items(Part::Occupants), cx, |out| {
            request::items(out, &node);
        }));
        // Where an occupant's items go with his session, what he set as the subject is left among the messages alone.
        let most = match self.only_nodes {
            true => Some(MOST_MESSAGES),
            false => self.talk.wants(),
        };
        if let Some(most) = most {
            let node = self.node(Part::Talk);
            awaited += usize::from(self.ask("get", Step::Items(Part::Talk), cx, |out| {
                request::last_items(out, &node, most);
            }));
        }
        self.state = State::Entering(awaited);
        true
    }

    /// One more answer has come: with the last one the nick is taken.
    pub(super) fn count_down(&mut self, cx: &mut Cx<'_>) -> bool {
        let State::Entering(awaited) = &mut self.state else {
            return true;
        };
        *awaited = awaited.saturating_sub(1);
        if *awaited > 0 {
            return true;
        }
        let holder = self.occupants.of_nick(&self.nick);
        if holder.is_some_and(|full| jid::bare(full) != cx.account.bare()) {
            return self.end("conflict", cx);
        }
        let own = cx.account.jid();
        let is_other = |full: &str| full != own;
        if self
            .occupants
            .of_item(&self.item)
            .is_some_and(|full| is_other(&full))
        {
            // Another resource of the account is in the room.
            self.item = own.into();
        }
        self.take_nick(cx)
    }

    pub(super) fn take_nick(&mut self, cx: &mut Cx<'_>) -> bool {
        self.state = State::TakingNick(None);
        self.publish_self(Step::TakeNick, cx) || self.end("resource-constraint", cx)
    }

    pub(super) fn publish_self(&self, step: Step, cx: &mut Cx<'_>) -> bool {
        let node = self.node(Part::Occupants);
        self.ask("set", step, cx, |out| {
            request::publish(out, &node, &self.item, None, |out| {
                out.put_slice(&self.presence);
            });
        })
    }

    /// Somebody else has an item of the name of ours: the next name.
    pub(super) fn next_item(&mut self, cx: &mut Cx<'_>) -> bool {
        let own = cx.account.jid();
        let is_first = *self.item == *cx.account.bare();
        if !is_first && *self.item != *own {
            return false;
        }
        self.item = match is_first {
            true => own.into(),
            false => format!("{own}/{}", cx.wire.fresh_id()).into(),
        };
        true
    }

    /// A room that does not let us in: it is missing, or closed.
    pub(super) fn handle_closed(&mut self, refused: Refused<'_>, cx: &mut Cx<'_>) -> bool {
        // The other requests of the join come to the same.
        forget(&self.bare, cx.wire);
        let condition = refused.condition_or("remote-server-timeout").to_owned();
        match &*condition {
            "item-not-found" if self.may_create => self.create(Part::Talk, cx),
            "not-allowed" | "closed-node" => self.end("registration-required", cx),
            // A room whose owner approves each subscription (`authorize`, the default of XEP-0207 §8) is for members, too.
            "not-subscribed" | "pending-subscription" | "not-authorized" => {
                self.end("registration-required", cx)
            }
            "forbidden" => {
                self.state = State::Asking;
                let node = self.node(Part::Talk);
                self.ask("get", Step::Why, cx, |out| request::info(out, Some(&node)))
                    || self.end("forbidden", cx)
            }
            condition => self.end(condition, cx),
        }
    }

    /// A new room is locked until its owner accepts it (XEP-0045 §10.1.1): nobody else may come in.
    pub(super) fn create(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        self.state = State::Creating;
        let node = self.node(part);
        let messages = MOST_MESSAGES.to_string();
        let (most, retracts) = match part {
            Part::Occupants => ("max", "1"),
            Part::Talk => (&*messages, "0"),
        };
        let mut fields = vec![
            ("pubsub#access_model", "whitelist"),
            ("pubsub#publish_model", "subscribers"),
            ("pubsub#persist_items", "1"),
            ("pubsub#max_items", most),
            ("pubsub#send_last_published_item", "never"),
            ("pubsub#notify_retract", retracts),
            ("pubsub#notify_delete", "1"),
            ("pubsub#notify_config", "0"),
            ("pubsub#notification_type", "headline"),
            ("pubsub#deliver_payloads", "1"),
            ("pubsub#presence_based_delivery", "0"),
            ("pubsub#itemreply", "publisher"),
        ];
        if self.only_nodes {
            // A join is a temporary subscription (listing 13): it ends with the session, however that ends.
            fields.push(("pubsub#tempsub", "1"));
        }
        if self.only_nodes && part == Part::Occupants {
            // Nobody may be asked whether he is still there: the service takes away the item of who is not.
            fields.push(("pubsub#purge_offline", "1"));
        }
        let is_sent = self.ask("set", Step::Create(part), cx, |out| {
            request::create(out, &node, &fields);
        });
        is_sent || self.end("resource-constraint", cx)
    }

    pub(super) fn handle_not_created(
        &mut self,
        part: Part,
        refused: Refused<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        match (part, refused) {
            // Somebody else is creating it.
            (Part::Talk, Refused::With("conflict")) if self.tries < MOST_TRIES => {
                self.tries += 1;
                self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
                true
            }
            (Part::Talk, Refused::With("forbidden")) => self.end("not-allowed", cx),
            // Nobody is: whoever was creating it has not come to an end.
            (Part::Talk, Refused::With("conflict")) => {
                let node = self.node(part);
                let is_sent = self.ask("get", Step::Owns, cx, |out| {
                    request::configuration(out, &node);
                });
                is_sent || self.end("resource-constraint", cx)
            }
            (Part::Talk, refused) => {
                let condition = refused.condition_or("remote-server-timeout").to_owned();
                self.end(&condition, cx)
            }
            (Part::Occupants, _) => {
                // A room just made is of no use without the other node.
                if !self.is_owner {
                    let node = self.node(Part::Talk);
                    cx.wire.tell("set", Some(jid::domain(&self.bare)), |out| {
                        request::delete(out, &node);
                    });
                }
                self.end("service-unavailable", cx)
            }
        }
    }

    /// The owner accepts the room: everybody may come in. `id`: of the client's request.
    pub(crate) fn open(&mut self, id: &str, cx: &mut Cx<'_>) {
        self.open_part(Part::Occupants, id, cx);
    }

    fn open_part(&mut self, part: Part, id: &str, cx: &mut Cx<'_>) {
        let (node, step) = (self.node(part), Step::Open(part, id.into()));
        let is_sent = self.ask("set", step, cx, |out| {
            request::configure(out, &node, &[("pubsub#access_model", "open")]);
        });
        if !is_sent {
            self.answer_owner(id, Err(Refused::NoRoom), cx);
        }
    }

    pub(super) fn handle_opened(
        &mut self,
        part: Part,
        id: &str,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        match (part, reply) {
            (Part::Occupants, Ok(_)) => self.open_part(Part::Talk, id, cx),
            (Part::Talk, Ok(_)) => {
                self.is_locked = false;
                self.answer_owner(id, reply, cx);
            }
            (_, Err(_)) => self.answer_owner(id, reply, cx),
        }
        true
    }

    fn answer_owner(&self, id: &str, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match reply {
            Ok(_) => cx
                .wire
                .show_answer(id, &self.bare, cx.account.jid(), |_| {}),
            Err(refused) => {
                let (from, to) = (Some(&*self.bare), Some(cx.account.jid()));
                let attributes = [("from", from), ("to", to), ("id", Some(id))];
                let condition = refused.condition_or("remote-server-timeout");
                cx.wire.show_error("iq", &attributes, "cancel", condition);
            }
        }
    }
}

pub(super) fn is_missing(refused: Refused<'_>) -> bool {
    refused == Refused::With("item-not-found")
}

/// The access model by a node's description (XEP-0060 §5.4).
pub(super) fn access_of(iq: &Element<'_>) -> Option<String> {
    let query = iq.child(ns::DISCO_INFO, "query")?;
    let x = query.child(ns::DATA, "x")?;
    form::value(&x, "pubsub#access_model").map(std::borrow::Cow::into_owned)
}
