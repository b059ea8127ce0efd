//! The memory that all sessions together may use for stanzas that are not yet whole or not yet sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all sessions hold together, and the limit.
pub(super) struct Budget {
    most: usize,
    held: AtomicUsize,
}

/// Bytes that one session holds; given back when this is dropped.
pub(super) struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Budget {
    /// A budget of `most` bytes.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
        })
    }

    /// A share for a session that holds nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share {
            budget: Arc::clone(self),
            held: 0,
        }
    }
}

impl Share {
    /// Sets what the session holds to `bytes`. `false`: all sessions together would hold too much; its share is
    /// unchanged.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        // Relaxed is enough: no other memory depends on this number.
        let budget = &self.budget;
        if bytes <= self.held {
            budget.held.fetch_sub(self.held - bytes, Ordering::Relaxed);
        } else {
            let more = bytes - self.held;
            let grow = |held: usize| held.checked_add(more).filter(|held| *held <= budget.most);
            let grown = budget
                .held
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow);
            if grown.is_err() {
                return false;
            }
        }
        self.held = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_stay_within_the_budget() {
        let budget = Budget::new(100);
        let held = || budget.held.load(Ordering::Relaxed);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.hold(60) && two.hold(40));
        assert!(!one.hold(61), "not a byte more");
        assert!(!one.hold(usize::MAX));
        assert_eq!(held(), 100, "who is refused still holds what it held");
        assert!(one.hold(10) && two.hold(90));
        drop(two);
        assert_eq!(held(), 10);
        assert!(one.hold(100) && one.hold(100) && one.hold(0));
        assert_eq!(held(), 0);
    }

    #[test]
    fn sessions_on_many_threads_give_back_all_they_took() {
        let budget = Budget::new(50);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let mut share = budget.share();
                scope.spawn(move || {
                    for turn in 0..1000 {
                        share.hold((turn * 7 + thread) % 40);
                        assert!(share.budget.held.load(Ordering::Relaxed) <= 50);
                    }
                });
            }
        });
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
