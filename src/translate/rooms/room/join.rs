//! Into a room, or to a new one: what is asked for, and what each answer comes to.

use std::collections::BTreeSet;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    HOLDER_ANSWERS, NO_ANSWER, Part, Room, State, Step, TRY_AGAIN, delete, forget, forget_steps,
};
use crate::ns;
use crate::pubsub::{answer, form, request};
use crate::translate::Cx;
use crate::translate::rooms::affiliations::Affiliations;
use crate::translate::rooms::refuse::MEMBERS_OR_BANNED;
use crate::wire::{Refused, Reply, is_gone};
use crate::xml::Element;

/// So often another client may be creating the same room.
const MOST_TRIES: u8 = 3;
/// The room node keeps so many messages.
const MOST_MESSAGES: usize = 200;
/// The requests of a join.
const JOIN: usize = 5;

/// What a room says of itself.
pub(super) struct Info {
    pub(super) access: Option<Box<str>>,
    pub(super) title: Box<str>,
    pub(super) description: Box<str>,
    /// Where the service tells everybody.
    pub(super) owners: Vec<String>,
}

impl Info {
    pub(super) fn read(iq: &Element<'_>) -> Option<Self> {
        let query = iq.child(ns::DISCO_INFO, "query")?;
        let x = query.child(ns::DATA, "x")?;
        Some(Self {
            access: form::value(&x, "pubsub#access_model").map(|it| (*it).into()),
            title: form::value(&x, "pubsub#title").unwrap_or_default().into(),
            description: form::value(&x, "pubsub#description")
                .unwrap_or_default()
                .into(),
            owners: form::values(&x, "pubsub#owner"),
        })
    }
}

impl Room {
    /// Asks for all that a join needs in one write (listing 13); later, where there is no place for it.
    pub(crate) fn enter(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.wire.places() < JOIN {
            self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
            return true;
        }
        let own = cx.account.jid().to_owned();
        let node = self.node(Part::Talk);
        let info = self.ask("get", Step::Info, cx, |out| request::info(out, Some(&node)));
        let mut awaited = usize::from(info);
        for part in [Part::Occupants, Part::Talk] {
            let node = self.node(part);
            // As listing 13 prints it, which ejabberd refuses. Nobody else can read this nick: the item tells it.
            let options =
                (self.ways.only_nodes && part == Part::Talk).then_some(("roomnick", &*self.nick));
            awaited += usize::from(self.ask("set", Step::Subscribe, cx, |out| match options {
                Some(nick) => request::subscribe_with(out, &node, &own, &[nick]),
                None => request::subscribe(out, &node, &own),
            }));
        }
        let node = self.node(Part::Occupants);
        self.overtaken = Some(BTreeSet::new());
        awaited += usize::from(self.ask("get", Step::Items(Part::Occupants), cx, |out| {
            request::items(out, &node);
        }));
        // Where an occupant's items go with his session, what he set as the subject is left among the messages alone.
        let most = match self.ways.only_nodes {
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
        self.claim_nick(cx)
    }

    /// What the room says of itself (XEP-0060 §5.4). ejabberd names the owners to everybody.
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
        let node = self.node(Part::Talk);
        let is_asked = self.ask("get", Step::Owners, cx, |out| {
            request::affiliations(out, &node);
        });
        if let State::Entering(awaited) = &mut self.state {
            *awaited += usize::from(is_asked);
        }
    }

    /// Prosody tells an owner who else is, and nobody else (§8.9.1).
    pub(super) fn note_owners(&mut self, iq: &Element<'_>) {
        self.is_owner = true;
        let list = answer::affiliations(iq).unwrap_or_default();
        self.affiliations = Affiliations::of_list(list);
    }

    /// Everything is known: the nick is taken, unless somebody else who is there has it.
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

    /// Whoever has the nick, or the item, is asked whether he is there: his shim may have died without a word.
    fn ask_holder(&mut self, full: &str, cx: &mut Cx<'_>) -> bool {
        if self.ways.only_nodes {
            return false;
        }
        self.state = State::AskingHolder(cx.wire.now + HOLDER_ANSWERS);
        let step = Step::Holder(full.into());
        self.ask_whether_there(full, step, cx)
    }

    /// Whoever has the nick or the item is there, or not.
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

    /// He is there, or says nothing, as those who sleep do.
    pub(super) fn handle_held(&mut self, cx: &mut Cx<'_>) -> bool {
        let holder = self.occupants.claimant(&self.nick, cx.account.bare());
        match holder.is_some() {
            true => self.fail("conflict", cx),
            false => self.take_other_item(cx),
        }
    }

