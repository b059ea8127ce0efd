//! Lines of a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::*;

#[test]
fn nothing_is_cut_at_80_columns() {
    let words: Vec<_> = (0..60).map(|n| n.to_string()).collect();
    let letter = format!(
        "<message to='romeo@montague.lit/a-very-long-resource-that-does-not-fit-into-one-line-of-any-terminal' \
         type='chat'><subject>{}</subject></message>",
        words[..25].join(" ")
    );
    let all = |width: Option<usize>| {
        let screen = width.map(|width| Screen {
            width,
            colour: false,
        });
        let options = Options {
            bodies: true,
            ..short()
        };
        let mut stage = Stage::new(options, screen);
        first_presence(&mut stage) + &stage.client(&letter) + &stage.view.end(1, 0)
    };
    // A terminal shows every word that a pipe gets.
    let told = |text: &str| text.replace([' ', '\n'], "");
    for width in [80, 60, 40] {
        let text = all(Some(width));
        for line in text.lines() {
            assert!(line.width() <= width, "{line}");
        }
        for line in all(None).lines() {
            let (_, line) = line.split_once("/balcony  ").expect(line);
            for part in line.split('|').map(told) {
                assert!(told(&text).contains(&part), "{width}: {part}\nin\n{text}");
            }
        }
    }
}

#[test]
fn a_terminal_gets_colours_and_times() {
    let screen = Screen {
        width: 60,
        colour: true,
    };
    let mut stage = Stage::new(options(Form::Short), Some(screen));
    let lines = stage.log_in() + &stage.client(PRESENCE);
    let expected = "\u{1b}[1mjuliet@capulet.lit/balcony\u{1b}[0m\n\
        \u{1b}[2m   1.5  \u{1b}[0mclient ←─────── server   121 B  <iq result> bind {\n\
        \x20         jid=\"juliet@capulet.lit/balcony\" }\n";
    assert!(lines.starts_with(expected), "{lines}");
    // The time is shown once, as it is the same.
    let expected = "\u{1b}[2m        \u{1b}[0m\u{1b}[36mclient → shim             78 B  <presence>\u{1b}[0m\n\
        \x20         \u{1b}[36mstatus=\"Moping\"\u{1b}[0m\n\
        \x20         \u{1b}[32mpresence-native (1), presence-publish (1, 3):\u{1b}[0m\n";
    assert!(lines.contains(expected), "{lines}");
    stage.view.set_width(120);
    let query = "<query xmlns='jabber:iq:privacy'/>";
    let line = stage.answer(query, query);
    assert!(
        line.ends_with("privacy\u{1b}[0m  \u{1b}[32mown-reply\u{1b}[0m\n"),
        "{line}"
    );
}
