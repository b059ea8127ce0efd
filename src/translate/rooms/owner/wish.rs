//! Reading an owner's IQ, and writing its answer (XEP-0045 §8 to §10).

use std::collections::{BTreeMap, BTreeSet};

use crate::jid;
use crate::ns;
use crate::translate::Cx;
use crate::translate::held::Held;
use crate::translate::rooms::affiliations::Affiliation;
use crate::translate::rooms::notice::MOST_SAID;
use crate::translate::rooms::room::{Configuration, Room};
use crate::xml::{Element, escape};

/// Affiliations that a client may change at once.
const MOST_CHANGES: usize = 256;
/// The client's reasons, by account.
pub(super) type Reasons = BTreeMap<Box<str>, Box<str>>;

/// The wish of an owner.
#[derive(Debug)]
pub(in crate::translate::rooms) enum Wish {
    /// To list the accounts with this affiliation.
    List(Affiliation),
    /// To give these accounts another one.
    Change(BTreeMap<Box<str>, Affiliation>),
    /// To invite accounts to a room for members: they become members.
    Invite {
        message: Held,
        changes: BTreeMap<Box<str>, Affiliation>,
    },
    /// To put these accounts out.
    Kick(BTreeSet<Box<str>>),
    /// To see the form.
    Form,
    Configure(Configuration),
    /// To destroy the room; the id and the payload of a message with the reason.
    Destroy(Option<(Box<str>, String)>),
}

impl Wish {
    /// Whether the client's account is to give up ownership.
    pub(super) fn resigns(&self, own: &str) -> bool {
        let changes = self.changes();
        changes.is_some_and(|it| it.get(own).is_some_and(|it| *it != Affiliation::Owner))
    }

    pub(super) fn changes(&self) -> Option<&BTreeMap<Box<str>, Affiliation>> {
        match self {
            Self::Change(changes) | Self::Invite { changes, .. } => Some(changes),
            _ => None,
        }
    }
}

/// Reads a request for a list (XEP-0045 §9.5, §9.8). Roles are known here, and answered at once.
pub(super) fn list_wish(
    query: &Element<'_>,
    room: &Room,
    iq: &Element<'_>,
    cx: &mut Cx<'_>,
) -> Result<Option<Wish>, &'static str> {
    let item = query.child(ns::MUC_ADMIN, "item").ok_or("bad-request")?;
    if let Some(word) = item.attribute("affiliation") {
        if let Some(affiliation) = Affiliation::of_client(&word) {
            return Ok(Some(Wish::List(affiliation)));
        }
    } else if item.attribute("role").is_none() {
        return Err("bad-request");
    }
    // Such a room has no admins, and no visitors.
    let role = item.attribute("role").unwrap_or_default();
    let mut list = format!("<query xmlns='{}'>", ns::MUC_ADMIN);
    for (full, occupant) in room.occupants.iter() {
        let affiliation = room.affiliation(full);
        if affiliation.role() == role {
            list += &format!(
                "<item affiliation='{}' role='{role}' nick='{}' jid='{}'/>",
                affiliation.word(),
                escape(&occupant.nick),
                escape(full)
            );
        }
    }
    list += "</query>";
    let (id, bare) = (iq.attribute("id").unwrap_or_default(), &room.bare);
    cx.wire.show_answer(&id, bare, cx.account.jid(), &list);
    Ok(None)
}

/// Reads a change: affiliations by JID or nick, or kicks by nick. `None`: all occupants have the wanted roles already.
pub(super) fn change_wish(
    query: &Element<'_>,
    room: &Room,
    own: &str,
) -> Result<Option<(Wish, Reasons)>, &'static str> {
    let (mut changes, mut kicked) = (BTreeMap::new(), BTreeSet::new());
    let mut is_as_wanted = false;
    let (mut reasons, mut said) = (Reasons::new(), 0);
    for (count, item) in query.children().enumerate() {
        if count >= MOST_CHANGES {
            return Err("policy-violation");
        }
        if !item.is(ns::MUC_ADMIN, "item") {
            return Err("bad-request");
        }
        let account = match (item.attribute("jid"), item.attribute("nick")) {
            (Some(jid), _) => jid::prepare(jid::bare(&jid))
                .ok_or("jid-malformed")?
                .into_owned(),
            (None, Some(nick)) => {
                let full = room.occupants.of_nick(&nick).ok_or("item-not-found")?;
                jid::bare(full).to_owned()
            }
            (None, None) => return Err("bad-request"),
        };
        let reason = item.child(ns::MUC_ADMIN, "reason").map(|it| it.text());
        if let Some(reason) = reason.filter(|it| !it.is_empty()) {
            said += escape(&reason).len();
            reasons.insert(account.as_str().into(), (*reason).into());
        }
        if said > MOST_SAID {
            return Err("not-acceptable");
        }
        match (item.attribute("affiliation"), item.attribute("role")) {
            (Some(word), _) => {
                let affiliation = Affiliation::of_client(&word).ok_or("not-allowed")?;
                if account == own && affiliation == Affiliation::Outcast {
                    return Err("conflict");
                }
                changes.insert(account.into(), affiliation);
            }
            (None, Some(role)) if role == "none" => {
                if account == own {
                    return Err("conflict");
                }
                kicked.insert(account.into());
            }
            (None, Some(role)) if room.role(&account) == Some(&*role) => is_as_wanted = true,
            (None, Some(_)) => return Err("not-allowed"),
            (None, None) => return Err("bad-request"),
        }
    }
    let wish = match (changes.is_empty(), kicked.is_empty()) {
        (false, true) => Wish::Change(changes),
        (true, false) => Wish::Kick(kicked),
        (true, true) if is_as_wanted => return Ok(None),
        _ => return Err("bad-request"),
    };
    Ok(Some((wish, reasons)))
}

/// The list of accounts with an affiliation; for occupants with nick and role (XEP-0045 §9.5).
pub(super) fn list_of<'a>(
    accounts: impl Iterator<Item = &'a str>,
    affiliation: Affiliation,
    room: Option<&Room>,
) -> String {
    let (word, role) = (affiliation.word(), affiliation.role());
    let mut list = format!("<query xmlns='{}'>", ns::MUC_ADMIN);
    for account in accounts {
        list += &format!("<item affiliation='{word}' jid='{}'", escape(account));
        let mut occupants = room
            .iter()
            .flat_map(|room| room.occupants.of_account(account));
        if let Some((_, occupant)) = occupants.next() {
            list += &format!(" nick='{}' role='{role}'", escape(&occupant.nick));
        }
        list += "/>";
    }
    list + "</query>"
}

/// The `<destroy/>` that others are shown: reason, alternative venue, password.
pub(super) fn said_of_end(destroy: &Element<'_>) -> String {
    let mut said = String::from("<destroy");
    if let Some(jid) = destroy.attribute("jid") {
        said += &format!(" jid='{}'", escape(&jid));
    }
    said += ">";
    for name in ["reason", "password"] {
        if let Some(child) = destroy.child(ns::MUC_OWNER, name) {
            said += &format!("<{name}>{}</{name}>", escape(&child.text()));
        }
    }
    said + "</destroy>"
}
