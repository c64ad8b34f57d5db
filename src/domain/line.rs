//! Makes one harmless line out of whatever a host or a person wrote.
//!
//! Knows terminals' control sequences and Unicode's invisible controls; does not know where the line is shown.
//! Invariant: what [`clean_line`] returns has no control character, no escape sequence, nothing that reorders or hides
//! text, and no more characters than asked for; the work is linear in the input and ends with the last character kept.

#[cfg(test)]
mod tests;

/// One line, at most `max_chars` characters (`…` at the end tells that something is cut off), that is safe on a terminal,
/// in a mail and in a page once escaped. Bytes that are not UTF-8 become `\u{fffd}`; a line break or tab becomes a space.
/// White space at both ends goes.
#[must_use]
pub fn clean_line(bytes: &[u8], max_chars: usize) -> String {
    let mut line = String::with_capacity(bytes.len().min(max_chars));
    let mut length = 0;
    let mut spaces = 0;
    let mut rest = characters(bytes);
    while let Some(character) = rest.next() {
        if skip_sequence(character, &mut rest) || is_hidden(character) {
            continue;
        }
        if is_space(character) {
            spaces += usize::from(length > 0);
            continue;
        }
        if length + spaces + 1 > max_chars {
            return cut_off(line, length, spaces, max_chars);
        }
        line.extend(std::iter::repeat_n(' ', spaces));
        line.push(character);
        length += spaces + 1;
        spaces = 0;
    }
    line
}

/// The text's characters, read lossily and lazily: of a line of 10 MB only the part that is shown is looked at.
fn characters(bytes: &[u8]) -> impl Iterator<Item = char> + Clone {
    bytes.utf8_chunks().flat_map(|chunk| {
        let replacement = if chunk.invalid().is_empty() { None } else { Some(char::REPLACEMENT_CHARACTER) };
        chunk.valid().chars().chain(replacement)
    })
}

fn cut_off(mut line: String, length: usize, spaces: usize, max_chars: usize) -> String {
    let Some(room) = max_chars.checked_sub(1) else { return String::new() };
    if length > room {
        line.pop();
    }
    line.extend(std::iter::repeat_n(' ', spaces.min(room.saturating_sub(length))));
    line.push('…');
    line
}

/// Takes the rest of the escape sequence that `character` begins, if it begins one (ECMA-48: CSI, control strings, others).
fn skip_sequence(character: char, rest: &mut (impl Iterator<Item = char> + Clone)) -> bool {
    let introducer = match character {
        '\u{1b}' => match rest.clone().next() {
            Some(next @ ' '..='~') => {
                rest.next();
                next
            }
            _ => return true,
        },
        // The one-character forms of `ESC [`, `ESC P`, `ESC X`, `ESC ]`, `ESC ^` and `ESC _`.
        '\u{9b}' => '[',
        '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => ']',
        _ => return false,
    };
    match introducer {
        '[' => skip_while(rest, |next| matches!(next, ' '..='?'), |next| matches!(next, '@'..='~')),
        'P' | 'X' | ']' | '^' | '_' => skip_control_string(rest),
        ' '..='/' => skip_while(rest, |next| matches!(next, ' '..='/'), |next| matches!(next, '0'..='~')),
        _ => {}
    }
    true
}

/// Takes what is `inside` a sequence, and then its `last` character if it is one.
fn skip_while(
    rest: &mut (impl Iterator<Item = char> + Clone),
    inside: impl Fn(char) -> bool,
    last: impl Fn(char) -> bool,
) {
    let mut ahead = rest.clone();
    while let Some(next) = ahead.next() {
        if inside(next) {
            rest.clone_from(&ahead);
        } else {
            if last(next) {
                rest.clone_from(&ahead);
            }
            return;
        }
    }
}

/// Takes the payload of a control string and its end. A string that never ends keeps its text: otherwise a host could hide
/// everything that it writes after it.
fn skip_control_string(rest: &mut (impl Iterator<Item = char> + Clone)) {
    let mut ahead = rest.clone();
    while let Some(next) = ahead.next() {
        let ended = match next {
            '\u{7}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next() == Some('\\'),
            next if next.is_control() => false,
            _ => continue,
        };
        if ended {
            rest.clone_from(&ahead);
        }
        return;
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Controls, and the invisible characters that reorder text, hide text, or make two texts look the same.
fn is_hidden(character: char) -> bool {
    let reorders =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(character, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
        || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    (character.is_control() && !is_space(character)) || reorders || hides
}
