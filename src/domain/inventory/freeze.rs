//! `[[freeze]]`, in an inventory and in the settings: a span of days, or the events of a calendar.

use crate::domain::calendar::{CalendarFreeze, Freeze};
use crate::domain::document::{Located, Table, Wrong};
use crate::domain::id::Name;

const MAX_FREEZES: usize = 1000;

/// What the freezes of a file say.
#[derive(Debug, Default)]
pub(in crate::domain) struct Freezes {
    /// Spans of days.
    pub(in crate::domain) days: Vec<Freeze>,
    /// Calendars.
    pub(in crate::domain) calendars: Vec<CalendarFreeze>,
    /// The calendars that are named, each where it is named, even if the rest of its freeze is wrong.
    pub(in crate::domain) named: Vec<Located<Name>>,
}

/// Reads all freezes of a file.
pub(in crate::domain) fn read_freezes(root: &mut Table<'_>) -> Freezes {
    let mut freezes = Freezes::default();
    for table in root.tables("freeze", MAX_FREEZES) {
        if table.has("calendar") {
            let freeze = read_calendar(table, &mut freezes.named);
            freezes.calendars.extend(freeze);
        } else {
            freezes.days.extend(read_days(table));
        }
    }
    freezes
}

fn read_calendar(mut table: Table<'_>, named: &mut Vec<Located<Name>>) -> Option<CalendarFreeze> {
    let calendar = table.optional("calendar").and_then(|value| value.name().map(|name| value.locate(name)));
    let reason = table.optional("reason").and_then(|value| value.line()).map(str::to_owned);
    for key in ["from", "to"] {
        table.forbid(key, || {
            Wrong::new(format!("`{key}` beside `calendar`")).hint("the calendar says when: leave one of them out")
        });
    }
    table.finish();
    named.extend(calendar.clone());
    Some(CalendarFreeze { name: calendar?.value, reason })
}

fn read_days(mut table: Table<'_>) -> Option<Freeze> {
    let from = table.required("from").and_then(|value| value.date());
    let to = table.required("to");
    let last = to.and_then(|value| value.date());
    let reason = table.required("reason").and_then(|value| value.line()).map(str::to_owned);
    // So that the key is among those that are known.
    let _ = table.optional("calendar");
    table.finish();
    if let (Some(from), Some(last), Some(to)) = (from, last, to)
        && last < from
    {
        to.report(to.wrong().expected(format!("a day not before `from`, {from}")));
    }
    Some(Freeze { from: from?, to: last?, reason: reason? })
}
