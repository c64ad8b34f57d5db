//! The lines of a calendar as they are meant: put together where they are folded, without the blanks that editors leave behind them.
//!
//! Knows that calcard takes `VEVENT` and `VEVENT ` for two things, and that it tells no lines. Invariant: what it is given has the
//! events that are counted here, or the file is refused.

use std::borrow::Cow;

use super::rule;

const BLANKS: [char; 2] = [' ', '\t'];

/// A line with the number of its first part in the file, from 1.
struct Line<'t> {
    number: usize,
    text: Cow<'t, str>,
}

/// Lines as they stand in the file. They end as some system ends them: a line feed, a carriage return, or both.
pub(super) fn written(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.trim_end_matches('\r').split('\r'))
}

/// Lines as they are meant (RFC 5545 section 3.1).
fn meant(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut lines = written(text.strip_prefix('\u{feff}').unwrap_or(text)).zip(1..).peekable();
    std::iter::from_fn(move || {
        let (first, number) = lines.next()?;
        let mut text = Cow::Borrowed(first);
        while let Some((more, _)) = lines.next_if(|(next, _)| next.starts_with(BLANKS)) {
            text.to_mut().push_str(&more[1..]);
        }
        let length = text.trim_end_matches(BLANKS).len();
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
            Cow::Owned(mut text) => {
                text.truncate(length);
                Cow::Owned(text)
            }
        };
        Some(Line { number, text })
    })
}

/// Where a VEVENT begins, and whether it ends.
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) ended: bool,
}

/// A calendar for calcard, and where it has what.
pub(super) struct Layout {
    /// One line each, rules marked as texts.
    pub(super) text: String,
    pub(super) events: Vec<Place>,
    /// How many components begin.
    pub(super) begins: usize,
    /// The last line of a file whose calendar does not end.
    pub(super) cut_off: Option<usize>,
}

impl Layout {
    pub(super) fn of(text: &str) -> Self {
        let text_room = String::with_capacity(text.len() + text.len() / 8);
        let mut layout = Self { text: text_room, events: Vec::new(), begins: 0, cut_off: None };
        let (mut open, mut last) = (false, 1);
        for Line { number, text } in meant(text).filter(|line| !line.text.is_empty()) {
            last = number;
            rule::push_marked(&mut layout.text, &text);
            layout.text.push('\n');
            let Some((key, kind)) = text.split_once(':') else { continue };
            let key = key.split(';').next().unwrap_or(key).trim();
            let (begins, ends) = (key.eq_ignore_ascii_case("BEGIN"), key.eq_ignore_ascii_case("END"));
            let kind = kind.trim();
            layout.begins += usize::from(begins);
            if kind.eq_ignore_ascii_case("VCALENDAR") && (begins || ends) {
                open = begins;
            }
            if kind.eq_ignore_ascii_case("VEVENT") {
                if begins {
                    layout.events.push(Place { line: number, ended: false });
                } else if let (true, Some(event)) = (ends, layout.events.last_mut()) {
                    event.ended = true;
                }
            }
        }
        layout.cut_off = open.then_some(last);
        layout
    }
}
