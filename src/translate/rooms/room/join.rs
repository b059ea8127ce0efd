//! Joining a room or creating it: the requests, and their answers.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::owned::access_model;
use super::{HOLDER_ANSWERS, Part, Room, State, Step, TRY_AGAIN, delete, forget, forget_steps};
use crate::ns;
use crate::pubsub::{answer, form, request};
use crate::translate::Cx;
use crate::translate::rooms::affiliations::Affiliations;
use crate::translate::rooms::refuse::MEMBERS_OR_BANNED;
use crate::wire::{Refused, Reply, is_gone};
use crate::xml::Element;

/// Attempts while another client is creating the same room.
const MOST_TRIES: u8 = 3;
/// Messages that a new room's node keeps.
const MOST_MESSAGES: usize = 200;
/// The number of requests of a join.
const JOIN: usize = 5;

/// The metadata of a room's node (XEP-0060 §5.4).
#[derive(Default)]
pub(in crate::translate::rooms) struct Info {
    pub(in crate::translate::rooms) access: Option<Box<str>>,
    pub(in crate::translate::rooms) title: Box<str>,
    pub(in crate::translate::rooms) description: Box<str>,
    /// The owners, if the service names them to everybody.
    pub(super) owners: Vec<String>,
}

impl Info {
    pub(in crate::translate::rooms) fn read(iq: &Element<'_>) -> Option<Self> {
        let query = iq.child(ns::DISCO_INFO, "query")?;
        let x = query.child(ns::DATA, "x")?;
        let text = |var| form::value(&x, var).unwrap_or_default();
        Some(Self {
            access: form::value(&x, "pubsub#access_model").map(|it| (*it).into()),
            title: text("pubsub#title").into(),
            description: text("pubsub#description").into(),
            owners: form::values(&x, "pubsub#owner"),
        })
    }
}

impl Room {
    /// Sends all requests of a join in one write (listing 13), or later if there is no place for them.
    pub(crate) fn enter(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.wire.places() < JOIN {
            self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
            return true;
        }
        let own = cx.account.jid().to_owned();
        let info = |out: &mut BytesMut, node: &str| request::info(out, Some(node));
        let mut awaited = usize::from(self.ask("get", Part::Talk, Step::Info, cx, info));
        for part in [Part::Occupants, Part::Talk] {
            // Options as listing 13 prints them; ejabberd refuses them. Only the service reads the nick here:
            // occupants read it in the item.
            let options =
                (self.ways.only_nodes && part == Part::Talk).then_some(("roomnick", &*self.nick));
            let subscribe = |out: &mut BytesMut, node: &str| match options {
                Some(nick) => request::subscribe_with(out, node, &own, &[nick]),
                None => request::subscribe(out, node, &own),
            };
            awaited += usize::from(self.ask("set", part, Step::Subscribe, cx, subscribe));
        }
        self.overtaken = Some(BTreeSet::new());
        let occupants = Part::Occupants;
        let step = Step::Items(occupants);
        awaited += usize::from(self.ask("get", occupants, step, cx, request::items));
        // Under `pure` the service removes an occupant's items with his session: the subject is left in the history
        // only.
        let most = match self.ways.only_nodes {
            true => Some(MOST_MESSAGES),
            false => self.talk.wants(),
        };
        if let Some(most) = most {
            let last = |out: &mut BytesMut, node: &str| request::last_items(out, node, most);
            let step = Step::Items(Part::Talk);
            awaited += usize::from(self.ask("get", Part::Talk, step, cx, last));
        }
        self.state = State::Entering(awaited);
        true
    }

    /// Counts an answer of the join; with the last one the nick is claimed.
    pub(super) fn count_down(&mut self, cx: &mut Cx<'_>) -> bool {
        let State::Entering(awaited) = &mut self.state else {
            return true;
        };
        *awaited = awaited.saturating_sub(1);
        if *awaited > 0 {
            return true;
        }
        self.claim_nick(cx)
    }

    /// Handles the room's metadata (XEP-0060 §5.4). ejabberd names the owners to everybody.
    pub(super) fn handle_info(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let Some(info) = Info::read(iq) else {
            return;
        };
        self.affiliations = Affiliations::owned_by(&info.owners);
        self.is_owner |= self.affiliations.is_owner(cx.account.bare());
        self.names_owners = !info.owners.is_empty();
        (self.access, self.title, self.description) = (info.access, info.title, info.description);
        if self.names_owners {
            return;
        }
        let ask = request::affiliations;
        let is_asked = self.ask("get", Part::Talk, Step::Owners, cx, ask);
        if let State::Entering(awaited) = &mut self.state {
            *awaited += usize::from(is_asked);
        }
    }

