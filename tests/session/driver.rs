//! Both ends of a session and a clock, played by a test.

mod stage;
mod tape;

use std::sync::Arc;
use std::time::Duration;

use pubshim::session::{
    Dropped, Event, Function, Input, Leg, Options, Output, Policy, Security, Seed, ServerFacts,
    Session,
};

use crate::common::*;
pub(crate) use stage::{STAGES, Stage};
use tape::Tape;

/// Questions that the polite server answers unless a test keeps them.
const ASKED_AT_LOGIN: [Question; 6] = [
    Question::Roster,
    Question::Blocklist,
    Question::Members,
    Question::Subscribers,
    Question::Items,
    Question::Record,
];

pub(crate) struct Driver {
    pub(crate) session: Session,
    policy: Policy,
    pub(crate) now: Duration,
    jid: String,
    /// Bytes sent on each leg and not yet looked at.
    taken: [Vec<u8>; 2],
    /// How many bytes to the server the polite one has looked at.
    looked_at: usize,
    /// Legs that take no bytes.
    blocked: [bool; 2],
    outputs: Vec<Output>,
    /// Steps of the session, to be replayed when it is over.
    tape: Option<Tape>,
    /// The test wants to see what is recorded.
    shows_records: bool,
    /// The client's stream header.
    header: String,
    /// How the polite server has the account.
    pub(crate) account: Account,
    /// Questions that the test answers itself.
    kept: Vec<Question>,
    /// The test answers questions of one-to-one messages.
    keeps_chats: bool,
    /// The test answers IQs of unknown meaning.
    keeps_unknown: bool,
}

/// Most sessions know that their server has no privacy lists, and so do not ask.
pub(crate) fn facts() -> ServerFacts {
    ServerFacts {
        no_privacy_lists: true,
        ..ServerFacts::default()
    }
}

pub(crate) fn options(policy: Policy) -> Options {
    Options {
        policy,
        // Tests of one-to-one messages have sessions of their own.
        native: match policy {
            Policy::Auto => vec![Function::Chat],
            _ => Vec::new(),
        },
        ..Options::default()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.collect();
        if let Some(tape) = &self.tape {
            tape.assert_replays();
        }
    }
}

impl Driver {
    pub(crate) fn new(options: Options) -> Self {
        // A session that removes nodes is no part of a fixture.
        let tape = options.forget.is_none().then(|| Tape::new(&options));
        Self::with(options, tape)
    }

    fn with(options: Options, tape: Option<Tape>) -> Self {
        let now = Duration::from_secs(1000);
        let policy = options.policy;
        let mut session = Session::new(Arc::new(options), Seed([7; 32]), now);
        if tape.is_some() {
            session.record();
        }
        Self {
            policy,
            session,
            tape,
            shows_records: false,
            now,
            jid: JULIET.to_owned(),
            taken: Default::default(),
            looked_at: 0,
            blocked: [false; 2],
            outputs: Vec::new(),
            header: client_header("capulet.lit"),
            account: Account::answering(&[]),
            kept: vec![
                Question::Node,
                Question::Change,
                Question::Privacy,
                Question::Contact,
            ],
            keeps_chats: false,
            keeps_unknown: false,
        }
    }

    /// A session that is logged in as `jid`, everything looked at.
    pub(crate) fn logged_in(jid: &str, options: Options) -> Self {
        let (client, server) = headers(jid);
        Self::logged_in_with(jid, options, &client, &server, facts())
    }

    pub(crate) fn logged_in_with(
        jid: &str,
        options: Options,
        client_header: &str,
        server_header: &str,
        facts: ServerFacts,
    ) -> Self {
        Self::new(options).log_in(jid, client_header, server_header, facts)
    }

    /// A session without a recording, which would hold bytes that pass unread.
    pub(crate) fn unrecorded(jid: &str, options: Options) -> Self {
        let (client, server) = headers(jid);
        Self::with(options, None).log_in(jid, &client, &server, facts())
    }

