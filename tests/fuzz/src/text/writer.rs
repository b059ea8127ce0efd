//! The chosen words as XML.

use std::fmt::Write as _;

use pubshim::ns;
use pubshim::xml::escape;

use super::pubsub::{content, privacy};
use super::*;

/// Writes what is said; knows the names it needs.
pub struct Writer<'a> {
    /// The full JID of the client.
    pub own: &'a str,
    /// The session's own IQs, oldest first.
    pub asked: &'a [Asked],
    /// A prefix that the header of this leg declares.
    pub prefix: Option<&'a str>,
    /// The prefix of the stream namespace.
    pub stream: &'a str,
}

impl Writer<'_> {
    /// The XML of a client's element.
    pub fn client(&self, said: &FromClient) -> String {
        let mut out = String::new();
        match said {
            FromClient::Presence(presence) => self.presence(&mut out, presence, 0),
            FromClient::Stanza(stanza) => self.stanza(&mut out, stanza),
            FromClient::Subscription(kind, to, id) => {
                self.subscription(&mut out, *kind, *to, *id);
            }
            FromClient::Request(is_set, id, child) => {
                self.iq(
                    &mut out,
                    if *is_set { "set" } else { "get" },
                    *id,
                    None,
                    child,
                );
            }
            FromClient::Roster(id, version) => {
                out.push_str("<iq type='get'");
                self.id(&mut out, *id);
                let _ = match version % 4 {
                    0 => write!(out, "><query xmlns='{}' ver=''/></iq>", ns::ROSTER),
                    1 => write!(out, "><query xmlns='{}' ver='abc'/></iq>", ns::ROSTER),
                    _ => write!(out, "><query xmlns='{}'/></iq>", ns::ROSTER),
                };
            }
            FromClient::Broadcast(kind) => {
                out.push_str(match kind % 8 {
                    0 => "<presence type='unavailable'/>",
                    1 => "<presence type='invisible'/>",
                    2 => "<presence><show>away</show></presence>",
                    _ => "<presence/>",
                });
            }
            FromClient::Chat(to) => self.chat(&mut out, "to", *to),
            FromClient::Header(style) => out = client_header(*style).text,
            FromClient::Close => self.close(&mut out),
            FromClient::Nonza(which) => {
                let (stream, errors) = (self.stream, ns::STREAM_ERRORS);
                let sasl = ns::SASL;
                let _ = match which % 16 {
                    0 => write!(out, "<inactive xmlns='{}'/>", ns::CSI),
                    1 => write!(out, "<enable xmlns='{}'/>", ns::SM),
                    2 => write!(out, "<r xmlns='{}'/>", ns::SM),
                    3 => write!(
                        out,
                        "<compress xmlns='{}'><method>zlib</method></compress>",
                        ns::COMPRESS
                    ),
                    4 => write!(out, "<starttls xmlns='{}'/>", ns::TLS),
                    5 => write!(
                        out,
                        "<auth xmlns='{sasl}' mechanism='PLAIN'>{SECRET}</auth>"
                    ),
                    6 => write!(out, "<response xmlns='{sasl}'>{SECRET}</response>"),
                    7 => write!(out, "<abort xmlns='{sasl}'/>"),
                    8 => write!(
                        out,
                        "<{stream}:error><reset xmlns='{errors}'/></{stream}:error>"
                    ),
                    9 => write!(
                        out,
                        "<iq type='set' id='bind'><bind xmlns='{}'/></iq>",
                        ns::BIND
                    ),
                    10 => write!(
                        out,
                        "<iq type='set' id='auth'><query xmlns='{}'><password>{SECRET}</password>\
                         </query></iq>",
                        ns::IQ_AUTH
                    ),
                    11 => write!(
                        out,
                        "<iq type='set' id='reg'><query xmlns='{}'><username>juliet</username>\
                         <password>{SECRET}</password></query></iq>",
                        ns::REGISTER
                    ),
                    12 => write!(
                        out,
                        "<authenticate xmlns='{}' mechanism='PLAIN'/>",
                        ns::SASL2
                    ),
                    13 => write!(out, "<unknown xmlns='urn:other'/>"),
                    14 => write!(out, "<presence xmlns='urn:other'/>"),
                    _ => write!(out, " "),
                };
            }
        }
        out
    }

    /// The XML of a server's element.
    pub fn server(&self, said: &FromServer) -> String {
        let mut out = String::new();
        match said {
            FromServer::Presence(presence) => self.presence(&mut out, presence, 0),
            FromServer::Stanza(stanza) => self.stanza(&mut out, stanza),
            FromServer::Header(style) => out = server_header(*style).text,
            FromServer::Close => self.close(&mut out),
            FromServer::Event(event) => self.event(&mut out, event),
            FromServer::Push(from, id, items) => {
                out.push_str("<iq type='set'");
                self.id(&mut out, *id);
                self.address(&mut out, "from", *from);
                out.push('>');
                self.roster(&mut out, items);
                out.push_str("</iq>");
            }
            FromServer::SetPush(from, id, child) => self.iq(&mut out, "set", *id, *from, child),
            FromServer::Answer(answer) => self.answer(&mut out, answer),
            FromServer::Reply(is_error, id, child) => {
                let kind = if *is_error { "error" } else { "result" };
                self.iq(
                    &mut out,
                    kind,
                    *id,
                    None,
                    child.as_ref().unwrap_or(&Child::Space),
                );
            }
            FromServer::Form(form) => self.form(&mut out, form),
            FromServer::Notice(notice) => self.notice(&mut out, notice),
            FromServer::Subscription(kind, from, marked) => {
                self.subscription_from(&mut out, *kind, *from, *marked);
            }
            FromServer::Record(from, items) => self.record_event(&mut out, *from, items),
            FromServer::Chat(from) => self.chat(&mut out, "from", *from),
            FromServer::Nonza(which) => self.server_nonza(&mut out, *which),
        }
        out
    }

    pub(super) fn server_nonza(&self, out: &mut String, which: u8) {
        let (s, sasl) = (self.stream, ns::SASL);
        let error = |out: &mut String, condition: &str| {
            let errors = ns::STREAM_ERRORS;
            write!(
                out,
                "<{s}:error><{condition} xmlns='{errors}'/></{s}:error>"
            )
        };
        let _ = match which % 24 {
            0 => write!(
                out,
                "<{s}:features><starttls xmlns='{}'/></{s}:features>",
                ns::TLS
            ),
            1 => write!(
                out,
                "<{s}:features><mechanisms xmlns='{sasl}'><mechanism>PLAIN</mechanism></mechanisms>\
                 <compression xmlns='{}'/><ver xmlns='{}'/></{s}:features>",
                ns::COMPRESS_FEATURE,
                ns::ROSTERVER
            ),
            2 => write!(
                out,
                "<{s}:features><bind xmlns='{}'/><sm xmlns='{}'/></{s}:features>",
                ns::BIND,
                ns::SM
            ),
            3 => write!(out, "<{s}:features/>"),
            4 => write!(out, "<proceed xmlns='{}'/>", ns::TLS),
            5 => write!(out, "<failure xmlns='{}'/>", ns::TLS),
            6 => write!(out, "<challenge xmlns='{sasl}'>{SECRET}</challenge>"),
            7 => write!(out, "<success xmlns='{sasl}'>{SECRET}</success>"),
            8 => write!(out, "<failure xmlns='{sasl}'><not-authorized/></failure>"),
            9 => write!(
                out,
                "<iq type='result' id='bind'><bind xmlns='{}'><jid>{}</jid></bind></iq>",
                ns::BIND,
                escape(self.own)
            ),
            10 => write!(out, "<iq type='error' id='bind'/>"),
            11 => write!(out, "<iq type='result' id='auth'/>"),
            12 => write!(out, "<success xmlns='{}'/>", ns::SASL2),
            13 => error(out, "conflict"),
            14 => error(out, "see-other-host"),
            15 => error(out, "system-shutdown"),
            16 => write!(out, "<{s}:error/>"),
            17 => write!(out, "<unknown xmlns='urn:other'/>"),
            18 => write!(
                out,
                "<iq type='result' id='bind'><bind xmlns='{}'/></iq>",
                ns::BIND
            ),
            20 => write!(
                out,
                "<{s}:features><bind xmlns='{}'/><compression xmlns='{}'><method>zlib</method></compression>\
                 </{s}:features>",
                ns::BIND,
                ns::COMPRESS_FEATURE
            ),
            21 => write!(out, "<compressed xmlns='{}'/>", ns::COMPRESS),
            22 => write!(
                out,
                "<failure xmlns='{}'><setup-failed/></failure>",
                ns::COMPRESS
            ),
            _ => write!(out, " "),
        };
    }

    pub(super) fn close(&self, out: &mut String) {
        let _ = write!(out, "</{}:stream>", self.stream);
    }

    pub(super) fn address(&self, out: &mut String, name: &str, address: Option<Address>) {
        if let Some(address) = address {
            let _ = write!(out, " {name}='{}'", escape(&address.text(self.own)));
        }
    }

    pub(super) fn id(&self, out: &mut String, id: Id) {
        let id = match id {
            Id::None => return,
            Id::Empty => String::new(),
            Id::One(one) => format!("p{}", u8::from(one)),
            Id::Many(many) => format!("m{many}"),
            Id::Ours(which) => self
                .ours(which)
                .map_or_else(String::new, |asked| asked.id.clone()),
            Id::LikeOurs => "ps-00000000-00000000000000000000000000000000".to_owned(),
            Id::Odd => "a'<&\">\n\u{e9}".to_owned(),
        };
        let _ = write!(out, " id='{}'", escape(&id));
    }

    pub(super) fn ours(&self, which: u8) -> Option<&Asked> {
        self.asked.iter().nth_back(usize::from(which))
    }

    pub(super) fn presence(&self, out: &mut String, presence: &Presence, depth: usize) {
        const KINDS: [&str; 10] = [
            "unavailable",
            "invisible",
            "subscribe",
            "subscribed",
            "unsubscribe",
            "unsubscribed",
            "error",
            "probe",
            "",
            "&#117;navailable",
        ];
        let name = match presence.style % 16 {
            1 => "c:presence",
            _ => "presence",
        };
        let _ = write!(out, "<{name}");
        match presence.style % 16 {
            1 => out.push_str(" xmlns:c='jabber:client'"),
            2 => out.push_str(" xml:lang='de'"),
            3 => out.push_str("\n xmlns=\"jabber:client\"\t"),
            4 => out.push_str(" xmlns='urn:other'"),
            5 => out.push_str(" xmlns='jabber&#58;client'"),
            6 => out.push_str(" xmlns:x='urn:pubshim:0' x:id='a'"),
            _ if depth > 0 => out.push_str(" xmlns='jabber:client'"),
            _ => {}
        }
        if let Some(kind) = KINDS.get(usize::from(presence.kind % 32)) {
            let _ = write!(out, " type='{kind}'");
        }
        self.id(out, presence.id);
        self.address(out, "from", presence.from);
        self.address(out, "to", presence.to);
        if presence.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        self.children(out, &presence.children, depth);
        let _ = write!(out, "</{name} >");
    }

    pub(super) fn stanza(&self, out: &mut String, stanza: &Stanza) {
        const KINDS: [(&str, &str); 12] = [
            ("message", "chat"),
            ("message", "headline"),
            ("message", "error"),
            ("message", "groupchat"),
            ("message", ""),
            ("iq", "get"),
            ("iq", "set"),
            ("iq", "result"),
            ("iq", "error"),
            ("iq", "odd"),
            ("iq", ""),
            ("other", "get"),
        ];
        let (name, kind) = KINDS[usize::from(stanza.kind) % KINDS.len()];
        let _ = write!(out, "<{name}");
        if !kind.is_empty() {
            let _ = write!(out, " type='{kind}'");
        }
        self.id(out, stanza.id);
        self.address(out, "from", stanza.from);
        self.address(out, "to", stanza.to);
        out.push('>');
        self.children(out, &stanza.children, 0);
        let _ = write!(out, "</{name}>");
    }

    fn iq(&self, out: &mut String, kind: &str, id: Id, from: Option<Address>, child: &Child) {
        let _ = write!(out, "<iq type='{kind}'");
        self.id(out, id);
        self.address(out, "from", from);
        out.push('>');
        self.child(out, child, 1);
        out.push_str("</iq>");
    }

    fn chat(&self, out: &mut String, name: &str, address: Address) {
        out.push_str("<message type='chat'");
        self.address(out, name, Some(address));
        let _ = write!(out, "><body>{WRITTEN}</body></message>");
    }

    pub(super) fn children(&self, out: &mut String, children: &[Child], depth: usize) {
        for child in children {
            if out.len() > MOST || depth > MOST_DEPTH {
                return;
            }
            self.child(out, child, depth + 1);
        }
    }

    pub(super) fn child(&self, out: &mut String, child: &Child, depth: usize) {
        let _ = match child {
            Child::Status(text) => write!(out, "<status>{}</status>", content(text)),
            Child::Body(text) => write!(out, "<body xml:lang='en'>{}</body>", content(text)),
            Child::Show => write!(out, "<show>away</show>"),
            Child::Priority(priority) => write!(out, "<priority>{priority}</priority>"),
            Child::Shim(style) => match (style % 8, self.prefix) {
                (0, _) => write!(out, "<shim xmlns='urn:pubshim:0'/>"),
                (1, _) => write!(out, "<x:shim xmlns:x=\"urn:pubshim:0\"></x:shim>"),
                (2, _) => write!(out, "<shim xmlns='urn&#58;pubshim&#x3a;0'/>"),
                (3, Some(prefix)) => write!(out, "<{prefix}:shim/>"),
                (4, _) => write!(out, "<x:shim/>"),
                (5, _) => write!(out, "<shim/>"),
                _ => write!(out, "<shim xmlns='urn:pubshim:0' a='b'>text<c/></shim>"),
            },
            Child::Delay(from) => {
                let _ = write!(
                    out,
                    "<delay xmlns='{}' stamp='2026-01-01T00:00:00Z'",
                    ns::DELAY
                );
                self.address(out, "from", *from);
                write!(out, "/>")
            }
            Child::StanzaId(by) => {
                let _ = write!(out, "<stanza-id xmlns='{}' id='1'", ns::SID);
                self.address(out, "by", *by);
                write!(out, "/>")
            }
            Child::Muc(user) => {
                let xmlns = if *user { ns::MUC_USER } else { ns::MUC };
                write!(out, "<x xmlns='{xmlns}'/>")
            }
            Child::Photo(photo) => {
                out.push_str("<x xmlns='vcard-temp:x:update'>");
                out.push_str(match photo {
                    None => "",
                    Some(false) => "<photo/>",
                    Some(true) => "<photo>abc</photo>",
                });
                write!(out, "</x>")
            }
            Child::Prefixed(which, children) => {
                let xmlns = ["urn:a", "urn:pubshim:0", "jabber:client", "urn:a&amp;&#39;"];
                let xmlns = xmlns[usize::from(*which) % xmlns.len()];
                let _ = write!(out, "<x:a xmlns:x='{xmlns}' x:b='1' b='2'>");
                self.children(out, children, depth);
                write!(out, "</x:a>")
            }
            Child::HeaderPrefixed(children) => match self.prefix {
                Some(prefix) => {
                    let _ = write!(out, "<{prefix}:a {prefix}:b='1'>");
                    self.children(out, children, depth);
                    write!(out, "</{prefix}:a>")
                }
                None => write!(out, "<{}:a/>", self.stream),
            },
            Child::Other(which, children) => {
                let xmlns = ["urn:other", "", "jabber:client", ns::PUBSUB, ns::ROSTER];
                let xmlns = xmlns[usize::from(*which) % xmlns.len()];
                let _ = write!(out, "<a xmlns='{xmlns}'>");
                self.children(out, children, depth);
                write!(out, "</a>")
            }
            Child::Text(text) => write!(out, "{}", content(text)),
            Child::Stanza(presence) => {
                self.presence(out, presence, depth);
                Ok(())
            }
            Child::Roster(items) => {
                self.roster(out, items);
                Ok(())
            }
            Child::Pubsub(which) => {
                let node = if which & 1 == 0 { "presence" } else { "other" };
                let request = if which & 2 == 0 {
                    "subscribe"
                } else {
                    "unsubscribe"
                };
                write!(
                    out,
                    "<pubsub xmlns='{}'><{request} node='{node}' jid='a@b'/></pubsub>",
                    ns::PUBSUB
                )
            }
            Child::Privacy(which) => {
                privacy(out, *which);
                Ok(())
            }
            Child::Invisible(invisible) => {
                let name = if *invisible { "invisible" } else { "visible" };
                write!(out, "<{name} xmlns='urn:xmpp:invisible:1'/>")
            }
            Child::Block(is_blocked, accounts) => {
                let name = if *is_blocked { "block" } else { "unblock" };
                self.accounts(out, name, accounts);
                Ok(())
            }
            Child::Blocklist(accounts) => {
                self.accounts(out, "blocklist", accounts);
                Ok(())
            }
            Child::Ping => write!(out, "<ping xmlns='urn:xmpp:ping'/>"),
            Child::Space => write!(out, "\n\t "),
        };
    }
}
