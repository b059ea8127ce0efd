//! Each cell of the tables in RFC 6121 Appendix A, under `pure`: what leaves to the server, what the client
//! is told, and what is pushed to it.

use crate::scenes::*;

/// A row of the tables in §A.2 and §A.3: the stanza, and the state after it in each of [`STATES`]; the
/// last value says in which states the other side is to know.
type Row = (&'static str, [&'static str; 9], [bool; 9]);

const SAME: &str = "";

const T: bool = true;

const F: bool = false;

/// §A.2.1 to §A.2.4.
const OUTBOUND: [Row; 4] = [
    (
        "subscribe",
        [
            "None + Pending Out",
            SAME,
            "None + Pending Out+In",
            SAME,
            SAME,
            SAME,
            "From + Pending Out",
            SAME,
            SAME,
        ],
        [T; 9],
    ),
    (
        "unsubscribe",
        [
            SAME,
            "None",
            SAME,
            "None + Pending In",
            "None",
            "None + Pending In",
            SAME,
            "From",
            "From",
        ],
        [T; 9],
    ),
    (
        "subscribed",
        [
            SAME,
            SAME,
            "From",
            "From + Pending Out",
            SAME,
            "Both",
            SAME,
            SAME,
            SAME,
        ],
        [F, F, T, T, F, T, F, F, F],
    ),
    (
        "unsubscribed",
        [
            SAME,
            SAME,
            "None",
            "None + Pending Out",
            SAME,
            "To",
            "None",
            "None + Pending Out",
            "To",
        ],
        [F, F, T, T, F, T, T, T, T],
    ),
];

/// §A.3.1, §A.3.3 and §A.3.4.
const INBOUND: [Row; 3] = [
    (
        "subscribe",
        [
            "None + Pending In",
            "None + Pending Out+In",
            SAME,
            SAME,
            "To + Pending In",
            SAME,
            SAME,
            SAME,
            SAME,
        ],
        [T, T, F, F, T, F, F, F, F],
    ),
    (
        "subscribed",
        [
            SAME,
            "To",
            SAME,
            "To + Pending In",
            SAME,
            SAME,
            SAME,
            "Both",
            SAME,
        ],
        [F, T, F, T, F, F, F, T, F],
    ),
    (
        "unsubscribed",
        [
            SAME,
            "None",
            SAME,
            "None + Pending In",
            "None",
            "None + Pending In",
            SAME,
            "From",
            "From",
        ],
        [F, T, F, T, T, T, F, T, T],
    ),
];

/// §A.3.2. Nobody tells an owner that somebody has unsubscribed: it is seen at the next login.
const INBOUND_UNSUBSCRIBE: Row = (
    "unsubscribe",
    [
        SAME,
        SAME,
        SAME,
        SAME,
        SAME,
        SAME,
        "None",
        "None + Pending Out",
        "To",
    ],
    [F, F, F, F, F, F, T, T, T],
);

/// Each cell of a row: the state before it, the one after it, and whether the other side is to know.
fn cells(row: &Row) -> Vec<(&'static str, &'static str, bool)> {
    let cell = |at: usize| {
        let before = STATES[at].0;
        let after = if row.1[at] == SAME { before } else { row.1[at] };
        (before, after, row.2[at])
    };
    (0..STATES.len()).map(cell).collect()
}

/// What is recorded of Romeo in a state, and what the roster shows.
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
    for row in &OUTBOUND {
        for (before, after, is_routed) in cells(row) {
            let mut d = in_state(before);
            d.client(&format!("<presence to='{CONTACT}' type='{}'/>", row.0));
            let context = format!("{} in {before}", row.0);
            let mut expected: Vec<String> = Vec::new();
            let asked = before.contains("In");
            match row.0 {
                // Where nothing was asked for there is nothing to end.
                "unsubscribe" if before == after => assert!(is_routed),
                "subscribe" | "unsubscribe" => expected.push(format!("listing 9: {}", row.0)),
                "subscribed" if is_routed => {
                    expected.extend([
                        "affiliation: member".to_owned(),
                        "listing 11: true".to_owned(),
                    ]);
                }
                "unsubscribed" if is_routed && asked => {
                    expected.push("listing 11: false".to_owned());
                }
                // First it is looked who is subscribed.
                "unsubscribed" if is_routed => expected.push("get subscriptions".to_owned()),
                _ => assert!(!is_routed),
            }
            if before != after {
                // Whether the service has taken the request is not known yet.
                let record = words_of(after).0;
                expected.push(match row.0 {
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
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_inbound() {
    for row in &INBOUND {
        for (before, after, is_delivered) in cells(row) {
            let mut d = in_state(before);
            d.server(&match row.0 {
                "subscribe" => form("approve2", CONTACT),
                "subscribed" => state_event(CONTACT, OWN, "subscribed", ""),
                _ => state_event(CONTACT, OWN, "none", ""),
            });
            let context = format!("{} in {before}", row.0);
            let mut expected: Vec<_> = push(before, after).into_iter().collect();
            if is_delivered {
                expected.push(format!("{CONTACT} {}", row.0));
            }
            let mut seen = shown(&mut d);
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{context}");
            let mut expected = Vec::new();
            // §3.1.3: who is approved is told so again.
            if row.0 == "subscribe" && before.contains("From") | before.contains("Both") {
                expected.push("listing 11: true".to_owned());
            }
            if before != after {
                expected.push(words_of(after).0);
                if row.0 == "unsubscribed" {
                    // The contact may have left our node, too.
                    expected.push("get subscriptions".to_owned());
                }
            }
            // Its states are asked for in turn.
            let mut sent: Vec<_> = left(&mut d)
                .into_iter()
                .filter(|it| it != "get items")
                .collect();
            sent.sort();
            expected.sort();
            assert_eq!(sent, expected, "{context}");
        }
    }
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_left_while_away() {
    let row = &INBOUND_UNSUBSCRIBE;
    for (before, after, is_delivered) in cells(row) {
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
