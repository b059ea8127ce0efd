//! Stanzas changed in few places, by copying the bytes in between.

use bytes::{BufMut, BytesMut};

use super::element::{Element, mentions_prefix};
use super::escape;

/// A change to an element's start tag: attributes set (`Some`) or taken out (`None`), by name.
pub(crate) type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// Writes `element` to `out` as it came, with the changes that are asked for.
///
/// Attributes keep their place, new ones come last. Children for which `keep` says no are taken out.
/// `append` is put behind the last child, as it is.
pub fn rewrite(
    out: &mut BytesMut,
    element: &Element<'_>,
    attributes: Changes<'_>,
    keep: impl Fn(&Element<'_>) -> bool,
    append: &str,
) {
    start_tag(out, element, attributes);
    body(out, element, keep, append);
}

/// The same for an element that leaves its surroundings: what it inherits and uses is declared on it.
///
/// That is its namespace, the prefixes that occur in it, and the language: it means the same elsewhere.
pub fn rewrite_standalone(
    out: &mut BytesMut,
    element: &Element<'_>,
    attributes: Changes<'_>,
    keep: impl Fn(&Element<'_>) -> bool,
    append: &str,
) {
    start_tag(out, element, attributes);
    declare_inherited(out, element, attributes);
    body(out, element, keep, append);
}

/// The tag without its end (`>` or `/>`).
fn start_tag(out: &mut BytesMut, element: &Element<'_>, attributes: Changes<'_>) {
    let tag = element.tag();
    let raw = tag.raw();
    let mut copied = 0;
    // A bit for each change whose attribute was there: there are a few changes at most.
    let mut found = 0_u64;
    for attribute in tag.attributes().flatten() {
        let mut changes = attributes.iter();
        let Some(index) = changes.position(|(name, _)| *name == attribute.name) else {
            continue;
        };
        let (name, value) = attributes[index];
        found |= 1 << index;
        put(out, &raw[copied..attribute.start]);
        if let Some(value) = value {
            put_attribute(out, name, value);
        }
        copied = attribute.end;
    }
    let end = if tag.is_empty() { 2 } else { 1 };
    put(out, raw[copied..raw.len() - end].trim_ascii_end());
    for (index, (name, value)) in attributes.iter().enumerate() {
        if let Some(value) = value
            && found & (1 << index) == 0
        {
            put_attribute(out, name, value);
        }
    }
}

/// A copy of `element` that means the same elsewhere.
pub fn standalone(element: &Element<'_>) -> String {
    copy(element, &[])
}

/// A copy of a stanza's child for another stanza: as [`standalone`], but without the language of the stanza around it.
///
/// Servers add a language to stanzas, and clients that know a schema refuse an attribute that it does not name.
pub(crate) fn standalone_child(child: &Element<'_>) -> String {
    let has_own = child.tag().attribute("xml:lang").is_some();
    let changes: Changes<'_> = if has_own { &[] } else { &[("xml:lang", None)] };
    copy(child, changes)
}

fn copy(element: &Element<'_>, changes: Changes<'_>) -> String {
    let mut out = BytesMut::with_capacity(element.raw().len());
    rewrite_standalone(&mut out, element, changes, |_| true, "");
    // All parts of it are strings.
    String::from_utf8(out.into()).unwrap_or_default()
}

fn declare_inherited(out: &mut BytesMut, element: &Element<'_>, changes: Changes<'_>) {
    let is_set = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let tag = element.tag();
    if tag.declaration(None).is_none() && !is_set("xmlns") {
        put_attribute(out, "xmlns", &element.resolve(None).unwrap_or_default());
    }
    for (index, (prefix, namespace)) in element.inherited().enumerate() {
        let hidden = || {
            element
                .inherited()
                .take(index)
                .any(|(inner, _)| inner == prefix)
        };
        if !prefix.is_empty()
            && prefix != "xml"
            && mentions_prefix(element.raw(), &prefix)
            && tag.declaration(Some(&prefix)).is_none()
            && !hidden()
        {
            put(out, " xmlns:");
            put(out, &prefix);
            put_value(out, &namespace);
        }
    }
    if tag.attribute("xml:lang").is_none()
        && !is_set("xml:lang")
        && let Some(lang) = element.outer_lang()
    {
        put_attribute(out, "xml:lang", &lang);
    }
}

fn body(
    out: &mut BytesMut,
    element: &Element<'_>,
    keep: impl Fn(&Element<'_>) -> bool,
    append: &str,
) {
    if element.tag().is_empty() && append.is_empty() {
        return put(out, "/>");
    }
    put(out, ">");
    let inner = element.inner();
    let mut copied = 0;
    for child in element.children().filter(|child| !keep(child)) {
        let start = child.raw().as_ptr() as usize - inner.as_ptr() as usize;
        put(out, &inner[copied..start]);
        copied = start + child.raw().len();
    }
    put(out, &inner[copied..]);
    put(out, append);
    put(out, "</");
    put(out, element.tag().name());
    put(out, ">");
}

/// Writes ` name='value'`, the value escaped.
pub fn put_attribute(out: &mut BytesMut, name: &str, value: &str) {
    put(out, " ");
    put(out, name);
    put_value(out, value);
}

fn put_value(out: &mut BytesMut, value: &str) {
    put(out, "='");
    put(out, &escape(value));
    put(out, "'");
}

fn put(out: &mut BytesMut, text: &str) {
    out.put_slice(text.as_bytes());
}
