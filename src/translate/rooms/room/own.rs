//! The client's own deeds in a room: another status or nick, a message, leaving.

use bytes::Bytes;

use super::show::{Shown, gone_payload, own_payload};
use super::{HOLDER_ANSWERS, Part, Room, State, Step};
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::Cx;
use crate::translate::rooms::refuse::{refuse, refuse_empty};
use crate::translate::rooms::{Ask, CHANGE, LEAVE, SAY, payload};
use crate::xml::Element;

/// A presence of the client's for a room it is in.
#[derive(Debug)]
pub(crate) struct Update {
    pub(super) nick: Box<str>,
    pub(super) id: Option<Box<str>>,
    pub(super) payload: Bytes,
}

impl Room {
    /// Handles a presence of the client's for a room it is in or is joining: a new status, or another nick. `false`:
    /// the client is out of the room by it.
    pub(crate) fn update(&mut self, nick: &str, presence: &Element<'_>, cx: &mut Cx<'_>) -> bool {
        let payload = own_payload(presence, &self.bare, nick, cx.account.jid());
        let id: Option<Box<str>> = presence.attribute("id").map(|id| (*id).into());
        if !matches!(self.state, State::Joined | State::TakingNick) {
            // The join publishes the presence.
            (self.presence, self.nick, self.id) = (payload, nick.into(), id);
            if let Some(muc) = presence.child(ns::MUC, "x") {
                self.may_create |= !self.is_new;
                self.talk.want(&muc, cx.wire.unix_time());
            }
            if matches!(self.state, State::AskingHolder(_)) {
                self.forget_holder(cx);
                return self.claim_nick(cx);
            }
            return true;
        }
        let update = Update {
            nick: nick.into(),
            id,
            payload,
        };
        self.contest(update.into(), cx);
        true
    }

    /// Publishes the client's new presence, unless another occupant has the nick: he is asked first whether he is
    /// there, as his shim may have died.
    pub(super) fn contest(&mut self, update: Box<Update>, cx: &mut Cx<'_>) {
        // A new status does not end the contest for a nick.
        let other = self.contested.take_if(|_| update.nick != self.nick);
        if let Some((older, _)) = other {
            self.forget_holder(cx);
            self.refuse_update(&older, "conflict", cx);
        }
        let holder = self.occupants.claimant(&update.nick, cx.account.bare());
        if let Some(full) = holder {
            let step = Step::Holder(full.clone());
            if self.ways.only_nodes || !self.ask_whether_there(&full, step, cx) {
                return self.refuse_update(&update, "conflict", cx);
            }
            // The holder is asked once, whatever the answer.
            self.occupants.hear(&full, cx.wire.now);
            self.contested = Some((update, cx.wire.now + HOLDER_ANSWERS));
            return;
        }
        cx.wire.apply(&CHANGE);
        let payload = update.payload.clone();
        let (nick, id) = (update.nick.clone(), update.id.clone());
        if !self.publish_self(Step::Update(update), &payload, cx) {
            let (account, wire) = (&*cx.account, &mut *cx.wire);
            return self.show_refusal(&nick, id.as_deref(), "resource-constraint", account, wire);
        }
        self.unheard
            .push(Part::Occupants, self.item.clone(), None, payload);
    }

    pub(super) fn refuse_update(&self, update: &Update, condition: &str, cx: &mut Cx<'_>) {
        let id = update.id.as_deref();
        self.show_refusal(&update.nick, id, condition, cx.account, cx.wire);
    }

    /// Publishes a message of the client's to everybody.
    pub(crate) fn say(&mut self, message: &Element<'_>, cx: &mut Cx<'_>) {
        if self.state != State::Joined {
            return refuse(message, "not-acceptable", cx);
        }
        if payload::is_empty(message) {
            return refuse_empty(message, cx);
        }
        let said = self.talk.said(message, &self.bare, &self.nick, cx);
        cx.wire.apply(&SAY);
        let id: Option<Box<str>> = message.attribute("id").map(|id| (*id).into());
        let item: Box<str> = said.item.as_str().into();
        let step = Step::Say(id.clone(), item.clone());
        let is_sent = self.ask("set", Part::Talk, step, cx, |out, node| {
            request::publish(out, node, &said.item, None, &said.payload);
        });
        if !is_sent {
            return refuse(message, "resource-constraint", cx);
        }
        self.unheard
            .push(Part::Talk, item, id, said.payload.clone());
        if said.is_subject {
            let item = format!("subject/{}", cx.account.bare());
            self.tell(Part::Occupants, cx, |out, node| {
                request::publish(out, node, &item, None, &said.payload);
            });
        }
    }

    /// Fails the join: its requests are undone, and the client is told. `false`.
    pub(super) fn fail(&mut self, condition: &str, cx: &mut Cx<'_>) -> bool {
        self.is_nick_taken = condition == "conflict";
        self.withdraw(None, cx);
        self.refuse(condition, cx.account, cx.wire);
        false
    }

    /// Leaves the room: occupants are told, and the client at once. `presence`: the client's; without it the client
    /// does not listen any more.
    pub(crate) fn leave(self, presence: Option<&Element<'_>>, cx: &mut Cx<'_>) {
        self.withdraw(presence, cx);
        cx.wire.apply(&LEAVE);
        if let Some(presence) = presence {
            let said = own_payload(presence, &self.bare, &self.nick, &self.own);
            self.show(&self.own, &self.nick, &said, Shown::gone(&["110"]), cx);
        }
    }

    /// Overwrites the own item with an unavailable presence, and unsubscribes from both nodes.
    fn withdraw(&self, presence: Option<&Element<'_>>, cx: &mut Cx<'_>) {
        let own = &self.own;
        if !matches!(self.state, State::TakingNick | State::Joined) {
            return self.unsubscribe(own, cx);
        }
        let said = match presence {
            Some(presence) => own_payload(presence, &self.bare, &self.nick, own),
            None => gone_payload(&self.bare, &self.nick, own),
        };
        self.tell(Part::Occupants, cx, |out, node| {
            request::publish(out, node, &self.item, None, &said);
        });
        let (left, service) = (Ask::Left(self.bare.clone()), jid::domain(&self.bare));
        let is_asked = cx.wire.request("set", Some(service), left, |out| {
            request::unsubscribe(out, &self.node(Part::Occupants), own);
        });
        match is_asked {
            true => self.unsubscribe_from(Part::Talk, own, cx),
            false => self.unsubscribe(own, cx),
        }
    }

    /// Ends the subscriptions of this full JID of the own account.
    pub(super) fn unsubscribe(&self, full: &str, cx: &mut Cx<'_>) {
        for part in [Part::Occupants, Part::Talk] {
            self.unsubscribe_from(part, full, cx);
        }
    }

    pub(super) fn unsubscribe_from(&self, part: Part, full: &str, cx: &mut Cx<'_>) {
        self.tell(part, cx, |out, node| request::unsubscribe(out, node, full));
    }
}
