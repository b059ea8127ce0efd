//! Private stock servers with their own folder, certificate and free ports on 127.0.0.1: one of each kind for all tests
//! of this process, and one for each test that restarts its server.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pubshim::sandbox::Config;
use tempfile::TempDir;

use crate::between::Peer;
use crate::process::{Guarded, PATIENCE};
use crate::running::Running;
use crate::strangers::Strangers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ejabberd,
    Prosody,
}

/// The address a client connects to: with a CA file by STARTTLS, else without TLS.
pub(crate) struct Entry {
    pub(crate) addr: SocketAddr,
    pub(crate) ca_file: Option<PathBuf>,
}

/// An account that no other test uses.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) bare: String,
    pub(crate) password: String,
}

pub(crate) struct Server {
    pub(crate) kind: Kind,
    folder: PathBuf,
    ports: Ports,
    peer: Option<Peer>,
    accounts: AtomicUsize,
    strangers: OnceLock<Strangers>,
    process: Guarded,
}

#[derive(Clone, Copy)]
struct Ports {
    client: u16,
    direct_tls: u16,
    /// ejabberd's HTTP API, for making accounts.
    api: u16,
    component: u16,
    /// Port for its peer (s2s), if it has one.
    servers: u16,
}

/// Served domains; the last one has message archives.
const DOMAINS: [&str; 4] = [
    "capulet.lit",
    "montague.lit",
    "shakespeare.lit",
    "verona.lit",
];

