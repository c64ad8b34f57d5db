//! `[[window]]`.

use jiff::tz::TimeZone;

use super::host::Roster;
use super::recurrence::read_recurrence;
use crate::domain::calendar::HolidayRule;
use crate::domain::document::{Distinct, Located, Table, Value, Wrong, did_you_mean, quoted};
use crate::domain::id::Name;
use crate::domain::inventory::Window;

const HOLIDAY_RULES: [(&str, HolidayRule); 5] = [
    ("keep", HolidayRule::Keep),
    ("skip", HolidayRule::Skip),
    ("next-workday", HolidayRule::NextWorkday),
    ("previous-workday", HolidayRule::PreviousWorkday),
    ("next-week", HolidayRule::NextWeek),
];

/// Reads all windows, and which jobs they name.
pub(super) fn read_windows(
    tables: Vec<Table<'_>>,
    roster: &Roster,
    zone: Option<&TimeZone>,
) -> (Vec<Window>, Vec<Located<Name>>) {
    let mut seen = Distinct::default();
    let mut jobs = Vec::new();
    let read = |table| read_window(table, roster, zone, &mut seen, &mut jobs);
    (tables.into_iter().filter_map(read).collect(), jobs)
}

fn read_window(
    mut table: Table<'_>,
    roster: &Roster,
    zone: Option<&TimeZone>,
    seen: &mut Distinct,
    jobs: &mut Vec<Located<Name>>,
) -> Option<Window> {
    let name = table.required("name").and_then(|value| {
        let name = value.name()?;
        seen.admit(name.as_str(), &value);
        Some(name)
    });
    let recurrence = read_recurrence(&mut table, zone);
    let (duration_s, cutoff_s) = read_length(&mut table);
    let holiday = table.optional("holiday").and_then(|value| value.word(&HOLIDAY_RULES)).unwrap_or_default();
    let job = table.required("job").and_then(|value| value.name().map(|job| value.locate(job)));
    let hosts = table.required("hosts").and_then(|value| read_window_hosts(&value, roster));
    let announce_s = table.optional("announce").and_then(|value| read_announce(&value)).unwrap_or_default();
    let review_s = table.optional("review").and_then(|value| value.duration_s());
    table.finish();
    jobs.extend(job.clone());
    Some(Window {
        name: name?,
        recurrence: recurrence?,
        duration_s: duration_s?,
        cutoff_s,
        holiday,
        job: job?.value,
        hosts: hosts?,
        announce_s,
        review_s,
    })
}

/// Duration and cutoff in seconds; without a cutoff something may start until the window closes.
fn read_length(table: &mut Table<'_>) -> (Option<u64>, u64) {
    let duration_s = table.required("duration").and_then(|value| value.duration_s());
    let cutoff = table.optional("cutoff");
    let cutoff_s = cutoff.and_then(|value| value.duration_s()).unwrap_or_default();
    if let (Some(duration_s), Some(value)) = (duration_s, cutoff)
        && cutoff_s >= duration_s
    {
        value.report(value.wrong().expected("a duration shorter than `duration`, or nothing could ever start"));
    }
    (duration_s, cutoff_s)
}

fn read_announce(value: &Value<'_>) -> Option<Vec<u64>> {
    Some(value.entries()?.into_iter().filter_map(|entry| entry.duration_s()).collect())
}

/// Host names and `@groups`, resolved: in order, without doubles.
fn read_window_hosts(value: &Value<'_>, roster: &Roster) -> Option<Vec<Name>> {
    let mut seen = Distinct::default();
    let mut hosts: Vec<Name> = Vec::new();
    let mut taken = std::collections::BTreeSet::new();
    for entry in value.entries()? {
        let Some(text) = entry.line() else { continue };
        seen.admit(text, &entry);
        let named = match text.strip_prefix('@') {
            Some(group) => find_group(&entry, group, roster),
            None => find_host(&entry, text, roster),
        };
        hosts.extend(named.into_iter().filter(|name| taken.insert(name.clone())));
    }
    Some(hosts)
}

fn find_group(entry: &Value<'_>, group: &str, roster: &Roster) -> Vec<Name> {
    let found = group.parse().ok().and_then(|name| roster.group(&name));
    if found.is_none() {
        let known: Vec<String> = roster.group_names().map(|name| format!("@{name}")).collect();
        entry.report(point_to(
            Wrong::new(format!("no host is in the group {}", quoted(group))),
            &format!("@{group}"),
            &known,
        ));
    }
    found.map(<[Name]>::to_vec).unwrap_or_default()
}

pub(super) fn find_host(entry: &Value<'_>, host: &str, roster: &Roster) -> Vec<Name> {
    let found = host.parse().ok().filter(|name| roster.has(name));
    if found.is_none() {
        let wrong = Wrong::new(format!("there is no host {} in the file", quoted(host)));
        entry.report(match roster.group_names().any(|group| group == host) {
            true => wrong.hint(format!("did you mean the group `@{host}`?")),
            false => point_to(wrong, host, &roster.names().map(str::to_owned).collect::<Vec<_>>()),
        });
    }
    found.into_iter().collect()
}

/// The nearest of the known words as a hint, or else the first few of them as what is expected.
fn point_to(wrong: Wrong, word: &str, known: &[String]) -> Wrong {
    if let Some(hint) = did_you_mean(word, known.iter().map(String::as_str)) {
        return wrong.hint(hint);
    }
    let shown = known.iter().take(10).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match known.len() {
        0 => wrong,
        1..=10 => wrong.expected(shown),
        _ => wrong.expected(format!("{shown}, …")),
    }
}
