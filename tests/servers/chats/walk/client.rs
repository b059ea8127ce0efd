//! One client, and the messages it was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::puppet::Puppet;
use crate::recorded::Tape;
use crate::relay::Relay;
use crate::server::{Account, Entry, Server};
use crate::shim::Shim;

/// Messages shown longer ago than this are on record even if the shim is killed: it writes the record every 30 seconds.
const RECORDED: Duration = Duration::from_secs(40);

pub(super) struct Client {
    pub(super) full: String,
    pub(super) account: Account,
    pub(super) is_phone: bool,
    pub(super) puppet: Option<Puppet>,
    pub(super) shim: Option<Shim>,
    /// Recordings of its shims; the last shim may still run.
    pub(super) tape: Tape,
    /// Between the client and what it is connected to.
    pub(super) relay: Option<Relay>,
    /// Between its shim and the server.
    pub(super) uplink: Relay,
    /// The client's shim hangs.
    pub(super) is_frozen: bool,
    /// The priority it is available with.
    pub(super) priority: Option<i8>,
    /// Number of its events that were looked at.
    pub(super) read: usize,
    /// The number of its session.
    pub(super) session: usize,
    /// Messages shown in this session, in order.
    pub(super) shown: Vec<usize>,
    /// Messages shown in any session, and when last.
    pub(super) known: BTreeMap<usize, Instant>,
    /// Messages it may be shown once more.
    pub(super) may_come_again: BTreeSet<usize>,
}

impl Client {
    pub(super) fn new(server: &Server, account: &Account, resource: &str, is_phone: bool) -> Self {
        Self {
            full: format!("{}/{resource}", account.bare),
            account: account.clone(),
            is_phone,
            puppet: None,
            shim: None,
            tape: Tape::new(),
            relay: None,
            uplink: Relay::to(server.addr()),
            is_frozen: false,
            priority: None,
            read: 0,
            session: 0,
            shown: Vec::new(),
            known: BTreeMap::new(),
            may_come_again: BTreeSet::new(),
        }
    }

    pub(super) fn log_in(&mut self, server: &Server) {
        let entry = match self.is_phone {
            true => server.entry(),
            false => self.shim(server).entry(),
        };
        let relay = Relay::to(entry.addr);
        let entry = Entry {
            addr: relay.addr,
            ..entry
        };
        let (_, resource) = self.full.split_once('/').unwrap();
        self.puppet = Some(Puppet::login(&entry, &self.account, resource));
        self.relay = Some(relay);
        self.read = 0;
        self.session += 1;
        self.shown.clear();
    }

    fn shim(&mut self, server: &Server) -> &Shim {
        let (addr, folder) = (self.uplink.addr, self.tape.folder());
        self.shim.get_or_insert_with(|| {
            let extra = ["--record", folder, "--record-bodies"];
            Shim::start_over(addr, server, "auto", &extra)
        })
    }

    /// Whether it is connected, and nothing hangs.
    pub(super) fn is_alive(&self) -> bool {
        self.puppet.is_some() && !self.is_frozen
    }

    /// Whether the server gives it messages to the bare JID.
    pub(super) fn takes_messages(&self) -> bool {
        self.priority.is_some_and(|it| it >= 0)
    }

    pub(super) fn says(&self, xml: &str) {
        self.puppet.as_ref().unwrap().raw(xml);
    }

    /// Notes that the client is not connected any more. `is_clean`: its shim could write the record before.
    pub(super) fn is_off(&mut self, is_clean: bool) {
        self.puppet = None;
        self.relay = None;
        self.is_frozen = false;
        self.priority = None;
        if !is_clean && !self.is_phone {
            let lately = self
                .shown
                .iter()
                .filter(|it| self.known[it].elapsed() < RECORDED);
            self.may_come_again.extend(lately);
        }
    }
}
