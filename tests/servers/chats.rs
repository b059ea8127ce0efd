//! One-to-one messages (listings 18 to 20) between clients behind shims, with phones without shims, and accidents.

mod talk;
mod walk;

use std::time::Duration;

use serde_json::json;

use self::talk::{
    Talk, bodies, heard, know_each_other, left, says, settled, settled_as, together, ways_of,
};
use crate::between::{Homes, Servers, at_each_home};
use crate::common::{OWNER, PUBSUB};
use crate::people::come_online;
use crate::puppet::{Event, Puppet};
use crate::recorded::{Person, log_out, poll};
use crate::server::{Kind, Server};

at_each_home!(
    a_conversation_goes_by_pubsub,
    a_phone_comes_and_goes,
    a_phone_comes_and_goes_in_mid_conversation,
    what_is_said_to_somebody_who_has_just_vanished,
    what_nobody_could_copy_comes_at_the_next_login,
    what_goes_natively_is_as_it_was,
    whoever_is_blocked_reads_nothing_more,
    two_resources_see_the_same,
);
on_both_servers!(
    an_archive_lacks_nothing,
    everybody_comes_back,
    everybody_comes_back_to_two_servers,
    the_wire_between_the_servers_breaks,
);

fn a_conversation_goes_by_pubsub(homes: Homes<'_>) {
    let (juliet, romeo) = together(homes, &homes.accounts());
    let lines: Vec<_> = (0..20).map(|n| format!("line {n}")).collect();
    for (n, line) in lines.iter().enumerate() {
        let (speaker, listener) = match n % 3 {
            0 => (&romeo, &juliet),
            _ => (&juliet, &romeo),
        };
        says(&speaker.puppet, listener.bare(), line);
        let seen = listener.puppet.wait(line, |it| it.child("body") == line);
        assert_eq!([&*seen.from, &*seen.type_], [&speaker.puppet.full, "chat"]);
        assert_eq!(seen.id, format!("id-{line}"));
        assert!(!seen.xml.contains("urn:xmpp:delay"), "{}", seen.xml);
    }
    // One burst.
    let from = romeo.puppet.so_far().len();
    let burst: Vec<_> = (0..10).map(|n| format!("burst {n}")).collect();
    for line in &burst {
        says(&juliet.puppet, romeo.bare(), line);
    }
    assert_eq!(heard(&romeo.puppet, from, "burst 9"), burst);
    for (n, line) in lines.iter().enumerate() {
        let speaker = if n % 3 == 0 { &romeo } else { &juliet };
        assert_eq!(left(speaker, line), ["publish"], "{line}");
    }
    for line in &burst {
        assert_eq!(left(&juliet, line), ["publish"], "{line}");
    }
    // Each line once, and nothing that shims say to each other.
    for (listener, speaker) in [(&romeo, &juliet), (&juliet, &romeo)] {
        let seen = listener.puppet.so_far();
        let mut all = bodies(&seen);
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
        let strays = seen
            .iter()
            .filter(|it| it.kind == "message" && it.child("body").is_empty());
        assert_eq!(
            strays.map(|it| &*it.xml).collect::<Vec<_>>(),
            [""; 0],
            "{}",
            speaker.bare()
        );
    }
}

fn a_phone_comes_and_goes(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, romeo) = together(homes, &accounts);
    says(&juliet.puppet, romeo.bare(), "to the shim");
    let from = 0;
    heard(&romeo.puppet, from, "to the shim");

    let phone = Puppet::login(&homes.romeo.entry(), &accounts.1, "phone");
    come_online(&phone, "On the road");
    juliet.puppet.wait_for_status(&phone, "On the road");
    // A message to the bare JID goes to the client with the highest priority (ejabberd), or to all (Prosody).
    phone.send(json!({"cmd": "presence", "status": "In the hand", "priority": 5}));
    juliet.puppet.wait_for_status(&phone, "In the hand");
    says(&juliet.puppet, romeo.bare(), "to the phone");
    let seen = phone.wait("the message", |it| it.child("body") == "to the phone");
    assert_eq!(seen.from, juliet.puppet.full);
    assert!(!seen.xml.contains("pubshim"), "{}", seen.xml);
    log_out(&phone);
    juliet.puppet.wait_for_unavailable(&phone);

    says(&juliet.puppet, romeo.bare(), "to the shim again");
    let all = heard(&romeo.puppet, 0, "to the shim again");
    let ours = all.iter().filter(|it| *it != "to the phone");
    assert_eq!(
        ours.collect::<Vec<_>>(),
        ["to the shim", "to the shim again"]
    );
    assert_eq!(left(&juliet, "to the shim"), ["publish"]);
    assert_eq!(left(&juliet, "to the phone"), ["native"]);
    assert_eq!(left(&juliet, "to the shim again"), ["publish"]);
}

