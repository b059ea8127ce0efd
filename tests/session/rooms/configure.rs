//! The form of a room: the fields an owner sees, the changes he may make, and the errors for others.

use super::owner::{ask_owner, grant, owning};
use super::*;

const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// The configuration of the room node, as the service tells its owner.
pub(super) fn configuration(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| {
        format!("<field var='pubsub#{var}'><value>{value}</value></field>")
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{TALK}'>\
         <x xmlns='jabber:x:data' type='form'>{fields}</x></configure></pubsub>"
    )
}

/// The form as the client is shown it.
fn form(d: &mut Driver, node: &[(&str, &str)]) -> Node {
    d.client(&format!(
        "<iq type='get' id='f' to='{ROOM}'><query xmlns='{OWNER}'/></iq>"
    ));
    grant(d, "configure characters", &configuration(node));
    let answer = d.one_to_client();
    assert_eq!(shown(&answer), "result  f");
    answer.at("query/x").clone()
}

/// The client sends a form with these fields.
fn submit(d: &mut Driver, fields: &[(&str, &str)]) {
    let field = |(var, value): &(&str, &str)| match *value {
        "" => format!("<field var='{var}'/>"),
        value => format!("<field var='{var}'><value>{value}</value></field>"),
    };
    let fields: String = fields.iter().map(field).collect();
    ask_owner(
        d,
        &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"),
    );
}

/// The fields of a form, by name, as a client sends them back.
fn filled(form: &Node) -> Vec<(&str, &str)> {
    let fields = form
        .children
        .iter()
        .filter(|it| it.attribute("var").is_some());
    let said = fields.map(|it| (it.value("var"), &*it.at("value").text));
    said.collect()
}

const NODE: [(&str, &str); 4] = [
    ("title", "Cave"),
    ("description", "Dark"),
    ("access_model", "open"),
    ("max_items", "200"),
];

#[test]
fn an_owner_sees_what_he_may_change() {
    let mut d = owning("open");
    let form = form(&mut d, &NODE);
    assert_eq!(
        filled(&form),
        [
            ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
            ("muc#roomconfig_roomname", "Cave"),
            ("muc#roomconfig_roomdesc", "Dark"),
            ("muc#roomconfig_membersonly", "0"),
            ("muc#roomconfig_historylength", "200"),
            ("muc#roomconfig_persistentroom", "1"),
            ("muc#roomconfig_whois", "anyone"),
        ]
    );
    // The form leaves out fields that the service does not tell.
    let mut d = owning("open");
    let form = self::form(
        &mut d,
        &[("access_model", "whitelist"), ("max_items", "max")],
    );
    let said = filled(&form);
    assert!(
        said.contains(&("muc#roomconfig_membersonly", "1")),
        "{said:?}"
    );
    assert!(said.iter().all(|(var, _)| !var.contains("history")));
}

#[test]
fn an_owner_describes_his_room() {
    let mut d = owning("open");
    submit(
        &mut d,
        &[
            ("muc#roomconfig_roomname", "Cave &amp; den"),
            ("muc#roomconfig_roomdesc", "Dark"),
            ("muc#roomconfig_historylength", "20"),
        ],
    );
    grant(&mut d, "configure characters", &configuration(&NODE));
    // What is so already is not said, and the other node has none of it.
    let talk = grant(&mut d, "configure characters", "");
    let fields = talk.fields();
    assert_eq!(fields.len(), 3, "{fields:#?}");
    for (var, value) in [("pubsub#title", "Cave & den"), ("pubsub#max_items", "20")] {
        assert_eq!(fields[var], value, "{var}");
    }
    let got = d.client_got();
    assert_eq!(shown(&got[0]), "result  o");
    assert_eq!(got[1].at("x/status").value("code"), "104");
    // The other occupants are told, too.
    assert_eq!(asks(&mut d), ["publish characters", "retract characters"]);
    // The same form once more changes nothing.
    submit(
        &mut d,
        &[
            ("muc#roomconfig_roomdesc", "Dark"),
            ("muc#roomconfig_historylength", "20"),
        ],
    );
    let now = [NODE[1], NODE[2], ("max_items", "20")];
    grant(&mut d, "configure characters", &configuration(&now));
    assert_eq!(asks(&mut d), [""; 0]);
    assert_eq!(sees(&mut d), ["result  o"]);
}

