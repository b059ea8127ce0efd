//! Each cell of the tables in RFC 6121 Appendix A, under `pure`: stanzas to the server and to the client, and pushes.

use crate::scenes::*;

/// §A.2.1 to §A.2.4: behind each state the one after the stanza, and `!` where the other side is to know.
const OUTBOUND: &str = "
                      | subscribe               | unsubscribe         | subscribed           | unsubscribed
None                  | None + Pending Out !    | = !                 | =                    | =
None + Pending Out    | = !                     | None !              | =                    | =
None + Pending In     | None + Pending Out+In ! | = !                 | From !               | None !
None + Pending Out+In | = !                     | None + Pending In ! | From + Pending Out ! | None + Pending Out !
To                    | = !                     | None !              | =                    | =
To + Pending In       | = !                     | None + Pending In ! | Both !               | To !
From                  | From + Pending Out !    | = !                 | =                    | None !
From + Pending Out    | = !                     | From !              | =                    | None + Pending Out !
Both                  | = !                     | From !              | =                    | To !";

/// §A.3.1, §A.3.3 and §A.3.4, likewise.
const INBOUND: &str = "
                      | subscribe               | subscribed        | unsubscribed
None                  | None + Pending In !     | =                 | =
None + Pending Out    | None + Pending Out+In ! | To !              | None !
None + Pending In     | =                       | =                 | =
None + Pending Out+In | =                       | To + Pending In ! | None + Pending In !
To                    | To + Pending In !       | =                 | None !
To + Pending In       | =                       | =                 | None + Pending In !
From                  | =                       | =                 | =
From + Pending Out    | =                       | Both !            | From !
Both                  | =                       | =                 | From !";

/// §A.3.2. No server tells an owner that a contact has unsubscribed: the shim sees it at the next login.
const INBOUND_UNSUBSCRIBE: &str = "
                      | unsubscribe
None                  | =
None + Pending Out    | =
None + Pending In     | =
None + Pending Out+In | =
To                    | =
To + Pending In       | =
From                  | None !
From + Pending Out    | None + Pending Out !
Both                  | To !";

/// Each cell: the stanza, the state before it, the one after it, and whether the other side is to know.
fn cells(table: &'static str) -> Vec<(&'static str, &'static str, &'static str, bool)> {
    let cell = |(stanza, before, cell): (_, _, &'static str)| {
        let after = cell.trim_end_matches('!').trim_end();
        let after = if after == "=" { before } else { after };
        (stanza, before, after, cell.ends_with('!'))
    };
    cells_of(table).into_iter().map(cell).collect()
}

/// The state of Romeo in words: as recorded, and as the roster shows it.
fn words_of(name: &str) -> (String, &'static str) {
    let (_, to, from, shown) = STATES.into_iter().find(|state| state.0 == name).unwrap();
    (format!("record: to {to} from {from}"), shown)
}

/// The push for a change of state, if the roster shows it.
fn push(before: &str, after: &str) -> Option<String> {
    let (before, after) = (words_of(before).1, words_of(after).1);
    (before != after).then(|| format!("push {CONTACT} {after}"))
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_outbound() {
    for (stanza, before, after, is_routed) in cells(OUTBOUND) {
        let mut d = in_state(before);
        d.client(&format!("<presence to='{CONTACT}' type='{stanza}'/>"));
        let context = format!("{stanza} in {before}");
        let mut expected: Vec<String> = Vec::new();
        let asked = before.contains("In");
        match stanza {
            // Without a request there is nothing to end.
            "unsubscribe" if before == after => assert!(is_routed),
            "subscribe" | "unsubscribe" => expected.push(format!("listing 9: {}", stanza)),
            "subscribed" if is_routed => {
                expected.extend([
                    "affiliation: member".to_owned(),
                    "listing 11: true".to_owned(),
                ]);
            }
            "unsubscribed" if is_routed && asked => {
                expected.push("listing 11: false".to_owned());
            }
            // The shim first asks who is subscribed.
            "unsubscribed" if is_routed => expected.push("get subscriptions".to_owned()),
            _ => assert!(!is_routed),
        }
        if before != after {
            // The service has not answered the request yet.
            let record = words_of(after).0;
            expected.push(match stanza {
                "subscribe" => record.replace("pending", "asked"),
                _ => record,
            });
        }
        let mut sent = left(&mut d);
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected, "{context}");
        let expected: Vec<_> = push(before, after).into_iter().collect();
        assert_eq!(shown(&mut d), expected, "{context}");
    }
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_inbound() {
    for (stanza, before, after, is_delivered) in cells(INBOUND) {
        let mut d = in_state(before);
        d.server(&match stanza {
            "subscribe" => form("approve2", CONTACT),
            "subscribed" => state_event(CONTACT, OWN, "subscribed", ""),
            _ => state_event(CONTACT, OWN, "none", ""),
        });
        let context = format!("{stanza} in {before}");
        let mut expected: Vec<_> = push(before, after).into_iter().collect();
        if is_delivered {
            expected.push(format!("{CONTACT} {stanza}"));
        }
        let mut seen = shown(&mut d);
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "{context}");
        let mut expected = Vec::new();
        // §3.1.3: a contact who is approved is told so again.
        if stanza == "subscribe" && before.contains("From") | before.contains("Both") {
            expected.push("listing 11: true".to_owned());
        }
        if before != after {
            expected.push(words_of(after).0);
            if stanza == "unsubscribed" {
                // The contact may have left our node, too.
                expected.push("get subscriptions".to_owned());
            }
        }
        // The contact's states are fetched one after the other.
        let mut sent: Vec<_> = left(&mut d)
            .into_iter()
            .filter(|it| it != "get items")
            .collect();
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected, "{context}");
    }
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_left_while_away() {
    for (_, before, after, is_delivered) in cells(INBOUND_UNSUBSCRIBE) {
        let (_, to, from, _) = STATES.into_iter().find(|state| state.0 == before).unwrap();
        let half = |name, value: &str| match value {
            "-" => String::new(),
            value => format!(" {name}='{value}'"),
        };
        let contact = format!(
            "<contact jid='{CONTACT}' listed='yes'{}{}/>",
            half("to", to),
            half("from", from)
        );
        let mut d = Driver::asking_for_roster();
        let other = format!("<contact jid='{OTHER}' from='yes'/>");
        Account::answering(&[
            (
                Question::Record,
                &record(&[(BUCKET, &contact), ("f1", &other)]),
            ),
            (
                Question::Subscribers,
                &subscriptions(&[(OTHER, "subscribed")]),
            ),
        ])
        .settle(&mut d);
        let stanzas = d.client_got();
        let told = stanzas
            .iter()
            .any(|it| it.local == "presence" && it.value("type") == "unsubscribe");
        assert_eq!(told, is_delivered, "{before}");
        let answer = stanzas
            .iter()
            .find(|it| it.attribute("id") == Some("r"))
            .unwrap();
        let items = &answer.at("query").children;
        let item = items.iter().find(|it| it.value("jid") == CONTACT).unwrap();
        assert_eq!(
            roster_item(item),
            format!("{CONTACT} {}", words_of(after).1),
            "{before}"
        );
    }
}
