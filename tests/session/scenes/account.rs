//! The polite server in a scenario: it answers all requests, and gives them in words.

use super::*;

impl Account {
    /// Answers an IQ to the own account.
    #[track_caller]
    pub(crate) fn answer_one(&self, iq: &Node, d: &mut Driver) {
        assert!(Question::of(iq).is_some(), "this is no question: {iq:#?}");
        d.answer(iq, self.answer(iq));
    }

    /// Answers all requests to the own account; gives the stanzas sent, in words.
    pub(crate) fn settle(&self, d: &mut Driver) -> Vec<String> {
        self.settle_all(d).iter().map(say).collect()
    }

    /// The same with the stanzas as they are.
    pub(crate) fn settle_all(&self, d: &mut Driver) -> Vec<Node> {
        self.settle_but(d, |_, _| false)
    }

    /// The same but for what a test answers by itself.
    pub(crate) fn settle_but(
        &self,
        d: &mut Driver,
        mut answer: impl FnMut(&mut Driver, &Node) -> bool,
    ) -> Vec<Node> {
        let mut all = Vec::new();
        loop {
            let sent = d.server_got();
            if sent.is_empty() {
                return all;
            }
            for stanza in &sent {
                let is_own = is_ours(stanza) && stanza.attribute("to").is_none();
                if is_own && !answer(d, stanza) {
                    self.answer_one(stanza, d);
                }
            }
            all.extend(sent);
        }
    }

    /// Juliet's session after its login, with a node as it should be; gives the stanzas of the login, in words.
    pub(crate) fn logged_in(&self) -> (Driver, Vec<String>) {
        let (mut d, mut said) = self.arrived();
        d.advance(3);
        said.extend(self.settle(&mut d));
        (d, said)
    }

    /// Juliet's session after her first presence, all that was asked answered.
    pub(crate) fn arrived(&self) -> (Driver, Vec<String>) {
        let mut d = Driver::auto(JULIET);
        d.keep_all();
        d.client("<presence id='1'/>");
        let said = self.settle(&mut d);
        (d, said)
    }

    /// The same some time later, without the words.
    pub(crate) fn session(&self) -> Driver {
        let (mut d, _) = self.logged_in();
        d.advance(10);
        self.settle(&mut d);
        d.forget();
        d
    }
}
