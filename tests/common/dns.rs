//! A DNS server that knows a few names and notes the questions.
#![allow(dead_code, reason = "each binary uses a part of it")]

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

/// Kinds of records (RFC 1035 §3.2.2, RFC 2782).
const A: u16 = 1;
const CNAME: u16 = 5;
const SRV: u16 = 33;
const NO_SUCH_NAME: u8 = 3;

/// A record of a name.
#[derive(Clone)]
pub(crate) enum Data {
    A([u8; 4]),
    Cname(&'static str),
    /// Priority, weight, port, host.
    Srv(u16, u16, u16, &'static str),
}

impl Data {
    fn kind(&self) -> u16 {
        match self {
            Self::A(_) => A,
            Self::Cname(_) => CNAME,
            Self::Srv(..) => SRV,
        }
    }

    fn write(&self) -> Vec<u8> {
        match self {
            Self::A(address) => address.to_vec(),
            Self::Cname(name) => labels(name),
            Self::Srv(priority, weight, port, host) => {
                let numbers = [priority, weight, port].map(|number| number.to_be_bytes());
                [numbers.concat(), labels(host)].concat()
            }
        }
    }
}

/// A question: its id, the name without the dot at its end, the kind of record.
pub(crate) struct Question<'a> {
    id: &'a [u8],
    /// The bytes of the question.
    bytes: &'a [u8],
    name: String,
    kind: u16,
}

impl<'a> Question<'a> {
    fn read(packet: &'a [u8]) -> Self {
        let mut at = 12;
        let mut name = Vec::new();
        while packet[at] > 0 {
            let end = at + 1 + usize::from(packet[at]);
            name.push(String::from_utf8_lossy(&packet[at + 1..end]).to_lowercase());
            at = end;
        }
        Self {
            id: &packet[..2],
            bytes: &packet[12..at + 5],
            name: name.join("."),
            kind: u16::from_be_bytes([packet[at + 1], packet[at + 2]]),
        }
    }

    /// The answer with this code and these records of the name itself.
    pub(crate) fn answer(&self, code: u8, records: &[Data]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap().to_be_bytes();
        let mut packet = [
            self.id,
            &[0x81, 0x80 | code, 0, 1],
            &count,
            &[0; 4],
            self.bytes,
        ]
        .concat();
        for record in records {
            let data = record.write();
            let length = u16::try_from(data.len()).unwrap().to_be_bytes();
            let kind = record.kind().to_be_bytes();
            // The name again, the class IN, a minute to live.
            packet.extend([&[0xc0, 12], &kind[..], &[0, 1, 0, 0, 0, 60], &length, &data].concat());
        }
        packet
    }
}

/// A name as DNS writes it; "." is the root.
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// A DNS server; it ends with the test.
pub(crate) struct Dns {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    /// One that knows these names.
    pub(crate) fn of(zone: &[(&'static str, Data)]) -> Self {
        Self::silent_about("", zone)
    }

    /// One that knows these names, and drops questions for that one.
    pub(crate) fn silent_about(dropped: &'static str, zone: &[(&'static str, Data)]) -> Self {
        let zone = zone.to_vec();
        Self::answering(move |question| {
            if question.name == dropped {
                return None;
            }
            let named = zone.iter().filter(|(name, _)| *name == question.name);
            let data: Vec<_> = named.map(|(_, data)| data.clone()).collect();
            let code = if data.is_empty() { NO_SUCH_NAME } else { 0 };
            let asked_for = |it: &Data| [question.kind, CNAME].contains(&it.kind());
            let found: Vec<_> = data.into_iter().filter(asked_for).collect();
            Some(question.answer(code, &found))
        })
    }

    /// One that answers so, or not at all.
    pub(crate) fn answering(
        answer: impl Fn(&Question<'_>) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let question = Question::read(&packet[..length]);
                notes.lock().unwrap().push(question.name.clone());
                if let Some(answer) = answer(&question) {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        Self { port, asked }
    }

    /// The option that names it.
    pub(crate) fn option(&self) -> String {
        format!("--nameserver=127.0.0.1:{}", self.port)
    }

    /// The names it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
