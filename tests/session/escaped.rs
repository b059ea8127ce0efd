//! Characters that a terminal or an editor acts on, in recordings.

use pubshim::fixture::{Fixture, Keep, Recording, replay};
use pubshim::session::{Input, Policy, Security};

use crate::scenes::*;

#[test]
fn what_an_editor_acts_on_is_escaped_and_replays() -> Result<(), Box<dyn std::error::Error>> {
    let options = options(Policy::Auto);
    let mut text = Recording::header("Escaped", &options);
    let mut d = Driver::new(options);
    d.show_records();
    let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
    d.client(&client);
    d.input(Input::connected(Security::Plain, facts()));
    d.server(&format!("{server}{MECHANISMS}"));
    d.client(AUTH);
    d.server(SUCCESS);
    d.client(&client);
    d.server(&format!("{server}{BIND_FEATURES}"));
    d.client(BIND);
    d.server(&bound(JULIET));
    d.client("<presence id='a\u{200F}$\u{85}'><status>\u{FEFF}Mo\u{202E}ping</status></presence>");
    d.server(
        "<presence from='romeo@montague.lit/x'><x\u{200C}\u{61C} xmlns='u'><![CDATA[\u{9B}2J\u{7F}]]></x\u{200C}\u{61C}></presence>",
    );
    d.input(Input::Failed("it was \u{1B}[31m\u{2066}so".to_owned()));
    let mut recording = Recording::new(Keep::default());
    for output in d.everything() {
        recording.write(&output, &mut text);
    }
    for said in [
        "<presence id='a${U+200F}${U+0024}${U+0085}'><status>${U+FEFF}Mo${U+202E}ping</status>",
        "<![CDATA[${U+009B}2J${U+007F}]]></x\u{200C}${U+061C}>",
    ] {
        assert!(text.contains(said), "no {said} in\n{text}");
    }
    let acts = |c: char| {
        c.is_control() && c != '\n' || "\u{200F}\u{61C}\u{202E}\u{2066}\u{FEFF}".contains(c)
    };
    assert!(!text.contains(acts), "{text:?}");
    let fixture = Fixture::parse(&text)?;
    assert_eq!(replay(&fixture)?, []);
    assert_eq!(fixture.to_string(), text);
    Ok(())
}
