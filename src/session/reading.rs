//! What comes on a leg: bytes to frames, frames to their handlers, one after the other.
//!
//! After each frame, whatever follows from it is said before the next one is looked at. So it makes no difference in which
//! pieces a stream is read, and a recording need not say.

use super::client_tls::Tls;
use super::connection::Connection;
use super::phase::Phase;
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
            // What it was is noted, and no more: it is no XML.
            self.note_garbage(leg, &bytes[..1]);
            self.accept_tls(bytes);
            return self.end_step();
        }
        if leg == Leg::Client && self.tls == Tls::Accepting && pending.is_empty() {
            return self.check_behind_starttls(bytes);
        }
        if leg == Leg::Server && !bytes.is_empty() {
            // Of a large stanza, which takes its time, only the last byte must not be long ago.
            self.server.frame_since = None;
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

    /// Looks at what was held back, where the hold has ended.
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

    /// A frame was handled. What the client has said and had to wait comes before the server's next one.
    pub(super) fn end_frame(&mut self, leg: Leg) {
        self.end_step();
        if leg == Leg::Server {
            self.resume(Leg::Client);
        }
    }

    /// Handles the whole frames in `buf`; how many bytes they were.
    fn process(&mut self, leg: Leg, buf: &[u8]) -> usize {
        let mut used = 0;
        while self.connection(leg).is_readable() {
            if self.is_relaying() {
                self.relay(leg, &buf[used..]);
                return buf.len();
            }
            if self.phase == Phase::Handshaking && leg == Leg::Server && used < buf.len() {
                // RFC 6120 §5.4.3.3: whoever wrote them could not know the TLS keys.
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
                Ok(Some(frame)) => {
                    let bytes = &buf[used..used + frame.len];
                    let index = self.connection_mut(leg).framer.take_index();
                    let must_wait = leg == Leg::Client && self.must_wait(&frame, bytes, &index);
                    // What has waited was noted when it came, as something follows from it at once.
                    if must_wait || !(leg == Leg::Client && std::mem::take(&mut self.has_waited)) {
                        self.note_frame(leg, bytes);
                    }
                    if must_wait {
                        // It is looked at again.
                        self.has_waited = true;
                        self.connection_mut(leg).framer.give_back(index);
                        self.end_step();
                        break;
                    }
                    used += frame.len;
                    self.connection_mut(leg).frame_since = None;
                    self.handle_frame(leg, frame, bytes, &index);
                    self.connection_mut(leg).framer.give_back(index);
                    self.is_early = false;
                    if std::mem::take(&mut self.begins_compression) {
                        let read = buf[used..].to_vec();
                        used = buf.len();
                        self.wire.output(Output::Compress(read));
                    }
                    self.end_frame(leg);
                    if leg == Leg::Client && self.tls == Tls::Accepting {
                        self.check_behind_starttls(&buf[used..]);
                        used = buf.len();
                    }
                }
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

    /// Whether what the client says has to wait for answers of the server, with all behind it.
    fn must_wait(&mut self, frame: &Frame, bytes: &[u8], index: &Index) -> bool {
        let may_wait = self.is_logged_in()
            && self.closing.is_none()
            && frame.kind == FrameKind::Element
            && self.translator.awaits_first();
        if !may_wait {
            return false;
        }
        let Some(namespaces) = self.client.namespaces() else {
            return false;
        };
        Element::indexed(bytes, &namespaces, index)
            .is_some_and(|stanza| self.translator.must_wait(&stanza, &mut self.wire))
    }

    fn handle_frame(&mut self, leg: Leg, frame: Frame, bytes: &[u8], index: &Index) {
        match frame.kind {
            FrameKind::Header => self.handle_header(leg, bytes),
            FrameKind::Whitespace => self.handle_whitespace(leg, bytes),
            FrameKind::Close => self.handle_close(leg),
            FrameKind::Element => {
                // A framer that has seen no header gives no element.
                let Some(namespaces) = self.connection(leg).namespaces() else {
                    return;
                };
                if frame.is_opaque {
                    self.handle_opaque(bytes, &namespaces);
                } else if let Some(element) = Element::indexed(bytes, &namespaces, index) {
                    self.handle_element(leg, &element);
                }
            }
        }
    }

    /// Passes a keep-alive on, if both streams are open.
    fn handle_whitespace(&mut self, leg: Leg, bytes: &[u8]) {
        let is_open = |connection: &Connection| connection.framer.namespaces().is_some();
        if self.is_negotiated() && is_open(&self.client) && is_open(&self.server) {
            self.wire.send(leg.other(), bytes);
        }
    }

    fn handle_element(&mut self, leg: Leg, element: &Element<'_>) {
        if self.handle_stream_error(leg, element) {
            return;
        }
        let told = self.wire.told();
        match (leg, self.is_logged_in()) {
            (Leg::Client, false) => self.negotiate_with_client(element),
            (Leg::Server, false) => self.negotiate_with_server(element),
            (Leg::Client, true) => self.handle_client_stanza(element),
            (Leg::Server, true) => self.handle_server_stanza(element),
        }
        self.wire.name_dropped(told, element);
    }
}