/// Both keep talking while Romeo's phone logs in and out.
fn a_phone_comes_and_goes_in_mid_conversation(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, romeo) = together(homes, &accounts);
    // One after the other: of two nodes created in the same instant, ejabberd may create only one.
    for (speaker, listener) in [(&juliet, &romeo), (&romeo, &juliet)] {
        says(&speaker.puppet, listener.bare(), "hark");
        heard(&listener.puppet, 0, "hark");
    }
    let talk = Talk::default();
    talk.go_on(&juliet, &romeo);
    let phone = Puppet::login(&homes.romeo.entry(), &accounts.1, "phone");
    phone.available("On the road");
    let is_there = |it: &Event| it.is_status_of(&phone.full, "On the road");
    let on_phone = talk.go_on_until(&juliet, &romeo, is_there);
    log_out(&phone);
    let is_gone = |it: &Event| it.is_presence_from(&phone.full, "unavailable");
    let back = talk.go_on_until(&juliet, &romeo, is_gone);

    for (speaker, listener) in [(&juliet, &romeo), (&romeo, &juliet)] {
        let lines = talk.lines(speaker);
        let last = lines.last().unwrap();
        assert_eq!(heard(&listener.puppet, 0, last)[1..], lines);
        let ways: Vec<_> = lines.iter().map(|it| left(speaker, it)).collect();
        assert_eq!(ways[0], ["publish"]);
        assert_eq!(ways[on_phone], ["native"], "while the phone is there");
        assert_eq!(ways[back], ["publish"], "when it is gone");
        assert!(ways.iter().all(|it| it.len() == 1), "{ways:?}");
    }
    // From the line on at which Juliet's shim knew of the phone, the phone got all lines until it left.
    let lines = talk.lines(&juliet);
    let got = bodies(&phone.so_far());
    let first = lines.iter().position(|it| *it == got[0]).unwrap();
    assert_eq!(got, lines[first..first + got.len()]);
    assert!(first <= on_phone && first + got.len() > on_phone, "{got:?}");
}

fn what_is_said_to_somebody_who_has_just_vanished(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, mut romeo) = together(homes, &accounts);
    says(&juliet.puppet, romeo.bare(), "before");
    heard(&romeo.puppet, 0, "before");
    settled(&juliet);

    // Romeo's shim hangs: to the server he is still online.
    romeo.shim.freeze();
    for line in ["one", "two"] {
        says(&juliet.puppet, romeo.bare(), line);
    }
    settled_as(&juliet, &["one", "two"]);
    romeo.shim.kill();
    juliet.puppet.wait_for_unavailable(&romeo.puppet);
    says(&juliet.puppet, romeo.bare(), "three");
    juliet
        .tape
        .wait("copies", |steps| ways_of(steps, "three") == ["native"]);
    for line in ["one", "two"] {
        assert_eq!(left(&juliet, line), ["publish", "native"], "{line}");
    }

    // The stored copies are for a client without a shim; Romeo's next shim shows each message once.
    let romeo = Person::online(homes.romeo, &accounts.1, "orchard");
    let mut lines = heard(&romeo.puppet, 0, "three");
    romeo.puppet.ping();
    lines.extend(heard(&romeo.puppet, 0, "three").split_off(lines.len()));
    // "before" was shown, but may not have been put on record: it may come again.
    lines.retain(|it| it != "before");
    assert_eq!(lines, ["one", "two", "three"]);
    let seen = romeo.puppet.so_far();
    let one = seen.iter().find(|it| it.child("body") == "one").unwrap();
    assert!(one.xml.contains("urn:xmpp:delay"), "{}", one.xml);

    // Once more: nothing comes again.
    log_out(&romeo.puppet);
    let romeo = Person::online(homes.romeo, &accounts.1, "orchard");
    know_each_other(&juliet, &romeo);
    says(&juliet.puppet, romeo.bare(), "four");
    assert_eq!(heard(&romeo.puppet, 0, "four"), ["four"]);
}