impl Server {
    /// The server of this process, started by the first call.
    pub(crate) fn get(kind: Kind) -> &'static Self {
        static EJABBERD: OnceLock<Result<Server, String>> = OnceLock::new();
        static PROSODY: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = match kind {
            Kind::Ejabberd => &EJABBERD,
            Kind::Prosody => &PROSODY,
        };
        match server.get_or_init(|| Self::start(kind)) {
            Ok(server) => server,
            Err(why) => panic!("{why}"),
        }
    }

    /// A server of its own for a test that restarts it.
    pub(crate) fn own(kind: Kind) -> Self {
        Self::start(kind).unwrap_or_else(|why| panic!("{why}"))
    }

    fn start(kind: Kind) -> Result<Self, String> {
        Self::start_in(new_folder(), kind, None)
    }

    pub(crate) fn start_in(
        folder: TempDir,
        kind: Kind,
        peer: Option<Peer>,
    ) -> Result<Self, String> {
        let folder = folder.keep(); // from here on it is the guard's to remove
        let (ports, process) = launch(kind, &folder, peer)?;
        Ok(Self {
            kind,
            folder,
            ports,
            peer,
            accounts: AtomicUsize::new(1),
            strangers: OnceLock::new(),
            process,
        })
    }

    /// Ends the server as a shutdown of the system would, and starts it again with its data, on other ports: another
    /// process may have taken the old ones.
    pub(crate) fn restart(&mut self) {
        self.process.keep_folder();
        self.process.signal("TERM");
        self.process.exit_code();
        self.strangers = OnceLock::new();
        (self.ports, self.process) =
            launch(self.kind, &self.folder, self.peer).unwrap_or_else(|why| panic!("{why}"));
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.client).into()
    }

    pub(crate) fn direct_tls_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.direct_tls).into()
    }

    /// The address its peer connects to.
    pub(crate) fn servers_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.servers).into()
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("cert.crt")
    }

    /// The entry for clients without a shim.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            addr: self.addr(),
            ca_file: Some(self.ca_file()),
        }
    }

    /// A certificate by which an account may log in on ejabberd's TLS port (XEP-0178), and its key: one file.
    pub(crate) fn user_certificate(&self, account: &Account) -> PathBuf {
        let pem = fs::read_to_string(self.folder.join("cert.key")).unwrap();
        let ca_key = rcgen::KeyPair::from_pem(&pem).unwrap();
        let issuer = rcgen::Issuer::new(certificate_params(), ca_key);
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        // A name of its own: with the CA's name it would look self-signed.
        let name = rcgen::DnType::CommonName;
        params.distinguished_name.push(name, account.bare.as_str());
        let address = rcgen::OtherNameValue::Utf8String(account.bare.clone());
        let xmpp_address = vec![1, 3, 6, 1, 5, 5, 7, 8, 5];
        params.subject_alt_names = vec![rcgen::SanType::OtherName((xmpp_address, address))];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let path = self.folder.join(format!("{}.pem", account.bare));
        fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        path
    }

    /// A new account: `juliet` gives `juliet-7@capulet.lit` with the password `pw-juliet-7`.
    pub(crate) fn account(&self, name: &str) -> Account {
        let domain = match name {
            "juliet" | "nurse" => DOMAINS[0],
            "romeo" | "benvolio" => DOMAINS[1],
            "escalus" | "paris" => DOMAINS[3],
            _ => DOMAINS[2],
        };
        let domain = self.peer.map_or(domain, |peer| peer.own_domain);
        let user = self.new_name(name);
        let password = format!("pw-{user}");
        match self.kind {
            Kind::Ejabberd => register_by_api(self.ports.api, &user, domain, &password),
            Kind::Prosody => {
                let folder = self.folder.join("data").join(domain.replace('.', "%2e"));
                let folder = folder.join("accounts");
                fs::create_dir_all(&folder).unwrap();
                let file = folder.join(format!("{}.dat", user.replace('-', "%2d")));
                // Prosody hashes it at the first login.
                fs::write(
                    file,
                    format!("return {{ [\"password\"] = \"{password}\" }};\n"),
                )
                .unwrap();
            }
        }
        Account {
            bare: format!("{user}@{domain}"),
            password,
        }
    }

    /// Gives an account this many contacts, subscribed both ways, that do not exist as accounts.
    pub(crate) fn add_contacts(&self, account: &Account, count: usize) {
        let contacts = (0..count).map(|it| format!("contact-{it:03}"));
        let contacts = contacts.map(|it| (format!("{it}@{}", DOMAINS[1]), it));
        self.write_roster(account, &contacts.collect::<Vec<_>>());
    }

    /// Gives an account these contacts, each a bare JID and a name, subscribed both ways. Their rosters do not change.
    pub(crate) fn write_roster(&self, account: &Account, contacts: &[(String, String)]) {
        let (user, host) = account.bare.split_once('@').unwrap();
        match self.kind {
            Kind::Ejabberd => {
                for (contact, name) in contacts {
                    let (contact, domain) = contact.split_once('@').unwrap();
                    let body = format!(
                        r#"{{"localuser":"{user}","localhost":"{host}","user":"{contact}","host":"{domain}","nick":"{name}","group":"","subs":"both"}}"#
                    );
                    call_api(self.ports.api, "add_rosteritem", &body);
                }
            }
            Kind::Prosody => {
                let folder = self.folder.join("data").join(host.replace('.', "%2e"));
                let folder = folder.join("roster");
                fs::create_dir_all(&folder).unwrap();
                let items = contacts.iter().map(|(it, name)| {
                    format!(
                        "[\"{it}\"] = {{ [\"subscription\"] = \"both\"; [\"name\"] = \"{name}\"; [\"groups\"] = {{}}; }};\n"
                    )
                });
                let roster = format!(
                    "return {{ [false] = {{ [\"version\"] = 1; }};\n{} }};\n",
                    items.collect::<String>()
                );
                let file = folder.join(format!("{}.dat", user.replace('-', "%2d")));
                fs::write(file, roster).unwrap();
            }
        }
    }

    /// Makes two accounts contacts of each other, before either of them has logged in.
    pub(crate) fn befriend(&self, one: &Account, other: &Account) {
        for (account, contact) in [(one, other), (other, one)] {
            let bare = contact.bare.clone();
            self.write_roster(account, &[(bare, String::new())]);
        }
    }

    /// Strangers on another server.
    pub(crate) fn strangers(&self) -> &Strangers {
        let port = self.ports.component;
        self.strangers.get_or_init(|| Strangers::connect(port))
    }

    /// The address of a new room.
    pub(crate) fn room(&self) -> String {
        format!("{}@muc.shakespeare.lit", self.new_name("room"))
    }

    /// A name that no other test uses.
    pub(crate) fn new_name(&self, name: &str) -> String {
        format!("{name}-{}", self.accounts.fetch_add(1, Ordering::Relaxed))
    }
}

