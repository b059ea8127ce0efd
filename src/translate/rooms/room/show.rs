//! Occupants as the client is shown them, and as they are published (XEP-0045 §7.2).

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::{Room, State};
use crate::ns;
use crate::translate::account::Account;
use crate::translate::held::read_standalone;
use crate::translate::rooms::OCCUPANT;
use crate::translate::rooms::affiliations::Affiliation;
use crate::translate::rooms::occupants::is_of_room;
use crate::translate::rooms::refuse::text_of;
use crate::translate::{Cx, Wire};
use crate::wire::{Event, Leg, StanzaError};
use crate::xml::{Element, escape, rewrite, rewrite_standalone};

/// Told to the creator of a room, and in brackets to the accounts that are invited.
pub(crate) const WHOM_IT_IS_FOR: &str = "This room is made of publish-subscribe: only people whose client is behind pubshim can see it.";

impl Room {
    /// Shows a client that has joined the other occupants, itself, the history and the subject (XEP-0045 §7.2.2 to
    /// §7.2.15).
    pub(super) fn show_all(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Joined;
        self.start_watch(cx);
        let mut shown = BTreeSet::new();
        for (full, occupant) in self.occupants.iter() {
            if *full != *self.own && *occupant.nick != *self.nick && shown.insert(&*occupant.nick) {
                self.show(
                    full,
                    &occupant.nick,
                    &occupant.presence,
                    Shown::default(),
                    cx,
                );
            }
        }
        cx.wire.log(Event::RoomJoined {
            room: self.bare.to_string(),
            nick: self.nick.to_string(),
            is_new: self.is_new,
        });
        let mut statuses = vec!["100", "110"];
        if self.is_locked {
            statuses.push("201");
        }
        let nick = self.occupants.get(&self.own).map(|it| it.nick.clone());
        if let Some(nick) = nick.filter(|nick| *nick != self.nick) {
            // The nick as others see it.
            self.nick = nick;
            statuses.push("210");
        }
        self.show_self(&statuses, cx);
        self.talk.show_history(&self.bare, &self.occupants, cx);
        if self.is_new && !self.is_locked {
            self.tell_whom_it_is_for(cx);
        }
    }

    fn show_self(&self, statuses: &[&str], cx: &mut Cx<'_>) {
        let shown = Shown {
            statuses,
            ..Shown::default()
        };
        self.show(&self.own, &self.nick, &self.presence, shown, cx);
    }

    /// Tells the creator of a room who cannot see it, once the room is open: some clients have no window before.
    pub(super) fn tell_whom_it_is_for(&self, cx: &mut Cx<'_>) {
        // Under `pure` everybody is behind a shim.
        if self.ways.only_nodes {
            return;
        }
        let (from, to) = (escape(&self.bare), escape(cx.account.jid()));
        let message = format!(
            "<message type='groupchat' from='{from}' to='{to}'><body>{WHOM_IT_IS_FOR}</body></message>"
        );
        cx.wire.copy(Leg::Client, message.as_bytes());
    }

    /// Shows the client an occupant.
    pub(super) fn show(
        &self,
        full: &str,
        nick: &str,
        presence: &Bytes,
        shown: Shown<'_>,
        cx: &mut Cx<'_>,
    ) {
        let own = cx.account.jid();
        let affiliation = shown.affiliation.unwrap_or_else(|| self.affiliation(full));
        let stays = !shown.is_gone || shown.new_nick.is_some();
        let role = if stays { affiliation.role() } else { "none" };
        let affiliation = affiliation.word();
        let mut x = format!(
            "<x xmlns='{}'><item affiliation='{affiliation}' role='{role}' jid='{}'",
            ns::MUC_USER,
            escape(full)
        );
        if let Some(nick) = shown.new_nick {
            x += &format!(" nick='{}'", escape(nick));
        }
        x += &match shown.in_item {
            "" => "/>".to_owned(),
            said => format!(">{said}</item>"),
        };
        for status in shown.statuses {
            x += &format!("<status code='{status}'/>");
        }
        x += "</x>";
        let from = format!("{}/{nick}", self.bare);
        let changes = [
            ("from", Some(&*from)),
            ("to", Some(own)),
            ("type", shown.is_gone.then_some("unavailable")),
        ];
        let may_stay = |child: &Element<'_>| !is_of_room(child);
        cx.wire.apply(&OCCUPANT);
        let write = |out: &mut BytesMut| {
            read_standalone(presence, |it| rewrite(out, it, &changes, may_stay, &x));
        };
        cx.wire.stanza(Leg::Client, write);
    }

