//! Domains, which clients may write in any script.

use std::net::IpAddr;

/// The domain as DNS and certificates know it.
pub(super) fn to_ascii(domain: &str) -> Result<String, String> {
    let is_address = domain.starts_with('[') || domain.parse::<IpAddr>().is_ok();
    if is_address {
        return Ok(domain.to_owned());
    }
    idna::domain_to_ascii(domain).map_err(|_| format!("{domain} is no domain name"))
}

/// The host to connect to, which is also the name in its certificate: as [`to_ascii`], an IPv6 address without
/// brackets, and no dot at the end.
pub(super) fn to_host(domain: &str) -> Result<String, String> {
    let host = to_ascii(domain)?;
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']);
    Ok(host.to_owned())
}
