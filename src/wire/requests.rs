//! Our own IQs: their ids, deadlines, and who may answer them.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Wire;
use crate::jid;

/// A secret from which a session makes its ids; the same seed gives the same ids.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(MASKED)")
    }
}

/// An id nobody can guess: `ps-`, a tag of the session, and a keyed hash of a counter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; Id::LEN]);

impl Id {
    const PREFIX: usize = 3 + 8;
    const LEN: usize = Self::PREFIX + 1 + 32;

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII is ever written into an id.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The id that `text` begins with, if it has the form of a session's: any session's, not just this one's.
pub(crate) fn leading_own_id(text: &str) -> Option<&str> {
    let id = text.get(..Id::LEN)?;
    let (session, number) = id.strip_prefix("ps-")?.split_once('-')?;
    let is_hex = |digits: &str| {
        digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    (session.len() == 8 && is_hex(session) && is_hex(number)).then_some(id)
}

/// Whether `text` has the form of a session's id.
pub(crate) fn is_own_id(text: &str) -> bool {
    leading_own_id(text) == Some(text)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes ids and remembers which requests wait for an answer.
pub(crate) struct Requests<P> {
    seed: Seed,
    /// The first bytes of all ids of this session.
    prefix: [u8; Id::PREFIX],
    counter: u64,
    pending: Vec<Pending<P>>,
}

struct Pending<P> {
    id: Id,
    /// The JID that was asked; `None`: the own account, without `to`.
    to: Option<Box<str>>,
    deadline: Duration,
    purpose: P,
}

impl<P> Requests<P> {
    /// Requests that may wait for answers at once.
    pub(crate) const MOST: usize = 64;

    /// Room for so many is kept while none waits.
    const KEEP: usize = 4;

    pub(crate) fn new(seed: Seed) -> Self {
        let mut prefix = *b"ps---------";
        hex(&hash(&seed, 0)[..4], &mut prefix[3..]);
        Self {
            seed,
            prefix,
            counter: 0,
            pending: Vec::new(),
        }
    }

    fn id(&mut self) -> Id {
        self.counter += 1;
        let mut id = [b'-'; Id::LEN];
        id[..Id::PREFIX].copy_from_slice(&self.prefix);
        hex(
            &hash(&self.seed, self.counter)[..16],
            &mut id[Id::PREFIX + 1..],
        );
        Id(id)
    }

    /// Notes a request and gives its id; `None` if too many wait already.
    pub(super) fn start(&mut self, to: Option<&str>, deadline: Duration, purpose: P) -> Option<Id> {
        if self.pending.len() >= Self::MOST {
            return None;
        }
        let id = self.id();
        self.pending.push(Pending {
            id,
            to: to.map(Into::into),
            deadline,
            purpose,
        });
        Some(id)
    }

    /// Takes out the purpose of a request.
    fn remove(&mut self, index: usize) -> P {
        let purpose = self.pending.remove(index).purpose;
        self.give_back();
        purpose
    }

    /// Gives back the room that a login has needed, once nothing waits.
    fn give_back(&mut self) {
        if self.pending.is_empty() {
            self.pending.shrink_to(Self::KEEP);
        }
    }
}

impl<P> Wire<P> {
    /// How many more requests may wait for answers.
    pub(crate) fn places(&self) -> usize {
        Requests::<P>::MOST.saturating_sub(self.requests.pending.len())
    }

    /// An id for a stanza of ours that is no request.
    pub(crate) fn fresh_id(&mut self) -> Id {
        self.requests.id()
    }

    /// Whether this session made `id`; the answer may have come already.
    pub(crate) fn is_ours(&self, id: &str) -> bool {
        // A session that has made no id can have no answer.
        self.requests.counter > 0 && id.as_bytes().starts_with(&self.requests.prefix)
    }

    /// Takes out the purpose of the request `id`, if `from` was asked.
    ///
    /// An answer to a request without `to` may come without `from`, or from the own bare JID, full JID or domain
    /// (`own` is the full JID).
    pub(crate) fn take(&mut self, id: &str, from: Option<&str>, own: &str) -> Option<P> {
        let pending = &self.requests.pending;
        let index = pending
            .iter()
            .position(|pending| pending.id.as_str() == id)?;
        let asked = match (&pending[index].to, from) {
            (Some(to), from) => from == Some(to),
            (None, None) => true,
            (None, Some(from)) => from == own || from == jid::bare(own) || from == jid::domain(own),
        };
        asked.then(|| self.requests.remove(index))
    }

    /// Takes out the purpose of a request that was not answered in time, if there is one.
    pub(crate) fn take_expired(&mut self) -> Option<P> {
        let pending = &self.requests.pending;
        let index = pending
            .iter()
            .position(|pending| pending.deadline <= self.read_time)?;
        Some(self.requests.remove(index))
    }

    /// When the next request runs out of time, counted as [`read_time`](Self::read_time) is.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let pending = self.requests.pending.iter();
        pending.map(|pending| pending.deadline).min()
    }

    /// The purposes of all requests that wait for an answer.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &P> {
        self.requests.pending.iter().map(|it| &it.purpose)
    }

    /// The purposes of all requests that wait for an answer, to be changed.
    pub(crate) fn asked_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.requests.pending.iter_mut().map(|it| &mut it.purpose)
    }

    /// Stops waiting for the answers to these requests; an answer that still comes is swallowed.
    pub(crate) fn forget(&mut self, which: impl Fn(&P) -> bool) {
        self.requests.pending.retain(|it| !which(&it.purpose));
        self.requests.give_back();
    }
}

fn hash(seed: &Seed, counter: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.0);
    hash.update(counter.to_be_bytes());
    hash.finalize().into()
}

fn hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(seed: u8) -> Wire<()> {
        Wire::new(Seed([seed; 32]), Duration::ZERO, Duration::ZERO)
    }

    #[test]
    fn ids_repeat_only_with_their_seed() {
        let ids = |seed| {
            let mut wire = wire(seed);
            [wire.fresh_id().to_string(), wire.fresh_id().to_string()]
        };
        assert_eq!(ids(1), ids(1));
        let mut all = [ids(1), ids(2)].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn ids_are_told_by_their_form() {
        let id = wire(0).fresh_id().to_string();
        assert!(is_own_id(&id), "{id}");
        assert_eq!(leading_own_id(&format!("{id}-more")), Some(&*id));
        let other = id.replacen('-', "--", 1);
        for text in [
            "",
            "ps-",
            &id[1..],
            &id[..id.len() - 1],
            &id.to_uppercase(),
            &other,
        ] {
            assert!(!is_own_id(text), "{text}");
        }
    }
}
