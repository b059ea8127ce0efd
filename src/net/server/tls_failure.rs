//! Failures of TLS with a server in words for the user: what is wrong, and which option helps.

use std::error::Error as _;
use std::fmt;
use std::io;

use openssl::error::ErrorStack;
use time::OffsetDateTime;

use super::race::Until;
use super::tls_certificate::Certificate;
use crate::config::TlsVersion;
use crate::session::Security;

/// A failure, and everything its sentence needs.
pub(super) struct Failure<'a> {
    /// The domain that the client named.
    pub(super) domain: &'a str,
    pub(super) kind: Kind,
    /// How the connection was to be secured.
    pub(super) security: Security,
    /// The server was named with `--server`.
    pub(super) is_named: bool,
    /// There is a `--ca-file`.
    pub(super) has_ca_file: bool,
    /// There is a `--login-cert`.
    pub(super) has_login_cert: bool,
    pub(super) tls_min: TlsVersion,
    /// The refused certificate, if a second look got it.
    pub(super) seen: Option<Certificate>,
    /// The time by this machine's clock.
    pub(super) now: OffsetDateTime,
}

/// Kinds of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The certificate was refused.
    Certificate(Fault),
    /// The server's first bytes are not TLS.
    NoTls,
    /// The server's first bytes are HTTP.
    WebServer,
    /// The server speaks TLS, but no XMPP (by ALPN).
    NotXmpp,
    /// The server does not know the domain (by SNI).
    UnknownName,
    /// The server speaks no TLS that is new enough for `--tls-min`.
    TooOld,
    /// The server refused the certificate of `--login-cert`, or demands one.
    LoginRefused,
    /// The server closed the connection.
    HungUp,
    /// The server did not finish the handshake in time.
    TimedOut(Until),
    /// Something else, in OpenSSL's words.
    Other(String),
}

/// OpenSSL's reason of every refused certificate; the fault itself is in the verdict.
const UNVERIFIED: &str = "certificate verify failed";

/// Reasons why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The certificate is for another name.
    Name,
    Expired,
    NotYetValid,
    SelfSigned,
    /// No trusted authority has issued it.
    Issuer,
    /// Something else, in OpenSSL's words.
    Other(String),
}

impl Kind {
    /// Classifies an error of a handshake; `heard` are the server's first bytes.
    pub(super) fn of(error: &native_tls::Error, heard: &[u8]) -> Self {
        let text = error.to_string();
        let stack = error
            .source()
            .and_then(|source| source.downcast_ref::<ErrorStack>());
        let errors = stack.iter().flat_map(|stack| stack.errors());
        let mut reasons = errors.filter_map(|error| error.reason());
        // Errors of the search for the issuer come before the verdict, such as an SSL_CERT_DIR that is no folder.
        let verdict = reasons.clone().find(|it| *it == UNVERIFIED);
        match verdict.or_else(|| reasons.next()).unwrap_or(&text) {
            UNVERIFIED => Self::Certificate(Fault::of(&text)),
            // TLS begins with a handshake record or an alert.
            _ if heard.starts_with(b"HTTP/") => Self::WebServer,
            _ if heard
                .first()
                .is_some_and(|byte| !(0x14..=0x18).contains(byte)) =>
            {
                Self::NoTls
            }
            _ if heard.is_empty() => Self::HungUp,
            reason => Self::by_reason(reason, &text),
        }
    }

    fn by_reason(reason: &str, text: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let is_alert = has(&["alert"]);
        if has(&["unsupported protocol", "protocol version"]) {
            return Self::TooOld;
        }
        if has(&["no application protocol"]) {
            return Self::NotXmpp;
        }
        if has(&["unrecognized name"]) {
            return Self::UnknownName;
        }
        if is_alert && has(&["certificate", "unknown ca", "access denied"]) {
            return Self::LoginRefused;
        }
        // An error without a reason is one of the connection itself, such as a reset.
        if reason == text || has(&["unexpected eof"]) {
            return Self::HungUp;
        }
        Self::Other(reason.to_owned())
    }
}

/// The words for an alert with which a server ends a connection after the handshake; in TLS 1.3 it refuses our
/// certificate only then. `None` if the error is no alert.
pub(super) fn alert(error: &io::Error, has_login_cert: bool) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<openssl::ssl::Error>()?;
    let reasons = error.ssl_error()?.errors().iter();
    let reason = reasons
        .filter_map(|it| it.reason())
        .find(|it| it.contains("alert"))?;
    Some(match Kind::by_reason(reason, "") {
        Kind::LoginRefused => login_refused(has_login_cert).to_owned(),
        _ => format!(
            "the server ended the connection with a TLS alert ({reason}); ask the server's admin what that means"
        ),
    })
}

