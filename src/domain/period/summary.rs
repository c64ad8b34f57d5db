//! What was done for a customer in a period, and how it compares: the one view that mail, page, terminal and programs render.
//!
//! Knows dates and the reports of runs; does not know where they are kept or in which words they are told. Its JSON is the contract of
//! `turnus report CUSTOMER --period P --format json`. Invariants: each date is told once, in the period in which it was to open first;
//! what is counted can be found in the lists beside it; a run counts in the period in which it began.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Period;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Locale;
use crate::domain::line::clean_line;
use crate::domain::occurrence::OccurrenceState;
use crate::domain::report::Report;
use crate::domain::report::host::{HostOutcome, OutcomeKind};
use crate::domain::review::{Collection, Finding};
use crate::domain::run::event::RunState;

#[cfg(test)]
mod tests;

/// With how many periods before it a period is compared.
pub const COMPARED: usize = 3;

/// Longest cause that is taken over, in characters.
const CAUSE_CHARS: usize = 300;

/// What a report of a period is made from.
#[derive(Debug, Clone)]
pub struct PeriodRecord {
    /// Whose.
    pub customer: Name,
    /// The customer's name as it stands in letters.
    pub customer_name: String,
    /// The customer's language.
    pub locale: Locale,
    /// IANA name of the customer's zone.
    pub time_zone: String,
    /// Its clocks.
    pub zone: TimeZone,
    /// Which period.
    pub period: Period,
    /// When it is looked at.
    pub now: Timestamp,
    /// When the customer was first applied; absent: never, and then nothing is known of it.
    pub since: Option<Timestamp>,
    /// Dates that open in the period or in one of the [`COMPARED`] before it, and what became of those that were moved.
    pub dates: Vec<DateRow>,
    /// Runs that began in the same time, or after it.
    pub runs: Vec<RunRow>,
    /// What was found pending last, and when.
    pub pending: Option<(Timestamp, Collection)>,
}

/// One dated instance of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRow {
    /// Its identity.
    pub id: OccurrenceId,
    /// Whose place it takes.
    pub moved_from: Option<OccurrenceId>,
    /// Of which window.
    pub window: Name,
    /// The opening.
    pub start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Where it stands.
    pub state: OccurrenceState,
    /// Why, if it did not take place.
    pub cause: Option<String>,
    /// When its run began.
    pub opened_at: Option<Timestamp>,
    /// When it reached its end, whichever.
    pub finished_at: Option<Timestamp>,
    /// Number of its run.
    pub run: Option<i64>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The number that people use.
    pub number: i64,
    /// When it began.
    pub began_at: Timestamp,
    /// Whether it was for a window; otherwise it was by hand.
    pub is_scheduled: bool,
    /// Where it stands.
    pub state: RunState,
    /// Changes of packages in effect.
    pub updates: usize,
    /// Of these, for security.
    pub security: usize,
    /// Backups that were verified.
    pub backups: usize,
    /// What became of its hosts.
    pub hosts: Vec<(Name, HostOutcome)>,
}

impl RunRow {
    /// What counts of a run's report.
    #[must_use]
    pub fn of(report: &Report, began_at: Timestamp) -> Self {
        let packages = report.packages.unwrap_or_default();
        Self {
            number: report.run_number,
            began_at,
            is_scheduled: report.window.is_some(),
            state: report.state,
            updates: packages.installed,
            security: packages.security,
            backups: report.hosts.iter().map(|host| host.backups.len()).sum(),
            hosts: report.hosts.iter().map(|host| (host.name.clone(), host.outcome.clone())).collect(),
        }
    }

    fn failed_hosts(&self) -> impl Iterator<Item = &(Name, HostOutcome)> {
        self.hosts.iter().filter(|(_, outcome)| is_failure(outcome.kind))
    }
}

fn is_failure(kind: OutcomeKind) -> bool {
    matches!(
        kind,
        OutcomeKind::Unreachable | OutcomeKind::FailedAndRolledBack | OutcomeKind::Failed | OutcomeKind::Unknown
    )
}

fn is_good(kind: OutcomeKind) -> bool {
    matches!(kind, OutcomeKind::Updated | OutcomeKind::NothingToDo)
}

