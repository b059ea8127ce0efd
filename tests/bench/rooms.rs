//! Rooms: the cost of each stanza in a joined session, and of a whole join.

use super::*;

const SERVICE: &str = "chat.montague.lit";
const ROOM: &str = "characters@chat.montague.lit";

/// A message in a room, as ejabberd tells of it.
fn said() -> Vec<u8> {
    event(
        "characters",
        &format!(
            "<item id='{ID}' publisher='juliet@capulet.lit/4'><message xmlns='jabber:client' \
             from='{ROOM}/Juliet 4' type='groupchat' id='f5b1a0c2'><body>Neither, fair maid</body>\
             <delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:52:33Z'/></message></item>"
        ),
    )
    .into_bytes()
}

fn event(node: &str, items: &str) -> String {
    format!(
        "<message from='{SERVICE}' to='romeo@montague.lit/mobile' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'>{items}</items></event></message>"
    )
}

/// One of the occupants, of whom five are of one account.
fn occupant(number: usize, status: &str) -> String {
    let (account, resource) = (number / 5, number % 5);
    let account = match account {
        0 => "juliet@capulet.lit".to_owned(),
        _ => format!("user{account}@capulet.lit"),
    };
    format!(
        "<item id='{account}/{resource}' publisher='{account}/{resource}'><presence \
         xmlns='jabber:client' from='{ROOM}/Juliet {number}'><status>{status}</status><x \
         xmlns='http://jabber.org/protocol/muc#user'><item jid='{account}/{resource}'/></x></presence></item>"
    )
}

fn history(count: usize) -> String {
    let line = |number: usize| {
        format!(
            "<item id='h{number}' publisher='user{}@capulet.lit/0'><message xmlns='jabber:client' \
             from='{ROOM}/Juliet {number}' type='groupchat' id='h{number}'><body>Neither, fair maid</body>\
             <delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:52:{:02}Z'/></message></item>",
            1 + number / 5,
            number % 60
        )
    };
    (0..count).map(line).collect()
}

fn items(node: &str, items: &str) -> String {
    format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'>{items}</items></pubsub>"
    )
}

/// A session with rooms, in none of them.
fn with_rooms() -> Shim {
    Shim::with(Options {
        rooms: vec![SERVICE.into()],
        ..Options::default()
    })
}

/// A whole join, as a client and a service go about it.
struct Join {
    occupants: String,
    history: String,
}

impl Join {
    fn of(occupants: usize, messages: usize) -> Self {
        let all: String = (0..occupants)
            .map(|number| occupant(number, "Moping"))
            .collect();
        Self {
            occupants: items("characters#occupants", &all),
            history: items("characters", &history(messages)),
        }
    }

