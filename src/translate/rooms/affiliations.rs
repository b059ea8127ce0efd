//! Affiliations of a room, as far as the service tells (XEP-0045 §5.2, XEP-0060 §4.1).

use std::collections::BTreeMap;

use crate::jid;

/// The affiliation of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Affiliation {
    Owner,
    Member,
    #[default]
    None,
    Outcast,
}

impl Affiliation {
    /// Reads a client's word; such a room has no admins.
    pub(super) fn of_client(word: &str) -> Option<Self> {
        match word {
            "owner" => Some(Self::Owner),
            "member" => Some(Self::Member),
            "none" => Some(Self::None),
            "outcast" => Some(Self::Outcast),
            _ => None,
        }
    }

    /// Reads a service's word: a publisher may come in, as a member.
    fn of_service(word: &str) -> Self {
        match word {
            "publisher" | "publish-only" => Self::Member,
            word => Self::of_client(word).unwrap_or_default(),
        }
    }

    /// The word, which is the same in both specifications.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
            Self::None => "none",
            Self::Outcast => "outcast",
        }
    }

    /// The role of an occupant: owners are moderators, and everybody may speak (XEP-0045 §5.1).
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Owner => "moderator",
            Self::Member | Self::None => "participant",
            Self::Outcast => "none",
        }
    }
}

/// The affiliations of a room, by bare JID. An account that is not among them has none, or the service does not tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affiliations(BTreeMap<Box<str>, Affiliation>);

impl Affiliations {
    /// The affiliations where only the owners are known.
    pub(super) fn owned_by(owners: &[String]) -> Self {
        let owner = |it: &String| (jid::bare(it).into(), Affiliation::Owner);
        Self(owners.iter().map(owner).collect())
    }

    /// Affiliations as a service lists them for an owner (XEP-0060 §8.9.1).
    pub(super) fn of_list(list: Vec<(Box<str>, Box<str>)>) -> Self {
        let read = |(jid, word): (Box<str>, Box<str>)| (jid, Affiliation::of_service(&word));
        Self(list.into_iter().map(read).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, account: &str) -> Affiliation {
        self.known(account).unwrap_or_default()
    }

    /// The affiliation of this account, if known.
    pub(super) fn known(&self, account: &str) -> Option<Affiliation> {
        self.0.get(account).copied()
    }

    /// Notes that this account has no affiliation unless one is known: the list was complete.
    pub(super) fn note_absent(&mut self, account: &str) {
        self.0.entry(account.into()).or_default();
    }

    pub(super) fn is_owner(&self, account: &str) -> bool {
        self.of(account) == Affiliation::Owner
    }

    /// Whether a room for members lets this account in.
    pub(super) fn lets_in(&self, account: &str) -> bool {
        matches!(self.of(account), Affiliation::Owner | Affiliation::Member)
    }

    /// Replaces the owners; a former owner has no affiliation.
    pub(super) fn replace_owners(&mut self, owners: &Self) {
        self.0.retain(|_, it| *it != Affiliation::Owner);
        let owners = owners.0.iter().map(|(account, it)| (account.clone(), *it));
        self.0.extend(owners);
    }

    /// Forgets this account's affiliation, unless it is an owner.
    pub(super) fn forget(&mut self, account: &str) {
        self.0
            .retain(|of, it| **of != *account || *it == Affiliation::Owner);
    }

    pub(super) fn set(&mut self, account: &str, affiliation: Affiliation) {
        self.0.insert(account.into(), affiliation);
    }

    /// The accounts with this affiliation.
    pub(super) fn with(&self, affiliation: Affiliation) -> impl Iterator<Item = &str> {
        let all = self.0.iter().filter(move |(_, it)| **it == affiliation);
        all.map(|(account, _)| &**account)
    }
}
