//! Who is what in a room: affiliations and roles, as they are shown and asked for.

use super::owner::{USUAL, admin, affiliations, grant, owning};
use super::*;

/// Who is shown, in words, with his affiliation and role.
fn sees_who(d: &mut Driver) -> Vec<String> {
    let mut all = d.client_got();
    all.retain(|it| it.local == "presence");
    let words = all.iter().map(|it| {
        let item = it.at("x/item");
        let [affiliation, role] = ["affiliation", "role"].map(|name| item.value(name));
        format!("{} {affiliation} {role}", shown(it))
    });
    words.collect()
}

const ABBOT: &str = "abbot@verona.lit/cell";

/// Juliet in the abbot's room with him and Romeo; `access`: who may come in.
fn with_abbot(access: &str) -> Driver {
    let mut d = session();
    join(&mut d, MUC);
    let others = occupant(ABBOT, "Abbot", "") + &occupant(ROMEO, "Romeo", "");
    let_in_as(&mut d, &info(access, &["abbot@verona.lit"], 3), &others, "");
    d
}

#[test]
fn who_resigns_in_a_room_for_members_is_none() {
    let mut d = with_abbot("whitelist");
    answer_watch(&mut d);
    d.forget();
    let gives_up = "<item affiliation='none' role='participant' jid='abbot@verona.lit'/>";
    let x = format!("<x xmlns='{MUC_USER}'>{gives_up}</x>");
    happens(&mut d, TALK, &line(ABBOT, "Abbot", "n1", 1, &x));
    d.advance(1);
    let look = asked_for(&mut d, "query characters");
    d.result(&look, &info("whitelist", &[CONTACT], 3));
    assert_eq!(
        sees_who(&mut d),
        [
            "Abbot available none participant",
            "Romeo available owner moderator"
        ]
    );
    // If he comes back, somebody has made him a member.
    happens(&mut d, OCCUPANTS, &occupant_gone(ABBOT, "Abbot"));
    happens(&mut d, OCCUPANTS, &occupant(ABBOT, "Abbot", ""));
    assert_eq!(
        sees_who(&mut d),
        [
            "Abbot unavailable none none",
            "Abbot available member participant"
        ]
    );
}

/// The abbot says that he has configured the room, and it lets these in now.
fn is_configured(d: &mut Driver, access: &str) {
    let x = format!("<x xmlns='{MUC_USER}'><status code='104'/></x>");
    happens(d, TALK, &line(ABBOT, "Abbot", access, 1, &x));
    d.advance(5);
    let all = asked(d);
    let look = one(&all, "query characters");
    d.result(look, &info(access, &["abbot@verona.lit"], 3));
    d.advance(1);
}

#[test]
fn whoever_is_in_a_room_for_members_is_one() {
    for (access, affiliation) in [("open", "none"), ("whitelist", "member")] {
        let mut d = with_abbot(access);
        assert_eq!(
            sees_who(&mut d),
            [
                "Abbot available owner moderator".to_owned(),
                format!("Romeo available {affiliation} participant"),
                format!("JC available 100 110 {affiliation} participant"),
            ]
        );
        // So is whoever comes, and he stays one when he goes (XEP-0045 §7.14).
        happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
        happens(&mut d, OCCUPANTS, &occupant_gone(NURSE, "Nurse"));
        assert_eq!(
            sees_who(&mut d),
            [
                format!("Nurse available {affiliation} participant"),
                format!("Nurse unavailable {affiliation} none"),
            ]
        );
    }
}

#[test]
fn whoever_stays_when_a_room_closes_is_a_member() {
    let mut d = with_abbot("open");
    answer_watch(&mut d);
    d.forget();
    is_configured(&mut d, "whitelist");
    assert_eq!(
        sees_who(&mut d),
        [
            "JC available 110 member participant",
            "Romeo available member participant"
        ]
    );
    // And still is when it opens again. Whoever comes then is none.
    is_configured(&mut d, "open");
    assert_eq!(sees_who(&mut d), [""; 0]);
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
    assert_eq!(
        sees_who(&mut d),
        [
            "Romeo available member participant",
            "Nurse available none participant"
        ]
    );
}

#[test]
fn an_owner_sees_who_may_do_what() {
    let mut d = owning("open");
    for (affiliation, expected) in [
        ("owner", vec![OWN]),
        ("member", vec!["friar@verona.lit", "nurse@capulet.lit"]),
        ("outcast", vec!["paris@verona.lit"]),
        ("none", vec![]),
    ] {
        admin(
            &mut d,
            "get",
            &format!("<item affiliation='{affiliation}'/>"),
        );
        let all = [
            USUAL[0],
            USUAL[1],
            // Whoever may publish may come in.
            ("nurse@capulet.lit", "publisher"),
            ("paris@verona.lit", "outcast"),
        ];
        grant(&mut d, "affiliations characters", &affiliations(&all));
        let list = d.one_to_client();
        assert_eq!(shown(&list), "result  a");
        let items = &list.at("query").children;
        let jids: Vec<_> = items.iter().map(|it| it.value("jid")).collect();
        assert_eq!(jids, expected);
        for item in items {
            assert_eq!(item.value("affiliation"), affiliation);
            // Of whoever is there also how he is called (XEP-0045 §9.5).
            let there = ["nick", "role"].map(|name| item.attribute(name));
            let expected = match item.value("jid") {
                OWN => [Some("JC"), Some("moderator")],
                "nurse@capulet.lit" => [Some("Nurse"), Some("participant")],
                _ => [None, None],
            };
            assert_eq!(there, expected, "{item:#?}");
        }
    }
    // Roles are known.
    admin(&mut d, "get", "<item role='participant'/>");
    let list = d.one_to_client();
    let items = list.at("query").children.iter();
    let nicks: Vec<_> = items.map(|it| it.value("nick")).collect();
    assert_eq!(nicks, ["Nurse", "Romeo"]);
    // Nobody is known where the service does not tell.
    admin(&mut d, "get", "<item affiliation='owner'/>");
    grant(&mut d, "affiliations characters", "");
    assert_eq!(sees(&mut d), ["iq : remote-server-timeout for a"]);
}

#[test]
fn a_role_that_somebody_has_is_no_change() {
    for (nick, role) in [("Romeo", "participant"), ("JC", "moderator")] {
        let mut d = owning("open");
        admin(
            &mut d,
            "set",
            &format!("<item nick='{nick}' role='{role}'/>"),
        );
        assert_eq!(sees(&mut d), ["result  a"]);
        assert_eq!(asks(&mut d), [""; 0]);
        // Beside a change it is none, either.
        let items = format!("<item nick='{nick}' role='{role}'/><item nick='Romeo' role='none'/>");
        admin(&mut d, "set", &items);
        assert_eq!(asks(&mut d), ["affiliations characters"]);
    }
    let mut d = owning("open");
    admin(&mut d, "set", "<item nick='JC' role='participant'/>");
    assert_eq!(sees(&mut d), ["iq : not-allowed for a"]);
}
