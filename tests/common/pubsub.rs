//! Answers and events of services about nodes: ours and those of contacts.

use super::people::*;
use super::tree::Node;

/// The private node on which contacts are remembered.
pub(crate) const RECORD: &str = "urn:pubshim:roster";

pub(crate) const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

pub(crate) const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";

/// A node's configuration as ejabberd answers it, as it is after a set-up; with other values where given.
pub(crate) fn ejabberd_node(changes: &[(&str, &str)]) -> String {
    let mut form = format!(
        "<pubsub xmlns='{OWNER}'><configure node='presence'><x type='form' xmlns='jabber:x:data'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>"
    );
    for (var, value) in [
        ("access_model", "authorize"),
        ("deliver_notifications", "1"),
        ("deliver_payloads", "1"),
        ("itemreply", "publisher"),
        ("max_items", "max"),
        ("max_payload_size", "250000"),
        ("notification_type", "headline"),
        ("notify_config", "0"),
        ("notify_delete", "0"),
        ("notify_retract", "0"),
        ("persist_items", "1"),
        ("presence_based_delivery", "0"),
        ("publish_model", "publishers"),
        ("purge_offline", "1"),
        ("send_last_published_item", "never"),
        ("subscribe", "1"),
    ] {
        let change = changes.iter().find(|(changed, _)| *changed == var);
        let value = change.map_or(value, |(_, value)| value);
        form += &format!(
            "<field var='pubsub#{var}' type='list-single' label='Specify it'><value>{value}</value>\
             <option label='Anyone may'><value>open</value></option></field>"
        );
    }
    form + "<field var='pubsub#roster_groups_allowed' type='list-multi' label='Roster groups'/>\
        </x></configure></pubsub>"
}

/// The presence inside a publish.
pub(crate) fn changed(publish: &Node) -> &Node {
    publish.at("pubsub/publish/item/presence")
}

/// A node's configuration as Prosody answers it: options before the value, no field it does not know.
pub(crate) fn prosody_node(access: &str, max_items: &str, send_last: &str) -> String {
    format!(
        "<pubsub xmlns='{OWNER}'><configure node='presence'><x type='form' xmlns='jabber:x:data'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>\
         <field var='pubsub#title' type='text-single' label='Title'/>\
         <field var='pubsub#max_items' type='text-single' label='Max # of items to persist'>\
         <validate datatype='pubsub:integer-or-max' xmlns='http://jabber.org/protocol/xdata-validate'><range min='1' max='256'/></validate>\
         <value>{max_items}</value></field>\
         <field var='pubsub#persist_items' type='boolean' label='Persist items to storage'><value>1</value></field>\
         <field var='pubsub#access_model' type='list-single' label='Specify the subscriber model'>\
         <option label='authorize'><value>authorize</value></option><option label='open'><value>open</value></option>\
         <value>{access}</value></field>\
         <field var='pubsub#publish_model' type='list-single' label='Specify the publisher model'>\
         <option label='open'><value>open</value></option><value>publishers</value></field>\
         <field var='pubsub#send_last_published_item' type='list-single'><option label='never'><value>never</value></option>\
         <value>{send_last}</value></field>\
         <field var='pubsub#deliver_payloads' type='boolean'><value>1</value></field>\
         <field var='pubsub#notification_type' type='list-single'><value>headline</value></field>\
         <field var='pubsub#notify_retract' type='boolean'><value>1</value></field></x></configure></pubsub>"
    )
}

pub(crate) const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

/// A message with an event of a node `presence`, as ejabberd sends it.
pub(crate) fn event(from: &str, what: &str) -> String {
    format!(
        "<message to='romeo@montague.lit' from='{from}' type='headline'><event xmlns='{EVENT}'>\
         <items node='presence'>{what}</items></event></message>"
    )
}

/// A presence as it stands in an item.
pub(crate) fn payload(full: &str, id: &str, children: &str) -> String {
    format!("<presence xmlns='jabber:client' from='{full}' id='{id}'>{children}</presence>")
}

/// The event of the account of `full` with one item.
pub(crate) fn event_of(full: &str, payload: &str) -> String {
    let (account, resource) = full.split_once('/').unwrap();
    event(
        account,
        &format!("<item id='{resource}' publisher='{account}'>{payload}</item>"),
    )
}

/// The item of the record that holds Romeo: how the SHA-256 of his address begins.
pub(crate) const BUCKET: &str = "5d";

