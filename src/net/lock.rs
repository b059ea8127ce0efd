//! A lock between processes: a file that exists while one of them holds the lock.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock; waits while another process holds it.
    pub(super) fn wait(path: &Path) -> io::Result<Self> {
        Self::take(path, FlockOperation::LockExclusive)
    }

    /// Takes the lock, or fails with `WouldBlock` if another process holds it.
    pub(super) fn at_once(path: &Path) -> io::Result<Self> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive)
    }

    fn take(path: &Path, how: FlockOperation) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let file = File::from(open(path, flags, Mode::RUSR | Mode::WUSR)?);
            flock(&file, how)?;
            // The previous holder has removed this file; a third process may hold a lock on a new file at the path.
            if is_at(&file, path)? {
                return Ok(Self {
                    path: path.to_owned(),
                    _file: file,
                });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays does no harm: the next holder locks it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether this file is the one at the path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::wait(&path).expect("a lock");
                        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        count.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn who_does_not_wait_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let held = Lock::at_once(&path).expect("a lock");
        let error = Lock::at_once(&path).expect_err("it is held");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        drop(held);
        Lock::at_once(&path).expect("a lock");
    }
}
