//! One-to-one messages (listings 18 to 20).

mod auto;
mod copies;
mod hostile;
mod opening;
mod pure;
mod unseen;
mod waiting;

use pubshim::session::{Chat, Options, Policy};

use crate::common::*;
use crate::driver::*;

/// Romeo's only resource.
const HIS: &str = "romeo@montague.lit/mobile";
/// The node that Romeo writes to.
const HIS_NODE: &str = "chat/hers";
/// Long after the clock of the tests began.
const NOW: &str = "2026-11-29T12:00:00Z";

/// The answer to disco#info of an account without an archive, with `features` besides.
fn account_info(features: &str) -> String {
    format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='account' type='registered'/>\
         {features}</query>"
    )
}

fn options() -> Options {
    Options {
        native: Vec::new(),
        ..crate::driver::options(Policy::Auto)
    }
}

/// Juliet's session, before she is available; Romeo is her only contact.
fn before(options: Options) -> Driver {
    let mut d = Driver::logged_in(JULIET, options);
    d.account = Account::with(&[(CONTACT, "both")]);
    d.keep_chats();
    d
}

/// Answers the questions before the first presence: this is on record, and there is no archive.
fn open(d: &mut Driver, record: &str) {
    for question in d.server_got() {
        if question.has("query") {
            d.result(&question, &account_info(""));
        } else if question.at("pubsub/items").value("node") == "urn:pubshim:chats" {
            match record {
                "" => d.error(&question, "cancel", "item-not-found"),
                record => d.result(&question, &items("urn:pubshim:chats", record)),
            }
        }
    }
}

/// Juliet's session, available, with this on record.
fn with_record(record: &str) -> Driver {
    let mut d = before(options());
    d.client("<presence/>");
    open(&mut d, record);
    d.forget();
    d
}

/// Juliet's session, available, and Romeo there behind a shim that takes chats.
fn session() -> Driver {
    let mut d = with_record("");
    arrives(&mut d, HIS, "chat='1'", "");
    d
}

/// A resource sends presence; `shim`: attributes of its marker, or `none` for a client without a shim.
fn arrives(d: &mut Driver, full: &str, shim: &str, more: &str) {
    let marker = match shim {
        "none" => String::new(),
        shim => format!("<shim xmlns='urn:pubshim:0' {shim}/>"),
    };
    d.server(&format!(
        "<presence from='{full}' to='{JULIET}' id='a1'>{more}{marker}</presence>"
    ));
    d.forget();
}

/// A resource goes: logged out (`is_clean`) or cut off.
fn goes(d: &mut Driver, full: &str, is_clean: bool) {
    let marker = match is_clean {
        true => "<shim xmlns='urn:pubshim:0' chat='1'/>",
        false => "",
    };
    d.server(&format!(
        "<presence from='{full}' to='{JULIET}' type='unavailable'>{marker}</presence>"
    ));
}

/// The client sends a message to Romeo.
fn say(d: &mut Driver, body: &str) {
    d.client(&format!(
        "<message to='{CONTACT}' type='chat' id='{body}'><body>{body}</body></message>"
    ));
}

/// The client ends its stream; gives the stanzas sent to the server before that.
fn leave(d: &mut Driver) -> Vec<Node> {
    d.client("</stream:stream>");
    let bytes = d.server_bytes();
    let told = bytes.strip_suffix("</stream:stream>");
    Node::stream(told.unwrap_or_else(|| panic!("no end: {bytes}")))
}

/// Stanzas sent since the last look: `publish BODY`, `native BODY`, or the request that was made of the node.
fn sent(d: &mut Driver) -> Vec<String> {
    in_words(&d.server_got())
}

fn in_words(said: &[Node]) -> Vec<String> {
    let words = said.iter().filter_map(|it| {
        let body = |message: &Node| message.find("body").map(|it| it.text.clone());
        if it.local == "message" {
            return Some(format!("native {}", body(it).unwrap_or_default()));
        }
        let action = it.find("pubsub")?.children.first()?;
        let is_chat = action.value("node").starts_with("chat/");
        let message = action.find("item/message");
        is_chat.then(|| match message {
            Some(message) => format!("publish {}", body(message).unwrap_or_default()),
            None => action.local.clone(),
        })
    });
    words.collect()
}

/// The first message to Romeo is on its way and has arrived.
fn first(d: &mut Driver) {
    say(d, "first");
    answer_all(d);
    d.forget();
}

/// Answers each request with an empty result; gives the requests.
fn answer_all(d: &mut Driver) -> Vec<Node> {
    let asked: Vec<_> = d.server_got().into_iter().filter(is_question).collect();
    for question in &asked {
        d.result(question, "");
    }
    asked
}

/// An item of Romeo's.
fn his_item(id: &str, to: &str, stamp: &str) -> String {
    format!(
        "<item id='{id}'><message xmlns='jabber:client' from='{HIS}' to='{to}' type='chat' id='m{id}'>\
         <body>{id}</body><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/></message></item>"
    )
}

/// An event on a node of an account.
fn event_on(account: &str, node: &str, items: &str) -> String {
    format!(
        "<message from='{account}' to='{OWN}' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'>{items}</items></event></message>"
    )
}

/// Romeo writes this to Juliet.
fn writes(d: &mut Driver, id: &str) {
    d.server(&event_on(CONTACT, HIS_NODE, &his_item(id, OWN, NOW)));
}

/// Answers the question for what is on Romeo's node.
#[track_caller]
fn serve(d: &mut Driver, on_it: &str) {
    let asked = d.server_got();
    let fetch = asked.iter().rev().find(|it| is_fetch(it));
    let fetch = fetch.unwrap_or_else(|| panic!("nothing is fetched: {asked:#?}"));
    d.result(fetch, &items(HIS_NODE, on_it));
}

fn is_fetch(iq: &Node) -> bool {
    let items = iq.find("pubsub/items");
    iq.attribute("to") == Some(CONTACT) && items.is_some_and(|it| it.value("node") == HIS_NODE)
}

/// The messages that the client was shown since the last look: sender and body, `late` in front if they have a time.
fn shown(d: &mut Driver) -> Vec<String> {
    let shown = d.client_got();
    let messages = shown.iter().filter(|it| it.local == "message");
    let said = messages.map(|it| {
        let late = if it.has("delay") { "late " } else { "" };
        let body = it.find("body").map_or("-", |it| &it.text);
        format!("{late}{} {body}", it.value("from"))
    });
    said.collect()
}

/// On record: Romeo's node and the last item that was shown of it.
fn romeo_on_record(last: &str) -> String {
    on_record(&format!(
        "<node service='{CONTACT}' name='{HIS_NODE}' {last}/>"
    ))
}

fn on_record(nodes: &str) -> String {
    format!("<item id='{CONTACT}'><chat xmlns='urn:pubshim:0'>{nodes}</chat></item>")
}
