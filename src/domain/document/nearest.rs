//! Which of the known words somebody meant.

/// Longer words are nobody's typing mistake, and comparing them takes time.
const MAX_CHARACTERS: usize = 64;

/// The known word nearest to `word`, if it is near enough to be meant: one slip, or one in three characters.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().take(MAX_CHARACTERS + 1).count();
    if length > MAX_CHARACTERS {
        return None;
    }
    let slips = (length / 3).max(1);
    let ranked = known.into_iter().map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    ranked.filter(|(distance, _)| *distance <= slips).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The hint that names the nearest of the known words.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}
