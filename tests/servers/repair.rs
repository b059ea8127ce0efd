//! Policy auto: changes made while no shim was there are put right at the next login; a server that takes few
//! subscription stanzas; an account with many contacts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::people::{come_online, wait_for_items};
use crate::puppet::Puppet;
use crate::recorded::{
    Person, Tape, expect_once_by_event, expect_requests, items_of, log_out, make_friends, poll,
    wait_for, wait_for_membership, wait_for_no_subscription, wait_for_subscription,
    wait_for_subscriptions,
};
use crate::server::{Account, Kind, Server};

on_both_servers!(
    contact_removed_while_away,
    node_deleted_while_away,
    stranger_made_member_while_away,
    eight_requests_in_one_go,
    refusals_right_before_the_logout,
    many_contacts,
);

/// Two friends behind shims, Juliet logged out since.
fn friends(server: &Server) -> (Person, Account) {
    let account = server.account("juliet");
    let juliet = Person::online(server, &account, "balcony");
    let romeo = Person::online(server, &server.account("romeo"), "orchard");
    make_friends(&romeo, &juliet);
    wait_for_subscriptions(&romeo, &juliet);
    juliet.log_out();
    (romeo, account)
}

/// A session of the account without a shim sends these payloads.
fn meanwhile(server: &Server, account: &Account, payloads: &[String]) {
    let session = Puppet::login(&server.entry(), account, "elsewhere");
    for payload in payloads {
        session.ask("set", None, payload);
    }
    log_out(&session);
}

fn by_owner(what: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{what}</pubsub>")
}

fn contact_removed_while_away(kind: Kind) {
    let server = Server::get(kind);
    let (romeo, account) = friends(server);
    let remove = format!(
        "<query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query>",
        romeo.bare()
    );
    meanwhile(server, &account, &[remove]);
    let juliet = Person::online(server, &account, "balcony");
    wait_for_membership(&juliet.puppet, romeo.bare(), false);
    wait_for_no_subscription(&romeo.puppet, juliet.bare());
    let answer = items_of(&romeo.puppet, juliet.bare());
    assert_eq!(answer.type_, "error", "{}", answer.xml);
    juliet.puppet.available("After");
    wait_for_items(&juliet.puppet, "the next status", |items| {
        items.contains("After")
    });
    let seen = romeo.puppet.seen_before_next_of(&juliet.puppet);
    let leaked = seen.iter().find(|it| it.xml.contains("After"));
    assert_eq!(leaked.map(|it| &it.xml), None);
    assert!(!romeo.has_event(juliet.bare(), "After"));
}

fn node_deleted_while_away(kind: Kind) {
    let server = Server::get(kind);
    let (romeo, account) = friends(server);
    meanwhile(server, &account, &[by_owner("<delete node='presence'/>")]);
    wait_for_no_subscription(&romeo.puppet, &account.bare);
    let juliet = Person::online(server, &account, "balcony");
    wait_for_membership(&juliet.puppet, romeo.bare(), true);
    wait_for_subscription(&romeo.puppet, romeo.bare(), juliet.bare());
    expect_once_by_event(&juliet, &romeo, "Moping");
    expect_once_by_event(&romeo, &juliet, "Climbing");
    let question = by_owner("<configure node='presence'/>");
    let configuration = juliet.puppet.ask("get", None, &question);
    let access = match kind {
        Kind::Ejabberd => "<value>authorize</value>",
        Kind::Prosody => "<value>whitelist</value>",
    };
    assert!(configuration.xml.contains(access), "{}", configuration.xml);
}

fn stranger_made_member_while_away(kind: Kind) {
    let server = Server::get(kind);
    let (romeo, account) = friends(server);
    let bard = Puppet::login(&server.entry(), &server.account("bard"), "globe");
    come_online(&bard, "Watching");
    let member = |jid: &str| {
        by_owner(&format!(
            "<affiliations node='presence'><affiliation jid='{jid}' affiliation='member'/></affiliations>"
        ))
    };
    let subscribed = by_owner(&format!(
        "<subscriptions node='presence'><subscription jid='{}' subscription='subscribed'/></subscriptions>",
        bard.bare
    ));
    meanwhile(server, &account, &[member(&bard.bare), subscribed]);
    wait_for_subscription(&bard, &bard.bare, &account.bare);
    let juliet = Person::online(server, &account, "balcony");
    wait_for_membership(&juliet.puppet, &bard.bare, false);
    wait_for_no_subscription(&bard, juliet.bare());
    juliet.puppet.available("After");
    wait_for_items(&juliet.puppet, "the next status", |items| {
        items.contains("After")
    });
    let seen = bard.seen_before_next_of(&juliet.puppet);
    let leaked = seen.iter().find(|it| it.xml.contains("After"));
    assert_eq!(leaked.map(|it| &it.xml), None);
    // The approved contact stays a member.
    wait_for_membership(&juliet.puppet, romeo.bare(), true);
    expect_once_by_event(&juliet, &romeo, "Later");
}

