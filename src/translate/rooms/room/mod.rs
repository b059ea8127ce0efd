//! One room from join to leave. The steps of a join are in the order in which a client awaits their effects (XEP-0045
//! §7.2).

mod events;
mod join;
mod noticed;
mod own;
mod owned;
mod show;
mod unheard;
mod watch;

pub(super) use join::Info;
pub(super) use owned::{Configuration, access_model};
pub(crate) use show::WHOM_IT_IS_FOR;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use self::events::Source;
use self::join::is_missing;
use self::noticed::Noticed;
use self::own::Update;
use self::show::own_payload;
use self::unheard::Unheard;
use self::watch::Watch;
use super::Ask;
use super::affiliations::Affiliations;
use super::junk::Junk;
use super::names::OCCUPANTS;
use super::occupants::Occupants;
use super::talk::Talk;
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::{self, Cx, Wire};
use crate::wire::{Refused, Reply, is_gone};
use crate::xml::Element;

/// How long another client that is creating the same room is waited for.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Slack in comparing times: a stanza noted at the time of a question may have come before it.
const TICK: Duration = Duration::from_millis(1);
/// How long the holder of a nick may take to answer whether he is there.
const HOLDER_ANSWERS: Duration = Duration::from_secs(5);

/// One of the two nodes of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Occupants,
    Talk,
}

impl Part {
    fn other(self) -> Self {
        match self {
            Self::Occupants => Self::Talk,
            Self::Talk => Self::Occupants,
        }
    }
}

/// The purpose of a request about a room.
#[derive(Debug)]
pub(crate) enum Step {
    Subscribe,
    Items(Part),
    Create(Part),
    /// Whether the client's account owns a node that is in the way of a new room.
    Owns(Part),
    /// The room's metadata: access model and owners.
    Info,
    /// The owners, where the metadata does not name them.
    Owners,
    /// The metadata again, as a notice says that something has changed.
    Look,
    LookForOwners,
    /// Whether the holder of the nick is there: his full JID.
    Holder(Box<str>),
    /// Publishing the own occupant for the first time.
    TakeNick,
    /// Publishing the own occupant again, with a new status or another nick.
    Update(Box<Update>),
    /// Whether the client is still subscribed, as its item was taken away.
    IsOut,
    /// Publishing the own occupant again, as its item was taken away.
    Restore,
    /// Publishing a message: its stanza id, and the item's.
    Say(Option<Box<str>>, Box<str>),
    /// Whether the client is still subscribed, as the event of this item has not come.
    Heard(Part, Box<str>),
    /// Items whose payload the event has left out.
    Fetch(Part),
    /// Whether the occupant with this full JID is there, asked at that time.
    Alive(Box<str>, Duration),
    /// The account's subscriptions to the room's nodes.
    Leftovers(Part),
    /// Whether another resource of the account, which is subscribed, is there.
    Leftover(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The number of answers that are awaited.
    Entering(usize),
    Creating,
    /// The join is tried again at this time.
    Waiting(Duration),
    /// The holder of the nick has until then to answer whether he is there.
    AskingHolder(Duration),
    /// The own occupant is published.
    TakingNick,
    Joined,
}

pub(super) struct Room {
    pub(super) bare: Box<str>,
    /// The client's full JID.
    own: Box<str>,
    /// The client's nick.
    pub(super) nick: Box<str>,
    /// The client's presence, as it is published.
    presence: Bytes,
    /// The id of the presence that joins, for an error.
    id: Option<Box<str>>,
    may_create: bool,
    /// The client has created the room.
    is_new: bool,
    /// The owner has not accepted the new room yet: nobody else may come in.
    pub(super) is_locked: bool,
    pub(super) is_owner: bool,
    /// Owners, members and outcasts, as far as the service tells.
    affiliations: Affiliations,
    /// The service names the owners to everybody (ejabberd).
    names_owners: bool,
    noticed: Noticed,
    title: Box<str>,
    description: Box<str>,
    /// The room's access model, if known.
    access: Option<Box<str>>,
    ways: Ways,
    tries: u8,
    /// The id of the item that holds the own occupant.
    item: Box<str>,
    state: State,
    pub(super) occupants: Occupants,
    /// Items of events that came while the occupants are being asked for; `None`: the answer has come.
    overtaken: Option<BTreeSet<Box<str>>>,
    talk: Talk,
    /// A nick that the client wants instead of its own, and until when its holder may answer whether he is there.
    contested: Option<(Box<Update>, Duration)>,
    /// The client's publishes whose events have not come.
    unheard: Unheard,
    watch: Watch,
    /// When the own item, which was taken away, is published again.
    restore_at: Option<Duration>,
    /// When that was done last.
    restored_at: Option<Duration>,
    /// The owner's words about deleting the room.
    destroy: Option<String>,
    /// The number of occupants that have come since the own item was published.
    new_since: u16,
    /// Items whose payloads were left out of events, and whether some are being fetched.
    left_out: VecDeque<(Part, Box<str>)>,
    fetches: bool,
    /// Another occupant has the nick that the client wants.
    pub(super) is_nick_taken: bool,
    /// The text of the error, if the join fails.
    text: Option<&'static str>,
}

/// The ways in which rooms are joined and created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    /// A room that the client creates is open at once.
    pub(super) opens: bool,
    /// Nothing but requests about nodes may leave (`pure`).
    pub(super) only_nodes: bool,
    /// Subscriptions and items of dead resources of the account are looked for.
    pub(super) asks_leftovers: bool,
}

