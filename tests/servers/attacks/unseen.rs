//! Contacts who may not see the user any more, or from whom it is hiding just now: nothing is published to them.

use super::{as_without_us, rounds};
use crate::people::{come_online, wait_for_items};
use crate::puppet::Puppet;
use crate::recorded::{Person, log_out, wait_for_membership};
use crate::server::{Account, Kind, Server};
use crate::strangers::{told_of, watch};

on_both_servers!(
    ended_from_another_client_while_away,
    blocked_while_away_and_behind_a_shim,
    blocked_and_a_status_in_one_write,
);

/// Stanzas of the user with which a contact's access ends.
const ENDS: [fn(&str) -> String; 3] = [removal, refusal, block];

fn removal(contact: &str) -> String {
    format!(
        "<iq type='set' id='remove'><query xmlns='jabber:iq:roster'>\
         <item jid='{contact}' subscription='remove'/></query></iq>"
    )
}

fn refusal(contact: &str) -> String {
    format!("<presence to='{contact}' type='unsubscribed'/>")
}

fn block(contact: &str) -> String {
    format!(
        "<iq type='set' id='block'><block xmlns='urn:xmpp:blocking'>\
         <item jid='{contact}'/></block></iq>"
    )
}

/// A client behind a shim with these contacts, all strangers, who watch its node with two JIDs each.
fn watched_by(server: &Server, names: &[&str]) -> (Person, Account, Vec<String>) {
    let strangers = server.strangers();
    let contacts: Vec<_> = names.iter().map(|it| strangers.name(it)).collect();
    let account = server.account("juliet");
    let roster = contacts.iter().map(|it| (it.clone(), String::new()));
    server.write_roster(&account, &roster.collect::<Vec<_>>());
    let juliet = Person::online(server, &account, "balcony");
    wait_for_items(&juliet.puppet, "a status", |items| items.contains("Here"));
    for contact in &contacts {
        wait_for_membership(&juliet.puppet, contact, true);
        watch(strangers, contact, &account.bare);
        watch(strangers, &format!("{contact}/mobile"), &account.bare);
    }
    (juliet, account, contacts)
}

/// A client without a shim logs in, sends these stanzas, and logs out.
fn end_elsewhere(server: &Server, account: &Account, stanzas: &[String]) {
    let elsewhere = Puppet::login(&server.entry(), account, "elsewhere");
    come_online(&elsewhere, "Elsewhere");
    elsewhere.raw(&stanzas.concat());
    rounds(&elsewhere);
    log_out(&elsewhere);
}

/// Sends two statuses. When the second is on the node, or has reached the server, the first has reached all it is for.
fn say_two_things(juliet: &Puppet, is_published: bool) {
    for status in ["After", "Later"] {
        juliet.available(status);
        juliet.wait_for_status(juliet, status);
        if is_published {
            wait_for_items(juliet, status, |items| items.contains(status));
        }
    }
    rounds(juliet);
}

fn ended_from_another_client_while_away(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let told = as_without_us(server, &["auto"], |way| {
        let names = ["removed", "refused", "blocked", "kept"];
        let (juliet, account, contacts) = watched_by(server, &names);
        juliet.log_out();
        let ends = ENDS
            .iter()
            .zip(&contacts)
            .map(|(end, contact)| end(contact));
        end_elsewhere(server, &account, &ends.collect::<Vec<_>>());
        strangers.catch_up("capulet.lit");
        let since = strangers.count();
        let juliet = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&juliet, "Back");
        say_two_things(&juliet, !way.is_direct());
        log_out(&juliet);
        strangers.catch_up("capulet.lit");
        let kept = told_of(strangers, &contacts[3], &account.bare, since);
        assert!(kept.iter().any(|it| it == "native: Later"), "{kept:?}");
        let by_event = kept.iter().any(|it| it == "event: Later");
        assert_eq!(by_event, !way.is_direct(), "{kept:?}");
        let others = names.iter().zip(&contacts).take(3);
        others
            .map(|(name, contact)| (*name, told_of(strangers, contact, &account.bare, since)))
            .collect::<Vec<_>>()
    });
    let nothing = told
        .iter()
        .all(|(_, told)| told.iter().all(|it| it.ends_with("unavailable")));
    assert!(nothing, "{told:#?}");
}