/// Juliet logs out before the server notices that Romeo has vanished.
fn what_nobody_could_copy_comes_at_the_next_login(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, romeo) = together(homes, &accounts);
    says(&juliet.puppet, romeo.bare(), "before");
    heard(&romeo.puppet, 0, "before");
    // The logout puts on record what was shown.
    log_out(&romeo.puppet);
    let mut romeo = Person::online(homes.romeo, &accounts.1, "orchard");
    know_each_other(&juliet, &romeo);
    romeo.shim.freeze();
    for line in ["one", "two"] {
        says(&juliet.puppet, romeo.bare(), line);
    }
    settled_as(&juliet, &["one", "two"]);
    log_out(&juliet.puppet);
    romeo.shim.kill();
    for line in ["one", "two"] {
        assert_eq!(left(&juliet, line), ["publish"], "{line}");
    }

    let romeo = Person::online(homes.romeo, &accounts.1, "orchard");
    assert_eq!(heard(&romeo.puppet, 0, "two"), ["one", "two"]);
    log_out(&romeo.puppet);
    let (juliet, romeo) = together(homes, &accounts);
    says(&juliet.puppet, romeo.bare(), "three");
    assert_eq!(heard(&romeo.puppet, 0, "three"), ["three"]);
}

fn what_goes_natively_is_as_it_was(homes: Homes<'_>) {
    let (juliet, romeo) = together(homes, &homes.accounts());
    says(&juliet.puppet, romeo.bare(), "first");
    heard(&romeo.puppet, 0, "first");
    let to = romeo.bare();
    let rows = [
        (
            "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
            "composing",
        ),
        (
            "<received xmlns='urn:xmpp:receipts' id='id-first'/>",
            "received",
        ),
        (
            "<displayed xmlns='urn:xmpp:chat-markers:0' id='id-first'/>",
            "displayed",
        ),
        (
            "<body>secret</body><no-store xmlns='urn:xmpp:hints'/>",
            "no-store",
        ),
        (
            "<body>corrected</body><replace xmlns='urn:xmpp:message-correct:0' id='id-first'/>\
             <request xmlns='urn:xmpp:receipts'/>",
            "replace",
        ),
        (
            "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='7'><key rid='1'>a</key></header>\
             <payload>b</payload></encrypted><store xmlns='urn:xmpp:hints'/>",
            "payload",
        ),
    ];
    for (inside, word) in rows {
        juliet.puppet.raw(&format!(
            "<message to='{to}' type='chat' id='{word}'>{inside}</message>"
        ));
        let seen = romeo
            .puppet
            .wait(word, |it| it.kind == "message" && it.id == word);
        assert_eq!(seen.from, juliet.puppet.full);
        assert!(seen.xml.contains(word), "{}", seen.xml);
    }
    // In the order of writing.
    let seen = romeo.puppet.so_far();
    let ids: Vec<_> = seen
        .iter()
        .filter(|it| it.kind == "message")
        .map(|it| &*it.id)
        .collect();
    let expected = [
        "id-first",
        "composing",
        "received",
        "displayed",
        "no-store",
        "replace",
        "payload",
    ];
    assert_eq!(ids, expected);
}