fn login_refused(has_login_cert: bool) -> &'static str {
    match has_login_cert {
        true => {
            "the server did not take the certificate of --login-cert; ask the server's admin which one it takes"
        }
        false => "the server asks for a certificate of the user's; name it with --login-cert",
    }
}

impl Fault {
    /// Classifies OpenSSL's sentence, which ends with a verdict in brackets.
    fn of(text: &str) -> Self {
        let (_, verdict) = text.rsplit_once(" (").unwrap_or_default();
        let verdict = verdict
            .trim_end_matches(')')
            .replace("self signed", "self-signed");
        match &*verdict {
            "hostname mismatch" | "Hostname mismatch" | "IP address mismatch" => Self::Name,
            "certificate has expired" => Self::Expired,
            "certificate is not yet valid" => Self::NotYetValid,
            "self-signed certificate" => Self::SelfSigned,
            "self-signed certificate in certificate chain"
            | "unable to get local issuer certificate"
            | "unable to get issuer certificate"
            | "unable to verify the first certificate" => Self::Issuer,
            _ => Self::Other(verdict),
        }
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no secure connection for {}: ", self.domain)?;
        match &self.kind {
            Kind::Certificate(fault) => self.write_fault(f, fault),
            Kind::NoTls | Kind::HungUp | Kind::TimedOut(_) => self.write_silence(f),
            Kind::WebServer => f.write_str(
                "a web server answers there, without TLS; name the port of the XMPP server with --server",
            ),
            Kind::NotXmpp => f.write_str(
                "what answers there speaks TLS, but not for XMPP clients; name the port of the XMPP server with \
                 --server",
            ),
            Kind::UnknownName => f.write_str(
                "the server does not know that domain; check it, or name the right server with --server",
            ),
            Kind::TooOld => f.write_str(match self.tls_min {
                TlsVersion::V1_3 => {
                    "the server speaks no TLS 1.3, which --tls-min asks for; allow the older one with --tls-min 1.2"
                }
                TlsVersion::V1_2 => {
                    "the server speaks only a TLS older than 1.2, which is broken; --tls-min allows none of that: ask \
                     the server's admin for a newer one"
                }
            }),
            Kind::LoginRefused => f.write_str(login_refused(self.has_login_cert)),
            Kind::Other(reason) => write!(
                f,
                "the TLS handshake failed: {reason}; ask the server's admin whether TLS works there"
            ),
        }
    }
}