/// The blocked contact keeps no ghost, and is shown nothing at his next login.
fn blocked_while_away_and_behind_a_shim(kind: Kind) {
    let server = Server::get(kind);
    let shown = as_without_us(server, &["auto"], |way| {
        let (her, his) = (server.account("juliet"), server.account("romeo"));
        server.befriend(&her, &his);
        let romeo = Person::online(server, &his, "orchard");
        let juliet = Person::online(server, &her, "balcony");
        crate::recorded::wait_for_subscriptions(&juliet, &romeo);
        juliet.log_out();
        romeo.puppet.wait("her going", |it| {
            it.from.starts_with(&her.bare) && it.type_ == "unavailable"
        });
        end_elsewhere(server, &her, &[block(&his.bare)]);
        rounds(&romeo.puppet);
        let before = shown_of(&romeo.puppet, &her).len();
        let juliet = Puppet::login(&way.entry(), &her, "balcony");
        come_online(&juliet, "Back");
        say_two_things(&juliet, !way.is_direct());
        let again = Person::online(server, &his, "mobile");
        rounds(&again.puppet);
        log_out(&juliet);
        for person in [&romeo, &again] {
            rounds(&person.puppet);
            for status in ["Back", "After", "Later"] {
                assert!(!person.has_event(&her.bare, status), "{status} by event");
            }
        }
        let shown = shown_of(&romeo.puppet, &her).split_off(before);
        [shown, shown_of(&again.puppet, &her)]
    });
    let is_there = |it: &String| it.starts_with("available");
    assert!(!shown.iter().flatten().any(is_there), "{shown:#?}");
}

/// Each presence a client has seen of somebody's resources.
fn shown_of(who: &Puppet, of: &Account) -> Vec<String> {
    let seen = who.seen_before_next_of(who);
    let of = format!("{}/balcony", of.bare);
    let presences = seen
        .iter()
        .filter(|it| it.kind == "presence" && it.from == of);
    let says = |type_: &str, status: &str| match type_ {
        "" => format!("available: {status}"),
        other => other.to_owned(),
    };
    presences
        .map(|it| says(&it.type_, it.child("status")))
        .collect()
}

/// A block holds for the stanzas behind it.
fn blocked_and_a_status_in_one_write(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let told = as_without_us(server, &["auto"], |way| {
        let (juliet, account, contacts) = watched_by(server, &["refused", "blocked"]);
        juliet.log_out();
        let juliet = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&juliet, "Back");
        say_two_things(&juliet, !way.is_direct());
        strangers.catch_up("capulet.lit");
        let since = strangers.count();
        for (end, contact) in ENDS[1..].iter().zip(&contacts) {
            let status = format!("Not for {contact}");
            juliet.raw(&format!(
                "{}<presence><status>{status}</status></presence>",
                end(contact)
            ));
            juliet.wait_for_status(&juliet, &status);
            if !way.is_direct() {
                wait_for_items(&juliet, &status, |items| items.contains(&status));
            }
            rounds(&juliet);
        }
        say_two_things(&juliet, !way.is_direct());
        log_out(&juliet);
        strangers.catch_up("capulet.lit");
        let told = contacts.iter().map(|contact| {
            let told = told_of(strangers, contact, &account.bare, since);
            let own = format!("Not for {contact}");
            let not_for_him = told.into_iter().skip_while(|it| !it.ends_with(&own));
            not_for_him.collect::<Vec<_>>()
        });
        told.collect::<Vec<_>>()
    });
    assert_eq!(told, [Vec::<String>::new(), Vec::new()]);
}
