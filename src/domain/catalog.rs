//! Everything that the files say, seen together: settings, customers, jobs, and what they say of each other.
//!
//! Invariant: in a [`Catalog`] every job that a window names exists, and every host that a step of it is delegated to
//! is one of that customer's; every calendar that a freeze names is there.

use std::collections::BTreeMap;

use super::document::{Lines, Located, NAME_RULE, Wrong, did_you_mean, quoted, stem};
use super::id::Name;
use super::inventory::parse as inventory;
use super::inventory::{Customer, Window};
use super::job::parse as job;
use super::job::{Job, Which};
use super::problem::{Problem, Problems};
use super::settings::{self, Settings};

/// What the files of one directory say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// `turnus.toml`, or the defaults.
    pub settings: Settings,
    /// The customers, by name.
    pub customers: BTreeMap<Name, Customer>,
    /// The jobs, by name.
    pub jobs: BTreeMap<Name, Job>,
    /// The texts of the calendars, by name; what is in them is for the edge to read.
    pub calendars: BTreeMap<Name, String>,
}

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file as the user names it (`inventories/nordwind.toml`).
    pub file: String,
    /// What it describes.
    pub kind: SourceKind,
    /// Its exact content (the revision that runs are made from), or why it could not be read.
    pub text: Result<String, Problem>,
}

/// What a file describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// `turnus.toml`.
    Settings,
    /// `inventories/<customer>.toml`.
    Inventory,
    /// `jobs/<job>.toml`.
    Job,
    /// `calendars/<name>.ics`.
    Calendar,
}

/// Reads all sources and what they say of each other. Either everything is right, or all problems of all files are
/// told, sorted by file and place. A file that can't be read or has mistakes still counts as there.
pub fn build(sources: &[Source]) -> Result<Catalog, Problems> {
    let mut drafts = Drafts::default();
    for source in sources {
        match &source.text {
            Ok(text) => drafts.read(source, text),
            Err(problem) => drafts.miss(source, problem),
        }
    }
    drafts.check_jobs_of_windows();
    drafts.check_calendars_of_freezes();
    drafts.into_catalog()
}

/// The files, each read by itself.
#[derive(Default)]
struct Drafts<'s> {
    settings: Settings,
    inventories: Vec<Inventory<'s>>,
    jobs: BTreeMap<Name, job::Draft>,
    /// The calendars; without text if they can't be read.
    calendars: BTreeMap<Name, Option<&'s str>>,
    /// Who names calendars: a file, its text, and where in it.
    freezes: Vec<Freezes<'s>>,
    problems: Vec<Problem>,
}

struct Inventory<'s> {
    file: &'s str,
    text: &'s str,
    draft: inventory::Draft,
}

struct Freezes<'s> {
    file: &'s str,
    text: &'s str,
    calendars: Vec<Located<Name>>,
}

impl<'s> Drafts<'s> {
    fn read(&mut self, source: &'s Source, text: &'s str) {
        let file = source.file.as_str();
        let problems = match source.kind {
            SourceKind::Settings => {
                let (draft, problems) = settings::draft(text, file);
                self.settings = draft.settings;
                self.freezes.push(Freezes { file, text, calendars: draft.calendars });
                problems
            }
            SourceKind::Inventory => {
                let (mut draft, problems) = inventory::draft(text, file);
                self.freezes.push(Freezes { file, text, calendars: std::mem::take(&mut draft.calendars) });
                self.inventories.push(Inventory { file, text, draft });
                problems
            }
            SourceKind::Job => {
                let (draft, problems) = job::draft(text, file);
                self.jobs.extend(stem(file).map(|name| (name, draft)));
                problems
            }
            SourceKind::Calendar => {
                let name = stem(file).ok_or_else(|| Problems(vec![unfit_calendar_name(file)]));
                match name.map(|name| self.calendars.insert(name, Some(text))) {
                    Ok(_) => return,
                    Err(problems) => problems,
                }
            }
        };
        self.problems.extend(problems.0);
    }

    fn miss(&mut self, source: &Source, problem: &Problem) {
        self.problems.push(problem.clone());
        let name = stem(&source.file);
        match source.kind {
            SourceKind::Job => self.jobs.extend(name.map(|name| (name, job::Draft::default()))),
            SourceKind::Calendar => self.calendars.extend(name.map(|name| (name, None))),
            SourceKind::Settings | SourceKind::Inventory => {}
        }
    }

