//! DNS itself: SRV records, and the server that `--nameserver` names.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::time::timeout;

use super::targets::{Record, Service};

/// The system's list of DNS servers, which changes when a laptop moves to another network.
const SYSTEM: &str = "/etc/resolv.conf";
/// How long to wait for one answer before the question is asked again.
const TRY: Duration = Duration::from_millis(1500);
/// How often a question is asked again.
const TRIES_AGAIN: usize = 2;
/// Answers kept in the cache, each for its TTL.
const KEPT: u64 = 256;

/// Asks DNS servers; one for the whole program.
pub(super) struct Dns {
    /// The server that the user has named.
    chosen: Option<TokioResolver>,
    /// The servers of the system, and the modification time of its file when they were read.
    system: Mutex<Option<(SystemTime, TokioResolver)>>,
}

impl Dns {
    /// Prepares to ask `nameserver`, or else the servers of the system.
    pub(super) fn new(nameserver: Option<SocketAddr>) -> anyhow::Result<Self> {
        let chosen = nameserver.map(|address| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = address.port();
                connection
            });
            let server = NameServerConfig::new(address.ip(), true, connections.into());
            let config = ResolverConfig::from_name_servers(vec![server]);
            build(config, ResolverOpts::default())
                .with_context(|| format!("cannot prepare to ask --nameserver {address}"))
        });
        Ok(Self {
            chosen: chosen.transpose()?,
            system: Mutex::default(),
        })
    }

    /// Whether there is a `--nameserver`.
    pub(super) fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// SRV records of `_xmpps-client` and `_xmpp-client` of a domain. Each of the two lookups has `limit` for itself:
    /// some networks let only one of them through.
    pub(super) async fn services(&self, domain: &str, limit: Duration) -> [Service; 2] {
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(reason) => return [Service::Failed(reason.clone()), Service::Failed(reason)],
        };
        let (direct, start_tls) = tokio::join!(
            timeout(limit, self.service(&resolver, "_xmpps-client", domain)),
            timeout(limit, self.service(&resolver, "_xmpp-client", domain)),
        );
        [direct, start_tls].map(|said| said.unwrap_or_else(|_| Service::Failed(self.no_answer())))
    }

    /// Addresses of a host, preferred ones first. The error is the part of a sentence that tells why there are none.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let name = absolute(host)?;
        let found = self.resolver()?.lookup_ip(name).await;
        let found = found.map_err(|error| self.in_words(&error))?;
        Ok(found.iter().collect())
    }

    /// SRV records of one service of a domain.
    async fn service(&self, resolver: &TokioResolver, service: &str, domain: &str) -> Service {
        let name = match absolute(&format!("{service}._tcp.{domain}")) {
            Ok(name) => name,
            Err(reason) => return Service::Failed(reason),
        };
        match resolver.srv_lookup(name).await {
            Ok(lookup) => {
                let records = lookup.answers().iter();
                let records = records.filter_map(|record| match &record.data {
                    RData::SRV(srv) => Some(Record {
                        priority: srv.priority,
                        weight: srv.weight,
                        port: srv.port,
                        host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
                    }),
                    _ => None,
                });
                Service::of(records.collect())
            }
            Err(error) if error.is_no_records_found() => Service::Unknown,
            Err(error) => Service::Failed(self.in_words(&error)),
        }
    }

    /// An error of a lookup in words for the user.
    fn in_words(&self, error: &NetError) -> String {
        let whom = self.whom();
        match error {
            NetError::Timeout => self.no_answer(),
            NetError::Dns(DnsError::ResponseCode(code)) => format!("{whom} says: {code}"),
            _ if error.is_nx_domain() => "there is no such name in DNS".to_owned(),
            _ if error.is_no_records_found() => "the name has no address in DNS".to_owned(),
            NetError::Io(error) => format!("{whom} cannot be asked: {error}"),
            _ => format!("the answer of {whom} is of no use: {error}"),
        }
    }

    /// Words for a DNS server that does not answer.
    fn no_answer(&self) -> String {
        let advice = match self.is_chosen() {
            true => "",
            false => " (ask another with --nameserver)",
        };
        format!("{} does not answer{advice}", self.whom())
    }

    fn whom(&self) -> &'static str {
        match self.is_chosen() {
            true => "the DNS server that --nameserver names",
            false => "the DNS server",
        }
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        if let Some(chosen) = &self.chosen {
            return Ok(chosen.clone());
        }
        let changed = Path::new(SYSTEM)
            .metadata()
            .and_then(|file| file.modified())
            .map_err(|error| format!("cannot read {SYSTEM}: {error}"))?;
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((as_of, resolver)) = &*system
            && *as_of == changed
        {
            return Ok(resolver.clone());
        }
        let resolver = hickory_resolver::system_conf::read_system_conf()
            .and_then(|(config, options)| build(config, options))
            .map_err(|error| format!("cannot use {SYSTEM}: {error}"))?;
        *system = Some((changed, resolver.clone()));
        Ok(resolver)
    }
}

fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, NetError> {
    options.timeout = TRY;
    options.attempts = TRIES_AGAIN;
    options.cache_size = KEPT;
    Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
}

/// The name as an absolute one, so that the search domains of the system are not appended.
fn absolute(name: &str) -> Result<Name, String> {
    let parsed = Name::from_ascii(name);
    let mut name = parsed.map_err(|error| format!("{name} is no name in DNS: {error}"))?;
    name.set_fqdn(true);
    Ok(name)
}
