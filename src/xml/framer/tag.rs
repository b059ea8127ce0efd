//! Start tags by themselves: each is read once from its `<` to its `>`, its names are checked and its attributes noted.

use super::super::XmlError;
use super::super::chars::{check_references, is_space, split_qname};
use super::super::declarations::{Attribute, Range};
use super::super::tag::skip_space;
use super::place;

const BAD_NAME: XmlError = XmlError::NotWellFormed("bad name");
pub(super) const BAD_ATTRIBUTE: XmlError = XmlError::NotWellFormed("bad attribute");

/// A start tag that is well-formed by itself.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) name: Name,
    pub(super) end: usize,
    /// It is the whole element (`<a/>`).
    pub(super) is_empty: bool,
}

/// A qualified name, without its place.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) len: usize,
    /// The length of the prefix with its colon; 0 if there is none.
    pub(super) prefix_len: usize,
}

/// Attributes of the tag in work, as ranges of the frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    /// All attributes, declarations included.
    pub(super) attributes: Vec<Attribute>,
    pub(super) declarations: Vec<Declared>,
    /// How many attributes have a prefix and are no declarations.
    pub(super) prefixed: usize,
}

/// A namespace declaration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    /// `None` for the default namespace.
    pub(super) prefix: Option<Range>,
    pub(super) value: Range,
}

impl Noted {
    /// The bytes it needs.
    pub(super) fn memory(&self) -> usize {
        self.attributes.capacity() * size_of::<Attribute>()
            + self.declarations.capacity() * size_of::<Declared>()
    }

    fn clear(&mut self) {
        self.attributes.clear();
        self.declarations.clear();
        self.prefixed = 0;
    }

    fn note(&mut self, buf: &[u8], at: usize, name: Name, value: Value) -> Result<(), XmlError> {
        let (start, len) = (place(at)?, place(name.len)?);
        let value = (place(value.start)?, place(value.end - value.start)?);
        self.attributes.push(((start, len), value));
        let prefix = match &buf[at..at + name.len] {
            b"xmlns" => None,
            [b'x', b'm', b'l', b'n', b's', b':', ..] => Some((start + 6, len - 6)),
            _ => {
                self.prefixed += usize::from(name.prefix_len > 0);
                return Ok(());
            }
        };
        self.declarations.push(Declared { prefix, value });
        Ok(())
    }
}

/// Reads the tag whose `<` is at `start`; `None` if `buf` ends before it does. An error does not mean that the tag has
/// an end.
pub(super) fn read(buf: &[u8], start: usize, noted: &mut Noted) -> Result<Option<Whole>, XmlError> {
    noted.clear();
    let Some(name) = read_name(buf, start + 1)? else {
        return Ok(None);
    };
    let mut at = start + 1 + name.len;
    loop {
        let before = at;
        at = skip_space(buf, at);
        let (end, is_empty) = match (buf.get(at), buf.get(at + 1)) {
            (None, _) | (Some(b'/'), None) => return Ok(None),
            (Some(b'>'), _) => (at + 1, false),
            (Some(b'/'), Some(b'>')) => (at + 2, true),
            _ if at == before => return Err(BAD_ATTRIBUTE),
            _ => {
                let Some(name) = read_name(buf, at)? else {
                    return Ok(None);
                };
                let Some(value) = read_value(buf, at + name.len)? else {
                    return Ok(None);
                };
                noted.note(buf, at, name, value)?;
                at = value.end + 1;
                continue;
            }
        };
        return Ok(Some(Whole {
            name,
            end,
            is_empty,
        }));
    }
}

/// Where a byte may stand in a name.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Anywhere.
    Start,
    /// Behind the first byte.
    Inside,
    Colon,
    /// The byte is a part of a character beyond ASCII.
    Wide,
    /// Nowhere: the name ends before it.
    Behind,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Behind; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Start,
            b'0'..=b'9' | b'-' | b'.' => Class::Inside,
            b':' => Class::Colon,
            128.. => Class::Wide,
            _ => Class::Behind,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

/// Reads the name at `start`; `None` if `buf` ends before a byte behind it.
fn read_name(buf: &[u8], start: usize) -> Result<Option<Name>, XmlError> {
    let first = start + part_len(&buf[start..]);
    let (part, end) = match buf.get(first) {
        Some(b':') => (first + 1, first + 1 + part_len(&buf[first + 1..])),
        _ => (start, first),
    };
    let Some(behind) = buf.get(end) else {
        return Ok(None);
    };
    let starts_well = |part: usize| CLASSES[usize::from(buf[part])] == Class::Start;
    match CLASSES[usize::from(*behind)] {
        Class::Wide => read_wide_name(&buf[start..]),
        Class::Behind if starts_well(start) && starts_well(part) => Ok(Some(Name {
            len: end - start,
            prefix_len: part - start,
        })),
        _ => Err(BAD_NAME),
    }
}

/// How many bytes of a name, up to its colon or its end.
fn part_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    while let Some(byte) = bytes.get(len)
        && matches!(CLASSES[usize::from(*byte)], Class::Start | Class::Inside)
    {
        len += 1;
    }
    len
}

/// The same for a name with characters beyond ASCII.
fn read_wide_name(bytes: &[u8]) -> Result<Option<Name>, XmlError> {
    let is_behind = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>' | b'=');
    let Some(len) = bytes.iter().position(is_behind) else {
        return Ok(None);
    };
    let name = std::str::from_utf8(&bytes[..len]).map_err(|_| XmlError::Encoding)?;
    let (prefix, _) = split_qname(name)?;
    Ok(Some(Name {
        len,
        prefix_len: prefix.map_or(0, |prefix| prefix.len() + 1),
    }))
}

/// Where the value of an attribute stands, without its quotes.
#[derive(Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
}

/// Reads the value of the attribute whose name ends at `at`; `None` if `buf` ends before it does.
fn read_value(buf: &[u8], at: usize) -> Result<Option<Value>, XmlError> {
    let equals = skip_space(buf, at);
    match buf.get(equals) {
        None => return Ok(None),
        Some(b'=') => {}
        Some(_) => return Err(BAD_ATTRIBUTE),
    }
    let before = skip_space(buf, equals + 1);
    let quote = match buf.get(before) {
        None => return Ok(None),
        Some(quote @ (b'"' | b'\'')) => *quote,
        Some(_) => return Err(BAD_ATTRIBUTE),
    };
    let start = before + 1;
    let rest = &buf[start..];
    let Some(first) = memchr::memchr3(quote, b'<', b'&', rest) else {
        return Ok(None);
    };
    if rest[first] == quote {
        let end = start + first;
        return Ok(Some(Value { start, end }));
    }
    let Some(len) = memchr::memchr(quote, rest) else {
        return Ok(None);
    };
    let value = &rest[..len];
    if memchr::memchr(b'<', value).is_some() {
        return Err(XmlError::NotWellFormed("'<' in an attribute"));
    }
    check_references(std::str::from_utf8(value).map_err(|_| XmlError::Encoding)?)?;
    let end = start + len;
    Ok(Some(Value { start, end }))
}
