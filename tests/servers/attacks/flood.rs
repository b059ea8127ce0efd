//! Floods of requests by strangers: they delay nothing that the user sends, and take no memory of the shim.

use crate::common::PUBSUB;
use crate::people::{come_online, wait_for_items};
use crate::puppet::Puppet;
use crate::recorded::wait_for_membership;
use crate::server::{Kind, Server};
use crate::shim::Shim;
use crate::strangers::watch;

on_both_servers!(
    thousands_of_pings_of_shims_and_a_message,
    hundreds_of_requests_and_a_friend
);

const PINGS: usize = 4001;

/// Six strangers ping as shims do, to a full JID. Other pings are the client's to answer.
fn thousands_of_pings_of_shims_and_a_message(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    come_online(&juliet, "Here");
    wait_for_items(&juliet, "a status", |items| items.contains("Here"));
    let before = shim.memory();
    let six: Vec<_> = (0..6).map(|_| strangers.name("sampson")).collect();
    let pings = (0..PINGS).map(|number| {
        format!(
            "<iq type='get' id='ping-{number}' from='{}/pubshim' to='{}'><ping xmlns='urn:xmpp:ping'>\
             <shim xmlns='urn:pubshim:0'/></ping></iq>",
            six[number % 6],
            juliet.full
        )
    });
    let since = strangers.count();
    strangers.say(&pings.collect::<String>());
    strangers.say(&format!(
        "<message type='chat' from='{}' to='{}'><body>Do you bite your thumb at us?</body></message>",
        six[0], juliet.full
    ));
    juliet.wait("what came behind the pings", |it| {
        it.kind == "message" && it.from == six[0]
    });
    juliet.raw(&format!(
        "<message type='chat' id='no' to='{}'><body>No, sir</body></message>",
        six[0]
    ));
    strangers.wait("her answer", |it| {
        it.local == "message"
            && it.attribute("id") == Some("no")
            && it.attribute("to") == Some(&six[0])
    });
    let heard = six.iter().map(|it| {
        let heard = strangers.heard(it, since);
        let answers = heard.iter().filter(|it| it.local == "iq");
        answers.count()
    });
    let heard = heard.sum::<usize>();
    let grown = shim.memory().saturating_sub(before);
    assert!(heard < 400, "{heard} answers before what she said");
    assert!(grown < 20_000, "{grown} KiB more");
}

/// The request of an approved contact does not wait behind those of strangers.
fn hundreds_of_requests_and_a_friend(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let account = server.account("juliet");
    let friend = strangers.name("friend");
    server.write_roster(&account, &[(friend.clone(), String::new())]);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    come_online(&juliet, "Here");
    wait_for_items(&juliet, "a status", |items| items.contains("Here"));
    wait_for_membership(&juliet, &friend, true);
    for _ in 0..300 {
        let suitor = strangers.name("suitor");
        strangers.say(&format!(
            "<iq type='set' id='suit' from='{suitor}' to='{}'><pubsub xmlns='{PUBSUB}'>\
             <subscribe node='presence' jid='{suitor}'/></pubsub></iq>",
            account.bare
        ));
    }
    watch(strangers, &friend, &account.bare);
}
