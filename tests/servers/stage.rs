//! The stage of the stories: ejabberd or Prosody, slixmpp, and a `pubshim` under `auto` for each client.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use serde_json::json;

use crate::common::Node;
use crate::process::PATIENCE;
use crate::puppet::Puppet;
use crate::recorded::{log_out, poll};
use crate::server::{Account, Kind, Server};
use crate::shim::Shim;

/// `on_each_stage!(story)` makes tests of a story on both servers.
macro_rules! on_each_stage {
    ($story:path) => {
        fn story(kind: crate::server::Kind) {
            $story(&crate::stories::World::new(crate::stage::Stage::new(kind)));
        }

        on_both_servers!(story);
    };
}
pub(crate) use on_each_stage;

pub(crate) struct Stage {
    server: Home,
    accounts: RefCell<Vec<Account>>,
}

/// The server of a stage.
enum Home {
    /// The server of this process.
    Shared(&'static Server),
    /// One that is restarted.
    Own(Box<Server>),
}

impl Deref for Home {
    type Target = Server;

    fn deref(&self) -> &Server {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

impl Stage {
    pub(crate) const HAS_NATIVES: bool = true;

    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            server: Home::Shared(Server::get(kind)),
            accounts: RefCell::default(),
        }
    }

    /// One whose server is its own.
    pub(crate) fn own(kind: Kind) -> Self {
        Self {
            server: Home::Own(Server::own(kind).into()),
            accounts: RefCell::default(),
        }
    }

    /// Its own server ends and starts again with all it had stored.
    pub(crate) fn restart(&mut self) {
        match &mut self.server {
            Home::Own(server) => server.restart(),
            Home::Shared(_) => panic!("others are on this server"),
        }
    }

    /// A new account of this name.
    pub(crate) fn account(&self, name: &str) -> String {
        let account = self.server.account(name);
        let bare = account.bare.clone();
        self.accounts.borrow_mut().push(account);
        bare
    }

    pub(crate) fn login(&self, bare: &str, resource: &str) -> Client {
        self.login_with(bare, resource, &[])
    }

    /// Logs in through a shim with these options.
    pub(crate) fn login_with(&self, bare: &str, resource: &str, options: &[&str]) -> Client {
        let shim = Shim::start(&self.server, "auto", options);
        Client {
            puppet: Puppet::login(&shim.entry(), &self.find(bare), resource),
            shim: RefCell::new(shim),
            seen: Cell::new(0),
        }
    }

    /// Logs in without a shim.
    pub(crate) fn login_directly(&self, bare: &str, resource: &str) -> Puppet {
        Puppet::login(&self.server.entry(), &self.find(bare), resource)
    }

    /// Writes two accounts into each other's rosters. Subscription stanzas would use up the five that ejabberd allows a
    /// session in a minute.
    pub(crate) fn befriend(&self, one: &str, other: &str) {
        self.server.befriend(&self.find(one), &self.find(other));
    }

    fn find(&self, bare: &str) -> Account {
        let accounts = self.accounts.borrow();
        let account = accounts.iter().find(|it| it.bare == bare);
        account.unwrap().clone()
    }

    /// Waits until `look` succeeds.
    #[track_caller]
    pub(crate) fn wait<T>(&self, look: impl FnMut() -> Result<T, String>) -> T {
        poll("what a story tells", PATIENCE, look)
    }

    /// Sends a stanza from each client to each other, and waits for it: everything sent before has then arrived.
    pub(crate) fn settle(&self, clients: &[Rc<Client>]) {
        for receiver in clients {
            let others = clients.iter().filter(|it| !Rc::ptr_eq(it, receiver));
            receiver.puppet.ping();
            for sender in others {
                receiver.puppet.seen_before_next_of(&sender.puppet);
            }
        }
    }
}

pub(crate) struct Client {
    puppet: Puppet,
    shim: RefCell<Shim>,
    /// Number of events that were looked at.
    seen: Cell<usize>,
}

impl Client {
    pub(crate) fn say(&self, xml: &str) {
        self.puppet.raw(xml);
    }

    /// Stanzas since the last look.
    pub(crate) fn stanzas(&self) -> Vec<Node> {
        let events = self.puppet.so_far();
        let new = events.iter().skip(self.seen.replace(events.len()));
        let stanzas = new.filter(|it| !it.kind.is_empty());
        stanzas.map(|it| Node::stanza(&it.xml)).collect()
    }

    pub(crate) fn log_out(&self) {
        log_out(&self.puppet);
    }

    pub(crate) fn cut(&self) {
        self.puppet.send(json!({"cmd": "abort"}));
    }

    pub(crate) fn kill_shim(&self) {
        self.shim.borrow_mut().kill();
    }
}
