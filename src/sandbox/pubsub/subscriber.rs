//! Requests of subscribers (XEP-0060 §5.6, §5.7, §6).

use std::fmt::Write as _;

use super::node::{Affiliation, Options, State, Subscription};
use super::{
    Answer, Context, Pubsub, Request, authorization, events, pubsub_xml, subscription_xml,
};
use crate::jid;
use crate::ns;
use crate::sandbox::config::{is_user, normal};
use crate::sandbox::error::Error;
use crate::sandbox::form::{Form, Writer, boolean};
use crate::xml::{Element, escape};

/// Bytes that the names and values of all options of a subscription may have.
const MOST_OPTIONS: usize = 2048;

impl Pubsub {
    pub(super) fn subscribe(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let name = request.name()?;
        let jid = subscriber_attribute(request.action)?;
        if jid::bare(&jid) != jid::bare(request.from) {
            return Err(Error::BAD_REQUEST.with("invalid-jid"));
        }
        let options = match request.pubsub.child(ns::PUBSUB, "options") {
            Some(options) => Some(given_options(&options, &name, &jid)?),
            None => None,
        };
        let node = self.node_mut(request.service, &name)?;
        let is_approved = node.may_subscribe(&jid)?;
        let at = request.node(&name);
        let known = node.subscriptions.get(&jid);
        if !is_approved && known.is_some_and(|it| !it.is_subscribed()) {
            return Err(Error::NOT_AUTHORIZED.with("pending-subscription"));
        }
        if known.is_none() && node.subscriptions.len() >= context.limits.subscriptions {
            return Err(Error::POLICY_VIOLATION.with("too-many-subscriptions"));
        }
        let was_subscribed = known.is_some_and(Subscription::is_subscribed);
        let state = match is_approved || was_subscribed {
            true => State::Subscribed,
            false => State::Pending {
                request: context.random.id(),
            },
        };
        let subscription = node.subscription(&jid, state);
        if let Some(options) = options {
            subscription.options = options;
        }
        *context.changed = true;
        let answer = subscription_xml(&name, &jid, subscription.as_str());
        match was_subscribed {
            true => {}
            false if is_approved => events::last_item(at, node, &jid, context),
            false => authorization::ask_owners(at, node, &jid, context),
        }
        Ok(pubsub_xml(&answer))
    }

    pub(super) fn unsubscribe(
        &mut self,
        request: Request<'_>,
        context: &mut Context<'_>,
    ) -> Answer {
        let name = request.name()?;
        let jid = subscriber_attribute(request.action)?;
        let node = self.node_mut(request.service, &name)?;
        if jid::bare(&jid) != jid::bare(request.from) {
            return Err(Error::FORBIDDEN);
        }
        if node.subscriptions.remove(&jid).is_none() {
            return Err(not_subscribed());
        }
        *context.changed = true;
        Ok(pubsub_xml(&subscription_xml(&name, &jid, "none")))
    }

    pub(super) fn get_options(&self, request: Request<'_>) -> Answer {
        let (name, jid) = own_options_of(request)?;
        let node = self.node(request.service, &name)?;
        let subscription = node.subscriptions.get(&jid).ok_or_else(not_subscribed)?;
        let form = options_form("form", &subscription.options);
        Ok(pubsub_xml(&format!(
            "<options node='{}' jid='{}'>{form}</options>",
            escape(&name),
            escape(&jid)
        )))
    }

    pub(super) fn set_options(
        &mut self,
        request: Request<'_>,
        context: &mut Context<'_>,
    ) -> Answer {
        let (name, jid) = own_options_of(request)?;
        let node = self.node_mut(request.service, &name)?;
        let subscription = node
            .subscriptions
            .get_mut(&jid)
            .ok_or_else(not_subscribed)?;
        subscription.options = read_options(request.action)?;
        *context.changed = true;
        Ok(String::new())
    }

