//! How a session ends: closing tags, stream errors, broken connections (RFC 6120 §4.4, §4.9).

use std::fmt::Write as _;

use super::client_leg::{Stage, Tls};
use super::{ClientTls, Ending, Event, Leg, Output, Record, Session, Timing};
use crate::ns;
use crate::wire::one_line;
use crate::xml::{Element, XmlError, escape};

impl Session {
    /// Handles the closing tag of the other side of `leg`.
    pub(super) fn handle_close(&mut self, leg: Leg) {
        self.connection_mut(leg).ended = true;
        let ending = match leg {
            Leg::Client if self.is_logged_in() => Ending::LoggedOut,
            Leg::Client => Ending::Left,
            Leg::Server => Ending::Closed,
        };
        self.note_left(leg, ending);
        if leg == Leg::Server && !self.is_negotiated() && self.closing.is_none() {
            return self.fail_server("the server closed the stream before the login");
        }
        self.end_after(leg);
    }

    /// Handles the end of the connection of `leg`, with or without a closing tag before it.
    pub(super) fn handle_eof(&mut self, leg: Leg) {
        let is_relaying = self.is_relaying();
        let connection = self.connection_mut(leg);
        if connection.finished && !is_relaying {
            return;
        }
        if connection.held && !connection.pending.is_empty() {
            // Handle the bytes before the end first.
            connection.eof = true;
            return;
        }
        connection.eof = false;
        self.note_end(leg);
        if !self.is_relaying() {
            let said_nothing =
                self.client.stage == Stage::Header && !self.client.stream.is_amid_frame();
            let ending = match leg {
                Leg::Client if said_nothing => Ending::Nothing,
                _ => Ending::Broke(leg),
            };
            self.note_left(leg, ending);
        }
        self.lose(leg);
        self.end_step();
    }

    /// Ends the stream of a leg on which nothing more comes.
    fn lose(&mut self, leg: Leg) {
        if self.is_relaying() {
            return self.relay_end(leg);
        }
        let connection = self.connection_mut(leg);
        let was_closed = std::mem::replace(&mut connection.ended, true);
        if leg == Leg::Server && !was_closed && self.closing.is_none() {
            let reason = self.why_broken();
            return self.fail_server(&reason);
        }
        self.end_after(leg);
        // A client that has hung up may still read: its leg stays open until our closing tag was sent.
        if self.wire.is_closed(leg) || leg == Leg::Server {
            self.finish(leg);
        }
    }

    /// Gives up a leg whose reader has taken nothing for too long.
    pub(super) fn give_up(&mut self, leg: Leg) {
        self.note_ending(Ending::Stalled(leg));
        self.lose(leg);
        self.finish(leg);
    }

    /// Passes the end of one leg's stream on to the other.
    pub(super) fn end_after(&mut self, leg: Leg) {
        if leg == Leg::Client {
            self.note_early_leave();
        }
        self.leave(true);
        let other = leg.other();
        self.close_stream(other);
        if self.connection(other).ended || self.connection(other).opened.is_none() {
            self.close_stream(leg);
            return self.finish_both();
        }
        if leg == Leg::Server {
            self.close_stream(leg);
            self.finish(leg);
        }
        self.start_closing();
    }

    /// Logs that the client leaves after it has seen the mechanisms and tried none.
    fn note_early_leave(&mut self) {
        // A client whose handshake failed was lost and did not leave.
        let is_there = self.client.stage == Stage::Login && self.client.tls != Tls::Accepting;
        if is_there && !self.client.login_tried && self.closing.is_none() {
            let secured = self.client.tls == Tls::Secured;
            self.wire.log(Event::LeftBeforeLogin { secured });
        }
    }

    /// Takes a stream error of either side; `false` if `element` is none.
    pub(super) fn handle_stream_error(&mut self, leg: Leg, element: &Element<'_>) -> bool {
        if !element.is(ns::STREAM, "error") {
            return false;
        }
        let condition = element
            .children()
            .find(|child| child.namespace() == ns::STREAM_ERRORS && child.local() != "text");
        let name = condition.map_or("undefined-condition", |condition| condition.local());
        self.wire.log(Event::StreamError(leg, name.to_owned()));
        if leg == Leg::Client || self.is_negotiated() {
            self.note_ending(Ending::StreamError(leg, name.to_owned()));
        }
        match leg {
            Leg::Client => {
                self.leave(true);
                self.pass(leg, element);
            }
            // The server takes nothing more on this stream, and after a conflict the presence item belongs to our
            // successor.
            Leg::Server => {
                self.translator.broken();
                self.translator.give_back(&mut self.wire);
                self.pass_server_error(element, name);
            }
        }
        true
    }