/// A folder for a server, with a certificate.
pub(crate) fn new_folder() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("pubshim-test-")
        .tempdir()
        .expect("a temporary folder");
    write_certificate(folder.path());
    folder
}

/// Starts a server with the data in its folder.
fn launch(kind: Kind, folder: &Path, peer: Option<Peer>) -> Result<(Ports, Guarded), String> {
    let mut said = String::new();
    // Another process may take a port before the server starts.
    for _ in 0..5 {
        let ports = Ports::free();
        let command = match kind {
            Kind::Ejabberd => ejabberd(folder, ports, peer)?,
            Kind::Prosody => prosody(folder, ports, peer)?,
        };
        let mut process = Guarded::start(Some(folder), &command);
        if is_ready(kind, ports, peer.is_some(), &process) {
            return Ok((ports, process));
        }
        said = process.said();
        if !said.contains(address_in_use(kind)) {
            break;
        }
        process.keep_folder();
    }
    let _ = fs::remove_dir_all(folder);
    Err(format!("{kind:?} does not start:\n{said}"))
}

impl Ports {
    fn free() -> Self {
        let listeners = [(); 5].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [client, direct_tls, api, component, servers] =
            listeners.map(|it| it.local_addr().unwrap().port());
        Self {
            client,
            direct_tls,
            api,
            component,
            servers,
        }
    }

    fn fill(self, template: &str, folder: &Path) -> String {
        template
            .replace("@DIR@", folder.to_str().expect("TMPDIR is UTF-8"))
            .replace("@PORT@", &self.client.to_string())
            .replace("@TLS_PORT@", &self.direct_tls.to_string())
            .replace("@API_PORT@", &self.api.to_string())
            .replace("@COMPONENT_PORT@", &self.component.to_string())
            .replace("@SERVERS_PORT@", &self.servers.to_string())
    }
}

/// Writes one self-signed certificate for all domains, which is its own CA file.
fn write_certificate(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = certificate_params().self_signed(&key).unwrap();
    fs::write(folder.join("cert.crt"), certificate.pem()).unwrap();
    fs::write(folder.join("cert.key"), key.serialize_pem()).unwrap();
}

fn certificate_params() -> rcgen::CertificateParams {
    let names = DOMAINS
        .iter()
        .flat_map(|it| [(*it).to_string(), format!("*.{it}")]);
    let mut params = rcgen::CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2100, 1, 1); // ejabberd has no timer for rcgen's year 4096
    // Python 3.13 insists on these.
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::DigitalSignature,
    ];
    params
}

/// The Erlang VM as `ejabberdctl foreground` starts it, but as the present user and without a node name: no cookie, no
/// distribution port, no epmd.
fn ejabberd(folder: &Path, ports: Ports, peer: Option<Peer>) -> Result<Command, String> {
    const CTL: &str = "/usr/sbin/ejabberdctl";
    let ctl = fs::read_to_string(CTL)
        .map_err(|why| format!("these tests need the Debian package ejabberd ({CTL}: {why})"))?;
    let libraries = ctl.lines().find_map(|line| line.strip_prefix("ERL_LIBS="));
    let libraries = libraries.ok_or_else(|| format!("{CTL} has no ERL_LIBS= line"))?;
    let template = include_str!("ejabberd.yml.in");
    let template = peer.map_or(template.to_owned(), |it| it.ejabberd(template));
    let config = folder.join("ejabberd.yml");
    fs::write(&config, ports.fill(&template, folder)).unwrap();
    let mut command = Command::new("erl");
    command.args(["+K", "true", "+S", "2:2", "+sbwt", "none", "-noinput"]);
    if let Some(peer) = peer {
        command.args(["-eval", &peer.erlang()]);
    }
    command
        .args(["-mnesia", "dir"])
        .arg(format!("{:?}", folder.join("spool")))
        .args(["-s", "ejabberd"])
        .env("EJABBERD_CONFIG_PATH", config)
        .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"))
        .env("ERL_CRASH_DUMP_BYTES", "0")
        .env("ERL_LIBS", libraries.trim_matches('\''))
        .env("HOME", folder);
    Ok(command)
}

