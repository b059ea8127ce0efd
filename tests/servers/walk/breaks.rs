//! Steps in which clients, shims, the network or the server end or break.

use serde_json::json;

use super::model::Presence;
use super::steps::{Expected, Leave};
use super::world::World;
use crate::relay::Cut;
use crate::walk::Note;

impl World {
    pub(super) fn leave(&mut self, how: Leave, note: Note<'_>) -> Option<Expected> {
        let is_available = !self.rng.once_in(4);
        let full = self.somebody(|it| it.now.is_some() == is_available)?;
        let last_words = (is_available && how == Leave::Exit && self.rng.once_in(2))
            .then(|| Presence::unique(&mut self.rng, self.serial));
        let mut expected = Expected::default();
        if let Some(presence) = last_words {
            note(format!("{full} sends {}", presence.xml));
            self.send(&full, &[presence], &mut expected);
        }
        let command = match how {
            Leave::Exit => "disconnect",
            _ => "abort",
        };
        note(format!("{full} leaves: {command}"));
        self.sessions[&full].puppet.send(json!({"cmd": command}));
        self.remove(&full, how, &mut expected);
        Some(expected)
    }

    pub(super) fn end_shim(&mut self, how: Leave, note: Note<'_>) -> Option<Expected> {
        let (at, sessions) = self.some_shim()?;
        let mut shim = self.shims[at].take()?;
        note(format!("shim {at} is {how:?}, with {sessions:?}"));
        if how == Leave::Killed {
            shim.kill();
        } else {
            assert_eq!(shim.terminate(), Some(0), "the exit code of a shim");
        }
        self.ended_shims.push(shim);
        let mut expected = Expected::default();
        for full in sessions {
            self.remove(&full, how, &mut expected);
        }
        Some(expected)
    }

    pub(super) fn cut_client(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|_| true)?;
        let (stalls, how) = self.some_cut();
        note(format!("{full} is cut off, stalls: {stalls}, {how:?}"));
        let session = &self.sessions[&full];
        if stalls {
            session.relay.stall();
            session
                .puppet
                .raw("<presence><status>Into the void</status></presence>");
        }
        session.relay.cut(how);
        let mut expected = Expected::default();
        self.remove(&full, Leave::Abort, &mut expected);
        Some(expected)
    }

    pub(super) fn cut_shim(&mut self, note: Note<'_>) -> Option<Expected> {
        let (at, sessions) = self.some_shim()?;
        let (stalls, how) = self.some_cut();
        note(format!(
            "shim {at} is cut off, stalls: {stalls}, {how:?}, with {sessions:?}"
        ));
        if stalls {
            self.uplinks[at].stall();
            for full in &sessions {
                let puppet = &self.sessions[full].puppet;
                puppet.raw("<presence><status>Into the void</status></presence>");
            }
        }
        self.uplinks[at].cut(how);
        let mut expected = Expected::default();
        for full in sessions {
            self.remove(&full, Leave::Lost, &mut expected);
        }
        Some(expected)
    }

    /// All sessions end; the shims stay.
    pub(super) fn restart_server(&mut self, note: Note<'_>) -> Expected {
        note("the server is restarted".to_string());
        self.server.restart();
        for uplink in &self.uplinks {
            uplink.retarget(self.server.addr());
        }
        let mut expected = Expected::default();
        let sessions: Vec<_> = self.sessions.keys().cloned().collect();
        for full in sessions {
            self.remove(&full, Leave::ServerEnded, &mut expected);
        }
        // The server's end has ended all sessions: no client is left to be told.
        expected.gone.clear();
        self.meet_witness_again();
        self.meet_suitors_again();
        expected
    }

    /// A shim that has clients, and its clients.
    fn some_shim(&mut self) -> Option<(usize, Vec<String>)> {
        let at = self.rng.below(self.shims.len());
        let behind = self.sessions.iter().filter(|(_, it)| it.shim == Some(at));
        let behind: Vec<_> = behind.map(|(full, _)| full.clone()).collect();
        (!behind.is_empty()).then_some((at, behind))
    }

    /// Whether the connection stalls before the cut, and how it is cut.
    fn some_cut(&mut self) -> (bool, Cut) {
        let stalls = self.rng.once_in(2);
        (stalls, self.rng.pick(&[Cut::Reset, Cut::Close]))
    }
}
