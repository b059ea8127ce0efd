//! Relaying under [`Policy::Off`]: once the login is over, bytes pass unread.
//!
//! Each side's bytes go to the other as they come, half a stanza as well as broken XML or a closing tag. The end of
//! one connection becomes the end of the other, without a closing tag of ours: with stream management (XEP-0198), that
//! would end a session that can be resumed. Only the position in the stream is known; so a client is told of a
//! shutdown between two stanzas, and amid one finds its connection closed.

use super::client_leg::Stage;
use super::{Ending, Event, Leg, Policy, Session};

impl Session {
    /// Whether bytes pass unread.
    pub(super) fn is_relaying(&self) -> bool {
        self.options.policy == Policy::Off && self.is_logged_in()
    }

    /// Ends the login: from here on all bytes pass.
    pub(super) fn start_relaying(&mut self) {
        self.client.login_id = None;
        self.client.stream.held = false;
        self.client.stage = Stage::Established;
        let domain = self.domain.clone();
        self.wire.log(Event::Relaying(domain));
    }

    /// Passes on bytes that came on `leg`.
    pub(super) fn relay(&mut self, leg: Leg, bytes: &[u8]) {
        let other = leg.other();
        if self.is_over(leg) {
            return;
        }
        self.note_outgoing();
        self.wire.send(other, bytes);
        self.note_relayed(other, bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = self.connection_mut(leg).border.next(rest);
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.note_piece(leg, piece, end.is_some());
            rest = after;
        }
    }

    /// Passes on that the other side of `leg` sends no more. The other leg is relayed until it ends, too.
    pub(super) fn relay_end(&mut self, leg: Leg) {
        let other = leg.other();
        let was_over = std::mem::replace(&mut self.connection_mut(leg).ended, true);
        if !was_over {
            self.note_ending(Ending::HungUp(leg));
        }
        if was_over || self.connection(other).ended {
            return self.finish_both();
        }
        self.finish(other);
        self.start_closing();
    }

    /// Ends both legs as the program ends; tells the client if it is between two stanzas.
    pub(super) fn end_relaying(&mut self) {
        if self.server.stream.border.is_between() && self.closing.is_none() {
            self.send_stream_error(Leg::Client, "system-shutdown", "pubshim was told to stop");
            self.close_stream(Leg::Client);
        }
        self.finish_both();
    }
}
