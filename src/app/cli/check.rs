//! `turnus check`: every mistake in the files, or a summary.
//!
//! Mistakes for people go to stderr, each with its line; what programs read goes to stdout.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::Format;
use super::exit::{Exit, Failure};
use crate::app::calendar::Almanac;
use crate::app::console::{print, say};
use crate::domain::catalog::{self, Catalog, Source};
use crate::domain::id::Name;
use crate::domain::inventory::Customer;
use crate::domain::job::{Action, Job};
use crate::domain::problem::{Problem, Problems};
use crate::domain::wording::WordingFile;
use crate::edge::config;
use crate::edge::text::{self, Texts};

/// How much of a line is shown, in characters.
const SHOWN_CHARACTERS: usize = 100;
/// How much of that stands before the mistake.
const SHOWN_BEFORE: usize = 60;

/// Checks the files in `directory`.
pub(super) fn run(directory: &Path, format: Format) -> Result<Exit, Failure> {
    let sources = config::read_sources(directory).map_err(Failure::from)?;
    let wording = config::read_wording(directory).map_err(Failure::from)?;
    let checked = catalog::build(&sources).and_then(|catalog| check_calendars(&catalog).map(|()| catalog));
    let checked = with_wording(checked, check_wording(&wording)?);
    match (format, &checked) {
        (Format::Table, Ok(catalog)) => print(&render_summary(&Summary::of(catalog))),
        (Format::Table, Err(problems)) => say(render_problems(problems, &texts(&sources, &wording)).trim_end()),
        (Format::Json, Ok(catalog)) => print_json(&Answer::Right { ok: true, summary: Summary::of(catalog) }),
        (Format::Json, Err(problems)) => print_json(&Answer::Wrong { ok: false, problems }),
    }
    Ok(if checked.is_ok() { Exit::Done } else { Exit::Usage })
}

/// Reads the calendars that freezes name, each for everybody who names it.
fn check_calendars(catalog: &Catalog) -> Result<(), Problems> {
    let now = Timestamp::now();
    let mut almanac = Almanac::read(catalog, &(now..now))?;
    let mut problems: Vec<Problem> =
        catalog.customers.values().filter_map(|customer| almanac.of(customer).err()).collect();
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// What is wrong with the provider's own templates and texts.
fn check_wording(files: &[WordingFile]) -> Result<Vec<Problem>, Failure> {
    match Texts::check_wording(files) {
        Ok(()) => Ok(Vec::new()),
        Err(text::Error::Wording(problems)) => Ok(problems.0),
        Err(error) => Err(Failure::failed(error)),
    }
}

/// All mistakes at once: those of the provider's own words are the last.
fn with_wording(checked: Result<Catalog, Problems>, of_wording: Vec<Problem>) -> Result<Catalog, Problems> {
    match checked {
        Ok(catalog) if of_wording.is_empty() => Ok(catalog),
        Ok(_) => Err(Problems(of_wording)),
        Err(Problems(problems)) => Err(Problems(problems.into_iter().chain(of_wording).collect())),
    }
}

/// What the files say, by their names.
fn texts<'a>(sources: &'a [Source], wording: &'a [WordingFile]) -> BTreeMap<&'a str, &'a str> {
    let sources = sources.iter().map(|source| (source.file.as_str(), &source.text));
    let all = sources.chain(wording.iter().map(|file| (file.file.as_str(), &file.text)));
    all.filter_map(|(file, text)| Some((file, text.as_deref().ok()?))).collect()
}

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Right {
        ok: bool,
        #[serde(flatten)]
        summary: Summary,
    },
    Wrong {
        ok: bool,
        problems: &'a Problems,
    },
}

#[derive(Serialize)]
struct Summary {
    customers: usize,
    hosts: usize,
    windows: usize,
    jobs: usize,
    /// Steps that install packages and can't be taken back: no mistakes, but to be known.
    points_of_no_return: Vec<PointOfNoReturn>,
    /// Hosts whose probes a job asks, and which have none: their smoke test says nothing. No mistakes either.
    without_probes: Vec<WithoutProbes>,
}

#[derive(Serialize)]
struct PointOfNoReturn {
    job: Name,
    step: String,
}

#[derive(Serialize)]
struct WithoutProbes {
    customer: Name,
    host: Name,
    job: Name,
}

impl Summary {
    fn of(catalog: &Catalog) -> Self {
        Self {
            customers: catalog.customers.len(),
            hosts: catalog.customers.values().map(|customer| customer.hosts.len()).sum(),
            windows: catalog.customers.values().map(|customer| customer.windows.len()).sum(),
            jobs: catalog.jobs.len(),
            points_of_no_return: catalog.jobs.values().flat_map(points_of_no_return).collect(),
            without_probes: catalog.customers.values().flat_map(|customer| without_probes(catalog, customer)).collect(),
        }
    }
}

