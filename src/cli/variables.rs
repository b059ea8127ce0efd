//! Refuses `PUBSHIM_*` variables that no option reads.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;

use clap::{Arg, Command};

use crate::nearest::nearest;

/// Prefix of pubshim's variables.
const PREFIX: &str = "PUBSHIM_";

/// Refuses a variable that no command reads: the user who set it expects an effect.
pub(super) fn check(command: &Command) -> Result<(), String> {
    let variables = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    let arguments = command
        .get_subcommands()
        .flat_map(|command| command.get_arguments());
    let known: BTreeSet<_> = arguments
        .filter_map(Arg::get_env)
        .filter_map(OsStr::to_str)
        .collect();
    let unknown = variables.filter(|(name, value)| {
        let is_set = name.starts_with(PREFIX) && !value.is_empty();
        is_set && !known.contains(&**name) && !is_of_service(name, value)
    });
    // `vars_os` has no order; the error should have one.
    match unknown.map(|(name, _)| name).min() {
        Some(name) => Err(complaint(&name, &known)),
        None => Ok(()),
    }
}

fn complaint(name: &str, known: &BTreeSet<&str>) -> String {
    let what = format!("there is no variable {name}");
    // All names have the prefix: compare the rest.
    let rests = known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    match nearest(name.strip_prefix(PREFIX).unwrap_or(name), rests) {
        Some(rest) => format!("{what}: is {PREFIX}{rest} meant? If not, unset it"),
        None => {
            format!("{what}: unset it (each option's own is {PREFIX} and its name in capitals)")
        }
    }
}

/// Whether Kubernetes or Docker sets this variable for a service named pubshim, as in `PUBSHIM_SERVICE_HOST` and
/// `PUBSHIM_PORT_5222_TCP_ADDR`.
fn is_of_service(name: &str, value: &str) -> bool {
    let is_service = name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let is_port = name.ends_with("_PORT") && value.contains("://");
    let is_part = ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
        let port = name
            .split_once("_PORT_")
            .and_then(|(_, rest)| rest.split_once(protocol));
        port.is_some_and(|(port, _)| port.parse::<u16>().is_ok())
    });
    is_service || is_port || is_part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_sets_is_not_meant() {
        for (name, value) in [
            ("PUBSHIM_SERVICE_HOST", "10.0.0.1"),
            ("PUBSHIM_SERVICE_PORT", "5222"),
            ("PUBSHIM_SERVICE_PORT_XMPP", "5222"),
            ("PUBSHIM_PORT", "tcp://10.0.0.1:5222"),
            ("PUBSHIM_PORT_5222_TCP", "tcp://10.0.0.1:5222"),
            ("PUBSHIM_PORT_5222_TCP_PROTO", "tcp"),
            ("PUBSHIM_XMPP_SERVICE_HOST", "10.0.0.1"),
        ] {
            assert!(is_of_service(name, value), "{name}");
        }
        for (name, value) in [
            ("PUBSHIM_PORT", "5222"),
            ("PUBSHIM_PORT_TCP", "5222"),
            ("PUBSHIM_LISTEN_PORT", "5222"),
            ("PUBSHIM_SERVIS", "x"),
        ] {
            assert!(!is_of_service(name, value), "{name}");
        }
    }
}