/// Forgets requests about a room, but for publishes of messages and the creation of nodes: their answers still count.
pub(super) fn forget(bare: &str, wire: &mut Wire) {
    forget_steps(bare, wire, |step| {
        !matches!(step, Step::Say(..) | Step::Create(_))
    });
}

/// Forgets requests for these steps: their answers are ignored.
fn forget_steps(bare: &str, wire: &mut Wire, is_useless: impl Fn(&Step) -> bool) {
    wire.forget(|asked| match asked {
        translate::Ask::Rooms(Ask::Step(of, step)) => **of == *bare && is_useless(step),
        _ => false,
    });
}

/// The room's node, which the client has left: its last publish may have made ejabberd create the node anew.
pub(super) fn left_alone(bare: &str) -> Junk {
    let [occupants, talk] = [Part::Occupants, Part::Talk].map(|part| node(bare, part));
    Junk::alone(jid::domain(bare), occupants, talk)
}

/// Deletes a node of a room that is not used.
pub(super) fn delete(bare: &str, part: Part, wire: &mut Wire) {
    let (node, service) = (node(bare, part), jid::domain(bare));
    wire.tell("set", Some(service), |out| request::delete(out, &node));
}

/// The name of a room's node.
pub(super) fn node(bare: &str, part: Part) -> String {
    let name = jid::local(bare).unwrap_or_default();
    match part {
        Part::Occupants => format!("{name}{OCCUPANTS}"),
        Part::Talk => name.to_owned(),
    }
}

impl Room {
    /// A room that the client has just asked to join (listing 12).
    pub(super) fn new(
        bare: &str,
        nick: &str,
        presence: &Element<'_>,
        ways: Ways,
        cx: &Cx<'_>,
    ) -> Self {
        let muc = presence.child(ns::MUC, "x");
        Self {
            bare: bare.into(),
            own: cx.account.jid().into(),
            nick: nick.into(),
            presence: own_payload(presence, bare, nick, cx.account.jid()),
            id: presence.attribute("id").map(|id| (*id).into()),
            // A status presence of a client that never joined creates no room.
            may_create: muc.is_some(),
            is_new: false,
            is_locked: false,
            is_owner: false,
            affiliations: Affiliations::default(),
            names_owners: false,
            noticed: Noticed::default(),
            title: Box::default(),
            description: Box::default(),
            access: None,
            ways,
            tries: 0,
            item: cx.account.bare().into(),
            state: State::Creating,
            occupants: Occupants::default(),
            overtaken: None,
            talk: Talk::new(muc.as_ref(), cx.wire.unix_time()),
            contested: None,
            unheard: Unheard::default(),
            watch: Watch::default(),
            restore_at: None,
            restored_at: None,
            destroy: None,
            new_since: 0,
            left_out: VecDeque::new(),
            fetches: false,
            is_nick_taken: false,
            text: None,
        }
    }

