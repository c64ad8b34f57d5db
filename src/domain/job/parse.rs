//! From the text of `jobs/<job>.toml` to a [`Job`], or to all that is wrong with it.
//!
//! Does not know other files: whether a delegate exists is for the catalog to say.

use super::{BackupRule, BatchSize, Job, Phase, Step};
use crate::domain::document::{self, Located, Table, Value, Wrong};
use crate::domain::id::{ContentHash, Name};
use crate::domain::problem::Problems;

mod action;
mod step;

use step::{Outline, read_steps};

/// Every step runs on every host; a recipe is not a program.
const MAX_STEPS: usize = 200;

/// What breaks only when the first users are back is still seen.
const WATCH_AFTER_S: u64 = 60;

/// What a job says to the rest of the files, even if it is not yet right in itself.
#[derive(Debug, Default)]
pub struct Draft {
    /// The job; absent if anything is wrong.
    pub job: Option<Job>,
    /// The hosts that steps are delegated to, each where it is named.
    pub delegates: Vec<Located<Name>>,
}

/// Reads a job. `file` gives the job's name and stands in the problems.
pub fn parse(text: &str, file: &str) -> Result<Job, Problems> {
    let (draft, problems) = draft(text, file);
    draft.job.ok_or(problems)
}

/// Reads a job as far as it goes.
#[must_use]
pub fn draft(text: &str, file: &str) -> (Draft, Problems) {
    let (mut draft, problems) = document::read(text, file, |root| read_draft(root, text, file));
    if !problems.0.is_empty() {
        draft.job = None;
    }
    (draft, problems)
}

fn read_draft(mut root: Table<'_>, text: &str, file: &str) -> Draft {
    let name = document::read_stem(file, &root);
    let description = root.required("description").and_then(|value| value.line()).map(str::to_owned);
    let batch = root.optional("batch").map_or_else(default_batch, |value| read_batch(&value));
    let max_failures = root.optional("max_failures").and_then(|value| value.integer(0..=100_000)).unwrap_or_default();
    let watch_after = root.optional("watch_after").map_or(Some(WATCH_AFTER_S), |value| value.duration_from_s(0));
    let backup = read_backup_rule(&mut root);
    let (mut steps, outlines) = read_steps(root.required_tables("step", MAX_STEPS));
    check_backups(&root, &outlines);
    root.finish();
    steps.sort_by_key(|step: &Step| step.phase);
    let delegates = outlines.into_iter().filter_map(|outline| outline.delegate).collect();
    let job = name.zip(description).map(|(name, description)| Job {
        name,
        description,
        batch,
        max_failures,
        watch_after_s: watch_after.unwrap_or_default(),
        backup,
        steps,
        revision: ContentHash::of(text.as_bytes()),
    });
    Draft { job, delegates }
}

/// One host first; if it comes out well, all the others.
fn default_batch() -> Vec<BatchSize> {
    vec![BatchSize::Count(1), BatchSize::Percent(100)]
}

fn read_batch(value: &Value<'_>) -> Vec<BatchSize> {
    value.entries().unwrap_or_default().iter().filter_map(read_batch_size).collect()
}

fn read_batch_size(value: &Value<'_>) -> Option<BatchSize> {
    if value.is_integer() {
        return value.integer(1..=100_000).map(BatchSize::Count);
    }
    value.parsed("a number of hosts from 1, or a share from \"1%\" to \"100%\"", |text| {
        let digits = text.strip_suffix('%').unwrap_or(text);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        match text.ends_with('%') {
            true => (1..=100).contains(&number).then_some(BatchSize::Percent(number)),
            false => (1..=100_000).contains(&number).then_some(BatchSize::Count(number)),
        }
    })
}

/// `backup` and `backup_reason`.
fn read_backup_rule(root: &mut Table<'_>) -> BackupRule {
    let waived = root.optional("backup").and_then(|value| value.word(&[("none", ())]).map(|()| value));
    let given = root.optional("backup_reason");
    let reason = given.and_then(|value| value.line());
    match (waived, given) {
        (Some(value), None) => value.report(
            Wrong::new("`backup = \"none\"` is without reason")
                .expected("`backup_reason = \"…\"`, which the report shows"),
        ),
        (None, Some(value)) if !root.has("backup") => {
            value.report(Wrong::new("`backup_reason` is without `backup = \"none\"`"));
        }
        _ => {}
    }
    match (waived, reason) {
        (Some(_), Some(reason)) => BackupRule::None { reason: reason.to_owned() },
        _ => BackupRule::Required,
    }
}

/// Guarantee G3: no update without a backup, but with a reason. That each backup is verified, the steps see to.
fn check_backups(root: &Table<'_>, outlines: &[Outline]) {
    let first = |phase| outlines.iter().find(|outline| outline.phase == Some(phase));
    // A step whose phase is not known may be the backup that seems to be missing.
    let all_known = outlines.iter().all(|outline| outline.phase.is_some());
    match (root.has("backup"), first(Phase::Backup), first(Phase::Update)) {
        (true, Some(backup), _) => {
            let wrong = Wrong::new("a step backs up although the job says `backup = \"none\"`");
            backup.report(wrong.hint("leave out `backup` and `backup_reason`, or the step"));
        }
        (false, None, Some(update)) if all_known => {
            let wrong = Wrong::new("a step updates although no step backs up")
                .expected("a step of phase `backup` with `verify`");
            update.report(wrong.hint("without one, say `backup = \"none\"` and `backup_reason = \"…\"`"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
