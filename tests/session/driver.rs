//! Both ends of a session and a clock, played by a test.

use std::sync::Arc;
use std::time::Duration;

use pubshim::session::{
    Dropped, Event, Input, Leg, Options, Output, Policy, Security, Seed, ServerFacts, Session,
};

use crate::common::*;

/// Where a session can be when something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The client has connected.
    New,
    /// The server is being connected.
    Connecting,
    /// Our own header is sent over plain TCP.
    OpeningPlain,
    /// `<starttls/>` is sent.
    StartingTls,
    /// TLS is being negotiated.
    Handshaking,
    /// The client's header is sent.
    Opening,
    /// The server's header has come, its features have not.
    Opened,
    /// The client sees the mechanisms.
    Login,
    /// `<auth/>` is sent.
    Authenticating,
    /// `<success/>` has come.
    Reopening,
    /// The second header is sent.
    Reopened,
    /// The client sees the features of the second stream.
    Binding,
    /// A resource is bound.
    Established,
}

pub(crate) const STAGES: [Stage; 13] = [
    Stage::New,
    Stage::Connecting,
    Stage::OpeningPlain,
    Stage::StartingTls,
    Stage::Handshaking,
    Stage::Opening,
    Stage::Opened,
    Stage::Login,
    Stage::Authenticating,
    Stage::Reopening,
    Stage::Reopened,
    Stage::Binding,
    Stage::Established,
];

pub(crate) struct Driver {
    pub(crate) session: Session,
    policy: Policy,
    pub(crate) now: Duration,
    jid: String,
    /// What was sent on each leg and not yet looked at.
    taken: [Vec<u8>; 2],
    /// Legs that take no bytes.
    blocked: [bool; 2],
    outputs: Vec<Output>,
    /// What is looked up at login is left to the test; else there are no leftovers and no contacts.
    pub(crate) keep_search: bool,
    /// The question for the roster alone is left to the test.
    pub(crate) keep_roster: bool,
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
        security: Security::Plain,
        ..Options::default()
    }
}

impl Driver {
    pub(crate) fn new(options: Options) -> Self {
        let now = Duration::from_secs(1000);
        Self {
            policy: options.policy,
            session: Session::new(Arc::new(options), Seed([7; 32]), now),
            now,
            jid: JULIET.to_owned(),
            taken: Default::default(),
            blocked: [false; 2],
            outputs: Vec::new(),
            keep_search: false,
            keep_roster: false,
        }
    }

    /// A session that has come as far as `stage`, everything looked at; over STARTTLS.
    pub(crate) fn at(stage: Stage, options: Options) -> Self {
        let mut driver = Self::new(Options {
            security: Security::StartTls,
            ..options
        });
        driver.go_to(stage);
        driver.forget();
        driver
    }

    fn go_to(&mut self, stage: Stage) {
        let facts = facts();
        let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
        for step in STAGES.into_iter().filter(|step| *step <= stage) {
            match step {
                Stage::New => {}
                Stage::Connecting => self.client(&client),
                Stage::OpeningPlain => self.input(Input::Connected(facts)),
                Stage::StartingTls => self.server(&format!("{server}{STARTTLS}")),
                Stage::Handshaking => self.server(PROCEED),
                Stage::Opening => self.input(Input::Secured),
                Stage::Opened => self.server(&server),
                Stage::Login => self.server(MECHANISMS),
                Stage::Authenticating => self.client(AUTH),
                Stage::Reopening => self.server(SUCCESS),
                Stage::Reopened => self.client(&client),
                Stage::Binding => self.server(&format!("{server}{BIND_FEATURES}")),
                Stage::Established => {
                    self.client(BIND);
                    self.server(&bound(JULIET));
                }
            }
        }
    }

    /// A session that is logged in as `jid`, everything looked at.
    pub(crate) fn logged_in(jid: &str, options: Options) -> Self {
        let domain = jid.split(['@', '/']).nth(1).unwrap();
        Self::logged_in_with(
            jid,
            options,
            &client_header(domain),
            &server_header(domain),
            facts(),
        )
    }

