//! Steps about suitors: strangers who are contacts, and are removed, refused, blocked and let in again at the worst
//! of moments; and who send excessive stanzas.

use super::model::Presence;
use super::steps::{Expected, Leave};
use super::world::{Session, World, bare};
use crate::puppet::Puppet;
use crate::server::{Account, Kind, Server};
use crate::strangers::{bombs, told_of, watch};
use crate::walk::Note;

/// A stranger who is an account's contact, and watches its node with two JIDs.
pub(super) struct Suitor {
    jid: String,
    owner: String,
    /// Why he may not see the account any more, and the number of stanzas the strangers had received before.
    ended: Option<(End, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Removed,
    Refused,
    Blocked,
}

/// Suitors of each account.
const SUITORS: usize = 3;

impl End {
    fn stanza(self, jid: &str) -> String {
        match self {
            Self::Removed => format!(
                "<iq type='set' id='remove'><query xmlns='jabber:iq:roster'>\
                 <item jid='{jid}' subscription='remove'/></query></iq>"
            ),
            Self::Refused => format!("<presence to='{jid}' type='unsubscribed'/>"),
            Self::Blocked => format!(
                "<iq type='set' id='block'><block xmlns='urn:xmpp:blocking'>\
                 <item jid='{jid}'/></block></iq>"
            ),
        }
    }
}

/// Makes suitors for all accounts, in their rosters; none may have logged in yet.
pub(super) fn make_suitors(server: &Server, accounts: &[Account]) -> Vec<Suitor> {
    let mut suitors = Vec::new();
    for account in accounts {
        let names = (0..SUITORS).map(|_| (server.strangers().name("suitor"), String::new()));
        let names: Vec<_> = names.collect();
        server.write_roster(account, &names);
        suitors.extend(names.into_iter().map(|(jid, _)| Suitor {
            jid,
            owner: account.bare.clone(),
            ended: None,
        }));
    }
    suitors
}

/// Subscribes suitors to the nodes; the owners' shims have to be online.
pub(super) fn watch_all(server: &Server, suitors: &[Suitor]) {
    for Suitor { jid, owner, .. } in suitors {
        watch(server.strangers(), jid, owner);
        watch(server.strangers(), &format!("{jid}/mobile"), owner);
    }
}

impl World {
    /// A client without a shim removes, refuses or blocks a suitor, whether shims are online or not.
    pub(super) fn end_elsewhere(&mut self, note: Note<'_>) -> Option<Expected> {
        let (at, end) = self.some_end(&[End::Removed, End::Refused, End::Blocked], |_| true)?;
        let Suitor { jid, owner, .. } = &self.suitors[at];
        let (jid, owner) = (jid.clone(), owner.clone());
        note(format!("{owner} elsewhere: {jid} is {end:?}"));
        self.note_end(at, end);
        let elsewhere = Puppet::login(&self.server.entry(), &self.account(&owner), "elsewhere");
        elsewhere.raw(&end.stanza(&jid));
        elsewhere.ping();
        super::world::log_out([elsewhere]);
        self.wait_for_shims_of(&owner);
        Some(Expected::default())
    }

    /// A client refuses or blocks a suitor and sends presence in the same write; then it may leave.
    pub(super) fn end_and_say(&mut self, leaves: bool, note: Note<'_>) -> Option<Expected> {
        // A client that leaves before its shim may publish publishes nothing: take one that has.
        let is_sure = |it: &Session| !leaves || it.published.is_some();
        let full = self.somebody(|it| it.now.is_some() && !it.is_hidden && is_sure(it))?;
        let (at, end) = self.some_end(&[End::Refused, End::Blocked], |it| it == bare(&full))?;
        let jid = self.suitors[at].jid.clone();
        let presence = Presence::unique(&mut self.rng, self.serial);
        let then = if leaves { ", and leaves" } else { "" };
        note(format!(
            "{full}: {jid} is {end:?}, then {}{then}",
            presence.xml
        ));
        self.note_end(at, end);
        let goodbye = if leaves { "</stream:stream>" } else { "" };
        let all = Presence {
            xml: format!("{}{}{goodbye}", end.stanza(&jid), presence.xml),
            ..presence.clone()
        };
        let mut expected = Expected::by(&full);
        self.send(&full, &[all], &mut expected);
        self.sessions.get_mut(&full)?.now = Some(presence);
        if leaves {
            expected.actor = None;
            self.remove(&full, Leave::Exit, &mut expected);
        }
        self.wait_for_shims_of(bare(&full));
        Some(expected)
    }

