//! Promises of a session about its output, checked from outside, knowing only what passed.

use std::collections::HashSet;
use std::time::Duration;

use pubshim::jid;
use pubshim::ns;
use pubshim::session::{Event, Function, Options, Policy};
use pubshim::xml::Element;

use crate::text::{Asked, Question, RECORD};

/// How the ids of a session begin.
const OURS: &[u8] = b"ps-";
/// How long they are.
const ID_LEN: usize = 3 + 8 + 1 + 32;

/// A session as known from its inputs and outputs.
pub(super) struct Promises {
    policy: Policy,
    is_translating: bool,
    timeout: Duration,
    /// The client's full JID before the input in work.
    jid: Option<String>,
    /// Ids of the session's own IQs.
    ids: HashSet<String>,
    /// Ids like the session's own that the client has used.
    claimed: HashSet<String>,
    /// Revocations that have to be answered before anything may be published, each by one of its ids.
    open: Vec<(Vec<String>, Duration)>,
    /// Questions for subscribers in this step.
    listings: Vec<String>,
    /// A revocation has begun in this step.
    revokes: bool,
    /// The id of the request that made the client invisible (XEP-0186).
    invisible: Option<String>,
    /// The client has said that it is invisible in the old way.
    is_invisible: bool,
}

impl Promises {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            policy: options.policy,
            is_translating: options
                .policy
                .translates(Function::Presence, &options.native),
            timeout: options.timeouts.request,
            jid: None,
            ids: HashSet::new(),
            claimed: HashSet::new(),
            open: Vec::new(),
            listings: Vec::new(),
            revokes: false,
            invisible: None,
            is_invisible: false,
        }
    }

    /// The client says something.
    pub(super) fn hear_client(&mut self, bytes: &[u8]) {
        self.claimed.extend(ids_in(bytes));
    }

    /// The server says something: bytes that name a request may be its answer.
    pub(super) fn hear_server(&mut self, bytes: &[u8]) {
        if self.open.is_empty() {
            return;
        }
        let named: HashSet<_> = ids_in(bytes).collect();
        self.open
            .retain(|(ids, _)| !ids.iter().any(|id| named.contains(id)));
    }

    /// An input follows.
    pub(super) fn begin_step(&mut self, jid: Option<&str>) {
        self.jid = jid.map(str::to_owned);
    }

    pub(super) fn note(&mut self, event: &Event) {
        self.revokes |= matches!(event, Event::Applied(rule) if rule.name == "revoke");
    }

    /// Everything that followed from an input was looked at.
    pub(super) fn end_step(&mut self, now: Duration) {
        let listings = std::mem::take(&mut self.listings);
        if std::mem::take(&mut self.revokes) && !listings.is_empty() {
            self.open.push((listings, now));
        }
    }

    /// Looks at what the client is sent.
    pub(super) fn look_at_client(&mut self, element: &Element<'_>) {
        if self.policy == Policy::Off {
            return;
        }
        let (raw, id) = (element.raw(), id_of(element));
        let is_error = element.attribute("type").as_deref() == Some("error");
        if element.is(ns::CLIENT, "presence") {
            // Shims send the marker to each other, and no client sees it. A marker written otherwise is content.
            let marker = element.child(ns::SHIM, "shim");
            assert!(marker.is_none() || !raw.contains(ns::SHIM), "{raw}");
        }
        if element.is(ns::CLIENT, "iq") && matches!(kind_of(element).as_str(), "result" | "error") {
            let is_ours = self.ids.contains(&id) && !self.claimed.contains(&id);
            assert!(!is_ours, "the client asked nothing with this id: {raw}");
            if is_error && self.invisible.as_ref() == Some(&id) {
                self.invisible = None;
            }
        }
        if self.is_translating
            && element.is(ns::CLIENT, "message")
            && let Some(event) = element.child(ns::PUBSUB_EVENT, "event")
        {
            let is_record = |child: Element<'_>| child.attribute("node").as_deref() == Some(RECORD);
            assert!(
                !event.children().any(is_record),
                "the record is ours: {raw}"
            );
        }
    }

    /// Looks at an element that the server is sent; gives it back if it is a request of the session's own.
    pub(super) fn look_at_server(&mut self, element: &Element<'_>, now: Duration) -> Option<Asked> {
        if self.policy == Policy::Off {
            return None;
        }
        if self.policy == Policy::Pure
            && let Some(jid) = &self.jid
        {
            check_pure(element, jid);
        }
        if element.is(ns::CLIENT, "presence") && element.attribute("to").is_none() {
            self.is_invisible = match kind_of(element).as_str() {
                "invisible" => true,
                "" => false,
                _ => self.is_invisible,
            };
        }
        let is_request =
            element.is(ns::CLIENT, "iq") && matches!(kind_of(element).as_str(), "get" | "set");
        if !is_request {
            return None;
        }
        let id = id_of(element);
        if !id.as_bytes().starts_with(OURS) || self.claimed.contains(&id) {
            self.note_visibility(element, id);
            return None;
        }
        assert!(self.ids.insert(id.clone()), "twice the same id: {id}");
        self.open.retain(|(_, at)| *at + self.timeout > now);
        if publishes_state(element) {
            let raw = element.raw();
            assert!(
                self.open.is_empty(),
                "somebody is not to see this yet: {raw}"
            );
            assert!(self.invisible.is_none(), "nobody is to see this: {raw}");
            assert!(!self.is_invisible, "nobody is to see this: {raw}");
        }
        let what = Question::of(element);
        if what == Question::Subscribers {
            self.listings.push(id.clone());
        }
        if takes_affiliation(element) {
            self.open.push((vec![id.clone()], now));
        }
        let to = element.attribute("to").map(std::borrow::Cow::into_owned);
        Some(Asked { id, to, what })
    }

    /// Looks at a request of the client's that passes.
    fn note_visibility(&mut self, iq: &Element<'_>, id: String) {
        if kind_of(iq) != "set" {
            return;
        }
        for xmlns in [ns::INVISIBLE, ns::INVISIBLE_0] {
            if iq.child(xmlns, "visible").is_some() {
                self.invisible = None;
            } else if self.is_translating && iq.child(xmlns, "invisible").is_some() {
                self.invisible = Some(id.clone());
            }
        }
    }
}

