//! How a session begins: its login, and what a server that does as it is told says at first.

use pubshim::session::{ClientTls, Leg, Security};

use super::{Awaited, Cut, Wait, World};
use crate::text::{self, FromClient, FromServer};

/// Most rounds in which the server answers requests after a login.
const MOST_ROUNDS: usize = 12;

/// Steps of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    ClientHeader,
    Done,
    OfferTls,
    Proceed,
    Secured,
    Mechanisms,
    Auth,
    Success,
    ClientHeaderAgain,
    OfferCompression,
    MayCompress,
    Compressed,
    BindFeatures,
    Bind,
    Bound,
}

pub(super) const LOGIN: [Login; 15] = [
    Login::ClientHeader,
    Login::Done,
    Login::OfferTls,
    Login::Proceed,
    Login::Secured,
    Login::Mechanisms,
    Login::Auth,
    Login::Success,
    Login::ClientHeaderAgain,
    Login::OfferCompression,
    Login::MayCompress,
    Login::Compressed,
    Login::BindFeatures,
    Login::Bind,
    Login::Bound,
];

impl World<'_> {
    /// Goes on with a login where one normally would.
    pub(super) fn log_in(&mut self, cut: Cut) {
        if self.secure_client(cut) {
            return;
        }
        let mut step = LOGIN.get(self.login);
        if self.security() != Security::StartTls && step == Some(&Login::OfferTls) {
            self.login += 3;
            step = LOGIN.get(self.login);
        }
        if !self.may_be_compressed() && step == Some(&Login::OfferCompression) {
            self.login += 3;
            step = LOGIN.get(self.login);
        }
        let Some(step) = step else { return };
        self.login += 1;
        let (client, server) = (
            text::client_header(self.setup.client_header),
            text::server_header(self.setup.server_header),
        );
        let nonza = |which| FromServer::Nonza(which);
        let answer = |which| {
            let features = self.writer(Leg::Server).server(&nonza(which));
            format!("{}{features}", server.text)
        };
        let (leg, said) = match step {
            Login::ClientHeader | Login::ClientHeaderAgain => (Leg::Client, client.text),
            Login::Done | Login::Secured | Login::MayCompress => return self.done(),
            Login::OfferTls => (Leg::Server, answer(0)),
            Login::Mechanisms => (Leg::Server, answer(1)),
            Login::OfferCompression => (Leg::Server, answer(20)),
            Login::Compressed => (Leg::Server, self.writer(Leg::Server).server(&nonza(21))),
            Login::BindFeatures => (Leg::Server, answer(2)),
            Login::Proceed => (Leg::Server, self.writer(Leg::Server).server(&nonza(4))),
            Login::Success => (Leg::Server, self.writer(Leg::Server).server(&nonza(7))),
            Login::Bound => (Leg::Server, self.writer(Leg::Server).server(&nonza(9))),
            Login::Auth => {
                let auth = FromClient::Nonza(5);
                (Leg::Client, self.writer(Leg::Client).client(&auth))
            }
            Login::Bind => {
                let bind = FromClient::Nonza(9);
                (Leg::Client, self.writer(Leg::Client).client(&bind))
            }
        };
        self.write(leg, said.as_bytes(), cut);
    }

    /// Goes on with TLS on the client's leg, if that is what comes next.
    fn secure_client(&mut self, cut: Cut) -> bool {
        let header = text::client_header(self.setup.client_header).text;
        if self.awaited == Some(Awaited::ClientTls) {
            self.done();
            return true;
        }
        if std::mem::take(&mut self.reopens) {
            if self.login > 0 {
                self.write(Leg::Client, header.as_bytes(), cut);
            }
            return self.login > 0;
        }
        // At once, or when it sees the way.
        let begins = self.login == 0 && self.setup.client_tls > 127;
        let is_shown = match self.options.client_tls {
            ClientTls::Require => self.login == 1,
            _ => LOGIN.get(self.login) == Some(&Login::Auth),
        };
        let asks = (begins || is_shown) && std::mem::take(&mut self.may_ask_for_tls);
        if asks {
            let said = match begins {
                true => "\u{16}\u{3}\u{1}",
                false => "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            };
            self.write(Leg::Client, said.as_bytes(), Cut::Whole);
        }
        asks
    }

    /// The client becomes available and asks for its roster; the server grants all that is asked for.
    pub(super) fn settle(&mut self) {
        for said in [
            "<presence/>",
            "<iq type='get' id='p0'><query xmlns='jabber:iq:roster'/></iq>",
        ] {
            self.write(Leg::Client, said.as_bytes(), Cut::Whole);
        }
        for _ in 0..MOST_ROUNDS {
            self.serve(u8::MAX);
            self.wait(Wait::Seconds(1));
        }
    }

    /// The server answers the oldest so many IQs that it has not answered, as is hoped for.
    pub(super) fn serve(&mut self, many: u8) {
        for _ in 0..many {
            if let Some(honest) = &mut self.honest {
                let Some(answer) = honest.answer() else {
                    return;
                };
                self.write(Leg::Server, answer.as_bytes(), Cut::Whole);
                continue;
            }
            let behind = self.asked.len() - self.served;
            let Some(which) = behind.checked_sub(1) else {
                return;
            };
            self.served += 1;
            let answer = self.writer(Leg::Server).good_answer(which);
            self.write(Leg::Server, answer.as_bytes(), Cut::Whole);
        }
    }
}
