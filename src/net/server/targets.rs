//! The servers of a domain to try, and their order: RFC 2782, and XEP-0368 for those with TLS from the first byte.

use std::fmt;

use crate::session::Security;

/// The port of classic XMPP clients (RFC 6120 §14.7).
const XMPP_CLIENT_PORT: u16 = 5222;
/// Targets tried for one session, however many a zone names.
const MOST_TARGETS: usize = 16;

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// A host name in ASCII, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
}

impl Target {
    /// The domain itself at port 5222, for domains without SRV records.
    pub(super) fn of_domain(domain: &str) -> Self {
        Self {
            host: domain.to_owned(),
            port: XMPP_CLIENT_PORT,
            security: Security::StartTls,
        }
    }

    /// Host and port as people write them.
    pub(super) fn place(&self) -> String {
        place(&self.host, self.port)
    }
}

/// Host and port as people write them.
pub(super) fn place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

impl fmt::Display for Target {
    /// In the form of `--server`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.security {
            Security::StartTls => "",
            Security::DirectTls => "tls://",
            Security::Plain => "plain://",
        })?;
        f.write_str(&self.place())
    }
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// The target without its final dot; empty for the root (".").
    pub(super) host: String,
}

/// Result of looking up the SRV records of one service of a domain.
#[cfg_attr(
    not(feature = "srv"),
    allow(dead_code, reason = "without the feature nobody asks")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// The servers of the service, at least one.
    At(Vec<Record>),
    /// The domain has no such service: the target is ".".
    Absent,
    /// There are no records.
    Unknown,
    /// The lookup failed for this reason.
    Failed(String),
}

#[cfg(any(feature = "srv", test))]
impl Service {
    /// Sorts out records whose target is the root.
    pub(super) fn of(mut records: Vec<Record>) -> Self {
        if records.is_empty() {
            return Self::Unknown;
        }
        records.retain(|record| !record.host.is_empty());
        match records.is_empty() {
            true => Self::Absent,
            false => Self::At(records),
        }
    }
}

/// The servers to try.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Targets in the order to try them.
    pub(super) targets: Vec<Target>,
    /// Notes for the user if no target can be used, such as a failed lookup.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// A plan with one target.
    pub(super) fn of(target: Target) -> Self {
        Self {
            targets: vec![target],
            notes: Vec::new(),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<_> = self.targets.iter().map(Target::to_string).collect();
        f.write_str(&targets.join(", "))?;
        match self.notes.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", self.notes.join("; ")),
        }
    }
}

/// The servers of `domain`, by the SRV records of `_xmpps-client` (`direct`) and `_xmpp-client` (`start_tls`).
///
/// | | `_xmpp-client`: records | "." | none | failed |
/// |---|---|---|---|---|
/// | **`_xmpps-client`: records** | both, mixed | the first | the first | the first, noted |
/// | **"."** | the second | an error | the domain, port 5222 | the same, noted |
/// | **none** | the second | an error | the domain, port 5222 | the same, noted |
/// | **failed** | the second, noted | an error | the domain, noted | the same, noted |
///
/// `draw` gives a random number from 0 to its argument. The error is a sentence for the user.
pub(super) fn plan(
    domain: &str,
    direct: Service,
    start_tls: Service,
    draw: impl FnMut(u32) -> u32,
) -> Result<Plan, String> {
    let mut notes = Vec::new();
    let mut records = Vec::new();
    let is_absent = start_tls == Service::Absent;
    let is_alike = direct == start_tls;
    for (service, security, name) in [
        (direct, Security::DirectTls, "_xmpps-client"),
        (start_tls, Security::StartTls, "_xmpp-client"),
    ] {
        match service {
            Service::At(found) => records.extend(found.into_iter().map(|it| (it, security))),
            Service::Absent | Service::Unknown => {}
            Service::Failed(reason) if is_alike => {
                notes = vec![format!("SRV records could not be looked up: {reason}")];
            }
            Service::Failed(reason) => {
                notes.push(format!("{name} could not be looked up: {reason}"));
            }
        }
    }
    if records.is_empty() && is_absent {
        notes.insert(
            0,
            format!("{domain} says in DNS that it has no XMPP server for clients"),
        );
        return Err(format!(
            "{}; check the domain, or name the server with --server",
            notes.join("; ")
        ));
    }
    if records.is_empty() {
        let targets = vec![Target::of_domain(domain)];
        return Ok(Plan { targets, notes });
    }
    let count = records.len();
    let targets = order(records, draw);
    if targets.len() == MOST_TARGETS && count > MOST_TARGETS {
        notes.push(format!(
            "of {count} servers in DNS only {MOST_TARGETS} are tried"
        ));
    }
    Ok(Plan { targets, notes })
}

