//! Wraps text into lines.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// `text` in lines broken between words: the first of at most `first` columns, others of `rest`. A word longer than a
/// line is broken.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut room, mut used) = (first, 0);
    for (at, word) in text.split(' ').enumerate() {
        let width = word.width();
        let space = usize::from(at > 0);
        if used + space + width <= room {
            if space > 0 {
                push(&mut lines, ' ');
            }
            push_str(&mut lines, word);
            used += space + width;
            continue;
        }
        if width <= rest {
            lines.push(word.to_owned());
            (room, used) = (rest, width);
            continue;
        }
        if space > 0 && used < room {
            push(&mut lines, ' ');
            used += 1;
        }
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > room {
                lines.push(String::new());
                (room, used) = (rest, 0);
            }
            push(&mut lines, c);
            used += width;
        }
    }
    lines
}

fn push(lines: &mut [String], c: char) {
    push_str(lines, c.encode_utf8(&mut [0; 4]));
}

fn push_str(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        for (text, first, rest, lines) in [
            ("", 5, 5, &[""][..]),
            ("one two", 7, 3, &["one two"]),
            ("one two", 6, 5, &["one", "two"]),
            ("one two three", 3, 9, &["one", "two three"]),
            ("a  b", 9, 9, &["a  b"]),
            ("abcdefgh ij", 3, 4, &["abc", "defg", "h ij"]),
            ("one abcdefgh", 6, 4, &["one ab", "cdef", "gh"]),
            ("ääää öö", 4, 4, &["ääää", "öö"]),
            ("中文中文", 5, 5, &["中文", "中文"]),
        ] {
            assert_eq!(wrap(text, first, rest), lines, "{text}");
        }
    }
}
