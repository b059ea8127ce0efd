//! Characters that a terminal or an editor acts on, in recordings.

use pubshim::fixture::Fixture;
use pubshim::session::Input;

use crate::scenes::*;

#[test]
fn what_an_editor_acts_on_is_escaped() -> Result<(), Box<dyn std::error::Error>> {
    let mut d = Driver::auto(JULIET);
    d.client("<presence id='a\u{200F}$\u{85}'><status>\u{FEFF}Mo\u{202E}ping</status></presence>");
    d.server(
        "<presence from='romeo@montague.lit/x'><x\u{200C}\u{61C} xmlns='u'><![CDATA[\u{9B}2J\u{7F}]]></x\u{200C}\u{61C}></presence>",
    );
    d.input(Input::Failed("it was \u{1B}[31m\u{2066}so".to_owned()));
    let text = d.recorded();
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
    assert_eq!(Fixture::parse(text)?.to_string(), text);
    Ok(())
}
