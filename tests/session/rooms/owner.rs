//! An owner's work on a room: lists, kicks, bans, members only, its end. The service's answers are cut from those of
//! ejabberd and Prosody.

use super::configure::configuration;
use super::*;

const OWNER_NS: &str = "http://jabber.org/protocol/pubsub#owner";
const PARIS: &str = "paris@verona.lit/cell";
/// Affiliations with which the room begins.
pub(super) const USUAL: [(&str, &str); 2] = [(OWN, "owner"), ("friar@verona.lit", "member")];

/// Juliet's session in a room of hers with Romeo and the nurse; `access`: who may come in.
pub(super) fn owning(access: &str) -> Driver {
    let mut d = session();
    join(&mut d, MUC);
    let others = occupant(ROMEO, "Romeo", "") + &occupant(NURSE, "Nurse", "");
    let_in_as(&mut d, &info(access, &[OWN], 3), &others, "");
    answer_watch(&mut d);
    d.forget();
    d
}

pub(super) fn admin(d: &mut Driver, kind: &str, items: &str) {
    d.client(&format!(
        "<iq type='{kind}' id='a' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query></iq>"
    ));
}

pub(super) fn ask_owner(d: &mut Driver, what: &str) {
    d.client(&format!(
        "<iq type='set' id='o' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>{what}</query></iq>"
    ));
}

/// The service's list of the room node's affiliations, for its owner.
pub(super) fn affiliations(all: &[(&str, &str)]) -> String {
    let each = |(jid, affiliation): &(&str, &str)| {
        format!("<affiliation jid='{jid}' affiliation='{affiliation}'/>")
    };
    let all: String = all.iter().map(each).collect();
    format!("<pubsub xmlns='{OWNER_NS}'><affiliations node='{TALK}'>{all}</affiliations></pubsub>")
}

/// The service's list of a node's subscribers, for its owner.
pub(super) fn subscribed(node: &str, all: &[&str]) -> String {
    subscriptions(node, all).replace(PUBSUB, OWNER_NS)
}

/// The configuration of a room node that lets everybody in, for its owner.
fn is_open() -> String {
    configuration(&[("access_model", "open")])
}

/// Answers the only request that the service has got, and asserts that it has these words.
#[track_caller]
pub(super) fn grant(d: &mut Driver, words: &str, result: &str) -> Node {
    let mut asked = asked(d);
    assert_eq!(in_words(&asked), [words]);
    let iq = asked.remove(0);
    d.result(&iq, result);
    iq
}

/// Takes the owner's notice to all occupants off the requests: its publish, and the retract right behind it. Gives its
/// `<item/>`s in words (JID, affiliation, role, reason) and its status codes.
#[track_caller]
fn notice(asked: &mut Vec<Node>) -> (Vec<String>, Vec<String>) {
    assert_eq!(
        in_words(&asked[..2]),
        ["publish characters", "retract characters"]
    );
    let (publish, retract) = (asked.remove(0), asked.remove(0));
    let item = publish.at("pubsub/publish/item");
    let taken_away = retract.at("pubsub/retract/item").value("id");
    assert_eq!(item.value("id"), taken_away);
    let message = item.at("message");
    assert_eq!(
        (message.value("from"), message.value("type")),
        (&*format!("{ROOM}/JC"), "groupchat")
    );
    assert_eq!(message.names(), ["x"]);
    let x = message.at("x");
    assert_eq!(x.namespace, MUC_USER);
    let (items, statuses): (Vec<_>, Vec<_>) = x.children.iter().partition(|it| it.local == "item");
    let in_words = |it: &&Node| {
        let reason = it.find("reason").map_or("", |it| &it.text);
        let words = ["jid", "affiliation", "role"].map(|name| it.value(name));
        format!("{} {reason}", words.join(" "))
    };
    let statuses = statuses.iter().map(|it| it.value("code").to_owned());
    (
        items
            .iter()
            .map(in_words)
            .map(|it| it.trim().to_owned())
            .collect(),
        statuses.collect(),
    )
}

/// The subscriber's JID in a request of the owner's that ends a subscription.
fn ended(iq: &Node) -> String {
    let subscription = iq.at("pubsub/subscriptions/subscription");
    assert_eq!(subscription.value("subscription"), "none");
    subscription.value("jid").to_owned()
}