/// More refusals than ejabberd takes in a minute: it acts on all, and bounces some.
fn refusals_right_before_the_logout(kind: Kind) {
    const COUNT: usize = 8;
    let server = Server::get(kind);
    let account = server.account("juliet");
    server.add_contacts(&account, COUNT);
    let contacts: Vec<String> = (0..COUNT)
        .map(|it| format!("contact-{it:03}@montague.lit"))
        .collect();
    let juliet = Person::online(server, &account, "balcony");
    for contact in &contacts {
        wait_for_membership(&juliet.puppet, contact, true);
    }
    for contact in &contacts {
        juliet.say("unsubscribed", contact);
    }
    juliet.log_out();

    let plain = Puppet::login(&server.entry(), &account, "elsewhere");
    let roster = plain.ask("get", None, "<query xmlns='jabber:iq:roster'/>");
    for contact in &contacts {
        let item = roster.xml.split("<item ").find(|it| it.contains(contact));
        let item = item.unwrap_or_else(|| panic!("no {contact} in {}", roster.xml));
        let may_see = ["\"from\"", "\"both\""].iter().any(|it| item.contains(it));
        assert!(!may_see, "{item}");
        wait_for_membership(&plain, contact, false);
    }
    let juliet = Person::online(server, &account, "balcony");
    juliet.puppet.available("Back");
    wait_for_items(&plain, "the next status", |items| items.contains("Back"));
    for contact in &contacts {
        wait_for_membership(&plain, contact, false);
    }
}

/// ejabberd takes five a minute.
fn eight_requests_in_one_go(kind: Kind) {
    let server = Server::get(kind);
    let romeo = Person::online(server, &server.account("romeo"), "orchard");
    let asked: Vec<_> = (0..8).map(|_| server.account("juliet")).collect();
    for account in &asked {
        romeo.say("subscribe", &account.bare);
    }
    // The server's limit makes this take more than a minute.
    let patience = Duration::from_secs(120);
    poll("eight requests", patience, || {
        let sent = romeo.tape.steps();
        // The server answers in order: behind the answer to a later question no bounce of these is still to come.
        let later = "<query xmlns='jabber:iq:roster'/>";
        romeo.puppet.ask("get", None, later);
        let came = romeo.tape.steps();
        let waits = asked
            .iter()
            .find(|account| !was_delivered(&sent, &came, account));
        waits.map_or(Ok(()), |account| Err(account.bare.clone()))
    });
    for account in &asked {
        let juliet = Puppet::login(&server.entry(), account, "balcony");
        come_online(&juliet, "Here");
        wait_for(&juliet, romeo.bare(), "subscribe");
        expect_requests(&juliet, romeo.bare(), 1);
    }
    let seen = romeo.puppet.seen_before_next_of(&romeo.puppet);
    let error = seen
        .iter()
        .find(|it| it.kind == "presence" && it.type_ == "error");
    assert_eq!(error.map(|it| &it.xml), None);
}

/// Whether the last request to this account was delivered: of those that were `sent`, one has not bounced in what `came`.
fn was_delivered(sent: &[String], came: &[String], account: &Account) -> bool {
    let (to, from) = (
        format!("to='{}'", account.bare),
        format!("from='{}'", account.bare),
    );
    let about = |it: &String, leg: &str, address: &str, kind: &str| {
        it.starts_with(leg) && it.contains(address) && it.contains(kind)
    };
    let is_sent = |it: &&String| about(it, "to server: <presence", &to, "'subscribe'");
    let is_bounced = |it: &&String| about(it, "from server: <presence", &from, "'error'");
    sent.iter().filter(is_sent).count() > came.iter().filter(is_bounced).count()
}

const CONTACTS: usize = 300;

