//! Notices of owners (`notice.rs`) in one room: a notice explains what the service does; all else in it is shown only
//! if the service says the same when it is asked.

use std::time::Duration;

use super::join::Info;
use super::show::Shown;
use super::{Part, Room, State, Step};
use crate::jid;
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::rooms::Item;
use crate::translate::rooms::affiliations::{Affiliation, Affiliations};
use crate::translate::rooms::notice::{Heard, Notice, Notices};
use crate::wire::{Dropped, Refused, Reply};
use crate::xml::escape;

/// Wait between a notice and the question to the service, which may still be doing what the notice says.
const SOON: Duration = Duration::from_secs(1);
/// Time between two questions, however many notices come.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The notices of a room, and what they still lead to.
pub(super) struct Noticed {
    notices: Notices,
    /// Actor and reason, in case the service has put the client out: the client's item was taken away.
    verdict: Option<Heard>,
    /// The account whose notice says that the room is configured anew.
    configured_by: Option<Box<str>>,
    /// When the service is to be asked for changes, and when it was asked last.
    look_at: Option<Duration>,
    looked_at: Option<Duration>,
}

impl Default for Noticed {
    fn default() -> Self {
        Self {
            notices: Notices::new(),
            verdict: None,
            configured_by: None,
            look_at: None,
            looked_at: None,
        }
    }
}

