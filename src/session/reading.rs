//! Reading a leg: bytes to frames, frames to their handlers, one after the other.
//!
//! Each frame's consequences are sent before the next frame is read. So the result does not depend on the pieces in
//! which bytes arrive, and a recording need not note them.

use super::client_leg::Tls;
use super::server_leg::Stage;
use super::{Leg, Output, Session};
use crate::xml::{Element, Frame, FrameKind, Index};

impl Session {
    pub(super) fn handle_bytes(&mut self, leg: Leg, bytes: &[u8]) {
        let mut pending = std::mem::take(&mut self.connection_mut(leg).pending);
        if self.is_relaying() {
            self.relay(leg, &pending);
            return self.relay(leg, bytes);
        }
        if self.begins_tls(leg, bytes) {
            // Note the first byte only: a TLS handshake is no XML.
            self.note_garbage(leg, &bytes[..1]);
            self.accept_tls(bytes);
            return self.end_step();
        }
        if leg == Leg::Client && self.client.tls == Tls::Accepting && pending.is_empty() {
            return self.check_behind_starttls(bytes);
        }
        if leg == Leg::Server && !bytes.is_empty() {
            // A large stanza of the server's may take long: its timeout counts from the last byte received.
            self.server.stream.frame_since = None;
        }
        if pending.is_empty() {
            let used = self.process(leg, bytes);
            pending.extend_from_slice(&bytes[used..]);
        } else {
            pending.extend_from_slice(bytes);
            let used = self.process(leg, &pending);
            pending.drain(..used);
            pending.shrink_to(Self::FREE);
        }
        let connection = self.connection_mut(leg);
        if !connection.finished && !connection.ended && !pending.is_empty() {
            connection.pending = pending;
        }
    }

    /// Handles bytes that were held back on a leg that is no longer held.
    pub(super) fn resume_held(&mut self) {
        self.resume(Leg::Client);
        self.resume(Leg::Server);
    }

    fn resume(&mut self, leg: Leg) {
        if self.connection(leg).is_readable() && !self.connection(leg).pending.is_empty() {
            self.handle_bytes(leg, &[]);
        }
        if self.connection(leg).is_readable() && self.connection(leg).eof {
            self.handle_eof(leg);
        }
    }

    /// Ends a frame. The client's frames that had to wait come before the server's next one.
    pub(super) fn end_frame(&mut self, leg: Leg) {
        self.end_step();
        if leg == Leg::Server {
            self.resume(Leg::Client);
        }
    }

    /// Handles the whole frames in `buf`; gives how many bytes they were.
    fn process(&mut self, leg: Leg, buf: &[u8]) -> usize {
        let mut used = 0;
        while self.connection(leg).is_readable() {
            if self.is_relaying() {
                self.relay(leg, &buf[used..]);
                return buf.len();
            }
            if self.server.stage == Stage::Handshaking && leg == Leg::Server && used < buf.len() {
                // Bytes sent before the TLS keys were known cannot be the server's (RFC 6120 §5.4.3.3).
                self.note_garbage(leg, &buf[used..=used]);
                self.fail_server(
                    "the server sent bytes between <proceed/> and TLS, somebody may be tampering",
                );
                self.end_frame(leg);
                break;
            }
            if self.connection(leg).skipper.is_some() {
                let rest = &buf[used..];
                if rest.is_empty() {
                    break;
                }
                used += self.skip(rest).unwrap_or(rest.len());
                continue;
            }
            match self.connection_mut(leg).framer.next(&buf[used..]) {
                Ok(Some(frame)) => match self.process_frame(leg, frame, &buf[used..]) {
                    Some(len) => used += len,
                    None => break,
                },
                Ok(None) => break,
                Err(error) if self.is_bearable(leg, error) => self.cut_off(),
                Err(error) => {
                    self.note_refused(leg, &buf[used..], error);
                    self.handle_bad_xml(leg, error, &buf[used..]);
                    self.end_frame(leg);
                }
            }
        }
        used
    }

