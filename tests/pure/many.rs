//! Five hundred contacts: the cost of a login, by the bytes that reach the sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::common::Node;
use crate::world::*;

const COUNT: usize = 500;
const HERE: &str = "<presence xmlns='jabber:client' from='romeo@montague.lit/mobile'/>";

fn friend(number: usize) -> String {
    format!("friend{number}@montague.lit")
}

fn item(id: &str, publisher: &str, payload: &str) -> toml::Value {
    let pairs = [("id", id), ("publisher", publisher), ("payload", payload)];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value.into()));
    toml::Value::Table(toml::Table::from_iter(pairs))
}

/// Romeo's data on file, with another name.
fn of_friend(value: &toml::Value, name: &str) -> toml::Value {
    let renamed = |text: &str| text.replace(ROMEO, name);
    match value {
        toml::Value::String(text) => renamed(text).into(),
        toml::Value::Array(list) => list
            .iter()
            .map(|it| of_friend(it, name))
            .collect::<Vec<_>>()
            .into(),
        toml::Value::Table(table) => {
            let table = table
                .iter()
                .map(|(key, it)| (renamed(key), of_friend(it, name)));
            toml::Value::Table(table.collect())
        }
        other => other.clone(),
    }
}

/// A sandbox where Juliet has five hundred friends, each of whom was last seen available.
fn crowd() -> World {
    let names: Vec<String> = (0..COUNT).map(friend).collect();
    let mut accounts = vec![JULIET, ROMEO];
    accounts.extend(names.iter().map(String::as_str));
    let world = World::with(&accounts);
    let (juliet, romeo) = friends(&world);
    juliet.log_out();
    world.edit(|data| {
        let nodes = data["node"].as_array_mut().unwrap();
        let find = |nodes: &[toml::Value], service, name| {
            let is_it = |it: &&toml::Value| {
                it["service"].as_str() == Some(service) && it["name"].as_str() == Some(name)
            };
            nodes.iter().position(|it| is_it(&it)).unwrap()
        };
        let mut romeos = nodes.remove(find(nodes, ROMEO, "presence"));
        // An item left behind, on a server that does not clear up after a client.
        romeos["config"]["pubsub#purge_offline"] = "0".into();
        romeos["item"] = vec![item("mobile", ROMEO, HERE)].into();
        nodes.extend(names.iter().map(|name| of_friend(&romeos, name)));
        let own = find(nodes, JULIET, "presence");
        let list = nodes[own]["subscription"].as_array_mut().unwrap();
        let at = list.iter().position(|it| it["jid"].as_str() == Some(ROMEO));
        let one = list.remove(at.unwrap());
        list.extend(names.iter().map(|name| of_friend(&one, name)));
        let affiliations = nodes[own]["affiliations"].as_table_mut().unwrap();
        affiliations.remove(ROMEO);
        affiliations.extend(names.iter().map(|it| (it.clone(), "member".into())));
        let record = find(nodes, JULIET, "urn:pubshim:roster");
        let mut items: BTreeMap<u8, String> = BTreeMap::new();
        for name in &names {
            let entry = format!(
                "<contact jid='{name}' to='yes' from='yes' listed='yes' name='My {name}'>\
                 <group>All</group></contact>"
            );
            items
                .entry(Sha256::digest(name)[0])
                .or_default()
                .push_str(&entry);
        }
        let items = items.into_iter().map(|(id, entries)| {
            let payload = format!("<contacts xmlns='urn:pubshim:0'>{entries}</contacts>");
            item(&format!("{id:02x}"), JULIET, &payload)
        });
        nodes[record]["item"] = items.collect::<Vec<_>>().into();
    });
    romeo.close();
    world
}

#[test]
fn the_roster_is_there_at_once_and_the_rest_in_turn() {
    let world = crowd();
    let juliet = world.login(JULIET, "balcony");
    // The roster comes without any time passing.
    assert_eq!(juliet.roster().len(), COUNT);
    juliet.say("<presence/>");
    let own = |juliet: &Client| -> usize { juliet.sent().iter().map(|(_, bytes)| bytes).sum() };
    for second in 0..400 {
        // The request that empties the bucket may overdraw it.
        let limit = 10_000 + 1_500 * second + 500;
        let bytes = own(&juliet);
        assert!(bytes <= limit, "{bytes} after {second} s");
        world.advance(1);
    }
    // The price of elegance.
    assert!(own(&juliet) < 365 * COUNT, "{}", own(&juliet));
    // The shim has asked each contact once for its states, and each resource found there once whether it is there.
    let said = juliet.said();
    let is_to_others = |it: &&Node| it.attribute("to").is_some_and(|to| to != JULIET);
    let to_others: Vec<_> = said.iter().filter(is_to_others).collect();
    let count = |path| to_others.iter().filter(|it| it.has(path)).count();
    assert_eq!((count("pubsub/items"), count("ping")), (COUNT, COUNT));
    // Two more questions go to services for conversations.
    assert_eq!(to_others.len(), 2 * COUNT + 2);
    juliet.sees(&[]);
}

#[test]
fn what_the_user_does_does_not_wait() {
    let world = crowd();
    let juliet = world.login(JULIET, "balcony");
    juliet.roster();
    juliet.say("<presence/>");
    world.advance(3);
    juliet.look();
    juliet.say(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>\
         <item jid='friend7@montague.lit' name='Seven'/></query></iq>",
    );
    juliet.sees(&["result s", "push friend7@montague.lit both 'Seven'"]);
    juliet.said();
    juliet.status("Moping");
    assert!(juliet.said().iter().any(|it| it.has("pubsub/publish")));
}

#[test]
fn lost_subscriptions_are_made_again_in_turn() {
    let world = crowd();
    world.lose(JULIET, "presence");
    let juliet = world.start(JULIET, "balcony");
    let start = juliet.sent()[0].0;
    world.advance(600);
    let sent = juliet.sent();
    for second in 0..600 {
        let until = start + Duration::from_secs(second);
        let bytes: usize = sent
            .iter()
            .filter(|(at, _)| *at <= until)
            .map(|(_, bytes)| bytes)
            .sum();
        let limit = 10_000 + 1_500 * usize::try_from(second).unwrap();
        // One request for sixteen members, and the requests that cannot wait.
        assert!(bytes <= limit + 2_000, "{bytes} after {second} s");
    }
    let subscribers = world.raw(JULIET, "checker").subscribers();
    assert_eq!(subscribers.len(), COUNT);
    assert!(subscribers.iter().all(|it| it.ends_with(" subscribed")));
    assert_eq!(juliet.roster().len(), COUNT);
}
