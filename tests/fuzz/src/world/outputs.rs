//! Outputs of the session: each is looked at, and done.

use pubshim::ns;
use pubshim::session::{ClientTls, Leg, Output, Policy, Record};

use super::passing::is_passing;
use super::{Awaited, LEGS, World};
use crate::sink::{Sent, Sink};

impl World<'_> {
    /// The session has left its server: unsent and unread bytes of that leg are lost.
    pub(super) fn leave_server(&mut self) {
        let at = Leg::Server as usize;
        self.sinks[at] = Sink::new(self.options.policy == Policy::Off);
        self.unread[at].clear();
        self.is_torn[at] = false;
        self.ending[at] = false;
        self.ended[at] = false;
        self.sent[at].clear();
        self.recorded[at].clear();
        self.connected = false;
        // A new server's login begins as the first one did.
        self.login = self.login.min(1);
    }

    /// Looks at what is outgoing: the client's leg first, as it says when streams begin anew.
    pub(super) fn look(&mut self) {
        for leg in LEGS {
            let mut sink = std::mem::take(&mut self.sinks[leg as usize]);
            let outgoing = self.session.outgoing(leg).to_vec();
            let mut restarts = false;
            sink.look(&leg.to_string(), &outgoing, |sent| {
                let is_last = self.look_at(leg, sent);
                restarts |= is_last;
                is_last
            });
            self.sinks[leg as usize] = sink;
            if restarts {
                self.sinks[leg.other() as usize].restart();
            }
        }
    }

    /// Looks at what was sent; whether both streams begin anew behind it.
    fn look_at(&mut self, leg: Leg, sent: &Sent) -> bool {
        if self.setup.recorded {
            self.sent[leg as usize].extend_from_slice(&sent.bytes);
        }
        self.passing.look_at(leg, &sent.bytes);
        let Some(element) = sent.element() else {
            return false;
        };
        match leg {
            Leg::Client => {
                self.promises.look_at_client(&element);
                let is_off = self.options.policy == Policy::Off;
                let is_other_login = element.is(ns::SASL2, "success")
                    || element.attribute("id").as_deref() == Some("auth");
                let is_login = element.is(ns::SASL, "success");
                let restarts = is_login && !self.restarted;
                self.restarted |= is_login || is_off && is_other_login;
                restarts
            }
            Leg::Server => {
                if let Some(honest) = &mut self.honest
                    && self.session.jid().is_some()
                    && !is_passing(&element)
                {
                    honest.hear(&element);
                }
                self.asked
                    .extend(self.promises.look_at_server(&element, self.now));
                false
            }
        }
    }

    pub(super) fn outputs(&mut self, len: usize) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.session.poll() {
            outputs.push(output);
            assert!(outputs.len() < 4096 + 4 * len, "too many outputs");
        }
        outputs
    }

    pub(super) fn follow(&mut self, outputs: Vec<Output>) {
        if let Some(viewer) = &mut self.viewer {
            viewer.take(self.now, &outputs);
        }
        for output in outputs {
            if let Some(recorder) = &mut self.recorder {
                recorder.take(&output);
            }
            match output {
                Output::Connect { domain } => {
                    assert!(!domain.is_empty() && self.awaited.is_none() && !self.connected);
                    self.awaited = Some(Awaited::Connection);
                }
                Output::StartTls => {
                    assert!(self.awaited.is_none());
                    self.awaited = Some(Awaited::Tls);
                    self.sinks[Leg::Server as usize].restart();
                }
                Output::Finish(leg) => {
                    let sink = &mut self.sinks[leg as usize];
                    assert!(!sink.finished, "{leg}: ended twice");
                    sink.finished = true;
                    self.unread[leg as usize].clear();
                    if leg == Leg::Server {
                        self.awaited = None;
                    }
                }
                Output::Log(event) => {
                    let text = event.to_string();
                    assert!(!text.contains('\n'), "{text:?}");
                    let _ = event.level();
                    self.promises.note(&event);
                }
                Output::Recorded(Record::To(leg, bytes)) => {
                    self.recorded[leg as usize].extend_from_slice(&bytes);
                }
                Output::ConnectNext(_) | Output::ConnectTo(_) => {
                    assert!(!self.restarted && !self.is_compressed);
                    self.awaited = Some(Awaited::Connection);
                }
                Output::AcceptTls { .. } => {
                    assert!(self.options.client_tls != ClientTls::Off && !self.restarted);
                    assert!(self.awaited.is_none());
                    self.awaited = Some(Awaited::ClientTls);
                    self.sinks[Leg::Client as usize].restart();
                }
                Output::MayCompress => {
                    // A session before its login takes no place.
                    assert!(self.may_be_compressed() && self.restarted && !self.is_compressed);
                    assert!(self.awaited.is_none());
                    self.awaited = Some(Awaited::Place);
                }
                Output::Compress(read) => {
                    assert!(self.may_be_compressed() && self.restarted && !self.is_compressed);
                    self.is_compressed = true;
                    self.unread[Leg::Server as usize].splice(..0, read);
                }
                Output::StayUncompressed => assert!(!self.is_compressed),
                Output::Hold(_) | Output::Learned(_) | Output::Recorded(_) => {}
            }
        }
        self.promises.end_step(self.now);
    }
}
