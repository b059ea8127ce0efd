//! Stories with several people: one acts, and the others see it. Each is written once, and is a test on every server
//! the binary has: the sandbox under `pure` (`tests/pure`), ejabberd and Prosody under `auto` (`tests/servers`). A
//! binary gives the stage (`crate::stage`); people's actions stand here.
//!
//! A story names people (`juliet`), and their clients by name and resource (`juliet/balcony`);
//! `tests/common/say.rs` writes stanzas shown to a client in these words.

mod messages;
mod person;
mod presence;
mod subscriptions;

use std::cell::RefCell;
use std::rc::Rc;

use crate::stage::{Client, Stage};
pub(crate) use person::Person;

/// A server, and who is there.
pub(crate) struct World {
    stage: Stage,
    /// By name: the account.
    accounts: RefCell<Vec<(String, String)>>,
    /// Connected clients.
    clients: RefCell<Vec<Rc<Client>>>,
}

impl World {
    pub(crate) fn new(stage: Stage) -> Self {
        Self {
            stage,
            accounts: RefCell::default(),
            clients: RefCell::default(),
        }
    }

    /// A client begins as clients do: it logs in through a shim, gets the roster, is available.
    pub(crate) fn comes(&self, who: &str) -> Person<'_> {
        let (name, resource) = who.split_once('/').unwrap();
        let client = Rc::new(self.stage.login(&self.account(name), resource));
        self.clients.borrow_mut().push(Rc::clone(&client));
        let person = Person::new(self, who, client);
        person.contacts();
        person.says("<presence/>");
        person
    }

    /// Juliet and Romeo, contacts from before the story, who have just come.
    pub(crate) fn two_friends(&self) -> (Person<'_>, Person<'_>) {
        let (one, other) = (self.account("juliet"), self.account("romeo"));
        self.stage.befriend(&one, &other);
        let (juliet, romeo) = (self.comes("juliet/balcony"), self.comes("romeo/orchard"));
        juliet.sees(["romeo/orchard available"]);
        romeo.sees(["juliet/balcony available"]);
        (juliet, romeo)
    }

    /// Whether the server has presence and subscriptions of its own, and so tells of clients whose shim is gone.
    pub(crate) fn has_natives(&self) -> bool {
        Stage::HAS_NATIVES
    }

    /// The address of somebody's account, which is made when it is first needed.
    fn account(&self, name: &str) -> String {
        let known = self.accounts.borrow();
        if let Some((_, bare)) = known.iter().find(|it| it.0 == name) {
            return bare.clone();
        }
        drop(known);
        let bare = self.stage.account(name);
        self.accounts
            .borrow_mut()
            .push((name.to_owned(), bare.clone()));
        bare
    }

    /// Words with people's names in place of their addresses.
    fn by_name(&self, words: String) -> String {
        let accounts = self.accounts.borrow();
        accounts.iter().fold(words, |words, (name, bare)| {
            words.replace(bare.as_str(), name)
        })
    }

    /// Lets everything arrive that is on its way between those who are connected.
    pub(crate) fn settle(&self) {
        self.stage.settle(&self.clients.borrow());
    }

    fn forget(&self, client: &Rc<Client>) {
        let mut clients = self.clients.borrow_mut();
        clients.retain(|it| !Rc::ptr_eq(it, client));
    }
}

/// Makes each story a test on each server of this binary.
macro_rules! stories {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            crate::stage::on_each_stage!(super::$name);
        }
    )*};
}
use stories;
