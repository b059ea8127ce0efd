//! Steps in which somebody hides from others, or is seen again.

use super::model::{Presence, Shown};
use super::steps::{Expected, Note};
use super::world::{Way, World, bare};
use crate::server::Kind;

impl World {
    /// The shim hides the client as soon as it asks; the server refuses, and the shim shows it again.
    pub(super) fn try_invisible_command(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.published.is_some())?;
        note(format!("{full} asks to be invisible, by XEP-0186"));
        let mut expected = Expected::by(&full);
        let payload = "<invisible xmlns='urn:xmpp:invisible:1'/>";
        let answer = self.sessions[&full].puppet.iq("set", None, payload);
        assert_eq!(answer.type_, "error", "{}", answer.xml);
        let now = self.sessions[&full].published.clone()?;
        self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        self.tell(&mut expected, &full, Way::Event, &now);
        Some(expected)
    }

    /// The server refuses it and goes on as before. Until the client says something else, it is gone for
    /// whoever believes its shim.
    pub(super) fn try_invisible_type(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.published.is_some())?;
        note(format!("{full} sends type='invisible'"));
        let mut expected = Expected::by(&full);
        self.sessions[&full]
            .puppet
            .raw("<presence type='invisible'/>");
        self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        self.sessions.get_mut(&full)?.was_hidden = true;
        Some(expected)
    }

    pub(super) fn hide_by_list(&mut self, note: Note<'_>) -> Option<Expected> {
        if self.server.kind != Kind::Ejabberd {
            return None;
        }
        let full = self.somebody(|it| it.published.is_some())?;
        // The active list would stand in for the default one, by which ejabberd blocks.
        if self.hides_by_block(&full) {
            return None;
        }
        // XEP-0126 has clients take their leave before.
        let takes_leave = self.rng.once_in(2);
        note(format!(
            "{full} hides by a privacy list, takes leave: {takes_leave}"
        ));
        let mut expected = Expected::by(&full);
        if takes_leave {
            let presence = Presence::unavailable(&mut self.rng, self.serial);
            self.send_unavailable(&full, &presence, &mut expected);
        }
        let puppet = &self.sessions[&full].puppet;
        puppet.ask(
            "set",
            None,
            "<query xmlns='jabber:iq:privacy'><list name='hidden'>\
             <item action='deny' order='1'><presence-out/></item></list></query>",
        );
        puppet.ask(
            "set",
            None,
            "<query xmlns='jabber:iq:privacy'><active name='hidden'/></query>",
        );
        if !takes_leave {
            self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        }
        let session = self.sessions.get_mut(&full)?;
        session.is_hidden = true;
        session.was_hidden = true;
        if takes_leave {
            let presence = Presence::random(&mut self.rng, self.serial);
            self.become_available(&full, presence, &mut expected);
        }
        Some(expected)
    }

    pub(super) fn show_again(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.is_hidden)?;
        let says_more = self.rng.once_in(2);
        note(format!("{full} hides no more, says more: {says_more}"));
        let mut expected = Expected::by(&full);
        let payload = "<query xmlns='jabber:iq:privacy'><active/></query>";
        let session = self.sessions.get_mut(&full)?;
        session.is_hidden = false;
        if says_more && session.now.is_some() {
            session
                .puppet
                .raw(&format!("<iq type='set' id='show'>{payload}</iq>"));
        } else {
            session.puppet.ask("set", None, payload);
        }
        if let (Some(true), Some(now)) = (session.publishes, session.now.clone()) {
            self.tell(&mut expected, &full, Way::Event, &now.shown);
        }
        if says_more && self.sessions[&full].now.is_some() {
            let presence = Presence::unique(&mut self.rng, self.serial);
            self.send(&full, &[presence], &mut expected);
        }
        Some(expected)
    }

    /// Somebody behind a shim blocks another account. Prosody tells that account that everybody of the
    /// blocker's is gone; ejabberd tells nobody anything, and each sees the other as before.
    pub(super) fn block(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.shim.is_some())?;
        let own = bare(&full).to_string();
        let others = self.accounts.iter().map(|it| it.bare.clone());
        let others: Vec<_> = others.filter(|it| *it != own).collect();
        let other = self.rng.pick(&others);
        let pair = (own.clone(), other.clone());
        let mut members = self.sessions.iter().filter(|(it, _)| bare(it) == own);
        if self.blocked.contains(&pair) || members.any(|(_, it)| it.is_hidden) {
            return None;
        }
        note(format!("{full} blocks {other}"));
        let mut expected = Expected::by(&full);
        let puppet = &self.sessions[&full].puppet;
        puppet.ask("set", None, &blocking("block", &other));
        // The shim ends subscriptions in two rounds, the first begun before the answer came.
        puppet.ping();
        puppet.ping();
        if self.server.kind == Kind::Prosody {
            let members = self.available().filter(|(it, _)| bare(it) == own);
            let members: Vec<_> = members.map(|(it, _)| it.clone()).collect();
            for from in members {
                self.tell_some(&mut expected, &from, Way::Native, &Shown::Gone, |to| {
                    bare(to) == other
                });
            }
        }
        self.blocked.insert(pair);
        self.subscribed.remove(&(other.clone(), own.clone()));
        for (full, session) in &mut self.sessions {
            match bare(full) {
                it if it == own => session.estranged.insert(other.clone()),
                it if it == other => session.estranged.insert(own.clone()),
                _ => false,
            };
        }
        Some(expected)
    }

    /// Prosody tells the account what everybody of the blocker's said last; ejabberd tells nothing. Then
    /// the nodes are subscribed to as before.
    pub(super) fn unblock(&mut self, note: Note<'_>) -> Option<Expected> {
        let pairs: Vec<_> = self.blocked.iter().cloned().collect();
        let pair = (!pairs.is_empty()).then(|| self.rng.pick(&pairs))?;
        let (own, other) = pair.clone();
        let members = self.sessions.keys().filter(|it| bare(it) == own);
        let members: Vec<_> = members.cloned().collect();
        let full = (!members.is_empty()).then(|| self.rng.pick(&members))?;
        note(format!("{full} unblocks {other}"));
        let mut expected = Expected::by(&full);
        let puppet = &self.sessions[&full].puppet;
        puppet.ask("set", None, &blocking("unblock", &other));
        self.blocked.remove(&pair);
        if self.server.kind == Kind::Prosody {
            for from in members {
                if let Some(now) = self.sessions[&from].now.clone() {
                    self.tell_some(&mut expected, &from, Way::Native, &now.shown, |to| {
                        bare(to) == other
                    });
                }
            }
        }
        if !self.are_apart(&own, &other) {
            for (watcher, owner) in [(&own, &other), (&other, &own)] {
                if self.subscribed.insert((watcher.clone(), owner.clone())) {
                    self.subscribe_again(watcher, owner);
                }
            }
        }
        Some(expected)
    }

    /// ejabberd blocks by the account's default privacy list: a shim that finds one that hides the client
    /// from somebody publishes nothing.
    pub(super) fn hides_by_block(&self, full: &str) -> bool {
        let mut blockers = self.blocked.iter().map(|(blocker, _)| blocker);
        self.server.kind == Kind::Ejabberd && blockers.any(|it| it == bare(full))
    }
}

fn blocking(what: &str, account: &str) -> String {
    format!("<{what} xmlns='urn:xmpp:blocking'><item jid='{account}'/></{what}>")
}
