//! How a session ended, and how long it lasted.

use std::fmt;
use std::time::Duration;

use super::leg::Leg;

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The client connected and said nothing, as a health check does.
    Nothing,
    /// The client closed its stream, and had logged in.
    LoggedOut,
    /// The client closed its stream and had not logged in.
    Left,
    /// One side left after the server had refused the login.
    LoginFailed,
    /// The server closed its stream.
    Closed,
    /// TLS did not come up on the client's leg.
    NotSecured,
    /// No server took the client's stream.
    NoServer,
    /// One side ended its connection while bytes passed unread.
    HungUp(Leg),
    /// One side's connection ended without a word.
    Broke(Leg),
    /// One side took nothing of what waited for it for too long.
    Stalled(Leg),
    /// One side ended its stream with an error of this condition.
    StreamError(Leg, String),
    /// We ended it with a stream error of this condition.
    Refused(&'static str),
    /// The program ends.
    Stopped,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("the client said nothing"),
            Self::LoggedOut => f.write_str("the client logged out"),
            Self::Left => f.write_str("the client left before it had logged in"),
            Self::LoginFailed => f.write_str("the server refused the login"),
            Self::Closed => f.write_str("the server closed the stream"),
            Self::NotSecured => f.write_str("no TLS came up with the client"),
            Self::NoServer => f.write_str("no server could be used"),
            Self::HungUp(leg) => write!(f, "the {leg} closed the connection"),
            Self::Broke(leg) => write!(f, "the {leg}'s connection broke"),
            Self::Stalled(leg) => write!(f, "the {leg} took nothing for too long"),
            Self::StreamError(leg, condition) => {
                write!(f, "the {leg} ended the stream: {condition}")
            }
            Self::Refused(condition) => write!(f, "broken off by pubshim ({condition})"),
            Self::Stopped => f.write_str("pubshim was told to stop"),
        }
    }
}

/// A duration in words.
pub(super) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) => format!("{:.1} s", time.as_secs_f64()),
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (2340, "2.3 s"),
            (59_999, "59 s"),
            (60_000, "1 min 0 s"),
            (3_599_000, "59 min 59 s"),
            (90_061_000, "25 h 1 min"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), expected);
        }
    }
}
