//! The route of one session to its server: the targets still to be tried, and why the others failed.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

use tokio::time::Instant;

use super::targets::{Plan, Target};
use crate::config::ServerAddress;
use crate::net::domain::to_host;
use crate::session::Security;

/// Addresses tried at the most: for one session, and for one of its targets.
const MOST_ADDRESSES: usize = 32;
const MOST_ADDRESSES_OF_ONE: usize = 8;
/// Bytes at the most of the text about one target.
const LONGEST_REASON: usize = 300;
/// Bytes at the most of the text about all targets.
const LONGEST_REPORT: usize = 900;
/// Advice that fits any failure.
const ADVICE: &str = "check the network, or name the server with --server";

/// User and password for the proxy, the same for all connections of a session.
pub(super) type Credentials = (String, String);

/// The route of one session to its server.
pub(super) struct Route {
    /// The domain the client named, as it wrote it.
    pub(super) domain: String,
    /// Targets that are not tried yet.
    targets: VecDeque<Target>,
    /// The target that was reached.
    at: Option<Target>,
    /// Failures of the other targets, in the order tried.
    tried: Vec<Tried>,
    /// How many more addresses may be tried.
    addresses: usize,
    credentials: Option<Credentials>,
    /// End of the route's time: no target is tried later.
    pub(super) until: Instant,
}

/// A target that was tried, and failed.
pub(super) struct Tried {
    /// The failure in words for the user.
    what: String,
    /// Advice for the user if no other target was tried; may be empty.
    advice: &'static str,
    /// `what` names the place itself, so that the target is not put in front.
    is_whole: bool,
}

