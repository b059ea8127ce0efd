//! Consequences of a presence or an end: presences shown to clients, items on nodes.

use super::model::{Presence, Shown};
use super::steps::{Expected, Leave};
use super::world::{Way, World, bare};
use crate::server::Kind;

impl World {
    pub(super) fn send(&mut self, full: &str, presences: &[Presence], expected: &mut Expected) {
        let session = self.sessions.get_mut(full).unwrap();
        let xml: Vec<_> = presences.iter().map(|it| &*it.xml).collect();
        session.puppet.raw(&xml.concat());
        session.now = presences.last().cloned();
        session.was_hidden = session.is_hidden;
        let publishes = session.shim.is_some() && !session.is_hidden;
        let way = match publishes {
            true => Way::Both,
            false => Way::Native,
        };
        for presence in presences {
            self.tell(expected, full, way, &presence.shown);
        }
        if publishes {
            self.expect_no_leftovers(full);
        }
    }

    pub(super) fn send_unavailable(
        &mut self,
        full: &str,
        presence: &Presence,
        expected: &mut Expected,
    ) {
        let session = &self.sessions[full];
        session.puppet.raw(&presence.xml);
        let way = match session.published {
            Some(_) => Way::Both,
            None => Way::Native,
        };
        self.tell(expected, full, way, &presence.shown);
        let session = self.sessions.get_mut(full).unwrap();
        session.now = None;
        session.view.clear();
        session.wanted.clear();
        expected.shown.remove(full);
    }

    /// A shim that publishes for the first time removes items that the account's earlier sessions left.
    fn expect_no_leftovers(&mut self, full: &str) {
        let session = self.sessions.get_mut(full).unwrap();
        if !std::mem::replace(&mut session.has_cleared, true) {
            self.leftovers.retain(|it| bare(it) != bare(full));
        }
    }

    /// Notes that a client is not connected any more.
    pub(super) fn remove(&mut self, full: &str, how: Leave, expected: &mut Expected) {
        let session = &self.sessions[full];
        let gone = |it: &crate::puppet::Event| it.event == "disconnected";
        session.puppet.wait("the end of the stream", gone);
        let is_left = !matches!(how, Leave::Exit | Leave::Abort | Leave::Stopped);
        let is_published = session.published.is_some();
        if session.now.is_some() {
            let mut told = self.reached(full, Way::Native);
            told.retain(|it| it != full);
            expected.gone.insert(full.to_string(), told);
            if session.is_hidden {
                expected.hidden.insert(full.to_string());
            }
            let way = match is_published && !is_left {
                true => Way::Both,
                false => Way::Native,
            };
            self.tell(expected, full, way, &Shown::Gone);
            expected.shown.remove(full);
        }
        if is_published && is_left {
            expected.nodes.insert(bare(full).to_string());
            // ejabberd removes the items of a session that ends, unless the server itself ends.
            if self.server.kind == Kind::Prosody || how == Leave::ServerEnded {
                self.leftovers.insert(full.to_string());
            }
        }
        self.sessions.remove(full);
    }

    /// Expects that a change of `from` is shown to all clients it reaches.
    pub(super) fn tell(&mut self, expected: &mut Expected, from: &str, way: Way, shown: &Shown) {
        self.tell_some(expected, from, way, shown, |_| true);
        if way == Way::Native {
            return;
        }
        let published = expected.published.entry(from.to_string()).or_default();
        published.push(shown.clone());
        expected.nodes.insert(bare(from).to_string());
        let session = self.sessions.get_mut(from).unwrap();
        session.published = (*shown != Shown::Gone).then(|| shown.clone());
    }

    pub(super) fn tell_some(
        &mut self,
        expected: &mut Expected,
        from: &str,
        way: Way,
        shown: &Shown,
        is_told: impl Fn(&str) -> bool,
    ) {
        let is_marked =
            way != Way::Event && *shown != Shown::Gone && self.sessions[from].shim.is_some();
        for to in self.reached(from, way).into_iter().filter(|it| is_told(it)) {
            let session = self.sessions.get_mut(&to).unwrap();
            if is_marked {
                session.met.insert(bare(from).to_string());
            }
            let wanted = &mut session.wanted;
            let is_news = match shown {
                Shown::Gone => wanted.remove(from).is_some(),
                there => {
                    let before = wanted.insert(from.to_string(), there.clone());
                    way != Way::Event || before.as_ref() != Some(there)
                }
            };
            if is_news {
                let shown_to = expected.shown.entry(to).or_default();
                let sequence = shown_to.entry(from.to_string()).or_default();
                sequence.push(shown.clone());
            }
        }
    }
}