#[test]
fn what_another_owner_has_just_configured_counts() {
    let members = |value| [("muc#roomconfig_membersonly", value)];
    let is_now = |access| configuration(&[("access_model", access)]);
    // He has closed a room that was open, and his word of it has not come yet.
    let mut d = owning("open");
    submit(&mut d, &members("0"));
    grant(&mut d, "configure characters", &is_now("whitelist"));
    for node in [OCCUPANTS, TALK] {
        let set = grant(&mut d, &format!("configure {node}"), "");
        assert_eq!(set.fields()["pubsub#access_model"], "open");
    }
    assert_eq!(asks(&mut d), ["publish characters", "retract characters"]);
    // Or opened one that was closed: whoever has come in since has to go.
    let mut d = owning("whitelist");
    submit(&mut d, &members("1"));
    grant(&mut d, "configure characters", &is_now("open"));
    assert_eq!(asks(&mut d), ["affiliations characters"]);
    // Who gives a room a name leaves alone whom it lets in.
    let mut d = owning("open");
    submit(&mut d, &[("muc#roomconfig_roomname", "Den")]);
    grant(&mut d, "configure characters", &is_now("whitelist"));
    let set = grant(&mut d, "configure characters", "");
    assert!(!set.fields().contains_key("pubsub#access_model"));
}

#[test]
fn a_form_that_comes_back_unchanged_changes_nothing() {
    let mut d = owning("open");
    let form = form(&mut d, &NODE);
    submit(&mut d, &filled(&form));
    grant(&mut d, "configure characters", &configuration(&NODE));
    assert_eq!(asks(&mut d), [""; 0]);
    assert_eq!(sees(&mut d), ["result  o"]);
}

#[test]
fn what_no_room_can_have_is_named() {
    for (var, value) in [
        ("muc#roomconfig_moderatedroom", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "cauldronburn"),
        ("muc#roomconfig_whois", "moderators"),
        ("muc#roomconfig_maxusers", "20"),
        ("muc#roomconfig_persistentroom", "perhaps"),
        ("muc#roomconfig_publicroom", "false"),
        ("muc#roomconfig_changesubject", "0"),
        ("muc#roomconfig_enablelogging", "1"),
        ("muc#roomconfig_roomadmins", "abbot@verona.lit"),
        ("muc#roomconfig_allowinvites", "0"),
        ("muc#roomconfig_membersonly", "perhaps"),
        ("muc#roomconfig_historylength", "0"),
        ("muc#roomconfig_historylength", "257"),
        ("muc#roomconfig_historylength", "-1"),
        ("x-other", "1"),
    ] {
        let mut d = owning("open");
        submit(&mut d, &[("muc#roomconfig_roomname", "Den"), (var, value)]);
        let error = d.one_to_client();
        assert_eq!(shown(&error), "iq : not-acceptable for o", "{var}");
        assert_eq!(error.at("error").value("type"), "modify");
        let text = &error.at("error/text").text;
        assert!(text.ends_with(&format!(": {var}")), "{text}");
        assert_eq!(asks(&mut d), [""; 0], "nothing of it is done");
    }
}

#[test]
fn what_a_room_is_anyway_may_be_wished() {
    let mut d = owning("open");
    let all = [
        ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        ("muc#roomconfig_moderatedroom", "0"),
        ("muc#roomconfig_passwordprotectedroom", "false"),
        ("muc#roomconfig_roomsecret", ""),
        ("muc#roomconfig_whois", "anyone"),
        ("muc#roomconfig_maxusers", "none"),
        // slixmpp's own test of rooms wishes a temporary one.
        ("muc#roomconfig_persistentroom", "0"),
        ("muc#roomconfig_publicroom", "True"),
        ("muc#roomconfig_allowinvites", "1"),
        ("muc#roomconfig_presencebroadcast", "participant"),
        ("muc#roomconfig_whatever", "0"),
    ];
    submit(&mut d, &all);
    grant(&mut d, "configure characters", &configuration(&NODE));
    assert_eq!(sees(&mut d), ["result  o"]);
    // In a room for members only its owners invite.
    let closes = [
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_allowinvites", "0"),
    ];
    submit(&mut d, &closes);
    grant(&mut d, "configure characters", &configuration(&NODE));
    assert_eq!(asks(&mut d), ["affiliations characters"]);
}

#[test]
fn others_read_what_a_room_is_about() {
    let mut d = session();
    d.client(&format!("<iq type='get' to='{ROOM}' id='i'>{INFO}</iq>"));
    let question = asked_for(&mut d, "query characters");
    let about = "<field var='pubsub#description'><value>Dark &amp; deep</value></field></x>";
    d.result(&question, &open_room().replace("</x>", about));
    let info = d.one_to_client();
    let form = info.at("query/x");
    assert_eq!(
        filled(form),
        [
            ("FORM_TYPE", "http://jabber.org/protocol/muc#roominfo"),
            ("muc#roominfo_description", "Dark & deep"),
        ]
    );
}
