//! A certificate for one domain, signed by its own key.

use std::net::Ipv4Addr;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Name};

use crate::net::pem::{DAY, Pem};

/// Time a certificate is valid; some clients refuse more, even if their user accepts the certificate.
const VALID: i64 = 825 * DAY;
/// Longest common name (RFC 5280, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;

/// A new certificate for `domain` (in ASCII), with this key or a new one.
pub(super) fn make(domain: &str, key: Option<PKey<Private>>, now: i64) -> anyhow::Result<Pem> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    let key = key.map_or_else(new_key, Ok)?;
    Ok(Pem::new(certificate(domain, &key, now, serial)?, key))
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

/// A certificate of `key` for `domain` (in ASCII) and for `localhost`. It is no CA: a user who accepts it accepts no
/// other certificate by that.
fn certificate(
    domain: &str,
    key: &PKey<Private>,
    now: i64,
    serial: [u8; 16],
) -> Result<X509, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::from_slice(&serial)?;
    // RFC 5280 §4.1.2.2: positive.
    serial.clear_bit(127)?;
    serial.set_bit(126)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    let name = name(domain)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    // Valid from yesterday on, for clients whose clock is behind.
    let from = now - DAY;
    let (from, to) = (
        Asn1Time::from_unix(from)?,
        Asn1Time::from_unix(from + VALID)?,
    );
    builder.set_not_before(&from)?;
    builder.set_not_after(&to)?;
    builder.set_pubkey(key)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(identifier)?;
    let mut names = SubjectAlternativeName::new();
    match domain.parse::<Ipv4Addr>() {
        Ok(_) if domain == "127.0.0.1" => {}
        Ok(_) => drop(names.ip(domain)),
        Err(_) if domain == "localhost" => {}
        Err(_) => drop(names.dns(domain)),
    }
    names.dns("localhost").ip("127.0.0.1").ip("::1");
    let names = names.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// The subject; a domain that is too long for a common name stands in the alternative names only.
fn name(domain: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    let common = match domain.len() {
        ..=LONGEST_COMMON_NAME => domain,
        _ => "pubshim",
    };
    name.append_entry_by_nid(Nid::COMMONNAME, common)?;
    Ok(name.build())
}