    pub(super) fn let_in_again(&mut self, note: Note<'_>) -> Option<Expected> {
        let ended = self.suitors.iter().enumerate();
        let ended = ended.filter_map(|(at, it)| Some((at, it.ended?.0)));
        let ended: Vec<_> = ended.collect();
        let (at, end) = (!ended.is_empty()).then(|| self.rng.pick(&ended))?;
        let suitor = &mut self.suitors[at];
        suitor.ended = None;
        let (jid, owner) = (suitor.jid.clone(), suitor.owner.clone());
        note(format!("{owner} elsewhere lets {jid} in again"));
        let stanza = match end {
            End::Blocked => format!(
                "<iq type='set' id='unblock'><unblock xmlns='urn:xmpp:blocking'>\
                 <item jid='{jid}'/></unblock></iq>"
            ),
            End::Removed | End::Refused => {
                let strangers = self.server.strangers();
                strangers.say(&format!(
                    "<presence type='subscribe' from='{jid}' to='{owner}'/>"
                ));
                strangers.catch_up("capulet.lit");
                format!("<presence to='{jid}' type='subscribed'/>")
            }
        };
        let elsewhere = Puppet::login(&self.server.entry(), &self.account(&owner), "elsewhere");
        elsewhere.raw(&stanza);
        elsewhere.ping();
        super::world::log_out([elsewhere]);
        self.wait_for_shims_of(&owner);
        Some(Expected::default())
    }

    /// A suitor sends excessive stanzas; a message behind them arrives, and no stream ends.
    pub(super) fn bomb(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|_| true)?;
        note(format!("{full} is sent bombs"));
        let strangers = self.server.strangers();
        let from = strangers.name("sampson");
        let serial = self.serial;
        for (name, bomb) in bombs() {
            strangers.say(&format!(
                "<message type='chat' id='{name}-{serial}' from='{from}' to='{full}'>\
                 <body>{name}</body>{bomb}</message>"
            ));
            strangers.say(&format!(
                "<presence from='{from}/a' to='{full}'>{bomb}</presence>"
            ));
        }
        let id = format!("behind-{serial}");
        strangers.say(&format!(
            "<message type='chat' id='{id}' from='{from}' to='{full}'><body>Sir</body></message>"
        ));
        let session = &self.sessions[&full];
        let seen = session
            .puppet
            .seen_until(session.read, "what was behind the bombs", |it| it.id == id);
        for (name, _) in bombs() {
            let id = format!("{name}-{serial}");
            assert!(seen.iter().any(|it| it.id == id), "{full} did not get {id}");
        }
        Some(Expected::default())
    }

    /// Checks that suitors who were removed, refused or blocked were shown nothing since.
    pub(super) fn compare_suitors(&self) {
        let strangers = self.server.strangers();
        strangers.catch_up("capulet.lit");
        for Suitor { jid, owner, ended } in &self.suitors {
            let Some((end, since)) = *ended else { continue };
            let told = told_of(strangers, jid, owner, since);
            let shown: Vec<_> = told.iter().filter(|it| is_shown(it)).collect();
            assert!(
                shown.is_empty(),
                "{jid}, {end:?} by {owner}, was shown {shown:#?}"
            );
        }
    }

    /// After the server's restart, the strangers' received stanzas count from zero.
    pub(super) fn meet_suitors_again(&mut self) {
        for suitor in &mut self.suitors {
            if let Some((_, since)) = &mut suitor.ended {
                *since = 0;
            }
        }
    }

    /// Whether an account blocks a suitor.
    pub(super) fn blocks_a_suitor(&self, account: &str) -> bool {
        let mut blocked = self.suitors.iter().filter(|it| it.owner == account);
        blocked.any(|it| matches!(it.ended, Some((End::Blocked, _))))
    }

    /// A suitor who still may see such an account, and how that is to end.
    fn some_end(&mut self, ends: &[End], is_owner: impl Fn(&str) -> bool) -> Option<(usize, End)> {
        let free = self.suitors.iter().enumerate();
        let free = free.filter(|(_, it)| it.ended.is_none() && is_owner(&it.owner));
        let free: Vec<_> = free.map(|(at, _)| at).collect();
        let at = (!free.is_empty()).then(|| self.rng.pick(&free))?;
        let end = self.rng.pick(ends);
        // ejabberd keeps blocks in the default list, which an active one replaces.
        let owner = &self.suitors[at].owner;
        let mut own = self.sessions.iter().filter(|(full, _)| bare(full) == owner);
        let is_hidden = self.server.kind == Kind::Ejabberd && own.any(|(_, it)| it.is_hidden);
        match end {
            End::Blocked if is_hidden => None,
            end => Some((at, end)),
        }
    }

    fn note_end(&mut self, at: usize, end: End) {
        let strangers = self.server.strangers();
        strangers.catch_up("capulet.lit");
        self.suitors[at].ended = Some((end, strangers.count()));
    }
}

/// Whether this shows more than that the account is gone.
fn is_shown(told: &str) -> bool {
    let ends = ["unavailable", "unsubscribed", "unsubscribe", "error"];
    !ends.iter().any(|it| told.ends_with(&format!(": {it}")))
}