/// Plays the service while the shim ends the subscriptions of `jids` to both nodes.
#[track_caller]
fn put_out(d: &mut Driver, jids: &[&str]) {
    for node in [OCCUPANTS, TALK] {
        let words = format!("subscriptions {node}");
        let all = [&[JULIET], jids].concat();
        grant(d, &words, &subscribed(node, &all));
        let mut out: Vec<_> = jids.iter().map(|_| ended(&grant(d, &words, ""))).collect();
        out.reverse();
        assert_eq!(out, jids);
        grant(d, &words, &subscribed(node, &[JULIET]));
    }
}

#[test]
fn who_is_kicked_hears_and_speaks_no_more() {
    let mut d = owning("open");
    let reason = "<reason>Avaunt &amp; away</reason>";
    admin(
        &mut d,
        "set",
        &format!("<item nick='Romeo' role='none'>{reason}</item>"),
    );
    let mut asked_now = asked(&mut d);
    assert_eq!(in_words(&asked_now), ["affiliations characters"]);
    let list = asked_now.remove(0);
    d.result(&list, &affiliations(&USUAL));
    // Why he goes is said before he is gone. Prosody tells him by the retract alone, and only while he is subscribed.
    let mut sent = asked(&mut d);
    let (words, statuses) = notice(&mut sent);
    assert_eq!(words, ["romeo@montague.lit none none Avaunt & away"]);
    assert_eq!(statuses, ["307"]);
    assert_eq!(
        in_words(&sent),
        [
            "retract characters#occupants",
            "subscriptions characters#occupants"
        ]
    );
    assert_eq!(
        sent[0].at("pubsub/retract/item").value("id"),
        "romeo@montague.lit"
    );
    d.result(&sent[0], "");
    happens(&mut d, OCCUPANTS, "<retract id='romeo@montague.lit'/>");
    let gone = d.one_to_client();
    assert_eq!(shown(&gone), "Romeo unavailable 307");
    assert_eq!(done_by(&gone), ("JC", "Avaunt & away"));
    // Every subscription of his is ended, also one that was never an occupant's.
    let bare = "romeo@montague.lit";
    let first = subscribed(OCCUPANTS, &[JULIET, ROMEO, bare, NURSE]);
    d.result(&sent[1], &first);
    let out: Vec<_> = (0..2)
        .map(|_| ended(&grant(&mut d, "subscriptions characters#occupants", "")))
        .collect();
    assert_eq!(out, [bare, ROMEO]);
    let rest = subscribed(OCCUPANTS, &[JULIET, NURSE]);
    grant(&mut d, "subscriptions characters#occupants", &rest);
    assert_eq!(sees(&mut d), [""; 0], "not before it is done");
    grant(
        &mut d,
        "subscriptions characters",
        &subscribed(TALK, &[JULIET]),
    );
    assert_eq!(sees(&mut d), ["result  a"]);
    assert_eq!(asks(&mut d), [""; 0]);
}

#[test]
fn who_is_banned_is_out_before_and_looked_for_behind_it() {
    let mut d = owning("open");
    let ban = "<item jid='romeo@montague.lit' affiliation='outcast'><reason>!</reason></item>";
    admin(&mut d, "set", ban);
    let list = asked_for(&mut d, "affiliations characters");
    d.result(&list, &affiliations(&USUAL));
    let mut retract = asked(&mut d);
    let (words, statuses) = notice(&mut retract);
    assert_eq!(words, ["romeo@montague.lit outcast none !"]);
    assert_eq!(statuses, ["301"]);
    assert_eq!(what(&retract[0]), "retract characters#occupants");
    d.result(&retract[1], &subscribed(OCCUPANTS, &[ROMEO]));
    grant(&mut d, "subscriptions characters#occupants", "");
    grant(
        &mut d,
        "subscriptions characters#occupants",
        &subscribed(OCCUPANTS, &[]),
    );
    grant(&mut d, "subscriptions characters", &subscribed(TALK, &[]));
    for node in [OCCUPANTS, TALK] {
        let set = grant(&mut d, &format!("affiliations {node}"), "");
        let set = set.at("pubsub/affiliations/affiliation");
        assert_eq!(
            (set.value("jid"), set.value("affiliation")),
            ("romeo@montague.lit", "outcast")
        );
    }
    // He has come back in between.
    put_out(&mut d, &[ROMEO]);
    happens(&mut d, OCCUPANTS, "<retract id='romeo@montague.lit'/>");
    let gone = d.one_to_client();
    assert_eq!(shown(&gone), "Romeo unavailable 301");
    assert_eq!(gone.at("x/item").value("affiliation"), "outcast");
    assert_eq!(done_by(&gone), ("JC", "!"));
    let now = [USUAL[0], ("romeo@montague.lit", "outcast")];
    grant(&mut d, "affiliations characters", &affiliations(&now));
    assert_eq!(sees(&mut d), ["result  a"]);
}

