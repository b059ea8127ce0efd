//! Lookup of servers and addresses by name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;

#[cfg(feature = "srv")]
use super::dns::Dns;
use super::targets::Service;

/// Looks names up; one for the whole program.
pub(super) struct Names {
    #[cfg(feature = "srv")]
    dns: Dns,
}

#[cfg(feature = "srv")]
impl Names {
    /// Prepares to ask `nameserver`, or else the DNS servers of the system.
    pub(super) fn new(nameserver: Option<SocketAddr>) -> anyhow::Result<Self> {
        Ok(Self {
            dns: Dns::new(nameserver)?,
        })
    }

    /// SRV records of `_xmpps-client` and `_xmpp-client` of a domain; each of the two lookups has `limit` for itself.
    pub(super) async fn services(&self, domain: &str, limit: Duration) -> [Service; 2] {
        self.dns.services(domain, limit).await
    }

    /// The addresses of a host, the better ones first; the error tells why there are none.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        match self.dns.is_chosen() && host.parse::<IpAddr>().is_err() {
            true => self.dns.addresses(host).await,
            false => addresses_by_system(host).await,
        }
    }
}

#[cfg(not(feature = "srv"))]
impl Names {
    /// Prepares to ask the system; an error if there is a `nameserver`, for which this build lacks the feature `srv`.
    pub(super) fn new(nameserver: Option<SocketAddr>) -> anyhow::Result<Self> {
        if nameserver.is_some() {
            anyhow::bail!(
                "--nameserver: this pubshim was built without its feature `srv`, so it cannot choose whom to ask; leave \
                 the option out"
            );
        }
        Ok(Self {})
    }

    /// [`Service::Unknown`] for both: this build does not look up SRV records.
    pub(super) async fn services(&self, _: &str, _: Duration) -> [Service; 2] {
        [Service::Unknown, Service::Unknown]
    }

    /// The addresses of a host, the better ones first; the error tells why there are none.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        addresses_by_system(host).await
    }
}

/// Addresses of a host by the system's resolver (files or DNS).
pub(super) async fn addresses_by_system(host: &str) -> Result<Vec<IpAddr>, String> {
    let addresses = lookup_host((host, 0)).await;
    let addresses = addresses.map_err(|error| error.to_string())?;
    Ok(addresses.map(|address| address.ip()).collect())
}