    /// Subscriptions of the asking account, on one node or all of the service (§5.6).
    pub(super) fn own_subscriptions(&self, request: Request<'_>) -> String {
        let only = request.action.attribute("node");
        let account = jid::bare(request.from);
        let mut entries = String::new();
        for (name, node) in self.nodes(request.service) {
            if only.as_deref().is_some_and(|only| only != name) {
                continue;
            }
            let own = node
                .subscriptions
                .iter()
                .filter(|(jid, _)| jid::bare(jid) == account);
            entries.extend(own.map(|(jid, it)| subscription_xml(name, jid, it.as_str())));
        }
        own_list_xml("subscriptions", only.as_deref(), &entries)
    }

    /// The affiliations of the asking account (§5.7).
    pub(super) fn own_affiliations(&self, request: Request<'_>) -> String {
        let only = request.action.attribute("node");
        let mut entries = String::new();
        for (name, node) in self.nodes(request.service) {
            let affiliation = node.affiliation(request.from);
            if affiliation == Affiliation::None || only.as_deref().is_some_and(|only| only != name)
            {
                continue;
            }
            // Writing to a string cannot fail.
            let _ = write!(
                entries,
                "<affiliation node='{}' affiliation='{}'/>",
                escape(name),
                affiliation.as_str()
            );
        }
        own_list_xml("affiliations", only.as_deref(), &entries)
    }

    /// Items, all of them or the newest or by id, the oldest first (§6.5).
    ///
    /// If not all fit into an answer, the oldest are left out; XEP-0059 elements in the answer tell so.
    pub(super) fn items(&self, request: Request<'_>, context: &Context<'_>) -> Answer {
        let name = request.name()?;
        let node = self.node(request.service, &name)?;
        node.may_retrieve(request.from)?;
        if !node.config.is("pubsub#persist_items") {
            return Err(Error::unsupported("persistent-items"));
        }
        let most = match request.action.attribute("max_items") {
            Some(most) => most
                .parse()
                .map_err(|_| Error::BAD_REQUEST.text("max_items is no number"))?,
            None => usize::MAX,
        };
        let asked = request
            .action
            .children()
            .filter(|it| it.is(ns::PUBSUB, "item"));
        let ids: Vec<_> = asked.filter_map(|it| it.attribute("id")).collect();
        let wanted = node
            .items
            .iter()
            .filter(|it| ids.is_empty() || ids.iter().any(|id| *id == it.id));
        let wanted: Vec<_> = wanted.collect();
        let count = wanted.len().min(most);
        let mut shown = Vec::new();
        let mut bytes = 0;
        for item in wanted.iter().rev().take(count) {
            let xml = events::item_xml(context.ways, node, item, true);
            bytes += xml.len();
            // One item always fits: its payload is limited.
            if bytes > context.limits.answer && !shown.is_empty() {
                break;
            }
            shown.push((&item.id, xml));
        }
        let mut set = String::new();
        if shown.len() < count
            && let (Some((last, _)), Some((first, _))) = (shown.first(), shown.last())
        {
            set = format!(
                "<set xmlns='http://jabber.org/protocol/rsm'><first index='{}'>{}</first><last>{}</last><count>{}</count></set>",
                wanted.len() - shown.len(),
                escape(first),
                escape(last),
                wanted.len()
            );
        }
        let items: String = shown.into_iter().rev().map(|(_, xml)| xml).collect();
        Ok(pubsub_xml(&format!(
            "<items node='{}'>{items}</items>{set}",
            escape(&name)
        )))
    }
}

fn not_subscribed() -> Error {
    Error::UNEXPECTED_REQUEST.with("not-subscribed")
}

/// The default subscription options (§6.4).
pub(super) fn default_options() -> String {
    pubsub_xml(&format!(
        "<default>{}</default>",
        options_form("form", &Options::new())
    ))
}

