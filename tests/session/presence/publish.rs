//! Publishes that fail: the node is checked, and the newest presence still gets out.

use pubshim::session::{Event, Policy};

use crate::scenes::*;

#[test]
fn a_conflict_has_the_node_checked_and_the_newest_published() {
    let mut d = published();
    d.client("<presence id='2'/>");
    let publish = d.one_behind_presence();
    d.client("<presence id='3'/>");
    d.forget();
    // As Prosody says it.
    let id = publish.value("id");
    d.server(&format!(
        "<iq type='error' to='{JULIET}' id='{id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Field does not match: access_model</text>\
         <precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>"
    ));
    let get = d.one_to_server();
    assert_is_get(&get);
    d.result(&get, &ejabberd_node(&[("access_model", "open")]));
    let delete = d.one_to_server();
    assert_is_delete(&delete);
    d.result(&delete, "");
    let create = d.one_to_server();
    d.result(&create, "");
    let get = d.one_to_server();
    d.result(&get, &ejabberd_node(&[]));
    assert_is_publish(&d.one_to_server(), "authorize", "3");
}

#[test]
fn conflicts_without_end_end() {
    let mut d = published();
    d.client("<presence id='2'/>");
    for _ in 0..100 {
        let mut sent = d.server_got();
        let Some(iq) = sent.pop().filter(|iq| iq.local == "iq") else {
            assert!(
                d.tells(|e| matches!(e, Event::PublishFailed { .. } | Event::NodeUnusable { .. }))
            );
            return;
        };
        if iq.has("pubsub/publish") {
            d.error(&iq, "cancel", "conflict");
        } else {
            d.result(&iq, &ejabberd_node(&[]));
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn a_failed_publish_does_not_stop_the_next() {
    for condition in ["forbidden", "item-not-found", "resource-constraint"] {
        let mut d = published();
        d.client("<presence id='2'/>");
        let publish = d.one_behind_presence();
        d.error(&publish, "auth", condition);
        let node = "presence";
        let reason = condition.to_owned();
        assert_eq!(d.events(), [Event::PublishFailed { node, reason }]);
        assert_eq!(d.client_bytes(), "", "native presence has said it");
        d.client("<presence id='3'/>");
        let sent = d.server_got();
        assert_eq!((sent.len(), changed(&sent[1]).value("id")), (2, "3"));
    }
}

#[test]
fn a_publish_that_is_never_answered_does_not_stop_the_next() {
    let mut d = published();
    d.client("<presence id='2'/><presence id='3'/>");
    d.forget();
    d.advance(61);
    assert_eq!(changed(&d.one_to_server()).value("id"), "3");
}

#[test]
fn in_pure_the_client_is_told_that_nobody_sees_it() {
    for (policy, told) in [(Policy::Pure, true), (Policy::Auto, false)] {
        let mut d = Driver::logged_in(JULIET, options(policy));
        d.client("<presence id='1'/>");
        let publish = ready(&mut d);
        d.error(&publish, "auth", "forbidden");
        let answer = d.client_bytes();
        assert_eq!(
            answer.contains("<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"),
            told,
            "{answer}"
        );
        assert_eq!(
            answer.starts_with("<presence type='error' from='juliet@capulet.lit' to='"),
            told
        );
    }
}

#[test]
fn in_pure_silence_of_the_server_is_told_too() {
    let mut d = Driver::logged_in(JULIET, options(Policy::Pure));
    d.client("<presence id='1'/>");
    ready(&mut d);
    d.advance(61);
    assert!(d.one_to_client().has("error/remote-server-timeout"));
}
