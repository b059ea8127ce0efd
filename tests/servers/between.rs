//! Two servers that reach each other (s2s) and no other, and the homes of Juliet and Romeo: the same server, or one of
//! the two each.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use crate::relay::{Cut, Relay};
use crate::server::{Account, Kind, Server, new_folder};

/// `at_each_home!(name)` makes tests of `fn name(Homes<'_>)`: on both servers, and between them in both directions.
macro_rules! at_each_home {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::between::Homes;
            use crate::server::Kind;

            #[test]
            fn ejabberd() {
                super::$name(Homes::on(Kind::Ejabberd));
            }

            #[test]
            fn prosody() {
                super::$name(Homes::on(Kind::Prosody));
            }

            #[test]
            fn ejabberd_and_prosody() {
                super::$name(Homes::apart(Kind::Ejabberd));
            }

            #[test]
            fn prosody_and_ejabberd() {
                super::$name(Homes::apart(Kind::Prosody));
            }
        }
    )*};
}
pub(crate) use at_each_home;

/// The only other server that a server knows.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) own_domain: &'static str,
    domain: &'static str,
    /// On 127.0.0.1.
    port: u16,
}

impl Peer {
    /// The configuration of a server, changed so that it knows this peer.
    pub(crate) fn ejabberd(&self, template: &str) -> String {
        let host = format!("  - {}\n", self.domain);
        let changes = [(&*host, ""), ("listen:\n", include_str!("between.yml.in"))];
        self.fill(template, &changes)
    }

    /// Erlang code that replaces DNS: a record for the peer that does not expire, and no DNS server.
    pub(crate) fn erlang(&self) -> String {
        let (domain, port) = (self.domain, self.port);
        format!(
            "inet_db:set_resolv_conf(\"\"), inet_db:add_rr(\"_xmpp-server._tcp.{domain}\", in, srv, 1000000000, \
             {{0, 0, {port}, \"127.0.0.1\"}})."
        )
    }

    pub(crate) fn prosody(&self, template: &str) -> String {
        let host = |domain| format!("VirtualHost \"{domain}\"\n");
        let rooms = format!("Component \"muc.{}\" \"muc\"\n", self.domain);
        let own = host(self.own_domain);
        let with_plugin = format!("{own}modules_enabled = {{ \"between\" }};\n");
        let changes = [
            (&*host(self.domain), ""),
            (&*rooms, ""),
            (&*own, &*with_plugin),
            (
                "modules_disabled = { \"s2s\" };\n",
                include_str!("between.cfg.lua.in"),
            ),
        ];
        self.fill(template, &changes)
    }

    fn fill(&self, template: &str, changes: &[(&str, &str)]) -> String {
        let mut text = template.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "no {from:?} in the configuration");
            text = text.replace(from, to);
        }
        text.replace("@PEER_PORT@", &self.port.to_string())
    }
}

/// ejabberd for capulet.lit and Prosody for montague.lit, and the wires between.
pub(crate) struct Servers {
    ejabberd: Server,
    prosody: Server,
    to_ejabberd: Relay,
    to_prosody: Relay,
}

impl Servers {
    /// The two servers of this process, started by the first call.
    fn get() -> &'static Self {
        static SERVERS: OnceLock<Result<Servers, String>> = OnceLock::new();
        match SERVERS.get_or_init(Self::start) {
            Ok(servers) => servers,
            Err(why) => panic!("{why}"),
        }
    }

    /// Two servers for one test that restarts them or breaks the connection between them.
    pub(crate) fn own() -> Self {
        Self::start().unwrap_or_else(|why| panic!("{why}"))
    }

    /// Each server is configured with the port of a relay, since the other one has no port yet.
    fn start() -> Result<Self, String> {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let [to_ejabberd, to_prosody] = [(); 2].map(|()| Relay::to(nowhere));
        let folders = [(); 2].map(|()| new_folder());
        for [own, peer] in [[0, 1], [1, 0]] {
            let certificate = folders[peer].path().join("cert.crt");
            fs::copy(certificate, folders[own].path().join("peer.crt")).unwrap();
        }
        let [capulets, montagues] = ["capulet.lit", "montague.lit"];
        let peer = |own_domain, domain, relay: &Relay| {
            let port = relay.addr.port();
            Some(Peer {
                own_domain,
                domain,
                port,
            })
        };
        let [ejabberds, prosodys] = folders;
        let prosody = peer(capulets, montagues, &to_prosody);
        let ejabberd = peer(montagues, capulets, &to_ejabberd);
        let servers = Self {
            ejabberd: Server::start_in(ejabberds, Kind::Ejabberd, prosody)?,
            prosody: Server::start_in(prosodys, Kind::Prosody, ejabberd)?,
            to_ejabberd,
            to_prosody,
        };
        servers.connect();
        Ok(servers)
    }

    pub(crate) fn restart(&mut self) {
        self.ejabberd.restart();
        self.prosody.restart();
        self.connect();
    }

    /// From now on nothing passes between the servers, and neither notices.
    pub(crate) fn stall(&self) {
        self.to_ejabberd.stall();
        self.to_prosody.stall();
    }

    /// Resets the connections between the servers; they can make new ones.
    pub(crate) fn cut(&self) {
        self.to_ejabberd.cut(Cut::Reset);
        self.to_prosody.cut(Cut::Reset);
    }

    /// Juliet on the server of this kind, Romeo on the other.
    pub(crate) fn homes(&self, juliets: Kind) -> Homes<'_> {
        let (juliet, romeo) = match juliets {
            Kind::Ejabberd => (&self.ejabberd, &self.prosody),
            Kind::Prosody => (&self.prosody, &self.ejabberd),
        };
        Homes { juliet, romeo }
    }

    fn connect(&self) {
        self.to_ejabberd.retarget(self.ejabberd.servers_addr());
        self.to_prosody.retarget(self.prosody.servers_addr());
    }
}

/// The servers of Juliet and Romeo.
#[derive(Clone, Copy)]
pub(crate) struct Homes<'a> {
    pub(crate) juliet: &'a Server,
    pub(crate) romeo: &'a Server,
}

impl<'a> Homes<'a> {
    /// Both on this server.
    pub(crate) fn both(server: &'a Server) -> Self {
        Self {
            juliet: server,
            romeo: server,
        }
    }

    /// Both on the server of this process.
    pub(crate) fn on(kind: Kind) -> Self {
        Self::both(Server::get(kind))
    }

    /// Each on a server of their own, Juliet on the one of this kind.
    pub(crate) fn apart(juliets: Kind) -> Self {
        Servers::get().homes(juliets)
    }

    /// New accounts of theirs, contacts of each other.
    pub(crate) fn accounts(&self) -> (Account, Account) {
        let (juliet, romeo) = (self.juliet.account("juliet"), self.romeo.account("romeo"));
        let contact = |it: &Account| [(it.bare.clone(), String::new())];
        self.juliet.write_roster(&juliet, &contact(&romeo));
        self.romeo.write_roster(&romeo, &contact(&juliet));
        (juliet, romeo)
    }
}
