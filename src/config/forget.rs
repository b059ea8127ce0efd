//! Options of `pubshim forget`.

use clap::Args;

use super::options::boolean;
use super::{ConfigError, RunOptions, Settings};
use crate::session::Forget;

/// Options of `pubshim forget`: those of `run`, and its own. The documentation of a field is its help.
#[derive(Clone, Debug, Default, Args)]
pub struct ForgetOptions {
    /// List what would be removed, and remove nothing.
    #[arg(long, env = "PUBSHIM_DRY_RUN", value_name = "BOOL")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub dry_run: Option<bool>,

    /// How clients and the server are reached, and the other options of `run`.
    #[command(flatten)]
    pub run: RunOptions,
}

impl ForgetOptions {
    /// The settings for `run`, but for one session that translates nothing.
    ///
    /// # Errors
    ///
    /// Those of [`RunOptions::resolve`].
    pub fn resolve(self) -> Result<Settings, ConfigError> {
        let forget = match self.dry_run {
            Some(true) => Forget::List,
            _ => Forget::Remove,
        };
        let settings = self.run.resolve()?;
        Ok(Settings {
            session: settings.session.to_forget(forget),
            max_sessions: 1,
            // Fixtures have no key for such a session.
            record: None,
            ..settings
        })
    }
}
