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

/// What an owner wants a room to be, or what it is; what is not said stays as it is.
#[derive(Debug)]
pub(in crate::translate::rooms) struct Configuration {
    /// Members alone may come in.
    pub(in crate::translate::rooms) closes: Option<bool>,
    pub(in crate::translate::rooms) title: Option<Box<str>>,
    pub(in crate::translate::rooms) description: Option<Box<str>>,
    /// So many messages are kept.
    pub(in crate::translate::rooms) history: Option<u16>,
}

impl Configuration {
    /// Leaves out what is so already.
    pub(in crate::translate::rooms) fn leave_out(&mut self, now: &Self) {
        fn differs<T: PartialEq>(wanted: &mut Option<T>, now: Option<&T>) {
            wanted.take_if(|it| now == Some(it));
        }
        differs(&mut self.closes, now.closes.as_ref());
        differs(&mut self.title, now.title.as_ref());
        differs(&mut self.description, now.description.as_ref());
        differs(&mut self.history, now.history.as_ref());
    }

    pub(in crate::translate::rooms) fn is_empty(&self) -> bool {
        let more = [&self.title, &self.description];
        self.closes.is_none() && self.history.is_none() && more.iter().all(|it| it.is_none())
    }
}

/// Whom a node lets in that is for members alone, or for everybody.
pub(in crate::translate::rooms) fn access_model(closes: bool) -> &'static str {
    match closes {
        true => "whitelist",
        false => "open",
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

    /// How the room is configured, as far as that was told.
    pub(in crate::translate::rooms) fn configuration(&self) -> Configuration {
        Configuration {
            closes: Some(!self.is_open()),
            title: Some(self.title.clone()),
            description: Some(self.description.clone()),
            history: None,
        }
    }

    /// The room is configured as its owner wants it; `now`: what is different from before.
    pub(in crate::translate::rooms) fn note_configured(
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

    /// Shows the client what the room itself says.
    pub(super) fn show_word(&self, kind: &str, said: &str, cx: &mut Cx<'_>) {
        let (from, to) = (escape(&self.bare), escape(cx.account.jid()));
        let changed = format!(
            "<message{kind} from='{from}' to='{to}'><x xmlns='{}'>{said}</x></message>",
            ns::MUC_USER
        );
        cx.wire
            .stanza(Leg::Client, |out| out.extend_from_slice(changed.as_bytes()));
    }
}
