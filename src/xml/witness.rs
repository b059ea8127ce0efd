//! Witnesses of refused bytes: a recording keeps other bytes in their place, which are refused for the same reason and
//! hold nobody's words.

use super::chars::{MOST_DIGITS, check_references, is_space};
use super::tag::tag_len;
use super::{Framer, Tag, XmlError};

/// This many bytes are kept of a stream that is no XML at all: they tell what it was.
const MOST_RAW: usize = 16;
/// The longest start tag that is kept of a stanza that is too large.
const MOST_TAG: usize = 4096;
/// The longest reference that is looked at.
const MOST_REFERENCE: usize = 12;

/// Bytes that `framer` refuses with the same `error` as `bytes`, which begin where its last frame ended.
///
/// Tags before the mistake keep their names and declarations, and the stanza's own tag its addresses. Everything else
/// becomes an `x`, also the names in a tag that is wrong itself. Of bytes that do not begin as XML the first ones are
/// kept.
pub(crate) fn witness(framer: &Framer, bytes: &[u8], error: XmlError) -> Vec<u8> {
    let mut fresh = framer.clone();
    fresh.forget();
    let refuses = |bytes: &[u8]| fresh.clone().next(bytes) == Err(error);
    if framer.namespaces().is_none() && !bytes.starts_with(b"<") {
        return bytes[..bytes.len().min(MOST_RAW)].to_vec();
    }
    // Bytes behind the mistake do not change the error: the shortest part that is refused ends with the mistake.
    let (mut good, mut bad) = (0, bytes.len());
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        match refuses(&bytes[..middle]) {
            true => bad = middle,
            false => good = middle,
        }
    }
    let tokens = tokens(&bytes[..bad]);
    let (before, last) = match &*tokens {
        [before @ .., text, b"<"] if !text.starts_with(b"<") => (before, *text),
        [before @ .., last] => (before, *last),
        [] => (&[][..], &b""[..]),
    };
    let tags = before
        .iter()
        .filter(|token| token.starts_with(b"<") && !token.starts_with(b"<!"));
    let tags: Vec<u8> = tags
        .enumerate()
        .flat_map(|(at, tag)| masked_tag(tag, at == 0, Names::Kept))
        .collect();
    let last = match last {
        [b'<', b'!', b'[', ..] => {
            let text = last.strip_prefix(CDATA).unwrap_or_default();
            let text = text.strip_suffix(b"]]>").unwrap_or(text);
            [CDATA, &*masked(text), b"]]>"].concat()
        }
        // Three bytes hold no words.
        [b'<', b'!' | b'?', ..] if last.len() <= 3 => last.to_vec(),
        _ if last.starts_with(DECLARATION) => {
            [DECLARATION, b" ", &*masked(&last[DECLARATION.len()..])].concat()
        }
        [b'<', ..] => masked_tag(last, false, Names::Masked),
        // The framer checks text when it ends.
        _ => [&*masked(last), b"<"].concat(),
    };
    let plain = [
        [&*tags, &*last].concat(),
        last,
        b"<?xml version='1.0' encoding='x'?>".to_vec(),
        b"<?xml ?>".to_vec(),
    ];
    let plain = plain.into_iter().find(|bytes| refuses(bytes));
    plain.unwrap_or_else(|| masked(&bytes[..bytes.len().min(MOST_RAW)]))
}

const DECLARATION: &[u8] = b"<?xml";
const CDATA: &[u8] = b"<![CDATA[";

/// The beginning of a stanza that is too large: with enough `x` behind it, it is too large again.
pub(crate) fn beginning(framer: &Framer, bytes: &[u8]) -> Vec<u8> {
    let first = first_token(bytes);
    let is_open = first.ends_with(b">") && !first.ends_with(b"/>") && first.len() <= MOST_TAG;
    match framer.namespaces().is_some()
        && is_open
        && first.starts_with(b"<")
        && !first.starts_with(b"<!")
    {
        true => masked_tag(first, true, Names::Kept),
        false => b"<".to_vec(),
    }
}

/// Cuts `bytes` where the framer cuts them; the last one may have no end.
fn tokens(bytes: &[u8]) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let token = first_token(rest);
        tokens.push(token);
        rest = &rest[token.len()..];
    }
    tokens
}