impl Tried {
    /// A failure whose text does not name the place: the target is put in front.
    pub(super) fn new(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            what: what.into(),
            advice,
            is_whole: false,
        }
    }

    /// A failure whose text names the place.
    pub(super) fn whole(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            is_whole: true,
            ..Self::new(what, advice)
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Route {
    /// The route to the servers of `domain`; no target is tried after `until`.
    pub(super) fn new(domain: String, plan: Plan, until: Instant) -> Self {
        let notes = plan.notes.into_iter();
        Self {
            domain,
            targets: plan.targets.into(),
            at: None,
            tried: notes.map(|note| Tried::whole(note, ADVICE)).collect(),
            addresses: MOST_ADDRESSES,
            credentials: None,
            until,
        }
    }

    /// The next target to try.
    pub(super) fn next(&mut self) -> Option<Target> {
        self.targets.pop_front()
    }

    /// User and password for the proxy: drawn once, and the same from then on.
    pub(super) fn credentials(
        &mut self,
        draw: impl FnOnce() -> Result<Credentials, Tried>,
    ) -> Result<&Credentials, Tried> {
        match &mut self.credentials {
            Some(known) => Ok(known),
            none => Ok(none.insert(draw()?)),
        }
    }

    /// Number of targets that are not tried yet.
    pub(super) fn left(&self) -> u32 {
        u32::try_from(self.targets.len()).unwrap_or(u32::MAX)
    }

    /// Notes that this target was reached.
    pub(super) fn reached(&mut self, target: Target) {
        self.at = Some(target);
    }

    /// Whether there are targets left to try, or failures to report, should the reached server be of no use.
    pub(super) fn has_more(&self) -> bool {
        !self.targets.is_empty() || !self.tried.is_empty()
    }

    /// Notes that this target failed. Logs that if there is another one; of the last failure the session tells.
    pub(super) fn failed(&mut self, target: &Target, tried: Tried) {
        let what = match tried.is_whole {
            true => tried.what,
            false => format!("{target}: {}", tried.what),
        };
        if let Some(next) = self.targets.front() {
            let what = clipped(&what, LONGEST_REASON);
            tracing::info!("{target} is left for {next}: {what}");
        }
        self.tried.push(Tried { what, ..tried });
    }

    /// Notes that the reached target is of no use for this `reason`.
    pub(super) fn failed_here(&mut self, reason: &str) {
        if let Some(target) = self.at.take() {
            self.failed(&target, Tried::new(reason, ""));
        }
    }

    /// Follows a redirect of the reached server to `host`, the only target from here on. A redirect counts only from a
    /// server whose certificate `is_verified`. The error is a sentence for the user.
    pub(super) fn turn_to(&mut self, host: &str, is_verified: bool) -> Result<(), String> {
        let parsed = host.parse::<ServerAddress>().ok();
        let wanted = parsed.filter(|_| !host.contains("://"));
        let Some(wanted) = wanted else {
            return Err(format!(
                "the server wants its users at {}, which is no host; name the server with --server",
                clipped(host, LONGEST_REASON)
            ));
        };
        if !is_verified {
            return Err(format!(
                "the server wants its users at {host}, and with --danger-accept-invalid-certs anybody could say that in \
                 its name; if it is the right one, name it with --server {host}"
            ));
        }
        let Some(from) = self.at.take().filter(|it| it.security != Security::Plain) else {
            return Err(
                "the server wants its users elsewhere, and nobody vouches for it; name the server with --server"
                    .to_owned(),
            );
        };
        let target = Target {
            host: to_host(&wanted.host)?,
            port: wanted.port,
            security: from.security,
        };
        let what = format!("{from} wants its users at {target}");
        tracing::info!("{what}");
        self.tried.push(Tried::new(what, ""));
        self.targets = [target].into();
        Ok(())
    }

    /// The addresses to try for one target, as many as the limits allow: IPv6 and IPv4 in turns, preferred ones first.
    pub(super) fn take_addresses(&mut self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let Some(first) = addresses.first().map(IpAddr::is_ipv6) else {
            return Vec::new();
        };
        let of = |family| addresses.iter().filter(move |it| it.is_ipv6() == family);
        let (mut first, mut second) = (of(first), of(!first));
        let most = MOST_ADDRESSES_OF_ONE.min(self.addresses);
        let mut taken = Vec::new();
        while let Some(address) = first.next().or_else(|| second.next())
            && taken.len() < most
        {
            taken.push(*address);
            std::mem::swap(&mut first, &mut second);
        }
        self.addresses -= taken.len();
        taken
    }

    /// All failures in words for the user.
    pub(super) fn report(&self) -> String {
        if let ([only], true) = (&*self.tried, self.targets.is_empty()) {
            return match only.advice {
                "" => clipped(&only.what, LONGEST_REPORT),
                advice => format!("{}; {advice}", clipped(&only.what, LONGEST_REPORT)),
            };
        }
        let mut report = format!(
            "no server of {} is of use: ",
            clipped(&self.domain, LONGEST_REASON)
        );
        for (number, tried) in self.tried.iter().enumerate() {
            if number > 0 {
                report += "; ";
            }
            if report.len() + tried.what.len().min(LONGEST_REASON) > LONGEST_REPORT {
                report += &format!("and {} more", self.tried.len() - number);
                break;
            }
            report += &clipped(&tried.what, LONGEST_REASON);
        }
        match self.left() {
            0 => {}
            1 => report += "; and 1 more was not tried",
            left => report += &format!("; and {left} more were not tried"),
        }
        report + "; " + ADVICE
    }
}

/// The text cut to `most` bytes, with an ellipsis.
fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rfind(|at| text.is_char_boundary(*at));
    format!("{}…", &text[..end.unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, security: Security) -> Target {
        Target {
            host: host.to_owned(),
            port: 5222,
            security,
        }
    }

    fn route(targets: &[Target]) -> Route {
        let plan = Plan {
            targets: targets.to_vec(),
            notes: Vec::new(),
        };
        Route::new("shakespeare.lit".to_owned(), plan, Instant::now())
    }

    #[test]
    fn what_was_tried_is_said_in_order_and_not_endlessly() {
        let targets: Vec<_> = (0..16)
            .map(|n| target(&format!("h{n}"), Security::StartTls))
            .collect();
        let mut route = route(&targets);
        let mut said = 0;
        while let Some(target) = route.next() {
            route.failed(&target, Tried::new("é".repeat(100), ""));
            said += 1;
        }
        let report = route.report();
        assert_eq!(said, 16);
        let [first, second] = ["h0:5222: é", "h1:5222: é"].map(|it| report.find(it));
        assert!(first.is_some() && first < second, "{report}");
        assert!(report.len() <= 1024, "{}", report.len());
        assert!(report.contains("; and 12 more; check"), "{report}");
    }

    #[test]
    fn one_that_failed_is_said_with_its_advice() {
        let only = target("a", Security::StartTls);
        let mut route = route(std::slice::from_ref(&only));
        assert_eq!(route.next().as_ref(), Some(&only));
        route.failed(&only, Tried::new("cannot connect", "is it there?"));
        assert_eq!(route.report(), "a:5222: cannot connect; is it there?");
    }

    #[test]
    fn what_was_not_tried_is_said() {
        let targets = ["a", "b", "c"].map(|host| target(host, Security::StartTls));
        let mut route = route(&targets);
        for left in [
            "; and 2 more were not tried; ",
            "; and 1 more was not tried; ",
        ] {
            let next = route.next().expect("a target");
            route.failed(&next, Tried::new("silent", ""));
            let report = route.report();
            assert!(
                report.contains("a:5222: silent") && report.contains(left),
                "{report}"
            );
        }
    }

    #[test]
    fn nobody_is_sent_on_by_a_server_that_is_not_checked() {
        let mut route = route(&[]);
        route.reached(target("a", Security::DirectTls));
        let error = route.turn_to("b", false).expect_err("it is not verified");
        assert!(error.contains("--danger-accept-invalid-certs") && error.contains("--server b"));
        assert_eq!(route.next(), None);
    }

    #[test]
    fn both_families_in_turns() {
        let mut route = route(&[]);
        let ips = |text: &str| -> Vec<IpAddr> {
            let texts = text.split(' ');
            texts.map(|it| it.parse().expect("an address")).collect()
        };
        let taken = route.take_addresses(&ips("::1 ::2 ::3 1.1.1.1 1.1.1.2"));
        assert_eq!(taken, ips("::1 1.1.1.1 ::2 1.1.1.2 ::3"));
        let many = [IpAddr::from([1; 4]); 100];
        let counts = [0; 5].map(|_| route.take_addresses(&many).len());
        assert_eq!(counts, [8, 8, 8, 3, 0]);
    }

    #[test]
    fn a_server_that_names_another_host() {
        for (host, security, expected) in [
            ("b", Security::StartTls, Some("b:5222")),
            ("b:99", Security::DirectTls, Some("tls://b:99")),
            ("[::1]:99", Security::StartTls, Some("[::1]:99")),
            ("[::1]", Security::DirectTls, Some("tls://[::1]:5222")),
            ("b", Security::Plain, None),
            ("plain://127.0.0.1:99", Security::StartTls, None),
            ("b c", Security::StartTls, None),
            ("", Security::StartTls, None),
        ] {
            let mut route = route(&[target("later", Security::StartTls)]);
            route.reached(target("a", security));
            let turned = route.turn_to(host, true);
            assert_eq!(turned.is_ok(), expected.is_some(), "{host}: {turned:?}");
            if let Some(expected) = expected {
                assert_eq!(
                    route.next().map(|it| it.to_string()).as_deref(),
                    Some(expected)
                );
                assert_eq!(route.next(), None);
                assert!(route.has_more(), "where it came from is to be said");
            }
        }
    }
}
