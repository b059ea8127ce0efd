//! A login by certificate (SASL EXTERNAL, XEP-0178): pubshim has the certificate, and the client has no password. Stock
//! Prosody has no such login. The command line allows it on Unix sockets alone, which slixmpp does not know, so pubshim
//! runs in this process, on a TCP socket.

use std::net::SocketAddr;

use pubshim::config::{CertificateFiles, ListenAddress, ServerAddress, Settings};
use pubshim::net::Listener;
use pubshim::session::Security;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::puppet::Puppet;
use crate::server::{Account, Entry, Kind, Server};
use crate::shim::Shim;

/// A shim before ejabberd's TLS port, with the certificate of an account; ends with the runtime.
fn shim(server: &Server, shown: &Account) -> (Runtime, Entry) {
    let (_, domain) = shown.bare.split_once('@').unwrap();
    let file = server.user_certificate(shown);
    let mut settings = Settings {
        listen: vec![ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))],
        server: Some(ServerAddress {
            security: Security::DirectTls,
            host: "127.0.0.1".to_owned(),
            port: server.direct_tls_addr().port(),
        }),
        ca_file: Some(server.ca_file()),
        login_certificate: Some(CertificateFiles {
            certificate: file.clone(),
            key: file,
        }),
        ..Settings::default()
    };
    settings.session.domains = vec![domain.to_owned()];
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(Listener::bind(&settings)).unwrap();
    let addr = listener.address().unwrap();
    runtime.spawn(listener.run(settings, CancellationToken::new()));
    let entry = Entry {
        addr,
        ca_file: None,
    };
    (runtime, entry)
}

#[test]
fn ejabberd_knows_the_user_by_certificate() {
    let server = Server::get(Kind::Ejabberd);
    let account = server.account("juliet");
    let (_runtime, entry) = shim(server, &account);
    let without_password = Account {
        password: String::new(),
        ..account
    };
    let juliet = Puppet::login(&entry, &without_password, "balcony");
    juliet.ping();
}

#[test]
fn ejabberd_knows_nobody_without_one() {
    let server = Server::get(Kind::Ejabberd);
    let shim = Shim::start_on_tls_port(server, &[]);
    let without_password = Account {
        password: String::new(),
        ..server.account("juliet")
    };
    let juliet = Puppet::start(&shim.entry(), &without_password, "balcony");
    juliet.wait("a refusal", |it| it.event == "auth_failed");
}
