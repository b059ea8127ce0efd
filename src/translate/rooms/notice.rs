//! Notices: an owner's shim tells all occupants whom the owner puts out and why, whose affiliation he changes, that the
//! room is configured anew, or that it ends (XEP-0045 §8 to §10). A notice is a message on the room's node that holds
//! nothing else; it is never shown as a message, and retracted as soon as it is published, so no history holds it.
//!
//! The service tells nobody who has put whom out, and why. A notice alone puts nobody out: for some seconds it adds
//! actor and reason to what the service does, and only if its publisher has the right to do that.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use memchr::memmem::Finder;

use super::affiliations::Affiliation;
use super::names::nick_of;
use super::occupants::is_of_room;
use super::payload::is_idle;
use crate::jid;
use crate::ns;
use crate::translate::shown::Shown;
use crate::xml::{Element, escape, standalone_child};

/// The searcher, built once.
static MUC_USER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ns::MUC_USER));
/// Accounts that a notice may be about.
const MOST_WORDS: usize = 64;
/// Bytes of a notice's words about accounts.
const MOST_BYTES: usize = 8192;
/// Bytes of an owner's reason.
pub(super) const MOST_SAID: usize = 4096;
/// Words that are remembered in a room, and for how long.
const MOST_HEARD: usize = 32;
const HEARD: Duration = Duration::from_secs(30);
/// Ids of notices that are remembered, to read each once.
const MOST_SEEN: usize = 64;

/// A notice's word about an account.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) account: Box<str>,
    pub(super) affiliation: Affiliation,
    /// The status code that puts the account out; `None`: only its affiliation changes.
    pub(super) out: Option<&'static str>,
    pub(super) reason: Option<Box<str>>,
}

/// A notice as it stands on the node.
#[derive(Debug, Default)]
pub(super) struct Notice {
    /// The author's nick, by his own word.
    pub(super) nick: Option<Box<str>>,
    pub(super) words: Vec<Word>,
    /// The room is configured anew.
    pub(super) is_configured: bool,
    /// The room is about to be deleted: reason and alternative venue.
    pub(super) destroy: Option<String>,
}

impl Notice {
    /// Reads a notice from an item of the room's node; `None`: the item is no notice.
    pub(super) fn read(item: &Element<'_>) -> Option<Self> {
        // Hardly any message has this namespace.
        MUC_USER.find(item.raw().as_bytes())?;
        let message = item.child(ns::CLIENT, "message")?;
        let says_more = |child: &Element<'_>| {
            !is_of_room(child)
                && !is_idle(child)
                && !matches!(&*child.namespace(), ns::DELAY | ns::SID)
        };
        if message.children().any(|child| says_more(&child)) {
            return None;
        }
        let x = message.child(ns::MUC_USER, "x")?;
        let from = message.attribute("from");
        let mut notice = Self {
            nick: from.and_then(|from| jid::resource(&from).and_then(nick_of)),
            ..Self::default()
        };
        if x.raw().len() > MOST_BYTES + MOST_SAID {
            return Some(notice);
        }
        // One status code stands for all accounts that are put out.
        let (mut out, mut items) = ("307", Vec::new());
        for child in x.children() {
            match (child.local(), child.attribute("code").as_deref()) {
                ("status", Some("104")) => notice.is_configured = true,
                ("status", Some("321")) => out = "321",
                ("status", Some("322")) => out = "322",
                ("item", _) if items.len() < MOST_WORDS => items.push(child),
                ("destroy", _) if child.raw().len() <= MOST_SAID => {
                    notice.destroy = Some(standalone_child(&child));
                }
                _ => {}
            }
        }
        notice.words = items.iter().filter_map(|it| Word::read(it, out)).collect();
        Some(notice)
    }

    /// Writes the notice; `from`: the owner's occupant JID. `None`: the notice is empty.
    pub(super) fn write(&self, from: &str) -> Option<String> {
        let mut said = String::new();
        let mut statuses: Vec<_> = self.is_configured.then_some("104").into_iter().collect();
        for word in self.words.iter().take(MOST_WORDS) {
            let before = said.len();
            word.write(&mut said);
            if said.len() > MOST_BYTES {
                said.truncate(before);
                break;
            }
            let status = word.out.filter(|status| !statuses.contains(status));
            statuses.extend(status);
        }
        said.extend(self.destroy.as_deref());
        for status in &statuses {
            let _ = write!(said, "<status code='{status}'/>");
        }
        let message = || {
            format!(
                "<message xmlns='{}' from='{}' type='groupchat'><x xmlns='{}'>{said}</x></message>",
                ns::CLIENT,
                escape(from),
                ns::MUC_USER
            )
        };
        (!said.is_empty()).then(message)
    }
}

