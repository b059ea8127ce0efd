//! The program as it is started: help, errors, exit codes, and which source of an option wins.
//!
//! No test gets as far as listening.

#![allow(clippy::disallowed_types, reason = "these tests start pubshim")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use clap::{Args, Command as Clap};
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use pubshim::config::RunOptions;
use tempfile::NamedTempFile;

/// Runs pubshim with `args` and nothing in its environment but `variables`.
fn pubshim(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("pubshim starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The message with which pubshim refuses to run; its exit code is that of a usage error.
fn refused(args: &[&str], variables: &[(&str, &str)]) -> String {
    let output = pubshim(args, variables);
    let error = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(stdout(&output), "");
    error
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("UTF-8")
}

#[test]
fn help_and_version() {
    for flag in ["-h", "--help"] {
        let output = pubshim(&["run", flag], &[]);
        assert_eq!(output.status.code(), Some(0));
        let help = stdout(&output);
        for arg in RunOptions::augment_args(Clap::new("run")).get_arguments() {
            let flag = format!("--{}", arg.get_long().expect("long"));
            assert!(help.contains(&flag), "{flag}: {help}");
        }
    }
    let help = stdout(&pubshim(&["forget", "--help"], &[]));
    for text in ["--dry-run", "--listen", "--ca-file", "Exit codes:"] {
        assert!(help.contains(text), "{text}: {help}");
    }
    // Options that change nothing for `forget` are not offered.
    for option in ["--policy <", "--rooms <", "--record <", "--max-sessions <"] {
        assert!(!help.contains(option), "{option}: {help}");
    }
    let help = stdout(&pubshim(&["--help"], &[]));
    for text in ["run", "config", "Examples:", "Exit codes:"] {
        assert!(help.contains(text), "{text}: {help}");
    }
    let version = stdout(&pubshim(&["--version"], &[]));
    assert_eq!(version, format!("pubshim {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn config_prints_a_file_that_run_reads() {
    let output = pubshim(&["config"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("#listen = [\"127.0.0.1:5222\"]\n"), "{text}");
    // The file itself brings no complaint, so that the message is about the flag.
    let file = file(&text);
    let error = refused(
        &["run", "--config", path(&file), "--listen", "0.0.0.0:0"],
        &[],
    );
    assert!(error.contains("0.0.0.0:0"), "{error}");
}

#[test]
fn usage_errors() {
    for (args, text) in [
        (&[][..], "Usage: pubshim"),
        (&["walk"], "walk"),
        (&["run", "--lisen", "127.0.0.1:0"], "--listen"),
        (&["run", "--listen", "localhost"], "127.0.0.1:5222"),
        (&["run", "--policy", "of"], "auto, pure, off"),
        (&["run", "--max-sessions", "0"], "from 1 to"),
        (&["run", "--login-timeout", "2d"], "90s"),
        (
            &["run", "--server", "plain://192.0.2.1:5222"],
            "unencrypted",
        ),
        (
            &["run", "--allow-remote-plaintext=perhaps"],
            "true or false",
        ),
        (&["run", "--policy", "off", "--native", "chat"], "--native"),
        (&["run", "--show=long"], "off, short, full"),
        (&["run", "--tls-min", "1.1"], "1.2, 1.3"),
        (&["run", "--show-only", "a b"], "romeo@example.org"),
        (&["forget", "--dry-run=perhaps"], "true or false"),
        (&["forget", "--listen", "192.0.2.1:5222"], "unencrypted"),
    ] {
        let error = refused(args, &[]);
        assert!(error.contains(text), "{args:?}: {error}");
    }
}

#[test]
fn a_key_that_is_not_known_is_told_with_its_line() {
    let file = file("# mine\npolicy = \"auto\"\nlisen = [\"127.0.0.1:0\"]\n");
    let error = refused(&["run", "--config", path(&file)], &[]);
    let place = format!("pubshim: error: {}:3: unknown key `lisen`", path(&file));
    assert!(error.starts_with(&place), "{error}");
    assert_eq!(refused(&["run"], &[("PUBSHIM_CONFIG", path(&file))]), error);
}

#[test]
fn a_file_that_is_not_there() {
    let error = refused(&["run", "--config", "no/such.toml"], &[]);
    assert!(error.starts_with("pubshim: error: cannot read"), "{error}");
    assert!(error.contains("no/such.toml"), "{error}");
}

#[test]
fn flag_beats_variable_beats_file() {
    let file = file("listen = [\"192.0.2.1:1\"]");
    let config = ["run", "--config", path(&file)];
    assert!(refused(&config, &[]).contains(" 192.0.2.1:1:"));
    let variable = [("PUBSHIM_LISTEN", "192.0.2.2:2")];
    assert!(refused(&config, &variable).contains(" 192.0.2.2:2:"));
    let flags = [&config[..], &["--listen", "192.0.2.3:3"]].concat();
    assert!(refused(&flags, &variable).contains(" 192.0.2.3:3:"));
    // An empty variable counts as not set.
    assert!(refused(&config, &[("PUBSHIM_LISTEN", "")]).contains(" 192.0.2.1:1:"));
}

#[test]
fn lists_and_switches_in_variables() {
    let listen = ("PUBSHIM_LISTEN", "127.0.0.1:0,192.0.2.2:2");
    let allow = |value| [listen, ("PUBSHIM_ALLOW_REMOTE_PLAINTEXT", value)];
    assert!(refused(&["run"], &[listen]).contains("unencrypted"));
    for value in ["true", "1", "yes", "on"] {
        assert!(refused(&["run"], &allow(value)).contains("open relay"));
    }
    for value in ["false", "0", "no", "off", ""] {
        assert!(refused(&["run"], &allow(value)).contains("unencrypted"));
    }
    let off = ["run", "--allow-remote-plaintext=false"];
    assert!(refused(&off, &allow("true")).contains("unencrypted"));
}

#[test]
fn a_bad_variable_is_named() {
    for (variable, value) in [
        ("PUBSHIM_LISTEN", "127.0.0.1:0,localhost"),
        ("PUBSHIM_ALLOW_REMOTE_PLAINTEXT", "perhaps"),
        ("PUBSHIM_STALL_TIMEOUT", "0"),
        ("PUBSHIM_POLICY", "of"),
        ("PUBSHIM_NATIVE", "chat,talk"),
        ("PUBSHIM_VERBOSITY", "9"),
    ] {
        let error = refused(&["run"], &[(variable, value)]);
        assert!(error.contains(variable), "{error}");
    }
    let forget = ["forget", "--listen", "192.0.2.1:5222"];
    let error = refused(&forget, &[("PUBSHIM_DRY_RUN", "perhaps")]);
    assert!(error.contains("PUBSHIM_DRY_RUN"), "{error}");
}

#[test]
fn a_misspelt_variable_is_a_usage_error() {
    let remote = ["run", "--listen", "192.0.2.1:5222"];
    for (variable, meant) in [
        ("PUBSHIM_POLCY", "PUBSHIM_POLICY"),
        ("PUBSHIM_LISTN", "PUBSHIM_LISTEN"),
        // Variables of other commands are checked, too.
        ("PUBSHIM_DRYRUN", "PUBSHIM_DRY_RUN"),
    ] {
        let error = refused(&remote, &[(variable, "x")]);
        let told = format!("there is no variable {variable}: is {meant} meant?");
        assert!(error.contains(&told), "{error}");
        assert_eq!(
            pubshim(&["config"], &[(variable, "x")]).status.code(),
            Some(2)
        );
        assert_eq!(pubshim(&["-h"], &[(variable, "x")]).status.code(), Some(0));
    }
    let unlike = refused(&remote, &[("PUBSHIM_XXX", "x")]);
    assert!(
        unlike.contains("no variable PUBSHIM_XXX: unset it"),
        "{unlike}"
    );
    // Variables that are empty, another command's, another program's, or those Kubernetes sets are ignored.
    for variable in [
        ("PUBSHIM_POLCY", ""),
        ("PUBSHIM_DRY_RUN", "yes"),
        ("pubshim_polcy", "x"),
        ("PUBSHIMS", "x"),
        ("PUBSHIM_SERVICE_HOST", "10.0.0.1"),
        ("PUBSHIM_PORT", "tcp://10.0.0.1:5222"),
        ("PUBSHIM_PORT_5222_TCP_ADDR", "10.0.0.1"),
    ] {
        let error = refused(&remote, &[variable]);
        assert!(error.contains("unencrypted"), "{variable:?}: {error}");
    }
}

#[test]
fn a_misspelt_rule_is_a_usage_error() {
    let file = file("show-only = [\"presense\"]");
    for error in [
        refused(&["run", "--show-only", "presense"], &[]),
        refused(&["demo", "--show-only", "presense"], &[]),
        refused(&["run"], &[("PUBSHIM_SHOW_ONLY", "ping,presense")]),
        refused(&["run", "--config", path(&file)], &[]),
    ] {
        assert!(error.contains("is presence meant?"), "{error}");
    }
}

#[test]
fn colours_when_wanted_only() {
    let coloured =
        |variables: &[_]| refused(&["run", "--policy", "of"], variables).contains('\x1b');
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

/// The fingerprint that a client shows of the certificate in this file.
fn fingerprint(file: &Path) -> String {
    let pem = std::fs::read(file).expect("readable");
    let certificate = X509::from_pem(&pem).expect("a certificate");
    let digest = certificate
        .digest(MessageDigest::sha256())
        .expect("a digest");
    let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

#[test]
fn certificates_are_made_and_shown() {
    let folder = tempfile::tempdir().expect("folder");
    let state = folder.path().join("state");
    let option = format!("--state={}", state.display());
    let output = pubshim(&["cert", &option, "example.org", "München.example"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for (shown, name) in [
        ("example.org", "example.org"),
        (
            "münchen.example (xn--mnchen-3ya.example)",
            "xn--mnchen-3ya.example",
        ),
    ] {
        let file = state.join(format!("{name}.pem"));
        let facts = format!(
            "{shown}\n  file         {}\n  SHA-256      {}\n  SHA-1        ",
            file.display(),
            fingerprint(&file)
        );
        assert!(text.contains(&facts), "{facts}: {text}");
    }
    for part in [
        "/tls always",
        "ca_certs = '",
        "SSL_CERT_FILE=",
        "Do not add it",
        "shows a new certificate only once it is started anew",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let again = pubshim(
        &["cert", "example.org"],
        &[("PUBSHIM_STATE", &state.display().to_string())],
    );
    assert!(stdout(&again).contains(&fingerprint(&state.join("example.org.pem"))));
    assert!(!stdout(&again).contains("started anew"), "it is not new");
}

#[test]
fn certificates_of_the_configuration() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("pubshim.toml");
    std::fs::write(&path, "domain = ['a.example']\nstate = 'state'\n").expect("written");
    let config = format!("--config={}", path.display());
    let text = stdout(&pubshim(&["cert", &config], &[]));
    for name in ["localhost", "a.example"] {
        assert!(text.contains(&format!("{name}.pem")), "{name}: {text}");
    }
    let file = folder.path().join("given.pem");
    std::fs::copy(folder.path().join("state/a.example.pem"), &file).expect("copied");
    let given = format!("--cert={}", file.display());
    let text = stdout(&pubshim(&["cert", &given], &[]));
    assert!(text.contains(&fingerprint(&file)), "{text}");
    assert!(text.contains("pubshim makes none"), "{text}");
}

#[test]
fn certificates_that_cannot_be_made() {
    let folder = tempfile::tempdir().expect("folder");
    let option = format!("--state={}", folder.path().display());
    for domain in ["../x", "a_b", "-", "*.a", ""] {
        let error = refused(&["cert", &option, "--", domain], &[]);
        assert!(error.contains("domain"), "{domain}: {error}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("readable").count(),
        0
    );
    assert!(refused(&["cert"], &[]).contains("--state"));
    let error = refused(&["run", "--client-tls=require"], &[]);
    assert!(error.contains("--state"), "{error}");
    let file = file("");
    let below = format!("--state={}/state", path(&file));
    let output = pubshim(&["cert", &below], &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("localhost.pem: Not a directory"), "{error}");
}

#[test]
fn a_refused_proxy_is_not_repeated() {
    let wrong = "socks5://juliet:secret@localhost:99999";
    let broken = file("proxy = \"socks5://juliet:secret@localhost\n");
    let flag = refused(&["run", "--proxy", wrong], &[]);
    let expected = "'--proxy <ADDRESS>': expected socks5://";
    assert!(flag.contains(expected), "{flag}");
    let variable = refused(&["run"], &[("PUBSHIM_PROXY", wrong)]);
    let key = refused(&["run", "--config", path(&broken)], &[]);
    for error in [flag, variable, key] {
        assert!(!error.contains("secret"), "{error}");
    }
}
