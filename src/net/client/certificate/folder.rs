//! The folder of the certificates that pubshim has made: one file for each domain, with its key.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::make::make;
use crate::net::domain::to_ascii;
use crate::net::lock::Lock;
use crate::net::pem::{DAY, Pem};

/// Time before the expiry of a certificate from which on a start warns of it.
const NOTICE: i64 = 30 * DAY;
/// Extension of the file of a certificate.
const ENDING: &str = ".pem";
/// File that is locked while a certificate is renewed.
const LOCK: &str = ".lock";

/// The folder, which may not exist yet.
pub(super) struct Folder {
    path: PathBuf,
}

/// A certificate in the folder.
#[derive(Debug)]
pub(super) struct Kept {
    /// Path of its file.
    pub(super) file: PathBuf,
    /// Contents of its file.
    pub(super) pem: Pem,
    /// The certificate was made or renewed just now.
    pub(super) is_new: bool,
}

impl Folder {
    /// The folder at this path; created with the first certificate.
    ///
    /// # Errors
    ///
    /// When there is no path, or other users could put files into the folder.
    pub(super) fn new(path: Option<&Path>) -> anyhow::Result<Self> {
        let path = path.ok_or(CertificateError::NoFolder)?;
        // Absolute, since users copy the path into settings of clients.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = Self { path };
        folder.check()?;
        Ok(folder)
    }

    /// Refuses an existing folder into which other users could put certificates.
    fn check(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // The folder does not exist yet; if it cannot be made, `make` tells.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot use {shown}")),
        };
        match fault_of_folder(metadata.uid(), metadata.mode(), own_user()) {
            Some(fault) => bail!("the folder {shown} {fault}"),
            None => Ok(()),
        }
    }

    /// Domains that have a file.
    pub(super) fn domains(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut domains: Vec<_> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let domain = name.strip_suffix(ENDING)?.to_owned();
                (file_domain(&domain).as_ref() == Ok(&domain)).then_some(domain)
            })
            .collect();
        domains.sort();
        domains
    }

    /// The certificate for `domain`; made if there is none, renewed with the same key if it has expired.
    pub(super) fn certificate(&self, domain: &str, now: i64) -> anyhow::Result<Kept> {
        let domain = file_domain(domain)?;
        let file = self.path.join(format!("{domain}{ENDING}"));
        let Some(pem) = read(&file)? else {
            let pem = self.make(&domain, &file, now).with_context(|| {
                format!(
                    "cannot keep a certificate for {domain} in {}",
                    self.path.display()
                )
            })?;
            let is_new = true;
            return Ok(Kept { file, pem, is_new });
        };
        let left = pem.expires()? - now;
        let shown = file.display();
        if pem.is_self_signed() && left <= 0 {
            let pem = self.renew(&domain, &file, now).with_context(|| {
                format!("the certificate in {shown} has expired, and cannot be made anew")
            })?;
            let is_new = true;
            return Ok(Kept { file, pem, is_new });
        }
        if left <= NOTICE && pem.is_self_signed() {
            tracing::warn!(
                "the certificate for {domain} in {shown} expires in {} days; the first start after that makes a new \
                 one with the same key, and clients that keep a fingerprint ask again",
                left / DAY
            );
        } else if left <= NOTICE {
            tracing::warn!(
                "the certificate in {shown} has expired or soon will, and pubshim did not make it: renew it"
            );
        }
        let is_new = false;
        Ok(Kept { file, pem, is_new })
    }

    /// Makes a certificate, unless another process was faster: then takes the other's.
    fn make(&self, domain: &str, file: &Path, now: i64) -> anyhow::Result<Pem> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        // Another user may have made the folder since the first check.
        self.check()?;
        let pem = make(domain, None, now)?;
        let linked = self.write(&pem, |new| match fs::hard_link(new, file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        })?;
        match linked {
            true => {
                tracing::info!("made a certificate for {domain}: {}", file.display());
                Ok(pem)
            }
            false => read(file)?.with_context(|| format!("{} was taken away", file.display())),
        }
    }

    /// Renews a certificate, unless another process was faster: then takes the other's.
    fn renew(&self, domain: &str, file: &Path, now: i64) -> anyhow::Result<Pem> {
        let _lock = Lock::wait(&self.path.join(LOCK))?;
        let old = read(file)?.with_context(|| format!("{} was taken away", file.display()))?;
        if !old.is_self_signed() || old.expires()? > now {
            return Ok(old);
        }
        let pem = make(domain, Some(old.key()), now)?;
        self.write(&pem, |new| fs::rename(new, file))?;
        tracing::info!(
            "the certificate for {domain} had expired, and was made anew with the same key: {}",
            file.display()
        );
        Ok(pem)
    }

    /// Writes `pem` to a new file, which `put` moves or links to its place.
    fn write<T>(&self, pem: &Pem, put: impl FnOnce(&Path) -> io::Result<T>) -> anyhow::Result<T> {
        let mut number = [0; 8];
        getrandom::fill(&mut number)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let new = self
            .path
            .join(format!(".new-{:016x}", u64::from_le_bytes(number)));
        let text = pem.text()?;
        let result = (|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            put(&new)
        })();
        // Fails if `put` has renamed the file.
        let _ = fs::remove_file(&new);
        Ok(result?)
    }
}