/// The user's stanzas do not wait, and the shim paces its own requests.
fn many_contacts(kind: Kind) {
    let server = Server::get(kind);
    let (her, his) = (server.account("juliet"), server.account("romeo"));
    server.add_contacts(&her, CONTACTS);
    let romeo = Puppet::login(&server.entry(), &his, "orchard");
    come_online(&romeo, "Here");
    let juliet = Person::login(server, &her, "balcony");
    let start = Instant::now();
    juliet.puppet.send(json!({"cmd": "roster"}));
    juliet.puppet.available("Here");
    let first = time_of_message(&juliet.puppet, &romeo, "Art thou not Romeo?");
    let roster = juliet.puppet.wait("the roster", |it| {
        // With an item: Prosody's features contain the namespace, too.
        it.kind == "iq" && it.xml.contains("jabber:iq:roster") && it.xml.contains("<item ")
    });
    let shown = start.elapsed();
    assert_eq!(roster.xml.matches("<item ").count(), CONTACTS);
    poll("half of them", Duration::from_secs(60), || {
        let stanzas = Traffic::of(&juliet.tape).stanzas;
        let is_half = stanzas > CONTACTS / 2;
        is_half.then_some(()).ok_or(stanzas.to_string())
    });
    let second = time_of_message(&juliet.puppet, &romeo, "Dost thou love me?");
    // The last contact was asked for.
    let last = format!("contact-{:03}@", CONTACTS - 1);
    poll("all contacts looked at", Duration::from_secs(120), || {
        let steps = juliet.tape.steps();
        let is_asked = |it: &&String| it.starts_with("to server: <iq") && it.contains(&last);
        match steps.iter().filter(is_asked).count() {
            // Made a member, and asked for items.
            2.. => Ok(()),
            count => Err(count.to_string()),
        }
    });
    let traffic = Traffic::of(&juliet.tape);
    eprintln!(
        "{kind:?}, {CONTACTS} contacts: messages took {first:?} and {second:?}, the roster {shown:?} at most; {traffic:?}"
    );
    // Servers throttle: without pacing, the shim's requests would delay a message by half a minute.
    assert!(
        first.max(second) < Duration::from_secs(5),
        "{first:?}, {second:?}"
    );
    // Seconds are rounded down; the last request may overdraw.
    assert!(traffic.excess < 1500 + 2000, "{traffic:?}");
    let answer = Duration::from_secs(1);
    assert!(traffic.roster <= answer, "{traffic:?}");
}

/// Time of a message from client to client.
fn time_of_message(from: &Puppet, to: &Puppet, text: &str) -> Duration {
    let start = Instant::now();
    from.send(json!({"cmd": "message", "to": to.full, "body": text}));
    to.wait("a message", |it| it.is_message_from(&from.full, text));
    start.elapsed()
}

/// A shim's own requests to the server.
#[derive(Debug, Default)]
struct Traffic {
    stanzas: usize,
    bytes: usize,
    /// Time from the first to the last.
    time: Duration,
    /// Bytes sent beyond an allowance of 10 kB plus 1.5 kB for each second since the first, at the worst moment.
    excess: i64,
    /// Time from the client's roster request to the answer.
    roster: Duration,
}

impl Traffic {
    fn of(tape: &Tape) -> Self {
        let mut traffic = Self::default();
        let (mut now, mut first) = (Duration::ZERO, None);
        let mut roster_asked = Duration::ZERO;
        traffic.excess = i64::MIN;
        for step in tape.steps() {
            if let Some(time) = step.strip_prefix("wait ") {
                // "wait 3s, 1s unread"
                let time = time.split(',').next().unwrap_or_default();
                now += parse_time(time);
            } else if step.starts_with("from client: <iq") && step.contains("jabber:iq:roster") {
                roster_asked = now;
            } else if step.starts_with("to client: <iq") && step.contains("jabber:iq:roster") {
                traffic.roster = now - roster_asked;
            } else if let Some(stanza) = step.strip_prefix("to server: ")
                && let Some((_, rest)) = stanza.split_once("id='${id:")
            {
                let name = rest.split('}').next().unwrap_or_default();
                let first = *first.get_or_insert(now);
                traffic.stanzas += 1;
                traffic.bytes += stanza.len() - "${id:}".len() - name.len() + ID;
                traffic.time = now - first;
                let allowed = 10_000 + 1_500 * traffic.time.as_millis() / 1000;
                let excess =
                    i64::try_from(traffic.bytes).unwrap() - i64::try_from(allowed).unwrap();
                traffic.excess = traffic.excess.max(excess);
            }
        }
        traffic
    }
}

/// Length of a shim's id; a recording has a name in its place.
const ID: usize = 44;

fn parse_time(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(millis.parse().unwrap()),
        None => Duration::from_secs(text.trim_end_matches('s').parse().unwrap()),
    }
}
