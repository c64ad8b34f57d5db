//! Quoting of what a file says, so that a message stays one short line whatever stands in the file.

const MAX_CHARACTERS: usize = 60;

/// `text` in backticks: control and other invisible characters escaped, cut after 60 characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    for character in text.chars().take(MAX_CHARACTERS) {
        match character {
            '\'' | '"' | '\\' => quoted.push(character),
            _ => quoted.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}
