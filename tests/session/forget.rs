//! Nodes that pubshim has left on an account are listed and removed, and no others.

use pubshim::session::{Event, Forget, Forgetting, Input, Leg, Policy};

use crate::driver::Stage;
use crate::scenes::*;

const ROSTER: &str = "urn:pubshim:roster";
const CHATS: &str = "urn:pubshim:chats";
const CHAT: &str = "chat/0123456789abcdef0123456789abcdef";
const OTHER_CHAT: &str = "chat/ps-01234567-0123456789abcdef0123456789abcdef";
/// Nodes of other programs on an account, and names that are nearly ours.
const FOREIGN: [&str; 8] = [
    "urn:xmpp:avatar:metadata",
    "eu.siacs.conversations.axolotl.devicelist",
    "urn:xmpp:bookmarks:1",
    "http://jabber.org/protocol/nick",
    "urn:pubshim:rosters",
    "chat/0123456789ABCDEF0123456789ABCDEF",
    "chat/0123456789abcdef0123456789abcdef/2",
    "presence/",
];

/// The node `presence` with one item of this resource.
fn presence_of(full: &str) -> String {
    format!("<item id='balcony'>{}</item>", payload(full, "p", ""))
}

/// A session that is logged in, and an account that its server answers for.
struct Scene {
    d: Driver,
    /// The nodes of the account and what is on them.
    nodes: Vec<(String, String)>,
    /// So many are listed at once.
    most_listed: usize,
    /// These cannot be deleted.
    kept: Vec<&'static str>,
    /// Requests of the session so far: `list`, `items NODE`, `delete NODE`.
    asked: Vec<String>,
}

impl Scene {
    fn new(forget: Forget, nodes: &[(&str, &str)]) -> Self {
        let mut d = Driver::at(Stage::Binding, options(Policy::Auto).to_forget(forget));
        d.keep_everything();
        d.client(BIND);
        d.server_bytes();
        d.server(&bound(JULIET));
        let owned = |(node, items): &(&str, &str)| ((*node).to_owned(), (*items).to_owned());
        let mut scene = Self {
            d,
            nodes: nodes.iter().map(owned).collect(),
            most_listed: usize::MAX,
            kept: Vec::new(),
            asked: Vec::new(),
        };
        scene.d.client_bytes();
        scene
    }

    /// The questions that wait for an answer.
    fn questions(&mut self) -> Vec<Node> {
        let sent = self.d.server_bytes();
        Node::stream(sent.strip_suffix("</stream:stream>").unwrap_or(&sent))
    }

    /// Answers until nothing is asked any more.
    fn serve(&mut self) {
        loop {
            let questions = self.questions();
            if questions.is_empty() {
                return;
            }
            for question in questions {
                self.answer(&question);
            }
        }
    }

    fn answer(&mut self, question: &Node) {
        let what = &question.children[0];
        if what.local == "query" {
            assert_eq!(what.namespace, "http://jabber.org/protocol/disco#items");
            assert_eq!(question.attribute("to"), Some(OWN));
            self.asked.push("list".to_owned());
            let nodes = self.nodes.iter().take(self.most_listed);
            let nodes: String = nodes.map(|(node, _)| listed(OWN, node)).collect();
            return self.d.result(question, &list(&nodes));
        }
        assert_eq!(question.attribute("to"), None);
        let action = &what.children[0];
        let node = action.value("node");
        self.asked.push(format!("{} {node}", action.local));
        let place = self.nodes.iter().position(|(name, _)| name == node);
        match (&*what.namespace, &*action.local, place) {
            (PUBSUB | OWNER, _, None) => self.d.error(question, "cancel", "item-not-found"),
            (PUBSUB, "items", Some(place)) => {
                let items = items(node, &self.nodes[place].1);
                self.d.result(question, &items);
            }
            (OWNER, "delete", _) if self.kept.contains(&node) => {
                self.d.error(question, "auth", "forbidden");
            }
            (OWNER, "delete", Some(place)) => {
                self.nodes.remove(place);
                self.d.result(question, "");
            }
            _ => panic!("{question:#?}"),
        }
    }

    fn left(&self) -> Vec<&str> {
        self.nodes.iter().map(|(node, _)| &**node).collect()
    }

    /// The steps reported since the last look, in the words of the log.
    fn told(&mut self) -> Vec<String> {
        let events = self.d.events().into_iter();
        let steps = events.filter_map(|event| match event {
            Event::Forgetting(step) => Some(step.to_string()),
            _ => None,
        });
        steps.collect()
    }

