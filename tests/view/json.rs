//! Steps for other programs.

use serde_json::{Value, json};

use super::*;

#[test]
fn json_has_an_object_a_step() {
    let mut stage = Stage::new(options(Form::Json), None);
    let lines = first_presence(&mut stage) + &stage.client("<message/><iq") + &stage.view.end(1, 3);
    let steps: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let step = |xml: &str| {
        let is_it = |it: &&Value| it["xml"].as_str().is_some_and(|it| it.contains(xml));
        steps.iter().find(is_it).expect(xml)
    };
    assert!(!lines.contains("AGp1bGlldABSMG0zMA=="), "{lines}");
    assert_eq!(step("REDACTED</auth>")["step"], "from client");
    let presence = json!({
        "time": 1.5,
        "session": 1,
        "who": "juliet@capulet.lit/balcony",
        "step": "from client",
        "leg": "client",
        "xml": PRESENCE,
        "bytes": PRESENCE.len(),
        "rules": ["presence-native", "presence-publish"],
    });
    assert_eq!(step("<status>Moping"), &presence);
    // Each stanza of one write is a step, with its size.
    let request = step("<query xmlns='jabber:iq:privacy'/></iq>");
    assert_eq!(
        (&request["step"], &request["leg"]),
        (&"to server".into(), &"server".into())
    );
    let id = "ps-01234567-0123456789abcdef0123456789abcdef";
    let sent = format!("<iq type='get' id='{id}'><query xmlns='jabber:iq:privacy'/></iq>");
    assert_eq!(request["bytes"], sent.len());
    let [.., lost, ended] = &steps[..] else {
        panic!("{lines}");
    };
    assert_eq!((&lost["step"], &lost["count"]), (&"lost".into(), &3.into()));
    assert_eq!(ended["step"], "ended");
}
