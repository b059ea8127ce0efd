//! `pubshim explain`: the rules that apply to a stanza, and what becomes of it.

use std::io::{BufRead, Write};

use super::translate::{TranslateOptions, each_stanza};
use crate::fixture::{Trial, read_stanza};
use crate::ns;
use crate::session::{Leg, Rule};
use crate::translate::rules::REPLY;
use crate::wire::is_own_id;
use crate::xml::{Element, shown};

/// Prints the rules that apply to each stanza, and its outcome.
pub fn explain(
    options: &TranslateOptions,
    input: impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let from = options.from;
    each_stanza(options, input, out, |stanza, tried, out| {
        writeln!(out, "{}", shown(&first_tag(stanza)))?;
        let lines = lines(from, stanza, tried);
        lines
            .iter()
            .try_for_each(|line| writeln!(out, "  {}", shown(line)))
    })
}

/// Lines about a stanza.
fn lines(from: Leg, stanza: &str, tried: &Trial) -> Vec<String> {
    if tried.is_over {
        return vec!["not said: the session has ended before".to_owned()];
    }
    let treatment = Treatment::of(from, stanza, tried);
    let mut lines = Vec::new();
    let asked = asked(tried, tried.at_once);
    if !asked.is_empty() && treatment.is_late(tried) {
        lines.push(format!("held until {asked}"));
    }
    // Later answers to pubshim's own requests are no news.
    let rules = tried.rules.iter().enumerate();
    let rules = rules.filter(|(at, rule)| *at < tried.rules_at_once || rule.name != REPLY.name);
    lines.extend(rules.map(|(_, rule)| rule_line(rule)));
    // Only a server's stanza is an event itself: the events dropped after a client's are echoes of its own publishes.
    let dropped = tried.dropped.iter().filter(|_| from == Leg::Server);
    lines.extend(dropped.map(|it| format!("dropped: {} ({})", it.text(), it.reason())));
    let is_named = !lines.is_empty();
    match &treatment {
        Treatment::Passed(_) if is_named => lines.push("passes byte for byte".to_owned()),
        Treatment::Passed(_) => lines.push("passes byte for byte: no rule names it".to_owned()),
        Treatment::Refused(_, error) => lines.push(format!("refused: {error}")),
        Treatment::Answered => lines.push("answered by pubshim".to_owned()),
        Treatment::Changed(tag) if !is_named => lines.push(format!("passes, changed: {tag}")),
        Treatment::Changed(_) => {}
        Treatment::Nothing if is_named => {}
        Treatment::Nothing => lines.push(nothing(tried)),
    }
    lines.extend(tried.remarks.iter().map(|remark| format!("note: {remark}")));
    lines
}

/// Line for a stanza without any outcome.
fn nothing(tried: &Trial) -> String {
    let asked = asked(tried, usize::MAX);
    match &*asked {
        "" => "held or noted here: nothing is sent because of it".to_owned(),
        asked => format!("held until {asked}; nothing came of it"),
    }
}

/// Outcome of a stanza.
enum Treatment {
    /// Sent on unchanged, as step `.0` of the outputs.
    Passed(usize),
    /// Another stanza of its kind was sent on; its first tag.
    Changed(String),
    /// Answered with an error, as step `.0` of the outputs; condition and text.
    Refused(usize, String),
    /// Answered with a result.
    Answered,
    Nothing,
}

impl Treatment {
    fn of(from: Leg, stanza: &str, tried: &Trial) -> Self {
        let stanza = stanza.trim();
        let mut over = tried.sent(from.other());
        if let Some((at, _)) = over.find(|(_, xml)| *xml == stanza) {
            return Self::Passed(at);
        }
        for (at, xml) in tried.sent(from) {
            let back = read_stanza(stanza, |stanza| {
                read_stanza(xml, |answer| Self::back(at, stanza, answer)).flatten()
            });
            if let Some(back) = back.flatten() {
                return back;
            }
        }
        let name = read_stanza(stanza, |stanza| stanza.local().to_owned());
        let mut over = tried.sent(from.other()).filter(|(_, xml)| {
            let is_alike = |other: &Element<'_>| {
                let id = other.attribute("id").unwrap_or_default();
                Some(other.local()) == name.as_deref() && !is_own_id(&id)
            };
            read_stanza(xml, is_alike) == Some(true)
        });
        let changed = over.next();
        changed.map_or(Self::Nothing, |(_, xml)| Self::Changed(first_tag(xml)))
    }

    /// The outcome, if `answer` is one to `stanza` or ends its stream.
    fn back(at: usize, stanza: &Element<'_>, answer: &Element<'_>) -> Option<Self> {
        if answer.local() == "error" && answer.namespace() == ns::STREAM {
            let condition = answer.children().next()?.local().to_owned();
            return Some(Self::Refused(at, format!("the session ends ({condition})")));
        }
        if answer.local() != stanza.local() || answer.attribute("id") != stanza.attribute("id") {
            return None;
        }
        match answer.attribute("type").as_deref() {
            Some("result") => Some(Self::Answered),
            Some("error") => {
                let error = answer.child(ns::CLIENT, "error")?;
                let condition = error.children().next()?.local().to_owned();
                let text = error.children().find(|it| it.local() == "text");
                let text = text.map_or(String::new(), |it| format!(": {}", it.text()));
                Some(Self::Refused(at, format!("{condition}{text}")))
            }
            _ => None,
        }
    }

    /// Whether the stanza waited for an answer to a request of pubshim's.
    fn is_late(&self, tried: &Trial) -> bool {
        match self {
            Self::Passed(at) | Self::Refused(at, _) => *at >= tried.at_once,
            Self::Changed(_) | Self::Nothing | Self::Answered => {
                let mut published = tried.sent(Leg::Server);
                tried.at_once > 0
                    && !published
                        .any(|(at, xml)| at < tried.at_once && !xml.starts_with("<iq type='get'"))
                    && tried
                        .sent(Leg::Server)
                        .any(|(_, xml)| xml.contains("<publish "))
            }
        }
    }
}

/// Lists who has to answer which of pubshim's requests among the first `most` steps; empty if there is none.
fn asked(tried: &Trial, most: usize) -> String {
    let asked = tried.sent(Leg::Server);
    let asked = asked.take_while(|(at, _)| *at < most);
    let asked = asked.filter_map(|(_, xml)| read_stanza(xml, question).flatten());
    asked.collect::<Vec<_>>().join(" and ")
}

/// A request of pubshim's, in words; `None` for other IQs.
fn question(iq: &Element<'_>) -> Option<String> {
    let is_own = is_own_id(&iq.attribute("id")?);
    if !is_own || iq.attribute("type").as_deref() != Some("get") {
        return None;
    }
    let payload = iq.children().next()?;
    let inner = payload.children().next();
    let asked = match &inner {
        Some(inner) if payload.local() == "pubsub" => inner,
        _ => &payload,
    };
    let to = iq.attribute("to");
    let to = to.as_deref().unwrap_or("the own account");
    Some(format!("{to} has answered {}", first_tag(asked.raw())))
}

fn rule_line(rule: &Rule) -> String {
    let listing = match rule.listing {
        "" => String::new(),
        listing => format!(" (listing {listing})"),
    };
    format!("{}{listing}: {}", rule.name, rule.text)
}

/// First tag of a stanza, on one line.
fn first_tag(stanza: &str) -> String {
    let end = stanza.find('>').map_or(stanza.len(), |at| at + 1);
    stanza[..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
