//! Everything that the files say, seen together: settings, customers, jobs, and what they say of each other.
//!
//! Invariant: in a [`Catalog`] every job that a window names exists, and every host that a step of it is delegated to
//! is one of that customer's.

use std::collections::BTreeMap;

use super::document::{Lines, Located, Wrong, did_you_mean, stem};
use super::id::Name;
use super::inventory::Customer;
use super::inventory::parse as inventory;
use super::job::Job;
use super::job::parse as job;
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
    drafts.into_catalog()
}

/// The files, each read by itself.
#[derive(Default)]
struct Drafts<'s> {
    settings: Settings,
    inventories: Vec<Inventory<'s>>,
    jobs: BTreeMap<Name, job::Draft>,
    problems: Vec<Problem>,
}

struct Inventory<'s> {
    file: &'s str,
    text: &'s str,
    draft: inventory::Draft,
}

impl<'s> Drafts<'s> {
    fn read(&mut self, source: &'s Source, text: &'s str) {
        let file = source.file.as_str();
        let problems = match source.kind {
            SourceKind::Settings => match settings::parse(text, file) {
                Ok(settings) => {
                    self.settings = settings;
                    return;
                }
                Err(problems) => problems,
            },
            SourceKind::Inventory => {
                let (draft, problems) = inventory::draft(text, file);
                self.inventories.push(Inventory { file, text, draft });
                problems
            }
            SourceKind::Job => {
                let (draft, problems) = job::draft(text, file);
                self.jobs.extend(stem(file).map(|name| (name, draft)));
                problems
            }
        };
        self.problems.extend(problems.0);
    }

    fn miss(&mut self, source: &Source, problem: &Problem) {
        self.problems.push(problem.clone());
        if source.kind == SourceKind::Job {
            self.jobs.extend(stem(&source.file).map(|name| (name, job::Draft::default())));
        }
    }

    fn check_jobs_of_windows(&mut self) {
        for Inventory { file, text, draft } in &self.inventories {
            let lines = Lines::of(text);
            for named in &draft.jobs {
                let wrongs = match self.jobs.get(&named.value) {
                    Some(job) => missing_delegates(&named.value, job, draft),
                    None => vec![unknown_job(&named.value, self.jobs.keys())],
                };
                self.problems.extend(wrongs.into_iter().map(|wrong| wrong.at(named.offset, &lines, file)));
            }
        }
    }

    fn into_catalog(mut self) -> Result<Catalog, Problems> {
        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            return Err(Problems(self.problems));
        }
        let customers = self.inventories.into_iter().filter_map(|inventory| inventory.draft.customer);
        let jobs = self.jobs.into_values().filter_map(|draft| draft.job);
        Ok(Catalog {
            settings: self.settings,
            customers: customers.map(|customer| (customer.name.clone(), customer)).collect(),
            jobs: jobs.map(|job| (job.name.clone(), job)).collect(),
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

#[cfg(test)]
mod tests;