    /// Shows that the room was destroyed, without affiliation and role (XEP-0045 §10.9); `why`: the owner's words.
    pub(super) fn show_destroyed(&self, why: &str, cx: &mut Cx<'_>) {
        let presence = format!(
            "<presence type='unavailable' from='{}' to='{}'><x xmlns='{}'><item affiliation='none' role='none'/>{why}\
             </x></presence>",
            escape(&format!("{}/{}", self.bare, self.nick)),
            escape(cx.account.jid()),
            ns::MUC_USER
        );
        cx.wire.apply(&OCCUPANT);
        cx.wire.copy(Leg::Client, presence.as_bytes());
    }

    /// Shows that the service has put the client out of the room.
    pub(super) fn show_out(&self, shown: Shown<'_>, cx: &mut Cx<'_>) -> bool {
        if self.state == State::Joined {
            let presence = bare_presence(&self.presence);
            self.show(&self.own, &self.nick, &presence, shown, cx);
        } else {
            self.refuse("forbidden", cx.account, cx.wire);
        }
        false
    }

    /// Tells the client that nothing came of its join, unless it is in (XEP-0045 §7.2).
    pub(crate) fn refuse(&self, condition: &str, account: &Account, wire: &mut Wire) {
        if self.state != State::Joined {
            wire.log(Event::RoomRefused {
                room: self.bare.to_string(),
                reason: condition.to_owned(),
            });
            let id = self.id.as_deref();
            self.show_refusal(&self.nick, id, condition, account, wire);
        }
    }

    pub(super) fn show_refusal(
        &self,
        nick: &str,
        id: Option<&str>,
        condition: &str,
        account: &Account,
        wire: &mut Wire,
    ) {
        let from = format!("{}/{nick}", self.bare);
        let (from, to) = (Some(&*from), Some(account.jid()));
        let attributes = [("from", from), ("to", to), ("id", id)];
        let echo = format!("<x xmlns='{}'/>", ns::MUC);
        let text = self.text.or_else(|| text_of("presence", condition));
        let error = StanzaError::from(condition).saying(text);
        wire.show_error("presence", &attributes, &echo, error);
    }
}

/// Details of a presence that shows an occupant.
#[derive(Clone, Copy, Default)]
pub(super) struct Shown<'a> {
    pub(super) is_gone: bool,
    pub(super) statuses: &'a [&'a str],
    pub(super) new_nick: Option<&'a str>,
    /// The affiliation, if not the known one.
    pub(super) affiliation: Option<Affiliation>,
    /// Actor and reason.
    pub(super) in_item: &'a str,
}

impl<'a> Shown<'a> {
    pub(super) fn gone(statuses: &'a [&'a str]) -> Self {
        Self {
            is_gone: true,
            statuses,
            ..Self::default()
        }
    }
}

/// The client's presence as it is published: with nick and full JID, without elements that only a room may add.
pub(super) fn own_payload(presence: &Element<'_>, bare: &str, nick: &str, own: &str) -> Bytes {
    let from = format!("{bare}/{nick}");
    // A presence with any type, an error's included, is published as unavailable.
    let is_gone = presence.attribute("type").is_some();
    let changes = [
        ("from", Some(&*from)),
        ("to", None),
        ("type", is_gone.then_some("unavailable")),
    ];
    let mut out = BytesMut::new();
    let may_stay = |child: &Element<'_>| !is_of_room(child) && !child.is(ns::CLIENT, "error");
    rewrite_standalone(&mut out, presence, &changes, may_stay, &item_of(own));
    out.freeze()
}

pub(super) fn gone_payload(bare: &str, nick: &str, own: &str) -> Bytes {
    let from = format!("{bare}/{nick}");
    let payload = format!(
        "<presence xmlns='{}' from='{}' type='unavailable'>{}</presence>",
        ns::CLIENT,
        escape(&from),
        item_of(own)
    );
    payload.into()
}

fn item_of(own: &str) -> String {
    format!(
        "<x xmlns='{}'><item jid='{}'/></x>",
        ns::MUC_USER,
        escape(own)
    )
}

/// The presence without children.
pub(super) fn bare_presence(presence: &Bytes) -> Bytes {
    let mut out = BytesMut::new();
    read_standalone(presence, |presence| {
        rewrite(&mut out, presence, &[("id", None)], |_| false, "");
    });
    out.freeze()
}
