//! Pacing: how much of our own traffic may go at once.
//!
//! Stock servers throttle a stream at 3 to 10 kB/s, and the client's stanzas wait behind ours.

use std::time::Duration;

/// Bytes that may go at once.
const BURST: i64 = 10_000;
/// Bytes gained with each second.
const PER_SECOND: i64 = 1_500;
/// Debt in bytes at which stanzas caused by others wait, too.
const OVERDRAFT: i64 = 20_000;

/// A bucket of bytes for our own stanzas. Urgent ones overdraw it; the others wait until it holds credit again.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// In thousandths of a byte.
    credit: i64,
    at: Duration,
}

impl Pacer {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            credit: BURST * 1000,
            at: now,
        }
    }

    /// Gains credit for the time since the last call.
    pub(crate) fn advance(&mut self, now: Duration) {
        if now == self.at {
            return;
        }
        let millis = i64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(i64::MAX);
        let gained = millis.saturating_mul(PER_SECOND);
        if gained > 0 {
            self.credit = self.credit.saturating_add(gained).min(BURST * 1000);
            self.at = now;
        }
    }

    /// Charges a stanza of so many bytes.
    pub(crate) fn spend(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_sub(bytes.saturating_mul(1000));
    }

    /// Whether a stanza that can wait may go now.
    pub(crate) fn has_credit(&self) -> bool {
        self.credit > 0
    }

    /// When a stanza that can wait may go.
    pub(crate) fn ready_at(&self) -> Duration {
        let missing = u64::try_from(1 - self.credit).unwrap_or(0);
        self.at + Duration::from_millis(missing.div_ceil(PER_SECOND.unsigned_abs()))
    }

    /// Whether an urgent stanza that others have caused may go now.
    pub(crate) fn may_overdraw(&self) -> bool {
        self.credit > -OVERDRAFT * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_kilobytes_at_once_then_fifteen_hundred_a_second() {
        let start = Duration::from_secs(5);
        let mut pacer = Pacer::new(start);
        let mut sent = 0;
        while pacer.has_credit() {
            pacer.spend(200);
            sent += 200;
        }
        assert_eq!(sent, 10_000);
        for _ in 0..300 {
            let at = pacer.ready_at();
            pacer.advance(at - Duration::from_millis(1));
            assert!(!pacer.has_credit());
            pacer.advance(at);
            assert!(pacer.has_credit());
            pacer.spend(200);
            sent += 200;
        }
        let seconds = (pacer.ready_at() - start).as_secs();
        assert_eq!(seconds, 60_000 / 1500);
        assert_eq!(sent, 70_000);
        pacer.advance(start + Duration::from_secs(3600));
        pacer.spend(9_999);
        assert!(pacer.has_credit(), "no more than a burst is saved up");
        pacer.spend(1);
        assert!(!pacer.has_credit());
    }
}