    /// Notes the owners. Prosody names them to owners alone (XEP-0060 §8.9.1).
    pub(super) fn note_owners(&mut self, iq: &Element<'_>) {
        self.is_owner = true;
        let list = answer::affiliations(iq).unwrap_or_default();
        self.affiliations = Affiliations::of_list(list);
    }

    /// Publishes the own occupant once all answers are there, unless another occupant who is there has the nick.
    pub(super) fn claim_nick(&mut self, cx: &mut Cx<'_>) -> bool {
        if let Some(full) = self.occupants.claimant(&self.nick, cx.account.bare()) {
            return self.ask_holder(&full, cx) || self.fail("conflict", cx);
        }
        let own = cx.account.jid();
        let twin = self.occupants.of_item(&self.item);
        if let Some(full) = twin.filter(|full| **full != *own) {
            return self.ask_holder(&full, cx) || self.take_other_item(cx);
        }
        self.take_nick(cx)
    }

    /// Asks the holder of the nick, or of the item, whether he is there: his shim may have died.
    fn ask_holder(&mut self, full: &str, cx: &mut Cx<'_>) -> bool {
        if self.ways.only_nodes {
            return false;
        }
        self.state = State::AskingHolder(cx.wire.now + HOLDER_ANSWERS);
        let step = Step::Holder(full.into());
        self.ask_whether_there(full, step, cx)
    }

    /// Handles the holder's answer: he is there, or he is not and the nick is free.
    pub(super) fn handle_holder(&mut self, full: &str, pong: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        let is_gone = is_gone(pong);
        if is_gone {
            self.handle_vanished(full, cx);
        }
        if self.state == State::Joined {
            if let Some((update, _)) = self.contested.take() {
                match is_gone {
                    true => self.contest(update, cx),
                    false => self.refuse_update(&update, "conflict", cx),
                }
            }
            return true;
        }
        match is_gone {
            true => self.claim_nick(cx),
            false => self.handle_held(cx),
        }
    }

    /// The holder is there, or does not answer, as a sleeping client: the nick stays his.
    pub(super) fn handle_held(&mut self, cx: &mut Cx<'_>) -> bool {
        let holder = self.occupants.claimant(&self.nick, cx.account.bare());
        match holder.is_some() {
            true => self.fail("conflict", cx),
            false => self.take_other_item(cx),
        }
    }

    /// Forgets the question to the holder of the nick or the item.
    pub(super) fn forget_holder(&self, cx: &mut Cx<'_>) {
        forget_steps(&self.bare, cx.wire, |step| matches!(step, Step::Holder(_)));
    }

    /// Takes an item of another name, as another resource of the account has the usual one.
    fn take_other_item(&mut self, cx: &mut Cx<'_>) -> bool {
        self.item = cx.account.jid().into();
        self.take_nick(cx)
    }

    /// Fails the join, as the service does not name the publishers of items: no occupant could be trusted.
    pub(super) fn fail_unsigned(&mut self, cx: &mut Cx<'_>) -> bool {
        const TEXT: &str = "this service does not say who writes what, which rooms need: on Prosody its component \
                            lacks 'expose_publisher = true', elsewhere the node has to have itemreply 'publisher'";
        self.text = Some(TEXT);
        if self.is_new {
            // The room was just created, and nobody can use it.
            for part in [Part::Talk, Part::Occupants] {
                delete(&self.bare, part, cx.wire);
            }
        }
        self.fail("service-unavailable", cx)
    }

    /// Begins the join again in a moment, a limited number of times.
    pub(super) fn try_again(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.tries >= MOST_TRIES {
            return self.fail("item-not-found", cx);
        }
        forget(&self.bare, cx.wire);
        self.tries += 1;
        self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
        true
    }

    /// Handles that both nodes are there.
    pub(super) fn handle_created(&mut self, cx: &mut Cx<'_>) -> bool {
        (self.is_new, self.is_locked, self.is_owner) = (true, !self.ways.opens, true);
        // A service that goes on calling the node missing must not be asked for ever.
        self.may_create = false;
        self.enter(cx)
    }

    /// Fails the creation, as another account owns a node in its way. The error is no `conflict`: to a client that
    /// would be one about its nick.
    pub(super) fn handle_not_owned(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        // The node that was just created is no room without the other one.
        if part == Part::Occupants && !self.is_owner {
            delete(&self.bare, Part::Talk, cx.wire);
        }
        self.text =
            Some("a node of this name belongs to somebody else, so there can be no such room");
        self.fail("service-unavailable", cx)
    }

