//! Limits on one stanza, and its cost.

use std::sync::LazyLock;

use pubshim::xml::{Framer, Limits, XmlError};

use super::HEADER;
use super::frames::frames;

/// A namespace about as long as a header may have.
static LONG: LazyLock<String> = LazyLock::new(|| "u".repeat(60_000));

#[test]
fn each_limit_holds() {
    let limits = Limits {
        bytes: 200,
        depth: 3,
        attributes: 4,
        namespaces: 3,
        elements: 5,
    };
    let run = |stanza: &str| {
        let header = "<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";
        frames([format!("{header}{stanza}").as_bytes()], limits)
    };
    let fits = [
        format!("<a>{}</a>", "x".repeat(193)),
        "<a><b><c/></b></a>".into(),
        "<a b='' c='' d='' e=''/>".into(),
        "<a xmlns:x='u'><b xmlns:y='u' xmlns:z='u'/><b xmlns:y='u' xmlns:z='u'/></a>".into(),
    ];
    for stanza in fits {
        assert_eq!(run(&stanza).1, Ok(()), "{stanza}");
    }
    let exceeds = [
        format!("<a>{}</a>", "x".repeat(194)),
        format!("<a>{}", "x".repeat(300)),
        "<a><b><c><d/></c></b></a>".into(),
        "<a b='' c='' d='' e='' f=''/>".into(),
        "<a xmlns:x='u'><b xmlns:y='u' xmlns:z='u'><c xmlns:w='u'/></b></a>".into(),
    ];
    for stanza in exceeds {
        assert!(
            matches!(run(&stanza).1, Err(XmlError::TooBig(_))),
            "{stanza}"
        );
    }
}

/// A framer that lets anything of up to 17 MiB pass, behind a stream's header.
pub(super) fn lenient() -> Framer {
    lenient_behind(HEADER)
}

fn lenient_behind(header: &str) -> Framer {
    let mut framer = Framer::new(Limits::BEFORE_LOGIN);
    framer.next(header.as_bytes()).unwrap().unwrap();
    framer.lenient(17 << 20, Limits::READ);
    framer
}

/// A stanza of about `bytes`, made of `piece`s, which get a number.
fn large(bytes: usize, start: &str, piece: impl Fn(usize) -> String, end: &str) -> String {
    let mut stanza = start.to_owned();
    for n in 0.. {
        if stanza.len() >= bytes {
            break;
        }
        stanza += &piece(n);
    }
    stanza + end
}

/// Stanzas of about `bytes` that cost the square of that wherever something is compared with all before it.
fn hostile(bytes: usize) -> Vec<(&'static str, String)> {
    let few = bytes / 3;
    let bound = large(few, "<a", |n| format!(" xmlns:x{n}='{n}'"), "");
    let prefixed = |n| format!(" x{}:a{n}=''", n % 1000);
    let deep = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
    let long = format!(
        "<a xmlns:x='{0}&amp;1' xmlns:y='{0}&amp;2'>",
        "u".repeat(few)
    );
    let nested = large(few, "<a>", |n| format!("<a xmlns:x{n}='{n}'>"), "");
    let ends = "</a>".repeat(nested.matches("<a").count());
    vec![
        (
            "attributes",
            large(bytes, "<a", |n| format!(" a{n}=''"), "/>"),
        ),
        ("prefixed attributes", large(bytes, &bound, prefixed, "/>")),
        (
            "elements",
            large(bytes, "<a>", |_| "<a/>".to_owned(), "</a>"),
        ),
        ("nested elements", deep(bytes / 7)),
        (
            "declarations",
            large(
                bytes,
                "<a",
                |n| format!(" xmlns:a{n}=''").replace("''", "'u'"),
                "/>",
            ),
        ),
        (
            "namespaces",
            large(bytes, "<a", |n| format!(" xmlns:a{n}='{n}'"), "/>"),
        ),
        (
            "the same prefix",
            large(
                bytes,
                "<a>",
                |_| "<a xmlns:x='u'><x:a/></a>".to_owned(),
                "</a>",
            ),
        ),
        ("nested declarations", nested.clone() + &ends),
        (
            "prefixes looked up",
            large(
                bytes,
                &format!("{bound}>"),
                |n| format!("<x{}:a/>", n % 100),
                "</a>",
            ),
        ),
        (
            "prefixes deep inside",
            large(
                bytes,
                &nested,
                |n| format!("<x{n}:a/>").replace(&n.to_string(), &(n % 100).to_string()),
                &ends,
            ),
        ),
        (
            "long namespaces",
            large(bytes, &long, |_| "<a x:b='' y:b=''/>".to_owned(), "</a>"),
        ),
        (
            "references",
            large(bytes, "<a>", |_| "&amp;".to_owned(), "</a>"),
        ),
        (
            "a long namespace of the header's",
            large(
                bytes,
                &format!("<a xmlns:x='{}&#117;'>", &LONG[1..]),
                |_| "<a x:b='' long:c=''/>".to_owned(),
                "</a>",
            ),
        ),
    ]
}

#[test]
fn no_stanza_costs_the_square_of_its_length() {
    for (what, stanza) in hostile(1 << 20) {
        let mut framer =
            lenient_behind(&HEADER.replace(" to=", &format!(" xmlns:long='{}' to=", *LONG)));
        let frame = framer
            .next(stanza.as_bytes())
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let frame = frame.unwrap_or_else(|| panic!("{what} has no end"));
        assert_eq!(frame.len, stanza.len(), "{what}");
        assert!(framer.memory() < 64 * 1024, "{what}");
    }
}

#[test]
fn what_exceeds_a_limit_is_opaque_or_too_big() {
    for (stanza, is_opaque) in [
        ("<a>".repeat(128) + &"</a>".repeat(128), false),
        ("<a>".repeat(129) + &"</a>".repeat(129), true),
        (large(0, "<a", |_| String::new(), "/>"), false),
        (
            format!(
                "<a{}/>",
                (0..64).map(|n| format!(" a{n}=''")).collect::<String>()
            ),
            false,
        ),
        (
            format!(
                "<a{}/>",
                (0..65).map(|n| format!(" a{n}=''")).collect::<String>()
            ),
            true,
        ),
        (format!("<a>{}</a>", "<a/>".repeat(65_535)), false),
        (format!("<a>{}</a>", "<a/>".repeat(65_536)), true),
        (format!("<a>{}</a>", "x".repeat(1 << 20)), false),
    ] {
        let mut framer = lenient();
        // One after the other: nothing is left of the stanza before.
        for stanza in [&stanza, "<a/>", &stanza] {
            let frame = framer.next(stanza.as_bytes()).unwrap().unwrap();
            assert_eq!(
                (frame.len, frame.is_opaque),
                (stanza.len(), is_opaque && stanza != "<a/>")
            );
        }
    }
    let mut framer = lenient();
    let error = framer.next(format!("<a>{}", "x".repeat(17 << 20)).as_bytes());
    assert!(matches!(error, Err(XmlError::TooBig(_))));
    framer.forget();
    assert_eq!(framer.next(b"<a/>").unwrap().unwrap().len, 4);
}
