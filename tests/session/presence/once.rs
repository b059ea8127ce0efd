//! One change, seen natively and by event, reaches the client once (DESIGN §3).

use pubshim::session::Dropped;

use crate::scenes::*;

/// A contact's native presence as its shim and its server write it.
fn native(id: &str, children: &str) -> String {
    format!(
        "<presence to='{ROMEO}' xml:lang='en' from='{JULIET}' id='{id}'>{children}<shim xmlns='urn:pubshim:0'/>\
         <x xmlns='vcard-temp:x:update'><photo/></x></presence>"
    )
}

fn event(id: &str, children: &str) -> String {
    event_of(JULIET, &payload(JULIET, id, children))
}

fn gone(id: &str) -> String {
    event_of(
        JULIET,
        &payload(JULIET, id, "").replace(" id=", " type='unavailable' id="),
    )
}

/// The server's unavailable presence for a client that vanished.
fn crashed() -> String {
    format!("<presence to='{ROMEO}' from='{JULIET}' type='unavailable'/>")
}

/// Gives the client these stanzas; the ids (or types) of the presences it saw.
fn ids_shown(d: &mut Driver, stanzas: &[String]) -> Vec<String> {
    for stanza in stanzas {
        d.server(stanza);
    }
    let seen = |presence: Node| {
        let name = presence.attribute("id").or(presence.attribute("type"));
        assert!(!presence.has("shim"));
        name.unwrap_or_default().to_owned()
    };
    d.client_got().into_iter().map(seen).collect()
}

/// The client is given these, native (`n1`) and by event (`e1`), and shows those.
#[track_caller]
fn assert_order(given: &str, expected: &[&str]) {
    let stanza = |words: &str| match words.split_at(1) {
        ("n", id) => native(id, ""),
        (_, id) => event(id, ""),
    };
    let given: Vec<_> = given.split(' ').map(stanza).collect();
    assert_eq!(ids_shown(&mut romeo(), &given), expected);
}

#[track_caller]
fn assert_shown(stanzas: &[String], expected: &[&str]) {
    assert_eq!(ids_shown(&mut romeo(), stanzas), expected);
}

#[test]
fn the_event_behind_its_native_copy_is_dropped() {
    let mut d = romeo();
    assert_eq!(
        ids_shown(
            &mut d,
            &[
                native("1", "<show>away</show>"),
                event("1", "<show>away</show>")
            ]
        ),
        ["1"]
    );
    assert_eq!(d.dropped(), [Dropped::Seen]);
}

#[test]
fn the_native_copy_behind_its_event_is_dropped() {
    let mut d = romeo();
    assert_eq!(
        ids_shown(
            &mut d,
            &[
                event("1", "<show>away</show>"),
                native("1", "<show>away</show>")
            ]
        ),
        ["1"]
    );
    assert_eq!(d.dropped(), [Dropped::Seen]);
}

#[test]
fn different_changes_are_all_shown() {
    assert_order("n1 e1 n2 e2", &["1", "2"]);
    assert_order("e1 n1 e2 n2", &["1", "2"]);
    assert_order("n1 e1 e2 n2", &["1", "2"]);
    assert_order("n1 n2 e1 e2", &["1", "2"]);
}

#[test]
fn natives_behind_several_events_are_dropped() {
    assert_order("e1 e2 n1 n2", &["1", "2"]);
}

#[test]
fn publishes_that_were_left_out_leave_nothing_behind() {
    assert_order("n1 n2 n3 e3 n4 e4", &["1", "2", "3", "4"]);
    // The newest state is never taken back by an older event.
    assert_order("n1 n2 e1", &["1", "2"]);
}

#[test]
fn other_contacts_and_resources_do_not_mix() {
    let other = "juliet@capulet.lit/chamber";
    let benvolio = "benvolio@montague.lit/pda";
    assert_shown(
        &[
            native("1", ""),
            event_of(other, &payload(other, "1", "")),
            event_of(benvolio, &payload(benvolio, "1", "")),
            event("1", ""),
        ],
        &["1", "1", "1"],
    );
}

#[test]
fn the_same_event_twice_is_shown_once() {
    // ejabberd sends one copy for each kind of subscription.
    assert_shown(
        &[
            event("1", "<show>away</show>"),
            event("1", "<show>away</show>"),
            native("1", "<show>away</show>"),
        ],
        &["1"],
    );
    assert_order("n1 e1 e1", &["1"]);
}