fn prosody(folder: &Path, ports: Ports, peer: Option<Peer>) -> Result<Command, String> {
    const PROGRAM: &str = "/usr/bin/prosody";
    if !Path::new(PROGRAM).exists() {
        return Err(format!(
            "these tests need the Debian package prosody ({PROGRAM} is missing)"
        ));
    }
    let template = include_str!("prosody.cfg.lua.in");
    let template = peer.map_or(template.to_owned(), |it| it.prosody(template));
    let config = folder.join("prosody.cfg.lua");
    fs::write(&config, ports.fill(&template, folder)).unwrap();
    if peer.is_some() {
        let plugin = include_str!("mod_between.lua");
        fs::write(folder.join("mod_between.lua"), plugin).unwrap();
    }
    fs::create_dir_all(folder.join("data")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("-F").arg("--config").arg(config);
    Ok(command)
}

/// Waits until the server has logged that it listens on each of its ports.
fn is_ready(kind: Kind, ports: Ports, has_peer: bool, process: &Guarded) -> bool {
    let Ports {
        client,
        direct_tls,
        api,
        component,
        servers,
    } = ports;
    let mut missing = match kind {
        Kind::Ejabberd => vec![
            format!("accepting TCP connections at 127.0.0.1:{client} for"),
            format!("accepting TLS connections at 127.0.0.1:{direct_tls} for"),
            format!("accepting TCP connections at 127.0.0.1:{api} for"),
            format!("accepting TCP connections at 127.0.0.1:{component} for"),
        ],
        Kind::Prosody => vec![
            format!("Activated service 'c2s' on [127.0.0.1]:{client}"),
            format!("Activated service 'c2s_direct_tls' on [127.0.0.1]:{direct_tls}"),
            format!("Activated service 'component' on [127.0.0.1]:{component}"),
        ],
    };
    if has_peer {
        missing.push(match kind {
            Kind::Ejabberd => format!("accepting TCP connections at 127.0.0.1:{servers} for"),
            Kind::Prosody => format!("Activated service 's2s' on [127.0.0.1]:{servers}"),
        });
    }
    let ready = process.output.find(|line| {
        missing.retain(|it| !line.contains(it));
        if line.contains(address_in_use(kind)) {
            return Some(false);
        }
        missing.is_empty().then_some(true)
    });
    matches!(ready, Some((_, true)))
}

fn address_in_use(kind: Kind) -> &'static str {
    match kind {
        Kind::Ejabberd => "Failed to open socket",
        Kind::Prosody => "Failed to open server port",
    }
}

fn register_by_api(port: u16, user: &str, host: &str, password: &str) {
    let body = format!(r#"{{"user":"{user}","host":"{host}","password":"{password}"}}"#);
    call_api(port, "register", &body);
}

/// Calls a command of ejabberd's HTTP API.
fn call_api(port: u16, command: &str, body: &str) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /api/{command} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "{command} {body}: {answer}"
    );
}

/// A sandbox with two domains; all passwords are `secret`.
pub(crate) fn sandbox() -> Running {
    let accounts = ["juliet@capulet.lit", "romeo@montague.lit"];
    Running::start(Config {
        domains: vec!["capulet.lit".to_owned(), "montague.lit".to_owned()],
        accounts: accounts
            .map(|it| (it.to_owned(), "secret".to_owned()))
            .into(),
        compression: true,
        ..Config::default()
    })
}

pub(crate) fn sandbox_entry(sandbox: &Running) -> Entry {
    Entry {
        addr: sandbox.address,
        ca_file: None,
    }
}

pub(crate) fn sandbox_account(bare: &str) -> Account {
    Account {
        bare: bare.to_owned(),
        password: "secret".to_owned(),
    }
}
