//! The framer against any split of its input and against another XML implementation.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "fuzz/src/tree.rs"]
#[allow(unreachable_pub)]
mod tree;

use std::sync::LazyLock;

use proptest::prelude::*;
use pubshim::xml::{Element, Frame, FrameKind, Framer, Limits, XmlError};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>";

/// A namespace about as long as a header may have.
static LONG: LazyLock<String> = LazyLock::new(|| "u".repeat(60_000));

type Frames = Vec<(FrameKind, Vec<u8>)>;

/// Feeds `input` in the given pieces; the frames that came out and how it ended.
fn frames<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: Limits,
) -> (Frames, Result<(), XmlError>) {
    let mut framer = Framer::new(limits);
    let mut buf = Vec::new();
    let mut out: Frames = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match framer.next(&buf) {
                Ok(Some(Frame { kind, len, .. })) => {
                    let rest = buf.split_off(len);
                    let bytes = std::mem::replace(&mut buf, rest);
                    match out.last_mut() {
                        // White space is passed on as far as it has come.
                        Some((FrameKind::Whitespace, space)) if kind == FrameKind::Whitespace => {
                            space.extend(bytes);
                        }
                        _ => out.push((kind, bytes)),
                    }
                }
                Ok(None) => break,
                Err(error) => return (out, Err(error)),
            }
        }
    }
    (out, Ok(()))
}

fn whole(input: &[u8]) -> (Frames, Result<(), XmlError>) {
    frames([input], Limits::AFTER_LOGIN)
}

/// Runs `stanzas` after a stream header; gives the frames after the header and the ending.
fn stream(stanzas: &str) -> (Frames, Result<(), XmlError>) {
    let (mut frames, end) = whole(format!("{HEADER}{stanzas}").as_bytes());
    assert_eq!(frames.remove(0).0, FrameKind::Header);
    (frames, end)
}

