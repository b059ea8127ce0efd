//! Suggestions for misspelt words.

/// Similarity (Jaro-Winkler) from which on a word is suggested.
const ENOUGH: f64 = 0.7;

/// The one of `known` that is most similar to `word`, if any is similar enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(word, name), name));
    let alike = rated.filter(|(rate, _)| *rate > ENOUGH);
    let (_, name) = alike.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    Some(name)
}
