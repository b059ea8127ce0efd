//! What an owner says to everybody in a room beside talk: whom he puts out and why, who is what from now on, that the
//! room is configured anew, or that it ends (XEP-0045 §8 to §10). It is a message on the room's node that holds nothing
//! else, is never shown as one, and is taken away as soon as it was published: it stands in no history.
//!
//! The service tells nobody who has put whom out, and why. So a notice alone puts nobody out: it says of what the
//! service does how that is shown, for some seconds, and only if whoever has published it may do it.

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
use crate::xml::{Element, escape, standalone};

/// How to look for it is worked out once.
static MUC_USER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ns::MUC_USER));
/// A notice may be about so many accounts.
const MOST_WORDS: usize = 64;
/// What it says of them may have so many bytes.
const MOST_BYTES: usize = 8192;
/// What an owner says of why he does something may have so many bytes.
pub(super) const MOST_SAID: usize = 4096;
/// So many words are remembered in a room, for so long.
const MOST_HEARD: usize = 32;
const HEARD: Duration = Duration::from_secs(30);
/// So many notices are known not to be new.
const MOST_SEEN: usize = 64;

/// What a notice says of an account.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) account: Box<str>,
    pub(super) affiliation: Affiliation,
    /// The status by which the account is shown to be put out; `None`: it stays, with this affiliation from now on.
    pub(super) out: Option<&'static str>,
    pub(super) reason: Option<Box<str>>,
}

/// A notice as it stands on the node.
#[derive(Debug, Default)]
pub(super) struct Notice {
    /// As its author calls himself in it.
    pub(super) nick: Option<Box<str>>,
    pub(super) words: Vec<Word>,
    /// The room is configured anew.
    pub(super) is_configured: bool,
    /// The room is about to be deleted; why, and where it goes on.
    pub(super) destroy: Option<String>,
}

impl Notice {
    /// Reads the message in an item of the room's node, if it is none to be shown but only says what a room may say.
    pub(super) fn read(item: &Element<'_>) -> Option<Self> {
        // Hardly any message does.
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
        // Of those who are put out, it says for all why that is.
        let (mut out, mut items) = ("307", Vec::new());
        for child in x.children() {
            match (child.local(), child.attribute("code").as_deref()) {
                ("status", Some("104")) => notice.is_configured = true,
                ("status", Some("321")) => out = "321",
                ("status", Some("322")) => out = "322",
                ("item", _) if items.len() < MOST_WORDS => items.push(child),
                ("destroy", _) if child.raw().len() <= MOST_SAID => {
                    notice.destroy = Some(standalone(&child));
                }
                _ => {}
            }
        }
        notice.words = items.iter().filter_map(|it| Word::read(it, out)).collect();
        Some(notice)
    }

    /// Writes it; `from`: the owner as an occupant. `None`: there is nothing to say.
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

/// What a notice has said of an account, and who has published it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) word: Word,
    /// The account that has published it.
    pub(super) by: Box<str>,
    /// As that is called in the room.
    nick: Box<str>,
    at: Duration,
}

impl Heard {
    /// Whether this is what the same account has said of the same one.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.by == other.by && self.word.account == other.word.account
    }

    /// Who has done it, and why, as it is shown; when a room closes, the room has (XEP-0045 §9.3).
    pub(super) fn said(&self) -> String {
        if self.word.out == Some("322") {
            return String::new();
        }
        said_by(&self.nick, self.word.reason.as_deref())
    }
}

/// Who has done something, and why, as it stands in an item (XEP-0045 §8.2).
pub(super) fn said_by(nick: &str, reason: Option<&str>) -> String {
    let mut said = format!("<actor nick='{}'/>", escape(nick));
    if let Some(reason) = reason {
        let _ = write!(said, "<reason>{}</reason>", escape(reason));
    }
    said
}

/// What notices have said of late in one room, oldest first.
pub(super) struct Notices {
    heard: VecDeque<Heard>,
    /// Those that were read, and the client's own.
    seen: Shown,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self {
            heard: VecDeque::new(),
            seen: Shown::new(MOST_SEEN),
        }
    }

    /// Whether the notice in this item was not read before.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        self.seen.is_new(item)
    }

    /// Remembers what the account `by` has said, which is called `nick`.
    pub(super) fn note(&mut self, word: Word, by: &str, nick: &str, now: Duration) {
        let is_same = |it: &Heard| *it.by == *by && it.word.account == word.account;
        self.heard.retain(|it| it.at + HEARD > now && !is_same(it));
        if self.heard.len() >= MOST_HEARD {
            // Whoever says much takes the place of what he has said himself.
            let own = self.heard.iter().position(|it| *it.by == *by);
            self.heard.remove(own.unwrap_or(0));
        }
        self.heard.push_back(Heard {
            word,
            by: by.into(),
            nick: nick.into(),
            at: now,
        });
    }

    /// What has been said last of this account that is put out, by somebody who may.
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

    /// What has been said of accounts that stay.
    pub(super) fn changes(&self, now: Duration) -> impl Iterator<Item = &Heard> {
        self.of_late(now).filter(|it| it.word.out.is_none())
    }

    fn of_late(&self, now: Duration) -> impl DoubleEndedIterator<Item = &Heard> {
        self.heard.iter().filter(move |it| it.at + HEARD > now)
    }

    /// What was said is done, or will not be, or says nothing any more.
    pub(super) fn forget(&mut self, is_it: impl Fn(&Heard) -> bool) {
        self.heard.retain(|it| !is_it(it));
    }
}