/// What was done for a customer in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodReport {
    /// Version of this contract; grows when a field changes its meaning or goes.
    pub format_version: u32,
    /// Whose.
    pub customer: Name,
    /// The customer's name as it stands in letters.
    pub customer_name: String,
    /// The customer's language.
    pub locale: Locale,
    /// The customer's IANA time zone.
    pub time_zone: String,
    /// Which period.
    pub period: Period,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// When this was written.
    pub written_at: Timestamp,
    /// Whether it had ended then.
    pub is_over: bool,
    /// What was done, in numbers.
    pub figures: Figures,
    /// The same of the periods before it, the earliest first; without those in which the customer was not looked after.
    pub before: Vec<Figures>,
    /// Each date, by its opening.
    pub dates: Vec<DateLine>,
    /// Half of the dates that took place took no longer from opening to end, in milliseconds; absent if none did.
    pub median_ms: Option<u64>,
    /// The longest, in milliseconds.
    pub longest_ms: Option<u64>,
    /// Each host that a run did not leave well.
    pub failures: Vec<Failure>,
    /// What is pending now; absent if nobody has looked.
    pub pending: Option<Pending>,
}

impl PeriodReport {
    /// Whether there is nothing to tell of the period itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty() && self.figures.runs == 0
    }
}

/// A period in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Which period.
    pub period: Period,
    /// Dates that were to open in it first.
    pub windows: usize,
    /// Of these, those that took place when they were to.
    pub kept: usize,
    /// Those that got another date, wherever that lies.
    pub moved: usize,
    /// Those that could not begin.
    pub missed: usize,
    /// Those that were called off.
    pub cancelled: usize,
    /// Those that a holiday or freeze left out.
    pub skipped: usize,
    /// Those that are still to come, or under way.
    pub ahead: usize,
    /// Runs that began.
    pub runs: usize,
    /// Of these, by hand.
    pub by_hand: usize,
    /// Updates of packages in effect.
    pub updates: usize,
    /// Of these, for security.
    pub security: usize,
    /// Backups that were verified.
    pub backups: usize,
    /// Hosts that a run did not leave well.
    pub failures: usize,
}

impl Figures {
    /// Dates that were to take place by now: without those that are still to come, and those that a holiday or freeze left out, as was
    /// agreed.
    #[must_use]
    pub fn due(&self) -> usize {
        self.kept + self.moved + self.missed + self.cancelled
    }

    /// The share of updates that were for security, in per cent; none without updates.
    #[must_use]
    pub fn security_percent(&self) -> Option<usize> {
        (self.security * 100 + self.updates / 2).checked_div(self.updates)
    }
}

/// One date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateLine {
    /// Of which window.
    pub window: Name,
    /// When it was to open.
    pub opens_at: Timestamp,
    /// What became of it.
    pub fate: Fate,
    /// Where it was moved to, if it was.
    pub moved_to: Option<Timestamp>,
    /// Why it did not take place then, as somebody put it: a freeze's reason, say.
    pub cause: Option<String>,
    /// Number of its run; for one that was moved, that of the date in its place.
    pub run: Option<i64>,
    /// From opening to end.
    pub duration_ms: Option<u64>,
}

/// What became of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It took place, and every host was left well.
    Kept,
    /// It took place; some host was not left well, or the run was cancelled.
    KeptNotWell,
    /// Its run is under way.
    UnderWay,
    /// It is still to come.
    Ahead,
    /// It got another date.
    Moved,
    /// It could not begin.
    Missed,
    /// It was called off.
    Cancelled,
    /// A holiday or freeze left it out.
    Skipped,
}

/// A host that a run did not leave well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which.
    pub host: Name,
    /// Number of the run.
    pub run: i64,
    /// When the run began.
    pub began_at: Timestamp,
    /// What became of the host in it.
    pub outcome: HostOutcome,
    /// The first run after it that left the host well; absent: none has yet.
    pub well_since_run: Option<i64>,
}

