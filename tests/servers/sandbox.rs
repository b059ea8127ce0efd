//! The sandbox with independent clients: slixmpp, and Python's zlib.

use crate::people::wait_for_items;
use crate::puppet::{Puppet, python};
use crate::running::Running;
use crate::server::{sandbox, sandbox_account, sandbox_entry};
use crate::shim::Shim;

/// Runs a script of this folder against a sandbox; returns its output.
fn run(script: &str, more: &[&str]) -> String {
    let sandbox = sandbox();
    let output = python(script)
        .arg(sandbox.address.port().to_string())
        .args(more)
        .output()
        .expect("these tests need Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn slixmpp_logs_in_by_scram_sha_256() {
    assert!(run("sandbox.py", &["SCRAM-SHA-256"]).ends_with("done\n"));
}

#[test]
fn slixmpp_logs_in_by_scram_sha_1() {
    assert!(run("sandbox.py", &["SCRAM-SHA-1"]).ends_with("done\n"));
}

#[test]
fn slixmpp_logs_in_by_plain() {
    assert!(run("sandbox.py", &["PLAIN"]).ends_with("done\n"));
}

#[test]
fn slixmpp_is_refused_with_a_wrong_password() {
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] {
        let said = run("sandbox.py", &[mechanism, "secre"]);
        assert!(said.starts_with("refused\n"), "{said}");
    }
}

/// XEP-0138.
#[test]
fn another_zlib_talks_to_it() {
    let said = run("compression.py", &[]);
    assert!(
        said.contains("balcony") && said.contains("type='result'"),
        "{said}"
    );
}

/// Listing 3: presence of a classic client becomes an item. Returns the shim with these options before the sandbox; its
/// client has logged out.
pub(crate) fn publish_through(sandbox: &Running, options: &[&str]) -> Shim {
    let server = format!("plain://{}", sandbox.address);
    let shim = Shim::run(&[&["--server", &server, "--policy", "pure"], options].concat());
    let account = sandbox_account("juliet@capulet.lit");
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    let checker = Puppet::login(&sandbox_entry(sandbox), &account, "checker");
    juliet.available("Moping");
    wait_for_items(&checker, "the status", |items| items.contains("Moping"));
    juliet.send(serde_json::json!({"cmd": "disconnect"}));
    wait_for_items(&checker, "nothing", |items| !items.contains("Moping"));
    shim
}

#[test]
fn a_classic_client_publishes_through_the_shim() {
    publish_through(&sandbox(), &[]);
}
