//! File descriptors, which the system limits for each program. pubshim raises the limit as far as it may, allows no
//! more sessions than the descriptors suffice for, and keeps one back to tell a further client why it cannot stay.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::config::Settings;

/// Descriptors of a session: one for each of its two connections.
const A_SESSION: u64 = 2;
/// Descriptors of a listener: its socket, and the one that [`Spare`] keeps back.
const A_LISTENER: u64 = 2;
/// Descriptors for the log, for DNS, and for sessions that try several addresses of their server at once, three at the
/// most.
const RESERVE: u64 = 64;

/// Raises the limit of open files, and gives the number of sessions there may be: `--max-sessions`, or less if the
/// system allows too few open files. A lowered number is logged.
pub(super) fn sessions(settings: &Settings) -> usize {
    let Some(limit) = raise() else {
        return settings.max_sessions;
    };
    tracing::debug!("the system allows {limit} open files");
    let need = Need::of(settings);
    let fitting = need.fitting(limit).min(settings.max_sessions);
    if fitting < settings.max_sessions {
        let enough = need.of_sessions(settings.max_sessions);
        tracing::warn!(
            "--max-sessions is lowered from {} to {fitting}: the system allows {limit} open files and so many sessions \
             need {enough}; raise its limit with `ulimit -n {enough}`, or with LimitNOFILE={enough} in the systemd \
             unit",
            settings.max_sessions
        );
    }
    fitting
}

/// Raises the soft limit of open files to the hard one (only an administrator could raise that), and gives the limit
/// that holds now; `None` if there is none.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!("cannot raise the limit of open files: {error}");
            current
        }
    }
}

/// The descriptors that a configuration needs.
struct Need {
    each: u64,
    shared: u64,
}

impl Need {
    fn of(settings: &Settings) -> Self {
        let listeners = settings.listen.iter().map(|_| A_LISTENER);
        Self {
            each: A_SESSION + u64::from(settings.record.is_some()),
            shared: RESERVE + listeners.sum::<u64>(),
        }
    }

    /// The number of sessions that a limit suffices for; at least one, as pubshim would be useless without.
    fn fitting(&self, limit: u64) -> usize {
        let fitting = limit.saturating_sub(self.shared) / self.each;
        usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
    }

    /// The limit that `count` sessions need.
    fn of_sessions(&self, count: usize) -> u64 {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.each.saturating_mul(count).saturating_add(self.shared)
    }
}

/// Whether a client could not be accepted because there is no descriptor for it.
pub(super) fn are_used_up(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// A descriptor kept back, so that one more client can be accepted and told why it is turned away.
pub(super) struct Spare(Option<File>);

impl Spare {
    /// Takes a descriptor, if one is free.
    pub(super) fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Gives the descriptor up, so that the waiting client can be accepted and `tell` can write to it; takes it back
    /// when that client is gone. An error if even so the client could not be accepted.
    pub(super) async fn lend<C>(
        &mut self,
        accept: impl Future<Output = io::Result<C>>,
        tell: impl FnOnce(C),
    ) -> io::Result<()> {
        self.0 = None;
        let result = match timeout(Duration::ZERO, accept).await {
            Ok(accepted) => accepted.map(tell),
            // No client is waiting: accept(2) fails for want of a descriptor before it looks for a client.
            Err(_) => Ok(()),
        };
        *self = Self::new();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(record: bool) -> Need {
        Need::of(&Settings {
            record: record.then(|| "folder".into()),
            ..Settings::default()
        })
    }

    #[test]
    fn what_is_enough_for_some_is_not_for_one_more() {
        for (record, each) in [(false, 2), (true, 3)] {
            let need = need(record);
            for count in [1, 2, 1000] {
                let enough = need.of_sessions(count);
                assert_eq!(need.fitting(enough), count);
                assert_eq!(need.fitting(enough + each - 1), count);
                assert_eq!(need.fitting(enough + each), count + 1);
            }
        }
    }

    #[test]
    fn one_session_there_may_always_be() {
        for limit in [0, 3, 64, 67] {
            assert_eq!(need(false).fitting(limit), 1);
        }
        assert!(need(false).fitting(u64::MAX) > 1_000_000);
        assert_eq!(need(false).of_sessions(usize::MAX), u64::MAX);
    }

    #[test]
    fn only_a_want_of_descriptors_is_one() {
        let is = |errno: Errno| are_used_up(&errno.into());
        assert!(is(Errno::MFILE) && is(Errno::NFILE));
        assert!(!is(Errno::CONNABORTED) && !is(Errno::NOBUFS));
        assert!(!are_used_up(&io::ErrorKind::Other.into()));
    }
}