impl Failure<'_> {
    fn write_fault(&self, f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
        const CLOCK: &str = "check this machine's clock, else tell the server's admin";
        match fault {
            Fault::Name => write!(
                f,
                "the server's certificate is for {}; check the domain, or name the right server with --server",
                self.other_names().as_deref().unwrap_or("another name")
            ),
            Fault::Expired => match self.date(|seen| seen.until, |until, now| until <= now) {
                Some(date) => write!(f, "the server's certificate expired on {date}; {CLOCK}"),
                None => write!(f, "the server's certificate has expired; {CLOCK}"),
            },
            Fault::NotYetValid => match self.date(|seen| seen.from, |from, now| from > now) {
                Some(date) => write!(
                    f,
                    "the server's certificate is valid from {date} on; {CLOCK}"
                ),
                None => write!(f, "the server's certificate is not valid yet; {CLOCK}"),
            },
            Fault::SelfSigned => {
                f.write_str(
                    "nobody vouches for the server's certificate but itself (self-signed)",
                )?;
                self.write_names(f)?;
                f.write_str("; if it is the right one, save it and name the file with --ca-file")
            }
            Fault::Issuer => {
                let issuer = self.seen.as_ref().and_then(|seen| seen.issuer.as_deref());
                match issuer {
                    Some(issuer) => write!(f, "the server's certificate comes from \"{issuer}\"")?,
                    None => f.write_str("the server's certificate comes from a CA")?,
                }
                f.write_str(match self.has_ca_file {
                    true => ", which is neither trusted by this system nor in --ca-file",
                    false => ", which is not trusted by this system",
                })?;
                self.write_names(f)?;
                f.write_str(
                    "; if that is a private CA, name its certificate with --ca-file, else tell the server's admin: \
                     certificates between the two may be missing",
                )
            }
            Fault::Other(verdict) => write!(
                f,
                "the server's certificate is refused ({verdict}); tell the server's admin"
            ),
        }
    }

    /// Writes the sentence for a server that says nothing, or does not speak TLS.
    fn write_silence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_direct = self.security == Security::DirectTls;
        match self.kind {
            Kind::TimedOut(until) => write!(
                f,
                "the server did not finish its TLS handshake within {until}"
            )?,
            Kind::HungUp => f.write_str("the server hung up during the TLS handshake")?,
            _ if is_direct => f.write_str("the server does not begin with TLS on this port")?,
            _ => f.write_str("the server agreed to TLS, and then spoke none")?,
        }
        f.write_str(match (is_direct, self.is_named, &self.kind) {
            (true, true, Kind::NoTls) => ": leave tls:// out, or name its TLS port",
            (true, false, Kind::NoTls) => {
                ", although DNS says so for its domain: tell the server's admin, or name another port with --server"
            }
            (true, true, _) => {
                ": if this port does not begin with TLS, leave tls:// out, else ask the server's admin whether TLS \
                 works there"
            }
            _ => ": ask the server's admin whether TLS works there",
        })
    }

    /// Adds the names in the certificate if they are wrong, too.
    fn write_names(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.other_names() {
            Some(names) => write!(f, ", and it is for {names}"),
            None => Ok(()),
        }
    }

    /// The names in the certificate if it is not for this domain, as a part of a sentence.
    fn other_names(&self) -> Option<String> {
        let seen = self.seen.as_ref().filter(|seen| !seen.is_right)?;
        let names = seen.names().unwrap_or("no domain".to_owned());
        Some(format!("{names}, not for {}", self.domain))
    }

    /// A date in the certificate, if it agrees with the fault: the second look may have got another certificate.
    fn date(
        &self,
        which: impl Fn(&Certificate) -> Option<OffsetDateTime>,
        is_so: impl Fn(OffsetDateTime, OffsetDateTime) -> bool,
    ) -> Option<time::Date> {
        let moment = which(self.seen.as_ref()?)?;
        is_so(moment, self.now).then(|| moment.date())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn openssl_in_all_its_versions() {
        for (verdict, fault) in [
            ("hostname mismatch", Fault::Name),
            ("Hostname mismatch", Fault::Name),
            ("IP address mismatch", Fault::Name),
            ("certificate has expired", Fault::Expired),
            ("certificate is not yet valid", Fault::NotYetValid),
            ("self-signed certificate", Fault::SelfSigned),
            ("self signed certificate", Fault::SelfSigned),
            (
                "self signed certificate in certificate chain",
                Fault::Issuer,
            ),
            ("unable to get local issuer certificate", Fault::Issuer),
            ("unable to verify the first certificate", Fault::Issuer),
            ("CA md too weak", Fault::Other("CA md too weak".to_owned())),
        ] {
            let text = format!(
                "error:0A000086:SSL routines::certificate verify failed:s.c:1: ({verdict})"
            );
            assert_eq!(Fault::of(&text), fault, "{verdict}");
        }
    }

    fn failure(kind: Kind, security: Security, is_named: bool) -> Failure<'static> {
        Failure {
            domain: "example.org",
            kind,
            security,
            is_named,
            has_ca_file: false,
            has_login_cert: false,
            tls_min: TlsVersion::V1_2,
            seen: None,
            now: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// Only a user who wrote `tls://` is advised to leave it out.
    #[test]
    fn only_what_was_named_is_to_be_named_otherwise() {
        for kind in [
            Kind::NoTls,
            Kind::HungUp,
            Kind::TimedOut(Until::in_(Duration::from_secs(7))),
        ] {
            for (security, is_named) in [
                (Security::DirectTls, true),
                (Security::DirectTls, false),
                (Security::StartTls, true),
                (Security::StartTls, false),
            ] {
                let told = failure(kind.clone(), security, is_named).to_string();
                let is_tls_named = is_named && security == Security::DirectTls;
                assert_eq!(told.contains("tls://"), is_tls_named, "{told}");
            }
        }
    }

    #[test]
    fn a_fault_without_a_second_look() {
        for (fault, want) in [
            (Fault::Name, "is for another name; "),
            (Fault::Expired, "certificate has expired; "),
            (Fault::NotYetValid, "is not valid yet; "),
            (Fault::SelfSigned, "(self-signed); "),
            (
                Fault::Issuer,
                "comes from a CA, which is not trusted by this system; ",
            ),
            (
                Fault::Other("CA md too weak".to_owned()),
                "is refused (CA md too weak); ",
            ),
        ] {
            let kind = Kind::Certificate(fault);
            let told = failure(kind, Security::StartTls, false).to_string();
            assert!(told.contains(want), "{told}");
        }
    }
}