impl Word {
    /// Reads an item of a notice; `out`: the status of those who are put out and not banned.
    fn read(item: &Element<'_>, out: &'static str) -> Option<Self> {
        let affiliation = Affiliation::of_client(&item.attribute("affiliation")?)?;
        let is_out = item.attribute("role").as_deref() == Some("none");
        let account = item.attribute("jid")?;
        let reason = item.child(ns::MUC_USER, "reason").map(|it| it.text());
        let reason = reason.filter(|it| !it.is_empty() && it.len() <= MOST_SAID);
        Some(Self {
            account: jid::bare(&account).into(),
            affiliation,
            out: is_out.then_some(match affiliation {
                Affiliation::Outcast => "301",
                _ => out,
            }),
            reason: reason.map(|it| (*it).into()),
        })
    }

    fn write(&self, said: &mut String) {
        let role = self.out.map_or(self.affiliation.role(), |_| "none");
        let _ = write!(
            said,
            "<item affiliation='{}' role='{role}' jid='{}'",
            self.affiliation.word(),
            escape(&self.account)
        );
        *said += &match &self.reason {
            Some(reason) => format!("><reason>{}</reason></item>", escape(reason)),
            None => "/>".to_owned(),
        };
    }
}

/// A notice's word about an account, and its publisher.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) word: Word,
    /// The account that has published the notice.
    pub(super) by: Box<str>,
    /// That account's nick.
    nick: Box<str>,
    at: Duration,
}

impl Heard {
    /// Whether both are words of one account about one account.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.by == other.by && self.word.account == other.word.account
    }

    /// Actor and reason as they are shown; a room that closes puts people out itself, without an actor (XEP-0045 §9.3).
    pub(super) fn said(&self) -> String {
        if self.word.out == Some("322") {
            return String::new();
        }
        said_by(&self.nick, self.word.reason.as_deref())
    }
}

/// Actor and reason as the children of an `<item/>` (XEP-0045 §8.2).
pub(super) fn said_by(nick: &str, reason: Option<&str>) -> String {
    let mut said = format!("<actor nick='{}'/>", escape(nick));
    if let Some(reason) = reason {
        let _ = write!(said, "<reason>{}</reason>", escape(reason));
    }
    said
}

/// Recent words of notices in one room, oldest first.
pub(super) struct Notices {
    heard: VecDeque<Heard>,
    /// Ids of notices that were read, and of the client's own.
    seen: Shown,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self {
            heard: VecDeque::new(),
            seen: Shown::new(MOST_SEEN),
        }
    }

    /// Whether this notice was not read before.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        self.seen.is_new(item)
    }

    /// Remembers a word of the account `by`, whose nick is `nick`.
    pub(super) fn note(&mut self, word: Word, by: &str, nick: &str, now: Duration) {
        let heard = Heard {
            word,
            by: by.into(),
            nick: nick.into(),
            at: now,
        };
        self.heard
            .retain(|it| it.at + HEARD > now && !it.is_of(&heard));
        if self.heard.len() >= MOST_HEARD {
            // An account with many words displaces its own ones.
            let own = self.heard.iter().position(|it| *it.by == *by);
            self.heard.remove(own.unwrap_or(0));
        }
        self.heard.push_back(heard);
    }

    /// The last word that puts this account out, by an author who may do that.
    pub(super) fn why_out(
        &self,
        account: &str,
        now: Duration,
        may: impl Fn(&str) -> bool,
    ) -> Option<&Heard> {
        let of_account = |it: &&Heard| *it.word.account == *account && it.word.out.is_some();
        let mut all = self.of_late(now).filter(of_account);
        all.rfind(|it| may(&it.by))
    }

    /// Words about accounts that are not put out.
    pub(super) fn changes(&self, now: Duration) -> impl Iterator<Item = &Heard> {
        self.of_late(now).filter(|it| it.word.out.is_none())
    }

    fn of_late(&self, now: Duration) -> impl DoubleEndedIterator<Item = &Heard> {
        self.heard.iter().filter(move |it| it.at + HEARD > now)
    }

    /// Forgets words that are done with.
    pub(super) fn forget(&mut self, is_it: impl Fn(&Heard) -> bool) {
        self.heard.retain(|it| !is_it(it));
    }
}
