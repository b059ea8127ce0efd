//! Descriptors, of which the system gives a program only so many: as many as it gives, no more sessions than
//! those are enough for, and one kept back so that a client beyond is told why it cannot stay.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::config::Settings;

/// A session's two connections.
const A_SESSION: u64 = 2;
/// An address clients connect to, and what [`Spare`] holds for it.
const A_LISTENER: u64 = 2;
/// For the log, for DNS, and for sessions that try several addresses of their server at once, three at the most.
const RESERVE: u64 = 64;

/// How many sessions there may be: `--max-sessions`, or less if the system allows too few open files, and then the
/// log says so. As many are allowed from now on as this program may ask for.
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

/// Raises the soft limit of open files to the hard one, which only an administrator could raise; the limit, if there
/// is one.
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

    /// For how many sessions a limit is enough; one always, since without any pubshim would be of no use.
    fn fitting(&self, limit: u64) -> usize {
        let fitting = limit.saturating_sub(self.shared) / self.each;
        usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
    }

    /// What so many sessions need.
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

/// One descriptor kept back.
pub(super) struct Spare(Option<File>);

impl Spare {
    /// Takes one, if there is one.
    pub(super) fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Gives the descriptor up, so that the client that waits can be accepted after all and `tell` can tell it
    /// something; takes it back when that client is gone. The error: it was not enough.
    pub(super) async fn lend<C>(
        &mut self,
        accept: impl Future<Output = io::Result<C>>,
        tell: impl FnOnce(C),
    ) -> io::Result<()> {
        self.0 = None;
        let result = match timeout(Duration::ZERO, accept).await {
            Ok(accepted) => accepted.map(tell),
            // Nobody waits: the system looks for a descriptor first, and for a client then.
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