    pub(super) fn take_nick(&mut self, cx: &mut Cx<'_>) -> bool {
        self.state = State::TakingNick;
        let payload = self.presence.clone();
        if !self.publish_self(Step::TakeNick, &payload, cx) {
            return self.fail("resource-constraint", cx);
        }
        self.unheard
            .push(Part::Occupants, self.item.clone(), None, payload);
        true
    }

    pub(super) fn publish_self(&mut self, step: Step, payload: &Bytes, cx: &mut Cx<'_>) -> bool {
        self.new_since = 0;
        self.ask("set", Part::Occupants, step, cx, |out, node| {
            request::publish(out, node, &self.item, None, payload);
        })
    }

    /// Publishes the own occupant again, as its item was taken away or is about to be dropped. An owner asks first
    /// whether he was put out: Prosody would take the item of an owner whom another one has kicked.
    pub(super) fn restore(&mut self, cx: &mut Cx<'_>) {
        self.restored_at = Some(cx.wire.now);
        let ask = request::own_subscriptions;
        if !(self.is_owner && self.ask("get", Part::Occupants, Step::IsOut, cx, ask)) {
            self.publish_again(cx);
        }
    }

    /// Handles the answer whether the client is still subscribed; `false`: the service has put it out.
    pub(super) fn handle_is_out(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        if self.is_unsubscribed(Part::Occupants, reply) {
            return self.handle_kick(Part::Occupants, cx);
        }
        self.publish_again(cx);
        true
    }

    fn publish_again(&mut self, cx: &mut Cx<'_>) {
        let payload = self.presence.clone();
        self.publish_self(Step::Restore, &payload, cx);
    }

    /// Takes the next name for the own item, as another account has an item of this name.
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

    /// Handles a refused subscription: the room is missing, or closed to this account.
    pub(super) fn handle_closed(&mut self, refused: Refused<'_>, cx: &mut Cx<'_>) -> bool {
        // The other requests of the join are refused for the same reason.
        forget(&self.bare, cx.wire);
        match refused.condition() {
            "item-not-found" if self.may_create => self.create(Part::Talk, cx),
            // A node whose owner approves each subscription (`authorize`, the default of XEP-0207 §8) is for members,
            // too.
            "closed-node" | "not-subscribed" | "pending-subscription" | "not-authorized" => {
                self.fail("registration-required", cx)
            }
            // Prosody, which names no owners, gives one error to accounts that are no members and to banned ones.
            "forbidden" if self.access.as_deref() == Some("whitelist") && !self.names_owners => {
                self.text = Some(MEMBERS_OR_BANNED);
                self.fail("registration-required", cx)
            }
            condition => self.fail(condition, cx),
        }
    }

    /// A new room is locked until its owner accepts it (XEP-0045 §10.1.1): nobody else may come in. The user may have
    /// his rooms open at once, as some clients never accept one.
    pub(super) fn create(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        self.state = State::Creating;
        let messages = MOST_MESSAGES.to_string();
        let (most, retracts) = match part {
            Part::Occupants => ("max", "1"),
            Part::Talk => (&*messages, "0"),
        };
        let mut fields = vec![
            ("pubsub#access_model", access_model(!self.ways.opens)),
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
        if self.ways.only_nodes {
            // A join is a temporary subscription (listing 13): it ends with the session, however that ends.
            fields.push(("pubsub#tempsub", "1"));
        }
        if self.ways.only_nodes && part == Part::Occupants {
            // Under `pure` occupants cannot be pinged: the service removes the items of those who are gone.
            fields.push(("pubsub#purge_offline", "1"));
        }
        let is_sent = self.ask("set", part, Step::Create(part), cx, |out, node| {
            request::create(out, node, &fields);
        });
        is_sent || self.fail("resource-constraint", cx)
    }

    pub(super) fn handle_not_created(
        &mut self,
        part: Part,
        refused: Refused<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        match (part, refused) {
            // Another client is creating the room.
            (Part::Talk, Refused::With("conflict")) if self.tries < MOST_TRIES => {
                self.try_again(cx)
            }
            (Part::Talk, Refused::With("forbidden")) => {
                self.text = Some("you may not create rooms on this service");
                self.fail("not-allowed", cx)
            }
            // No client is creating the room any more: a creation or a destruction was never finished.
            (part, Refused::With("conflict")) => {
                self.ask("get", part, Step::Owns(part), cx, request::configuration)
                    || self.fail("resource-constraint", cx)
            }
            (Part::Talk, refused) => self.fail(refused.condition(), cx),
            (Part::Occupants, _) => self.handle_not_owned(part, cx),
        }
    }
}

pub(super) fn is_missing(refused: Refused<'_>) -> bool {
    refused == Refused::With("item-not-found")
}