impl Room {
    /// Handles a notice on the room's node.
    pub(super) fn handle_notice(
        &mut self,
        item: Item<'_>,
        notice: Notice,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Dropped> {
        let author = item.author.ok_or(Dropped::ForeignFrom)?;
        let by = jid::bare(author);
        let is_owner = self.is_owned_by(by);
        // Where the service names the owners, notices of other accounts are ignored.
        if self.names_owners && !is_owner {
            return Err(Dropped::ForeignFrom);
        }
        if !self.noticed.notices.is_new(item.id) {
            return Err(Dropped::Seen);
        }
        if is_owner && notice.destroy.is_some() {
            self.destroy = notice.destroy;
        }
        if notice.is_configured {
            self.noticed.configured_by = Some(by.into());
            self.look_soon(cx);
        }
        let nick = self.occupants.nick_of_author(author, || notice.nick);
        let nick = nick.into_owned();
        for mut word in notice.words {
            let was_owner = self.is_owned_by(&word.account);
            // While the client joins, it is not known who is there.
            let may_be_there =
                self.state != State::Joined || self.occupants.has_account(&word.account);
            // An account that is not in the room is not put out, but its affiliation changes: owners are told.
            word.out.take_if(|_| !may_be_there);
            let is_change =
                word.out.is_none() || was_owner && word.affiliation != Affiliation::Owner;
            let is_change = is_change && self.may_look(&word.account);
            let concerns = self.is_owner || word.affiliation == Affiliation::Owner;
            let is_known = was_owner || may_be_there || is_owner && concerns;
            if is_known && (is_change || word.out.is_some()) {
                self.noticed.notices.note(word, by, &nick, cx.wire.now);
            }
            if is_known && is_change {
                self.look_soon(cx);
            }
        }
        Ok(true)
    }

    /// Publishes a notice and retracts it at once: occupants hear it, and no history holds it. Without other occupants
    /// nothing is published.
    pub(in crate::translate::rooms) fn announce(&mut self, notice: Notice, cx: &mut Cx<'_>) {
        if !self.occupants.has_others(&self.own) {
            return;
        }
        let from = format!("{}/{}", self.bare, self.nick);
        let Some(message) = notice.write(&from) else {
            return;
        };
        let item = cx.wire.fresh_id().to_string();
        self.noticed.notices.is_new(&item);
        // The client is shown its own deeds whether or not the service takes the notice.
        for word in notice.words {
            if word.out.is_some() {
                let (by, now) = (cx.account.bare(), cx.wire.now);
                self.noticed.notices.note(word, by, &self.nick, now);
            }
        }
        self.tell(Part::Talk, cx, |out, node| {
            request::publish(out, node, &item, None, message.as_bytes());
        });
        self.tell(Part::Talk, cx, |out, node| {
            request::retract(out, node, &item);
        });
    }

    /// Forgets the client's own notices, as the service has refused the deed.
    pub(in crate::translate::rooms) fn forget_announced(&mut self, own: &str) {
        self.noticed.notices.forget(|it| *it.by == *own);
    }

    /// Forgets notices that put this account out, as one of its resources has come back.
    pub(super) fn forget_put_out(&mut self, account: &str) {
        let is_it = |it: &Heard| *it.word.account == *account && it.word.out.is_some();
        self.noticed.notices.forget(is_it);
    }

    /// Whether an account is known to be an owner of the room.
    fn is_owned_by(&self, account: &str) -> bool {
        self.is_owner && account == jid::bare(&self.own) || self.affiliations.is_owner(account)
    }

    /// The notice that explains why this account was put out; `by`: the retractor of its item, where the service names
    /// him (Prosody): that is his right. Otherwise the author has to be a known owner.
    pub(super) fn why_out(&self, account: &str, by: Option<&str>, now: Duration) -> Option<Heard> {
        let may = |publisher: &str| match by {
            Some(by) => jid::bare(by) == publisher,
            None => self.is_owned_by(publisher),
        };
        self.noticed.notices.why_out(account, now, may).cloned()
    }

    /// Notes the reason in case the client is being put out; `by`: the retractor of its item, if known.
    pub(super) fn note_verdict(&mut self, by: Option<&str>, cx: &Cx<'_>) {
        self.noticed.verdict = self.why_out(cx.account.bare(), by, cx.wire.now);
    }

    /// Forgets that reason, as the client's item was published again.
    pub(super) fn forget_verdict(&mut self) {
        self.noticed.verdict = None;
    }

    /// Shows that the service has put the client out; `false`.
    pub(super) fn show_kicked(&mut self, cx: &mut Cx<'_>) -> bool {
        let verdict = self.noticed.verdict.take();
        let why = verdict.or_else(|| self.why_out(cx.account.bare(), None, cx.wire.now));
        let said = why.as_ref().map(Heard::said).unwrap_or_default();
        let status = why.as_ref().and_then(|it| it.word.out);
        let statuses = ["110", status.unwrap_or("307")];
        let shown = Shown {
            affiliation: why.as_ref().map(|it| it.word.affiliation),
            in_item: &said,
            ..Shown::gone(&statuses)
        };
        self.show_out(shown, cx)
    }

    /// Whether the service can be asked for this account's affiliation: it names the owners to everybody (ejabberd), or
    /// all affiliations to owners (Prosody). During the join that is not known yet.
    fn may_look(&self, account: &str) -> bool {
        let may = self.names_owners || self.is_owner || account == jid::bare(&self.own);
        may || self.state != State::Joined
    }

    fn look_soon(&mut self, cx: &Cx<'_>) {
        let soon = cx.wire.now + SOON;
        let again = self.noticed.looked_at.map(|at| at + LOOK_AGAIN);
        let at = again.map_or(soon, |again| soon.max(again));
        self.noticed.look_at.get_or_insert(at);
    }

    pub(super) fn look_at(&self) -> Option<Duration> {
        self.noticed.look_at
    }

    /// Asks the service for changes, if that is due.
    pub(super) fn look(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if self.noticed.look_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        if !cx.wire.may_work() {
            self.noticed.look_at = Some(now + SOON);
            return;
        }
        self.noticed.looked_at = Some(now);
        if self.names_owners || self.noticed.configured_by.is_some() {
            self.ask("get", Part::Talk, Step::Look, cx, |out, node| {
                request::info(out, Some(node));
            });
        }
        let has_changes = self.noticed.notices.changes(now).next().is_some();
        if !self.names_owners && (self.is_owner || has_changes) {
            let ask = request::affiliations;
            self.ask("get", Part::Talk, Step::LookForOwners, cx, ask);
        }
    }

    /// Handles the room's metadata, asked for because of a notice.
    pub(super) fn handle_look(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Some(info) = reply.ok().and_then(Info::read) else {
            return;
        };
        let before = (&self.access, &self.title, &self.description);
        let is_as_before = before == (&info.access, &info.title, &info.description);
        let affiliations = self.all_affiliations();
        self.note_access(info.access);
        (self.title, self.description) = (info.title, info.description);
        self.show_changed(affiliations, cx);
        if self.names_owners && !info.owners.is_empty() {
            let owners = Affiliations::owned_by(&info.owners);
            let now = self.changed(&owners, cx.wire.now);
            let is_owner = owners.is_owner(cx.account.bare());
            self.take_affiliations(now, is_owner, cx);
        }
        let by = self.noticed.configured_by.take();
        if !is_as_before || by.is_some_and(|by| self.is_owned_by(&by)) {
            self.show_configured(cx);
        }
    }

    /// Handles the affiliations, which owners alone are told: `forbidden` says that the client is no owner any more.
    pub(super) fn handle_look_for_owners(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match reply {
            Ok(iq) => {
                if let Some(list) = answer::affiliations(iq) {
                    let now = self.whole(Affiliations::of_list(list));
                    self.take_affiliations(now, true, cx);
                }
            }
            Err(Refused::With("forbidden")) if self.is_owner => {
                let own = cx.account.bare();
                let mut now = self.affiliations.clone();
                now.set(own, self.said_of(own, cx.wire.now));
                self.take_affiliations(now, false, cx);
            }
            Err(_) => {}
        }
    }

    /// All affiliations: owners as the service names them, other accounts by those owners' notices.
    fn changed(&self, owners: &Affiliations, now: Duration) -> Affiliations {
        let mut changed = self.affiliations.clone();
        changed.replace_owners(owners);
        for heard in self.noticed.notices.changes(now) {
            let (account, affiliation) = (&*heard.word.account, heard.word.affiliation);
            let may = owners.is_owner(&heard.by) || *heard.by == *account;
            if may && affiliation != Affiliation::Owner && !owners.is_owner(account) {
                changed.set(account, affiliation);
            }
        }
        changed
    }

    /// The affiliation that a known owner has given to a former owner, by his notice.
    fn said_of(&self, account: &str, now: Duration) -> Affiliation {
        let mut all = self.noticed.notices.changes(now);
        let said = all.find(|it| *it.word.account == *account && self.is_owned_by(&it.by));
        let said = said.map(|it| it.word.affiliation);
        said.filter(|it| *it == Affiliation::Member)
            .unwrap_or_default()
    }

    /// Takes over the affiliations that the service has told, and shows the occupants whose affiliation has changed.
    fn take_affiliations(&mut self, now: Affiliations, is_owner: bool, cx: &mut Cx<'_>) {
        let before = self.all_affiliations();
        (self.affiliations, self.is_owner) = (now, is_owner);
        self.show_changed(before, cx);
        self.show_elsewhere(cx);
        // A change that a recent notice announces may still come: the service is asked again.
        let affiliation = |account: &str| match account == jid::bare(&self.own) {
            true => self.affiliation(&self.own),
            false => self.affiliations.of(account),
        };
        let is_open = |it: &Heard| affiliation(&it.word.account) != it.word.affiliation;
        let changes = self.noticed.notices.changes(cx.wire.now);
        if changes.filter(|it| is_open(it)).count() > 0 {
            self.look_soon(cx);
        }
    }

    /// Shows occupants whose affiliation is another than `before`.
    fn show_changed(&self, before: Vec<(Box<str>, Affiliation)>, cx: &mut Cx<'_>) {
        for (full, was) in before {
            let is = self.affiliation(&full);
            if is != was {
                let said = self.said_of_change(jid::bare(&full), is, cx.wire.now);
                self.show_again(&full, &said, cx);
            }
        }
    }

    /// Tells the client of changed affiliations of accounts that are not in the room, by notices that the service
    /// confirms (XEP-0045 §9.3).
    fn show_elsewhere(&mut self, cx: &mut Cx<'_>) {
        let is_done = |it: &&Heard| {
            let account = &*it.word.account;
            let is_so = self.affiliations.of(account) == it.word.affiliation;
            is_so && !self.occupants.has_account(account) && self.is_owned_by(&it.by)
        };
        let done = self.noticed.notices.changes(cx.wire.now).filter(is_done);
        let done: Vec<_> = done.cloned().collect();
        for heard in &done {
            let (word, said) = (&heard.word, heard.said());
            let said = format!(
                "<item affiliation='{}' role='none' jid='{}'>{said}</item>",
                word.affiliation.word(),
                escape(&word.account)
            );
            self.show_word("", &said, cx);
        }
        let notices = &mut self.noticed.notices;
        notices.forget(|it| done.iter().any(|done| it.is_of(done)));
    }

    /// Actor and reason of an account's present affiliation, by a notice.
    fn said_of_change(&self, account: &str, is: Affiliation, now: Duration) -> String {
        let is_it = |it: &&Heard| *it.word.account == *account && it.word.affiliation == is;
        let mut all = self.noticed.notices.changes(now).filter(is_it);
        // An owner who resigns is no owner any more when this is read.
        let heard = all.find(|it| self.is_owned_by(&it.by) || *it.by == *account);
        heard.map(Heard::said).unwrap_or_default()
    }
}