    /// The answer of whoever has the nick, or the item, is of no use any more.
    pub(super) fn forget_holder(&self, cx: &mut Cx<'_>) {
        forget_steps(&self.bare, cx.wire, |step| matches!(step, Step::Holder(_)));
    }

    /// Another resource of the account is in the room.
    fn take_other_item(&mut self, cx: &mut Cx<'_>) -> bool {
        self.item = cx.account.jid().into();
        self.take_nick(cx)
    }

    /// The service does not say who has published an item, so nobody could be believed in this room.
    pub(super) fn fail_unsigned(&mut self, cx: &mut Cx<'_>) -> bool {
        const TEXT: &str = "this service does not say who writes what, which rooms need: on Prosody its component \
                            lacks 'expose_publisher = true', elsewhere the node has to have itemreply 'publisher'";
        self.text = Some(TEXT);
        if self.is_new {
            // A room just made is of no use.
            for part in [Part::Talk, Part::Occupants] {
                delete(&self.bare, part, cx.wire);
            }
        }
        self.fail("service-unavailable", cx)
    }

    /// What was under way is of no use any more: it is begun again in a moment, but not for ever.
    pub(super) fn try_again(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.tries >= MOST_TRIES {
            return self.fail("item-not-found", cx);
        }
        forget(&self.bare, cx.wire);
        self.tries += 1;
        self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
        true
    }

    /// Both nodes are there.
    pub(super) fn handle_created(&mut self, cx: &mut Cx<'_>) -> bool {
        (self.is_new, self.is_locked, self.is_owner) = (true, !self.ways.opens, true);
        // A service that says again that it is missing would be asked for ever.
        self.may_create = false;
        self.enter(cx)
    }

    /// A node that is in the way is somebody else's. To a client a conflict would be one about its nick.
    pub(super) fn handle_not_owned(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        // A room just made is of no use without the other node.
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
        let node = self.node(Part::Occupants);
        self.ask("set", step, cx, |out| {
            request::publish(out, &node, &self.item, None, |out| out.put_slice(payload));
        })
    }

    /// The own occupant is not there any more, or is about to go. Prosody takes it again from an owner whom another one
    /// has put out, so he asks first.
    pub(super) fn restore(&mut self, cx: &mut Cx<'_>) {
        self.restored_at = Some(cx.wire.now);
        let node = self.node(Part::Occupants);
        let asks = |out: &mut BytesMut| request::own_subscriptions(out, &node);
        if !(self.is_owner && self.ask("get", Step::IsOut, cx, asks)) {
            self.publish_again(cx);
        }
    }

    /// Whether the client is still subscribed; `false`: the service has put it out.
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
        match refused.condition_or(NO_ANSWER) {
            "item-not-found" if self.may_create => self.create(Part::Talk, cx),
            // A room whose owner approves each subscription (`authorize`, the default of XEP-0207 §8) is for members, too.
            "closed-node" | "not-subscribed" | "pending-subscription" | "not-authorized" => {
                self.fail("registration-required", cx)
            }
            // Prosody, which names no owners, says the same to who is not a member and to who is banned.
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
        let node = self.node(part);
        let messages = MOST_MESSAGES.to_string();
        let (most, retracts) = match part {
            Part::Occupants => ("max", "1"),
            Part::Talk => (&*messages, "0"),
        };
        let access = if self.ways.opens { "open" } else { "whitelist" };
        let mut fields = vec![
            ("pubsub#access_model", access),
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
            // Nobody may be asked whether he is still there: the service takes away the item of who is not.
            fields.push(("pubsub#purge_offline", "1"));
        }
        let is_sent = self.ask("set", Step::Create(part), cx, |out| {
            request::create(out, &node, &fields);
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
            // Somebody else is creating it.
            (Part::Talk, Refused::With("conflict")) if self.tries < MOST_TRIES => {
                self.try_again(cx)
            }
            (Part::Talk, Refused::With("forbidden")) => {
                self.text = Some("you may not create rooms on this service");
                self.fail("not-allowed", cx)
            }
            // No other client is creating it now: somebody's creation, or his destruction, came to no end.
            (part, Refused::With("conflict")) => {
                let node = self.node(part);
                let is_sent = self.ask("get", Step::Owns(part), cx, |out| {
                    request::configuration(out, &node);
                });
                is_sent || self.fail("resource-constraint", cx)
            }
            (Part::Talk, refused) => self.fail(refused.condition_or(NO_ANSWER), cx),
            (Part::Occupants, _) => self.handle_not_owned(part, cx),
        }
    }
}

pub(super) fn is_missing(refused: Refused<'_>) -> bool {
    refused == Refused::With("item-not-found")
}
