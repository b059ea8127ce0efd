//! Messages as listings 16 and 17 print them: without `from`, `type` and `id`, and their author in the address for
//! replies, if the service names no publisher.

use super::*;

const PRINTED: &str = "<message xmlns='jabber:client'><body>hi</body></message>";

/// An item with it, as a service sends it that gives no ids.
fn printed_item() -> String {
    format!("<item>{PRINTED}</item>")
}

/// `<addresses/>` with this address for replies.
fn replyto(jid: &str) -> String {
    addresses(&format!("<address type='replyto' jid='{jid}'/>"))
}

fn addresses(inside: &str) -> String {
    format!("<addresses xmlns='http://jabber.org/protocol/address'>{inside}</addresses>")
}

/// Listing 17: this beside the event.
fn notify(d: &mut Driver, node: &str, item: &str, beside: &str) {
    d.server(&format!(
        "<message from='{SERVICE}' to='{JULIET}' id='mucfoo'><event xmlns='{EVENT}'><items node='{node}'>{item}</items>\
         </event>{beside}</message>"
    ));
}

#[track_caller]
fn assert_foreign(node: &str, item: &str, beside: &str) {
    let mut d = joined();
    notify(&mut d, node, item, beside);
    assert_eq!(d.client_bytes(), "", "{item} {beside}");
    assert_eq!(d.dropped(), [Dropped::ForeignFrom], "{item} {beside}");
}

#[test]
fn a_message_as_printed_is_shown_as_listing_15() {
    let mut d = joined();
    notify(&mut d, TALK, &printed_item(), &replyto(ROMEO));
    let shown = d.one_to_client();
    assert_eq!(super::shown(&shown), "Romeo says hi");
    let values = ["to", "type"].map(|name| shown.value(name));
    assert_eq!(values, [JULIET, "groupchat"]);
    assert_eq!((shown.attribute("id"), shown.names()), (None, vec!["body"]));
}

#[test]
fn whose_nick_nobody_told_is_called_as_his_account() {
    let mut d = joined();
    let item = printed_item();
    notify(&mut d, TALK, &item, &replyto(NURSE));
    assert_eq!(sees(&mut d), ["nurse says hi"]);
    // All of Romeo's resources are Romeo, as long as no other occupant is told apart by one.
    for author in [CONTACT.to_owned(), format!("{CONTACT}/tomb")] {
        notify(&mut d, TALK, &item, &replyto(&author));
        assert_eq!(sees(&mut d), ["Romeo says hi"], "{author}");
    }
    // An account with his nick as its local part is shown with its JID.
    notify(&mut d, TALK, &item, &replyto("Romeo@verona.lit"));
    assert_eq!(sees(&mut d), ["Romeo (Romeo@verona.lit) says hi"]);
}

#[test]
fn items_are_told_apart_by_their_ids_alone() {
    let mut d = joined();
    let item = format!("<item id='i1'>{PRINTED}</item>");
    notify(&mut d, TALK, &item, &replyto(ROMEO));
    let shown = d.one_to_client();
    assert_eq!(shown.at("stanza-id").value("id"), "i1");
    notify(&mut d, TALK, &item, &replyto(ROMEO));
    assert_eq!(
        (d.client_bytes(), d.dropped()),
        (String::new(), vec![Dropped::Seen])
    );
    // Items without an id are all different.
    for _ in 0..2 {
        notify(&mut d, TALK, &printed_item(), &replyto(ROMEO));
        assert_eq!(sees(&mut d), ["Romeo says hi"]);
    }
}

#[test]
fn two_without_id_that_come_during_the_join_are_both_shown() {
    let mut d = session();
    join(&mut d, MUC);
    for _ in 0..2 {
        notify(&mut d, TALK, &printed_item(), &replyto(ROMEO));
    }
    let history = format!("<item publisher='{ROMEO}'>{PRINTED}</item>");
    let_in(&mut d, &occupant(ROMEO, "Romeo", ""), &history);
    // The shim cannot tell which of the two is in the history, and shows both.
    assert_eq!(
        sees(&mut d),
        [
            "Romeo available",
            "JC available 100 110",
            "Romeo says hi",
            " sets ",
            "Romeo says hi",
            "Romeo says hi"
        ]
    );
}