    fn log_in(
        mut self,
        jid: &str,
        client_header: &str,
        server_header: &str,
        facts: ServerFacts,
    ) -> Self {
        self.bind(jid, client_header, server_header, facts);
        if self.policy == Policy::Pure {
            self.keep_all();
            self.client("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
            Account::answering(&[]).settle(&mut self);
            self.keep_no_more();
        }
        self.forget();
        self
    }

    /// Logs in, up to the bound resource `jid`.
    fn bind(&mut self, jid: &str, client_header: &str, server_header: &str, facts: ServerFacts) {
        // Written with the prefix the server's header declares.
        let prefix = server_header.split("xmlns:").nth(1).unwrap();
        let prefix = prefix.split('=').next().unwrap();
        let features = |xml: &str| xml.replace("stream:", &format!("{prefix}:"));
        self.jid = jid.to_owned();
        self.header = client_header.to_owned();
        self.client(client_header);
        self.input(Input::connected(Security::Plain, facts));
        self.server(&format!("{server_header}{}", features(MECHANISMS)));
        self.client(AUTH);
        self.server(SUCCESS);
        self.client(client_header);
        self.server(&format!("{server_header}{}", features(BIND_FEATURES)));
        self.client(BIND);
        self.server_bytes();
        self.server(&bound(jid));
    }

    /// Juliet's session under `pure`, nothing asked yet.
    pub(crate) fn pure() -> Self {
        let mut driver = Self::new(options(Policy::Pure));
        let (client, server) = headers(JULIET);
        driver.bind(JULIET, &client, &server, facts());
        driver.forget();
        driver.keep_all();
        driver
    }

    /// The same, and the client has asked for its roster, with the id `r`.
    pub(crate) fn asking_for_roster() -> Self {
        let mut driver = Self::pure();
        driver.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        driver
    }

    pub(crate) fn auto(jid: &str) -> Self {
        Self::logged_in(jid, options(Policy::Auto))
    }

    pub(crate) fn client(&mut self, xml: &str) {
        self.input(Input::Bytes(Leg::Client, xml.as_bytes()));
    }

    pub(crate) fn server(&mut self, xml: &str) {
        self.input(Input::Bytes(Leg::Server, xml.as_bytes()));
    }

    /// The client says this, and the server gets just this.
    #[track_caller]
    pub(crate) fn client_passes(&mut self, xml: &str) {
        self.client(xml);
        assert_eq!(self.server_bytes(), xml);
    }

    /// The server says this, and the client gets just this.
    #[track_caller]
    pub(crate) fn server_passes(&mut self, xml: &str) {
        self.server(xml);
        assert_eq!(self.client_bytes(), xml);
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.note_input();
        }
        self.session.handle(input, self.now);
        self.collect();
        self.answer_politely();
    }

    /// Answers what the session asks and the test does not keep, and takes it out of what was sent.
    fn answer_politely(&mut self) {
        let sent = &mut self.taken[Leg::Server as usize];
        let start = self.looked_at;
        let mut questions = Node::sent(&self.header, &sent[start..]);
        self.looked_at += questions.last().map_or(0, |(place, _)| place.end);
        questions.retain(|(_, stanza)| {
            is_ours(stanza)
                && !(self.keeps_chats && is_of_chats(stanza))
                && Question::of(stanza).map_or(!self.keeps_unknown, |it| !self.kept.contains(&it))
        });
        for (place, _) in questions.iter().rev() {
            sent.drain(start + place.start..start + place.end);
            self.looked_at -= place.len();
        }
        let answers = questions.iter().map(|(_, question)| {
            let answer = self.account.answer(question);
            self.write_answer(question, answer)
        });
        let answers: String = answers.collect();
        if !answers.is_empty() {
            self.server(&answers);
        }
    }

    /// Leaves questions about this to the test.
    pub(crate) fn keep(&mut self, question: Question) {
        self.kept.push(question);
    }

    /// Leaves all questions to the test; IQs of unknown meaning are still refused and not shown.
    pub(crate) fn keep_all(&mut self) {
        self.kept.extend(ASKED_AT_LOGIN);
    }

