//! TLS on the client's leg.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::BufReader;
use tokio_util::either::Either;

use super::certificate::{Certificates, LOCALHOST};
use super::hello;
use super::stream::{ClientStream, PlainClient, SecureClient};
use crate::net::prefixed::Prefixed;

/// Read buffer: OpenSSL reads a record's head and body separately; buffered, that is one system call.
const TLS_READ_BUFFER: usize = 4 * 1024;

/// Progress of TLS on the client's leg.
#[derive(Default)]
pub(in crate::net) enum Securing {
    /// TLS was not asked for, or is up.
    #[default]
    Idle,
    /// TLS begins once all outgoing bytes are sent.
    Asked {
        /// The domain that the client has named; empty if it has named none.
        domain: String,
        /// Bytes of the handshake that were read already.
        read: Vec<u8>,
    },
    /// The handshake is under way; meanwhile the leg has no stream.
    Running(Pin<Box<dyn Future<Output = Result<SecureClient, String>> + Send>>),
}

impl Securing {
    /// Whether the client's next bytes belong to TLS, so that the session must not read them.
    pub(in crate::net) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    /// Begins the handshake, if TLS was asked for.
    pub(in crate::net) fn begin(
        &mut self,
        stream: &mut Option<ClientStream>,
        certificates: &Arc<Certificates>,
    ) {
        let Self::Asked { domain, read } = self else {
            return;
        };
        let (domain, read) = (std::mem::take(domain), std::mem::take(read));
        let domain = Some(domain).filter(|domain| !domain.is_empty());
        *self = match stream.take() {
            // The connection is gone; the session has been told.
            None => Self::Idle,
            Some(Either::Left(plain)) => {
                let secure = secure(plain, read, Arc::clone(certificates), domain);
                Self::Running(Box::pin(secure))
            }
            Some(Either::Right(_)) => {
                let error = "TLS was already up".to_owned();
                Self::Running(Box::pin(std::future::ready(Err(error))))
            }
        };
    }

    /// The result of the handshake, once. The error is a sentence for the user.
    pub(in crate::net) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SecureClient, String>> {
        let Self::Running(running) = self else {
            return Poll::Pending;
        };
        let result = std::task::ready!(running.as_mut().poll(cx));
        *self = Self::Idle;
        Poll::Ready(result)
    }
}

/// Performs the handshake, with the certificate for `domain`, or for the name the client asks for. `read` holds bytes
/// that were read already.
async fn secure(
    mut client: PlainClient,
    mut read: Vec<u8>,
    certificates: Arc<Certificates>,
    domain: Option<String>,
) -> Result<SecureClient, String> {
    let domain = match domain {
        Some(domain) => domain,
        None => asked_domain(&mut client, &mut read, &certificates).await?,
    };
    let Some(acceptor) = certificates.acceptor(&domain) else {
        return Err(
            "the client asks for TLS, and there is no certificate: name a folder with --state where pubshim can keep \
             one, or a certificate with --cert"
                .to_owned(),
        );
    };
    let stream = BufReader::with_capacity(TLS_READ_BUFFER, Prefixed::new(read, client));
    match acceptor.accept(stream).await {
        Ok(tls) => Ok(Box::new(tls)),
        Err(error) => Err(failure(&error.to_string(), &domain)),
    }
}

/// The name the client asks for (SNI) if there is a certificate for it, else `localhost`.
async fn asked_domain(
    client: &mut PlainClient,
    read: &mut Vec<u8>,
    certificates: &Certificates,
) -> Result<String, String> {
    if !certificates.depend_on_name() {
        return Ok(LOCALHOST.to_owned());
    }
    hello::read_record(client, read)
        .await
        .map_err(|error| failure(&error.to_string(), LOCALHOST))?;
    let name = hello::asked_name(read);
    let known = name.filter(|name| certificates.has(name));
    Ok(known.unwrap_or_else(|| LOCALHOST.to_owned()))
}

/// A failed handshake in words for the user, with advice.
fn failure(error: &str, domain: &str) -> String {
    let has = |texts: &[&str]| texts.iter().any(|text| error.contains(text));
    if has(&[
        "alert unknown ca",
        "alert certificate unknown",
        "alert bad certificate",
        "alert unsupported certificate",
        "alert certificate expired",
    ]) {
        return format!(
            "the client does not accept pubshim's certificate: see `pubshim cert {domain}`"
        );
    }
    if has(&[
        "unexpected EOF",
        "unexpected end of file",
        "reset by peer",
        "Broken pipe",
    ]) {
        return format!(
            "the client closed the connection in the TLS handshake: if it does not accept pubshim's certificate, see \
             `pubshim cert {domain}`"
        );
    }
    let advice = match error {
        _ if has(&["unsupported protocol", "alert protocol version"]) => {
            "client and pubshim have no version of TLS in common: pubshim speaks 1.2 with clients"
        }
        _ if has(&["no shared cipher", "alert handshake failure"]) => {
            "client and pubshim have no cipher of TLS in common"
        }
        _ if has(&[" alert "]) => "the client gave up in the TLS handshake",
        _ => "what the client sent is not TLS as it should be",
    };
    format!("{advice} ({})", reason(error))
}

/// The reason in OpenSSL's text `error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:`.
fn reason(error: &str) -> &str {
    let parts = error.strip_prefix("error:");
    let reason = parts.and_then(|parts| parts.split(':').nth(3));
    reason.unwrap_or(error)
}

#[cfg(test)]
mod tests;