/// Targets by ascending priority; among equals in random order, weighted (RFC 2782).
fn order(mut records: Vec<(Record, Security)>, mut draw: impl FnMut(u32) -> u32) -> Vec<Target> {
    records.sort_by_key(|(record, _)| (record.priority, record.weight > 0));
    let mut targets = Vec::new();
    while let Some((first, _)) = records.first()
        && targets.len() < MOST_TARGETS
    {
        let priority = first.priority;
        let equals = records.partition_point(|(record, _)| record.priority == priority);
        let weights = records[..equals].iter().map(|(it, _)| u32::from(it.weight));
        let drawn = draw(weights.clone().fold(0, u32::saturating_add));
        let mut sum: u32 = 0;
        let picked = weights.map(|weight| {
            sum = sum.saturating_add(weight);
            sum
        });
        let picked = picked.take_while(|sum| *sum < drawn).count();
        let (record, security) = records.remove(picked.min(equals - 1));
        let target = Target {
            host: record.host,
            port: record.port,
            security,
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    type Says<'a> = &'a dyn Fn() -> Service;
    /// Targets and notes; `None` for an error.
    type Planned<'a> = Option<(&'a str, &'a str)>;

    fn record(priority: u16, weight: u16, host: &str) -> Record {
        Record {
            priority,
            weight,
            port: 5222,
            host: host.to_owned(),
        }
    }

    fn at(records: &[(u16, u16, &str)]) -> Service {
        let records = records.iter();
        Service::of(
            records
                .map(|(priority, weight, host)| record(*priority, *weight, host))
                .collect(),
        )
    }

    /// The targets as `--server` takes them, and the notes; or the error.
    fn planned(
        direct: Service,
        start_tls: Service,
        draw: impl FnMut(u32) -> u32,
    ) -> Result<(String, String), String> {
        let plan = plan("lit", direct, start_tls, draw)?;
        let targets: Vec<_> = plan.targets.iter().map(Target::to_string).collect();
        Ok((targets.join(" "), plan.notes.join("; ")))
    }

    #[test]
    fn the_lowest_priority_comes_first() {
        let direct = at(&[(20, 0, "d"), (5, 0, "a")]);
        let start_tls = at(&[(10, 0, "b"), (15, 0, "c")]);
        let planned = planned(direct, start_tls, |_| 0).expect("a plan");
        assert_eq!(planned.0, "tls://a:5222 b:5222 c:5222 tls://d:5222");
    }

    #[test]
    fn without_weights_tls_from_the_first_byte_comes_first() {
        let planned = planned(at(&[(1, 0, "b")]), at(&[(1, 0, "a")]), |_| 0).expect("a plan");
        assert_eq!(planned.0, "tls://b:5222 a:5222");
    }

    #[test]
    fn weights_share_the_draw() {
        // The sums are 0, 60, 70, 100.
        for (drawn, first) in [
            (0, "a"),
            (1, "tls://d"),
            (60, "tls://d"),
            (61, "b"),
            (70, "b"),
            (71, "c"),
            (100, "c"),
        ] {
            let start_tls = at(&[(1, 10, "b"), (1, 30, "c"), (1, 0, "a")]);
            let mut totals = Vec::new();
            let draw = |total| {
                totals.push(total);
                if totals.len() == 1 { drawn } else { total }
            };
            let planned = planned(at(&[(1, 60, "d")]), start_tls, draw).expect("a plan");
            assert!(planned.0.starts_with(first), "{drawn}: {}", planned.0);
            assert_eq!((totals.len(), totals[0]), (4, 100), "one draw a pick");
        }
    }

    #[test]
    fn the_heavier_is_first_as_often_as_its_weight_says() {
        let mut seed: u32 = 1;
        let mut heavy = 0;
        for _ in 0..10_000 {
            let draw = |total: u32| {
                // The generator of Numerical Recipes.
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) % (total + 1)
            };
            let start_tls = at(&[(1, 25, "light"), (1, 75, "heavy")]);
            let planned = planned(Service::Unknown, start_tls, draw).expect("a plan");
            heavy += u32::from(planned.0.starts_with("heavy"));
        }
        assert!((7_200..7_700).contains(&heavy), "{heavy}");
    }

    #[test]
    fn a_draw_beyond_the_sum_takes_the_last() {
        let planned = planned(at(&[(1, 1, "a"), (1, 1, "b")]), Service::Unknown, |_| 99);
        assert_eq!(planned.expect("a plan").0, "tls://b:5222 tls://a:5222");
    }

    #[test]
    fn what_dns_says_of_both_services() {
        let failed = || Service::Failed("no answer".to_owned());
        let records = |host| move || at(&[(1, 0, host)]);
        let absent = || at(&[(0, 0, "")]);
        let unknown = || at(&[]);
        let no_s = "_xmpps-client could not be looked up: no answer";
        let no_c = "_xmpp-client could not be looked up: no answer";
        let both = "SRV records could not be looked up: no answer";
        let (s, c, domain) = ("tls://s:5222", "c:5222", "lit:5222");
        let table: [(Says<'_>, [Planned<'_>; 4]); 4] = [
            (
                &records("s"),
                [
                    Some(("tls://s:5222 c:5222", "")),
                    Some((s, "")),
                    Some((s, "")),
                    Some((s, no_c)),
                ],
            ),
            (
                &absent,
                [
                    Some((c, "")),
                    None,
                    Some((domain, "")),
                    Some((domain, no_c)),
                ],
            ),
            (
                &unknown,
                [
                    Some((c, "")),
                    None,
                    Some((domain, "")),
                    Some((domain, no_c)),
                ],
            ),
            (
                &failed,
                [
                    Some((c, no_s)),
                    None,
                    Some((domain, no_s)),
                    Some((domain, both)),
                ],
            ),
        ];
        for (direct, row) in table {
            let columns: [Says<'_>; 4] = [&records("c"), &absent, &unknown, &failed];
            for (start_tls, expected) in columns.into_iter().zip(row) {
                let case = format!("{:?} {:?}", direct(), start_tls());
                match (planned(direct(), start_tls(), |_| 0), expected) {
                    (Ok(planned), Some((targets, notes))) => {
                        assert_eq!((&*planned.0, &*planned.1), (targets, notes), "{case}");
                    }
                    (Err(error), None) => {
                        assert!(error.contains("no XMPP server"), "{case}: {error}");
                    }
                    (planned, _) => panic!("{case}: {planned:?}"),
                }
            }
        }
    }

    #[test]
    fn a_root_among_others_is_none_of_them() {
        let planned = planned(at(&[(0, 0, ""), (1, 0, "a")]), Service::Unknown, |_| 0);
        assert_eq!(planned.expect("a plan").0, "tls://a:5222");
    }

    #[test]
    fn no_more_than_are_of_use() {
        let many: Vec<_> = (0..3000).map(|n| record(n, 1, &format!("h{n}"))).collect();
        let plan = plan("lit", Service::of(many), Service::Unknown, |total| total).expect("a plan");
        assert_eq!(plan.targets.len(), MOST_TARGETS);
        assert_eq!(plan.targets[15].host, "h15");
        assert!(
            plan.notes[0].contains("of 3000 servers"),
            "{:?}",
            plan.notes
        );
        // The same server forty times is one target.
        let again = at(&[(1, 1, "a"); 40]);
        assert_eq!(
            planned(again, Service::Unknown, |_| 0).expect("a plan").0,
            "tls://a:5222"
        );
    }

    #[test]
    fn an_address_as_people_write_it() {
        let target = Target {
            host: "::1".to_owned(),
            port: 5223,
            security: Security::DirectTls,
        };
        assert_eq!(target.to_string(), "tls://[::1]:5223");
    }
}
