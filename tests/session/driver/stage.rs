//! How far a session has come, up to the bound resource.

use pubshim::session::{Input, Options, Security};

use super::{Driver, facts, headers};
use crate::common::*;

/// The stage of a session at which something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The client has connected.
    New,
    /// The server is being connected.
    Connecting,
    /// Our own header is sent over plain TCP.
    OpeningPlain,
    /// `<starttls/>` is sent.
    StartingTls,
    /// TLS is being negotiated.
    Handshaking,
    /// The client's header is sent.
    Opening,
    /// The server's header has come, its features have not.
    Opened,
    /// The client sees the mechanisms.
    Login,
    /// `<auth/>` is sent.
    Authenticating,
    /// `<success/>` has come.
    Reopening,
    /// The second header is sent.
    Reopened,
    /// The client sees the features of the second stream.
    Binding,
    /// A resource is bound.
    Established,
}

pub(crate) const STAGES: [Stage; 13] = [
    Stage::New,
    Stage::Connecting,
    Stage::OpeningPlain,
    Stage::StartingTls,
    Stage::Handshaking,
    Stage::Opening,
    Stage::Opened,
    Stage::Login,
    Stage::Authenticating,
    Stage::Reopening,
    Stage::Reopened,
    Stage::Binding,
    Stage::Established,
];

impl Driver {
    /// A session that has come as far as `stage`, everything looked at; over STARTTLS.
    pub(crate) fn at(stage: Stage, options: Options) -> Self {
        let mut driver = Self::new(options);
        driver.go_to(stage);
        driver.forget();
        driver
    }

    fn go_to(&mut self, stage: Stage) {
        let facts = facts();
        let (client, server) = headers(JULIET);
        for step in STAGES.into_iter().filter(|step| *step <= stage) {
            match step {
                Stage::New => {}
                Stage::Connecting => self.client(&client),
                Stage::OpeningPlain => self.input(Input::connected(Security::StartTls, facts)),
                Stage::StartingTls => self.server(&format!("{server}{STARTTLS}")),
                Stage::Handshaking => self.server(PROCEED),
                Stage::Opening => self.input(Input::Secured),
                Stage::Opened => self.server(&server),
                Stage::Login => self.server(MECHANISMS),
                Stage::Authenticating => self.client(AUTH),
                Stage::Reopening => self.server(SUCCESS),
                Stage::Reopened => self.client(&client),
                Stage::Binding => self.server(&format!("{server}{BIND_FEATURES}")),
                Stage::Established => {
                    self.client(BIND);
                    self.server(&bound(JULIET));
                }
            }
        }
    }
}