/// Reads the file of a certificate; `None` if it does not exist.
fn read(file: &Path) -> anyhow::Result<Option<Pem>> {
    let shown = file.display().to_string();
    let cannot_read = || format!("cannot read {shown}");
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot_read),
    };
    let metadata = opened.metadata().with_context(cannot_read)?;
    if let Some(fault) = fault_of_file(metadata.uid(), metadata.mode(), own_user()) {
        bail!("{shown} {fault}");
    }
    let mut text = Vec::new();
    opened.read_to_end(&mut text).with_context(cannot_read)?;
    match Pem::parse(&text, &text, &shown, &shown) {
        Ok(pem) => Ok(Some(pem)),
        Err(error) => bail!("{error:#}; delete the file, and pubshim makes another"),
    }
}

/// The user as whom pubshim runs.
fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Why certificates in a folder of this owner and mode cannot be trusted, as the end of a sentence.
fn fault_of_folder(owner: u32, mode: u32, own: u32) -> Option<&'static str> {
    // A folder of root's is no risk: root can write anywhere anyhow.
    if owner != own && owner != 0 {
        return Some(
            "belongs to another user, who could have pubshim show certificates of theirs: name one of your own with \
             --state",
        );
    }
    (mode & 0o022 != 0).then_some(
        "can be written by others, who could have pubshim show certificates of theirs: `chmod go-w` it, or name \
         another one with --state",
    )
}

/// Why the key in a file of this owner and mode is not secret, as the end of a sentence. Anybody who knows the key
/// could pose as pubshim.
fn fault_of_file(owner: u32, mode: u32, own: u32) -> Option<&'static str> {
    if owner != own {
        return Some(
            "belongs to another user, who knows the private key in it: delete it, and pubshim makes another, or \
             `chown` it if it is yours",
        );
    }
    (mode & 0o077 != 0).then_some(
        "can be read by others, and there is a private key in it: delete it, and pubshim makes another, or if nobody \
         has, `chmod 600` it",
    )
}

/// Reasons in the settings why no certificate can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a domain.
    #[error("{0:?} is no domain name, so there can be no certificate for it")]
    NoDomain(String),
    /// No folder is known to keep certificates in.
    #[error(
        "there is no home folder to keep certificates in: name a folder with --state, or a certificate with --cert"
    )]
    NoFolder,
}

/// The domain in ASCII, in lower case and without the final dot: safe as the name of a file. An error if it is not a
/// domain.
pub(super) fn file_domain(domain: &str) -> Result<String, CertificateError> {
    let refused = || CertificateError::NoDomain(domain.to_owned());
    let ascii = to_ascii(domain)
        .map_err(|_| refused())?
        .to_ascii_lowercase();
    let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    // A label has 63 bytes at the most, and a domain 253 (RFC 1035 §2.3.4).
    let is_safe = ascii.chars().all(is_plain)
        && !ascii.starts_with('-')
        && ascii
            .split('.')
            .all(|label| (1..=63).contains(&label.len()))
        && ascii.len() <= 253;
    match is_safe {
        true => Ok(ascii.to_owned()),
        false => Err(refused()),
    }
}

#[cfg(test)]
mod tests;