#[test]
fn a_change_that_was_not_made_is_none() {
    let mut d = owning("open");
    admin(
        &mut d,
        "set",
        "<item jid='romeo@montague.lit' affiliation='member'/>",
    );
    grant(&mut d, "affiliations characters", &affiliations(&USUAL));
    grant(&mut d, "affiliations characters#occupants", "");
    grant(&mut d, "affiliations characters", "");
    grant(&mut d, "affiliations characters", &affiliations(&USUAL));
    assert_eq!(sees(&mut d), ["iq : not-allowed for a"]);
}

#[test]
fn a_new_owner_is_shown_as_one() {
    let mut d = owning("open");
    admin(&mut d, "set", "<item nick='Romeo' affiliation='owner'/>");
    grant(&mut d, "affiliations characters", &affiliations(&USUAL));
    grant(&mut d, "affiliations characters#occupants", "");
    grant(&mut d, "affiliations characters", "");
    let now = [USUAL[0], ("romeo@montague.lit", "owner")];
    grant(&mut d, "affiliations characters", &affiliations(&now));
    // Others are told once it is so.
    let (words, statuses) = notice(&mut asked(&mut d));
    assert_eq!(words, ["romeo@montague.lit owner moderator"]);
    assert_eq!(statuses, [""; 0]);
    let got = d.client_got();
    assert_eq!(shown(&got[0]), "Romeo available");
    assert_eq!(shown(&got[1]), "result  a");
    let item = got[0].at("x/item");
    assert_eq!(item.at("actor").value("nick"), "JC");
    assert_eq!(
        (item.value("affiliation"), item.value("role")),
        ("owner", "moderator")
    );
    // One of two may go; what he then may not ask any more is not asked.
    admin(
        &mut d,
        "set",
        &format!("<item jid='{OWN}' affiliation='none'/>"),
    );
    grant(&mut d, "configure characters", &is_open());
    grant(&mut d, "affiliations characters", &affiliations(&now));
    let mut sent = asked(&mut d);
    let (words, _) = notice(&mut sent);
    assert_eq!(words, ["juliet@capulet.lit none participant"]);
    assert_eq!(in_words(&sent), ["affiliations characters#occupants"]);
    d.result(&sent[0], "");
    grant(&mut d, "affiliations characters", "");
    assert_eq!(sees(&mut d), ["JC available 110", "result  a"]);
    admin(&mut d, "get", "<item affiliation='owner'/>");
    assert_eq!(sees(&mut d), ["iq : forbidden for a"]);
}

#[test]
fn who_resigns_does_so_last() {
    let mut d = owning("open");
    let now = [USUAL[0], ("romeo@montague.lit", "owner")];
    admin(
        &mut d,
        "set",
        &format!(
            "<item jid='{OWN}' affiliation='member'/><item jid='nurse@capulet.lit' affiliation='none'/>"
        ),
    );
    grant(&mut d, "configure characters", &is_open());
    grant(&mut d, "affiliations characters", &affiliations(&now));
    for expected in ["none", "member"] {
        for node in [OCCUPANTS, TALK] {
            let mut sent = asked(&mut d);
            if expected == "member" && node == OCCUPANTS {
                // Behind it nothing of hers could be taken away any more.
                let (words, _) = notice(&mut sent);
                assert_eq!(words, [format!("{OWN} member participant")]);
            }
            assert_eq!(in_words(&sent), [format!("affiliations {node}")]);
            let set = sent[0].at("pubsub/affiliations/affiliation");
            assert_eq!(set.value("affiliation"), expected);
            d.result(&sent[0], "");
        }
    }
    let got = d.client_got();
    let own = got.iter().find(|it| shown(it) == "JC available 110");
    let own = own.unwrap().at("x/item");
    assert_eq!(own.value("affiliation"), "member");
    assert_eq!(shown(got.last().unwrap()), "result  a");
}

