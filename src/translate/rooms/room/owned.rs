//! Affiliations and configuration of a room, as the client is shown them.

use super::show::Shown;
use super::{Part, Room, State};
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::Cx;
use crate::translate::rooms::affiliations::{Affiliation, Affiliations};
use crate::wire::Leg;
use crate::xml::escape;

/// A room's configuration, or an owner's changes to it: fields that are `None` stay as they are.
#[derive(Debug, Default, PartialEq)]
pub(in crate::translate::rooms) struct Configuration {
    /// Only members may come in.
    pub(in crate::translate::rooms) closes: Option<bool>,
    pub(in crate::translate::rooms) title: Option<Box<str>>,
    pub(in crate::translate::rooms) description: Option<Box<str>>,
    /// The number of messages that the node keeps.
    pub(in crate::translate::rooms) history: Option<u16>,
}

impl Configuration {
    /// Leaves out fields that are the same in `now`.
    pub(in crate::translate::rooms) fn leave_out(&mut self, now: &Self) {
        fn drop_same<T: PartialEq>(wanted: &mut Option<T>, now: &Option<T>) {
            wanted.take_if(|it| now.as_ref() == Some(it));
        }
        drop_same(&mut self.closes, &now.closes);
        drop_same(&mut self.title, &now.title);
        drop_same(&mut self.description, &now.description);
        drop_same(&mut self.history, &now.history);
    }

    pub(in crate::translate::rooms) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The access model of a node for members only, or for everybody.
pub(in crate::translate::rooms) fn access_model(closes: bool) -> &'static str {
    match closes {
        true => "whitelist",
        false => "open",
    }
}

impl Room {
    /// The affiliation of an occupant, by full JID. The service names members to owners alone; an occupant of a room
    /// for members is one, unless his membership is known to have ended.
    pub(in crate::translate::rooms) fn affiliation(&self, full: &str) -> Affiliation {
        if self.is_owner && jid::bare(full) == jid::bare(&self.own) {
            return Affiliation::Owner;
        }
        match self.affiliations.known(jid::bare(full)) {
            None if self.is_for_members() => Affiliation::Member,
            known => known.unwrap_or_default(),
        }
    }

    /// The role of this account, if it is in the room.
    pub(in crate::translate::rooms) fn role(&self, account: &str) -> Option<&'static str> {
        let (full, _) = self.occupants.of_account(account).next()?;
        Some(self.affiliation(full).role())
    }

    /// Whether only members may be in the room, by the service's metadata.
    fn is_for_members(&self) -> bool {
        self.access
            .as_deref()
            .is_some_and(|access| access != "open")
    }

    /// Notes the access model. Occupants of a room for members stay members when it opens.
    pub(super) fn note_access(&mut self, access: Option<Box<str>>) {
        if self.is_for_members() {
            let mut all = self.all_affiliations();
            all.retain(|(_, it)| *it == Affiliation::Member);
            for (full, _) in all {
                self.affiliations.set(jid::bare(&full), Affiliation::Member);
            }
        }
        self.access = access;
    }

    /// All occupants by full JID, with their affiliations.
    pub(super) fn all_affiliations(&self) -> Vec<(Box<str>, Affiliation)> {
        let all = self.occupants.iter();
        all.map(|(full, _)| (full.into(), self.affiliation(full)))
            .collect()
    }

    pub(in crate::translate::rooms) fn note_affiliations(&mut self, now: Affiliations) {
        self.affiliations = self.whole(now);
    }

    /// An affiliation list of the service's, completed with occupants that are not on it.
    pub(super) fn whole(&self, mut list: Affiliations) -> Affiliations {
        for (full, _) in self.occupants.iter() {
            list.note_absent(jid::bare(full));
        }
        list
    }

    pub(in crate::translate::rooms) fn set_affiliation(
        &mut self,
        account: &str,
        affiliation: Affiliation,
    ) {
        self.affiliations.set(account, affiliation);
        if affiliation == Affiliation::None {
            self.forget_affiliation(account);
        }
        if account == jid::bare(&self.own) {
            self.is_owner = affiliation == Affiliation::Owner;
        }
    }

    /// Shows the occupants of an account with its new affiliation (XEP-0045 §9); `said`: the actor and his reason.
    pub(in crate::translate::rooms) fn show_affiliation(
        &mut self,
        account: &str,
        affiliation: Affiliation,
        said: &str,
        cx: &mut Cx<'_>,
    ) {
        self.set_affiliation(account, affiliation);
        let all = self.occupants.of_account(account);
        let all: Vec<Box<str>> = all.map(|(full, _)| full.into()).collect();
        for full in all {
            self.show_again(&full, said, cx);
        }
    }

    /// Shows an occupant with his affiliation; `said`: the actor and his reason.
    pub(super) fn show_again(&self, full: &str, said: &str, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(full) else {
            return;
        };
        if self.state == State::Joined {
            let own: &[&str] = if *full == *self.own { &["110"] } else { &[] };
            let shown = Shown {
                statuses: own,
                in_item: said,
                ..Shown::default()
            };
            self.show(full, &occupant.nick, &occupant.presence, shown, cx);
        }
    }

    /// Forgets an account's affiliation once none of its resources is in the room: a client that is no owner hears of
    /// no changes, and an account without affiliation may come back as a member.
    pub(super) fn forget_affiliation(&mut self, account: &str) {
        let is_none = self.affiliations.of(account) == Affiliation::None;
        if (is_none || !self.is_owner) && !self.occupants.has_account(account) {
            self.affiliations.forget(account);
        }
    }

    /// Retracts the item of an occupant who is gone or being put out.
    pub(in crate::translate::rooms) fn take_away(&self, item: &str, cx: &mut Cx<'_>) {
        self.tell(Part::Occupants, cx, |out, node| {
            request::retract_aloud(out, node, item);
        });
    }

    /// The room's configuration, as far as it is known.
    pub(in crate::translate::rooms) fn configuration(&self) -> Configuration {
        Configuration {
            closes: Some(!self.is_open()),
            title: Some(self.title.clone()),
            description: Some(self.description.clone()),
            history: None,
        }
    }

    /// Notes that the own owner has configured the room; `now`: the changed fields.
    pub(in crate::translate::rooms) fn handle_configured(
        &mut self,
        now: Configuration,
        cx: &mut Cx<'_>,
    ) {
        let was_locked = std::mem::take(&mut self.is_locked);
        let was_as_now = now.is_empty();
        if let Some(closes) = now.closes {
            self.note_access(Some(access_model(closes).into()));
        }
        if let Some(title) = now.title {
            self.title = title;
        }
        if let Some(description) = now.description {
            self.description = description;
        }
        if was_locked {
            self.tell_whom_it_is_for(cx);
        } else if !was_as_now {
            self.show_configured(cx);
        }
    }

    /// Tells the client that the room is configured anew (XEP-0045 §10.2.1).
    pub(super) fn show_configured(&self, cx: &mut Cx<'_>) {
        self.show_word(" type='groupchat'", "<status code='104'/>", cx);
    }

    /// Shows the client a message of the room itself.
    pub(super) fn show_word(&self, kind: &str, said: &str, cx: &mut Cx<'_>) {
        let (from, to) = (escape(&self.bare), escape(cx.account.jid()));
        let changed = format!(
            "<message{kind} from='{from}' to='{to}'><x xmlns='{}'>{said}</x></message>",
            ns::MUC_USER
        );
        cx.wire.copy(Leg::Client, changed.as_bytes());
    }
}
