//! An error in answer to the shim's questions (roster, blocks, privacy lists): nothing is published until the server
//! has told who may see the user.

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
    // Prosody has no privacy lists.
    if kind == Kind::Ejabberd {
        nothing_is_shown_without_an_answer(kind, "jabber:iq:privacy");
    }
}

fn no_answer_about_members(kind: Kind) {
    // Make the node first: a new node has no subscribers to ask about.
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

/// An account with two contacts, one of them blocked.
struct Scene {
    server: &'static Server,
    account: Account,
    friend: String,
    enemy: String,
    /// A client of her account without a shim.
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

    /// The server answers questions that contain this with an error; later it answers them.
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
        // The shim asks again when the client sends presence.
        juliet.available("Sure");
        wait_for_items(&self.checker, "the newest", |items| items.contains("Sure"));
        wait_for_membership(&self.checker, &self.friend, true);
        wait_for_membership(&self.checker, &self.enemy, false);
    }
}