#[test]
fn a_client_with_one_id_may_leave_publishes_out() {
    let state = |n: usize| format!("<status>{n}</status>");
    let mut d = romeo();
    for n in 0..300 {
        d.server(&native("x", &state(n)));
        if n % 3 == 2 {
            d.server(&event("x", &state(n)));
        }
        let got = d.client_got();
        assert_eq!(
            (got.len(), &*got[0].at("status").text),
            (1, &*n.to_string())
        );
    }
}

#[test]
fn a_late_event_is_not_news_after_a_hundred_natives() {
    let mut d = romeo();
    let natives: Vec<_> = (0..100).map(|n| native(&format!("n{n}"), "")).collect();
    assert_eq!(ids_shown(&mut d, &natives).len(), 100);
    for late in ["n0", "n20", "n50", "n99"] {
        assert_eq!(ids_shown(&mut d, &[event(late, "")]), [""; 0], "{late}");
    }
    assert_eq!(
        ids_shown(&mut d, &[native("new", ""), event("new", "")]),
        ["new"]
    );
}

#[test]
fn children_the_first_copy_lacked_are_shown() {
    let more = "<show>away</show><mood xmlns='urn:mood'/>";
    assert_shown(
        &[native("1", "<show>away</show>"), event("1", more)],
        &["1", "1"],
    );
    assert_shown(
        &[event("1", "<show>away</show>"), native("1", more)],
        &["1", "1"],
    );
    // A second copy that only lacks children of the first is not shown.
    assert_shown(
        &[event("1", more), native("1", "<show>away</show>")],
        &["1"],
    );
    assert_shown(
        &[native("1", more), event("1", "<show>away</show>")],
        &["1"],
    );
    assert_shown(
        &[
            native("1", "<show>away</show>"),
            event("1", more),
            event("1", more),
        ],
        &["1", "1"],
    );
}

#[test]
fn what_the_server_adds_is_no_news() {
    let added = "<delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2026-11-22T07:09:40Z'/>";
    assert_shown(&[event("1", ""), native("1", added)], &["1"]);
}

#[test]
fn native_unavailable_passes_unless_it_was_said() {
    let marked = native("u", "").replace(" to=", " type='unavailable' to=");
    for unavailable in [crashed(), marked] {
        for (before, count) in [
            (vec![], 1),
            (vec![native("1", "")], 1),
            (vec![event("1", "")], 1),
            (vec![native("1", ""), event("1", "")], 1),
            (vec![event("1", ""), gone("u")], 0),
            (vec![native("1", ""), event("1", ""), gone("u")], 0),
            // The native unavailable ends a state shown after the farewell.
            (
                vec![event("1", ""), gone("u"), crashed(), native("2", "")],
                1,
            ),
            (
                vec![event("1", ""), gone("u"), crashed(), event("2", "")],
                1,
            ),
            // The server says it twice.
            (vec![event("1", ""), gone("u"), crashed()], 1),
        ] {
            let mut d = romeo();
            ids_shown(&mut d, &before);
            let after = ids_shown(&mut d, std::slice::from_ref(&unavailable));
            assert_eq!(after.len(), count, "{unavailable} after {before:#?}");
        }
    }
}

#[test]
fn a_logout_is_shown_once() {
    // After a cut connection the shim's publish has an id, and the server's presence has none.
    let online = [native("1", ""), event("1", "")];
    let orders = [[gone("shim"), crashed()], [crashed(), gone("shim")]];
    for (cut, expected) in orders.into_iter().zip(["shim", "unavailable"]) {
        let mut all = online.to_vec();
        all.extend(cut.clone());
        all.extend([native("2", ""), event("2", "")]);
        all.extend(cut);
        assert_shown(&all, &["1", expected, "2", expected]);
    }
}

#[test]
fn unavailable_of_whom_no_event_showed_always_passes() {
    let mut d = romeo();
    ids_shown(&mut d, &[event("1", ""), gone("shim")]);
    let room = "<presence from='room@muc.capulet.lit/juliet' to='romeo@montague.lit/mobile' type='unavailable' id='r'/>";
    let chamber = crashed().replace("balcony", "chamber");
    for stanza in [room, &chamber, room, &chamber] {
        assert_eq!(ids_shown(&mut d, &[stanza.to_owned()]).len(), 1, "{stanza}");
    }
}

#[test]
fn an_avatar_the_server_took_out_is_no_news() {
    let photo = |hash: &str| format!("<show>away</show><x xmlns='vcard-temp:x:update'>{hash}</x>");
    let own = photo("<photo>8668b9b00eeb2e3a51ea5758e7cff9f7c5780309</photo>");
    // Emptied, taken out, replaced (ejabberd 23.01).
    for natively in [
        photo("<photo/>"),
        photo(""),
        "<show>away</show>".to_owned(),
        photo("<photo>01b8</photo>"),
    ] {
        let copies = [native("1", &natively), event("1", &own)];
        assert_shown(&copies, &["1"]);
        let [natively, event] = copies;
        assert_shown(&[event, natively], &["1"]);
    }
}

