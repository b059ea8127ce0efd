//! Which characters and references XML 1.0 allows where.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::XmlError;

/// Whether `c` may stand in a document (XML 1.0 §2.2).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Whether a terminal or an editor acts on `c` instead of showing it: controls, ends of lines, marks that turn
/// the direction of writing, and the mark of a byte order.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// `text` as a log, a terminal or a title may show it: [unsafe](is_unsafe) characters are escaped.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unsafe(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The first `most` characters of `text`.
pub(crate) fn first_chars(text: &str, most: usize) -> &str {
    let end = text
        .char_indices()
        .nth(most)
        .map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Whether `b` is white space (XML 1.0 §2.3).
pub(crate) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether `name` is a name without a colon (Namespaces in XML §3, `NCName`).
fn is_ncname(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// Splits a qualified name into prefix and local part, if it is one.
pub(crate) fn split_qname(name: &str) -> Result<(Option<&str>, &str), XmlError> {
    // A loop is the fastest search in names, most of which are short.
    let (prefix, local) = match name.bytes().position(|byte| byte == b':') {
        Some(colon) => (Some(&name[..colon]), &name[colon + 1..]),
        None => (None, name),
    };
    if prefix.is_none_or(is_ncname) && is_ncname(local) {
        Ok((prefix, local))
    } else {
        Err(XmlError::NotWellFormed("bad name"))
    }
}

/// Searches for how U+FFFE and U+FFFF begin. The searcher is made once.
static NONCHARACTER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\xEF\xBF"));

/// Whether `bytes` are printable ASCII, as most of a stream is.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // A loop that never breaks can compare many bytes at once.
    let is_plain = |all: bool, byte: &u8| all & (byte.wrapping_sub(b' ') < 0x60);
    bytes.iter().fold(true, is_plain)
}

/// Checks that `bytes` are UTF-8 and only characters XML allows.
pub(crate) fn check_chars(bytes: &[u8]) -> Result<&str, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    // Below 0x20 only three are allowed; above, only U+FFFE and U+FFFF are not.
    let suspicious =
        bytes.iter().any(|&b| b < 0x20 && !is_space(b)) || NONCHARACTER.find(bytes).is_some();
    if suspicious && !text.chars().all(is_char) {
        return Err(XmlError::NotWellFormed("forbidden character"));
    }
    Ok(text)
}

/// Checks that each `&` begins one of the five predefined entities or an allowed character reference.
pub(crate) fn check_references(text: &str) -> Result<(), XmlError> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        rest = &rest[at + 1..];
        let end = rest
            .find(';')
            .ok_or(XmlError::NotWellFormed("unterminated reference"))?;
        check_reference(&rest[..end])?;
        rest = &rest[end + 1..];
    }
    Ok(())
}

/// The most digits of a character reference, leading zeros included: no short text is written in many bytes.
pub(super) const MOST_DIGITS: usize = 8;

fn check_reference(name: &str) -> Result<(), XmlError> {
    let Some(number) = name.strip_prefix('#') else {
        return match name {
            "amp" | "lt" | "gt" | "quot" | "apos" => Ok(()),
            _ => Err(XmlError::Restricted(
                "an entity other than the predefined five",
            )),
        };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    let is_number = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_number && digits.len() > MOST_DIGITS {
        return Err(XmlError::TooBig("more digits than a reference may have"));
    }
    let valid = is_number
        && u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
            .is_some_and(is_char);
    if valid {
        Ok(())
    } else {
        Err(XmlError::NotWellFormed("bad character reference"))
    }
}

/// The text that checked XML stands for: its references resolved.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    // The framer has checked the references, so nothing can fail.
    quick_xml::escape::unescape(raw).unwrap_or(Cow::Borrowed(raw))
}

/// `text` as it may stand in an attribute or an element.
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_escaped = |byte: u8| {
        matches!(
            byte,
            b'<' | b'>' | b'&' | b'\'' | b'"' | b'\n' | b'\t' | b'\r'
        )
    };
    if !text.bytes().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = quick_xml::escape::escape(text);
    // In an attribute they would be read as spaces (XML 1.0 §3.3.3).
    for (white, reference) in [("\n", "&#10;"), ("\t", "&#9;"), ("\r", "&#13;")] {
        if escaped.contains(white) {
            escaped = Cow::Owned(escaped.replace(white, reference));
        }
    }
    escaped
}