    /// Leaves the questions of one-to-one messages to the test.
    pub(crate) fn keep_chats(&mut self) {
        self.keeps_chats = true;
    }

    /// Leaves everything to the test.
    pub(crate) fn keep_everything(&mut self) {
        self.keep_all();
        self.keep(Question::Stranger);
        self.keeps_unknown = true;
    }

    /// Leaves to the polite server what is its own.
    pub(crate) fn keep_no_more(&mut self) {
        self.kept.retain(|it| !ASKED_AT_LOGIN.contains(it));
    }

    /// Shows what is recorded from here on.
    pub(crate) fn show_records(&mut self) {
        self.shows_records = true;
    }

    /// Lets a leg take bytes again, or no more.
    pub(crate) fn block(&mut self, leg: Leg, blocked: bool) {
        self.blocked[leg as usize] = blocked;
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.poll() {
            if let Some(tape) = &mut self.tape {
                tape.write(&output);
            }
            if !self.shows_records && matches!(output, Output::Recorded(_)) {
                continue;
            }
            // Events about applied rules are for people; the tests look at the stanzas.
            if !matches!(output, Output::Log(Event::Applied(_))) {
                self.outputs.push(output);
            }
        }
        for leg in [Leg::Client, Leg::Server] {
            let count = self.session.outgoing(leg).len();
            if count > 0 && !self.blocked[leg as usize] {
                self.taken[leg as usize].extend_from_slice(self.session.outgoing(leg));
                self.session.sent(leg, count, self.now);
            }
        }
    }

