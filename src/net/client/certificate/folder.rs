//! The folder of the certificates that pubshim has made: a file for each domain, with its key.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::make::make;
use crate::net::domain::to_ascii;
use crate::net::lock::Lock;
use crate::net::pem::{DAY, Pem};

/// How long before its end a certificate is worth a warning.
const NOTICE: i64 = 30 * DAY;
/// How the file of a certificate ends.
const ENDING: &str = ".pem";
/// The file that whoever renews one holds.
const LOCK: &str = ".lock";

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
}

/// A certificate in the folder.
#[derive(Debug)]
pub(super) struct Kept {
    /// The file.
    pub(super) file: PathBuf,
    /// What it holds.
    pub(super) pem: Pem,
    /// It was not there before, or not in this form.
    pub(super) is_new: bool,
}

impl Folder {
    /// The folder at this path; it is made when there is something to be kept.
    ///
    /// # Errors
    ///
    /// When there is none to be, or others could put something into it.
    pub(super) fn new(path: Option<&Path>) -> anyhow::Result<Self> {
        let path = path.ok_or(CertificateError::NoFolder)?;
        // It is shown to be copied into the settings of clients.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = Self { path };
        folder.check()?;
        Ok(folder)
    }

    /// Refuses a folder that is there, and in which others could put certificates of theirs.
    fn check(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // What cannot be made either is told when it is to be made.
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

    /// The domains there are files for.
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

    /// The certificate for `domain`, which is made if there is none, and made anew with the same key if it has
    /// expired.
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
                "the certificate in {shown} expires soon or has, and pubshim has not made it: renew it"
            );
        }
        let is_new = false;
        Ok(Kept { file, pem, is_new })
    }

    /// Makes one, unless somebody else was faster: then theirs is the one.
    fn make(&self, domain: &str, file: &Path, now: i64) -> anyhow::Result<Pem> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        // It may have come since it was looked for.
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

    /// Makes it anew, unless somebody else was faster: then theirs is the one.
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

    /// Writes `pem` to a file of its own, for `put` to bring into its place.
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
        // Renamed, it is not there any more.
        let _ = fs::remove_file(&new);
        Ok(result?)
    }
}

/// Reads a file, if there is one.
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

/// The user whose files are one's own.
fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What is wrong with a folder of this owner and mode, as the end of a sentence. What is in it is believed.
fn fault_of_folder(owner: u32, mode: u32, own: u32) -> Option<&'static str> {
    // Root can put whatever it likes anywhere.
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

/// What is wrong with a file of this owner and mode, as the end of a sentence. Whoever knows the key could pose as
/// pubshim.
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

/// Why no certificate can be made, whatever the system does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// This is no domain.
    #[error("{0:?} is no domain name, so there can be no certificate for it")]
    NoDomain(String),
    /// There is nowhere to keep it.
    #[error(
        "there is no home folder to keep certificates in: name a folder with --state, or a certificate with --cert"
    )]
    NoFolder,
}

/// The domain as the name of a file, which it may be safely; without the dot that ends it.
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
