//! A Unix socket that only its owner can connect to.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::net::{UnixListener, UnixStream};

use crate::net::lock::Lock;

/// Longest path of a socket in bytes, without the zero at its end (`sun_path`, unix(7)).
const LONGEST: usize = 107;
/// Name of the new socket in the new folder.
const SOCKET: &str = "s";
/// Name of the old socket when it is moved into the new folder.
const OLD: &str = "old";

/// A socket at a path; removed when this is dropped.
pub(in crate::net) struct UnixSocket {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket: another program may put another file at the path.
    file: (u64, u64),
    /// The user who may connect, beside root.
    user: u32,
}

impl UnixSocket {
    /// Binds `path`. A socket on which no program listens is replaced; any other file is an error.
    pub(super) async fn bind(path: &Path) -> anyhow::Result<Self> {
        // Checked first, since its error tells the user most.
        find_old(path).await.with_context(|| refused(path))?;
        let folder = NewFolder::beside(path)?;
        let new = folder.0.join(SOCKET);
        let length = path.as_os_str().len().max(new.as_os_str().len());
        if length > LONGEST {
            bail!(
                "cannot listen on unix:{}: the path is {} bytes too long for a socket; choose a shorter one with \
                 --listen",
                path.display(),
                length - LONGEST
            );
        }
        Self::bind_in(&folder.0, path)
            .await
            .with_context(|| refused(path))
    }

    /// Makes the socket in `folder`, which no other user can enter, and links it to `path` when its mode is right.
    async fn bind_in(folder: &Path, path: &Path) -> io::Result<Self> {
        let new = folder.join(SOCKET);
        let socket = UnixListener::bind(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        // The user of pubshim's own connection.
        let (own, _other) = UnixStream::pair()?;
        let user = own.peer_cred()?.uid();
        let file = file(&new)?;
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => replace(folder, path).await?,
            result => result?,
        }
        Ok(Self {
            socket,
            path: path.to_owned(),
            file,
            user,
        })
    }

    /// The path it is bound to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts the next client of this user or root; others are turned away.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (client, _) = self.socket.accept().await?;
            match client.peer_cred()?.uid() {
                user if is_allowed(user, self.user) => return Ok(client),
                user => tracing::warn!(
                    "turned a client away at unix:{}: it belongs to another user (uid {user})",
                    self.path.display()
                ),
            }
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if file(&self.path).is_ok_and(|file| file == self.file) {
            // If the socket stays, the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a process of `user` may connect to a socket of `own`.
fn is_allowed(user: u32, own: u32) -> bool {
    user == own || user == 0
}

fn file(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn refused(path: &Path) -> String {
    format!(
        "cannot listen on unix:{}; choose another path with --listen",
        path.display()
    )
}

/// Puts the socket in this folder in the place of the old one at `path`.
async fn replace(folder: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    let lock = path.with_file_name(format!(".{}.lock", name.display()));
    // Two pubshims that start at once must not both find the same old socket: one would replace the other's new one.
    let _lock = Lock::at_once(&lock).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => io::Error::new(
            ErrorKind::AddrInUse,
            "another pubshim is just starting there",
        ),
        _ => error,
    })?;
    if let Some(old) = find_old(path).await? {
        take_away(path, old, &folder.join(OLD))?;
        tracing::info!(
            "nobody listens on unix:{} any more: the socket is replaced",
            path.display()
        );
    }
    fs::hard_link(folder.join(SOCKET), path)
}

/// The socket at a path on which no program listens (device and inode), if there is one. An error if there is
/// something that must stay.
async fn find_old(path: &Path) -> io::Result<Option<(u64, u64)>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let reason = "something else than a socket is there";
        return Err(io::Error::new(ErrorKind::AlreadyExists, reason));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok(Some((metadata.dev(), metadata.ino())))
        }
        Ok(_) => Err(io::Error::from(ErrorKind::AddrInUse)),
        Err(error) => Err(error),
    }
}

/// Removes an old socket. If another program has put a file in its place meanwhile, that goes back, and this fails.
fn take_away(path: &Path, old: (u64, u64), aside: &Path) -> io::Result<()> {
    fs::rename(path, aside)?;
    if file(aside)? == old {
        return fs::remove_file(aside);
    }
    fs::hard_link(aside, path)?;
    fs::remove_file(aside)?;
    let reason = "something else has come there";
    Err(io::Error::new(ErrorKind::AlreadyExists, reason))
}

/// A folder that only this user can enter; removed when dropped, with the socket in it.
struct NewFolder(PathBuf);

impl NewFolder {
    /// Makes a folder with a short name beside `path`.
    fn beside(path: &Path) -> anyhow::Result<Self> {
        let mut number = [0; 4];
        getrandom::fill(&mut number)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let folder = path.with_file_name(format!(".{:08x}", u32::from_le_bytes(number)));
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| refused(path))?;
        Ok(Self(folder))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join(SOCKET));
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_users_are_turned_away() {
        for (user, own, expected) in [
            (1000, 1000, true),
            (0, 1000, true),
            (0, 0, true),
            (1001, 1000, false),
            (1000, 0, false),
        ] {
            assert_eq!(is_allowed(user, own), expected, "{user} at {own}");
        }
    }
    #[test]
    fn of_several_starts_at_once_one_is_let_in() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        for round in 0..40 {
            let folder = tempfile::tempdir().expect("folder");
            let path = folder.path().join("socket");
            if round % 2 == 0 {
                drop(std::os::unix::net::UnixListener::bind(&path).expect("an old socket"));
            }
            let barrier = std::sync::Barrier::new(8);
            let start = || {
                barrier.wait();
                runtime.block_on(UnixSocket::bind(&path))
            };
            let results: Vec<_> = std::thread::scope(|scope| {
                let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                let results = starts.into_iter().map(|it| it.join().expect("a result"));
                results.collect()
            });
            let (sockets, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
            let sockets: Vec<_> = sockets.into_iter().flatten().collect();
            let [socket] = &sockets[..] else {
                panic!("{} of 8 think that it is theirs", sockets.len());
            };
            assert_eq!(file(&path).expect("it is there"), socket.file);
            for error in errors.iter().filter_map(|result| result.as_ref().err()) {
                assert!(format!("{error:#}").contains("--listen"), "{error:#}");
            }
            let left = fs::read_dir(folder.path()).expect("readable").count();
            assert_eq!(left, 1, "nothing else is left");
        }
    }

    #[test]
    fn what_has_come_meanwhile_goes_back() {
        let folder = tempfile::tempdir().expect("folder");
        let [path, aside] = ["socket", "aside"].map(|name| folder.path().join(name));
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        let old = file(&path).expect("it is there");
        take_away(&path, old, &aside).expect("it is the old one");
        assert!(!path.exists() && !aside.exists());
        fs::write(&path, "mine").expect("written");
        let other = (old.0, file(&path).expect("it is there").1 + 1);
        take_away(&path, other, &aside).expect_err("it is another one");
        assert_eq!(fs::read(&path).expect("readable"), b"mine");
        assert!(!aside.exists());
    }
}