    /// Lets time pass, coming back whenever the session asks for it.
    pub(crate) fn advance(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        for _ in 0..100 {
            let Some(at) = self.session.timeout().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        panic!("the session asks again and again for {:?}", self.now);
    }

    /// Text sent to the client since the last look.
    pub(crate) fn client_bytes(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.taken[Leg::Client as usize])).unwrap()
    }

    /// Text sent to the server since the last look.
    pub(crate) fn server_bytes(&mut self) -> String {
        self.looked_at = 0;
        String::from_utf8(std::mem::take(&mut self.taken[Leg::Server as usize])).unwrap()
    }

    /// The stanzas the client was sent since the last look.
    pub(crate) fn client_got(&mut self) -> Vec<Node> {
        Node::stream(&self.client_bytes())
    }

    /// The stanzas the server was sent since the last look.
    pub(crate) fn server_got(&mut self) -> Vec<Node> {
        Node::stream(&self.server_bytes())
    }

    /// The only stanza the server was sent since the last look.
    pub(crate) fn one_to_server(&mut self) -> Node {
        Node::stanza(&self.server_bytes())
    }

    /// The only stanza the client was sent since the last look.
    pub(crate) fn one_to_client(&mut self) -> Node {
        Node::stanza(&self.client_bytes())
    }

    /// The only stanza of the session's own since the last look, behind the client's native presence.
    #[track_caller]
    pub(crate) fn one_behind_presence(&mut self) -> Node {
        let [native, own] = <[Node; 2]>::try_from(self.server_got())
            .unwrap_or_else(|sent| panic!("not a presence and one more: {sent:#?}"));
        assert_eq!(native.local, "presence");
        own
    }

    /// Asserts that neither side was sent anything since the last look.
    #[track_caller]
    pub(crate) fn assert_silent(&mut self) {
        assert_eq!(
            (self.client_bytes(), self.server_bytes()),
            Default::default()
        );
    }

    /// Whether one of these was told since the last look; forgets other outputs.
    pub(crate) fn tells(&mut self, one: impl Fn(&Event) -> bool) -> bool {
        self.events().iter().any(one)
    }

    /// Whether the session has wanted one of these since the last look.
    pub(crate) fn wanted(&mut self, one: impl Fn(&Output) -> bool) -> bool {
        self.outputs().iter().any(one)
    }

    /// All outputs since the last look.
    pub(crate) fn everything(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Other outputs of the session since the last look.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        let is_log = |output: &Output| matches!(output, Output::Log(_));
        let outputs = std::mem::take(&mut self.outputs);
        outputs.into_iter().filter(|o| !is_log(o)).collect()
    }

    /// Log events since the last look; forgets other outputs.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let outputs = std::mem::take(&mut self.outputs);
        let event = |output| match output {
            Output::Log(event) => Some(event),
            _ => None,
        };
        outputs.into_iter().filter_map(event).collect()
    }

    pub(crate) fn dropped(&mut self) -> Vec<Dropped> {
        let dropped = |event| match event {
            Event::Dropped(dropped, _) => Some(dropped),
            _ => None,
        };
        self.events().into_iter().filter_map(dropped).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.client_bytes();
        self.server_bytes();
        self.outputs.clear();
    }

    /// Answers an IQ of the session's as ejabberd does: from the own bare JID.
    pub(crate) fn result(&mut self, iq: &Node, body: &str) {
        self.answer(iq, Ok(body.to_owned()));
    }

    /// Answers an IQ of the session's with an error as Prosody does: without `from`.
    pub(crate) fn error(&mut self, iq: &Node, kind: &str, condition: &str) {
        self.answer(iq, Err((kind, condition)));
    }

    pub(crate) fn answer(&mut self, iq: &Node, answer: Answer<'_>) {
        let answer = self.write_answer(iq, answer);
        self.server(&answer);
    }

    fn write_answer(&self, iq: &Node, answer: Answer<'_>) -> String {
        let (id, jid) = (iq.value("id"), &self.jid);
        let asked = iq.attribute("to");
        match answer {
            Ok(body) => {
                let from = asked.unwrap_or_else(|| jid.split('/').next().unwrap());
                format!(
                    "<iq xml:lang='en' to='{jid}' from='{from}' type='result' id='{id}'>{body}</iq>"
                )
            }
            Err((kind, condition)) => {
                let from = asked.map_or(String::new(), |it| format!(" from='{it}'"));
                let error = error(kind, condition);
                format!("<iq type='error' to='{jid}'{from} id='{id}'>{error}</iq>")
            }
        }
    }

    /// The recording so far. (That it replays is asserted when the session is over.)
    pub(crate) fn recorded(&self) -> &str {
        &self.tape.as_ref().expect("a recording").text
    }

    /// Asserts that lines like these are recorded.
    #[track_caller]
    pub(crate) fn assert_recorded(&self, lines: &[&str]) {
        let text = self.recorded();
        for line in lines {
            assert!(text.lines().any(|it| it == *line), "no {line} in\n{text}");
        }
    }

    /// Asserts that the client's stream was ended with this error, once, and returns its bytes.
    #[track_caller]
    pub(crate) fn assert_refused(&mut self, condition: &str) -> String {
        let sent = self.client_bytes();
        let error = format!("<stream:error><{condition} xmlns='{STREAM_ERRORS}'/>");
        assert!(sent.contains(&error), "no {condition} in: {sent}");
        assert_eq!(sent.matches("<stream:error>").count(), 1, "{sent}");
        assert!(sent.ends_with("</stream:error></stream:stream>"), "{sent}");
        sent
    }
}

/// The stream headers of a client that is to be `jid` and of its server.
fn headers(jid: &str) -> (String, String) {
    let domain = jid.split(['@', '/']).nth(1).unwrap();
    (client_header(domain), server_header(domain))
}

/// Whether an IQ serves one-to-one messages: to a service, the disco#info of the account, a conversation's node or the
/// record of messages shown.
fn is_of_chats(iq: &Node) -> bool {
    let is_for_host = iq.attribute("to").is_some_and(|to| !to.contains('@'));
    let actions = iq.find("pubsub").map_or(&[][..], |it| &it.children);
    let nodes = actions.iter().filter_map(|it| it.attribute("node"));
    let mut nodes = nodes.filter(|it| it.starts_with("chat/") || *it == "urn:pubshim:chats");
    is_for_host || iq.has("query") && iq.attribute("to") == Some(OWN) || nodes.next().is_some()
}