    fn pass_server_error(&mut self, error: &Element<'_>, condition: &str) {
        if !self.is_negotiated() {
            if condition == "see-other-host" {
                let host = error.child(ns::STREAM_ERRORS, "see-other-host");
                return self.handle_other_host(&host.map(|host| host.text()).unwrap_or_default());
            }
            let reason = self.why_refused(error, condition);
            return self.fail_server(&reason);
        }
        if condition == "see-other-host" {
            // The client would connect to that host past us, without TLS.
            return self.refuse(
                "reset",
                "the server wants its users at another host: name it with --server",
            );
        }
        // The error's prefix is declared by the server's own header, which the client has seen.
        self.pass(Leg::Server, error);
        self.server.stream.ended = true;
        self.end_after(Leg::Server);
    }

    /// Ends the session with a stream error to the client.
    pub(super) fn refuse(&mut self, condition: &'static str, reason: &str) {
        if self.closing.is_some() {
            return self.finish_both();
        }
        self.note_ending(Ending::Refused(condition));
        self.wire.log(Event::Refused {
            condition,
            reason: reason.to_owned(),
        });
        self.leave(false);
        self.send_stream_error(Leg::Client, condition, reason);
        self.close_stream(Leg::Client);
        // Bytes that the client sends after our error are discarded.
        self.finish(Leg::Client);
        self.close_stream(Leg::Server);
        if self.server.stream.opened.is_none() || self.server.stream.ended {
            self.finish(Leg::Server);
        }
        self.start_closing();
    }

    /// Ends the session, or tries the next server: this one broke off, broke the rules, or cannot be reached.
    pub(super) fn fail_server(&mut self, reason: &str) {
        if self.try_next(reason) {
            return;
        }
        let condition = match self.is_negotiated() {
            false => {
                self.note_ending(Ending::NoServer);
                "remote-connection-failed"
            }
            true => "reset",
        };
        self.translator.broken();
        self.server.stream.ended = true;
        self.refuse(condition, reason);
        self.finish(Leg::Server);
    }

    /// Handles the shell's failure to connect or to secure the server's leg.
    pub(super) fn handle_failed(&mut self, reason: &str) {
        self.server.stream.opened = None;
        self.fail_server(&one_line(reason));
    }

    /// Ends the session after broken XML; `bytes` are those that break the rules, and all that were read after them.
    pub(super) fn handle_bad_xml(&mut self, leg: Leg, error: XmlError, bytes: &[u8]) {
        self.wire.log(Event::BadXml(leg, error));
        match leg {
            Leg::Client => self.refuse(
                error.condition(),
                &format!("the client sent what is {error}{}", self.hint(error)),
            ),
            Leg::Server => {
                self.send_stream_error(Leg::Server, error.condition(), "");
                self.close_stream(Leg::Server);
                let reason = self.why_no_xml(error, bytes);
                self.fail_server(&reason);
            }
        }
    }

    /// Ends the session as the program ends: goes offline as a client would, and tells the client.
    pub(super) fn handle_shutdown(&mut self) {
        self.note_ending(Ending::Stopped);
        if self.is_logged_in() && self.closing.is_none() && self.client.stream.held {
            self.note(Record::Timing(Timing::Hurried));
            self.hurry();
        }
        self.note_shutdown();
        if self.is_relaying() {
            return self.end_relaying();
        }
        self.refuse("system-shutdown", "pubshim was told to stop");
    }

    /// Handles the client's waiting frames at once, without the answers they wait for.
    pub(super) fn hurry(&mut self) {
        self.translator.release_client(true, &self.wire);
        self.client.stream.held = false;
        self.handle_bytes(Leg::Client, &[]);
    }