/// The attribute `jid` of a subscriber, which has to be there.
fn subscriber_attribute(action: &Element<'_>) -> Result<String, Error> {
    let jid = normal(&action.attribute("jid").unwrap_or_default());
    if !is_user(&jid) {
        return Err(Error::BAD_REQUEST.with("invalid-jid"));
    }
    Ok(jid)
}

/// The node and the JID whose options are asked for; an error if the JID is another account's (§6.3.4.1).
fn own_options_of(request: Request<'_>) -> Result<(String, String), Error> {
    let name = request.name()?;
    let jid = match request.action.attribute("jid") {
        Some(jid) => normal(&jid),
        None => return Err(Error::BAD_REQUEST.with("jid-required")),
    };
    if jid::bare(&jid) != jid::bare(request.from) {
        return Err(Error::FORBIDDEN);
    }
    Ok((name, jid))
}

/// The options given with a `<subscribe/>`; `node` and `jid`, if repeated, must be the same (listing 13).
fn given_options(options: &Element<'_>, node: &str, jid: &str) -> Result<Options, Error> {
    let is_other_node = options.attribute("node").is_some_and(|it| it != node);
    let is_other_jid = options
        .attribute("jid")
        .is_some_and(|it| normal(&it) != jid);
    if is_other_node || is_other_jid {
        return Err(Error::BAD_REQUEST.text("options of another subscription"));
    }
    read_options(options)
}

/// Reads the form in `options`: delivery, end with the session, and fields of other specifications.
fn read_options(options: &Element<'_>) -> Result<Options, Error> {
    let invalid = || Error::BAD_REQUEST.with("invalid-options");
    let form = Form::of(options).ok_or_else(invalid)?;
    form.check(ns::SUBSCRIBE_OPTIONS)?;
    let mut read = Options::new();
    let mut bytes = 0;
    for (var, values) in form
        .fields
        .into_iter()
        .filter(|(var, _)| var != "FORM_TYPE")
    {
        let value = values.first().map(String::as_str).unwrap_or_default();
        let values = match var.as_str() {
            "pubsub#deliver" => match boolean(value) {
                Some(true) => vec!["1".to_owned()],
                Some(false) => vec!["0".to_owned()],
                None => return Err(invalid()),
            },
            // `presence` only: a time would need a clock.
            "pubsub#expire" if value == "presence" => values,
            var if var.starts_with("pubsub#") => {
                return Err(
                    invalid().text(format!("this sandbox knows no option {var} = {value:?}"))
                );
            }
            _ => values,
        };
        bytes += var.len() + values.iter().map(|it| it.len() + 1).sum::<usize>();
        if bytes > MOST_OPTIONS {
            return Err(invalid().text("too many options, or too long ones"));
        }
        read.insert(var, values);
    }
    Ok(read)
}

fn options_form(kind: &str, options: &Options) -> String {
    let values = |var: &str| -> Vec<&str> {
        options
            .get(var)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    };
    let mut writer = Writer::new(kind, ns::SUBSCRIBE_OPTIONS);
    let deliver = values("pubsub#deliver");
    let deliver = if deliver.is_empty() {
        vec!["1"]
    } else {
        deliver
    };
    writer.field(
        "pubsub#deliver",
        "boolean",
        "Whether to deliver event notifications",
        &[],
        &deliver,
    );
    writer.field(
        "pubsub#expire",
        "text-single",
        "'presence' if the subscription ends with the session",
        &[],
        &values("pubsub#expire"),
    );
    for var in options.keys().filter(|var| !var.starts_with("pubsub#")) {
        writer.field(var, "text-multi", "", &[], &values(var));
    }
    writer.finish()
}

fn own_list_xml(list: &str, only: Option<&str>, entries: &str) -> String {
    let node = only.map_or(String::new(), |node| format!(" node='{}'", escape(node)));
    pubsub_xml(&format!("<{list}{node}>{entries}</{list}>"))
}
