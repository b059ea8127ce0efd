//! How a stream begins: an XML declaration, if there is one, and the opening tag.

use std::sync::Arc;

use super::super::chars::{check_chars, is_space};
use super::super::tag::Tag;
use super::super::{Namespaces, XmlError};
use super::{Frame, FrameKind, Framer, count_space, find, restricted};

impl Framer {
    /// The stream's opening tag, with the XML declaration before it.
    pub(super) fn header(&mut self, buf: &[u8]) -> Result<Option<Frame>, XmlError> {
        const DECLARATION: &[u8] = b"<?xml";
        if self.token == 0
            && (buf.len() < 6 && DECLARATION.starts_with(&buf[..buf.len().min(5)])
                || buf.starts_with(DECLARATION) && is_space(buf[5]))
        {
            let Some(end) = find(b"?>", buf, &mut self.scan) else {
                return Ok(None);
            };
            check_declaration(check_chars(&buf[DECLARATION.len()..end])?)?;
            self.token = end + 2;
            self.scan = self.token;
        }
        let space = count_space(&buf[self.token..]);
        if self.token == 0 && space > 0 {
            return Ok(self.frame(FrameKind::Whitespace, space));
        }
        if self.scan <= self.token + space {
            self.token += space;
            self.scan = self.token;
        }
        match &buf[self.token..] {
            [] | [b'<'] | [b'<', b'!'] => return Ok(None),
            [b'<', b'!' | b'?', ..] => return Err(restricted(&buf[self.token..])),
            [b'<', b'/', ..] => return Err(XmlError::NotWellFormed("an end before a start")),
            [b'<', ..] => {}
            _ => return Err(XmlError::NotWellFormed("no '<' where a stream begins")),
        }
        let Some(end) = self.start_tag(buf, &Namespaces::none())? else {
            return Ok(None);
        };
        let bytes = &buf[self.token..end];
        let tag = Tag::new(std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?);
        if tag.is_empty() {
            return Err(XmlError::BadFormat("a stream that ends as it begins"));
        }
        self.namespaces = Some(Arc::new(Namespaces::of(&tag)));
        Ok(self.frame(FrameKind::Header, end))
    }
}

/// Checks what stands between `<?xml` and `?>` (XML 1.0 §2.8); the encoding must be UTF-8.
fn check_declaration(text: &str) -> Result<(), XmlError> {
    const BAD: XmlError = XmlError::NotWellFormed("bad XML declaration");
    // A declaration is written like the attributes of a tag.
    let tag = format!("<x{}>", text.trim_ascii_end());
    let mut order = 0;
    for attribute in Tag::new(&tag).attributes() {
        let attribute = attribute?;
        let place = match attribute.name {
            "version" if attribute.raw == "1.0" => 1,
            "encoding" if attribute.raw.eq_ignore_ascii_case("utf-8") => 2,
            "encoding" => return Err(XmlError::Encoding),
            "standalone" if matches!(attribute.raw, "yes" | "no") => 3,
            _ => return Err(BAD),
        };
        if place <= order || order == 0 && place != 1 {
            return Err(BAD);
        }
        order = place;
    }
    if order == 0 || text.ends_with('/') {
        return Err(BAD);
    }
    Ok(())
}
