//! What is refused, told by bytes that are refused for the same reason: somebody's words are not among them.

use super::chars::{check_references, is_space};
use super::tag::tag_len;
use super::{Framer, Tag, XmlError};

/// So much is kept of what is no XML at all: it tells what it was.
const MOST_RAW: usize = 16;
/// The longest start tag that is kept of what is too large.
const MOST_TAG: usize = 4096;
/// So long a reference may be.
const MOST_REFERENCE: usize = 12;

/// Bytes that `framer` refuses with the same `error` as these, which begin where its last frame ended.
///
/// Of the tags before what is wrong the names and the declarations are kept, of a stanza's own its addresses, too. All else,
/// and the names in a tag that is wrong itself, is an `x`. What does not even begin as XML is told by its first bytes.
pub(crate) fn witness(framer: &Framer, bytes: &[u8], error: XmlError) -> Vec<u8> {
    let mut fresh = framer.clone();
    fresh.forget();
    let refuses = |bytes: &[u8]| fresh.clone().next(bytes) == Err(error);
    if framer.namespaces().is_none() && !bytes.starts_with(b"<") {
        return bytes[..bytes.len().min(MOST_RAW)].to_vec();
    }
    // However much comes behind what is wrong, it stays so.
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
        // So much says what it is.
        [b'<', b'!' | b'?', ..] if last.len() <= 3 => last.to_vec(),
        _ if last.starts_with(DECLARATION) => {
            [DECLARATION, b" ", &*masked(&last[DECLARATION.len()..])].concat()
        }
        [b'<', ..] => masked_tag(last, false, Names::Masked),
        // Text is looked at once it has an end.
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

/// How a stanza begins that is too large: `x` after `x` behind it makes it so again.
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

/// What becomes of the names in a tag.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    Kept,
    /// Unless it is a tag that can be read.
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

/// `x` in place of each word; what is wrong with a reference, a character or a byte is kept.
fn masked(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
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

/// Whether the first character is a part of a word, and its length.
fn word(bytes: &[u8]) -> (bool, usize) {
    let first = bytes[0];
    if first.is_ascii() {
        return (
            first.is_ascii_alphanumeric() || matches!(first, b'-' | b'_' | b'.' | b'+' | b'@'),
            1,
        );
    }
    // No character is longer.
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next();
    let valid = chunk.and_then(|chunk| chunk.valid().chars().next());
    match valid {
        // XML has no place for some.
        Some(c) => (!matches!(c, '\u{FFFE}' | '\u{FFFF}'), c.len_utf8()),
        None => (false, 1),
    }
}
