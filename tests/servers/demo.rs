//! `pubshim demo` with real clients.

use std::process::Command;

use crate::process::Guarded;
use crate::puppet::Puppet;
use crate::server::{Account, Entry};

#[test]
fn two_clients_log_in_and_their_presence_is_published() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
    command.args(["demo", "--listen=127.0.0.1:0"]);
    let mut demo = Guarded::start(None, &command);
    let port = demo.output.find(|line| {
        let (_, rest) = line.split_once("Clients log in at 127.0.0.1, port ")?;
        rest.split(',').next()?.parse::<u16>().ok()
    });
    let Some((_, port)) = port else {
        panic!("the demo does not listen:\n{}", demo.said());
    };
    let entry = Entry {
        addr: ([127, 0, 0, 1], port).into(),
        ca_file: None,
    };
    for (name, password, resource) in [
        ("juliet", "capulet", "balcony"),
        ("romeo", "montague", "orchard"),
    ] {
        let account = Account {
            bare: format!("{name}@localhost"),
            password: password.to_owned(),
        };
        let client = Puppet::login(&entry, &account, resource);
        client.available("Moping");
        let published = format!("publish presence/{resource} <presence> status=\"Moping\"");
        let seen = demo
            .output
            .find(|line| line.contains(&published).then_some(()));
        assert!(seen.is_some(), "{published}:\n{}", demo.said());
    }
    demo.signal("TERM");
    assert_eq!(demo.exit_code(), Some(0), "{}", demo.said());
}
