//! Text from elsewhere in lines of the log.

use std::borrow::Cow;

use crate::xml::{self, first_chars};

/// Text from the wire for the log: on one line, of limited length.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    xml::shown(first_chars(text, MOST))
}

/// A reason on one line, without control characters of terminals: the operating system's texts may have several lines.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    xml::shown(&words.join(" ")).into_owned()
}
