//! The way of one session to its server: what is still to be tried, and what came of the rest.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

use tokio::time::Instant;

use super::targets::{Plan, Target};
use crate::config::ServerAddress;
use crate::net::domain::to_host;
use crate::session::Security;

/// Addresses tried for one session, and for one of its targets.
const MOST_ADDRESSES: usize = 32;
const MOST_ADDRESSES_OF_ONE: usize = 8;
/// Bytes of what is said about one that was tried.
const LONGEST_REASON: usize = 300;
/// Bytes of what is said about all of them.
const LONGEST_REPORT: usize = 900;
/// What helps whatever it was.
const ADVICE: &str = "check the network, or name the server with --server";

/// User and password for the proxy, the same for all connections of a session.
pub(super) type Credentials = (String, String);

/// The way of one session to its server.
pub(super) struct Route {
    /// The domain the client named, as it wrote it.
    pub(super) domain: String,
    /// Not tried yet.
    targets: VecDeque<Target>,
    /// The one that was reached.
    at: Option<Target>,
    /// What came of the others, in the order tried.
    tried: Vec<Tried>,
    /// How many more addresses may be tried.
    addresses: usize,
    credentials: Option<Credentials>,
    /// Then nothing more is tried.
    pub(super) until: Instant,
}

/// What came of something that was tried.
pub(super) struct Tried {
    /// What happened.
    what: String,
    /// What to do if it was the only one.
    advice: &'static str,
    /// What happened tells where.
    is_whole: bool,
}

impl Tried {
    /// This happened at the target.
    pub(super) fn new(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            what: what.into(),
            advice,
            is_whole: false,
        }
    }

    /// This happened, and the sentence tells where.
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
    /// The way to the servers of `domain`; `until`: when the last of them may be tried.
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

    /// How many are not tried yet.
    pub(super) fn left(&self) -> u32 {
        u32::try_from(self.targets.len()).unwrap_or(u32::MAX)
    }

    /// This one was reached.
    pub(super) fn reached(&mut self, target: Target) {
        self.at = Some(target);
    }

    /// Whether there is more to try, or to say, if nothing comes of the one that was reached.
    pub(super) fn has_more(&self) -> bool {
        !self.targets.is_empty() || !self.tried.is_empty()
    }

    /// Nothing came of this target. The log says so if there is another: else the session says it.
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

    /// Nothing came of the one that was reached.
    pub(super) fn failed_here(&mut self, reason: &str) {
        if let Some(target) = self.at.take() {
            self.failed(&target, Tried::new(reason, ""));
        }
    }

    /// The server that was reached wants its users at `host`: nothing else is tried from here on. Only a server whose
    /// certificate `is_verified` is believed. The error is a sentence for the user.
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

    /// As many of these addresses as may be tried for one target: of both families in turns, the better ones first.
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

    /// What was tried and what came of it, for the user.
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

/// No more of it than that.
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
