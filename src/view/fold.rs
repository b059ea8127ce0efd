//! Folds pubshim's own requests and their answers: one line for many.

use super::nature::Nature;
use super::options::{Form, Only, Options};
use super::step::{Frame, Step, Way};
use super::total::Burst;
use crate::session::{Leg, Level};
use crate::translate::rules::REPLY;

impl Options {
    /// Whether own requests are folded: not if a filter names a function, which may be theirs.
    pub(super) fn folds(&self) -> bool {
        let names_function = |only: &Only| matches!(only, Only::Function(_));
        self.form == Form::Short && !self.own && !self.only.iter().any(names_function)
    }
}

/// Takes pubshim's own business out of a step.
pub(super) fn fold(step: &mut Step) -> Burst {
    let mut burst = Burst::default();
    let is_answer = step.rules.iter().any(|rule| rule.name == REPLY.name);
    step.rules.retain(|rule| rule.name != REPLY.name);
    let told = step
        .sent
        .iter()
        .any(|frame| frame.way == Way::To(Leg::Client));
    let is_hidden = !told && is_unseen(step, is_answer);
    if is_hidden {
        step.rules.clear();
        step.notes.clear();
    }
    let is_private = |frame: &mut Frame| {
        is_hidden || frame.way == Way::From(Leg::Server) && frame.nature.is_private
    };
    if let Some(input) = step.input.take_if(is_private) {
        count(&mut burst, &input);
    }
    let input = step.input.as_ref().map(|frame| frame.way);
    let is_shown = |frame: &Frame| {
        let Nature { is_own, is_set, .. } = frame.nature;
        let is_said = is_set && !frame.nature.is_private && input == Some(Way::From(Leg::Client));
        frame.way == Way::To(Leg::Client)
            || frame.nature.has_stanza && !frame.nature.is_private
            || is_said
            || !is_own && !is_hidden
    };
    let sent = std::mem::take(&mut step.sent).into_iter();
    let (shown, own): (Vec<_>, Vec<_>) = sent.partition(is_shown);
    step.sent = shown;
    own.iter().for_each(|frame| count(&mut burst, frame));
    burst
}

fn count(burst: &mut Burst, frame: &Frame) {
    burst.bytes += frame.bytes as u64;
    let is_request = frame.nature.is_own && frame.way == Way::To(Leg::Server);
    burst.requests += usize::from(is_request);
}

/// Whether the client has nothing to do with the input: an answer to pubshim, or a stanza of the server's that no rule
/// of the specification names; and no note about it matters.
fn is_unseen(step: &Step, is_answer: bool) -> bool {
    let Some(input) = step.input.as_ref() else {
        return false;
    };
    let least = if is_answer {
        Level::Debug
    } else {
        Level::Trace
    };
    let rules = &mut step.rules.iter();
    let is_servers = input.way == Way::From(Leg::Server);
    let is_own = input.nature.is_private || rules.all(|rule| rule.listing.is_empty());
    step.notes.iter().all(|(level, _)| *level >= least) && (is_answer || is_servers && is_own)
}