    pub(crate) fn logged_in_with(
        jid: &str,
        options: Options,
        client_header: &str,
        server_header: &str,
        facts: ServerFacts,
    ) -> Self {
        // Written with the prefix the server's header declares.
        let prefix = server_header.split("xmlns:").nth(1).unwrap();
        let prefix = prefix.split('=').next().unwrap();
        let features = |xml: &str| xml.replace("stream:", &format!("{prefix}:"));
        let mut driver = Self::new(Options {
            security: Security::Plain,
            ..options
        });
        driver.jid = jid.to_owned();
        driver.client(client_header);
        driver.input(Input::Connected(facts));
        driver.server(&format!("{server_header}{}", features(MECHANISMS)));
        driver.client(AUTH);
        driver.server(SUCCESS);
        driver.client(client_header);
        driver.server(&format!("{server_header}{}", features(BIND_FEATURES)));
        driver.client(BIND);
        driver.server_bytes();
        driver.server(&bound(jid));
        if driver.policy == Policy::Pure {
            driver.client("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
            driver.settle(&[]);
        }
        driver.forget();
        driver
    }

    /// Juliet's session under `pure`, nothing asked yet.
    pub(crate) fn pure() -> Self {
        let mut driver = Self::new(options(Policy::Pure));
        let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
        driver.client(&client);
        driver.input(Input::Connected(facts()));
        driver.server(&format!("{server}{MECHANISMS}"));
        driver.client(AUTH);
        driver.server(SUCCESS);
        driver.client(&client);
        driver.server(&format!("{server}{BIND_FEATURES}"));
        driver.client(BIND);
        driver.server(&bound(JULIET));
        driver.forget();
        driver
    }

    /// Answers all that is asked of the own account at a login under `pure`: both nodes are as they should
    /// be, and on them is what `answers` says, by the name of what is asked for.
    pub(crate) fn settle(&mut self, answers: &[(&str, &str)]) {
        loop {
            let sent = self.server_got();
            if sent.is_empty() {
                return;
            }
            for iq in sent {
                self.answer_own(&iq, answers);
            }
        }
    }

    /// Answers a question to the own account as [`settle`](Self::settle) does.
    pub(crate) fn answer_own(&mut self, iq: &Node, answers: &[(&str, &str)]) {
        let question = &iq.children[0].children[0];
        let (name, node) = (question.local.clone(), question.value("node").to_owned());
        let is_record = node == RECORD;
        let answer = answers
            .iter()
            .find(|(asked, _)| *asked == format!("{name} {node}"));
        let body = match (answer, &*name) {
            (Some((_, body)), _) => (*body).to_owned(),
            (None, "configure") if is_record => {
                ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")])
            }
            (None, "configure") => ejabberd_node(&[]),
            (None, "items") => format!(
                "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"
            ),
            (None, "affiliations" | "subscriptions") => format!(
                "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><{name} node='{node}'/></pubsub>"
            ),
            _ => String::new(),
        };
        self.result(iq, &body);
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

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.collect();
        while let Some(answer) = self.answer_to_search() {
            self.session
                .handle(Input::Bytes(Leg::Server, answer.as_bytes()), self.now);
            self.collect();
        }
    }

    /// Takes the search for leftovers, and what is asked of the own account before the first publish, out of
    /// what was sent; the answers that there is nothing and nobody.
    fn answer_to_search(&mut self) -> Option<String> {
        if self.keep_search {
            return None;
        }
        let mut sent =
            String::from_utf8(self.taken[Leg::Server as usize].clone()).unwrap_or_default();
        let questions: Vec<(String, Node)> = own_questions(&sent);
        let is_login = questions
            .iter()
            .any(|(_, iq)| meaning(iq) == "affiliations presence");
        let mut answers = String::new();
        for (xml, iq) in questions {
            let what = meaning(&iq);
            let is_polite = match &*what {
                "items presence" => true,
                "roster" => is_login && !self.keep_roster,
                "blocklist" | "affiliations presence" | "subscriptions presence" => is_login,
                _ => is_login && what == format!("items {RECORD}"),
            };
            if is_polite {
                sent = sent.replacen(&xml, "", 1);
                let body = xml.split_once('>').unwrap().1;
                let id = iq.value("id");
                // What was asked for is there, and nothing is in it.
                answers += &format!("<iq type='result' id='{id}'>{body}");
            }
        }
        self.taken[Leg::Server as usize] = sent.into_bytes();
        (!answers.is_empty()).then_some(answers)
    }

    /// Lets a leg take bytes again, or no more.
    pub(crate) fn block(&mut self, leg: Leg, blocked: bool) {
        self.blocked[leg as usize] = blocked;
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.poll() {
            // Which rules were applied is for people; what they did is what is tested.
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

    /// What the client was sent since the last look.
    pub(crate) fn client_bytes(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.taken[Leg::Client as usize])).unwrap()
    }

    /// What the server was sent since the last look.
    pub(crate) fn server_bytes(&mut self) -> String {
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

    /// All outputs since the last look.
    pub(crate) fn everything(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// What else the session wanted since the last look.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        let is_log = |output: &Output| matches!(output, Output::Log(_));
        let outputs = std::mem::take(&mut self.outputs);
        outputs.into_iter().filter(|o| !is_log(o)).collect()
    }

    /// What the session had to say since the last look; forgets other outputs.
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
            Event::Dropped(dropped) => Some(dropped),
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
        let (id, jid) = (iq.value("id"), self.jid.clone());
        let bare = jid.split('/').next().unwrap();
        self.server(&format!(
            "<iq xml:lang='en' to='{jid}' from='{bare}' type='result' id='{id}'>{body}</iq>"
        ));
    }

    /// Answers an IQ of the session's with an error as Prosody does: without `from`.
    pub(crate) fn error(&mut self, iq: &Node, kind: &str, condition: &str) {
        let (id, jid) = (iq.value("id"), &self.jid);
        self.server(&format!(
            "<iq type='error' to='{jid}' id='{id}'><error type='{kind}'><{condition} \
             xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ));
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

/// The questions of the session's own to the own account in what was sent, as they were written.
fn own_questions(sent: &str) -> Vec<(String, Node)> {
    let mut questions = Vec::new();
    for (start, _) in sent.match_indices("<iq type='get' id='ps-") {
        let rest = &sent[start..];
        let Some(end) = rest.find("</iq>") else {
            break;
        };
        let xml = &rest[..end + "</iq>".len()];
        if let Some(iq) = Node::stream(xml).pop()
            && iq.attribute("to").is_none()
        {
            questions.push((xml.to_owned(), iq));
        }
    }
    questions
}

/// What a question asks for, and of which node: `items presence`, `blocklist`.
fn meaning(iq: &Node) -> String {
    let child = &iq.children[0];
    match &*child.local {
        "pubsub" => format!(
            "{} {}",
            child.children[0].local,
            child.children[0].value("node")
        ),
        "query" if child.namespace == "jabber:iq:roster" => "roster".to_owned(),
        other => other.to_owned(),
    }
}
