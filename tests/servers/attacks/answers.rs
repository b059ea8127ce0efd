//! An answer that comes as an error says nothing: until it is known who may see somebody, nobody is shown
//! anything by event.

use super::rounds;
use crate::forger::Forger;
use crate::people::{come_online, presence_items, wait_for_items};
use crate::puppet::Puppet;
use crate::recorded::{log_out, wait_for_membership};
use crate::server::{Account, Kind, Server};
use crate::shim::Shim;
use crate::strangers::told_of;

on_both_servers!(
    no_answer_about_blocks,
    no_answer_about_privacy_lists,
    no_answer_about_members,
);

fn no_answer_about_blocks(kind: Kind) {
    nothing_is_shown_without_an_answer(kind, "urn:xmpp:blocking");
}

fn no_answer_about_privacy_lists(kind: Kind) {
    // Prosody has none.
    if kind == Kind::Ejabberd {
        nothing_is_shown_without_an_answer(kind, "jabber:iq:privacy");
    }
}

fn no_answer_about_members(kind: Kind) {
    // Of a new node nobody has to ask.
    let server = Server::get(kind);
    let scene = Scene::new(server);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &scene.account, "balcony");
    come_online(&juliet, "Sure");
    wait_for_membership(&juliet, &scene.friend, true);
    log_out(&juliet);
    scene.play("<affiliations");
}

fn nothing_is_shown_without_an_answer(kind: Kind, question: &'static str) {
    Scene::new(Server::get(kind)).play(question);
}

/// Somebody with two contacts, one of them blocked.
struct Scene {
    server: &'static Server,
    account: Account,
    friend: String,
    enemy: String,
    /// Hers, without a shim.
    checker: Puppet,
}

impl Scene {
    fn new(server: &'static Server) -> Self {
        let account = server.account("juliet");
        let [friend, enemy] = ["friend", "enemy"].map(|it| server.strangers().name(it));
        let roster = [&friend, &enemy].map(|it| (it.clone(), String::new()));
        server.write_roster(&account, &roster);
        let checker = Puppet::login(&server.entry(), &account, "checker");
        let item = format!("<item jid='{enemy}'/>");
        let block = format!("<block xmlns='urn:xmpp:blocking'>{item}</block>");
        checker.ask("set", None, &block);
        Self {
            server,
            account,
            friend,
            enemy,
            checker,
        }
    }

    /// Her server does not answer what contains this; later it does.
    fn play(&self, question: &'static str) {
        let strangers = self.server.strangers();
        strangers.catch_up("capulet.lit");
        let since = strangers.count();
        let forger = Forger::before(self.server, question);
        let uri = format!("plain://{}", forger.addr);
        let shim = Shim::run(&["--server", &uri, "--policy", "auto"]);
        let juliet = Puppet::login(&shim.entry(), &self.account, "balcony");
        come_online(&juliet, "Unsure");
        shim.wait_for_log("WARN");
        juliet.available("Still unsure");
        juliet.wait_for_status(&juliet, "Still unsure");
        rounds(&juliet);
        assert!(forger.forged() > 0, "{question} was not asked");
        let items = presence_items(&self.checker);
        assert!(!items.contains("<item "), "published: {items}");
        strangers.catch_up("capulet.lit");
        let told = told_of(strangers, &self.friend, &self.account.bare, since);
        assert_eq!(told, ["native: Unsure", "native: Still unsure"]);

        forger.stop();
        // What it does not know it asks for when the client says something.
        juliet.available("Sure");
        wait_for_items(&self.checker, "the newest", |items| items.contains("Sure"));
        wait_for_membership(&self.checker, &self.friend, true);
        wait_for_membership(&self.checker, &self.enemy, false);
    }
}
