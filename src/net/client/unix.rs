//! A Unix socket that only its owner can connect to.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::net::{UnixListener, UnixStream};

/// What the system has room for in the path of a socket, less the zero at its end (`sun_path`, unix(7)).
const LONGEST: usize = 107;

/// A socket at a path, which is taken away when this is dropped.
pub(in crate::net) struct UnixSocket {
    socket: UnixListener,
    path: PathBuf,
    /// Which file it is: somebody else may have put another in its place.
    file: (u64, u64),
    /// Who may connect, beside root.
    user: u32,
}

impl UnixSocket {
    /// Binds `path`. A socket that nobody listens on any more is replaced, and nothing else.
    pub(super) async fn bind(path: &Path) -> anyhow::Result<Self> {
        check(path).await?;
        let folder = NewFolder::beside(path)?;
        let new = folder.0.join("s");
        let length = path.as_os_str().len().max(new.as_os_str().len());
        if length > LONGEST {
            bail!(
                "cannot listen on unix:{}: the path is {} bytes too long for a socket; choose a shorter one with \
                 --listen",
                path.display(),
                length - LONGEST
            );
        }
        Self::bind_in(&new, path).with_context(|| refused(path))
    }

    /// Nobody else gets into the new folder: what is moved out of it is ready, and has the right mode.
    fn bind_in(new: &Path, path: &Path) -> io::Result<Self> {
        let socket = UnixListener::bind(new)?;
        fs::set_permissions(new, Permissions::from_mode(0o600))?;
        // One's own connection tells who one is.
        let (own, _other) = UnixStream::pair()?;
        let user = own.peer_cred()?.uid();
        let file = file(new)?;
        fs::rename(new, path)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            file,
            user,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next client of this user's.
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
            // If it stays, the next start replaces it.
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

/// Refuses a path where something is that must stay.
async fn check(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| refused(path)),
    };
    if !metadata.file_type().is_socket() {
        let error = io::Error::new(
            ErrorKind::AlreadyExists,
            "something else than a socket is there",
        );
        return Err(error).with_context(|| refused(path));
    }
    match UnixStream::connect(path).await {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::NotFound
            ) =>
        {
            tracing::info!("nobody listens on unix:{shown} any more: the socket is replaced");
            Ok(())
        }
        Ok(_) => Err(io::Error::from(ErrorKind::AddrInUse)).with_context(|| refused(path)),
        Err(error) => Err(error).with_context(|| refused(path)),
    }
}

/// A folder that only this user can enter; taken away when dropped, with a socket in it.
struct NewFolder(PathBuf);

impl NewFolder {
    /// One with a short name in the folder of `path`.
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
        let _ = fs::remove_file(self.0.join("s"));
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
}
