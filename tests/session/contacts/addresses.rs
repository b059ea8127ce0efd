//! Addresses as people and other servers write them: bare JIDs are compared as servers prepare them, resources are
//! opaque (RFC 6122).

use crate::scenes::*;

/// How somebody may type the bard's address, and how a server may write it.
const SPELLED: &str = "BARD@shakespeare.lit";

#[test]
fn an_answer_in_capitals_is_the_answer_to_the_form() {
    for answered in [
        SPELLED,
        "BARD@shakespeare.LIT",
        "\u{ff22}ard@shakespeare.lit/globe",
    ] {
        let (account, mut d) = with_bard("");
        d.server(&listing_10(BARD));
        assert_eq!(d.one_to_client(), request(BARD));
        let stanza = format!("<presence to='{answered}' type='subscribed'/>");
        d.client(&stanza);
        let sent = d.server_bytes();
        assert!(sent.contains(&stanza), "it passes as it is written: {sent}");
        assert_has(
            &sent,
            "<affiliation jid='bard@shakespeare.lit' affiliation='member'/>",
        );
        assert_has(&sent, "<field var='pubsub#allow'><value>true</value>");
        account.settle(&mut d);
    }
}

#[test]
fn a_form_about_an_address_in_capitals_is_about_the_contact() {
    let jid = "Bard@Shakespeare.lit/Globe ";
    let (account, mut d) = with_bard("");
    d.server(&listing_10(jid));
    assert_eq!(d.one_to_client(), request(BARD));
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    let sent = d.server_bytes();
    // The answer names the JID as the service has it.
    assert_has(&sent, &format!("<value>{jid}</value>"));
    account.settle(&mut d);
}

#[test]
fn an_address_nobody_can_have_is_the_servers_to_refuse() {
    for to in [
        "@shakespeare.lit",
        "ba rd@shakespeare.lit",
        "bard@",
        "a@b@c",
        "/",
        "\u{200e}B@shakespeare.lit",
    ] {
        for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            let (account, mut d) = with_bard("");
            let stanza = format!("<presence to='{to}' type='{kind}'/>");
            d.client(&stanza);
            assert!(d.server_bytes().contains(&stanza), "{stanza}");
            account.settle(&mut d);
        }
    }
}