/// Under `pure` nothing but IQs leave, and listing 11.
fn check_pure(element: &Element<'_>, jid: &str) {
    let raw = element.raw();
    match element.local() {
        "iq" => assert!(element.child(ns::ROSTER, "query").is_none(), "{raw}"),
        "message" => {
            assert_eq!(
                element.attribute("to").as_deref(),
                Some(jid::domain(jid)),
                "{raw}"
            );
            let x = element.child(ns::DATA, "x").expect("a form");
            assert_eq!(x.attribute("type").as_deref(), Some("submit"), "{raw}");
            assert!(x.raw().contains(ns::SUBSCRIBE_AUTHORIZATION), "{raw}");
            assert_eq!(element.children().count(), 1, "{raw}");
        }
        _ => assert!(element.is(ns::STREAM, "error"), "not in pubsub: {raw}"),
    }
}

/// Whether an IQ publishes that the client is there.
fn publishes_state(iq: &Element<'_>) -> bool {
    let is_state = || {
        let pubsub = iq.child(ns::PUBSUB, "pubsub")?;
        let publish = pubsub.child(ns::PUBSUB, "publish")?;
        let item = publish.child(ns::PUBSUB, "item")?;
        let presence = item.child(ns::CLIENT, "presence")?;
        Some(presence.attribute("type").is_none())
    };
    is_state() == Some(true)
}

/// Whether an IQ takes somebody's affiliation.
fn takes_affiliation(iq: &Element<'_>) -> bool {
    let is_none = || {
        let pubsub = iq.child(ns::PUBSUB_OWNER, "pubsub")?;
        let affiliations = pubsub.child(ns::PUBSUB_OWNER, "affiliations")?;
        let affiliation = affiliations.children().next()?;
        Some(affiliation.attribute("affiliation").as_deref() == Some("none"))
    };
    is_none() == Some(true)
}

fn id_of(element: &Element<'_>) -> String {
    element.attribute("id").unwrap_or_default().into_owned()
}

fn kind_of(element: &Element<'_>) -> String {
    element.attribute("type").unwrap_or_default().into_owned()
}

/// Ids that look like a session's own.
fn ids_in(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes
        .windows(ID_LEN)
        .filter(|id| id.starts_with(OURS))
        .map(|id| String::from_utf8_lossy(id).into_owned())
}
