//! Options of `pubshim cert`.

use clap::Args;

use super::{ConfigError, Domain, RunOptions, Settings};

/// Options of `pubshim cert`: those of `run`, and its own. The documentation of a field is its help.
#[derive(Clone, Debug, Default, Args)]
pub struct CertOptions {
    /// Domain to make a certificate for, if there is none; may be repeated.
    ///
    /// If none is given, localhost and each --domain.
    #[arg(id = "for", value_name = "DOMAIN")]
    pub domains: Vec<Domain>,

    /// Folder of the certificates, and the other options of `run`.
    #[command(flatten)]
    pub run: RunOptions,
}

impl CertOptions {
    /// The settings for `run`, and the domains named.
    ///
    /// # Errors
    ///
    /// Those of [`RunOptions::resolve`].
    pub fn resolve(self) -> Result<(Settings, Vec<String>), ConfigError> {
        let domains = self.domains.into_iter().map(|Domain(domain)| domain);
        Ok((self.run.resolve()?, domains.collect()))
    }
}