#[test]
fn a_ban_that_is_refused_is_none() {
    let mut d = owning("open");
    let ban = "<item jid='romeo@montague.lit' affiliation='outcast'/>";
    admin(&mut d, "set", ban);
    let list = asked_for(&mut d, "affiliations characters");
    d.result(&list, &affiliations(&USUAL));
    let mut sent = asked(&mut d);
    notice(&mut sent);
    d.error(&sent[1], "wait", "internal-server-error");
    assert_eq!(sees(&mut d), ["iq : internal-server-error for a"]);
    // He says something new: he is what he was.
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
    let shown = d.one_to_client();
    assert_eq!(shown.at("x/item").value("affiliation"), "none");
    // And that he leaves is no ban, whoever tidies behind him.
    happens(&mut d, OCCUPANTS, "<retract id='romeo@montague.lit'/>");
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
}

#[test]
fn the_last_owner_stays() {
    for word in ["none", "member"] {
        let mut d = owning("open");
        admin(
            &mut d,
            "set",
            &format!("<item jid='{OWN}' affiliation='{word}'/>"),
        );
        if word == "none" {
            grant(&mut d, "configure characters", &is_open());
        }
        grant(&mut d, "affiliations characters", &affiliations(&USUAL));
        let refused = d.one_to_client();
        assert_eq!(shown(&refused), "iq : conflict for a");
        assert_eq!(
            refused.at("error/text").text,
            "the room would have no owner"
        );
        assert_eq!(asks(&mut d), [""; 0]);
    }
}

#[test]
fn what_a_room_of_nodes_cannot_do_is_refused() {
    let long = format!(
        "<item nick='Romeo' role='none'><reason>{}</reason></item>",
        "x".repeat(5000)
    );
    let many = "<item jid='a@b' affiliation='member'/>".repeat(1000);
    for (items, condition) in [
        ("<item jid='a@b' affiliation='admin'/>", "not-allowed"),
        ("<item nick='Romeo' role='visitor'/>", "not-allowed"),
        ("<item nick='Romeo' role='moderator'/>", "not-allowed"),
        ("<item nick='JC' role='none'/>", "conflict"),
        ("<item nick='Tybalt' role='none'/>", "item-not-found"),
        ("<item jid='a b@c' affiliation='member'/>", "jid-malformed"),
        ("<item affiliation='member'/>", "bad-request"),
        ("<item jid='a@b'/>", "bad-request"),
        ("<other/>", "bad-request"),
        ("", "bad-request"),
        (&long, "not-acceptable"),
        (&many, "policy-violation"),
    ] {
        let mut d = owning("open");
        admin(&mut d, "set", items);
        assert_eq!(sees(&mut d), [format!("iq : {condition} for a")]);
        assert_eq!(asks(&mut d), [""; 0]);
    }
    let mut d = owning("open");
    admin(
        &mut d,
        "set",
        &format!("<item jid='{OWN}' affiliation='outcast'/>"),
    );
    assert_eq!(sees(&mut d), ["iq : conflict for a"]);
}

#[test]
fn who_is_no_owner_any_more_is_told() {
    let mut d = owning("open");
    admin(&mut d, "set", "<item nick='Romeo' role='none'/>");
    let list = asked_for(&mut d, "affiliations characters");
    d.error(&list, "auth", "forbidden");
    assert_eq!(sees(&mut d), ["iq : forbidden for a", "JC available 110"]);
    ask_owner(&mut d, "<destroy/>");
    assert_eq!(sees(&mut d), ["iq : forbidden for o"]);
    assert_eq!(asks(&mut d), [""; 0]);
}

