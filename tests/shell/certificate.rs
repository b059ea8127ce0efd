//! A certificate, and servers that show it.

use std::io::{Read, Write};

use native_tls::{Identity, TlsAcceptor};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::tools::{FEATURES_LOGIN, Peer, Server, header};

/// The certificate of a domain and its file.
pub struct Certificate {
    pub acceptor: TlsAcceptor,
    file: tempfile::NamedTempFile,
}

impl Certificate {
    pub fn of(domain: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([domain.to_owned()]).unwrap();
        let key = signing_key.serialize_pem();
        let identity = Identity::from_pkcs8(cert.pem().as_bytes(), key.as_bytes());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(cert.pem().as_bytes()).unwrap();
        Self {
            acceptor: TlsAcceptor::new(identity.unwrap()).unwrap(),
            file,
        }
    }

    /// The option that has it trusted.
    pub fn option(&self) -> String {
        format!("--ca-file={}", self.file.path().display())
    }

    /// A server that shows its `id` behind TLS from the first byte.
    pub fn direct(&self, id: &'static str) -> Server {
        let acceptor = self.acceptor.clone();
        Server::start(move |stream| {
            if let Ok(tls) = acceptor.accept(stream) {
                greet(Peer::over(tls), id);
            }
        })
    }

    /// The same by STARTTLS.
    pub fn start_tls(&self, id: &'static str) -> Server {
        let acceptor = self.acceptor.clone();
        Server::start(move |stream| {
            let mut plain = Peer::new(stream);
            plain.wait("http://etherx.jabber.org/streams'>");
            plain.send(&header("id='plain'"));
            plain.send(
                "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
            );
            plain.wait("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            plain.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            if let Ok(tls) = acceptor.accept(plain.stream) {
                greet(Peer::over(tls), id);
            }
        })
    }
}

fn greet<S: Read + Write>(mut server: Peer<S>, id: &str) {
    server.wait("version='1.0'");
    server.send(&header(&format!("id='{id}'")));
    server.send(FEATURES_LOGIN);
    server.rest();
}
