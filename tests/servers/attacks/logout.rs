//! Stanzas that a client sends right before logging out take effect, also where the server takes only a few at a time.

use std::collections::BTreeMap;

use super::{Way, as_without_us, rounds};
use crate::people::{come_online, wait_for_items};
use crate::puppet::Puppet;
use crate::recorded::{Person, log_out, wait_for_membership};
use crate::server::{Kind, Server};
use crate::strangers::{told_of, watch};

on_both_servers!(twelve_refused_then_logout, eight_asked_then_logout);

const TWELVE: usize = 12;

/// ejabberd acts on all refusals, passes five a minute on, and bounces the others.
fn twelve_refused_then_logout(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let told = as_without_us(server, &["auto"], |way| {
        let contacts: Vec<_> = (0..TWELVE).map(|_| strangers.name("suitor")).collect();
        let account = server.account("juliet");
        let roster = contacts.iter().map(|it| (it.clone(), String::new()));
        server.write_roster(&account, &roster.collect::<Vec<_>>());
        let juliet = Person::online(server, &account, "balcony");
        wait_for_items(&juliet.puppet, "a status", |items| items.contains("Here"));
        for contact in &contacts {
            watch(strangers, contact, &account.bare);
        }
        juliet.log_out();
        meet_the_limit(way);

        let juliet = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&juliet, "Back");
        rounds(&juliet);
        strangers.catch_up("capulet.lit");
        let since = strangers.count();
        let refusals = contacts
            .iter()
            .map(|it| format!("<presence to='{it}' type='unsubscribed'/>"));
        juliet.raw(&refusals.collect::<String>());
        juliet.available("Private");
        juliet.wait_for_status(&juliet, "Private");
        rounds(&juliet);
        let fates = fates(&juliet, strangers, &contacts, "unsubscribed", since);
        log_out(&juliet);

        // None of the refused becomes a member again, whatever they ask.
        let juliet = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&juliet, "Back again");
        if !way.is_direct() {
            wait_for_items(&juliet, "a status", |items| items.contains("Back again"));
            for contact in &contacts {
                wait_for_membership(&juliet, contact, false);
            }
            juliet.available("Still here");
            wait_for_items(&juliet, "a status", |items| items.contains("Still here"));
        }
        rounds(&juliet);
        strangers.catch_up("capulet.lit");
        let statuses = contacts
            .iter()
            .flat_map(|it| told_of(strangers, it, &account.bare, since));
        let statuses =
            statuses.filter(|it| !it.contains("unavailable") && !it.contains("unsubscribed"));
        let roster = juliet.ask("get", None, "<query xmlns='jabber:iq:roster'/>");
        let sees =
            |it: &str| it.contains("subscription=\"both\"") || it.contains("subscription=\"from\"");
        let seen_by = roster.xml.split("<item ").filter(|it| sees(it)).count();
        let lost = fates.values().filter(|it| it.is_empty()).count();
        (lost, statuses.collect::<Vec<_>>(), seen_by)
    });
    assert_eq!(told, (0, Vec::new(), 0), "lost, told, and still seen by");
}

/// Lets the shim of this way find out that the server takes only five subscription stanzas a minute, if it does.
fn meet_the_limit(way: &Way<'_>) {
    let nurse = Puppet::login(&way.entry(), &way.server.account("nurse"), "chamber");
    come_online(&nurse, "Here");
    let contacts = (0..6).map(|_| way.server.strangers().name("servant"));
    let requests = contacts.map(|it| format!("<presence to='{it}' type='subscribe'/>"));
    nurse.raw(&requests.collect::<String>());
    rounds(&nurse);
    log_out(&nurse);
}

/// Requests that are not delivered come back as errors.
fn eight_asked_then_logout(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let lost = as_without_us(server, &["auto"], |way| {
        let contacts: Vec<_> = (0..8).map(|_| strangers.name("suitor")).collect();
        let juliet = Puppet::login(&way.entry(), &server.account("juliet"), "balcony");
        come_online(&juliet, "Here");
        rounds(&juliet);
        let since = strangers.count();
        let requests = contacts
            .iter()
            .map(|it| format!("<presence to='{it}' type='subscribe'/>"));
        juliet.raw(&(requests.collect::<String>() + "</stream:stream>"));
        juliet.wait("the end of the stream", |it| it.event == "disconnected");
        strangers.catch_up("capulet.lit");
        let fates = fates(&juliet, strangers, &contacts, "subscribe", since);
        let lost = fates.into_iter().filter(|(_, fate)| fate.is_empty());
        lost.map(|(contact, _)| contact).collect::<Vec<_>>()
    });
    assert_eq!(lost, Vec::<String>::new(), "neither delivered nor returned");
}

/// For each contact, whether the stanza of this type was delivered, came back, or neither.
fn fates(
    from: &Puppet,
    strangers: &crate::strangers::Strangers,
    contacts: &[String],
    type_: &str,
    since: usize,
) -> BTreeMap<String, Vec<&'static str>> {
    let seen = from.so_far();
    let fates = contacts.iter().map(|contact| {
        let heard = strangers.heard(contact, since);
        let is_it = |it: &crate::common::Node| {
            it.local == "presence"
                && it.attribute("type") == Some(type_)
                && it
                    .attribute("from")
                    .is_some_and(|it| it.starts_with(&from.bare))
        };
        let mut fate = Vec::new();
        if heard.iter().any(is_it) {
            fate.push("delivered");
        }
        if seen.iter().any(|it| it.is_presence_from(contact, "error")) {
            fate.push("returned");
        }
        (contact.clone(), fate)
    });
    fates.collect()
}
