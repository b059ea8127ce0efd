//! Scenes in which scenarios under `pure` begin, and their stanzas in words.

use super::*;

/// Has the session's account subscribed to the node of `account`, which lets it.
pub(crate) fn subscribe_to(d: &mut Driver, account: &str) {
    d.client(&format!("<presence to='{account}' type='subscribe'/>"));
    let sent = d.server_got();
    let subscribe = sent.iter().find(|iq| iq.has("pubsub/subscribe")).unwrap();
    let id = subscribe.value("id");
    d.server(&format!(
        "<iq type='result' from='{account}' id='{id}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <subscription node='presence' jid='{}' subscription='subscribed'/></pubsub></iq>",
        subscribe.at("pubsub/subscribe").value("jid")
    ));
    d.forget();
}

/// Juliet's session: available, her roster asked for, with this on record and on her node.
pub(crate) fn started(answers: &[(Question, &str)]) -> Driver {
    let mut d = Driver::asking_for_roster();
    let mut asked = settle_but_contacts(&mut d, answers);
    d.client("<presence/>");
    asked.extend(settle_but_contacts(&mut d, answers));
    for question in asked {
        let list = format!("<subscription jid='{OWN}' subscription='pending'/>");
        let body = match question.has("pubsub/subscriptions") {
            true => format!("<subscriptions node='presence'>{list}</subscriptions>"),
            false => "<items node='presence'/>".to_owned(),
        };
        answer(
            &mut d,
            &question,
            "result",
            &format!("<pubsub xmlns='{PUBSUB}'>{body}</pubsub>"),
        );
    }
    d
}

/// Stanzas shown to the client, each in a few words.
pub(crate) fn shown(d: &mut Driver) -> Vec<String> {
    d.client_got().iter().map(in_short).collect()
}

/// Stanzas sent to the server, each in a few words.
pub(crate) fn left(d: &mut Driver) -> Vec<String> {
    let short = |stanza: &Node| {
        if stanza.local == "message" {
            let fields = stanza.fields();
            assert_eq!(stanza.value("to"), "capulet.lit");
            assert_eq!(fields["pubsub#subscriber_jid"], CONTACT);
            return format!("listing 11: {}", fields["pubsub#allow"]);
        }
        let action = &stanza.at("pubsub").children[0];
        let kind = format!("{} {}", stanza.value("type"), action.local);
        match &*action.local {
            "publish" if action.value("node") == RECORD => {
                let entries = &action.at("item/contacts").children;
                let entry = entries.iter().find(|it| it.value("jid") == CONTACT);
                let half = |name| entry.and_then(|it| it.attribute(name)).unwrap_or("-");
                format!("record: to {} from {}", half("to"), half("from"))
            }
            "subscribe" | "unsubscribe" => {
                assert_eq!((stanza.value("to"), action.value("jid")), (CONTACT, OWN));
                format!("listing 9: {}", action.local)
            }
            "affiliations" if stanza.value("type") == "set" => {
                format!(
                    "affiliation: {}",
                    action.at("affiliation").value("affiliation")
                )
            }
            "subscriptions" if stanza.value("type") == "set" => {
                format!("owner: {}", action.at("subscription").value("subscription"))
            }
            _ => kind,
        }
    };
    d.server_got().iter().map(short).collect()
}

/// Answers the requests to the own account; gives those to contacts.
pub(crate) fn settle_but_contacts(d: &mut Driver, answers: &[(Question, &str)]) -> Vec<Node> {
    let mut sent = Account::answering(answers).settle_all(d);
    sent.retain(|iq| iq.attribute("to").is_some());
    sent
}

/// The states of RFC 6121 §A.1: name, recorded state, state in the roster.
pub(crate) const STATES: [(&str, &str, &str, &str); 9] = [
    ("None", "-", "-", "none"),
    ("None + Pending Out", "pending", "-", "none asked"),
    ("None + Pending In", "-", "asked", "none"),
    ("None + Pending Out+In", "pending", "asked", "none asked"),
    ("To", "yes", "-", "to"),
    ("To + Pending In", "yes", "asked", "to"),
    ("From", "-", "yes", "from"),
    ("From + Pending Out", "pending", "yes", "from asked"),
    ("Both", "yes", "yes", "both"),
];

/// The cells of a table, column by column: the word above each, the word before it, and itself.
pub(crate) fn cells_of(table: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    let line = |line: &'static str| -> Vec<_> { line.split('|').map(str::trim).collect() };
    let mut lines = table.trim_start_matches('\n').lines().map(line);
    let head = lines.next().unwrap();
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), STATES.len());
    let column = |at| lines.iter().map(move |line| (at, line[0], line[at]));
    let cells = (1..head.len()).flat_map(column);
    cells.map(|(at, row, cell)| (head[at], row, cell)).collect()
}

/// Juliet's session where Romeo, who is in her roster, is in this state.
pub(crate) fn in_state(name: &str) -> Driver {
    let (_, to, from, _) = STATES.into_iter().find(|state| state.0 == name).unwrap();
    let half = |name, value| match value {
        "-" => String::new(),
        value => format!(" {name}='{value}'"),
    };
    let contact = format!(
        "<contact jid='{CONTACT}' listed='yes'{}{}/>",
        half("to", to),
        half("from", from)
    );
    let (mut list, mut known) = (vec![(OTHER, "subscribed")], vec![OTHER]);
    match from {
        "yes" => {
            list.push((CONTACT, "subscribed"));
            known.push(CONTACT);
        }
        "asked" => list.push((CONTACT, "pending")),
        _ => {}
    }
    let mut d = started(&[
        (Question::Record, &record(&[(BUCKET, &contact)])),
        (Question::Subscribers, &subscriptions(&list)),
        (Question::Members, &members(&known)),
    ]);
    if from == "asked" {
        d.server(&form("approve1", CONTACT));
    }
    d.forget();
    d
}
