//! What an owner has changed in a room, as its client is shown it.

use super::show::Shown;
use super::{Part, Room, State};
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::Cx;
use crate::translate::rooms::affiliations::{Affiliation, Affiliations};
use crate::wire::Leg;
use crate::xml::escape;

/// What an owner wants a room to be; what he does not say stays as it is.
#[derive(Debug)]
pub(in crate::translate::rooms) struct Configuration {
    /// Members alone may come in.
    pub(in crate::translate::rooms) closes: bool,
    pub(in crate::translate::rooms) title: Option<Box<str>>,
    pub(in crate::translate::rooms) description: Option<Box<str>>,
    /// So many messages are kept.
    pub(in crate::translate::rooms) history: Option<u16>,
}

impl Configuration {
    /// Whether it says something else than who may come in.
    pub(in crate::translate::rooms) fn says_more(&self) -> bool {
        self.title.is_some() || self.description.is_some() || self.history.is_some()
    }
}

impl Room {
    /// What the account of this full JID, which is in the room, is to it. The service tells owners alone who is a
    /// member; whoever is in a room for members is one, unless it is known that he is none any more.
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

    /// Whether members alone may be in the room, as the service says.
    fn is_for_members(&self) -> bool {
        self.access
            .as_deref()
            .is_some_and(|access| access != "open")
    }

    /// Who may come in now. Whoever is in a room for members stays a member when it opens.
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

    /// Everybody who is in the room, by full JID, and what he is to it.
    pub(super) fn all_affiliations(&self) -> Vec<(Box<str>, Affiliation)> {
        let all = self.occupants.iter();
        all.map(|(full, _)| (full.into(), self.affiliation(full)))
            .collect()
    }

    pub(in crate::translate::rooms) fn note_affiliations(&mut self, now: Affiliations) {
        self.affiliations = self.whole(now);
    }

    /// The list that a service shows an owner, with those who are in the room and not on it.
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

    /// The account has another affiliation: whoever of it is in the room is shown with it (XEP-0045 §9); `said`: who has
    /// made it that, and why.
    pub(in crate::translate::rooms) fn show_affiliation(
        &mut self,
        account: &str,
        affiliation: Affiliation,
        said: &str,
        cx: &mut Cx<'_>,
    ) {
        self.set_affiliation(account, affiliation);
        let all = self
            .occupants
            .iter()
            .map(|(full, _)| Box::<str>::from(full));
        let all: Vec<_> = all.filter(|full| jid::bare(full) == account).collect();
        for full in all {
            self.show_again(&full, said, cx);
        }
    }

    /// Shows an occupant with what he is now; `said`: who has made him that, and why.
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

    /// Nobody of this account is there any more: who is no owner hears nothing of what becomes of it, and whoever was
    /// none may come back as a member.
    pub(super) fn forget_affiliation(&mut self, account: &str) {
        let is_none = self.affiliations.of(account) == Affiliation::None;
        if (is_none || !self.is_owner) && !self.occupants.has_account(account) {
            self.affiliations.forget(account);
        }
    }

    /// Takes the item of an occupant away who is being put out.
    pub(in crate::translate::rooms) fn take_away(&self, item: &str, cx: &mut Cx<'_>) {
        let node = self.node(Part::Occupants);
        self.tell(cx, |out| request::retract_aloud(out, &node, item));
    }

    /// The room is configured as its owner wants it.
    pub(in crate::translate::rooms) fn note_configured(
        &mut self,
        now: Configuration,
        cx: &mut Cx<'_>,
    ) {
        let was_locked = std::mem::take(&mut self.is_locked);
        let access = if now.closes { "whitelist" } else { "open" };
        let was_as_now = self.access.as_deref() == Some(access) && !now.says_more();
        self.note_access(Some(access.into()));
        if let Some(title) = now.title {
            self.title = title;
        }
        if let Some(description) = now.description {
            self.description = description;
        }
        self.history = now.history.or(self.history);
        if was_locked {
            self.tell_whom_it_is_for(cx);
        } else if !was_as_now {
            self.show_configured(cx);
        }
    }

    /// Tells the client that the room is configured anew (XEP-0045 §10.2.1).
    pub(super) fn show_configured(&self, cx: &mut Cx<'_>) {
        let (from, to) = (escape(&self.bare), escape(cx.account.jid()));
        let changed = format!(
            "<message type='groupchat' from='{from}' to='{to}'><x xmlns='{}'><status code='104'/></x></message>",
            ns::MUC_USER
        );
        cx.wire
            .stanza(Leg::Client, |out| out.extend_from_slice(changed.as_bytes()));
    }
}
