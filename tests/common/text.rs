//! What is written somewhere, or not.

#[track_caller]
pub(crate) fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part} in {text}");
}