/// The items of the record.
pub(crate) fn record(items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(id, contacts)| {
            format!("<item id='{id}'><contacts xmlns='urn:pubshim:0'>{contacts}</contacts></item>")
        })
        .collect();
    self::items(RECORD, &items)
}

/// The answer with the items of a node.
pub(crate) fn items(node: &str, items: &str) -> String {
    format!("<pubsub xmlns='{PUBSUB}'><items node='{node}'>{items}</items></pubsub>")
}

/// The owner's list of subscribers of the node `presence`: JIDs and states.
pub(crate) fn subscriptions(list: &[(&str, &str)]) -> String {
    let list: String = list
        .iter()
        .map(|(jid, state)| format!("<subscription jid='{jid}' subscription='{state}'/>"))
        .collect();
    format!(
        "<pubsub xmlns='{OWNER}'><subscriptions node='presence'>{list}</subscriptions></pubsub>"
    )
}

pub(crate) fn members(list: &[&str]) -> String {
    let list: Vec<_> = list.iter().map(|jid| (*jid, "member")).collect();
    affiliations(&list)
}

pub(crate) fn affiliations(list: &[(&str, &str)]) -> String {
    let list: String = list
        .iter()
        .map(|(jid, state)| format!("<affiliation jid='{jid}' affiliation='{state}'/>"))
        .collect();
    format!("<pubsub xmlns='{OWNER}'><affiliations node='presence'>{list}</affiliations></pubsub>")
}

/// Listing 10.
pub(crate) fn form(id: &str, jid: &str) -> String {
    format!(
        "<message from='capulet.lit' to='{OWN}' id='{id}'><x xmlns='jabber:x:data' type='form'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
         <field var='pubsub#node' type='text-single'><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single'><value>{jid}</value></field>\
         <field var='pubsub#allow' type='boolean'><value>false</value></field></x></message>"
    )
}

/// XEP-0060 §8.6: the new state of our subscription.
pub(crate) fn state_event(from: &str, jid: &str, state: &str, more: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}'><event xmlns='{EVENT}'>\
         <subscription node='presence' jid='{jid}' subscription='{state}'/></event>{more}</message>"
    )
}

/// Another resource of the account has written an item of the record.
pub(crate) fn record_event(from: &str, id: &str, contacts: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}' type='headline'><event xmlns='{EVENT}'><items node='{RECORD}'>\
         <item id='{id}'><contacts xmlns='urn:pubshim:0'>{contacts}</contacts></item></items></event></message>"
    )
}

/// The item of the record that `jid` belongs into, as it is spelled.
pub(crate) fn item_of(jid: &str) -> String {
    use sha2::Digest as _;
    format!("{:02x}", sha2::Sha256::digest(jid.as_bytes())[0])
}

/// An account of this item of the record.
pub(crate) fn account_in(item: &str) -> String {
    let mut accounts = (0..).map(|n| format!("c{n}@verona.lit"));
    accounts.find(|it| item_of(it) == item).unwrap()
}

pub(crate) const AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";

/// Listing 10 as ejabberd 23.01 really sends it: in the owner's own name and without an id.
pub(crate) fn ejabberd_form(jid: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='juliet@capulet.lit'><x type='form' xmlns='jabber:x:data'>\
         <title>PubSub subscriber request</title><instructions>Choose whether to approve this entity&apos;s \
         subscription.</instructions><field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node' type='text-single' label='Node ID'><required/><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single' label='Subscriber Address'><required/>\
         <value>{jid}</value></field><field var='pubsub#allow' type='boolean' \
         label='Allow this Jabber ID to subscribe to this pubsub node?'><required/><value>0</value></field></x></message>"
    )
}

/// Listing 10 as printed, white space included, but for `>>false`.
pub(crate) fn listing_10(jid: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='capulet.lit' id='approve1'>
  <x xmlns='jabber:x:data' type='form'>
    <title>PubSub subscriber request</title>
    <instructions>
To approve this entity's subscription request, click the OK button. To deny the request, click the cancel button.
</instructions>
<field var='FORM_TYPE' type='hidden'>
  <value>http://jabber.org/protocol/pubsub#subscribe_authorization
  </value>
</field>
<field var='pubsub#node' type='text-single' label='Node_ID'>
  <value>presence</value>
</field>
<field var='pubsub#subscriber_jid' type='jid-single' label='
  Subscriber_Address'>
  <value>{jid}</value>
</field>
<field var='pubsub#allow' type='boolean'
  label='Allow_this_JID_to_subscribe_to_this_pubsub_node?'>
  <value>false</value>
</field>
</x>
</message>"
    )
}
