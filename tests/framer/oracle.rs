//! The framer and the elements it reads, against another XML implementation.

use proptest::prelude::*;
use pubshim::xml::{Element, XmlError};

use super::costs::lenient;
use super::{HEADER, tree, we_accept, whole};

/// Whether the other implementation accepts one stanza inside the same stream.
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
pub(super) fn xmlish() -> impl Strategy<Value = Vec<u8>> {
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
}