fn whoever_is_blocked_reads_nothing_more(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, romeo) = together(homes, &accounts);
    says(&juliet.puppet, romeo.bare(), "secret");
    heard(&romeo.puppet, 0, "secret");
    let hers = Puppet::login(&homes.juliet.entry(), &accounts.0, "raw");
    let list = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let list = hers.ask("get", Some(juliet.bare()), list).xml;
    let node = list
        .split("node=\"chat/")
        .nth(1)
        .and_then(|it| it.split('"').next());
    let node = format!(
        "chat/{}",
        node.unwrap_or_else(|| panic!("no node in {list}"))
    );
    let raw = Puppet::login(&homes.romeo.entry(), &accounts.1, "raw");
    let items = format!("<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>");
    let read = raw.ask("get", Some(juliet.bare()), &items);
    assert!(read.xml.contains("secret"), "{}", read.xml);

    let block = format!(
        "<block xmlns='urn:xmpp:blocking'><item jid='{}'/></block>",
        romeo.bare()
    );
    juliet.puppet.ask("set", None, &block);
    let owner = format!("<pubsub xmlns='{OWNER}'><affiliations node='{node}'/></pubsub>");
    poll("nobody who may read", Duration::from_secs(60), || {
        let list = hers.iq("get", None, &owner).xml;
        match list.contains(romeo.bare()) {
            true => Err(list),
            false => Ok(()),
        }
    });
    poll("an empty node", Duration::from_secs(60), || {
        let read = hers.ask("get", None, &items).xml;
        match read.contains("secret") {
            true => Err(read),
            false => Ok(()),
        }
    });
    // Lift the block: the node has to refuse him even without it.
    let unblock = format!(
        "<unblock xmlns='urn:xmpp:blocking'><item jid='{}'/></unblock>",
        romeo.bare()
    );
    juliet.puppet.ask("set", None, &unblock);
    let refused = raw.iq("get", Some(juliet.bare()), &items);
    assert_eq!(refused.type_, "error", "{}", refused.xml);
}

fn two_resources_see_the_same(homes: Homes<'_>) {
    let accounts = homes.accounts();
    let (juliet, romeo) = together(homes, &accounts);
    let desk = Person::online(homes.juliet, &accounts.0, "desk");
    know_each_other(&desk, &romeo);
    desk.puppet
        .ask("set", None, "<enable xmlns='urn:xmpp:carbons:2'/>");
    let from = format!("from='{}'", desk.puppet.full);
    juliet.tape.wait("the other one of hers", |steps| {
        steps.iter().any(|it| {
            it.starts_with("from server: <presence")
                && it.contains(&from)
                && it.contains("chat='1'")
        })
    });
    says(&juliet.puppet, romeo.bare(), "from the balcony");
    heard(&romeo.puppet, 0, "from the balcony");
    let copy = desk.puppet.wait("a copy", |it| {
        it.kind == "message" && it.xml.contains("from the balcony")
    });
    assert!(copy.xml.contains("urn:xmpp:carbons:2"), "{}", copy.xml);
    says(&romeo.puppet, juliet.bare(), "to both");
    for puppet in [&juliet.puppet, &desk.puppet] {
        let seen = puppet.wait("to both", |it| it.child("body") == "to both");
        assert_eq!(seen.from, romeo.puppet.full);
    }
    says(&romeo.puppet, &juliet.puppet.full, "to one");
    says(&romeo.puppet, juliet.bare(), "to both again");
    assert_eq!(
        heard(&juliet.puppet, 0, "to both again"),
        ["to both", "to one", "to both again"]
    );
    assert_eq!(
        heard(&desk.puppet, 0, "to both again"),
        ["to both", "to both again"]
    );
    for line in ["to both", "to one", "to both again"] {
        assert_eq!(left(&romeo, line), ["publish"], "{line}");
    }
    assert_eq!(left(&juliet, "from the balcony"), ["publish"]);
}

