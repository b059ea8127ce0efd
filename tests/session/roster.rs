//! Subscriptions and the roster under `pure`: nothing but pubsub towards the server.

use crate::driver::*;

/// Has the session's account subscribed to the node of `account`, which lets it.
pub(crate) fn subscribe_to(d: &mut Driver, account: &str) {
    d.client(&format!("<presence to='{account}' type='subscribe'/>"));
    let sent = d.server_got();
    let subscribe = sent.iter().find(|iq| iq.has("pubsub/subscribe")).unwrap();
    let id = subscribe.value("id");
    d.server(&format!(
        "<iq type='result' from='{account}' id='{id}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <subscription node='presence' jid='{}' subscription='subscribed'/></pubsub></iq>",
        subscribe.at("pubsub/subscribe").value("jid")
    ));
    d.forget();
}
