//! Any bytes, split anywhere: the same frames, and elements that can be read and rewritten.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use pubshim::ns;
use pubshim::xml::{
    Element, Frame, FrameKind, Framer, Limits, Namespaces, XmlError, rewrite, rewrite_standalone,
};
use pubshim_fuzz::HEADER;
use pubshim_fuzz::frames::{Frames, frames};
use pubshim_fuzz::tree::{self, Tree, dense};

const SMALL: Limits = Limits {
    bytes: 160,
    depth: 3,
    attributes: 4,
    namespaces: 3,
    elements: 8,
};
/// Attributes that are set or taken out, and what is put behind the last child.
const CHANGES: [(&str, Option<&str>); 4] = [
    ("id", Some("<'&\"> \u{e9}")),
    ("to", Some("")),
    ("type", None),
    ("xml:lang", Some("de")),
];
const APPENDED: &str = "<shim xmlns='urn:pubshim:0'/>";
/// The element that receives an element taken out of its stream.
const OTHER: &[u8] = b"<other xmlns='urn:other' xml:lang='zz'>";

fuzz_target!(|data: &[u8]| {
    let [mode, seed, data @ ..] = data else {
        return;
    };
    let limits = match mode & 2 {
        0 => Limits::AFTER_LOGIN,
        _ => SMALL,
    };
    let header: &[u8] = match mode & 1 {
        0 => b"",
        _ => HEADER.as_bytes(),
    };
    let input = [header, data].concat();
    let whole = frames([&input[..]], limits);
    same(
        &whole,
        &frames(random_pieces(&input, *seed), limits),
        limits,
    );
    if input.len() < 2048 {
        same(&whole, &frames(input.chunks(1), limits), limits);
    }
    read_elements(&whole.0);
});

fn random_pieces(input: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed) * 2 + 1;
    let mut rest = input;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let most = if state & 0x100 == 0 { 3 } else { 64 };
        let len = (state >> 16) as usize % most + 1;
        let (piece, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn same(
    (frames, end): &(Frames, Result<(), XmlError>),
    (split_frames, split_end): &(Frames, Result<(), XmlError>),
    limits: Limits,
) {
    assert_eq!(frames, split_frames);
    // A framer reports a frame that is too big at once, and other errors only when it comes to them.
    let is_too_big = matches!(split_end, Err(XmlError::TooBig(_))) && end.is_err();
    if limits != SMALL || !is_too_big {
        assert_eq!(end, split_end);
    }
}

fn read_elements(frames: &Frames) {
    let Some((FrameKind::Header, header)) = frames
        .iter()
        .find(|(kind, _)| *kind != FrameKind::Whitespace)
    else {
        return;
    };
    let mut framer = Framer::new(generous());
    framer.next(header).expect("it has passed");
    let namespaces = framer.namespaces().expect("a header").clone();
    for (kind, bytes) in frames {
        if *kind == FrameKind::Element {
            read_element(header, &namespaces, bytes);
        }
    }
}

fn read_element(header: &[u8], namespaces: &Namespaces, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let element = Element::of_frame(bytes, namespaces).expect("a frame is an element");
    assert_eq!(element.raw().as_bytes(), bytes);
    let expected = tree::read(header, bytes).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(tree::walk(&element, namespaces), expected, "{shown}");

    let keep = |child: &Element<'_>| child.local().len() != 1 || dense(&child.text()).is_empty();
    let rewritten = |changes: &[_], appended| {
        let mut out = BytesMut::new();
        match appended {
            "" => rewrite(&mut out, &element, changes, |_| true, appended),
            _ => rewrite(&mut out, &element, changes, keep, appended),
        }
        out
    };
    let standalone = |changes: &[_], appended| {
        let mut out = BytesMut::new();
        match appended {
            "" => rewrite_standalone(&mut out, &element, changes, |_| true, appended),
            _ => rewrite_standalone(&mut out, &element, changes, keep, appended),
        }
        out
    };
    check_rewritten(header, &rewritten(&[], ""), &expected, &shown);
    let changed = change(expected.clone(), &CHANGES);
    check_rewritten(header, &rewritten(&CHANGES, APPENDED), &changed, &shown);

    let inherited = inherit_lang(expected, namespaces);
    check_rewritten(OTHER, &standalone(&[], ""), &inherited, &shown);
    // The language is what it inherits.
    let changes = &CHANGES[..3];
    let changed = change(inherited, changes);
    check_rewritten(OTHER, &standalone(changes, APPENDED), &changed, &shown);
}

fn inherit_lang(mut tree: Tree, namespaces: &Namespaces) -> Tree {
    if let Some(lang) = namespaces.lang() {
        let name = (ns::XML.to_owned(), "lang".to_owned());
        tree.attributes.entry(name).or_insert_with(|| dense(lang));
    }
    tree
}

/// The result that [`rewrite`] has to give.
fn change(mut tree: Tree, changes: &[(&str, Option<&str>)]) -> Tree {
    for (name, value) in changes {
        let name = match name.strip_prefix("xml:") {
            Some(local) => (ns::XML.to_owned(), local.to_owned()),
            None => (String::new(), (*name).to_owned()),
        };
        match value {
            Some(value) => tree.attributes.insert(name, dense(value)),
            None => tree.attributes.remove(&name),
        };
    }
    tree.children
        .retain(|child| child.name.1.len() != 1 || child.text.is_empty());
    tree.children.push(Tree {
        name: (ns::SHIM.to_owned(), "shim".to_owned()),
        ..Tree::default()
    });
    tree
}

fn check_rewritten(header: &[u8], out: &[u8], expected: &Tree, shown: &str) {
    let text = String::from_utf8_lossy(out);
    let read = tree::read(header, out).unwrap_or_else(|error| panic!("{shown}: {text}: {error}"));
    assert_eq!(&read, expected, "{shown}: {text}");
    let mut framer = Framer::new(generous());
    framer.next(header).expect("a header");
    let frame = framer.next(out);
    let whole = Frame {
        kind: FrameKind::Element,
        len: out.len(),
        is_opaque: false,
    };
    assert_eq!(frame, Ok(Some(whole)), "{shown}: {text}");
}

fn generous() -> Limits {
    Limits {
        bytes: usize::MAX,
        depth: 1000,
        attributes: 1000,
        namespaces: 1000,
        elements: 10_000,
    }
}