    fn check_jobs_of_windows(&mut self) {
        for Inventory { file, text, draft } in &self.inventories {
            let lines = Lines::of(text);
            for (position, named) in draft.jobs.iter().enumerate() {
                // An inventory that is right in itself has one window for each job that is named, in the same order.
                let window = draft.customer.as_ref().and_then(|customer| customer.windows.get(position));
                let wrongs = match self.jobs.get(&named.value) {
                    Some(job) => {
                        let unreviewed = unreviewed_updates(&named.value, job, window);
                        missing_delegates(&named.value, job, draft).into_iter().chain(unreviewed).collect()
                    }
                    None => vec![unknown_job(&named.value, self.jobs.keys())],
                };
                self.problems.extend(wrongs.into_iter().map(|wrong| wrong.at(named.offset, &lines, file)));
            }
        }
    }

    fn check_calendars_of_freezes(&mut self) {
        for Freezes { file, text, calendars } in &self.freezes {
            let lines = Lines::of(text);
            let unknown = calendars.iter().filter(|named| !self.calendars.contains_key(&named.value));
            let wrongs = unknown.map(|named| (named.offset, unknown_calendar(&named.value, self.calendars.keys())));
            self.problems.extend(wrongs.map(|(offset, wrong)| wrong.at(offset, &lines, file)));
        }
    }

    fn into_catalog(mut self) -> Result<Catalog, Problems> {
        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            return Err(Problems(self.problems));
        }
        let customers = self.inventories.into_iter().filter_map(|inventory| inventory.draft.customer);
        let jobs = self.jobs.into_values().filter_map(|draft| draft.job);
        let calendars = self.calendars.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned())));
        Ok(Catalog {
            settings: self.settings,
            customers: customers.map(|customer| (customer.name.clone(), customer)).collect(),
            jobs: jobs.map(|job| (job.name.clone(), job)).collect(),
            calendars: calendars.collect(),
        })
    }
}

fn unknown_job<'a>(name: &Name, known: impl Iterator<Item = &'a Name> + Clone) -> Wrong {
    let wrong = Wrong::new(format!("there is no job `{name}`"));
    match did_you_mean(name.as_str(), known.map(Name::as_str)) {
        Some(hint) => wrong.hint(hint),
        None => wrong.expected(format!("a file `jobs/{name}.toml`")),
    }
}

fn unknown_calendar<'a>(name: &Name, known: impl Iterator<Item = &'a Name> + Clone) -> Wrong {
    let wrong = Wrong::new(format!("there is no calendar `{name}`"));
    match did_you_mean(name.as_str(), known.map(Name::as_str)) {
        Some(hint) => wrong.hint(hint),
        None => wrong.expected(format!("a file `calendars/{name}.ics`")),
    }
}

fn unfit_calendar_name(file: &str) -> Problem {
    let wrong = Wrong::new(format!("{} is no name for a file", quoted(file)));
    let wrong =
        wrong.expected(format!("{NAME_RULE}, and `.ics`")).hint("rename the file: its name is what freezes say");
    wrong.at(0, &Lines::of(""), file)
}

/// Hosts that steps of the job are delegated to and the customer does not have; each is told once.
fn missing_delegates(name: &Name, job: &job::Draft, inventory: &inventory::Draft) -> Vec<Wrong> {
    let mut missing: Vec<&Name> = job.delegates.iter().map(|Located { value, .. }| value).collect();
    missing.retain(|delegate| !inventory.hosts.contains(*delegate));
    missing.sort();
    missing.dedup();
    let explain = |delegate: &Name| {
        Wrong::new(format!("the job `{name}` has a step on host `{delegate}`, which this customer does not have"))
            .hint(format!("add a `[[host]]` named `{delegate}`, or use another job"))
    };
    missing.into_iter().map(explain).collect()
}

/// G4: what runs at an appointed time installs only what a person approved.
fn unreviewed_updates(name: &Name, job: &job::Draft, window: Option<&Window>) -> Option<Wrong> {
    let wrong = match job.job.as_ref().and_then(Job::installs)? {
        Which::All => {
            Wrong::new(format!("the job `{name}` says `packages = \"all\"`, which nobody would have reviewed"))
                .expected("a job with `packages = \"approved\"`")
                .hint("jobs that install everything are run by hand, with `turnus run`")
        }
        Which::Approved if window?.review_s.is_none() => Wrong::new(format!(
            "the job `{name}` installs what is approved, and the window does not say when to collect it"
        ))
        .expected("`review`, such as `review = \"3d\"`")
        .hint("without a decision each of its dates would be missed"),
        Which::Approved => return None,
    };
    Some(wrong)
}

#[cfg(test)]
mod tests;