    fn questions_about(&self, what: &str) -> Vec<&str> {
        let asked = self.asked.iter().map(String::as_str);
        asked.filter(|it| it.starts_with(what)).collect()
    }
}

fn listed(jid: &str, node: &str) -> String {
    format!("<item jid='{jid}' node='{node}'/>")
}

fn list(items: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/disco#items'>{items}</query>")
}

fn done(found: usize, removed: usize, failed: usize) -> String {
    format!("nodes of pubshim's on {OWN}: {found} found, {removed} removed, {failed} failed")
}

/// All of ours, and all that is not.
fn full(forget: Forget) -> Scene {
    let own = presence_of(JULIET);
    let ours = [
        ("presence", &*own),
        (ROSTER, "<item id='5d'/><item id='f1'/>"),
        (CHATS, ""),
        (CHAT, "<item id='1'/>"),
        (OTHER_CHAT, ""),
    ];
    let foreign = FOREIGN.map(|node| (node, "<item id='1'/>"));
    Scene::new(forget, &[&foreign[..4], &ours, &foreign[4..]].concat())
}

const FOUND: [&str; 5] = [
    "found 'presence', items: 1 (your presence)",
    "found 'urn:pubshim:roster', items: 2 (your contacts, and whom you let see you)",
    "found 'urn:pubshim:chats', items: 0 (where your messages are, and which were shown)",
    "found 'chat/0123456789abcdef0123456789abcdef', items: 1 (messages with one contact)",
    "found 'chat/ps-01234567-0123456789abcdef0123456789abcdef', items: 0 (messages with one contact)",
];

#[test]
fn ours_are_listed_then_deleted() {
    let mut scene = full(Forget::Remove);
    scene.serve();
    assert_eq!(scene.left(), FOREIGN);
    let first_delete = scene.asked.iter().position(|it| it.starts_with("delete"));
    let last_look = scene.asked.iter().rposition(|it| it.starts_with("items"));
    assert!(last_look < first_delete, "{:?}", scene.asked);
    assert_eq!(scene.questions_about("list").len(), 2);
    let told = scene.told();
    assert_eq!(told[..5], FOUND);
    let removed =
        ["presence", ROSTER, CHATS, CHAT, OTHER_CHAT].map(|node| format!("removed '{node}'"));
    assert_eq!(told[5..10], removed);
    assert_eq!(told[10..], [done(5, 5, 0)]);
    let said = scene.d.assert_refused("system-shutdown");
    assert_has(&said, "pubshim forget is done");
}

#[test]
fn nothing_is_deleted_before_all_is_listed() {
    let mut scene = Scene::new(Forget::Remove, &[(ROSTER, "")]);
    let list = scene.d.one_to_server();
    scene.answer(&list);
    let mut looks = scene.questions();
    let last = looks.pop().unwrap();
    for look in looks {
        scene.answer(&look);
    }
    assert_eq!(scene.told().len(), 1, "the private node is found");
    assert_eq!(scene.questions(), []);
    scene.answer(&last);
    assert_eq!(scene.questions().len(), 1);
}

#[test]
fn a_dry_run_deletes_nothing() {
    let mut scene = full(Forget::List);
    scene.serve();
    assert_eq!(scene.questions_about("delete"), [""; 0]);
    assert_eq!(scene.left().len(), FOREIGN.len() + 5);
    let told = scene.told();
    assert_eq!(told[..5], FOUND);
    assert_eq!(told[5..], [done(5, 0, 0)]);
    scene.d.assert_refused("system-shutdown");
}

#[test]
fn nothing_of_ours() {
    let mut scene = Scene::new(Forget::Remove, &FOREIGN.map(|node| (node, "")));
    scene.serve();
    assert_eq!(scene.left(), FOREIGN);
    assert_eq!(scene.told(), [done(0, 0, 0)]);
    scene.d.assert_refused("system-shutdown");
}

#[test]
fn a_refused_delete_is_told() {
    let mut scene = Scene::new(Forget::Remove, &[(ROSTER, ""), (CHAT, "")]);
    scene.kept = vec![ROSTER];
    scene.serve();
    assert_eq!(scene.left(), [ROSTER]);
    let told = scene.told();
    let failed = format!("failed with '{ROSTER}': forbidden");
    assert!(told.contains(&failed), "{told:#?}");
    assert_eq!(told.last(), Some(&done(2, 1, 1)));
    assert_eq!(scene.questions_about("delete").len(), 2, "once each");
    scene.d.assert_refused("system-shutdown");
}

