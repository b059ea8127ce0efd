//! Any text as a fixture: a fixture is written and read without a change, and can be replayed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pubshim::fixture::{Expected, ExpectedKind, Fixture, replay};

/// More placeholders than this in one fixture take long to try.
const MOST_PLACEHOLDERS: usize = 8;

fuzz_target!(|text: &str| {
    let Ok(fixture) = Fixture::parse(text) else {
        return;
    };
    let written = fixture.to_string();
    let again = Fixture::parse(&written)
        .unwrap_or_else(|error| panic!("{error}\n{text:?}\nwritten as\n{written:?}"));
    assert_eq!(unnumbered(fixture.clone()), unnumbered(again.clone()));
    assert_eq!(written, again.to_string());
    if text.matches("${").count() <= MOST_PLACEHOLDERS {
        match replay(&fixture) {
            Ok(mismatches) => {
                for mismatch in mismatches {
                    assert!(mismatch.line > 0);
                }
            }
            Err(unusable) => assert!(unusable.line > 0, "{unusable}"),
        }
    }
});

/// Without line numbers: they are those of another text.
fn unnumbered(mut fixture: Fixture) -> Fixture {
    fn forget(steps: &mut [Expected]) {
        for step in steps {
            step.line = 0;
            if let ExpectedKind::AnyOrder(steps) = &mut step.kind {
                forget(steps);
            }
        }
    }
    for exchange in &mut fixture.exchanges {
        exchange.line = 0;
        forget(&mut exchange.expected);
    }
    fixture
}