    /// Goes offline: sends the server, if it still listens, stanzas that had to wait and unavailable presence; returns
    /// to the client, as errors, the stanzas that could not be sent. `is_heard`: the client still reads the server's
    /// answers.
    fn leave(&mut self, is_heard: bool) {
        if !self.is_logged_in() {
            return;
        }
        if !self.wire.is_closed(Leg::Server) && !self.server.stream.ended {
            self.translator.offline(is_heard, &mut self.wire);
        }
        self.translator.give_back(&mut self.wire);
    }

    pub(super) fn send_stream_error(&mut self, leg: Leg, condition: &str, text: &str) {
        if self.wire.is_closed(leg) || leg == Leg::Client && self.client.tls == Tls::Accepting {
            return;
        }
        let prefix = match (&self.connection(leg).opened, leg) {
            // An error before any header needs a header of ours first (RFC 6120 §4.9.1.2).
            (None, Leg::Client) => {
                self.open_own_stream_to_client();
                "stream".to_owned()
            }
            (None, Leg::Server) => return,
            (Some(name), _) => name
                .split_once(':')
                .map_or("", |(prefix, _)| prefix)
                .to_owned(),
        };
        let name = match &*prefix {
            "" => "error".to_owned(),
            prefix => format!("{prefix}:error"),
        };
        self.wire.nonza(leg, |out| {
            let xmlns = ns::STREAM_ERRORS;
            let _ = write!(out, "<{name}><{condition} xmlns='{xmlns}'/>");
            if !text.is_empty() {
                let text = escape(text);
                let _ = write!(out, "<text xmlns='{xmlns}' xml:lang='en'>{text}</text>");
            }
            let _ = write!(out, "</{name}>");
        });
    }

    pub(super) fn open_own_stream_to_client(&mut self) {
        let id = self.wire.fresh_id();
        let mut header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' version='1.0' id='{id}'",
            ns::CLIENT,
            ns::STREAM
        );
        if !self.domain.is_empty() {
            let _ = write!(header, " from='{}'", escape(&self.domain));
        }
        header.push('>');
        self.wire.send(Leg::Client, header.as_bytes());
        self.client.stream.opened = Some("stream:stream".into());
    }

    /// Sends our closing tag, once, if there is a stream to close.
    pub(super) fn close_stream(&mut self, leg: Leg) {
        if let (Some(name), false) = (&self.connection(leg).opened, self.wire.is_closed(leg)) {
            let tag = format!("</{name}>");
            self.wire.close(leg, &tag);
        }
    }

    /// Notes that one side has left; if its login was refused before, that is the cause. A server that leaves before
    /// the client sees features does not end the session here: the next one may be tried.
    fn note_left(&mut self, leg: Leg, ending: Ending) {
        if leg == Leg::Client || self.is_negotiated() {
            self.note_ending(match self.client.login_failed && !self.authenticated {
                true => Ending::LoginFailed,
                false => ending,
            });
        }
    }

    /// Notes the cause that ends the session; causes that follow from the first do not count.
    pub(super) fn note_ending(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// Logs how the session has ended, once both legs are finished.
    pub(super) fn tell_end(&mut self) {
        if !self.is_closed() {
            return;
        }
        if let Some(by) = self.ending.take() {
            let after = self.now - self.started;
            self.wire.log(Event::Ended { after, by });
        }
    }

    pub(super) fn start_closing(&mut self) {
        self.closing = self
            .closing
            .or(Some(self.now + self.options.timeouts.close));
        self.server.greeting = None;
        self.client.stream.held = false;
        self.server.stream.held = false;
    }

    pub(super) fn finish_both(&mut self) {
        self.finish(Leg::Client);
        self.finish(Leg::Server);
    }

    pub(super) fn finish(&mut self, leg: Leg) {
        let connection = self.connection_mut(leg);
        if !std::mem::replace(&mut connection.finished, true) {
            connection.pending = Vec::new();
            self.wire.end(leg);
            self.wire.output(Output::Finish(leg));
        }
    }

    /// The usual cause of a client's violation.
    fn hint(&self, error: XmlError) -> &'static str {
        match (error, self.options.client_tls) {
            (XmlError::NotWellFormed("no '<' where a stream begins"), ClientTls::Off) => {
                " (a client that begins with TLS has to be set to connect without encryption, or allowed to with \
                 --client-tls auto)"
            }
            _ => "",
        }
    }
}
