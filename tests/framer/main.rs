//! The framer against any split of its input and against another XML implementation.
#![allow(clippy::unwrap_used, missing_docs)]

mod costs;
#[path = "../fuzz/src/frames.rs"]
#[allow(unreachable_pub)]
mod frames;
mod oracle;
#[path = "../fuzz/src/tree.rs"]
#[allow(unreachable_pub)]
mod tree;

use frames::{Frames, frames};
use proptest::prelude::*;
use pubshim::xml::{FrameKind, Limits, XmlError};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>";

fn whole(input: &[u8]) -> (Frames, Result<(), XmlError>) {
    frames([input], Limits::AFTER_LOGIN)
}

/// Runs `stanzas` after a stream header; gives the frames after the header and the ending.
fn stream(stanzas: &str) -> (Frames, Result<(), XmlError>) {
    let (mut frames, end) = whole(format!("{HEADER}{stanzas}").as_bytes());
    assert_eq!(frames.remove(0).0, FrameKind::Header);
    (frames, end)
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_frames(
        stanzas in prop::collection::vec(oracle::xmlish(), 0..4),
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