fn first_token(bytes: &[u8]) -> &[u8] {
    let find = |from: usize, needle: &[u8]| {
        let at = memchr::memmem::find(bytes.get(from..)?, needle)?;
        Some(from + at + needle.len())
    };
    let end = match bytes {
        _ if bytes.starts_with(CDATA) => find(CDATA.len(), b"]]>"),
        _ if bytes.starts_with(b"<?") => find(0, b"?>"),
        [b'<', b'/', ..] => find(0, b">"),
        [b'<', ..] => tag_len(bytes),
        _ => memchr::memchr(b'<', bytes),
    };
    &bytes[..end.unwrap_or(bytes.len())]
}

/// How the names in a tag are written.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    Kept,
    /// As an `x`, unless the tag can be read.
    Masked,
}

/// A tag without its values, but for declarations and, of a `stanza`, addresses and the like.
fn masked_tag(tag: &[u8], stanza: bool, names: Names) -> Vec<u8> {
    let text = std::str::from_utf8(tag).ok();
    let is_readable = text.is_some_and(|text| {
        !text.starts_with("</")
            && text.ends_with('>')
            && Tag::new(text).attributes().all(|it| it.is_ok())
    });
    let keeps_names = is_readable || names == Names::Kept;
    let is_stanza = stanza
        && [&b"<message"[..], b"<presence", b"<iq"]
            .iter()
            .any(|name| tag.starts_with(name));
    let mut out = Vec::new();
    let mut rest = tag;
    while let Some(at) = memchr::memchr2(b'"', b'\'', rest) {
        let (outside, quoted) = rest.split_at(at);
        out.extend(if keeps_names {
            outside.to_vec()
        } else {
            masked(outside)
        });
        let end = memchr::memchr(quoted[0], &quoted[1..]).map_or(quoted.len(), |end| end + 2);
        let (value, after) = quoted.split_at(end);
        let name = name_before(outside);
        let is_kept = name.starts_with(b"xmlns")
            || is_stanza && matches!(name, b"from" | b"to" | b"id" | b"type")
            || tag.starts_with(b"<?") && matches!(value.len(), 0..=7);
        out.extend(if is_kept {
            value.to_vec()
        } else {
            masked(value)
        });
        rest = after;
    }
    out.extend(if keeps_names {
        rest.to_vec()
    } else {
        masked(rest)
    });
    out
}

/// The name of the attribute whose value comes behind `text`.
fn name_before(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"=").unwrap_or(text).trim_ascii_end();
    let text = text.strip_suffix(b"=").unwrap_or(text).trim_ascii_end();
    let start = text
        .iter()
        .rposition(|byte| is_space(*byte) || matches!(byte, b'"' | b'\''));
    &text[start.map_or(0, |at| at + 1)..]
}

/// Writes an `x` in place of each word, and keeps bad references, characters and bytes.
fn masked(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
        if is_long_reference(rest) {
            out.extend_from_slice(b"&#000000000;");
            rest = &rest[2..];
            continue;
        }
        if *first == b'&' {
            let end = rest
                .iter()
                .take(MOST_REFERENCE)
                .position(|byte| *byte == b';');
            let reference = &rest[..end.map_or(1, |end| end + 1)];
            rest = &rest[reference.len()..];
            let is_good =
                std::str::from_utf8(reference).is_ok_and(|it| check_references(it).is_ok());
            match reference {
                _ if is_good => out.push(b'x'),
                [b'&', b'#', ..] | [b'&'] => out.extend_from_slice(reference),
                _ => out.extend_from_slice(b"&x;"),
            }
            continue;
        }
        let (is_word, len) = word(rest);
        match is_word {
            true if out.last() == Some(&b'x') => {}
            true => out.push(b'x'),
            false => out.extend_from_slice(&rest[..len]),
        }
        rest = &rest[len..];
    }
    out
}

/// Whether `text` begins with a reference of more digits than the framer lets pass.
fn is_long_reference(text: &[u8]) -> bool {
    let digits = text
        .strip_prefix(b"&#x")
        .or_else(|| text.strip_prefix(b"&#"));
    let digits = digits.and_then(|digits| digits.get(..=MOST_DIGITS));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether the first character is a part of a word, and its length.
fn word(bytes: &[u8]) -> (bool, usize) {
    let first = bytes[0];
    if first.is_ascii() {
        return (
            first.is_ascii_alphanumeric() || matches!(first, b'-' | b'_' | b'.' | b'+' | b'@'),
            1,
        );
    }
    // No character has more than four bytes.
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next();
    let valid = chunk.and_then(|chunk| chunk.valid().chars().next());
    match valid {
        // These are no characters of XML.
        Some(c) => (!matches!(c, '\u{FFFE}' | '\u{FFFF}'), c.len_utf8()),
        None => (false, 1),
    }
}