    pub(super) fn is_joined(&self) -> bool {
        self.state == State::Joined
    }

    /// Whether everybody may come in, as far as the access model is known.
    pub(super) fn is_open(&self) -> bool {
        self.access.as_deref() == Some("open")
    }

    /// Whether the owner has closed the room to all but members.
    pub(super) fn is_closed(&self) -> bool {
        !self.is_open() && !self.is_locked
    }

    fn node(&self, part: Part) -> String {
        node(&self.bare, part)
    }

    /// Sends a request about one of the nodes, whose name `body` is given; `false`: too many wait already.
    fn ask(
        &self,
        kind: &str,
        part: Part,
        step: Step,
        cx: &mut Cx<'_>,
        body: impl FnOnce(&mut BytesMut, &str),
    ) -> bool {
        let (service, node) = (jid::domain(&self.bare), self.node(part));
        let ask = Ask::Step(self.bare.clone(), step);
        cx.wire
            .request(kind, Some(service), ask, |out| body(out, &node))
    }

    /// Sends a request about one of the nodes whose answer is ignored.
    fn tell(&self, part: Part, cx: &mut Cx<'_>, body: impl FnOnce(&mut BytesMut, &str)) {
        let (service, node) = (jid::domain(&self.bare), self.node(part));
        cx.wire.tell("set", Some(service), |out| body(out, &node));
    }

