//! A classic client: knows RFC 3921, and nothing of pubsub.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::options::Account;
use crate::ns;
use crate::xml::{Element, FrameKind, Framer, Limits, Namespaces};

/// Longest wait; only a fault takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client's stream.
pub(super) struct Client {
    stream: TcpStream,
    framer: Framer,
    /// Bytes of a frame that is not complete.
    pending: Vec<u8>,
    /// Stanzas received that no step has waited for.
    unread: Vec<(Vec<u8>, Arc<Namespaces>)>,
}

impl Client {
    /// Connects to `address` and logs in with PLAIN.
    pub(super) async fn log_in(
        address: SocketAddr,
        Account { name, password }: &Account,
        domain: &str,
        resource: &str,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        let mut client = Self {
            stream,
            framer: Framer::new(Limits::AFTER_LOGIN),
            pending: Vec::new(),
            unread: Vec::new(),
        };
        let secret = BASE64_STANDARD.encode(format!("\0{name}\0{password}"));
        let auth = format!(
            "<auth xmlns='{}' mechanism='PLAIN'>{secret}</auth>",
            ns::SASL
        );
        let success = format!("<success xmlns='{}'/>", ns::SASL);
        let bind = |kind: &str, inside: &str| {
            let bind = format!("<bind xmlns='{}'>{inside}</bind>", ns::BIND);
            format!("<iq type='{kind}' id='bind'>{bind}</iq>")
        };
        let resource_element = format!("<resource>{resource}</resource>");
        let jid = format!("<jid>{name}@{domain}/{resource}</jid>");
        client.open(domain).await?;
        client.say(&auth).await?;
        client.get(&success).await?;
        client.framer = Framer::new(Limits::AFTER_LOGIN);
        client.open(domain).await?;
        client.say(&bind("set", &resource_element)).await?;
        client.get(&bind("result", &jid)).await?;
        Ok(client)
    }

    /// Opens a stream and waits for its features.
    async fn open(&mut self, domain: &str) -> anyhow::Result<()> {
        let (client, stream) = (ns::CLIENT, ns::STREAM);
        let header = format!(
            "<stream:stream to='{domain}' xmlns='{client}' xmlns:stream='{stream}' version='1.0'>"
        );
        self.say(&header).await?;
        self.get("<stream:features/>").await
    }

    /// Closes the stream and waits until the server closes its own.
    pub(super) async fn log_out(&mut self) -> anyhow::Result<()> {
        self.say("</stream:stream>").await?;
        let until = Instant::now() + PATIENCE;
        while timeout_at(until, self.read())
            .await
            .context("the stream was not closed in time")??
        {}
        Ok(())
    }

    /// Sends `xml`.
    pub(super) async fn say(&mut self, xml: &str) -> anyhow::Result<()> {
        let sent = self.stream.write_all(xml.as_bytes()).await;
        sent.context("the connection broke")
    }

    /// Waits until an element that matches `expected` has come. Fails at once if an error has come that no step has
    /// waited for.
    pub(super) async fn get(&mut self, expected: &str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut unread = self.unread.iter();
            if let Some(found) = unread.position(|(it, of)| is_said(it, of, expected)) {
                self.unread.remove(found);
                return Ok(());
            }
            if self.unread.iter().any(|(it, of)| is_error(it, of)) {
                bail!("an error came instead; {}", self.what_came());
            }
            match timeout_at(until, self.read()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => bail!("the stream was closed instead; {}", self.what_came()),
                Ok(Err(error)) => return Err(error),
                Err(_) => bail!(
                    "it did not come within {} s; {}",
                    PATIENCE.as_secs(),
                    self.what_came()
                ),
            }
        }
    }

    fn what_came(&self) -> String {
        let came = self.unread.iter();
        let came: Vec<_> = came.map(|(it, _)| String::from_utf8_lossy(it)).collect();
        match came.is_empty() {
            true => "nothing else came".to_owned(),
            false => format!("what came is {}", came.join(" ")),
        }
    }

    /// Reads once; `false` at the end of the stream.
    async fn read(&mut self) -> anyhow::Result<bool> {
        let read = self.stream.read_buf(&mut self.pending).await;
        if read.context("the connection broke")? == 0 {
            return Ok(false);
        }
        while let Some(frame) = self.framer.next(&self.pending)? {
            let bytes: Vec<_> = self.pending.drain(..frame.len).collect();
            match (frame.kind, self.framer.namespaces()) {
                (FrameKind::Close, _) => return Ok(false),
                (FrameKind::Element, Some(namespaces)) => {
                    self.unread.push((bytes, Arc::clone(namespaces)));
                }
                _ => {}
            }
        }
        Ok(true)
    }
}

/// Whether the element in `bytes` matches `expected`.
fn is_said(bytes: &[u8], namespaces: &Namespaces, expected: &str) -> bool {
    match (
        Element::of_frame(bytes, namespaces),
        Element::of_frame(expected.as_bytes(), namespaces),
    ) {
        (Some(actual), Some(expected)) => says(&actual, &expected),
        _ => false,
    }
}

fn is_error(bytes: &[u8], namespaces: &Namespaces) -> bool {
    Element::of_frame(bytes, namespaces).is_some_and(|stanza| {
        stanza.local() == "error" || stanza.attribute("type").as_deref() == Some("error")
    })
}

/// Compares elements: `actual` may have more attributes and children, but not another type, which makes another stanza.
fn says(actual: &Element<'_>, expected: &Element<'_>) -> bool {
    let has = |name| actual.attribute(name) == expected.attribute(name);
    let mut attributes = expected.tag().attributes().flatten();
    let text = expected.text();
    actual.is(&expected.namespace(), expected.local())
        && has("type")
        && attributes.all(|attribute| attribute.declares().is_some() || has(attribute.name))
        && expected
            .children()
            .all(|wanted| actual.children().any(|child| says(&child, &wanted)))
        && (text.trim().is_empty() || text.trim() == actual.text().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_told_from_what_is_not() {
        let mut framer = Framer::new(Limits::AFTER_LOGIN);
        let header = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        framer.next(header).expect("good").expect("whole");
        let namespaces = framer.namespaces().expect("a header");
        let came = b"<presence from='a@b/c' id='1'><show>away</show><status>x</status></presence>";
        for (expected, is_so) in [
            ("<presence/>", true),
            ("<presence from='a@b/c'><show>away</show></presence>", true),
            ("<presence from='a@b/d'/>", false),
            ("<presence><show>xa</show></presence>", false),
            ("<presence><priority/></presence>", false),
            ("<presence type='unavailable'/>", false),
            ("<message/>", false),
            ("<presence xmlns='jabber:server'/>", false),
        ] {
            assert_eq!(is_said(came, namespaces, expected), is_so, "{expected}");
        }
        let left = b"<presence type='unavailable' from='a@b/c'/>";
        assert!(!is_said(left, namespaces, "<presence from='a@b/c'/>"));
    }
}