#[test]
fn a_presence_of_many_children_is_shown_once() {
    let many = |count: usize| -> String {
        (0..count)
            .map(|n| format!("<c{n} xmlns='urn:c'/>"))
            .collect()
    };
    for count in [16, 17, 40] {
        assert_shown(
            &[native("1", &many(count)), event("1", &many(count))],
            &["1"],
        );
        assert_shown(
            &[event("1", &many(count)), native("1", &many(count))],
            &["1"],
        );
    }
}

#[test]
fn a_native_presence_is_never_lost_behind_an_event() {
    let (first, second) = ("<status>1</status>", "<status>2</status>");
    // The publish of the first may have been skipped or be paused: only native presences are sure to come, and in
    // order.
    assert_shown(
        &[event("2", second), native("1", first), native("2", second)],
        &["2", "1", "2"],
    );
    // A presence published again after hiding has no native copy.
    assert_shown(&[event("2", second), native("3", first)], &["2", "3"]);
}

#[test]
fn a_contact_seen_by_event_alone_may_use_one_id() {
    let state = |status: &str| event("x", &format!("<status>{status}</status>"));
    let mut d = romeo();
    for status in ["A", "B", "A", "C", "B"] {
        // ejabberd may send it twice.
        d.server(&state(status));
        d.server(&state(status));
        assert_eq!(d.one_to_client().at("status").text, status);
    }
}

#[test]
fn a_late_event_after_unavailable_is_no_ghost() {
    assert_shown(
        &[native("1", ""), crashed(), event("1", "")],
        &["1", "unavailable"],
    );
    assert_shown(
        &[native("1", ""), event("1", ""), crashed(), event("1", "")],
        &["1", "unavailable"],
    );
    assert_shown(
        &[
            native("1", ""),
            native("2", ""),
            event("1", ""),
            crashed(),
            event("2", ""),
        ],
        &["1", "2", "unavailable"],
    );
    assert_shown(
        &[event("1", ""), native("1", ""), crashed(), event("1", "")],
        &["1", "unavailable"],
    );
    let unavailable = native("u", "").replace(" to=", " type='unavailable' to=");
    assert_shown(
        &[native("1", ""), unavailable, event("1", ""), gone("u")],
        &["1", "u"],
    );
}

#[test]
fn a_contact_that_comes_back_is_shown() {
    assert_shown(
        &[
            native("1", ""),
            event("1", ""),
            crashed(),
            native("2", ""),
            event("2", ""),
        ],
        &["1", "unavailable", "2"],
    );
    assert_shown(
        &[event("1", ""), gone("u"), event("2", "")],
        &["1", "u", "2"],
    );
    // A bot may use one id for life.
    assert_shown(
        &[
            native("x", ""),
            event("x", ""),
            crashed(),
            native("x", ""),
            event("x", ""),
        ],
        &["x", "unavailable", "x"],
    );
}

#[test]
fn a_contact_without_a_shim_is_shown_as_it_comes() {
    let plain = format!("<presence to='{ROMEO}' from='{JULIET}' id='1'/>");
    assert_shown(&[plain.clone(), plain.clone(), plain], &["1", "1", "1"]);
}

#[test]
fn a_native_copy_counts_for_an_event_that_waits_for_the_roster() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    let held = [event("1", ""), native("1", "")];
    assert_eq!(ids_shown(&mut d, &held), ["1"]);
    answer_roster(&mut d);
    assert_eq!(d.client_bytes(), "", "it was shown natively");
    assert_eq!(ids_shown(&mut d, &[native("2", ""), event("2", "")]), ["2"]);
}

#[test]
fn an_event_held_behind_unavailable_is_no_ghost() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    assert_eq!(
        ids_shown(&mut d, &[event("1", ""), crashed()]),
        ["unavailable"]
    );
    answer_roster(&mut d);
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_newer_event_that_waits_is_shown_once_however_it_comes() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    let mut ids = ids_shown(&mut d, &[event("1", ""), event("2", ""), native("1", "")]);
    answer_roster(&mut d);
    ids.extend(ids_shown(&mut d, &[native("2", "")]));
    assert_eq!(ids, ["1", "2"]);
}

#[test]
fn thousands_of_resources_do_not_grow_without_bound() {
    let mut d = romeo();
    for n in 0..5000 {
        d.server(&native("1", "").replace("balcony", &format!("r{n}")));
    }
    assert_eq!(d.client_got().len(), 5000);
}
