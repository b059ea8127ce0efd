//! The shim's own requests, in one line for many.

use super::*;

#[test]
fn own_requests_fold() {
    let mut stage = Stage::new(short(), None);
    let lines = first_presence(&mut stage);
    assert_lines(
        &lines,
        &[
            "client ←─────── server <iq result> bind { jid=\"juliet@capulet.lit/balcony\" }",
            "* logged in as juliet@capulet.lit/balcony",
            "client → shim <presence> status=\"Moping\" | presence-native (1), presence-publish (1, 3): ×14.5",
            "shim → server <presence> status=\"Moping\" shim",
            PRICE,
            "juliet@capulet.lit/balcony 7 own requests,",
            "shim → server <iq set> publish presence/balcony <presence> status=\"Moping\" \
             publish-options access_model=authorize",
        ],
    );
    // 974 bytes of questions, and 1112 of answers.
    assert!(lines.contains("7 own requests, 2086 B\n"), "{lines}");
}

#[test]
fn a_burst_is_shown_when_nothing_follows() {
    let mut stage = Stage::new(short(), None);
    stage.log_in();
    let lines = stage.server(EVENT);
    assert!(!lines.contains("own request"), "{lines}");
    assert_lines(&stage.view.rest(), &["1 own request,"]);
    // An answer without a request before it shows nothing.
    stage.answer(
        "<query xmlns='jabber:iq:roster'/></iq>",
        "<query xmlns='jabber:iq:roster'/>",
    );
    assert_eq!(stage.view.rest(), "");
}

#[test]
fn show_own_shows_them() {
    for options in [options(Form::Short), options(Form::Full)] {
        let lines = first_presence(&mut Stage::new(options, None));
        let own = lines
            .lines()
            .filter(|line| line.contains("<iq") && line.contains("shim → server"));
        assert_eq!(own.count(), 8, "{lines}");
        assert_eq!(lines.matches("own-reply").count(), 7, "{lines}");
        assert!(!lines.contains("own request"), "{lines}");
    }
    // Requests that `only` names are not folded.
    let only = vec!["privacy".parse().expect("a function")];
    let lines = first_presence(&mut Stage::new(Options { only, ..short() }, None));
    assert!(lines.contains("shim ← server"), "{lines}");
}
