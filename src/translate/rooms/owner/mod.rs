//! Requests of owners: affiliations, kicks and bans, the configuration, the end of a room (XEP-0045 §9, §10). Each is
//! several requests to the service, one after the other; the client is answered after the last one.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | from the client's IQ to its answer |
//! | `wish.rs` | reading the client's IQ, and writing its answer |
//! | `configuration.rs` | the form of a room |
//! | `job.rs` | the requests to the service, and their answers |

mod configuration;
mod job;
mod wish;

use bytes::{BufMut as _, BytesMut};

use self::configuration::wanted;
pub(crate) use self::job::Job;
pub(super) use self::wish::Wish;
use self::wish::{Reasons, change_wish, list_wish, said_of_end};
use super::affiliations::Affiliation;
use super::notice::{MOST_SAID, Notice, said_by};
use super::refuse::refuse;
use super::{Ask, Rooms};
use crate::jid;
use crate::ns;
use crate::translate::{self, Cx, Wire};
use crate::wire::{Leg, NO_ANSWER, Reply, Rule, StanzaError};
use crate::xml::Element;

const OWNER: Rule = Rule::new(
    "room-owner",
    "",
    "what an owner wants of a room is asked of the service, for both of its nodes",
);

impl Rooms {
    /// Handles an owner's IQ that lists or changes affiliations and roles (XEP-0045 §8, §9).
    pub(super) fn ask_admin(
        &mut self,
        bare: &str,
        is_get: bool,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_owner) else {
            return refuse(iq, "forbidden", cx);
        };
        let Some(query) = iq.children().next() else {
            return refuse(iq, "bad-request", cx);
        };
        let wish = match is_get {
            true => list_wish(&query, room, iq, cx).map(|it| it.map(|it| (it, Reasons::new()))),
            false => change_wish(&query, room, cx.account.bare()),
        };
        match wish {
            Ok(Some((wish, reasons))) => self.begin_for(bare, wish, reasons, iq, cx),
            // The list of roles was answered at once.
            Ok(None) if is_get => {}
            Ok(None) => answer_done(bare, iq, cx),
            Err(condition) => refuse(iq, condition, cx),
        }
    }

    /// Handles an owner's IQ that asks for the configuration form, submits it, or destroys the room (XEP-0045 §10).
    pub(super) fn ask_owner(
        &mut self,
        bare: &str,
        is_get: bool,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_owner) else {
            return refuse(iq, "forbidden", cx);
        };
        if is_get {
            return self.begin(bare, Wish::Form, iq, cx);
        }
        let query = iq.child(ns::MUC_OWNER, "query");
        let Some(query) = query else {
            return refuse(iq, "bad-request", cx);
        };
        if let Some(destroy) = query.child(ns::MUC_OWNER, "destroy") {
            return self.destroy(bare, &destroy, iq, cx);
        }
        let form = query.child(ns::DATA, "x");
        let kind = form.as_ref().and_then(|form| form.attribute("type"));
        match (form.as_ref(), kind.as_deref()) {
            (Some(form), Some("submit")) => match wanted(form, room) {
                Ok(wanted) => self.begin(bare, Wish::Configure(wanted), iq, cx),
                Err(var) => refuse_field(iq, &var, cx),
            },
            // The creator of a new room cancels it (§10.1.3).
            (Some(_), Some("cancel")) if room.is_locked => {
                self.begin(bare, Wish::Destroy(None), iq, cx);
            }
            (Some(_), Some("cancel")) => answer_done(bare, iq, cx),
            _ => refuse(iq, "bad-request", cx),
        }
    }

    fn destroy(&mut self, bare: &str, destroy: &Element<'_>, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get(bare) else {
            return;
        };
        let said = said_of_end(destroy);
        if said.len() > MOST_SAID {
            return refuse(iq, "not-acceptable", cx);
        }
        let item = cx.wire.fresh_id().to_string().into();
        let notice = Notice {
            destroy: Some(said),
            ..Notice::default()
        };
        let announcement = notice.write(&format!("{bare}/{}", room.nick));
        let announcement = announcement.map(|said| (item, said));
        self.begin(bare, Wish::Destroy(announcement), iq, cx);
    }

    pub(super) fn begin(&mut self, bare: &str, wish: Wish, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.begin_for(bare, wish, Reasons::new(), iq, cx);
    }

    fn begin_for(
        &mut self,
        bare: &str,
        wish: Wish,
        reasons: Reasons,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        cx.wire.apply(&OWNER);
        // A new room is as this client has created it, and nobody else is in it.
        let is_new = self.rooms.get(bare).is_some_and(|room| room.is_locked);
        let id = iq.attribute("id").unwrap_or_default();
        let is_closed = is_new.then_some(false);
        let job = Job::new(bare, &id, wish, reasons, is_closed, cx.account.bare());
        self.go_on_with(job.into(), cx);
    }

    /// Sends the next request of a job, or ends the job after the last one.
    fn go_on_with(&mut self, mut job: Box<Job>, cx: &mut Cx<'_>) {
        job.tell_all(self.rooms.get_mut(&*job.room).map(Box::as_mut), cx);
        let mut body = BytesMut::new();
        let Some(kind) = job.write_next(&mut body) else {
            return self.finish_job(*job, cx);
        };
        if cx.wire.places() == 0 || cx.wire.is_closed(Leg::Server) {
            return job.refuse("resource-constraint", cx);
        }
        let room = job.room.clone();
        let service = Some(jid::domain(&room));
        cx.wire.request(kind, service, Ask::Owner(job), |out| {
            out.put_slice(&body);
        });
    }

    /// Goes on with the answer to a job's request.
    pub(super) fn handle_job(&mut self, mut job: Box<Job>, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let room = self.rooms.get_mut(&*job.room).map(Box::as_mut);
        match job.handle_reply(reply, room, cx) {
            Ok(()) => self.go_on_with(job, cx),
            Err(condition) => {
                job.refuse(&condition, cx);
                self.handle_refused(*job, &condition, cx);
            }
        }
    }

    /// Handles a job that the service has refused: another owner may have taken the client's ownership away.
    fn handle_refused(&mut self, job: Job, condition: &str, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get_mut(&*job.room) else {
            return;
        };
        room.forget_announced(cx.account.bare());
        if !job.affiliations.is_empty() {
            room.note_affiliations(job.affiliations);
        }
        if condition == "forbidden" && room.is_owner {
            let own = cx.account.bare().to_owned();
            room.show_affiliation(&own, Affiliation::None, "", cx);
        }
    }

    /// Returns the client's invitations that are under way, as the session ends.
    pub(super) fn give_jobs_back(wire: &mut Wire) {
        let invitations = wire.asked().filter_map(|asked| match asked {
            translate::Ask::Rooms(Ask::Owner(job)) => job.invitation().cloned(),
            _ => None,
        });
        for message in invitations.collect::<Vec<_>>() {
            message.read(|it| wire.refuse(it, NO_ANSWER));
        }
    }

    fn finish_job(&mut self, job: Job, cx: &mut Cx<'_>) {
        let room = self.rooms.get_mut(&*job.room);
        if let (Some(changes), Some(room)) = (job.wish.changes(), room) {
            for (account, affiliation) in changes {
                let reason = job.reasons.get(account).map(|it| &**it);
                let said = said_by(&room.nick, reason);
                room.show_affiliation(account, *affiliation, &said, cx);
            }
        }
        if let Some(message) = job.invitation() {
            message.read(|it| self.send_invitations(&job.room, it, cx));
            return;
        }
        cx.wire
            .show_answer(&job.id, &job.room, cx.account.jid(), &job.answer);
        let room = self.rooms.get_mut(&*job.room);
        if let (Wish::Configure(wanted), Some(room)) = (job.wish, room) {
            room.handle_configured(wanted, cx);
        }
    }
}

/// Answers an owner's IQ with an empty result.
fn answer_done(bare: &str, iq: &Element<'_>, cx: &mut Cx<'_>) {
    let id = iq.attribute("id").unwrap_or_default();
    cx.wire.show_answer(&id, bare, cx.account.jid(), "");
}

/// Refuses a form because of the field `var`: no such room can have its value (XEP-0045 §10.1.3).
fn refuse_field(iq: &Element<'_>, var: &str, cx: &mut Cx<'_>) {
    let text = format!("no room on publish-subscribe can have this value: {var}");
    let error = StanzaError::from("not-acceptable").saying(Some(&text));
    cx.wire.refuse(iq, error);
}
