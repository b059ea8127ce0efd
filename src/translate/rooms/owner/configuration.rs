//! The configuration form of a room: fields that an owner may change, and fields that are fixed (XEP-0045 §10.1,
//! §10.2).

use std::borrow::Cow;

use crate::ns;
use crate::pubsub::form;
use crate::translate::rooms::room::{Configuration, Room, access_model};
use crate::xml::{Element, escape};

const PREFIX: &str = "muc#roomconfig_";
const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
/// The field for the number of messages that the room keeps.
const HISTORY: &str = "muc#roomconfig_historylength";
/// Most messages that Prosody keeps.
const MOST_HISTORY: u16 = 256;

/// Fixed fields of such rooms, by the rest of the field's name, and the values a form may have there.
const ALWAYS: [(&str, &[&str]); 7] = [
    ("allowpm", &["anyone"]),
    ("changesubject", YES),
    ("getmemberlist", &["moderator"]),
    // Libraries write 0 into the form as a matter of course; the room stays all the same, as the form says.
    ("persistentroom", &["0", "1", "false", "true"]),
    (
        "presencebroadcast",
        &["moderator", "participant", "visitor"],
    ),
    ("publicroom", YES),
    ("whois", &["anyone"]),
];
const YES: &[&str] = &["1", "true"];
/// The values a form may have in all other fields of rooms.
const NO: &[&str] = &["0", "false", "none"];

/// The node's fields for a configuration, without the access model.
pub(super) fn fields(wanted: &Configuration) -> Vec<(&'static str, Cow<'_, str>)> {
    let title = wanted.title.as_deref().map(Cow::Borrowed);
    let description = wanted.description.as_deref().map(Cow::Borrowed);
    let history = wanted.history.map(|it| Cow::Owned(it.to_string()));
    let all = [
        ("pubsub#title", title),
        ("pubsub#description", description),
        ("pubsub#max_items", history),
    ];
    let said = all.into_iter();
    said.filter_map(|(var, value)| Some((var, value?)))
        .collect()
}

/// Reads an owner's submitted form, or gives the field whose value no such room can have.
pub(super) fn wanted(form: &Element<'_>, room: &Room) -> Result<Configuration, String> {
    let closes = form::value(form, MEMBERS_ONLY).map(|it| YES.contains(&it.trim()));
    // A new room that is accepted without a word about members is open.
    let closes = closes.or(room.is_locked.then_some(false));
    let is_for_members = closes.unwrap_or(room.is_closed());
    for field in form.children().filter(|it| it.is(ns::DATA, "field")) {
        if let Some(var) = field.attribute("var")
            && !can_be(&var, &values(&field), is_for_members)
        {
            return Err(var.into_owned());
        }
    }
    let value = |var| form::value(form, var).map(|it| Box::<str>::from(&*it));
    let history = value(HISTORY).and_then(|it| it.trim().parse().ok());
    let mut wanted = Configuration {
        closes,
        title: value(NAME),
        description: value(DESCRIPTION),
        history,
    };
    if room.is_locked {
        wanted.leave_out(&room.configuration());
    }
    Ok(wanted)
}

/// The values of a field without empty ones: an empty field changes nothing.
fn values(field: &Element<'_>) -> Vec<String> {
    let values = field.children().filter(|it| it.is(ns::DATA, "value"));
    let values = values.map(|it| it.text().trim().to_lowercase());
    values.filter(|it| !it.is_empty()).collect()
}

/// Whether a room, which is for members if it `closes`, can have these values in the field `var`.
fn can_be(var: &str, values: &[String], closes: bool) -> bool {
    let all_of = |some: &[&str]| values.iter().all(|it| some.contains(&&**it));
    match var {
        "FORM_TYPE" | NAME | DESCRIPTION => return true,
        MEMBERS_ONLY => return all_of(YES) || all_of(&NO[..2]),
        HISTORY => {
            let is_some = |it: &String| it.parse().is_ok_and(|it| (1..=MOST_HISTORY).contains(&it));
            return values.iter().all(is_some);
        }
        _ => {}
    }
    let name = var.strip_prefix(PREFIX).unwrap_or_default();
    let always = ALWAYS.iter().find(|(it, _)| *it == name);
    match always {
        Some((_, always)) => all_of(always),
        // Only owners invite to a room for members.
        None if name == "allowinvites" && !closes => all_of(YES),
        None => all_of(NO),
    }
}

/// Writes the form, from the configuration of the room's node; `is_locked`: the room was not accepted yet.
pub(super) fn owner_form(node: &Element<'_>, is_locked: bool) -> String {
    let value = |var| form::value(node, var).unwrap_or_default();
    let [title, description] = ["pubsub#title", "pubsub#description"].map(value);
    let is_closed = value("pubsub#access_model") != "open" && !is_locked;
    let mut fields = format!(
        "<field var='{NAME}' type='text-single' label='Name'><value>{}</value></field>\
         <field var='{DESCRIPTION}' type='text-single' label='Description'><value>{}</value></field>\
         <field var='{MEMBERS_ONLY}' type='boolean' label='Only members may come in'><value>{}</value></field>",
        escape(&title),
        escape(&description),
        u8::from(is_closed)
    );
    if let Some(history) = history_of(node) {
        fields += &format!(
            "<field var='{HISTORY}' type='text-single' label='Messages that it keeps (at most {MOST_HISTORY})'>\
             <value>{history}</value></field>"
        );
    }
    format!(
        "<query xmlns='{}'><x xmlns='{}' type='form'><title>A room on publish-subscribe</title>\
         <instructions>Everybody in it has to be behind pubshim.</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         {fields}<field type='fixed'><value>The rest cannot be changed. It is listed for everybody.</value></field>\
         <field var='{PREFIX}persistentroom' type='boolean' label='Stays when everybody has left'>\
         <value>1</value></field>\
         <field var='{PREFIX}whois' type='list-single' label='Who sees real addresses'>\
         <option label='Anyone'><value>anyone</value></option><value>anyone</value></field></x></query>",
        ns::MUC_OWNER,
        ns::DATA
    )
}

/// Reads the configuration of the room's node.
pub(super) fn configured(node: &Element<'_>) -> Configuration {
    let text = |var| form::value(node, var).unwrap_or_default();
    Configuration {
        closes: Some(text("pubsub#access_model") != access_model(false)),
        title: Some(text("pubsub#title").into()),
        description: Some(text("pubsub#description").into()),
        history: history_of(node),
    }
}

/// The number of messages that the room's node keeps, if the field holds one.
fn history_of(node: &Element<'_>) -> Option<u16> {
    form::value(node, "pubsub#max_items")?.trim().parse().ok()
}