/// What was found pending when somebody looked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// When that was.
    pub looked_at: Timestamp,
    /// Updates, over all hosts.
    pub updates: usize,
    /// Of these, for security.
    pub security: usize,
    /// Hosts that were looked at.
    pub hosts: usize,
    /// Hosts that could not be looked at.
    pub unknown_hosts: usize,
    /// Number of the last run since: what it has installed is still counted here.
    pub before_run: Option<i64>,
}

/// Writes the report of a period.
#[must_use]
pub fn write(record: &PeriodRecord) -> PeriodReport {
    let period = record.period;
    let dates = date_lines(record, period);
    let mut lengths: Vec<u64> =
        dates.iter().filter(|line| is_kept(line.fate)).filter_map(|line| line.duration_ms).collect();
    lengths.sort_unstable();
    PeriodReport {
        format_version: 1,
        customer: record.customer.clone(),
        customer_name: clean(&record.customer_name),
        locale: record.locale,
        time_zone: record.time_zone.clone(),
        period,
        from: period.first_day(),
        to: period.last_day(),
        written_at: record.now,
        is_over: period.range(&record.zone).end <= record.now,
        figures: figures(record, period, &dates),
        before: before(record),
        median_ms: lengths.get(lengths.len().saturating_sub(1) / 2).copied(),
        longest_ms: lengths.last().copied(),
        failures: failures(record),
        pending: record.pending.as_ref().map(|(looked_at, found)| pending(record, *looked_at, found)),
        dates,
    }
}

fn before(record: &PeriodRecord) -> Vec<Figures> {
    let earlier = std::iter::successors(Some(record.period.before()), |period| Some(period.before())).take(COMPARED);
    let was_there = |period: &Period| record.since.is_some_and(|since| since < period.range(&record.zone).end);
    let known = earlier.take_while(was_there);
    let mut before: Vec<_> = known.map(|period| figures(record, period, &date_lines(record, period))).collect();
    before.reverse();
    before
}

fn figures(record: &PeriodRecord, period: Period, dates: &[DateLine]) -> Figures {
    let with = |wanted: &[Fate]| dates.iter().filter(|line| wanted.contains(&line.fate)).count();
    let runs: Vec<_> = runs_in(record, period).collect();
    Figures {
        period,
        windows: dates.len(),
        kept: with(&[Fate::Kept, Fate::KeptNotWell]),
        moved: with(&[Fate::Moved]),
        missed: with(&[Fate::Missed]),
        cancelled: with(&[Fate::Cancelled]),
        skipped: with(&[Fate::Skipped]),
        ahead: with(&[Fate::Ahead, Fate::UnderWay]),
        runs: runs.len(),
        by_hand: runs.iter().filter(|run| !run.is_scheduled).count(),
        updates: runs.iter().map(|run| run.updates).sum(),
        security: runs.iter().map(|run| run.security).sum(),
        backups: runs.iter().map(|run| run.backups).sum(),
        failures: runs.iter().map(|run| run.failed_hosts().count()).sum(),
    }
}

fn runs_in(record: &PeriodRecord, period: Period) -> impl Iterator<Item = &RunRow> {
    let range = period.range(&record.zone);
    record.runs.iter().filter(move |run| range.contains(&run.began_at))
}

/// Each chain of dates once, by the first of it. One whose first lies in an earlier period was told of there.
fn date_lines(record: &PeriodRecord, period: Period) -> Vec<DateLine> {
    let range = period.range(&record.zone);
    let firsts = record.dates.iter().filter(|row| row.moved_from.is_none() && range.contains(&row.start));
    let mut lines: Vec<_> = firsts.map(|row| line(record, row)).collect();
    lines.sort_by(|one, other| (one.opens_at, &one.window).cmp(&(other.opens_at, &other.window)));
    lines
}

fn line(record: &PeriodRecord, first: &DateRow) -> DateLine {
    let last = last_of_chain(record, first);
    let moved = first.state == OccurrenceState::Moved;
    DateLine {
        window: first.window.clone(),
        opens_at: first.start,
        fate: if moved { Fate::Moved } else { fate(record, first) },
        moved_to: last.filter(|_| moved).map(|last| last.start),
        cause: first.cause.as_deref().filter(|_| !first.state.is_ahead()).and_then(reason).map(clean),
        run: last.unwrap_or(first).run,
        duration_ms: last.and_then(duration_ms),
    }
}

