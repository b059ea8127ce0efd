//! What follows from a presence or an end: who is shown what, and what the nodes have.

use super::model::{Presence, Shown};
use super::steps::{Expected, Leave};
use super::world::{Way, World, bare};
use crate::server::Kind;

impl World {
    pub(super) fn send(&mut self, full: &str, presences: &[Presence], expected: &mut Expected) {
        let hides_by_block = self.hides_by_block(full);
        let session = self.sessions.get_mut(full).unwrap();
        let xml: Vec<_> = presences.iter().map(|it| &*it.xml).collect();
        session.puppet.raw(&xml.concat());
        session.now = presences.last().cloned();
        let is_first = session.publishes.is_none();
        let may_publish = session.shim.is_some() && !hides_by_block;
        let publishes = *session.publishes.get_or_insert(may_publish);
        session.was_hidden = session.is_hidden;
        let way = match publishes && !session.is_hidden {
            true => Way::Both,
            false => Way::Native,
        };
        for presence in presences {
            self.tell(expected, full, way, &presence.shown);
        }
        if is_first && publishes {
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

    /// A shim that publishes for the first time clears away what the account's other sessions left.
    pub(super) fn expect_no_leftovers(&mut self, full: &str) {
        self.leftovers.retain(|it| bare(it) != bare(full));
    }

    /// Takes note that somebody is no longer connected.
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
            // ejabberd takes the items of a session away when it ends, unless it ends itself.
            if self.server.kind == Kind::Prosody || how == Leave::ServerEnded {
                self.leftovers.insert(full.to_string());
            }
        }
        self.sessions.remove(full);
    }

    /// Expects that everybody whom it reaches is shown a change of `from`.
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
        for to in self.reached(from, way).into_iter().filter(|it| is_told(it)) {
            let wanted = &mut self.sessions.get_mut(&to).unwrap().wanted;
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