#[test]
fn a_room_closes_behind_its_members() {
    let mut d = owning("open");
    let members = "<field var='muc#roomconfig_membersonly'><value>1</value></field>";
    ask_owner(
        &mut d,
        &format!("<x xmlns='jabber:x:data' type='submit'>{members}</x>"),
    );
    grant(&mut d, "configure characters", &is_open());
    let list = asked_for(&mut d, "affiliations characters");
    let now = [USUAL[0], ("nurse@capulet.lit", "member")];
    d.result(&list, &affiliations(&now));
    // Prosody tells nobody who is not subscribed any more, so this comes before the room is closed. The nurse stays.
    let mut sent = asked(&mut d);
    let (words, statuses) = notice(&mut sent);
    assert_eq!(words, ["romeo@montague.lit none none"]);
    assert_eq!(statuses, ["322"]);
    assert_eq!(
        in_words(&sent),
        [
            "retract characters#occupants",
            "configure characters#occupants"
        ],
    );
    assert_eq!(sent[1].fields()["pubsub#access_model"], "whitelist");
    d.result(&sent[1], "");
    let configure = grant(&mut d, "configure characters", "");
    assert_eq!(configure.fields()["pubsub#access_model"], "whitelist");
    let sent = asked_for(&mut d, "subscriptions characters#occupants");
    d.result(&sent, &subscribed(OCCUPANTS, &[JULIET, NURSE, PARIS]));
    let out = ended(&grant(&mut d, "subscriptions characters#occupants", ""));
    assert_eq!(out, PARIS);
    grant(
        &mut d,
        "subscriptions characters#occupants",
        &subscribed(OCCUPANTS, &[JULIET]),
    );
    grant(
        &mut d,
        "subscriptions characters",
        &subscribed(TALK, &[JULIET, NURSE]),
    );
    let (words, statuses) = notice(&mut asked(&mut d));
    assert_eq!((words.len(), statuses), (0, vec!["104".to_owned()]));
    happens(&mut d, OCCUPANTS, "<retract id='romeo@montague.lit'/>");
    let got = d.client_got();
    assert_eq!(shown(&got[0]), "result  o");
    assert_eq!(got[1].at("x/status").value("code"), "104");
    assert_eq!(shown(&got[2]), "Romeo unavailable 322");
    assert!(!got[2].has("x/item/actor"));
    // A member who is none any more has to go, too.
    admin(
        &mut d,
        "set",
        "<item jid='nurse@capulet.lit' affiliation='none'/>",
    );
    let is_closed = configuration(&[("access_model", "whitelist")]);
    grant(&mut d, "configure characters", &is_closed);
    let list = asked_for(&mut d, "affiliations characters");
    d.result(&list, &affiliations(&now));
    let mut sent = asked(&mut d);
    let (words, statuses) = notice(&mut sent);
    assert_eq!(words, ["nurse@capulet.lit none none"]);
    assert_eq!(statuses, ["321"]);
    assert_eq!(what(&sent[0]), "retract characters#occupants");
    happens(&mut d, OCCUPANTS, "<retract id='nurse@capulet.lit'/>");
    assert_eq!(sees(&mut d), ["Nurse unavailable 321"]);
}

#[test]
fn a_room_ends_and_says_where_it_goes_on() {
    let mut d = owning("open");
    ask_owner(
        &mut d,
        "<destroy jid='den@chat.shakespeare.lit'><reason>Rain</reason><password>dry</password></destroy>",
    );
    let said = asked_for(&mut d, "publish characters");
    let item = said.at("pubsub/publish/item");
    let destroy = item.at("message/x/destroy");
    assert_eq!(destroy.namespace, MUC_USER);
    assert_eq!(destroy.value("jid"), "den@chat.shakespeare.lit");
    assert_eq!(destroy.at("reason").text, "Rain");
    echo(&mut d, &said);
    assert_eq!(sees(&mut d), [""; 0]);
    grant(&mut d, "delete characters", "");
    event_in(&mut d, "<delete node='characters'/>");
    let gone = d.one_to_client();
    assert_eq!(shown(&gone), "JC unavailable destroy");
    let destroy = gone.at("x/destroy");
    assert_eq!(destroy.at("reason").text, "Rain");
    assert_eq!(destroy.at("password").text, "dry");
    // He is nothing in a room that is no more, as XEP-0045 prints it.
    let item = gone.at("x/item");
    item.assert_values(&[("affiliation", "none"), ("role", "none")]);
    assert_eq!(item.attributes.len(), 2);
    let rest = asked(&mut d);
    assert_eq!(
        in_words(&rest),
        [
            "delete characters#occupants",
            "unsubscribe characters#occupants"
        ]
    );
    d.result(&rest[0], "");
    assert_eq!(sees(&mut d), ["result  o"]);
}

#[test]
fn a_new_room_may_be_given_up() {
    let mut d = in_new_room();
    ask_owner(&mut d, "<x xmlns='jabber:x:data' type='cancel'/>");
    grant(&mut d, "delete characters", "");
    grant(&mut d, "delete characters#occupants", "");
    assert_eq!(sees(&mut d), ["result  o"]);
    // One that others are in stays as it is.
    let mut d = owning("open");
    ask_owner(&mut d, "<x xmlns='jabber:x:data' type='cancel'/>");
    assert_eq!(sees(&mut d), ["result  o"]);
    assert_eq!(asks(&mut d), [""; 0]);
    ask_owner(&mut d, "");
    assert_eq!(sees(&mut d), ["iq : bad-request for o"]);
}
