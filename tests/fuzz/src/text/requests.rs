//! Requests of a client to a pubsub service.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::xml::escape;

use super::subscriptions::answer;
use super::{Address, Child, Writer};

/// An IQ to a pubsub service.
#[derive(Arbitrary, Clone, Debug)]
pub struct Request {
    /// Which service.
    pub service: u8,
    /// Its kind.
    pub what: u8,
    /// About which node, and which item on it.
    pub node: u8,
    /// About whom.
    pub jid: Address,
    /// In which state, with which options.
    pub state: u8,
    /// Fields of its form.
    pub fields: Vec<(u8, u8)>,
    /// The payload of a publish.
    pub payload: Option<Child>,
}

/// Fields of configurations, options and answers.
const FIELDS: [&str; 16] = [
    "pubsub#access_model",
    "pubsub#publish_model",
    "pubsub#max_items",
    "pubsub#max_payload_size",
    "pubsub#persist_items",
    "pubsub#deliver_payloads",
    "pubsub#deliver_notifications",
    "pubsub#notify_config",
    "pubsub#notify_retract",
    "pubsub#purge_offline",
    "pubsub#send_last_published_item",
    "pubsub#itemreply",
    "pubsub#publisher",
    "pubsub#tempsub",
    "pubsub#deliver",
    "pubsub#expire",
];
const VALUES: [&str; 16] = [
    "open",
    "whitelist",
    "authorize",
    "publishers",
    "subscribers",
    "1",
    "0",
    "max",
    "",
    "18446744073709551616",
    "on_sub",
    "publisher",
    "nurse@capulet.lit",
    "presence",
    "a&lt;&apos;",
    "2999-01-01T00:00:00Z",
];
const STATES: [&str; 10] = [
    "subscribed",
    "none",
    "pending",
    "member",
    "outcast",
    "publisher",
    "owner",
    "",
    "odd",
    "publish-only",
];

impl Writer<'_> {
    /// An IQ to a pubsub service.
    pub fn request(&self, request: &Request) -> String {
        let mut out = String::new();
        let is_get = matches!(request.what % 20, 0..=5);
        let kind = if is_get { "get" } else { "set" };
        let _ = write!(out, "<iq type='{kind}' id='r'");
        let to = [
            "",
            "nurse@capulet.lit",
            "chat.capulet.lit",
            "juliet@capulet.lit",
            "pubsub.capulet.lit",
        ];
        if let Some(
            to @ ("nurse@capulet.lit" | "chat.capulet.lit" | "juliet@capulet.lit"
            | "pubsub.capulet.lit"),
        ) = to.get(usize::from(request.service % 8)).copied()
        {
            let _ = write!(out, " to='{to}'");
        }
        let xmlns = match request.what % 20 {
            0..=2 | 12..=16 => ns::PUBSUB_OWNER,
            _ => ns::PUBSUB,
        };
        let _ = write!(out, "><pubsub xmlns='{xmlns}'>");
        self.action(&mut out, request);
        out.push_str("</pubsub></iq>");
        out
    }

    fn action(&self, out: &mut String, request: &Request) {
        let nodes = ["presence", "characters", "n&lt;&apos;", "", "\u{e9}"];
        let node = nodes[usize::from(request.node) % nodes.len()];
        let item = format!("i{}", request.node >> 5);
        let jid = escape(&request.jid.text(self.own)).into_owned();
        let state = STATES[usize::from(request.state) % STATES.len()];
        let form = |form_type: &str| {
            let mut form = format!("<x xmlns='{}' type='submit'>", ns::DATA);
            let _ = write!(
                form,
                "<field var='FORM_TYPE'><value>{form_type}</value></field>"
            );
            for (field, value) in request.fields.iter().take(16) {
                let field = FIELDS[usize::from(*field) % FIELDS.len()];
                let value = VALUES[usize::from(*value) % VALUES.len()];
                let _ = write!(form, "<field var='{field}'><value>{value}</value></field>");
            }
            form + "</x>"
        };
        let options = "http://jabber.org/protocol/pubsub#subscribe_options";
        let _ = match request.what % 20 {
            0 => write!(out, "<configure node='{node}'/>"),
            1 => write!(out, "<subscriptions node='{node}'/>"),
            2 => write!(out, "<affiliations node='{node}'/>"),
            3 => match request.state % 4 {
                0 => write!(out, "<items node='{node}' max_items='2'/>"),
                1 => write!(
                    out,
                    "<items node='{node}'><item id='{item}'/><item/></items>"
                ),
                _ => write!(out, "<items node='{node}'/>"),
            },
            4 => match request.state % 2 {
                0 => write!(out, "<subscriptions node='{node}'/>"),
                _ => write!(out, "<affiliations/>"),
            },
            5 => write!(out, "<options node='{node}' jid='{jid}'/>"),
            6 => write!(out, "<create node='{node}'/>"),
            7 => {
                let form = form(ns::NODE_CONFIG);
                write!(out, "<create node='{node}'/><configure>{form}</configure>")
            }
            8 | 9 => {
                let _ = write!(out, "<publish node='{node}'><item id='{item}'>");
                if let Some(payload) = &request.payload {
                    self.child(out, payload, 1);
                }
                out.push_str("</item></publish>");
                match request.state & 1 {
                    0 => Ok(()),
                    _ => {
                        let form = form(ns::PUBLISH_OPTIONS);
                        write!(out, "<publish-options>{form}</publish-options>")
                    }
                }
            }
            10 => {
                let notify = request.state & 1;
                write!(
                    out,
                    "<retract node='{node}' notify='{notify}'><item id='{item}'/></retract>"
                )
            }
            11 => {
                let form = form(options);
                write!(
                    out,
                    "<subscribe node='{node}' jid='{jid}'/><options node='{node}' jid='{jid}'>{form}</options>"
                )
            }
            12 => write!(
                out,
                "<configure node='{node}'>{}</configure>",
                form(ns::NODE_CONFIG)
            ),
            13 => write!(out, "<delete node='{node}'/>"),
            14 => write!(out, "<purge node='{node}'/>"),
            15 => write!(
                out,
                "<subscriptions node='{node}'><subscription jid='{jid}' subscription='{state}'/></subscriptions>"
            ),
            16 => write!(
                out,
                "<affiliations node='{node}'><affiliation jid='{jid}' affiliation='{state}'/></affiliations>"
            ),
            17 => write!(out, "<subscribe node='{node}' jid='{jid}'/>"),
            18 => write!(out, "<unsubscribe node='{node}' jid='{jid}'/>"),
            _ => write!(
                out,
                "<options node='{node}' jid='{jid}'>{}</options>",
                form(options)
            ),
        };
    }

    /// Listing 11 about `jid`, in answer to the question with this id.
    pub fn approval(&self, id: &str, jid: Address, style: u8) -> String {
        let to =
            ["capulet.lit", "chat.capulet.lit", "juliet@capulet.lit"][usize::from(style >> 1) % 3];
        let mut out = format!("<message to='{to}' id='{}'>", escape(id));
        answer(&mut out, &escape(&jid.text(self.own)), style);
        out.push_str("</message>");
        out
    }
}