    /// Goes on when time is up: a join that has waited, an event that has not come. `false`: the client is out.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.wire.now;
        match self.state {
            State::Waiting(at) if at <= now => return self.enter(cx),
            State::AskingHolder(at) if at <= now => {
                self.forget_holder(cx);
                return self.handle_held(cx);
            }
            State::Joined => {
                if let Some((update, _)) = self.contested.take_if(|(_, at)| *at <= now) {
                    self.forget_holder(cx);
                    self.refuse_update(&update, "conflict", cx);
                }
                if self.restore_at.take_if(|at| *at <= now).is_some() {
                    self.restore(cx);
                }
                self.clean_up(cx);
                self.look(cx);
            }
            _ => {}
        }
        self.ask_whether_heard(cx);
        true
    }

    /// When [`go_on`](Self::go_on) does something.
    pub(super) fn again_at(&self) -> Option<Duration> {
        let of_state = match self.state {
            State::Waiting(at) | State::AskingHolder(at) => Some(at),
            State::Joined => {
                let all = [self.restore_at, self.clean_up_at(), self.look_at()];
                all.into_iter().flatten().min()
            }
            _ => None,
        };
        let contested = self.contested.as_ref().map(|(_, at)| *at);
        let of_state = of_state.into_iter().chain(contested);
        of_state.chain(self.unheard.due_at()).min()
    }

    /// Goes on with the answer to a step; `false`: the client is not in the room.
    pub(super) fn handle_reply(&mut self, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        match (step, reply) {
            (Step::Subscribe, Ok(_)) => self.count_down(cx),
            (Step::Items(part), Ok(iq)) => {
                answer::with_items(iq, |items| {
                    self.handle_items(items, part, Source::Answer, None, cx)
                });
                if part == Part::Occupants {
                    self.overtaken = None;
                }
                self.count_down(cx)
            }
            // Without its history a room can be joined all the same.
            (Step::Items(Part::Talk), Err(refused)) if !is_missing(refused) => self.count_down(cx),
            (Step::Subscribe | Step::Items(_), Err(refused)) => self.handle_closed(refused, cx),
            (Step::Info, reply) => {
                if let Ok(iq) = reply {
                    self.handle_info(iq, cx);
                }
                self.count_down(cx)
            }
            (Step::Owners, reply) => {
                if let Ok(iq) = reply {
                    self.note_owners(iq);
                }
                self.count_down(cx)
            }
            (Step::Holder(full), pong) => self.handle_holder(&full, pong, cx),
            (Step::Create(Part::Talk), Ok(_)) => self.create(Part::Occupants, cx),
            (Step::Create(Part::Occupants), Ok(_)) => self.handle_created(cx),
            (Step::Owns(Part::Talk), Ok(_)) => {
                self.is_owner = true;
                self.create(Part::Occupants, cx)
            }
            (Step::Owns(Part::Occupants), Ok(_)) => self.handle_created(cx),
            (Step::Owns(part), Err(_)) => self.handle_not_owned(part, cx),
            (Step::Create(part), Err(refused)) => self.handle_not_created(part, refused, cx),
            // The event of the publish has come before.
            (Step::TakeNick, Err(_)) if self.state == State::Joined => true,
            (Step::TakeNick, Err(Refused::With("forbidden"))) if self.next_item(cx) => {
                self.take_nick(cx)
            }
            (Step::TakeNick, Err(refused)) => self.fail(refused.condition(), cx),
            (Step::IsOut, reply) => self.handle_is_out(reply, cx),
            // Prosody tells a kicked occupant only that his item is retracted.
            (Step::Restore, Err(Refused::With("forbidden"))) => self.show_kicked(cx),
            (Step::Heard(part, item), reply) => self.handle_heard(part, &item, reply, cx),
            (Step::Fetch(part), reply) => self.handle_fetched(part, reply, cx),
            (step, reply) => {
                self.handle_rest(step, reply, cx);
                true
            }
        }
    }

    /// Handles the answer to a step that does not put the client out.
    fn handle_rest(&mut self, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        match (step, reply) {
            (Step::Look, reply) => self.handle_look(reply, cx),
            (Step::LookForOwners, reply) => self.handle_look_for_owners(reply, cx),
            (Step::TakeNick, Ok(_)) => self.unheard.handle_result(&self.item, now),
            (Step::Restore, Ok(_)) => self.forget_verdict(),
            (Step::Update(update), Ok(_)) => {
                self.unheard.handle_result(&self.item, now);
                self.presence = update.payload;
            }
            (Step::Update(update), Err(refused)) => {
                self.unheard.take(Part::Occupants, &self.item);
                self.refuse_update(&update, refused.condition(), cx);
            }
            (Step::Say(_, item), Ok(_)) => self.unheard.handle_result(&item, now),
            (Step::Say(id, item), Err(refused)) => {
                let published = self.unheard.take(Part::Talk, &item);
                let payload = published.map(|(_, payload)| payload);
                self.show_unsent(id.as_deref(), payload, refused.condition(), cx);
            }
            (Step::Alive(full, asked), pong) => match is_gone(pong) {
                // The occupant has come back since.
                true if !self.occupants.is_silent_since(&full, asked + TICK) => {}
                true => self.handle_vanished(&full, cx),
                false => self.handle_alive(&full, cx),
            },
            (Step::Leftovers(part), Ok(iq)) => self.note_leftovers(part, iq, cx),
            (Step::Leftover(full), pong) if is_gone(pong) => {
                self.unsubscribe(&full, cx);
                self.handle_vanished(&full, cx);
            }
            (Step::Restore | Step::Leftovers(_), Err(_)) | (Step::Leftover(_), _) => {}
            // The join waits for these, or they put the client out: `handle_reply` takes them.
            (
                Step::Subscribe
                | Step::Items(_)
                | Step::Create(_)
                | Step::Owns(_)
                | Step::Info
                | Step::Owners
                | Step::Holder(_)
                | Step::TakeNick
                | Step::IsOut
                | Step::Heard(..)
                | Step::Fetch(_),
                _,
            ) => {}
        }
    }
}
