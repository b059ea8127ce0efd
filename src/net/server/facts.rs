//! Facts that sessions have learned of servers, kept for later sessions.

use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::session::ServerFacts;

/// Time a fact is kept: a server may be upgraded.
const LIFE: Duration = Duration::from_secs(3600);
/// Domains kept at the most; at this number old facts are thrown away.
const MANY: usize = 1000;

/// Facts of verified servers, by domain, and when they were learned.
#[derive(Default)]
pub(super) struct Facts(DashMap<String, (ServerFacts, Instant)>);

impl Facts {
    /// Facts of the server of `domain`; the default if none are known or they are too old.
    pub(super) fn of(&self, domain: &str, now: Instant) -> ServerFacts {
        let known = self.0.get(domain).map(|known| *known);
        let known = known.filter(|(_, since)| is_fresh(*since, now));
        known.map(|(facts, _)| facts).unwrap_or_default()
    }

    /// Keeps facts that a session has learned; a new domain is dropped if there are [`MANY`] fresh ones already.
    pub(super) fn learn(&self, domain: &str, facts: ServerFacts, now: Instant) {
        if self.0.len() >= MANY {
            self.0.retain(|_, (_, since)| is_fresh(*since, now));
        }
        if self.0.len() < MANY || self.0.contains_key(domain) {
            self.0.insert(domain.to_owned(), (facts, now));
        }
    }
}

fn is_fresh(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < LIFE
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEARNED: ServerFacts = ServerFacts {
        no_authorize: true,
        no_privacy_lists: false,
        limits_subscriptions: false,
    };

    #[test]
    fn what_is_known_is_forgotten_after_an_hour() {
        let facts = Facts::default();
        let now = Instant::now();
        facts.learn("a", LEARNED, now);
        let almost = now + LIFE - Duration::from_secs(1);
        assert_eq!(facts.of("a", almost), LEARNED);
        assert_eq!(facts.of("b", now), ServerFacts::default());
        assert_eq!(facts.of("a", now + LIFE), ServerFacts::default());
    }

    #[test]
    fn there_is_room_for_so_many_domains() {
        let facts = Facts::default();
        let now = Instant::now();
        for number in 0..MANY + 1 {
            facts.learn(&number.to_string(), LEARNED, now);
        }
        assert_eq!(facts.0.len(), MANY);
        facts.learn("later", LEARNED, now + LIFE);
        assert_eq!(facts.0.len(), 1);
        assert_eq!(facts.of("later", now + LIFE), LEARNED);
    }
}