#[test]
fn the_publisher_counts_before_the_address_for_replies() {
    let mut d = joined();
    let item = format!("<item publisher='{ROMEO}' id='i1'>{PRINTED}</item>");
    notify(&mut d, TALK, &item, &replyto(NURSE));
    assert_eq!(sees(&mut d), ["Romeo says hi"]);
    // The publisher counts for occupants' items, too.
    let there = occupant(ROMEO, "Montague", "");
    notify(&mut d, OCCUPANTS, &there, &replyto(NURSE));
    assert_eq!(
        sees(&mut d),
        ["Romeo unavailable now Montague 303", "Montague available"]
    );
    // An empty publisher is none.
    for item in [
        format!("<item publisher='' id='i2'>{PRINTED}</item>"),
        occupant("", "Nurse", ""),
    ] {
        let node = if item.contains("presence") {
            OCCUPANTS
        } else {
            TALK
        };
        assert_foreign(node, &item, &replyto(ROMEO));
    }
}

#[test]
fn the_address_counts_beside_the_event_alone() {
    let address = replyto(ROMEO);
    let inside = PRINTED.replace("</message>", &format!("{address}</message>"));
    assert_foreign(TALK, &format!("<item>{inside}</item>"), "");
    for item in [
        format!("<item>{PRINTED}</item>{address}"),
        format!("<item>{PRINTED}</item></items>{address}<items node='{TALK}'>"),
    ] {
        let mut d = joined();
        notify(&mut d, TALK, &item, "");
        assert_eq!(d.client_bytes(), "", "{item}");
    }
    // Addresses in the payload do not change the author, and reach the client as they are (XEP-0033).
    let mut d = joined();
    let theirs = inside.replace(ROMEO, OTHER);
    notify(&mut d, TALK, &format!("<item>{theirs}</item>"), &address);
    let shown = d.one_to_client();
    assert_eq!(super::shown(&shown), "Romeo says hi");
    assert_eq!(shown.at("addresses/address").value("jid"), OTHER);
}

#[test]
fn of_two_addresses_for_replies_neither_counts() {
    let item = printed_item();
    let other = &*format!("<address type='replyto' jid='{NURSE}'/>");
    let own = format!("<address type='replyto' jid='{ROMEO}'/>");
    for beside in [
        addresses(&format!("{own}{other}")),
        addresses(&format!("{other}{own}")),
        addresses(&own) + &addresses(other),
        addresses("") + &addresses(&own),
        addresses("<address type='replyto'/>"),
        addresses("<address type='replyto' jid=''/>"),
        addresses(&own.replace("replyto", "to")),
        addresses(&own.replace("<address ", "<address xmlns='urn:other' ")),
        addresses(&own).replace("protocol/address", "protocol/addresses"),
        own.clone(),
        String::new(),
    ] {
        assert_foreign(TALK, &item, &beside);
    }
    // Addresses for something else are no second one.
    let mut d = joined();
    let beside = addresses(&format!("<address type='to' jid='{OTHER}'/>{own}"));
    notify(&mut d, TALK, &item, &beside);
    assert_eq!(sees(&mut d), ["Romeo says hi"]);
}

#[test]
fn who_is_there_is_read_so_as_well() {
    let mut d = joined();
    let item = |jid: &str| {
        let item = occupant(jid, "Nurse", "");
        item.replace(&format!(" publisher='{jid}'"), "")
    };
    notify(&mut d, OCCUPANTS, &item(NURSE), &replyto(NURSE));
    assert_eq!(sees(&mut d), ["Nurse available"]);
    // The account alone: then the resource is what the account says, of itself.
    let hall = "nurse@capulet.lit/hall";
    notify(
        &mut d,
        OCCUPANTS,
        &item(hall),
        &replyto("nurse@capulet.lit"),
    );
    assert_eq!(d.one_to_client().at("x/item").value("jid"), hall);
    assert_foreign(OCCUPANTS, &item(ROMEO), &replyto("nurse@capulet.lit"));
    assert_foreign(OCCUPANTS, &item(NURSE), "");
}

#[test]
fn history_has_no_address_for_replies() {
    // Answers with items have no address for replies: only items with a publisher are shown.
    let history = format!(
        "<item id='i1'>{PRINTED}</item><item id='i2' publisher='{ROMEO}'>{PRINTED}</item>\
         <item id='i3' publisher='nurse@capulet.lit'>{PRINTED}</item></items>{}<items node='{TALK}'>",
        replyto(ROMEO)
    );
    let mut d = joined_with(&occupant(ROMEO, "Romeo", ""), &history);
    assert_eq!(
        sees(&mut d),
        [
            "Romeo available",
            "JC available 100 110",
            "Romeo says hi",
            "nurse says hi",
            " sets "
        ]
    );
    assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
}
