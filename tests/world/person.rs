//! A person's client: the stanzas it sends, and the ones it sees.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::World;
use crate::common::{Node, in_short, roster_item};
use crate::stage::Client;

/// One client of somebody's.
pub(crate) struct Person<'a> {
    world: &'a World,
    /// `juliet/balcony`.
    pub(crate) name: String,
    full: String,
    client: Rc<Client>,
    asked: Cell<usize>,
    answers: RefCell<Vec<Node>>,
    /// Stanzas shown and not yet looked at, in words.
    shown: RefCell<Vec<String>>,
    /// The last state shown of each client of others.
    states: RefCell<BTreeMap<String, String>>,
    /// Stanzas that some servers show and some do not.
    doubtful: RefCell<Vec<String>>,
}

impl<'a> Person<'a> {
    pub(super) fn new(world: &'a World, who: &str, client: Rc<Client>) -> Self {
        let (name, resource) = who.split_once('/').unwrap();
        let bare = world.account(name);
        Self {
            world,
            name: who.to_owned(),
            full: format!("{bare}/{resource}"),
            client,
            asked: Cell::new(0),
            answers: RefCell::default(),
            shown: RefCell::default(),
            states: RefCell::default(),
            doubtful: RefCell::default(),
        }
    }

    /// Says this, as it stands.
    pub(crate) fn says(&self, xml: &str) {
        self.client.say(xml);
    }

    /// Asks the own server; the answer, which must be a result.
    pub(crate) fn asks_server(&self, kind: &str, payload: &str) -> Node {
        let id = format!("story-{}", self.asked.replace(self.asked.get() + 1));
        self.says(&format!("<iq type='{kind}' id='{id}'>{payload}</iq>"));
        let answer = self.world.stage.wait(|| {
            self.look();
            let answers = self.answers.borrow();
            let answer = answers.iter().find(|it| it.value("id") == id);
            answer.cloned().ok_or(format!("no answer to {payload}"))
        });
        assert_eq!(answer.value("type"), "result", "{payload}: {answer:?}");
        answer
    }

    // Actions.

    pub(crate) fn has_status(&self, status: &str) {
        self.says(&format!("<presence><status>{status}</status></presence>"));
    }

    /// Is connected, and nobody sees it.
    pub(crate) fn hides(&self) {
        self.says("<presence type='unavailable'/>");
    }

    /// Asks to see somebody.
    pub(crate) fn asks(&self, whom: &str) {
        self.tells(whom, "subscribe");
    }

    /// Lets somebody see.
    pub(crate) fn approves(&self, whom: &str) {
        self.tells(whom, "subscribed");
    }

    /// Lets somebody not see, or see no more.
    pub(crate) fn refuses(&self, whom: &str) {
        self.tells(whom, "unsubscribed");
    }

    /// Wants to see somebody no more.
    pub(crate) fn turns_from(&self, whom: &str) {
        self.tells(whom, "unsubscribe");
    }

    fn tells(&self, whom: &str, kind: &str) {
        let to = self.world.account(whom);
        self.says(&format!("<presence to='{to}' type='{kind}'/>"));
    }

    /// Writes to one other.
    pub(crate) fn writes(&self, whom: &str, text: &str) {
        let to = self.world.account(whom);
        self.says(&format!(
            "<message to='{to}' type='chat'><body>{text}</body></message>"
        ));
    }

    /// Takes somebody out of the roster, which ends all between them.
    pub(crate) fn removes(&self, whom: &str) {
        let jid = self.world.account(whom);
        let item = format!("<item jid='{jid}' subscription='remove'/>");
        self.asks_server(
            "set",
            &format!("<query xmlns='jabber:iq:roster'>{item}</query>"),
        );
    }

    /// Ends the stream as clients do.
    pub(crate) fn leaves(self) {
        self.world.forget(&self.client);
        self.client.log_out();
    }

    /// The connection to the shim is gone without a word.
    pub(crate) fn vanishes(self) {
        self.world.forget(&self.client);
        self.client.cut();
    }

    /// The shim is gone without a word, and its connections with it.
    pub(crate) fn loses_its_shim(self) {
        self.world.forget(&self.client);
        self.client.kill_shim();
    }

    // Assertions about its view.

    /// Waits for all of this, whatever the order, and asserts that nothing else was shown since the last look.
    #[track_caller]
    pub(crate) fn sees<const N: usize>(&self, expected: [&str; N]) {
        self.world.stage.wait(|| {
            self.look();
            let mut shown = self.shown.borrow().clone();
            let mut missing = expected.to_vec();
            missing.retain(|it| match shown.iter().position(|shown| shown == it) {
                Some(at) => {
                    shown.remove(at);
                    false
                }
                None => true,
            });
            match missing.is_empty() {
                true => Ok(()),
                false => Err(format!(
                    "{} does not see {missing:?}, but {shown:?}",
                    self.name
                )),
            }
        });
        self.world.settle();
        self.look();
        let mut shown = self.shown.take();
        let doubtful = self.doubtful.take();
        shown.retain(|it| expected.contains(&&**it) || !doubtful.contains(it));
        shown.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(shown, expected, "seen by {}", self.name);
    }

    /// Not every server shows this, until the next look.
    pub(crate) fn may_see(&self, words: &str) {
        self.doubtful.borrow_mut().push(words.to_owned());
    }

    /// Waits until the roster is this, each contact as `romeo both`.
    #[track_caller]
    pub(crate) fn has_contacts<const N: usize>(&self, expected: [&str; N]) {
        self.world.stage.wait(|| {
            let contacts = self.contacts();
            match contacts == expected {
                true => Ok(()),
                false => Err(format!("{} has {contacts:?}", self.name)),
            }
        });
    }

    pub(super) fn contacts(&self) -> Vec<String> {
        let answer = self.asks_server("get", "<query xmlns='jabber:iq:roster'/>");
        let items = answer.at("query").children.iter();
        let mut items: Vec<_> = items
            .map(|it| self.world.by_name(roster_item(it)))
            .collect();
        items.sort();
        items
    }

    /// Takes in what has come.
    fn look(&self) {
        for stanza in self.client.stanzas() {
            let from = stanza.attribute("from").unwrap_or_default();
            match (&*stanza.local, stanza.attribute("type")) {
                ("iq", Some("result" | "error")) => self.answers.borrow_mut().push(stanza),
                // The client answers pushes and questions by itself; the roster is asked for.
                ("iq", _) => {}
                _ if from == self.full => {}
                // Prosody's answer to its own probe where nobody is online.
                ("presence", Some("unavailable")) if !from.contains('/') => {}
                _ => {
                    let words = self.world.by_name(in_short(&stanza));
                    let last = self
                        .states
                        .borrow_mut()
                        .insert(from.to_owned(), words.clone());
                    // A server that probes once more sends the same presence with a delay.
                    if !stanza.has("delay") || last.as_ref() != Some(&words) {
                        self.shown.borrow_mut().push(words);
                    }
                }
            }
        }
    }
}