/// What a person or a file gave as the reason, without what turnus says around it; of causes of its own the fate says enough.
fn reason(cause: &str) -> Option<&str> {
    let by_itself = ["frozen: ", "holiday: ", "holiday without an allowed day nearby: "]
        .iter()
        .find_map(|prefix| cause.strip_prefix(prefix));
    let by_person = ["moved by ", "cancelled by "].iter().find_map(|prefix| cause.strip_prefix(prefix));
    by_itself.or_else(|| Some(by_person?.split_once(": ")?.1))
}

/// What has taken the place of a date in the end; itself if nothing has. A chain is as long as it is, and has no ring.
fn last_of_chain<'r>(record: &'r PeriodRecord, first: &'r DateRow) -> Option<&'r DateRow> {
    let next = |row: &&'r DateRow| record.dates.iter().find(|other| other.moved_from == Some(row.id));
    std::iter::successors(Some(first), next).take(record.dates.len()).last()
}

fn fate(record: &PeriodRecord, row: &DateRow) -> Fate {
    match row.state {
        OccurrenceState::Planned | OccurrenceState::Announced | OccurrenceState::Confirmed => Fate::Ahead,
        OccurrenceState::Open => Fate::UnderWay,
        OccurrenceState::Missed => Fate::Missed,
        OccurrenceState::Skipped => Fate::Skipped,
        OccurrenceState::Cancelled => Fate::Cancelled,
        OccurrenceState::Moved => Fate::Moved,
        OccurrenceState::Done => {
            let run = record.runs.iter().find(|run| Some(run.number) == row.run);
            if run.is_some_and(|run| run.state == RunState::Succeeded) { Fate::Kept } else { Fate::KeptNotWell }
        }
    }
}

fn is_kept(fate: Fate) -> bool {
    matches!(fate, Fate::Kept | Fate::KeptNotWell)
}

fn duration_ms(row: &DateRow) -> Option<u64> {
    let elapsed = row.finished_at?.duration_since(row.opened_at?).as_millis();
    (row.state == OccurrenceState::Done).then(|| u64::try_from(elapsed).unwrap_or(0))
}

fn failures(record: &PeriodRecord) -> Vec<Failure> {
    let mut runs: Vec<_> = runs_in(record, record.period).collect();
    runs.sort_by_key(|run| (run.began_at, run.number));
    let of_run = |run: &RunRow| -> Vec<Failure> {
        let failure = |(host, outcome): &(Name, HostOutcome)| Failure {
            host: host.clone(),
            run: run.number,
            began_at: run.began_at,
            outcome: outcome.clone(),
            well_since_run: well_since(record, run, host),
        };
        run.failed_hosts().map(failure).collect()
    };
    runs.into_iter().flat_map(of_run).collect()
}

fn well_since(record: &PeriodRecord, failed: &RunRow, host: &Name) -> Option<i64> {
    let leaves_well = |run: &&RunRow| run.hosts.iter().any(|(name, outcome)| name == host && is_good(outcome.kind));
    let later = record.runs.iter().filter(|run| (run.began_at, run.number) > (failed.began_at, failed.number));
    later.filter(leaves_well).min_by_key(|run| (run.began_at, run.number)).map(|run| run.number)
}

fn pending(record: &PeriodRecord, looked_at: Timestamp, found: &Collection) -> Pending {
    let changes = || found.hosts.values().flat_map(|finding| finding.pending());
    let known = found.hosts.values().filter(|finding| matches!(finding, Finding::Surveyed(_))).count();
    let later = record.runs.iter().filter(|run| run.began_at > looked_at);
    Pending {
        looked_at,
        updates: changes().count(),
        security: changes().filter(|change| change.security).count(),
        hosts: known,
        unknown_hosts: found.hosts.len() - known,
        before_run: later.max_by_key(|run| (run.began_at, run.number)).map(|run| run.number),
    }
}

fn clean(text: &str) -> String {
    clean_line(text.as_bytes(), CAUSE_CHARS)
}