#[test]
fn a_node_the_client_asked_for_in_capitals_is_its_own() {
    let mut d = romeo();
    d.client(
        "<iq type='set' id='own' to='Nurse@Capulet.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <subscribe node='presence' jid='romeo@montague.lit'/></pubsub></iq>",
    );
    d.forget();
    let full = "nurse@capulet.lit/x";
    d.server(&event_of(full, &payload(full, "1", "")));
    assert_eq!(d.one_to_client().value("from"), full);
    // A node is not the client's own once the service has refused the request.
    d.server(
        "<iq type='error' id='own' from='nurse@capulet.lit' to='romeo@montague.lit/mobile'><error type='auth'>\
         <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    d.forget();
    d.server(&event_of(full, &payload(full, "2", "")));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_resource_is_shown_as_it_came() {
    for (resource, shown) in [
        (" home ", " home "),
        ("a&#9;b", "a\tb"),
        ("\u{ff28}ome \u{a0}", "\u{ff28}ome \u{a0}"),
        ("&lt;&apos;/@", "<'/@"),
    ] {
        let full = format!("juliet@capulet.lit/{resource}");
        let mut d = romeo();
        d.server(&event_of(&full, &payload(&full, "1", "")));
        if shown.contains('\t') {
            assert_eq!(d.client_bytes(), "", "no JID has a control character");
        } else {
            let expected = format!("juliet@capulet.lit/{shown}");
            assert_eq!(d.one_to_client().value("from"), expected);
        }
    }
}

/// Items of an earlier version's record: the bard, approved and subscribed to under a service's spelling of his JID, is
/// in the item of that spelling, beside the contact who belongs there. By number it comes before his own.
fn spelled_record() -> (String, String, String) {
    let item = item_of(SPELLED);
    let near = account_in(&item);
    let stray = format!(
        "<contact jid='{SPELLED}' to='yes' from='yes' name='B'><group>Poets</group>\
         <jid>Bard@Shakespeare.lit/globe</jid></contact>"
    );
    (item, near, stray)
}

/// Juliet's session that has read these items of her record; nothing is written yet.
fn reading(items: &[(&str, &str)]) -> (Driver, Vec<Node>) {
    let items_answer = record(items);
    let listed = [(OWN, "subscribed"), (BARD, "subscribed")];
    let answers = [
        (Question::Record, &*items_answer),
        (Question::Subscribers, &*subscriptions(&listed)),
    ];
    let mut d = Driver::asking_for_roster();
    let is_write = |iq: &Node| iq.has("pubsub/publish");
    let mut sent = Account::answering(&answers).settle_but(&mut d, |_, iq| is_write(iq));
    sent.retain(is_write);
    (d, sent)
}

/// The item that is written, and whom it holds.
fn written(publish: &Node) -> (String, Vec<String>) {
    let item = publish.at("pubsub/publish/item");
    let contacts = item.at("contacts").children.iter();
    let jids = contacts.map(|it| it.value("jid").to_owned()).collect();
    (item.value("id").to_owned(), jids)
}

#[test]
fn a_contact_on_record_under_another_spelling_is_moved() {
    let (item, near, stray) = spelled_record();
    let beside = format!("<contact jid='{near}' listed='yes'/>{stray}");
    let own = item_of(BARD);
    // The second time as after a crash between both writes; the last one in the wrong item alone.
    let moved = format!(
        "<contact jid='{BARD}' to='yes' from='yes' name='B'><group>Poets</group></contact>"
    );
    let misplaced = stray.replace(SPELLED, BARD);
    let misplaced = format!("<contact jid='{near}' listed='yes'/>{misplaced}");
    for items in [
        vec![(&*item, &*beside)],
        vec![(&*item, &*beside), (&*own, &*moved)],
        vec![(&*own, &*moved), (&*item, &*beside)],
        vec![(&*item, &*misplaced)],
    ] {
        let (mut d, mut writes) = reading(&items);
        let roster = d.client_got().remove(0);
        let items = &roster.at("query").children;
        let bard = items.iter().find(|it| it.value("jid") == BARD).unwrap();
        bard.assert_values(&[("subscription", "both"), ("name", "B")]);
        assert_eq!(bard.at("group").text, "Poets");
        assert_eq!(items.len(), 2, "{items:?}");
        // First its own item, and the other one only when the server has that.
        let first = writes.remove(0);
        assert_eq!(written(&first), (own.clone(), vec![BARD.to_owned()]));
        assert_eq!((writes.len(), d.server_bytes()), (0, String::new()));
        d.result(&first, "");
        let second = d.one_to_server();
        assert_eq!(written(&second), (item.clone(), vec![near.clone()]));
        d.result(&second, "");
        assert_eq!(d.server_bytes(), "");
    }
}

#[test]
fn what_could_not_be_moved_stays_where_it_is() {
    let (item, near, stray) = spelled_record();
    let beside = format!("<contact jid='{near}' listed='yes'/>{stray}");
    let (mut d, mut writes) = reading(&[(&item, &beside)]);
    d.error(&writes.remove(0), "cancel", "forbidden");
    assert_eq!(d.server_bytes(), "");
    // The item is written for somebody else.
    d.client(&roster_set(&format!("<item jid='{near}' name='N'/>")));
    let publish = d.one_to_server();
    let both = vec![near.clone(), SPELLED.to_owned()];
    assert_eq!(written(&publish), (item.clone(), both));
    let kept = publish
        .at("pubsub/publish/item/contacts")
        .children
        .last()
        .unwrap();
    assert_eq!(
        *kept,
        Node::stanza(&stray.replace("<contact ", "<contact xmlns='urn:pubshim:0' "))
    );
    d.result(&publish, "");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn who_is_removed_is_removed_under_each_spelling() {
    let (item, near, stray) = spelled_record();
    let beside = format!("<contact jid='{near}' listed='yes'/>{stray}");
    let (mut d, mut writes) = reading(&[(&item, &beside)]);
    d.error(&writes.remove(0), "cancel", "forbidden");
    d.forget();
    d.client(&roster_set(&format!(
        "<item jid='{SPELLED}' subscription='remove'/>"
    )));
    let mut items = Vec::new();
    for _ in 0..20 {
        for iq in d
            .server_got()
            .into_iter()
            .filter(|stanza| stanza.local == "iq")
        {
            if iq.has("pubsub/publish/item/contacts") {
                items.push(written(&iq));
            }
            if iq.attribute("to").is_none() {
                Account::answering(&[]).answer_one(&iq, &mut d);
            }
        }
        d.advance(1);
    }
    let of = |id: &str| {
        items
            .iter()
            .rfind(|(item, _)| item == id)
            .map(|(_, jids)| jids.clone())
    };
    assert_eq!(of(&item), Some(vec![near]));
    assert_eq!(of(&item_of(BARD)), Some(vec![]));
}