#[test]
fn presence_of_somebody_else_is_left() {
    let own = presence_of(JULIET);
    let others = presence_of(ROMEO);
    for items in [
        &*others,
        &*format!("{own}{others}"),
        "<item id='1'><mood xmlns='http://jabber.org/protocol/mood'/></item>",
        &*presence_of(OWN),
    ] {
        let mut scene = Scene::new(Forget::Remove, &[("presence", items), (ROSTER, "")]);
        scene.serve();
        assert_eq!(scene.left(), ["presence"], "{items}");
        let told = scene.told();
        let left = "left 'presence' as it is: what is on it is not pubshim's";
        assert!(told.contains(&left.to_owned()), "{told:#?}");
        assert_eq!(told.last(), Some(&done(1, 1, 0)));
    }
    // A node without items may be ours.
    let mut scene = Scene::new(Forget::Remove, &[("presence", "")]);
    scene.serve();
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn presence_of_which_a_part_is_listed_is_left() {
    let mut scene = Scene::new(Forget::Remove, &[]);
    for question in scene.questions() {
        scene.answer(&question);
    }
    for question in scene.questions() {
        match question.at("pubsub/items").value("node") {
            "presence" => {
                let own = presence_of(JULIET);
                let part = format!(
                    "<pubsub xmlns='{PUBSUB}'><items node='presence'>{own}</items>\
                     <set xmlns='http://jabber.org/protocol/rsm'><count>2</count></set></pubsub>"
                );
                scene.d.result(&question, &part);
            }
            _ => scene.answer(&question),
        }
    }
    assert_eq!(scene.questions().len(), 0);
    let failed = "failed with 'presence': the server does not tell what is on it: an answer without what was asked for";
    assert_eq!(scene.told(), [failed.to_owned(), done(0, 0, 1)]);
}

#[test]
fn a_server_that_lists_nothing() {
    for (condition, reason) in [
        (Some("service-unavailable"), "service-unavailable"),
        (None, "no answer in time"),
    ] {
        let mut scene = Scene::new(Forget::Remove, &[]);
        let questions = scene.questions();
        match condition {
            Some(condition) => scene.d.error(&questions[0], "cancel", condition),
            None => scene.d.advance(60),
        }
        let reason = format!("failed: the server does not list the account's nodes: {reason}");
        assert_eq!(scene.told(), [reason, done(0, 0, 1)]);
        scene.d.assert_refused("system-shutdown");
    }
}

#[test]
fn questions_that_are_not_answered() {
    let mut scene = Scene::new(Forget::Remove, &[(ROSTER, "")]);
    let questions = scene.questions();
    scene.answer(&questions[0]);
    assert_eq!(scene.questions().len(), 3);
    scene.d.advance(60);
    assert_eq!(scene.told().last(), Some(&done(0, 0, 3)));
    assert_eq!(scene.left(), [ROSTER]);
    scene.d.assert_refused("system-shutdown");
}

#[test]
fn hostile_lists() {
    let mut scene = Scene::new(Forget::Remove, &[]);
    let question = scene.d.one_to_server();
    let escape = "&#x9b;31m&#x85;";
    let hostile = [
        // Nodes of other addresses, and items without an address or a node.
        listed(CONTACT, CHAT),
        listed(JULIET, CHAT),
        format!("<item node='{CHAT}'/><item jid='{OWN}'/>"),
        listed("chat.capulet.lit", OTHER_CHAT),
        // Not our names.
        listed(OWN, escape),
        listed(OWN, &format!("{CHAT}{escape}")),
        listed(OWN, &format!("presence{escape}")),
        // Twice.
        listed(OWN, ROSTER).repeat(3),
    ];
    scene.d.result(&question, &list(&hostile.concat()));
    let questions = scene.questions();
    assert_eq!(questions.len(), 3, "{questions:#?}");
    for question in &questions {
        let error = format!(
            "<iq type='error' from='{OWN}' to='{JULIET}' id='{}'><error type='cancel'>\
             <oops xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text>{escape}</text></error></iq>",
            question.value("id")
        );
        scene.d.server(&error);
    }
    let told = scene.told();
    assert_eq!(told.last(), Some(&done(0, 0, 3)));
    assert!(!told.concat().contains(char::is_control), "{told:#?}");
}

#[test]
fn no_control_character_is_shown() {
    let node = "chat/\u{1b}[31m\u{9b}\n".to_owned();
    let reason = "\u{7}\u{85}".to_owned();
    for step in [
        Forgetting::Found {
            node: node.clone(),
            items: 1,
            purpose: "",
        },
        Forgetting::Foreign { node: node.clone() },
        Forgetting::Removed { node: node.clone() },
        Forgetting::Failed {
            node: Some(node.clone()),
            reason: reason.clone(),
        },
        Forgetting::Failed { node: None, reason },
        Forgetting::Done {
            account: node,
            found: 0,
            removed: 0,
            failed: 0,
        },
    ] {
        let shown = step.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

#[test]
fn ten_thousand_nodes_are_asked_for_at_a_measured_pace() {
    let mut scene = Scene::new(Forget::List, &[]);
    let question = scene.d.one_to_server();
    let nodes = (0..10_000).map(|n| listed(OWN, &format!("chat/{n:032x}")));
    let answer = list(&nodes.collect::<String>());
    scene.d.result(&question, &answer);
    let mut sent = scene.d.server_bytes();
    let at_once = Node::stream(&sent).len();
    assert!(at_once <= 32, "{at_once} at once");
    for question in Node::stream(&sent) {
        scene.answer(&question);
    }
    for seconds in 1..=60 {
        scene.d.advance(1);
        let more = scene.d.server_bytes();
        for question in Node::stream(&more) {
            scene.answer(&question);
        }
        sent += &more;
        let most = 10_000 + 1500 * seconds + 1000;
        assert!(sent.len() < most, "{} in {seconds} s", sent.len());
    }
    assert!(sent.len() > 60_000, "{}: it goes on", sent.len());
}

#[test]
fn what_a_short_list_lacks_is_found_later() {
    let names: Vec<_> = (0..250).map(|n| format!("chat/{n:032x}")).collect();
    let nodes = FOREIGN.into_iter().chain(names.iter().map(|it| &**it));
    let nodes: Vec<_> = nodes.map(|node| (node, "")).collect();
    // The private node stands behind all others.
    let mut scene = Scene::new(Forget::Remove, &[&nodes[..], &[(ROSTER, "")]].concat());
    scene.most_listed = 100;
    for _ in 0..200 {
        scene.serve();
        scene.d.advance(1);
    }
    assert_eq!(scene.left(), FOREIGN);
    assert_eq!(scene.told().last(), Some(&done(251, 251, 0)));
}

#[test]
fn a_node_that_is_there_again_is_told() {
    let mut scene = Scene::new(Forget::Remove, &[(ROSTER, "")]);
    while scene.questions_about("delete").is_empty() {
        for question in scene.questions() {
            scene.answer(&question);
        }
    }
    scene.nodes.push((ROSTER.to_owned(), String::new()));
    scene.serve();
    let told = scene.told();
    let again = "it is there again: another client of the account uses pubshim";
    assert!(
        told.contains(&format!("failed with '{ROSTER}': {again}")),
        "{told:#?}"
    );
    assert_eq!(told.last(), Some(&done(1, 0, 1)));
}

#[test]
fn meanwhile_everything_passes_natively() {
    let mut scene = Scene::new(Forget::Remove, &[]);
    let question = scene.d.one_to_server();
    let said = [
        "<presence id='1'><status>Here</status></presence>",
        "<message to='romeo@montague.lit' type='chat' id='2'><body>Ay me</body></message>",
        "<iq type='get' id='3'><query xmlns='jabber:iq:roster'/></iq>",
        "<presence to='romeo@montague.lit' type='subscribe' id='4'/>",
    ];
    for stanza in said {
        scene.d.client(stanza);
        assert_eq!(scene.d.server_bytes(), stanza);
    }
    let message = format!("<message from='{ROMEO}' to='{JULIET}'><body>Moon</body></message>");
    scene.d.server(&message);
    assert_eq!(scene.d.client_bytes(), message);
    scene.d.server(&marked(ROMEO));
    let shown = scene.d.one_to_client();
    assert!(!shown.has("shim"), "{shown:#?}");
    scene.answer(&question);
    scene.serve();
    scene.d.assert_refused("system-shutdown");
}

#[test]
fn a_session_that_ends_first_tells_that_it_did() {
    type End = fn(&mut Driver);
    let ends: [End; 4] = [
        |d| d.client("</stream:stream>"),
        |d| d.input(Input::Eof(Leg::Client)),
        |d| d.input(Input::Eof(Leg::Server)),
        |d| d.input(Input::Shutdown),
    ];
    for end in ends {
        let mut scene = full(Forget::Remove);
        end(&mut scene.d);
        let failed = "failed: the session ended before all was done".to_owned();
        assert_eq!(scene.told(), [failed, done(0, 0, 1)]);
        scene.d.advance(10);
        assert_eq!(scene.told(), [""; 0]);
    }
}
