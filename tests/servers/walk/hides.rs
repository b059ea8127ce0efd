//! Steps in which a client hides from others, or becomes visible again.

use super::model::{Presence, Shown};
use super::steps::Expected;
use super::world::{Way, World, bare};
use crate::server::Kind;
use crate::walk::Note;

const SHOW: &str = "<query xmlns='jabber:iq:privacy'><active/></query>";

impl World {
    /// XEP-0186: the shim hides the client as soon as it asks; the server refuses, and the shim shows it again.
    pub(super) fn try_invisible_command(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody_seen()?;
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

    /// `type='invisible'`: the server refuses it and changes nothing; clients that follow events see this client as
    /// gone until it sends presence again.
    pub(super) fn try_invisible_type(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody_seen()?;
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
        let full = self.somebody_seen()?;
        // ejabberd keeps blocks in the default list, which an active one would replace.
        let mut blockers = self.blocked.iter().map(|(blocker, _)| blocker);
        if blockers.any(|it| it == bare(&full)) || self.blocks_a_suitor(bare(&full)) {
            return None;
        }
        // XEP-0126: clients send `unavailable` before they hide.
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
        let session = self.sessions.get_mut(&full)?;
        session.is_hidden = false;
        let now = session.now.clone();
        if says_more && now.is_some() {
            // Both reach the shim before the server's answer: only the newest presence is published.
            let presence = Presence::unique(&mut self.rng, self.serial);
            let xml = format!("<iq type='set' id='show'>{SHOW}</iq>{}", presence.xml);
            let both = Presence {
                xml,
                ..presence.clone()
            };
            self.send(&full, &[both], &mut expected);
            self.sessions.get_mut(&full)?.now = Some(presence);
            return Some(expected);
        }
        session.puppet.ask("set", None, SHOW);
        if let Some(now) = now {
            self.tell(&mut expected, &full, Way::Event, &now.shown);
        }
        Some(expected)
    }

    /// A client that its shim has published; all its subscribers are known for sure.
    fn somebody_seen(&mut self) -> Option<String> {
        let full = self.somebody(|it| it.published.is_some())?;
        (!self.is_unsure(&full)).then_some(full)
    }

    /// A client behind a shim blocks another account; `is_brief`: only until the next stanza.
    pub(super) fn block(&mut self, is_brief: bool, note: Note<'_>) -> Option<Expected> {
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
        note(format!("{full} blocks {other}, for a moment: {is_brief}"));
        let mut expected = Expected::by(&full);
        let payload = blocking("block", &other);
        let puppet = &self.sessions[&full].puppet;
        match is_brief {
            true => puppet.raw(&format!("<iq type='set' id='block'>{payload}</iq>")),
            false => {
                puppet.ask("set", None, &payload);
            }
        }
        self.note_block(&full, &other, &mut expected);
        if is_brief {
            self.ask_to_unblock(&full, &other, &mut expected);
        }
        self.wait_for_shims_of(&own);
        Some(expected)
    }

    pub(super) fn unblock(&mut self, note: Note<'_>) -> Option<Expected> {
        let pairs: Vec<_> = self.blocked.iter().cloned().collect();
        let (own, other) = (!pairs.is_empty()).then(|| self.rng.pick(&pairs))?;
        let members = self.sessions.keys().filter(|it| bare(it) == own);
        let members: Vec<_> = members.cloned().collect();
        let full = (!members.is_empty()).then(|| self.rng.pick(&members))?;
        note(format!("{full} unblocks {other}"));
        let mut expected = Expected::by(&full);
        self.ask_to_unblock(&full, &other, &mut expected);
        self.wait_for_shims_of(&own);
        Some(expected)
    }

    /// Prosody tells the blocked account that all clients of the blocker are gone; ejabberd tells nothing, and each
    /// side sees the other as before.
    fn note_block(&mut self, full: &str, other: &str, expected: &mut Expected) {
        let own = bare(full).to_string();
        self.tell_across(&own, other, expected, |_| Shown::Gone);
        self.blocked.insert((own.clone(), other.to_string()));
        let pair = (other.to_string(), own.clone());
        self.subscribed.remove(&pair);
        self.unsubscribed.insert(pair);
        for (full, session) in &mut self.sessions {
            match bare(full) {
                it if it == own => session.estranged.insert(other.to_string()),
                it if it == other => session.estranged.insert(own.clone()),
                _ => false,
            };
        }
    }

    /// Prosody sends the other account the last presence of all clients of the blocker; ejabberd sends nothing.
    fn ask_to_unblock(&mut self, full: &str, other: &str, expected: &mut Expected) {
        let own = bare(full).to_string();
        let payload = blocking("unblock", other);
        self.sessions[full].puppet.ask("set", None, &payload);
        self.blocked.remove(&(own.clone(), other.to_string()));
        self.tell_across(&own, other, expected, |now| now.shown.clone());
    }

    /// Expects the presence that Prosody sends an account when another blocks or unblocks it.
    fn tell_across(
        &mut self,
        own: &str,
        other: &str,
        expected: &mut Expected,
        shown: impl Fn(&Presence) -> Shown,
    ) {
        if self.server.kind != Kind::Prosody {
            return;
        }
        let members = self.available().filter(|(it, _)| bare(it) == own);
        let members =
            members.filter_map(|(full, it)| Some((full.clone(), shown(it.now.as_ref()?))));
        for (from, shown) in members.collect::<Vec<_>>() {
            self.tell_some(expected, &from, Way::Native, &shown, |to| bare(to) == other);
        }
    }

    /// Waits until the shims of an account have ended subscriptions: in rounds, each begun before the answer to a ping.
    pub(super) fn wait_for_shims_of(&self, account: &str) {
        const ROUNDS: usize = 5;
        let shims = self.sessions.iter();
        for (_, session) in shims.filter(|(full, it)| bare(full) == account && it.shim.is_some()) {
            for _ in 0..ROUNDS {
                session.puppet.ping();
            }
        }
    }
}

fn blocking(what: &str, account: &str) -> String {
    format!("<{what} xmlns='urn:xmpp:blocking'><item jid='{account}'/></{what}>")
}