    /// Handles the frame at the start of `buf`; gives how many bytes were used. `None`: the frame has to wait, and stays.
    fn process_frame(&mut self, leg: Leg, frame: Frame, buf: &[u8]) -> Option<usize> {
        let (bytes, rest) = buf.split_at(frame.len);
        let index = self.connection_mut(leg).framer.take_index();
        let must_wait = leg == Leg::Client && self.must_wait(&frame, bytes, &index);
        // A frame that has to wait was noted when it came, as it may cause requests at once.
        let is_noted = leg == Leg::Client && std::mem::take(&mut self.client.has_waited);
        if must_wait || !is_noted {
            self.note_frame(leg, bytes);
        }
        if must_wait {
            self.client.has_waited = true;
            self.connection_mut(leg).framer.give_back(index);
            self.end_step();
            return None;
        }
        let mut used = bytes.len();
        self.connection_mut(leg).frame_since = None;
        self.handle_frame(leg, frame, bytes, &index);
        self.connection_mut(leg).framer.give_back(index);
        self.server.is_early = false;
        if std::mem::take(&mut self.server.begins_compression) {
            self.wire.output(Output::Compress(rest.to_vec()));
            used = buf.len();
        }
        self.end_frame(leg);
        if leg == Leg::Client && self.client.tls == Tls::Accepting {
            self.check_behind_starttls(&buf[used..]);
            used = buf.len();
        }
        Some(used)
    }

    /// Whether the client's frame, and all behind it, has to wait for answers of the server.
    fn must_wait(&mut self, frame: &Frame, bytes: &[u8], index: &Index) -> bool {
        let may_wait = self.is_logged_in()
            && self.closing.is_none()
            && frame.kind == FrameKind::Element
            && self.translator.awaits_first();
        if !may_wait {
            return false;
        }
        let Some(namespaces) = self.client.stream.namespaces() else {
            return false;
        };
        Element::indexed(bytes, &namespaces, index)
            .is_some_and(|stanza| self.translator.must_wait(&stanza, &mut self.wire))
    }

    fn handle_frame(&mut self, leg: Leg, frame: Frame, bytes: &[u8], index: &Index) {
        // Before the header, a framer gives white space only.
        let Some(namespaces) = self.connection(leg).namespaces() else {
            return;
        };
        match (frame.kind, leg) {
            (FrameKind::Header, Leg::Client) => self.handle_client_header(bytes, &namespaces),
            (FrameKind::Header, Leg::Server) => self.handle_server_header(bytes, &namespaces),
            (FrameKind::Whitespace, _) => self.handle_whitespace(leg, bytes),
            (FrameKind::Close, _) => self.handle_close(leg),
            (FrameKind::Element, _) if frame.is_opaque => self.handle_opaque(bytes, &namespaces),
            (FrameKind::Element, _) => {
                if let Some(element) = Element::indexed(bytes, &namespaces, index) {
                    self.handle_element(leg, &element);
                }
            }
        }
    }

    /// Passes white space, a keep-alive, if both streams are open.
    fn handle_whitespace(&mut self, leg: Leg, bytes: &[u8]) {
        let is_open = self.connection(leg.other()).namespaces().is_some();
        if self.is_negotiated() && is_open {
            self.wire.send(leg.other(), bytes);
        }
    }

    fn handle_element(&mut self, leg: Leg, element: &Element<'_>) {
        if self.handle_stream_error(leg, element) {
            return;
        }
        let before = self.wire.outputs_waiting();
        match (leg, self.is_logged_in()) {
            (Leg::Client, false) => self.negotiate_with_client(element),
            (Leg::Server, false) => self.negotiate_with_server(element),
            (Leg::Client, true) => self.handle_client_stanza(element),
            (Leg::Server, true) => self.handle_server_stanza(element),
        }
        self.wire.name_dropped(before, element);
    }
}