    /// Joins the room; the number of bytes that the client is shown.
    fn run(&self, shim: &mut Shim) -> usize {
        shim.receive(
            Leg::Client,
            format!("<presence to='{ROOM}/Romeo' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
                .as_bytes(),
        );
        let mut asked = std::mem::take(&mut shim.to_server);
        let mut own = Vec::new();
        let mut shown = 0;
        const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'><field \
            var='pubsub#owner'><value>juliet@capulet.lit</value></field></x></query>";
        for payload in [INFO, "", "", &self.occupants, &self.history] {
            let (id, rest) = take_id(asked);
            asked = rest;
            shim.receive(Leg::Server, &answer(&id, payload));
            own.clone_from(&shim.to_server);
            shown += shim.to_client.len();
        }
        let own = String::from_utf8(own).expect("a publish");
        let start = own.find("<presence ").expect("an own occupant");
        let end = own.find("</item>").expect("one item");
        let own = format!(
            "<item id='romeo@montague.lit' publisher='romeo@montague.lit/mobile'>{}</item>",
            &own[start..end]
        );
        shim.receive(Leg::Server, event("characters#occupants", &own).as_bytes());
        shown + shim.to_client.len()
    }

    fn leave(shim: &mut Shim) {
        shim.receive(
            Leg::Client,
            format!("<presence to='{ROOM}/Romeo' type='unavailable'/>").as_bytes(),
        );
    }
}

/// The first id among the requests, and the bytes behind it.
fn take_id(asked: Vec<u8>) -> (String, Vec<u8>) {
    let asked = String::from_utf8(asked).expect("requests");
    let (_, rest) = asked.split_once(" id='ps-").expect("a request");
    let (id, rest) = rest.split_once('\'').expect("a whole id");
    (format!("ps-{id}"), rest.as_bytes().to_vec())
}

fn answer(id: &str, payload: &str) -> Vec<u8> {
    format!(
        "<iq type='result' from='{SERVICE}' to='romeo@montague.lit/mobile' id='{id}'>{payload}</iq>"
    )
    .into_bytes()
}

/// A session in a room with 20 others.
fn joined() -> Shim {
    let mut shim = with_rooms();
    assert!(Join::of(20, 0).run(&mut shim) > 20);
    shim
}

/// A message of somebody else's in a room becomes a classic one.
#[divan::bench]
fn room_message_unwrapped(bencher: Bencher<'_, '_>) {
    let mut shim = joined();
    let mut said = Numbered::new(said());
    rounds(bencher, 1, || {
        said.next();
        shim.receive(Leg::Server, black_box(&said.stanza));
        shim.to_client.starts_with(b"<message ") && shim.to_server.is_empty()
    });
}

/// A message of the client's to a room becomes a publish, and the publish is answered.
#[divan::bench]
fn room_message_wrapped(bencher: Bencher<'_, '_>) {
    const ID: &[u8] = b" id='ps-";
    let mut shim = joined();
    let said = format!(
        "<message to='{ROOM}' type='groupchat' id='f5b1a0c2'><body>Neither, fair maid</body></message>"
    );
    let mut result = answer(self::ID, "");
    let place = memchr::memmem::find(&result, ID).expect("an id") + ID.len();
    rounds(bencher, 1, || {
        shim.receive(Leg::Client, black_box(said.as_bytes()));
        let id = memchr::memmem::find(&shim.to_server, ID).expect("a request") + ID.len();
        let len = self::ID.len() - "ps-".len();
        result[place..place + len].copy_from_slice(&shim.to_server[id..id + len]);
        shim.receive(Leg::Server, &result);
        shim.to_client.is_empty() && shim.to_server.is_empty()
    });
}

/// A message from the client, then one from the server, where a service has rooms.
#[divan::bench]
fn message_each_way_beside_rooms(bencher: Bencher<'_, '_>) {
    let mut shim = joined();
    rounds(bencher, 1, || {
        shim.receive(Leg::Client, black_box(MESSAGE.as_bytes()));
        shim.receive(Leg::Server, black_box(MESSAGE.as_bytes()));
        shim.to_client.len() + shim.to_server.len() == MESSAGE.len()
    });
}

/// An occupant says something new of himself.
#[divan::bench]
fn occupant_unwrapped(bencher: Bencher<'_, '_>) {
    let mut shim = joined();
    let changes =
        ["Moping", "Brooding"].map(|status| event("characters#occupants", &occupant(4, status)));
    let mut changes = changes.iter().cycle();
    rounds(bencher, 1, || {
        let change = changes.next().map_or(&[][..], |change| change.as_bytes());
        shim.receive(Leg::Server, black_box(change));
        shim.to_client.starts_with(b"<presence ") && shim.to_server.is_empty()
    });
}

/// Into a room with so many occupants and 50 messages of before, and out again.
#[divan::bench(args = [200, 1000])]
fn join(bencher: Bencher<'_, '_>, occupants: usize) {
    let mut shim = with_rooms();
    let join = Join::of(occupants, 50);
    let mut round = || {
        let shown = join.run(&mut shim);
        Join::leave(&mut shim);
        shown
    };
    for _ in 0..3 {
        assert!(round() > occupants * 200);
    }
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| measured(&mut round));
}