/// On a server with an archive, no message is missing from it.
fn an_archive_lacks_nothing(kind: Kind) {
    let server = Server::get(kind);
    let accounts = (server.account("escalus"), server.account("paris"));
    server.befriend(&accounts.0, &accounts.1);
    let one = Person::online(server, &accounts.0, "palace");
    let other = Person::online(server, &accounts.1, "street");
    one.puppet.wait("the other one", |it| {
        it.is_presence_from(&other.puppet.full, "")
    });
    other.puppet.wait("the other one", |it| {
        it.is_presence_from(&one.puppet.full, "")
    });
    says(&one.puppet, other.bare(), "hark");
    heard(&other.puppet, 0, "hark");
    says(&other.puppet, one.bare(), "who");
    heard(&one.puppet, 0, "who");
    for account in [&accounts.0, &accounts.1] {
        let phone = Puppet::login(&server.entry(), account, "phone");
        poll("the archive", Duration::from_secs(60), || {
            let from = phone.so_far().len();
            phone.ask("set", None, "<query xmlns='urn:xmpp:mam:2'/>");
            let results: String = phone.since(from).iter().map(|it| it.xml.clone()).collect();
            let count = |word| results.matches(word).count();
            match [count("<body>hark</body>"), count("<body>who</body>")] {
                [1, 1] => Ok(()),
                _ => Err(results),
            }
        });
    }
    assert_eq!(left(&one, "hark"), ["native"]);
}

fn everybody_comes_back(kind: Kind) {
    comes_back(Server::own(kind), |it| Homes::both(it), Server::restart);
}

fn everybody_comes_back_to_two_servers(kind: Kind) {
    comes_back(Servers::own(), |it| it.homes(kind), Servers::restart);
}

/// Shims or servers restart: no message is shown twice, and the conversation goes on.
fn comes_back<T>(mut servers: T, homes: impl Fn(&T) -> Homes<'_>, restart: impl Fn(&mut T)) {
    let accounts = homes(&servers).accounts();
    let (juliet, romeo) = together(homes(&servers), &accounts);
    says(&juliet.puppet, romeo.bare(), "one");
    heard(&romeo.puppet, 0, "one");
    says(&romeo.puppet, juliet.bare(), "two");
    heard(&juliet.puppet, 0, "two");
    log_out(&juliet.puppet);
    log_out(&romeo.puppet);
    drop((juliet, romeo));
    restart(&mut servers);
    let (juliet, romeo) = together(homes(&servers), &accounts);
    // Both shims check whether their nodes exist; until they know, they send natively.
    for person in [&juliet, &romeo] {
        person.tape.wait("who reads the node", |steps| {
            let is_answer = |it: &String| {
                let words = ["from server: <iq", "<subscription", "node='chat/"];
                words.iter().all(|word| it.contains(word))
            };
            steps.iter().any(is_answer)
        });
    }
    says(&romeo.puppet, juliet.bare(), "three");
    assert_eq!(heard(&juliet.puppet, 0, "three"), ["three"]);
    says(&juliet.puppet, romeo.bare(), "four");
    assert_eq!(heard(&romeo.puppet, 0, "four"), ["four"]);
    for (person, line) in [(&romeo, "three"), (&juliet, "four")] {
        assert_eq!(left(person, line), ["publish"]);
        let steps = person.tape.steps();
        assert!(
            !steps.iter().any(|it| it.contains("<create node='chat/")),
            "a second node"
        );
    }
}

/// Messages sent while nothing passed between the servers are shown, before later ones.
fn the_wire_between_the_servers_breaks(kind: Kind) {
    let servers = Servers::own();
    let homes = servers.homes(kind);
    let (juliet, romeo) = together(homes, &homes.accounts());
    let pairs = [(&juliet, &romeo), (&romeo, &juliet)];
    for (speaker, listener) in pairs {
        says(&speaker.puppet, listener.bare(), "one");
        heard(&listener.puppet, 0, "one");
    }
    servers.stall();
    for (speaker, listener) in pairs {
        says(&speaker.puppet, listener.bare(), "two");
        settled_as(speaker, &["two"]);
    }
    servers.cut();
    for line in ["three", "four"] {
        for (speaker, listener) in pairs {
            says(&speaker.puppet, listener.bare(), line);
            heard(&listener.puppet, 0, line);
        }
    }
    for (speaker, listener) in pairs {
        let lines = ["one", "two", "three", "four"];
        assert_eq!(heard(&listener.puppet, 0, "four"), lines);
        for line in lines {
            assert_eq!(left(speaker, line), ["publish"], "{line}");
        }
    }
}
