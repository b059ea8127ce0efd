//! Questions asked before the client is shown to anybody.

use std::time::Duration;

use super::*;

fn marker(presence: &Node) -> Option<&str> {
    presence.at("shim").attribute("chat")
}

/// The marker of the client's first presence, if that has left.
fn first_marker(d: &mut Driver) -> Option<Option<String>> {
    let sent = d.server_got();
    let presence = sent.iter().find(|it| it.local == "presence")?;
    Some(marker(presence).map(str::to_owned))
}

#[test]
fn a_presence_waits_until_both_questions_are_answered() {
    let mut d = before(options());
    d.client("<presence/>");
    let asked = d.server_got();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    assert!(
        asked
            .iter()
            .any(|it| it.attribute("to") == Some(OWN) && it.has("query"))
    );
    let (archive, record) = match asked[0].has("query") {
        true => (&asked[0], &asked[1]),
        false => (&asked[1], &asked[0]),
    };
    d.result(archive, &account_info(""));
    assert_eq!(first_marker(&mut d), None);
    d.error(record, "cancel", "item-not-found");
    assert_eq!(first_marker(&mut d), Some(Some("1".to_owned())));
}

#[test]
fn nothing_overtakes_a_presence_that_waits() {
    let mut d = before(options());
    d.client("<presence/><message to='a@b.lit'><body>1</body></message>");
    d.client("<iq type='get' id='p' to='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>");
    let asked = d.server_got();
    assert!(asked.iter().all(is_ours), "{asked:#?}");
    // Stanzas from the server pass meanwhile.
    d.server("<message from='a@b.lit'><body>2</body></message>");
    assert_eq!(shown(&mut d), ["a@b.lit 2"]);
    for question in &asked {
        d.result(question, &account_info(""));
    }
    let all = d.server_got();
    let left = all.iter().filter(|it| !is_ours(it)).map(|it| &*it.local);
    assert_eq!(left.collect::<Vec<_>>(), ["presence", "message", "iq"]);
}

#[test]
fn an_answer_that_does_not_come_leaves_chats_native() {
    let mut d = before(options());
    d.client("<presence/><message to='a@b.lit'><body>1</body></message>");
    d.forget();
    d.advance(4);
    assert_eq!(d.server_bytes(), "");
    d.advance(1);
    let left = d.server_got();
    assert_eq!(marker(&left[0]), None);
    assert!(left.iter().any(|it| it.local == "message"));
}

#[test]
fn an_archive_leaves_chats_native_unless_told_otherwise() {
    let archive = |version| account_info(&format!("<feature var='urn:xmpp:mam:{version}'/>"));
    for (chat, features, expected) in [
        (Chat::Auto, archive(2), None),
        (Chat::Auto, archive(1), None),
        (Chat::Auto, account_info(""), Some("1")),
        (Chat::Pubsub, archive(2), Some("1")),
    ] {
        let mut d = before(Options { chat, ..options() });
        d.client("<presence/>");
        for question in d.server_got() {
            match question.has("query") {
                true => d.result(&question, &features),
                false => d.error(&question, "cancel", "item-not-found"),
            }
        }
        let said = first_marker(&mut d);
        assert_eq!(
            said,
            Some(expected.map(str::to_owned)),
            "{chat:?} {features}"
        );
        arrives(&mut d, HIS, "chat='1'", "");
        say(&mut d, "x");
        let became = sent(&mut d);
        let by_pubsub = became.last().unwrap() == "publish x";
        assert_eq!(by_pubsub, expected.is_some(), "{became:?}");
    }
    // An account that answers with an error may have an archive: chats stay native.
    let mut d = before(options());
    d.client("<presence/>");
    for question in d.server_got() {
        d.error(&question, "cancel", "service-unavailable");
    }
    assert_eq!(first_marker(&mut d), Some(None));
}

#[test]
fn who_leaves_chats_native_asks_nothing_and_waits_for_nothing() {
    use pubshim::session::Function;
    for (chat, native) in [(Chat::Native, vec![]), (Chat::Auto, vec![Function::Chat])] {
        let mut d = before(Options {
            chat,
            native,
            ..options()
        });
        d.client("<presence/>");
        assert_eq!(first_marker(&mut d), Some(None));
    }
    let native = vec![Function::Presence];
    let mut d = before(Options {
        native,
        ..options()
    });
    d.client_passes("<presence/>");
}

#[test]
fn a_client_that_leaves_while_it_waits_was_there() {
    let mut d = before(options());
    d.client("<presence/>");
    d.forget();
    d.client("<presence type='unavailable'/></stream:stream>");
    d.advance(5);
    let sent = leave(&mut d);
    let kinds: Vec<_> = sent
        .iter()
        .filter(|it| it.local == "presence")
        .map(|it| it.attribute("type"))
        .collect();
    assert_eq!(kinds, [None, Some("unavailable")]);
}

#[test]
fn a_client_that_is_cut_while_it_waits_was_there() {
    use pubshim::session::{Input, Leg};
    let mut d = before(options());
    d.client("<presence/>");
    d.forget();
    d.input(Input::Eof(Leg::Client));
    d.advance(5);
    let told = d.server_bytes();
    assert!(told.starts_with("<presence"), "{told}");
    assert!(told.ends_with("</stream:stream>"), "{told}");
}

#[test]
fn the_second_presence_waits_for_nothing() {
    let mut d = session();
    d.client("<presence><show>away</show></presence>");
    let sent = d.server_got();
    assert_eq!(marker(&sent[0]), Some("1"));
    assert!(
        d.session
            .timeout()
            .is_none_or(|at| at > d.now + Duration::from_secs(5))
    );
}