fn points_of_no_return(job: &Job) -> impl Iterator<Item = PointOfNoReturn> {
    job.one_way_packages().map(|step| PointOfNoReturn { job: job.name.clone(), step: step.name.clone() })
}

/// As far as windows say which hosts are meant.
fn without_probes(catalog: &Catalog, customer: &Customer) -> Vec<WithoutProbes> {
    let asks = |job: &Name| {
        let job = catalog.jobs.get(job);
        job.is_some_and(|job| job.steps.iter().any(|step| step.action == Action::HostProbes))
    };
    let windows = customer.windows.iter().filter(|window| asks(&window.job));
    let meant: BTreeSet<_> = windows.flat_map(|window| window.hosts.iter().map(|host| (host, &window.job))).collect();
    let silent = |name: &Name| customer.hosts.iter().any(|host| host.name == *name && host.probes.is_empty());
    let meant = meant.into_iter().filter(|(host, _)| silent(host));
    meant
        .map(|(host, job)| WithoutProbes { customer: customer.name.clone(), host: host.clone(), job: job.clone() })
        .collect()
}

fn render_summary(summary: &Summary) -> String {
    let Summary { customers, hosts, windows, jobs, .. } = *summary;
    let parts = [count(customers, "customer"), count(hosts, "host"), count(windows, "window"), count(jobs, "job")];
    let told = summary.points_of_no_return.iter().map(|PointOfNoReturn { job, step }| {
        format!("jobs/{job}.toml: the step `{step}` is a point of no return: it has no `rollback = \"packages\"`\n")
    });
    let silent = summary.without_probes.iter().map(|WithoutProbes { customer, host, job }| {
        format!("inventories/{customer}.toml: the host `{host}` has no probes, so that the smoke test of `{job}` says nothing of it\n")
    });
    format!("{}{}: all right", told.chain(silent).collect::<String>(), parts.join(", "))
}

/// `1 host`, `2 hosts`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// All problems, each with the line that it is about, and how many there are.
fn render_problems(problems: &Problems, texts: &BTreeMap<&str, &str>) -> String {
    // Other problems of a line with a secret must not show it either.
    let secret: BTreeSet<_> = problems.0.iter().filter(|problem| problem.conceal).map(place).collect();
    let mut rendered = String::new();
    for problem in &problems.0 {
        let text = texts.get(problem.file.as_str()).filter(|_| !secret.contains(&place(problem)));
        // Writing to a String cannot fail.
        let _ = write!(rendered, "{}\n\n", render_problem(problem, text.copied()));
    }
    let files: BTreeSet<_> = problems.0.iter().map(|problem| &problem.file).collect();
    rendered + &format!("{} in {}\n", count(problems.0.len(), "problem"), count(files.len(), "file"))
}

/// A problem with the line of `text` that it is about.
pub(super) fn render_problem(problem: &Problem, text: Option<&str>) -> String {
    let told = problem.to_string();
    let (what, remedy) = told.split_at(told.find('\n').unwrap_or(told.len()));
    let excerpt = text.and_then(|text| render_excerpt(problem, text));
    format!("{what}{}{remedy}", excerpt.unwrap_or_default())
}

fn place(problem: &Problem) -> (&str, usize) {
    (&problem.file, problem.line)
}

/// The line of a problem with a caret under the place; long lines are cut around it.
fn render_excerpt(problem: &Problem, text: &str) -> Option<String> {
    let line = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .nth(problem.line - 1)
        .filter(|line| !line.trim().is_empty())?;
    let skipped = (problem.column - 1).saturating_sub(SHOWN_BEFORE);
    let shown: String = line.chars().skip(skipped).take(SHOWN_CHARACTERS).map(harmless).collect();
    let gutter = " ".repeat(problem.line.to_string().len());
    let before = " ".repeat(problem.column - 1 - skipped);
    Some(format!("\n  {} | {}\n  {gutter} | {before}^", problem.line, shown.trim_end()))
}

/// The character itself, or a blank for what would move the cursor or turn the direction of writing.
fn harmless(character: char) -> char {
    match character {
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => ' ',
        _ if character.is_control() => ' ',
        _ => character,
    }
}

fn print_json(answer: &Answer<'_>) {
    // Text, numbers and lists: serialising them to memory has no way to fail.
    print(&serde_json::to_string(answer).unwrap_or_default());
}

#[cfg(test)]
mod tests;