/// What the other implementation says of one stanza inside the same stream.
fn rxml_accepts(stanza: &[u8]) -> bool {
    use rxml::Parse;
    let mut parser = rxml::Parser::default();
    let document = [HEADER.as_bytes(), stanza, b"</stream:stream>"].concat();
    let mut rest = &document[..];
    loop {
        match parser.parse(&mut rest, true) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Whether we let `stanza` pass as exactly one stanza.
fn we_accept(stanza: &[u8]) -> bool {
    let (frames, end) = whole(&[HEADER.as_bytes(), stanza].concat());
    end.is_ok() && frames.len() == 2 && frames[1] == (FrameKind::Element, stanza.to_vec())
}

#[test]
fn a_session_in_frames() {
    let (frames, end) =
        stream(" \n<presence/><message to='a@b'><body>a &gt; b</body></message></stream:stream>");
    assert_eq!(end, Ok(()));
    let kinds: Vec<_> = frames.iter().map(|(kind, _)| *kind).collect();
    use FrameKind::{Close, Element, Whitespace};
    assert_eq!(kinds, [Whitespace, Element, Element, Close]);
    assert_eq!(frames[1].1, b"<presence/>");
}

#[test]
fn a_keepalive_is_a_frame_at_once() {
    let (frames, _) = stream(" ");
    assert_eq!(frames, [(FrameKind::Whitespace, b" ".to_vec())]);
}

#[test]
fn an_unfinished_stanza_is_no_frame() {
    for unfinished in [
        "<",
        "<presence",
        "<presence a='>",
        "<a><![CDATA[</a>",
        "<a><b></b>",
        "<a>&amp;",
    ] {
        let (frames, end) = stream(unfinished);
        assert!(frames.is_empty() && end.is_ok(), "{unfinished}");
    }
}

#[test]
fn restricted_xml_is_refused() {
    use XmlError::{BadFormat, BadPrefix, Encoding, NotWellFormed, Restricted, TooBig};
    type Expected = fn(XmlError) -> bool;
    let cases: &[(&[u8], Expected)] = &[
        (b"<!DOCTYPE a>", |e| matches!(e, Restricted(_))),
        (b"<a><!-- c --></a>", |e| matches!(e, Restricted(_))),
        (b"<?php ?>", |e| matches!(e, Restricted(_))),
        (b"<a>&nbsp;</a>", |e| matches!(e, Restricted(_))),
        (b"<a b='&nbsp;'/>", |e| matches!(e, Restricted(_))),
        (b"<a>&#0;</a>", |e| matches!(e, NotWellFormed(_))),
        (b"<a>&#xD800;</a>", |e| matches!(e, NotWellFormed(_))),
        (b"<a>&#000000065;</a>", |e| matches!(e, TooBig(_))),
        (b"<a>\x01</a>", |e| matches!(e, NotWellFormed(_))),
        (b"<a>\xEF\xBF\xBF</a>", |e| matches!(e, NotWellFormed(_))),
        (b"<a>\xFF</a>", |e| matches!(e, Encoding)),
        (b"<a>]]></a>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b='<'/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b='1' b='2'/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>", |e| {
            matches!(e, NotWellFormed(_))
        }),
        (b"<a xmlns:x='u' xmlns:y='&#117;' x:b='1' y:b='2'/>", |e| {
            matches!(e, NotWellFormed(_))
        }),
        (b"<a b=1/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b='1'c='2'/>", |e| matches!(e, NotWellFormed(_))),
        (b"<1/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a:b:c/>", |e| matches!(e, NotWellFormed(_))),
        (b"<a></b>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b = '1'></a b>", |e| matches!(e, NotWellFormed(_))),
        (b"<a b='1'></a b='1'>", |e| matches!(e, NotWellFormed(_))),
        (b"<a></a\x0c>", |e| matches!(e, NotWellFormed(_))),
        (b"</a>", |e| matches!(e, NotWellFormed(_))),
        (b"<x:a/>", |e| matches!(e, BadPrefix(_))),
        (b"<a x:b=''/>", |e| matches!(e, BadPrefix(_))),
        (b"<a><b xmlns:x='u'/><x:c/></a>", |e| {
            matches!(e, BadPrefix(_))
        }),
        (b"<a xmlns:x=''/>", |e| matches!(e, BadPrefix(_))),
        (b"<a xmlns:xmlns='u'/>", |e| matches!(e, BadPrefix(_))),
        (
            b"<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>",
            |e| matches!(e, BadPrefix(_)),
        ),
        (b"hello", |e| matches!(e, BadFormat(_))),
        (b"<presence/>hello", |e| matches!(e, BadFormat(_))),
    ];
    for (input, expected) in cases {
        let (_, end) = whole(&[HEADER.as_bytes(), input].concat());
        let shown = String::from_utf8_lossy(input);
        let error = end.expect_err(&shown);
        assert!(expected(error), "{shown}: {error:?}");
    }
}

#[test]
fn prefixes_may_be_used_where_they_are_declared() {
    for good in [
        "<a xmlns:x='u'><x:b x:c='1' c='2'/></a>",
        "<stream:features/>",
        "<x:a xmlns:x='u' x:b='1'><x:b/></x:a>",
        "<a xml:lang='de' xmlns=''/>",
        "<a xmlns:x='u'><b xmlns:x='v'><x:c/></b><x:c/></a>",
        "<a ><b c = \"'\" /></a >",
    ] {
        assert!(we_accept(good.as_bytes()), "{good}");
    }
}

#[test]
fn what_is_no_stream_is_refused_at_its_first_bytes() {
    for bad in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"{}",
        b"<!DOCTYPE html>",
        b"</a>",
    ] {
        assert!(whole(bad).1.is_err(), "{bad:?}");
    }
    assert!(matches!(
        whole(b"<?xml version='1.0' encoding='latin1'?><a>").1,
        Err(XmlError::Encoding)
    ));
    assert!(whole(b"<?xml version='1.1'?><a>").1.is_err());
    assert!(whole(b"<?xml encoding='utf-8'?><a>").1.is_err());
    assert!(whole(b"<a/>").1.is_err());
}

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
fn lenient() -> Framer {
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

/// Stanzas of many attributes and declarations, some of them twice, some of them not bound.
fn crowded() -> impl Strategy<Value = String> {
    let attribute = (0..3, 0..12, 0..40).prop_map(|(kind, prefix, name)| match kind {
        0 => format!(" a{name}=''"),
        1 => format!(" p{prefix}:a{name}=''"),
        _ => format!(" xmlns:p{prefix}='u{}&amp;'", name % 14),
    });
    let attributes = prop::collection::vec(attribute, 0..30).prop_map(|attributes| {
        let mut seen = std::collections::HashSet::new();
        let name = |attribute: &String| attribute.split('=').next().unwrap_or_default().to_owned();
        // By name, few are there twice; by namespace, some are.
        let kept = attributes
            .into_iter()
            .filter(|attribute| seen.insert(name(attribute)));
        kept.collect::<String>()
    });
    let all: String = (0..12).map(|n| format!(" xmlns:p{n}='v{n}'")).collect();
    (prop::collection::vec(attributes, 1..6), any::<bool>()).prop_map(move |(tags, is_bound)| {
        let first = if is_bound { all.as_str() } else { "" };
        let start: String = tags
            .iter()
            .map(|tag| format!("<a{tag}><p1:b/><a{tag}/>"))
            .collect();
        format!(
            "<a{first}><p1:b/>{start}{}<p2:c/></a>",
            "</a>".repeat(tags.len())
        )
    })
}

/// Stanzas that declare prefixes and default namespaces again and again, some of them written with references.
fn redeclared() -> impl Strategy<Value = String> {
    let namespace = prop::sample::select(vec![
        "jabber:client",
        "jabber:clien&#116;",
        "jabber:iq:roster",
        "jabber&#x3A;iq&#58;roster",
        "http://etherx.jabber.org/streams",
        "u",
        "&#117;",
        "u&amp;v",
        "u&#38;v",
    ]);
    let prefix = || prop::sample::select(vec!["", "", "x:", "y:", "stream:", "é:"]);
    let declared = prop_oneof![
        (prefix(), namespace).prop_map(|(prefix, namespace)| match prefix.strip_suffix(':') {
            Some(prefix) => format!(" xmlns:{prefix}='{namespace}'"),
            None => format!(" xmlns=\"{namespace}\""),
        }),
        Just(" xmlns=''".to_owned()),
    ];
    let attribute = (
        prefix(),
        0..4,
        prop::sample::select(vec!["", "a&lt;b", "\"&#x27;"]),
    )
        .prop_map(|(prefix, name, value)| format!(" {prefix}a{name} = '{value}'"));
    let inside = prop_oneof![2 => declared, 1 => attribute, 1 => Just(" xml:lang='de'".to_owned())];
    let tag = (
        prefix(),
        prop::sample::select(vec!["a", "é"]),
        prop::collection::vec(inside, 0..3),
    );
    let tag = tag.prop_map(|(prefix, local, mut inside)| {
        // rxml lets a declaration pass that is there twice.
        let name = |inside: &String| inside.split('=').next().map(str::to_owned);
        let mut names = std::collections::HashSet::new();
        inside.retain(|it| names.insert(name(it)));
        (format!("{prefix}{local}"), inside.concat())
    });
    let tags = tag.clone().boxed();
    let leaf = prop_oneof![
        3 => tag.prop_map(|(name, inside)| format!("<{name}{inside}/>")),
        1 => prop::sample::select(vec!["t", "&amp;", "<![CDATA[<x:a/>]]>"]).prop_map(str::to_owned),
    ];
    let element = |children: String, (name, inside): (String, String)| {
        format!("<{name}{inside}>{children}</{name}>")
    };
    let inner = leaf.prop_recursive(5, 24, 4, move |inner| {
        (prop::collection::vec(inner, 0..4), tags.clone())
            .prop_map(move |(children, tag)| element(children.concat(), tag))
    });
    prop::collection::vec(inner, 1..4).prop_map(|children| {
        format!(
            "<a xmlns:x='u' xmlns:y='v' xmlns:é='w'>{}</a>",
            children.concat()
        )
    })
}

/// XML-like text: mostly good pieces, some bad ones, in any order.
fn xmlish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b xmlns='u'>",
        "</b>",
        "<a/>",
        "<x:c xmlns:x='u' x:d='1'>",
        "</x:c>",
        "</a b='1'>",
        "</b xmlns>",
        "</a >",
        "<x:e/>",
        "text",
        " ",
        "\n",
        "&amp;",
        "&#65;",
        "&#00000065;",
        "&#000000065;",
        "&#x1F600;",
        "&bad;",
        "&#0;",
        "<![CDATA[ <&> ]]>",
        "]]>",
        ">",
        "'",
        "\"",
        "<",
        "&",
        "é",
        "\u{FFFF}",
        "<a b='1' c=\"2\">",
        "<a b='1' b='1'>",
        "<a b='<'>",
        "<!-- -->",
        "<?pi?>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<_-.1/>",
        "<-a/>",
        "<a xml:lang='en'/>",
        "<xml:a/>",
        "<xmlns:a/>",
        "<a  b = '1' />",
        "<a b='1'c='2'/>",
        "<:a/>",
        "<a:/>",
    ]);
    let wrapped =
        prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("<a>{}</a>", pieces.concat()));
    let mutation = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    (wrapped, mutation).prop_map(|(text, mutations)| {
        let mut bytes = text.into_bytes();
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// Compares all that an element says of itself and of what is in it.
fn reads_as_rxml(stanza: &[u8]) -> Result<(), TestCaseError> {
    let framer = lenient();
    let namespaces = framer.namespaces().unwrap();
    let element = Element::of_frame(stanza, namespaces).unwrap();
    let expected = tree::read(HEADER.as_bytes(), stanza).unwrap();
    prop_assert_eq!(tree::walk(&element, namespaces), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_rxml(stanza in xmlish()) {
        // Text before or after the stanza is XML for rxml, but no stream of stanzas.
        let (frames, end) = whole(&[HEADER.as_bytes(), &stanza].concat());
        prop_assume!(frames.len() <= 2 && !matches!(end, Err(XmlError::BadFormat(_))));
        // rxml takes none in an attribute; XML reads it as a space (§2.11, §3.3.3).
        prop_assume!(!stanza.contains(&b'\r'));
        prop_assert_eq!(we_accept(&stanza), rxml_accepts(&stanza), "{}", String::from_utf8_lossy(&stanza));
    }

    #[test]
    fn agrees_with_rxml_where_many_names_are(stanza in crowded()) {
        let mut framer = lenient();
        let frame = framer.next(stanza.as_bytes());
        let is_whole = frame.is_ok_and(|frame| frame.is_some_and(|frame| frame.len == stanza.len()));
        prop_assert_eq!(is_whole, rxml_accepts(stanza.as_bytes()), "{}", stanza);
    }

    #[test]
    fn elements_are_what_rxml_reads(stanza in xmlish()) {
        if we_accept(&stanza) && !stanza.contains(&b'\r') {
            reads_as_rxml(&stanza)?;
        }
    }

    #[test]
    fn crowded_elements_are_what_rxml_reads(stanza in crowded()) {
        if rxml_accepts(stanza.as_bytes()) {
            reads_as_rxml(stanza.as_bytes())?;
        }
    }

    #[test]
    fn redeclared_prefixes_are_what_rxml_reads(stanza in redeclared()) {
        let is_accepted = rxml_accepts(stanza.as_bytes());
        prop_assert_eq!(we_accept(stanza.as_bytes()), is_accepted, "{}", stanza);
        if is_accepted {
            reads_as_rxml(stanza.as_bytes())?;
        }
    }

    #[test]
    fn any_split_gives_the_same_frames(
        stanzas in prop::collection::vec(xmlish(), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = [HEADER.as_bytes(), &stanzas.concat(), b" <iq/></stream:stream>"].concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
        prop_assert_eq!(frames(pieces, Limits::AFTER_LOGIN), whole(&input));
        let bytes = input.chunks(1);
        prop_assert_eq!(frames(bytes, Limits::AFTER_LOGIN), whole(&input));
    }
}
